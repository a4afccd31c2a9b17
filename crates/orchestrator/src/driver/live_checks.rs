//! Whether the live release survives the expanded schema: its checks before and after, each several times at once.

use futures::future::join_all;

use super::RolloutEvent;
use super::effects::impossible;
use super::run::{EffectFailure, Hands};
use crate::domain::{RolloutTarget, Slot};
use crate::ledger::{read_journal, rollout_numbers};
use crate::ports::{PortError, SmokeCheckResult, SmokeTarget};
use crate::rollout::{Event, LiveCheck, LiveChecks, Phase, Reason, RolloutNumber, State, broken, tally};

/// Checks of the live release that failed when a rollout ended.
struct LeftBroken {
    by: RolloutNumber,
    checks: Vec<String>,
}

impl LeftBroken {
    /// `None` where none of them failed.
    fn of(by: RolloutNumber, checks: &[LiveCheck]) -> Option<Self> {
        let failing = checks.iter().filter(|check| check.failures > 0);
        let checks: Vec<String> = failing.map(|check| check.name.clone()).collect();
        (!checks.is_empty()).then_some(Self { by, checks })
    }
}

impl Hands<'_> {
    /// Before the expand, where anything is to be expanded: what the live release can do now. After it: whether it still
    /// can. An earlier rollout that left it failing is not forgotten where nothing is to be expanded any more.
    pub(super) async fn check_live(&self, state: &State, expanded: bool) -> Result<Event, EffectFailure> {
        let Some(deployed) = &state.facts.deployed else {
            return Err(impossible("nothing was live before the expand").into());
        };
        let migrations = &self.rollouts.ports.migrations;
        let is_pending = expanded || self.retry(|| migrations.expand_is_pending()).await?;
        let broken_before = match expanded {
            true => None,
            false => self.left_broken(state).await,
        };
        let slot = match is_pending || broken_before.is_some() {
            true => self.live_slot(state, &deployed.target).await?,
            false => None,
        };
        let checks = match slot {
            Some(slot) => Some(self.run_live_checks(state, &deployed.target, slot).await?),
            None => None,
        };
        let mut left = Vec::new();
        if let (Some(broken), Some(checks)) = (broken_before, &checks) {
            left.extend(
                checks
                    .iter()
                    .filter(|check| broken.checks.contains(&check.name))
                    .cloned(),
            );
            self.tell(RolloutEvent::LiveLeftBroken {
                rollout: broken.by,
                checks: left.clone(),
            });
        }
        if !is_pending {
            return Ok(Event::LiveChecked {
                expanded,
                checks: None,
                left,
            });
        }
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
        Ok(Event::LiveChecked { expanded, checks, left })
    }

    /// What is live may have been left failing by an expand before this rollout. A journal that cannot be read now tells
    /// nothing: it is no reason not to deploy.
    async fn left_broken(&self, state: &State) -> Option<LeftBroken> {
        let (store, environment) = (&*self.rollouts.ports.ledger, &self.rollouts.environment);
        let numbers = rollout_numbers(store, environment).await.ok()?;
        let before = numbers.into_iter().filter(|number| *number < state.plan.rollout);
        for number in before.rev() {
            let journal = read_journal(store, environment, number).await.ok()?;
            match &journal.state.phase {
                Phase::RolledBack {
                    reason: Reason::LiveBroken { broken },
                } => return LeftBroken::of(number, broken),
                // The same release is live as before it.
                Phase::RolledBack { .. } => {}
                _ => return None,
            }
            let seen = journal.records.iter().rev().find_map(|record| match &record.event {
                Event::LiveChecked { left, .. } if !left.is_empty() => Some(left),
                _ => None,
            });
            if let Some(left) = seen {
                return LeftBroken::of(number, left);
            }
        }
        None
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
