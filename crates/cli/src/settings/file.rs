//! The settings file `llama-deploy.toml` as it is written. Unknown keys are errors: a misspelt gate must not be a gate
//! that is silently missing.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::function_build::{Architecture, FunctionPackage};

use super::duration::Span;
use super::gates::GatesTable;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    pub app: AppTable,
    pub database: Option<DatabaseTable>,
    pub cache: Option<CacheTable>,
    #[serde(default)]
    pub smoke: Vec<CheckTable>,
    /// Commands before and after backups, migrations and restores.
    #[serde(default)]
    pub hooks: Vec<HookTable>,
    /// What every environment has that does not say otherwise.
    #[serde(default)]
    pub rollout: RolloutTable,
    pub environments: BTreeMap<String, EnvironmentTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AppTable {
    /// A cargo package of this workspace whose binary writes the assembly.
    pub package: Option<String>,
    /// Or any program that speaks the CDK's app protocol: its words.
    pub command: Option<Vec<String>>,
    /// Cargo packages of this workspace that are Lambda functions; built into `target/functions/NAME/bootstrap`.
    #[serde(default)]
    pub functions: Vec<FunctionTable>,
}

/// A function: its package's name, or that with the architecture that it is built for (x86_64 if nothing is said).
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum FunctionTable {
    Name(String),
    Package(FunctionEntry),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FunctionEntry {
    package: String,
    #[serde(default)]
    architecture: Architecture,
}

impl From<FunctionTable> for FunctionPackage {
    fn from(table: FunctionTable) -> Self {
        match table {
            FunctionTable::Name(package) => Self {
                package,
                architecture: Architecture::default(),
            },
            FunctionTable::Package(FunctionEntry { package, architecture }) => Self { package, architecture },
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DatabaseTable {
    /// The stack output that holds the ARN of the database's secret.
    pub secret_output: String,
    /// The folder of migrations.
    pub migrations: String,
    /// The server's major version, for a lint that can ask no database.
    pub server_version: Option<u32>,
    /// A file of certificates in PEM that vouch for the server besides the public ones and those of RDS.
    pub trusted_roots: Option<String>,
    #[serde(default)]
    pub contract: Contract,
    /// What a restored backup is asked, beyond the number of rows.
    #[serde(default)]
    pub checks: Vec<DataCheck>,
    /// How long dumps and snapshots are kept; all of them without.
    #[serde(default)]
    pub backups: BackupsTable,
}

/// Which backups go when a new one of their kind is made: those beyond every limit that is given.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BackupsTable {
    /// The newest that stay, whatever their age.
    pub keep: Option<usize>,
    /// Days that each stays.
    pub days: Option<u32>,
}

/// What `cache health-check` needs to log in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CacheTable {
    /// The stack output that holds the ARN of the secret with the password: its member `password` or `auth_token`, or all
    /// of it; its member `username`, where there is one, is who logs in.
    pub secret_output: Option<String>,
    /// A file of certificates in PEM that vouch for the caches instead of the public ones.
    pub trusted_roots: Option<String>,
}

/// A question to a restored database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DataCheck {
    pub name: String,
    /// One statement with one boolean: whether all is well.
    pub sql: String,
}

/// When migrations of the phase `contract` run.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Contract {
    /// By `migrate up --phase contract`.
    #[default]
    ByHand,
    /// After `cleanup` retired the old slot, as soon as nothing is in the way.
    OnCleanup,
}

/// One HTTP request and what its answer must look like; a smoke check, or one kind of synthetic traffic.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CheckTable {
    pub name: String,
    pub path: String,
    #[serde(default = "get")]
    pub method: String,
    /// `${secret:OUTPUT:KEY}` in a value stands for member KEY of the secret whose ARN is stack output OUTPUT.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default = "ok")]
    pub status: u16,
    /// Text that the body must contain.
    pub contains: Option<String>,
    pub timeout: Option<Span>,
}

