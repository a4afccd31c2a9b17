//! Arguments, environment and settings file merge here, once, into [`Settings`]; commands see nothing else.

mod duration;
mod file;
mod gates;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use orchestrator::config::{DurationLimit, GateConfig, RolloutConfig, StepConfig};
use orchestrator::domain::Weight;
use orchestrator::ledger::Actor;

pub use duration::{Span, parse as parse_duration};
pub use file::{Approval, Backup, CheckTable as Check, Contract, DataCheck, HookTime, TrafficTable as Traffic};

use crate::cargo_build::CargoBuild;
use crate::failure::{Code, Failure, Outcome};
use crate::function_build::FunctionPackage;
use crate::retention::Retention;

pub const FILE_NAME: &str = "llama-deploy.toml";
/// The environment that commands mean when none is named, and the only one that the embedded cloud plays.
pub const LOCAL: &str = "local";

#[derive(Clone, Debug)]
pub enum App {
    Package(String),
    Command(Vec<String>),
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub file: PathBuf,
    /// The folder of the settings file; every relative path in it starts here.
    pub root: PathBuf,
    /// Cargo's target folder.
    target: PathBuf,
    pub app: App,
    pub functions: Vec<FunctionPackage>,
    pub environments: BTreeMap<String, Environment>,
    pub cache: Cache,
    pub actor: Actor,
}

#[derive(Clone, Debug)]
pub struct Environment {
    pub name: String,
    pub account: Option<String>,
    pub region: String,
    pub profile: Option<String>,
    pub approval: Approval,
    pub context: BTreeMap<String, String>,
    pub function_profile: String,
    pub database: Option<Database>,
    pub smoke: Vec<Check>,
    pub traffic: Option<Traffic>,
    pub hooks: Vec<Hook>,
    pub rollout: RolloutConfig,
    pub backup: Backup,
    pub ledger: String,
    /// Whether migrations of the phase `seed` are applied too.
    pub seed: bool,
    /// Where the embedded cloud listens; 0 for any free port.
    pub port: u16,
    /// A Postgres that stands in for the one that the embedded cloud would start.
    pub database_url: Option<String>,
}

/// A command that runs before or after something that happens to the database.
#[derive(Clone, Debug)]
pub struct Hook {
    pub when: HookTime,
    /// Never empty.
    pub command: Vec<String>,
    pub timeout: Duration,
}

/// How the caches of every environment are asked for their health.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// The stack output that holds the ARN of the secret with their password.
    pub secret_output: Option<String>,
    /// A file of certificates that vouch for them.
    pub trusted_roots: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct Database {
    pub secret_output: String,
    pub migrations: PathBuf,
    /// The server's major version, as far as the settings tell it.
    pub server_version: Option<u32>,
    /// A file of certificates that vouch for the server.
    pub trusted_roots: Option<PathBuf>,
    pub contract: Contract,
    /// What a restored backup is asked, beyond the number of rows.
    pub checks: Vec<DataCheck>,
    /// Which backups go when a new one is made.
    pub backups: Retention,
}

impl Environment {
    pub fn is_local(&self) -> bool {
        self.name == LOCAL
    }
}

/// What the process was started with, read once in `main`.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub folder: PathBuf,
    /// `CARGO_TARGET_DIR`, where set.
    pub cargo_target: Option<PathBuf>,
    /// `DATABASE_URL`, where set.
    pub database_url: Option<String>,
    /// Who runs the command, for the journal.
    pub actor: Actor,
}

impl Settings {
    /// Finds, reads and resolves the settings file.
    pub fn load(named: Option<&Path>, surroundings: &Surroundings) -> Outcome<Self> {
        let file = match named {
            Some(path) => surroundings.folder.join(path),
            None => find(&surroundings.folder)?,
        };
        let text = std::fs::read_to_string(&file).map_err(|error| {
            Failure::new(Code::ConfigMissing, format!("cannot read {}", file.display())).because(error)
        })?;
        Self::resolve(file, &text, surroundings)
    }

