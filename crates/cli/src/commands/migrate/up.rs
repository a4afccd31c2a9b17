//! `llama-deploy migrate up ENV`: applies what is pending and may run now. Each phase asks for something: a backfill for all
//! traffic on the new version, a seed for an environment that wants seeds, a contract for the end of the old version.

use std::sync::Arc;

use migrate::{Held, MigrationFile, Options, Phase, Phases};
use serde_json::{Value, json};

use super::{OpenDatabase, rehearsal};
use crate::arguments::MigrateUp;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::hooks::{HookRuns, Hooks};
use crate::refusal;
use crate::rollout;
use crate::settings::{HookTime, Settings};

pub fn run(options: &MigrateUp, settings: &Settings, console: &Console) -> Outcome<u8> {
    let open = OpenDatabase::find(options.environment.name(), settings, console)?;
    let migrator = open.migrator()?;
    let runtime = &open.session.runtime;
    let status = runtime
        .block_on(migrator.status(&open.server))
        .map_err(refusal::migrating)?;
    let (wished, too_early) = wished(options, &status.pending, &open, console)?;
    let wished = Options {
        steps: options.steps,
        to: options.to,
        ..wished
    };
    let because = |mut held: Vec<Held>| {
        for held in &mut held {
            if let (Phase::Backfill, Some(reason)) = (held.phase, &too_early) {
                held.reason = format!("{}, and {reason}", held.reason);
            }
        }
        held
    };
    if options.dry_run {
        let rehearsed = runtime
            .block_on(migrator.dry_run(&open.server, &wished, &open.wired.events()))
            .map_err(refusal::migrating)?;
        console.clear();
        rehearsal::show(&rehearsed.files, "apply", console);
        let held_ones = because(rehearsed.held);
        say_held(&held_ones, console);
        if rehearsed.files.is_empty() {
            console.print("nothing would be applied");
        }
        let files: Vec<Value> = rehearsed.files.iter().map(rehearsal::described).collect();
        console.print_json(&json!({
            "environment": open.environment().name, "dry_run": true, "files": files, "held": held(&held_ones),
        }));
        return Ok(0);
    }
    let run = || {
        runtime
            .block_on(migrator.up(&open.server, &wished, &open.wired.events()))
            .map_err(refusal::migrating)
    };
    let plan = status.plan(&wished).map_err(refusal::migrating)?;
    let (report, hooks) = if plan.run().is_empty() {
        (run()?, HookRuns::default())
    } else {
        Hooks::of(&open.session, console.clone()).masking(&open.server).around(
            runtime,
            HookTime::AROUND_MIGRATE,
            run,
        )?
    };
    console.clear();
    let held_ones = because(report.held);
    say_held(&held_ones, console);
    let version = report
        .schema_version
        .map_or_else(|| "none".to_owned(), |version| version.to_string());
    console.print(&format!("{} applied; the schema is at {version}", report.applied.len()));
    let applied: Vec<Value> = report
        .applied
        .iter()
        .map(|applied| json!({ "version": applied.version, "file": applied.file, "took_ms": applied.took.as_millis() }))
        .collect();
    console.print_json(&json!({
        "environment": open.environment().name, "applied": applied, "held": held(&held_ones),
        "schema_version": report.schema_version, "hooks": hooks,
    }));
    Ok(hooks.status())
}

/// What was asked for by name has to be possible; what was not is held where it is not, and why backfills are is said.
fn wished(
    options: &MigrateUp,
    pending: &[MigrationFile],
    open: &OpenDatabase<'_>,
    console: &Console,
) -> Outcome<(Options, Option<String>)> {
    let environment = open.environment();
    let is_asked = |phase: Phase| options.phases.contains(&phase);
    let is_pending = |phase: Phase| pending.iter().any(|file| file.phase == Some(phase));
    if is_asked(Phase::Seed) && !environment.seed {
        return Err(Failure::new(
            Code::PhaseTooEarly,
            format!("{} does not ask for seeds", environment.name),
        )
        .hint(format!(
            "seed = true in [environments.{}] asks for them",
            environment.name
        )));
    }
    let mut phases = options.phases.clone();
    if phases.is_empty() {
        phases.extend([Phase::Expand, Phase::Backfill]);
        phases.extend(environment.seed.then_some(Phase::Seed));
    }
    let mut too_early = None;
    if phases.contains(&Phase::Backfill)
        && is_pending(Phase::Backfill)
        && let Some(reason) = too_early_for_backfills(open, console)?
    {
        if is_asked(Phase::Backfill) {
            return Err(Failure::new(
                Code::PhaseTooEarly,
                format!("a backfill runs when all traffic is on the new version, and {reason}"),
            )
            .hint(format!("llama-deploy status {} says when it is", environment.name)));
        }
        phases.retain(|phase| *phase != Phase::Backfill);
        too_early = Some(reason);
    }
    let wished = Options {
        phases: Phases::of(phases),
        ..Options::rollout()
    };
    if is_asked(Phase::Contract) && is_pending(Phase::Contract) {
        let permit = open.session.runtime.block_on(rollout::contract::may_contract(
            &open.session,
            &open.server,
            open.rds.as_ref(),
            pending,
        ))?;
        console.say(&format!(
            "  what is taken away can be had back from backup {}",
            permit.backup()
        ));
        return Ok((wished.contracting(permit), too_early));
    }
    Ok((wished, too_early))
}

/// Rows that the old version still writes would be missed.
fn too_early_for_backfills(open: &OpenDatabase<'_>, console: &Console) -> Outcome<Option<String>> {
    let rollouts = rollout::rollouts(&open.session, None, Arc::new(()), console)?;
    let status = open
        .session
        .runtime
        .block_on(rollouts.status())
        .map_err(rollout::failed)?;
    Ok(match &status.open {
        Some(open) => Some(format!("rollout {} is open", open.rollout)),
        None => status
            .apis
            .iter()
            .find(|api| !api.as_recorded)
            .map(|api| format!("the traffic of {} is not where the ledger says", api.name)),
    })
}

fn say_held(held: &[Held], console: &Console) {
    for held in held {
        console.say(&format!("  held: {} ({}): {}", held.file, held.phase, held.reason));
    }
}

fn held(held: &[Held]) -> Vec<Value> {
    held.iter()
        .map(|held| json!({ "file": held.file, "phase": held.phase.name(), "reason": held.reason }))
        .collect()
}
