//! The wire's operations over [`Rds`].

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::cluster::{is_cluster, key};
use super::cluster_operations::described_snapshot;
use super::instance::{Instance, Snapshot, State};
use super::{Rds, failed, invalid};
use crate::codec::seconds;
use crate::context::ACCOUNT;
use crate::members::{Members, merge_tags, tag_list, tags_of};
use crate::service::{ApiError, Request, Response, Service};

/// [`Rds`] on the wire; a snapshot goes on after its call was answered, so it holds the service itself.
pub struct RdsService {
    pub rds: Arc<Rds>,
}

impl Rds {
    pub fn service(self: &Arc<Self>) -> Arc<RdsService> {
        Arc::new(RdsService { rds: self.clone() })
    }

    /// A snapshot goes on after its call was answered.
    fn finish_in_background(self: &Arc<Self>, snapshot: &str) {
        let (rds, snapshot) = (self.clone(), snapshot.to_owned());
        tokio::spawn(async move {
            if let Err(error) = rds.finish_snapshot(&snapshot).await {
                tracing::warn!(snapshot, %error, "a snapshot failed");
            }
        });
    }

    fn described(&self, instance: &Instance) -> Value {
        let mut described = instance.described(&self.context.region);
        if let Some(latest) = self.latest_restorable(instance) {
            described["LatestRestorableTime"] = seconds(latest);
        }
        described
    }

    fn describe_instances(&self, input: &Value) -> Result<Value, ApiError> {
        let one = input
            .text("DBInstanceIdentifier")
            .map(|id| self.instance(id))
            .transpose()?;
        let state = self.state.read();
        let filters = input.list("Filters");
        let wanted = |instance: &&Instance| {
            filters.iter().all(|filter| {
                let values = filter.texts("Values");
                match filter.text("Name") {
                    Some("db-instance-id") => values
                        .iter()
                        .any(|value| *value == instance.id || *value == instance.arn(&self.context.region)),
                    Some("engine") => values.iter().any(|value| value == "postgres"),
                    Some("dbi-resource-id") => values.contains(&instance.resource_id),
                    _ => false,
                }
            })
        };
        let all: Vec<Instance> = match one {
            Some(one) => vec![one],
            None => {
                let instances = state.instances.values().filter(|instance| !is_cluster(&instance.id));
                instances.filter(wanted).cloned().collect()
            }
        };
        drop(state);
        let described: Vec<Value> = all.iter().map(|instance| self.described(instance)).collect();
        Ok(json!({"DBInstances": described}))
    }

    fn describe_snapshots(&self, input: &Value) -> Result<Value, ApiError> {
        let one = input
            .text("DBSnapshotIdentifier")
            .map(|id| self.snapshot(id))
            .transpose()?;
        let state = self.state.read();
        let of_instance = |snapshot: &&Snapshot| {
            input
                .text("DBInstanceIdentifier")
                .is_none_or(|id| snapshot.instance.id == id.to_lowercase())
        };
        let automated = input.text("SnapshotType") == Some("automated");
        let all: Vec<Snapshot> = match one {
            Some(one) => vec![one],
            // Nobody takes automated ones here.
            None if automated => Vec::new(),
            None => {
                let snapshots = state.snapshots.values().filter(|snapshot| !is_cluster(&snapshot.id));
                snapshots.filter(of_instance).cloned().collect()
            }
        };
        let described: Vec<Value> = all
            .iter()
            .map(|snapshot| snapshot.described(&self.context.region))
            .collect();
        Ok(json!({"DBSnapshots": described}))
    }

    async fn engine_versions(&self, input: &Value) -> Result<Value, ApiError> {
        if input.text("Engine").is_some_and(|engine| engine != "postgres") {
            return Ok(json!({"DBEngineVersions": []}));
        }
        let wanted = input.text("EngineVersion").and_then(super::major);
        let binaries = super::Binaries::find(&self.context.folder.join("tools"), wanted)
            .await
            .map_err(failed)?;
        let major = super::major(&binaries.version).unwrap_or_default();
        Ok(json!({"DBEngineVersions": [{
            "Engine": "postgres",
            "EngineVersion": binaries.version,
            "MajorEngineVersion": major.to_string(),
            "DBParameterGroupFamily": format!("postgres{major}"),
            "DBEngineDescription": "PostgreSQL",
            "DBEngineVersionDescription": format!("PostgreSQL {} of this machine", binaries.version),
            "Status": "available",
        }]}))
    }

