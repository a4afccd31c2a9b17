//! A dry run that runs: every migration, or every file that takes one back, is executed in one transaction that is rolled
//! back at its end.
//!
//! Said of each are the locks that it took on relations that were there before, for how long, and whom they kept waiting. The
//! locks are real while it lasts, so on a database with traffic it steps back like a real run does; on a copy it disturbs
//! nobody ([`crate::backup`] makes one). What runs outside a transaction cannot be rolled back and is not run.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use sqlx::migrate::Migrate;
use sqlx::{Connection, PgConnection};

use crate::database::Database;
use crate::down::{self, DownOptions};
use crate::error::MigrateError;
use crate::event::Events;
use crate::files::{Down, MigrationFile, Migrator};
use crate::history::{self, TABLE};
use crate::loss::Loss;
use crate::plan::{Held, Options};
use crate::session::{self, Blocker};
use crate::status::Status;
use crate::up::{as_sql, failed};
use crate::watch::{Budget, Watch};
use crate::{lock, loss, progress};

/// What a lock keeps others from (manual, 13.3 "Explicit Locking").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocks {
    /// Nobody who reads or writes rows.
    SchemaChanges,
    Writes,
    ReadsAndWrites,
}

impl Blocks {
    fn of(mode: &str) -> Self {
        match mode {
            "AccessExclusiveLock" => Self::ReadsAndWrites,
            "ExclusiveLock" | "ShareRowExclusiveLock" | "ShareLock" => Self::Writes,
            _ => Self::SchemaChanges,
        }
    }
}

impl fmt::Display for Blocks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::SchemaChanges => "schema changes",
            Self::Writes => "writes",
            Self::ReadsAndWrites => "reads and writes",
        })
    }
}

/// A lock that a migration took on something that was there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockTaken {
    pub relation: String,
    /// As `pg_locks` names it.
    pub mode: String,
    pub blocks: Blocks,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran, and every lock was held at most this long.
    Ran { took: Duration },
    /// It cannot be rolled back, so it was not run.
    NotRun { why: &'static str },
}

/// One migration of a dry run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    pub file: String,
    pub outcome: Outcome,
    pub locks: Vec<LockTaken>,
    /// What a file that takes one back would take from the rows that are there.
    pub losses: Vec<Loss>,
    /// Sessions that waited for it when it was done.
    pub waiting: Vec<Blocker>,
}

/// What `up` with the same options would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DryRun {
    pub files: Vec<Rehearsed>,
    pub held: Vec<Held>,
}

impl Migrator {
    /// Runs what `up` would run, and takes it back.
    ///
    /// # Errors
    /// Those of `up`; the first migration that fails ends it. Nothing stays in any case.
    pub async fn dry_run(
        &self,
        database: &Database,
        options: &Options,
        events: &dyn Events,
    ) -> Result<DryRun, MigrateError> {
        let mut connection = session::open(database).await?;
        let result = self.dry_run_on(&mut connection, database, options, events).await;
        session::finish(connection, result).await
    }

    async fn dry_run_on(
        &self,
        connection: &mut PgConnection,
        database: &Database,
        options: &Options,
        events: &dyn Events,
    ) -> Result<DryRun, MigrateError> {
        lock::acquire(connection, options.lock_wait, events).await?;
        let status = Status::of(self, history::read(connection).await?);
        let plan = status.plan(options)?;
        let steps: Vec<Step<'_>> = plan.run().iter().map(Step::Up).collect();
        Ok(DryRun {
            files: rehearse_within(connection, database, &steps, options.lock_timeout).await?,
            held: plan.held,
        })
    }

    /// Takes back what `down` would take back, loses nothing, and says what would be lost.
    ///
    /// # Errors
    /// Those of `down`, but for a loss; the first file that fails ends it. Nothing stays in any case.
    pub async fn down_dry_run(
        &self,
        database: &Database,
        options: &DownOptions,
        events: &dyn Events,
    ) -> Result<Vec<Rehearsed>, MigrateError> {
        let mut connection = session::open(database).await?;
        let result = self.down_dry_run_on(&mut connection, database, options, events).await;
        session::finish(connection, result).await
    }

    async fn down_dry_run_on(
        &self,
        connection: &mut PgConnection,
        database: &Database,
        options: &DownOptions,
        events: &dyn Events,
    ) -> Result<Vec<Rehearsed>, MigrateError> {
        lock::acquire(connection, options.waits.lock_wait, events).await?;
        let status = Status::of(self, history::read(connection).await?);
        let downs = self.downs(&status, options.reach)?;
        let steps: Vec<Step<'_>> = downs.into_iter().map(|(file, down)| Step::Down(file, down)).collect();
        rehearse_within(connection, database, &steps, options.waits.lock_timeout).await
    }
}

