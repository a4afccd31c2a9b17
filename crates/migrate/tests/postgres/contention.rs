use std::time::Duration;

use migrate::{DownOptions, Event, MigrateError, Options, Reach, Silent};

use crate::world::{Told, World, hasty, run, watched};

#[tokio::test]
async fn three_runners_beside_a_concurrent_index_build_end_clean() {
    let world = World::new(&[
        (
            "10_a.expand.sql",
            "CREATE TABLE a AS SELECT n AS b FROM generate_series(1, 200000) AS n",
        ),
        (
            "20_b.expand.sql",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY a_b ON a (b)",
        ),
        ("30_c.expand.sql", "ALTER TABLE a ADD COLUMN c int"),
    ])
    .await;
    let (migrator, database, options) = (world.migrator(), world.database(), Options::rollout());
    let runs = tokio::join!(
        migrator.up(&database, &options, &Silent),
        migrator.up(&database, &options, &Silent),
        migrator.up(&database, &options, &Silent),
    );
    let mut applied: Vec<usize> = [runs.0, runs.1, runs.2]
        .into_iter()
        .map(|run| run.unwrap().applied.len())
        .collect();
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 3]);
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_index WHERE indexrelid = 'a_b'::regclass AND indisvalid")
            .await,
        1
    );
}

