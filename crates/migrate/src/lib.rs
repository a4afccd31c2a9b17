//! Database migrations for Postgres that two versions of a program survive, and backups.
//!
//! For whoever changes a schema while traffic runs: a rollout applies the phase *expand* before it shifts, a person runs the
//! rest by hand. The bookkeeping is sqlx's (`_sqlx_migrations`, the same checksums), so that sqlx-cli reads what we wrote and
//! an existing project moves in. What sqlx's own runner gets wrong is done here: a lock that is polled and always released,
//! files that were edited, lost or slipped in between, locks that starve readers.
//!
//! ```no_run
//! # async fn example(database: migrate::Database) -> Result<(), migrate::MigrateError> {
//! let migrator = migrate::Migrator::load("migrations")?;
//! let status = migrator.status(&database).await?;
//! let report = migrator.up(&database, &migrate::Options::rollout(), &migrate::Silent).await?;
//! # Ok(()) }
//! ```
//!
//! It knows no orchestrator, no AWS and no terminal: progress leaves as [`Event`]s.

mod backfill;
pub mod backup;
mod baseline;
mod batch;
mod contract;
mod database;
mod down;
mod dry_run;
mod error;
mod event;
mod files;
mod health;
mod history;
mod index;
pub mod lint;
mod lock;
mod loss;
mod make;
mod phase;
mod plan;
mod progress;
mod refusals;
mod repair;
mod session;
mod sql;
mod statements;
mod status;
mod tries;
mod up;
mod watch;

pub use backup::{Backup, BackupError, BackupOptions, DumpedFile, back_up};
pub use batch::Batch;
pub use contract::{ContractPermit, ContractRefused, OldSession, ProvenBackup, Versions};
pub use database::{Database, Password, Tls, UrlError};
pub use down::{DownOptions, Reach};
pub use dry_run::{Blocks, DryRun, LockTaken, Outcome, Rehearsed};
pub use error::{LoadError, MigrateError};
pub use event::{Event, Events, Silent};
pub use files::{MigrationFile, Migrator};
pub use health::{Health, Role, Session, Waiting};
pub use history::{Applied, Problem};
pub use lock::Holder;
pub use loss::Loss;
pub use make::make;
pub use phase::Phase;
pub use plan::{Held, Options, Phases, Plan};
pub use repair::Remedy;
pub use session::Blocker;
pub use status::Status;
pub use up::{AppliedNow, Report};
