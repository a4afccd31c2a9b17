//! HTTP that arrives for a stage: one request from routing to metrics.

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::exchange::{Exchange, Place};
use super::gateway_response::Refusal;
use super::live::LiveStage;
use super::routes::Authorization;
use super::service::ApiGateway;
use super::template::{Scope, render};
use crate::members::Members;
use crate::sink::{HttpFrontend, Observation};

/// API Gateway quotas: 10 MB.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

#[async_trait]
impl HttpFrontend for ApiGateway {
    fn serves(&self, api_id: &str) -> bool {
        self.state().apis.contains_key(api_id)
    }

    async fn serve(&self, request: Request<Bytes>, api_id: &str, stage: &str, path: &str) -> Response<Bytes> {
        let begun = Instant::now();
        let Some(live) = self.live(api_id, stage) else {
            // AWS tells nobody which APIs and stages there are.
            return plain(
                StatusCode::FORBIDDEN,
                "ForbiddenException",
                &json!({"message": "Forbidden"}).to_string(),
            );
        };
        let track = std::sync::Arc::clone(live.track(self.dice().f64()));
        let place = Place {
            api_id,
            stage,
            path,
            region: &self.shared.context.region,
        };
        let extended_request_id = format!("{}=", self.new_id(15));
        let mut exchange = Exchange::new(request, &place, track, self.new_uuid(), extended_request_id, self.now());
        let mut response = match self.answer(&live, &mut exchange).await {
            Ok(response) => response,
            Err(refusal) => refused(&refusal, &exchange),
        };
        for (name, value) in [
            ("x-amzn-requestid", &exchange.request_id),
            ("x-amz-apigw-id", &exchange.extended_request_id),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        self.record(
            &live,
            &exchange,
            response.status(),
            begun.elapsed().as_secs_f64() * 1000.0,
        );
        response
    }
}

impl ApiGateway {
    async fn answer(&self, live: &LiveStage, exchange: &mut Exchange) -> Result<Response<Bytes>, Refusal> {
        let found = exchange.track.routes.find(&exchange.verb, &exchange.path);
        exchange.routed(found.ok_or_else(|| Refusal::new("MISSING_AUTHENTICATION_TOKEN"))?);
        let Some(route) = exchange.route.clone() else {
            return Err(Refusal::new("MISSING_AUTHENTICATION_TOKEN"));
        };
        if exchange.body.len() > BODY_LIMIT {
            return Err(Refusal::new("REQUEST_TOO_LARGE"));
        }
        if let Some((rate, burst)) = live.setting(&route).throttle {
            let key = format!(
                "{}/{}/{}{}",
                exchange.api_id, exchange.stage, route.verb, route.resource_path
            );
            if !self.shared.throttle.admits(key, rate, burst, exchange.time) {
                return Err(Refusal::new("THROTTLED"));
            }
        }
        match &route.authorization {
            Authorization::None => {}
            // Signatures are not checked: every caller is this machine's user.
            Authorization::Iam if exchange.header("Authorization").is_some() => {}
            Authorization::Iam => return Err(Refusal::new("MISSING_AUTHENTICATION_TOKEN")),
            Authorization::Custom(authorizer) => self.authorize(authorizer, exchange).await?,
            Authorization::Cognito if exchange.header("Authorization").is_none() => {
                return Err(Refusal::new("UNAUTHORIZED"));
            }
            Authorization::Cognito => {
                tracing::warn!("the embedded cloud has no Cognito user pools: nobody can be let in by one");
                return Err(Refusal::new("AUTHORIZER_CONFIGURATION_ERROR"));
            }
        }
        if route.api_key_required {
            let given = exchange.api_key.take().map(|(_, value)| value);
            let header = || exchange.header("X-Api-Key").map(str::to_owned);
            let value = if exchange.track.routes.api_key_from_authorizer {
                given
            } else {
                header()
            };
            let found =
                value.and_then(|value| Some((self.api_key_for(&value, &exchange.api_id, &exchange.stage)?, value)));
            exchange.api_key = Some(found.ok_or_else(|| Refusal::new("INVALID_API_KEY"))?);
        }
        let missing: Vec<&str> = route
            .required_parameters
            .iter()
            .filter(|parameter| exchange.mapped(parameter).is_none())
            .filter_map(|parameter| parameter.rsplit('.').next())
            .collect();
        if !missing.is_empty() {
            return Err(Refusal::saying(
                "BAD_REQUEST_PARAMETERS",
                format!("Missing required request parameters: [{}]", missing.join(", ")),
            ));
        }
        if route.requires_body && serde_json::from_slice::<Value>(&exchange.body).is_err() {
            return Err(Refusal::new("BAD_REQUEST_BODY"));
        }
        let begun = Instant::now();
        let answer = self.integrate(&route.integration, exchange).await;
        exchange.integration_milliseconds = Some(begun.elapsed().as_secs_f64() * 1000.0);
        answer
    }

