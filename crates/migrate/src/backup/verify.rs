//! Proves a backup by restoring it into a scratch database.
//!
//! `pg_restore --list` is content with a truncated dump and with a missing file, so nothing less than a restore counts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgConnection};

use super::client::{self, Owners};
use super::{Backup, BackupError, Server, Verification, manifest, rows};
use crate::database::Database;
use crate::{history, session};

/// A question to a restored database, beyond the number of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    /// One statement with one boolean: whether all is well.
    pub sql: String,
}

#[derive(Clone, Debug)]
pub struct VerifyOptions {
    pub checks: Vec<Check>,
    /// How many tables are restored at once.
    pub jobs: u32,
    /// How long `pg_restore` may take.
    pub timeout: Duration,
    /// The folder of `pg_restore`, looked at before any other.
    pub programs: Option<PathBuf>,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            checks: Vec::new(),
            jobs: 2,
            timeout: Duration::from_secs(3600),
            programs: None,
        }
    }
}

/// Restores the backup into a scratch database on `server`, compares it with the manifest, asks the checks, and removes the
/// scratch database. The result is written beside the backup.
///
/// # Errors
/// Whatever is not as it was when the backup was made; the backup then stays unverified.
pub async fn verify(backup: &Backup, server: &Database, options: &VerifyOptions) -> Result<Verification, BackupError> {
    let begun = Instant::now();
    intact(backup).await?;
    let mut connection = session::connect(server).await?;
    let result = async {
        let about = Server::ask(&mut connection).await?;
        let client = client::find(options.programs.as_deref(), about.major).await?;
        let scratch = Database {
            name: format!("llama_verify_{}", session::mark()),
            ..server.clone()
        };
        execute(
            &mut connection,
            format!("CREATE DATABASE \"{}\" TEMPLATE template0", scratch.name),
            "a scratch database",
        )
        .await?;
        let restored = async {
            client
                .restore(&scratch, &backup.path, Owners::Left, options.jobs, options.timeout)
                .await?;
            let rows = compare(backup, &scratch).await?;
            ask(&scratch, &options.checks).await?;
            Ok::<_, BackupError>(rows)
        }
        .await;
        let dropped = execute(
            &mut connection,
            format!("DROP DATABASE \"{}\" WITH (FORCE)", scratch.name),
            "to drop the scratch database",
        )
        .await;
        let rows = restored?;
        dropped?;
        Ok::<_, BackupError>(Verification {
            verified_at: about.now,
            took_seconds: begun.elapsed().as_secs(),
            tables: rows.len(),
            rows: rows.values().sum(),
            checks: options.checks.iter().map(|check| check.name.clone()).collect(),
        })
    }
    .await;
    session::close(connection).await;
    let verification = result?;
    manifest::write_verification(&backup.path, &verification)?;
    Ok(verification)
}

/// What a database holds that was restored by other means, from a snapshot for example.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Examined {
    pub tables: usize,
    pub rows: i64,
    /// The newest migration that it has applied; `None` where none ever was.
    pub schema_version: Option<i64>,
    /// The checks that passed.
    pub checks: Vec<String>,
}

/// Reads every row of the restored database once, by counting, and asks the checks.
///
/// # Errors
/// It cannot be reached, a table cannot be read, a check fails.
pub async fn examine(restored: &Database, checks: &[Check]) -> Result<Examined, BackupError> {
    let counted = count(restored).await?;
    let schema_version = schema_version(restored).await?;
    ask(restored, checks).await?;
    Ok(Examined {
        tables: counted.len(),
        rows: counted.values().sum(),
        schema_version,
        checks: checks.iter().map(|check| check.name.clone()).collect(),
    })
}

/// The newest migration that it has applied.
async fn schema_version(restored: &Database) -> Result<Option<i64>, BackupError> {
    let mut connection = session::connect(restored).await?;
    let applied = history::read(&mut connection).await;
    let applied = session::finish(connection, applied).await?;
    Ok(applied.last().map(|applied| applied.version))
}

/// The rows of each table, in a session of its own.
async fn count(restored: &Database) -> Result<BTreeMap<String, i64>, BackupError> {
    let mut connection = session::connect(restored).await?;
    let counted = rows::count(&mut connection).await;
    session::close(connection).await;
    Ok(counted.map_err(|source| crate::MigrateError::Database {
        what: "the restored rows",
        source,
    })?)
}

/// Whether every file is there as it was written, and no other.
pub(super) async fn intact(backup: &Backup) -> Result<(), BackupError> {
    let found = super::checksums(backup.path.clone()).await?;
    let damaged = |name: &str| BackupError::Damaged {
        path: backup.path.join(name),
    };
    for file in &backup.files {
        if !found.contains(file) {
            return Err(damaged(&file.name));
        }
    }
    match found.iter().find(|file| !backup.files.contains(file)) {
        Some(stranger) => Err(damaged(&stranger.name)),
        None => Ok(()),
    }
}

/// The rows of the restored database, which must be those that were dumped.
pub(super) async fn compare(backup: &Backup, restored: &Database) -> Result<BTreeMap<String, i64>, BackupError> {
    let counted = count(restored).await?;
    let differing = backup
        .rows
        .keys()
        .chain(counted.keys())
        .find(|table| backup.rows.get(*table) != counted.get(*table));
    match differing {
        None => Ok(counted),
        Some(table) => Err(BackupError::RowsDiffer {
            table: table.clone(),
            dumped: backup.rows.get(table).copied(),
            restored: counted.get(table).copied(),
        }),
    }
}

async fn ask(restored: &Database, checks: &[Check]) -> Result<(), BackupError> {
    if checks.is_empty() {
        return Ok(());
    }
    let mut connection = session::connect(restored).await?;
    let mut failed = None;
    for check in checks {
        let answer: Result<bool, sqlx::Error> = sqlx::query_scalar(AssertSqlSafe(check.sql.clone()))
            .fetch_one(&mut connection)
            .await;
        let said = match answer {
            Ok(true) => continue,
            Ok(false) => "it is not so".to_owned(),
            Err(error) => error.to_string(),
        };
        failed = Some(BackupError::CheckFailed {
            check: check.name.clone(),
            said,
        });
        break;
    }
    session::close(connection).await;
    failed.map_or(Ok(()), Err)
}

pub(super) async fn execute(connection: &mut PgConnection, sql: String, what: &'static str) -> Result<(), BackupError> {
    sqlx::query(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map_err(|source| crate::MigrateError::Database { what, source })?;
    Ok(())
}
