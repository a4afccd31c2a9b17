//! Where the caches of a stack answer. What they answer is asked by whoever speaks their protocol.

use aws_sdk_elasticache::types::Endpoint;

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
    /// `redis`, `valkey` or `memcached`.
    pub engine: String,
    pub host: String,
    pub port: u16,
    /// Whether connections are by TLS.
    pub is_encrypted: bool,
    /// Whether it wants a password.
    pub wants_password: bool,
}

impl Aws {
    /// Where writes go: a cluster's only node, a group's primary, or the address that a group in several shards or a
    /// Memcached gives.
    ///
    /// # Errors
    /// Where ElastiCache does not know it, or it has no address yet.
    pub async fn cache_endpoint(&self, cache: &CacheResource) -> Result<CacheEndpoint, Failure> {
        match cache {
            CacheResource::Cluster { id } => self.cluster_endpoint(id).await,
            CacheResource::ReplicationGroup { id } => self.group_endpoint(id).await,
        }
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
            engine: cluster.engine.unwrap_or_default(),
            host,
            port,
            is_encrypted: cluster.transit_encryption_enabled.unwrap_or(false),
            wants_password: cluster.auth_token_enabled.unwrap_or(false),
        })
    }

    async fn group_endpoint(&self, id: &str) -> Result<CacheEndpoint, Failure> {
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
        let first = group.node_groups.unwrap_or_default().into_iter().next();
        let endpoint = group
            .configuration_endpoint
            .or(first.and_then(|first| first.primary_endpoint));
        let (host, port) = address(endpoint).ok_or_else(|| Failure::incomplete(OPERATION, id, "an endpoint"))?;
        Ok(CacheEndpoint {
            cache: id.to_owned(),
            engine: group.engine.unwrap_or_else(|| "redis".to_owned()),
            host,
            port,
            is_encrypted: group.transit_encryption_enabled.unwrap_or(false),
            wants_password: group.auth_token_enabled.unwrap_or(false),
        })
    }
}

fn address(endpoint: Option<Endpoint>) -> Option<(String, u16)> {
    let endpoint = endpoint?;
    Some((endpoint.address?, u16::try_from(endpoint.port?).ok()?))
}
