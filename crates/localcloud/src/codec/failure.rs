//! From an error to an HTTP response, in each protocol's shape.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::json::Naming;
use super::model::{Location, Model, Shape};
use super::xml::{self, Writer};
use super::{Protocol, cbor, encode, json, quirks};
use crate::service::ApiError;

/// How an error is called: by its shape in JSON and CBOR, by its code in XML.
struct Names<'a> {
    shape: &'a str,
    code: &'a str,
}

impl<'a> Names<'a> {
    fn of(model: Option<&'a Model>, given: &'a str) -> (Self, Option<&'a Shape>) {
        match model.and_then(|model| model.error_shape(given)) {
            Some((name, shape)) => {
                let code = shape
                    .error
                    .as_ref()
                    .and_then(|error| error.code.as_deref())
                    .unwrap_or(name);
                (Self { shape: name, code }, Some(shape))
            }
            None => (
                Self {
                    shape: given,
                    code: given,
                },
                None,
            ),
        }
    }
}

/// `model` is absent when no service was found.
pub fn encode_failure(
    model: Option<&Model>,
    protocol: Protocol,
    error: &ApiError,
    request_id: &str,
) -> Response<Bytes> {
    let (names, shape) = Names::of(model, &error.code);
    let side = if error.status >= 500 { "Receiver" } else { "Sender" };
    let mut builder = Response::builder()
        .status(StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header("x-amzn-requestid", request_id);
    let details = error.details.as_object().cloned().unwrap_or_default();
    let (kind, body) = match protocol {
        Protocol::Query => {
            let namespace = model
                .and_then(|model| model.metadata.xml_namespace.clone())
                .unwrap_or_default();
            let mut writer = Writer::default();
            writer.element("ErrorResponse", &[("xmlns".to_owned(), namespace)], |writer| {
                writer.element("Error", &[], |writer| {
                    writer.leaf("Type", side);
                    writer.leaf("Code", names.code);
                    writer.leaf("Message", &error.message);
                    if let (Some(model), Some(shape)) = (model, shape) {
                        xml::encode_members(writer, model, shape, &Value::Object(details));
                    }
                });
                writer.leaf("RequestId", request_id);
            });
            ("text/xml", writer.out.into_bytes())
        }
        Protocol::RestXml => {
            builder = builder.header("x-amz-request-id", request_id);
            let mut writer = Writer::document();
            writer.element("Error", &[], |writer| {
                writer.leaf("Code", names.code);
                writer.leaf("Message", &error.message);
                for (name, value) in &details {
                    if let Some(text) = value.as_str() {
                        writer.leaf(name, text);
                    }
                }
                writer.leaf("RequestId", request_id);
                writer.leaf("HostId", request_id);
            });
            // These statuses have no body.
            let body = if error.status == 304 {
                Vec::new()
            } else {
                writer.out.into_bytes()
            };
            ("application/xml", body)
        }
        Protocol::Json(minor) => {
            let mut members = members(model, shape, &error.message, details, Naming::Own);
            members.insert("__type".to_owned(), json!(names.shape));
            let kind = if minor == 0 {
                "application/x-amz-json-1.0"
            } else {
                "application/x-amz-json-1.1"
            };
            builder = query_error(builder, model, names.code, side);
            (kind, Value::Object(members).to_string().into_bytes())
        }
        Protocol::RestJson => {
            builder = builder.header("x-amzn-errortype", names.shape);
            if let (Some(model), Some(shape)) = (model, shape) {
                let on_headers = shape
                    .members
                    .iter()
                    .filter(|(_, member)| member.location == Some(Location::Header));
                for (name, member) in on_headers {
                    if let Some(value) = details.get(name) {
                        builder = encode::headers(builder, model, name, member, value);
                    }
                }
            }
            let mut members = members(model, shape, &error.message, details, Naming::Wire);
            members
                .entry("Type")
                .or_insert_with(|| json!(if side == "Sender" { "User" } else { "Service" }));
            ("application/json", Value::Object(members).to_string().into_bytes())
        }
        Protocol::Cbor => {
            let namespace = model.map_or("aws", |model| model.name);
            let mut map = members(model, shape, &error.message, details, Naming::Own);
            map.insert(
                "__type".to_owned(),
                json!(format!("com.amazonaws.{namespace}#{}", names.shape)),
            );
            builder = query_error(
                builder.header("smithy-protocol", "rpc-v2-cbor"),
                model,
                names.code,
                side,
            );
            let value = ciborium::Value::serialized(&Value::Object(map)).unwrap_or(ciborium::Value::Null);
            ("application/cbor", cbor::bytes(&value))
        }
    };
    builder
        .header(CONTENT_TYPE, kind)
        .body(Bytes::from(body))
        .expect("the parts of this response are well-formed")
}

/// Services that once spoke the query protocol still tell its code.
fn query_error(
    builder: http::response::Builder,
    model: Option<&Model>,
    code: &str,
    side: &str,
) -> http::response::Builder {
    let code = model.map_or(code, |model| quirks::query_code(model, code));
    let was_query = |model: &Model| {
        let spoke = model.speaks("query") || model.metadata.aws_query_compatible.is_some();
        model.metadata.protocol != "query" && spoke
    };
    if model.is_some_and(was_query) {
        builder.header("x-amzn-query-error", format!("{code};{side}"))
    } else {
        builder
    }
}

/// The error's members with its message under the name that the shape gives it.
fn members(
    model: Option<&Model>,
    shape: Option<&Shape>,
    message: &str,
    details: Map<String, Value>,
    naming: Naming,
) -> Map<String, Value> {
    let encoded = match (model, shape) {
        (Some(model), Some(shape)) => json::encode(model, shape, &Value::Object(details), naming),
        _ => Value::Object(details),
    };
    let mut members = match encoded {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let own = shape.and_then(|shape| {
        ["message", "Message"]
            .into_iter()
            .find(|name| shape.members.contains_key(*name))
    });
    members.insert(own.unwrap_or("message").to_owned(), json!(message));
    members
}
