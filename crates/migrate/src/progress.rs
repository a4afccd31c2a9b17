//! What is remembered beside sqlx's table: work that was begun outside one transaction, and how far it came.
//!
//! A table of our own, so that sqlx-cli's view of its table stays as it is. Rows go when their migration is recorded.

use sqlx::PgConnection;

use crate::error::MigrateError;
use crate::files::MigrationFile;

/// How far a migration came that is not recorded yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The file's checksum when it was begun.
    pub checksum: Vec<u8>,
    /// The last key of a backfill that is done, as text.
    pub cursor: Option<String>,
    /// How many keys a backfill has gone through.
    pub keys: i64,
}

fn failed(source: sqlx::Error) -> MigrateError {
    MigrateError::Database {
        what: "how far earlier runs came",
        source,
    }
}

/// Makes the table where it is missing.
pub(crate) async fn prepare(connection: &mut PgConnection) -> Result<(), MigrateError> {
    // Asked first: `IF NOT EXISTS` would need the right to create, which a later run need not have.
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('_llama_progress') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !exists {
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS _llama_progress (
                version bigint PRIMARY KEY, checksum bytea NOT NULL, begun_at timestamptz NOT NULL DEFAULT now(),
                cursor text, keys bigint NOT NULL DEFAULT 0)",
        )
        .execute(connection)
        .await
        .map_err(failed)?;
    }
    Ok(())
}

/// `None` where the migration was never begun.
pub(crate) async fn read(connection: &mut PgConnection, version: i64) -> Result<Option<Progress>, MigrateError> {
    let row: Option<(Vec<u8>, Option<String>, i64)> =
        sqlx::query_as("SELECT checksum, cursor, keys FROM _llama_progress WHERE version = $1")
            .bind(version)
            .fetch_optional(connection)
            .await
            .map_err(failed)?;
    Ok(row.map(|(checksum, cursor, keys)| Progress { checksum, cursor, keys }))
}

/// Notes that the file is begun, from its start.
pub(crate) async fn begin(connection: &mut PgConnection, file: &MigrationFile) -> Result<(), MigrateError> {
    sqlx::query(
        "INSERT INTO _llama_progress (version, checksum) VALUES ($1, $2)
         ON CONFLICT (version) DO UPDATE SET checksum = $2, begun_at = now(), cursor = NULL, keys = 0",
    )
    .bind(file.version)
    .bind(&file.checksum)
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

pub(crate) async fn advance(
    connection: &mut PgConnection,
    version: i64,
    cursor: &str,
    gone_through: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE _llama_progress SET cursor = $2, keys = keys + $3 WHERE version = $1")
        .bind(version)
        .bind(cursor)
        .bind(gone_through)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn end(connection: &mut PgConnection, version: i64) -> Result<(), MigrateError> {
    sqlx::query("DELETE FROM _llama_progress WHERE version = $1")
        .bind(version)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}
