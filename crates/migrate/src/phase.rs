//! When a migration may run, seen from a blue-green rollout.

use std::fmt;
use std::str::FromStr;

/// A migration's phase, named in its file name (`10_users.expand.up.sql`) or its head (`-- phase: expand`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Only adds, so that the version that runs now is not disturbed: before the traffic shifts.
    Expand,
    /// Fills what was added: after all traffic is on the new version.
    Backfill,
    /// Takes away what the old version needed: after the old version is gone.
    Contract,
    /// Sample rows, where an environment asks for them. Never needed by a version.
    Seed,
}

impl Phase {
    pub const ALL: [Self; 4] = [Self::Expand, Self::Backfill, Self::Contract, Self::Seed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Backfill => "backfill",
            Self::Contract => "contract",
            Self::Seed => "seed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Phase {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.name().eq_ignore_ascii_case(name))
            .ok_or(())
    }
}
