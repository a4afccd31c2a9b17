//! From a service's answer to an HTTP response.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::response::Builder;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::json::Naming;
use super::leaf::{self, TimeFormat};
use super::model::{Kind, Location, Member, Model, Shape};
use super::xml::{self, Writer};
use super::{Call, Protocol, cbor, json, quirks};
use crate::service;

/// Encodes what a service answered to `call`; `request_id` goes where clients look for it.
pub fn encode(call: &Call, answer: service::Response, request_id: &str) -> Response<Bytes> {
    let model = call.model;
    let output = call.operation.output.as_ref();
    let shape = output.map(|output| model.shape(&output.shape));
    let builder = Response::builder().header("x-amzn-requestid", request_id);
    let finish = |builder: Builder, kind: &str, body: Vec<u8>| {
        builder
            .header(CONTENT_TYPE, kind)
            .body(Bytes::from(body))
            .expect("the parts of this response are well-formed")
    };
    match call.protocol {
        Protocol::Query => {
            let name = &call.request.operation;
            let namespace = model.metadata.xml_namespace.clone().unwrap_or_default();
            let mut writer = Writer::default();
            writer.element(
                &format!("{name}Response"),
                &[("xmlns".to_owned(), namespace)],
                |writer| {
                    if let (Some(output), Some(shape)) = (output, shape) {
                        let fallback = format!("{name}Result");
                        writer.element(output.result_wrapper.as_deref().unwrap_or(&fallback), &[], |writer| {
                            xml::encode_members(writer, model, shape, &answer.output);
                        });
                    }
                    writer.element("ResponseMetadata", &[], |writer| writer.leaf("RequestId", request_id));
                },
            );
            finish(builder, "text/xml", writer.out.into_bytes())
        }
        Protocol::Json(minor) => {
            let value = shape.map_or_else(
                || json!({}),
                |shape| json::encode(model, shape, &object(answer.output), Naming::Own),
            );
            finish(
                builder,
                &format!("application/x-amz-json-1.{minor}"),
                value.to_string().into_bytes(),
            )
        }
        Protocol::Cbor => {
            let builder = builder.header("smithy-protocol", "rpc-v2-cbor");
            let value = shape.map(|shape| cbor::encode(model, shape, &object(answer.output)));
            finish(
                builder,
                "application/cbor",
                value.map(|value| cbor::bytes(&value)).unwrap_or_default(),
            )
        }
        Protocol::RestJson | Protocol::RestXml => rest(call, shape, answer, builder, request_id),
    }
}

/// A service that answers nothing answers an empty structure.
fn object(value: Value) -> Value {
    if value.is_null() { json!({}) } else { value }
}

