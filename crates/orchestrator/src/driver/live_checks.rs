//! Whether the live release survives the expanded schema: its checks before and after, each several times at once.

use futures::future::join_all;

use super::RolloutEvent;
use super::effects::impossible;
use super::run::{EffectFailure, Hands};
use crate::domain::{RolloutTarget, Slot};
use crate::ports::{PortError, SmokeCheckResult, SmokeTarget};
use crate::rollout::{Event, LiveCheck, LiveChecks, Reason, State, broken, tally};

impl Hands<'_> {
    /// Before the expand, where anything is to be expanded: what the live release can do now. After it: whether it still
    /// can.
    pub(super) async fn check_live(&self, state: &State, expanded: bool) -> Result<Event, EffectFailure> {
        let Some(deployed) = &state.facts.deployed else {
            return Err(impossible("nothing was live before the expand").into());
        };
        let migrations = &self.rollouts.ports.migrations;
        let is_due = expanded || self.retry(|| migrations.expand_is_pending()).await?;
        let slot = match is_due {
            true => self.live_slot(state, &deployed.target).await?,
            false => None,
        };
        let checks = match slot {
            Some(slot) => Some(self.run_live_checks(state, &deployed.target, slot).await?),
            None => None,
        };
        if let Some(checks) = &checks {
            self.tell(RolloutEvent::LiveChecked {
                expanded,
                checks: checks.clone(),
            });
        }
        if let (LiveChecks::Before(before), Some(after)) = (&state.facts.live_checks, &checks) {
            let broken = broken(before, after);
            if !broken.is_empty() {
                return Err(EffectFailure::Reason(Reason::LiveBroken { broken }));
            }
        }
        Ok(Event::LiveChecked { expanded, checks })
    }

    /// Where the live traffic goes; `None` where no slot has all of it, so that nobody could say whose failure it was.
    async fn live_slot(&self, state: &State, target: &RolloutTarget) -> Result<Option<Slot>, PortError> {
        if let Some(live) = &state.facts.live {
            return Ok(Some(live.slot));
        }
        // Before the first rollout the ledger knows of nothing.
        let Some(api) = target.apis.first() else {
            return Ok(None);
        };
        let seen = self.retry(|| self.rollouts.ports.traffic.observe(api)).await?;
        Ok(seen.settled().map(|settled| settled.slot))
    }

    /// All rounds at once: each comes over a connection of its own, and an instance that is busy with one leaves the next
    /// to another.
    async fn run_live_checks(
        &self,
        state: &State,
        target: &RolloutTarget,
        slot: Slot,
    ) -> Result<Vec<LiveCheck>, PortError> {
        let rounds = join_all((0..state.plan.live_checks).map(|_| self.one_round(target, slot))).await;
        let rounds: Vec<Vec<SmokeCheckResult>> = rounds.into_iter().collect::<Result<_, _>>()?;
        Ok(tally(&rounds))
    }

    async fn one_round(&self, target: &RolloutTarget, slot: Slot) -> Result<Vec<SmokeCheckResult>, PortError> {
        let mut results = Vec::new();
        for api in &target.apis {
            let asked = SmokeTarget {
                rest_api_id: api.rest_api_id.clone(),
                base_url: api.live_url.clone(),
                slot,
            };
            let mut checked = self.retry(|| self.rollouts.ports.smoke.run(&asked)).await?;
            if target.apis.len() > 1 {
                for check in &mut checked {
                    check.name = format!("{}: {}", api.name, check.name);
                }
            }
            results.extend(checked);
        }
        Ok(results)
    }
}
