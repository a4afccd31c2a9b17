//! Finds references to a logical id inside a value of a template.

use serde_json::Value;

/// Whether `value` refers to `logical_id` by `Ref`, `Fn::GetAtt` or `Fn::Sub`.
pub fn any(value: &Value, logical_id: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, inner)| match (key.as_str(), inner) {
            ("Ref", Value::String(target)) => target == logical_id,
            ("Fn::GetAtt", Value::String(target)) => target.split('.').next() == Some(logical_id),
            ("Fn::GetAtt", Value::Array(parts)) => parts.first().and_then(Value::as_str) == Some(logical_id),
            ("Fn::Sub", Value::String(text)) => in_text(text, logical_id),
            ("Fn::Sub", Value::Array(parts)) => {
                parts
                    .first()
                    .and_then(Value::as_str)
                    .is_some_and(|text| in_text(text, logical_id))
                    || parts.iter().skip(1).any(|variables| any(variables, logical_id))
            }
            _ => any(inner, logical_id),
        }),
        Value::Array(items) => items.iter().any(|item| any(item, logical_id)),
        _ => false,
    }
}

/// `${Name}` and `${Name.Attribute}`; `${!Name}` is text.
fn in_text(text: &str, logical_id: &str) -> bool {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .any(|(name, _)| name.split('.').next() == Some(logical_id))
}
