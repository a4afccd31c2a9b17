//! Restores whose process is killed: whatever the moment, one whole database serves, and the same restore, begun again, comes
//! to its end. The moments are held open by locks, by a role that a restored check waits for, and by a session inside.

use std::process::Child;

use migrate::backup::{RestoreOptions, find, restore};
use migrate::{BackupOptions, Database, Password, back_up};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnection;
use test_postgres::PASSWORD;

use crate::again;
use crate::world::{World, run};

const OLD: i64 = 500;
const NEW: i64 = 1000;

/// A restored `held` is not whole before there is no role `hold`; in the database that was dumped it is at once.
const TABLES: &str = "CREATE TABLE a AS SELECT n AS b FROM generate_series(1, 1000) AS n;
    CREATE FUNCTION released() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
      WHILE current_database() <> 'app' AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'hold') LOOP
        PERFORM pg_sleep(0.02);
      END LOOP;
      RETURN true;
    END $$;
    CREATE TABLE held (b int CHECK (released()));
    INSERT INTO held VALUES (1)";

const RESTORING: &str = "SELECT count(*) > 0 FROM pg_stat_activity
    WHERE application_name = 'llama-deploy backup' AND wait_event = 'PgSleep'";
const GONE: &str = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'llama-deploy%'";

fn app(port: u16) -> Database {
    Database::new("127.0.0.1", port, "app", "postgres", Password::new(PASSWORD))
}

/// In the second process: restores, and stays.
async fn restores_as_victim() -> bool {
    let Some(told) = again::told() else { return false };
    let mut told = told.splitn(3, ' ');
    let mut next = || told.next().unwrap();
    let (port, programs, folder) = (next().parse().unwrap(), next().into(), next());
    let options = RestoreOptions {
        programs: Some(programs),
        ..RestoreOptions::default()
    };
    let backup = find(folder.as_ref(), "release-7").unwrap();
    restore(&backup, &app(port), &options).await.unwrap();
    // Done, and nobody was told.
    std::future::pending::<()>().await;
    true
}

/// A server whose `app` has fewer rows than its backup.
struct Restoring {
    world: World,
    victim: Option<Child>,
}

impl Restoring {
    /// Begins to restore; `test` is the caller.
    async fn begin(test: &str, is_held: bool) -> Self {
        let world = World::new(&[]).await;
        let mut connection = world.postgres.database("app").await.connect().await.unwrap();
        run(&mut connection, TABLES).await;
        let folder = world.path().join("backups");
        let programs = world.postgres.binaries().to_owned();
        let mut options = BackupOptions::new(&folder, "release-7");
        options.programs = Some(programs.clone());
        back_up(&app(world.postgres.port()), &options).await.unwrap();
        run(&mut connection, "DELETE FROM a WHERE b > 500").await;
        if is_held {
            world.sql("CREATE ROLE hold").await;
        }
        let port = world.postgres.port();
        let tell = format!("{port} {} {}", programs.display(), folder.display());
        let victim = again::command(&[], &format!("killed_restores::{test}"), &tell)
            .spawn()
            .unwrap();
        Self {
            world,
            victim: Some(victim),
        }
    }

    /// What waits for the role goes on.
    async fn release(&self) {
        self.world.sql("DROP ROLE IF EXISTS hold").await;
    }

    /// As `kill -9` does.
    fn kill(&mut self) {
        let mut victim = self.victim.take().unwrap();
        victim.kill().unwrap();
        assert!(!victim.wait().unwrap().success());
    }

    async fn inside(&self, database: &str) -> PgConnection {
        self.world
            .postgres
            .options()
            .database(database)
            .connect()
            .await
            .unwrap()
    }

    /// The rows that whoever connects now is served.
    async fn served(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM a CROSS JOIN held")
            .fetch_one(&mut self.inside("app").await)
            .await
            .unwrap()
    }

