//! What an operator asks of a rollout that goes on, often from another machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Serialized by its name: `{"kind": "pause"}`, `{"kind": "abort", "reason": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Request {
    /// Take no further step. What is in force goes on being watched, and a breach turns back.
    Pause,
    /// End the pause; or bake an inconclusive step for one more extension.
    Resume,
    /// Take the step that was asked about.
    Approve,
    /// Give all approvals, end the pause, and promote at the next look that passes, without the steps in between.
    Promote { reason: Option<String> },
    /// Turn back. Outranks everything.
    Abort { reason: String },
}

impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Pause => write!(formatter, "pause"),
            Request::Resume => write!(formatter, "resume"),
            Request::Approve => write!(formatter, "approve"),
            Request::Promote { reason: None } => write!(formatter, "promote"),
            Request::Promote { reason: Some(reason) } => write!(formatter, "promote ({reason})"),
            Request::Abort { reason } => write!(formatter, "abort ({reason})"),
        }
    }
}
