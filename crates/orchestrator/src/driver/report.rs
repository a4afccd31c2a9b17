//! What the driver tells while it works. Reporters render it; nothing here writes anywhere.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{Slot, Weight};
use crate::gates::{Judgement, Shortage};
use crate::ledger::{Actor, LockRecord};
use crate::ports::{AlarmObservation, InfrastructureProgress, SmokeCheckResult};
use crate::rollout::{Effect, LiveCheck, PhaseName, Plan, Reason, Request, RolloutNumber};

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RolloutEvent {
    /// Somebody holds the lock; it is waited for until it is renewed (then the command fails) or its lease ends.
    WaitingForLock {
        holder: LockRecord,
    },
    LockTaken {
        epoch: u64,
        until: Timestamp,
    },
    /// A rollout was found that did not end.
    FoundOpen {
        rollout: RolloutNumber,
        state: PhaseName,
        pending: Option<Effect>,
        last_record: Timestamp,
        actor: Actor,
        /// Whether it is carried on; otherwise it is settled.
        resume: bool,
    },
    Planned {
        plan: Plan,
    },
    State {
        rollout: RolloutNumber,
        state: PhaseName,
    },
    EffectBegins {
        effect: Effect,
    },
    EffectEnds {
        effect: Effect,
        succeeded: bool,
    },
    /// A call did not succeed and is tried again.
    Retrying {
        operation: String,
        error: String,
        attempt: u32,
        attempts: u32,
        at: Timestamp,
    },
    Infrastructure {
        progress: InfrastructureProgress,
    },
    /// In ALARM before the rollout began: it will not be obeyed.
    OldAlarm {
        alarm: AlarmObservation,
    },
    Smoked {
        slot: Slot,
        results: Vec<SmokeCheckResult>,
    },
    /// The live release before an expand, or after it. What failed before already is told and not judged.
    LiveChecked {
        expanded: bool,
        checks: Vec<LiveCheck>,
    },
    /// `rollout` expanded the schema and was turned back because the live release does not survive that; its checks that
    /// failed then, as they are now.
    LiveLeftBroken {
        rollout: RolloutNumber,
        checks: Vec<LiveCheck>,
    },
    /// A change was read back and is not in force for requests yet.
    WaitingForTraffic {
        api: String,
        seen: String,
    },
    /// A WebSocket API's calls that began before the switch are given until `until` to end.
    Draining {
        /// Such as `WebSocket API events`.
        entries: Vec<String>,
        until: Timestamp,
        now: Timestamp,
    },
    /// All entry points have it.
    InForce {
        slot: Slot,
        weight: Weight,
    },
    Baking {
        step: usize,
        weight: Weight,
        since: Timestamp,
        /// The earliest time at which the step can pass.
        passes_from: Timestamp,
        /// When an inconclusive step is turned back.
        ends_at: Timestamp,
        now: Timestamp,
        judgement: Judgement,
    },
    /// An operator's request is obeyed.
    RequestTaken {
        by: Actor,
        request: Request,
    },
    RequestRefused {
        by: Actor,
        request: Request,
        because: String,
    },
    /// Somebody has to approve before the step's weight is set.
    ApprovalAsked {
        step: usize,
        weight: Weight,
        until: Timestamp,
    },
    /// Told at every look while no step is taken: `paused`, or for an approval or a word until `until`.
    Waiting {
        state: PhaseName,
        paused: bool,
        until: Option<Timestamp>,
    },
    TurningBack {
        reason: Reason,
    },
    /// The traffic of the last hour would not let these gates decide. `required`: the rollout does not begin.
    Preflight {
        shortages: Vec<Shortage>,
        required: bool,
    },
    /// Something that does not stop the rollout but should be known.
    Warning {
        message: String,
    },
}

pub trait Observer: Send + Sync {
    fn observe(&self, event: &RolloutEvent);
}

/// Tells nobody.
impl Observer for () {
    fn observe(&self, _event: &RolloutEvent) {}
}