    /// The databases that were not there before, by the beginnings of their names.
    async fn left_over(&self) -> Vec<String> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT datname::text FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1', 'app')",
        )
        .fetch_all(&mut self.world.connect().await)
        .await
        .unwrap();
        names
    }

    /// The one database beside `app`.
    async fn beside(&self) -> String {
        let mut names = self.left_over().await;
        assert_eq!(names.len(), 1, "{names:?}");
        names.remove(0)
    }

    /// After the kill: `served` rows, and beside `app` one database whose name begins so. Then the same again, which ends
    /// well; and what was left over can be dropped.
    async fn ends(&self, served: i64, left_over: &str) {
        self.release().await;
        self.world.until(GONE).await;
        assert_eq!(self.served().await, served);
        let beside = self.beside().await;
        assert!(beside.starts_with(left_over), "{beside}");
        let options = RestoreOptions {
            programs: Some(self.world.postgres.binaries().to_owned()),
            ..RestoreOptions::default()
        };
        let backup = find(&self.world.path().join("backups"), "release-7").unwrap();
        let database = app(self.world.postgres.port());
        let restored = restore(&backup, &database, &options).await.unwrap();
        assert_eq!((self.served().await, restored.tables), (NEW, 2));
        let mut expected = vec![beside.clone(), restored.kept_as];
        expected.sort();
        let mut found = self.left_over().await;
        found.sort();
        assert_eq!(found, expected);
        self.world.sql(&format!("DROP DATABASE \"{beside}\"")).await;
    }
}

#[tokio::test]
async fn killed_while_the_dump_is_restored_the_old_database_serves() {
    if restores_as_victim().await {
        return;
    }
    let test = "killed_while_the_dump_is_restored_the_old_database_serves";
    let mut restoring = Restoring::begin(test, true).await;
    restoring.world.until(RESTORING).await;
    restoring.kill();
    // `pg_restore` has lost its parent and works on where nobody looks.
    assert_eq!(restoring.served().await, OLD);
    restoring.ends(OLD, "app_restore_").await;
}

#[tokio::test]
async fn killed_before_the_swap_the_old_database_serves() {
    if restores_as_victim().await {
        return;
    }
    let test = "killed_before_the_swap_the_old_database_serves";
    let mut restoring = Restoring::begin(test, true).await;
    restoring.world.until(RESTORING).await;
    // Databases cannot be renamed now.
    let mut holder = restoring.world.connect_as("somebody").await;
    run(&mut holder, "BEGIN; LOCK TABLE pg_database IN SHARE MODE").await;
    restoring.release().await;
    restoring
        .world
        .until(
            "SELECT count(*) > 0 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted
             AND relation = 'pg_database'::regclass AND application_name = 'llama-deploy migrate'",
        )
        .await;
    restoring.kill();
    assert_eq!(restoring.served().await, OLD);
    run(&mut holder, "COMMIT").await;
    restoring.ends(OLD, "app_restore_").await;
}

#[tokio::test]
async fn killed_between_the_two_names_the_old_database_serves() {
    if restores_as_victim().await {
        return;
    }
    let test = "killed_between_the_two_names_the_old_database_serves";
    let mut restoring = Restoring::begin(test, true).await;
    restoring.world.until(RESTORING).await;
    // The old database has its new name; for the other, the server waits some seconds until nobody is inside.
    let inside = restoring.inside(&restoring.beside().await).await;
    restoring.release().await;
    restoring
        .world
        .until(
            "SELECT count(*) > 0 FROM pg_stat_activity
             WHERE state = 'active' AND query LIKE 'ALTER DATABASE \"app\\_restore\\_%'",
        )
        .await;
    restoring.kill();
    drop(inside);
    restoring.ends(OLD, "app_restore_").await;
}

#[tokio::test]
async fn killed_after_the_swap_the_new_database_serves() {
    if restores_as_victim().await {
        return;
    }
    let test = "killed_after_the_swap_the_new_database_serves";
    let mut restoring = Restoring::begin(test, false).await;
    restoring
        .world
        .until("SELECT count(*) > 0 FROM pg_database WHERE datname LIKE 'app\\_before\\_%'")
        .await;
    restoring.kill();
    restoring.ends(NEW, "app_before_").await;
}
