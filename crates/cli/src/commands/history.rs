//! `llama-deploy history ENV`: every rollout, newest first.

use std::sync::Arc;

use orchestrator::driver::HistoryEntry;

use super::Session;
use super::status::result;
use crate::arguments::EnvironmentArgument;
use crate::console::Console;
use crate::failure::Outcome;
use crate::moment::{at, lasting};
use crate::rollout;
use crate::settings::Settings;

/// More than a screen and a year of weekly releases.
const LIMIT: usize = 100;

pub fn run(options: &EnvironmentArgument, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.name())?;
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

/// `  12  2026-03-01 12:05:03Z  alice      release 7 (v1.7.0) went live, after 20 min`
fn line(entry: &HistoryEntry) -> String {
    let number = entry.rollout.to_string();
    if let Some(problem) = &entry.problem {
        return format!("{number:>4}  {problem}");
    }
    let began = entry.began.map(at).unwrap_or_default();
    let what = if entry.is_rollback {
        "rollback to release"
    } else {
        "release"
    };
    let tag = entry.tag.as_deref().map(|tag| format!(" ({tag})")).unwrap_or_default();
    let actor = entry
        .actor
        .as_ref()
        .map(|actor| actor.name.as_str())
        .unwrap_or_default();
    let taken_over = entry
        .ended_by
        .as_ref()
        .filter(|ended_by| Some(*ended_by) != entry.actor.as_ref())
        .map_or_else(String::new, |ended_by| format!(", ended by {}", ended_by.name));
    let lasted = match (entry.began, entry.last_record) {
        (Some(began), Some(end)) => format!(", after {}", lasting(end.duration_since(began))),
        _ => String::new(),
    };
    format!(
        "{number:>4}  {began}  {actor:10} {what} {}{tag} {}{lasted}{taken_over}",
        entry.release,
        result(entry)
    )
}
