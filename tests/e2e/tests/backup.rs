//! Backups by the binary: taken, proved, and put back under the same endpoint, however often the restore is killed.

use std::path::Path;

use e2e::{Fault, Project, Wire, settings};
use serde_json::{Value, json};

const SETTINGS: &str = r#"
[app]
command = ['sh', '-c', 'cp -R assembly/. "$CDK_OUTDIR"']

[database]
secret-output = "DatabaseSecret"
migrations = "migrations"
checks = [{ name = "three orders", sql = "SELECT count(*) = 3 FROM orders" }]
backups = { keep = 2 }

[environments.local]
port = 0
seed = true
rollout = { backup = 'rds-snapshot' }
"#;

/// A database, its secret and a table.
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

/// Besides those a cluster, and two caches where there can be some.
fn everything() -> Value {
    let mut template = template();
    let resources = &mut template["Resources"];
    resources["Aurora"] = json!({ "Type": "AWS::RDS::DBCluster", "DeletionPolicy": "Delete", "Properties": {
        "DBClusterIdentifier": "aurora", "Engine": "aurora-postgresql", "MasterUsername": "llama",
        "MasterUserPassword": "of the cluster",
    } });
    resources["Writer"] = json!({ "Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Delete", "Properties": {
        "DBInstanceIdentifier": "writer", "Engine": "aurora-postgresql", "DBInstanceClass": "db.serverless",
        "DBClusterIdentifier": { "Ref": "Aurora" },
    } });
    if has_redis() {
        resources["Hot"] = json!({ "Type": "AWS::ElastiCache::ReplicationGroup", "Properties": {
            "ReplicationGroupId": "hot", "ReplicationGroupDescription": "what is asked often", "Engine": "redis",
            "CacheNodeType": "cache.t4g.micro",
        } });
        resources["Warm"] = json!({ "Type": "AWS::ElastiCache::CacheCluster", "Properties": {
            "ClusterName": "warm", "Engine": "redis", "CacheNodeType": "cache.t4g.micro", "NumCacheNodes": 1,
        } });
    }
    template
}

/// What the embedded cloud's caches are.
fn has_redis() -> bool {
    let found = |program: &str| std::process::Command::new(program).arg("--version").output();
    ["redis-server", "valkey-server"]
        .iter()
        .any(|program| found(program).is_ok())
}

const HOOKS: &str = r#"
[[hooks]]
when = "before-backup"
command = ['sh', '-c', 'echo "before $LLAMA_BACKUP" >> hooks.txt']

[[hooks]]
when = "after-backup"
command = ['sh', '-c', 'echo "after $LLAMA_BACKUP" >> hooks.txt']
"#;

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
    // At the moment when nobody has the name.
    let wire = Wire::between(&shop.project);
    wire.rule(
        |call| match call.body.contains("NewDBInstanceIdentifier=main-before-") {
            true => Fault::KillAfter,
            false => Fault::None,
        },
    );
    assert_eq!(wire.start(&shop.restore(&id)).wait().code(), None, "it was killed");
    drop(wire);
    let restored = shop.project.run(&shop.restore(&id)).expect(0).json().remove(0);
    let seconds = restored["lost"]["seconds"].as_i64().expect("it says what was lost");
    assert_eq!(restored["lost"]["since"], made["backups"][0]["made_at"], "{restored}");
    assert!(seconds >= 0 && restored["lost"]["until"].is_string(), "{restored}");
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

    // The same limit for dumps, counted by themselves; the newest that is verified stays.
    let dump = |id: &str| shop.json(&["db", "backup", "--pg-dump", "--backup-id", id]);
    dump("d1");
    shop.json(&["db", "verify", "--backup-id", "d1"]);
    let made = dump("d2");
    assert_eq!((&made["was_there"], &made["deleted"]), (&json!(false), &json!([])));
    assert_eq!(dump("d2")["was_there"], true);
    assert_eq!(dump("d3")["deleted"], json!([]));
    assert_eq!(dump("d4")["deleted"], json!(["d2"]));
    let listed = shop.json(&["db", "list"]);
    let listed = listed["backups"].as_array().expect("it lists them").iter();
    let mut dumps: Vec<&str> = listed
        .filter(|backup| backup["kind"] == "dump")
        .filter_map(|backup| backup["id"].as_str())
        .collect();
    dumps.sort_unstable();
    assert_eq!(dumps, ["d1", "d3", "d4"]);
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

