//! Runs that end in the middle: their session is ended, their process killed.

use std::process::Child;

use migrate::{Database, Migrator, Options, Password, Phase, Silent};
use test_postgres::PASSWORD;

use crate::again;
use crate::world::{World, hasty, run};

const SLOW: &str = "CREATE TABLE half_done (b int);\nSELECT pg_sleep(600)";
const RUNNING: &str = "SELECT count(*) > 0 FROM pg_stat_activity
    WHERE application_name = 'llama-deploy migrate' AND wait_event = 'PgSleep'";
const GONE: &str = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'llama-deploy migrate'";

#[tokio::test]
async fn a_session_that_the_server_ends_leaves_nothing_behind() {
    let world = World::new(&[("10_a.expand.sql", SLOW)]).await;
    let (migrator, database, options) = (world.migrator(), world.database(), hasty());
    let kill = async {
        world.until(RUNNING).await;
        world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'llama-deploy migrate'").await;
    };
    let (result, ()) = tokio::join!(migrator.up(&database, &options, &Silent), kill);
    assert_eq!(result.unwrap_err().kind(), "failed");
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn a_run_that_dies_is_noticed_by_the_server_and_leaves_nothing_behind() {
    let world = World::new(&[("10_a.expand.sql", SLOW)]).await;
    let (migrator, database) = (world.migrator(), world.database());
    // Aborted, its socket closes without a word, as it does after kill -9.
    let run = tokio::spawn(async move { migrator.up(&database, &hasty(), &Silent).await.map(|_| ()) });
    world.until(RUNNING).await;
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    world.until(GONE).await;
    nothing_is_left(&world).await;
}

/// A process that migrates the world, until `kill -9`.
struct Victim(Child);

impl Victim {
    /// `test` is the caller, which hands over to [`runs_as_victim`] first of all.
    fn start(test: &str, world: &World) -> Self {
        let tell = format!("{} {}", world.postgres.port(), world.path().display());
        Self(again::command(&[], test, &tell).spawn().unwrap())
    }

    /// Kills it once the server has seen it as `state` says, and waits until the server noticed.
    async fn kill_when(mut self, world: &World, state: &str) {
        world.until(state).await;
        // SIGKILL, as `kill -9`.
        self.0.kill().unwrap();
        assert!(!self.0.wait().unwrap().success());
        world.until(GONE).await;
    }
}

/// In the second process: migrates until it is killed.
async fn runs_as_victim() -> bool {
    let Some(told) = again::told() else { return false };
    let (port, folder) = told.split_once(' ').unwrap();
    let password = Password::new(PASSWORD);
    let database = Database::new("127.0.0.1", port.parse().unwrap(), "postgres", "postgres", password);
    let options = Options {
        lock_attempts: 1000,
        ..hasty().allowing(Phase::Backfill)
    };
    Migrator::load(folder)
        .unwrap()
        .up(&database, &options, &Silent)
        .await
        .unwrap();
    true
}

#[tokio::test]
async fn killed_in_a_transaction_it_leaves_nothing_behind() {
    if runs_as_victim().await {
        return;
    }
    let world = World::new(&[("10_a.expand.sql", SLOW)]).await;
    let victim = Victim::start("crashes::killed_in_a_transaction_it_leaves_nothing_behind", &world);
    victim.kill_when(&world, RUNNING).await;
    nothing_is_left(&world).await;
}

const BUILD: &str = "-- no-transaction\nCREATE INDEX CONCURRENTLY a_b ON a (b)";
const VALID: &str = "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('a_b') AND indisvalid";

#[tokio::test]
async fn killed_in_a_concurrent_build_its_index_is_built_again() {
    if runs_as_victim().await {
        return;
    }
    let world = World::new(&[("10_i.expand.sql", BUILD)]).await;
    world.sql("CREATE TABLE a AS SELECT 1 AS b").await;
    let mut old = world.connect_as("an old transaction").await;
    run(&mut old, "BEGIN; INSERT INTO a VALUES (2)").await;
    let victim = Victim::start("crashes::killed_in_a_concurrent_build_its_index_is_built_again", &world);
    victim
        .kill_when(
            &world,
            "SELECT count(*) > 0 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'",
        )
        .await;
    run(&mut old, "COMMIT").await;
    let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    assert_eq!((world.number(invalid).await, world.number(VALID).await), (1, 0));
    assert_eq!(world.applies(&hasty()).await, ["10_i.expand.sql"]);
    assert_eq!((world.number(invalid).await, world.number(VALID).await), (0, 1));
}

#[tokio::test]
async fn killed_between_a_build_and_its_record_it_is_recorded_and_not_built_again() {
    if runs_as_victim().await {
        return;
    }
    let world = World::new(&[("10_a.expand.sql", "CREATE TABLE a AS SELECT 1 AS b")]).await;
    world.up(&hasty()).await.unwrap();
    world.write("20_i.expand.sql", BUILD);
    // The records can be read and not written, so the victim stands between the two; idle, the holder has no snapshot
    // that the build would wait for.
    let mut holder = world.connect_as("somebody").await;
    run(&mut holder, "BEGIN; LOCK TABLE _sqlx_migrations IN SHARE MODE").await;
    let victim = Victim::start(
        "crashes::killed_between_a_build_and_its_record_it_is_recorded_and_not_built_again",
        &world,
    );
    victim
        .kill_when(
            &world,
            "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = '_sqlx_migrations'::regclass",
        )
        .await;
    run(&mut holder, "COMMIT").await;
    assert_eq!(world.number(VALID).await, 1);
    assert_eq!(
        world
            .number("SELECT count(*) FROM _sqlx_migrations WHERE version = 20")
            .await,
        0
    );
    let built = world.number("SELECT 'a_b'::regclass::oid::bigint").await;
    assert_eq!(world.applies(&hasty()).await, ["20_i.expand.sql"]);
    assert_eq!(world.number("SELECT 'a_b'::regclass::oid::bigint").await, built);
}

#[tokio::test]
async fn killed_in_a_backfill_it_goes_on_behind_its_last_batch() {
    if runs_as_victim().await {
        return;
    }
    let world = World::new(&[(
        "10_fill.backfill.sql",
        "-- batch: table=a key=id rows=10 pause=1ms\nUPDATE a SET filled = filled + 1 WHERE id BETWEEN $1 AND $2",
    )])
    .await;
    world
        .sql("CREATE TABLE a AS SELECT n AS id, 0 AS filled FROM generate_series(1, 100) AS n; ALTER TABLE a ADD PRIMARY KEY (id)")
        .await;
    let mut holder = world.connect_as("somebody").await;
    run(&mut holder, "BEGIN; UPDATE a SET id = id WHERE id = 55").await;
    let victim = Victim::start("crashes::killed_in_a_backfill_it_goes_on_behind_its_last_batch", &world);
    victim
        .kill_when(
            &world,
            "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'",
        )
        .await;
    run(&mut holder, "COMMIT").await;
    assert_eq!(world.number("SELECT sum(filled) FROM a").await, 50);
    world.up(&hasty().allowing(Phase::Backfill)).await.unwrap();
    assert_eq!(
        world.number("SELECT count(*) FROM a WHERE filled = 1").await,
        100,
        "no row was written twice"
    );
}

/// Neither table nor record nor lock: a shorter migration of the same version passes at once.
async fn nothing_is_left(world: &World) {
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE tablename = 'half_done'")
            .await,
        0
    );
    world.write("10_a.expand.sql", "CREATE TABLE half_done (b int)");
    let at_once = Options {
        lock_wait: std::time::Duration::ZERO,
        ..hasty()
    };
    assert_eq!(world.applies(&at_once).await, ["10_a.expand.sql"]);
}
