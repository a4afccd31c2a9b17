//! One module a command: arguments and settings in, one library call, what to show out.

mod audit;
mod backup;
mod bootstrap;
mod cache;
mod cleanup;
mod database;
mod db;
mod deploy;
mod destroy;
mod diff;
mod explain;
mod history;
mod init;
mod interrupts;
mod list;
mod local;
mod migrate;
mod monitor;
mod request;
mod rollback;
mod smoke;
mod status;
mod synth;
mod traffic;
mod unlock;
mod validate;

use std::path::{Path, PathBuf};

use crate::app::{self, Invocation};
use crate::arguments::{AppOptions, Arguments, Command, EnvironmentAndNumber};
use crate::assembly::{self, Stack};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::function_build;
use crate::session::Session;
use crate::settings::{Environment, LOCAL, Settings, Surroundings};

/// Runs the command; the exit status of one that did what it was asked.
pub fn run(arguments: &Arguments, surroundings: &Surroundings, console: &Console) -> Outcome<u8> {
    let settings = || Settings::load(arguments.global.config.as_deref(), surroundings);
    match &arguments.command {
        Command::Init(options) => init::run(options, surroundings, console),
        Command::Bootstrap(options) => bootstrap::run(options, &settings()?, console),
        Command::Synth(options) => synth::run(options, &settings()?, surroundings, console),
        Command::List(options) => list::run(options, &settings()?, console),
        Command::Diff(options) => diff::run(options, &settings()?, console),
        Command::Validate(options) => validate::run(options, surroundings, console, &settings),
        Command::Destroy(options) => destroy::run(options, &settings()?, console),
        Command::Deploy(options) => deploy::run(options, arguments.global.verbose > 0, &settings()?, console),
        Command::Rollback(options) => rollback::run(options, &settings()?, console),
        Command::Status(options) => status::run(options, &settings()?, console),
        Command::History(options) => history::run(options, &settings()?, console),
        Command::Pause(options) => request::pause(options, &settings()?, console),
        Command::Resume(options) => request::resume(options, &settings()?, console),
        Command::Approve(options) => request::approved(options, &settings()?, console),
        Command::Promote(options) => request::promote(options, &settings()?, console),
        Command::Abort(options) => request::abort(options, &settings()?, console),
        Command::Cleanup(options) => cleanup::run(options, &settings()?, console),
        Command::Unlock(options) => unlock::run(options, &settings()?, console),
        Command::Monitor(options) => monitor::run(options, &settings()?, console),
        Command::Smoke(options) => smoke::run(options, &settings()?, console),
        Command::Traffic(command) => traffic::run(command, &settings()?, console),
        Command::Audit(command) => audit::run(command, &settings()?, console),
        Command::Migrate(command) => migrate::run(command, &settings()?, console),
        Command::Backup(options) => backup::run(options, &settings()?, console),
        Command::Db(command) => db::run(command, &settings()?, console),
        Command::Cache(command) => cache::run(command, &settings()?, console),
        Command::Explain(options) => explain::run(options, console),
        Command::Local(command) => local::run(command, &settings()?, console),
    }
}

/// Runs the app for the environment and reads what it wrote into `output`.
fn assemble<'a>(
    settings: &'a Settings,
    options: &AppOptions,
    output: PathBuf,
    console: &Console,
) -> Outcome<(&'a Environment, Vec<Stack>)> {
    let environment = settings.environment(options.environment.as_deref().unwrap_or(LOCAL))?;
    let mut context = environment.context.clone();
    context.extend(options.context.iter().cloned());
    let invocation = Invocation {
        output,
        context,
        account: environment.account.clone(),
        region: Some(environment.region.clone()),
    };
    app::run(settings, environment, &invocation, console)?;
    console.clear();
    let stacks = assembly::read(&invocation.output)?;
    function_build::check(settings, environment, &stacks)?;
    Ok((environment, stacks))
}

/// The same into the environment's own folder; of the stacks those that were named, with what they depend on.
fn assemble_selected<'a>(
    settings: &'a Settings,
    options: &AppOptions,
    named: &[String],
    console: &Console,
) -> Outcome<(&'a Environment, Vec<Stack>)> {
    let folder = settings.environment_folder(options.environment.as_deref().unwrap_or(LOCAL));
    let (environment, stacks) = assemble(settings, options, folder.join("assembly"), console)?;
    Ok((environment, assembly::select(stacks, named)?))
}

/// The environment and the number of a `what`, as they were typed.
fn environment_and_number<'a>(
    options: &'a EnvironmentAndNumber,
    what: &str,
) -> Outcome<(Option<&'a str>, Option<u32>)> {
    options
        .resolve()
        .map_err(|word| Failure::new(Code::ArgumentsInvalid, format!("'{word}' is no number of a {what}")))
}

fn relative<'a>(path: &'a Path, to: &Path) -> &'a Path {
    path.strip_prefix(to).unwrap_or(path)
}

/// Whether losing a resource of this type loses what it holds: the schema calls it stateful, or it encrypts data.
fn holds_data(resource_type: &str) -> bool {
    resource_type == "AWS::KMS::Key" || cfn::schema::resource(resource_type).is_some_and(|schema| schema.stateful)
}
