//! Templates as YAML with the short forms (`!Ref`, `!GetAtt a.b`, `!Sub`) or as JSON, both as one JSON value.

use serde_json::{Map, Number, Value, json};
use serde_norway::Value as Yaml;

/// The error says what is wrong and where.
pub fn parse(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| format!("JSON not well-formed. ({error})"));
    }
    let yaml: Yaml = serde_norway::from_str(text).map_err(|error| format!("YAML not well-formed. ({error})"))?;
    convert(yaml)
}

fn convert(yaml: Yaml) -> Result<Value, String> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(flag),
        Yaml::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(float)) => Number::from_f64(float).map_or(Value::Null, Value::Number),
            (None, None) => Value::Null,
        },
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(convert).collect::<Result<_, _>>()?),
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let key = match key {
                    Yaml::String(text) => text,
                    Yaml::Number(number) => number.to_string(),
                    Yaml::Bool(flag) => flag.to_string(),
                    other => return Err(format!("a key must be a text, not {other:?}")),
                };
                object.insert(key, convert(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => {
            let name = tagged.tag.to_string();
            let name = name.trim_start_matches('!');
            let value = convert(tagged.value)?;
            match (name, &value) {
                ("Ref" | "Condition", _) => json!({name: value}),
                ("GetAtt", Value::String(text)) => match text.split_once('.') {
                    Some((id, attribute)) => json!({"Fn::GetAtt": [id, attribute]}),
                    None => return Err(format!("!GetAtt {text} names no attribute")),
                },
                _ => json!({format!("Fn::{name}"): value}),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_the_long_ones() {
        let yaml =
            "a: !Ref B\nb: !GetAtt C.D.E\nc: !Join ['-', [!Sub '${X}', 1]]\nd: !If [Yes, 1, !Ref AWS::NoValue]\n";
        let expected = json!({
            "a": {"Ref": "B"}, "b": {"Fn::GetAtt": ["C", "D.E"]},
            "c": {"Fn::Join": ["-", [{"Fn::Sub": "${X}"}, 1]]},
            "d": {"Fn::If": ["Yes", 1, {"Ref": "AWS::NoValue"}]},
        });
        assert_eq!(parse(yaml).unwrap(), expected);
    }
}
