//! Live stages and live aliases. A stage's update has no compare-and-swap, an alias's goes by its revision.

use async_trait::async_trait;
use orchestrator::domain::{
    AliasRevision, AliasRouting, AliasState, ApiTarget, ApiTraffic, Canary, DeploymentId, FunctionName,
    FunctionVersion, LiveAlias, ServedEntry, Slot, StageTarget, VersionSettings, Weight,
};
use orchestrator::ports::{PortError, PortErrorKind, Probe, Traffic};

use super::{LONGEST_STALENESS, missing};
use crate::met::Met;
use crate::process::{Call, Kind, Process};
use crate::world::{Entry, Inner, Shown, Split, stage};

impl Inner {
    /// A process was shown how an entry is.
    fn show(&mut self, call: &Call, entry: Entry, split: Split) {
        let at = self.now();
        self.truth.shown.insert((call.process, entry), Shown { split, at });
    }

    /// One `UpdateStage`: what it does to the stage's own settings.
    fn update_stage(
        &mut self,
        call: &Call,
        api: &ApiTarget,
        change: &'static str,
        update: impl FnOnce(&ApiTraffic) -> Result<ApiTraffic, PortError>,
    ) -> Result<(), PortError> {
        let known = self.api(api).ok_or_else(|| missing(call, "API"))?;
        let after = update(&known.live)?;
        let deployments =
            std::iter::once(&after.deployment_id).chain(after.canary.as_ref().map(|it| &it.deployment_id));
        for deployment in deployments {
            let index = deployment
                .as_str()
                .rsplit_once("-d")
                .and_then(|(_, index)| index.parse::<usize>().ok());
            // What somebody else's console made has other names.
            if index
                .is_some_and(|index| index >= known.deployments.len() || known.deleted.contains(deployment.as_str()))
            {
                return Err(call.error(
                    PortErrorKind::Invalid,
                    format!("deployment {deployment} does not exist"),
                ));
            }
        }
        self.set_live(Some(call), call.issued, api.rest_api_id.as_str(), after, change);
        Ok(())
    }
}

#[async_trait]
impl Traffic for Process {
    async fn observe(&self, api: &ApiTarget) -> Result<ApiTraffic, PortError> {
        self.call(format!("observe {}", api.name), Kind::Read, |world, call| {
            let id = api.rest_api_id.as_str();
            let now = world.now();
            let changed = world.timeline.iter().rev().find(|(_, name, _)| name == id);
            let is_fresh = changed.is_none_or(|(at, ..)| now >= *at + LONGEST_STALENESS);
            let known = world.apis.get(id).ok_or_else(|| missing(call, "API"))?;
            let seen = if call.is_stale() && !is_fresh {
                known.before.clone()
            } else {
                known.live.clone()
            };
            if seen != known.live {
                world.met.insert(Met::StaleRead);
            }
            world.show(call, Entry::Stage(id.to_owned()), Split::of_stage(&seen));
            Ok(seen)
        })
        .await
    }

    async fn set_canary(
        &self,
        api: &ApiTarget,
        weight: Weight,
        deployment_id: &DeploymentId,
        slot: Slot,
    ) -> Result<(), PortError> {
        let what = format!("set canary of {} to {weight}", api.name);
        self.call(what, Kind::Change, |world, call| {
            world.update_stage(call, api, "set canary", |live| {
                let canary = Some(Canary {
                    weight,
                    deployment_id: deployment_id.clone(),
                    slot: Some(slot),
                });
                Ok(ApiTraffic { canary, ..live.clone() })
            })
        })
        .await
    }

