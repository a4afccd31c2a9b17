//! Backups by the binary: taken, proved, and put back under the same endpoint, however often the restore is killed.

use std::path::Path;

use e2e::Project;
use serde_json::{Value, json};

const SETTINGS: &str = r#"
[app]
command = ['sh', '-c', 'cp -R assembly/. "$CDK_OUTDIR"']

[database]
secret-output = "DatabaseSecret"
migrations = "migrations"
checks = [{ name = "three orders", sql = "SELECT count(*) = 3 FROM orders" }]
snapshots = { keep = 2 }

[environments.local]
port = 0
seed = true
rollout = { backup = 'rds-snapshot' }
"#;

/// A database, its secret, a table and a cache.
fn template() -> Value {
    let resolved = |key: &str| json!({ "Fn::Join": ["", ["{{resolve:secretsmanager:", { "Ref": "Secret" }, format!(":SecretString:{key}}}}}")]] });
    json!({ "Resources": {
        "Secret": { "Type": "AWS::SecretsManager::Secret", "Properties": { "GenerateSecretString": {
            "SecretStringTemplate": "{\"username\":\"llama\"}", "GenerateStringKey": "password",
            "PasswordLength": 24, "ExcludePunctuation": true,
        } } },
        "Main": { "Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Delete", "Properties": {
            "DBInstanceIdentifier": "main", "Engine": "postgres", "DBInstanceClass": "db.t4g.micro",
            "AllocatedStorage": "20", "DBName": "shop", "DeletionProtection": true,
            "MasterUsername": resolved("username"), "MasterUserPassword": resolved("password"),
        } },
        "Attachment": { "Type": "AWS::SecretsManager::SecretTargetAttachment", "Properties": {
            "SecretId": { "Ref": "Secret" }, "TargetId": { "Ref": "Main" }, "TargetType": "AWS::RDS::DBInstance",
        } },
        "Events": { "Type": "AWS::DynamoDB::Table", "Properties": {
            "TableName": "events", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        } },
    }, "Outputs": { "DatabaseSecret": { "Value": { "Ref": "Secret" } } } })
}

struct Shop {
    project: Project,
}

impl Shop {
    fn deployed() -> Self {
        let project = Project::of_templates(&[("Data", &[], template())]);
        project.write("llama-deploy.toml", SETTINGS);
        project.write(
            "migrations/1_orders.expand.up.sql",
            "-- phase: expand\nCREATE TABLE orders (id bigint PRIMARY KEY)",
        );
        project.write(
            "migrations/2_three.seed.up.sql",
            "-- phase: seed\nINSERT INTO orders VALUES (1), (2), (3)",
        );
        let shop = Self { project };
        shop.json(&["deploy", "--yes"]);
        shop.json(&["migrate", "up", "--phase", "expand", "--phase", "seed"]);
        shop
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        self.project.run(&arguments).expect(0).json().pop().unwrap_or_default()
    }

    /// Spoils what the backup holds: a row too many, recorded as a migration.
    fn spoil(&self) {
        self.project.write(
            "migrations/3_spoiled.seed.up.sql",
            "-- phase: seed\nINSERT INTO orders VALUES (4)",
        );
        self.json(&["migrate", "up", "--phase", "seed"]);
        assert_eq!(self.pending(), 0);
        std::fs::remove_file(self.path().join("migrations/3_spoiled.seed.up.sql")).expect("it was written");
    }

    fn pending(&self) -> usize {
        let status = self.json(&["migrate", "status"]);
        status["pending"].as_array().map_or(0, Vec::len)
    }

    fn path(&self) -> &Path {
        self.project.path()
    }

    fn instances(&self) -> Vec<String> {
        let described = self
            .project
            .call("rds", "Action=DescribeDBInstances&Version=2014-10-31");
        let names = described.split("<DBInstanceIdentifier>").skip(1);
        names
            .map(|rest| rest.split('<').next().unwrap_or_default().to_owned())
            .collect()
    }

    fn restore<'a>(&self, id: &'a str) -> [&'a str; 7] {
        ["db", "restore", "--backup-id", id, "--confirm", "local", "--json"]
    }
}

