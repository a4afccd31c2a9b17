//! The orchestrator's ports over the AWS SDK, and what the command line needs of AWS beside them: stacks by change set,
//! assets, secrets, snapshots, the ledger in S3.
//!
//! The SDK's types end here: nothing public mentions one. This crate decides nothing about a rollout and knows no
//! terminal; it does one call when asked, says truthfully how it ended, and reads back what is. It is called by the
//! command line, which wires it to the orchestrator.
//!
//! Its tests speak to the embedded cloud. A second witness, moto, needs Python and is asked by hand:
//! `pip install 'moto[server]' && cargo test -p aws --features moto --test moto`.

pub mod assets;
mod caches;
mod connection;
mod failure;
mod holdings;
mod http;
mod infrastructure;
mod ledger;
mod live_alias;
mod metrics;
mod pacing;
mod restore;
mod secrets;
mod slots;
mod smoke;
mod snapshot_list;
mod snapshots;
pub mod stacks;
mod stage;
mod target;
#[cfg(test)]
mod testing;
mod traffic;
mod waiting;

pub use caches::{CacheEndpoint, CacheResource};
pub use connection::{Aws, ConnectError, Settings, connect};
pub use failure::Failure;
pub use holdings::{Holdings, backup_label};
pub use infrastructure::{StackInfrastructure, who_imports};
pub use ledger::LedgerError;
pub use restore::{
    DatabaseAddress, Login, LossWindow, Operation, Proof, Proven, Replaced, RestoreEvent, RestorePoint, RestoreRequest,
};
pub use secrets::Secret;
pub use smoke::{HttpSmoke, SmokeCheck};
pub use snapshot_list::{DatabaseSnapshot, SchemaVersion};
pub use snapshots::RdsDatabase;
pub use target::{BLUE_GREEN_METADATA, PreviewStages, SlottedAlias, SlottedApi, SlottedResources};
pub use waiting::{Progress, TakenBackup};
