use migrate::{MigrateError, Options, Phase};
use sqlx::migrate::Migrator as Sqlx;

use crate::world::{World, hasty};

const TWO: [(&str, &str); 3] = [
    (
        "10_make_a.expand.up.sql",
        "CREATE TABLE a (b int);\nCREATE INDEX a_b ON a (b);\n",
    ),
    ("10_make_a.expand.down.sql", "DROP TABLE a;\n"),
    ("20_add_c.expand.sql", "ALTER TABLE a ADD COLUMN c text;\n"),
];

#[tokio::test]
async fn what_is_pending_is_applied_once() {
    let world = World::new(&TWO).await;
    let before = world.migrator().status(&world.database()).await.unwrap();
    assert_eq!(
        (before.applied.len(), before.pending.len(), before.schema_version()),
        (0, 2, None)
    );
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .await,
        0,
        "status makes no table"
    );

    let report = world.up(&hasty()).await.unwrap();
    assert_eq!(
        report.applied.iter().map(|applied| applied.version).collect::<Vec<_>>(),
        [10, 20]
    );
    assert_eq!(report.schema_version, Some(20));
    world.sql("SELECT b, c FROM a").await;

    let again = world.up(&hasty()).await.unwrap();
    assert_eq!((again.applied.len(), again.schema_version), (0, Some(20)));
    let after = world.migrator().status(&world.database()).await.unwrap();
    assert_eq!(
        (after.applied.len(), after.pending.len(), after.problems.len()),
        (2, 0, 0)
    );
}

#[tokio::test]
async fn sqlx_reads_what_we_wrote_and_we_what_it_wrote() {
    let world = World::new(&TWO).await;
    let sqlx = Sqlx::new(world.path()).await.unwrap();
    let ours = world.migrator();
    for migration in sqlx
        .iter()
        .filter(|migration| migration.migration_type.is_up_migration())
    {
        let file = ours
            .files()
            .iter()
            .find(|file| file.version == migration.version)
            .unwrap();
        assert_eq!(
            (file.checksum.as_slice(), file.description.as_str()),
            (&*migration.checksum, &*migration.description)
        );
    }
    world
        .up(&Options {
            steps: Some(1),
            ..hasty()
        })
        .await
        .unwrap();
    sqlx.run(&mut world.connect().await).await.unwrap();
    let status = world.migrator().status(&world.database()).await.unwrap();
    assert_eq!(
        (status.applied.len(), status.pending.len(), status.problems.len()),
        (2, 0, 0)
    );
    assert_eq!(
        world
            .number("SELECT count(*) FROM _sqlx_migrations WHERE success AND execution_time > 0")
            .await,
        2
    );
}

#[tokio::test]
async fn line_ends_of_another_machine_are_no_edit() {
    let world = World::new(&[("10_a.expand.sql", "\u{feff}CREATE TABLE a (\r\n b int);\r\n")]).await;
    world.up(&hasty()).await.unwrap();
    world.write("10_a.expand.sql", "CREATE TABLE a (\n b int);\n");
    assert_eq!(world.migrator().status(&world.database()).await.unwrap().problems, []);
}

#[tokio::test]
async fn phases_run_when_they_may() {
    let world = World::new(&[
        ("10_a.expand.sql", "CREATE TABLE a (b int, c int)"),
        ("20_fill.backfill.sql", "UPDATE a SET c = b WHERE c IS NULL"),
        ("30_drop.contract.sql", "ALTER TABLE a DROP COLUMN b"),
        ("40_sample.seed.sql", "INSERT INTO a (c) VALUES (1)"),
        ("50_d.expand.sql", "ALTER TABLE a ADD COLUMN d int"),
    ])
    .await;
    let report = world.up(&hasty()).await.unwrap();
    assert_eq!(
        report.applied.iter().map(|applied| applied.version).collect::<Vec<_>>(),
        [10, 50]
    );
    let held: Vec<_> = report
        .held
        .iter()
        .map(|held| (held.file.as_str(), held.phase))
        .collect();
    let expected = [
        ("20_fill.backfill.sql", Phase::Backfill),
        ("30_drop.contract.sql", Phase::Contract),
        ("40_sample.seed.sql", Phase::Seed),
    ];
    assert_eq!(held, expected);
    assert!(
        report.held[1].reason.contains("when that version is gone"),
        "{}",
        report.held[1].reason
    );

    let early = world.up(&hasty().contracting(world.permit().await)).await.unwrap_err();
    assert_eq!(
        early.to_string(),
        "30_drop.contract.sql is a contract and must not run before 20_fill.backfill.sql, which is pending"
    );
    assert_eq!(early.kind(), "contract_too_early");

    assert_eq!(
        world.applies(&hasty().allowing(Phase::Backfill)).await,
        ["20_fill.backfill.sql"]
    );
    assert_eq!(
        world.applies(&hasty().allowing(Phase::Contract)).await,
        Vec::<String>::new(),
        "without a permit nothing allows a contract"
    );
    assert_eq!(
        world.applies(&hasty().contracting(world.permit().await)).await,
        ["30_drop.contract.sql"]
    );
    assert_eq!(
        world.applies(&hasty().allowing(Phase::Seed)).await,
        ["40_sample.seed.sql"]
    );
}

