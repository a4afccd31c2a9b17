//! What can go wrong with one call, and which calls it goes wrong with.
//!
//! Calls are counted over the whole simulation, so a fault is told by the number of its call. Faults are either given
//! as a list or drawn from a seed call by call; what was drawn is noted and can be given again, shorter.

use std::collections::BTreeMap;
use std::fmt;

use crate::random::mix;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused because of a rate limit: nothing happens.
    Throttled,
    /// Failed before it did anything.
    Unavailable,
    /// It happens, and the response is lost.
    Lost,
    /// It happens, and the response comes this much later.
    Late { milliseconds: u32 },
    /// The whole process stands still, before the call's effect or after it.
    Stall { when: When, milliseconds: u32 },
    /// The process ends there.
    Crash(When),
    /// A read answers what was before the last change. For other calls: nothing.
    Stale,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |when: &When| match when {
            When::Before => "before",
            When::After => "after",
        };
        match self {
            Fault::Throttled => write!(formatter, "is throttled"),
            Fault::Unavailable => write!(formatter, "finds the service unavailable"),
            Fault::Lost => write!(formatter, "loses its response"),
            Fault::Late { milliseconds } => write!(formatter, "answers {milliseconds} ms late"),
            Fault::Stall { when, milliseconds } => {
                write!(
                    formatter,
                    "stalls its process for {milliseconds} ms {} its effect",
                    word(when)
                )
            }
            Fault::Crash(when) => write!(formatter, "crashes its process {} its effect", word(when)),
            Fault::Stale => write!(formatter, "reads a stale value"),
        }
    }
}

/// Which calls go wrong.
#[derive(Debug, Clone, Default)]
pub enum Faults {
    #[default]
    None,
    /// These and no others.
    Listed(BTreeMap<u64, Fault>),
    Drawn {
        seed: u64,
        /// Of a thousand calls.
        per_mille: u64,
        mixture: Mixture,
    },
}

/// What faults are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mixture {
    /// Refusals, lost responses and stale reads: what a run has to get along with by itself.
    Network,
    /// Also crashes, stalls and answers that are later than the lease.
    Everything,
}

impl Faults {
    pub fn of(&self, call: u64) -> Option<Fault> {
        match self {
            Faults::None => None,
            Faults::Listed(list) => list.get(&call).copied(),
            Faults::Drawn {
                seed,
                per_mille,
                mixture,
            } => draw(*seed, call, *per_mille, *mixture),
        }
    }
}

fn draw(seed: u64, call: u64, per_mille: u64, mixture: Mixture) -> Option<Fault> {
    let roll = mix(seed ^ 0xFA01, call);
    if roll % 1000 >= per_mille {
        return None;
    }
    let (kind, size) = ((roll >> 16) % 100, (roll >> 32) as u32);
    let when = if (roll >> 24) & 1 == 0 {
        When::Before
    } else {
        When::After
    };
    Some(match (mixture, kind) {
        (_, 0..16) => Fault::Throttled,
        (_, 16..32) => Fault::Unavailable,
        (_, 32..56) => Fault::Lost,
        (_, 56..68) => Fault::Stale,
        (Mixture::Network, _) => Fault::Late {
            milliseconds: 50 + size % 3_000,
        },
        (_, 68..76) => Fault::Late {
            milliseconds: 200 + size % 20_000,
        },
        (_, 76..88) => Fault::Stall {
            when,
            milliseconds: 200 + size % 25_000,
        },
        (_, _) => Fault::Crash(when),
    })
}
