//! Smoke checks, metrics and alarms.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use orchestrator::config::GateCheck;
use orchestrator::gates::Verdict;
use orchestrator::ports::{
    AlarmName, AlarmObservation, CheckAnswer, CheckContext, Checks, FunctionMetric, MetricQuery, MetricSeries,
    MetricSource, Metrics, PortError, PortErrorKind, Smoke, SmokeCheckResult, SmokeTarget, Statistic,
};

use super::missing;
use crate::met::Met;
use crate::process::{Call, Kind, Process};
use crate::world::{Entry, Inner, Measured, Place, seconds};

#[async_trait]
impl Smoke for Process {
    async fn run(&self, target: &SmokeTarget) -> Result<Vec<SmokeCheckResult>, PortError> {
        self.call(format!("smoke {}", target.base_url), Kind::Read, |world, call| {
            let id = target.rest_api_id.as_str();
            let api = world.apis.get(id).ok_or_else(|| missing(call, "API"))?;
            // What answers is decided by the address alone.
            let stage = match target.base_url.rsplit('/').next() {
                Some("prod") => &api.live,
                Some("green") => &api.previews[&orchestrator::domain::Slot::Green],
                _ => &api.previews[&orchestrator::domain::Slot::Blue],
            };
            let place = Place::Stage {
                deployment: stage.deployment_id.to_string(),
                slot: stage.slot,
            };
            let tested = world.composition(&Entry::Stage(id.to_owned()), &place);
            let fails = tested.versions.iter().any(|(function, version)| {
                world
                    .code_of(function, *version)
                    .is_none_or(|code| world.failing_smoke.iter().any(|failing| failing == code))
            });
            let passed = !fails;
            if passed {
                world.truth.smoked.insert(tested);
            }
            let detail = if passed { "200" } else { "500, expected 200" };
            Ok(vec![SmokeCheckResult {
                name: "GET /health".to_owned(),
                passed,
                detail: detail.to_owned(),
                duration: SignedDuration::from_millis(5),
            }])
        })
        .await
    }
}

#[async_trait]
impl Checks for Process {
    async fn ask(&self, check: &GateCheck, _about: &CheckContext) -> CheckAnswer {
        let asked = self
            .call(format!("check {}", check.name), Kind::Read, |_, _| Ok(()))
            .await;
        CheckAnswer {
            name: check.name.clone(),
            verdict: if asked.is_ok() {
                Verdict::Pass
            } else {
                Verdict::Inconclusive
            },
            detail: asked.err().map(|error| error.to_string()).unwrap_or_default(),
        }
    }
}

#[async_trait]
impl Metrics for Process {
    async fn resolve(&self, _sources: &[MetricSource]) -> Result<(), PortError> {
        self.call("resolve metrics", Kind::Read, |_, _| Ok(())).await
    }

    async fn query(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<MetricSeries>, PortError> {
        self.call("query metrics", Kind::Read, |world, call| {
            if world.metrics_down {
                return Err(call.error(PortErrorKind::Unavailable, "metrics are down"));
            }
            let answers: Vec<MetricSeries> = queries.iter().map(|query| world.series(query, from, to)).collect();
            world.measure(call, queries, &answers);
            let final_before = world.now() - world.metrics_delay - world.metrics_revised_after;
            let mut points = answers.iter().flat_map(|answer| &answer.datapoints);
            if points.any(|point| point.at > final_before) && !world.metrics_revised_after.is_zero() {
                world.met.insert(Met::FirstFigures);
            }
            Ok(answers)
        })
        .await
    }

    async fn alarms(&self, names: &[AlarmName]) -> Result<Vec<AlarmObservation>, PortError> {
        self.call("read alarms", Kind::Read, |world, call| {
            if world.metrics_down {
                return Err(call.error(PortErrorKind::Unavailable, "metrics are down"));
            }
            names
                .iter()
                .map(|name| world.alarms.get(&name.0).cloned().ok_or_else(|| missing(call, "alarm")))
                .collect()
        })
        .await
    }
}

impl Inner {
    /// Takes note of what a process was told of the candidate.
    fn measure(&mut self, call: &Call, queries: &[MetricQuery], answers: &[MetricSeries]) {
        let Some(rollout) = self.rollout_of(call.process) else {
            return;
        };
        // What somebody else changes meanwhile begins no bake anew.
        let Some(since) = rollout.baking_since.or_else(|| self.all_in_force_since()) else {
            return;
        };
        let number = rollout.state.plan.rollout.0;
        let Some(candidate) = rollout.state.facts.candidate.as_ref() else {
            return;
        };
        let mut functions: BTreeMap<String, (f64, Option<f64>)> = BTreeMap::new();
        for (query, answer) in queries.iter().zip(answers) {
            if query.statistic != Statistic::Sum {
                continue;
            }
            let counted: Vec<f64> = answer
                .datapoints
                .iter()
                .filter(|point| point.at + query.period > since - seconds(1))
                .map(|point| point.value)
                .collect();
            let sum: f64 = counted.iter().sum();
            match &query.source {
                MetricSource::FunctionInvocations { function, slot } if *slot == candidate.slot => {
                    functions.entry(function.to_string()).or_default().0 += sum;
                }
                MetricSource::LiveAlias {
                    function,
                    version,
                    metric,
                } if candidate
                    .function(function)
                    .is_some_and(|released| released.version == *version) =>
                {
                    let told = functions.entry(function.to_string()).or_default();
                    match metric {
                        FunctionMetric::Invocations => told.0 += sum,
                        FunctionMetric::Errors if !counted.is_empty() => told.1 = Some(told.1.unwrap_or(0.0) + sum),
                        _ => {}
                    }
                }
                MetricSource::FunctionErrors { function, slot } if *slot == candidate.slot => {
                    let told = &mut functions.entry(function.to_string()).or_default().1;
                    if !counted.is_empty() {
                        *told = Some(told.unwrap_or(0.0) + sum);
                    }
                }
                _ => {}
            }
        }
        if functions.is_empty() {
            return;
        }
        let at = self.now();
        self.truth.measured.insert(number, Measured { at, functions });
    }
}
