//! A value of a template as one reads it: `{"Fn::GetAtt": ["Queue", "Arn"]}` is `${Queue.Arn}`.
//!
//! Texts are for people and for comparing expressions; nothing is resolved.

use serde_json::{Map, Value};

/// The value on one line. Texts stand without quotes where the whole value is one.
pub fn shown(value: &Value) -> String {
    match compact(value) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The value with every intrinsic function that has a short form turned into a text.
pub fn compact(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(compact).collect()),
        Value::Object(map) => match intrinsic(map) {
            Some(text) => Value::String(text),
            None => {
                let entries = map.iter().map(|(key, value)| (key.clone(), compact(value)));
                Value::Object(entries.collect())
            }
        },
        other => other.clone(),
    }
}

/// Whether the object is one call of an intrinsic function.
pub fn is_intrinsic(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

fn intrinsic(map: &Map<String, Value>) -> Option<String> {
    let (function, argument) = map.iter().next().filter(|_| is_intrinsic(map))?;
    match (function.as_str(), argument) {
        ("Ref", Value::String(target)) => Some(format!("${{{target}}}")),
        ("Fn::GetAtt", Value::String(target)) => Some(format!("${{{target}}}")),
        ("Fn::GetAtt", Value::Array(parts)) => match parts.as_slice() {
            [target, attribute] => Some(format!("${{{}.{}}}", target.as_str()?, shown(attribute))),
            _ => None,
        },
        ("Fn::ImportValue", name) => Some(format!("${{import {}}}", shown(name))),
        ("Fn::Sub", Value::String(text)) => Some(text.clone()),
        ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
            [Value::String(text), Value::Object(variables)] => Some(substituted(text, variables)),
            _ => None,
        },
        ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
            [Value::String(separator), Value::Array(items)] => {
                Some(items.iter().map(shown).collect::<Vec<_>>().join(separator))
            }
            _ => None,
        },
        _ => None,
    }
}

/// One pass, so that what a variable brings is not substituted again.
fn substituted(text: &str, variables: &Map<String, Value>) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        result.push_str(before);
        match after.split_once('}') {
            Some((name, behind)) if variables.contains_key(name) => {
                result.push_str(&shown(&variables[name]));
                rest = behind;
            }
            _ => {
                result.push_str("${");
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn intrinsics_read_as_texts() {
        for (value, text) in [
            (json!({ "Ref": "Queue" }), "${Queue}"),
            (json!({ "Fn::GetAtt": ["Queue", "Arn"] }), "${Queue.Arn}"),
            (json!({ "Fn::GetAtt": "Queue.Arn" }), "${Queue.Arn}"),
            (
                json!({ "Fn::Join": ["", ["arn:", { "Ref": "AWS::Partition" }, ":x"]] }),
                "arn:${AWS::Partition}:x",
            ),
            (
                json!({ "Fn::Sub": ["${A}-${!B}-${C}", { "A": { "Ref": "X" } }] }),
                "${X}-${!B}-${C}",
            ),
            (json!({ "Fn::ImportValue": "Other:Vpc" }), "${import Other:Vpc}"),
            (json!(["a", { "Ref": "B" }]), r#"["a","${B}"]"#),
            (
                json!({ "Fn::Select": [0, { "Ref": "B" }] }),
                r#"{"Fn::Select":[0,"${B}"]}"#,
            ),
            (json!(5), "5"),
        ] {
            assert_eq!(shown(&value), text);
        }
    }

    #[test]
    fn what_is_no_call_stays_what_it_is() {
        for value in [
            json!({ "Ref": 5 }),
            json!({ "Fn::GetAtt": [] }),
            json!({ "Fn::Join": "x" }),
            json!({ "Fn::Sub": ["a"] }),
        ] {
            assert_eq!(compact(&value), value);
        }
    }
}
