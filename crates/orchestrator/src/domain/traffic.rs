//! Traffic and aliases as they were seen in the cloud.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AliasRevision, DeploymentId, FunctionVersion, Slot, Weight};

/// Where a stage can point: a deployment, and the slot that its variable `color` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTarget {
    pub deployment_id: DeploymentId,
    pub slot: Slot,
}

/// A share of a stage's traffic that goes elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    pub weight: Weight,
    pub deployment_id: DeploymentId,
    /// The override of the stage variable `color`; `None` where the canary overrides it with nothing or with
    /// something that is no slot, which no rollout of ours does.
    pub slot: Option<Slot>,
}

/// One stage as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiTraffic {
    pub deployment_id: DeploymentId,
    /// The stage variable `color`; `None` where it is missing or names no slot.
    pub slot: Option<Slot>,
    pub canary: Option<Canary>,
    /// All stage variables, `color` included.
    pub variables: BTreeMap<String, String>,
}

impl ApiTraffic {
    /// Where the whole traffic goes, if it goes to one place: no canary settings, and `color` names a slot.
    pub fn settled(&self) -> Option<StageTarget> {
        match (&self.canary, self.slot) {
            (None, Some(slot)) => Some(StageTarget {
                deployment_id: self.deployment_id.clone(),
                slot,
            }),
            _ => None,
        }
    }
}

/// An alias of a function as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasState {
    pub version: FunctionVersion,
    pub revision: AliasRevision,
    /// Shares that go to other versions than `version`; empty unless the alias is weighted.
    pub weights: BTreeMap<FunctionVersion, Weight>,
}

impl AliasState {
    /// How the calls are divided; `None` with more than one share, which no rollout of ours makes.
    pub fn routing(&self) -> Option<AliasRouting> {
        let mut shares = self.weights.iter().map(|(version, weight)| VersionShare {
            version: version.clone(),
            weight: *weight,
        });
        let share = shares.next();
        shares.next().is_none().then(|| AliasRouting {
            version: self.version.clone(),
            share,
        })
    }
}

/// How a live alias divides its calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRouting {
    /// Gets all calls but the share.
    pub version: FunctionVersion,
    pub share: Option<VersionShare>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionShare {
    pub version: FunctionVersion,
    pub weight: Weight,
}

/// What two versions must have in common before an alias can split its calls between them (Lambda developer guide,
/// "Implement Lambda canary deployments using a weighted alias").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionSettings {
    /// ARN of the execution role.
    pub role: String,
    /// ARN of the queue or topic for events that failed; `None` where there is none.
    pub dead_letter: Option<String>,
}
