//! Full disks: small file systems in memory, which only a test's second process sees.

use std::path::PathBuf;
use std::process::Command;

use migrate::backup::{RestoreOptions, list, restore};
use migrate::{BackupError, BackupOptions, Database, Options, Password, Phase, back_up};
use sqlx::ConnectOptions;
use tempfile::TempDir;
use test_postgres::PASSWORD;

use crate::again;
use crate::world::{World, hasty, run};

const FULL: &str = "No space left on device";

/// Runs the test once more with a small disk, which is given to it there; `None` in the process that only looks on.
fn small_disk(test: &str, megabytes: u32) -> Option<TempDir> {
    if !again::may_mount(test) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let size = format!("size={megabytes}m");
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path());
    assert!(mount.status().unwrap().success());
    Some(folder)
}

/// A tablespace `small` on the disk.
async fn tablespace(world: &World, disk: &TempDir) -> PathBuf {
    let folder = disk.path().join("space");
    std::fs::create_dir(&folder).unwrap();
    // The server's user has to reach it.
    std::fs::set_permissions(disk.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.postgres.give(&folder);
    world
        .sql(&format!("CREATE TABLESPACE small LOCATION '{}'", folder.display()))
        .await;
    folder
}

/// What the server said below our own words.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

const WIDE: &str = "SELECT n AS id, 0 AS filled, repeat(md5(n::text), 10) AS wide FROM generate_series(1, 30000) AS n";

#[tokio::test]
async fn a_migration_on_a_full_disk_leaves_nothing_and_passes_when_there_is_room() {
    let test = "disks::a_migration_on_a_full_disk_leaves_nothing_and_passes_when_there_is_room";
    let Some(disk) = small_disk(test, 8) else { return };
    let world = World::new(&[
        ("10_a.expand.sql", "CREATE TABLE a (b int)"),
        (
            "20_wide.expand.sql",
            &format!("CREATE TABLE made_before (b int);\nCREATE TABLE wide TABLESPACE small AS {WIDE}"),
        ),
    ])
    .await;
    tablespace(&world, &disk).await;
    let error = world.up(&hasty()).await.unwrap_err();
    assert_eq!(error.to_string(), "20_wide.expand.sql failed; nothing of it was kept");
    assert!(cause(&error).contains(FULL), "{}", cause(&error));
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE tablename IN ('made_before', 'wide')")
            .await,
        0
    );
    let status = world.migrator().status(&world.database()).await.unwrap();
    assert_eq!((status.schema_version(), status.problems.len()), (Some(10), 0));

    world.write("20_wide.expand.sql", "CREATE TABLE wide (id int) TABLESPACE small");
    let at_once = Options {
        lock_wait: std::time::Duration::ZERO,
        ..hasty()
    };
    assert_eq!(world.applies(&at_once).await, ["20_wide.expand.sql"]);
}

#[tokio::test]
async fn a_build_on_a_full_disk_leaves_no_invalid_index() {
    let test = "disks::a_build_on_a_full_disk_leaves_no_invalid_index";
    let Some(disk) = small_disk(test, 4) else { return };
    let build = "-- no-transaction\nCREATE INDEX CONCURRENTLY a_wide ON a (wide) TABLESPACE small";
    let world = World::new(&[("10_i.expand.sql", build)]).await;
    tablespace(&world, &disk).await;
    world.sql(&format!("CREATE TABLE a AS {WIDE}")).await;
    let error = world.up(&hasty()).await.unwrap_err();
    assert!(cause(&error).contains(FULL), "{}", cause(&error));
    assert_eq!(
        world.number("SELECT count(*) FROM pg_index WHERE NOT indisvalid").await,
        0
    );

    world.sql("TRUNCATE a").await;
    assert_eq!(world.applies(&hasty()).await, ["10_i.expand.sql"]);
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_index WHERE indexrelid = 'a_wide'::regclass AND indisvalid")
            .await,
        1
    );
}

