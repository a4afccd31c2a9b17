//! What can be typed: the grammar of the command line and nothing else.

mod database;
mod operate;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use self::database::{
    Backup, Cache, CacheHealthCheck, Db, DbBackup, DbRestore, DbVerify, Migrate, MigrateBaseline, MigrateDown,
    MigrateLint, MigrateMake, MigrateRepair, MigrateRollback, MigrateUp,
};
pub use self::operate::{
    Audit, Cleanup, EnvironmentAndNumber, EnvironmentArgument, Monitor, Request, RequestWithReason, SlotName, Smoke,
    Switch, SwitchTarget, Traffic, Unlock,
};
use crate::settings::Approval;

#[derive(Debug, Parser)]
#[command(
    name = "llama-deploy",
    version,
    about,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The settings file; without it `llama-deploy.toml` in this folder or the nearest one above
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write data as JSON on stdout, one document, or one line an event where a command goes on
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more: -v what is called, -vv how it is answered
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a project in a new folder that synthesizes at once
    Init(Init),
    /// Prepare an environment: the bucket, the repository and the roles that deploys use, by the CDK's names
    Bootstrap(Bootstrap),
    /// Run the app and write its CloudFormation templates
    Synth(Synth),
    /// List the app's stacks
    List(List),
    /// Show what a deploy would change
    Diff(Diff),
    /// Judge the templates by AWS's rules and the policy packs, offline
    Validate(Validate),
    /// Deploy the stacks; with --blue-green also release, test and shift the traffic
    Deploy(Deploy),
    /// Delete stacks, after saying what would be lost and asking for the environment's name
    Destroy(Destroy),
    /// Turn the traffic back to the previous release, or to a named one (`rollback ENV [RELEASE]`)
    Rollback(EnvironmentAndNumber),
    /// Hold the open rollout at its step; it is watched on
    Pause(Request),
    /// Let a paused rollout go on, or carry on one that nobody is at work on
    Resume(Request),
    /// Say yes to the step that the open rollout waits with
    Approve(Request),
    /// Let the open rollout go live at the next look that passes, without the steps in between
    Promote(RequestWithReason),
    /// Turn the open rollout back
    Abort(RequestWithReason),
    /// Give up the way back to releases that are past their retention, and delete what they left
    Cleanup(Cleanup),
    /// End the lock of a run that is dead, or has to stop
    Unlock(Unlock),
    /// What is live, since when, by whom, what is going on and what happened last
    Status(EnvironmentArgument),
    /// The releases and rollouts of an environment
    History(EnvironmentArgument),
    /// Run the smoke checks against the live or the idle slot
    Smoke(Smoke),
    /// Watch what is live by the gates of a rollout
    Monitor(Monitor),
    /// Who gets the live traffic, and giving it to the other slot
    #[command(subcommand)]
    Traffic(Traffic),
    /// Why each decision was made, and whether the record of it is as it was written
    #[command(subcommand)]
    Audit(Audit),
    /// Database migrations that two versions of the program survive
    #[command(subcommand)]
    Migrate(Migrate),
    /// Back up what holds data in the environment's stacks, and wait until it is complete
    Backup(Backup),
    /// The database itself: backups that are known to restore, and its health
    #[command(subcommand)]
    Db(Db),
    /// The caches
    #[command(subcommand)]
    Cache(Cache),
    /// The embedded cloud that plays the environment `local`
    #[command(subcommand)]
    Local(Local),
    /// What an error code means and what to do about it
    Explain(Explain),
}

#[derive(Clone, Debug, Args)]
pub struct AppOptions {
    /// The environment whose settings and context the app gets
    #[arg(long = "env", value_name = "ENV")]
    pub environment: Option<String>,
    /// A context value for the app; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub context: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct Init {
    /// The project's folder; it must be new or empty
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// The project's name; without it the folder's
    #[arg(long)]
    pub name: Option<String>,
    /// The region of its environments
    #[arg(long, default_value = "us-east-1", value_parser = region)]
    pub region: String,
    /// Where the crate `stack` comes from: a checkout of llama-deploy, or a git URL
    #[arg(long, value_name = "FOLDER|URL")]
    pub crates: Option<String>,
}

