//! Where the members of a REST operation travel: path, query, headers, payload.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value};

use super::json::{self, Naming};
use super::leaf;
use super::model::{Kind, Location, Member, Model, Shape};
use super::{Protocol, xml};

pub struct Wire<'a> {
    pub headers: &'a HeaderMap,
    pub query: &'a [(String, String)],
    /// Decoded values of the labels in the path.
    pub labels: Vec<(&'a str, String)>,
    pub body: Bytes,
}

/// The input by member names, and the payload where the operation has one.
pub fn decode(model: &Model, shape: &Shape, wire: Wire<'_>, protocol: Protocol) -> Result<(Value, Bytes), String> {
    let mut input = Map::new();
    for (name, member) in &shape.members {
        let found = match member.location {
            Some(Location::Uri) => {
                let label = wire.labels.iter().find(|(label, _)| *label == member.wire_name(name));
                label.map(|(_, text)| parse(model.of(member), text, name)).transpose()?
            }
            Some(Location::QueryString) => from_query(model, name, member, wire.query)?,
            Some(Location::Header) => from_header(model, name, member, wire.headers)?,
            Some(Location::Headers) => from_headers(member, wire.headers),
            Some(Location::StatusCode) | None => None,
        };
        if let Some(value) = found {
            input.insert(name.clone(), value);
        }
    }
    let payload = shape
        .payload
        .as_ref()
        .and_then(|name| Some((name, shape.members.get(name)?)));
    if let Some((name, member)) = payload {
        let inner = model.of(member);
        if matches!(inner.kind, Kind::Blob | Kind::String) {
            return Ok((Value::Object(input), wire.body));
        }
        if !wire.body.is_empty() {
            input.insert(name.clone(), body(model, inner, &wire.body, protocol)?);
        }
    } else if shape.members.values().any(|member| member.location.is_none())
        && let Value::Object(members) = body(model, shape, &wire.body, protocol)?
    {
        input.extend(members);
    }
    Ok((Value::Object(input), Bytes::new()))
}

fn body(model: &Model, shape: &Shape, body: &[u8], protocol: Protocol) -> Result<Value, String> {
    match protocol {
        Protocol::RestXml if body.is_empty() => Ok(Value::Object(Map::new())),
        Protocol::RestXml => xml::decode(model, shape, &xml::parse(body)?),
        _ => json::decode(model, shape, json::parse(body)?, Naming::Wire, ""),
    }
}

fn parse(shape: &Shape, text: &str, name: &str) -> Result<Value, String> {
    leaf::parse(shape, text).ok_or_else(|| format!("{name} has the invalid value '{text}'"))
}

fn from_query(model: &Model, name: &str, member: &Member, query: &[(String, String)]) -> Result<Option<Value>, String> {
    let wire = member.wire_name(name);
    let shape = model.of(member);
    let mut given = query
        .iter()
        .filter(|(key, _)| key == wire)
        .map(|(_, value)| value.as_str())
        .peekable();
    match shape.kind {
        // A map takes every parameter that no other member names; none of our operations needs more than that.
        Kind::Map => Ok(None),
        _ if given.peek().is_none() => Ok(None),
        Kind::List => {
            let item = model.of(shape.member.as_ref().expect("a list has a member"));
            given
                .map(|text| parse(item, text, name))
                .collect::<Result<_, _>>()
                .map(|items| Some(Value::Array(items)))
        }
        _ => given.next().map(|text| parse(shape, text, name)).transpose(),
    }
}

fn from_header(model: &Model, name: &str, member: &Member, headers: &HeaderMap) -> Result<Option<Value>, String> {
    let shape = model.of(member);
    let Some(value) = headers.get(member.wire_name(name)) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    match shape.kind {
        Kind::List => {
            let item = model.of(shape.member.as_ref().expect("a list has a member"));
            let items = text.split(',').map(|text| parse(item, text.trim(), name));
            items.collect::<Result<_, _>>().map(|items| Some(Value::Array(items)))
        }
        Kind::Structure | Kind::Map => {
            Ok(serde_json::from_slice(&BASE64_STANDARD.decode(text.as_bytes()).unwrap_or_default()).ok())
        }
        // Content-Length and its kin arrive empty from some clients.
        _ if text.is_empty() && shape.kind != Kind::String => Ok(None),
        _ => parse(shape, &text, name).map(Some),
    }
}

fn from_headers(member: &Member, headers: &HeaderMap) -> Option<Value> {
    let prefix = member.location_name.as_deref().unwrap_or_default().to_ascii_lowercase();
    let found: Map<String, Value> = headers
        .iter()
        .filter_map(|(name, value)| {
            let rest = name.as_str().strip_prefix(&prefix)?;
            Some((
                rest.to_owned(),
                Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned()),
            ))
        })
        .collect();
    (!found.is_empty()).then_some(Value::Object(found))
}
