//! One request on its way through the gateway, with all that integrations, authorizers and templates may ask of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::live::Track;
use super::record::Object;
use super::routes::{Found, Route, decoded};
use crate::context::ACCOUNT;

pub(super) struct Exchange {
    pub api_id: String,
    pub stage: String,
    pub region: String,
    pub track: Arc<Track>,
    pub request_id: String,
    pub extended_request_id: String,
    pub verb: String,
    /// What follows the stage, as it came.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub raw_query: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub time: Timestamp,
    /// From here on: once it is routed.
    pub route: Option<Arc<Route>>,
    pub path_parameters: Vec<(String, String)>,
    /// `requestContext.authorizer`.
    pub authorizer: Option<Object>,
    /// Its id and value.
    pub api_key: Option<(String, String)>,
    /// The integration's part of the latency, once it has answered.
    pub integration_milliseconds: Option<f64>,
}

pub(super) struct Place<'a> {
    pub api_id: &'a str,
    pub stage: &'a str,
    pub path: &'a str,
    pub region: &'a str,
}

impl Exchange {
    pub fn new(
        request: Request<Bytes>,
        place: &Place<'_>,
        track: Arc<Track>,
        request_id: String,
        extended_request_id: String,
        time: Timestamp,
    ) -> Self {
        let (parts, body) = request.into_parts();
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        let query = raw_query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name, true), decoded(value, true))
        });
        Self {
            api_id: place.api_id.to_owned(),
            stage: place.stage.to_owned(),
            region: place.region.to_owned(),
            track,
            verb: parts.method.as_str().to_owned(),
            path: place.path.to_owned(),
            query: query.collect(),
            raw_query,
            headers: headers(&parts.headers, &request_id),
            request_id,
            extended_request_id,
            body,
            time,
            route: None,
            path_parameters: Vec::new(),
            authorizer: None,
            api_key: None,
            integration_milliseconds: None,
        }
    }

    pub fn routed(&mut self, found: Found) {
        self.route = Some(found.route);
        self.path_parameters = found.path_parameters;
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        // The last of several, as in the event's single-value map.
        self.headers
            .iter()
            .rev()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn query_parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .rev()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        self.path_parameters
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// Names the method for policies, with the path that was asked for.
    pub fn method_arn(&self) -> String {
        let path = self.path.trim_start_matches('/');
        format!(
            "arn:aws:execute-api:{}:{ACCOUNT}:{}/{}/{}/{path}",
            self.region, self.api_id, self.stage, self.verb
        )
    }

    /// Names the method for a function's permission: the resource's path, its variables as `*`.
    pub fn source_arn(&self) -> String {
        let path = self.route.as_ref().map_or("/", |route| route.resource_path.as_str());
        let path: Vec<&str> = path
            .split('/')
            .skip(1)
            .map(|part| if part.starts_with('{') { "*" } else { part })
            .collect();
        let verb = self.route.as_ref().map_or("GET", |route| route.verb.as_str());
        let verb = if verb == "ANY" { self.verb.as_str() } else { verb };
        format!(
            "arn:aws:execute-api:{}:{ACCOUNT}:{}/{}/{verb}/{}",
            self.region,
            self.api_id,
            self.stage,
            path.join("/")
        )
    }

    /// The value of `method.request.header.X`, `context.X`, `stageVariables.X`, `'literal'` and the like.
    pub fn mapped(&self, expression: &str) -> Option<String> {
        if let Some(literal) = expression.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            return Some(literal.to_owned());
        }
        if let Some(name) = expression.strip_prefix("stageVariables.") {
            return self.track.variables.get(name).cloned();
        }
        if let Some(path) = expression.strip_prefix("context.") {
            return at(&self.context(), path).map(text);
        }
        let request = expression.strip_prefix("method.request.")?;
        if request == "body" {
            return Some(String::from_utf8_lossy(&self.body).into_owned());
        }
        let (kind, name) = request.split_once('.')?;
        let found = match kind {
            "header" | "multivalueheader" => self.header(name),
            "querystring" | "multivaluequerystring" => self.query_parameter(name),
            "path" => self.path_parameter(name),
            _ => None,
        };
        found.map(str::to_owned)
    }

    /// `requestContext` of the events, `$context` of the templates.
    pub fn context(&self) -> Value {
        let agent = self.header("User-Agent");
        let host = self.header("Host").unwrap_or("localhost");
        let mut identity = json!({
            "cognitoIdentityPoolId": null,
            "accountId": null,
            "cognitoIdentityId": null,
            "caller": null,
            "sourceIp": "127.0.0.1",
            "principalOrgId": null,
            "accessKey": null,
            "cognitoAuthenticationType": null,
            "cognitoAuthenticationProvider": null,
            "userArn": null,
            "userAgent": agent,
            "user": null,
        });
        if let Some((id, value)) = &self.api_key {
            identity["apiKeyId"] = json!(id);
            identity["apiKey"] = json!(value);
        }
        let mut context = json!({
            "resourceId": self.route.as_ref().map(|route| &route.resource_id),
            "resourcePath": self.route.as_ref().map(|route| &route.resource_path),
            "httpMethod": self.verb,
            "extendedRequestId": self.extended_request_id,
            "requestTime": self.time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "path": format!("/{}{}", self.stage, self.path),
            "accountId": ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": self.stage,
            "domainPrefix": host.split(['.', ':']).next(),
            "requestTimeEpoch": self.time.as_millisecond(),
            "requestId": self.request_id,
            "identity": identity,
            "domainName": host,
            "deploymentId": self.track.deployment_id,
            "apiId": self.api_id,
        });
        if self.track.is_canary {
            context["isCanaryRequest"] = json!(true);
        }
        if let Some(authorizer) = &self.authorizer {
            context["authorizer"] = Value::Object(authorizer.clone());
        }
        context
    }

    pub fn is_binary(&self, content_type: Option<&str>) -> bool {
        let Some(content_type) = content_type else {
            return self.track.routes.binary_media_types.iter().any(|of| of == "*/*");
        };
        let media_type = content_type
            .split([';', ','])
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        self.track.routes.binary_media_types.iter().any(|of| {
            let of = of.to_ascii_lowercase();
            of == "*/*"
                || of == media_type
                || of
                    .strip_suffix("/*")
                    .is_some_and(|kind| media_type.starts_with(&format!("{kind}/")))
        })
    }
}

