//! The wire's operations over [`ElastiCache`].

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Cache, ElastiCache, Kind, failed, invalid, missing, redis};
use crate::context::ACCOUNT;
use crate::members::{Members, merge_tags, tag_list, tags_of};
use crate::service::{ApiError, Request, Response, Service};

impl ElastiCache {
    /// A replication group shows its only node as a cluster, too.
    fn cluster(&self, cache: &Cache, with_nodes: bool) -> Value {
        let id = match cache.kind {
            Kind::CacheCluster => cache.id.clone(),
            Kind::ReplicationGroup => format!("{}-001", cache.id),
        };
        let mut output = json!({
            "CacheClusterId": id,
            "CacheClusterStatus": cache.status(),
            "CacheNodeType": cache.wishes.text("CacheNodeType").unwrap_or("cache.t4g.micro"),
            "Engine": cache.engine,
            "EngineVersion": cache.engine_version,
            "NumCacheNodes": 1,
            "CacheClusterCreateTime": cache.created.as_second(),
            "CacheSubnetGroupName": cache.wishes.text("CacheSubnetGroupName"),
            "ReplicationGroupId": (cache.kind == Kind::ReplicationGroup).then_some(&cache.id),
            "AuthTokenEnabled": cache.auth_token.is_some(),
            "TransitEncryptionEnabled": false,
            "AtRestEncryptionEnabled": false,
            "AutoMinorVersionUpgrade": true,
            "SnapshotRetentionLimit": 0,
            "SecurityGroups": cache
                .wishes
                .texts("SecurityGroupIds")
                .into_iter()
                .map(|id| json!({"SecurityGroupId": id, "Status": "active"}))
                .collect::<Vec<_>>(),
            "ARN": format!("arn:aws:elasticache:{}:{ACCOUNT}:cluster:{id}", self.context.region),
        });
        if with_nodes {
            output["CacheNodes"] = json!([{
                "CacheNodeId": "0001",
                "CacheNodeStatus": cache.status(),
                "CacheNodeCreateTime": cache.created.as_second(),
                "Endpoint": endpoint(cache),
                "ParameterGroupStatus": "in-sync",
            }]);
        }
        output
    }

    fn group(&self, cache: &Cache) -> Value {
        json!({
            "ReplicationGroupId": cache.id,
            "Description": cache.wishes.text("ReplicationGroupDescription"),
            "Status": cache.status(),
            "MemberClusters": [format!("{}-001", cache.id)],
            "NodeGroups": [{
                "NodeGroupId": "0001",
                "Status": cache.status(),
                "PrimaryEndpoint": endpoint(cache),
                "ReaderEndpoint": endpoint(cache),
                "NodeGroupMembers": [{
                    "CacheClusterId": format!("{}-001", cache.id),
                    "CacheNodeId": "0001",
                    "ReadEndpoint": endpoint(cache),
                    "CurrentRole": "primary",
                }],
            }],
            "AutomaticFailover": "disabled",
            "MultiAZ": "disabled",
            "ClusterEnabled": false,
            "CacheNodeType": cache.wishes.text("CacheNodeType").unwrap_or("cache.t4g.micro"),
            "AuthTokenEnabled": cache.auth_token.is_some(),
            "TransitEncryptionEnabled": false,
            "AtRestEncryptionEnabled": false,
            "Engine": cache.engine,
            "ReplicationGroupCreateTime": cache.created.as_second(),
            "ARN": self.arn(cache),
        })
    }

    fn describe_clusters(&self, input: &Value) -> Result<Value, ApiError> {
        let nodes = input.flag("ShowCacheNodeInfo") == Some(true);
        let alone = input.flag("ShowCacheClustersNotInReplicationGroups") == Some(true);
        let state = self.state.read();
        let wanted = |cache: &&Cache| !(alone && cache.kind == Kind::ReplicationGroup);
        let all = state
            .caches
            .values()
            .filter(wanted)
            .map(|cache| self.cluster(cache, nodes));
        let found: Vec<Value> = match input.text("CacheClusterId") {
            None => all.collect(),
            Some(id) => {
                let one: Vec<Value> = all
                    .filter(|cluster| cluster.text("CacheClusterId") == Some(&id.to_lowercase()))
                    .collect();
                if one.is_empty() {
                    return Err(missing(Kind::CacheCluster, id));
                }
                one
            }
        };
        Ok(json!({"CacheClusters": found}))
    }

    fn describe_groups(&self, input: &Value) -> Result<Value, ApiError> {
        let found: Vec<Value> = match input.text("ReplicationGroupId") {
            Some(id) => vec![self.group(&self.cache(Kind::ReplicationGroup, id)?)],
            None => {
                let state = self.state.read();
                let groups = state
                    .caches
                    .values()
                    .filter(|cache| cache.kind == Kind::ReplicationGroup);
                groups.map(|cache| self.group(cache)).collect()
            }
        };
        Ok(json!({"ReplicationGroups": found}))
    }

