//! The database's part of a rollout: a backup where the environment asks for one, then the expand migrations.

use std::path::PathBuf;

use async_trait::async_trait;
use aws::{Aws, Login, RdsDatabase, Secret};
use migrate::{BackupError, BackupOptions, Event, Events, MigrateError, Migrator, Options, Password, Phase, Status};
use orchestrator::ports::{Backup, Expanded, Migrations, PortError, PortErrorKind};

use super::clock::now;
use super::stacks::Stacks;
use crate::console::Console;
use crate::hooks::{HookFailed, Hooks};
use crate::retention;
use crate::session::Session;
use crate::settings::{Backup as BackupKind, Database, HookTime};

/// The certificates that RDS's own are signed with; the functions trust the same file.
const RDS_ROOTS: &str = include_str!("../../../../functions/platform/certificates/amazon-rds-roots.pem");
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
/// What PostgreSQL calls the database that every server has. RDS's secret names none unless the instance was given one.
const DEFAULT_DATABASE: &str = "postgres";

pub struct DatabaseMigrations {
    aws: Aws,
    environment: String,
    stacks: Stacks,
    database: Option<Database>,
    backup: BackupKind,
    backups: PathBuf,
    seed: bool,
    hooks: Hooks,
    console: Console,
}

/// The environment's database, and what its secret says beside how to log in.
pub struct Connection {
    pub database: migrate::Database,
    /// What RDS knows it by; the attachment of a secret names an instance or a cluster.
    pub rds: Option<RdsDatabase>,
    /// What the secret says of the user.
    pub login: Login,
}

impl DatabaseMigrations {
    pub fn of(session: &Session<'_>, stacks: Stacks, console: Console) -> Self {
        Self {
            aws: session.aws.clone(),
            environment: session.environment.name.clone(),
            stacks,
            database: session.environment.database.clone(),
            backup: session.environment.backup,
            backups: session.settings.backups_folder(&session.environment.name),
            seed: session.environment.seed,
            hooks: Hooks::of(session, console.clone()),
            console,
        }
    }

    /// `None` where the settings name no database, or no stack has made it yet.
    pub async fn connection(&self) -> Result<Option<Connection>, PortError> {
        let Some(settings) = &self.database else {
            return Ok(None);
        };
        let outputs = self.stacks.outputs(&self.aws).await?;
        let Some(arn) = outputs.get(&settings.secret_output) else {
            return Ok(None);
        };
        let secret = self.aws.secret(arn).await?;
        let field = |name: &str| {
            let message = format!(
                "the secret of output `{}` has no member `{name}`",
                settings.secret_output
            );
            secret
                .field(name)
                .ok_or_else(|| PortError::new(PortErrorKind::Invalid, "read the database's secret", arn, message))
        };
        let port = field("port")?.expose().parse().map_err(|_| {
            PortError::new(
                PortErrorKind::Invalid,
                "read the database's secret",
                arn,
                "its port is no number",
            )
        })?;
        let database = migrate::Database::new(
            field("host")?.expose(),
            port,
            secret.field("dbname").as_ref().map_or(DEFAULT_DATABASE, Secret::expose),
            field("username")?.expose(),
            Password::new(field("password")?.expose()),
        )
        .trusting(roots(settings)?);
        let named = |member: &str| secret.field(member).map(|name| name.expose().to_owned());
        let cluster = named("dbClusterIdentifier").map(RdsDatabase::Cluster);
        let rds = cluster.or(named("dbInstanceIdentifier").map(RdsDatabase::Instance));
        let login = Login {
            username: field("username")?.expose().to_owned(),
            password: field("password")?,
        };
        Ok(Some(Connection { database, rds, login }))
    }

    pub fn migrator(&self) -> Result<Option<Migrator>, MigrateError> {
        self.database
            .as_ref()
            .map(|settings| Migrator::load(&settings.migrations))
            .transpose()
            .map_err(Into::into)
    }

    /// `options`, and the phase `seed` where the environment asks for it.
    pub fn options(&self, options: Options) -> Options {
        if self.seed {
            options.allowing(Phase::Seed)
        } else {
            options
        }
    }

    /// Whether a rollout would apply anything.
    fn is_any_pending(&self, status: &Status) -> Result<bool, PortError> {
        let plan = status.plan(&self.options(Options::rollout()));
        Ok(!plan.map_err(|error| migrating(&error))?.run().is_empty())
    }

    pub fn events(&self) -> impl Events + use<> {
        let console = self.console.clone();
        move |event: Event| tell(&console, &event)
    }
}

#[async_trait]
impl Migrations for DatabaseMigrations {
    async fn backup(&self, label: &str) -> Result<Option<Backup>, PortError> {
        if self.backup == BackupKind::None {
            return Ok(None);
        }
        let Some(connection) = self.connection().await? else {
            return Ok(None);
        };
        let hooks = self.hooks.masking(&connection.database).about_backup(label);
        let stopped = |failed: HookFailed| PortError::new(PortErrorKind::Invalid, "back up", label, failed.to_string());
        let mut runs = hooks.before(HookTime::BeforeBackup).await.map_err(stopped)?;
        let retention = self.database.as_ref().map(|database| database.backups);
        let retention = (retention.unwrap_or_default(), now());
        let location = match self.backup {
            BackupKind::None => return Ok(None),
            BackupKind::PgDump => {
                let options = BackupOptions::new(&self.backups, label);
                migrate::back_up(&connection.database, &options)
                    .await
                    .map_err(|error| backing_up(label, &error))?;
                runs.extend(hooks.after(HookTime::AfterBackup).await);
                retention::of_dumps(&self.backups, label, retention, &self.console);
                self.backups.join(label).display().to_string()
            }
            BackupKind::RdsSnapshot => {
                let rds = connection.rds.ok_or_else(|| {
                    let message = "its secret names no RDS instance or cluster: choose backup = \"pg-dump\"";
                    PortError::new(PortErrorKind::Invalid, "snapshot the database", label, message)
                })?;
                let console = self.console.clone();
                let progress = move |how_far: String| console.ticking(&format!("snapshot of the database: {how_far}"));
                let taken = self.aws.snapshot(&rds, &self.environment, label, &progress).await?.id;
                runs.extend(hooks.after(HookTime::AfterBackup).await);
                let made = [taken.clone()];
                retention::of_snapshots(&self.aws, &self.environment, &[rds], &made, retention, &self.console).await;
                taken
            }
        };
        Ok(Some(Backup { location, hooks: runs }))
    }

