//! `llama-deploy backup ENV --rds | --all`: backups of what holds data in the environment's stacks, several at once, each
//! waited for, between the environment's backup hooks.
//!
//! Restoring is `db restore` for the environment's database; a cache's or a table's backup makes a new one, by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws::{CacheResource, Holdings, RdsDatabase, TakenBackup, backup_label};
use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::Session;
use crate::arguments::Backup;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::hooks::Hooks;
use crate::moment;
use crate::refusal;
use crate::retention::{self, Retained};
use crate::rollout::{self, DatabaseMigrations, Stacks, now};
use crate::settings::{HookTime, Settings};

/// The services take more, but a person reads how they go.
const AT_ONCE: usize = 4;

/// What is backed up, and how it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    RdsSnapshot,
    RdsClusterSnapshot,
    ElasticacheSnapshot,
    ElasticacheClusterSnapshot,
    DynamodbBackup,
}

struct Source {
    kind: Kind,
    of: String,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::RdsSnapshot => "instance",
            Kind::RdsClusterSnapshot => "cluster",
            Kind::ElasticacheSnapshot | Kind::ElasticacheClusterSnapshot => "cache",
            Kind::DynamodbBackup => "table",
        };
        write!(formatter, "{kind} {}", self.of)
    }
}

#[derive(Serialize)]
struct Taken {
    kind: Kind,
    of: String,
    id: String,
    made_at: Option<Timestamp>,
    /// One of this label was there already; nothing new was made.
    was_there: bool,
}

/// One that was not made; the others are made all the same.
#[derive(Serialize)]
struct Failed {
    kind: Kind,
    of: String,
    error: String,
}

pub fn run(options: &Backup, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.environment.name())?;
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let label = options.label.clone().unwrap_or_else(|| backup_label(now()));
    let again = format!(
        "llama-deploy backup {} {} --label {label}",
        environment.name,
        if options.all { "--all" } else { "--rds" }
    );
    session.runtime.block_on(async {
        tokio::select! {
            done = back_up(&session, options.all, &label, &again, console) => done,
            name = interrupted() => {
                console.clear();
                let failure = Failure::new(
                    Code::Interrupted,
                    format!("{name}: a backup that was begun goes on in the cloud"),
                );
                let failure = failure.hint(format!("{again} waits for it, and makes what is missing"));
                Err(without_hooks(&session, failure))
            }
        }
    })
}

async fn back_up(session: &Session<'_>, all: bool, label: &str, again: &str, console: &Console) -> Outcome<u8> {
    let environment = &session.environment.name;
    let stacks = Stacks::read(&rollout::ledger(session)?, environment).await?;
    let holdings = session.aws.holdings(&stacks.0).await.map_err(refusal::calling)?;
    let sources = sources(&holdings, all);
    if sources.is_empty() {
        return Err(Failure::new(
            Code::BackupFailed,
            format!("nothing in the stacks of {environment} holds data of that kind"),
        ));
    }
    console.say(&format!("backup {label} of {}", listed(&sources)));
    let hooks = hooks(session, stacks, label, console).await?;
    let mut runs = hooks.before(HookTime::BeforeBackup).await?;
    let results = take_all(session, &sources, label, console).await;
    console.clear();
    let (mut taken, mut failed) = (Vec::new(), Vec::new());
    for (source, result) in sources.into_iter().zip(results) {
        let Source { kind, of } = source;
        match result {
            Ok(backup) => taken.push(Taken {
                kind,
                of,
                id: backup.id,
                made_at: backup.made,
                was_there: backup.was_there,
            }),
            Err(failure) => failed.push(Failed {
                kind,
                of,
                error: failure.to_string(),
            }),
        }
    }
    // Neither the hooks afterwards nor retention count on a backup that is not there.
    let mut retained = Retained::default();
    if failed.is_empty() {
        runs.extend(hooks.after(HookTime::AfterBackup).await);
        retained = retain(session, &taken, console).await;
    }
    console.print_json(&json!({
        "environment": environment, "label": label, "backups": taken, "failed": failed,
        "deleted": retained.deleted, "not_deleted": retained.not_deleted, "hooks": runs,
    }));
    if failed.is_empty() {
        let count = taken.len();
        console.say(&format!(
            "{count} of {count} are there, UNVERIFIED until they were restored"
        ));
        let hook_failed = runs.iter().any(|run| !run.succeeded);
        return Ok(retained.status().max(u8::from(hook_failed)));
    }
    let why: Vec<&str> = failed.iter().map(|failed| failed.error.as_str()).collect();
    let failure = Failure::new(Code::BackupFailed, not_all(&taken, &failed))
        .because(anyhow::anyhow!("{}", why.join("\n")))
        .hint(format!("{again} makes what is missing, and nothing twice"));
    Err(without_hooks(session, failure))
}

