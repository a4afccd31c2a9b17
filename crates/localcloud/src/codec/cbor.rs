//! The body of `smithy-rpc-v2-cbor`, by shape.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ciborium::Value as Cbor;
use serde_json::{Map, Value};

use super::leaf;
use super::model::{Kind, Model, Shape};

/// Timestamps carry tag 1, "epoch-based date/time" of RFC 8949.
const EPOCH_TAG: u64 = 1;

pub fn parse(body: &[u8]) -> Result<Cbor, String> {
    if body.is_empty() {
        return Ok(Cbor::Map(Vec::new()));
    }
    ciborium::from_reader(body).map_err(|error| format!("the body is no CBOR: {error}"))
}

pub fn decode(model: &Model, shape: &Shape, value: &Cbor, path: &str) -> Result<Value, String> {
    let wrong = || format!("{path} is no {:?}", shape.kind);
    match (shape.kind, value) {
        (Kind::Structure, Cbor::Map(entries)) => {
            let mut object = Map::new();
            for (key, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
                let Some(key) = key.as_text() else { return Err(wrong()) };
                if let Some(member) = shape.members.get(key) {
                    object.insert(
                        key.to_owned(),
                        decode(model, model.of(member), value, &format!("{path}/{key}"))?,
                    );
                }
            }
            Ok(Value::Object(object))
        }
        (Kind::List, Cbor::Array(items)) => {
            let item = model.of(shape.member.as_ref().expect("a list has a member"));
            items
                .iter()
                .map(|value| decode(model, item, value, path))
                .collect::<Result<_, _>>()
                .map(Value::Array)
        }
        (Kind::Map, Cbor::Map(entries)) => {
            let item = model.of(shape.value.as_ref().expect("a map has a value"));
            let mut object = Map::new();
            for (key, value) in entries {
                let Some(key) = key.as_text() else { return Err(wrong()) };
                object.insert(key.to_owned(), decode(model, item, value, path)?);
            }
            Ok(Value::Object(object))
        }
        (Kind::Timestamp, Cbor::Tag(EPOCH_TAG, inner)) => number(inner).ok_or_else(wrong),
        (Kind::Timestamp | Kind::Integer | Kind::Long | Kind::Float | Kind::Double, value) => {
            number(value).ok_or_else(wrong)
        }
        (Kind::Boolean, Cbor::Bool(flag)) => Ok(Value::Bool(*flag)),
        (Kind::String | Kind::Character, Cbor::Text(text)) => Ok(Value::String(text.clone())),
        (Kind::Blob, Cbor::Bytes(bytes)) => Ok(Value::String(BASE64_STANDARD.encode(bytes))),
        _ => Err(wrong()),
    }
}

fn number(value: &Cbor) -> Option<Value> {
    match value {
        Cbor::Integer(whole) => i64::try_from(*whole).ok().map(Value::from),
        Cbor::Float(number) => Some(leaf::float(*number)),
        _ => None,
    }
}

pub fn encode(model: &Model, shape: &Shape, value: &Value) -> Cbor {
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(object)) => Cbor::Map(
            shape
                .members
                .iter()
                .filter_map(|(name, member)| {
                    let value = object.get(name).filter(|value| !value.is_null())?;
                    Some((Cbor::Text(name.clone()), encode(model, model.of(member), value)))
                })
                .collect(),
        ),
        (Kind::List, Value::Array(items)) => {
            let item = model.of(shape.member.as_ref().expect("a list has a member"));
            Cbor::Array(items.iter().map(|value| encode(model, item, value)).collect())
        }
        (Kind::Map, Value::Object(object)) => {
            let item = model.of(shape.value.as_ref().expect("a map has a value"));
            Cbor::Map(
                object
                    .iter()
                    .map(|(key, value)| (Cbor::Text(key.clone()), encode(model, item, value)))
                    .collect(),
            )
        }
        (Kind::Timestamp, Value::Number(number)) => {
            Cbor::Tag(EPOCH_TAG, Box::new(Cbor::Float(number.as_f64().unwrap_or_default())))
        }
        (Kind::Float | Kind::Double, Value::Number(number)) => Cbor::Float(number.as_f64().unwrap_or_default()),
        (Kind::Float | Kind::Double, Value::String(text)) => Cbor::Float(text.parse().unwrap_or(f64::NAN)),
        (Kind::Blob, Value::String(text)) => Cbor::Bytes(
            BASE64_STANDARD
                .decode(text)
                .unwrap_or_else(|_| text.clone().into_bytes()),
        ),
        (_, Value::String(text)) => Cbor::Text(text.clone()),
        (_, Value::Bool(flag)) => Cbor::Bool(*flag),
        (_, Value::Number(number)) => match number.as_i64() {
            Some(whole) => Cbor::Integer(whole.into()),
            None => Cbor::Float(number.as_f64().unwrap_or_default()),
        },
        _ => Cbor::Null,
    }
}

pub fn bytes(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("writing into memory does not fail");
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::model::model;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_comes_back_as_it_went() {
        let model = model("cloudwatch").unwrap();
        let shape = model.shape("PutMetricDataInput");
        let value = json!({"Namespace": "N", "MetricData": [
            {"MetricName": "M", "Timestamp": 1_795_370_400.5, "Value": 2.0, "Dimensions": [{"Name": "a", "Value": "b"}]}
        ]});
        let back = decode(model, shape, &parse(&bytes(&encode(model, shape, &value))).unwrap(), "").unwrap();
        assert_eq!(back, value);
    }
}