#[test]
fn all_is_backed_up_at_once_and_what_failed_is_made_up_for() {
    let project = Project::of_templates(&[("Data", &[], everything())]);
    project.write("llama-deploy.toml", &format!("{SETTINGS}{HOOKS}"));
    let shop = Shop { project };
    shop.json(&["deploy", "--yes"]);
    let main = |action: &str| {
        let form = format!("Action={action}&Version=2014-10-31&DBInstanceIdentifier=main");
        shop.project.call("rds", &form)
    };
    let of = |backups: &Value, member: &str| -> Vec<Value> {
        let backups = backups.as_array().expect("it lists them").iter();
        backups.map(|backup| backup[member].clone()).collect()
    };
    let heard = || std::fs::read_to_string(shop.path().join("hooks.txt")).expect("a hook was run");
    let command = ["backup", "local", "--all", "--label", "nightly", "--json"];

    main("StopDBInstance");
    let documents = shop.project.run(&command).expect(1).json();
    assert_eq!(of(&documents[0]["failed"], "of"), ["main"], "{documents:?}");
    let message = documents[1]["error"]["message"].as_str().expect("a message");
    assert!(
        message.starts_with("instance main is NOT backed up; the other"),
        "{message}"
    );
    assert_eq!(heard(), "before nightly\n");

    main("StartDBInstance");
    let made = shop.project.run(&command).expect(0).json().remove(0);
    let mut expected = vec![
        ("rds-snapshot", "main", false),
        ("rds-cluster-snapshot", "aurora", true),
        ("elasticache-snapshot", "hot", true),
        ("elasticache-cluster-snapshot", "warm", true),
        ("dynamodb-backup", "events", true),
    ];
    expected.retain(|(kind, ..)| has_redis() || !kind.starts_with("elasticache-"));
    let backups = &made["backups"];
    let seen = of(backups, "kind")
        .into_iter()
        .zip(of(backups, "of"))
        .zip(of(backups, "was_there"));
    let expected = expected
        .into_iter()
        .map(|(kind, of, was_there)| ((json!(kind), json!(of)), json!(was_there)));
    // In whichever order the stack lists them.
    let sorted = |mut all: Vec<_>| {
        all.sort_by_key(|one| format!("{one:?}"));
        all
    };
    assert_eq!(sorted(seen.collect()), sorted(expected.collect()), "{made}");
    assert_eq!(of(&made["hooks"], "when"), ["before-backup", "after-backup"]);
    assert_eq!(heard(), "before nightly\nbefore nightly\nafter nightly\n");
}

#[test]
fn a_backup_of_a_rollout_lets_older_ones_go() {
    let project = Project::empty();
    let service = settings("", "context = { scenario = 'database' }").replace("backup = 'none'", "backup = 'pg-dump'");
    let database = "secret-output = 'DatabaseSecretArn'\nmigrations = 'migrations'\nbackups = { keep = 1 }\n";
    project.write("llama-deploy.toml", &format!("{service}[database]\n{database}"));
    project.function("reader");
    let items = "CREATE TABLE items (id int); INSERT INTO items SELECT generate_series(1, 3)";
    project.write("migrations/10_items.expand.sql", items);
    project.run(&["deploy"]).expect(0);
    project.run(&["migrate", "up"]).expect(0);
    project.run(&["db", "backup", "--backup-id", "by-hand"]).expect(0);
    // The live release does not survive it; by then the backup is made.
    project.write(
        "migrations/20_price.expand.sql",
        "ALTER TABLE items ADD COLUMN price int",
    );
    let turned_back = project.run(&["deploy", "--blue-green"]).expect(3).stderr;
    assert!(turned_back.contains("deleted the dump by-hand"), "{turned_back}");
    let listed = project.run(&["db", "list", "--json"]).expect(0).json().remove(0);
    let listed = listed["backups"].as_array().expect("it lists them").iter();
    let ids: Vec<&str> = listed.filter_map(|backup| backup["id"].as_str()).collect();
    assert_eq!(ids, ["local-rollout-1"]);
}
