//! Backups, as they are made.

use std::path::Path;
use std::process::Command;

use migrate::{BackupError, BackupOptions, Database, Password, back_up};
use test_postgres::PASSWORD;

use crate::world::{World, hasty};

async fn world() -> (World, BackupOptions) {
    let world = World::new(&[(
        "10_a.expand.sql",
        "CREATE TABLE a AS SELECT n AS b FROM generate_series(1, 1000) AS n",
    )])
    .await;
    world.up(&hasty()).await.unwrap();
    let mut options = BackupOptions::new(world.path().join("backups"), "release-7");
    options.programs = Some(world.postgres.binaries().to_owned());
    (world, options)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_is_whole_and_restores() {
    let (world, options) = world().await;
    let backup = back_up(&world.database(), &options).await.unwrap();
    assert_eq!(names(&options.folder), ["release-7"]);
    assert_eq!(names(&backup.path), ["dump", "manifest.json"]);
    assert_eq!((backup.schema_version, backup.label.as_str()), (Some(10), "release-7"));
    assert!(
        backup
            .files
            .iter()
            .any(|file| file.name == "dump/toc.dat" && file.size > 0 && file.sha256.len() == 64)
    );
    let manifest = std::fs::read_to_string(backup.path.join("manifest.json")).unwrap();
    assert!(!manifest.contains(PASSWORD));

    world.postgres.database("restored").await;
    let restored = Command::new(world.postgres.binaries().join("pg_restore"))
        .args([
            "--host=127.0.0.1",
            "--username=postgres",
            "--dbname=restored",
            "--exit-on-error",
            "--port",
        ])
        .arg(world.postgres.port().to_string())
        .arg(backup.path.join("dump"))
        .env("PGPASSWORD", PASSWORD)
        .status()
        .unwrap();
    assert!(restored.success());
    let mut connection = sqlx::ConnectOptions::connect(&world.postgres.options().database("restored"))
        .await
        .unwrap();
    let sum: i64 = sqlx::query_scalar("SELECT sum(b)::bigint FROM a")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(sum, 500_500);

    // The same label again is the same backup, even if the database moved on.
    world.sql("DELETE FROM a").await;
    assert_eq!(back_up(&world.database(), &options).await.unwrap(), backup);
}

#[tokio::test]
async fn a_backup_that_fails_leaves_none() {
    let (world, options) = world().await;
    world.sql("CREATE ROLE reader LOGIN PASSWORD 'hunter2'").await;
    let reader = Database::new(
        "127.0.0.1",
        world.postgres.port(),
        "postgres",
        "reader",
        Password::new("hunter2"),
    );
    // The role may read the records but not the table: pg_dump gives up after it began.
    world.sql("GRANT SELECT ON _sqlx_migrations TO reader").await;
    let error = back_up(&reader, &options).await.unwrap_err();
    let BackupError::Dump { said, .. } = &error else {
        panic!("{error}")
    };
    assert!(
        said.contains("permission denied") && !said.contains("hunter2"),
        "{said}"
    );
    assert_eq!(names(&options.folder), Vec::<String>::new());
}

#[tokio::test]
async fn a_damaged_backup_is_not_taken_for_one() {
    let (world, options) = world().await;
    std::fs::create_dir_all(options.folder.join("release-7")).unwrap();
    assert_eq!(
        back_up(&world.database(), &options).await.unwrap_err().kind(),
        "backup_damaged"
    );
}

#[tokio::test]
async fn a_pg_dump_of_another_version_is_not_used() {
    let (world, mut options) = world().await;
    let other = world.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let program = other.join("pg_dump");
    std::fs::write(&program, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    options.programs = Some(other);
    // Either the machine has the right one elsewhere, or the error tells both versions; the wrong one never runs.
    match back_up(&world.database(), &options).await {
        Ok(backup) => assert_ne!(backup.client_version, "9.6.24"),
        Err(BackupError::NoClient { versions, .. }) => assert!(versions.contains(&9)),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn the_password_is_no_argument() {
    let (world, mut options) = world().await;
    let folder = world.path().join("recording");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("pg_dump");
    let real = world.postgres.binaries().join("pg_dump");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {0}/arguments\nexec {1} \"$@\"\n",
        folder.display(),
        real.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    options.programs = Some(folder.clone());
    back_up(&world.database(), &options).await.unwrap();
    let arguments = std::fs::read_to_string(folder.join("arguments")).unwrap();
    assert!(arguments.contains("--format=directory"), "{arguments}");
    assert!(arguments.contains("--jobs=2"), "several tables at once: {arguments}");
    assert!(!arguments.contains(PASSWORD), "{arguments}");
}

#[tokio::test]
async fn a_table_that_somebody_holds_ends_the_backup_and_not_the_patience() {
    let (world, mut options) = world().await;
    options.lock_timeout = std::time::Duration::from_millis(200);
    let mut holder = world.connect_as("somebody").await;
    crate::world::run(&mut holder, "BEGIN; ALTER TABLE a ADD COLUMN c int").await;
    // The holder never lets go, so a backup that waits for it never ends.
    let error = back_up(&world.database(), &options).await.unwrap_err();
    assert_eq!(error.kind(), "backup_dump", "{error}");
    assert_eq!(names(&options.folder), Vec::<String>::new());
    crate::world::run(&mut holder, "ROLLBACK").await;
    options.lock_timeout = std::time::Duration::from_secs(30);
    back_up(&world.database(), &options).await.unwrap();
}
