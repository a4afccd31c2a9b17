//! The configured smoke checks. Which they are is known to the adapter.

use async_trait::async_trait;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::domain::{RestApiId, Slot};

/// Where to send the checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmokeTarget {
    pub rest_api_id: RestApiId,
    /// Without a trailing slash.
    pub base_url: String,
    /// The slot that is expected to answer.
    pub slot: Slot,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmokeCheckResult {
    /// Such as `GET /health`.
    pub name: String,
    pub passed: bool,
    /// What came back, and what was expected where that differs; one line.
    pub detail: String,
    pub duration: SignedDuration,
}

#[async_trait]
pub trait Smoke: Send + Sync {
    /// Runs every configured check once, in order. A check that fails is a result, not an error; an error means that
    /// the checks could not be run at all.
    async fn run(&self, target: &SmokeTarget) -> Result<Vec<SmokeCheckResult>, PortError>;
}
