//! The events that functions behind HTTP APIs get, in both payload formats, and the answers that they give.
//!
//! API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::exchange::Exchange;
use super::live::{Format, LiveStage};
use crate::context::ACCOUNT;

impl Exchange {
    pub fn proxy_event(&self, stage: &LiveStage, format: Format) -> Value {
        let (body, is_binary) = self.event_body();
        let mut event = self.request_event(stage, format);
        if format == Format::One || !body.is_null() {
            event.insert("body".to_owned(), body);
        }
        event.insert("isBase64Encoded".to_owned(), json!(is_binary));
        Value::Object(event)
    }

    /// Text types stay text, everything else is base64.
    fn event_body(&self) -> (Value, bool) {
        if self.body.is_empty() {
            return (Value::Null, false);
        }
        let kind = self.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is_text = kind.is_empty()
            || kind.starts_with("text/")
            || matches!(kind, "application/json" | "application/xml" | "application/javascript")
            || kind.ends_with("+json")
            || kind.ends_with("+xml");
        match std::str::from_utf8(&self.body) {
            Ok(text) if is_text => (json!(text), false),
            _ => (json!(STANDARD.encode(&self.body)), true),
        }
    }

    /// What the events of integrations and of authorizers have in common.
    pub fn request_event(&self, stage: &LiveStage, format: Format) -> Map<String, Value> {
        let event = match format {
            Format::One => self.event_1(stage),
            Format::Two => self.event_2(stage),
        };
        match event {
            Value::Object(event) => event,
            _ => Map::new(),
        }
    }

    fn event_2(&self, stage: &LiveStage) -> Value {
        let mut event = json!({
            "version": "2.0",
            "routeKey": self.route_key,
            "rawPath": self.raw_path,
            "rawQueryString": self.raw_query,
            "headers": joined(self.headers.iter().filter(|(name, _)| name != "cookie")),
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": stage.api_id,
                "domainName": self.host(),
                "domainPrefix": self.host().split(['.', ':']).next(),
                "http": {
                    "method": self.verb,
                    "path": self.raw_path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": self.header("user-agent").unwrap_or_default(),
                },
                "requestId": self.request_id,
                "routeKey": self.route_key,
                "stage": stage.name,
                "time": self.time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
                "timeEpoch": self.time.as_millisecond(),
            },
        });
        if let Some(authorizer) = &self.authorizer {
            event["requestContext"]["authorizer"] = json!({"lambda": authorizer});
        }
        let cookies = self.headers.iter().filter(|(name, _)| name == "cookie");
        let cookies: Vec<&str> = cookies.flat_map(|(_, value)| value.split(';').map(str::trim)).collect();
        if !cookies.is_empty() {
            event["cookies"] = json!(cookies);
        }
        for (name, pairs) in [
            ("queryStringParameters", joined(&self.query)),
            ("pathParameters", joined(&self.path_parameters)),
            ("stageVariables", joined(&stage.variables)),
        ] {
            if pairs.as_object().is_some_and(|pairs| !pairs.is_empty()) {
                event[name] = pairs;
            }
        }
        event
    }

    fn event_1(&self, stage: &LiveStage) -> Value {
        let headers: Vec<(String, String)> = self
            .headers
            .iter()
            .map(|(name, value)| (title_case(name), value.clone()))
            .collect();
        let resource = self
            .route_key
            .split_once(' ')
            .map_or(self.route_key.as_str(), |(_, path)| path);
        let mut context = json!({
            "accountId": ACCOUNT,
            "apiId": stage.api_id,
            "domainName": self.host(),
            "domainPrefix": self.host().split(['.', ':']).next(),
            "extendedRequestId": self.request_id,
            "httpMethod": self.verb,
            "identity": {
                "accessKey": null, "accountId": null, "caller": null, "cognitoAuthenticationProvider": null,
                "cognitoAuthenticationType": null, "cognitoIdentityId": null, "cognitoIdentityPoolId": null,
                "principalOrgId": null, "sourceIp": "127.0.0.1", "user": null,
                "userAgent": self.header("user-agent").unwrap_or_default(), "userArn": null,
            },
            "path": self.raw_path,
            "protocol": "HTTP/1.1",
            "requestId": self.request_id,
            "requestTime": self.time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "requestTimeEpoch": self.time.as_millisecond(),
            "resourceId": self.route_key,
            "resourcePath": resource,
            "stage": stage.name,
        });
        if let Some(authorizer) = &self.authorizer {
            context["authorizer"] = json!(authorizer);
        }
        json!({
            "version": "1.0",
            "resource": resource,
            "path": self.raw_path,
            "httpMethod": self.verb,
            "headers": last(&headers),
            "multiValueHeaders": all(&headers),
            "queryStringParameters": last(&self.query),
            "multiValueQueryStringParameters": all(&self.query),
            "pathParameters": last(&self.path_parameters),
            "stageVariables": if stage.variables.is_empty() { Value::Null } else { json!(stage.variables) },
            "requestContext": context,
        })
    }
}

