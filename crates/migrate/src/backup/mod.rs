//! Copies a database into a folder with `pg_dump`, for any Postgres that has no snapshots of its own.
//!
//! The directory format: the only one that dumps in parallel. It is written under another name and renamed when it is whole,
//! so what has a backup's name is one. It is not proven by that: `pg_restore --list` passes on a truncated dump, only a
//! restore proves it ([`verify()`]). [`restore()`] puts one in a database's place.

mod alike;
mod client;
mod manifest;
mod restore;
mod rows;
mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::database::Database;
use crate::error::MigrateError;
use crate::{history, session};

pub use manifest::{Backup, DumpedFile, Verification};
pub use restore::{RestoreOptions, Restored, restore};
pub use verify::{Check, Examined, VerifyOptions, examine, verify};

/// A transaction that sees one moment.
const READ_ONLY: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Where a backup goes and how it is made.
#[derive(Clone, Debug)]
pub struct BackupOptions {
    /// The folder that holds an environment's backups; made if it is absent.
    pub folder: PathBuf,
    /// The backup's name: letters, digits, `-`, `_` and `.`. A backup with this name that is whole already is returned as it is.
    pub label: String,
    /// How many tables are dumped at once.
    pub jobs: u32,
    /// How long `pg_dump` may take.
    pub timeout: Duration,
    /// How long to wait for a table that somebody holds for themselves, such as for a change of its columns.
    pub lock_timeout: Duration,
    /// The folder of `pg_dump`, looked at before any other.
    pub programs: Option<PathBuf>,
}

impl BackupOptions {
    pub fn new(folder: impl Into<PathBuf>, label: impl Into<String>) -> Self {
        Self {
            folder: folder.into(),
            label: label.into(),
            jobs: 2,
            timeout: Duration::from_secs(3600),
            lock_timeout: Duration::from_secs(30),
            programs: None,
        }
    }
}

/// Why there is no backup. What was begun is removed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Database(#[from] MigrateError),
    #[error("{label:?} cannot be a backup's name: use letters, digits, '-', '_' and '.', not at the start")]
    Label { label: String },
    #[error("cannot write the backup to {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot remove the backup {}", path.display())]
    Remove { path: PathBuf, source: std::io::Error },
    #[error("{} is not as the backup's manifest says, or the manifest itself cannot be read; the backup cannot be used", path.display())]
    Damaged { path: PathBuf },
    #[error("there is no backup {label:?} in {}", folder.display())]
    Unknown { label: String, folder: PathBuf },
    #[error(
        "there is no pg_dump of PostgreSQL {needed}, which the server runs{}; install postgresql-client-{needed}",
        found(versions)
    )]
    NoClient { needed: u32, versions: Vec<u32> },
    #[error("pg_dump of {database} failed: {said}")]
    Dump { database: String, said: String },
    #[error("the backup does not restore into {database}: {said}")]
    Restore { database: String, said: String },
    #[error(
        "{table} has {} rows restored, and had {} when it was dumped",
        rows(restored),
        rows(dumped)
    )]
    RowsDiffer {
        table: String,
        dumped: Option<i64>,
        restored: Option<i64>,
    },
    #[error("the restored database fails the check {check:?}: {said}")]
    CheckFailed { check: String, said: String },
    #[error("the server has no database {name:?} that could be replaced")]
    NoDatabase { name: String },
    #[error("the restored database could not take the place of {name:?}, which serves as before")]
    Swap { name: String, source: sqlx::Error },
    #[error("the backup of {database} was still at work after {} s", after.as_secs())]
    TooSlow { database: String, after: Duration },
}

impl BackupError {
    /// A stable name of what happened.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Database(error) => error.kind(),
            Self::Label { .. } => "backup_label",
            Self::Write { .. } => "backup_write",
            Self::Remove { .. } => "backup_remove",
            Self::Damaged { .. } => "backup_damaged",
            Self::NoClient { .. } => "backup_no_client",
            Self::Unknown { .. } => "backup_unknown",
            Self::Dump { .. } | Self::TooSlow { .. } => "backup_dump",
            Self::Restore { .. } | Self::RowsDiffer { .. } | Self::CheckFailed { .. } => "backup_unproven",
            Self::NoDatabase { .. } | Self::Swap { .. } => "backup_swap",
        }
    }
}

