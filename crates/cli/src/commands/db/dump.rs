//! The backups that `pg_dump` makes: a folder each, below `backups` of the environment's folder.

use std::io;
use std::path::{Path, PathBuf};

use migrate::backup::{self, RestoreOptions, Restored, Verification, VerifyOptions};
use migrate::{Backup, BackupOptions};
use orchestrator::ports::HookRun;

use super::OpenDatabase;
use super::entry::{Entry, Kind, Made};
use crate::console::Console;
use crate::failure::{Code, Outcome};
use crate::hooks::HookRuns;
use crate::refusal;
use crate::retention::{self, Retained};
use crate::rollout::now;

pub fn back_up(open: &OpenDatabase<'_>, id: &str) -> Outcome<Made> {
    let was_there = folder(open).join(id).exists();
    let options = BackupOptions::new(folder(open), id);
    let made = open
        .session
        .runtime
        .block_on(migrate::back_up(&open.server, &options))
        .map_err(|error| refusal::with_backup(error, Code::BackupFailed, "there is no backup"))?;
    Ok(Made {
        entry: entry(&made),
        was_there,
    })
}

/// Removes the dumps that the settings let go.
pub fn retain(open: &OpenDatabase<'_>, just_made: &str, console: &Console) -> Retained {
    let limits = (open.retention(), now());
    retention::of_dumps(&folder(open), just_made, limits, console)
}

/// Writes the hooks' runs beside the manifest, as `hooks.json`, after those of an earlier try that made the same backup.
pub fn note_hooks(open: &OpenDatabase<'_>, id: &str, hooks: &HookRuns, console: &Console) {
    if hooks.0.is_empty() {
        return;
    }
    let file = folder(open).join(id).join("hooks.json");
    if let Err(error) = append(&file, hooks) {
        console.say(&format!("warning: {} cannot be written: {error}", file.display()));
    }
}

/// The file is whole at any time.
fn append(file: &Path, hooks: &HookRuns) -> io::Result<()> {
    let mut runs: Vec<HookRun> = match std::fs::read(file) {
        Ok(text) => serde_json::from_slice(&text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    runs.extend(hooks.0.iter().cloned());
    let new = file.with_extension("json.new");
    std::fs::write(&new, serde_json::to_vec_pretty(&runs)?)?;
    std::fs::rename(&new, file)
}

pub fn list(open: &OpenDatabase<'_>) -> Outcome<Vec<Entry>> {
    let found = backup::list(&folder(open))
        .map_err(|error| refusal::with_backup(error, Code::BackupFailed, "the backups cannot be listed"))?;
    Ok(found
        .iter()
        .map(|backup| match backup {
            Ok(backup) => entry(backup),
            Err(error) => damaged(error),
        })
        .collect())
}

/// Restores it into a scratch database on the environment's server, and compares.
pub fn verify(open: &OpenDatabase<'_>, id: &str) -> Outcome<Verification> {
    let backup = find(open, id)?;
    let options = VerifyOptions {
        checks: open.checks(),
        ..VerifyOptions::default()
    };
    open.session
        .runtime
        .block_on(backup::verify(&backup, &open.server, &options))
        .map_err(|error| refusal::with_backup(error, Code::BackupUnproven, "the backup stays unverified"))
}

/// Restores it beside the database, compares, and swaps the two.
pub fn restore(open: &OpenDatabase<'_>, id: &str) -> Outcome<Restored> {
    let backup = find(open, id)?;
    open.session
        .runtime
        .block_on(backup::restore(&backup, &open.server, &RestoreOptions::default()))
        .map_err(|error| {
            refusal::with_backup(
                error,
                Code::RestoreFailed,
                "the backup was not restored, and the database serves as before",
            )
        })
}

fn find(open: &OpenDatabase<'_>, id: &str) -> Outcome<Backup> {
    backup::find(&folder(open), id)
        .map_err(|error| refusal::with_backup(error, Code::BackupUnknown, "the backup cannot be used"))
}

fn folder(open: &OpenDatabase<'_>) -> PathBuf {
    open.session.settings.backups_folder(&open.environment().name)
}

fn entry(backup: &Backup) -> Entry {
    let verified = backup.verified.as_ref();
    Entry {
        id: backup.label.clone(),
        kind: Kind::Dump,
        made_at: backup.made_at.parse().ok(),
        bytes: Some(backup.files.iter().map(|file| file.size).sum()),
        schema_version: backup.schema_version,
        verified_at: verified.and_then(|verified| verified.verified_at.parse().ok()),
        problem: None,
    }
}

fn damaged(error: &migrate::BackupError) -> Entry {
    let id = match error {
        migrate::BackupError::Damaged { path } => path
            .ancestors()
            .find(|path| path.is_dir())
            .and_then(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned()),
        _ => None,
    };
    Entry {
        id: id.unwrap_or_else(|| "?".to_owned()),
        kind: Kind::Dump,
        made_at: None,
        bytes: None,
        schema_version: None,
        verified_at: None,
        problem: Some(error.to_string()),
    }
}
