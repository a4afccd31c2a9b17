//! Where a rollout stands.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Reason;
use crate::gates::Judgement;

/// The states of `ROLLOUT.md`, with what belongs to each.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    Planned,
    Locked,
    BackedUp,
    Expanded,
    Deployed,
    Released,
    Smoked,
    /// The weight of this step has been asked for and was not seen in force yet.
    Shifting {
        step: usize,
    },
    Baking {
        bake: Bake,
        /// The step is over and passed; the next weight is due.
        passed: bool,
    },
    /// Before this step somebody has to approve. What is in force goes on being watched.
    AwaitingApproval {
        step: usize,
        since: Timestamp,
        /// `None` before the first step, when there is nothing of the candidate to be watched.
        watched: Option<Bake>,
    },
    /// The bake and its extension ended without a verdict, and the plan says to wait for somebody. A pass goes on.
    Inconclusive {
        bake: Bake,
        since: Timestamp,
        /// The last one, for the reason when nobody comes.
        judgement: Judgement,
    },
    Promoting,
    Promoted,
    /// End: the release is live, the one before stays ready.
    Retained,
    RollingBack {
        reason: Reason,
    },
    /// End: the traffic is where it was before the rollout, all of it.
    RolledBack {
        reason: Reason,
    },
    /// End: somebody else moved the traffic; it is on one proven slot, and was left there.
    NeedsHuman {
        found: String,
    },
}

/// A step's weight that is in force, and since when it is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bake {
    pub step: usize,
    /// When the weight was seen in force; the bake counts from here.
    pub since: Timestamp,
    /// Since when the metrics cannot be read, while they cannot.
    pub blind_since: Option<Timestamp>,
    /// When an operator let it go on after a wait; the extension counts from here if that is later.
    pub went_on_at: Option<Timestamp>,
}

/// A [`Phase`] without what belongs to it, for the table of transitions, records and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    Planned,
    Locked,
    BackedUp,
    Expanded,
    Deployed,
    Released,
    Smoked,
    Shifting,
    Baking,
    AwaitingApproval,
    Inconclusive,
    Promoting,
    Promoted,
    Retained,
    RollingBack,
    RolledBack,
    NeedsHuman,
}

impl Phase {
    pub fn name(&self) -> PhaseName {
        match self {
            Phase::Planned => PhaseName::Planned,
            Phase::Locked => PhaseName::Locked,
            Phase::BackedUp => PhaseName::BackedUp,
            Phase::Expanded => PhaseName::Expanded,
            Phase::Deployed => PhaseName::Deployed,
            Phase::Released => PhaseName::Released,
            Phase::Smoked => PhaseName::Smoked,
            Phase::Shifting { .. } => PhaseName::Shifting,
            Phase::Baking { .. } => PhaseName::Baking,
            Phase::AwaitingApproval { .. } => PhaseName::AwaitingApproval,
            Phase::Inconclusive { .. } => PhaseName::Inconclusive,
            Phase::Promoting => PhaseName::Promoting,
            Phase::Promoted => PhaseName::Promoted,
            Phase::Retained => PhaseName::Retained,
            Phase::RollingBack { .. } => PhaseName::RollingBack,
            Phase::RolledBack { .. } => PhaseName::RolledBack,
            Phase::NeedsHuman { .. } => PhaseName::NeedsHuman,
        }
    }

    /// The step that is being shifted to or is in force, from 0.
    pub fn step(&self) -> Option<usize> {
        match self {
            Phase::Shifting { step } => Some(*step),
            _ => self.bake().map(|bake| bake.step),
        }
    }

    /// The weight that is in force and watched.
    pub fn bake(&self) -> Option<&Bake> {
        match self {
            Phase::Baking { bake, .. }
            | Phase::Inconclusive { bake, .. }
            | Phase::AwaitingApproval {
                watched: Some(bake), ..
            } => Some(bake),
            _ => None,
        }
    }
}

impl PhaseName {
    pub const ALL: [PhaseName; 17] = [
        PhaseName::Planned,
        PhaseName::Locked,
        PhaseName::BackedUp,
        PhaseName::Expanded,
        PhaseName::Deployed,
        PhaseName::Released,
        PhaseName::Smoked,
        PhaseName::Shifting,
        PhaseName::Baking,
        PhaseName::AwaitingApproval,
        PhaseName::Inconclusive,
        PhaseName::Promoting,
        PhaseName::Promoted,
        PhaseName::Retained,
        PhaseName::RollingBack,
        PhaseName::RolledBack,
        PhaseName::NeedsHuman,
    ];

    /// Whether nothing more is to be done.
    pub fn is_end(self) -> bool {
        matches!(
            self,
            PhaseName::Retained | PhaseName::RolledBack | PhaseName::NeedsHuman
        )
    }
}

impl fmt::Display for PhaseName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            PhaseName::Planned => "planned",
            PhaseName::Locked => "locked",
            PhaseName::BackedUp => "backed up",
            PhaseName::Expanded => "expanded",
            PhaseName::Deployed => "deployed",
            PhaseName::Released => "released",
            PhaseName::Smoked => "smoked",
            PhaseName::Shifting => "shifting",
            PhaseName::Baking => "baking",
            PhaseName::AwaitingApproval => "awaiting approval",
            PhaseName::Inconclusive => "inconclusive",
            PhaseName::Promoting => "promoting",
            PhaseName::Promoted => "promoted",
            PhaseName::Retained => "retained",
            PhaseName::RollingBack => "rolling back",
            PhaseName::RolledBack => "rolled back",
            PhaseName::NeedsHuman => "needs a human",
        })
    }
}
