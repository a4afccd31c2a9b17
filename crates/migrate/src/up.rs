//! Applies pending migrations, one at a time.

use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate, MigrateError as SqlxError, Migration};
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::backfill;
use crate::database::Database;
use crate::error::MigrateError;
use crate::event::{Event, Events};
use crate::files::{MigrationFile, Migrator};
use crate::history::{self, TABLE};
use crate::index::{ConcurrentIndex, IndexState, drop_concurrently};
use crate::lock;
use crate::plan::{Held, Options};
use crate::progress;
use crate::session;
use crate::status::Status;
use crate::tries::Tries;
use crate::watch::{Budget, Seen, Watch};

/// A migration that this run applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedNow {
    pub version: i64,
    pub file: String,
    pub took: Duration,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub applied: Vec<AppliedNow>,
    pub held: Vec<Held>,
    /// The newest version that is applied now; `None` if none ever was.
    pub schema_version: Option<i64>,
}

impl Migrator {
    /// Applies what is pending and allowed by `options`. Safe to repeat, and to run from several places at once: the second
    /// waits for the first and then finds nothing to do.
    ///
    /// Before anything runs, the files are held against the database's records, and any disagreement refuses the run.
    pub async fn up(
        &self,
        database: &Database,
        options: &Options,
        events: &dyn Events,
    ) -> Result<Report, MigrateError> {
        options.phases.check(database)?;
        let mut connection = session::open(database).await?;
        let result = self.up_on(&mut connection, database, options, events).await;
        session::finish(connection, result).await
    }

    async fn up_on(
        &self,
        connection: &mut PgConnection,
        database: &Database,
        options: &Options,
        events: &dyn Events,
    ) -> Result<Report, MigrateError> {
        lock::acquire(connection, options.lock_wait, events).await?;
        let status = Status::of(self, history::read(connection).await?);
        let plan = status.plan(options)?;
        for Held { file, phase, reason } in plan.held.clone() {
            events.report(Event::Held { file, phase, reason });
        }
        let mut report = Report {
            applied: Vec::new(),
            held: plan.held,
            schema_version: status.schema_version(),
        };
        if plan.run.is_empty() {
            return Ok(report);
        }
        connection
            .ensure_migrations_table(TABLE)
            .await
            .map_err(|error| MigrateError::Database {
                what: "the table of applied migrations",
                source: as_sql(error),
            })?;
        let mut runner = Runner {
            watch: Watch::of(connection, database).await?,
            connection,
            options,
            events,
        };
        let applied = runner.apply_all(&plan.run, &mut report).await;
        runner.watch.close().await;
        applied.map(|()| report)
    }
}

struct Runner<'a> {
    connection: &'a mut PgConnection,
    watch: Watch<'a>,
    options: &'a Options,
    events: &'a dyn Events,
}