/// Values of one name joined by commas.
fn joined<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = impl Pair<N, V>>) -> Value {
    let mut values: IndexMap<String, String> = IndexMap::new();
    for pair in pairs {
        let (name, value) = pair.parts();
        values
            .entry(name.as_ref().to_owned())
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(value.as_ref());
            })
            .or_insert_with(|| value.as_ref().to_owned());
    }
    json!(values)
}

/// Entries of lists of pairs and of maps alike.
trait Pair<N, V> {
    fn parts(&self) -> (&N, &V);
}

impl<N, V> Pair<N, V> for &(N, V) {
    fn parts(&self) -> (&N, &V) {
        (&self.0, &self.1)
    }
}

impl<N, V> Pair<N, V> for (&N, &V) {
    fn parts(&self) -> (&N, &V) {
        (self.0, self.1)
    }
}

/// The last value of each name; null when there are none.
pub(super) fn last(pairs: &[(String, String)]) -> Value {
    if pairs.is_empty() {
        return Value::Null;
    }
    Value::Object(pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect())
}

/// All values of each name; null when there are none.
pub(super) fn all(pairs: &[(String, String)]) -> Value {
    let mut values: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for (name, value) in pairs {
        values.entry(name).or_default().push(value);
    }
    if values.is_empty() { Value::Null } else { json!(values) }
}

pub(super) fn title_case(name: &str) -> String {
    let capital = |part: &str| {
        let mut letters = part.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase())
            .into_iter()
            .chain(letters)
            .collect::<String>()
    };
    name.split('-').map(capital).collect::<Vec<_>>().join("-")
}

/// A function's answer as HTTP; None for one that has not the agreed shape.
pub(super) fn proxy_answer(payload: &[u8], format: Format) -> Option<Response<Bytes>> {
    let answer: Value = serde_json::from_slice(payload).ok()?;
    let Some(status) = answer.get("statusCode").filter(|_| answer.is_object()) else {
        return (format == Format::Two).then(|| inferred(&answer));
    };
    let status = match status {
        Value::Number(status) => status.as_u64()?,
        Value::String(status) => status.parse().ok()?,
        _ => return None,
    };
    let body = match answer.get("body") {
        None | Some(Value::Null) => "",
        Some(Value::String(body)) => body,
        Some(_) => return None,
    };
    let body = match answer.get("isBase64Encoded") {
        Some(Value::Bool(true)) => Bytes::from(STANDARD.decode(body).ok()?),
        _ => Bytes::from(body.to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
    let headers = response.headers_mut();
    let object = |name: &str| match answer.get(name) {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(object)) => Some(object.clone()),
        Some(_) => None,
    };
    if format == Format::One {
        for (name, values) in &object("multiValueHeaders")? {
            for value in values.as_array()? {
                append(headers, name, value)?;
            }
        }
    }
    for (name, value) in &object("headers")? {
        let name: HeaderName = name.parse().ok()?;
        if !headers.contains_key(&name) {
            append(headers, name.as_str(), value)?;
        }
    }
    for cookie in answer.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        headers.append(SET_COOKIE, cookie.as_str()?.parse().ok()?);
    }
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    Some(response)
}

/// Format 2.0 without a status: 200, JSON, and the whole answer as the body.
fn inferred(answer: &Value) -> Response<Bytes> {
    let body = match answer {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut response = Response::new(Bytes::from(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_by_their_format() {
        let text = |payload: Value, format| {
            let response = proxy_answer(payload.to_string().as_bytes(), format)?;
            Some((
                response.status().as_u16(),
                String::from_utf8_lossy(response.body()).into_owned(),
            ))
        };
        let answer = json!({"statusCode": "201", "body": "aGk=", "isBase64Encoded": true});
        assert_eq!(text(answer, Format::One), Some((201, "hi".to_owned())));
        assert_eq!(text(json!({"a": 1}), Format::Two), Some((200, r#"{"a":1}"#.to_owned())));
        assert_eq!(text(json!("hello"), Format::Two), Some((200, "hello".to_owned())));
        assert_eq!(text(json!({"a": 1}), Format::One), None);
        assert_eq!(text(json!({"statusCode": 200, "body": {}}), Format::Two), None);
    }

    #[test]
    fn cookies_become_headers() {
        let payload = json!({"statusCode": 200, "cookies": ["a=1", "b=2"], "headers": {"X-One": 1}});
        let response = proxy_answer(payload.to_string().as_bytes(), Format::Two).unwrap();
        let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(response.headers()["x-one"], "1");
    }
}
