//! What one service of the embedded cloud needs of another, and no more.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use crate::service::ApiError;

/// One observation, as the services themselves publish it into CloudWatch.
#[derive(Clone, Debug)]
pub struct Observation {
    /// For example `AWS/Lambda`.
    pub namespace: String,
    pub metric_name: String,
    pub dimensions: Vec<(String, String)>,
    pub value: f64,
    /// A CloudWatch unit, for example `Milliseconds` or `Count`.
    pub unit: String,
    pub timestamp: jiff::Timestamp,
}

/// Where services leave their metrics. CloudWatch implements it.
pub trait MetricSink: Send + Sync {
    fn record(&self, observations: Vec<Observation>);
}

/// Where functions leave their output. CloudWatch Logs implements it.
pub trait LogSink: Send + Sync {
    /// Appends lines to a stream; both group and stream are made when missing.
    fn append(&self, group: &str, stream: &str, lines: Vec<String>);
}

/// Where code and templates are read from. S3 implements it.
#[async_trait]
pub trait ObjectSource: Send + Sync {
    async fn object(&self, bucket: &str, key: &str) -> Result<Bytes, ApiError>;
}

/// Who runs functions. Lambda implements it; API Gateway and CloudWatch call it.
#[async_trait]
pub trait FunctionInvoker: Send + Sync {
    /// `function` is a name or an ARN, `qualifier` a version or an alias; a weighted alias chooses a version.
    async fn invoke(&self, function: &str, qualifier: Option<&str>, payload: Bytes) -> Result<Invocation, ApiError>;
}

/// How an invocation ended.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub payload: Bytes,
    /// `Handled` or `Unhandled` when the function itself failed.
    pub function_error: Option<String>,
    pub executed_version: String,
}

/// What an event source mapping has to know of a queue.
#[derive(Clone, Copy, Debug)]
pub struct QueueFacts {
    pub visibility_timeout: Duration,
    pub is_fifo: bool,
}

/// A message as a function gets it, and by what it is deleted.
#[derive(Clone, Debug)]
pub struct QueuedMessage {
    pub id: String,
    pub receipt: String,
    /// One of the event's `Records`.
    pub record: Value,
}

/// Where event source mappings take messages from. SQS implements it; Lambda calls it.
#[async_trait]
pub trait QueueSource: Send + Sync {
    /// Nothing when there is no such queue.
    fn queue(&self, arn: &str) -> Option<QueueFacts>;
    /// At most `limit` messages, which nobody else sees for the queue's visibility timeout; waits for the first one.
    async fn receive(&self, arn: &str, limit: usize, wait: Duration) -> Result<Vec<QueuedMessage>, ApiError>;
    /// For messages that were served.
    fn delete(&self, arn: &str, receipts: &[String]);
}

/// Who waits for answers that functions put to a path of this cloud. CloudFormation implements it for custom resources;
/// the server calls it.
pub trait CallbackReceiver: Send + Sync {
    /// Nothing when the path is not one of its own, otherwise whether somebody waited for this answer.
    fn receive(&self, path: &str, body: Bytes) -> Option<bool>;
}

/// Who calls functions by the clock, and at once when it is told to. The schedules implement it; the server calls it.
#[async_trait]
pub trait FiresNow: Send + Sync {
    /// How every target of the rule or schedule ended; nothing when there is none of this name.
    async fn fire_now(&self, name: &str) -> Option<Vec<Value>>;
}

/// Who answers plain HTTP that arrives for a deployed API. API Gateway implements it, once for REST APIs and once for
/// HTTP and WebSocket APIs; the server calls it for `/_aws/execute-api/{api}/{stage}/{path…}` and for the host
/// `{api}.execute-api.{region}.…`.
#[async_trait]
pub trait HttpFrontend: Send + Sync {
    /// Whether the API is one of its own.
    fn serves(&self, api_id: &str) -> bool;
    /// `path` begins with `/` and is what follows the stage, still percent-encoded; the query stays in the request's
    /// URI. Every failure is an HTTP answer of the API itself, so there is no error.
    async fn serve(&self, request: Request<Bytes>, api_id: &str, stage: &str, path: &str) -> Response<Bytes>;
}
