//! Looks at what does not fit and proposes what to do about it. Nothing here ever offers to begin anew.
//!
//! A remedy that would take a decision away from a person is only described; one that is certain can be carried out, and is
//! then recorded with who did it.

use std::fmt;

use sqlx::{Connection, PgConnection};

use crate::database::Database;
use crate::error::MigrateError;
use crate::event::Events;
use crate::files::Migrator;
use crate::history::{self, Applied, Problem};
use crate::index::{ConcurrentIndex, IndexState, drop_concurrently};
use crate::plan::Options;
use crate::{lock, session};

/// Something that is wrong, and what can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// An index that no migration of ours is about to build again. Dropping it loses nothing: nobody can read it.
    DropInvalidIndex { index: String },
    /// The file's text was changed after it was applied. If the change means the same to the database, such as a comment, the
    /// new checksum can be recorded.
    Rebless { version: i64, file: String },
    /// Recorded as begun by a tool that records failures. What it would make is not there, so the record can go.
    ForgetUnfinished { version: i64, description: String },
    /// It cannot be settled from here; `advice` says what a person does.
    Advice { problem: String, advice: String },
}

impl Remedy {
    /// Whether [`Migrator::repair`] can carry it out.
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Advice { .. })
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DropInvalidIndex { index } => {
                write!(
                    formatter,
                    "the index {index} is invalid: drop it, writers keep it for nobody"
                )
            }
            Self::Rebless { file, .. } => write!(
                formatter,
                "{file} was edited after it was applied: if the database need not know, record the new text's checksum"
            ),
            Self::ForgetUnfinished { version, description } => write!(
                formatter,
                "{version} ({description}) is recorded as begun and not finished: look what it left, then forget the record, \
                 and it runs again"
            ),
            Self::Advice { problem, advice } => write!(formatter, "{problem}: {advice}"),
        }
    }
}

impl Migrator {
    /// Everything that does not fit, with what can be done. Changes nothing.
    pub async fn diagnose(&self, database: &Database) -> Result<Vec<Remedy>, MigrateError> {
        let mut connection = session::connect(database).await?;
        let result = self.diagnose_on(&mut connection).await;
        session::finish(connection, result).await
    }

    async fn diagnose_on(&self, connection: &mut PgConnection) -> Result<Vec<Remedy>, MigrateError> {
        let applied = history::read(connection).await?;
        let mut remedies: Vec<Remedy> = history::problems(self, &applied)
            .into_iter()
            .map(|problem| self.remedy(problem))
            .collect();
        for index in self.abandoned_indexes(connection, &applied).await? {
            remedies.push(Remedy::DropInvalidIndex { index });
        }
        Ok(remedies)
    }

    fn remedy(&self, problem: Problem) -> Remedy {
        let advice = |advice: &str| Remedy::Advice {
            problem: problem.to_string(),
            advice: advice.to_owned(),
        };
        match &problem {
            Problem::Edited { file } => match self.files().iter().find(|known| &known.file == file) {
                Some(known) => Remedy::Rebless {
                    version: known.version,
                    file: file.clone(),
                },
                None => advice("restore the file's text"),
            },
            Problem::Unfinished { version, description } => Remedy::ForgetUnfinished {
                version: *version,
                description: description.clone(),
            },
            Problem::Missing { .. } => advice("take the file from the commit that was deployed"),
            Problem::OutOfOrder { .. } => advice("rename it to the next version, in its down file too"),
        }
    }

    /// Invalid indexes that no pending file builds: those the next run drops by itself.
    async fn abandoned_indexes(
        &self,
        connection: &mut PgConnection,
        applied: &[Applied],
    ) -> Result<Vec<String>, MigrateError> {
        let mut coming = Vec::new();
        for index in history::pending(self, applied)
            .into_iter()
            .filter_map(ConcurrentIndex::of)
        {
            if let IndexState::Invalid { index } = index.state(connection).await? {
                coming.push(index);
            }
        }
        // One that is being built right now is invalid too.
        let invalid: Vec<String> = sqlx::query_scalar(
            "SELECT i.indexrelid::regclass::text FROM pg_index i WHERE NOT i.indisvalid
             AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
             ORDER BY 1",
        )
        .fetch_all(connection)
        .await
        .map_err(|source| MigrateError::Database {
            what: "its invalid indexes",
            source,
        })?;
        Ok(invalid.into_iter().filter(|index| !coming.contains(index)).collect())
    }

    /// Carries a certain remedy out and notes who did it, in `_llama_repairs`. The remedy has to be one that [`Self::diagnose`]
    /// would give now.
    ///
    /// # Errors
    /// [`MigrateError::NoSuchRemedy`] where it is not needed any more, or only advice.
    pub async fn repair(
        &self,
        database: &Database,
        remedy: &Remedy,
        who: &str,
        options: &Options,
        events: &dyn Events,
    ) -> Result<(), MigrateError> {
        let mut connection = session::open(database).await?;
        let result = self.repair_on(&mut connection, remedy, who, options, events).await;
        session::finish(connection, result).await
    }

    async fn repair_on(
        &self,
        connection: &mut PgConnection,
        remedy: &Remedy,
        who: &str,
        options: &Options,
        events: &dyn Events,
    ) -> Result<(), MigrateError> {
        lock::acquire(connection, options.lock_wait, events).await?;
        if !remedy.is_certain() || !self.diagnose_on(connection).await?.contains(remedy) {
            return Err(MigrateError::NoSuchRemedy {
                remedy: remedy.to_string(),
            });
        }
        let failed = |source| MigrateError::Database {
            what: "the repair",
            source,
        };
        if let Remedy::DropInvalidIndex { index } = remedy {
            session::set(connection, "lock_timeout", options.concurrent_lock_timeout).await?;
            drop_concurrently(connection, index).await.map_err(failed)?;
        }
        let mut transaction = connection.begin().await.map_err(failed)?;
        let before: Option<Vec<u8>> = match remedy {
            Remedy::Rebless { version, .. } => {
                let file = self.files().iter().find(|file| file.version == *version);
                let checksum = file.map(|file| file.checksum.clone()).unwrap_or_default();
                let before = sqlx::query_scalar("SELECT checksum FROM _sqlx_migrations WHERE version = $1")
                    .bind(version)
                    .fetch_optional(&mut *transaction)
                    .await
                    .map_err(failed)?;
                sqlx::query("UPDATE _sqlx_migrations SET checksum = $2 WHERE version = $1")
                    .bind(version)
                    .bind(checksum)
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed)?;
                before
            }
            Remedy::ForgetUnfinished { version, .. } => {
                sqlx::query("DELETE FROM _sqlx_migrations WHERE version = $1 AND NOT success")
                    .bind(version)
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed)?;
                None
            }
            Remedy::DropInvalidIndex { .. } | Remedy::Advice { .. } => None,
        };
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS _llama_repairs (
                at timestamptz NOT NULL DEFAULT now(), who text NOT NULL, what text NOT NULL, checksum_before bytea)",
        )
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        sqlx::query("INSERT INTO _llama_repairs (who, what, checksum_before) VALUES ($1, $2, $3)")
            .bind(who)
            .bind(remedy.to_string())
            .bind(before)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }
}
