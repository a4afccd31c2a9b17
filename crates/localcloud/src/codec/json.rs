//! JSON bodies, by shape: wire names against member names, and nothing that the model does not know.

use serde_json::{Map, Value};

use super::leaf::{self, TimeFormat};
use super::model::{Kind, Member, Model, Shape};

/// Whether members go by `locationName` (REST) or by their own name (awsJson).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    Wire,
    Own,
}

impl Naming {
    fn name<'a>(self, name: &'a str, member: &'a Member) -> &'a str {
        match self {
            Self::Wire => member.wire_name(name),
            Self::Own => name,
        }
    }
}

pub fn parse(body: &[u8]) -> Result<Value, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))
}

pub fn decode(model: &Model, shape: &Shape, value: Value, naming: Naming, path: &str) -> Result<Value, String> {
    let wrong = |value: &Value| format!("{path} is {}, expected {:?}", kind_of(value), shape.kind);
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(mut wire)) => {
            let mut object = Map::new();
            for (name, member) in shape.members.iter().filter(|(_, member)| member.location.is_none()) {
                let on_wire = naming.name(name, member);
                if let Some(value) = wire.remove(on_wire).filter(|value| !value.is_null()) {
                    let below = format!("{path}/{on_wire}");
                    object.insert(name.clone(), decode(model, model.of(member), value, naming, &below)?);
                }
            }
            Ok(Value::Object(object))
        }
        (Kind::List, Value::Array(items)) => {
            let item = model.of(shape.member.as_ref().expect("a list has a member"));
            let items = items.into_iter().enumerate();
            items
                .map(|(index, value)| decode(model, item, value, naming, &format!("{path}/{index}")))
                .collect::<Result<_, _>>()
                .map(Value::Array)
        }
        (Kind::Map, Value::Object(entries)) => {
            let item = model.of(shape.value.as_ref().expect("a map has a value"));
            let mut object = Map::new();
            for (key, value) in entries.into_iter().filter(|(_, value)| !value.is_null()) {
                let below = format!("{path}/{key}");
                object.insert(key, decode(model, item, value, naming, &below)?);
            }
            Ok(Value::Object(object))
        }
        (Kind::Timestamp, Value::String(text)) => {
            leaf::parse_time(&text).ok_or_else(|| format!("{path} is no timestamp: '{text}'"))
        }
        (Kind::Timestamp | Kind::Integer | Kind::Long | Kind::Float | Kind::Double, value @ Value::Number(_))
        | (Kind::Boolean, value @ Value::Bool(_))
        | (Kind::String | Kind::Character | Kind::Blob, value @ Value::String(_)) => Ok(value),
        (Kind::Float | Kind::Double, Value::String(text)) if text.parse::<f64>().is_ok() => Ok(Value::String(text)),
        (_, value) => Err(wrong(&value)),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub fn encode(model: &Model, shape: &Shape, value: &Value, naming: Naming) -> Value {
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(object)) => {
            let members = shape.members.iter().filter(|(_, member)| member.location.is_none());
            Value::Object(
                members
                    .filter_map(|(name, member)| {
                        let value = object.get(name).filter(|value| !value.is_null())?;
                        let encoded = match (model.of(member).kind, &member.timestamp_format) {
                            (Kind::Timestamp, Some(format)) => time(value, Some(format)),
                            _ => encode(model, model.of(member), value, naming),
                        };
                        Some((naming.name(name, member).to_owned(), encoded))
                    })
                    .collect(),
            )
        }
        (Kind::List, Value::Array(items)) => {
            let item = model.of(shape.member.as_ref().expect("a list has a member"));
            Value::Array(items.iter().map(|value| encode(model, item, value, naming)).collect())
        }
        (Kind::Map, Value::Object(entries)) => {
            let item = model.of(shape.value.as_ref().expect("a map has a value"));
            Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), encode(model, item, value, naming)))
                    .collect(),
            )
        }
        (Kind::Timestamp, value) => time(value, shape.timestamp_format.as_deref()),
        (_, value) => value.clone(),
    }
}

fn time(value: &Value, format: Option<&str>) -> Value {
    match (TimeFormat::of(format, TimeFormat::Epoch), value.as_f64()) {
        (TimeFormat::Epoch, _) | (_, None) => value.clone(),
        (format, Some(seconds)) => leaf::format_time(seconds, format).map_or(Value::Null, Value::String),
    }
}
