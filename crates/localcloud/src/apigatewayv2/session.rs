//! One open WebSocket connection: messages in, each to the route that it selects, messages out, and its end.
//!
//! Messages of one connection may be served at the same time, as in AWS; answers come as functions end.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::connections::{Connection, MESSAGE_LIMIT, Outgoing};
use super::live::{IntegrationKind, LiveStage, Route};
use super::selection::selected;
use super::service::ApiGatewayV2;
use super::websocket::Answer;

/// API Gateway quotas for WebSocket APIs: 32 KB a frame.
const FRAME_LIMIT: usize = 32 * 1024;

/// Messages of one connection that are served at the same time; further ones are not read meanwhile.
const CONCURRENT_MESSAGES: usize = 64;

pub(super) struct Session {
    gateway: ApiGatewayV2,
    connection: Arc<Connection>,
    outgoing: mpsc::Receiver<Outgoing>,
}

/// Why a connection ended, for `$disconnect`.
struct End {
    code: u16,
    reason: String,
}

impl End {
    fn of(code: CloseCode, reason: &str) -> Self {
        Self {
            code: code.into(),
            reason: reason.to_owned(),
        }
    }
}

impl Session {
    pub fn new(gateway: ApiGatewayV2, connection: Arc<Connection>, outgoing: mpsc::Receiver<Outgoing>) -> Self {
        Self {
            gateway,
            connection,
            outgoing,
        }
    }

    /// The client went before the connection was open.
    pub async fn abandon(self, error: &hyper::Error) {
        tracing::debug!(%error, "a client went during the handshake");
        self.disconnected(End::of(CloseCode::Abnormal, "")).await;
    }

    pub async fn run(mut self, upgraded: Upgraded) {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_LIMIT))
            .max_frame_size(Some(FRAME_LIMIT));
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        let end = self.exchange_messages(&mut socket).await;
        self.disconnected(end).await;
    }

    async fn exchange_messages(&mut self, socket: &mut WebSocketStream<TokioIo<Upgraded>>) -> End {
        let settings = self.gateway.shared.settings;
        let last = Instant::now() + settings.connection_limit;
        let mut idle = Instant::now() + settings.idle_limit;
        let places = Arc::new(Semaphore::new(CONCURRENT_MESSAGES));
        let going_away = |reason: &str| End::of(CloseCode::Away, reason);
        let end = loop {
            let place = Arc::clone(&places).acquire_owned();
            tokio::select! {
                // A message is read only when there is room to serve it.
                incoming = async { (place.await.ok(), socket.next().await) } => {
                    let (place, incoming) = incoming;
                    match incoming {
                        Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                            let gateway = self.gateway.clone();
                            let connection = Arc::clone(&self.connection);
                            connection.touch(gateway.now());
                            tokio::spawn(async move {
                                gateway.message(&connection, message).await;
                                drop(place);
                            });
                        }
                        // The library answers a ping and a close by itself.
                        Some(Ok(Message::Close(frame))) => {
                            break frame.map_or_else(
                                || End::of(CloseCode::Status, ""),
                                |frame| End::of(frame.code, frame.reason.as_str()),
                            );
                        }
                        Some(Ok(_)) => {}
                        Some(Err(Error::Capacity(_))) => break End::of(CloseCode::Size, "Message too long"),
                        Some(Err(error)) => {
                            tracing::debug!(%error, "a WebSocket connection broke");
                            return End::of(CloseCode::Abnormal, "");
                        }
                        None => return End::of(CloseCode::Abnormal, ""),
                    }
                }
                outgoing = self.outgoing.recv() => match outgoing {
                    Some(Outgoing::Data(data)) => {
                        self.connection.touch(self.gateway.now());
                        self.gateway.count_message(&self.connection);
                        if let Err(error) = socket.send(message_of(data)).await {
                            tracing::debug!(%error, "a message did not reach its client");
                            return End::of(CloseCode::Abnormal, "");
                        }
                    }
                    Some(Outgoing::Close) | None => break End::of(CloseCode::Normal, "Connection Closed Normally"),
                },
                () = tokio::time::sleep_until(idle) => break going_away("Going away"),
                () = tokio::time::sleep_until(last) => break going_away("Going away"),
            }
            idle = Instant::now() + settings.idle_limit;
        };
        let code = CloseCode::from(end.code);
        let frame = code.is_allowed().then(|| CloseFrame {
            code,
            reason: end.reason.clone().into(),
        });
        if let Err(error) = socket.close(frame).await {
            tracing::debug!(%error, "the client was gone already");
        }
        end
    }

    async fn disconnected(self, end: End) {
        let Self {
            gateway, connection, ..
        } = self;
        gateway.shared.registry.remove(&connection.id);
        if gateway.shared.registry.is_ending() {
            return;
        }
        let Some(live) = gateway.live(&connection.api_id, &connection.stage) else {
            return;
        };
        let Some((route, integration)) = live
            .named("$disconnect")
            .and_then(|route| Some((route, route.integration.as_ref()?)))
        else {
            return;
        };
        let mut event = gateway.connection_event(&live, &connection, "$disconnect", "DISCONNECT");
        let headers = json!({"Host": connection.host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""});
        event.insert("headers".to_owned(), headers);
        event.insert("isBase64Encoded".to_owned(), json!(false));
        if let Some(context) = event.get_mut("requestContext").and_then(Value::as_object_mut) {
            context.insert("disconnectStatusCode".to_owned(), json!(end.code));
            context.insert("disconnectReason".to_owned(), json!(end.reason));
        }
        // Nobody is there any more who could be told how it ended.
        let (answer, _) = gateway.ask(&live, route, integration, Value::Object(event)).await;
        gateway.record_message(&live, route, &answer, None);
    }
}

