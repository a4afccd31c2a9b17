//! What the services' own tests share: a context over a folder that goes away, a clock that is set by hand, calls.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::context::{Clock, Context};
use crate::resource::ResourceRequest;
use crate::service::{ApiError, Request, Response, Service};
use crate::store::Store;

pub struct SetClock(Mutex<jiff::Timestamp>);

impl SetClock {
    /// Begins at 2025-10-14T12:00:00Z.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2025-10-14T12:00:00Z".parse().unwrap())))
    }

    pub fn advance_seconds(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now += jiff::SignedDuration::from_secs(seconds);
    }
}

impl Clock for SetClock {
    fn now(&self) -> jiff::Timestamp {
        *self.0.lock().unwrap()
    }
}

pub fn context_at(folder: &std::path::Path, clock: Arc<dyn Clock>) -> Context {
    Context {
        store: Store::open(folder.join("state")).unwrap(),
        folder: folder.to_owned(),
        endpoint: "http://127.0.0.1:4566".into(),
        region: "us-east-1".into(),
        clock,
    }
}

pub async fn call(service: &dyn Service, operation: &str, input: Value) -> Result<Value, ApiError> {
    call_with_body(service, operation, input, Bytes::new())
        .await
        .map(|response| response.output)
}

pub async fn call_with_body(
    service: &dyn Service,
    operation: &str,
    input: Value,
    body: impl Into<Bytes>,
) -> Result<Response, ApiError> {
    let request = Request {
        operation: operation.into(),
        input,
        body: body.into(),
        region: "us-east-1".into(),
    };
    service.call(request).await
}

pub fn resource_request(resource_type: &str, properties: Value) -> ResourceRequest {
    ResourceRequest {
        resource_type: resource_type.into(),
        stack_name: "Stack".into(),
        stack_id: "arn:aws:cloudformation:us-east-1:000000000000:stack/Stack/1".into(),
        logical_id: "Thing".into(),
        properties: properties.as_object().cloned().unwrap_or_else(Map::new),
        generated_name: "Stack-Thing-ABC123".into(),
        tags: vec![("team".into(), "data".into())],
    }
}
