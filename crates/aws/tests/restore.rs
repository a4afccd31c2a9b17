//! A restore over the wire against the embedded cloud, whose instances are real servers: everything that the old instance
//! had, killed before each of its calls, and the endpoint stays.

#![allow(clippy::unwrap_used, reason = "what a test prepares fails by panicking")]

use std::sync::Mutex;

use async_trait::async_trait;
use aws::stacks::{Approved, Deployment, StackInput, into_outcomes};
use aws::{
    Aws, DatabaseAddress, Failure, Login, Proof, Proven, RdsDatabase, RestoreEvent, RestorePoint, RestoreRequest,
    SchemaVersion, Secret, Settings, TakenBackup, connect,
};
use aws_sdk_rds::types::DbInstance;
use jiff::Timestamp;
use localcloud::cloud::{LocalCloud, Options, Running};
use serde_json::json;

const PASSWORD: &str = "changed since then";

struct Cloud {
    running: Running,
    _folder: tempfile::TempDir,
    aws: Aws,
    rds: aws_sdk_rds::Client,
}

impl Cloud {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            folder: folder.path().to_owned(),
            port: 0,
            region: "eu-west-1".to_owned(),
            database_url: None,
        };
        let running = LocalCloud::start(options).await.unwrap();
        let settings = Settings {
            region: Some("eu-west-1".to_owned()),
            endpoint_url: Some(running.endpoint.clone()),
            ..Settings::default()
        };
        let aws = connect(settings).await.unwrap();
        let config = aws_sdk_rds::Config::builder()
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .behavior_version(aws_sdk_rds::config::BehaviorVersion::latest())
            .endpoint_url(&running.endpoint)
            .region(aws_sdk_rds::config::Region::new("eu-west-1"))
            .credentials_provider(aws_sdk_rds::config::Credentials::new("a", "b", None, None, "test"))
            .build();
        Self {
            rds: aws_sdk_rds::Client::from_conf(config),
            running,
            _folder: folder,
            aws,
        }
    }

    async fn deploy(&self, resources: serde_json::Value) {
        let input = StackInput {
            name: "Data".to_owned(),
            template: json!({ "Resources": resources }).to_string(),
            ..StackInput::default()
        };
        let deployment = Deployment::new(&Approved, &|_| {});
        into_outcomes(self.aws.deploy_stacks(&[input], &deployment).await.unwrap()).unwrap();
    }

    async fn instance(&self, name: &str) -> DbInstance {
        let described = self.rds.describe_db_instances().db_instance_identifier(name).send();
        described.await.unwrap().db_instances.unwrap().remove(0)
    }

    /// Of the instance `main`.
    async fn snapshot(&self, environment: &str, label: &str) -> Result<TakenBackup, Failure> {
        let main = RdsDatabase::Instance("main".to_owned());
        self.aws.snapshot(&main, environment, label, &|_| {}).await
    }

    async fn names(&self) -> Vec<String> {
        let all = self.rds.describe_db_instances().send().await.unwrap();
        let all = all.db_instances.unwrap().into_iter();
        all.map(|instance| instance.db_instance_identifier.unwrap()).collect()
    }
}

fn main_instance() -> serde_json::Value {
    json!({ "Main": { "Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Delete", "Properties": {
        "DBInstanceIdentifier": "main", "Engine": "postgres", "DBInstanceClass": "db.m6g.large",
        "MasterUsername": "llama", "MasterUserPassword": "as it was then", "AllocatedStorage": "30",
        "DBSubnetGroupName": "private", "VPCSecurityGroups": ["sg-1", "sg-2"], "DBParameterGroupName": "tuned",
        "OptionGroupName": "options", "BackupRetentionPeriod": 7, "CopyTagsToSnapshot": true, "StorageEncrypted": true,
        "KmsKeyId": "key-1", "StorageType": "gp3", "DeletionProtection": true, "MultiAZ": true,
        "MonitoringInterval": 30, "MonitoringRoleArn": "arn:aws:iam::000000000000:role/monitoring",
        "PreferredMaintenanceWindow": "sun:03:00-sun:04:00", "EnableCloudwatchLogsExports": ["postgresql"],
        "Tags": [{ "Key": "team", "Value": "data" }],
    } } })
}

/// What must not become a default.
fn kept(instance: &DbInstance) -> serde_json::Value {
    let groups = instance.vpc_security_groups();
    let groups: Vec<_> = groups.iter().map(|group| group.vpc_security_group_id()).collect();
    let mut tags: Vec<_> = instance.tag_list().iter().map(|tag| (tag.key(), tag.value())).collect();
    tags.retain(|(key, _)| !key.is_some_and(|key| key.starts_with("aws:") || key.starts_with("llama-deploy:")));
    json!({
        "class": instance.db_instance_class(), "storage": instance.allocated_storage(), "groups": groups,
        "kind": instance.storage_type(), "encrypted": instance.storage_encrypted(), "key": instance.kms_key_id(),
        "subnets": instance.db_subnet_group().and_then(|group| group.db_subnet_group_name()),
        "parameters": instance.db_parameter_groups()[0].db_parameter_group_name(),
        "options": instance.option_group_memberships()[0].option_group_name(),
        "retention": instance.backup_retention_period(), "copies": instance.copy_tags_to_snapshot(),
        "protected": instance.deletion_protection(), "multi": instance.multi_az(), "tags": tags,
        "monitoring": instance.monitoring_interval(), "role": instance.monitoring_role_arn(),
        "window": instance.preferred_maintenance_window(), "logs": instance.enabled_cloudwatch_logs_exports(),
        "endpoint": instance.endpoint().and_then(|endpoint| endpoint.port()),
    })
}

