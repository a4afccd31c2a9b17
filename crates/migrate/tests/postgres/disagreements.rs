use migrate::{MigrateError, Problem};

use crate::world::{World, hasty};

async fn applied() -> World {
    let world = World::new(&[
        ("10_a.expand.sql", "CREATE TABLE a (b int)"),
        ("30_c.expand.sql", "ALTER TABLE a ADD COLUMN c int"),
    ])
    .await;
    world.up(&hasty()).await.unwrap();
    world
}

/// What both `status` and `up` say.
async fn problems(world: &World) -> Vec<String> {
    let found = world.migrator().status(&world.database()).await.unwrap().problems;
    match world.up(&hasty()).await {
        Err(MigrateError::History { problems }) => assert_eq!(problems, found),
        other => panic!("{other:?}"),
    }
    found.iter().map(Problem::to_string).collect()
}

#[tokio::test]
async fn an_edited_file_is_refused() {
    let world = applied().await;
    world.write("10_a.expand.sql", "CREATE TABLE a (b bigint)");
    let said = problems(&world).await;
    assert_eq!(
        said,
        ["10_a.expand.sql was edited after it was applied; restore its text and put the change into a new file"]
    );
}

#[tokio::test]
async fn a_missing_file_is_refused() {
    let world = applied().await;
    world.remove("10_a.expand.sql");
    assert_eq!(
        problems(&world).await,
        ["10 (a.expand) was applied and its file is missing; restore the file"]
    );
}

#[tokio::test]
async fn a_file_that_slipped_in_between_is_refused() {
    let world = applied().await;
    world.write("20_b.expand.sql", "CREATE TABLE b (c int)");
    let said = problems(&world).await;
    assert_eq!(
        said,
        ["20_b.expand.sql is pending and older than 30_c.expand.sql, which is applied; give it a higher version"]
    );
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE tablename = 'b'")
            .await,
        0
    );
}

#[tokio::test]
async fn a_migration_that_another_tool_left_unfinished_is_refused() {
    let world = applied().await;
    world
        .sql("UPDATE _sqlx_migrations SET success = false WHERE version = 30")
        .await;
    assert_eq!(
        problems(&world).await,
        ["30 (c.expand) is recorded as begun and not finished; see what it left behind"]
    );
}
