//! A backup as the commands speak of it, whatever its kind.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::{OpenDatabase, dump, snapshot};
use crate::failure::{Code, Failure, Outcome};

/// How a backup is kept. Each kind has a module that makes, finds, proves and restores its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `pg_dump` in the environment's folder.
    Dump,
    /// A snapshot of the RDS instance.
    Snapshot,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Dump => "dump",
            Self::Snapshot => "snapshot",
        })
    }
}

/// One backup.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub id: String,
    pub kind: Kind,
    /// When what it holds was the database; `None` where it cannot be read.
    pub made_at: Option<Timestamp>,
    pub bytes: Option<u64>,
    /// The newest migration that it has applied, where that is known.
    pub schema_version: Option<i64>,
    /// When it was restored and compared; until then it is not known to be a backup.
    pub verified_at: Option<Timestamp>,
    /// Why it cannot be used.
    pub problem: Option<String>,
}

/// A backup that somebody asked for.
pub struct Made {
    pub entry: Entry,
    /// One of this id was there already; nothing new was made.
    pub was_there: bool,
}

/// Of every kind, oldest first.
pub fn all(open: &OpenDatabase<'_>) -> Outcome<Vec<Entry>> {
    let mut entries = dump::list(open)?;
    entries.extend(snapshot::list(open)?);
    entries.sort_by_key(|entry| entry.made_at);
    Ok(entries)
}

/// The backup of this id, or the newest that has no problem.
pub fn find(open: &OpenDatabase<'_>, id: Option<&str>) -> Outcome<Entry> {
    let entries = all(open)?;
    let environment = &open.environment().name;
    let unknown = |message: String| {
        Failure::new(Code::BackupUnknown, message).hint(format!("llama-deploy db list {environment} names its backups"))
    };
    let entry = match id {
        Some(id) => entries
            .into_iter()
            .find(|entry| entry.id == id)
            .ok_or_else(|| unknown(format!("{environment} has no backup '{id}'")))?,
        None => entries
            .into_iter()
            .rev()
            .find(|entry| entry.problem.is_none())
            .ok_or_else(|| {
                unknown(format!("{environment} has no backup"))
                    .hint(format!("llama-deploy db backup {environment} makes one"))
            })?,
    };
    match &entry.problem {
        Some(problem) => Err(
            Failure::new(Code::BackupUnproven, format!("the backup {} cannot be used", entry.id))
                .because(anyhow::anyhow!("{problem}")),
        ),
        None => Ok(entry),
    }
}
