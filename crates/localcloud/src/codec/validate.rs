//! What a model refuses: missing members, values outside an enumeration, a length or a range. The words are AWS's.

use serde_json::Value;

use super::model::{Kind, Model, Shape};

/// Every constraint of the model that `value` breaks, in AWS's words; empty when there is none.
pub fn broken(model: &Model, shape: &Shape, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(model, shape, value, "", &mut found);
    found
}

/// The required members that a structure lacks.
pub fn missing<'a>(shape: &'a Shape, value: &Value) -> Vec<&'a str> {
    let payload = shape.payload.as_deref();
    let required = shape
        .required
        .iter()
        .map(String::as_str)
        .filter(|name| Some(*name) != payload);
    required
        .filter(|name| value.get(name).is_none_or(Value::is_null))
        .collect()
}

fn check(model: &Model, shape: &Shape, value: &Value, path: &str, found: &mut Vec<String>) {
    let mut refuse = |constraint: String| {
        let shown = match value {
            Value::String(text) => format!("'{text}'"),
            other => format!("'{other}'"),
        };
        found.push(format!(
            "Value {shown} at '{path}' failed to satisfy constraint: {constraint}"
        ));
    };
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(object)) => {
            for name in missing(shape, value) {
                let below = below(path, name);
                found.push(format!(
                    "Value null at '{below}' failed to satisfy constraint: Member must not be null"
                ));
            }
            for (name, value) in object {
                if let Some(member) = shape.members.get(name) {
                    check(model, model.of(member), value, &below(path, name), found);
                }
            }
        }
        (Kind::List, Value::Array(items)) => {
            bounds(shape, items.len() as f64, "Member must have length", &mut refuse);
            let item = model.of(shape.member.as_ref().expect("a list has a member"));
            for (index, value) in items.iter().enumerate() {
                check(model, item, value, &format!("{path}.{}.member", index + 1), found);
            }
        }
        (Kind::Map, Value::Object(entries)) => {
            bounds(shape, entries.len() as f64, "Member must have length", &mut refuse);
            let item = model.of(shape.value.as_ref().expect("a map has a value"));
            for (key, value) in entries {
                check(model, item, value, &format!("{path}.{key}.member"), found);
            }
        }
        (Kind::String, Value::String(text)) => {
            bounds(
                shape,
                text.chars().count() as f64,
                "Member must have length",
                &mut refuse,
            );
            if !shape.variants.is_empty() && !shape.variants.contains(text) {
                refuse(format!(
                    "Member must satisfy enum value set: [{}]",
                    shape.variants.join(", ")
                ));
            }
        }
        (Kind::Integer | Kind::Long | Kind::Float | Kind::Double, Value::Number(number)) => {
            bounds(
                shape,
                number.as_f64().unwrap_or_default(),
                "Member must have value",
                &mut refuse,
            );
        }
        _ => {}
    }
}

fn bounds(shape: &Shape, size: f64, what: &str, refuse: &mut impl FnMut(String)) {
    if let Some(min) = shape.min.filter(|min| size < *min) {
        refuse(format!("{what} greater than or equal to {min}"));
    }
    if let Some(max) = shape.max.filter(|max| size > *max) {
        refuse(format!("{what} less than or equal to {max}"));
    }
}

/// AWS writes members in lower camel case here: `stackName`, `parameters.1.member.parameterKey`.
fn below(path: &str, name: &str) -> String {
    let mut characters = name.chars();
    let lower: String = characters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(characters)
        .collect();
    if path.is_empty() {
        lower
    } else {
        format!("{path}.{lower}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::model;
    use super::*;
    use serde_json::json;

    #[test]
    fn missing_members_enumerations_and_lengths_are_named() {
        let model = model("cloudformation").unwrap();
        let input = json!({"ChangeSetName": "c".repeat(129), "ChangeSetType": "MAKE"});
        let found = broken(model, model.shape("CreateChangeSetInput"), &input);
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found[0].starts_with("Value null at 'stackName'"), "{}", found[0]);
        assert!(
            found[1].ends_with("Member must have length less than or equal to 128"),
            "{}",
            found[1]
        );
        assert!(
            found[2].contains("enum value set: [CREATE, UPDATE, IMPORT"),
            "{}",
            found[2]
        );
    }
}
