//! The live stage: who gets how much of the traffic.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::domain::{ApiTarget, ApiTraffic, DeploymentId, Slot, StageTarget, Weight};

/// One look at whether what was set is in force for requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Probe {
    InForce,
    /// What was seen instead, one line.
    NotYet {
        seen: String,
    },
}

#[async_trait]
pub trait Traffic: Send + Sync {
    /// The live stage as it is.
    async fn observe(&self, api: &ApiTarget) -> Result<ApiTraffic, PortError>;

    /// In one call: `weight` of the live traffic goes to the deployment with `color` overridden by the slot. `weight`
    /// may be zero: the settings then stay, and nobody is sent there.
    async fn set_canary(
        &self,
        api: &ApiTarget,
        weight: Weight,
        deployment_id: &DeploymentId,
        slot: Slot,
    ) -> Result<(), PortError>;

    /// In one call: the canary's deployment becomes the stage's, `color` becomes its slot, the canary settings go.
    /// `to` is what the stage is then to point at; variables are written explicitly.
    ///
    /// # Errors
    /// `Conflict` where the stage has no canary of that deployment.
    async fn promote(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError>;

    /// Removes the canary settings; all traffic goes to the stage's own deployment and slot. Nothing to remove is a
    /// success.
    async fn clear_canary(&self, api: &ApiTarget) -> Result<(), PortError>;

    /// In one call: the stage points at `to`, canary settings, if there are any, go. For a rollback.
    async fn switch(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError>;

    /// Looks once, by requests where the adapter can tell slots apart and otherwise by reading back, whether
    /// `expected` is what the live stage does. Its
    /// variables are those that the stage has, with `color` as expected. The caller asks again until it is, with a bound.
    async fn probe(&self, api: &ApiTarget, expected: &ApiTraffic) -> Result<Probe, PortError>;
}