fn message_of(data: Bytes) -> Message {
    match String::from_utf8(data.into()) {
        Ok(text) => Message::text(text),
        Err(error) => Message::binary(error.into_bytes()),
    }
}

impl ApiGatewayV2 {
    /// One message of a client: its route's integration is called, and answers if the route wants that.
    async fn message(&self, connection: &Connection, message: Message) {
        // The stage as it is now: a new deployment and a moved alias hold for the next message.
        let Some(live) = self.live(&connection.api_id, &connection.stage) else {
            connection.tell(Outgoing::Close);
            return;
        };
        let (body, is_binary) = match message {
            Message::Text(text) => (text.as_str().to_owned(), false),
            other => (STANDARD.encode(other.into_data()), true),
        };
        let request_id = self.new_uuid();
        let refuse = |words: &str| {
            let words = json!({"message": words, "connectionId": connection.id, "requestId": request_id});
            connection.tell(Outgoing::Data(words.to_string().into()));
        };
        let parsed = serde_json::from_str(&body).unwrap_or(Value::Null);
        let key = selected(&live.selection, &parsed);
        let named = key.as_deref().filter(|key| !matches!(*key, "$connect" | "$disconnect"));
        let route = named
            .and_then(|key| live.named(key))
            .or_else(|| live.named("$default"))
            .cloned();
        let found = route
            .as_ref()
            .and_then(|route| Some((route, route.integration.as_ref()?)));
        let Some((route, integration)) = found else {
            self.record_client_error(&live);
            return refuse("Forbidden");
        };
        if !self.admits(&live, &route.text, self.now()) {
            self.record_client_error(&live);
            return refuse("Too Many Requests");
        }
        let mut event = self.connection_event(&live, connection, &route.text, "MESSAGE");
        event.insert("body".to_owned(), json!(body));
        event.insert("isBase64Encoded".to_owned(), json!(is_binary));
        if let Some(context) = event.get_mut("requestContext").and_then(Value::as_object_mut) {
            context.insert("messageId".to_owned(), json!(self.new_token()));
            context.insert("requestId".to_owned(), json!(request_id));
        }
        let begun = Instant::now();
        let (answer, _) = self.ask(&live, route, integration, Value::Object(event)).await;
        let milliseconds = (integration.kind != IntegrationKind::Mock).then(|| begun.elapsed().as_secs_f64() * 1000.0);
        self.record_message(&live, route, &answer, milliseconds);
        self.record(&live, Some(&route.text), &[("MessageCount", 1.0, "Count")], self.now());
        match answer {
            Answer::Given { body: Some(body), .. } if route.answers => {
                connection.tell(Outgoing::Data(body.into()));
            }
            Answer::Given { .. } => {}
            Answer::Failed | Answer::Uncalled => refuse("Internal server error"),
        }
    }

    fn record_message(&self, live: &LiveStage, route: &Route, answer: &Answer, milliseconds: Option<f64>) {
        let (integration, execution) = match answer {
            Answer::Given { status, .. } if *status < 400 => (0.0, 0.0),
            Answer::Given { .. } | Answer::Failed => (1.0, 0.0),
            Answer::Uncalled => (0.0, 1.0),
        };
        let mut metrics = vec![
            ("ClientError", 0.0, "Count"),
            ("IntegrationError", integration, "Count"),
            ("ExecutionError", execution, "Count"),
        ];
        metrics.extend(milliseconds.map(|milliseconds| ("IntegrationLatency", milliseconds, "Milliseconds")));
        self.record(live, Some(&route.text), &metrics, self.now());
    }

    fn record_client_error(&self, live: &LiveStage) {
        let metrics = [("MessageCount", 1.0, "Count"), ("ClientError", 1.0, "Count")];
        self.record(live, None, &metrics, self.now());
    }

    /// A message to a client.
    fn count_message(&self, connection: &Connection) {
        if let Some(live) = self.live(&connection.api_id, &connection.stage) {
            self.record(&live, None, &[("MessageCount", 1.0, "Count")], self.now());
        }
    }
}
