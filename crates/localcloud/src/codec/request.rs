//! From an HTTP request to a call.

use std::io::Read as _;

use bytes::Bytes;
use http::request::Parts;
use serde_json::{Map, Value};

use super::json::Naming;
use super::model::{Model, Operation};
use super::query::Node;
use super::route::{Route, header};
use super::{Protocol, cbor, chunked, json, query, quirks, rest, route, validate};
use crate::service::{ApiError, Request};

/// The largest body that is unpacked; above the largest code archive that Lambda takes inline.
const UNPACKED_LIMIT: u64 = 512 * 1024 * 1024;

/// One decoded call: what the service sees and what its answer is encoded by.
#[derive(Debug)]
pub struct Call {
    pub model: &'static Model,
    pub protocol: Protocol,
    pub operation: &'static Operation,
    pub request: Request,
}

/// A request that no service gets to see, and how to say so.
#[derive(Debug)]
pub struct Refusal {
    pub model: Option<&'static Model>,
    pub protocol: Protocol,
    pub error: ApiError,
}

/// `region` is the one for requests without a signature.
pub fn decode(mut parts: Parts, body: Bytes, region: &str) -> Result<Call, Refusal> {
    let query_pairs = pairs(parts.uri.query().unwrap_or_default());
    let spoken = spoken(&parts);
    let refuse = |model, protocol, error| Refusal { model, protocol, error };
    let body = unpack(&mut parts, body).map_err(|error| refuse(None, spoken.unwrap_or(Protocol::RestXml), error))?;
    let is_form = header(&parts.headers, "content-type").is_some_and(|kind| kind.contains("x-www-form-urlencoded"));
    let form = if is_form {
        pairs(&String::from_utf8_lossy(&body))
    } else {
        Vec::new()
    };

    let model = route::service(&parts, &query_pairs, &form).map_err(|service| {
        let error = ApiError::new(
            501,
            "NotImplemented",
            format!("The embedded cloud does not serve {service}."),
        );
        refuse(
            None,
            spoken.unwrap_or(if is_form { Protocol::Query } else { Protocol::RestXml }),
            error,
        )
    })?;
    let region = route::scope(&parts.headers, &query_pairs)
        .map_or(region, |scope| scope.region)
        .to_owned();
    let protocol = spoken.unwrap_or(match model.metadata.protocol.as_str() {
        "rest-json" => Protocol::RestJson,
        "rest-xml" => Protocol::RestXml,
        _ => Protocol::Query,
    });

    let malformed = |message: String| ApiError::new(400, malformed_code(protocol), message);
    let decoded = match protocol {
        Protocol::RestJson | Protocol::RestXml => rest_call(model, protocol, &parts, &query_pairs, body),
        Protocol::Query => {
            let all: Vec<&(String, String)> = form.iter().chain(&query_pairs).collect();
            let action = all
                .iter()
                .find(|(key, _)| key == "Action")
                .map(|(_, value)| value.as_str())
                .unwrap_or_default();
            named_operation(model, action).and_then(|(name, operation)| {
                let node = Node::from_pairs(all.iter().map(|(key, value)| (key.as_str(), value.as_str())));
                let input =
                    input(model, operation, |shape| query::decode(model, shape, &node, "")).map_err(malformed)?;
                Ok((name, operation, input, Bytes::new()))
            })
        }
        Protocol::Json(_) => {
            let target = header(&parts.headers, "x-amz-target").unwrap_or_default();
            named_operation(model, target.rsplit('.').next().unwrap_or_default()).and_then(|(name, operation)| {
                let parsed = json::parse(&body).map_err(malformed)?;
                let decode = |shape: &_| json::decode(model, shape, parsed, Naming::Own, "");
                Ok((
                    name,
                    operation,
                    input(model, operation, decode).map_err(malformed)?,
                    Bytes::new(),
                ))
            })
        }
        Protocol::Cbor => named_operation(model, parts.uri.path().rsplit('/').next().unwrap_or_default()).and_then(
            |(name, operation)| {
                let parsed = cbor::parse(&body).map_err(malformed)?;
                let decode = |shape: &_| cbor::decode(model, shape, &parsed, "");
                Ok((
                    name,
                    operation,
                    input(model, operation, decode).map_err(malformed)?,
                    Bytes::new(),
                ))
            },
        ),
    };
    let (name, operation, input, body) = decoded.map_err(|error| refuse(Some(model), protocol, error))?;
    check(model, operation, &input).map_err(|error| refuse(Some(model), protocol, error))?;
    Ok(Call {
        model,
        protocol,
        operation,
        request: Request {
            operation: name.to_owned(),
            input,
            body,
            region,
        },
    })
}

type Decoded = (&'static str, &'static Operation, Value, Bytes);

fn named_operation(model: &'static Model, name: &str) -> Result<(&'static str, &'static Operation), ApiError> {
    let found = model
        .operations
        .get_key_value(name)
        .map(|(name, operation)| (name.as_str(), operation));
    found.ok_or_else(|| match model.metadata.protocol.as_str() {
        "query" if !model.unserved.contains_key(name) => {
            let message = format!(
                "Could not find operation {name} for version {}",
                model.metadata.api_version
            );
            ApiError::new(400, "InvalidAction", message)
        }
        _ => quirks::unknown_operation(model, name),
    })
}

