//! The binary `llama-deploy`: arguments, settings, wiring, reporters.
//!
//! It holds no decision about templates, traffic or schemas: those are in the libraries. A command file merges its
//! arguments with the settings, calls a library, and shows what comes back.

mod app;
mod arguments;
mod assembly;
mod cargo_build;
mod checkout;
mod codes;
mod commands;
mod console;
mod embedded;
mod failure;
mod function_build;
mod hooks;
mod moment;
mod paint;
mod refusal;
mod retention;
mod rollout;
mod session;
mod settings;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use orchestrator::ledger::Actor;

use crate::arguments::{Arguments, Command, Local};
use crate::console::Console;
use crate::failure::{Code, Failure};
use crate::settings::Surroundings;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let console = Console::new(arguments.global.json);
    trace(&arguments);
    let ended = surroundings().and_then(|surroundings| commands::run(&arguments, &surroundings, &console));
    console.clear();
    match ended {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            console.failure(&failure);
            ExitCode::from(failure.exit_status())
        }
    }
}

/// What the libraries tell about their calls goes to stderr: with -v, and always into the embedded cloud's log. Only our
/// own crates are heard; a dependency might tell what it sends.
fn trace(arguments: &Arguments) {
    let serving = matches!(arguments.command, Command::Local(Local::Serve { .. }));
    let level = match arguments.global.verbose {
        0 if serving => "info",
        0 => return,
        1 => "info",
        _ => "debug",
    };
    let ours = ["llama_deploy", "aws", "orchestrator", "migrate", "localcloud"];
    let filter = ours.map(|target| format!("{target}={level}")).join(",");
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
}

/// The one place that reads what the process was started with.
fn surroundings() -> Result<Surroundings, Failure> {
    let folder = std::env::current_dir()
        .map_err(|error| Failure::new(Code::Internal, "the current folder cannot be read").because(error))?;
    let cargo_target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let database_url = std::env::var_os("DATABASE_URL").map(|url| url.to_string_lossy().into_owned());
    let name = ["GITHUB_ACTOR", "USER", "LOGNAME"].iter().find_map(std::env::var_os);
    let actor = Actor {
        name: name.map_or_else(
            || format!("uid {}", rustix::process::getuid().as_raw()),
            |name| name.to_string_lossy().into_owned(),
        ),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        process_id: std::process::id(),
    };
    Ok(Surroundings {
        cargo_target: cargo_target.map(|target| folder.join(target)),
        database_url,
        actor,
        folder,
    })
}
