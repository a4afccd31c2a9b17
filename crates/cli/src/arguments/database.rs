//! What is typed about databases, their migrations and backups, and about caches: the grammar and nothing else.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;
use migrate::Phase;

use super::EnvironmentArgument;

#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Apply what is pending and may run now
    Up(MigrateUp),
    /// Take the newest migrations back
    Down(MigrateDown),
    /// Take all migrations back, or all after a version
    Rollback(MigrateRollback),
    /// What is applied and what is pending
    Status(EnvironmentArgument),
    /// Write an empty migration with the next version
    Make(MigrateMake),
    /// Find what is known to hurt in migrations; without an environment it needs no database
    Lint(MigrateLint),
    /// Propose what to do about what does not fit, and do it after a yes; never a reset
    Repair(MigrateRepair),
    /// Hold the files against the database's records and its catalogue; status 1 where they disagree
    Verify(EnvironmentArgument),
    /// Record files as applied without running them, for a database whose schema came from elsewhere
    Baseline(MigrateBaseline),
}

#[derive(Debug, Args)]
pub struct MigrateUp {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// Only this phase: expand, backfill, contract or seed; repeatable. Without it expand and backfill, and seed where the
    /// environment asks for it
    #[arg(long = "phase", value_name = "PHASE", value_parser = phase)]
    pub phases: Vec<Phase>,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub steps: Option<usize>,
    /// Up to this version, which is applied too
    #[arg(long, value_name = "VERSION")]
    pub to: Option<i64>,
    /// Run it in a transaction that is rolled back, and say which locks it takes, for how long, and whom they block
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct MigrateDown {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// How many
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one)]
    pub steps: usize,
    /// Everything after this version, which stays
    #[arg(long, value_name = "VERSION", conflicts_with = "steps")]
    pub to: Option<i64>,
    /// Run it in a transaction that is rolled back, and say what would be lost
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct MigrateRollback {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// Everything after this version, which stays; without it everything
    #[arg(long, value_name = "VERSION", default_value = "0")]
    pub to: i64,
    /// Run it in a transaction that is rolled back, and say what would be lost
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct MigrateMake {
    /// What it does, for example add_email_to_users
    pub name: String,
    /// When it may run: expand, backfill, contract or seed
    #[arg(long, value_name = "PHASE", default_value = "expand", value_parser = phase)]
    pub phase: Phase,
    /// Without the file that takes it back
    #[arg(long)]
    pub no_down: bool,
}

#[derive(Debug, Args)]
pub struct MigrateLint {
    /// Only these files, by path or name; without any, all files, or with --env those that are pending there
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The environment whose database knows how large the tables are, and what is pending
    #[arg(long = "env", value_name = "ENV")]
    pub environment: Option<String>,
}

#[derive(Debug, Args)]
pub struct MigrateRepair {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// Do everything that is proposed and can be done from here
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct MigrateBaseline {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// The newest version that the database already has
    #[arg(long, value_name = "VERSION")]
    pub to: i64,
}

/// What of an environment is backed up.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["rds", "all"]).required(true)))]
pub struct Backup {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// A snapshot of each RDS instance and Aurora cluster
    #[arg(long)]
    pub rds: bool,
    /// Those, ElastiCache caches except Memcached, and DynamoDB tables
    #[arg(long)]
    pub all: bool,
    /// What the backups are called by; without it the time
    #[arg(long, value_name = "LABEL")]
    pub label: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Db {
    /// Make a backup, of the kind that the environment's `backup` names
    Backup(DbBackup),
    /// The backups, and which of them are known to restore
    List(EnvironmentArgument),
    /// Restore a backup into a scratch database and compare: only then it is known to be one
    Verify(DbVerify),
    /// Put a backup in the database's place, after saying what would be lost and asking for the environment's name
    Restore(DbRestore),
    /// Whether the database is well: connections, sessions that wait, migrations
    HealthCheck(EnvironmentArgument),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("kind").args(["pg_dump", "rds"])))]
pub struct DbBackup {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// With pg_dump, into the environment's folder
    #[arg(long)]
    pub pg_dump: bool,
    /// A snapshot of the RDS instance or Aurora cluster
    #[arg(long)]
    pub rds: bool,
    /// The backup's id; without it one with the time
    #[arg(long, value_name = "ID")]
    pub backup_id: Option<String>,
}

#[derive(Debug, Args)]
pub struct DbVerify {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// Which backup; without it the newest
    #[arg(long, value_name = "ID")]
    pub backup_id: Option<String>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("point").args(["backup_id", "to_time", "latest"]).required(true)))]
pub struct DbRestore {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// Which backup; `db list` names them
    #[arg(long, value_name = "ID")]
    pub backup_id: Option<String>,
    /// The RDS instance as it was then, for example 2026-11-23T04:38:12Z
    #[arg(long, value_name = "TIME")]
    pub to_time: Option<Timestamp>,
    /// The RDS instance as it was at the last moment that RDS can restore, on AWS about five minutes ago
    #[arg(long)]
    pub latest: bool,
    /// The environment's name, where nobody can be asked to type it
    #[arg(long, value_name = "ENV")]
    pub confirm: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Cache {
    /// Whether the caches are well: memory, evictions, hit rate, replication
    HealthCheck(CacheHealthCheck),
}

#[derive(Debug, Args)]
pub struct CacheHealthCheck {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// The least share of lookups that find something, in percent, below which a cache is not well
    #[arg(long, value_name = "PERCENT", default_value = "90", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub least_hit_rate: u8,
}

fn phase(text: &str) -> Result<Phase, String> {
    text.parse()
        .map_err(|()| "expected expand, backfill, contract or seed".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| "expected a whole number above 0".to_owned())
}
