//! What every service of the embedded cloud looks like to the wire: an operation and a plain value in, a plain value
//! or an error out. The codec in front knows the protocols (query, JSON, REST, CBOR); a service sees none of them.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

/// One decoded call. `input` has the member names of the service's model. Conventions for what JSON lacks: a timestamp
/// is a number of epoch seconds, a blob inside the input is base64. The payload member of an operation (the body of an
/// S3 object, the payload of an invocation) is not in `input` but in `body`.
#[derive(Clone, Debug)]
pub struct Request {
    /// The operation's name in the model, for example `CreateStack`.
    pub operation: String,
    pub input: Value,
    pub body: Bytes,
    pub region: String,
}

/// One answer, with the same conventions as [`Request`].
#[derive(Clone, Debug, Default)]
pub struct Response {
    pub output: Value,
    pub body: Bytes,
}

impl From<Value> for Response {
    fn from(output: Value) -> Self {
        Self {
            output,
            body: Bytes::new(),
        }
    }
}

/// An error as the service's own clients know it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The service's error code, for example `ResourceNotFoundException`.
    pub code: String,
    pub message: String,
    /// HTTP status.
    pub status: u16,
    /// Further members of the error's shape.
    pub details: Value,
}

impl ApiError {
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status,
            details: Value::Null,
        }
    }

    /// The answer to an operation that a service does not have; `code` is how its protocol calls that.
    pub fn not_served(code: &str, operation: &str) -> Self {
        Self::new(400, code, format!("{operation} is not served"))
    }
}

#[async_trait]
pub trait Service: Send + Sync {
    /// The folder of the service's model in botocore, for example `cloudformation`.
    fn model(&self) -> &'static str;
    async fn call(&self, request: Request) -> Result<Response, ApiError>;
    /// The cloud ends: end processes that you started. State is saved already, for nobody may count on this call.
    async fn stop(&self) {}
}