/// Takes what answers for proven, and remembers where that was.
#[derive(Default)]
struct Answers(Mutex<Vec<DatabaseAddress>>);

#[async_trait]
impl Proof for Answers {
    async fn prove(&self, address: &DatabaseAddress) -> Result<Proven, String> {
        let answer = tokio::net::TcpStream::connect((address.host.as_str(), address.port)).await;
        answer.map_err(|error| error.to_string())?;
        self.0.lock().unwrap().push(address.clone());
        Ok(Proven {
            seen: "it answers".to_owned(),
            schema: SchemaVersion(Some(42)),
        })
    }
}

struct Refuses;

#[async_trait]
impl Proof for Refuses {
    async fn prove(&self, _address: &DatabaseAddress) -> Result<Proven, String> {
        Err("half of the rows are missing".to_owned())
    }
}

fn request(source: &str, now: &str) -> RestoreRequest {
    RestoreRequest {
        instance: "main".to_owned(),
        point: RestorePoint::Snapshot(source.to_owned()),
        environment: "prod".to_owned(),
        login: Some(Login {
            username: "llama".to_owned(),
            password: Secret::new(PASSWORD),
        }),
        now: now.parse().unwrap(),
    }
}

/// Whether this is the event of which the run shall die.
type Fatal = fn(&RestoreEvent) -> bool;

