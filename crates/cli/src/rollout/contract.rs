//! Whether the contracts of an environment may run now: the one place that decides it, for `migrate up --phase contract`
//! and for `cleanup`.
//!
//! The ledger says whether an old version can still be called, the server whether one is still connected, the folder of
//! dumps and the snapshots whether what is taken away can be had back.

use aws::{DatabaseSnapshot, RdsDatabase, SchemaVersion};
use migrate::{
    ContractPermit, ContractRefused, Held, MigrateError, MigrationFile, Options, Phase, Phases, ProvenBackup, Versions,
};
use orchestrator::domain::{EnvironmentName, Release, ReleaseState};
use orchestrator::driver::RolloutError;
use orchestrator::ledger::{Standing, read_journal, read_standing, rollout_numbers};
use serde::Serialize;

use super::migrations::DatabaseMigrations;
use super::stacks::Stacks;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::hooks::{HookRuns, Hooks};
use crate::moment::until;
use crate::refusal;
use crate::rollout;
use crate::session::Session;
use crate::settings::{Contract, HookTime};

/// Leave to run contracts on the environment's database, at least the first of those that are pending. `rds`: what RDS
/// knows it by, where it does.
///
/// # Errors
/// [`Code::ContractRefused`] with everything that is in the way of it; nothing was changed.
pub async fn may_contract(
    session: &Session<'_>,
    database: &migrate::Database,
    rds: Option<&RdsDatabase>,
    pending: &[MigrationFile],
) -> Outcome<ContractPermit> {
    let name = &session.environment.name;
    let ledger = rollout::ledger(session)?;
    let environment = EnvironmentName::new(name.as_str());
    let unreadable = |error: RolloutError| rollout::failed(error);
    if let Some(newest) = rollout_numbers(&*ledger, &environment)
        .await
        .map_err(|error| unreadable(error.into()))?
        .last()
    {
        let journal = read_journal(&*ledger, &environment, *newest)
            .await
            .map_err(|error| unreadable(error.into()))?;
        if journal.is_open() {
            return Err(refused(name, format!("rollout {newest} is open"))
                .hint(format!("llama-deploy status {name} says what it waits for")));
        }
    }
    let standing = read_standing(&*ledger, &environment)
        .await
        .map_err(|error| unreadable(error.into()))?;
    if let Some(release) = retained(&standing) {
        let until = release
            .retained_until
            .map(|until_when| format!(", {}", until(until_when, rollout::now())))
            .unwrap_or_default();
        return Err(refused(
            name,
            format!(
                "release {} of slot {} can still be gone back to{until}",
                release.number, release.slot
            ),
        )
        .hint(format!(
            "llama-deploy cleanup {name} retires it when its retention has ended, with --now at once"
        )));
    }
    let versions = versions(&standing);
    let first = pending.iter().find(|file| file.phase == Some(Phase::Contract));
    if let (Some(live), Some(first)) = (
        standing.live_release(),
        first.filter(|first| !versions.cover(first.version)),
    ) {
        return Err(refused(
            name,
            format!(
                "release {}, which is live, was deployed without {} and may need what it takes away",
                live.number, first.file
            ),
        )
        .hint(format!(
            "llama-deploy deploy --blue-green --env {name} deploys the release that it belongs with; it runs when that is the \
             only one left"
        )));
    }
    let backups = proven_backups(session, rds).await?;
    ContractPermit::ask(database, &versions, &backups)
        .await
        .map_err(|error| by_the_database(name, error))
}

/// What `cleanup` did about the contracts that are pending.
#[derive(Default, Serialize)]
pub struct Contracts {
    pub applied: Vec<String>,
    pub waiting: Vec<String>,
    /// Why those that wait do.
    pub because: Option<String>,
    /// The commands around them.
    pub hooks: HookRuns,
}

