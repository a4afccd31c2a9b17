//! `migrate`, every verb as a user types it, on a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

use e2e::{Ended, Project, Store, boto3};
use serde_json::Value;

const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, email text, plan text);\n";
const ROWS: &str = "INSERT INTO users (id, email) SELECT n, 'u' || n FROM generate_series(1, 3) AS n;\n";

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

/// The names in a list of objects.
fn names<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|one| one[member].as_str().unwrap()).collect()
}

fn status(store: &Store) -> Value {
    store.json(&["migrate", "status"], 0)
}

/// An expand, a backfill and a contract, each with its way back, and none applied.
fn with_three_phases() -> Store {
    let store = Store::deployed();
    store.migration("1_users.expand.up.sql", USERS);
    store.migration("1_users.expand.down.sql", "DROP TABLE users;\n");
    store.migration("2_rows.backfill.up.sql", ROWS);
    store.migration("2_rows.backfill.down.sql", "DELETE FROM users WHERE id <= 3;\n");
    store.migration("3_plan.contract.up.sql", "ALTER TABLE users DROP COLUMN plan;\n");
    store.migration("3_plan.contract.down.sql", "ALTER TABLE users ADD COLUMN plan text;\n");
    store
}

#[test]
fn a_migration_is_made_and_judged_without_a_database() {
    let store = Store::new();
    let made = store.json(&["migrate", "make", "create users"], 0);
    let files: Vec<&str> = made["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file.as_str().unwrap())
        .collect();
    assert!(
        files[0].starts_with("migrations/") && files[0].ends_with("_create_users.expand.up.sql"),
        "{files:?}"
    );
    assert!(files[1].ends_with("_create_users.expand.down.sql"), "{files:?}");
    let said = refused(store.run(&["migrate", "lint"]), 2, "LD0610");
    assert!(said.contains("holds no statement"), "{said}");

    store.write(files[0], USERS);
    store.write(files[1], "DROP TABLE users;\n");
    assert_eq!(store.json(&["migrate", "lint"], 0)["errors"], 0);
    let one = store.json(&["migrate", "make", "drop_plan", "--phase", "contract", "--no-down"], 0);
    assert_eq!((names_of(&one).len(), &one["phase"]), (1, &"contract".into()));
    store.write(&names_of(&one)[0], "ALTER TABLE users DROP COLUMN plan;\n");
    store.run(&["migrate", "lint"]).expect(0);

    let bad = "9_bad.expand.up.sql";
    store.migration(bad, "SELECT 1;\n\nDROP TABLE orders;\n");
    let ended = store.run(&["migrate", "lint"]).expect(1);
    assert!(
        ended.stdout.contains(&format!("migrations/{bad}:3: error: ")),
        "{}",
        ended.stdout
    );
    let found = store.json(&["migrate", "lint", &format!("migrations/{bad}")], 1);
    assert_eq!(found["files"], 1);
    for member in ["file", "line", "rule", "severity", "why", "safe"] {
        assert!(found["findings"][0].get(member).is_some(), "no {member}: {found}");
    }
    store.run(&["migrate", "lint", files[0]]).expect(0);
    refused(store.run(&["migrate", "lint", "no_such.sql"]), 2, "LD0107");
}

fn names_of(made: &Value) -> Vec<String> {
    let files = made["files"].as_array().unwrap().iter();
    files.map(|file| file.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_typed_wrong_is_refused_before_anything_is_asked() {
    let store = Store::new();
    for verb in ["up", "down", "rollback", "status", "repair", "verify", "lint"] {
        refused(store.run(&["migrate", verb, "--env", "prd"]), 2, "LD0103");
    }
    for wrong in [
        &["migrate", "up", "--phase", "later"][..],
        &["migrate", "up", "--steps", "0"],
        &["migrate", "down", "--steps", "1", "--to", "1"],
        &["migrate", "make"],
        &["migrate", "baseline"],
        &["migrate", "reset"],
    ] {
        store.run(wrong).expect(2);
    }
    refused(store.run(&["migrate", "make", "…"]), 2, "LD0610");
    let without = Project::service();
    for verb in [&["migrate", "up"][..], &["migrate", "lint"], &["migrate", "make", "a"]] {
        refused(without.run(verb), 2, "LD0104");
    }
    // The database is described, and no deploy has made it yet.
    let said = refused(store.run(&["migrate", "status"]), 1, "LD0602");
    assert!(said.contains("deploy --env local"), "{said}");
}

#[test]
fn up_and_down_step_by_step() {
    let store = with_three_phases();
    let before = status(&store);
    assert_eq!(before["schema_version"], Value::Null);
    assert_eq!(names(&before["pending"], "phase"), ["expand", "backfill", "contract"]);
    refused(store.run(&["migrate", "up", "--to", "7"]), 2, "LD0107");

    let rehearsed = store.json(&["migrate", "up", "--dry-run"], 0);
    assert_eq!(
        names(&rehearsed["files"], "file"),
        ["1_users.expand.up.sql", "2_rows.backfill.up.sql"]
    );
    assert_eq!(names(&rehearsed["held"], "phase"), ["contract"]);
    assert_eq!(status(&store), before, "a dry run leaves nothing");

    let first = store.json(&["migrate", "up", "--to", "1"], 0);
    assert_eq!(names(&first["applied"], "file"), ["1_users.expand.up.sql"]);
    assert_eq!(first["schema_version"], 1);
    let second = store.run(&["migrate", "up", "local"]).expect(0);
    assert!(
        second.stdout.contains("1 applied; the schema is at 2"),
        "{}",
        second.stdout
    );
    assert!(
        second.stderr.contains("held: 3_plan.contract.up.sql (contract)"),
        "{}",
        second.stderr
    );

    let locks = store.json(&["migrate", "down", "--to", "0", "--dry-run"], 0);
    assert_eq!(
        names(&locks["files"], "file"),
        ["2_rows.backfill.down.sql", "1_users.expand.down.sql"]
    );
    assert_eq!(locks["files"][0]["losses"].as_array().unwrap().len(), 1);
    let users = locks["files"][0]["locks"].as_array().unwrap();
    assert!(users.iter().any(|lock| lock["relation"] == "users"), "{locks}");
    assert_eq!(status(&store)["schema_version"], 2);

    let down = store.json(&["migrate", "down"], 0);
    assert_eq!(down["taken_back"], serde_json::json!(["2_rows.backfill.down.sql"]));
    store.run(&["migrate", "up", "--phase", "backfill"]).expect(0);
    let all = store.json(&["migrate", "rollback"], 0);
    assert_eq!(all["taken_back"].as_array().unwrap().len(), 2);
    assert_eq!(all["schema_version"], Value::Null);

    // What a database has already is recorded and not run.
    let recorded = store.json(&["migrate", "baseline", "--to", "1"], 0);
    assert_eq!(recorded["recorded"], serde_json::json!(["1_users.expand.up.sql"]));
    refused(store.run(&["migrate", "baseline", "--to", "1"]), 1, "LD0601");
    refused(store.run(&["migrate", "baseline", "--to", "8"]), 2, "LD0107");
}

#[test]
fn a_phase_runs_when_its_time_has_come() {
    let store = with_three_phases();
    store.migration("4_samples.seed.up.sql", "INSERT INTO users (id) VALUES (99);\n");
    let said = refused(store.run(&["migrate", "up", "--phase", "seed"]), 2, "LD0611");
    assert!(said.contains("seed = true"), "{said}");
    let said = refused(store.run(&["migrate", "up", "--phase", "contract"]), 2, "LD0603");
    assert!(said.contains("backup"), "{said}");
    store.run(&["migrate", "up"]).expect(0);
    refused(store.run(&["migrate", "up", "--phase", "contract"]), 2, "LD0603");
    store.run(&["db", "backup"]).expect(0);
    let said = refused(store.run(&["migrate", "up", "--phase", "contract"]), 2, "LD0603");
    assert!(
        said.contains("restored for a proof"),
        "an unverified backup is none:\n{said}"
    );
    store.run(&["db", "verify"]).expect(0);
    let contracted = store.json(&["migrate", "up", "--phase", "contract"], 0);
    assert_eq!(names(&contracted["applied"], "file"), ["3_plan.contract.up.sql"]);
    store.set("", "seed = true");
    let seeded = store.json(&["migrate", "up"], 0);
    assert_eq!(names(&seeded["applied"], "file"), ["4_samples.seed.up.sql"]);
}

#[test]
fn what_does_not_fit_is_found_and_repaired_after_a_yes() {
    let store = with_three_phases();
    store.run(&["migrate", "up"]).expect(0);
    assert_eq!(store.json(&["migrate", "verify"], 0)["problems"], serde_json::json!([]));

    store.migration("1_users.expand.up.sql", &format!("-- what they are for\n{USERS}"));
    let verified = store.json(&["migrate", "verify"], 1);
    assert_eq!(names(&verified["problems"], "kind"), ["edited"]);
    store.run(&["migrate", "status"]).expect(1);
    let said = refused(store.run(&["migrate", "up"]), 1, "LD0601");
    assert!(said.contains("migrate repair"), "{said}");

    let proposed = store.run(&["migrate", "repair"]).expect(1);
    assert!(
        proposed.stdout.contains("record the new text's checksum"),
        "{}",
        proposed.stdout
    );
    assert!(proposed.stderr.contains("--yes"), "{}", proposed.stderr);
    assert!(!format!("{}{}", proposed.stdout, proposed.stderr).contains("reset"));
    store.run(&["migrate", "verify"]).expect(1);
    let repaired = store.json(&["migrate", "repair", "--yes"], 0);
    assert_eq!(names(&repaired["remedies"], "kind"), ["record_new_checksum"]);
    store.run(&["migrate", "verify"]).expect(0);
    assert!(
        store
            .run(&["migrate", "repair"])
            .expect(0)
            .stdout
            .contains("nothing is to be repaired")
    );

    // What only a person can settle stays, whatever is answered.
    std::fs::remove_file(store.path().join("migrations/2_rows.backfill.up.sql")).unwrap();
    std::fs::remove_file(store.path().join("migrations/2_rows.backfill.down.sql")).unwrap();
    let left = store.json(&["migrate", "repair", "--yes"], 1);
    assert_eq!(names(&left["remedies"], "kind"), ["advice"]);
}

#[test]
fn outside_of_local_nothing_is_lost_and_no_password_is_said() {
    let store = with_three_phases();
    store.run(&["migrate", "up"]).expect(0);
    store.in_staging(&["deploy"]).expect(0);
    let mut heard = Vec::new();
    for down in [&["migrate", "down"][..], &["migrate", "rollback"]] {
        let ended = store.in_staging(down).expect(2);
        assert!(ended.stderr.contains("error[LD0612]"), "{}", ended.stderr);
        assert!(ended.stderr.contains("the way forward"), "{}", ended.stderr);
        heard.push(ended);
    }
    let lint = store.in_staging(&["migrate", "lint"]).expect(0);
    assert!(
        lint.stderr.contains("1 files"),
        "what is pending there: {}",
        lint.stderr
    );
    for command in [
        &["migrate", "status", "-vv"][..],
        &["migrate", "down", "--dry-run", "-vv"],
        &["migrate", "verify", "-vv", "--json"],
        &["db", "backup", "-vv"],
        &["db", "verify", "-vv"],
        &["db", "health-check", "-vv", "--json"],
    ] {
        heard.push(store.in_staging(command).expect(0));
    }
    assert_eq!(status(&store)["schema_version"], 2, "nothing was taken back");
    let password = boto3(
        &store,
        "import boto3, json\nc = boto3.client('secretsmanager')\n\
         for s in c.list_secrets()['SecretList']:\n  \
         print(json.loads(c.get_secret_value(SecretId=s['ARN'])['SecretString'])['password'])",
    );
    let password = password.trim();
    assert!(password.len() >= 8, "the secret of the database");
    for ended in &heard {
        assert!(
            !ended.stdout.contains(password) && !ended.stderr.contains(password),
            "a password is said"
        );
    }
}

#[test]
fn the_lint_judges_for_the_server_s_version_or_for_that_of_the_settings() {
    let store = Store::deployed();
    store.migration("1_users.expand.sql", USERS);
    let order = "-- lint: allow long-lock because nobody uses it yet\nCLUSTER users USING users_pkey;\n";
    store.migration("2_order.expand.sql", order);
    let rules = |arguments: &[&str]| -> Vec<String> {
        let found = store.json(&[&["migrate", "lint"], arguments].concat(), 0);
        names(&found["findings"], "rule")
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    let repack = "prefer-repack".to_owned();
    // REPACK comes with PostgreSQL 19.
    assert!(!rules(&[]).contains(&repack), "nobody says which server it is");
    store.set("server-version = 19", "");
    assert!(rules(&[]).contains(&repack), "the settings say it");
    assert!(
        !rules(&["--env", "local"]).contains(&repack),
        "the server itself says it"
    );
    // Another project: with settings that cannot be read, a running cloud would not be found to be ended.
    let newest = Store::new();
    newest.set("server-version = 'the newest'", "");
    refused(newest.run(&["migrate", "lint"]), 2, "LD0102");
}
