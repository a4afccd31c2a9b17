//! The schema grows under a live release: what that does not survive is found before anything is deployed.

use e2e::{Project, get, settings};
use serde_json::Value;

const DATABASE: &str = "[database]\nsecret-output = 'DatabaseSecretArn'\nmigrations = 'migrations'\n";
const ITEMS: &str = "CREATE TABLE items (id int); INSERT INTO items SELECT generate_series(1, 3)";

/// A live release that keeps a prepared `SELECT *` over a table that is there, and no rollout so far.
fn reader(more: &str) -> Project {
    let project = Project::empty();
    let service = settings("", "context = { scenario = 'database' }");
    project.write("llama-deploy.toml", &format!("{service}{DATABASE}{more}"));
    project.function("reader");
    project.write("migrations/10_items.expand.sql", ITEMS);
    project.run(&["deploy"]).expect(0);
    project.run(&["migrate", "up"]).expect(0);
    project
}

/// The effects that were intended, in order.
fn intended(journal: &[Value]) -> Vec<&str> {
    let events = journal.iter().map(|record| &record["event"]);
    events
        .filter(|event| event["kind"] == "intended")
        .filter_map(|event| event["effect"]["kind"].as_str())
        .collect()
}

#[test]
fn a_prepared_select_of_everything_is_found_before_anything_is_shifted() {
    let hook = |when: &str| format!("[[hooks]]\nwhen = '{when}-migrate'\ncommand = ['sh', '-c', 'echo {when} it']\n");
    let project = reader(&format!("{}{}", hook("before"), hook("after")));
    project.write(
        "migrations/20_price.expand.sql",
        "ALTER TABLE items ADD COLUMN price int",
    );

    let turned_back = project.run(&["deploy", "--blue-green"]).expect(3).stderr;
    assert!(turned_back.contains("error[LD0516]"), "{turned_back}");
    assert!(
        turned_back.contains(
            "hello failed 3 of 3 times: HTTP status 500 instead of 200: cached plan must not change result type"
        ),
        "{turned_back}"
    );
    let journal = project.journal(1);
    assert_eq!(
        intended(&journal),
        ["prepare", "back_up", "check_live", "expand", "check_live", "withdraw"],
        "nothing was deployed, released or shifted"
    );

    let audit = project.run(&["audit", "show", "local"]).expect(0).stdout;
    for line in [
        "before-migrate: sh -c echo before it",
        "after it",
        "live release before the expand",
    ] {
        assert!(audit.contains(line), "{audit}");
    }

    // A release that serves on the schema is the way forward; that what is live fails meanwhile is not forgotten.
    let bootstrap = project.path().join("function/bootstrap");
    let code = std::fs::read_to_string(&bootstrap).expect("the function");
    project.write("function/bootstrap", &format!("{code}# in new sessions\n"));
    let released = project.run(&["deploy", "--blue-green"]).expect(0).stderr;
    assert!(
        released.contains("warning: the live release still fails since rollout 1 expanded the schema: ✗ hello failed "),
        "{released}"
    );
    let audit = project.run(&["audit", "show", "local"]).expect(0).stdout;
    assert!(audit.contains("what an earlier rollout left"), "{audit}");
    let on = project.run(&["deploy", "--blue-green"]).expect(0).stderr;
    assert!(!on.contains("still fails since"), "{on}");
}

#[test]
fn a_hook_that_fails_before_a_migration_keeps_the_schema_as_it_is() {
    let hook = "[[hooks]]\nwhen = 'before-migrate'\ncommand = ['sh', '-c', 'echo the team says no; exit 1']\n";
    let project = reader("");
    let settings = std::fs::read_to_string(project.path().join("llama-deploy.toml")).expect("the settings");
    project.write("llama-deploy.toml", &format!("{settings}{hook}"));
    project.write(
        "migrations/20_price.expand.sql",
        "ALTER TABLE items ADD COLUMN price int",
    );
    let stopped = project.run(&["deploy", "--blue-green"]).expect(1).stderr;
    assert!(stopped.contains("the team says no"), "{stopped}");
    let status = project.run(&["migrate", "status", "--json"]).expect(0).json().remove(0);
    let pending: Vec<&str> = status["pending"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|pending| pending["file"].as_str())
        .collect();
    assert_eq!(pending, ["20_price.expand.sql"]);
}

#[test]
fn a_contract_runs_when_a_backup_is_proven_and_no_session_of_another_version_is_left() {
    let project = reader("");
    project.write(
        "migrations/20_price.expand.sql",
        "ALTER TABLE items ADD COLUMN price int",
    );
    project.run(&["migrate", "up"]).expect(0);
    project.write(
        "migrations/30_price.contract.sql",
        "ALTER TABLE items DROP COLUMN price",
    );
    let contract = || project.run(&["migrate", "up", "--phase", "contract"]);

    let unproven = contract().expect(2).stderr;
    assert!(unproven.contains("error[LD0603]"), "{unproven}");
    assert!(
        unproven.contains("no backup of the schema as it is now (20) has been restored for a proof"),
        "{unproven}"
    );
    project
        .run(&["db", "backup", "--pg-dump", "--backup-id", "before"])
        .expect(0);
    contract().expect(2);
    project.run(&["db", "verify"]).expect(0);

    // A function that no release holds: nobody knows whether its version needs what is taken away.
    let deployed = ["deploy", "--outputs-file", "outputs.json"];
    project.run(&deployed).expect(0);
    let outputs = std::fs::read_to_string(project.path().join("outputs.json")).expect("the outputs");
    let outputs: Value = serde_json::from_str(&outputs).expect("they are JSON");
    let url = outputs["Service"]["Url"].as_str().expect("the API's address");
    let host = url.strip_prefix("https://").expect("an address of AWS's");
    let api = host.split('.').next().expect("it begins with the API's id");
    let endpoint = project.endpoint();
    let answer = get(&format!("{endpoint}/_aws/execute-api/{api}/prod/hello")).expect("an answer");
    assert_eq!(answer, (200, "hello, 3 items".to_owned()));
    let connected = contract().expect(2).stderr;
    assert!(
        connected.contains("error[LD0603]") && connected.contains(":1\", since "),
        "{connected}"
    );

    // The functions end with the cloud, and it comes back with the database.
    project.run(&["local", "down"]).expect(0);
    let contracted = contract().expect(0);
    assert!(contracted.stderr.contains("backup before"), "{}", contracted.stderr);
    assert!(contracted.stdout.contains("1 applied"), "{}", contracted.stdout);
}