#[derive(Debug, Args)]
pub struct Bootstrap {
    #[command(flatten)]
    pub app: AppOptions,
    /// Let CloudFormation do everything, instead of what the app's templates need
    #[arg(long, conflicts_with_all = ["execution_policies", "least_privilege"])]
    pub administrator: bool,
    /// A managed policy for CloudFormation instead, by its ARN; repeatable
    #[arg(long = "execution-policy", value_name = "ARN", value_parser = policy_arn)]
    pub execution_policies: Vec<String>,
    /// Take from an earlier bootstrap's CloudFormation what this app does not need
    #[arg(long)]
    pub least_privilege: bool,
    /// An account that may publish and deploy here; repeatable
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub trust: Vec<String>,
    /// What tells several bootstraps of one environment apart
    #[arg(long, default_value = "hnb659fds", value_parser = qualifier)]
    pub qualifier: String,
    /// The name of a managed policy that bounds CloudFormation's role
    #[arg(long, value_name = "POLICY")]
    pub permissions_boundary: Option<String>,
    /// The stack's name; CDKToolkit, or CDKToolkit-QUALIFIER
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Print the template and deploy nothing
    #[arg(long)]
    pub show_template: bool,
}

#[derive(Debug, Args)]
pub struct Synth {
    /// Print the templates of these stacks; all when none is named
    pub stacks: Vec<String>,
    #[command(flatten)]
    pub app: AppOptions,
    /// Where the assembly goes
    #[arg(long, short, value_name = "FOLDER", default_value = "cdk.out")]
    pub output: PathBuf,
    /// Which files and options went into the hash of this asset, named by its hash or its construct
    #[arg(long, value_name = "ASSET|CONSTRUCT")]
    pub explain_hash: Option<String>,
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub app: AppOptions,
}

#[derive(Debug, Args)]
pub struct Diff {
    /// Only these stacks
    pub stacks: Vec<String>,
    #[command(flatten)]
    pub app: AppOptions,
    /// Compare with another assembly's folder or with a template file (JSON or YAML), not with what is deployed
    #[arg(long, value_name = "PATH")]
    pub against: Option<PathBuf>,
    /// Show also what the CDK keeps its books with: paths in metadata, its version, its bootstrap version
    #[arg(long)]
    pub strict: bool,
    /// For pipelines: end with status 1 when something differs, 0 when nothing does, 2 on any error
    #[arg(long)]
    pub fail: bool,
}

#[derive(Debug, Args)]
pub struct Validate {
    /// Only these stacks; or template files, JSON or YAML
    #[arg(value_name = "STACK|FILE")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub app: AppOptions,
    /// End with status 1 for a warning, too
    #[arg(long)]
    pub strict: bool,
    /// List what was suppressed, with the reasons
    #[arg(long)]
    pub suppressed: bool,
}

#[derive(Debug, Args)]
pub struct Deploy {
    /// Only these stacks and what they depend on; or one plan file (*.json) that --no-execute wrote
    #[arg(value_name = "STACK|PLAN")]
    pub stacks: Vec<String>,
    #[command(flatten)]
    pub app: AppOptions,
    #[command(flatten)]
    pub changes: Changes,
    /// Make the change sets, write them into a plan file, and change nothing
    #[arg(long, conflicts_with = "blue_green")]
    pub no_execute: bool,
    /// The plan file of --no-execute; without it ENV.plan.json
    #[arg(long, value_name = "FILE", requires = "no_execute")]
    pub plan: Option<PathBuf>,
    /// Release to the idle slot, test it there, and shift the traffic step by step
    #[arg(long)]
    pub blue_green: bool,
    /// A tag for the release, for example v1.2.3
    #[arg(long, value_name = "TAG", requires = "blue_green")]
    pub tag: Option<String>,
    /// Short steps, and old alarms and what the live release does wrong are not obeyed; why, for the journal
    #[arg(long, value_name = "REASON", requires = "blue_green")]
    pub hotfix: Option<String>,
    /// Stop after the smoke test, until `approve` or `traffic switch`
    #[arg(long, requires = "blue_green")]
    pub hold: bool,
    /// Send no synthetic traffic of our own during the bakes
    #[arg(long, requires = "blue_green")]
    pub no_traffic: bool,
    /// Answer yes where the environment asks for approval
    #[arg(long, short)]
    pub yes: bool,
}

/// How a deploy changes stacks.
#[derive(Clone, Debug, Args)]
pub struct Changes {
    /// Not what the named stacks depend on
    #[arg(long, short = 'e', requires = "stacks")]
    pub exclusively: bool,
    /// How many stacks change at the same time
    #[arg(long, value_name = "N", default_value = "4")]
    pub concurrency: NonZeroUsize,
    /// When to ask, instead of what the environment says
    #[arg(long, value_name = "WHEN", value_enum)]
    pub require_approval: Option<Approval>,
    /// Replace or delete this resource although it holds data: logical id or construct path; repeatable
    #[arg(long, value_name = "ID")]
    pub allow_replace: Vec<String>,
    /// The value of a template's parameter; others keep theirs; repeatable
    #[arg(long, value_name = "[STACK:]KEY=VALUE", value_parser = parameter)]
    pub parameters: Vec<Parameter>,
    /// A tag for the stacks, beside those of the app; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub tags: Vec<(String, String)>,
    /// Write the stacks' outputs as JSON into this file
    #[arg(long, value_name = "FILE")]
    pub outputs_file: Option<PathBuf>,
    /// The role that CloudFormation works as from now on
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// Ask CloudFormation for changes although the template is the deployed one
    #[arg(long)]
    pub force: bool,
}