    async fn promote(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError> {
        self.call(format!("promote {}", api.name), Kind::Change, |world, call| {
            world.update_stage(call, api, "promote", |live| match &live.canary {
                Some(canary) if canary.deployment_id == to.deployment_id => {
                    Ok(stage(to.deployment_id.as_str(), to.slot))
                }
                _ => Err(call.error(PortErrorKind::Conflict, "no such canary")),
            })
        })
        .await
    }

    async fn clear_canary(&self, api: &ApiTarget) -> Result<(), PortError> {
        self.call(format!("clear canary of {}", api.name), Kind::Change, |world, call| {
            world.update_stage(call, api, "clear canary", |live| {
                Ok(ApiTraffic {
                    canary: None,
                    ..live.clone()
                })
            })
        })
        .await
    }

    async fn switch(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError> {
        self.call(format!("switch {}", api.name), Kind::Change, |world, call| {
            world.update_stage(call, api, "switch", |_| Ok(stage(to.deployment_id.as_str(), to.slot)))
        })
        .await
    }

    async fn probe(&self, api: &ApiTarget, expected: &ApiTraffic) -> Result<Probe, PortError> {
        self.call(format!("probe {}", api.name), Kind::Read, |world, call| {
            let entry = Entry::Stage(api.rest_api_id.to_string());
            let now = world.now();
            let Some(met) = world.in_force(&entry, now) else {
                return Err(missing(call, "API"));
            };
            Ok(if *met == Split::of_stage(expected) {
                Probe::InForce
            } else {
                Probe::NotYet { seen: met.to_string() }
            })
        })
        .await
    }

    async fn observe_live_alias(&self, alias: &LiveAlias) -> Result<AliasState, PortError> {
        self.call(format!("observe {}", alias.resource()), Kind::Read, |world, call| {
            let name = alias.function.as_str();
            let function = world.functions.get(name).ok_or_else(|| missing(call, "function"))?;
            let mut seen = function.live.clone();
            if call.is_stale() {
                let mut told = world.routes.iter().rev().filter(|(_, routed, _)| routed == name);
                if let (Some((since, ..)), Some((.., before))) = (told.next(), told.next())
                    && world.now() < *since + LONGEST_STALENESS
                {
                    seen = before.clone();
                    world.met.insert(Met::StaleRead);
                }
            }
            world.show(call, Entry::Alias(name.to_owned()), Split::of_alias(&seen));
            Ok(seen)
        })
        .await
    }

    async fn route_live_alias(
        &self,
        alias: &LiveAlias,
        to: &AliasRouting,
        expected: &AliasRevision,
    ) -> Result<AliasState, PortError> {
        let what = format!("route {}", alias.resource());
        // The revision protects it.
        self.call(what, Kind::Guarded, |world, call| {
            let name = alias.function.as_str();
            let function = world.functions.get(name).ok_or_else(|| missing(call, "function"))?;
            if &function.live.revision != expected {
                return Err(call.error(PortErrorKind::Conflict, "another revision"));
            }
            let versions = std::iter::once(&to.version).chain(to.share.iter().map(|share| &share.version));
            for version in versions {
                if world.code_of(name, version.as_str().parse().unwrap_or(0)).is_none() {
                    return Err(missing(call, "version"));
                }
            }
            let state = AliasState {
                version: to.version.clone(),
                revision: expected.clone(),
                weights: to
                    .share
                    .iter()
                    .map(|share| (share.version.clone(), share.weight))
                    .collect(),
            };
            world.set_alias(Some(call), call.issued, name, state, "route");
            Ok(world.functions[name].live.clone())
        })
        .await
    }

    async fn version_settings(
        &self,
        function: &FunctionName,
        version: &FunctionVersion,
    ) -> Result<VersionSettings, PortError> {
        let what = format!("settings of {function} {version}");
        self.call(what, Kind::Read, |_, _| {
            Ok(VersionSettings {
                role: "role".to_owned(),
                dead_letter: None,
            })
        })
        .await
    }

    async fn not_permitted(&self, alias: &LiveAlias) -> Result<Vec<ServedEntry>, PortError> {
        let what = format!("permissions of {}", alias.resource());
        self.call(what, Kind::Read, |_, _| Ok(Vec::new())).await
    }
}