    /// API Gateway Developer Guide, "Amazon API Gateway dimensions and metrics".
    fn record(&self, live: &LiveStage, exchange: &Exchange, status: StatusCode, milliseconds: f64) {
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (api, stage) = (of("ApiName", &live.api_name), of("Stage", &exchange.stage));
        let mut dimension_sets = vec![vec![api.clone()], vec![api.clone(), stage.clone()]];
        if let Some(route) = exchange
            .route
            .as_ref()
            .filter(|route| live.setting(route).metrics_enabled)
        {
            dimension_sets.push(vec![
                api,
                of("Method", &exchange.verb),
                of("Resource", &route.resource_path),
                stage,
            ]);
        }
        let one = |of_status: bool| if of_status { 1.0 } else { 0.0 };
        let mut metrics = vec![
            ("Count", 1.0, "Count"),
            ("4XXError", one(status.is_client_error()), "Count"),
            ("5XXError", one(status.is_server_error()), "Count"),
            ("Latency", milliseconds, "Milliseconds"),
        ];
        metrics.extend(
            exchange
                .integration_milliseconds
                .map(|milliseconds| ("IntegrationLatency", milliseconds, "Milliseconds")),
        );
        let observations = dimension_sets.iter().flat_map(|dimensions| {
            metrics.iter().map(|(metric_name, value, unit)| Observation {
                namespace: "AWS/ApiGateway".to_owned(),
                metric_name: (*metric_name).to_owned(),
                dimensions: dimensions.clone(),
                value: *value,
                unit: (*unit).to_owned(),
                timestamp: exchange.time,
            })
        });
        self.shared.ports.metrics.record(observations.collect());
    }
}

/// The gateway's own answer, changed as the deployment wants it.
fn refused(refusal: &Refusal, exchange: &Exchange) -> Response<Bytes> {
    let class = if refusal.status < 500 {
        "DEFAULT_4XX"
    } else {
        "DEFAULT_5XX"
    };
    let changed = &exchange.track.routes.gateway_responses;
    let Some(changed) = changed.get(refusal.kind).or_else(|| changed.get(class)) else {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return plain(status, refusal.error_type, &refusal.body());
    };
    let status = changed
        .text("statusCode")
        .and_then(|status| status.parse().ok())
        .unwrap_or(refusal.status);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = refusal.message.clone();
    let error = json!({
        "message": message,
        "messageString": json!(message).to_string(),
        "responseType": refusal.kind,
    });
    let scope = Scope {
        exchange,
        input: "",
        error,
    };
    let template = changed
        .get("responseTemplates")
        .and_then(|templates| templates.get("application/json"))
        .and_then(Value::as_str);
    let body = template
        .and_then(|template| render(template, &scope).ok())
        .unwrap_or_else(|| refusal.body());
    let mut response = plain(status, refusal.error_type, &body);
    for (name, expression) in changed
        .get("responseParameters")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let name = name
            .strip_prefix("gatewayresponse.header.")
            .and_then(|name| name.parse::<HeaderName>().ok());
        let value = expression.as_str().and_then(|expression| exchange.mapped(expression));
        if let (Some(name), Some(Ok(value))) = (name, value.map(|value| HeaderValue::from_str(&value))) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn plain(status: StatusCode, error_type: &'static str, body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_owned()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
        .headers_mut()
        .insert("x-amzn-errortype", HeaderValue::from_static(error_type));
    response
}
