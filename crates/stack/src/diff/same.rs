//! When two values of a template are the same to CloudFormation.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Scalars by their text (CloudFormation reads `5` as `"5"`), maps whatever the order of their keys, lists in order,
/// `"Fn::GetAtt": "A.B"` as `"Fn::GetAtt": ["A", "B"]`.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => match (attribute(left), attribute(right)) {
            (Some(left), Some(right)) => left == right,
            _ => {
                left.len() == right.len()
                    && left
                        .iter()
                        .all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
            }
        },
        (Value::String(left), Value::String(right)) => left == right,
        (left, right) => match (scalar(left), scalar(right)) {
            (Some(left), Some(right)) => left == right,
            _ => left == right,
        },
    }
}

pub fn optional(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => same(left, right),
        (None, None) => true,
        _ => false,
    }
}

/// One text for all values that are the same, and for no other.
pub fn key(value: &Value) -> String {
    normal(value).to_string()
}

fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(normal).collect()),
        Value::Object(map) => {
            if let Some((target, attribute)) = attribute(map) {
                return serde_json::json!({ "Fn::GetAtt": [target, attribute] });
            }
            let sorted: BTreeMap<&String, Value> = map.iter().map(|(key, value)| (key, normal(value))).collect();
            Value::Object(sorted.into_iter().map(|(key, value)| (key.clone(), value)).collect())
        }
        other => scalar(other).map_or(Value::Null, Value::String),
    }
}

/// `A` and `B` of a call of `Fn::GetAtt` in either form.
fn attribute(map: &Map<String, Value>) -> Option<(String, String)> {
    match map.get("Fn::GetAtt").filter(|_| map.len() == 1)? {
        Value::String(text) => {
            let (target, attribute) = text.split_once('.')?;
            Some((target.to_owned(), attribute.to_owned()))
        }
        Value::Array(parts) => match parts.as_slice() {
            [target, attribute] => Some((scalar(target)?, scalar(attribute)?)),
            _ => None,
        },
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
