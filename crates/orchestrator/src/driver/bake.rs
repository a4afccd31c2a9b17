//! Asks the gates during a bake.

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::RolloutEvent;
use super::run::Hands;
use crate::domain::Weight;
use crate::gates::{Batch, Before, Circumstances, Judgement, Side, Watch, judge, queries, samples};
use crate::ports::{CheckContext, MetricSeries, PortError};
use crate::rollout::{Effect, State};

impl Hands<'_> {
    /// One look. What cannot be asked is never a pass.
    pub(super) async fn ask_the_gates(&self, state: &State) -> Judgement {
        match self.try_to_ask(state).await {
            Ok(judgement) => judgement,
            Err(error) => Judgement::unavailable(&error.to_string()),
        }
    }

    async fn try_to_ask(&self, state: &State) -> Result<Judgement, PortError> {
        let mut config = self.rollouts.config.gates.clone();
        if self.divides_nothing(state) {
            // The release is what is live, so nobody is sent to it, and there is nothing to wait for.
            config.minimum_requests = 0;
            config.function_errors = None;
        }
        let config = &config;
        let metrics = &self.rollouts.ports.metrics;
        let (Some(bake), Some(deployed), Some(candidate)) =
            (state.phase.bake(), &state.facts.deployed, &state.facts.candidate)
        else {
            return Err(super::effects::impossible("no bake is going on"));
        };
        let target = &deployed.target;
        let planned = state.plan.steps.get(bake.step);
        let watch = Watch {
            candidate: Side {
                slot: candidate.slot,
                functions: &candidate.functions,
            },
            // Where the live release itself is watched, nothing is compared with it: the other slot has no traffic.
            live: Side {
                slot: candidate.slot.other(),
                functions: state.facts.live.as_ref().map_or(&[], |live| &live.functions),
            },
            released_at: candidate.created_at,
            since: bake.since,
            longest: planned.map_or(SignedDuration::ZERO, |step| {
                step.bake + step.settle + step.longest_extension
            }),
            now: self.now(),
        };
        let plan = queries(config, target, &state.facts.before, &watch);
        // Not tried again here: the next look comes soon, and how long that may go on is the state machine's to say.
        let step_data = self.ask(&plan.step).await?;
        let api_data = self.ask(&plan.apis).await?;
        let alarms = if config.alarms.is_empty() {
            Vec::new()
        } else {
            metrics.alarms(&config.alarms).await?
        };
        let context = CheckContext {
            environment: self.rollouts.environment.clone(),
            slot: candidate.slot,
            weight: planned.map_or(Weight::ZERO, |step| step.weight),
            release: candidate.tag.clone(),
        };
        let checks = config
            .checks
            .iter()
            .map(|check| self.rollouts.ports.checks.ask(check, &context));
        let checks = join_all(checks).await;
        let samples = samples(&plan, target, &step_data, &api_data, alarms, checks);
        let circumstances = Circumstances {
            config,
            ..self.circumstances(state, &state.facts.before)
        };
        Ok(judge(&circumstances, samples))
    }

    pub(super) async fn ask(&self, batch: &Batch) -> Result<Vec<MetricSeries>, PortError> {
        if batch.queries.is_empty() {
            return Ok(Vec::new());
        }
        let metrics = &self.rollouts.ports.metrics;
        metrics.query(&batch.queries, batch.from, batch.to).await
    }

    pub(super) fn circumstances<'a>(&'a self, state: &'a State, before: &'a Before) -> Circumstances<'a> {
        Circumstances {
            config: &self.rollouts.config.gates,
            noted: &state.facts.alarms_at_start,
            before,
            compared_steps: state
                .plan
                .steps
                .iter()
                .filter(|step| step.weight < Weight::FULL)
                .count(),
            hotfix: state.plan.hotfix().is_some(),
        }
    }

    /// When to look again: after the poll interval, or at the moment from which the step can pass or nobody is waited
    /// for any more if that is sooner. `None` when there is nothing to look at.
    pub(super) fn next_look(&self, state: &State) -> Option<Timestamp> {
        if !matches!(state.next_effect(), Some(Effect::Judge { .. } | Effect::Wait)) {
            return None;
        }
        let now = self.now();
        let passes_from = state.bake_times().map(|times| times.passes_from);
        let sooner = passes_from.into_iter().chain(state.waits_until());
        let next = now + self.rollouts.config.poll_interval;
        Some(sooner.filter(|at| *at > now).fold(next, Timestamp::min))
    }

    pub(super) fn tell_baking(&self, state: &State, judgement: &Judgement) {
        let (Some(bake), Some(times)) = (state.phase.bake(), state.bake_times()) else {
            return;
        };
        let Some(planned) = state.plan.steps.get(bake.step) else {
            return;
        };
        self.tell(RolloutEvent::Baking {
            step: bake.step,
            weight: planned.weight,
            since: bake.since,
            passes_from: times.passes_from,
            ends_at: times.ends_at,
            now: self.now(),
            judgement: judgement.clone(),
        });
    }

    pub(super) fn tell_waiting(&self, state: &State) {
        let until = state.waits_until();
        if until.is_some() || state.paused.is_some() {
            self.tell(RolloutEvent::Waiting {
                state: state.phase.name(),
                paused: state.paused.is_some(),
                until,
            });
        }
    }
}
