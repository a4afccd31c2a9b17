//! What goes wrong. Every error has a stable kind (`kind()`), by which a caller chooses an exit code or a page to show.

use std::path::PathBuf;
use std::time::Duration;

use crate::history::Problem;
use crate::lock::Holder;
use crate::loss::Loss;
use crate::phase::Phase;
use crate::session::Blocker;

/// A folder that cannot be migrated from. Nothing was asked of a database yet.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read the migrations in {}", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error("cannot read migration {file}")]
    File { file: String, source: std::io::Error },
    #[error("migration {file} is {size} bytes; at most {largest} are read, and data belongs into a backfill's source")]
    TooLarge { file: String, size: u64, largest: u64 },
    #[error("{file} is not named like a migration: VERSION_DESCRIPTION.sql, with a whole number above 0 as VERSION")]
    Name { file: String },
    #[error("{first} and {second} have the same version {version}; give the newer one a higher number")]
    Twice {
        version: i64,
        first: String,
        second: String,
    },
    #[error("{file} has no file with the same version that it takes back")]
    DownWithoutUp { file: String },
    #[error("{file} is named {named}, but its head says \"phase: {said}\"")]
    PhasesDiffer { file: String, named: Phase, said: String },
    #[error("{file}:{line} names the phase {said:?}; there are expand, backfill, contract and seed")]
    UnknownPhase { file: String, line: usize, said: String },
    #[error("{file}:{line} says how to go through a table in batches, but {problem}")]
    Batch { file: String, line: usize, problem: String },
    #[error("{file} holds no statement")]
    Empty { file: String },
    #[error("{file}:{line} cannot be a migration's statement: {reason}")]
    Refused {
        file: String,
        line: usize,
        reason: &'static str,
    },
    #[error(
        "{file}:{line} is a second statement outside a transaction; PostgreSQL runs them as one, so give it a file of its own"
    )]
    SecondStatement { file: String, line: usize },
    #[error(
        "{file}:{line} cannot run in a transaction; begin the file with \"-- no-transaction\" and let it hold this statement alone"
    )]
    ConcurrentInTransaction { file: String, line: usize },
}

/// Why migrations were not, or not all, applied. What was applied before stays applied and recorded.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("cannot connect to {database}")]
    Connect { database: String, source: sqlx::Error },
    #[error("no connection to {database} that is by TLS, and with a certificate that can be trusted")]
    Untrusted { database: String, source: sqlx::Error },
    #[error("{database} did not answer within {} s", after.as_secs())]
    Unreachable { database: String, after: Duration },
    #[error("the database failed while it was asked for {what}")]
    Database { what: &'static str, source: sqlx::Error },
    #[error("another run holds the migration lock after {} s: {holder}", waited.as_secs())]
    LockHeld { waited: Duration, holder: Holder },
    #[error(
        "the session does not keep its locks: a pooler in transaction mode stands before the database; \
         connect to the database itself"
    )]
    SessionNotKept,
    #[error("the files and the database disagree: {}", list(problems))]
    History { problems: Vec<Problem> },
    #[error("{file} names no phase, so nobody knows when it may run; name it …{phase}.sql or begin it with \"-- phase: {phase}\"", phase = Phase::Expand)]
    NoPhase { file: String },
    #[error("{file} is a contract and must not run before {before}, which is pending")]
    ContractTooEarly { file: String, before: String },
    #[error("leave to run contracts was given for another database than {database}")]
    PermitElsewhere { database: String },
    #[error("{file} builds the index {index}, of which an earlier try left an invalid one that could not be dropped")]
    InvalidIndex {
        file: String,
        index: String,
        source: sqlx::Error,
    },
    #[error("no file has the version {version}")]
    UnknownVersion { version: i64 },
    #[error(
        "the database has applied migrations already, the newest is {newest}: only one without any is given a baseline"
    )]
    NotNew { newest: i64 },
    #[error("there is nothing to repair like this: {remedy}")]
    NoSuchRemedy { remedy: String },
    #[error("{file} has no down file, so nothing is taken back")]
    NoDown { file: String },
    #[error("taking back would lose data, and nothing was: {}", losses.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    WouldLose { losses: Vec<Loss> },
    #[error("{file} cannot go through {table} by {key}: {problem}")]
    BackfillKey {
        file: String,
        table: String,
        key: String,
        problem: &'static str,
    },
    #[error("{file}{} failed; {}", at(*line), if *no_transaction { "it ran outside a transaction, so look what it left" } else { "nothing of it was kept" })]
    Failed {
        file: String,
        line: Option<usize>,
        no_transaction: bool,
        source: sqlx::Error,
    },
    #[error("{file} got no lock in {attempts} tries of {} ms, so that others would not queue behind it; {}", lock_timeout.as_millis(), who(blockers))]
    LockTimeout {
        file: String,
        attempts: u32,
        lock_timeout: Duration,
        blockers: Vec<Blocker>,
    },
}

impl MigrateError {
    /// A stable name of what happened.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Load(_) => "files",
            Self::Connect { .. } | Self::Unreachable { .. } => "unreachable",
            Self::Untrusted { .. } => "untrusted",
            Self::Database { .. } => "database",
            Self::LockHeld { .. } => "lock_held",
            Self::SessionNotKept => "session_not_kept",
            Self::History { .. } => "history",
            Self::NoPhase { .. } => "no_phase",
            Self::ContractTooEarly { .. } => "contract_too_early",
            Self::PermitElsewhere { .. } => "permit_elsewhere",
            Self::InvalidIndex { .. } => "invalid_index",
            Self::UnknownVersion { .. } => "unknown_version",
            Self::NotNew { .. } => "not_new",
            Self::NoSuchRemedy { .. } => "no_such_remedy",
            Self::NoDown { .. } => "no_down",
            Self::WouldLose { .. } => "would_lose",
            Self::BackfillKey { .. } => "backfill_key",
            Self::Failed { .. } => "failed",
            Self::LockTimeout { .. } => "lock_timeout",
        }
    }

    /// Whether the same call may pass later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::Unreachable { .. } | Self::LockHeld { .. } | Self::LockTimeout { .. }
        )
    }
}

fn at(line: Option<usize>) -> String {
    line.map(|line| format!(":{line}")).unwrap_or_default()
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn who(blockers: &[Blocker]) -> String {
    if blockers.is_empty() {
        return "nobody was seen to hold it".to_owned();
    }
    let blockers: Vec<String> = blockers.iter().map(ToString::to_string).collect();
    format!("held by {}", blockers.join(" and "))
}
