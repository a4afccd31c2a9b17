//! `llama-deploy smoke ENV [--target live|idle|blue|green]`: the environment's smoke checks, whenever somebody wants.

use std::sync::Arc;

use orchestrator::domain::Slot;
use orchestrator::driver::{SmokeReport, SmokeWhere};

use super::Session;
use crate::arguments::{SlotName, Smoke};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::rollout::{self, Reporter};
use crate::settings::Settings;

pub fn run(options: &Smoke, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.environment.name())?;
    let session = Session::open(settings, environment, console)?;
    console.clear();
    // With --json the report is the one document; without it every check is a line.
    let rollouts = if console.is_json() {
        rollout::rollouts(&session, None, Arc::new(()), console)?
    } else {
        rollout::rollouts(&session, None, Arc::new(Reporter::new(console.clone())), console)?
    };
    let target = match options.target {
        SlotName::Live => SmokeWhere::Live,
        SlotName::Idle => SmokeWhere::Idle,
        SlotName::Blue => SmokeWhere::Slot(Slot::Blue),
        SlotName::Green => SmokeWhere::Slot(Slot::Green),
    };
    let report = session
        .runtime
        .block_on(rollouts.smoke(target))
        .map_err(rollout::failed)?;
    console.print_json(&report);
    let what = named(&report);
    let failed: Vec<&str> = report
        .results
        .iter()
        .filter(|result| !result.passed)
        .map(|result| result.name.as_str())
        .collect();
    if failed.is_empty() {
        console.print(&format!("{what}: {} checks passed", report.results.len()));
        return Ok(0);
    }
    let failure = Failure::new(
        Code::ChecksFailed,
        format!(
            "{what}: {} of {} checks failed: {}",
            failed.len(),
            report.results.len(),
            failed.join(", ")
        ),
    );
    Err(if report.is_live {
        failure.hint(format!(
            "llama-deploy rollback {} goes back to the release before",
            environment.name
        ))
    } else {
        failure.hint("the slot is idle: nobody sees it")
    })
}

/// `prod, slot green (live), release 7 (v1.7.0)`
fn named(report: &SmokeReport) -> String {
    let role = if report.is_live { "live" } else { "idle" };
    let release = match (report.release, &report.tag) {
        (Some(release), Some(tag)) => format!("release {release} ({tag})"),
        _ => "a release that the ledger does not know".to_owned(),
    };
    format!("{}, slot {} ({role}), {release}", report.environment, report.slot)
}
