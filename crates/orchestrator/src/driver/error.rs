//! Why a command of the driver did not reach an end of its rollout.

use crate::config::ConfigError;
use crate::domain::{ReleaseNumber, ReleaseState};
use crate::ledger::{JournalError, LedgerError, LockError};
use crate::ports::PortError;
use crate::rollout::{PhaseName, RolloutNumber};

#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Before a rollout was opened: nothing was changed.
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(
        "the lease ended at {until} and could not be renewed in time; nothing more is changed, the next run settles rollout \
         {rollout}"
    )]
    LeaseEnded {
        rollout: RolloutNumber,
        until: jiff::Timestamp,
        #[source]
        source: Option<LockError>,
    },
    /// The rollout stays open: run the command again, or `rollback`.
    #[error("rollout {rollout} stays open in state {phase}: {problem}. Run `rollback` to settle it")]
    Open {
        rollout: RolloutNumber,
        phase: PhaseName,
        problem: String,
    },
    #[error(
        "somebody else changed what rollout {rollout} moves, and it was not overwritten: {found}. Put it back as expected, then \
         run `rollback` to settle the rollout"
    )]
    ForeignChange { rollout: RolloutNumber, found: String },
    /// Nothing has a slot before the first rollout.
    #[error("no release was rolled out in this environment yet")]
    NothingReleased,
    /// The interrupt asked for it; nothing is half recorded and the lock is free.
    #[error("rollout {rollout} is handed over in state {phase}: `resume` carries it on, `rollback` turns it back")]
    HandedOver { rollout: RolloutNumber, phase: PhaseName },
    #[error("no rollout is open: there is nothing to {request}")]
    NothingOpen { request: String },
    #[error(
        "no run is at work on rollout {rollout} (state {phase}), so nothing moves that could be paused: `resume` carries it \
         on, `rollback` turns it back"
    )]
    NoRunAlive { rollout: RolloutNumber, phase: PhaseName },
    #[error(
        "carrying rollout {rollout} on from state {phase} deploys the stacks, and this command was not given them: run it \
         where the app is, or `rollback`"
    )]
    NeedsTheApp { rollout: RolloutNumber, phase: PhaseName },
    #[error("rollout {rollout} is open in state {phase}: `resume` or `rollback` comes first")]
    StillOpen { rollout: RolloutNumber, phase: PhaseName },
    #[error("there is nothing to roll back to: {reason}")]
    NothingToRollBackTo { reason: String },
    #[error("there is no release {release}; `history` lists those there are")]
    UnknownRelease { release: ReleaseNumber },
    #[error("release {release} is {state}: a rollback goes only to a release that was live and is retained")]
    NotRetained {
        release: ReleaseNumber,
        state: ReleaseState,
    },
}
