//! The world as the ports see it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use orchestrator::config::GateCheck;
use orchestrator::domain::*;
use orchestrator::gates::Verdict;
use orchestrator::ports::*;

use crate::world::{World, seconds, stage};

#[async_trait]
impl Infrastructure for World {
    async fn check_ready(&self) -> Result<(), PortError> {
        self.refuse("check").await.map(|_| ())
    }

    async fn deploy(&self, progress: ProgressSink<'_>) -> Result<Deployed, PortError> {
        let call = self.refuse("deploy").await?;
        progress(InfrastructureProgress::Note {
            message: "deploying".to_owned(),
        });
        let deployed = {
            let mut inner = self.lock();
            if inner.deploy_fails {
                return Err(PortError::new(
                    PortErrorKind::Invalid,
                    "deploy",
                    "Stack",
                    "a resource failed",
                ));
            }
            inner.now += seconds(30);
            if !inner.is_deployed {
                inner.create();
            }
            let code = inner.template.clone();
            let inner = &mut *inner;
            for (name, function) in &mut inner.functions {
                if !inner.unchanged.contains(name) {
                    function.latest = code.clone();
                }
            }
            inner.mutations.push("deploy".to_owned());
            Deployed {
                target: inner.target(),
                template_digest: code,
                changed: true,
            }
        };
        self.respond(call, "deploy", deployed).await
    }

    async fn observe(&self) -> Result<Option<Deployed>, PortError> {
        self.refuse("observe stacks").await?;
        let inner = self.lock();
        Ok(inner.is_deployed.then(|| Deployed {
            target: inner.target(),
            template_digest: inner.template.clone(),
            changed: false,
        }))
    }
}

#[async_trait]
impl Migrations for World {
    async fn backup(&self, label: &str) -> Result<Option<Backup>, PortError> {
        let call = self.refuse("backup").await?;
        let exists = self.lock().is_deployed;
        self.respond(
            call,
            "backup",
            exists.then(|| Backup {
                location: label.to_owned(),
                hooks: Vec::new(),
            }),
        )
        .await
    }

    async fn expand_is_pending(&self) -> Result<bool, PortError> {
        self.refuse("expand is pending").await?;
        let inner = self.lock();
        Ok(inner.is_deployed && inner.schema.is_none())
    }

    async fn expand(&self) -> Result<Expanded, PortError> {
        let call = self.refuse("expand").await?;
        let expanded = {
            let mut inner = self.lock();
            if inner.is_deployed {
                let count = u32::from(inner.schema.is_none());
                inner.schema = Some("1".to_owned());
                Expanded::Applied {
                    count,
                    schema_version: Some("1".to_owned()),
                    contracts: Some(vec!["2".to_owned()]),
                    hooks: Vec::new(),
                }
            } else {
                Expanded::NoDatabaseYet
            }
        };
        self.respond(call, "expand", expanded).await
    }
}

fn functions_down() -> PortError {
    PortError::new(PortErrorKind::Unavailable, "functions", "world", "the service is down")
}

#[async_trait]
impl Slots for World {
    async fn publish(&self, function: &FunctionName, _description: &str) -> Result<ReleasedFunction, PortError> {
        let call = self.refuse("publish").await?;
        let released = {
            let mut inner = self.lock();
            let known = inner.functions.get_mut(function.as_str()).unwrap();
            if known.versions.last() != Some(&known.latest) {
                known.versions.push(known.latest.clone());
            }
            ReleasedFunction {
                name: function.clone(),
                version: known.versions.len().to_string().into(),
                code_sha256: known.latest.clone(),
            }
        };
        self.respond(call, "publish", released).await
    }

    async fn observe_alias(&self, function: &FunctionName, slot: Slot) -> Result<AliasState, PortError> {
        self.refuse("observe alias").await?;
        let inner = self.lock();
        if inner.functions_down {
            return Err(functions_down());
        }
        let Some(known) = inner.functions.get(function.as_str()) else {
            return Err(no_function("observe alias"));
        };
        let alias = &known.aliases[&slot];
        Ok(AliasState {
            version: alias.version.to_string().into(),
            revision: alias.revision.to_string().into(),
            weights: BTreeMap::new(),
        })
    }