    async fn expand_is_pending(&self) -> Result<bool, PortError> {
        let Some(migrator) = self.migrator().map_err(|error| migrating(&error))? else {
            return Ok(false);
        };
        let Some(connection) = self.connection().await? else {
            return Ok(false);
        };
        let status = migrator.status(&connection.database).await;
        self.is_any_pending(&status.map_err(|error| migrating(&error))?)
    }

    async fn expand(&self) -> Result<Expanded, PortError> {
        let Some(migrator) = self.migrator().map_err(|error| migrating(&error))? else {
            return Ok(Expanded::Applied {
                count: 0,
                schema_version: None,
                contracts: None,
                hooks: Vec::new(),
            });
        };
        let Some(connection) = self.connection().await? else {
            return Ok(Expanded::NoDatabaseYet);
        };
        let status = migrator.status(&connection.database).await;
        let status = status.map_err(|error| migrating(&error))?;
        let is_pending = self.is_any_pending(&status)?;
        let contracts = status.pending.iter().filter(|file| file.phase == Some(Phase::Contract));
        let hooks = self.hooks.masking(&connection.database);
        let stopped =
            |failed: HookFailed| PortError::new(PortErrorKind::Invalid, "migrate", "the database", failed.to_string());
        let mut runs = Vec::new();
        if is_pending {
            runs = hooks.before(HookTime::BeforeMigrate).await.map_err(stopped)?;
        }
        let report = migrator
            .up(&connection.database, &self.options(Options::rollout()), &self.events())
            .await
            .map_err(|error| migrating(&error))?;
        if is_pending {
            runs.extend(hooks.after(HookTime::AfterMigrate).await);
        }
        Ok(Expanded::Applied {
            count: u32::try_from(report.applied.len()).unwrap_or(u32::MAX),
            schema_version: report.schema_version.map(|version| version.to_string()),
            contracts: Some(contracts.map(|file| file.version.to_string()).collect()),
            hooks: runs,
        })
    }
}

/// RDS's, and those that the settings name.
fn roots(settings: &Database) -> Result<String, PortError> {
    let mut roots = RDS_ROOTS.to_owned();
    if let Some(file) = &settings.trusted_roots {
        let invalid = |message: String| {
            let file = file.display().to_string();
            PortError::new(PortErrorKind::Invalid, "read [database] trusted-roots", file, message)
        };
        let own = std::fs::read_to_string(file).map_err(|error| invalid(error.to_string()))?;
        if !own.contains(CERTIFICATE) {
            return Err(invalid(format!(
                "it holds no certificate in PEM, which begins with {CERTIFICATE}"
            )));
        }
        roots.push('\n');
        roots.push_str(&own);
    }
    Ok(roots)
}

fn migrating(error: &MigrateError) -> PortError {
    let kind = if error.is_transient() {
        PortErrorKind::Unavailable
    } else {
        PortErrorKind::Invalid
    };
    PortError::new(kind, "migrate", error.kind(), whole(error))
}

fn backing_up(label: &str, error: &BackupError) -> PortError {
    let kind = match error {
        BackupError::Database(error) if error.is_transient() => PortErrorKind::Unavailable,
        _ => PortErrorKind::Invalid,
    };
    PortError::new(kind, "back up", label, whole(error))
}

/// A port's error carries its cause in its message.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

/// One line an event that lasts.
pub fn tell(console: &Console, event: &Event) {
    match event {
        Event::WaitingForLock { holder } => {
            console.waiting(&format!("waiting for the migration lock, held by {holder}"))
        }
        Event::Locked | Event::Held { .. } => {}
        Event::Applying { file, index, count } => console.waiting(&format!("migration {index} of {count}: {file}")),
        Event::Blocked {
            file,
            attempt,
            attempts,
            blockers,
            ..
        } => {
            let blockers: Vec<String> = blockers.iter().map(ToString::to_string).collect();
            console.say(&format!(
                "  {file} got no lock (try {attempt} of {attempts}); in its way: {}",
                blockers.join("; ")
            ));
        }
        Event::Backfilling {
            file,
            rows,
            keys,
            estimate,
            remaining,
        } => {
            let of = estimate
                .map(|estimate| format!(" of about {estimate}"))
                .unwrap_or_default();
            let left = remaining
                .map(|left| format!(", about {} s left", left.as_secs()))
                .unwrap_or_default();
            console.waiting(&format!("{file}: {keys}{of} keys, {rows} rows written{left}"));
        }
        Event::DroppingInvalidIndex { file, index } => console.say(&format!(
            "  {file}: drops the index {index}, which an earlier try left invalid, and builds it again"
        )),
        Event::Applied { file, took } => console.say(&format!("  ✓ {file} ({} ms)", took.as_millis())),
    }
}
