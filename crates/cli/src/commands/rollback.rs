//! `llama-deploy rollback ENV [RELEASE]`: the live traffic back to a release that was live before.

use std::sync::Arc;

use orchestrator::domain::ReleaseNumber;

use super::Session;
use crate::arguments::Rollback;
use crate::console::Console;
use crate::failure::Outcome;
use crate::rollout::{self, Reporter};
use crate::settings::Settings;

pub fn run(options: &Rollback, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(&options.environment)?;
    let session = Session::open(settings, environment, console)?;
    let rollouts = rollout::rollouts(&session, None, Arc::new(Reporter::new(console.clone())), console)?;
    let end = session.runtime.block_on(async {
        rollout::abort_on_signals(&rollouts.interrupt, console)?;
        rollouts
            .rollback(options.release.map(ReleaseNumber))
            .await
            .map_err(rollout::failed)
    })?;
    rollout::rolled_back(&end, &environment.name, console)
}
