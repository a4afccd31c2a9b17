//! The invariants of a rollout, one function each, named by its number. They are checked after every event, against what
//! is true in the world and never against what a driver believes.
//!
//! 15, that the same seed gives the same trace, is a property of two runs: see `simulate::tests`.

mod gates;
mod records;
mod traffic;

use std::fmt;

use jiff::Timestamp;

use crate::trace::clock;
use crate::world::{Happening, Inner};

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its number; 0 for what is no invariant but a mistake all the same, such as a run that does not end.
    pub invariant: u8,
    pub at: Timestamp,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "invariant {} is violated at{}: {} ({})",
            self.invariant,
            clock(self.at),
            self.what,
            title(self.invariant)
        )
    }
}

type Check = fn(&Inner, &Happening) -> Result<(), String>;

pub const ALL: &[(u8, Check)] = &[
    (1, traffic::invariant_1),
    (2, traffic::invariant_2),
    (3, records::invariant_3),
    (4, traffic::invariant_4),
    (5, traffic::invariant_5),
    (6, gates::invariant_6),
    (7, gates::invariant_7),
    (8, records::invariant_8),
    (9, records::invariant_9),
    (10, traffic::invariant_10),
    (11, traffic::invariant_11),
    (12, records::invariant_12),
    (13, records::invariant_13),
    (14, traffic::invariant_14),
    (16, traffic::invariant_16),
];

pub fn title(invariant: u8) -> &'static str {
    match invariant {
        1 => "no live weight on a release without a passed smoke test for exactly that release",
        2 => "after any crash a rollout can be settled, on one healthy slot",
        3 => "changes of two epochs never interleave",
        4 => "the weight rises only as planned",
        5 => "a bake lasts its time after the weight was in force",
        6 => "only pass advances; missing, late or revised data never passes",
        7 => "a breach brings the weight to 0 within a bound",
        8 => "a rollback never goes to a retired or unproven release, and works with alarms red and metrics down",
        9 => "abort outranks promote",
        10 => "the old slot stays invocable for its retention",
        11 => "everything ends on one slot, and no canary is left behind",
        12 => "the journal replays, and every change has its intent before it",
        13 => "the schema fits what serves",
        14 => "what somebody else changed is not overwritten",
        15 => "the same seed gives the same trace",
        16 => "what is held up, or waits for an approval, does not rise",
        _ => "a simulation ends well",
    }
}
