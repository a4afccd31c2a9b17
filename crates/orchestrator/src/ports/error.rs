//! What a port says when it could not do what it was asked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is known about the call. It decides what the caller may do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortErrorKind {
    /// Refused for now because of a rate limit: nothing happened, again later.
    Throttled,
    /// Something is in the way, such as a stack in progress or an alias of another revision: nothing happened.
    Conflict,
    /// The resource is not there.
    NotFound,
    /// The response was lost: it may or may not have happened. Observe before doing anything again.
    Ambiguous,
    /// The request can never succeed as it is, such as a metric that does not exist.
    Invalid,
    /// The service is not reachable or failed before it did anything: again later.
    Unavailable,
    /// The credentials do not permit it.
    Denied,
}

impl PortErrorKind {
    /// Whether the same call can succeed later without anybody changing anything.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            PortErrorKind::Throttled | PortErrorKind::Unavailable | PortErrorKind::Ambiguous
        )
    }
}

impl fmt::Display for PortErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            PortErrorKind::Throttled => "throttled",
            PortErrorKind::Conflict => "conflict",
            PortErrorKind::NotFound => "not found",
            PortErrorKind::Ambiguous => "response lost",
            PortErrorKind::Invalid => "invalid",
            PortErrorKind::Unavailable => "unavailable",
            PortErrorKind::Denied => "denied",
        })
    }
}

/// `UpdateStage of a1b2c3/prod: throttled: Rate exceeded`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{operation} of {resource}: {kind}: {message}")]
pub struct PortError {
    pub kind: PortErrorKind,
    /// The call in the words of the service, such as `UpdateStage`.
    pub operation: String,
    /// What it was for, such as `a1b2c3/prod`.
    pub resource: String,
    /// What the service said, and what to do where the adapter knows. Holds the whole cause; never a secret.
    pub message: String,
}

impl PortError {
    pub fn new(
        kind: PortErrorKind,
        operation: impl Into<String>,
        resource: impl Into<String>,
        message: impl Into<String>,
    ) -> PortError {
        PortError {
            kind,
            operation: operation.into(),
            resource: resource.into(),
            message: message.into(),
        }
    }
}
