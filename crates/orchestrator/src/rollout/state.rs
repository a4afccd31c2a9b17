//! The state of a rollout: its plan, its phase, what it has learned, and the effect that is due.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Effect, Goal, LiveChecks, Phase, Plan};
use crate::domain::{
    ApiDeployment, FunctionName, FunctionVersion, Release, ReleaseNumber, ReleasedFunction, RestApiId, Slot,
    StageTarget, Weight,
};
use crate::gates::Before;
use crate::ledger::Actor;
use crate::ports::{AlarmObservation, Backup, Deployed, HookRun};

/// What was live before the rollout, and where a turning back goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRelease {
    pub number: ReleaseNumber,
    pub slot: Slot,
    pub apis: Vec<ApiDeployment>,
    /// The versions that live aliases were at. A function that is new since the release stands here with what its live
    /// alias was made for. Journals of before live aliases have none.
    #[serde(default)]
    pub functions: Vec<ReleasedFunction>,
}

impl LiveRelease {
    /// Whether it is `before`, perhaps with functions that the deploy has added.
    pub fn completes(&self, before: &LiveRelease) -> bool {
        self.number == before.number
            && self.slot == before.slot
            && self.apis == before.apis
            && before.functions.iter().all(|known| self.functions.contains(known))
    }
}

/// An alarm as it was before the rollout moved anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotedAlarm {
    pub observation: AlarmObservation,
    pub noted_at: Timestamp,
}

/// What the rollout has learned so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    pub prepared: bool,
    pub alarms_at_start: Vec<NotedAlarm>,
    /// What the live release did in the hour before.
    pub before: Before,
    pub backup: Option<Backup>,
    /// The commands around backup and migrations that ran so far.
    pub hooks: Vec<HookRun>,
    pub schema_version: Option<String>,
    /// See [`Release::contracts`].
    pub contracts: Option<Vec<String>>,
    pub live_checks: LiveChecks,
    /// There was no database when the schema was to be expanded: again after the deploy.
    pub expand_pending: bool,
    pub deployed: Option<Deployed>,
    /// The live slot was verified after the deploy.
    pub established: bool,
    pub live: Option<LiveRelease>,
    /// The idle slot may hold something else than the ledger says.
    pub release_begun: bool,
    pub candidate: Option<Release>,
    /// The digest of the release that passed its smoke test.
    pub smoked_digest: Option<String>,
    /// The step whose weight was last seen in force.
    pub in_force: Option<usize>,
    /// The newest step that somebody was asked about.
    pub approval_asked: Option<usize>,
    /// The newest step that somebody approved.
    pub approved: Option<usize>,
}

/// Since when no step is taken, and who wants it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub by: Actor,
    pub since: Timestamp,
}

/// The times of the step that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BakeTimes {
    /// The earliest look that can end it with a pass.
    pub passes_from: Timestamp,
    /// From here on an inconclusive look ends it.
    pub ends_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub plan: Plan,
    pub phase: Phase,
    /// An intent whose outcome is not known.
    pub pending: Option<Effect>,
    /// Somebody else moved the traffic: nothing more is done before another run takes the rollout over.
    pub halted: bool,
    /// No further step is taken, the promotion included.
    pub paused: Option<Pause>,
    /// When an operator asked to promote at the next look that passes.
    pub promote_asked: Option<Timestamp>,
    /// The number of the newest operator's request that was answered.
    pub requests_read: u64,
    /// The epoch of the lock under which the last record was made.
    pub epoch: u64,
    pub facts: Facts,
}

impl State {
    /// The effect that is due; `None` at the end, and before the lock is recorded.
    pub fn next_effect(&self) -> Option<Effect> {
        match &self.phase {
            Phase::Planned => None,
            Phase::Locked if !self.facts.prepared => Some(Effect::Prepare),
            Phase::Locked => match &self.plan.goal {
                Goal::Deploy { .. } => Some(Effect::BackUp),
                Goal::Rollback { repoint: true, .. } => self.release_effect(),
                Goal::Rollback { repoint: false, .. } => Some(Effect::Promote),
            },
            Phase::BackedUp if self.is_live_check_due() => Some(Effect::CheckLive { expanded: false }),
            Phase::BackedUp => Some(Effect::Expand),
            Phase::Expanded if matches!(self.facts.live_checks, LiveChecks::Before(_)) => {
                Some(Effect::CheckLive { expanded: true })
            }
            Phase::Expanded => Some(Effect::Deploy),
            Phase::Deployed if self.facts.expand_pending => Some(Effect::Expand),
            Phase::Deployed if !self.facts.established => Some(Effect::Establish),
            Phase::Deployed => self.release_effect(),
            Phase::Released => self.facts.candidate.as_ref().map(|release| Effect::Smoke {
                slot: release.slot,
                digest: release.digest(),
            }),
            Phase::Smoked if self.paused.is_some() => Some(Effect::Wait),
            Phase::Smoked => self.enter(0),
            Phase::Shifting { step } => self.shift_or_promote(*step),
            Phase::Baking { passed: true, .. } if self.promote_asked.is_some() => Some(Effect::Promote),
            Phase::Baking { bake, passed: true } => self.enter(bake.step + 1),
            Phase::Baking { bake, passed: false } | Phase::Inconclusive { bake, .. } => {
                Some(Effect::Judge { step: bake.step })
            }
            Phase::AwaitingApproval { watched, .. } => Some(match watched {
                Some(bake) => Effect::Judge { step: bake.step },
                None => Effect::Wait,
            }),
            Phase::Promoting => Some(Effect::Promote),
            Phase::Promoted => Some(Effect::Retain),
            Phase::RollingBack { .. } => Some(Effect::Withdraw),
            Phase::Retained | Phase::RolledBack { .. } | Phase::NeedsHuman { .. } => None,
        }
    }