/// One file of a dry run.
enum Step<'a> {
    Up(&'a MigrationFile),
    Down(&'a MigrationFile, &'a Down),
}

impl Step<'_> {
    fn file(&self) -> &str {
        match self {
            Self::Up(file) => &file.file,
            Self::Down(_, down) => &down.file,
        }
    }

    /// Why it cannot be taken back again.
    fn objection(&self) -> Option<&'static str> {
        match self {
            Self::Up(file) if file.batch.is_some() => {
                Some("it is a backfill in batches, each with a transaction of its own")
            }
            Self::Up(file) if file.no_transaction => Some("it runs outside a transaction"),
            Self::Down(_, down) if down.no_transaction => Some("it runs outside a transaction"),
            Self::Up(_) | Self::Down(..) => None,
        }
    }

    async fn run(&self, connection: &mut PgConnection) -> Result<Duration, MigrateError> {
        let begun = Instant::now();
        match self {
            Self::Up(file) => connection
                .apply(TABLE, &file.as_sqlx())
                .await
                .map(drop)
                .map_err(|error| failed(file, error))?,
            Self::Down(file, down) => connection
                .revert(TABLE, &down::reverting(file, down))
                .await
                .map(drop)
                .map_err(|error| down::failed(down, as_sql(error)))?,
        }
        Ok(begun.elapsed())
    }
}

/// All files together wait for locks no longer than one lock may take: they hold what they got until the end.
async fn rehearse_within(
    connection: &mut PgConnection,
    database: &Database,
    steps: &[Step<'_>],
    lock_timeout: Duration,
) -> Result<Vec<Rehearsed>, MigrateError> {
    session::set(connection, "lock_timeout", lock_timeout).await?;
    let mut watcher = session::connect(database).await?;
    let mut watch = Watch::of(connection, database).await?;
    watch.be_ready().await?;
    let rehearse = rehearse(connection, &mut watcher, steps);
    let seen = watch.over(rehearse, Budget::Together(lock_timeout)).await;
    watch.close().await;
    session::close(watcher).await;
    seen.result_within(lock_timeout)
}

async fn rehearse(
    connection: &mut PgConnection,
    watcher: &mut PgConnection,
    steps: &[Step<'_>],
) -> Result<Vec<Rehearsed>, MigrateError> {
    let asked = |source| MigrateError::Database {
        what: "the locks of a dry run",
        source,
    };
    let mut outer = connection.begin().await.map_err(asked)?;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut *outer)
        .await
        .map_err(asked)?;
    outer
        .ensure_migrations_table(TABLE)
        .await
        .map_err(|error| asked(as_sql(error)))?;
    progress::prepare(&mut outer).await?;
    let mut known: BTreeSet<(String, String)> = locks(watcher, pid).await.map_err(asked)?.into_iter().collect();
    let mut rehearsed = Vec::new();
    for step in steps {
        let mut one = Rehearsed {
            file: step.file().to_owned(),
            outcome: Outcome::NotRun { why: "" },
            locks: Vec::new(),
            losses: Vec::new(),
            waiting: Vec::new(),
        };
        // Of what cannot be run the losses are known all the same.
        if let Step::Down(_, down) = step {
            one.losses = loss::losses(&mut outer, &down.file, &down.sql).await?;
        }
        if let Some(why) = step.objection() {
            one.outcome = Outcome::NotRun { why };
            rehearsed.push(one);
            continue;
        }
        let took = step.run(&mut outer).await?;
        one.outcome = Outcome::Ran { took };
        one.waiting = session::waiting_for(watcher, pid).await.map_err(asked)?;
        for (relation, mode) in locks(watcher, pid).await.map_err(asked)? {
            let is_new = known.insert((relation.clone(), mode.clone()));
            if is_new {
                one.locks.push(LockTaken {
                    blocks: Blocks::of(&mode),
                    relation,
                    mode,
                });
            }
        }
        one.locks
            .sort_by(|left, right| right.blocks.cmp(&left.blocks).then(left.relation.cmp(&right.relation)));
        rehearsed.push(one);
    }
    outer.rollback().await.map_err(asked)?;
    Ok(rehearsed)
}

/// Locks on relations that the session holds, the system's own left out. Asked by another session, which sees what was
/// there before: what the session made is not among them, and what it dropped is.
async fn locks(watcher: &mut PgConnection, pid: i32) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT DISTINCT l.relation::regclass::text, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
         WHERE l.pid = $1 AND l.locktype = 'relation' AND l.granted
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)
           AND c.relname NOT IN ('_sqlx_migrations', '_sqlx_migrations_pkey', '_llama_progress', '_llama_progress_pkey')",
    )
    .bind(pid)
    .fetch_all(watcher)
    .await
}