    fn resolve(file: PathBuf, text: &str, surroundings: &Surroundings) -> Outcome<Self> {
        let invalid = |message: String| {
            Failure::new(Code::ConfigInvalid, message).hint("the README describes every key of the settings file")
        };
        let parsed: file::File =
            toml::from_str(text).map_err(|error| invalid(format!("{} is not valid", file.display())).because(error))?;
        let root = file.parent().map(Path::to_path_buf).unwrap_or_default();
        let app = match (parsed.app.package, parsed.app.command) {
            (Some(package), None) => App::Package(package),
            (None, Some(words)) if !words.is_empty() => App::Command(words),
            _ => {
                return Err(invalid(format!(
                    "{}: [app] needs either `package` or `command`",
                    file.display()
                )));
            }
        };
        let database = parsed.database.map(|table| Database {
            secret_output: table.secret_output,
            migrations: root.join(table.migrations),
            server_version: table.server_version,
            trusted_roots: table.trusted_roots.map(|file| root.join(file)),
            contract: table.contract,
            checks: table.checks,
            backups: Retention {
                keep: table.backups.keep,
                days: table.backups.days,
            },
        });
        let cache = parsed.cache.map_or_else(Cache::default, |table| Cache {
            secret_output: table.secret_output,
            trusted_roots: table.trusted_roots.map(|file| root.join(file)),
        });
        let mut environments = BTreeMap::new();
        for (name, table) in parsed.environments {
            let mut rollout = rollout(&name, &table.rollout, &parsed.rollout).map_err(&invalid)?;
            if let Some(traffic) = &table.traffic {
                rollout.gates.synthetic_requests_per_second = f64::from(traffic.requests_per_second);
            }
            let local = name == LOCAL;
            let mut context = table.context;
            context.entry("environment".to_owned()).or_insert_with(|| name.clone());
            let region = match table.region {
                Some(region) => region,
                None if local => "us-east-1".to_owned(),
                None => {
                    return Err(invalid(format!(
                        "{}: [environments.{name}] names no region",
                        file.display()
                    )));
                }
            };
            let environment = Environment {
                account: table.account,
                region,
                profile: table.profile,
                approval: table.approval,
                context,
                function_profile: table
                    .function_profile
                    .unwrap_or_else(|| if local { "dev" } else { "release" }.to_owned()),
                database: database.clone(),
                smoke: table.smoke.unwrap_or_else(|| parsed.smoke.clone()),
                traffic: table.traffic,
                hooks: hooks(table.hooks.as_ref().unwrap_or(&parsed.hooks))
                    .map_err(|error| invalid(format!("environment {name}: {error}")))?,
                seed: table.seed,
                port: table.port.unwrap_or(0),
                database_url: surroundings.database_url.clone().filter(|_| local),
                rollout,
                backup: table.rollout.backup.or(parsed.rollout.backup).unwrap_or(if local {
                    Backup::PgDump
                } else {
                    Backup::RdsSnapshot
                }),
                ledger: table
                    .ledger
                    .unwrap_or_else(|| root.join(".llama").join(&name).join("ledger").display().to_string()),
                name: name.clone(),
            };
            environments.insert(name, environment);
        }
        let target = surroundings.cargo_target.clone().unwrap_or_else(|| root.join("target"));
        Ok(Self {
            file,
            root,
            target,
            app,
            functions: parsed.app.functions.into_iter().map(FunctionPackage::from).collect(),
            environments,
            cache,
            actor: surroundings.actor.clone(),
        })
    }

    pub fn environment(&self, name: &str) -> Outcome<&Environment> {
        self.environments.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.environments.keys().map(String::as_str).collect();
            Failure::new(
                Code::EnvironmentUnknown,
                format!("{} has no environment '{name}'", self.file.display()),
            )
            .hint(format!("it has: {}", known.join(", ")))
        })
    }

    /// What the settings say of the database, which is the same for every environment.
    pub fn database(&self) -> Option<&Database> {
        self.environments
            .values()
            .find_map(|environment| environment.database.as_ref())
    }

    pub fn cargo_build(&self, profile: &str) -> CargoBuild {
        CargoBuild {
            workspace: self.root.clone(),
            target: self.target.clone(),
            profile: profile.to_owned(),
            triple: None,
            zigbuild: false,
        }
    }

    /// Where an environment's own files live: the assembly of the last deploy, backups, the ledger by default.
    pub fn environment_folder(&self, name: &str) -> PathBuf {
        self.root.join(".llama").join(name)
    }

    /// Where the environment's dumps are.
    pub fn backups_folder(&self, name: &str) -> PathBuf {
        self.environment_folder(name).join("backups")
    }
}

fn find(from: &Path) -> Outcome<PathBuf> {
    from.ancestors()
        .map(|folder| folder.join(FILE_NAME))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            Failure::new(
                Code::ConfigMissing,
                format!("no {FILE_NAME} in {} or any folder above it", from.display()),
            )
            .hint("run the command inside a project, or name the file with --config")
        })
}

/// How long a hook may take whose settings do not say.
const HOOK_TIMEOUT: SignedDuration = SignedDuration::from_mins(1);

