//! Runs the user's app, which writes a cloud assembly, by the CDK's own protocol: the output folder and the context
//! are environment variables. So any app that the `cdk` CLI can run, ours can.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo_build::{BuildError, Progress};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::function_build;
use crate::settings::{App, Environment, Settings};

/// What the app is told.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub output: PathBuf,
    pub context: BTreeMap<String, String>,
    pub account: Option<String>,
    pub region: Option<String>,
}

/// Builds the functions and the app if they changed, runs the app, and leaves the assembly in `invocation.output`.
pub fn run(settings: &Settings, environment: &Environment, invocation: &Invocation, console: &Console) -> Outcome {
    function_build::run(settings, environment, &|progress| {
        building(progress, "functions", console);
    })?;
    let (program, arguments) = match &settings.app {
        App::Package(package) => (build_app(settings, package, console)?, Vec::new()),
        App::Command(words) => {
            let (program, arguments) = words.split_first().ok_or_else(|| {
                Failure::new(
                    Code::ConfigInvalid,
                    format!("{}: app.command is empty", settings.file.display()),
                )
            })?;
            (PathBuf::from(program), arguments.to_vec())
        }
    };
    std::fs::create_dir_all(&invocation.output).map_err(|error| {
        Failure::new(
            Code::AppFailed,
            format!("cannot make the folder {}", invocation.output.display()),
        )
        .because(error)
    })?;
    let context = serde_json::to_string(&invocation.context)
        .map_err(|error| Failure::new(Code::Internal, "the context cannot be written as JSON").because(error))?;
    let mut command = Command::new(&program);
    command
        .args(&arguments)
        .current_dir(&settings.root)
        .stdin(Stdio::null());
    command.env(
        "CDK_OUTDIR",
        std::path::absolute(&invocation.output).unwrap_or_else(|_| invocation.output.clone()),
    );
    command.env("CDK_CONTEXT_JSON", context);
    for (name, value) in [
        ("CDK_DEFAULT_ACCOUNT", &invocation.account),
        ("CDK_DEFAULT_REGION", &invocation.region),
    ] {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().map_err(|error| {
        Failure::new(Code::AppFailed, format!("cannot start the app {}", program.display()))
            .because(error)
            .hint(format!("check [app] in {}", settings.file.display()))
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(app_failure(&program, &output))
}

fn app_failure(program: &Path, output: &std::process::Output) -> Failure {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim_end();
    let how = match output.status.code() {
        Some(code) => format!("exit status {code}"),
        None => output.status.to_string(),
    };
    // Our own apps print `error[…]` lines that name the construct and its source line; LD1003 is a missing asset.
    let code = if said.contains("error[LD1003]") {
        Code::ArtifactMissing
    } else {
        Code::AppFailed
    };
    let failure = Failure::new(code, format!("the app {} failed with {how}", program.display()));
    let failure = if said.is_empty() {
        failure
    } else {
        failure.because(anyhow::anyhow!("{said}"))
    };
    failure.hint("nothing was deployed: correct the app and run the command again")
}

fn build_app(settings: &Settings, package: &str, console: &Console) -> Outcome<PathBuf> {
    let built = settings.cargo_build("dev").ensure(&[package.to_owned()], &|progress| {
        building(progress, "the app", console)
    });
    let built = built.map_err(build_failure)?;
    built
        .into_iter()
        .next()
        .ok_or_else(|| Failure::new(Code::Internal, "one package was built, none came back"))
}

fn build_failure(error: BuildError) -> Failure {
    Failure::new(Code::AppDoesNotCompile, "the app does not compile")
        .because(error)
        .hint("nothing was deployed: correct the code and run the command again")
}

fn building(progress: Progress<'_>, what: &str, console: &Console) {
    match progress {
        Progress::Starting(packages) => console.waiting(&format!("building {what}: {}", packages.join(", "))),
        Progress::Line(line) => console.ticking(&format!("building {what}: {line}")),
    }
}
