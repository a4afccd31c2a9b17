//! `llama-deploy history ENV`: the rollouts and rollbacks of an environment, newest first.

use std::sync::Arc;

use orchestrator::driver::{HistoryEntry, RolloutResult};

use super::Session;
use crate::arguments::EnvironmentArgument;
use crate::console::Console;
use crate::failure::Outcome;
use crate::rollout;
use crate::settings::Settings;

/// More than a screen and a year of weekly releases.
const LIMIT: usize = 100;

pub fn run(options: &EnvironmentArgument, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(&options.environment)?;
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let rollouts = rollout::rollouts(&session, None, Arc::new(()), console)?;
    let entries = session
        .runtime
        .block_on(rollouts.history(LIMIT))
        .map_err(rollout::failed)?;
    if entries.is_empty() {
        console.print(&format!("nothing was rolled out in {} yet", environment.name));
    }
    for entry in &entries {
        console.print(&line(entry));
    }
    console.print_json(&serde_json::json!({ "environment": environment.name, "rollouts": entries }));
    Ok(0)
}

fn line(entry: &HistoryEntry) -> String {
    if let Some(problem) = &entry.problem {
        return format!("{:>4}  {problem}", entry.rollout.to_string());
    }
    let began = entry
        .began
        .map(|began| began.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
        .unwrap_or_default();
    let what = if entry.is_rollback { "rollback to" } else { "release" };
    let tag = entry.tag.as_deref().map(|tag| format!(" ({tag})")).unwrap_or_default();
    let result = match &entry.result {
        Some(RolloutResult::Promoted) => "live".to_owned(),
        Some(RolloutResult::RolledBack { reason }) => format!("turned back: {reason}"),
        Some(RolloutResult::NeedsHuman { found }) => format!("needs a human: {found}"),
        None => format!("unfinished: {}", entry.state),
    };
    let actor = entry
        .actor
        .as_ref()
        .map(|actor| format!("  by {}", actor.name))
        .unwrap_or_default();
    format!(
        "{:>4}  {began}  {what} {}{tag}: {result}{actor}",
        entry.rollout.to_string(),
        entry.release
    )
}
