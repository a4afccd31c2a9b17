use migrate::{Options, Silent};

use crate::world::{World, hasty};

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
