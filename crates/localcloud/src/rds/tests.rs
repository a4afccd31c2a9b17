use serde_json::json;
use tokio::process::Command;

use super::*;
use crate::process;
use crate::service::Service;
use crate::testing::{SetClock, call, context_at, resource_request};

const PASSWORD: &str = "it's \"secret\" 123";

fn rds(folder: &std::path::Path) -> Arc<Rds> {
    Rds::open(&context_at(folder, SetClock::new()), None).unwrap()
}

/// What psql of the found PostgreSQL answers, or what it complains about.
async fn psql(instance: &Instance, user: &str, password: &str, statement: &str) -> Result<String, String> {
    let binaries = Binaries::find(std::path::Path::new("/nowhere"), major(&instance.engine_version))
        .await
        .unwrap();
    let mut psql = Command::new(binaries.folder.join("psql"));
    psql.args([
        "-X",
        "-A",
        "-t",
        "-q",
        "-h",
        &instance.host,
        "-p",
        &instance.port.to_string(),
        "-U",
        user,
    ]);
    psql.args([
        "-d",
        instance.database.as_deref().unwrap_or("postgres"),
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        statement,
    ]);
    let output = psql.env("PGPASSWORD", password).output().await.unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(said(&output.stdout))
    } else {
        Err(said(&output.stderr))
    }
}

fn properties() -> Value {
    json!({"Engine": "postgres", "EngineVersion": "15.17", "MasterUsername": "llama", "MasterUserPassword": PASSWORD,
        "DBName": "analytics", "DBInstanceClass": "db.r6g.2xlarge", "AllocatedStorage": "500", "MultiAZ": true,
        "VPCSecurityGroups": ["sg-1"], "DeletionProtection": false})
}

