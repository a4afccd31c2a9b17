//! What does not fit, and what can be done.

use migrate::{Remedy, Silent};

use crate::world::{World, hasty};

async fn repair(world: &World, remedy: &Remedy) -> Result<(), migrate::MigrateError> {
    world
        .migrator()
        .repair(&world.database(), remedy, "ops", &hasty(), &Silent)
        .await
}

#[tokio::test]
async fn an_edit_that_means_the_same_is_blessed_and_noted() {
    let world = World::new(&[("10_a.expand.sql", "CREATE TABLE a (b int)")]).await;
    world.up(&hasty()).await.unwrap();
    assert!(world.migrator().diagnose(&world.database()).await.unwrap().is_empty());
    world.write("10_a.expand.sql", "-- why\nCREATE TABLE a (b int)");
    assert_eq!(world.up(&hasty()).await.unwrap_err().kind(), "history");
    let found = world.migrator().diagnose(&world.database()).await.unwrap();
    assert!(matches!(&found[..], [Remedy::Rebless { version: 10, .. }]), "{found:?}");
    repair(&world, &found[0]).await.unwrap();
    assert!(world.up(&hasty()).await.unwrap().applied.is_empty());
    assert_eq!(
        world
            .number("SELECT count(*) FROM _llama_repairs WHERE who = 'ops' AND checksum_before IS NOT NULL")
            .await,
        1
    );
    assert_eq!(
        repair(&world, &found[0]).await.unwrap_err().kind(),
        "no_such_remedy",
        "it is done"
    );
}

#[tokio::test]
async fn an_invalid_index_of_nobody_is_dropped_and_one_that_is_coming_left_to_its_build() {
    let world = World::new(&[(
        "20_c.expand.sql",
        "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY coming ON a (b)",
    )])
    .await;
    world
        .sql("CREATE TABLE a AS SELECT 1 AS b FROM generate_series(1, 2)")
        .await;
    for name in ["coming", "orphan"] {
        let mut connection = world.connect().await;
        let failed = sqlx::query(sqlx::AssertSqlSafe(format!(
            "CREATE UNIQUE INDEX CONCURRENTLY {name} ON a (b)"
        )))
        .execute(&mut connection)
        .await;
        assert!(failed.is_err());
    }
    let found = world.migrator().diagnose(&world.database()).await.unwrap();
    assert_eq!(
        found,
        [Remedy::DropInvalidIndex {
            index: "orphan".to_owned()
        }]
    );
    repair(&world, &found[0]).await.unwrap();
    assert_eq!(
        world.number("SELECT count(*) FROM pg_index WHERE NOT indisvalid").await,
        1
    );
}

#[tokio::test]
async fn what_another_tool_left_unfinished_is_forgotten_only_when_asked() {
    let world = World::new(&[("10_a.expand.sql", "CREATE TABLE a (b int)")]).await;
    world.up(&hasty()).await.unwrap();
    world
        .sql("UPDATE _sqlx_migrations SET success = false; DROP TABLE a")
        .await;
    let found = world.migrator().diagnose(&world.database()).await.unwrap();
    assert!(
        matches!(&found[..], [Remedy::ForgetUnfinished { version: 10, .. }]),
        "{found:?}"
    );
    repair(&world, &found[0]).await.unwrap();
    assert_eq!(world.applies(&hasty()).await, ["10_a.expand.sql"]);
}

#[tokio::test]
async fn what_only_a_person_can_settle_is_advice_and_nothing_offers_a_reset() {
    let world = World::new(&[
        ("10_a.expand.sql", "CREATE TABLE a (b int)"),
        ("30_c.expand.sql", "CREATE TABLE c (b int)"),
    ])
    .await;
    world.up(&hasty()).await.unwrap();
    world.remove("10_a.expand.sql");
    world.write("20_b.expand.sql", "CREATE TABLE b (b int)");
    let found = world.migrator().diagnose(&world.database()).await.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    for remedy in &found {
        assert!(
            !remedy.is_certain() && !remedy.to_string().contains("reset"),
            "{remedy}"
        );
        assert_eq!(repair(&world, remedy).await.unwrap_err().kind(), "no_such_remedy");
    }
}
