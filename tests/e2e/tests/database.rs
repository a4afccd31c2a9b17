//! `db` and `cache`, every verb as a user types it, on a real PostgreSQL and a real Redis.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

use std::path::PathBuf;

use e2e::{Ended, Project, Store, Terminal};
use serde_json::Value;

#[track_caller]
fn refused(ended: Ended, status: i32, code: &str) -> String {
    let ended = ended.expect(status);
    assert!(
        ended.stderr.contains(&format!("error[{code}]")),
        "not {code}:\n{}",
        ended.stderr
    );
    ended.stderr
}

/// A table with three rows.
fn with_rows() -> Store {
    let store = Store::new();
    store.migration("1_users.expand.sql", "CREATE TABLE users (id bigint PRIMARY KEY);\n");
    store.migration(
        "2_rows.backfill.sql",
        "INSERT INTO users SELECT generate_series(1, 3);\n",
    );
    store.run(&["deploy"]).expect(0);
    store.run(&["migrate", "up"]).expect(0);
    store
}

fn backups(store: &Store) -> Vec<Value> {
    let listed = store.json(&["db", "list"], 0);
    listed["backups"].as_array().unwrap().clone()
}

fn folder(store: &Store, id: &str) -> PathBuf {
    store.path().join(".llama/local/backups").join(id)
}

fn data_file(store: &Store, id: &str) -> PathBuf {
    let files = std::fs::read_dir(folder(store, id).join("dump")).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    files
        .find(|file| file.extension().is_some_and(|end| end == "gz"))
        .unwrap()
}

#[test]
fn a_backup_is_made_proven_and_put_back() {
    let store = with_rows();
    assert_eq!(backups(&store), Vec::<Value>::new());
    refused(store.run(&["db", "verify"]), 2, "LD0613");
    let made = store.json(&["db", "backup", "--backup-id", "three"], 0);
    assert_eq!(
        (&made["backup"]["id"], &made["backup"]["kind"]),
        (&"three".into(), &"dump".into())
    );
    let listed = store.run(&["db", "list"]).expect(0);
    assert!(
        listed.stdout.contains("three") && listed.stdout.contains("UNVERIFIED"),
        "{}",
        listed.stdout
    );
    assert_eq!(backups(&store)[0]["schema_version"], 2);

    let verified = store.json(&["db", "verify"], 0);
    assert_eq!(verified["backup"], "three");
    // Three users, and the two records of migrations.
    assert_eq!(
        (&verified["verification"]["tables"], &verified["verification"]["rows"]),
        (&2.into(), &5.into())
    );
    assert!(backups(&store)[0]["verified_at"].is_string());

    store.migration("3_more.backfill.sql", "INSERT INTO users VALUES (4);\n");
    store.run(&["migrate", "up"]).expect(0);
    let said = refused(store.run(&["db", "restore", "--backup-id", "three"]), 2, "LD0404");
    assert!(said.contains("Whatever was written since will be missing"), "{said}");
    refused(
        store.run(&["db", "restore", "--backup-id", "three", "--confirm", "prod"]),
        2,
        "LD0404",
    );
    assert_eq!(
        store.json(&["migrate", "status"], 0)["schema_version"],
        3,
        "nothing was restored"
    );
    let restored = store.json(&["db", "restore", "--backup-id", "three", "--confirm", "local"], 0);
    assert_eq!(restored["rows"], 5);
    assert!(
        restored["kept_as"].as_str().unwrap().starts_with("store_before_"),
        "{restored}"
    );
    assert_eq!(store.json(&["migrate", "status"], 0)["schema_version"], 2);
    store.run(&["migrate", "up"]).expect(0);

    // On a terminal the name is typed; another one is no consent.
    let command = store.command(&["db", "restore", "--backup-id", "three"]);
    let mut terminal = Terminal::start(&command);
    terminal.wait_for("type the environment's name, local");
    terminal.type_in("prod\n");
    assert_eq!(terminal.wait().code(), Some(2));
    assert_eq!(store.json(&["migrate", "status"], 0)["schema_version"], 3);
    let mut terminal = Terminal::start(&command);
    terminal.wait_for("type the environment's name, local");
    terminal.type_in("local\n");
    terminal.wait_for("serves what backup three holds");
    assert_eq!(terminal.wait().code(), Some(0));
    assert_eq!(store.json(&["migrate", "status"], 0)["schema_version"], 2);
}

