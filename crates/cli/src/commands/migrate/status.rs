//! `llama-deploy migrate status ENV`: what is applied, what is pending, and what does not fit.

use serde_json::{Value, json};

use super::OpenDatabase;
use crate::arguments::EnvironmentArgument;
use crate::console::Console;
use crate::failure::Outcome;
use crate::refusal;
use crate::settings::Settings;

pub fn run(options: &EnvironmentArgument, settings: &Settings, console: &Console) -> Outcome<u8> {
    let open = OpenDatabase::find(options.name(), settings, console)?;
    let migrator = open.migrator()?;
    let status = open
        .session
        .runtime
        .block_on(migrator.status(&open.server))
        .map_err(refusal::migrating)?;
    for applied in &status.applied {
        console.print(&format!(
            "applied  {}  {} {}",
            applied.installed_on, applied.version, applied.description
        ));
    }
    for pending in &status.pending {
        let phase = pending.phase.map_or("no phase", |phase| phase.name());
        console.print(&format!("pending  {phase:9} {}", pending.file));
    }
    for problem in &status.problems {
        console.print(&format!("PROBLEM  {problem}"));
    }
    let applied: Vec<Value> = status
        .applied
        .iter()
        .map(|applied| {
            json!({
                "version": applied.version, "description": applied.description, "installed_on": applied.installed_on,
            })
        })
        .collect();
    let pending: Vec<Value> = status
        .pending
        .iter()
        .map(|file| {
            json!({
                "version": file.version, "file": file.file, "phase": file.phase.map(|phase| phase.name()),
                "has_down": file.has_down(),
            })
        })
        .collect();
    let problems: Vec<Value> = status
        .problems
        .iter()
        .map(|problem| json!({ "kind": problem.kind(), "problem": problem.to_string() }))
        .collect();
    console.print_json(&json!({
        "environment": open.environment().name, "schema_version": status.schema_version(),
        "applied": applied, "pending": pending, "problems": problems,
    }));
    Ok(u8::from(!status.problems.is_empty()))
}
