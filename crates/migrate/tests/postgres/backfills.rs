//! Backfills in batches.

use migrate::{Event, Options, Phase, Silent};

use crate::world::{Told, World, hasty, run, watched};

const FILL: &str = "-- batch: table=users key=id rows=100 pause=1ms
    UPDATE users SET lower = lower(name) WHERE id BETWEEN $1 AND $2 AND lower IS NULL";

fn filling() -> Options {
    hasty().allowing(Phase::Backfill)
}

/// A table with a thousand rows and gaps between their keys.
async fn world(key: &str, fill: &str) -> World {
    let world = World::new(&[("20_fill.backfill.sql", fill)]).await;
    world
        .sql(&format!(
            "CREATE TABLE users (id {key} PRIMARY KEY, name text, lower text);
             INSERT INTO users SELECT (n * 7)::text::{key}, 'NAME ' || n FROM generate_series(1, 1000) AS n"
        ))
        .await;
    world
}

async fn unfilled(world: &World) -> i64 {
    world
        .number("SELECT count(*) FROM users WHERE lower IS DISTINCT FROM lower(name)")
        .await
}

#[tokio::test]
async fn a_backfill_goes_through_the_table_in_batches_and_is_recorded_once() {
    for key in ["bigint", "text", "numeric"] {
        let world = world(key, FILL).await;
        let told = Told::default();
        let report = world.migrator().up(&world.database(), &filling(), &told).await.unwrap();
        assert_eq!(report.applied.len(), 1, "{key}");
        assert_eq!(unfilled(&world).await, 0, "{key}");
        let (rows, keys) = told
            .first(|event| match event {
                Event::Backfilling { rows, keys, .. } if *keys == 1000 => Some((*rows, *keys)),
                _ => None,
            })
            .await;
        assert_eq!((rows, keys), (1000, 1000));
        assert_eq!(world.number("SELECT count(*) FROM _llama_progress").await, 0);
        assert!(world.applies(&filling()).await.is_empty());
    }
}

#[tokio::test]
async fn a_backfill_that_died_goes_on_where_it_was() {
    let world = world("bigint", FILL).await;
    let mut holder = world.connect_as("somebody").await;
    // The sixth batch meets a row that somebody holds.
    run(&mut holder, "BEGIN; UPDATE users SET name = name WHERE id = 550 * 7").await;
    let (migrator, database) = (world.migrator(), world.database());
    let patient = Options {
        lock_attempts: 1000,
        ..filling()
    };
    let backfill = tokio::spawn(async move { migrator.up(&database, &patient, &Silent).await.map(|_| ()) });
    world.until("SELECT to_regclass('_llama_progress') IS NOT NULL").await;
    world
        .until("SELECT EXISTS (SELECT FROM _llama_progress WHERE keys = 500)")
        .await;
    // Its socket closes without a word, as after kill -9.
    backfill.abort();
    assert!(backfill.await.unwrap_err().is_cancelled());
    run(&mut holder, "COMMIT").await;
    assert_eq!(unfilled(&world).await, 500);
    let told = Told::default();
    world.migrator().up(&world.database(), &filling(), &told).await.unwrap();
    assert_eq!(unfilled(&world).await, 0);
    let first = told
        .first(|event| match event {
            Event::Backfilling { rows, .. } => Some(*rows),
            _ => None,
        })
        .await;
    assert_eq!(first, 100, "it began with the sixth batch");
}

#[tokio::test]
async fn rows_that_somebody_holds_are_tried_again_and_then_reported() {
    let world = world("bigint", FILL).await;
    let mut holder = world.connect_as("somebody").await;
    run(&mut holder, "BEGIN; UPDATE users SET name = name WHERE id = 7").await;
    let error = world.up(&watched().allowing(Phase::Backfill)).await.unwrap_err();
    assert_eq!(error.kind(), "lock_timeout");
    assert!(error.to_string().contains("20_fill.backfill.sql"), "{error}");
    assert!(
        error.to_string().contains("\"somebody\", idle in transaction"),
        "{error}"
    );
}

#[tokio::test]
async fn a_key_that_would_leave_rows_out_is_refused() {
    let world = world("bigint", &FILL.replace("key=id", "key=name")).await;
    let error = world.up(&filling()).await.unwrap_err();
    assert_eq!(error.kind(), "backfill_key");
    assert!(
        error.to_string().contains("by name: it needs a unique index"),
        "{error}"
    );
}

#[tokio::test]
async fn an_edited_backfill_begins_anew() {
    let world = world("bigint", FILL).await;
    world.sql("UPDATE users SET lower = lower(name) WHERE id < 3500").await;
    let mut holder = world.connect_as("somebody").await;
    run(&mut holder, "BEGIN; UPDATE users SET name = name WHERE id = 3500").await;
    assert_eq!(world.up(&filling()).await.unwrap_err().kind(), "lock_timeout");
    run(&mut holder, "COMMIT").await;
    world.write(
        "20_fill.backfill.sql",
        &FILL
            .replace("lower(name)", "upper(name)")
            .replace(" AND lower IS NULL", ""),
    );
    world.up(&filling()).await.unwrap();
    assert_eq!(
        world
            .number("SELECT count(*) FROM users WHERE lower = upper(name)")
            .await,
        1000
    );
}