/// What the hooks of the settings wrote, in the order in which they ran; forgets it.
fn ran(project: &Project) -> Vec<String> {
    let file = project.path().join("ran");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    if !text.is_empty() {
        std::fs::remove_file(&file).expect("it was written");
    }
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_cleanup_runs_the_contracts_that_the_live_release_came_with_and_says_what_waits_and_why() {
    let hook =
        |when: &str| format!("[[hooks]]\nwhen = '{when}-migrate'\ncommand = ['sh', '-c', 'echo {when} >> ran']\n");
    let noted = "[[hooks]]\nwhen = 'after-backup'\ncommand = ['echo', 'noted']\n";
    let project = reader(&format!(
        "contract = 'on-cleanup'\n{}{}{noted}",
        hook("before"),
        hook("after")
    ));
    project.write("migrations/20_prices.expand.sql", "CREATE TABLE prices (id int)");
    project.write("migrations/25_prices.backfill.sql", "INSERT INTO prices VALUES (1)");
    project.write("migrations/30_prices.contract.sql", "DROP TABLE prices");
    project.run(&["deploy", "--blue-green"]).expect(0);
    ran(&project);
    let cleanup = || {
        // The functions, and with them their sessions, end with the cloud.
        project.run(&["local", "down"]).expect(0);
        let cleaned = ["cleanup", "local", "--now", "--confirm", "local", "--json"];
        let mut said = project.run(&cleaned).expect(0).json();
        said.pop().expect("an answer")["contracts"].take()
    };
    let prove = |id: &str| {
        let backup = ["db", "backup", "--pg-dump", "--backup-id", id, "--json"];
        let made = project.run(&backup).expect(0).json().remove(0);
        assert_eq!(made["hooks"][0]["output"], "noted", "{made}");
        let beside = project.path().join(format!(".llama/local/backups/{id}/hooks.json"));
        let beside = std::fs::read_to_string(beside).expect("what the hooks did lies beside the dump");
        assert_eq!(serde_json::from_str::<Value>(&beside).expect("JSON"), made["hooks"]);
        project.run(&["db", "verify"]).expect(0);
    };
    #[track_caller]
    fn assert_waits(contracts: &Value, file: &str, because: &str) {
        assert_eq!(contracts["applied"], serde_json::json!([]), "{contracts}");
        assert_eq!(contracts["waiting"], serde_json::json!([file]), "{contracts}");
        let said = contracts["because"].as_str().expect("why");
        assert!(said.contains(because), "{said}");
    }
    const FIRST: &str = "30_prices.contract.sql";
    assert_waits(
        &cleanup(),
        FIRST,
        "no backup of the schema as it is now (20) has been restored for a proof",
    );
    prove("expanded");
    assert_waits(&cleanup(), FIRST, "must not run before 25_prices.backfill.sql");
    assert_eq!(ran(&project), [] as [&str; 0], "nothing was about to be migrated");

    let filled = project.run(&["migrate", "up", "--json"]).expect(0).json().remove(0);
    let hooks = filled["hooks"].as_array().expect("a list");
    let hooks: Vec<&str> = hooks.iter().filter_map(|hook| hook["when"].as_str()).collect();
    assert_eq!(hooks, ["before-migrate", "after-migrate"]);
    assert_eq!(ran(&project), ["before", "after"]);
    prove("filled");
    // Of the next release, which is not deployed: what is live may need it.
    project.write("migrations/40_items.contract.sql", "DROP TABLE items");
    let contracted = cleanup();
    assert_eq!(contracted["applied"], serde_json::json!([FIRST]), "{contracted}");
    assert_eq!(contracted["waiting"], serde_json::json!(["40_items.contract.sql"]));
    assert_eq!(ran(&project), ["before", "after"]);

    const DEPLOYED_WITHOUT: &str = "which is live, was deployed without 40_items.contract.sql";
    assert_waits(&cleanup(), "40_items.contract.sql", DEPLOYED_WITHOUT);
    let by_hand = project.run(&["migrate", "up", "--phase", "contract"]).expect(2).stderr;
    assert!(
        by_hand.contains("error[LD0603]") && by_hand.contains(DEPLOYED_WITHOUT),
        "{by_hand}"
    );
    project.run(&["deploy", "--blue-green"]).expect(0);
    assert_waits(
        &cleanup(),
        "40_items.contract.sql",
        "no backup of the schema as it is now (30) has been restored for a proof",
    );
}
