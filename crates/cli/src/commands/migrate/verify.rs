//! `llama-deploy migrate verify ENV`: the files against the database's records and its catalogue, for a pipeline: status 1
//! where they disagree. `repair` says what to do about it.

use migrate::Remedy;
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
    let (status, remedies) = open
        .session
        .runtime
        .block_on(async {
            let status = migrator.status(&open.server).await?;
            Ok((status, migrator.diagnose(&open.server).await?))
        })
        .map_err(refusal::migrating)?;
    let mut problems: Vec<Value> = Vec::new();
    let mut found = |kind: &str, problem: String| {
        console.print(&format!("PROBLEM  {problem}"));
        problems.push(json!({ "kind": kind, "problem": problem }));
    };
    for problem in &status.problems {
        found(problem.kind(), problem.to_string());
    }
    for remedy in &remedies {
        if let Remedy::DropInvalidIndex { index } = remedy {
            found(
                "invalid_index",
                format!("the index {index} is invalid: writers keep it, and nobody reads it"),
            );
        }
    }
    for file in status.pending.iter().filter(|file| file.phase.is_none()) {
        found(
            "no_phase",
            format!(
                "{} is pending and names no phase, so nobody knows when it may run",
                file.file
            ),
        );
    }
    let environment = &open.environment().name;
    if problems.is_empty() {
        console.print(&format!(
            "{} applied migrations are as their files say, {} are pending",
            status.applied.len(),
            status.pending.len()
        ));
    } else {
        console.say(&format!(
            "llama-deploy migrate repair {environment} says what can be done about each"
        ));
    }
    console.print_json(&json!({
        "environment": environment, "applied": status.applied.len(), "pending": status.pending.len(),
        "problems": problems,
    }));
    Ok(u8::from(!problems.is_empty()))
}
