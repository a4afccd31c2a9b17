//! What the server says of its health, and how far a run goes.

use migrate::{DownOptions, Health, Options, Reach, Role, Silent};

use crate::world::{World, hasty, run};

#[tokio::test]
async fn who_waits_and_for_whom_is_seen() {
    let world = World::new(&[]).await;
    world.sql("CREATE TABLE a (b int)").await;
    let calm = Health::read(&world.database()).await.unwrap();
    assert_eq!((calm.role, calm.is_read_only), (Role::Primary, false));
    assert_eq!((calm.longest_transaction, calm.waiting), (None, Vec::new()));

    let mut holder = world.connect_as("a holder").await;
    run(&mut holder, "BEGIN; LOCK TABLE a").await;
    let mut waiter = world.connect_as("a reader").await;
    let waiting = tokio::spawn(async move { run(&mut waiter, "SELECT FROM a").await });
    world
        .until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')")
        .await;
    let health = Health::read(&world.database()).await.unwrap();
    assert_eq!(health.longest_transaction.unwrap().application, "a holder");
    let [blocked] = &health.waiting[..] else {
        panic!("one session waits: {:?}", health.waiting)
    };
    assert_eq!(blocked.session.application, "a reader");
    assert_eq!(blocked.waits_for.len(), 1);
    run(&mut holder, "ROLLBACK").await;
    waiting.await.unwrap();
}

#[tokio::test]
async fn a_server_that_takes_no_writes_and_an_index_that_nobody_reads_are_seen() {
    let world = World::new(&[]).await;
    world.sql("CREATE TABLE a (b int); INSERT INTO a VALUES (1), (1)").await;
    let mut connection = world.connect().await;
    let failed = sqlx::query("CREATE UNIQUE INDEX CONCURRENTLY a_b ON a (b)")
        .execute(&mut connection)
        .await;
    assert!(failed.is_err());
    world
        .sql("ALTER DATABASE postgres SET default_transaction_read_only = on")
        .await;
    let health = Health::read(&world.database()).await.unwrap();
    assert_eq!(health.invalid_indexes, ["a_b"]);
    assert!(health.is_read_only);
}

#[tokio::test]
async fn a_run_ends_at_the_version_that_is_named() {
    let world = World::new(&[
        ("10_a.expand.up.sql", "CREATE TABLE a (b int)"),
        ("10_a.expand.down.sql", "DROP TABLE a"),
        ("20_c.expand.up.sql", "ALTER TABLE a ADD COLUMN c text"),
        ("20_c.expand.down.sql", "ALTER TABLE a DROP COLUMN c"),
    ])
    .await;
    let to = |version| Options {
        to: Some(version),
        ..hasty()
    };
    assert_eq!(world.up(&to(15)).await.unwrap_err().kind(), "unknown_version");
    let report = world.up(&to(10)).await.unwrap();
    assert_eq!(report.applied[0].file, "10_a.expand.up.sql");
    assert_eq!(report.held[0].reason, "it comes after 10");
    assert_eq!(world.applies(&to(10)).await, Vec::<String>::new());
    assert_eq!(world.applies(&to(20)).await, ["20_c.expand.up.sql"]);
}

#[tokio::test]
async fn a_way_back_is_rehearsed_with_its_locks_and_its_losses() {
    let world = World::new(&[
        ("10_a.expand.up.sql", "CREATE TABLE a (b int)"),
        ("10_a.expand.down.sql", "DROP TABLE a"),
        (
            "20_c.expand.up.sql",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY a_b ON a (b)",
        ),
        ("20_c.expand.down.sql", "-- no-transaction\nDROP INDEX CONCURRENTLY a_b"),
    ])
    .await;
    world.up(&hasty()).await.unwrap();
    world.sql("INSERT INTO a VALUES (1)").await;
    let options = DownOptions {
        reach: Reach::To(0),
        may_lose: false,
        waits: hasty(),
    };
    let rehearsed = world
        .migrator()
        .down_dry_run(&world.database(), &options, &Silent)
        .await
        .unwrap();
    let files: Vec<&str> = rehearsed.iter().map(|one| one.file.as_str()).collect();
    assert_eq!(files, ["20_c.expand.down.sql", "10_a.expand.down.sql"]);
    assert!(matches!(rehearsed[0].outcome, migrate::Outcome::NotRun { .. }));
    assert_eq!(rehearsed[1].losses[0].what, "drops a with 1 rows");
    assert!(
        rehearsed[1].locks.iter().any(|lock| lock.relation == "a"),
        "{rehearsed:?}"
    );
    assert_eq!(
        world.number("SELECT count(*) FROM a").await,
        1,
        "nothing was taken back"
    );
    assert_eq!(world.number("SELECT count(*) FROM _sqlx_migrations").await, 2);
}