/// Whoever holds writes by a hook has to know that nobody let them go on.
fn without_hooks(session: &Session<'_>, failure: Failure) -> Failure {
    if has_hooks(session, HookTime::AfterBackup) {
        failure.hint("the hooks after-backup were not run")
    } else {
        failure
    }
}

fn sources(holdings: &Holdings, all: bool) -> Vec<Source> {
    let of = |kind: Kind, ids: &[String]| {
        let ids = ids.iter().cloned();
        ids.map(|of| Source { kind, of }).collect::<Vec<_>>()
    };
    let mut sources = of(Kind::RdsSnapshot, &holdings.databases);
    sources.extend(of(Kind::RdsClusterSnapshot, &holdings.clusters));
    if all {
        sources.extend(holdings.caches.iter().map(|cache| Source {
            kind: match cache {
                CacheResource::ReplicationGroup { .. } => Kind::ElasticacheSnapshot,
                CacheResource::Cluster { .. } => Kind::ElasticacheClusterSnapshot,
            },
            of: cache.id().to_owned(),
        }));
        sources.extend(of(Kind::DynamodbBackup, &holdings.tables));
    }
    sources
}

fn listed(sources: &[Source]) -> String {
    sources.iter().map(Source::to_string).collect::<Vec<_>>().join(", ")
}

fn not_all(taken: &[Taken], failed: &[Failed]) -> String {
    let failed = failed.iter().map(|failed| Source {
        kind: failed.kind,
        of: failed.of.clone(),
    });
    let failed: Vec<Source> = failed.collect();
    let verb = if failed.len() == 1 { "is" } else { "are" };
    let rest = match taken.len() {
        0 => String::new(),
        1 => "; the other one is".to_owned(),
        count => format!("; the other {count} are"),
    };
    format!("{} {verb} NOT backed up{rest}", listed(&failed))
}

fn has_hooks(session: &Session<'_>, time: HookTime) -> bool {
    session.environment.hooks.iter().any(|hook| hook.when == time)
}

/// With the database's password masked, where there is a database and somebody whose output has to be.
async fn hooks(session: &Session<'_>, stacks: Stacks, label: &str, console: &Console) -> Outcome<Hooks> {
    let hooks = Hooks::of(session, console.clone()).about_backup(label);
    if !HookTime::AROUND_BACKUP.iter().any(|time| has_hooks(session, *time)) {
        return Ok(hooks);
    }
    let connection = DatabaseMigrations::of(session, stacks, console.clone())
        .connection()
        .await;
    let connection = connection
        .map_err(|error| Failure::new(Code::DatabaseUnavailable, "the database cannot be found").because(error))?;
    Ok(match connection {
        Some(connection) => hooks.masking(&connection.database),
        None => hooks,
    })
}

/// In the order of `sources`, whichever is there first.
async fn take_all(
    session: &Session<'_>,
    sources: &[Source],
    label: &str,
    console: &Console,
) -> Vec<Result<TakenBackup, aws::Failure>> {
    let board = Board {
        console,
        count: sources.len(),
        state: Mutex::default(),
    };
    let board = &board;
    let taking = sources.iter().enumerate().map(|(position, source)| async move {
        board.at(source, "begins".to_owned());
        let taken = take(session, source, label, &|how_far| board.at(source, how_far)).await;
        board.ended(source, &taken);
        (position, taken)
    });
    let mut results: Vec<_> = stream::iter(taking).buffer_unordered(AT_ONCE).collect().await;
    results.sort_by_key(|(position, _)| *position);
    results.into_iter().map(|(_, taken)| taken).collect()
}

async fn take(
    session: &Session<'_>,
    Source { kind, of }: &Source,
    label: &str,
    progress: &aws::Progress<'_>,
) -> Result<TakenBackup, aws::Failure> {
    let environment = &session.environment.name;
    let aws = &session.aws;
    let id = of.clone();
    match kind {
        Kind::RdsSnapshot => {
            let instance = RdsDatabase::Instance(id);
            aws.snapshot(&instance, environment, label, progress).await
        }
        Kind::RdsClusterSnapshot => {
            let cluster = RdsDatabase::Cluster(id);
            aws.snapshot(&cluster, environment, label, progress).await
        }
        Kind::ElasticacheSnapshot => {
            let group = CacheResource::ReplicationGroup { id };
            aws.snapshot_cache(&group, environment, label, progress).await
        }
        Kind::ElasticacheClusterSnapshot => {
            let cluster = CacheResource::Cluster { id };
            aws.snapshot_cache(&cluster, environment, label, progress).await
        }
        Kind::DynamodbBackup => aws.back_up_table(of, label, progress).await,
    }
}

