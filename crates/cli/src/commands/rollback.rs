//! `llama-deploy rollback ENV [RELEASE]`: the live traffic back to a release that was live before.

use std::sync::Arc;

use orchestrator::domain::ReleaseNumber;

use super::{Session, environment_and_number};
use crate::arguments::EnvironmentAndNumber;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::rollout::{self, Reporter};
use crate::settings::Settings;

pub fn run(options: &EnvironmentAndNumber, settings: &Settings, console: &Console) -> Outcome<u8> {
    let (named, release) = environment_and_number(options, "release")?;
    // Not `local` without a word: whoever types this wants to move live traffic.
    let named = named.ok_or_else(|| {
        Failure::new(Code::ArgumentsInvalid, "no environment is named").hint("llama-deploy rollback ENV [RELEASE]")
    })?;
    let environment = settings.environment(named)?;
    let session = Session::open(settings, environment, console)?;
    let rollouts = rollout::rollouts(&session, None, Arc::new(Reporter::new(console.clone())), console)?;
    let end = session.runtime.block_on(async {
        rollout::abort_on_signals(&rollouts.interrupt, console)?;
        let end = rollouts.rollback(release.map(ReleaseNumber)).await;
        rollout::tell_head(&rollouts, console).await;
        end.map_err(rollout::failed)
    })?;
    rollout::rolled_back(&end, &environment.name, console)
}
