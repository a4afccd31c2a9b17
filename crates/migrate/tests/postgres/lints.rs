//! The lint's view of a real database.

use migrate::lint::{Catalogue, Surroundings, lint};

use crate::world::{World, run};

#[tokio::test]
async fn the_lint_knows_how_large_the_tables_are_and_which_are_new() {
    let index = |table: &str| format!("CREATE INDEX ON {table} (b)");
    let world = World::new(&[
        ("10_large.expand.sql", &index("large")),
        ("20_small.expand.sql", &index("small")),
        ("30_elsewhere.expand.sql", &index("elsewhere.large")),
        ("40_new.expand.sql", "CREATE TABLE new_one (b bigint)"),
        ("50_new.expand.sql", &index("new_one")),
    ])
    .await;
    // 8 MB is where a scan under a lock is felt.
    world
        .sql(
            "CREATE TABLE large AS SELECT n AS b, repeat('x', 100) AS c FROM generate_series(1, 100000) AS n;
             CREATE TABLE small AS SELECT n AS b FROM generate_series(1, 100) AS n;
             CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.large AS TABLE large; ANALYZE",
        )
        .await;
    let catalogue = Catalogue::read(&world.database()).await.unwrap();
    assert_eq!(catalogue.size("large").unwrap().rows, 100_000);
    let surroundings = Surroundings {
        server_major: None,
        catalogue: Some(&catalogue),
    };
    let migrator = world.migrator();
    let findings = lint(migrator.files(), &surroundings);
    let found: Vec<(&str, &str)> = findings
        .iter()
        .map(|finding| (finding.file.as_str(), finding.rule.as_str()))
        .collect();
    let rule = "require-concurrent-index-creation";
    assert_eq!(
        found,
        [("10_large.expand.sql", rule), ("30_elsewhere.expand.sql", rule)]
    );
    assert!(findings[0].why.contains("about 100000 rows"), "{}", findings[0]);

    // Without the database nobody can know, and both are found.
    let without = lint(migrator.files(), &Surroundings::default());
    assert_eq!(without.len(), 3, "{without:?}");
}

#[tokio::test]
async fn reading_the_catalogue_waits_for_nobody() {
    let world = World::new(&[]).await;
    world
        .sql("CREATE TABLE a AS SELECT n AS b FROM generate_series(1, 1000) AS n; ANALYZE a; CREATE TABLE unknown (b int)")
        .await;
    let exact = Catalogue::read(&world.database()).await.unwrap();
    assert!(exact.size("unknown").is_some());
    let mut holder = world.connect_as("somebody").await;
    run(&mut holder, "BEGIN; ALTER TABLE a ADD COLUMN c int").await;
    // The holder never ends its transaction, so whoever waited for it would wait for ever.
    let estimated = Catalogue::read(&world.database()).await.unwrap();
    assert_eq!(estimated.size("a").unwrap().rows, 1000);
    assert!(estimated.size("a").unwrap().bytes > 0);
    assert_eq!(estimated.size("unknown"), None, "not taken for a small one");
}

#[tokio::test]
async fn the_catalogue_knows_the_server_s_version_even_of_an_empty_database() {
    let world = World::new(&[]).await;
    let version = world
        .number("SELECT current_setting('server_version_num')::bigint / 10000")
        .await;
    let catalogue = Catalogue::read(&world.database()).await.unwrap();
    assert_eq!(i64::from(catalogue.server_major()), version);
}
