//! The connections that are open, and the management API by which functions write to them, look at them and end them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::service::ApiGatewayV2;
use crate::members::Members;
use crate::service::{ApiError, Request, Response, Service};

/// API Gateway quotas for WebSocket APIs: 128 KB a message.
pub(super) const MESSAGE_LIMIT: usize = 128 * 1024;

/// Messages that wait for a client that does not read; the next one is refused.
pub(super) const BACKLOG: usize = 1024;

/// What the owner of a connection is told.
pub(super) enum Outgoing {
    Data(Bytes),
    Close,
}

pub(super) struct Connection {
    pub id: String,
    pub api_id: String,
    pub stage: String,
    pub connected: Timestamp,
    pub user_agent: String,
    pub host: String,
    /// What an authorizer said of the caller, for the events of all messages.
    pub authorizer: Option<super::record::Object>,
    /// Epoch milliseconds.
    active: AtomicI64,
    sender: mpsc::Sender<Outgoing>,
}

impl Connection {
    pub fn new(
        id: String,
        place: (&str, &str),
        exchange: &super::exchange::Exchange,
    ) -> (Arc<Self>, mpsc::Receiver<Outgoing>) {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        let connection = Self {
            id,
            api_id: place.0.to_owned(),
            stage: place.1.to_owned(),
            connected: exchange.time,
            user_agent: exchange.header("user-agent").unwrap_or_default(),
            host: exchange.host(),
            authorizer: exchange.authorizer.clone(),
            active: AtomicI64::new(exchange.time.as_millisecond()),
            sender,
        };
        (Arc::new(connection), receiver)
    }

    pub fn touch(&self, now: Timestamp) {
        self.active.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// False when the client is gone or does not read.
    pub fn tell(&self, outgoing: Outgoing) -> bool {
        self.sender.try_send(outgoing).is_ok()
    }
}

#[derive(Default)]
pub(super) struct Registry {
    open: Mutex<HashMap<String, Arc<Connection>>>,
    /// The cloud ends: functions are told nothing any more.
    ending: AtomicBool,
}

impl Registry {
    pub fn insert(&self, connection: Arc<Connection>) {
        self.lock().insert(connection.id.clone(), connection);
    }

    pub fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    pub fn get(&self, id: &str) -> Option<Arc<Connection>> {
        self.lock().get(id).cloned()
    }

    pub fn close_api(&self, api_id: &str) {
        self.close(|connection| connection.api_id == api_id);
    }

    /// At the end of the cloud.
    pub fn close_all(&self) {
        self.ending.store(true, Ordering::Relaxed);
        self.close(|_| true);
    }

    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    fn close(&self, which: impl Fn(&Connection) -> bool) {
        for connection in self.lock().values().filter(|connection| which(connection)) {
            if !connection.tell(Outgoing::Close) {
                tracing::debug!(connection = connection.id, "a connection does not read its end");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The management API. Ids are unique over all APIs here, so it serves them all at one address, too.
pub struct Connections {
    gateway: ApiGatewayV2,
}

impl Connections {
    pub fn new(gateway: ApiGatewayV2) -> Self {
        Self { gateway }
    }
}

#[async_trait]
impl Service for Connections {
    fn model(&self) -> &'static str {
        "apigatewaymanagementapi"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let id = request.input.required_text("ConnectionId")?;
        let connection = self.gateway.shared.registry.get(id).ok_or_else(gone)?;
        match request.operation.as_str() {
            "PostToConnection" => {
                if request.body.len() > MESSAGE_LIMIT {
                    return Err(ApiError::new(413, "PayloadTooLargeException", "Payload Too Large"));
                }
                if !connection.tell(Outgoing::Data(request.body)) {
                    return Err(ApiError::new(
                        429,
                        "LimitExceededException",
                        "The client does not read.",
                    ));
                }
                Ok(Response::default())
            }
            "GetConnection" => Ok(Response::from(json!({
                "ConnectedAt": seconds(connection.connected.as_millisecond()),
                "LastActiveAt": seconds(connection.active.load(Ordering::Relaxed)),
                "Identity": {"SourceIp": "127.0.0.1", "UserAgent": connection.user_agent},
            }))),
            "DeleteConnection" => {
                self.gateway.shared.registry.remove(id);
                // Nothing to tell when it is gone already.
                let _ = connection.tell(Outgoing::Close);
                Ok(Response::default())
            }
            other => Err(ApiError::not_served("UnknownOperationException", other)),
        }
    }
}

fn seconds(milliseconds: i64) -> Value {
    json!(milliseconds as f64 / 1000.0)
}

fn gone() -> ApiError {
    ApiError::new(410, "GoneException", "Gone")
}