/// The life of a real server: make, use, stop, start, kill, snapshot, restore, remove.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_a_real_postgres_that_survives_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let service = rds(folder.path());
    let provider = service.providers().remove(0);
    let request = resource_request("AWS::RDS::DBInstance", properties());
    let made = provider.create(&request).await.unwrap();
    assert_eq!(made.physical_id, "stack-thing-abc123");
    assert_eq!(made.attributes["Endpoint.Address"], "127.0.0.1");
    assert!(
        provider
            .create(&request)
            .await
            .unwrap_err()
            .message
            .contains("already exists")
    );
    let instance = service.instance("Stack-Thing-ABC123").unwrap();
    assert_eq!(made.attributes["Endpoint.Port"], instance.port.to_string());

    let described = call(&*service.service(), "DescribeDBInstances", json!({}))
        .await
        .unwrap();
    let described = &described["DBInstances"][0];
    assert_eq!(described["DBInstanceStatus"], "available");
    assert_eq!(described["AllocatedStorage"], 500);
    assert!(!described.to_string().contains("secret"));

    let ask = async |statement: &str| psql(&instance, "llama", PASSWORD, statement).await;
    ask("create table t (n int); insert into t values (42)").await.unwrap();
    assert_eq!(
        ask("select usesuper from pg_user where usename = current_user")
            .await
            .unwrap(),
        "f"
    );
    assert!(
        psql(&instance, "llama", "wrong", "select 1")
            .await
            .unwrap_err()
            .contains("password authentication failed")
    );
    let listening = ask("show listen_addresses").await.unwrap();
    assert_eq!(listening, "127.0.0.1");

    // The cloud ends and starts: same port, same data.
    service.service().stop().await;
    assert!(!process::listens(instance.port).await);
    let service = rds(folder.path());
    service.start().await;
    assert_eq!(ask("select n from t").await.unwrap(), "42");

    // The server is killed, its pid file stays behind.
    let data = service.folder("instances", instance.storage()).join("data");
    let pid_file = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
    let pid: i32 = pid_file.lines().next().unwrap().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    while rustix::process::test_kill_process(pid).is_ok() && process::listens(instance.port).await {
        tokio::task::yield_now().await;
    }
    let service = rds(folder.path());
    service.start().await;
    assert_eq!(service.instance(&instance.id).unwrap().problem, None);
    assert_eq!(ask("select n from t").await.unwrap(), "42");

    // The cloud is killed, the server goes on: the next start takes it over.
    let service = rds(folder.path());
    service.start().await;
    assert_eq!(service.instance(&instance.id).unwrap().status, Status::Available);

    let (wire, provider) = (service.service(), service.providers().remove(0));
    let snapshot = json!({"DBInstanceIdentifier": instance.id, "DBSnapshotIdentifier": "before"});
    service.begin_snapshot(&instance.id, "before", Vec::new()).unwrap();
    assert_eq!(
        call(&*wire, "CreateDBSnapshot", snapshot).await.unwrap_err().code,
        "DBSnapshotAlreadyExists"
    );
    service.finish_snapshot("before").await.unwrap();
    let snapshots = call(&*wire, "DescribeDBSnapshots", json!({})).await.unwrap();
    assert_eq!(snapshots["DBSnapshots"][0]["Status"], "available");
    ask("delete from t").await.unwrap();

    let restore = json!({"DBInstanceIdentifier": "copy", "DBSnapshotIdentifier": "before"});
    call(&*wire, "RestoreDBInstanceFromDBSnapshot", restore).await.unwrap();
    let copy = service.instance("copy").unwrap();
    assert_ne!(copy.port, instance.port);
    assert_eq!(psql(&copy, "llama", PASSWORD, "select n from t").await.unwrap(), "42");
    assert_eq!(ask("select count(*) from t").await.unwrap(), "0");

    // A new password from the template reaches the server.
    let mut rotated = request.clone();
    rotated
        .properties
        .insert("MasterUserPassword".into(), json!("another one"));
    provider.update(&made, &request.properties, &rotated).await.unwrap();
    assert!(
        ask("select 1")
            .await
            .unwrap_err()
            .contains("password authentication failed")
    );
    assert_eq!(
        psql(&instance, "llama", "another one", "select count(*) from t")
            .await
            .unwrap(),
        "0"
    );

    // A stack's deletion policy may ask for a snapshot.
    provider.snapshot(&made, &request).await.unwrap();
    let kept: Vec<String> = service.state.read().snapshots.keys().cloned().collect();
    assert!(
        kept.iter().any(|name| name.starts_with("stack-snapshot-thing-")),
        "{kept:?}"
    );

    let delete = json!({"DBInstanceIdentifier": "copy"});
    assert_eq!(
        call(&*wire, "DeleteDBInstance", delete).await.unwrap_err().code,
        "InvalidParameterCombination"
    );
    service.delete("copy", None).await.unwrap();
    assert!(!process::listens(copy.port).await);
    call(&*wire, "DeleteDBSnapshot", json!({"DBSnapshotIdentifier": "before"}))
        .await
        .unwrap();
    service.delete(&instance.id, None).await.unwrap();
    assert!(!process::listens(instance.port).await);
    assert_eq!(
        std::fs::read_dir(folder.path().join("rds/instances")).unwrap().count(),
        0
    );
}