#[tokio::test]
async fn who_holds_the_lock_is_named() {
    let world = World::new(&[("10_a.expand.sql", "CREATE TABLE a (b int)")]).await;
    // The holder is sqlx itself, as in a program that migrates at its start: the key is the same.
    let mut sqlx = world.connect_as("an old program").await;
    sqlx::migrate::Migrate::lock(&mut sqlx).await.unwrap();
    let told = Told::default();
    let options = Options {
        lock_wait: Duration::ZERO,
        ..hasty()
    };
    let error = world
        .migrator()
        .up(&world.database(), &options, &told)
        .await
        .unwrap_err();
    let MigrateError::LockHeld { holder, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(holder.application, "an old program");
    assert!(error.is_transient());
    assert!(error.to_string().contains("\"an old program\""), "{error}");

    let told = Told::default();
    let (migrator, database) = (world.migrator(), world.database());
    let release = async {
        let holder = told.first(|event| match event {
            Event::WaitingForLock { holder } => Some(holder.application.clone()),
            _ => None,
        });
        assert_eq!(holder.await, "an old program");
        sqlx::migrate::Migrate::unlock(&mut sqlx).await.unwrap();
    };
    let options = hasty();
    let (report, ()) = tokio::join!(migrator.up(&database, &options, &told), release);
    assert_eq!(report.unwrap().applied.len(), 1);
}

#[tokio::test]
async fn a_blocked_migration_steps_back_and_passes_when_it_can() {
    let world = World::new(&[("10_a.expand.sql", "CREATE TABLE a (b int)")]).await;
    world.up(&hasty()).await.unwrap();
    world.write("20_b.expand.sql", "ALTER TABLE a ADD COLUMN c int");
    let mut blocking = world.connect_as("a report").await;
    run(&mut blocking, "BEGIN; SELECT b FROM a").await;

    // The blocker lets go once it was seen to be in the way.
    let told = Told::default();
    let (migrator, database) = (world.migrator(), world.database());
    let options = Options {
        lock_attempts: 1000,
        ..hasty()
    };
    let release = async {
        let blocker = told.first(|event| match event {
            Event::Blocked { blockers, .. } => blockers.first().cloned(),
            _ => None,
        });
        let seen = blocker.await;
        assert_eq!(
            (seen.application.as_str(), seen.state.as_str()),
            ("a report", "idle in transaction")
        );
        run(&mut blocking, "COMMIT").await;
    };
    let (report, ()) = tokio::join!(migrator.up(&database, &options, &told), release);
    assert_eq!(report.unwrap().applied.len(), 1);
}

#[tokio::test]
async fn a_migration_that_never_gets_its_lock_names_who_is_in_the_way() {
    let world = World::new(&[("10_a.expand.sql", "CREATE TABLE a (b int)")]).await;
    world.up(&hasty()).await.unwrap();
    world.write(
        "20_b.expand.sql",
        "CREATE TABLE kept (b int);\nALTER TABLE a ADD COLUMN c int",
    );
    let mut blocker = world.connect_as("a report").await;
    run(&mut blocker, "BEGIN; SELECT b FROM a").await;
    let error = world.up(&watched()).await.unwrap_err();
    let MigrateError::LockTimeout {
        attempts: 2, blockers, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(blockers[0].application, "a report");
    assert!(
        error
            .to_string()
            .contains("20_b.expand.sql got no lock in 2 tries of 5000 ms"),
        "{error}"
    );
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE tablename = 'kept'")
            .await,
        0
    );
    // Its own lock is gone with it.
    run(&mut blocker, "COMMIT").await;
    assert_eq!(world.applies(&hasty()).await, ["20_b.expand.sql"]);
}

#[tokio::test]
async fn an_index_build_that_was_cut_off_is_not_taken_for_done() {
    let world = World::new(&[(
        "10_a.expand.sql",
        "CREATE TABLE a AS SELECT 1 AS b FROM generate_series(1, 2)",
    )])
    .await;
    world.up(&hasty()).await.unwrap();
    let name = "20_b.expand.sql";
    world.write(
        name,
        "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_b ON a (b)",
    );
    let error = world.up(&hasty()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{name} failed; it ran outside a transaction, so look what it left")
    );
    assert_eq!(
        world.number(INVALID).await,
        0,
        "writers need not keep what nobody reads"
    );
    assert_eq!(
        world
            .migrator()
            .status(&world.database())
            .await
            .unwrap()
            .schema_version(),
        Some(10)
    );

    world.sql("DELETE FROM a WHERE ctid = (SELECT min(ctid) FROM a)").await;
    assert_eq!(world.applies(&hasty()).await, [name]);
}

const INVALID: &str = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
const BUILD: &str = "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_b ON a (b)";

/// A table, and a session whose transaction a concurrent build on it has to wait for.
async fn table_with_an_old_transaction(world: &World) -> sqlx::postgres::PgConnection {
    world.sql("CREATE TABLE a AS SELECT 1 AS b").await;
    let mut old = world.connect_as("an old transaction").await;
    run(&mut old, "BEGIN; INSERT INTO a VALUES (2)").await;
    old
}

#[tokio::test]
async fn a_build_that_waits_past_its_own_budget_names_for_whom() {
    let world = World::new(&[("20_b.expand.sql", BUILD)]).await;
    let mut old = table_with_an_old_transaction(&world).await;
    let short = Options {
        concurrent_lock_timeout: Duration::from_secs(6),
        ..hasty()
    };
    let error = world.up(&short).await.unwrap_err();
    assert_eq!(error.kind(), "lock_timeout");
    assert!(error.to_string().contains("\"an old transaction\""), "{error}");
    // What it left waits for the old transaction too, and is never taken for an index.
    let status = world.migrator().status(&world.database()).await.unwrap();
    assert_eq!(status.applied.len(), 0);
    run(&mut old, "COMMIT").await;
    assert_eq!(world.applies(&hasty()).await, ["20_b.expand.sql"]);
    assert_eq!(world.number(INVALID).await, 0);
}

#[tokio::test]
async fn an_index_build_that_died_is_dropped_and_done_again() {
    let world = World::new(&[("20_b.expand.sql", BUILD)]).await;
    let mut old = table_with_an_old_transaction(&world).await;
    let (migrator, database) = (world.migrator(), world.database());
    let build = tokio::spawn(async move { migrator.up(&database, &hasty(), &Silent).await.map(|_| ()) });
    world
        .until("SELECT count(*) > 0 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'")
        .await;
    // Its socket closes without a word, as after kill -9.
    build.abort();
    world
        .until("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'llama-deploy migrate'")
        .await;
    run(&mut old, "COMMIT").await;
    assert_eq!(world.number(INVALID).await, 1);
    assert_eq!(world.applies(&hasty()).await, ["20_b.expand.sql"]);
    assert_eq!(world.number(INVALID).await, 0);
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_index WHERE indexrelid = 'a_b'::regclass AND indisvalid")
            .await,
        1
    );
}

#[tokio::test]
async fn an_index_whose_record_was_lost_is_recorded_and_not_built_again() {
    let world = World::new(&[("20_b.expand.sql", BUILD)]).await;
    world.sql("CREATE TABLE a AS SELECT 1 AS b").await;
    world.up(&hasty()).await.unwrap();
    let built = world.number("SELECT 'a_b'::regclass::oid::bigint").await;
    // As after a kill between the build and its record: the beginning is noted, the end is not.
    world
        .sql(
            "INSERT INTO _llama_progress (version, checksum) SELECT version, checksum FROM _sqlx_migrations;
             DELETE FROM _sqlx_migrations",
        )
        .await;
    assert_eq!(world.applies(&hasty()).await, ["20_b.expand.sql"]);
    assert_eq!(world.number("SELECT 'a_b'::regclass::oid::bigint").await, built);
    assert_eq!(world.number("SELECT count(*) FROM _llama_progress").await, 0);
}

