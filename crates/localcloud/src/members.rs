//! Reading the members of a decoded call or of a resource's properties.
//!
//! The codec has already refused calls that break the service's model; templates are laxer: CloudFormation takes
//! `"5"` for a number and `"true"` for a boolean, so the readers here do too. Services and providers call it.

use serde_json::{Map, Value};

use crate::service::ApiError;

/// What a call's input and a resource's properties have in common.
pub trait Members {
    /// The member, unless it is missing or null.
    fn member(&self, name: &str) -> Option<&Value>;

    fn text(&self, name: &str) -> Option<&str> {
        self.member(name).and_then(Value::as_str)
    }

    /// A text that the operation cannot do without; the error is the one most services use.
    fn required_text(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| {
            ApiError::new(
                400,
                "ValidationException",
                format!("1 validation error detected: '{name}' must not be null"),
            )
        })
    }

    fn number(&self, name: &str) -> Option<f64> {
        match self.member(name)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn integer(&self, name: &str) -> Option<i64> {
        match self.member(name)? {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|value| value as i64)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.member(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The entries of a list; a missing list has none.
    fn list(&self, name: &str) -> &[Value] {
        self.member(name)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The texts of a list; entries that are no text are left out.
    fn texts(&self, name: &str) -> Vec<String> {
        self.list(name)
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }
}

impl Members for Value {
    fn member(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_null())
    }
}

impl Members for Map<String, Value> {
    fn member(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_null())
    }
}

/// Numbers and booleans are texts to CloudFormation.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// `Tags: [{Key, Value}]` as pairs.
pub fn tags_of(members: &impl Members, name: &str) -> Vec<(String, String)> {
    members
        .list(name)
        .iter()
        .filter_map(|tag| {
            Some((
                tag.text("Key")?.to_owned(),
                tag.text("Value").unwrap_or_default().to_owned(),
            ))
        })
        .collect()
}

/// Pairs as `[{Key, Value}]`.
pub fn tag_list(tags: &[(String, String)]) -> Value {
    tags.iter()
        .map(|(key, value)| serde_json::json!({"Key": key, "Value": value}))
        .collect()
}

/// Sets tags as AWS does: a key that is there gets the new value.
pub fn merge_tags(tags: &mut Vec<(String, String)>, added: Vec<(String, String)>) {
    for (key, value) in added {
        match tags.iter_mut().find(|(present, _)| *present == key) {
            Some(tag) => tag.1 = value,
            None => tags.push((key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_may_write_numbers_and_booleans_as_texts() {
        let members = json!({"A": "5", "B": 5, "C": "true", "D": false, "E": null, "F": "2.5"});
        assert_eq!((members.integer("A"), members.integer("B")), (Some(5), Some(5)));
        assert_eq!((members.flag("C"), members.flag("D")), (Some(true), Some(false)));
        assert_eq!(members.member("E"), None);
        assert_eq!(members.number("F"), Some(2.5));
        assert_eq!(
            members.required_text("E").expect_err("null is missing").code,
            "ValidationException"
        );
    }
}