fn rest(
    call: &Call,
    shape: Option<&Shape>,
    answer: service::Response,
    mut builder: Builder,
    request_id: &str,
) -> Response<Bytes> {
    let model = call.model;
    let output = object(answer.output);
    let mut status = call.operation.http.response_code.unwrap_or(200);
    if output.get("ContentRange").is_some_and(|range| !range.is_null()) {
        status = 206;
    }
    if call.protocol == Protocol::RestXml {
        builder = builder
            .header("x-amz-request-id", request_id)
            .header("x-amz-id-2", request_id);
    }
    for (name, member) in shape.iter().flat_map(|shape| &shape.members) {
        let Some(value) = output.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        match member.location {
            Some(Location::StatusCode) => {
                status = value
                    .as_u64()
                    .and_then(|code| u16::try_from(code).ok())
                    .unwrap_or(status)
            }
            Some(Location::Header | Location::Headers) => builder = headers(builder, model, name, member, value),
            _ => {}
        }
    }
    let (kind, body) = match shape {
        Some(shape) => rest_body(call, shape, &output, answer.body),
        None => (None, Bytes::new()),
    };
    builder = builder.status(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
    let has_kind = builder
        .headers_ref()
        .is_some_and(|headers| headers.contains_key(CONTENT_TYPE));
    if let Some(kind) = kind.filter(|_| !has_kind && status != 204) {
        builder = builder.header(CONTENT_TYPE, kind);
    }
    // The content length of a HEAD answer speaks of a body that is not sent.
    if call.operation.http.method != "HEAD"
        && let Some(headers) = builder.headers_mut()
    {
        headers.remove(CONTENT_LENGTH);
    }
    let body = if status == 204 { Bytes::new() } else { body };
    builder.body(body).expect("the parts of this response are well-formed")
}

fn rest_body(call: &Call, shape: &Shape, output: &Value, payload: Bytes) -> (Option<&'static str>, Bytes) {
    let (model, protocol) = (call.model, call.protocol);
    if let Some((name, member)) = shape
        .payload
        .as_ref()
        .and_then(|name| Some((name, shape.members.get(name)?)))
    {
        let inner = model.of(member);
        let value = output.get(name).unwrap_or(&Value::Null);
        return match (inner.kind, protocol) {
            (Kind::Blob | Kind::String, Protocol::RestXml) => (Some("binary/octet-stream"), payload),
            (Kind::Blob | Kind::String, _) => (Some("application/json"), payload),
            (_, Protocol::RestXml) => {
                let namespace = vec![("xmlns".to_owned(), quirks::S3_NAMESPACE.to_owned())];
                let mut writer = Writer::document();
                writer.element(member.wire_name(name), &namespace, |writer| {
                    xml::encode_members(writer, model, inner, value)
                });
                (Some("application/xml"), Bytes::from(writer.out))
            }
            _ => (
                Some("application/json"),
                Bytes::from(json::encode(model, inner, value, Naming::Wire).to_string()),
            ),
        };
    }
    let has_body = shape.members.values().any(|member| member.location.is_none());
    match protocol {
        Protocol::RestXml if !has_body => (None, Bytes::new()),
        Protocol::RestXml => {
            let namespace = vec![("xmlns".to_owned(), quirks::S3_NAMESPACE.to_owned())];
            let mut writer = Writer::document();
            writer.element(quirks::s3_root(&call.request.operation), &namespace, |writer| {
                match output.get("LocationConstraint").and_then(Value::as_str) {
                    // GetBucketLocation answers its only member as the root itself.
                    Some(text) if call.request.operation == "GetBucketLocation" => writer.out.push_str(text),
                    _ => xml::encode_members(writer, model, shape, output),
                }
            });
            (Some("application/xml"), Bytes::from(writer.out))
        }
        _ => (
            Some("application/json"),
            Bytes::from(json::encode(model, shape, output, Naming::Wire).to_string()),
        ),
    }
}

/// Adds a member that travels as a header, or as all headers with a prefix. What no header can hold is left out.
pub fn headers(mut builder: Builder, model: &Model, name: &str, member: &Member, value: &Value) -> Builder {
    let shape = model.of(member);
    let mut add = |name: &str, text: &str| {
        let pair = (HeaderName::try_from(name), HeaderValue::try_from(text));
        if let (Ok(name), Ok(value), Some(headers)) = (pair.0, pair.1, builder.headers_mut()) {
            headers.insert(name, value);
        }
    };
    match (member.location, value) {
        (Some(Location::Headers), Value::Object(entries)) => {
            let prefix = member.location_name.as_deref().unwrap_or_default();
            for (key, value) in entries {
                add(&format!("{prefix}{key}"), value.as_str().unwrap_or_default());
            }
        }
        (_, Value::Array(items)) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            add(member.wire_name(name), &items.join(","));
        }
        (_, value) => {
            let named = member.timestamp_format.as_deref().or(shape.timestamp_format.as_deref());
            if let Some(text) = leaf::format(shape, value, TimeFormat::of(named, TimeFormat::HttpDate)) {
                add(member.wire_name(name), &text);
            }
        }
    }
    builder
}