/// Between a snapshot and now each moment can be had again; what was committed after it is not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_moment_is_restored_with_what_was_committed_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let service = rds(folder.path());
    let wire = service.service();
    let mut input = properties();
    input["DBInstanceIdentifier"] = json!("main");
    let main = service.create(&input, None).await.unwrap();
    let ask = async |statement: &str| psql(&main, "llama", PASSWORD, statement).await;
    service.begin_snapshot("main", "base", Vec::new()).unwrap();
    service.finish_snapshot("base").await.unwrap();
    ask("create table t (n int); insert into t values (1)").await.unwrap();
    let between = ask("select extract(epoch from clock_timestamp())").await.unwrap();
    ask("insert into t values (2)").await.unwrap();

    // The log is the server's, and so are its times: the snapshot has to have been complete before them.
    service
        .state
        .change(|state| {
            state.snapshots.get_mut("base").unwrap().finished = Some(jiff::Timestamp::UNIX_EPOCH);
            Ok(())
        })
        .unwrap();
    let cluster = service.cluster(&main).await.unwrap();
    cluster.archive_log(&main.admin_password).await.unwrap();
    let until: f64 = between.parse().unwrap();
    let until = jiff::Timestamp::from_microsecond((until * 1e6) as i64).unwrap();
    let then = Instance {
        port: process::free_port().unwrap(),
        ..service.blank("then".to_owned(), &input).unwrap()
    };
    let restored = Cluster {
        folder: service.folder("instances", then.storage()),
        port: then.port,
        ..cluster.clone()
    };
    let base = service.folder("snapshots", "base");
    restored.restore_to(&base, &cluster, Some(until)).await.unwrap();
    restored.start().await.unwrap();
    let then = Instance {
        engine_version: main.engine_version.clone(),
        database: main.database.clone(),
        ..then
    };
    assert_eq!(psql(&then, "llama", PASSWORD, "select n from t").await.unwrap(), "1");
    psql(&then, "llama", PASSWORD, "insert into t values (3)")
        .await
        .unwrap();
    restored.remove().await.unwrap();

    let latest = json!({"SourceDBInstanceIdentifier": "main", "TargetDBInstanceIdentifier": "now",
        "UseLatestRestorableTime": true});
    call(&*wire, "RestoreDBInstanceToPointInTime", latest).await.unwrap();
    let now = service.instance("now").unwrap();
    assert_eq!(
        psql(&now, "llama", PASSWORD, "select count(*) from t").await.unwrap(),
        "2"
    );
    for id in ["now", "main"] {
        service.delete(id, None).await.unwrap();
    }
}

/// What a cloud that was killed began is finished by the next one, and the name's port is kept meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_rename_that_was_begun_is_finished_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let service = rds(folder.path());
    let mut input = properties();
    input["DBInstanceIdentifier"] = json!("main");
    let main = service.create(&input, None).await.unwrap();
    let new_name = json!({"NewDBInstanceIdentifier": "Main-Old", "ApplyImmediately": true});
    let modified = service.modify("main", &new_name).await.unwrap();
    assert_eq!(modified.status, Status::Modifying);
    let refused = service.modify("main", &new_name).await.err().unwrap();
    assert_eq!(refused.code, "InvalidDBInstanceState");
    service.service().stop().await;
    // The call's own work comes too late.
    service.finish_rename("main").await.unwrap();
    assert!(service.instance("main-old").is_err());

    let service = rds(folder.path());
    service.start().await;
    let old = service.instance("main-old").unwrap();
    assert_eq!((old.status, old.problem.clone()), (Status::Available, None));
    assert_ne!(old.port, main.port);
    assert_eq!(psql(&old, "llama", PASSWORD, "select 1").await.unwrap(), "1");
    assert!(service.instance("main").is_err());
    assert!(std::net::TcpListener::bind(("127.0.0.1", main.port)).is_err());
    let again = service.create(&input, None).await.unwrap();
    assert_eq!(again.port, main.port);
    for id in ["main", "main-old"] {
        service.delete(id, None).await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_run_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let service = rds(folder.path());
    let wire = service.service();
    for (member, value, reason) in [
        ("Engine", json!("mysql"), "postgres only"),
        ("MasterUserPassword", json!("short"), "shorter than 8"),
        ("MasterUsername", json!("rdsadmin"), "reserved"),
        ("DBInstanceIdentifier", json!("-x"), "identifier"),
        ("ManageMasterUserPassword", json!(true), "not served"),
    ] {
        let mut input = properties();
        input["DBInstanceIdentifier"] = json!("db");
        input[member] = value;
        let error = call(&*wire, "CreateDBInstance", input).await.unwrap_err();
        assert!(error.message.contains(reason), "{member}: {error}");
    }
    let missing = call(&*wire, "DescribeDBInstances", json!({"DBInstanceIdentifier": "db"}))
        .await
        .unwrap_err();
    assert_eq!(missing.code, "DBInstanceNotFound");
    assert!(!folder.path().join("rds").exists());
}

