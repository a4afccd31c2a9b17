//! Dry runs.

use migrate::{Blocks, Outcome, Silent};

use crate::world::{World, hasty};

#[tokio::test]
async fn a_dry_run_runs_everything_and_leaves_nothing() {
    let world = World::new(&[
        ("10_a.expand.sql", "CREATE TABLE a (b int)"),
        (
            "20_c.expand.sql",
            "ALTER TABLE a ADD COLUMN c int; ALTER TABLE there ADD COLUMN d int",
        ),
        ("30_e.expand.sql", "CREATE INDEX there_b ON there (b)"),
        (
            "40_f.expand.sql",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY there_c ON there (b)",
        ),
        ("50_g.contract.sql", "DROP TABLE there"),
    ])
    .await;
    world.sql("CREATE TABLE there (b int)").await;
    let dry = world
        .migrator()
        .dry_run(&world.database(), &hasty(), &Silent)
        .await
        .unwrap();
    let files: Vec<&str> = dry.files.iter().map(|one| one.file.as_str()).collect();
    assert_eq!(
        files,
        [
            "10_a.expand.sql",
            "20_c.expand.sql",
            "30_e.expand.sql",
            "40_f.expand.sql"
        ]
    );
    assert_eq!(dry.held.len(), 1);
    assert!(
        dry.files[0].locks.is_empty(),
        "nobody knows the table yet: {:?}",
        dry.files[0].locks
    );
    let lock = &dry.files[1].locks[0];
    assert_eq!((lock.relation.as_str(), lock.blocks), ("there", Blocks::ReadsAndWrites));
    assert!(matches!(dry.files[1].outcome, Outcome::Ran { .. }));
    assert_eq!(dry.files[2].locks[0].mode, "ShareLock");
    assert!(matches!(dry.files[3].outcome, Outcome::NotRun { .. }));
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .await,
        1
    );
    assert_eq!(
        world.applies(&hasty()).await.len(),
        4,
        "the real run does what the dry one did"
    );
}

#[tokio::test]
async fn a_dry_run_finds_what_would_fail() {
    let world = World::new(&[
        ("10_a.expand.sql", "CREATE TABLE a (b int)"),
        ("20_c.expand.sql", "SELECT 1;\nALTER TABLE a ADD COLUMN b int"),
    ])
    .await;
    let error = world
        .migrator()
        .dry_run(&world.database(), &hasty(), &Silent)
        .await
        .unwrap_err();
    assert!(error.to_string().starts_with("20_c.expand.sql"), "{error}");
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .await,
        0
    );
}
