//! Takes applied migrations back, newest first.

use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate, Migration};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::database::Database;
use crate::error::MigrateError;
use crate::event::{Event, Events};
use crate::files::{Down, MigrationFile, Migrator};
use crate::history::{self, TABLE};
use crate::plan::Options;
use crate::status::Status;
use crate::up::as_sql;
use crate::watch::{Budget, Watch};
use crate::{lock, loss, session};

/// How far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This many migrations.
    Steps(usize),
    /// Everything after this version, which stays.
    To(i64),
}

#[derive(Clone, Debug)]
pub struct DownOptions {
    pub reach: Reach,
    /// Whether data may be lost. Otherwise each down file has to be shown to lose none, with its tables locked.
    pub may_lose: bool,
    /// How long to wait for another run, and for locks.
    pub waits: Options,
}

impl Migrator {
    /// Runs the down files of the newest migrations. All of them are looked at before the first is run: an edited or
    /// missing file, or one without a down file, refuses the whole.
    ///
    /// # Errors
    /// What was taken back before an error stays taken back, and says so by its events.
    pub async fn down(
        &self,
        database: &Database,
        options: &DownOptions,
        events: &dyn Events,
    ) -> Result<Vec<String>, MigrateError> {
        let mut connection = session::open(database).await?;
        let result = self.down_on(&mut connection, database, options, events).await;
        session::finish(connection, result).await
    }

    async fn down_on(
        &self,
        connection: &mut PgConnection,
        database: &Database,
        options: &DownOptions,
        events: &dyn Events,
    ) -> Result<Vec<String>, MigrateError> {
        lock::acquire(connection, options.waits.lock_wait, events).await?;
        let status = Status::of(self, history::read(connection).await?);
        let plan = self.downs(&status, options.reach)?;
        let mut watch = Watch::of(connection, database).await?;
        watch.be_ready().await?;
        let taken = revert_all(connection, &mut watch, &plan, options, events).await;
        watch.close().await;
        taken
    }

    /// The files that this reach takes back with the files that do it, newest first.
    pub(crate) fn downs(&self, status: &Status, reach: Reach) -> Result<Vec<(&MigrationFile, &Down)>, MigrateError> {
        if !status.problems.is_empty() {
            return Err(MigrateError::History {
                problems: status.problems.clone(),
            });
        }
        let chosen = status.within(reach)?.into_iter();
        chosen
            .filter_map(|applied| self.files().iter().find(|file| file.version == applied.version))
            .map(|file| match &file.down {
                Some(down) => Ok((file, down)),
                None => Err(MigrateError::NoDown {
                    file: file.file.clone(),
                }),
            })
            .collect()
    }
}

/// What sqlx runs to take the migration back.
pub(crate) fn reverting(file: &MigrationFile, down: &Down) -> Migration {
    let mut migration = file.as_sqlx();
    migration.sql = sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(down.sql.clone()));
    migration.no_tx = down.no_transaction;
    migration
}

/// The down file did not run.
pub(crate) fn failed(down: &Down, source: sqlx::Error) -> MigrateError {
    MigrateError::Failed {
        file: down.file.clone(),
        line: None,
        no_transaction: down.no_transaction,
        source,
    }
}

async fn revert_all(
    connection: &mut PgConnection,
    watch: &mut Watch<'_>,
    plan: &[(&MigrationFile, &Down)],
    options: &DownOptions,
    events: &dyn Events,
) -> Result<Vec<String>, MigrateError> {
    let waits = &options.waits;
    let mut taken = Vec::new();
    for (index, (file, down)) in plan.iter().enumerate() {
        events.report(Event::Applying {
            file: down.file.clone(),
            index: index + 1,
            count: plan.len(),
        });
        // Dropping an index concurrently holds nobody up, and is left half done when it is cut off.
        let (lock_timeout, budget) = match down.no_transaction {
            true => (
                waits.concurrent_lock_timeout,
                Budget::Each(waits.concurrent_lock_timeout),
            ),
            false => (waits.lock_timeout, Budget::Together(waits.lock_timeout)),
        };
        session::set(connection, "lock_timeout", lock_timeout).await?;
        let revert = revert(connection, file, down, options.may_lose);
        let took = watch.over(revert, budget).await.result_within(lock_timeout)?;
        events.report(Event::Applied {
            file: down.file.clone(),
            took,
        });
        taken.push(down.file.clone());
    }
    Ok(taken)
}

async fn revert(
    connection: &mut PgConnection,
    file: &MigrationFile,
    down: &Down,
    may_lose: bool,
) -> Result<Duration, MigrateError> {
    let begun = Instant::now();
    let failed = |source| failed(down, source);
    let migration = reverting(file, down);
    if down.no_transaction {
        // It holds one statement alone: dropping an index, which loses nothing, or something that is not known to.
        let losses = loss::losses(connection, &down.file, &down.sql).await?;
        refuse(losses, may_lose)?;
        connection
            .revert(TABLE, &migration)
            .await
            .map_err(|error| failed(as_sql(error)))?;
        return Ok(begun.elapsed());
    }
    let mut transaction = connection.begin().await.map_err(failed)?;
    if !may_lose {
        let losses = loss::losses(&mut transaction, &down.file, &down.sql).await?;
        refuse(losses, may_lose)?;
    }
    transaction
        .revert(TABLE, &migration)
        .await
        .map_err(|error| failed(as_sql(error)))?;
    transaction.commit().await.map_err(failed)?;
    Ok(begun.elapsed())
}

fn refuse(losses: Vec<loss::Loss>, may_lose: bool) -> Result<(), MigrateError> {
    if losses.is_empty() || may_lose {
        Ok(())
    } else {
        Err(MigrateError::WouldLose { losses })
    }
}