    fn subnet_group(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let asked = input.text("CacheSubnetGroupName").map(str::to_lowercase);
        let missing = |name: &str| {
            ApiError::new(
                400,
                "CacheSubnetGroupNotFoundFault",
                format!("Cache Subnet Group {name} does not exist."),
            )
        };
        match (operation, asked) {
            ("CreateCacheSubnetGroup", Some(name)) => self.state.change(|state| {
                if state.subnet_groups.contains_key(&name) {
                    return Err(ApiError::new(
                        400,
                        "CacheSubnetGroupAlreadyExists",
                        format!("Cache subnet group {name} already exists."),
                    ));
                }
                let subnets: Vec<Value> = input
                    .texts("SubnetIds")
                    .into_iter()
                    .map(|id| json!({"SubnetIdentifier": id}))
                    .collect();
                let group = json!({
                    "CacheSubnetGroupName": name,
                    "CacheSubnetGroupDescription": input.text("CacheSubnetGroupDescription"),
                    "Subnets": subnets,
                    "ARN": format!("arn:aws:elasticache:{}:{ACCOUNT}:subnetgroup:{name}", self.context.region),
                });
                state.subnet_groups.insert(name, group.clone());
                Ok(json!({"CacheSubnetGroup": group}))
            }),
            ("DeleteCacheSubnetGroup", Some(name)) => self.state.change(|state| {
                state
                    .subnet_groups
                    .remove(&name)
                    .map(|_| json!({}))
                    .ok_or_else(|| missing(&name))
            }),
            (_, asked) => {
                let state = self.state.read();
                let found: Vec<Value> = match &asked {
                    None => state.subnet_groups.values().cloned().collect(),
                    Some(name) => vec![state.subnet_groups.get(name).cloned().ok_or_else(|| missing(name))?],
                };
                Ok(json!({"CacheSubnetGroups": found}))
            }
        }
    }

    async fn engine_versions(&self) -> Result<Value, ApiError> {
        let versions = match &self.program {
            None => Vec::new(),
            Some(program) => {
                let version = redis::version(program).await.map_err(failed)?;
                vec![json!({
                    "Engine": "redis",
                    "EngineVersion": version,
                    "CacheEngineDescription": "Redis",
                    "CacheEngineVersionDescription": format!("Redis {version} of this machine"),
                })]
            }
        };
        Ok(json!({"CacheEngineVersions": versions}))
    }

    fn tags(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let arn = input.required_text("ResourceName")?;
        let keys = input.texts("TagKeys");
        let id = arn.rsplit(':').next().unwrap_or(arn);
        self.state.change(|state| {
            let tags = match arn.contains(":snapshot:") {
                true => state.snapshots.get_mut(id).map(|snapshot| &mut snapshot.tags),
                false => state.caches.get_mut(id).map(|cache| &mut cache.tags),
            };
            let tags = tags.ok_or_else(|| missing(Kind::CacheCluster, id))?;
            match operation {
                "AddTagsToResource" => merge_tags(tags, tags_of(input, "Tags")),
                "RemoveTagsFromResource" => tags.retain(|(key, _)| !keys.contains(key)),
                _ => {}
            }
            Ok(json!({"TagList": tag_list(tags)}))
        })
    }
}

fn endpoint(cache: &Cache) -> Value {
    json!({"Address": "127.0.0.1", "Port": cache.port})
}

#[async_trait]
impl Service for ElastiCache {
    fn model(&self) -> &'static str {
        "elasticache"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let input = &request.input;
        let cluster = || input.required_text("CacheClusterId");
        let group = || input.required_text("ReplicationGroupId");
        let operation = request.operation.as_str();
        let output = match operation {
            "CreateCacheCluster" => {
                if input.text("ReplicationGroupId").is_some() {
                    return Err(invalid(
                        "A replication group of the embedded cloud has one node; no further one joins it",
                    ));
                }
                let made = self.create(Kind::CacheCluster, cluster()?, input).await?;
                json!({"CacheCluster": self.cluster(&made, true)})
            }
            "DescribeCacheClusters" => self.describe_clusters(input)?,
            "ModifyCacheCluster" => {
                let changed = self.modify(Kind::CacheCluster, cluster()?, input)?;
                json!({"CacheCluster": self.cluster(&changed, true)})
            }
            "DeleteCacheCluster" => {
                let mut deleted = self.cluster(&self.delete(Kind::CacheCluster, cluster()?).await?, false);
                deleted["CacheClusterStatus"] = json!("deleting");
                json!({"CacheCluster": deleted})
            }
            "CreateReplicationGroup" => {
                let made = self.create(Kind::ReplicationGroup, group()?, input).await?;
                json!({"ReplicationGroup": self.group(&made)})
            }
            "DescribeReplicationGroups" => self.describe_groups(input)?,
            "ModifyReplicationGroup" => {
                let changed = self.modify(Kind::ReplicationGroup, group()?, input)?;
                json!({"ReplicationGroup": self.group(&changed)})
            }
            "DeleteReplicationGroup" => {
                let mut deleted = self.group(&self.delete(Kind::ReplicationGroup, group()?).await?);
                deleted["Status"] = json!("deleting");
                json!({"ReplicationGroup": deleted})
            }
            "CreateSnapshot" => self.create_snapshot(input).await?,
            "DescribeSnapshots" => self.describe_snapshots(input)?,
            "DeleteSnapshot" => self.delete_snapshot(input).await?,
            "CreateCacheSubnetGroup" | "DeleteCacheSubnetGroup" | "DescribeCacheSubnetGroups" => {
                self.subnet_group(operation, input)?
            }
            "DescribeCacheEngineVersions" => self.engine_versions().await?,
            "DescribeCacheParameterGroups" => json!({"CacheParameterGroups": []}),
            "AddTagsToResource" | "RemoveTagsFromResource" | "ListTagsForResource" => self.tags(operation, input)?,
            other => return Err(ApiError::not_served("InvalidAction", other)),
        };
        Ok(output.into())
    }

    async fn stop(&self) {
        self.end().await;
    }
}