/// Runs the pending contracts where the settings say that `cleanup` does. What is in the way of them is no failure of the
/// cleanup: the next one asks again.
pub async fn contract_on_cleanup(session: &Session<'_>, console: &Console) -> Outcome<Contracts> {
    let settings = session.environment.database.as_ref();
    if settings.is_none_or(|settings| settings.contract != Contract::OnCleanup) {
        return Ok(Contracts::default());
    }
    let stacks = Stacks::read(&rollout::ledger(session)?, &session.environment.name).await?;
    let database = DatabaseMigrations::of(session, stacks, console.clone());
    let unreachable = |error| Failure::new(Code::DatabaseUnavailable, "the database cannot be found").because(error);
    let (Some(migrator), Some(connection)) = (
        database.migrator().map_err(refusal::migrating)?,
        database.connection().await.map_err(unreachable)?,
    ) else {
        return Ok(Contracts::default());
    };
    let server = &connection.database;
    let status = migrator.status(server).await.map_err(refusal::migrating)?;
    let pending = status.pending.iter().filter(|file| file.phase == Some(Phase::Contract));
    let pending: Vec<String> = pending.map(|file| file.file.clone()).collect();
    if pending.is_empty() {
        return Ok(Contracts::default());
    }
    let waiting = |because: String| Contracts {
        waiting: pending.clone(),
        because: Some(because),
        ..Contracts::default()
    };
    let permit = match may_contract(session, server, connection.rds.as_ref(), &status.pending).await {
        Ok(permit) => permit,
        Err(failure) if failure.code == Code::ContractRefused => {
            let cause = failure.cause.map(|cause| cause.to_string());
            let said = cause.into_iter().chain(failure.hints);
            return Ok(waiting(said.collect::<Vec<_>>().join("; ")));
        }
        Err(failure) => return Err(failure),
    };
    let options = Options {
        phases: Phases::default(),
        ..Options::rollout()
    }
    .contracting(permit);
    // Asked before the hook, which stands before something that is going to happen.
    match status.plan(&options) {
        Ok(_) => {}
        Err(error @ MigrateError::ContractTooEarly { .. }) => return Ok(waiting(error.to_string())),
        Err(error) => return Err(refusal::migrating(error)),
    }
    let hooks = Hooks::of(session, console.clone()).masking(server);
    let mut runs = hooks.before(HookTime::BeforeMigrate).await?;
    let report = migrator
        .up(server, &options, &database.events())
        .await
        .map_err(refusal::migrating)?;
    runs.extend(hooks.after(HookTime::AfterMigrate).await);
    let held: Vec<Held> = report
        .held
        .into_iter()
        .filter(|held| held.phase == Phase::Contract)
        .collect();
    Ok(Contracts {
        applied: report.applied.into_iter().map(|applied| applied.file).collect(),
        because: held.first().map(|held| held.reason.clone()),
        waiting: held.into_iter().map(|held| held.file).collect(),
        hooks: HookRuns(runs),
    })
}

fn retained(standing: &Standing) -> Option<&Release> {
    let mut releases = standing.releases.iter();
    releases.find(|release| release.state == ReleaseState::Retained)
}

fn versions(standing: &Standing) -> Versions {
    let live = standing.live_release();
    let functions = live.into_iter().flat_map(|live| &live.functions);
    Versions {
        live: functions
            .map(|function| (function.name.to_string(), function.version.to_string()))
            .collect(),
        alone_since: standing.last_retired_at.map(|at| at.to_string()),
        contracts: live
            .and_then(|live| live.contracts.as_ref())
            .map(|contracts| contracts.iter().filter_map(|version| version.parse().ok()).collect()),
    }
}

/// The environment's backups that were restored for a proof: its dumps, then the snapshots of this database, each oldest
/// first.
async fn proven_backups(session: &Session<'_>, rds: Option<&RdsDatabase>) -> Outcome<Vec<ProvenBackup>> {
    let folder = session.settings.backups_folder(&session.environment.name);
    let backups = migrate::backup::list(&folder)
        .map_err(|error| Failure::new(Code::ContractRefused, "the backups cannot be listed").because(error))?;
    // A damaged one proves nothing.
    let mut proven: Vec<ProvenBackup> = backups.iter().flatten().filter_map(ProvenBackup::of).collect();
    let Some(rds) = rds else {
        return Ok(proven);
    };
    let snapshots = session.aws.snapshots_of(rds, &session.environment.name).await;
    let snapshots = snapshots.map_err(refusal::calling)?;
    proven.extend(snapshots.iter().rev().filter_map(proven_snapshot));
    Ok(proven)
}

/// One that was proved before its schema was noted says too little.
fn proven_snapshot(snapshot: &DatabaseSnapshot) -> Option<ProvenBackup> {
    let SchemaVersion(schema_version) = snapshot.schema.filter(|_| snapshot.verified.is_some())?;
    (snapshot.status == "available").then(|| ProvenBackup {
        name: snapshot.id.clone(),
        schema_version,
    })
}

fn by_the_database(environment: &str, error: ContractRefused) -> Failure {
    match error {
        ContractRefused::Database(error) => refusal::migrating(error),
        ContractRefused::OldSessions { .. } => refused(environment, error.to_string()).hint(
            "an idle instance of a function ends by itself within hours; restart or end the rest (pg_terminate_backend)",
        ),
        ContractRefused::NothingProven { .. } => refused(environment, error.to_string()).hint(format!(
            "llama-deploy db backup --env {environment}, then llama-deploy db verify --env {environment}"
        )),
    }
}

fn refused(environment: &str, because: String) -> Failure {
    Failure::new(
        Code::ContractRefused,
        format!("no contract runs on the database of {environment} now"),
    )
    .because(anyhow::anyhow!("{because}"))
}