    /// Whether it is to be seen what the live release can do before the schema changes. Before the first deploy there is
    /// nothing live.
    fn is_live_check_due(&self) -> bool {
        self.plan.live_checks > 0 && self.facts.deployed.is_some() && self.facts.live_checks == LiveChecks::Due
    }

    fn release_effect(&self) -> Option<Effect> {
        self.facts.live.as_ref().map(|live| Effect::Release {
            slot: live.slot.other(),
        })
    }

    fn enter(&self, step: usize) -> Option<Effect> {
        let has_to_be_approved = self.plan.steps.get(step).is_some_and(|planned| planned.approval)
            && self.promote_asked.is_none()
            && self.facts.approved.is_none_or(|approved| approved < step);
        if has_to_be_approved {
            Some(Effect::AskForApproval { step })
        } else {
            self.shift_or_promote(step)
        }
    }

    fn shift_or_promote(&self, step: usize) -> Option<Effect> {
        match self.plan.steps.get(step) {
            Some(planned) => Some(Effect::Shift {
                step,
                weight: planned.weight,
            }),
            None => Some(Effect::Promote),
        }
    }

    /// When the step that is in force can end.
    pub fn bake_times(&self) -> Option<BakeTimes> {
        let bake = self.phase.bake()?;
        let planned = self.plan.steps.get(bake.step)?;
        let whole = bake.since + planned.bake + planned.settle;
        Some(BakeTimes {
            passes_from: self
                .promote_asked
                .map_or(whole, |asked| whole.min(asked.max(bake.since))),
            ends_at: bake.went_on_at.map_or(whole, |at| whole.max(at)) + planned.longest_extension,
        })
    }

    /// Until when somebody is waited for, while somebody is.
    pub fn waits_until(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::AwaitingApproval { since, .. } | Phase::Inconclusive { since, .. } => {
                Some(*since + self.plan.approval_timeout)
            }
            _ => None,
        }
    }

    /// The candidate's share as it was last seen in force; what a promotion finds. `None` before the first step.
    pub fn weight_in_force(&self) -> Option<Weight> {
        self.facts
            .in_force
            .and_then(|step| self.plan.steps.get(step))
            .map(|planned| planned.weight)
    }

    /// Where an API's traffic was before the rollout.
    pub fn base(&self, rest_api_id: &RestApiId) -> Option<StageTarget> {
        let live = self.facts.live.as_ref()?;
        let api = live.apis.iter().find(|api| &api.rest_api_id == rest_api_id)?;
        Some(StageTarget {
            deployment_id: api.deployment_id.clone(),
            slot: live.slot,
        })
    }

    /// Where an API's traffic goes when the rollout is promoted.
    pub fn goal(&self, rest_api_id: &RestApiId) -> Option<StageTarget> {
        let candidate = self.facts.candidate.as_ref()?;
        let deployment_id = candidate.deployment(rest_api_id)?.clone();
        Some(StageTarget {
            deployment_id,
            slot: candidate.slot,
        })
    }

    /// The version that a live alias was at before the rollout; `None` where that is not known.
    pub fn base_version(&self, function: &FunctionName) -> Option<&FunctionVersion> {
        let live = self.facts.live.as_ref()?;
        let released = live.functions.iter().find(|released| &released.name == function)?;
        Some(&released.version)
    }

    /// The version that a live alias is at when the rollout is promoted; `None` where the release does not hold the
    /// function.
    pub fn goal_version(&self, function: &FunctionName) -> Option<&FunctionVersion> {
        let candidate = self.facts.candidate.as_ref()?;
        candidate.function(function).map(|released| &released.version)
    }

    /// Whether exactly this candidate passed its smoke test (or was proven by having been live).
    pub fn candidate_is_proven(&self) -> bool {
        match (&self.facts.candidate, &self.facts.smoked_digest) {
            (Some(candidate), Some(digest)) => &candidate.digest() == digest,
            _ => false,
        }
    }
}
