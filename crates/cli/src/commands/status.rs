//! `llama-deploy status ENV`: what is live, since when, by whom, and what happened last, in one screen.

use std::sync::Arc;

use orchestrator::driver::{ApiStatus, Status};

use super::Session;
use crate::arguments::EnvironmentArgument;
use crate::console::Console;
use crate::failure::Outcome;
use crate::rollout;
use crate::settings::Settings;

pub fn run(options: &EnvironmentArgument, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(&options.environment)?;
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let rollouts = rollout::rollouts(&session, None, Arc::new(()), console)?;
    let status = session.runtime.block_on(rollouts.status()).map_err(rollout::failed)?;
    console.print(&screen(&status));
    console.print_json(&status);
    Ok(0)
}

fn screen(status: &Status) -> String {
    let mut lines = vec![format!("environment {}", status.environment)];
    match &status.live {
        Some(release) => {
            let since = status
                .live_since
                .map(|since| format!(" since {since}"))
                .unwrap_or_default();
            lines.push(format!(
                "live        release {} ({}) in slot {}{since}",
                release.number, release.tag, release.slot
            ));
            for function in &release.functions {
                lines.push(format!("            {} version {}", function.name, function.version));
            }
            if let Some(schema) = &release.schema_version {
                lines.push(format!("schema      {schema}"));
            }
        }
        None => lines.push("live        nothing was released yet".to_owned()),
    }
    lines.extend(status.apis.iter().map(api));
    if !status.retained.is_empty() {
        let releases: Vec<String> = status
            .retained
            .iter()
            .map(|release| format!("{} ({})", release.number, release.tag))
            .collect();
        lines.push(format!("rollback to {}", releases.join(", ")));
    }
    match &status.lock {
        Some(lock) => lines.push(format!(
            "lock        held by {} since {}, until {}",
            lock.owner, lock.since, lock.until
        )),
        None => lines.push("lock        free".to_owned()),
    }
    if let Some(open) = &status.open {
        let doing = open
            .pending
            .as_ref()
            .map(|effect| format!(", {effect}"))
            .unwrap_or_default();
        lines.push(format!(
            "unfinished  rollout {} is {}{doing}; `rollback` or the next deploy settles it",
            open.rollout, open.state
        ));
    }
    if let Some(problem) = &status.journal_problem {
        lines.push(format!("JOURNAL     {problem}"));
    }
    lines.join("\n")
}

fn api(api: &ApiStatus) -> String {
    let traffic = match (&api.traffic, &api.problem) {
        (_, Some(problem)) => format!("cannot be seen: {problem}"),
        (Some(traffic), _) => {
            let slot = traffic
                .slot
                .map_or_else(|| "no slot".to_owned(), |slot| slot.to_string());
            match &traffic.canary {
                Some(canary) => format!(
                    "{slot}, with {} to {}",
                    canary.weight,
                    canary.slot.map_or("no slot", |slot| slot.as_str())
                ),
                None => format!("all to {slot}"),
            }
        }
        (None, None) => "unknown".to_owned(),
    };
    let recorded = if api.as_recorded {
        ""
    } else {
        "  (NOT as the ledger says)"
    };
    format!("traffic     {} {}: {traffic}{recorded}", api.name, api.live_url)
}
