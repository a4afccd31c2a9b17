//! `llama-deploy db backup ENV`: one more backup, of the kind that the environment's `backup` names.

use serde_json::json;

use super::entry::{Kind, Made};
use super::{OpenDatabase, dump, snapshot};
use crate::arguments::DbBackup;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::hooks::Hooks;
use crate::moment;
use crate::rollout::now;
use crate::settings::{Backup, HookTime, Settings};

pub fn run(options: &DbBackup, settings: &Settings, console: &Console) -> Outcome<u8> {
    let kind = kind(options, settings)?;
    let open = OpenDatabase::find(options.environment.name(), settings, console)?;
    let id = options
        .backup_id
        .clone()
        .unwrap_or_else(|| now().strftime("by-hand-%Y%m%d-%H%M%S").to_string());
    console.waiting(&format!("backup {id} of {}", open.server));
    let hooks = Hooks::of(&open.session, console.clone())
        .masking(&open.server)
        .about_backup(&id);
    let (made, hooks) = hooks.around(&open.session.runtime, HookTime::AROUND_BACKUP, || match kind {
        Kind::Dump => dump::back_up(&open, &id),
        Kind::Snapshot => snapshot::back_up(&open, &id, console),
    })?;
    console.clear();
    let environment = &open.environment().name;
    let Made { entry, was_there } = made;
    let id = &entry.id;
    if kind == Kind::Dump {
        dump::note_hooks(&open, id, &hooks, console);
    }
    match (was_there, entry.made_at) {
        (false, _) => console.print(&format!("backup {id} ({kind}) is made")),
        (true, None) => console.print(&format!("backup {id} ({kind}) was there ALREADY, nothing new was made")),
        (true, Some(at)) => console.print(&format!(
            "backup {id} ({kind}) was there ALREADY, of {} ({} ago), nothing new was made",
            moment::at(at),
            moment::lasting(now().duration_since(at))
        )),
    }
    if entry.verified_at.is_none() {
        console.say(&format!(
            "it is unverified until it was restored: llama-deploy db verify {environment} --backup-id {id}"
        ));
    }
    let retained = match kind {
        Kind::Dump => dump::retain(&open, id, console),
        Kind::Snapshot => snapshot::retain(&open, id, console),
    };
    console.print_json(&json!({
        "environment": environment, "backup": entry, "was_there": was_there,
        "deleted": retained.deleted, "not_deleted": retained.not_deleted, "hooks": hooks,
    }));
    Ok(hooks.status().max(retained.status()))
}

fn kind(options: &DbBackup, settings: &Settings) -> Outcome<Kind> {
    let environment = settings.environment(options.environment.name())?;
    match (options.pg_dump, options.rds, environment.backup) {
        (true, _, _) | (false, false, Backup::PgDump) => Ok(Kind::Dump),
        (_, true, _) | (false, false, Backup::RdsSnapshot) => Ok(Kind::Snapshot),
        (false, false, Backup::None) => Err(Failure::new(
            Code::SettingMissing,
            format!("{} makes no backups: its `backup` is \"none\"", environment.name),
        )
        .hint("choose a kind with --pg-dump or --rds")),
    }
}
