//! Backups that are proven, and put back.

use std::path::Path;

use migrate::backup::{Check, RestoreOptions, VerifyOptions, find, list, restore, verify};
use migrate::{Backup, BackupOptions, Database, Password, back_up};
use sqlx::ConnectOptions;
use test_postgres::PASSWORD;

use crate::world::{World, run};

const ROWS: &str = "CREATE TABLE a AS SELECT n AS b, md5(n::text) AS c FROM generate_series(1, 20000) AS n;
                    CREATE TABLE empty (id int); CREATE TABLE \"Odd name\" (id int)";

/// A server with a database `app`, and a backup of it.
async fn world() -> (World, Database, Backup) {
    let world = World::new(&[]).await;
    let mut connection = world.postgres.database("app").await.connect().await.unwrap();
    run(&mut connection, ROWS).await;
    let database = Database::new(
        "127.0.0.1",
        world.postgres.port(),
        "app",
        "postgres",
        Password::new(PASSWORD),
    );
    let mut options = BackupOptions::new(world.path().join("backups"), "release-7");
    options.programs = Some(world.postgres.binaries().to_owned());
    let backup = back_up(&database, &options).await.unwrap();
    (world, database, backup)
}

fn proving(world: &World) -> VerifyOptions {
    VerifyOptions {
        programs: Some(world.postgres.binaries().to_owned()),
        ..VerifyOptions::default()
    }
}

fn restoring(world: &World) -> RestoreOptions {
    RestoreOptions {
        programs: Some(world.postgres.binaries().to_owned()),
        ..RestoreOptions::default()
    }
}

/// The databases of the server besides its own and `app`.
async fn others(world: &World) -> i64 {
    world
        .number("SELECT count(*) FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1', 'app')")
        .await
}

fn damage(backup: &Backup, change: impl Fn(&mut Vec<u8>)) {
    let largest = backup.files.iter().max_by_key(|file| file.size).unwrap();
    let path = backup.path.join(&largest.name);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
}

/// Makes the manifest agree with damaged files, as if the dump itself had come out so.
fn bless(backup: &Backup) {
    use sha2::Digest;
    let path = backup.path.join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for file in manifest["files"].as_array_mut().unwrap() {
        let bytes = std::fs::read(backup.path.join(file["name"].as_str().unwrap())).unwrap();
        file["size"] = bytes.len().into();
        file["sha256"] = hex::encode(sha2::Sha256::digest(&bytes)).into();
    }
    std::fs::write(&path, manifest.to_string()).unwrap();
}

fn read(folder: &Path) -> Backup {
    find(folder, "release-7").unwrap()
}

#[tokio::test]
async fn a_backup_is_unverified_until_it_was_restored() {
    let (world, database, backup) = world().await;
    let folder = world.path().join("backups");
    assert_eq!(backup.rows["public.a"], 20_000);
    assert_eq!(backup.rows["public.\"Odd name\""], 0);
    assert_eq!(read(&folder).verified, None);
    let mut options = proving(&world);
    options.checks = vec![Check {
        name: "the sum".to_owned(),
        sql: "SELECT sum(b) = 200010000 FROM a".to_owned(),
    }];
    let verification = verify(&backup, &database, &options).await.unwrap();
    assert_eq!((verification.tables, verification.rows), (3, 20_000));
    assert_eq!(verification.checks, ["the sum"]);
    assert_eq!(read(&folder).verified, Some(verification));
    assert_eq!(others(&world).await, 0, "the scratch database is gone");
    assert_eq!(list(&folder).unwrap().len(), 1);
}

#[tokio::test]
async fn a_check_that_fails_leaves_it_unverified() {
    let (world, database, backup) = world().await;
    let mut options = proving(&world);
    for (sql, expected) in [
        ("SELECT count(*) > 9 FROM empty", "it is not so"),
        ("SELECT x FROM y", "does not exist"),
    ] {
        options.checks = vec![Check {
            name: "rows".to_owned(),
            sql: sql.to_owned(),
        }];
        let error = verify(&backup, &database, &options).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.kind(), "backup_unproven");
    }
    assert_eq!(read(&world.path().join("backups")).verified, None);
    assert_eq!(others(&world).await, 0);
}

#[tokio::test]
async fn truncated_and_damaged_dumps_are_found_by_their_checksums_and_by_the_restore() {
    for cut in [true, false] {
        let (world, database, backup) = world().await;
        damage(&backup, |bytes| {
            if cut {
                bytes.truncate(bytes.len() / 2);
            } else {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0xff;
            }
        });
        let error = verify(&backup, &database, &proving(&world)).await.unwrap_err();
        assert_eq!(error.kind(), "backup_damaged", "{error}");
        bless(&backup);
        let blessed = read(&world.path().join("backups"));
        let error = verify(&blessed, &database, &proving(&world)).await.unwrap_err();
        assert_eq!(error.kind(), "backup_unproven", "{error}");
        assert_eq!(others(&world).await, 0);
    }
}

