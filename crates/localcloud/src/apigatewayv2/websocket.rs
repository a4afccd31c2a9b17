//! The handshake of a WebSocket connection, and what functions are told of its beginning, its messages and its end.
//!
//! API Gateway Developer Guide, "Manage connected users and client apps: $connect and $disconnect routes" and "Set up
//! a WebSocket API integration request".

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};
use tokio::time::Instant;

use super::connections::Connection;
use super::event::{all, last, title_case};
use super::exchange::{Exchange, execute_arn};
use super::http_api::Refusal;
use super::live::{Integration, IntegrationKind, LiveStage, Route};
use super::record::Object;
use super::service::ApiGatewayV2;
use super::session::Session;

/// RFC 6455, section 1.3.
const ACCEPT_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How a function answered a message.
pub(super) enum Answer {
    /// Its status and its body, if it gave one.
    Given { status: u16, body: Option<String> },
    /// It ran and failed.
    Failed,
    /// It could not be called.
    Uncalled,
}

impl ApiGatewayV2 {
    /// Asks `$connect`, and opens the connection if it agrees.
    pub(super) async fn connect(
        &self,
        live: &Arc<LiveStage>,
        mut request: Request<Bytes>,
        path: &str,
    ) -> Response<Bytes> {
        let Some(accept) = accept_key(&request) else {
            let mut response = Refusal::FORBIDDEN.response();
            *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
            return response;
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let mut exchange = Exchange::new(request, live, path, self.new_uuid(), self.now());
        exchange.route_key = "$connect".to_owned();
        let id = self.new_token();
        let protocol = match self.agree(live, &mut exchange, &id).await {
            Ok(protocol) => protocol,
            Err(refusal) => return refusal,
        };
        let (connection, outgoing) = Connection::new(id, (&live.api_id, &live.name), &exchange);
        // From now on functions may write to it.
        self.shared.registry.insert(Arc::clone(&connection));
        let session = Session::new(self.clone(), connection, outgoing);
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => session.run(upgraded).await,
                Err(error) => session.abandon(&error).await,
            }
        });
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Ok(accept) = HeaderValue::from_str(&accept) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(protocol) = protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }

    /// What `$connect` says: the subprotocol, if it chose one, or the refusal of the handshake.
    async fn agree(
        &self,
        live: &LiveStage,
        exchange: &mut Exchange,
        id: &str,
    ) -> Result<Option<HeaderValue>, Response<Bytes>> {
        let now = exchange.time;
        let Some(route) = live.named("$connect").cloned() else {
            // Without the route everybody may connect.
            self.record_connect(live, [0.0; 3], None, now);
            return Ok(None);
        };
        let allowed = match self.admits(live, &route.text, now) {
            true => self.authorize(&route.authorization, live, exchange).await,
            false => Err(Refusal::TOO_MANY),
        };
        if let Err(refusal) = allowed {
            let client_error = f64::from(u8::from(refusal.status.is_client_error()));
            self.record_connect(live, [client_error, 0.0, 1.0 - client_error], None, now);
            return Err(refusal.response());
        }
        let Some(integration) = &route.integration else {
            self.record_connect(live, [0.0; 3], None, now);
            return Ok(None);
        };
        let mut event = self.handshake_event(live, exchange);
        event.insert("isBase64Encoded".to_owned(), json!(false));
        if let Some(context) = event.get_mut("requestContext").and_then(Value::as_object_mut) {
            context.insert("connectionId".to_owned(), json!(id));
        }
        let begun = Instant::now();
        let (answer, headers) = self.ask(live, &route, integration, Value::Object(event)).await;
        let milliseconds = (integration.kind != IntegrationKind::Mock).then(|| begun.elapsed().as_secs_f64() * 1000.0);
        let (errors, outcome) = match answer {
            Answer::Given { status, .. } if (200..300).contains(&status) => ([0.0; 3], Ok(())),
            Answer::Given { status, .. } => {
                let status = StatusCode::from_u16(status)
                    .ok()
                    .filter(|status| !status.is_informational());
                let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                ([0.0, 1.0, 0.0], Err(status))
            }
            Answer::Failed => ([0.0, 1.0, 0.0], Err(StatusCode::BAD_GATEWAY)),
            Answer::Uncalled => ([0.0, 0.0, 1.0], Err(StatusCode::INTERNAL_SERVER_ERROR)),
        };
        self.record_connect(live, errors, milliseconds, now);
        outcome.map_err(|status| {
            // The client sees the status only.
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = status;
            response
        })?;
        let protocol = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"));
        Ok(protocol.and_then(|(_, value)| HeaderValue::from_str(value.as_str()?).ok()))
    }

    /// `errors`: of the client, of the integration, of the execution.
    fn record_connect(&self, live: &LiveStage, errors: [f64; 3], milliseconds: Option<f64>, now: jiff::Timestamp) {
        let [client, integration, execution] = errors;
        let mut metrics = vec![
            ("ConnectCount", 1.0, "Count"),
            ("ClientError", client, "Count"),
            ("IntegrationError", integration, "Count"),
            ("ExecutionError", execution, "Count"),
        ];
        metrics.extend(milliseconds.map(|milliseconds| ("IntegrationLatency", milliseconds, "Milliseconds")));
        self.record(live, Some("$connect"), &metrics, now);
    }

    /// Calls what stands behind a route. A weighted alias chooses a version for this call alone.
    pub(super) async fn ask(
        &self,
        live: &LiveStage,
        route: &Route,
        integration: &Integration,
        event: Value,
    ) -> (Answer, Object) {
        let none = Object::new();
        let payload = match integration.kind {
            IntegrationKind::Mock => {
                return (
                    Answer::Given {
                        status: 200,
                        body: None,
                    },
                    none,
                );
            }
            IntegrationKind::Unserved | IntegrationKind::HttpProxy => {
                tracing::warn!(
                    route = route.text,
                    "the embedded cloud does not serve this kind of integration"
                );
                return (Answer::Uncalled, none);
            }
            // No proxy: the function gets the message itself.
            IntegrationKind::Function => event.get("body").and_then(Value::as_str).unwrap_or("{}").to_owned(),
            _ => event.to_string(),
        };
        let uri = live.substituted(&integration.uri);
        let arn = execute_arn(self.region(), live, &route.text);
        let invoked = tokio::time::timeout(integration.timeout, self.invoke(&uri, &arn, payload.into())).await;
        let invocation = match invoked {
            Ok(Ok(invocation)) => invocation,
            Ok(Err(error)) => {
                tracing::warn!(%error, uri, "the function could not be invoked");
                return (Answer::Uncalled, none);
            }
            Err(_) => {
                tracing::warn!(uri, "the function took longer than the integration waits");
                return (Answer::Uncalled, none);
            }
        };
        if invocation.function_error.is_some() {
            return (Answer::Failed, none);
        }
        let text = String::from_utf8_lossy(&invocation.payload).into_owned();
        if integration.kind == IntegrationKind::Function {
            return (
                Answer::Given {
                    status: 200,
                    body: Some(text),
                },
                none,
            );
        }
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let status = match answer.get("statusCode") {
            Some(Value::Number(status)) => status.as_u64(),
            Some(Value::String(status)) => status.parse().ok(),
            // An answer without a status is taken as success.
            _ => Some(200),
        };
        let Some(status) = status.and_then(|status| u16::try_from(status).ok()) else {
            return (Answer::Failed, none);
        };
        let body = match answer.get("body") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        let headers = answer
            .get("headers")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        (Answer::Given { status, body }, headers)
    }

    /// What `$connect` and its authorizer are told.
    pub(super) fn handshake_event(&self, live: &LiveStage, exchange: &Exchange) -> Map<String, Value> {
        let headers: Vec<(String, String)> = exchange
            .headers
            .iter()
            .map(|(name, value)| (title_case(name), value.clone()))
            .collect();
        let mut context = self.context_of(live, "$connect", "CONNECT", exchange.time);
        context.insert("requestId".to_owned(), json!(exchange.request_id));
        context.insert("connectedAt".to_owned(), json!(exchange.time.as_millisecond()));
        context.insert("domainName".to_owned(), json!(exchange.host()));
        context.insert(
            "identity".to_owned(),
            json!({"sourceIp": "127.0.0.1", "userAgent": exchange.header("user-agent")}),
        );
        if let Some(authorizer) = &exchange.authorizer {
            context.insert("authorizer".to_owned(), json!(authorizer));
        }
        let mut event = Map::new();
        event.insert("headers".to_owned(), last(&headers));
        event.insert("multiValueHeaders".to_owned(), all(&headers));
        for (name, value) in [
            ("queryStringParameters", last(&exchange.query)),
            ("multiValueQueryStringParameters", all(&exchange.query)),
        ] {
            if !value.is_null() {
                event.insert(name.to_owned(), value);
            }
        }
        add_variables(&mut event, live);
        event.insert("requestContext".to_owned(), Value::Object(context));
        event
    }

    /// What a route is told of a message or of the end.
    pub(super) fn connection_event(
        &self,
        live: &LiveStage,
        connection: &Connection,
        route_key: &str,
        kind: &str,
    ) -> Map<String, Value> {
        let mut context = self.context_of(live, route_key, kind, self.now());
        context.insert("requestId".to_owned(), json!(self.new_uuid()));
        context.insert("connectedAt".to_owned(), json!(connection.connected.as_millisecond()));
        context.insert("connectionId".to_owned(), json!(connection.id));
        context.insert("domainName".to_owned(), json!(connection.host));
        context.insert(
            "identity".to_owned(),
            json!({"sourceIp": "127.0.0.1", "userAgent": connection.user_agent}),
        );
        if let Some(authorizer) = &connection.authorizer {
            context.insert("authorizer".to_owned(), json!(authorizer));
        }
        let mut event = Map::new();
        add_variables(&mut event, live);
        event.insert("requestContext".to_owned(), Value::Object(context));
        event
    }

    fn context_of(&self, live: &LiveStage, route_key: &str, kind: &str, now: jiff::Timestamp) -> Map<String, Value> {
        let context = json!({
            "routeKey": route_key,
            "eventType": kind,
            "extendedRequestId": self.new_token(),
            "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "messageDirection": "IN",
            "stage": live.name,
            "requestTimeEpoch": now.as_millisecond(),
            "apiId": live.api_id,
        });
        context.as_object().cloned().unwrap_or_default()
    }
}

fn add_variables(event: &mut Map<String, Value>, live: &LiveStage) {
    if !live.variables.is_empty() {
        event.insert("stageVariables".to_owned(), json!(live.variables));
    }
}

/// The answer to a handshake; None for a request that is none. RFC 6455, section 4.2.
fn accept_key(request: &Request<Bytes>) -> Option<String> {
    let headers = request.headers();
    let has = |name: http::HeaderName, token: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    };
    if !(has(UPGRADE, "websocket") && has(CONNECTION, "upgrade")) {
        return None;
    }
    let key = headers.get(SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    Some(STANDARD.encode(Sha1::digest(format!("{key}{ACCEPT_SUFFIX}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let handshake = |upgrade: &str| {
            let request = Request::get("/chat")
                .header(CONNECTION, "keep-alive, Upgrade")
                .header(UPGRADE, upgrade);
            request
                .header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
                .body(Bytes::new())
                .unwrap()
        };
        let accepted = accept_key(&handshake("WebSocket"));
        assert_eq!(accepted.as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(accept_key(&handshake("h2c")), None);
    }
}
