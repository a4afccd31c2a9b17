//! Patch operations, by which API Gateway's resources are changed: which paths there are, what their values mean.
//!
//! API Gateway REST API Reference, "Patch operations". A patch is applied as a whole or not at all: callers apply it
//! to a copy.

use serde_json::{Number, Value, json};

use super::record::{Object, child};
use super::service::bad_request;
use crate::members::Members;
use crate::service::ApiError;

pub(super) struct PatchOperation {
    pub op: String,
    pub path: String,
    pub value: Option<String>,
    pub from: Option<String>,
}

/// What stands at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    Integer,
    Decimal,
    /// An entry of a list of texts, named by the path's last part.
    Entry,
    /// A whole object that can be removed only.
    Whole,
}

/// The paths of one resource type. `*` stands for any one key.
pub(super) type Fields = &'static [(&'static str, Kind)];

impl PatchOperation {
    pub fn all_of(input: &Value) -> Result<Vec<Self>, ApiError> {
        let operations = input.list("patchOperations").iter().map(|operation| {
            let op = operation.text("op").unwrap_or_default().to_owned();
            let path = operation.text("path").unwrap_or_default().to_owned();
            if !matches!(op.as_str(), "add" | "remove" | "replace" | "move" | "copy" | "test") {
                return Err(bad_request(format!(
                    "Invalid patch operation specified. '{op}' is none of add, remove, replace, move, copy and test"
                )));
            }
            if !path.starts_with('/') {
                return Err(bad_request(format!(
                    "Invalid patch path '{path}' specified for op '{op}': it must begin with /"
                )));
            }
            let text = |name: &str| operation.text(name).map(str::to_owned);
            Ok(Self {
                op,
                path,
                value: text("value"),
                from: text("from"),
            })
        });
        operations.collect()
    }

    pub fn refuse(&self, fields: Fields) -> ApiError {
        let paths: Vec<&str> = fields.iter().map(|(path, _)| *path).collect();
        bad_request(format!(
            "Invalid patch path '{}' specified for op '{}'. Must be one of: [{}]",
            self.path,
            self.op,
            paths.join(", ")
        ))
    }

    pub fn needed_value(&self) -> Result<&str, ApiError> {
        self.value.as_deref().ok_or_else(|| {
            bad_request(format!(
                "The patch operation '{}' on '{}' needs a value",
                self.op, self.path
            ))
        })
    }

    /// Applies an `add`, `replace` or `remove`.
    pub fn apply(&self, target: &mut Object, fields: Fields) -> Result<(), ApiError> {
        let parts = parts(&self.path);
        let Some(kind) = kind_of(&parts, fields) else {
            return Err(self.refuse(fields));
        };
        let Some((last, parents)) = parts.split_last() else {
            return Err(self.refuse(fields));
        };
        match (self.op.as_str(), kind) {
            ("remove", Kind::Entry) => {
                let (name, parents) = parents.split_last().ok_or_else(|| self.refuse(fields))?;
                if let Some(entries) = parent(target, parents).get_mut(name).and_then(Value::as_array_mut) {
                    entries.retain(|entry| entry != last);
                }
            }
            ("remove", _) => {
                parent(target, parents).remove(last);
            }
            ("add" | "replace", Kind::Entry) => {
                let (name, parents) = parents.split_last().ok_or_else(|| self.refuse(fields))?;
                let list = parent(target, parents).entry(name.clone()).or_insert_with(|| json!([]));
                let Some(entries) = list.as_array_mut() else {
                    return Err(self.refuse(fields));
                };
                let new = if self.op == "replace" {
                    self.needed_value()?
                } else {
                    last
                };
                entries.retain(|entry| entry != last && entry != new);
                entries.push(json!(new));
            }
            ("add" | "replace", kind) if kind != Kind::Whole => {
                let value = self.typed(kind)?;
                parent(target, parents).insert(last.clone(), value);
            }
            _ => return Err(self.refuse(fields)),
        }
        Ok(())
    }

    fn typed(&self, kind: Kind) -> Result<Value, ApiError> {
        let text = self.needed_value()?;
        let wrong = || bad_request(format!("Invalid value '{text}' specified for path '{}'", self.path));
        Ok(match kind {
            Kind::Flag => Value::Bool(text.parse().map_err(|_| wrong())?),
            Kind::Integer => json!(text.parse::<i64>().map_err(|_| wrong())?),
            Kind::Decimal => {
                let number = text.parse::<f64>().ok().and_then(Number::from_f64).ok_or_else(wrong)?;
                Value::Number(number)
            }
            _ => json!(text),
        })
    }
}

/// The parts of a path, with `~1` and `~0` read.
pub(super) fn parts(path: &str) -> Vec<String> {
    path.split('/')
        .skip(1)
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect()
}

fn kind_of(parts: &[String], fields: Fields) -> Option<Kind> {
    let matches = |pattern: &str| {
        let pattern: Vec<&str> = pattern.split('/').skip(1).collect();
        pattern.len() == parts.len()
            && pattern
                .iter()
                .zip(parts)
                .all(|(pattern, part)| *pattern == "*" || pattern == part)
    };
    fields
        .iter()
        .find(|(pattern, _)| matches(pattern))
        .map(|(_, kind)| *kind)
}

fn parent<'a>(target: &'a mut Object, parts: &[String]) -> &'a mut Object {
    parts.iter().fold(target, |object, part| child(object, part))
}

/// Applies every operation of `input` to a copy of `current`.
pub(super) fn patched(current: &Object, input: &Value, fields: Fields) -> Result<Object, ApiError> {
    let mut copy = current.clone();
    for operation in PatchOperation::all_of(input)? {
        operation.apply(&mut copy, fields)?;
    }
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields = &[
        ("/name", Kind::Text),
        ("/limit", Kind::Integer),
        ("/on", Kind::Flag),
        ("/types/*", Kind::Entry),
        ("/variables/*", Kind::Text),
    ];

    fn patch(current: Value, operations: Value) -> Result<Value, ApiError> {
        let input = json!({"patchOperations": operations});
        Ok(Value::Object(patched(current.as_object().unwrap(), &input, FIELDS)?))
    }

    #[test]
    fn values_get_the_type_of_their_path() {
        let operations = json!([
            {"op": "replace", "path": "/limit", "value": "7"},
            {"op": "replace", "path": "/on", "value": "true"},
            {"op": "add", "path": "/types/image~1png"},
            {"op": "replace", "path": "/variables/color", "value": "green"},
        ]);
        let expected =
            json!({"name": "n", "limit": 7, "on": true, "types": ["image/png"], "variables": {"color": "green"}});
        assert_eq!(patch(json!({"name": "n"}), operations).unwrap(), expected);
        let operations =
            json!([{"op": "remove", "path": "/types/image~1png"}, {"op": "remove", "path": "/variables/color"}]);
        assert_eq!(
            patch(expected, operations).unwrap(),
            json!({"name": "n", "limit": 7, "on": true, "types": [], "variables": {}})
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for operation in [
            json!({"op": "replace", "path": "/unknown", "value": "1"}),
            json!({"op": "replace", "path": "/limit", "value": "many"}),
            json!({"op": "replace", "path": "/limit"}),
            json!({"op": "increase", "path": "/limit", "value": "1"}),
            json!({"op": "replace", "path": "limit", "value": "1"}),
        ] {
            assert_eq!(
                patch(json!({}), json!([operation])).unwrap_err().code,
                "BadRequestException",
                "{operation}"
            );
        }
    }
}
