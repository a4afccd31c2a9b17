//! The wire's operations on clusters: their descriptions, and snapshots of them. A snapshot is a copy of the cluster's
//! server, kept like an instance's under a key of its own; a cluster that is restored from one is not served.

use serde_json::{Value, json};

use super::Rds;
use super::cluster::{is_cluster, key, name};
use super::instance::{HOSTED_ZONE, Instance, Snapshot, Status};
use crate::codec::seconds;
use crate::context::ACCOUNT;
use crate::members::{Members, tag_list, tags_of};
use crate::service::ApiError;

impl Rds {
    fn cluster_named(&self, identifier: &str) -> Result<Instance, ApiError> {
        let missing = || no_cluster(identifier);
        self.cluster_of(identifier).ok_or_else(missing)
    }

    pub(super) fn describe_clusters(&self, input: &Value) -> Result<Value, ApiError> {
        let found = match input.text("DBClusterIdentifier") {
            Some(identifier) => vec![self.cluster_named(identifier)?],
            None => {
                let filters = input.list("Filters");
                let region = &self.context.region;
                let wanted = |cluster: &&Instance| {
                    let meets = |filter: &Value| {
                        let values = filter.texts("Values");
                        match filter.text("Name") {
                            Some("db-cluster-id") => values
                                .iter()
                                .any(|value| *value == name(&cluster.id) || *value == cluster.arn(region)),
                            Some("engine") => cluster
                                .wishes
                                .text("Engine")
                                .is_some_and(|engine| values.iter().any(|value| value == engine)),
                            _ => false,
                        }
                    };
                    is_cluster(&cluster.id) && filters.iter().all(meets)
                };
                self.state.read().instances.values().filter(wanted).cloned().collect()
            }
        };
        let described: Vec<Value> = found.iter().map(|cluster| self.described_cluster(cluster)).collect();
        Ok(json!({"DBClusters": described}))
    }

    fn described_cluster(&self, cluster: &Instance) -> Value {
        let state = self.state.read();
        let mut members: Vec<&Instance> = state
            .instances
            .values()
            .filter(|instance| instance.shares.is_some())
            .filter(|instance| instance.wishes.text("DBClusterIdentifier").map(key).as_ref() == Some(&cluster.id))
            .collect();
        members.sort_by_key(|member| member.created);
        let members: Vec<Value> = members
            .iter()
            .enumerate()
            .map(|(position, member)| {
                json!({
                    "DBInstanceIdentifier": member.id,
                    "IsClusterWriter": position == 0,
                    "DBClusterParameterGroupStatus": "in-sync",
                    "PromotionTier": 1,
                })
            })
            .collect();
        let wishes = &cluster.wishes;
        json!({
            "DBClusterIdentifier": name(&cluster.id),
            "DBClusterArn": cluster.arn(&self.context.region),
            "DbClusterResourceId": cluster_resource_id(cluster),
            "DBClusterMembers": members,
            "Status": cluster.status.name(),
            "Endpoint": cluster.host,
            "ReaderEndpoint": cluster.host,
            "Port": cluster.port,
            "HostedZoneId": HOSTED_ZONE,
            "Engine": wishes.text("Engine"),
            "EngineMode": "provisioned",
            "EngineVersion": cluster.engine_version,
            "MasterUsername": cluster.master_username,
            "DatabaseName": cluster.database,
            "ClusterCreateTime": cluster.created.as_second(),
            "AllocatedStorage": 1,
            "BackupRetentionPeriod": wishes.integer("BackupRetentionPeriod").unwrap_or(1),
            "CopyTagsToSnapshot": wishes.flag("CopyTagsToSnapshot").unwrap_or(false),
            "DBSubnetGroup": wishes.text("DBSubnetGroupName"),
            "DeletionProtection": cluster.is_protected(),
            "KmsKeyId": wishes.text("KmsKeyId"),
            "MultiAZ": false,
            "StorageEncrypted": wishes.flag("StorageEncrypted").unwrap_or(false),
            "TagList": tag_list(&cluster.tags),
        })
    }

