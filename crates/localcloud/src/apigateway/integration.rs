//! What stands behind a method: functions, HTTP endpoints, mock answers.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use super::exchange::{Exchange, text};
use super::functions::Functions;
use super::gateway_response::Refusal;
use super::outbound::{self, OutboundError};
use super::routes::{Integration, IntegrationResponse, Kind};
use super::service::ApiGateway;
use super::template::{Scope, render};
use crate::service::ApiError;
use crate::sink::Invocation;

/// A function as an integration's URI names it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FunctionTarget {
    /// Without a qualifier.
    function: String,
    qualifier: Option<String>,
}

impl FunctionTarget {
    /// `arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION_ARN/invocations`
    pub fn parse(uri: &str) -> Option<Self> {
        Self::of_arn(uri.split_once("/functions/")?.1.strip_suffix("/invocations")?)
    }

    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`
    pub fn of_arn(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", _, "lambda", _, _, "function", name, qualifier @ ..] = parts.as_slice() else {
            return None;
        };
        let qualifier = match qualifier {
            [] => None,
            [qualifier] if !qualifier.is_empty() => Some((*qualifier).to_owned()),
            // A stage variable that is missing leaves nothing behind the colon.
            _ => return None,
        };
        (!name.is_empty()).then(|| Self {
            function: (*name).to_owned(),
            qualifier,
        })
    }

    /// Invokes the function if its resource policy lets an API do so.
    pub async fn invoke(
        &self,
        functions: &dyn Functions,
        source_arn: &str,
        payload: Bytes,
    ) -> Result<Invocation, ApiError> {
        let qualifier = self.qualifier.as_deref();
        if !functions.permits(&self.function, qualifier, "apigateway.amazonaws.com", source_arn) {
            let qualified = qualifier.map_or_else(String::new, |qualifier| format!(":{qualifier}"));
            return Err(ApiError::new(
                403,
                "AccessDeniedException",
                format!(
                    "Invalid permissions on Lambda function {}{qualified} for {source_arn}",
                    self.function
                ),
            ));
        }
        functions.invoke(&self.function, qualifier, payload).await
    }
}

/// `${stageVariables.NAME}` replaced; a variable that the stage has not is empty.
pub(super) fn substituted(uri: &str, exchange: &Exchange) -> String {
    let mut result = String::with_capacity(uri.len());
    let mut rest = uri;
    while let Some(start) = rest.find("${stageVariables.") {
        let Some(length) = rest[start..].find('}') else { break };
        result.push_str(&rest[..start]);
        let name = &rest[start + "${stageVariables.".len()..start + length];
        result.push_str(
            exchange
                .track
                .variables
                .get(name)
                .map(String::as_str)
                .unwrap_or_default(),
        );
        rest = &rest[start + length + 1..];
    }
    result.push_str(rest);
    result
}

/// Whether the whole text fits; None when the pattern is no regular expression. AWS's are Java's, which look around.
pub(super) fn matches_whole(pattern: &str, text: &str) -> Option<bool> {
    fancy_regex::Regex::new(&format!("^(?s:{pattern})$"))
        .ok()?
        .is_match(text)
        .ok()
}

/// What an integration that is no proxy gave, before its answer is chosen and shaped.
struct Raw {
    /// What selection patterns are held against: a status, or a function's error message; empty for success.
    selector: String,
    headers: http::HeaderMap,
    body: String,
}

impl ApiGateway {
    pub(super) async fn integrate(
        &self,
        integration: &Integration,
        exchange: &Exchange,
    ) -> Result<Response<Bytes>, Refusal> {
        let answer = async {
            match integration.kind {
                Kind::LambdaProxy => self.call_function_proxy(integration, exchange).await,
                Kind::Lambda => self.call_function(integration, exchange).await,
                Kind::HttpProxy => self.call_http(integration, exchange).await,
                Kind::Http => self.call_http_mapped(integration, exchange).await,
                Kind::Mock => mock(integration, exchange),
            }
        };
        match tokio::time::timeout(integration.timeout, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Refusal::new("INTEGRATION_TIMEOUT")),
        }
    }

    pub(super) async fn invoke(
        &self,
        target: &FunctionTarget,
        source_arn: &str,
        payload: Bytes,
    ) -> Result<Invocation, ApiError> {
        target.invoke(&*self.shared.ports.functions, source_arn, payload).await
    }

    async fn call_target(
        &self,
        integration: &Integration,
        exchange: &Exchange,
        payload: Bytes,
    ) -> Result<Invocation, Refusal> {
        let uri = substituted(&integration.uri, exchange);
        let target = FunctionTarget::parse(&uri).ok_or_else(|| {
            tracing::warn!(uri, "the integration's URI names no function");
            Refusal::configuration()
        })?;
        self.invoke(&target, &exchange.source_arn(), payload)
            .await
            .map_err(|error| {
                tracing::warn!(%error, uri, "the function could not be invoked");
                Refusal::configuration()
            })
    }

    async fn call_function_proxy(
        &self,
        integration: &Integration,
        exchange: &Exchange,
    ) -> Result<Response<Bytes>, Refusal> {
        let payload = Bytes::from(exchange.proxy_event().to_string());
        let invocation = self.call_target(integration, exchange, payload).await?;
        let answer = invocation
            .function_error
            .is_none()
            .then(|| exchange.proxy_answer(&invocation.payload))
            .flatten();
        answer.ok_or_else(Refusal::bad_integration)
    }

    async fn call_function(&self, integration: &Integration, exchange: &Exchange) -> Result<Response<Bytes>, Refusal> {
        let payload = match request_body(integration, exchange)? {
            body if body.is_empty() => Bytes::from_static(b"{}"),
            body => Bytes::from(body),
        };
        let invocation = self.call_target(integration, exchange, payload).await?;
        let body = String::from_utf8_lossy(&invocation.payload).into_owned();
        let selector = match invocation.function_error {
            Some(_) => serde_json::from_str::<Value>(&body)
                .map(|error| text(&error["errorMessage"]))
                .unwrap_or_default(),
            None => String::new(),
        };
        shaped(
            integration,
            exchange,
            Raw {
                selector,
                headers: http::HeaderMap::new(),
                body,
            },
        )
    }

    async fn call_http(&self, integration: &Integration, exchange: &Exchange) -> Result<Response<Bytes>, Refusal> {
        send(http_request(integration, exchange, exchange.body.clone(), true)?).await
    }

    async fn call_http_mapped(
        &self,
        integration: &Integration,
        exchange: &Exchange,
    ) -> Result<Response<Bytes>, Refusal> {
        let body = Bytes::from(request_body(integration, exchange)?);
        let response = send(http_request(integration, exchange, body, false)?).await?;
        let (parts, body) = response.into_parts();
        let body = String::from_utf8_lossy(&body).into_owned();
        shaped(
            integration,
            exchange,
            Raw {
                selector: parts.status.as_str().to_owned(),
                headers: parts.headers,
                body,
            },
        )
    }
}

/// The body after the request template of its type.
fn request_body(integration: &Integration, exchange: &Exchange) -> Result<String, Refusal> {
    let content_type = exchange.header("Content-Type").unwrap_or("application/json");
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let body = String::from_utf8_lossy(&exchange.body).into_owned();
    match integration.templates.get(media_type).and_then(Value::as_str) {
        Some(template) => rendered(
            template,
            &Scope {
                exchange,
                input: &body,
                error: Value::Null,
            },
        ),
        None if integration.passthrough == "NEVER"
            || (integration.passthrough == "WHEN_NO_TEMPLATES" && !integration.templates.is_empty()) =>
        {
            Err(Refusal::new("UNSUPPORTED_MEDIA_TYPE"))
        }
        None => Ok(body),
    }
}

fn rendered(template: &str, scope: &Scope<'_>) -> Result<String, Refusal> {
    render(template, scope).map_err(|error| {
        tracing::warn!(%error, "a mapping template cannot be run");
        Refusal::configuration()
    })
}

/// The template's `statusCode` chooses the answer.
fn mock(integration: &Integration, exchange: &Exchange) -> Result<Response<Bytes>, Refusal> {
    let body = request_body(integration, exchange)?;
    let status = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|body| body.get("statusCode").map(text));
    let selector = status.ok_or_else(Refusal::configuration)?;
    let of_status =
        |response: &&IntegrationResponse| response.pattern.is_none() && response.status.to_string() == selector;
    match integration.responses.iter().find(of_status) {
        Some(response) => answered(
            response,
            exchange,
            &Raw {
                selector,
                headers: http::HeaderMap::new(),
                body: String::new(),
            },
        ),
        None => shaped(
            integration,
            exchange,
            Raw {
                selector,
                headers: http::HeaderMap::new(),
                body: String::new(),
            },
        ),
    }
}

/// Chooses the integration response whose pattern fits, or the one without a pattern.
fn shaped(integration: &Integration, exchange: &Exchange, raw: Raw) -> Result<Response<Bytes>, Refusal> {
    let fits = |response: &&IntegrationResponse| {
        let pattern = response.pattern.as_deref();
        pattern
            .and_then(|pattern| matches_whole(pattern, &raw.selector))
            .unwrap_or(false)
    };
    let responses = &integration.responses;
    let fallback = || responses.iter().find(|response| response.pattern.is_none());
    let response = responses
        .iter()
        .find(fits)
        .or_else(fallback)
        .ok_or_else(Refusal::configuration)?;
    answered(response, exchange, &raw)
}

fn answered(response: &IntegrationResponse, exchange: &Exchange, raw: &Raw) -> Result<Response<Bytes>, Refusal> {
    let template = response
        .templates
        .get("application/json")
        .or_else(|| response.templates.values().next())
        .and_then(Value::as_str);
    let body = match template {
        Some(template) => rendered(
            template,
            &Scope {
                exchange,
                input: &raw.body,
                error: Value::Null,
            },
        )?,
        None => raw.body.clone(),
    };
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = StatusCode::from_u16(response.status).map_err(|_| Refusal::configuration())?;
    let content_type = response
        .templates
        .keys()
        .next()
        .map_or("application/json", String::as_str);
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        answer.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    }
    for (name, expression) in &response.parameters {
        let Some(name) = name.strip_prefix("method.response.header.") else {
            continue;
        };
        let value = match expression.strip_prefix("integration.response.header.") {
            Some(header) => raw
                .headers
                .get(header)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            None => exchange.mapped(expression),
        };
        if let (Ok(name), Some(Ok(value))) = (
            name.parse::<HeaderName>(),
            value.map(|value| HeaderValue::from_str(&value)),
        ) {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}

/// The request for an HTTP endpoint; `passes` hands on headers and query as they came.
fn http_request(
    integration: &Integration,
    exchange: &Exchange,
    body: Bytes,
    passes: bool,
) -> Result<Request<Full<Bytes>>, Refusal> {
    let mut uri = substituted(&integration.uri, exchange);
    let mut query: Vec<String> = if passes && !exchange.raw_query.is_empty() {
        vec![exchange.raw_query.clone()]
    } else {
        Vec::new()
    };
    let verb = if integration.verb == "ANY" {
        exchange.verb.as_str()
    } else {
        integration.verb.as_str()
    };
    let mut request = Request::builder().method(verb);
    for (target, source) in &integration.parameters {
        let Some(value) = exchange.mapped(source) else { continue };
        let Some((kind, name)) = target
            .strip_prefix("integration.request.")
            .and_then(|target| target.split_once('.'))
        else {
            continue;
        };
        match kind {
            "path" => uri = uri.replace(&format!("{{{name}}}"), &encoded(&value, true)),
            "querystring" => query.push(format!("{}={}", encoded(name, false), encoded(&value, false))),
            "header" => request = request.header(name, value),
            _ => {}
        }
    }
    if !query.is_empty() {
        let joint = if uri.contains('?') { '&' } else { '?' };
        uri = format!("{uri}{joint}{}", query.join("&"));
    }
    let broken = |error: http::Error| {
        tracing::warn!(%error, uri, "the integration's request cannot be made");
        Refusal::configuration()
    };
    let mut request = request.uri(&uri).body(Full::new(body)).map_err(broken)?;
    if passes {
        for (name, value) in &exchange.headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value))
                && !matches!(
                    name.as_str(),
                    "host" | "content-length" | "connection" | "transfer-encoding"
                )
                && !request.headers().contains_key(&name)
            {
                request.headers_mut().append(name, value);
            }
        }
    }
    Ok(request)
}

fn encoded(text: &str, is_path: bool) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (is_path && b"/:@".contains(&byte));
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

async fn send(request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Refusal> {
    outbound::send(request).await.map_err(|error| {
        tracing::warn!(%error, "the HTTP endpoint of an integration failed");
        match error {
            OutboundError::NotHttp { .. } => Refusal::configuration(),
            OutboundError::Failed { .. } => Refusal {
                status: 504,
                ..Refusal::new("INTEGRATION_FAILURE")
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uri_of_a_function_is_read_whole_or_not_at_all() {
        let uri =
            |arn: &str| format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}/invocations");
        let arn = "arn:aws:lambda:eu-west-1:000000000000:function:health";
        let target = |qualifier: Option<&str>| FunctionTarget {
            function: "health".to_owned(),
            qualifier: qualifier.map(str::to_owned),
        };
        assert_eq!(FunctionTarget::parse(&uri(arn)), Some(target(None)));
        assert_eq!(
            FunctionTarget::parse(&uri(&format!("{arn}:blue"))),
            Some(target(Some("blue")))
        );
        assert_eq!(FunctionTarget::parse(&uri(&format!("{arn}:"))), None);
        assert_eq!(FunctionTarget::parse(arn), None);
    }
}
