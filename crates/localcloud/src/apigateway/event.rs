//! The proxy event that a function gets, version 1.0, and the answer that it gives.
//!
//! API Gateway Developer Guide, "Lambda proxy integrations in API Gateway".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::exchange::{Exchange, multiple_values, single_values};

impl Exchange {
    pub fn proxy_event(&self) -> Value {
        let is_binary = !self.body.is_empty() && self.is_binary(self.header("Content-Type"));
        let body = if self.body.is_empty() {
            Value::Null
        } else if is_binary {
            json!(STANDARD.encode(&self.body))
        } else {
            json!(String::from_utf8_lossy(&self.body))
        };
        let mut event = self.request_event();
        event.insert("body".to_owned(), body);
        event.insert("isBase64Encoded".to_owned(), json!(is_binary));
        Value::Object(event)
    }

    /// What proxy events and the events of request authorizers have in common.
    pub fn request_event(&self) -> Map<String, Value> {
        let variables = &self.track.variables;
        let event = json!({
            "resource": self.route.as_ref().map(|route| &route.resource_path),
            "path": self.path,
            "httpMethod": self.verb,
            "headers": single_values(&self.headers),
            "multiValueHeaders": multiple_values(&self.headers),
            "queryStringParameters": single_values(&self.query),
            "multiValueQueryStringParameters": multiple_values(&self.query),
            "pathParameters": single_values(&self.path_parameters),
            "stageVariables": if variables.is_empty() { Value::Null } else { json!(variables) },
            "requestContext": self.context(),
        });
        match event {
            Value::Object(event) => event,
            _ => Map::new(),
        }
    }

    /// None for an answer that has not the agreed shape.
    pub fn proxy_answer(&self, payload: &[u8]) -> Option<Response<Bytes>> {
        let answer: Value = serde_json::from_slice(payload).ok()?;
        let answer = answer.as_object()?;
        let status = match answer.get("statusCode")? {
            Value::Number(status) => status.as_u64()?,
            Value::String(status) => status.parse().ok()?,
            _ => return None,
        };
        let status = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
        let body = match answer.get("body") {
            None | Some(Value::Null) => "",
            Some(Value::String(body)) => body,
            Some(_) => return None,
        };
        let is_encoded = match answer.get("isBase64Encoded") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(encoded)) => *encoded,
            Some(_) => return None,
        };
        // As in AWS only for clients that ask for a binary type.
        let body = if is_encoded && self.is_binary(self.header("Accept")) {
            Bytes::from(STANDARD.decode(body).ok()?)
        } else {
            Bytes::from(body.to_owned())
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let several = object(answer.get("multiValueHeaders"))?;
        for (name, values) in &several {
            for value in values.as_array()? {
                append(headers, name, value)?;
            }
        }
        for (name, value) in &object(answer.get("headers"))? {
            // Both maps are merged; a value that both have is sent once.
            let repeated = several
                .get(name)
                .and_then(Value::as_array)
                .is_some_and(|values| values.contains(value));
            if !repeated {
                append(headers, name, value)?;
            }
        }
        if !headers.contains_key(http::header::CONTENT_TYPE) {
            headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Some(response)
    }
}

fn object(value: Option<&Value>) -> Option<Map<String, Value>> {
    match value {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(object)) => Some(object.clone()),
        Some(_) => None,
    }
}

fn append(headers: &mut http::HeaderMap, name: &str, value: &Value) -> Option<()> {
    let value = match value {
        Value::String(value) => value.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return None,
    };
    let name: HeaderName = name.parse().ok()?;
    // The connection is the server's; a length that the function counted may not be the body's.
    if !matches!(
        name.as_str(),
        "connection" | "content-length" | "transfer-encoding" | "keep-alive"
    ) {
        headers.append(name, value.parse().ok()?);
    }
    Some(())
}