/// Whether the wait for a lock of this table is most of the budget old, by the server's clock.
fn has_waited_long(table: &str) -> String {
    format!(
        "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass
         AND waitstart < clock_timestamp() - interval '350 ms'"
    )
}

#[tokio::test]
async fn what_a_file_waits_for_it_waits_for_together_no_longer_than_for_one_lock() {
    let tables = ["b1", "b2", "b3", "b4", "b5", "b6"];
    let alter = |table: &str| format!("ALTER TABLE {table} ADD COLUMN c int;\n");
    let statements = format!("{}{}", alter("a"), tables.map(alter).concat());
    for file in [statements.clone(), format!("DO $$ BEGIN\n{statements}END $$")] {
        let world = World::new(&[("10_a.expand.sql", &file)]).await;
        world.sql("CREATE TABLE a (b int)").await;
        for table in tables {
            world.sql(&format!("CREATE TABLE {table} (b int)")).await;
        }
        let told = Told::default();
        let (migrator, database) = (world.migrator(), world.database());
        let options = Options {
            lock_timeout: Duration::from_millis(500),
            lock_attempts: 1000,
            ..Options::rollout()
        };
        // Each holder lets go before the wait for its own table is as long as the budget. Without a budget for all of them
        // the first try would pass, and whoever reads `a` wait for six holders.
        let holders = async {
            let mut held = Vec::new();
            for table in tables {
                let mut holder = world.connect_as(table).await;
                run(&mut holder, &format!("BEGIN; SELECT b FROM {table}")).await;
                held.push((table, holder));
            }
            for (table, mut holder) in held {
                world.until(&has_waited_long(table)).await;
                run(&mut holder, "COMMIT").await;
            }
        };
        let (report, ()) = tokio::join!(
            async {
                world
                    .until("SELECT count(*) = 6 FROM pg_stat_activity WHERE state = 'idle in transaction'")
                    .await;
                migrator.up(&database, &options, &told).await
            },
            holders
        );
        assert_eq!(report.unwrap().applied.len(), 1);
        let steps_back = told.count(|event| matches!(event, Event::Blocked { .. }));
        assert!(
            steps_back > 0,
            "it held `a` while it waited for one table after the other"
        );
        let named = told
            .first(|event| match event {
                Event::Blocked { blockers, .. } => blockers.first().cloned(),
                _ => None,
            })
            .await;
        assert!(tables.contains(&named.application.as_str()), "{named}");
    }
}

#[tokio::test]
async fn no_file_gives_itself_more_time_than_it_has() {
    let world = World::new(&[("10_a.expand.sql", "CREATE TABLE a (b int)")]).await;
    world.up(&hasty()).await.unwrap();
    let file = "SET LOCAL lock_timeout = 0;\nALTER TABLE a ADD COLUMN c int";
    world.write("20_b.expand.sql", file);
    let mut holder = world.connect_as("a report").await;
    run(&mut holder, "BEGIN; SELECT b FROM a").await;
    // The holder never lets go, so whoever waits for it would wait for ever.
    let error = world.up(&watched()).await.unwrap_err();
    assert_eq!(error.kind(), "lock_timeout", "{error}");
    assert!(error.to_string().contains("\"a report\""), "{error}");
}

#[tokio::test]
async fn a_way_back_and_a_rehearsal_that_wait_too_long_name_for_whom() {
    let world = World::new(&[
        ("10_a.expand.up.sql", "CREATE TABLE a (b int)"),
        ("20_c.expand.up.sql", "ALTER TABLE a ADD COLUMN c int"),
        ("20_c.expand.down.sql", "ALTER TABLE a DROP COLUMN c"),
    ])
    .await;
    world.up(&hasty()).await.unwrap();
    world.write("30_d.expand.up.sql", "ALTER TABLE a ADD COLUMN d int");
    let mut holder = world.connect_as("a report").await;
    run(&mut holder, "BEGIN; SELECT b FROM a").await;
    let (migrator, database) = (world.migrator(), world.database());
    // There is one try, in which somebody has to look.
    let waits = watched();
    let back = DownOptions {
        reach: Reach::Steps(1),
        may_lose: true,
        waits: waits.clone(),
    };
    let errors = [
        migrator.down(&database, &back, &Silent).await.unwrap_err(),
        migrator.down_dry_run(&database, &back, &Silent).await.unwrap_err(),
        migrator.dry_run(&database, &waits, &Silent).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), "lock_timeout", "{error}");
        assert!(error.to_string().contains("\"a report\""), "{error}");
    }
    run(&mut holder, "COMMIT").await;
    assert_eq!(
        migrator.down(&database, &back, &Silent).await.unwrap(),
        ["20_c.expand.down.sql"]
    );
}
