//! Questions of the user's own: an HTTP request or a program.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::config::GateCheck;
use crate::domain::{EnvironmentName, Slot, Weight};
use crate::gates::Verdict;

/// What a check may know about the bake that it is asked in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckContext {
    pub environment: EnvironmentName,
    /// The candidate's.
    pub slot: Slot,
    pub weight: Weight,
    /// The candidate's tag.
    pub release: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckAnswer {
    pub name: String,
    pub verdict: Verdict,
    /// Such as a program's last line of output, or why there is no answer. Never a secret.
    pub detail: String,
}

#[async_trait]
pub trait Checks: Send + Sync {
    /// Asks once, within the check's timeout. What could not be asked is inconclusive, never a pass and no error: the
    /// answer says why.
    async fn ask(&self, check: &GateCheck, about: &CheckContext) -> CheckAnswer;
}