#[test]
fn a_snapshot_is_taken_proved_and_put_back_by_a_restore_that_was_killed() {
    let shop = Shop::deployed();
    let made = shop.json(&["backup", "local", "--all", "--label", "before"]);
    let kinds: Vec<&str> = made["backups"]
        .as_array()
        .expect("it lists them")
        .iter()
        .filter_map(|backup| backup["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["rds-snapshot", "dynamodb-backup"], "{made}");
    let id = made["backups"][0]["id"].as_str().expect("an id").to_owned();

    let listed = shop.json(&["db", "list"]);
    assert_eq!(
        (&listed["backups"][0]["id"], &listed["backups"][0]["verified_at"]),
        (&json!(id), &Value::Null)
    );
    let verified = shop.json(&["db", "verify", "--backup-id", &id]);
    let seen = verified["verification"]["seen"].as_str().expect("what was seen");
    assert!(seen.contains("1 checks passed"), "{seen}");
    assert!(shop.json(&["db", "list"])["backups"][0]["verified_at"].is_string());
    assert_eq!(shop.instances(), ["main"]);

    shop.spoil();
    let unnamed = shop.project.run(&["db", "restore", "--backup-id", &id]);
    assert_eq!(unnamed.status, Some(2), "{}", unnamed.stderr);
    assert!(
        unnamed.stderr.contains("written since will be missing"),
        "{}",
        unnamed.stderr
    );
    // Somewhere at the first rename, wherever that finds it.
    shop.project
        .start(&shop.restore(&id))
        .wait_for("main becomes main-before-")
        .kill();
    let restored = shop.project.run(&shop.restore(&id)).expect(0).json().remove(0);
    let kept = restored["kept_as"].as_str().expect("what is kept").to_owned();
    assert_eq!(shop.instances(), ["main".to_owned(), kept]);
    // By the secret, which still has the endpoint: the record of the third migration is gone with its row.
    assert_eq!(shop.json(&["migrate", "status"])["problems"], json!([]));
    let proof = shop.json(&["db", "backup", "--backup-id", "after"]);
    let proof = proof["backup"]["id"].as_str().expect("an id").to_owned();
    shop.json(&["db", "verify", "--backup-id", &proof]);
}

#[test]
fn a_moment_is_put_back_and_old_snapshots_go() {
    let shop = Shop::deployed();
    for label in ["one", "two", "three"] {
        shop.json(&["backup", "local", "--rds", "--label", label]);
    }
    let listed = shop.json(&["db", "list"]);
    let ids: Vec<&str> = listed["backups"]
        .as_array()
        .expect("it lists them")
        .iter()
        .filter_map(|backup| backup["id"].as_str())
        .collect();
    assert_eq!(ids, ["llama-deploy-main-two", "llama-deploy-main-three"]);
    let early = [
        "db",
        "restore",
        "--to-time",
        "2020-01-01T00:00:00Z",
        "--confirm",
        "local",
    ];
    let refused = shop.project.run(&early);
    assert_eq!(refused.status, Some(1), "{}", refused.stderr);
    assert_eq!(shop.instances(), ["main"]);
    let restored = shop.json(&["db", "restore", "--latest", "--confirm", "local"]);
    assert!(
        restored["seen"]
            .as_str()
            .is_some_and(|seen| seen.contains("1 checks passed")),
        "{restored}"
    );
    assert_eq!(shop.instances().len(), 2);
    assert_eq!(shop.pending(), 0);
}

#[test]
fn a_contract_runs_on_a_snapshot_of_the_schema_that_was_proved() {
    let shop = Shop::deployed();
    shop.project
        .write("migrations/9_orders.contract.up.sql", "DROP TABLE orders");
    let contract = || shop.project.run(&["migrate", "up", "--phase", "contract"]);
    #[track_caller]
    fn assert_refused(contracted: &e2e::Ended, schema: &str) {
        let said = &contracted.stderr;
        assert_eq!(contracted.status, Some(2), "{said}");
        assert!(said.contains("error[LD0603]"), "{said}");
        assert!(
            said.contains(&format!("no backup of the schema as it is now ({schema})")),
            "{said}"
        );
    }
    let back_up = |label: &str| {
        let made = shop.json(&["db", "backup", "--backup-id", label]);
        made["backup"]["id"].as_str().expect("an id").to_owned()
    };
    let verify = |id: &str| {
        let verified = shop.json(&["db", "verify", "--backup-id", id]);
        let listed = shop.json(&["db", "list"]);
        let listed = listed["backups"].as_array().expect("it lists them");
        let entry = listed.iter().find(|backup| backup["id"] == id).expect("it is there");
        assert_eq!(entry["schema_version"], verified["verification"]["schema_version"]);
        entry["schema_version"].clone()
    };

    let early = back_up("early");
    assert_refused(&contract(), "2");
    // What the snapshot holds counts, not what the database has when it is proved.
    shop.project.write(
        "migrations/3_noted.expand.up.sql",
        "ALTER TABLE orders ADD COLUMN note text",
    );
    shop.json(&["migrate", "up"]);
    assert_eq!(verify(&early), json!(2));
    assert_refused(&contract(), "3");
    let now = back_up("now");
    assert_eq!(verify(&now), json!(3));
    let contracted = contract().expect(0);
    assert!(
        contracted.stderr.contains(&format!("backup {now}")),
        "{}",
        contracted.stderr
    );
    assert!(contracted.stdout.contains("1 applied"), "{}", contracted.stdout);
}
