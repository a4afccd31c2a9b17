//! The platform's infrastructure: an app that writes a cloud assembly.
//!
//! `llama-deploy` builds and runs it, and so can the `cdk` of npm (`cdk synth --app target/debug/stacks`). The context
//! value `environment` (dev, staging, prod, local) says how large everything is. It talks to nobody.

mod environment;
mod monitoring;
mod phase2;

use std::path::Path;
use std::process::ExitCode;

use environment::Environment;

/// Where `cargo xtask functions` puts the platform's functions.
const ARTIFACTS: &str = "target/functions";

fn main() -> ExitCode {
    stack::run(|app| {
        let environment = Environment::of(app);
        let phase2 = phase2::build(app, environment, Path::new(ARTIFACTS));
        monitoring::build(app, &phase2);
    })
}

#[cfg(test)]
mod tests;
