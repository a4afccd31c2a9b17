//! One request on its way through an HTTP API, or the handshake of a WebSocket connection.

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;

use super::live::LiveStage;
use super::record::Object;
use crate::context::ACCOUNT;
use crate::percent::percent_decoded;

pub(super) struct Exchange {
    pub request_id: String,
    pub verb: String,
    /// What follows the stage, as it came.
    pub path: String,
    /// With a named stage in front, as AWS's events have it.
    pub raw_path: String,
    pub query: Vec<(String, String)>,
    pub raw_query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub time: Timestamp,
    /// From here on: once it is routed.
    pub route_key: String,
    pub path_parameters: Vec<(String, String)>,
    /// What an authorizer said of the caller.
    pub authorizer: Option<Object>,
    /// The integration's part of the latency, once it has answered.
    pub integration_milliseconds: Option<f64>,
}

impl Exchange {
    pub fn new(request: Request<Bytes>, stage: &LiveStage, path: &str, request_id: String, time: Timestamp) -> Self {
        let (parts, body) = request.into_parts();
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        let decoded = |text: &str| percent_decoded(&text.replace('+', " "));
        let query = raw_query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        let path = if path.is_empty() { "/" } else { path };
        Self {
            verb: parts.method.as_str().to_owned(),
            path: path.to_owned(),
            raw_path: match stage.name.as_str() {
                "$default" => path.to_owned(),
                name => format!("/{name}{path}"),
            },
            query: query.collect(),
            raw_query,
            headers: headers(&parts.headers, &request_id),
            request_id,
            body,
            time,
            route_key: String::new(),
            path_parameters: Vec::new(),
            authorizer: None,
            integration_milliseconds: None,
        }
    }

    /// All values of a header, joined as AWS joins them.
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self
            .headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(","))
    }

    pub fn host(&self) -> String {
        self.header("host").unwrap_or_else(|| "localhost".to_owned())
    }

    /// `$request.header.X`, `$request.querystring.X`, `$stageVariables.X`, of WebSocket APIs `route.request.…`.
    pub fn identity(&self, stage: &LiveStage, source: &str) -> Option<String> {
        let source = source.trim_start_matches('$');
        if let Some(name) = source
            .strip_prefix("stageVariables.")
            .or_else(|| source.strip_prefix("stagevariables."))
        {
            return stage.variables.get(name).cloned();
        }
        let source = source
            .strip_prefix("route.")
            .unwrap_or(source)
            .strip_prefix("request.")?;
        let found = match source.split_once('.')? {
            ("header", name) => self.header(name),
            ("querystring", name) => {
                let of_name = self.query.iter().find(|(other, _)| other == name);
                of_name.map(|(_, value)| value.clone())
            }
            _ => None,
        };
        found.filter(|value| !value.is_empty())
    }

    /// Names the route for a function's permission and for policies.
    pub fn source_arn(&self, region: &str, stage: &LiveStage) -> String {
        // `GET /pets/{id}` is `…/GET/pets/{id}`; `$default` and the routes of WebSocket APIs stand as they are.
        let route = match self.route_key.split_once(" /") {
            Some(("ANY", path)) => format!("{}/{path}", self.verb),
            Some((verb, path)) => format!("{verb}/{path}"),
            None => self.route_key.clone(),
        };
        execute_arn(region, stage, &route)
    }
}

/// `arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/ROUTE`
pub(super) fn execute_arn(region: &str, stage: &LiveStage, route: &str) -> String {
    format!(
        "arn:aws:execute-api:{region}:{ACCOUNT}:{}/{}/{route}",
        stage.api_id, stage.name
    )
}

/// The request's headers and those that AWS adds.
fn headers(given: &http::HeaderMap, request_id: &str) -> Vec<(String, String)> {
    let kept = given.iter().filter(|(name, _)| {
        !matches!(
            name.as_str(),
            "connection" | "transfer-encoding" | "keep-alive" | "upgrade"
        )
    });
    let mut headers: Vec<(String, String)> = kept
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let trace = format!("Root=1-{}", request_id.replace('-', ""));
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-proto", "https"),
        ("x-amzn-trace-id", trace.as_str()),
    ] {
        if !headers.iter().any(|(other, _)| other == name) {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    headers
}
