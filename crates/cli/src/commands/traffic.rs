//! `llama-deploy traffic show | switch`: who gets the live traffic, and giving all of it to the other slot.

use std::sync::Arc;

use orchestrator::domain::{Release, ReleaseState, Slot};
use orchestrator::driver::{OpenRollout, Status};
use orchestrator::rollout::PhaseName;
use serde_json::json;

use super::{Session, request, status};
use crate::arguments::{EnvironmentArgument, Switch, SwitchTarget, Traffic};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::rollout::{self, Reporter};
use crate::settings::Settings;

pub fn run(command: &Traffic, settings: &Settings, console: &Console) -> Outcome<u8> {
    match command {
        Traffic::Show(options) => show(options, settings, console),
        Traffic::Switch(options) => switch(options, settings, console),
    }
}

fn show(options: &EnvironmentArgument, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.name())?;
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let rollouts = rollout::rollouts(&session, None, Arc::new(()), console)?;
    let status = session.runtime.block_on(rollouts.status()).map_err(rollout::failed)?;
    console.print(&status::traffic_screen(&status, rollout::now()));
    console.print_json(&json!({
        "environment": status.environment, "live": status.live.as_ref().map(|live| live.slot), "slots": status.slots,
        "entry_points": status.apis, "live_aliases": status.aliases, "rollout": status.open.as_ref().map(|open| open.rollout)
    }));
    Ok(0)
}

fn switch(options: &Switch, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.environment.name())?;
    let session = Session::open(settings, environment, console)?;
    let rollouts = rollout::rollouts(&session, None, Arc::new(Reporter::new(console.clone())), console)?;
    let status = session.runtime.block_on(rollouts.status()).map_err(rollout::failed)?;
    match way(&status, options.target)? {
        Way::Already { slot, release } => {
            console.clear();
            console.print(&format!("slot {slot} is live already, with {release}"));
            console.print_json(&json!({ "environment": environment.name, "slot": slot, "switched": false }));
            Ok(0)
        }
        Way::Approve => request::approve(&session, &rollouts, console),
        Way::RollBack { release } => {
            let end = session.runtime.block_on(async {
                rollout::abort_on_signals(&rollouts.interrupt, console)?;
                let end = rollouts.rollback(Some(release.number)).await;
                rollout::tell_head(&rollouts, console).await;
                end.map_err(rollout::failed)
            })?;
            rollout::rolled_back(&end, &environment.name, console)
        }
    }
}

/// What a switch to a slot comes to.
#[derive(Debug, PartialEq)]
enum Way {
    Already {
        slot: Slot,
        release: String,
    },
    /// The slot holds the candidate of a rollout that waits to be let on.
    Approve,
    RollBack {
        release: Box<Release>,
    },
}

/// Only what proved itself gets all of the traffic at once: the release that was live before. A candidate gets it by
/// its rollout's steps.
fn way(status: &Status, target: SwitchTarget) -> Outcome<Way> {
    let refuse = |message: String| Failure::new(Code::SlotUnsuitable, message);
    let Some(live) = &status.live else {
        return Err(refuse(format!("nothing was released in {} yet", status.environment))
            .hint(format!("llama-deploy deploy --env {} --blue-green", status.environment)));
    };
    let slot = match target {
        SwitchTarget::Idle => live.slot.other(),
        SwitchTarget::Blue => Slot::Blue,
        SwitchTarget::Green => Slot::Green,
    };
    if let Some(open) = &status.open {
        return through_rollout(status, open, slot);
    }
    if slot == live.slot {
        let release = format!("release {} ({})", live.number, live.tag);
        return Ok(Way::Already { slot, release });
    }
    match status.slots.get(slot) {
        Some(release) if release.state == ReleaseState::Retained => Ok(Way::RollBack {
            release: Box::new(release.clone()),
        }),
        Some(release) if release.number == live.number => Err(refuse(format!(
            "slot {slot} holds release {} ({}), which is live from slot {}",
            release.number, release.tag, live.slot
        ))),
        Some(release) => Err(refuse(format!(
            "slot {slot} holds release {} ({}), which is {}",
            release.number, release.tag, release.state
        ))
        .hint(way_back(status))),
        None => Err(refuse(format!("what slot {slot} holds is not known")).hint(way_back(status))),
    }
}

fn through_rollout(status: &Status, open: &OpenRollout, slot: Slot) -> Outcome<Way> {
    let (rollout, environment) = (open.rollout, &status.environment);
    if open.slot == Some(slot) && open.state == PhaseName::AwaitingApproval {
        return Ok(Way::Approve);
    }
    let message = format!("rollout {rollout} is at work in {environment} ({})", open.state);
    Err(Failure::new(Code::SlotUnsuitable, message).hint(format!(
        "llama-deploy promote {environment} lets its release go live, llama-deploy abort {environment} --reason R turns it \
         back"
    )))
}

fn way_back(status: &Status) -> String {
    let retained: Vec<String> = status
        .retained
        .iter()
        .map(|release| release.number.to_string())
        .collect();
    if retained.is_empty() {
        "no release is retained: a new one goes there by deploy --blue-green".to_owned()
    } else {
        format!(
            "llama-deploy rollback {} RELEASE goes to any of {}",
            status.environment,
            retained.join(", ")
        )
    }
}
