//! Where the caches of a stack answer. What they answer is asked by whoever speaks their protocol.

use aws_sdk_elasticache::types::{Endpoint, ReplicationGroup};
use futures::future::try_join_all;

use crate::connection::Aws;
use crate::failure::{Failure, failed};
use crate::stacks::StackResource;

/// A cache as ElastiCache knows it, by its physical id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheResource {
    Cluster { id: String },
    ReplicationGroup { id: String },
}

impl CacheResource {
    pub fn id(&self) -> &str {
        match self {
            Self::Cluster { id } | Self::ReplicationGroup { id } => id,
        }
    }

    /// `None` for everything else that a stack holds, and for a cache that is not there.
    pub fn of(resource: &StackResource) -> Option<Self> {
        let id = resource.physical_id.clone()?;
        match resource.resource_type.as_str() {
            "AWS::ElastiCache::CacheCluster" => Some(Self::Cluster { id }),
            "AWS::ElastiCache::ReplicationGroup" => Some(Self::ReplicationGroup { id }),
            _ => None,
        }
    }
}

/// An address to connect to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEndpoint {
    /// The physical id of the cluster or the replication group.
    pub cache: String,
    /// The shard of the node that answers here, such as `0002`, where the group spreads its keys over several.
    pub shard: Option<String>,
    /// `redis`, `valkey` or `memcached`.
    pub engine: String,
    pub host: String,
    pub port: u16,
    /// Whether connections are by TLS.
    pub is_encrypted: bool,
    /// Whether it wants a password.
    pub wants_password: bool,
}

/// One node of a group in shards.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    shard: String,
    /// The node as a cache cluster of its own, which knows its address.
    cluster: String,
    address: Option<(String, u16)>,
}

impl Aws {
    /// Where a cache is asked for its health: a cluster's only node, a group's primary, every node of a group in shards, of
    /// which each holds other keys, or the one address that a Memcached gives.
    ///
    /// # Errors
    /// Where ElastiCache does not know it, or it has no address yet.
    pub async fn cache_endpoints(&self, cache: &CacheResource) -> Result<Vec<CacheEndpoint>, Failure> {
        match cache {
            CacheResource::Cluster { id } => Ok(vec![self.cluster_endpoint(id).await?]),
            CacheResource::ReplicationGroup { id } => self.group_endpoints(id).await,
        }
    }

    /// Whether it can be saved: a Memcached cannot.
    pub(crate) async fn has_snapshots(&self, cache: &CacheResource) -> Result<bool, Failure> {
        const OPERATION: &str = "DescribeCacheClusters";
        let CacheResource::Cluster { id } = cache else {
            return Ok(true);
        };
        let call = self.elasticache().describe_cache_clusters().cache_cluster_id(id);
        let answer = call.send().await.map_err(failed(OPERATION, id))?;
        let cluster = answer.cache_clusters.unwrap_or_default().into_iter().next();
        let cluster = cluster.ok_or_else(|| Failure::not_found(OPERATION, id, "there is no such cache"))?;
        Ok(cluster.engine() != Some("memcached"))
    }

    async fn cluster_endpoint(&self, id: &str) -> Result<CacheEndpoint, Failure> {
        const OPERATION: &str = "DescribeCacheClusters";
        let answer = self
            .elasticache()
            .describe_cache_clusters()
            .cache_cluster_id(id)
            .show_cache_node_info(true)
            .send()
            .await
            .map_err(failed(OPERATION, id))?;
        let cluster = answer.cache_clusters.unwrap_or_default().into_iter().next();
        let cluster = cluster.ok_or_else(|| Failure::not_found(OPERATION, id, "there is no such cache"))?;
        let node = cluster.cache_nodes.unwrap_or_default().into_iter().next();
        let endpoint = cluster.configuration_endpoint.or(node.and_then(|node| node.endpoint));
        let (host, port) = address(endpoint).ok_or_else(|| Failure::incomplete(OPERATION, id, "an endpoint"))?;
        Ok(CacheEndpoint {
            cache: id.to_owned(),
            shard: None,
            engine: cluster.engine.unwrap_or_default(),
            host,
            port,
            is_encrypted: cluster.transit_encryption_enabled.unwrap_or(false),
            wants_password: cluster.auth_token_enabled.unwrap_or(false),
        })
    }

    async fn group_endpoints(&self, id: &str) -> Result<Vec<CacheEndpoint>, Failure> {
        const OPERATION: &str = "DescribeReplicationGroups";
        let answer = self
            .elasticache()
            .describe_replication_groups()
            .replication_group_id(id)
            .send()
            .await
            .map_err(failed(OPERATION, id))?;
        let group = answer.replication_groups.unwrap_or_default().into_iter().next();
        let group = group.ok_or_else(|| Failure::not_found(OPERATION, id, "there is no such cache"))?;
        let endpoint = |shard, (host, port)| CacheEndpoint {
            cache: id.to_owned(),
            shard,
            engine: group.engine().unwrap_or("redis").to_owned(),
            host,
            port,
            is_encrypted: group.transit_encryption_enabled.unwrap_or(false),
            wants_password: group.auth_token_enabled.unwrap_or(false) || !group.user_group_ids().is_empty(),
        };
        if !group.cluster_enabled.unwrap_or(false) {
            let first = group.node_groups().first();
            let primary = address(first.and_then(|first| first.primary_endpoint.clone()));
            let primary = primary.ok_or_else(|| Failure::incomplete(OPERATION, id, "a primary endpoint"))?;
            return Ok(vec![endpoint(None, primary)]);
        }
        let nodes = nodes(&group);
        if nodes.is_empty() {
            return Err(Failure::incomplete(OPERATION, id, "the nodes of its shards"));
        }
        let addressed = nodes.into_iter().map(async |node| match node.address {
            Some(address) => Ok((node.shard, address)),
            None => {
                let one = self.cluster_endpoint(&node.cluster).await?;
                Ok((node.shard, (one.host, one.port)))
            }
        });
        let addressed = try_join_all(addressed).await?;
        Ok(addressed
            .into_iter()
            .map(|(shard, address)| endpoint(Some(shard), address))
            .collect())
    }
}

/// Every node of every shard. ElastiCache describes the addresses here only for a group without shards
/// (API reference, `NodeGroupMember`); those of a shard's nodes are told by their own clusters.
fn nodes(group: &ReplicationGroup) -> Vec<Node> {
    let shards = group.node_groups().iter();
    shards
        .flat_map(|shard| {
            shard.node_group_members().iter().filter_map(|member| {
                Some(Node {
                    shard: shard.node_group_id.clone()?,
                    cluster: member.cache_cluster_id.clone()?,
                    address: address(member.read_endpoint.clone()),
                })
            })
        })
        .collect()
}

fn address(endpoint: Option<Endpoint>) -> Option<(String, u16)> {
    let endpoint = endpoint?;
    Some((endpoint.address?, u16::try_from(endpoint.port?).ok()?))
}
