//! The driver: carries out what the state machine asks for, through the ports, and writes the journal.
//!
//! Order of every effect: intent into the journal, call, read back, outcome into the journal. [`Rollouts`] is the whole
//! public face; the CLI makes one for an environment and calls its methods. Nothing here decides what comes next (that
//! is `rollout::step`) or whether a bake passed (that is `gates::judge`).

mod bake;
mod checks;
mod cleanup;
mod drain;
mod effects;
mod entry;
mod error;
mod history;
mod inspect;
mod interrupt;
mod lease_end;
mod live_aliases;
mod live_checks;
mod look_back;
mod monitor;
mod plan;
mod recover;
mod report;
mod rollouts;
mod run;
mod slots;
mod traffic;
mod verbs;
mod watch;

pub use checks::{SmokeReport, SmokeWhere};
pub use cleanup::{Cleanup, Kept};
pub use error::RolloutError;
pub use history::{HistoryEntry, LastLook, OpenRollout};
pub use inspect::{AliasStatus, ApiStatus, Status};
pub use interrupt::InterruptHandle;
pub use monitor::{MonitorEnd, MonitorReport};
pub use report::{Observer, RolloutEvent};
pub use rollouts::{DeployOptions, Ports, RolloutEnd, RolloutResult, Rollouts};
pub use verbs::Answer;