    async fn observe_version(
        &self,
        function: &FunctionName,
        version: &FunctionVersion,
    ) -> Result<ReleasedFunction, PortError> {
        self.refuse("observe version").await?;
        let inner = self.lock();
        let index: usize = version.as_str().parse().unwrap();
        let code_sha256 = inner.functions[function.as_str()].versions[index - 1].clone();
        Ok(ReleasedFunction {
            name: function.clone(),
            version: version.clone(),
            code_sha256,
        })
    }

    async fn point_alias(
        &self,
        function: &FunctionName,
        slot: Slot,
        version: &FunctionVersion,
        expected: &AliasRevision,
    ) -> Result<AliasState, PortError> {
        let call = self.refuse("point alias").await?;
        let state = {
            let mut inner = self.lock();
            if inner.apis.values().any(|api| api.live.slot == Some(slot)) {
                inner
                    .violations
                    .push(format!("the live alias {function}:{slot} was moved"));
            }
            inner.mutations.push(format!("alias {function}:{slot} to {version}"));
            let alias = inner
                .functions
                .get_mut(function.as_str())
                .unwrap()
                .aliases
                .get_mut(&slot)
                .unwrap();
            if alias.revision.to_string() != expected.as_str() {
                return Err(PortError::new(
                    PortErrorKind::Conflict,
                    "point alias",
                    "world",
                    "another revision",
                ));
            }
            alias.version = version.as_str().parse().unwrap();
            alias.revision += 1;
            AliasState {
                version: version.clone(),
                revision: alias.revision.to_string().into(),
                weights: BTreeMap::new(),
            }
        };
        self.respond(call, "point alias", state).await
    }

    async fn deploy_api(&self, api: &ApiTarget, client_token: &str) -> Result<DeploymentId, PortError> {
        let call = self.refuse("deploy API").await?;
        let id = {
            let mut inner = self.lock();
            let known = inner.api(api);
            let index = match known.deployments.iter().position(|token| token == client_token) {
                Some(index) => index,
                None => {
                    known.deployments.push(client_token.to_owned());
                    known.deployments.len() - 1
                }
            };
            DeploymentId::new(format!("{}-d{index}", api.rest_api_id))
        };
        self.respond(call, "deploy API", id).await
    }

    async fn observe_preview(&self, api: &ApiTarget, slot: Slot) -> Result<ApiTraffic, PortError> {
        self.refuse("observe preview").await?;
        Ok(self.lock().api(api).previews[&slot].clone())
    }

    async fn point_preview(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError> {
        let call = self.refuse("point preview").await?;
        self.lock()
            .api(api)
            .previews
            .insert(to.slot, stage(to.deployment_id.as_str(), to.slot));
        self.respond(call, "point preview", ()).await
    }

    async fn delete_version(&self, function: &FunctionName, version: &FunctionVersion) -> Result<Removal, PortError> {
        let call = self.refuse("delete version").await?;
        let removal = {
            let mut inner = self.lock();
            let known = inner.functions.get_mut(function.as_str()).unwrap();
            let number: usize = version.as_str().parse().unwrap();
            if known.aliases.values().any(|alias| alias.version == number) {
                return Err(PortError::new(
                    PortErrorKind::Conflict,
                    "delete version",
                    "world",
                    "an alias is at it",
                ));
            }
            if number == 1 {
                Removal::NotOurs
            } else {
                known.deleted.insert(number);
                inner.mutations.push(format!("delete version {function}:{version}"));
                Removal::Gone
            }
        };
        self.respond(call, "delete version", removal).await
    }

    async fn delete_deployment(&self, api: &ApiTarget, deployment_id: &DeploymentId) -> Result<Removal, PortError> {
        let call = self.refuse("delete deployment").await?;
        let removal = {
            let mut inner = self.lock();
            let known = inner.api(api);
            let stages = known.previews.values().chain([&known.live]);
            let at_it = |stage: &ApiTraffic| {
                stage.deployment_id == *deployment_id
                    || stage
                        .canary
                        .as_ref()
                        .is_some_and(|canary| canary.deployment_id == *deployment_id)
            };
            if stages.into_iter().any(at_it) {
                return Err(PortError::new(
                    PortErrorKind::Conflict,
                    "delete deployment",
                    "world",
                    "a stage is at it",
                ));
            }
            if deployment_id.as_str().ends_with("-d0") {
                Removal::NotOurs
            } else {
                known.deleted.insert(deployment_id.to_string());
                inner.mutations.push(format!("delete {deployment_id}"));
                Removal::Gone
            }
        };
        self.respond(call, "delete deployment", removal).await
    }

    async fn invoke(&self, function: &FunctionName, slot: Slot) -> Result<Invocation, PortError> {
        self.refuse("invoke").await?;
        let mut inner = self.lock();
        let version = inner.functions[function.as_str()].aliases[&slot].version;
        let proven = (function.to_string(), version.to_string().into());
        inner.proven_versions.insert(proven);
        Ok(Invocation {
            executed_version: Some(version.to_string().into()),
            failure: None,
            duration: SignedDuration::from_millis(3),
        })
    }
}

#[async_trait]
impl Traffic for World {
    async fn observe(&self, api: &ApiTarget) -> Result<ApiTraffic, PortError> {
        let call = self.refuse("observe traffic").await?;
        let stale = self.is_stale(call);
        let inner = self.lock();
        let Some(api) = inner.apis.get(api.rest_api_id.as_str()) else {
            return Err(PortError::new(
                PortErrorKind::NotFound,
                "observe traffic",
                "world",
                "there is no such API",
            ));
        };
        Ok(if stale { api.before.clone() } else { api.live.clone() })
    }

