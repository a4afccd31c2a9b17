//! Stages as requests see them: prepared once, forgotten with every change of the control plane.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use super::record::{Object, RestApi};
use super::routes::{Route, Routes};
use super::service::ApiGateway;
use crate::members::Members;

#[derive(Default)]
pub(super) struct LiveStages {
    stages: RwLock<HashMap<(String, String), Arc<LiveStage>>>,
}

pub(super) struct LiveStage {
    pub api_name: String,
    primary: Arc<Track>,
    /// Percent of the traffic.
    canary: Option<(f64, Arc<Track>)>,
    method_settings: Object,
}

/// What one request goes through: a deployment and the variables beside it.
pub(super) struct Track {
    pub deployment_id: String,
    pub routes: Routes,
    pub variables: BTreeMap<String, String>,
    pub is_canary: bool,
}

/// The limits of a method on a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct MethodSetting {
    pub metrics_enabled: bool,
    /// Requests a second, and how many at once.
    pub throttle: Option<(f64, f64)>,
}

impl LiveStages {
    pub fn forget(&self) {
        self.stages.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl ApiGateway {
    pub(super) fn live(&self, api: &str, stage: &str) -> Option<Arc<LiveStage>> {
        let key = (api.to_owned(), stage.to_owned());
        let stages = &self.shared.live.stages;
        if let Some(live) = stages.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Some(Arc::clone(live));
        }
        // The state stays locked until the stage is kept, so that a change cannot come between.
        let state = self.state();
        let live = Arc::new(LiveStage::prepare(state.apis.get(api)?, stage)?);
        stages
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::clone(&live));
        Some(live)
    }
}

impl LiveStage {
    fn prepare(api: &RestApi, name: &str) -> Option<Self> {
        let stage = api.stages.get(name)?;
        let track = |deployment_id: &str, variables, is_canary| {
            let deployment = api.deployments.get(deployment_id)?;
            let routes = Routes::compile(&deployment.snapshot);
            Some(Arc::new(Track {
                deployment_id: deployment_id.to_owned(),
                routes,
                variables,
                is_canary,
            }))
        };
        let variables = texts(stage.get("variables"));
        let primary = track(stage.text("deploymentId")?, variables.clone(), false)?;
        let canary = stage.member("canarySettings").and_then(|canary| {
            let mut variables = variables;
            variables.extend(texts(canary.get("stageVariableOverrides")));
            let percent = canary.number("percentTraffic").unwrap_or(0.0);
            Some((percent, track(canary.text("deploymentId")?, variables, true)?))
        });
        let method_settings = stage
            .get("methodSettings")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        Some(Self {
            api_name: api.name().to_owned(),
            primary,
            canary,
            method_settings,
        })
    }

    /// For one request; `dice` is between 0 and 1 without 1. The choice is made anew for each request, as in AWS.
    pub fn track(&self, dice: f64) -> &Arc<Track> {
        match &self.canary {
            Some((percent, canary)) if dice * 100.0 < *percent => canary,
            _ => &self.primary,
        }
    }

    /// The method's own settings over those of all methods.
    pub fn setting(&self, route: &Route) -> MethodSetting {
        let path = route.resource_path.trim_start_matches('/').replace('/', "~1");
        let own = self.method_settings.get(&format!("~1{path}/{}", route.verb));
        let all = self.method_settings.get("*/*");
        let find = |member: &str| {
            own.and_then(|own| own.member(member))
                .or_else(|| all.and_then(|all| all.member(member)))
        };
        let rate = find("throttlingRateLimit").and_then(number);
        let burst = find("throttlingBurstLimit").and_then(number);
        // Only one of the two given: the other is the account's.
        let throttle =
            (rate.is_some() || burst.is_some()).then(|| (rate.unwrap_or(10_000.0), burst.unwrap_or(5_000.0)));
        MethodSetting {
            metrics_enabled: find("metricsEnabled").is_some_and(|value| value == true || value == "true"),
            throttle,
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    (number >= 0.0).then_some(number)
}

fn texts(object: Option<&Value>) -> BTreeMap<String, String> {
    let entries = object.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}
