//! The two slots: versions, aliases, API deployments and preview stages. Nothing here moves live traffic.

use async_trait::async_trait;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::domain::{
    AliasRevision, AliasState, ApiTarget, ApiTraffic, DeploymentId, FunctionName, FunctionVersion, ReleasedFunction,
    Slot, StageTarget,
};

/// How one direct call of a function went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// The version that answered, where the service says so.
    pub executed_version: Option<FunctionVersion>,
    /// The function's error, one line; `None` when it answered. The error of a handler that does not understand the
    /// empty event still proves that the function starts and may be called: the adapter decides and says so here.
    pub failure: Option<String>,
    pub duration: SignedDuration,
}

/// What came of taking away something that a release left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// It is gone, now or already before.
    Gone,
    /// No rollout made it, so it stays: the stack owns it.
    NotOurs,
}

#[async_trait]
pub trait Slots: Send + Sync {
    /// Publishes the function's current code and configuration as an immutable version. Where they are those of the
    /// newest version, that version is returned: repeating it is safe.
    async fn publish(&self, function: &FunctionName, description: &str) -> Result<ReleasedFunction, PortError>;

    /// # Errors
    /// `NotFound` where the function has no alias of that name.
    async fn observe_alias(&self, function: &FunctionName, slot: Slot) -> Result<AliasState, PortError>;

    /// What a version of the function holds, for a release that the ledger does not know.
    async fn observe_version(
        &self,
        function: &FunctionName,
        version: &FunctionVersion,
    ) -> Result<ReleasedFunction, PortError>;

    /// Points the alias at `version` with all of its weight, if its revision is still `expected`.
    ///
    /// # Errors
    /// `Conflict` when it is not.
    async fn point_alias(
        &self,
        function: &FunctionName,
        slot: Slot,
        version: &FunctionVersion,
        expected: &AliasRevision,
    ) -> Result<AliasState, PortError>;

    /// Makes a deployment (snapshot) of the API, attached to no stage. `client_token` is put into its description: if
    /// a deployment with it is there already, that one is returned, so repeating it is safe.
    async fn deploy_api(&self, api: &ApiTarget, client_token: &str) -> Result<DeploymentId, PortError>;

    /// The slot's preview stage as it is.
    async fn observe_preview(&self, api: &ApiTarget, slot: Slot) -> Result<ApiTraffic, PortError>;

    /// Points the preview stage of `to.slot` at `to.deployment_id` and sets its variable `color` to `to.slot`.
    async fn point_preview(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError>;

    /// Deletes a version, if [`Slots::publish`] made it. Repeating it is safe.
    ///
    /// # Errors
    /// `Conflict` while an alias is at it.
    async fn delete_version(&self, function: &FunctionName, version: &FunctionVersion) -> Result<Removal, PortError>;

    /// Deletes a deployment, if [`Slots::deploy_api`] made it. Repeating it is safe.
    ///
    /// # Errors
    /// `Conflict` while a stage is at it.
    async fn delete_deployment(&self, api: &ApiTarget, deployment_id: &DeploymentId) -> Result<Removal, PortError>;

    /// Calls the function once through the slot's alias and waits for the answer.
    async fn invoke(&self, function: &FunctionName, slot: Slot) -> Result<Invocation, PortError>;
}
