//! What the database says was applied, held against the files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sqlx::PgConnection;

use crate::error::MigrateError;
use crate::files::{MigrationFile, Migrator};
use crate::phase::Phase;

/// sqlx's table, so that sqlx-cli reads what we wrote.
pub(crate) const TABLE: &str = "_sqlx_migrations";

/// A migration that the database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub version: i64,
    pub description: String,
    /// RFC 3339, in UTC.
    pub installed_on: String,
    pub(crate) success: bool,
    pub(crate) checksum: Vec<u8>,
}

/// A disagreement between the files and the database, which a person must settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file's text is not what was applied.
    Edited { file: String },
    /// It was applied, and its file is gone.
    Missing { version: i64, description: String },
    /// It is pending, and a later one of its phase was applied without it.
    OutOfOrder { file: String, later: String },
    /// It was begun by a tool that records failures, and did not end well.
    Unfinished { version: i64, description: String },
}

impl Problem {
    /// A stable name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Edited { .. } => "edited",
            Self::Missing { .. } => "missing",
            Self::OutOfOrder { .. } => "out_of_order",
            Self::Unfinished { .. } => "unfinished",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { file } => {
                write!(
                    formatter,
                    "{file} was edited after it was applied; restore its text and put the change into a new file"
                )
            }
            Self::Missing { version, description } => {
                write!(
                    formatter,
                    "{version} ({description}) was applied and its file is missing; restore the file"
                )
            }
            Self::OutOfOrder { file, later } => {
                write!(
                    formatter,
                    "{file} is pending and older than {later}, which is applied; give it a higher version"
                )
            }
            Self::Unfinished { version, description } => {
                write!(
                    formatter,
                    "{version} ({description}) is recorded as begun and not finished; see what it left behind"
                )
            }
        }
    }
}

/// Reads the records; none where nothing was ever applied. Makes no table.
pub(crate) async fn read(connection: &mut PgConnection) -> Result<Vec<Applied>, MigrateError> {
    let failed = |source| MigrateError::Database {
        what: "its applied migrations",
        source,
    };
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(TABLE)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !exists {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, String, String, bool, Vec<u8>)> = sqlx::query_as(
        r#"SELECT version, description, to_char(installed_on AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), success, checksum
           FROM _sqlx_migrations ORDER BY version"#,
    )
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    let applied = rows
        .into_iter()
        .map(|(version, description, installed_on, success, checksum)| Applied {
            version,
            description,
            installed_on,
            success,
            checksum,
        });
    Ok(applied.collect())
}

/// The files that are not applied yet, in order.
pub(crate) fn pending<'a>(migrator: &'a Migrator, applied: &[Applied]) -> Vec<&'a MigrationFile> {
    let versions: BTreeSet<i64> = applied.iter().map(|applied| applied.version).collect();
    migrator
        .files
        .iter()
        .filter(|file| !versions.contains(&file.version))
        .collect()
}

/// Every disagreement, in order of versions.
pub(crate) fn problems(migrator: &Migrator, applied: &[Applied]) -> Vec<Problem> {
    let files: BTreeMap<i64, &MigrationFile> = migrator.files.iter().map(|file| (file.version, file)).collect();
    let mut problems = Vec::new();
    for record in applied {
        let (version, description) = (record.version, record.description.clone());
        match files.get(&version) {
            _ if !record.success => problems.push(Problem::Unfinished { version, description }),
            None => problems.push(Problem::Missing { version, description }),
            Some(file) if !file.matches(&record.checksum) => problems.push(Problem::Edited {
                file: file.file.clone(),
            }),
            Some(_) => {}
        }
    }
    for file in pending(migrator, applied) {
        let later = applied
            .iter()
            .filter_map(|record| files.get(&record.version))
            .find(|later| overtook(later, file));
        if let Some(later) = later {
            problems.push(Problem::OutOfOrder {
                file: file.file.clone(),
                later: later.file.clone(),
            });
        }
    }
    problems
}

/// Whether `later`, applied, should have come after `file`, pending. Phases run at different times, so a contract waits
/// while the next release's expand is applied; only within a phase does the order hold. Seeds are nobody's condition.
fn overtook(later: &MigrationFile, file: &MigrationFile) -> bool {
    let comparable = match (later.phase, file.phase) {
        (_, Some(Phase::Seed)) => false,
        (Some(later), Some(file)) => later == file,
        // A file from before there were phases came before everything.
        (_, None) => true,
        (None, Some(_)) => true,
    };
    comparable && later.version > file.version
}