fn input(
    model: &Model,
    operation: &Operation,
    decode: impl FnOnce(&super::model::Shape) -> Result<Value, String>,
) -> Result<Value, String> {
    operation.input.as_ref().map_or_else(
        || Ok(Value::Object(Map::new())),
        |input| decode(model.shape(&input.shape)),
    )
}

fn rest_call(
    model: &'static Model,
    protocol: Protocol,
    parts: &Parts,
    query: &[(String, String)],
    body: Bytes,
) -> Result<Decoded, ApiError> {
    let path = if model.name == "s3" {
        s3_path(parts)
    } else {
        parts.uri.path().to_owned()
    };
    match route::rest_operation(model, parts, &path, query) {
        Some(Route::Served {
            name,
            operation,
            labels,
        }) => {
            let Some(input) = &operation.input else {
                return Ok((name, operation, Value::Object(Map::new()), Bytes::new()));
            };
            let labels = labels
                .into_iter()
                .map(|(label, raw)| (label, percent_decode(&raw, false)))
                .collect();
            if model.name == "s3" {
                // A checksum describes the object of a write; on a read it is only asked for.
                chunked::verify(&parts.headers, &body)?;
            }
            let wire = rest::Wire {
                headers: &parts.headers,
                query,
                labels,
                body,
            };
            let (input, body) = rest::decode(model, model.shape(&input.shape), wire, protocol)
                .map_err(|message| ApiError::new(400, malformed_code(protocol), message))?;
            Ok((name, operation, input, body))
        }
        Some(Route::Unserved { name }) => Err(quirks::unknown_operation(model, name)),
        None => Err(quirks::unknown_operation(model, &format!("{} {path}", parts.method))),
    }
}

fn malformed_code(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Query => "MalformedInput",
        Protocol::RestXml => "MalformedXML",
        Protocol::Json(_) | Protocol::RestJson | Protocol::Cbor => "SerializationException",
    }
}

fn check(model: &Model, operation: &Operation, input: &Value) -> Result<(), ApiError> {
    let Some(reference) = &operation.input else {
        return Ok(());
    };
    let shape = model.shape(&reference.shape);
    let broken = validate::broken(model, shape, input);
    if broken.is_empty() {
        return Ok(());
    }
    let missing = validate::missing(shape, input);
    let code = quirks::validation_code(model, !missing.is_empty());
    let errors = if broken.len() == 1 { "error" } else { "errors" };
    let message = match (code, missing.first()) {
        ("MissingParameter", Some(name)) => format!("The request must contain the parameter {name}."),
        _ => format!("{} validation {errors} detected: {}", broken.len(), broken.join("; ")),
    };
    Err(ApiError::new(400, code, message))
}

/// The protocol that a request says it speaks.
fn spoken(parts: &Parts) -> Option<Protocol> {
    if header(&parts.headers, "smithy-protocol") == Some("rpc-v2-cbor") {
        return Some(Protocol::Cbor);
    }
    header(&parts.headers, "x-amz-target")?;
    let kind = header(&parts.headers, "content-type").unwrap_or_default();
    Some(Protocol::Json(u8::from(!kind.contains("json-1.0"))))
}

fn unpack(parts: &mut Parts, body: Bytes) -> Result<Bytes, ApiError> {
    if chunked::is_chunked(&parts.headers) {
        return chunked::unchunk(&mut parts.headers, body);
    }
    // Only the SDKs' request compression is undone; the content encoding of an object is the object's own.
    let is_gzip = header(&parts.headers, "content-encoding") == Some("gzip");
    let is_rpc = spoken(parts).is_some()
        || header(&parts.headers, "content-type").is_some_and(|kind| kind.contains("x-www-form-urlencoded"));
    if !(is_gzip && is_rpc) {
        return Ok(body);
    }
    let mut unpacked = Vec::new();
    let read = flate2::read::GzDecoder::new(&body[..])
        .take(UNPACKED_LIMIT)
        .read_to_end(&mut unpacked);
    read.map_err(|error| ApiError::new(400, "SerializationException", format!("the body is no gzip: {error}")))?;
    Ok(Bytes::from(unpacked))
}

/// The path with the bucket in front, also when the bucket stands in the host name.
fn s3_path(parts: &Parts) -> String {
    let path = parts.uri.path();
    let host = header(&parts.headers, "host")
        .or_else(|| parts.uri.host())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let prefix = [".amazonaws.com", ".localhost"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix));
    let bucket = prefix.and_then(|prefix| {
        let before = prefix
            .split_once(".s3.")
            .or_else(|| prefix.split_once(".s3-"))
            .map(|(bucket, _)| bucket);
        let whole = before.unwrap_or_else(|| prefix.strip_suffix(".s3").unwrap_or(prefix));
        (!(whole == "s3" || whole.starts_with("s3.") || whole.starts_with("s3-"))).then_some(whole)
    });
    bucket.map_or_else(|| path.to_owned(), |bucket| format!("/{bucket}{path}"))
}

pub fn pairs(text: &str) -> Vec<(String, String)> {
    let parts = text.split('&').filter(|pair| !pair.is_empty());
    parts
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(key, true), percent_decode(value, true))
        })
        .collect()
}

/// Text that is no valid encoding stays as it is, as AWS leaves a lone `%`.
fn percent_decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[index], hex(bytes.get(index + 1)), hex(bytes.get(index + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                index += 3;
                continue;
            }
            (b'+', _, _) if plus_is_space => out.push(b' '),
            (byte, _, _) => out.push(byte),
        }
        index += 1;
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