    /// It is still being made when the call is answered; [`Rds::finish_snapshot`] does the rest.
    pub(super) fn begin_cluster_snapshot(&self, input: &Value) -> Result<Snapshot, ApiError> {
        let cluster = self.cluster_named(input.required_text("DBClusterIdentifier")?)?;
        let id = input.required_text("DBClusterSnapshotIdentifier")?;
        self.begin_snapshot(&cluster.id, id, tags_of(input, "Tags"))
    }

    pub(super) fn describe_cluster_snapshots(&self, input: &Value) -> Result<Value, ApiError> {
        // Nobody takes automated ones here.
        let automated = input.text("SnapshotType") == Some("automated");
        let found = match input.text("DBClusterSnapshotIdentifier") {
            Some(id) => vec![self.snapshot(&snapshot_key(id))?],
            None if automated => Vec::new(),
            None => {
                let of_cluster = |snapshot: &&Snapshot| {
                    let wanted = input.text("DBClusterIdentifier").map(key);
                    is_cluster(&snapshot.id) && wanted.is_none_or(|wanted| snapshot.instance.id == wanted)
                };
                self.state
                    .read()
                    .snapshots
                    .values()
                    .filter(of_cluster)
                    .cloned()
                    .collect()
            }
        };
        let region = &self.context.region;
        let described: Vec<Value> = found
            .iter()
            .map(|snapshot| described_snapshot(snapshot, region))
            .collect();
        Ok(json!({"DBClusterSnapshots": described}))
    }

    pub(super) fn delete_cluster_snapshot(&self, input: &Value) -> Result<Snapshot, ApiError> {
        let id = input.required_text("DBClusterSnapshotIdentifier")?;
        self.remove_snapshot(&snapshot_key(id))
    }
}

fn no_cluster(identifier: &str) -> ApiError {
    ApiError::new(
        404,
        "DBClusterNotFoundFault",
        format!("DBCluster {identifier} not found."),
    )
}

/// By name or ARN.
fn snapshot_key(id: &str) -> String {
    key(id.rsplit(":cluster-snapshot:").next().unwrap_or(id))
}

pub(super) fn cluster_resource_id(cluster: &Instance) -> String {
    cluster.resource_id.replacen("db-", "cluster-", 1)
}

pub(super) fn described_snapshot(snapshot: &Snapshot, region: &str) -> Value {
    let cluster = &snapshot.instance;
    let id = name(&snapshot.id);
    json!({
        "DBClusterSnapshotIdentifier": id,
        "DBClusterSnapshotArn": format!("arn:aws:rds:{region}:{ACCOUNT}:cluster-snapshot:{id}"),
        "DBClusterIdentifier": name(&cluster.id),
        "DbClusterResourceId": cluster_resource_id(cluster),
        "SnapshotCreateTime": seconds(snapshot.created),
        "ClusterCreateTime": cluster.created.as_second(),
        "Engine": cluster.wishes.text("Engine"),
        "EngineMode": "provisioned",
        "EngineVersion": cluster.engine_version,
        "MasterUsername": cluster.master_username,
        "Port": cluster.port,
        // As Aurora says it: its storage has no size that was asked for.
        "AllocatedStorage": 1,
        "StorageType": "aurora",
        "KmsKeyId": cluster.wishes.text("KmsKeyId"),
        "StorageEncrypted": cluster.wishes.flag("StorageEncrypted").unwrap_or(false),
        "Status": snapshot.status.name(),
        "PercentProgress": if snapshot.status == Status::Available { 100 } else { 0 },
        "SnapshotType": "manual",
        "LicenseModel": "postgresql-license",
        "AvailabilityZones": [format!("{region}a")],
        "TagList": tag_list(&snapshot.tags),
    })
}
