//! Migrations by hand beside releases: what the live one needs is not taken back, and what must wait for a rollout's end waits.

use e2e::{Among, Ended, Point, Project, Wire, settings};
use serde_json::{Value, json};

const DATABASE: &str = "[database]\nsecret-output = 'DatabaseSecretArn'\nmigrations = 'migrations'\n";
const CONTEXT: &str = "context = { scenario = 'database' }";

/// Another environment than `local`, which is protected. Nobody calls its API, whose address is AWS's, so nothing is asked of
/// calls.
const STAGING: &str = "[environments.staging]\nregion = 'us-east-1'\nledger = '.llama/local/ledger'\nsmoke = []\n\
    context = { scenario = 'database' }\n\
    [environments.staging.rollout]\nbackup = 'none'\npoll = '200ms'\nlock-lease = '20s'\nlock-margin = '2s'\n\
    steps = [{ weight = 100, bake = '200ms' }]\n\
    [environments.staging.rollout.gates]\nlambda-error-rate = false\nlambda-throttle-rate = false\nlambda-p95 = false\n\
    against-live = false\napi-5xx = false\nminimum-requests = 0\nsettle = '0s'\n";

/// A service with a database, for `staging`.
fn service() -> Project {
    let project = Project::empty();
    project.write(
        "llama-deploy.toml",
        &format!("{}{DATABASE}{STAGING}", settings("", CONTEXT)),
    );
    project.function("good");
    project.write(
        "migrations/10_items.expand.up.sql",
        "CREATE TABLE items (id int PRIMARY KEY);\n",
    );
    project.write("migrations/10_items.expand.down.sql", "DROP TABLE items;\n");
    project
}

fn expand(project: &Project, version: u32, column: &str) {
    let (up, down) = (
        format!("ALTER TABLE items ADD COLUMN {column} int;\n"),
        format!("ALTER TABLE items DROP COLUMN {column};\n"),
    );
    project.write(&format!("migrations/{version}_{column}.expand.up.sql"), &up);
    project.write(&format!("migrations/{version}_{column}.expand.down.sql"), &down);
}

fn document(ended: Ended) -> Value {
    ended.expect(0).json().remove(0)
}

#[test]
fn what_the_live_release_was_made_for_is_not_taken_back() {
    let project = service();
    project.in_staging(&["deploy"]).expect(0);
    project.in_staging(&["migrate", "up"]).expect(0);
    project.in_staging(&["deploy", "--blue-green"]).expect(0);
    expand(&project, 20, "price");
    project.function("changed");
    project.in_staging(&["deploy", "--blue-green"]).expect(0);

    for back in [&["migrate", "down"][..], &["migrate", "rollback", "--to", "0"]] {
        let refused = project.in_staging(back).expect(2).stderr;
        assert!(refused.contains("error[LD0612]"), "{refused}");
        assert!(
            refused.contains("release 2 is live and was made for the schema 20"),
            "{refused}"
        );
        for way in ["llama-deploy migrate make", "llama-deploy rollback staging"] {
            assert!(refused.contains(way), "no way forward by {way}: {refused}");
        }
    }

    // What came after the release is not its own, and an empty column loses nothing.
    expand(&project, 30, "note");
    project.in_staging(&["migrate", "up"]).expect(0);
    let taken = document(project.in_staging(&["migrate", "down", "--json"]));
    assert_eq!(
        (&taken["taken_back"], &taken["schema_version"]),
        (&json!(["30_note.expand.down.sql"]), &20.into())
    );
    project.in_staging(&["migrate", "down"]).expect(2);

    // Nobody needs it any more once the traffic is back.
    project.in_staging(&["rollback"]).expect(0);
    let taken = document(project.in_staging(&["migrate", "down", "--json"]));
    assert_eq!(
        (&taken["taken_back"], &taken["schema_version"]),
        (&json!(["20_price.expand.down.sql"]), &10.into())
    );
    let refused = project.in_staging(&["migrate", "down"]).expect(2).stderr;
    assert!(
        refused.contains("release 1 is live and was made for the schema 10"),
        "{refused}"
    );
}

#[test]
fn while_a_rollout_is_open_backfills_wait_and_nothing_is_taken_back() {
    let project = service();
    project.in_staging(&["deploy"]).expect(0);
    project.in_staging(&["migrate", "up"]).expect(0);
    project.in_staging(&["deploy", "--blue-green"]).expect(0);
    expand(&project, 20, "price");
    let fill = "30_fill.backfill.up.sql";
    project.write(
        &format!("migrations/{fill}"),
        "UPDATE items SET price = 1 WHERE price IS NULL;\n",
    );
    project.function("changed");
    // Killed where it begins to shift: its rollout stays open.
    let wire = Wire::between(&project);
    let held = wire.hold(Point {
        among: Among::Shifts,
        number: 0,
    });
    let deploy = project.start_in_staging(&["deploy", "--blue-green"]);
    held.wait();
    deploy.kill();
    held.release();

    let up = project.in_staging(&["migrate", "up"]).expect(0);
    assert!(up.stdout.contains("0 applied; the schema is at 20"), "{}", up.stdout);
    let why = "a backfill runs after all traffic is on the new version, and rollout 2 is open";
    assert!(
        up.stderr.contains(&format!("held: {fill} (backfill): {why}")),
        "{}",
        up.stderr
    );
    for arguments in [
        &["migrate", "up", "--json"][..],
        &["migrate", "up", "--dry-run", "--json"],
    ] {
        let up = document(project.in_staging(arguments));
        assert_eq!(
            up["held"],
            json!([{ "file": fill, "phase": "backfill", "reason": why }]),
            "{up}"
        );
    }
    let asked = project
        .in_staging(&["migrate", "up", "--phase", "backfill"])
        .expect(2)
        .stderr;
    assert!(
        asked.contains("error[LD0611]") && asked.contains("rollout 2 is open"),
        "{asked}"
    );
    let back = project.in_staging(&["migrate", "down"]).expect(2).stderr;
    assert!(
        back.contains("error[LD0612]") && back.contains("rollout 2 is open"),
        "{back}"
    );

    project.in_staging(&["resume"]).expect(0);
    let up = document(project.in_staging(&["migrate", "up", "--json"]));
    assert_eq!(up["applied"][0]["file"], fill, "{up}");
}