/// Dies where a kill would hit: before each call that changes something.
const KILLS: [Fatal; 4] = [
    |event| matches!(event, RestoreEvent::Creating { .. }),
    |event| matches!(event, RestoreEvent::Proving { .. }),
    |event| matches!(event, RestoreEvent::Renaming { from, .. } if from == "main"),
    |event| matches!(event, RestoreEvent::Renaming { to, .. } if to == "main"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_before_each_call_ends_with_the_same_endpoint() {
    let cloud = Cloud::start().await;
    cloud.deploy(main_instance()).await;
    let before = cloud.instance("main").await;
    let taken = cloud.snapshot("prod", "one").await.unwrap();
    let request = request(&taken.id, "2026-11-23T04:38:12Z");
    let window = cloud
        .aws
        .loss_window("main", &request.point, Timestamp::now())
        .await
        .unwrap();
    assert!(window.since <= window.until, "{window:?}");

    for (step, fatal) in KILLS.into_iter().enumerate() {
        // A run started later still goes on with the first one's instance.
        let request = RestoreRequest {
            now: request.now + jiff::SignedDuration::from_mins(step as i64),
            ..request.clone()
        };
        let aws = cloud.aws.clone();
        let killed = tokio::spawn(async move {
            let progress = |event: RestoreEvent| assert!(!fatal(&event), "killed at {event:?}");
            aws.restore_database(&request, &Answers::default(), &progress).await
        });
        assert!(killed.await.unwrap_err().is_panic(), "step {step}");
    }
    let proof = Answers::default();
    let replaced = cloud.aws.restore_database(&request, &proof, &|_| {}).await.unwrap();
    assert_eq!(
        i32::from(replaced.address.port),
        before.endpoint().unwrap().port().unwrap()
    );
    assert_eq!((replaced.source.as_str(), replaced.proof), (taken.id.as_str(), None));
    assert!(
        replaced.kept.starts_with("main-before-202611230439"),
        "{}",
        replaced.kept
    );
    assert_eq!(cloud.names().await, ["main".to_owned(), replaced.kept.clone()]);
    // It made place for the run of the fourth minute, whoever ended the restore.
    let lost = replaced.lost.unwrap();
    assert_eq!(lost.since, window.since);
    let made_place = request.now + jiff::SignedDuration::from_mins(3);
    assert!(lost.until >= made_place, "{lost:?}");

    let after = cloud.instance("main").await;
    assert_ne!(after.dbi_resource_id(), before.dbi_resource_id());
    assert_eq!(kept(&after), kept(&before));
    let old = cloud.instance(&replaced.kept).await;
    assert_eq!(old.dbi_resource_id(), before.dbi_resource_id());
    assert_eq!(old.deletion_protection(), Some(true));
    cloud.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_proved_takes_nobodys_place() {
    let cloud = Cloud::start().await;
    cloud.deploy(main_instance()).await;
    let before = cloud.instance("main").await;
    let taken = cloud.snapshot("prod", "one").await.unwrap();
    let request = request(&taken.id, "2026-11-23T04:38:12Z");
    let failure = cloud
        .aws
        .restore_database(&request, &Refuses, &|_| {})
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("half of the rows"), "{failure}");
    assert_eq!(kept(&cloud.instance("main").await), kept(&before));

    // Another restore has to wait until somebody decided about that one.
    let other = cloud.snapshot("prod", "two").await.unwrap();
    let other = RestoreRequest {
        point: RestorePoint::Snapshot(other.id.clone()),
        ..request.clone()
    };
    let refused = cloud.aws.restore_database(&other, &Refuses, &|_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("is not finished"), "{refused}");
    cloud.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_verified_by_an_instance_that_goes_again() {
    let cloud = Cloud::start().await;
    let mut resources = main_instance();
    resources["Events"] = json!({ "Type": "AWS::DynamoDB::Table", "Properties": {
        "TableName": "events", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
    } });
    cloud.deploy(resources).await;
    let holdings = cloud
        .aws
        .holdings(&["Data".to_owned(), "Absent".to_owned()])
        .await
        .unwrap();
    assert_eq!(
        (holdings.databases, holdings.tables),
        (vec!["main".to_owned()], vec!["events".to_owned()])
    );
    let table = cloud.aws.back_up_table("events", "one", &|_| {}).await.unwrap();
    assert!(
        table.id.contains("table/events/backup/") && !table.was_there,
        "{table:?}"
    );
    let again = cloud.aws.back_up_table("events", "one", &|_| {}).await.unwrap();
    assert_eq!((again.id, again.was_there), (table.id, true));

    let first = cloud.snapshot("prod", "one").await.unwrap();
    cloud.snapshot("test", "two").await.unwrap();
    let login = Login {
        username: "llama".to_owned(),
        password: Secret::new(PASSWORD),
    };
    let now: Timestamp = "2026-11-23T04:38:12Z".parse().unwrap();
    let failed = cloud
        .aws
        .verify_snapshot(&first.id, Some(&login), &Refuses, now, &|_| {})
        .await;
    assert!(failed.unwrap_err().to_string().contains("half of the rows"));
    let listed = cloud.aws.instance_snapshots("prod").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].id.as_str(), listed[0].verified), (first.id.as_str(), None));

    let proof = Answers::default();
    let proven = cloud
        .aws
        .verify_snapshot(&first.id, Some(&login), &proof, now, &|_| {})
        .await
        .unwrap();
    assert_eq!(proven.seen, "it answers");
    let proved = proof.0.lock().unwrap().remove(0);
    assert!(proved.instance.starts_with("llama-verify-"), "{proved:?}");
    assert_eq!(cloud.names().await, ["main"]);
    let listed = cloud.aws.instance_snapshots("prod").await.unwrap();
    assert_eq!((listed[0].verified, listed[0].schema), (Some(now), Some(proven.schema)));
    cloud.aws.delete_snapshot(&listed[0]).await.unwrap();
    cloud.aws.delete_snapshot(&listed[0]).await.unwrap();
    assert!(cloud.aws.instance_snapshots("prod").await.unwrap().is_empty());
    cloud.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_backed_up_as_a_whole() {
    let cloud = Cloud::start().await;
    cloud
        .deploy(json!({
            "Cluster": { "Type": "AWS::RDS::DBCluster", "DeletionPolicy": "Delete", "Properties": {
                "DBClusterIdentifier": "main", "Engine": "aurora-postgresql", "MasterUsername": "llama",
                "MasterUserPassword": PASSWORD,
            } },
            "Writer": { "Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Delete", "Properties": {
                "DBInstanceIdentifier": "writer", "Engine": "aurora-postgresql", "DBInstanceClass": "db.serverless",
                "DBClusterIdentifier": { "Ref": "Cluster" },
            } },
        }))
        .await;
    let holdings = cloud.aws.holdings(&["Data".to_owned()]).await.unwrap();
    assert_eq!(
        (holdings.databases, holdings.clusters),
        (vec![], vec!["main".to_owned()])
    );

    let main = RdsDatabase::Cluster("main".to_owned());
    let take = async |label: &'static str| cloud.aws.snapshot(&main, "prod", label, &|_| {}).await.unwrap();
    let first = take("one").await;
    assert_eq!((first.id.as_str(), first.was_there), ("llama-deploy-main-one", false));
    assert!(take("one").await.was_there);
    let listed = cloud.aws.cluster_snapshots("prod").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0].id, &listed[0].of, listed[0].created),
        (&first.id, &main, first.made)
    );
    assert_eq!(
        (
            cloud.aws.cluster_snapshots("test").await.unwrap(),
            cloud.aws.instance_snapshots("prod").await.unwrap()
        ),
        (vec![], vec![])
    );
    cloud.aws.delete_snapshot(&listed[0]).await.unwrap();
    cloud.aws.delete_snapshot(&listed[0]).await.unwrap();
    assert_eq!(cloud.aws.cluster_snapshots("prod").await.unwrap(), []);
    cloud.running.stop().await;
}
