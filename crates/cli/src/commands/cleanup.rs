//! `llama-deploy cleanup ENV`: gives up the way back to releases whose retention has ended, and deletes what they left.

use std::sync::Arc;

use orchestrator::driver::Cleanup;
use serde_json::json;

use super::Session;
use crate::arguments::Cleanup as Options;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::moment::until;
use crate::rollout::{self, Reporter};
use crate::settings::Settings;

pub fn run(options: &Options, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.environment.name())?;
    if options.now {
        consent(options, &environment.name, console)?;
    }
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let rollouts = rollout::rollouts(&session, None, Arc::new(Reporter::new(console.clone())), console)?;
    let done = session
        .runtime
        .block_on(rollouts.cleanup(options.now))
        .map_err(rollout::failed)?;
    // What is gone is said, whatever comes of the contracts.
    console.clear();
    console.print(&said(&done, &environment.name));
    let contracts = session
        .runtime
        .block_on(rollout::contract::contract_on_cleanup(&session, console))
        .inspect_err(|_| console.print_json(&json!({ "environment": environment.name, "cleanup": done })))?;
    console.clear();
    for file in &contracts.applied {
        console.print(&format!("contracted: {file}"));
    }
    if let Some(because) = &contracts.because {
        let files = contracts.waiting.join(", ");
        console.say(&format!("warning: {files} waits: {because}"));
    }
    console.print_json(&json!({ "environment": environment.name, "cleanup": done, "contracts": contracts }));
    Ok(contracts.hooks.status())
}

/// The way back is given up before its time only by the environment's name.
fn consent(options: &Options, environment: &str, console: &Console) -> Outcome {
    let refused = |message: String| {
        Failure::new(Code::ArgumentsInvalid, message).hint(format!(
            "--now gives up the way back before its time: --confirm {environment} says that this is meant; without --now only \
             what is past its retention goes"
        ))
    };
    let typed = match &options.confirm {
        Some(named) => named.clone(),
        None if console.can_ask() => console
            .ask(&format!(
                "No rollback from the live release of {environment} will be possible. Type the environment's name:"
            ))
            .map_err(|error| Failure::new(Code::Internal, "the answer cannot be read").because(error))?,
        None => return Err(refused("nobody can be asked whether the way back may go".to_owned())),
    };
    if typed == environment {
        Ok(())
    } else {
        Err(refused(format!("'{typed}' is not the environment's name")))
    }
}

fn said(done: &Cleanup, environment: &str) -> String {
    let mut lines = Vec::new();
    let retired: Vec<String> = done.retired.iter().map(ToString::to_string).collect();
    lines.push(if retired.is_empty() {
        format!("no release of {environment} is past its retention")
    } else {
        format!("given up: release {}", retired.join(", "))
    });
    lines.extend(done.removed.iter().map(|what| format!("  deleted {what}")));
    lines.extend(
        done.kept
            .iter()
            .map(|kept| format!("  kept {}: {}", kept.what, kept.because)),
    );
    if let Some(next) = done.next {
        lines.push(format!("the next way back stays {}", until(next, rollout::now())));
    }
    lines.join("\n")
}
