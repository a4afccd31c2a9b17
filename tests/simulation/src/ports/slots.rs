//! Versions, slot aliases, API deployments and preview stages.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::SignedDuration;
use orchestrator::domain::{
    AliasRevision, AliasState, ApiTarget, ApiTraffic, DeploymentId, FunctionName, FunctionVersion, ReleasedFunction,
    Slot, StageTarget,
};
use orchestrator::ports::{Invocation, PortError, PortErrorKind, Removal, Slots};

use super::{LONGEST_STALENESS, missing};
use crate::process::{Call, Kind, Process};
use crate::world::{Alias, Composition, Inner, Place, What, stage};

impl Inner {
    fn slot_alias(&mut self, call: &Call, function: &FunctionName, slot: Slot) -> Result<&mut Alias, PortError> {
        if self.functions_down {
            return Err(call.error(PortErrorKind::Unavailable, "the service is down"));
        }
        self.functions
            .get_mut(function.as_str())
            .and_then(|function| function.aliases.get_mut(&slot))
            .ok_or_else(|| missing(call, "alias"))
    }
}

fn state_of(alias: &Alias) -> AliasState {
    AliasState {
        version: alias.version.to_string().into(),
        revision: alias.revision.to_string().into(),
        weights: BTreeMap::new(),
    }
}

#[async_trait]
impl Slots for Process {
    async fn publish(&self, function: &FunctionName, _description: &str) -> Result<ReleasedFunction, PortError> {
        self.call(format!("publish {function}"), Kind::Change, |world, call| {
            let known = world
                .functions
                .get_mut(function.as_str())
                .ok_or_else(|| missing(call, "function"))?;
            let latest = known.latest.clone();
            let newest = known.versions.len();
            if known.versions.last() != Some(&latest) || known.deleted.contains(&newest) {
                known.versions.push(latest.clone());
            }
            let version = known.versions.len();
            world.happened(call, What::Published);
            Ok(ReleasedFunction {
                name: function.clone(),
                version: version.to_string().into(),
                code_sha256: latest,
            })
        })
        .await
    }

    async fn observe_alias(&self, function: &FunctionName, slot: Slot) -> Result<AliasState, PortError> {
        self.call(format!("observe {function}:{slot}"), Kind::Read, |world, call| {
            let now = world.now();
            let mut state = state_of(world.slot_alias(call, function, slot)?);
            if call.is_stale()
                && let [.., (_, before), (since, _)] = world.functions[function.as_str()].history[&slot].as_slice()
                && now < *since + LONGEST_STALENESS
            {
                state.version = before.to_string().into();
                let revision: u64 = state.revision.as_str().parse().unwrap_or(1);
                state.revision = (revision - 1).to_string().into();
            }
            Ok(state)
        })
        .await
    }

    async fn observe_version(
        &self,
        function: &FunctionName,
        version: &FunctionVersion,
    ) -> Result<ReleasedFunction, PortError> {
        self.call(format!("observe {function} {version}"), Kind::Read, |world, call| {
            let number = version.as_str().parse().unwrap_or(0);
            let code = world
                .code_of(function.as_str(), number)
                .ok_or_else(|| missing(call, "version"))?;
            Ok(ReleasedFunction {
                name: function.clone(),
                version: version.clone(),
                code_sha256: code.to_owned(),
            })
        })
        .await
    }

    async fn point_alias(
        &self,
        function: &FunctionName,
        slot: Slot,
        version: &FunctionVersion,
        expected: &AliasRevision,
    ) -> Result<AliasState, PortError> {
        let what = format!("point {function}:{slot} at {version}");
        // The revision protects it.
        self.call(what, Kind::Guarded, |world, call| {
            let now = world.now();
            let number: usize = version.as_str().parse().unwrap_or(0);
            if world.code_of(function.as_str(), number).is_none() {
                return Err(missing(call, "version"));
            }
            let alias = world.slot_alias(call, function, slot)?;
            if alias.revision.to_string() != expected.as_str() {
                return Err(call.error(PortErrorKind::Conflict, "another revision"));
            }
            alias.version = number;
            alias.revision += 1;
            let state = state_of(alias);
            if let Some(known) = world.functions.get_mut(function.as_str()) {
                known.history.entry(slot).or_default().push((now, number));
            }
            world.mutations.push(format!("alias {function}:{slot} to {version}"));
            world.happened(
                call,
                What::SlotAlias {
                    function: function.to_string(),
                    slot,
                },
            );
            Ok(state)
        })
        .await
    }

