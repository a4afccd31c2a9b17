//! Asks the gates during a bake.

use jiff::Timestamp;

use super::RolloutEvent;
use super::run::Hands;
use crate::gates::{Judgement, judge, queries, samples, unavailable};
use crate::ports::PortError;
use crate::rollout::{Phase, State};

impl Hands<'_> {
    /// One look. What cannot be asked is never a pass.
    pub(super) async fn ask_the_gates(&self, state: &State) -> Judgement {
        match self.try_to_ask(state).await {
            Ok(judgement) => judgement,
            Err(error) => unavailable(&error.to_string()),
        }
    }

    async fn try_to_ask(&self, state: &State) -> Result<Judgement, PortError> {
        let config = &self.rollouts.config.gates;
        let metrics = &self.rollouts.ports.metrics;
        let (Phase::Baking { since, .. }, Some(deployed), Some(candidate)) =
            (&state.phase, &state.facts.deployed, &state.facts.candidate)
        else {
            return Err(super::effects::impossible("no bake is going on"));
        };
        let target = &deployed.target;
        let plan = queries(config, target, candidate.slot, candidate.created_at, *since, self.now());
        // Not tried again here: the next look comes soon, and how long that may go on is the state machine's to say.
        let functions = metrics
            .query(&plan.function_queries, plan.functions_from, plan.to)
            .await?;
        let apis = if plan.api_queries.is_empty() {
            Vec::new()
        } else {
            metrics.query(&plan.api_queries, plan.apis_from, plan.to).await?
        };
        let alarms = if config.alarms.is_empty() {
            Vec::new()
        } else {
            metrics.alarms(&config.alarms).await?
        };
        let samples = samples(&plan, target, &functions, &apis, alarms);
        Ok(judge(config, &state.facts.alarms_at_start, samples))
    }

    /// When to look again: after the poll interval, or at the moment from which the step can pass if that is sooner.
    /// `None` when the bake is over.
    pub(super) fn next_look(&self, state: &State) -> Option<Timestamp> {
        let Phase::Baking {
            step,
            since,
            passed: false,
            ..
        } = &state.phase
        else {
            return None;
        };
        let planned = state.plan.steps.get(*step)?;
        let now = self.now();
        let passes_from = *since + planned.bake + planned.settle;
        let next = now + self.rollouts.config.poll_interval;
        Some(if passes_from > now { next.min(passes_from) } else { next })
    }

    pub(super) fn tell_baking(&self, state: &State, judgement: &Judgement) {
        let Phase::Baking { step, since, .. } = &state.phase else {
            return;
        };
        let Some(planned) = state.plan.steps.get(*step) else {
            return;
        };
        let passes_from = *since + planned.bake + planned.settle;
        self.tell(RolloutEvent::Baking {
            step: *step,
            weight: planned.weight,
            since: *since,
            passes_from,
            ends_at: passes_from + planned.longest_extension,
            now: self.now(),
            judgement: judgement.clone(),
        });
    }
}