    async fn set_canary(
        &self,
        api: &ApiTarget,
        weight: Weight,
        deployment_id: &DeploymentId,
        slot: Slot,
    ) -> Result<(), PortError> {
        let call = self.refuse("set canary").await?;
        {
            let mut inner = self.lock();
            let canary = Some(Canary {
                weight,
                deployment_id: deployment_id.clone(),
                slot: Some(slot),
            });
            let live = ApiTraffic {
                canary,
                ..inner.api(api).live.clone()
            };
            inner.set_live(api.rest_api_id.as_str(), live, "set canary");
        }
        self.respond(call, "set canary", ()).await
    }

    async fn promote(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError> {
        let call = self.refuse("promote").await?;
        {
            let mut inner = self.lock();
            let canary = inner.api(api).live.canary.clone();
            if canary.is_none_or(|canary| canary.deployment_id != to.deployment_id) {
                return Err(PortError::new(
                    PortErrorKind::Conflict,
                    "promote",
                    "world",
                    "no such canary",
                ));
            }
            inner.set_live(
                api.rest_api_id.as_str(),
                stage(to.deployment_id.as_str(), to.slot),
                "promote",
            );
        }
        self.respond(call, "promote", ()).await
    }

    async fn clear_canary(&self, api: &ApiTarget) -> Result<(), PortError> {
        let call = self.refuse("clear canary").await?;
        {
            let mut inner = self.lock();
            let live = ApiTraffic {
                canary: None,
                ..inner.api(api).live.clone()
            };
            inner.set_live(api.rest_api_id.as_str(), live, "clear canary");
        }
        self.respond(call, "clear canary", ()).await
    }

    async fn switch(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError> {
        let call = self.refuse("switch").await?;
        self.lock().set_live(
            api.rest_api_id.as_str(),
            stage(to.deployment_id.as_str(), to.slot),
            "switch",
        );
        self.respond(call, "switch", ()).await
    }

    async fn probe(&self, api: &ApiTarget, expected: &ApiTraffic) -> Result<Probe, PortError> {
        self.refuse("probe").await?;
        let mut inner = self.lock();
        if inner.slow_probes > 0 {
            inner.slow_probes -= 1;
            return Ok(Probe::NotYet {
                seen: "the old weight".to_owned(),
            });
        }
        let live = &inner.api(api).live;
        Ok(if live == expected {
            Probe::InForce
        } else {
            Probe::NotYet {
                seen: format!("{live:?}"),
            }
        })
    }

    async fn observe_live_alias(&self, alias: &LiveAlias) -> Result<AliasState, PortError> {
        self.refuse("observe live alias").await?;
        let inner = self.lock();
        match inner.functions.get(alias.function.as_str()) {
            Some(function) => Ok(function.live.clone()),
            None => Err(no_function("observe live alias")),
        }
    }

    async fn route_live_alias(
        &self,
        alias: &LiveAlias,
        to: &AliasRouting,
        expected: &AliasRevision,
    ) -> Result<AliasState, PortError> {
        let call = self.refuse("route live alias").await?;
        let state = {
            let mut inner = self.lock();
            let name = alias.function.as_str();
            let Some(function) = inner.functions.get(name) else {
                return Err(no_function("route live alias"));
            };
            let refusal = |kind, why| Err(PortError::new(kind, "route live alias", alias.resource(), why));
            if &function.live.revision != expected {
                return refusal(PortErrorKind::Conflict, "another revision");
            }
            if inner.alias_conflicts > 0 {
                inner.alias_conflicts -= 1;
                inner.functions.get_mut(name).unwrap().live.revision = "1000".into();
                return refusal(PortErrorKind::Conflict, "another revision");
            }
            if inner.stuck_aliases.contains(name) {
                return refusal(PortErrorKind::Denied, "not permitted");
            }
            inner.route(name, to)
        };
        self.respond(call, "route live alias", state).await
    }

    async fn version_settings(
        &self,
        function: &FunctionName,
        version: &FunctionVersion,
    ) -> Result<VersionSettings, PortError> {
        self.refuse("version settings").await?;
        let odd = &self.lock().odd_settings;
        Ok(odd
            .get(&(function.to_string(), version.clone()))
            .cloned()
            .unwrap_or_else(|| VersionSettings {
                role: "role".to_owned(),
                dead_letter: None,
            }))
    }

    async fn not_permitted(&self, alias: &LiveAlias) -> Result<Vec<ServedEntry>, PortError> {
        self.refuse("permissions").await?;
        let mut lacking = self.lock().not_permitted.clone();
        lacking.retain(|entry| alias.serves.contains(entry));
        Ok(lacking)
    }
}

fn no_function(what: &str) -> PortError {
    PortError::new(PortErrorKind::NotFound, what, "world", "there is no such function")
}

#[async_trait]
impl Smoke for World {
    async fn run(&self, target: &SmokeTarget) -> Result<Vec<SmokeCheckResult>, PortError> {
        self.refuse("smoke").await?;
        let mut inner = self.lock();
        let is_live = inner.target().apis.iter().any(|api| api.live_url == target.base_url);
        inner.live_checks += u32::from(is_live);
        let breaks = inner.breaks_with_schema && inner.schema.is_some() && inner.live_checks.is_multiple_of(2);
        let passed = !inner.smoke_fails && !(is_live && (inner.live_fails || breaks));
        if passed {
            let deployment = inner.apis[target.rest_api_id.as_str()].previews[&target.slot]
                .deployment_id
                .to_string();
            inner.proven.insert(deployment);
        }
        let detail = if passed { "200" } else { "500, expected 200" };
        Ok(vec![SmokeCheckResult {
            name: "GET /health".to_owned(),
            passed,
            detail: detail.to_owned(),
            duration: SignedDuration::from_millis(5),
        }])
    }
}

#[async_trait]
impl Metrics for World {
    async fn query(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<MetricSeries>, PortError> {
        self.refuse("query").await?;
        let inner = self.lock();
        if inner.metrics_down {
            return Err(PortError::new(
                PortErrorKind::Unavailable,
                "query",
                "world",
                "metrics are down",
            ));
        }
        Ok(queries.iter().map(|query| inner.series(query, from, to)).collect())
    }

    async fn resolve(&self, _sources: &[MetricSource]) -> Result<(), PortError> {
        self.refuse("resolve").await?;
        self.lock().unresolved.clone().map_or(Ok(()), Err)
    }

    async fn alarms(&self, names: &[AlarmName]) -> Result<Vec<AlarmObservation>, PortError> {
        self.refuse("alarms").await?;
        let inner = self.lock();
        names
            .iter()
            .map(|name| {
                inner.alarms.get(&name.0).cloned().ok_or_else(|| {
                    PortError::new(
                        PortErrorKind::NotFound,
                        "alarms",
                        name.0.clone(),
                        "there is no such alarm",
                    )
                })
            })
            .collect()
    }
}

#[async_trait]
impl Checks for World {
    async fn ask(&self, check: &GateCheck, about: &CheckContext) -> CheckAnswer {
        let verdict = self.lock().answers.get(&check.name).copied();
        CheckAnswer {
            name: check.name.clone(),
            verdict: verdict.unwrap_or(Verdict::Pass),
            detail: format!(
                "asked about {} at {} of {}",
                about.slot, about.weight, about.environment
            ),
        }
    }
}