    async fn deploy_api(&self, api: &ApiTarget, client_token: &str) -> Result<DeploymentId, PortError> {
        self.call(format!("deploy {}", api.name), Kind::Change, |world, call| {
            let known = world.api(api).ok_or_else(|| missing(call, "API"))?;
            let index = match known.deployments.iter().position(|known| known == client_token) {
                Some(index) => index,
                None => {
                    known.deployments.push(client_token.to_owned());
                    known.deployments.len() - 1
                }
            };
            world.happened(call, What::ApiDeployed);
            Ok(DeploymentId::new(format!("{}-d{index}", api.rest_api_id)))
        })
        .await
    }

    async fn observe_preview(&self, api: &ApiTarget, slot: Slot) -> Result<ApiTraffic, PortError> {
        self.call(format!("observe {} {slot}", api.name), Kind::Read, |world, call| {
            let known = world.api(api).ok_or_else(|| missing(call, "API"))?;
            Ok(known.previews[&slot].clone())
        })
        .await
    }

    async fn point_preview(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError> {
        let what = format!("point {} {} at {}", api.name, to.slot, to.deployment_id);
        self.call(what, Kind::Change, |world, call| {
            let known = world.api(api).ok_or_else(|| missing(call, "API"))?;
            known
                .previews
                .insert(to.slot, stage(to.deployment_id.as_str(), to.slot));
            world.happened(
                call,
                What::Preview {
                    api: api.rest_api_id.to_string(),
                    slot: to.slot,
                },
            );
            Ok(())
        })
        .await
    }

    async fn delete_version(&self, function: &FunctionName, version: &FunctionVersion) -> Result<Removal, PortError> {
        self.call(format!("delete {function} {version}"), Kind::Change, |world, call| {
            let number: usize = version.as_str().parse().unwrap_or(0);
            let known = world
                .functions
                .get_mut(function.as_str())
                .ok_or_else(|| missing(call, "function"))?;
            let is_live = known.live.version == *version || known.live.weights.contains_key(version);
            if known.aliases.values().any(|alias| alias.version == number) || is_live && world.shape.aliases {
                return Err(call.error(PortErrorKind::Conflict, "an alias is at it"));
            }
            if number == 1 {
                return Ok(Removal::NotOurs);
            }
            let is_new = known.deleted.insert(number);
            if is_new {
                world.mutations.push(format!("delete version {function}:{version}"));
                let what = format!("version {version} of {function}");
                world.happened(call, What::Deleted { what });
            }
            Ok(Removal::Gone)
        })
        .await
    }

    async fn delete_deployment(&self, api: &ApiTarget, deployment_id: &DeploymentId) -> Result<Removal, PortError> {
        self.call(format!("delete {deployment_id}"), Kind::Change, |world, call| {
            let known = world.api(api).ok_or_else(|| missing(call, "API"))?;
            let at_it = |stage: &ApiTraffic| {
                let canary = stage.canary.as_ref().map(|canary| &canary.deployment_id);
                stage.deployment_id == *deployment_id || canary == Some(deployment_id)
            };
            if known.previews.values().chain([&known.live]).any(at_it) {
                return Err(call.error(PortErrorKind::Conflict, "a stage is at it"));
            }
            if deployment_id.as_str().ends_with("-d0") {
                return Ok(Removal::NotOurs);
            }
            let is_new = known.deleted.insert(deployment_id.to_string());
            if is_new {
                world.mutations.push(format!("delete {deployment_id}"));
                let what = format!("deployment {deployment_id}");
                world.happened(call, What::Deleted { what });
            }
            Ok(Removal::Gone)
        })
        .await
    }

    async fn invoke(&self, function: &FunctionName, slot: Slot) -> Result<Invocation, PortError> {
        self.call(format!("invoke {function}:{slot}"), Kind::Read, |world, call| {
            let version = world.slot_alias(call, function, slot)?.version;
            let code = world.code_of(function.as_str(), version).unwrap_or_default();
            let fails = world.failing_smoke.iter().any(|failing| failing == code);
            if !fails {
                world.truth.smoked.insert(Composition {
                    place: Place::Version(version.to_string()),
                    versions: vec![(function.to_string(), version)],
                });
            }
            Ok(Invocation {
                executed_version: Some(version.to_string().into()),
                failure: fails.then(|| "it panicked".to_owned()),
                duration: SignedDuration::from_millis(3),
            })
        })
        .await
    }
}
