//! `llama-deploy monitor ENV --duration 15m [--rollback-on-breach]`: the gates of a rollout, asked about what is live.

use std::sync::Arc;

use orchestrator::driver::{MonitorEnd, MonitorReport, Rollouts};

use super::Session;
use crate::arguments::Monitor;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::moment::lasting;
use crate::rollout::{self, Reporter};
use crate::settings::Settings;

pub fn run(options: &Monitor, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.environment.name())?;
    let session = Session::open(settings, environment, console)?;
    let reporter = Arc::new(Reporter::new(console.clone()));
    let rollouts = rollout::rollouts(&session, None, reporter, console)?;
    let report = session
        .runtime
        .block_on(rollouts.monitor(options.duration))
        .map_err(rollout::failed)?;
    console.clear();
    console.print_json(&serde_json::json!({ "event": "monitored", "report": report }));
    let what = format!("release {} ({}) in {}", report.release, report.tag, environment.name);
    let watched = lasting(report.until.duration_since(report.since));
    match &report.end {
        MonitorEnd::Passed => {
            console.print(&format!(
                "{what}: nothing to object for {watched}, {} calls",
                report.judgement.requests
            ));
            Ok(0)
        }
        MonitorEnd::Undecided => Err(Failure::new(
            Code::GateUndecided,
            format!("{what}: no gate failed for {watched}, and not all could decide"),
        )
        .because(anyhow::anyhow!("{}", report.judgement.summary()))),
        MonitorEnd::Replaced { by } => {
            let now = by.map_or_else(
                || "nothing that the ledger knows".to_owned(),
                |by| format!("release {by}"),
            );
            Err(Failure::new(
                Code::LockHeld,
                format!("{what} was watched for {watched}, and {now} is live now"),
            ))
        }
        MonitorEnd::Failed if options.rollback_on_breach => roll_back(&rollouts, &report, &what, &session, console),
        MonitorEnd::Failed => Err(breached(
            Code::GateFailed,
            &report,
            format!("{what}: a gate failed after {watched}"),
        )
        .hint(format!(
            "llama-deploy rollback {} goes back to the release before",
            environment.name
        ))),
    }
}

fn roll_back(
    rollouts: &Rollouts,
    report: &MonitorReport,
    what: &str,
    session: &Session<'_>,
    console: &Console,
) -> Outcome<u8> {
    console.say(&format!("BREACH: {what}: {}: rolling back", report.judgement.summary()));
    let end = session.runtime.block_on(async {
        rollout::abort_on_signals(&rollouts.interrupt, console)?;
        let end = rollouts.rollback(None).await;
        rollout::tell_head(rollouts, console).await;
        end.map_err(rollout::failed)
    })?;
    rollout::rolled_back(&end, &session.environment.name, console)?;
    // It is what was asked for, and all the same no success: the release that was to stay did not.
    let back = format!("{what} was rolled back; release {} serves", end.release);
    Err(breached(Code::RolledBack, report, back))
}

fn breached(code: Code, report: &MonitorReport, message: String) -> Failure {
    Failure::new(code, message).because(anyhow::anyhow!("{}", report.judgement.summary()))
}