/// A command before or after something that happens to the database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HookTable {
    pub when: HookTime,
    /// Its program and arguments; it runs in the project's folder.
    pub command: Vec<String>,
    pub timeout: Option<Span>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum HookTime {
    BeforeBackup,
    AfterBackup,
    BeforeMigrate,
    AfterMigrate,
    BeforeRestore,
    AfterRestore,
}

impl HookTime {
    pub const AROUND_BACKUP: [Self; 2] = [Self::BeforeBackup, Self::AfterBackup];
    pub const AROUND_MIGRATE: [Self; 2] = [Self::BeforeMigrate, Self::AfterMigrate];
    pub const AROUND_RESTORE: [Self; 2] = [Self::BeforeRestore, Self::AfterRestore];
}

impl fmt::Display for HookTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            HookTime::BeforeBackup => "before-backup",
            HookTime::AfterBackup => "after-backup",
            HookTime::BeforeMigrate => "before-migrate",
            HookTime::AfterMigrate => "after-migrate",
            HookTime::BeforeRestore => "before-restore",
            HookTime::AfterRestore => "after-restore",
        })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RolloutTable {
    pub steps: Option<Vec<StepTable>>,
    /// The steps of a deploy with `--hotfix`.
    pub hotfix_steps: Option<Vec<StepTable>>,
    /// How long an approval is waited for before the rollout is turned back.
    pub approval_timeout: Option<Span>,
    /// How long between two looks at the gates.
    pub poll: Option<Span>,
    /// How long the release before stays ready to be gone back to.
    pub retention: Option<Span>,
    /// How long the lock holds without being renewed.
    pub lock_lease: Option<Span>,
    /// Nothing is changed when the lock's end is that near; covers the clocks' difference and one call.
    pub lock_margin: Option<Span>,
    /// How long calls over WebSocket connections get to end after a switch.
    pub websocket_drain: Option<Span>,
    /// How often each smoke check runs against the live release before the schema is expanded, and again after it.
    pub live_checks: Option<u32>,
    #[serde(default)]
    pub gates: GatesTable,
    pub backup: Option<Backup>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StepTable {
    pub weight: u8,
    pub bake: Span,
    /// Whether somebody has to approve before the weight is set.
    #[serde(default)]
    pub approval: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Backup {
    None,
    /// `pg_dump` into the environment's folder.
    PgDump,
    /// A snapshot of the RDS instance.
    RdsSnapshot,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Approval {
    /// Ask nothing.
    #[default]
    Never,
    /// Ask before something is allowed that was not: a policy, a rule of a security group, a public setting.
    Broadening,
    /// Ask before a resource is removed or replaced.
    Destructive,
    /// Ask before any change.
    Any,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EnvironmentTable {
    pub account: Option<String>,
    pub region: Option<String>,
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
    #[serde(default)]
    pub approval: Approval,
    /// Context values for the app; `environment` is always the environment's name.
    #[serde(default)]
    pub context: BTreeMap<String, String>,
    /// The cargo profile of the functions; `dev` for the embedded cloud, `release` elsewhere.
    pub function_profile: Option<String>,
    /// Where releases, journals and the lock are kept: a folder or `s3://BUCKET/PREFIX`.
    pub ledger: Option<String>,
    pub smoke: Option<Vec<CheckTable>>,
    /// Instead of the file's.
    pub hooks: Option<Vec<HookTable>>,
    #[serde(default)]
    pub rollout: RolloutTable,
    pub traffic: Option<TrafficTable>,
    /// Whether migrations of the phase `seed` are applied too.
    #[serde(default)]
    pub seed: bool,
    /// Of the embedded cloud; only for `local`.
    pub port: Option<u16>,
}

/// Requests that a deploy sends during the bakes, so that the gates have something to judge.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrafficTable {
    pub requests_per_second: u32,
    pub requests: Vec<CheckTable>,
}

fn get() -> String {
    "GET".to_owned()
}

fn ok() -> u16 {
    200
}