fn rows(count: &Option<i64>) -> String {
    count.map_or_else(|| "no".to_owned(), |count| count.to_string())
}

fn found(versions: &[u32]) -> String {
    if versions.is_empty() {
        return String::new();
    }
    let versions: Vec<String> = versions.iter().map(u32::to_string).collect();
    format!(" (found: {})", versions.join(", "))
}

/// Makes the backup `FOLDER/LABEL`, with `dump/` in pg_dump's directory format and `manifest.json` beside it.
pub async fn back_up(database: &Database, options: &BackupOptions) -> Result<Backup, BackupError> {
    check_label(&options.label)?;
    let target = options.folder.join(&options.label);
    if target.exists() {
        return manifest::read(&target);
    }
    let mut connection = session::connect(database).await?;
    let server = Server::ask(&mut connection).await;
    session::close(connection).await;
    let server = server?;
    let client = client::find(options.programs.as_deref(), server.major).await?;

    let partial = options.folder.join(format!(".{}.partial", options.label));
    let result = write(database, options, &server, &client, &partial, &target).await;
    if result.is_err() {
        // What is left is no backup; if even this fails, its name says so.
        let _ = std::fs::remove_dir_all(&partial);
    }
    result
}

async fn write(
    database: &Database,
    options: &BackupOptions,
    server: &Server,
    client: &client::Client,
    partial: &Path,
    target: &Path,
) -> Result<Backup, BackupError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Write { path, source }
    };
    if partial.exists() {
        std::fs::remove_dir_all(partial).map_err(failed(partial))?;
    }
    std::fs::create_dir_all(partial).map_err(failed(partial))?;
    let rows = dump(database, options, client, partial).await?;
    let backup = Backup {
        label: options.label.clone(),
        database: database.to_string(),
        made_at: server.now.clone(),
        server_version: server.version.clone(),
        client_version: client.version.clone(),
        schema_version: server.schema_version,
        rows,
        files: checksums(partial.to_owned()).await?,
        verified: None,
        path: target.to_owned(),
    };
    manifest::write(partial, &backup)?;
    std::fs::rename(partial, target).map_err(failed(target))?;
    Ok(backup)
}

/// Dumps, and counts meanwhile the rows of the same snapshot.
async fn dump(
    database: &Database,
    options: &BackupOptions,
    client: &client::Client,
    partial: &Path,
) -> Result<BTreeMap<String, i64>, BackupError> {
    let failed = |source| MigrateError::Database {
        what: "the rows that are dumped",
        source,
    };
    let mut keeper = session::connect(database).await?;
    let both = async {
        let mut kept = keeper.begin_with(READ_ONLY).await.map_err(failed)?;
        let snapshot: String = sqlx::query_scalar("SELECT pg_export_snapshot()")
            .fetch_one(&mut *kept)
            .await
            .map_err(failed)?;
        // Neither cuts the other off: the snapshot stays until both are done.
        let (dumped, counted) = tokio::join!(
            client.dump(database, partial, &snapshot, options),
            count_as_of(database, &snapshot, options.lock_timeout)
        );
        dumped?;
        Ok(counted?)
    }
    .await;
    session::close(keeper).await;
    both
}

async fn count_as_of(
    database: &Database,
    snapshot: &str,
    lock_timeout: Duration,
) -> Result<BTreeMap<String, i64>, MigrateError> {
    let failed = |source| MigrateError::Database {
        what: "the rows that are dumped",
        source,
    };
    let mut connection = session::connect(database).await?;
    session::set(&mut connection, "lock_timeout", lock_timeout).await?;
    let counted = async {
        let mut transaction = connection.begin_with(READ_ONLY).await?;
        // The server's own name for it, such as 00000003-00000023-1; it takes no parameter here.
        sqlx::query(AssertSqlSafe(format!("SET TRANSACTION SNAPSHOT '{snapshot}'")))
            .execute(&mut *transaction)
            .await?;
        rows::count(&mut transaction).await
    }
    .await;
    session::close(connection).await;
    counted.map_err(failed)
}