#[tokio::test]
async fn a_file_without_a_phase_is_refused_unless_it_is_applied_already() {
    let world = World::new(&[("10_a.sql", "CREATE TABLE a (b int)")]).await;
    let error = world.up(&hasty()).await.unwrap_err();
    assert!(
        matches!(&error, MigrateError::NoPhase { file } if file == "10_a.sql"),
        "{error}"
    );
    Sqlx::new(world.path())
        .await
        .unwrap()
        .run(&mut world.connect().await)
        .await
        .unwrap();
    world.write("20_b.expand.sql", "CREATE TABLE b (c int)");
    assert_eq!(world.applies(&hasty()).await, ["20_b.expand.sql"]);
}

#[tokio::test]
async fn a_failure_names_its_line_and_keeps_what_came_before() {
    let world = World::new(&[
        ("10_a.expand.sql", "CREATE TABLE a (b int)"),
        (
            "20_b.expand.sql",
            "-- ü\nCREATE TABLE c (d int);\nALTER TABLE a\n  ADD COLUMN e nonsense;\n",
        ),
    ])
    .await;
    let error = world.up(&hasty()).await.unwrap_err();
    assert_eq!(error.to_string(), "20_b.expand.sql:4 failed; nothing of it was kept");
    assert_eq!(error.kind(), "failed");
    let status = world.migrator().status(&world.database()).await.unwrap();
    assert_eq!((status.schema_version(), status.pending.len()), (Some(10), 1));
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE tablename = 'c'")
            .await,
        0
    );
    // The lock went with the session: the next run is not kept waiting.
    world.write("20_b.expand.sql", "CREATE TABLE c (d int)");
    assert_eq!(world.applies(&hasty()).await, ["20_b.expand.sql"]);
}

#[tokio::test]
async fn a_run_can_be_spawned() {
    let world = World::new(&TWO).await;
    let (migrator, database) = (world.migrator(), world.database());
    let run = tokio::spawn(async move { migrator.up(&database, &hasty(), &migrate::Silent).await });
    assert_eq!(run.await.unwrap().unwrap().applied.len(), 2);
}

#[tokio::test]
async fn a_database_out_of_reach_is_said_to_be() {
    let world = World::new(&TWO).await;
    // Bound, so that nobody else listens there, and not listening.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = taken.local_addr().unwrap().port();
    let nobody = migrate::Database::new("127.0.0.1", port, "postgres", "app", migrate::Password::new("hunter2"));
    let error = world
        .migrator()
        .up(&nobody, &hasty(), &migrate::Silent)
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), ("unreachable", true));
    assert_eq!(
        error.to_string(),
        format!("cannot connect to app@127.0.0.1:{port}/postgres")
    );
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_search_path_of_the_role_holds_and_one_that_a_block_loses_keeps_nothing() {
    let world = World::new(&[("10_a.expand.sql", "CREATE TABLE a (b int)")]).await;
    world.sql("CREATE SCHEMA app").await;
    world.sql("ALTER ROLE postgres SET search_path = app").await;
    world.up(&hasty()).await.unwrap();
    world
        .sql("SELECT b FROM app.a; SELECT version FROM app._sqlx_migrations")
        .await;
    assert!(world.applies(&hasty()).await.is_empty());

    // What a file hides from its reader the server does not forgive: the record is not found, so nothing is kept.
    let hidden = "DO $$ BEGIN PERFORM set_config('search_path', '', false); CREATE TABLE app.c (d int); END $$";
    world.write("20_c.expand.sql", hidden);
    assert_eq!(world.up(&hasty()).await.unwrap_err().kind(), "failed");
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE tablename = 'c'")
            .await,
        0
    );
    world.write("20_c.expand.sql", "CREATE TABLE c (d int)");
    assert_eq!(world.applies(&hasty()).await, ["20_c.expand.sql"]);
}

#[tokio::test]
async fn a_session_setting_of_one_file_is_not_the_next_one_s() {
    let loose = "SELECT 1; DO $$ BEGIN PERFORM set_config('lock_timeout', '0', false); END $$";
    let world = World::new(&[
        ("10_loose.expand.sql", loose),
        ("20_c.expand.sql", "ALTER TABLE a ADD COLUMN c int"),
    ])
    .await;
    world.sql("CREATE TABLE a (b int)").await;
    let mut holder = world.connect_as("somebody").await;
    crate::world::run(&mut holder, "BEGIN; SELECT b FROM a").await;
    // Without its budget the second one would wait for the holder, and this test for ever.
    assert_eq!(world.up(&hasty()).await.unwrap_err().kind(), "lock_timeout");
}
