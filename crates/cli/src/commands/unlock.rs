//! `llama-deploy unlock ENV --force --reason R`: ends the lease of a holder that is known to be dead, or has to stop.

use std::sync::Arc;

use orchestrator::driver::RolloutError;
use orchestrator::ledger::LockError;
use serde_json::json;

use super::Session;
use crate::arguments::Unlock;
use crate::console::Console;
use crate::failure::Outcome;
use crate::rollout::{self, Reporter};
use crate::settings::Settings;

pub fn run(options: &Unlock, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.environment.name())?;
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let rollouts = rollout::rollouts(&session, None, Arc::new(Reporter::new(console.clone())), console)?;
    let reason = options.reason.as_deref().unwrap_or_default();
    match session.runtime.block_on(rollouts.unlock(options.force, reason)) {
        Ok(broken) => {
            console.print(&format!(
                "the lock of {} is broken. Whoever held it stops before its next change; what it left is settled by \
                 llama-deploy resume, rollback or deploy",
                environment.name
            ));
            console.print_json(&json!({ "environment": environment.name, "broken": broken }));
            Ok(0)
        }
        Err(RolloutError::Lock(LockError::NotHeld)) => {
            console.print(&format!("nobody holds the lock of {}", environment.name));
            console.print_json(&json!({ "environment": environment.name, "broken": null }));
            Ok(0)
        }
        Err(error) => {
            let failure = rollout::failed(error);
            Err(failure.hint("where that run lives, `pause` or `abort` reach it without breaking its lock"))
        }
    }
}
