//! Whether the contracts of an environment may run now: the one place that decides it, for `migrate up --phase contract`
//! and for `cleanup`.
//!
//! The ledger says whether an old version can still be called, the server whether one is still connected, the folder of
//! dumps and the snapshots whether what is taken away can be had back.

use aws::{DatabaseSnapshot, RdsDatabase, SchemaVersion};
use migrate::{ContractPermit, ContractRefused, MigrateError, Options, Phase, Phases, ProvenBackup, Versions};
use orchestrator::domain::{EnvironmentName, Release, ReleaseState};
use orchestrator::driver::RolloutError;
use orchestrator::ledger::{Standing, read_journal, read_standing, rollout_numbers};
use serde::Serialize;

use super::migrations::DatabaseMigrations;
use super::stacks::Stacks;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::hooks::{self, Hooks};
use crate::moment::until;
use crate::refusal;
use crate::rollout;
use crate::session::Session;
use crate::settings::{Contract, HookTime};

/// Leave to run contracts on the environment's database. `rds`: what RDS knows it by, where it does.
///
/// # Errors
/// [`Code::ContractRefused`] with everything that is in the way of it; nothing was changed.
pub async fn may_contract(
    session: &Session<'_>,
    database: &migrate::Database,
    rds: Option<&RdsDatabase>,
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
    let backups = proven_backups(session, rds).await?;
    ContractPermit::ask(database, &versions(&standing), &backups)
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
    pub failed_hooks: Vec<String>,
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
    let permit = match may_contract(session, server, connection.rds.as_ref()).await {
        Ok(permit) => permit,
        Err(failure) if failure.code == Code::ContractRefused => {
            let cause = failure.cause.map(|cause| cause.to_string());
            return Ok(waiting(cause.unwrap_or(failure.message)));
        }
        Err(failure) => return Err(failure),
    };
    let hooks = Hooks::of(session, console.clone()).masking(server);
    hooks.before(HookTime::BeforeMigrate).await?;
    let options = Options {
        phases: Phases::default(),
        ..Options::rollout()
    };
    match migrator
        .up(server, &options.contracting(permit), &database.events())
        .await
    {
        Ok(report) => {
            let after = hooks.after(HookTime::AfterMigrate).await;
            Ok(Contracts {
                applied: report.applied.into_iter().map(|applied| applied.file).collect(),
                failed_hooks: hooks::failures(&after),
                ..Contracts::default()
            })
        }
        Err(error @ MigrateError::ContractTooEarly { .. }) => Ok(waiting(error.to_string())),
        Err(error) => Err(refusal::migrating(error)),
    }
}

fn retained(standing: &Standing) -> Option<&Release> {
    let mut releases = standing.releases.iter();
    releases.find(|release| release.state == ReleaseState::Retained)
}

fn versions(standing: &Standing) -> Versions {
    let functions = standing.live_release().into_iter().flat_map(|live| &live.functions);
    Versions {
        live: functions
            .map(|function| (function.name.to_string(), function.version.to_string()))
            .collect(),
        alone_since: standing.last_retired_at.map(|at| at.to_string()),
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