    fn arn(&self, kind: &str, name: &str) -> String {
        format!("arn:aws:rds:{}:{ACCOUNT}:{kind}:{name}", self.context.region)
    }

    fn create_subnet_group(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.required_text("DBSubnetGroupName")?.to_lowercase();
        let subnets: Vec<Value> = input
            .texts("SubnetIds")
            .into_iter()
            .map(|id| json!({"SubnetIdentifier": id, "SubnetStatus": "Active"}))
            .collect();
        let group = json!({
            "DBSubnetGroupName": name,
            "DBSubnetGroupDescription": input.text("DBSubnetGroupDescription"),
            "SubnetGroupStatus": "Complete",
            "Subnets": subnets,
            "DBSubnetGroupArn": self.arn("subgrp", &name),
        });
        self.state.change(|state| {
            if state.subnet_groups.contains_key(&name) {
                return Err(ApiError::new(
                    400,
                    "DBSubnetGroupAlreadyExists",
                    format!("The DB subnet group {name} already exists."),
                ));
            }
            state.subnet_groups.insert(name, group.clone());
            Ok(json!({"DBSubnetGroup": group}))
        })
    }

    fn create_parameter_group(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.required_text("DBParameterGroupName")?.to_lowercase();
        let group = json!({
            "DBParameterGroupName": name,
            "DBParameterGroupFamily": input.text("DBParameterGroupFamily"),
            "Description": input.text("Description"),
            "DBParameterGroupArn": self.arn("pg", &name),
        });
        self.state.change(|state| {
            if state.parameter_groups.contains_key(&name) {
                return Err(ApiError::new(
                    400,
                    "DBParameterGroupAlreadyExists",
                    format!("Parameter group {name} already exists"),
                ));
            }
            state.parameter_groups.insert(name, group.clone());
            Ok(json!({"DBParameterGroup": group}))
        })
    }

    /// The tags of whatever the ARN names.
    fn tags(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let arn = input.required_text("ResourceName")?;
        let keys = input.texts("TagKeys");
        self.state.change(|state| {
            let tags = tags_in(state, arn)?;
            match operation {
                "AddTagsToResource" => merge_tags(tags, tags_of(input, "Tags")),
                "RemoveTagsFromResource" => tags.retain(|(key, _)| !keys.contains(key)),
                _ => return Ok(json!({"TagList": tag_list(tags)})),
            }
            Ok(json!({}))
        })
    }
}

fn tags_in<'s>(state: &'s mut State, arn: &str) -> Result<&'s mut Vec<(String, String)>, ApiError> {
    let named = |kind: &str| arn.split_once(kind).map(|(_, name)| name);
    let of_cluster = named(":cluster-snapshot:").map(key);
    if let Some(id) = of_cluster.or(named(":snapshot:").map(str::to_owned)) {
        let found = state.snapshots.get_mut(&id).map(|snapshot| &mut snapshot.tags);
        return found.ok_or_else(|| super::no_snapshot(&id));
    }
    let id = named(":cluster:").map(key).or(named(":db:").map(str::to_owned));
    let id = id.ok_or_else(|| invalid(format!("The ARN {arn} names nothing that has tags here")))?;
    let found = state.instances.get_mut(&id).map(|instance| &mut instance.tags);
    found.ok_or_else(|| super::no_instance(&id))
}

fn one_of(
    groups: &std::collections::BTreeMap<String, Value>,
    asked: Option<&str>,
    code: &str,
) -> Result<Vec<Value>, ApiError> {
    match asked {
        None => Ok(groups.values().cloned().collect()),
        Some(name) => match groups.get(&name.to_lowercase()) {
            Some(group) => Ok(vec![group.clone()]),
            None => Err(ApiError::new(404, code, format!("{name} not found"))),
        },
    }
}

