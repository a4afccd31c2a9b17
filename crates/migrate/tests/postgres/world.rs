//! What the tests stand on: a server, a folder of files, and a record of events.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use migrate::{
    ContractPermit, Database, Event, Events, MigrateError, Migrator, Options, Password, ProvenBackup, Report, Versions,
};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, raw_sql};
use tempfile::TempDir;
use test_postgres::{PASSWORD, TestPostgres};
use tokio::sync::Notify;

/// Looks, each 10 ms: only what never comes meets its end.
const PATIENCE: usize = 60_000;

pub struct World {
    pub postgres: TestPostgres,
    pub folder: TempDir,
}

impl World {
    /// A server, and a folder with these files.
    pub async fn new(files: &[(&str, &str)]) -> Self {
        let world = Self {
            postgres: TestPostgres::start().await,
            folder: tempfile::tempdir().unwrap(),
        };
        for (name, text) in files {
            world.write(name, text);
        }
        world
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn database(&self) -> Database {
        Database::new(
            "127.0.0.1",
            self.postgres.port(),
            "postgres",
            "postgres",
            Password::new(PASSWORD),
        )
    }

    pub fn migrator(&self) -> Migrator {
        Migrator::load(self.path()).unwrap()
    }

    pub async fn up(&self, options: &Options) -> Result<Report, MigrateError> {
        self.migrator().up(&self.database(), options, &migrate::Silent).await
    }

    /// The files that a run with these options applied.
    pub async fn applies(&self, options: &Options) -> Vec<String> {
        self.up(options)
            .await
            .unwrap()
            .applied
            .into_iter()
            .map(|applied| applied.file)
            .collect()
    }

    /// A backup of the schema as it is now, as if it had been restored for a proof.
    pub async fn proven(&self) -> ProvenBackup {
        ProvenBackup {
            name: "before".to_owned(),
            schema_version: self.migrator().status(&self.database()).await.unwrap().schema_version(),
        }
    }

    /// Leave to run contracts: nobody is connected.
    pub async fn permit(&self) -> ContractPermit {
        let backups = [self.proven().await];
        ContractPermit::ask(&self.database(), &Versions::default(), &backups)
            .await
            .unwrap()
    }

    pub async fn connect(&self) -> PgConnection {
        self.postgres.connect().await
    }

    pub async fn connect_as(&self, application: &str) -> PgConnection {
        self.postgres
            .options()
            .application_name(application)
            .connect()
            .await
            .unwrap()
    }

    pub async fn sql(&self, sql: &str) {
        run(&mut self.connect().await, sql).await;
    }

    /// One number that a query gives.
    pub async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut self.connect().await)
            .await
            .unwrap()
    }

    /// Waits until a query gives true, which another task is about to bring about.
    pub async fn until(&self, sql: &str) {
        let mut connection = self.connect().await;
        for _ in 0..PATIENCE {
            let reached: bool = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
                .fetch_one(&mut connection)
                .await
                .unwrap();
            if reached {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never true: {sql}");
    }

    /// The same for what is no query.
    pub async fn until_told(&self, reached: impl Fn() -> bool) {
        for _ in 0..PATIENCE {
            if reached() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never true; the server's log: {}", self.postgres.log());
    }
}

pub async fn run(connection: &mut PgConnection, sql: &str) {
    raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

/// Short waits: every test brings its condition about by itself.
pub fn hasty() -> Options {
    Options {
        lock_timeout: Duration::from_millis(200),
        lock_attempts: 3,
        ..Options::rollout()
    }
}

/// Waits that last until somebody has looked who is in the way, on a busy machine too.
pub fn watched() -> Options {
    Options {
        lock_timeout: Duration::from_secs(5),
        lock_attempts: 2,
        ..hasty()
    }
}

/// Keeps what a run told.
#[derive(Default)]
pub struct Told {
    events: Mutex<Vec<Event>>,
    more: Notify,
}

impl Told {
    pub fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|event| wanted(event)).count()
    }

    /// Waits for the first event that `wanted` takes.
    pub async fn first<T>(&self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        loop {
            let found = self.events.lock().unwrap().iter().find_map(&wanted);
            match found {
                Some(found) => return found,
                None => self.more.notified().await,
            }
        }
    }
}

impl Events for Told {
    fn report(&self, event: Event) {
        self.events.lock().unwrap().push(event);
        self.more.notify_one();
    }
}