fn hooks(tables: &[file::HookTable]) -> Result<Vec<Hook>, String> {
    let hook = |table: &file::HookTable| {
        let when = table.when;
        if table.command.first().is_none_or(String::is_empty) {
            return Err(format!("a {when} hook has no command"));
        }
        let timeout = table.timeout.map_or(HOOK_TIMEOUT, |timeout| timeout.0);
        Ok(Hook {
            when,
            command: table.command.clone(),
            timeout: Duration::try_from(timeout).map_err(|error| format!("a {when} hook's timeout: {error}"))?,
        })
    };
    tables.iter().map(hook).collect()
}

/// The environment's word, else the file's, else the default: the runbook's figures, and seconds in `local`.
fn rollout(name: &str, own: &file::RolloutTable, shared: &file::RolloutTable) -> Result<RolloutConfig, String> {
    let default = if name == LOCAL {
        local_rollout()
    } else {
        RolloutConfig::default()
    };
    let steps = steps(name, "steps", [&own.steps, &shared.steps], default.steps)?;
    let hotfix_steps = [&own.hotfix_steps, &shared.hotfix_steps];
    let hotfix_steps = self::steps(name, "hotfix-steps", hotfix_steps, default.hotfix_steps)?;
    let gates = gates::gates(&own.gates, &shared.gates, default.gates)
        .map_err(|error| format!("environment {name}: rollout.gates: {error}"))?;
    Ok(RolloutConfig {
        steps,
        hotfix_steps,
        approval_timeout: span(own.approval_timeout, shared.approval_timeout, default.approval_timeout),
        gates,
        poll_interval: span(own.poll, shared.poll, default.poll_interval),
        retention: span(own.retention, shared.retention, default.retention),
        lock_lease: span(own.lock_lease, shared.lock_lease, default.lock_lease),
        lock_margin: span(own.lock_margin, shared.lock_margin, default.lock_margin),
        convergence: default.convergence,
        websocket_drain: span(own.websocket_drain, shared.websocket_drain, default.websocket_drain),
        live_checks: own.live_checks.or(shared.live_checks).unwrap_or(default.live_checks),
    })
}

fn step(step: &file::StepTable) -> Result<StepConfig, String> {
    let weight_percent = Weight::from_percent(f64::from(step.weight)).map_err(|error| error.to_string())?;
    Ok(StepConfig {
        weight_percent,
        bake: step.bake.0,
        approval: step.approval,
    })
}

/// The first of the tables that says anything.
fn steps(
    name: &str,
    key: &str,
    tables: [&Option<Vec<file::StepTable>>; 2],
    default: Vec<StepConfig>,
) -> Result<Vec<StepConfig>, String> {
    let steps: Vec<StepConfig> = match tables.into_iter().flatten().next() {
        None => default,
        Some(steps) => steps
            .iter()
            .map(step)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("environment {name}: {error}"))?,
    };
    let rises = steps
        .windows(2)
        .all(|pair| pair[0].weight_percent < pair[1].weight_percent);
    let ends = steps.first().is_some_and(|step| step.weight_percent != Weight::ZERO)
        && steps.last().is_some_and(|step| step.weight_percent == Weight::FULL);
    if rises && ends {
        Ok(steps)
    } else {
        Err(format!(
            "environment {name}: the weights of rollout.{key} must rise from above 0 to 100"
        ))
    }
}

fn span(own: Option<Span>, shared: Option<Span>, default: SignedDuration) -> SignedDuration {
    own.or(shared).map_or(default, |span| span.0)
}

