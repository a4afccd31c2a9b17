//! Migrations under load, judged by what the server itself recorded: nothing here looks at a clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use migrate::{Event, Options};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tokio::task::JoinHandle;

use crate::world::{Told, World, hasty, run};

/// A program that reads and writes without a pause.
struct Traffic {
    stop: Arc<AtomicBool>,
    done: Vec<Arc<AtomicU64>>,
    sessions: Vec<JoinHandle<PgConnection>>,
}

impl Traffic {
    async fn start(world: &World) -> Self {
        let mut traffic = Self {
            stop: Arc::default(),
            done: Vec::new(),
            sessions: Vec::new(),
        };
        for statement in [
            "SELECT count(b) FROM a",
            "SELECT b FROM a WHERE b = 7",
            "INSERT INTO a (b) VALUES (1)",
            "UPDATE a SET b = b WHERE b = 9",
        ] {
            let mut session = world.connect_as("traffic").await;
            // From the first millisecond the server writes down who waits for what, and when the wait ended.
            run(&mut session, "SET log_lock_waits = on; SET deadlock_timeout = '1ms'").await;
            let (stop, done) = (traffic.stop.clone(), Arc::new(AtomicU64::new(0)));
            traffic.done.push(done.clone());
            traffic.sessions.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    sqlx::query(AssertSqlSafe(statement))
                        .execute(&mut session)
                        .await
                        .unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
                session
            }));
        }
        traffic
    }

    fn done(&self) -> Vec<u64> {
        self.done.iter().map(|done| done.load(Ordering::Relaxed)).collect()
    }

    /// # Panics
    /// When a statement failed.
    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for session in self.sessions {
            session.await.expect("no statement of the traffic fails");
        }
    }
}

/// What the log says of waits for relation locks, in order: which process, and whether it has got its lock.
fn waits(log: &str) -> impl Iterator<Item = (&str, bool)> {
    let told = log.lines().filter(|line| line.contains("on relation"));
    told.filter_map(|line| {
        let (process, what) = line.split_once("process ")?.1.split_once(' ')?;
        let got = what.starts_with("acquired");
        (got || what.starts_with("still waiting for")).then_some((process, got))
    })
}

fn got_through(log: &str) -> usize {
    waits(log).filter(|(_, got)| *got).count()
}

#[tokio::test]
async fn while_a_migration_waits_for_an_idle_transaction_the_traffic_goes_on() {
    let world = World::new(&[("10_a.expand.sql", "ALTER TABLE a ADD COLUMN c int")]).await;
    world
        .sql("CREATE TABLE a AS SELECT n AS b FROM generate_series(1, 1000) AS n")
        .await;
    let mut idle = world.connect_as("a report").await;
    run(&mut idle, "BEGIN; SELECT count(*) FROM a").await;
    let traffic = Traffic::start(&world).await;

    let told = std::sync::Arc::new(Told::default());
    let (migrator, database, events) = (world.migrator(), world.database(), told.clone());
    let patient = Options {
        lock_attempts: 1000,
        ..hasty()
    };
    let migration = tokio::spawn(async move { migrator.up(&database, &patient, &*events).await });
    let named = told
        .first(|event| match event {
            Event::Blocked { blockers, .. } => blockers
                .iter()
                .find(|blocker| blocker.application == "a report")
                .cloned(),
            _ => None,
        })
        .await;
    assert_eq!(named.state, "idle in transaction");
    assert!(named.pid > 0 && named.query.contains("count(*)"), "{named}");

    // Five times some of the traffic queued behind the migration; each time it got through, and everybody went on, though
    // the idle transaction never ended. Without a budget whoever queued would be there still.
    for _ in 0..5 {
        let (before, through) = (traffic.done(), got_through(&world.postgres.log()));
        world
            .until_told(|| {
                let everybody = traffic.done().iter().zip(&before).all(|(now, before)| now > before);
                everybody && got_through(&world.postgres.log()) > through
            })
            .await;
    }
    assert!(!migration.is_finished(), "the transaction is in its way still");
    run(&mut idle, "COMMIT").await;
    assert_eq!(migration.await.unwrap().unwrap().applied.len(), 1);
    traffic.end().await;

    let log = world.postgres.log();
    let steps_back = told.count(|event| matches!(event, Event::Blocked { .. }));
    let ended = log.matches("canceling statement due to lock timeout").count()
        + log.matches("canceling statement due to user request").count();
    assert_eq!(
        ended, steps_back,
        "every try that got no lock was ended by its budget, and nothing else was"
    );
    // One wait may be told twice, and one that is over at once only by its end: what counts is each one's last word.
    let last: BTreeMap<&str, bool> = waits(&log).collect();
    assert!(!last.is_empty(), "some of the traffic had to wait");
    assert!(last.values().all(|got| *got), "nobody waits any more: {last:?}");
    assert!(!log.contains("deadlock detected"));
}

#[tokio::test]
async fn three_runners_build_an_index_under_load_and_end_clean() {
    let world = World::new(&[
        (
            "10_i.expand.sql",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY a_b ON a (b)",
        ),
        ("20_c.expand.sql", "ALTER TABLE a ADD COLUMN c int"),
    ])
    .await;
    world
        .sql("CREATE TABLE a AS SELECT n AS b FROM generate_series(1, 10000) AS n")
        .await;
    let traffic = Traffic::start(&world).await;
    let (migrator, database) = (world.migrator(), world.database());
    let patient = Options {
        lock_attempts: 1000,
        ..Options::rollout()
    };
    let silent = migrate::Silent;
    let runs = tokio::join!(
        migrator.up(&database, &patient, &silent),
        migrator.up(&database, &patient, &silent),
        migrator.up(&database, &patient, &silent),
    );
    let mut applied: Vec<usize> = [runs.0, runs.1, runs.2]
        .into_iter()
        .map(|run| run.unwrap().applied.len())
        .collect();
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 2]);
    traffic.end().await;
    assert_eq!(
        world.number("SELECT count(*) FROM pg_index WHERE NOT indisvalid").await,
        0
    );
    assert_eq!(
        world
            .number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            .await,
        0
    );
    assert!(!world.postgres.log().contains("deadlock detected"));
}
