//! What is to be done next. The state machine asks for effects; the driver carries them out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{Slot, Weight};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// Check that nothing is in the way, note the alarms, and see that the live traffic is where the ledger says.
    Prepare,
    BackUp,
    Expand,
    /// Run the smoke checks against what is live, before the expand or after it; what breaks between the two does not
    /// survive the schema.
    CheckLive {
        expanded: bool,
    },
    /// Deploy the stacks.
    Deploy,
    /// See that the live slot did not move; on a first rollout, take what is live as the baseline.
    Establish,
    /// Publish versions, point the idle slot at them, deploy the APIs to its preview stages.
    Release {
        slot: Slot,
    },
    /// Run the smoke checks against the slot and call each function once, for the release of this digest.
    Smoke {
        slot: Slot,
        digest: String,
    },
    /// Give the candidate this share, read it back, probe until it is in force.
    Shift {
        step: usize,
        weight: Weight,
    },
    /// Ask the gates once about the step that is in force, whether it bakes or waits for somebody.
    Judge {
        step: usize,
    },
    /// Ask somebody whether this step may be taken.
    AskForApproval {
        step: usize,
    },
    /// Nothing is in force that could be judged: see only that nobody moves what is live.
    Wait,
    /// Make the candidate the live stage's own, without a canary. For a rollback: the switch.
    Promote,
    /// Record the release as live and the one before as retained.
    Retain,
    /// Send all traffic back to where it was, take the canary settings away, record the candidate as rejected.
    Withdraw,
}

impl Effect {
    /// Whether it changes anything outside the ledger. Only what does has an intent in the journal.
    pub fn has_intent(&self) -> bool {
        !matches!(
            self,
            Effect::Judge { .. } | Effect::AskForApproval { .. } | Effect::Wait
        )
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Prepare => write!(formatter, "preparing"),
            Effect::BackUp => write!(formatter, "backing up the database"),
            Effect::Expand => write!(formatter, "expanding the schema"),
            Effect::CheckLive { expanded: false } => write!(formatter, "checking the live release before the expand"),
            Effect::CheckLive { expanded: true } => {
                write!(formatter, "checking the live release against the expanded schema")
            }
            Effect::Deploy => write!(formatter, "deploying the stacks"),
            Effect::Establish => write!(formatter, "verifying the live slot"),
            Effect::Release { slot } => write!(formatter, "releasing to slot {slot}"),
            Effect::Smoke { slot, .. } => write!(formatter, "smoke-testing slot {slot}"),
            Effect::Shift { weight, .. } => write!(formatter, "shifting traffic to {weight}"),
            Effect::Judge { .. } => write!(formatter, "asking the gates"),
            Effect::AskForApproval { .. } => write!(formatter, "asking for approval"),
            Effect::Wait => write!(formatter, "waiting"),
            Effect::Promote => write!(formatter, "switching the live traffic"),
            Effect::Retain => write!(formatter, "recording the release as live"),
            Effect::Withdraw => write!(formatter, "returning the traffic"),
        }
    }
}
