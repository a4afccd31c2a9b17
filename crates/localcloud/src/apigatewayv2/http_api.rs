//! HTTP that arrives for a stage of an HTTP API: one request from routing to metrics.

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::time::Instant;

use super::cors;
use super::event::proxy_answer;
use super::exchange::Exchange;
use super::live::{Integration, IntegrationKind, LiveStage};
use super::record::ApiKind;
use super::service::ApiGatewayV2;
use crate::apigateway::{FunctionTarget, send_http};
use crate::percent::{percent_decoded, percent_encoded};
use crate::service::ApiError;
use crate::sink::{HttpFrontend, Invocation};

/// API Gateway quotas for HTTP APIs: 10 MB.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// What the gateway answers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub message: &'static str,
}

impl Refusal {
    pub const UNAUTHORIZED: Self = Self::new(StatusCode::UNAUTHORIZED, "Unauthorized");
    pub const FORBIDDEN: Self = Self::new(StatusCode::FORBIDDEN, "Forbidden");
    pub const NOT_FOUND: Self = Self::new(StatusCode::NOT_FOUND, "Not Found");
    pub const TOO_LARGE: Self = Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    pub const TOO_MANY: Self = Self::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
    pub const INTERNAL: Self = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    pub const UNAVAILABLE: Self = Self::new(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");

    const fn new(status: StatusCode, message: &'static str) -> Self {
        Self { status, message }
    }

    pub fn response(self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(json!({"message": self.message}).to_string()));
        *response.status_mut() = self.status;
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

#[async_trait]
impl HttpFrontend for ApiGatewayV2 {
    fn serves(&self, api_id: &str) -> bool {
        self.state().apis.contains_key(api_id)
    }

    async fn serve(&self, request: Request<Bytes>, api_id: &str, _stage: &str, _path: &str) -> Response<Bytes> {
        let begun = Instant::now();
        let whole = request.uri().path();
        // By path or by host; the stage $default has no place in it.
        let after = whole
            .strip_prefix(&format!("/_aws/execute-api/{api_id}"))
            .unwrap_or(whole)
            .to_owned();
        let Some((live, path)) = self.stage_of(api_id, &after) else {
            return Refusal::NOT_FOUND.response();
        };
        if live.kind == ApiKind::WebSocket {
            return self.connect(&live, request, path).await;
        }
        let mut exchange = Exchange::new(request, &live, path, self.new_uuid(), self.now());
        let mut response = match live.cors.as_ref().and_then(|cors| cors::preflight(cors, &exchange)) {
            Some(preflight) => preflight,
            None => {
                let mut response = self
                    .answer(&live, &mut exchange)
                    .await
                    .unwrap_or_else(Refusal::response);
                if let Some(cors) = &live.cors {
                    cors::apply(cors, &exchange, response.headers_mut());
                }
                response
            }
        };
        if let Ok(id) = HeaderValue::from_str(&exchange.request_id) {
            response.headers_mut().insert("apigw-requestid", id);
        }
        let one = |of_status: bool| f64::from(u8::from(of_status));
        let status = response.status();
        let mut metrics = vec![
            ("Count", 1.0, "Count"),
            ("4xx", one(status.is_client_error()), "Count"),
            ("5xx", one(status.is_server_error()), "Count"),
            ("Latency", begun.elapsed().as_secs_f64() * 1000.0, "Milliseconds"),
            (
                "DataProcessed",
                (exchange.body.len() + response.body().len()) as f64,
                "Bytes",
            ),
        ];
        let integration = exchange.integration_milliseconds;
        metrics.extend(integration.map(|milliseconds| ("IntegrationLatency", milliseconds, "Milliseconds")));
        let route = Some(exchange.route_key.as_str()).filter(|key| !key.is_empty());
        self.record(&live, route, &metrics, exchange.time);
        response
    }
}

impl ApiGatewayV2 {
    /// The stage that the path's first part names, else `$default`, and what remains of the path.
    fn stage_of<'a>(&self, api_id: &str, after: &'a str) -> Option<(std::sync::Arc<LiveStage>, &'a str)> {
        let rest = after.strip_prefix('/').unwrap_or(after);
        let (first, _) = rest.split_once('/').unwrap_or((rest, ""));
        if let Some(live) = self.live(api_id, &percent_decoded(first)) {
            return Some((live, &rest[first.len()..]));
        }
        Some((self.live(api_id, "$default")?, after))
    }

    async fn answer(&self, live: &LiveStage, exchange: &mut Exchange) -> Result<Response<Bytes>, Refusal> {
        let (route, path_parameters) = live.find(&exchange.verb, &exchange.path).ok_or(Refusal::NOT_FOUND)?;
        exchange.route_key = route.text.clone();
        exchange.path_parameters = path_parameters;
        if exchange.body.len() > BODY_LIMIT {
            return Err(Refusal::TOO_LARGE);
        }
        if !self.admits(live, &route.text, exchange.time) {
            return Err(Refusal::TOO_MANY);
        }
        self.authorize(&route.authorization, live, exchange).await?;
        let integration = route.integration.as_ref().ok_or(Refusal::NOT_FOUND)?;
        let begun = Instant::now();
        let answer = tokio::time::timeout(integration.timeout, async {
            match integration.kind {
                IntegrationKind::HttpProxy => self.call_http(integration, live, exchange).await,
                IntegrationKind::Unserved => {
                    tracing::warn!(
                        route = route.text,
                        "the embedded cloud does not serve this kind of integration"
                    );
                    Err(Refusal::INTERNAL)
                }
                _ => self.call_function(integration, live, exchange).await,
            }
        });
        let answer = answer.await.unwrap_or(Err(Refusal::UNAVAILABLE));
        exchange.integration_milliseconds = Some(begun.elapsed().as_secs_f64() * 1000.0);
        answer
    }

    /// Whether the limits of the route or stage let one more pass.
    pub(super) fn admits(&self, live: &LiveStage, route: &str, now: jiff::Timestamp) -> bool {
        live.setting(route).throttle.is_none_or(|(rate, burst)| {
            let key = format!("{}/{}/{route}", live.api_id, live.name);
            self.shared.throttle.admits(key, rate, burst, now)
        })
    }

    /// Invokes the function that an integration's URI names; a weighted alias chooses its version now.
    pub(super) async fn invoke(&self, uri: &str, source_arn: &str, payload: Bytes) -> Result<Invocation, ApiError> {
        let target = FunctionTarget::parse(uri)
            .or_else(|| FunctionTarget::of_arn(uri))
            .ok_or_else(|| {
                ApiError::new(
                    400,
                    "BadRequestException",
                    format!("The integration's URI names no function: {uri}"),
                )
            })?;
        target.invoke(&*self.shared.ports.functions, source_arn, payload).await
    }

    async fn call_function(
        &self,
        integration: &Integration,
        live: &LiveStage,
        exchange: &Exchange,
    ) -> Result<Response<Bytes>, Refusal> {
        let payload = Bytes::from(exchange.proxy_event(live, integration.format).to_string());
        let uri = live.substituted(&integration.uri);
        let invoked = self
            .invoke(&uri, &exchange.source_arn(self.region(), live), payload)
            .await;
        let invocation = invoked.map_err(|error| {
            tracing::warn!(%error, uri, "the function could not be invoked");
            if error.status == 429 {
                Refusal::UNAVAILABLE
            } else {
                Refusal::INTERNAL
            }
        })?;
        if invocation.function_error.is_some() {
            return Err(Refusal::INTERNAL);
        }
        proxy_answer(&invocation.payload, integration.format).ok_or(Refusal::INTERNAL)
    }

    async fn call_http(
        &self,
        integration: &Integration,
        live: &LiveStage,
        exchange: &Exchange,
    ) -> Result<Response<Bytes>, Refusal> {
        let mut uri = live.substituted(&integration.uri);
        for (name, value) in &exchange.path_parameters {
            uri = uri.replace(&format!("{{{name}}}"), &percent_encoded(value));
        }
        if !exchange.raw_query.is_empty() {
            uri = format!(
                "{uri}{}{}",
                if uri.contains('?') { '&' } else { '?' },
                exchange.raw_query
            );
        }
        let verb = if integration.verb == "ANY" {
            &exchange.verb
        } else {
            &integration.verb
        };
        let mut request = Request::builder().method(verb.as_str()).uri(&uri);
        for (name, value) in &exchange.headers {
            let of_connection = matches!(name.as_str(), "host" | "content-length");
            if let (false, Ok(name), Ok(value)) =
                (of_connection, name.parse::<HeaderName>(), HeaderValue::from_str(value))
            {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::new(exchange.body.clone())).map_err(|error| {
            tracing::warn!(%error, uri, "the integration's request cannot be made");
            Refusal::INTERNAL
        })?;
        send_http(request).await.map_err(|error| {
            tracing::warn!(%error, "the HTTP endpoint of an integration failed");
            Refusal::UNAVAILABLE
        })
    }
}
