//! The environment's database, opened for a command that somebody types. The rollout has its own way to it, through the
//! orchestrator's port.

use migrate::backup::Check;
use migrate::{Migrator, Options};

use super::Session;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::retention::Retention;
use crate::rollout::{self, Connection, DatabaseMigrations, Stacks};
use crate::settings::{Environment, Settings};

pub struct OpenDatabase<'a> {
    pub session: Session<'a>,
    pub server: migrate::Database,
    /// What RDS knows it by, where the secret says so.
    pub rds: Option<aws::RdsDatabase>,
    pub login: aws::Login,
    /// How the rollout does it: its phases, its events.
    pub wired: DatabaseMigrations,
}

impl<'a> OpenDatabase<'a> {
    /// Finds the database by the environment's stacks and its secret. Connects to nothing of it yet.
    pub fn find(environment: &str, settings: &'a Settings, console: &Console) -> Outcome<Self> {
        let environment = settings.environment(environment)?;
        if environment.database.is_none() {
            return Err(no_database(settings));
        }
        let session = Session::open(settings, environment, console)?;
        console.clear();
        let ledger = rollout::ledger(&session)?;
        let (wired, connection) = session.runtime.block_on(async {
            let stacks = Stacks::read(&ledger, &environment.name).await?;
            let wired = DatabaseMigrations::of(&session, stacks, console.clone());
            let connection = wired.connection().await.map_err(|error| {
                Failure::new(Code::DatabaseUnavailable, "the database cannot be found").because(error)
            })?;
            Ok::<_, Failure>((wired, connection))
        })?;
        let Connection { database, rds, login } = connection.ok_or_else(|| {
            Failure::new(
                Code::DatabaseUnavailable,
                format!("{} has no database yet", environment.name),
            )
            .hint(format!("llama-deploy deploy --env {} makes it", environment.name))
        })?;
        Ok(Self {
            session,
            server: database,
            rds,
            login,
            wired,
        })
    }

    /// What a restored backup is asked, beyond the number of rows.
    pub fn checks(&self) -> Vec<Check> {
        let database = self.environment().database.iter();
        database
            .flat_map(|database| &database.checks)
            .map(|check| Check {
                name: check.name.clone(),
                sql: check.sql.clone(),
            })
            .collect()
    }

    /// How long its backups are kept.
    pub fn retention(&self) -> Retention {
        let database = self.environment().database.as_ref();
        database.map(|database| database.backups).unwrap_or_default()
    }

    pub fn environment(&self) -> &'a Environment {
        self.session.environment
    }

    /// The migrations of its folder.
    pub fn migrator(&self) -> Outcome<Migrator> {
        self.wired
            .migrator()
            .map_err(refusal::migrating)?
            .ok_or_else(|| no_database(self.session.settings))
    }

    /// What a person's run may do without more ado.
    pub fn by_hand(&self) -> Options {
        self.wired.options(Options::by_hand())
    }
}

pub fn no_database(settings: &Settings) -> Failure {
    Failure::new(
        Code::SettingMissing,
        format!("{} has no [database]", settings.file.display()),
    )
    .hint("name the stack output with the database's secret, and the folder of migrations")
}
