//! The platform's own migrations, from the folder that is shipped.

use std::path::Path;

use migrate::{Migrator, Phase, Silent};

use crate::world::{World, hasty, run};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations")
}

#[tokio::test]
async fn the_platform_s_migrations_apply_and_can_be_taken_back() {
    let world = World::new(&[]).await;
    let migrator = Migrator::load(folder()).unwrap();
    let report = migrator
        .up(&world.database(), &hasty().allowing(Phase::Seed), &Silent)
        .await
        .unwrap();
    assert_eq!((report.applied.len(), report.held.len()), (migrator.files().len(), 0));
    assert!(migrator.files().iter().all(|file| file.has_down()));
    world
        .sql("INSERT INTO protocol_performance_metrics (protocol_id, \"timestamp\") VALUES ('a', now())")
        .await;
    assert_eq!(
        world
            .number("SELECT count(*) FROM protocol_performance_metrics WHERE protocol_id = 'uniswap-v3'")
            .await,
        30
    );

    let mut downs: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    downs.retain(|path| path.to_string_lossy().ends_with(".down.sql"));
    downs.sort();
    let mut connection = world.connect().await;
    for down in downs.iter().rev() {
        run(&mut connection, &std::fs::read_to_string(down).unwrap()).await;
    }
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'")
            .await,
        0
    );
}

#[tokio::test]
async fn without_the_word_there_are_no_sample_rows() {
    let world = World::new(&[]).await;
    let report = Migrator::load(folder())
        .unwrap()
        .up(&world.database(), &hasty(), &Silent)
        .await
        .unwrap();
    assert!(report.held.iter().all(|held| held.phase == Phase::Seed) && !report.held.is_empty());
    assert_eq!(
        world.number("SELECT count(*) FROM protocol_performance_metrics").await,
        0
    );
}