#[tokio::test]
async fn the_users_own_database_stands_in_and_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let context = context_at(folder.path(), SetClock::new());
    let service = Rds::open(&context, Some("postgres://me:pw@db.example:6000/mine")).unwrap();
    let provider = service.providers().remove(0);
    let request = resource_request("AWS::RDS::DBInstance", properties());
    let made = provider.create(&request).await.unwrap();
    assert_eq!(made.attributes["Endpoint.Address"], "db.example");
    let target = service.database(&made.physical_id).unwrap();
    assert_eq!((target.port, target.database.as_deref()), (6000, Some("mine")));
    assert_eq!(target.credentials, Some(("me".into(), "pw".into())));
    assert!(service.begin_snapshot(&made.physical_id, "s", Vec::new()).is_err());
    service.service().stop().await;
    provider.delete(&made, &request).await.unwrap();
    provider.delete(&made, &request).await.unwrap();
    assert!(!folder.path().join("rds").exists());
    assert!(Rds::open(&context, Some("nonsense")).is_err());
}

/// Writer, reader and replica are names of one server; it cannot go while one of them stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_one_server_that_its_instances_share() {
    let folder = tempfile::tempdir().unwrap();
    let service = rds(folder.path());
    let providers = service.providers();
    let cluster_request = resource_request(
        "AWS::RDS::DBCluster",
        json!({"DBClusterIdentifier": "Aurora", "Engine": "aurora-postgresql", "EngineVersion": "15.17",
            "MasterUsername": "llama", "MasterUserPassword": PASSWORD, "DatabaseName": "analytics"}),
    );
    let cluster = providers[1].create(&cluster_request).await.unwrap();
    assert_eq!(cluster.physical_id, "aurora");
    assert_eq!(
        cluster.attributes["DBClusterArn"],
        "arn:aws:rds:us-east-1:000000000000:cluster:aurora"
    );
    let member = |name: &str, more: Value| {
        let mut properties = json!({"DBInstanceIdentifier": name, "DBInstanceClass": "db.serverless"});
        properties
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        resource_request("AWS::RDS::DBInstance", properties)
    };
    let in_cluster = json!({"DBClusterIdentifier": "aurora", "Engine": "aurora-postgresql"});
    let writer_request = member("writer", in_cluster);
    let writer = providers[0].create(&writer_request).await.unwrap();
    let replica_request = member("replica", json!({"SourceDBInstanceIdentifier": "writer"}));
    let replica = providers[0].create(&replica_request).await.unwrap();
    for shared in [&writer, &replica] {
        assert_eq!(shared.attributes["Endpoint.Port"], cluster.attributes["Endpoint.Port"]);
    }
    let instance = service.instance("writer").unwrap();
    let one = psql(&instance, "llama", PASSWORD, "select 1").await;
    assert_eq!(one, Ok("1".to_owned()));
    let target = DatabaseDirectory::cluster(&*service, "aurora").unwrap();
    assert_eq!(
        (target.port, target.database.as_deref()),
        (instance.port, Some("analytics"))
    );

    let described = call(&*service.service(), "DescribeDBInstances", json!({}))
        .await
        .unwrap();
    assert_eq!(described["DBInstances"].as_array().unwrap().len(), 2, "{described}");
    let wire = service.service();
    let stopped = call(&*wire, "StopDBInstance", json!({"DBInstanceIdentifier": "writer"})).await;
    assert!(stopped.unwrap_err().message.contains("cluster:aurora"));
    let early = providers[1].delete(&cluster, &cluster_request).await.unwrap_err();
    assert!(early.message.contains("replica, writer"), "{early}");
    providers[0].delete(&replica, &replica_request).await.unwrap();
    providers[0].delete(&writer, &writer_request).await.unwrap();
    providers[1].delete(&cluster, &cluster_request).await.unwrap();
    assert!(psql(&instance, "llama", PASSWORD, "select 1").await.is_err());

    let other = resource_request("AWS::RDS::DBCluster", json!({"Engine": "aurora-mysql"}));
    let refused = providers[1].create(&other).await.unwrap_err();
    assert!(refused.message.contains("aurora-mysql"), "{refused}");
}
