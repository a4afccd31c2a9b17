//! What a backup holds, written beside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::BackupError;

const FORMAT: u32 = 2;
const FILE: &str = "manifest.json";
const VERIFIED: &str = "verified.json";

/// A whole backup. That it restores is not known before it was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub label: String,
    /// `USER@HOST:PORT/DATABASE`
    pub database: String,
    /// When it began, by the server's clock: RFC 3339, in UTC.
    pub made_at: String,
    pub server_version: String,
    pub client_version: String,
    /// The newest applied migration when it began.
    pub schema_version: Option<i64>,
    /// The rows of each table in what was dumped, by `schema.table`, quoted where SQL needs it.
    pub rows: BTreeMap<String, i64>,
    pub files: Vec<DumpedFile>,
    /// When it was restored and compared, if it ever was: only then it is known to be one.
    pub verified: Option<Verification>,
    /// The folder that holds it.
    pub path: PathBuf,
}

/// A restore that was compared with what the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// By the clock of the server that it was restored to: RFC 3339, in UTC.
    pub verified_at: String,
    pub took_seconds: u64,
    pub tables: usize,
    pub rows: i64,
    /// The names of the checks that it passed.
    pub checks: Vec<String>,
}

/// A file of the dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpedFile {
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
}

/// The form on disk; `format` counts up when a reader must know.
#[derive(Serialize, Deserialize)]
struct Record {
    format: u32,
    label: String,
    database: String,
    made_at: String,
    server_version: String,
    client_version: String,
    schema_version: Option<i64>,
    rows: BTreeMap<String, i64>,
    files: Vec<DumpedFile>,
}

pub(super) fn write(folder: &Path, backup: &Backup) -> Result<(), BackupError> {
    let backup = backup.clone();
    let record = Record {
        format: FORMAT,
        label: backup.label,
        database: backup.database,
        made_at: backup.made_at,
        server_version: backup.server_version,
        client_version: backup.client_version,
        schema_version: backup.schema_version,
        rows: backup.rows,
        files: backup.files,
    };
    write_json(folder, FILE, &record)
}

/// Writes it beside the manifest.
pub(super) fn write_verification(folder: &Path, verification: &Verification) -> Result<(), BackupError> {
    write_json(folder, VERIFIED, verification)
}

/// Under another name first, so that a full disk leaves no half of it.
fn write_json(folder: &Path, name: &str, content: &impl Serialize) -> Result<(), BackupError> {
    let path = folder.join(name);
    let partial = folder.join(format!(".{name}.partial"));
    let written = serde_json::to_vec_pretty(content)
        .map_err(io::Error::from)
        .and_then(|text| {
            let mut file = File::create(&partial)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&partial, &path)
        });
    written.map_err(|source| BackupError::Write { path, source })
}

fn read_verification(folder: &Path) -> Result<Option<Verification>, BackupError> {
    let path = folder.join(VERIFIED);
    match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) => Err(BackupError::Damaged { path }),
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(verification) => Ok(Some(verification)),
            Err(_) => Err(BackupError::Damaged { path }),
        },
    }
}

pub(super) fn read(folder: &Path) -> Result<Backup, BackupError> {
    let damaged = || BackupError::Damaged {
        path: folder.to_owned(),
    };
    let text = std::fs::read(folder.join(FILE)).map_err(|_| damaged())?;
    let record: Record = serde_json::from_slice(&text).map_err(|_| damaged())?;
    if record.format != FORMAT {
        return Err(damaged());
    }
    Ok(Backup {
        label: record.label,
        database: record.database,
        made_at: record.made_at,
        server_version: record.server_version,
        client_version: record.client_version,
        schema_version: record.schema_version,
        rows: record.rows,
        files: record.files,
        verified: read_verification(folder)?,
        path: folder.to_owned(),
    })
}

/// The dump's files with their checksums, in order of their names.
pub(super) fn list(folder: &Path) -> Result<Vec<DumpedFile>, BackupError> {
    let dump = folder.join("dump");
    let failed = |source| BackupError::Write {
        path: dump.clone(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&dump).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let mut hash = Sha256::new();
        let mut file = File::open(entry.path()).map_err(failed)?;
        let size = io::copy(&mut file, &mut hash).map_err(failed)?;
        let name = format!("dump/{}", entry.file_name().to_string_lossy());
        files.push(DumpedFile {
            name,
            size,
            sha256: hex::encode(hash.finalize()),
        });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}
