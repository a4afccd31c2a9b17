//! `llama-deploy migrate up | status`: the environment's database against its folder of migrations.

use migrate::{MigrateError, Options};
use serde_json::json;

use super::Session;
use crate::arguments::Migrate;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::rollout::{self, Connection, DatabaseMigrations, Stacks};
use crate::settings::Settings;

pub fn run(command: &Migrate, settings: &Settings, console: &Console) -> Outcome<u8> {
    let (Migrate::Up { target } | Migrate::Status { target }) = command;
    let environment = settings.environment(&target.environment)?;
    let missing = || {
        Failure::new(
            Code::SettingMissing,
            format!("{} has no [database]", settings.file.display()),
        )
        .hint("name the stack output with the database's secret, and the folder of migrations")
    };
    if environment.database.is_none() {
        return Err(missing());
    }
    let session = Session::open(settings, environment, console)?;
    console.clear();
    session.runtime.block_on(async {
        let stacks = Stacks::read(&rollout::ledger(&session)?, &environment.name).await?;
        let database = DatabaseMigrations::of(&session, stacks, console.clone());
        let migrator = database.migrator().map_err(failed)?.ok_or_else(missing)?;
        let connection = database
            .connection()
            .await
            .map_err(|error| Failure::new(Code::DatabaseUnavailable, "the database cannot be found").because(error))?;
        let Connection { database: server, .. } = connection.ok_or_else(|| {
            Failure::new(
                Code::DatabaseUnavailable,
                format!("{} has no database yet", environment.name),
            )
            .hint(format!("llama-deploy deploy --env {} makes it", environment.name))
        })?;
        match command {
            Migrate::Up { .. } => {
                let options = database.options(Options::by_hand());
                let report = migrator
                    .up(&server, &options, &database.events())
                    .await
                    .map_err(failed)?;
                console.clear();
                for held in &report.held {
                    console.say(&format!("  held: {} ({}): {}", held.file, held.phase, held.reason));
                }
                let version = report
                    .schema_version
                    .map_or_else(|| "none".to_owned(), |version| version.to_string());
                console.print(&format!("{} applied; the schema is at {version}", report.applied.len()));
                let applied: Vec<&str> = report.applied.iter().map(|applied| applied.file.as_str()).collect();
                let held: Vec<&str> = report.held.iter().map(|held| held.file.as_str()).collect();
                console
                    .print_json(&json!({ "applied": applied, "held": held, "schema_version": report.schema_version }));
                Ok(0)
            }
            Migrate::Status { .. } => {
                let status = migrator.status(&server).await.map_err(failed)?;
                for applied in &status.applied {
                    console.print(&format!(
                        "applied  {}  {} {}",
                        applied.installed_on, applied.version, applied.description
                    ));
                }
                for pending in &status.pending {
                    let phase = pending.phase.map_or("no phase", |phase| phase.name());
                    console.print(&format!("pending  {phase:9} {}", pending.file));
                }
                for problem in &status.problems {
                    console.print(&format!("PROBLEM  {problem}"));
                }
                let applied: Vec<i64> = status.applied.iter().map(|applied| applied.version).collect();
                let pending: Vec<&str> = status.pending.iter().map(|pending| pending.file.as_str()).collect();
                let problems: Vec<String> = status.problems.iter().map(ToString::to_string).collect();
                console.print_json(&json!({ "applied": applied, "pending": pending, "problems": problems }));
                Ok(u8::from(!status.problems.is_empty()))
            }
        }
    })
}

fn failed(error: MigrateError) -> Failure {
    let (code, message) = match &error {
        MigrateError::Connect { .. } | MigrateError::Unreachable { .. } => {
            (Code::DatabaseUnavailable, "no connection to the database")
        }
        MigrateError::LockHeld { .. } => (Code::LockHeld, "another run migrates this database"),
        _ => (Code::MigrationFailed, "the database was not migrated"),
    };
    Failure::new(code, message).because(error)
}