impl Runner<'_> {
    async fn apply_all(&mut self, files: &[MigrationFile], report: &mut Report) -> Result<(), MigrateError> {
        for (index, file) in files.iter().enumerate() {
            self.events.report(Event::Applying {
                file: file.file.clone(),
                index: index + 1,
                count: files.len(),
            });
            let took = self.apply(file).await?;
            self.events.report(Event::Applied {
                file: file.file.clone(),
                took,
            });
            report.applied.push(AppliedNow {
                version: file.version,
                file: file.file.clone(),
                took,
            });
            report.schema_version = report.schema_version.max(Some(file.version));
        }
        Ok(())
    }

    async fn apply(&mut self, file: &MigrationFile) -> Result<Duration, MigrateError> {
        let migration = file.as_sqlx();
        if let Some(batch) = &file.batch {
            let took = backfill::run(self.connection, &mut self.watch, file, batch, self.options, self.events).await?;
            self.connection
                .skip(TABLE, &migration)
                .await
                .map_err(|error| failed(file, error))?;
            progress::end(self.connection, file.version).await?;
            return Ok(took);
        }
        if file.no_transaction {
            session::set(self.connection, "lock_timeout", self.options.concurrent_lock_timeout).await?;
            return match ConcurrentIndex::of(file) {
                Some(index) => self.build(file, &migration, &index).await,
                None => self
                    .connection
                    .apply(TABLE, &migration)
                    .await
                    .map_err(|error| failed(file, error)),
            };
        }
        self.apply_in_transaction(file).await
    }

    /// Tries again while others hold what the migration needs. Each try is short, so that those who come after it are not
    /// held up: without a timeout readers stalled for 5 s behind a waiting ALTER TABLE. All that a try waits for, it waits for
    /// together no longer than that, because it holds the first table while it waits for the second.
    async fn apply_in_transaction(&mut self, file: &MigrationFile) -> Result<Duration, MigrateError> {
        let lock_timeout = self.options.lock_timeout;
        let mut tries = Tries::of(file, self.options, self.events);
        loop {
            let apply = apply_once(self.connection, file, lock_timeout);
            let seen = self.watch.over(apply, Budget::Together(lock_timeout)).await;
            match &seen.result {
                Ok(took) => return Ok(*took),
                Err(error) if is_lock_timeout(&seen, error) => {}
                Err(_) => return seen.result.map_err(|error| failed(file, error)),
            }
            tries.pause(&mut self.watch, seen.blockers).await?;
        }
    }

    /// Builds an index concurrently. What an earlier try left is dropped first; a build that ended and whose record was lost
    /// is recorded.
    async fn build(
        &mut self,
        file: &MigrationFile,
        migration: &Migration,
        index: &ConcurrentIndex,
    ) -> Result<Duration, MigrateError> {
        progress::prepare(self.connection).await?;
        let begun = progress::read(self.connection, file.version).await?;
        let ours = begun.is_some_and(|begun| file.matches(&begun.checksum));
        match index.state(self.connection).await? {
            IndexState::Valid if ours => {
                self.connection
                    .skip(TABLE, migration)
                    .await
                    .map_err(|error| failed(file, error))?;
                progress::end(self.connection, file.version).await?;
                return Ok(Duration::ZERO);
            }
            IndexState::Invalid { index } => self.drop_invalid(file, &index).await?,
            IndexState::Valid | IndexState::Absent => {}
        }
        progress::begin(self.connection, file).await?;
        let lock_timeout = self.options.concurrent_lock_timeout;
        let apply = self.connection.apply(TABLE, migration);
        let mut seen = self.watch.over(apply, Budget::Each(lock_timeout)).await;
        let blockers = std::mem::take(&mut seen.blockers);
        match &seen.result {
            Ok(took) => {
                progress::end(self.connection, file.version).await?;
                Ok(*took)
            }
            Err(error) => {
                let timed_out = is_lock_timeout(&seen, error);
                // Writers would keep it, and a unique one would refuse their rows. If even this fails, the next run does it.
                if let Ok(IndexState::Invalid { index }) = index.state(self.connection).await
                    && let Err(error) = self.drop_invalid(file, &index).await
                {
                    tracing::warn!("the invalid index {index} is left over: {error}");
                }
                if timed_out {
                    return Err(MigrateError::LockTimeout {
                        file: file.file.clone(),
                        attempts: 1,
                        lock_timeout,
                        blockers,
                    });
                }
                seen.result.map_err(|error| failed(file, error))
            }
        }
    }

    async fn drop_invalid(&mut self, file: &MigrationFile, index: &str) -> Result<(), MigrateError> {
        self.events.report(Event::DroppingInvalidIndex {
            file: file.file.clone(),
            index: index.to_owned(),
        });
        drop_concurrently(self.connection, index)
            .await
            .map_err(|source| MigrateError::InvalidIndex {
                file: file.file.clone(),
                index: index.to_owned(),
                source,
            })
    }
}

/// The migration and its record in one transaction. As sqlx does it, in four turns instead of its five and one more for
/// the budget: a thousand migrations are mostly turns.
async fn apply_once(
    connection: &mut PgConnection,
    file: &MigrationFile,
    lock_timeout: Duration,
) -> Result<Duration, SqlxError> {
    let begun = Instant::now();
    // For this transaction alone, whatever a block or a function in an earlier file did to the session.
    let begin = format!("BEGIN; SET LOCAL lock_timeout = {}", lock_timeout.as_millis());
    let mut transaction = connection.begin_with(AssertSqlSafe(begin)).await?;
    sqlx::raw_sql(AssertSqlSafe(file.sql()))
        .execute(&mut *transaction)
        .await?;
    let took = begun.elapsed();
    // The columns that sqlx fills, in its table.
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES ($1, $2, TRUE, $3, $4)",
    )
    .bind(file.version)
    .bind(&file.description)
    .bind(&file.checksum)
    .bind(i64::try_from(took.as_nanos()).unwrap_or(i64::MAX))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(took)
}

fn is_lock_timeout<T>(seen: &Seen<T>, error: &SqlxError) -> bool {
    matches!(error, SqlxError::ExecuteMigration(error, _) | SqlxError::Execute(error) if seen.is_lock_timeout(error))
}

pub(crate) fn failed(file: &MigrationFile, error: SqlxError) -> MigrateError {
    let source = as_sql(error);
    MigrateError::Failed {
        file: file.file.clone(),
        line: line(file, &source),
        no_transaction: file.no_transaction,
        source,
    }
}

/// The line where the server found the error; its positions count characters from 1.
fn line(file: &MigrationFile, error: &sqlx::Error) -> Option<usize> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    let Some(PgErrorPosition::Original(position)) = error.position() else {
        return None;
    };
    Some(
        1 + file
            .sql()
            .chars()
            .take(position.saturating_sub(1))
            .filter(|c| *c == '\n')
            .count(),
    )
}

/// sqlx's own error of a migration, without the wrapping that would say its cause twice.
pub(crate) fn as_sql(error: SqlxError) -> sqlx::Error {
    match error {
        SqlxError::Execute(error) | SqlxError::ExecuteMigration(error, _) => error,
        other => sqlx::Error::Migrate(Box::new(other)),
    }
}
