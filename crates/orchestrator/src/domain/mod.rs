//! The words of a rollout as types: slots, weights, releases, what a rollout moves, and traffic as it was seen.
//!
//! Plain data without behaviour that could fail at run time. Nothing here is written to the ledger directly: stored
//! forms have their own record types.

mod entry;
mod identifiers;
mod release;
mod slot;
mod target;
mod traffic;
mod weight;

pub use entry::{EntryKind, ServedEntry};
pub use identifiers::{
    AliasName, AliasRevision, DeploymentId, EnvironmentName, FunctionName, FunctionVersion, RestApiId, StageName,
};
pub use release::{ApiDeployment, Release, ReleaseNumber, ReleaseState, ReleasedFunction};
pub use slot::{PerSlot, Slot};
pub use target::{ApiTarget, LiveAlias, RolloutTarget};
pub use traffic::{AliasRouting, AliasState, ApiTraffic, Canary, StageTarget, VersionSettings, VersionShare};
pub use weight::{Weight, WeightError};