#[tokio::test]
async fn a_backfill_on_a_full_disk_keeps_its_batches_and_goes_on_when_there_is_room() {
    let test = "disks::a_backfill_on_a_full_disk_keeps_its_batches_and_goes_on_when_there_is_room";
    let Some(disk) = small_disk(test, 16) else { return };
    // Every update is a second copy of the row, and 30,000 rows of 350 bytes are 11 MB.
    let fill =
        "-- batch: table=a key=id rows=1000 pause=1ms\nUPDATE a SET filled = filled + 1 WHERE id BETWEEN $1 AND $2";
    let world = World::new(&[("10_fill.backfill.sql", fill)]).await;
    let space = tablespace(&world, &disk).await;
    world
        .sql(&format!(
            "CREATE TABLE a TABLESPACE small AS {WIDE}; ALTER TABLE a SET (autovacuum_enabled = off);
             ALTER TABLE a ADD PRIMARY KEY (id)"
        ))
        .await;
    let filling = hasty().allowing(Phase::Backfill);
    let error = world.up(&filling).await.unwrap_err();
    assert!(cause(&error).contains(FULL), "{}", cause(&error));
    let done = world.number("SELECT sum(filled) FROM a").await;
    assert!(0 < done && done < 30_000 && done % 1000 == 0, "{done}");
    assert_eq!(world.number("SELECT keys FROM _llama_progress").await, done);

    let mut larger = Command::new("mount");
    larger.args(["-o", "remount,size=64m"]).arg(space.parent().unwrap());
    assert!(larger.status().unwrap().success());
    world.up(&filling).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM a WHERE filled = 1").await, 30_000);
}

#[tokio::test]
async fn a_backup_on_a_full_disk_is_none_and_the_one_before_stays() {
    let test = "disks::a_backup_on_a_full_disk_is_none_and_the_one_before_stays";
    let Some(disk) = small_disk(test, 1) else { return };
    let world = World::new(&[]).await;
    world.sql("CREATE TABLE small AS SELECT 1 AS n").await;
    let mut options = BackupOptions::new(disk.path().join("backups"), "before");
    options.programs = Some(world.postgres.binaries().to_owned());
    let before = back_up(&world.database(), &options).await.unwrap();
    world
        .sql("CREATE TABLE a AS SELECT md5(n::text) FROM generate_series(1, 100000) AS n")
        .await;
    options.label = "after".to_owned();
    let error = back_up(&world.database(), &options).await.unwrap_err();
    let BackupError::Dump { said, .. } = &error else {
        panic!("{error}")
    };
    assert!(said.contains(FULL), "{said}");
    let entries: Vec<_> = std::fs::read_dir(&options.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(entries, ["before"], "not even a part of it");
    let listed = list(&options.folder).unwrap();
    assert!(matches!(&listed[..], [Ok(one)] if *one == before), "{listed:?}");
    // With room again the same name is a whole backup.
    world.sql("TRUNCATE a").await;
    back_up(&world.database(), &options).await.unwrap();
}

#[tokio::test]
async fn a_restore_on_a_full_disk_leaves_the_old_database_serving() {
    let test = "disks::a_restore_on_a_full_disk_leaves_the_old_database_serving";
    // Room for one such database, of 13 to 18 MB, and for an empty second one.
    let Some(disk) = small_disk(test, 22) else { return };
    let world = World::new(&[]).await;
    tablespace(&world, &disk).await;
    world.sql("CREATE DATABASE app TABLESPACE small").await;
    let app = world.postgres.options().database("app");
    let mut inside = app.connect().await.unwrap();
    run(&mut inside, &format!("CREATE TABLE a AS {WIDE}")).await;
    let password = Password::new(PASSWORD);
    let database = Database::new("127.0.0.1", world.postgres.port(), "app", "postgres", password);
    let mut options = BackupOptions::new(world.path().join("backups"), "before");
    options.programs = Some(world.postgres.binaries().to_owned());
    let backup = back_up(&database, &options).await.unwrap();

    let options = RestoreOptions {
        programs: options.programs,
        ..RestoreOptions::default()
    };
    let error = restore(&backup, &database, &options).await.unwrap_err();
    let said = format!("{error}: {}", cause(&error));
    assert!(said.contains(FULL), "{said}");
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM a")
        .fetch_one(&mut inside)
        .await
        .unwrap();
    assert_eq!(rows, 30_000, "even those inside noticed nothing");
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_database WHERE datname LIKE 'app%'")
            .await,
        1,
        "nothing of the new one is left"
    );
}
