//! What can go wrong with one call, and which calls it goes wrong with.
//!
//! Calls are counted over the whole simulation, so a fault is told by the number of its call. Faults are either given
//! as a list or drawn from a seed call by call; what was drawn is noted and can be given again, shorter.

use std::collections::BTreeMap;
use std::fmt;

use crate::process::Kind;
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
    /// The process ends, and what it asked for takes place this much later.
    CrashInFlight { milliseconds: u32 },
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
            Fault::CrashInFlight { milliseconds } => {
                write!(
                    formatter,
                    "crashes its process, and takes effect {milliseconds} ms later"
                )
            }
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
    pub fn of(&self, call: u64, kind: Kind) -> Option<Fault> {
        match self {
            Faults::None => None,
            Faults::Listed(list) => list.get(&call).copied(),
            Faults::Drawn {
                seed,
                per_mille,
                mixture,
            } => draw(*seed, call, *per_mille, *mixture, kind),
        }
    }
}

/// Most calls only look, and most faults that strike a look are over with the next one; so changes are struck more often.
fn weighted(per_mille: u64, kind: Kind) -> u64 {
    match kind {
        Kind::Change | Kind::Guarded => per_mille * 4,
        Kind::Read | Kind::WriteLedger => per_mille,
        Kind::ReadLedger => per_mille.div_ceil(2),
    }
}

fn draw(seed: u64, call: u64, per_mille: u64, mixture: Mixture, kind: Kind) -> Option<Fault> {
    let roll = mix(seed ^ 0xFA01, call);
    if roll % 1000 >= weighted(per_mille, kind) {
        return None;
    }
    let (roll, size) = (roll >> 16, (roll >> 32) as u32);
    let when = if (roll >> 8) & 1 == 0 {
        When::Before
    } else {
        When::After
    };
    // Of a hundred: throttled, unavailable, lost, stale, late, stalled; the rest crash.
    let parts: [u64; 6] = match kind {
        Kind::Read => [14, 14, 10, 34, 10, 9],
        Kind::Change | Kind::Guarded => [10, 10, 22, 0, 10, 24],
        // The ledger has no stale reads.
        Kind::WriteLedger => [14, 14, 28, 0, 10, 16],
        Kind::ReadLedger => [24, 24, 12, 0, 12, 14],
    };
    let part = roll % 100;
    let mut end = 0;
    let index = parts.iter().position(|size| {
        end += size;
        part < end
    });
    Some(match (index, mixture) {
        (Some(0), _) => Fault::Throttled,
        (Some(1), _) => Fault::Unavailable,
        (Some(2), _) => Fault::Lost,
        (Some(3), _) => Fault::Stale,
        (_, Mixture::Network) => Fault::Late {
            milliseconds: 50 + size % 3_000,
        },
        (Some(4), _) => Fault::Late {
            milliseconds: 200 + size % 20_000,
        },
        (Some(5), _) => Fault::Stall {
            when,
            milliseconds: 200 + size % 25_000,
        },
        (..) if (roll >> 9) & 3 == 0 => Fault::CrashInFlight {
            milliseconds: 1 + size % 3_000,
        },
        (..) => Fault::Crash(when),
    })
}
