//! Takes over a database whose schema came from elsewhere.

use sqlx::PgConnection;
use sqlx::migrate::Migrate;

use crate::database::Database;
use crate::error::MigrateError;
use crate::event::Events;
use crate::files::Migrator;
use crate::history::{self, TABLE};
use crate::plan::Options;
use crate::status::Status;
use crate::up::as_sql;
use crate::{lock, session};

impl Migrator {
    /// Records every file up to `version` as applied without running it. The schema is not looked at: whoever asks says
    /// that it is what these files make.
    ///
    /// # Errors
    /// Refused where anything is recorded already, and for a version that no file has.
    pub async fn baseline(
        &self,
        database: &Database,
        version: i64,
        options: &Options,
        events: &dyn Events,
    ) -> Result<Vec<String>, MigrateError> {
        let mut connection = session::open(database).await?;
        let result = self.baseline_on(&mut connection, version, options, events).await;
        session::finish(connection, result).await
    }

    async fn baseline_on(
        &self,
        connection: &mut PgConnection,
        version: i64,
        options: &Options,
        events: &dyn Events,
    ) -> Result<Vec<String>, MigrateError> {
        use sqlx::Connection;
        lock::acquire(connection, options.lock_wait, events).await?;
        if !self.files().iter().any(|file| file.version == version) {
            return Err(MigrateError::UnknownVersion { version });
        }
        let status = Status::of(self, history::read(connection).await?);
        if let Some(newest) = status.schema_version() {
            return Err(MigrateError::NotNew { newest });
        }
        let failed = |error| MigrateError::Database {
            what: "the table of applied migrations",
            source: as_sql(error),
        };
        let mut transaction = connection.begin().await.map_err(|error| failed(error.into()))?;
        transaction.ensure_migrations_table(TABLE).await.map_err(failed)?;
        let mut recorded = Vec::new();
        for file in self.files().iter().filter(|file| file.version <= version) {
            transaction.skip(TABLE, &file.as_sqlx()).await.map_err(failed)?;
            recorded.push(file.file.clone());
        }
        transaction.commit().await.map_err(|error| failed(error.into()))?;
        Ok(recorded)
    }
}
