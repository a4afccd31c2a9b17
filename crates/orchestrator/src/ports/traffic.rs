//! The entry points, live stages and live aliases: who gets how much of the traffic.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::domain::{
    AliasRevision, AliasRouting, AliasState, ApiTarget, ApiTraffic, DeploymentId, FunctionName, FunctionVersion,
    LiveAlias, ServedEntry, Slot, StageTarget, VersionSettings, Weight,
};

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

    /// The live alias as it is.
    ///
    /// # Errors
    /// `NotFound` where the function or the alias does not exist.
    async fn observe_live_alias(&self, alias: &LiveAlias) -> Result<AliasState, PortError>;

    /// In one call: version and share become those of `to`, if the alias's revision is still `expected`. No share takes
    /// every weight away.
    ///
    /// # Errors
    /// `Conflict` when the revision is another one; nothing changed then.
    async fn route_live_alias(
        &self,
        alias: &LiveAlias,
        to: &AliasRouting,
        expected: &AliasRevision,
    ) -> Result<AliasState, PortError>;

    /// What decides whether an alias can split its calls between this version and another.
    async fn version_settings(
        &self,
        function: &FunctionName,
        version: &FunctionVersion,
    ) -> Result<VersionSettings, PortError>;

    /// Those of `alias.serves` that, as far as can be read, are not permitted to call the alias: a permission for the
    /// function does not hold for its aliases.
    async fn not_permitted(&self, alias: &LiveAlias) -> Result<Vec<ServedEntry>, PortError>;
}