/// A rehearsal takes seconds: the same steps and limits as the runbook's, over the embedded cloud's one-second metrics.
fn local_rollout() -> RolloutConfig {
    let default = RolloutConfig::default();
    let bakes = [6, 6, 8].map(SignedDuration::from_secs);
    RolloutConfig {
        steps: default
            .steps
            .into_iter()
            .zip(bakes)
            .map(|(step, bake)| StepConfig { bake, ..step })
            .collect(),
        hotfix_steps: default
            .hotfix_steps
            .into_iter()
            .map(|step| StepConfig {
                bake: SignedDuration::from_secs(3),
                ..step
            })
            .collect(),
        poll_interval: SignedDuration::from_secs(1),
        lock_lease: SignedDuration::from_secs(10),
        lock_margin: SignedDuration::from_secs(2),
        websocket_drain: SignedDuration::from_secs(2),
        gates: GateConfig {
            metric_period: SignedDuration::from_secs(1),
            settle: SignedDuration::from_secs(1),
            longest_extension: SignedDuration::from_secs(20),
            longest_blindness: SignedDuration::from_secs(5),
            // A machine that builds is no place to measure half a second.
            function_duration: Some(DurationLimit {
                p95_at_most: SignedDuration::from_secs(5),
            }),
            ..default.gates
        },
        ..default
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orchestrator::config::CountLimit;

    fn resolve(text: &str) -> Outcome<Settings> {
        let surroundings = Surroundings {
            folder: "/project".into(),
            cargo_target: None,
            database_url: None,
            actor: Actor {
                name: "tester".into(),
                host: "here".into(),
                process_id: 1,
            },
        };
        Settings::resolve("/project/llama-deploy.toml".into(), text, &surroundings)
    }

    #[test]
    fn the_defaults_are_the_runbooks_and_seconds_in_local() {
        let settings =
            resolve("[app]\npackage = 'stacks'\n[environments.prod]\nregion = 'eu-west-1'\n[environments.local]\n")
                .unwrap();
        let prod = &settings.environment("prod").unwrap().rollout;
        let minutes: Vec<i64> = prod.steps.iter().map(|step| step.bake.as_secs() / 60).collect();
        assert_eq!(minutes, [5, 5, 10]);
        assert_eq!(prod.gates.function_errors.as_ref().unwrap().fail_above_percent, 5.0);
        assert_eq!(prod.gates.function_throttles.as_ref().unwrap().fail_above_percent, 0.1);
        assert_eq!(
            prod.gates.api_server_errors,
            Some(CountLimit {
                fail_above: 10,
                window: SignedDuration::from_mins(5),
                even_if_before: false,
            })
        );
        assert_eq!(prod.retention, SignedDuration::from_hours(24));
        let local = &settings.environment("local").unwrap().rollout;
        assert!(local.steps.iter().all(|step| step.bake < SignedDuration::from_mins(1)));
        assert_eq!(local.gates.function_errors, prod.gates.function_errors);
    }

    #[test]
    fn an_environment_overrides_what_the_file_says_for_all() {
        let settings = resolve(
            "[app]\ncommand = ['node', 'app.js']\n[rollout]\npoll = '5s'\n[rollout.gates]\nminimum-requests = 3\n\
             [environments.prod]\nregion = 'eu-west-1'\n[environments.prod.rollout]\npoll = '20s'\n",
        )
        .unwrap();
        let rollout = &settings.environment("prod").unwrap().rollout;
        assert_eq!(
            (rollout.poll_interval, rollout.gates.minimum_requests),
            (SignedDuration::from_secs(20), 3)
        );
    }

    #[test]
    fn an_environments_hooks_stand_instead_of_the_files() {
        let settings = resolve(
            "[app]\npackage = 'stacks'\n[[hooks]]\nwhen = 'before-backup'\ncommand = ['announce', 'it']\n\
             [environments.local]\n[environments.dev]\nregion = 'x'\n\
             [[environments.dev.hooks]]\nwhen = 'after-migrate'\ncommand = ['check']\ntimeout = '5m'\n",
        )
        .unwrap();
        let hooks = |name: &str| {
            let hooks = settings.environment(name).unwrap().hooks.iter();
            let told = hooks.map(|hook| (hook.when.to_string(), hook.command.join(" "), hook.timeout.as_secs()));
            told.collect::<Vec<_>>()
        };
        assert_eq!(
            hooks("local"),
            [("before-backup".to_owned(), "announce it".to_owned(), 60)]
        );
        assert_eq!(hooks("dev"), [("after-migrate".to_owned(), "check".to_owned(), 300)]);
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_place() {
        let head = "[app]\npackage = 'stacks'\n";
        for (text, expected) in [
            ("", "is not valid"),
            ("[app]\n[environments.local]\n", "needs either"),
            (
                "[app]\npackage = 'a'\ncommand = ['b']\n[environments.local]\n",
                "needs either",
            ),
            (&format!("{head}[environments.prod]\n"), "names no region"),
            (&format!("{head}[environments.local]\nregoin = 'x'\n"), "is not valid"),
            (
                &format!("{head}[rollout]\nsteps = [{{weight = 50, bake = '1s'}}]\n[environments.local]\n"),
                "must rise",
            ),
            (
                &format!("{head}[[hooks]]\nwhen = 'before-lunch'\ncommand = ['x']\n[environments.local]\n"),
                "is not valid",
            ),
            (
                &format!("{head}[[hooks]]\nwhen = 'before-backup'\ncommand = []\n[environments.local]\n"),
                "a before-backup hook has no command",
            ),
            (
                &format!("{head}[rollout]\npoll = '5 parsecs'\n[environments.local]\n"),
                "is not valid",
            ),
        ] {
            let failure = resolve(text).unwrap_err();
            assert_eq!(failure.code, Code::ConfigInvalid, "{text}");
            assert!(failure.message.contains(expected), "{}", failure.message);
        }
        assert_eq!(
            resolve(&format!("{head}[environments.local]\n"))
                .unwrap()
                .environment("prd")
                .unwrap_err()
                .code,
            Code::EnvironmentUnknown
        );
    }
}