/// The backups of a folder, oldest first. What is damaged is an entry too, so that nobody counts on it.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn list(folder: &Path) -> Result<Vec<Result<Backup, BackupError>>, BackupError> {
    let unreadable = |source| BackupError::Write {
        path: folder.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            found.push(manifest::read(&path));
        }
    }
    found.sort_by_key(|backup| backup.as_ref().map(|backup| backup.made_at.clone()).unwrap_or_default());
    Ok(found)
}

/// The backup of this name.
///
/// # Errors
/// Where there is none, or its manifest cannot be read.
pub fn find(folder: &Path, label: &str) -> Result<Backup, BackupError> {
    check_label(label)?;
    let path = folder.join(label);
    if !path.is_dir() {
        return Err(BackupError::Unknown {
            label: label.to_owned(),
            folder: folder.to_owned(),
        });
    }
    manifest::read(&path)
}

/// Removes a backup. It gets a hidden name first, so whoever is killed in between leaves no half of one that has a
/// backup's name; what an earlier removal left so goes, too.
///
/// # Errors
/// Where it cannot be renamed, and then is as it was, or something of it cannot be removed.
pub fn remove(backup: &Backup) -> Result<(), BackupError> {
    const REMOVED: &str = ".removed";
    let failed = |source| BackupError::Remove {
        path: backup.path.clone(),
        source,
    };
    let (Some(folder), Some(name)) = (backup.path.parent(), backup.path.file_name()) else {
        return Err(failed(std::io::ErrorKind::InvalidInput.into()));
    };
    let hidden = folder.join(format!(".{}-{}{REMOVED}", name.to_string_lossy(), session::mark()));
    std::fs::rename(&backup.path, hidden).map_err(failed)?;
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(REMOVED) {
            match std::fs::remove_dir_all(entry.path()) {
                // Somebody else removes, too.
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Off the runtime's threads: gigabytes are read.
async fn checksums(folder: PathBuf) -> Result<Vec<DumpedFile>, BackupError> {
    let path = folder.clone();
    match tokio::task::spawn_blocking(move || manifest::list(&folder)).await {
        Ok(files) => files,
        Err(panicked) => Err(BackupError::Write {
            path,
            source: std::io::Error::other(panicked),
        }),
    }
}

/// A label is one folder's name, and not a hidden one.
fn check_label(label: &str) -> Result<(), BackupError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = label.starts_with(|c: char| c.is_ascii_alphanumeric()) && label.chars().all(fits) && label.len() <= 200;
    if good {
        Ok(())
    } else {
        Err(BackupError::Label {
            label: label.to_owned(),
        })
    }
}

/// What the server says of itself when the backup begins.
struct Server {
    major: u32,
    version: String,
    now: String,
    schema_version: Option<i64>,
}

impl Server {
    async fn ask(connection: &mut PgConnection) -> Result<Self, MigrateError> {
        let (number, version, now): (i32, String, String) = sqlx::query_as(
            r#"SELECT current_setting('server_version_num')::int, current_setting('server_version'),
                      to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"#,
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(|source| MigrateError::Database {
            what: "its version",
            source,
        })?;
        let schema_version = history::read(connection).await?.last().map(|applied| applied.version);
        let major = u32::try_from(number / 10_000).unwrap_or_default();
        Ok(Self {
            major,
            version,
            now,
            schema_version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a killed removal left has a hidden name, and goes with the next.
    #[test]
    fn a_removed_backup_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        std::fs::create_dir_all(path.join("dump")).unwrap();
        std::fs::create_dir(folder.path().join(".zero-1234.removed")).unwrap();
        std::fs::create_dir(folder.path().join(".two.partial")).unwrap();
        let backup = Backup {
            label: "one".to_owned(),
            database: String::new(),
            made_at: String::new(),
            server_version: String::new(),
            client_version: String::new(),
            schema_version: None,
            rows: BTreeMap::new(),
            files: Vec::new(),
            verified: None,
            path,
        };
        remove(&backup).unwrap();
        let left = std::fs::read_dir(folder.path()).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".two.partial"]);
        assert!(matches!(remove(&backup), Err(BackupError::Remove { .. })));
    }

    #[test]
    fn a_label_stays_within_its_folder() {
        assert!(check_label("release-7_2025.10.14").is_ok());
        for label in ["", ".", "..", "../x", "a/b", ".hidden", "a b", "-x"] {
            assert!(check_label(label).is_err(), "{label:?}");
        }
    }
}
