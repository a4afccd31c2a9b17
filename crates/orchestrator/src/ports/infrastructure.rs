//! The stacks that carry what a rollout moves. What is to be deployed is known to the adapter.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::domain::RolloutTarget;

/// What stands after a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    pub target: RolloutTarget,
    /// SHA-256 in hex over the templates that are deployed now, in a fixed order.
    pub template_digest: String,
    /// Whether the deploy changed anything.
    pub changed: bool,
}

/// Something worth showing while stacks are deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InfrastructureProgress {
    /// Files or images of a stack are being published.
    Asset { name: String, done: bool },
    /// A stack begins or ends; `status` in the service's words, such as `UPDATE_IN_PROGRESS`.
    Stack { stack: String, status: String },
    /// An event of one resource.
    Resource {
        stack: String,
        logical_id: String,
        resource_type: String,
        status: String,
        reason: Option<String>,
    },
    /// Anything else, one line.
    Note { message: String },
}

/// Where progress goes while a deploy runs.
pub type ProgressSink<'a> = &'a (dyn Fn(InfrastructureProgress) + Send + Sync);

#[async_trait]
pub trait Infrastructure: Send + Sync {
    /// Changes nothing: can a deploy begin?
    ///
    /// # Errors
    /// `Conflict` while a stack is in progress or in a state that needs a way out first (the message names it);
    /// `Denied` where the credentials do not permit a deploy.
    async fn check_ready(&self) -> Result<(), PortError>;

    /// Deploys the stacks and waits until they stand. The live slot must not move by it; the caller verifies that.
    /// Repeating it after a lost response is safe: what stands already is not changed again.
    ///
    /// # Errors
    /// `Conflict` while a stack is in progress; `Invalid` when the change failed and was undone (message: which
    /// resource, why); `Ambiguous` when it is not known how it ended.
    async fn deploy(&self, progress: ProgressSink<'_>) -> Result<Deployed, PortError>;

    /// Whether it knows what to deploy. Without the app it does not, and then only reads.
    fn knows_what_to_deploy(&self) -> bool {
        true
    }

    /// What stands now, without changing anything; `None` where the stacks do not exist yet.
    async fn observe(&self) -> Result<Option<Deployed>, PortError>;
}