/// What goes on at once, on one line.
struct Board<'c> {
    console: &'c Console,
    count: usize,
    state: Mutex<BoardState>,
}

#[derive(Default)]
struct BoardState {
    ended: usize,
    /// How far each is that is at work.
    at_work: BTreeMap<String, String>,
}

impl Board<'_> {
    fn at(&self, source: &Source, how_far: String) {
        self.change(|state| {
            state.at_work.insert(source.to_string(), how_far);
        });
    }

    fn ended(&self, source: &Source, taken: &Result<TakenBackup, aws::Failure>) {
        match taken {
            Ok(backup) => self.console.print(&format!("{source}: {}", said(backup, now()))),
            Err(failure) => self.console.say(&format!("{source}: NOT backed up: {failure}")),
        }
        self.change(|state| {
            state.ended += 1;
            state.at_work.remove(&source.to_string());
        });
    }

    fn change(&self, change: impl FnOnce(&mut BoardState)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let at_work: Vec<String> = state
            .at_work
            .iter()
            .map(|(source, how_far)| format!("{source} {how_far}"))
            .collect();
        let line = format!("{} of {}; {}", state.ended, self.count, at_work.join(", "));
        self.console.ticking(&line);
    }
}

/// Whoever gives a label again has to see that this is no new backup.
fn said(backup: &TakenBackup, now: Timestamp) -> String {
    let TakenBackup {
        id, made, was_there, ..
    } = backup;
    match (was_there, made) {
        (false, _) => format!("{id} is complete"),
        (true, None) => format!("{id} was there ALREADY, nothing new was made"),
        (true, Some(made)) => format!(
            "{id} was there ALREADY, of {} ({} ago), nothing new was made",
            moment::at(*made),
            moment::lasting(now.duration_since(*made))
        ),
    }
}

async fn retain(session: &Session<'_>, taken: &[Taken], console: &Console) -> Retained {
    let Some(database) = &session.environment.database else {
        return Retained::default();
    };
    let databases = taken.iter().filter_map(|taken| match taken.kind {
        Kind::RdsSnapshot => Some(RdsDatabase::Instance(taken.of.clone())),
        Kind::RdsClusterSnapshot => Some(RdsDatabase::Cluster(taken.of.clone())),
        Kind::ElasticacheSnapshot | Kind::ElasticacheClusterSnapshot | Kind::DynamodbBackup => None,
    });
    let databases: Vec<RdsDatabase> = databases.collect();
    let made: Vec<String> = taken.iter().map(|taken| taken.id.clone()).collect();
    let environment = &session.environment.name;
    let limits = (database.backups, now());
    retention::of_snapshots(&session.aws, environment, &databases, &made, limits, console).await
}

/// Waits for somebody who wants to stop.
async fn interrupted() -> &'static str {
    let heard = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = heard else {
        // Whoever cannot listen ends as the system ends processes.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "interrupted",
        _ = terminate.recv() => "terminated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_was_given_before_is_told_so() {
        let now: Timestamp = "2026-11-23T07:38:12Z".parse().unwrap();
        let backup = |was_there| TakenBackup {
            id: "llama-deploy-main-nightly".to_owned(),
            of: "main".to_owned(),
            made: "2026-11-23T04:38:12Z".parse().ok(),
            was_there,
        };
        assert_eq!(said(&backup(false), now), "llama-deploy-main-nightly is complete");
        assert_eq!(
            said(&backup(true), now),
            "llama-deploy-main-nightly was there ALREADY, of 2026-11-23 04:38:12Z (3 h ago), nothing new was made"
        );
    }

    #[test]
    fn what_is_missing_is_named_first() {
        let taken = |of: &str| Taken {
            kind: Kind::RdsSnapshot,
            of: of.to_owned(),
            id: String::new(),
            made_at: None,
            was_there: false,
        };
        let failed = |kind: Kind, of: &str| Failed {
            kind,
            of: of.to_owned(),
            error: String::new(),
        };
        let one = [failed(Kind::ElasticacheSnapshot, "hot")];
        assert_eq!(
            not_all(&[taken("main")], &one),
            "cache hot is NOT backed up; the other one is"
        );
        let two = [
            failed(Kind::RdsSnapshot, "main"),
            failed(Kind::DynamodbBackup, "events"),
        ];
        assert_eq!(not_all(&[], &two), "instance main, table events are NOT backed up");
    }
}
