//! `llama-deploy migrate down | rollback ENV`: takes migrations back. Outside of `local` only what is shown to lose nothing,
//! and nothing that the live release was made for.

use migrate::{DownOptions, Loss, MigrateError, Reach};
use serde_json::{Value, json};

use super::{OpenDatabase, rehearsal};
use crate::arguments::{MigrateDown, MigrateRollback};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::rollout;
use crate::settings::Settings;

pub fn down(options: &MigrateDown, settings: &Settings, console: &Console) -> Outcome<u8> {
    let reach = options.to.map_or(Reach::Steps(options.steps), Reach::To);
    take_back(options.environment.name(), reach, options.dry_run, settings, console)
}

pub fn rollback(options: &MigrateRollback, settings: &Settings, console: &Console) -> Outcome<u8> {
    let reach = Reach::To(options.to);
    take_back(options.environment.name(), reach, options.dry_run, settings, console)
}

fn take_back(environment: &str, reach: Reach, dry_run: bool, settings: &Settings, console: &Console) -> Outcome<u8> {
    let open = OpenDatabase::find(environment, settings, console)?;
    let migrator = open.migrator()?;
    let runtime = &open.session.runtime;
    let options = DownOptions {
        reach,
        may_lose: open.environment().is_local(),
        waits: open.by_hand(),
    };
    if dry_run {
        let rehearsed = runtime
            .block_on(migrator.down_dry_run(&open.server, &options, &open.wired.events()))
            .map_err(refusal::migrating)?;
        console.clear();
        rehearsal::show(&rehearsed, "take back with", console);
        let files: Vec<Value> = rehearsed.iter().map(rehearsal::described).collect();
        console.print_json(&json!({ "environment": environment, "dry_run": true, "files": files }));
        return Ok(0);
    }
    if !open.environment().is_local() {
        let status = runtime
            .block_on(migrator.status(&open.server))
            .map_err(refusal::migrating)?;
        let oldest = status.within(reach).map_err(refusal::migrating)?;
        if let Some(oldest) = oldest.last() {
            refuse_what_is_needed(&open, oldest.version, console)?;
        }
        // Looked at as a whole first: a way back that ends half way helps nobody.
        let rehearsed = runtime
            .block_on(migrator.down_dry_run(&open.server, &options, &open.wired.events()))
            .map_err(refusal::migrating)?;
        let losses: Vec<Loss> = rehearsed.into_iter().flat_map(|one| one.losses).collect();
        if !losses.is_empty() {
            return Err(refusal::migrating(MigrateError::WouldLose { losses }));
        }
    }
    let taken = runtime
        .block_on(migrator.down(&open.server, &options, &open.wired.events()))
        .map_err(refusal::migrating)?;
    let status = runtime
        .block_on(migrator.status(&open.server))
        .map_err(refusal::migrating)?;
    console.clear();
    let version = status
        .schema_version()
        .map_or_else(|| "none".to_owned(), |version| version.to_string());
    console.print(&format!("{} taken back; the schema is at {version}", taken.len()));
    console.print_json(&json!({
        "environment": environment, "taken_back": taken, "schema_version": status.schema_version(),
    }));
    Ok(0)
}

/// A release was tested against the schema that it found; what takes that away takes it from who serves now, or is about to.
fn refuse_what_is_needed(open: &OpenDatabase<'_>, oldest: i64, console: &Console) -> Outcome {
    let rollouts = rollout::rollouts(&open.session, None, std::sync::Arc::new(()), console)?;
    let status = open
        .session
        .runtime
        .block_on(rollouts.status())
        .map_err(rollout::failed)?;
    let environment = &open.environment().name;
    if let Some(rollout) = &status.open {
        let message = format!(
            "rollout {} is open, and release {} may need what would be taken back",
            rollout.rollout, rollout.release
        );
        return Err(Failure::new(Code::DataWouldBeLost, message).hint(format!(
            "let it end first: llama-deploy resume {environment}, or llama-deploy rollback {environment}"
        )));
    }
    let Some(live) = status.live else { return Ok(()) };
    let needed = live
        .schema_version
        .as_deref()
        .and_then(|version| version.parse::<i64>().ok());
    match needed {
        Some(needed) if oldest <= needed => Err(Failure::new(
            Code::DataWouldBeLost,
            format!(
                "release {} is live and was made for the schema {needed}, which would be taken back to before {oldest}",
                live.number
            ),
        )
        .hint(format!(
            "the way forward is a new migration that makes the schema what it should be: llama-deploy migrate make NAME; \
             or turn the traffic back first: llama-deploy rollback {environment}"
        ))),
        _ => Ok(()),
    }
}
