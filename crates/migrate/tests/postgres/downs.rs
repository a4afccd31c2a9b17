//! Ways back, and taking over.

use migrate::{DownOptions, MigrateError, Options, Phase, Reach, Silent};

use crate::world::{World, hasty};

const FILES: &[(&str, &str)] = &[
    ("10_a.expand.up.sql", "CREATE TABLE a (b int)"),
    ("10_a.expand.down.sql", "DROP TABLE a"),
    ("20_c.expand.up.sql", "ALTER TABLE a ADD COLUMN c text"),
    ("20_c.expand.down.sql", "\nALTER TABLE a DROP COLUMN c"),
    (
        "30_i.expand.up.sql",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY a_b ON a (b)",
    ),
    ("30_i.expand.down.sql", "-- no-transaction\nDROP INDEX CONCURRENTLY a_b"),
];

fn back(reach: Reach) -> DownOptions {
    DownOptions {
        reach,
        may_lose: false,
        waits: hasty(),
    }
}

async fn world() -> World {
    let world = World::new(FILES).await;
    world.up(&hasty()).await.unwrap();
    world
}

async fn down(world: &World, options: &DownOptions) -> Result<Vec<String>, MigrateError> {
    world.migrator().down(&world.database(), options, &Silent).await
}

#[tokio::test]
async fn what_loses_nothing_is_taken_back_newest_first() {
    let world = world().await;
    assert_eq!(
        down(&world, &back(Reach::Steps(1))).await.unwrap(),
        ["30_i.expand.down.sql"]
    );
    world.sql("INSERT INTO a (b) VALUES (1)").await;
    assert_eq!(
        down(&world, &back(Reach::To(10))).await.unwrap(),
        ["20_c.expand.down.sql"]
    );
    assert_eq!(
        world.applies(&hasty()).await,
        ["20_c.expand.up.sql", "30_i.expand.up.sql"]
    );
}

#[tokio::test]
async fn what_would_lose_rows_or_values_is_refused_and_says_which() {
    let world = world().await;
    world.sql("INSERT INTO a VALUES (1, NULL), (2, 'two')").await;
    let error = down(&world, &back(Reach::To(10))).await.unwrap_err();
    assert_eq!(error.kind(), "would_lose");
    assert!(
        error
            .to_string()
            .contains("20_c.expand.down.sql:2 drops column c of a, which 1 rows fill"),
        "{error}"
    );
    assert_eq!(world.number("SELECT count(*) FROM a WHERE c IS NOT NULL").await, 1);
    world.sql("UPDATE a SET c = NULL").await;
    let error = down(&world, &back(Reach::To(0))).await.unwrap_err();
    assert!(
        error.to_string().contains("10_a.expand.down.sql:1 drops a with 2 rows"),
        "{error}"
    );
    let willing = DownOptions {
        may_lose: true,
        ..back(Reach::To(0))
    };
    assert_eq!(down(&world, &willing).await.unwrap(), ["10_a.expand.down.sql"]);
    assert_eq!(
        world
            .migrator()
            .status(&world.database())
            .await
            .unwrap()
            .schema_version(),
        None
    );
}

#[tokio::test]
async fn what_cannot_be_told_is_not_taken_for_harmless() {
    for sql in [
        "DELETE FROM a",
        "DROP TABLE a CASCADE",
        "DO $$ BEGIN END $$",
        "ALTER TABLE a RENAME TO d",
        "SELECT 1",
    ] {
        let world = World::new(&[
            ("10_a.expand.up.sql", "CREATE TABLE a (b int)"),
            ("10_a.expand.down.sql", sql),
        ])
        .await;
        world.up(&hasty()).await.unwrap();
        assert_eq!(
            down(&world, &back(Reach::Steps(1))).await.unwrap_err().kind(),
            "would_lose",
            "{sql}"
        );
    }
}

#[tokio::test]
async fn an_edited_history_or_a_missing_down_refuses_the_whole() {
    let world = world().await;
    world.write("20_c.expand.up.sql", "ALTER TABLE a ADD COLUMN c int");
    assert_eq!(
        down(&world, &back(Reach::Steps(3))).await.unwrap_err().kind(),
        "history"
    );
    world.write("20_c.expand.up.sql", FILES[2].1);
    world.remove("10_a.expand.down.sql");
    assert_eq!(
        down(&world, &back(Reach::Steps(3))).await.unwrap_err().kind(),
        "no_down"
    );
    assert_eq!(
        down(&world, &back(Reach::To(11))).await.unwrap_err().kind(),
        "unknown_version"
    );
    assert_eq!(
        world
            .migrator()
            .status(&world.database())
            .await
            .unwrap()
            .schema_version(),
        Some(30)
    );
}

#[tokio::test]
async fn a_database_from_elsewhere_is_taken_over() {
    let world = World::new(FILES).await;
    world.sql("CREATE TABLE a (b int, c text)").await;
    let migrator = world.migrator();
    let database = world.database();
    let unknown = migrator.baseline(&database, 25, &hasty(), &Silent).await.unwrap_err();
    assert_eq!(unknown.kind(), "unknown_version");
    let recorded = migrator.baseline(&database, 20, &hasty(), &Silent).await.unwrap();
    assert_eq!(recorded, ["10_a.expand.up.sql", "20_c.expand.up.sql"]);
    let again = migrator.baseline(&database, 20, &hasty(), &Silent).await.unwrap_err();
    assert_eq!(again.kind(), "not_new");
    let options: Options = hasty().allowing(Phase::Backfill);
    assert_eq!(world.applies(&options).await, ["30_i.expand.up.sql"]);
}