/// What stands at a dotted path.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .filter(|part| !part.is_empty())
        .try_fold(value, |value, part| match value {
            Value::Array(entries) => entries.get(part.parse::<usize>().ok()?),
            other => other.get(part),
        })
}

/// Texts as they are, everything else as JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The request's headers and those that AWS adds. HTTP clients write `User-Agent`, and our server reads names in lower
/// case; handlers that look for the usual spelling find it.
fn headers(given: &HeaderMap, request_id: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = given
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "connection" | "transfer-encoding" | "keep-alive"))
        .map(|(name, value)| {
            (
                title_case(name.as_str()),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let trace = format!(
        "Root=1-{}",
        request_id
            .chars()
            .filter(|letter| *letter != '-')
            .take(32)
            .collect::<String>()
    );
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
        ("X-Amzn-Trace-Id", &trace),
    ] {
        if !headers.iter().any(|(other, _)| other == name) {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    headers
}

fn title_case(name: &str) -> String {
    let mut starts = true;
    name.chars()
        .map(|letter| {
            let written = if starts { letter.to_ascii_uppercase() } else { letter };
            starts = letter == '-';
            written
        })
        .collect()
}

/// Pairs as an object with the last value of each name; null when there are none, as in AWS's events.
pub(super) fn single_values(pairs: &[(String, String)]) -> Value {
    if pairs.is_empty() {
        return Value::Null;
    }
    Value::Object(pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect())
}

/// Pairs as an object with all values of each name.
pub(super) fn multiple_values(pairs: &[(String, String)]) -> Value {
    if pairs.is_empty() {
        return Value::Null;
    }
    let mut values: Map<String, Value> = Map::new();
    for (name, value) in pairs {
        match values.get_mut(name).and_then(Value::as_array_mut) {
            Some(of_name) => of_name.push(json!(value)),
            None => drop(values.insert(name.clone(), json!([value]))),
        }
    }
    Value::Object(values)
}