/// What is meant where nothing is said.
impl Default for Changes {
    fn default() -> Self {
        Self {
            exclusively: false,
            concurrency: NonZeroUsize::new(4).unwrap_or(NonZeroUsize::MIN),
            require_approval: None,
            allow_replace: Vec::new(),
            parameters: Vec::new(),
            tags: Vec::new(),
            outputs_file: None,
            role_arn: None,
            force: false,
        }
    }
}

/// A parameter's value, of one stack or of all that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub stack: Option<String>,
    pub key: String,
    pub value: String,
}

#[derive(Debug, Args)]
pub struct Destroy {
    /// Only these stacks and those that use them; without any, all that the environment has
    pub stacks: Vec<String>,
    #[command(flatten)]
    pub app: AppOptions,
    /// The environment's name, where nobody can be asked to type it
    #[arg(long, value_name = "ENV")]
    pub confirm: Option<String>,
    /// Delete without asking; only of the environment `local`
    #[arg(long, short)]
    pub yes: bool,
    /// After a deletion has failed: the logical id of a resource to leave where it is; repeatable
    #[arg(long, value_name = "LOGICAL_ID")]
    pub retain: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Local {
    /// Start it, unless it runs
    Up {
        /// The port; 0 takes a free one
        #[arg(long)]
        port: Option<u16>,
    },
    /// Whether it runs, where, and what it holds
    Status,
    /// Stop it and keep its state
    Down,
    /// Stop it and delete its state
    Reset {
        /// Delete without asking
        #[arg(long, short)]
        yes: bool,
    },
    /// Run it in the foreground; `up` starts this in the background
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        port: Option<u16>,
    },
}

#[derive(Debug, Args)]
pub struct Explain {
    /// For example LD0101; all codes when left out
    pub code: Option<String>,
}

fn parameter(text: &str) -> Result<Parameter, String> {
    let (name, value) = key_value(text).map_err(|_| "expected [STACK:]KEY=VALUE".to_owned())?;
    let (stack, key) = match name.rsplit_once(':') {
        Some((stack, key)) if !stack.is_empty() && !key.is_empty() => (Some(stack.to_owned()), key.to_owned()),
        Some(_) => return Err("expected [STACK:]KEY=VALUE".to_owned()),
        None => (None, name),
    };
    Ok(Parameter { stack, key, value })
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

fn account(text: &str) -> Result<String, String> {
    let is_account = text.len() == 12 && text.chars().all(|c| c.is_ascii_digit());
    is_account
        .then(|| text.to_owned())
        .ok_or_else(|| "expected an account of 12 digits".to_owned())
}

/// The pattern of the CDK's bootstrap template.
fn qualifier(text: &str) -> Result<String, String> {
    let letters = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let fits = (1..=10).contains(&text.len()) && letters;
    fits.then(|| text.to_owned())
        .ok_or_else(|| "expected 1 to 10 letters, digits, dashes or underscores".to_owned())
}

fn policy_arn(text: &str) -> Result<String, String> {
    let fits = text.starts_with("arn:") && text.contains(":policy/") && !text.contains(',');
    fits.then(|| text.to_owned())
        .ok_or_else(|| "expected the ARN of a managed policy, arn:aws:iam::ACCOUNT:policy/NAME".to_owned())
}

/// The shape of a region's name; which there are changes too often to be known here.
fn region(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    match parts.split_last() {
        Some((number, words)) if words.len() >= 2 && words.iter().all(letters) && number.parse::<u8>().is_ok() => {
            Ok(text.to_owned())
        }
        _ => Err("expected a region such as eu-west-1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_has_no_contradiction() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_context_value_may_hold_an_equals_sign() {
        assert_eq!(key_value("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(key_value("=b").is_err());
    }

    #[test]
    fn a_parameter_may_name_its_stack() {
        let of = |stack: Option<&str>, value: &str| Parameter {
            stack: stack.map(str::to_owned),
            key: "Key".to_owned(),
            value: value.to_owned(),
        };
        assert_eq!(parameter("Key=a:b=c"), Ok(of(None, "a:b=c")));
        assert_eq!(parameter("Prod/Data:Key=a"), Ok(of(Some("Prod/Data"), "a")));
        for wrong in ["Key", "=v", ":Key=v", "Stack:=v"] {
            assert!(parameter(wrong).is_err(), "{wrong}");
        }
    }
}