#[tokio::test]
async fn a_missing_or_an_additional_file_is_damage() {
    let (world, database, backup) = world().await;
    let stranger = backup.path.join("dump/stranger.dat");
    std::fs::write(&stranger, "x").unwrap();
    assert_eq!(
        verify(&backup, &database, &proving(&world)).await.unwrap_err().kind(),
        "backup_damaged"
    );
    std::fs::remove_file(stranger).unwrap();
    std::fs::remove_file(backup.path.join(&backup.files[0].name)).unwrap();
    assert_eq!(
        verify(&backup, &database, &proving(&world)).await.unwrap_err().kind(),
        "backup_damaged"
    );
}

#[tokio::test]
async fn a_restore_takes_the_place_of_a_database_that_is_in_use() {
    let (world, database, backup) = world().await;
    let app = world.postgres.options().database("app");
    let mut inside = app.connect().await.unwrap();
    run(&mut inside, "DELETE FROM a").await;
    run(&mut inside, "BEGIN; INSERT INTO empty VALUES (1)").await;
    let restored = restore(&backup, &database, &restoring(&world)).await.unwrap();
    assert_eq!((restored.tables, restored.rows), (3, 20_000));
    let mut connection = app.connect().await.unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM a")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(count, 20_000);
    let mut kept = world
        .postgres
        .options()
        .database(&restored.kept_as)
        .connect()
        .await
        .unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM a")
        .fetch_one(&mut kept)
        .await
        .unwrap();
    assert_eq!(count, 0, "what was there before is kept");
    assert!(
        sqlx::query("SELECT 1").execute(&mut inside).await.is_err(),
        "those inside were sent away"
    );
}

#[tokio::test]
async fn a_restore_that_fails_half_way_leaves_the_old_database_serving() {
    let (world, database, backup) = world().await;
    damage(&backup, |bytes| bytes.truncate(bytes.len() / 2));
    bless(&backup);
    let blessed = read(&world.path().join("backups"));
    let mut inside = world.postgres.options().database("app").connect().await.unwrap();
    let error = restore(&blessed, &database, &restoring(&world)).await.unwrap_err();
    assert_eq!(error.kind(), "backup_unproven", "{error}");
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM a")
        .fetch_one(&mut inside)
        .await
        .unwrap();
    assert_eq!(count, 20_000, "even the sessions inside noticed nothing");
    assert_eq!(others(&world).await, 0);
}

/// What a database has besides its contents, without its own oid.
const PROPERTIES: &str = "SELECT jsonb_build_object(
        'limit', datconnlimit, 'rights', (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) AS a),
        'owner', datdba::regrole, 'collate', datcollate, 'encoding', encoding, 'tablespace', dattablespace,
        'comment', shobj_description(d.oid, 'pg_database'),
        'settings', (SELECT jsonb_agg(jsonb_build_array(setrole::regrole, setconfig) ORDER BY setrole)
                     FROM pg_db_role_setting WHERE setdatabase = d.oid))::text
    FROM pg_database d WHERE datname = 'app'";

#[tokio::test]
async fn a_restored_database_keeps_its_settings_and_rights() {
    let (world, database, backup) = world().await;
    for statement in [
        "CREATE ROLE owner_of_app; CREATE ROLE \"Odd reader\"",
        "ALTER DATABASE app OWNER TO owner_of_app",
        "ALTER DATABASE app SET search_path = \"$user\", app, \"Odd, \"\"schema\"\"\", public",
        "ALTER DATABASE app SET default_transaction_read_only = on",
        "ALTER DATABASE app SET app.tenant = 'it''s a, b'",
        "ALTER ROLE \"Odd reader\" IN DATABASE app SET statement_timeout = '5s'",
        "ALTER DATABASE app CONNECTION LIMIT 50",
        "REVOKE ALL ON DATABASE app FROM PUBLIC",
        "GRANT CONNECT ON DATABASE app TO \"Odd reader\" WITH GRANT OPTION",
        "COMMENT ON DATABASE app IS 'it''s ours'",
    ] {
        world.sql(statement).await;
    }
    let properties = async || -> String {
        sqlx::query_scalar(PROPERTIES)
            .fetch_one(&mut world.connect().await)
            .await
            .unwrap()
    };
    let before = properties().await;
    assert!(
        before.contains("Odd reader") && before.contains("app.tenant"),
        "{before}"
    );
    restore(&backup, &database, &restoring(&world)).await.unwrap();
    assert_eq!(properties().await, before);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_leaves_no_backup() {
    let world = World::new(&[]).await;
    world
        .sql("CREATE TABLE a AS SELECT n FROM generate_series(1, 1000) AS n")
        .await;
    let folder = world.path().join("backups");
    std::fs::write(&folder, "a file where the folder should be").unwrap();
    let mut options = BackupOptions::new(&folder, "x");
    options.programs = Some(world.postgres.binaries().to_owned());
    let error = back_up(&world.database(), &options).await.unwrap_err();
    assert_eq!(error.kind(), "backup_write", "{error}");
}