#[async_trait]
impl Service for RdsService {
    fn model(&self) -> &'static str {
        "rds"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let rds = &self.rds;
        let input = &request.input;
        let region = &rds.context.region;
        let id = || input.required_text("DBInstanceIdentifier");
        let described = |instance: Instance| json!({"DBInstance": rds.described(&instance)});
        let output = match request.operation.as_str() {
            "CreateDBInstance" => described(rds.create(input, None).await?),
            "RestoreDBInstanceFromDBSnapshot" => described(
                rds.create(input, Some(input.required_text("DBSnapshotIdentifier")?))
                    .await?,
            ),
            "DescribeDBInstances" => rds.describe_instances(input)?,
            "RestoreDBInstanceToPointInTime" => described(rds.restore_to_time(input).await?),
            "ModifyDBInstance" => {
                let instance = rds.modify(id()?, input).await?;
                let (rds, name) = (rds.clone(), instance.id.clone());
                tokio::spawn(async move {
                    if let Err(error) = rds.finish_rename(&name).await {
                        tracing::warn!(instance = name, %error, "a database was not renamed");
                    }
                });
                described(instance)
            }
            "DeleteDBInstance" => {
                let snapshot = input.text("FinalDBSnapshotIdentifier");
                if snapshot.is_none() && input.flag("SkipFinalSnapshot") != Some(true) {
                    return Err(ApiError::new(
                        400,
                        "InvalidParameterCombination",
                        "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
                    ));
                }
                let mut output = described(rds.delete(id()?, snapshot).await?);
                output["DBInstance"]["DBInstanceStatus"] = json!("deleting");
                output
            }
            "RebootDBInstance" => described(rds.run(id()?, true, true).await?),
            "StartDBInstance" => described(rds.run(id()?, true, false).await?),
            "StopDBInstance" => described(rds.run(id()?, false, true).await?),
            "CreateDBSnapshot" => {
                let name = input.required_text("DBSnapshotIdentifier")?;
                let snapshot = rds.begin_snapshot(id()?, name, tags_of(input, "Tags"))?;
                rds.finish_in_background(&snapshot.id);
                json!({"DBSnapshot": snapshot.described(region)})
            }
            "DescribeDBSnapshots" => rds.describe_snapshots(input)?,
            "DeleteDBSnapshot" => {
                let snapshot = rds.remove_snapshot(input.required_text("DBSnapshotIdentifier")?)?;
                json!({"DBSnapshot": snapshot.described(region)})
            }
            "DescribeDBEngineVersions" => rds.engine_versions(input).await?,
            "DescribeDBClusters" => rds.describe_clusters(input)?,
            "CreateDBClusterSnapshot" => {
                let snapshot = rds.begin_cluster_snapshot(input)?;
                rds.finish_in_background(&snapshot.id);
                json!({"DBClusterSnapshot": described_snapshot(&snapshot, region)})
            }
            "DescribeDBClusterSnapshots" => rds.describe_cluster_snapshots(input)?,
            "DeleteDBClusterSnapshot" => {
                let snapshot = rds.delete_cluster_snapshot(input)?;
                json!({"DBClusterSnapshot": described_snapshot(&snapshot, region)})
            }
            "DescribeEvents" => json!({"Events": []}),
            "CreateDBSubnetGroup" => rds.create_subnet_group(input)?,
            "CreateDBParameterGroup" => rds.create_parameter_group(input)?,
            "DescribeDBSubnetGroups" => {
                let groups = &rds.state.read().subnet_groups;
                json!({"DBSubnetGroups": one_of(groups, input.text("DBSubnetGroupName"), "DBSubnetGroupNotFoundFault")?})
            }
            "DescribeDBParameterGroups" => {
                let groups = &rds.state.read().parameter_groups;
                json!({"DBParameterGroups": one_of(groups, input.text("DBParameterGroupName"), "DBParameterGroupNotFound")?})
            }
            "DescribeDBParameters" => {
                one_of(
                    &rds.state.read().parameter_groups,
                    input.text("DBParameterGroupName"),
                    "DBParameterGroupNotFound",
                )?;
                json!({"Parameters": []})
            }
            "DeleteDBSubnetGroup" | "DeleteDBParameterGroup" => {
                let subnets = request.operation == "DeleteDBSubnetGroup";
                let (member, code) = match subnets {
                    true => ("DBSubnetGroupName", "DBSubnetGroupNotFoundFault"),
                    false => ("DBParameterGroupName", "DBParameterGroupNotFound"),
                };
                let name = input.required_text(member)?.to_lowercase();
                rds.state.change(|state| {
                    let groups = if subnets {
                        &mut state.subnet_groups
                    } else {
                        &mut state.parameter_groups
                    };
                    let missing = || ApiError::new(404, code, format!("{name} not found"));
                    groups.remove(&name).map(|_| json!({})).ok_or_else(missing)
                })?
            }
            "AddTagsToResource" | "RemoveTagsFromResource" | "ListTagsForResource" => {
                rds.tags(&request.operation, input)?
            }
            other => return Err(ApiError::not_served("InvalidAction", other)),
        };
        Ok(output.into())
    }

    async fn stop(&self) {
        self.rds.end().await;
    }
}
