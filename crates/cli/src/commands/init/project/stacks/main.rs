//! The infrastructure of {{name}}. `llama-deploy` builds this program and runs it; it writes CloudFormation templates and
//! talks to nobody.

mod service;

use std::path::Path;
use std::process::ExitCode;

use stack::{App, Scope};

fn main() -> ExitCode {
    // `functions` in llama-deploy.toml says what is built into this folder.
    stack::run(|app| {
        service::build(app, &environment(app), Path::new("target/functions"));
    })
}

/// The name of the environment that is deployed; llama-deploy gives it to the app as context.
fn environment(app: &App) -> String {
    let name = app.construct().context("environment");
    name.and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_else(|| "prod".to_owned())
}
