//! What happened. Each event is one record of the journal.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Effect, LiveCheck, LiveRelease, NotedAlarm, PhaseName, Plan, Request};
use crate::domain::{Release, Weight};
use crate::gates::{Before, Judgement, Shortage};
use crate::ledger::Actor;
use crate::ports::{Backup, Deployed, Expanded, SmokeCheckResult};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The first record of every journal.
    Opened {
        plan: Plan,
    },
    LockTaken {
        epoch: u64,
    },
    /// About to carry out `effect`; `expected` says in words what the world is to look like afterwards.
    Intended {
        effect: Effect,
        expected: String,
    },
    /// `live` is `None` before the first deploy of an environment.
    Prepared {
        live: Option<LiveRelease>,
        alarms: Vec<NotedAlarm>,
        deployed: Option<Deployed>,
    },
    BackedUp {
        backup: Option<Backup>,
    },
    Expanded {
        expanded: Expanded,
    },
    /// `checks` are `None` where nothing is to be expanded, or no slot has all of the live traffic.
    /// `left`: where an earlier rollout left the live release failing and nothing is to be expanded, what of that fails
    /// now; it is told and not judged.
    LiveChecked {
        expanded: bool,
        checks: Option<Vec<LiveCheck>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left: Vec<LiveCheck>,
    },
    Deployed {
        deployed: Deployed,
    },
    /// `alarms` are those that the deploy itself made. Journals of before the preflight have neither `before` nor
    /// `shortages`.
    Established {
        live: LiveRelease,
        alarms: Vec<NotedAlarm>,
        #[serde(default)]
        before: Before,
        #[serde(default)]
        shortages: Vec<Shortage>,
    },
    Released {
        release: Release,
    },
    Smoked {
        digest: String,
        results: Vec<SmokeCheckResult>,
    },
    /// The weight was read back and probed.
    InForce {
        step: usize,
        at: Timestamp,
        weight: Weight,
    },
    Judged {
        step: usize,
        at: Timestamp,
        judgement: Judgement,
    },
    Promoted {
        at: Timestamp,
    },
    Retained,
    Withdrawn,
    /// The effect that was intended did not succeed; what it did, if anything, is unknown until somebody looks.
    Failed {
        effect: Effect,
        reason: Reason,
    },
    /// The run's own process was told to turn back.
    AbortRequested {
        reason: String,
    },
    /// An operator's request, taken from the ledger, is obeyed from here on.
    Requested {
        /// The request's number in the ledger.
        sequence: u64,
        at: Timestamp,
        by: Actor,
        request: Request,
    },
    /// An operator's request that cannot be obeyed now. It is not kept for later.
    RequestRefused {
        sequence: u64,
        by: Actor,
        request: Request,
        because: String,
    },
    /// From here on somebody is waited for; `step` is the one that is asked about.
    ApprovalAsked {
        step: usize,
        at: Timestamp,
    },
    /// Nobody answered for as long as the plan waits.
    TimedOut {
        at: Timestamp,
    },
    /// Another run took an open rollout over. `promoted`: all live traffic was seen on the candidate, no canary left.
    /// `resume`: it carries the rollout on; otherwise it turns back what can be turned back.
    Recovered {
        epoch: u64,
        promoted: bool,
        #[serde(default)]
        resume: bool,
        /// A deploy that is still due comes after one more expand: whoever carries on may bring another checkout than the
        /// run before, with migrations of its own. False in journals of before that was known.
        #[serde(default)]
        expand_again: bool,
    },
    /// Somebody else moved the traffic. `proven`: it is on one slot with a release that was live before.
    ForeignChange {
        found: String,
        proven: bool,
    },
}

/// Why the traffic goes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// A gate failed during the bake of a step.
    GateBreached {
        step: usize,
        judgement: Judgement,
    },
    /// The bake and its extension ended without a pass.
    Inconclusive {
        step: usize,
        judgement: Judgement,
    },
    /// The gates could not be asked for too long.
    Blind {
        step: usize,
        judgement: Judgement,
    },
    SmokeFailed {
        failed: Vec<SmokeCheckResult>,
    },
    /// The live release fails checks since the schema was expanded that it passed before.
    LiveBroken {
        broken: Vec<LiveCheck>,
    },
    EffectFailed {
        effect: Effect,
        error: String,
    },
    Aborted {
        reason: String,
        /// The operator who asked for it; `None` where the run was told so by its own process, or cannot go on.
        #[serde(default)]
        by: Option<Actor>,
    },
    /// Nobody approved the step while it was waited for.
    NotApproved {
        step: usize,
    },
    /// The run that began it ended without finishing; `pending` is what it was doing.
    Interrupted {
        phase: PhaseName,
        pending: Option<Effect>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::GateBreached { step, judgement } => {
                write!(
                    formatter,
                    "a gate was breached in step {}: {}",
                    step + 1,
                    judgement.summary()
                )
            }
            Reason::Inconclusive { step, judgement } => write!(
                formatter,
                "step {} could not be decided within its bake and extension: {}",
                step + 1,
                judgement.summary()
            ),
            Reason::Blind { step, judgement } => {
                write!(
                    formatter,
                    "the gates of step {} could not be asked: {}",
                    step + 1,
                    judgement.summary()
                )
            }
            Reason::SmokeFailed { failed } => {
                write!(formatter, "smoke checks failed: ")?;
                for (index, result) in failed.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(formatter, "{separator}{}: {}", result.name, result.detail)?;
                }
                Ok(())
            }
            Reason::LiveBroken { broken } => {
                write!(formatter, "the live release does not survive the expanded schema: ")?;
                for (index, check) in broken.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(formatter, "{separator}{check}")?;
                }
                Ok(())
            }
            Reason::EffectFailed { effect, error } => write!(formatter, "{effect} failed: {error}"),
            Reason::Aborted { reason, by: None } => write!(formatter, "aborted: {reason}"),
            Reason::Aborted { reason, by: Some(by) } => {
                write!(formatter, "aborted: {reason} (asked for by {by})")
            }
            Reason::NotApproved { step } => write!(formatter, "nobody approved step {} in time", step + 1),
            Reason::Interrupted { phase, pending } => match pending {
                Some(effect) => write!(formatter, "the run that began it ended while {effect} (state {phase})"),
                None => write!(formatter, "the run that began it ended in state {phase}"),
            },
        }
    }
}
