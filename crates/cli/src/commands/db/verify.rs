//! `llama-deploy db verify ENV [--backup-id ID]`: restores a backup into a scratch database and compares. Nothing less
//! proves one.

use serde_json::json;

use super::entry::{self, Kind};
use super::{OpenDatabase, dump};
use crate::arguments::DbVerify;
use crate::console::Console;
use crate::failure::Outcome;
use crate::settings::Settings;

pub fn run(options: &DbVerify, settings: &Settings, console: &Console) -> Outcome<u8> {
    let open = OpenDatabase::find(options.environment.name(), settings, console)?;
    let entry = entry::find(&open, options.backup_id.as_deref())?;
    let environment = &open.environment().name;
    match entry.kind {
        Kind::Dump => {
            console.waiting(&format!("restoring {} into a scratch database", entry.id));
            let verified = dump::verify(&open, &entry.id)?;
            console.clear();
            let checks = match verified.checks.len() {
                0 => String::new(),
                count => format!(", {count} checks passed"),
            };
            console.print(&format!(
                "backup {} restores: {} tables with {} rows are as they were{checks} ({} s)",
                entry.id, verified.tables, verified.rows, verified.took_seconds
            ));
            console.print_json(&json!({ "environment": environment, "backup": entry.id, "verification": verified }));
        }
        Kind::Snapshot => return super::snapshot::verify(&open, &entry, console),
    }
    Ok(0)
}
