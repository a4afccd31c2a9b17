//! The smoke checks: of the idle slot in a rollout, and of either slot when somebody asks. They change nothing.

use jiff::Timestamp;
use serde::Serialize;

use super::history::taken;
use super::{RolloutError, RolloutEvent, Rollouts};
use crate::domain::{ApiTarget, Release, ReleaseNumber, RolloutTarget, Slot};
use crate::ledger::read_standing;
use crate::ports::{PortError, SmokeCheckResult, SmokeTarget};

/// What to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmokeWhere {
    /// The live slot, through the live stages.
    Live,
    /// The other slot, through its preview stages.
    Idle,
    /// This slot, through its preview stages, whether it is live or not.
    Slot(Slot),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SmokeReport {
    pub environment: String,
    pub slot: Slot,
    pub is_live: bool,
    /// What the slot holds, as far as the ledger knows.
    pub release: Option<ReleaseNumber>,
    pub tag: Option<String>,
    pub at: Timestamp,
    pub results: Vec<SmokeCheckResult>,
}

impl SmokeReport {
    pub fn passed(&self) -> bool {
        self.results.iter().all(|result| result.passed)
    }
}

impl Rollouts {
    /// Runs the smoke checks against a slot and calls each function once through its alias. Takes no lock; a rollout may
    /// go on meanwhile.
    ///
    /// # Errors
    /// [`RolloutError::NothingReleased`] before the first rollout; otherwise where the checks could not be run. A check
    /// that fails is a result.
    pub async fn smoke(&self, target: SmokeWhere) -> Result<SmokeReport, RolloutError> {
        let standing = read_standing(&*self.ports.ledger, &self.environment).await?;
        let (Some(live), Some(deployed)) = (standing.live_release(), &standing.target) else {
            return Err(RolloutError::NothingReleased);
        };
        let slot = match target {
            SmokeWhere::Live => live.slot,
            SmokeWhere::Idle => live.slot.other(),
            SmokeWhere::Slot(slot) => slot,
        };
        let open = self.open_rollout().await?;
        let occupant = match open.as_ref().and_then(taken) {
            Some((by_rollout, candidate)) if by_rollout == slot => candidate,
            _ => standing
                .occupants
                .get(slot)
                .and_then(|number| standing.release(number).cloned()),
        };
        let results = self
            .check_slot(deployed, slot, occupant.as_ref(), |api| match target {
                SmokeWhere::Live => &api.live_url,
                SmokeWhere::Idle | SmokeWhere::Slot(_) => api.preview_urls.get(slot),
            })
            .await?;
        self.tell(RolloutEvent::Smoked {
            slot,
            results: results.clone(),
        });
        Ok(SmokeReport {
            environment: self.environment.to_string(),
            slot,
            is_live: slot == live.slot,
            release: occupant.as_ref().map(|release| release.number),
            tag: occupant.map(|release| release.tag),
            at: self.now(),
            results,
        })
    }

    /// One call of each function through the slot's alias, which is to answer with the version of `expected`, then the
    /// configured checks against each API.
    pub(super) async fn check_slot<'t>(
        &self,
        target: &'t RolloutTarget,
        slot: Slot,
        expected: Option<&Release>,
        url: impl Fn(&'t ApiTarget) -> &'t String,
    ) -> Result<Vec<SmokeCheckResult>, PortError> {
        let mut results = Vec::new();
        for function in &target.functions {
            let invocation = self.retry(|| self.ports.slots.invoke(function, slot)).await?;
            let expected = expected
                .and_then(|release| release.function(function))
                .map(|released| &released.version);
            let failure = match (&invocation.failure, &invocation.executed_version, expected) {
                (Some(failure), _, _) => Some(failure.clone()),
                (None, Some(executed), Some(expected)) if executed != expected => {
                    Some(format!("version {executed} answered, {expected} was released"))
                }
                _ => None,
            };
            results.push(SmokeCheckResult {
                name: format!("invoke {function}:{slot}"),
                passed: failure.is_none(),
                detail: failure.unwrap_or_else(|| "answered".to_owned()),
                duration: invocation.duration,
            });
        }
        for api in &target.apis {
            let asked = SmokeTarget {
                rest_api_id: api.rest_api_id.clone(),
                base_url: url(api).clone(),
                slot,
            };
            results.extend(self.retry(|| self.ports.smoke.run(&asked)).await?);
        }
        Ok(results)
    }
}
