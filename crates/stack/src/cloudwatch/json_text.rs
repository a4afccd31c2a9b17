//! JSON as text with holes: the body of a dashboard is a string, and what is only known at deployment is joined into it.

use cfn::{Expr, Intrinsic, Map};

/// The text of `value` as JSON. Intrinsics become quoted texts.
pub(crate) fn json_text(value: &Expr) -> Expr {
    let mut parts = Vec::new();
    write(value, &mut parts);
    Expr::concat(parts)
}

fn write(value: &Expr, parts: &mut Vec<Expr>) {
    match value {
        Expr::List(items) => {
            parts.push("[".into());
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    parts.push(",".into());
                }
                write(item, parts);
            }
            parts.push("]".into());
        }
        Expr::Map(map) => {
            parts.push("{".into());
            for (index, (key, value)) in map.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                parts.push(Expr::text(format!("{comma}{}:", quoted(key))));
                write(value, parts);
            }
            parts.push("}".into());
        }
        Expr::Ref(_) | Expr::LogicalId(_) | Expr::Intrinsic(_) => {
            parts.extend(["\"".into(), escaped(value), "\"".into()]);
        }
        Expr::Text(text) => parts.push(Expr::text(quoted(text))),
        // Numbers and the like print as they do in the template.
        plain => parts.push(Expr::text(
            plain.to_json().map(|json| json.to_string()).unwrap_or_default(),
        )),
    }
}

/// The literal parts of an intrinsic, escaped for the inside of a JSON string.
fn escaped(value: &Expr) -> Expr {
    match value {
        Expr::Text(text) => {
            let quoted = quoted(text);
            Expr::text(quoted[1..quoted.len() - 1].to_owned())
        }
        Expr::List(items) => Expr::List(items.iter().map(escaped).collect()),
        Expr::Map(map) => Expr::Map(
            map.iter()
                .map(|(key, value)| (key.to_owned(), escaped(value)))
                .collect::<Map>(),
        ),
        Expr::Intrinsic(intrinsic) => match &**intrinsic {
            Intrinsic::Join { delimiter, values } => Intrinsic::Join {
                delimiter: delimiter.clone(),
                values: escaped(values),
            }
            .into(),
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn holes_are_joined_in() {
        let value = Expr::map([
            ("a", Expr::list([Expr::from(1), Expr::Float(0.5), Expr::Bool(true)])),
            ("b", Expr::text("say \"x\"")),
            ("c", Expr::concat(["\"".into(), cfn::pseudo::region().into_expr()])),
        ]);
        assert_eq!(
            json_text(&value).to_json().unwrap(),
            json!({ "Fn::Join": ["", [
                "{\"a\":[1,0.5,true],\"b\":\"say \\\"x\\\"\",\"c\":\"\\\"", { "Ref": "AWS::Region" }, "\"}",
            ]] })
        );
    }
}