#[test]
fn a_backup_that_is_damaged_is_never_counted_on() {
    let store = with_rows();
    for id in ["cut", "lost"] {
        store.run(&["db", "backup", "--backup-id", id]).expect(0);
    }
    let file = data_file(&store, "cut");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(folder(&store, "lost").join("manifest.json"), "{").unwrap();

    refused(store.run(&["db", "verify", "--backup-id", "cut"]), 1, "LD0615");
    refused(
        store.run(&["db", "restore", "--backup-id", "cut", "--confirm", "local"]),
        1,
        "LD0615",
    );
    let listed = store.run(&["db", "list"]).expect(0);
    let line = |id: &str| listed.stdout.lines().find(|line| line.contains(id)).unwrap_or_default();
    assert!(
        line("cut").contains("UNVERIFIED") && line("lost").contains("UNUSABLE"),
        "{}",
        listed.stdout
    );
    refused(store.run(&["db", "verify", "--backup-id", "lost"]), 1, "LD0615");
    assert_eq!(
        store.json(&["migrate", "status"], 0)["schema_version"],
        2,
        "the database serves as before"
    );
    refused(store.run(&["db", "verify", "--backup-id", "no-such"]), 2, "LD0613");
    refused(store.run(&["db", "backup", "--backup-id", "../elsewhere"]), 2, "LD0107");
}

#[test]
fn what_the_user_asks_of_a_restored_backup_counts() {
    let store = with_rows();
    store.run(&["db", "backup"]).expect(0);
    store.set(
        "checks = [{ name = 'nobody is lost', sql = 'SELECT count(*) = 4 FROM users' }]",
        "",
    );
    let said = refused(store.run(&["db", "verify"]), 1, "LD0615");
    assert!(said.contains("nobody is lost"), "{said}");
    assert_eq!(backups(&store)[0]["verified_at"], Value::Null);
    store.set(
        "checks = [{ name = 'nobody is lost', sql = 'SELECT count(*) = 3 FROM users' }]",
        "",
    );
    let verified = store.json(&["db", "verify"], 0);
    assert_eq!(
        verified["verification"]["checks"],
        serde_json::json!(["nobody is lost"])
    );
}

#[test]
fn the_health_of_a_database_and_a_cache() {
    let store = with_rows();
    let health = store.json(&["db", "health-check"], 0);
    assert_eq!(health["problems"], serde_json::json!([]));
    assert_eq!(health["health"]["role"], "primary");
    assert_eq!(health["schema_version"], 2);
    assert!(health["health"]["connections"].as_i64().unwrap() >= 1, "{health}");
    let said = store.run(&["db", "health-check", "local"]).expect(0);
    assert!(said.stdout.contains("all is well"), "{}", said.stdout);

    let caches = store.json(&["cache", "health-check"], 0);
    let cache = &caches["caches"][0];
    assert_eq!(
        (&caches["problems"], &cache["role"]),
        (&serde_json::json!([]), &"master".into()),
        "{caches}"
    );
    assert!(cache["memory_bytes"].as_u64().unwrap() > 0, "{caches}");

    // An edited file is a problem of the database's, too.
    store.migration(
        "2_rows.backfill.sql",
        "INSERT INTO users SELECT generate_series(1, 4);\n",
    );
    let health = store.json(&["db", "health-check"], 1);
    assert_eq!(health["problems"].as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_backed_up_or_asked() {
    let without = Project::service();
    for command in [&["db", "backup"][..], &["db", "list"], &["db", "health-check"]] {
        refused(without.run(command), 2, "LD0104");
    }
    let store = Store::new();
    for command in [
        &["db", "backup", "prd"][..],
        &["db", "list", "prd"],
        &["db", "restore", "prd", "--backup-id", "a"],
        &["cache", "health-check", "prd"],
    ] {
        refused(store.run(command), 2, "LD0103");
    }
    refused(store.run(&["db", "list"]), 1, "LD0602");
    refused(store.run(&["cache", "health-check"]), 2, "LD0104");
    store.set("", "rollout = { backup = 'none' }");
    refused(store.run(&["db", "backup"]), 2, "LD0104");
    for wrong in [
        &["db", "restore"][..],
        &["db", "backup", "--pg-dump", "--rds"],
        &["cache", "health-check", "--least-hit-rate", "101"],
    ] {
        store.run(wrong).expect(2);
    }
}
