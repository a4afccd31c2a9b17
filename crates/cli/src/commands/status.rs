//! `llama-deploy status ENV`: what is live, since when, by whom, what is going on and what happened last, in one screen.

mod screen;

use std::sync::Arc;

use super::Session;
use crate::arguments::EnvironmentArgument;
use crate::console::Console;
use crate::failure::Outcome;
use crate::rollout;
use crate::settings::Settings;

pub use screen::{result, traffic_screen};

pub fn run(options: &EnvironmentArgument, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.name())?;
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let rollouts = rollout::rollouts(&session, None, Arc::new(()), console)?;
    let status = session.runtime.block_on(rollouts.status()).map_err(rollout::failed)?;
    console.print(&screen::screen(&status, rollout::now()));
    console.print_json(&status);
    Ok(0)
}
