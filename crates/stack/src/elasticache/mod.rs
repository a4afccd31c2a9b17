//! Caches.
//!
//! AWS refuses a cache cluster of the engine Redis with more than one node, so it cannot be written here: a
//! [`CacheCluster`] of Redis is one node, and several nodes are a [`ReplicationGroup`]. Memcached takes its number.

mod replication_group;

pub use replication_group::{CacheEngine, ReplicationGroup, ReplicationGroupBuilder};

use cfn::{IntoValue, Value, id};

use crate::ec2::{Connectable, Connections, Port, SecurityGroup, Subnet};
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

const REDIS_PORT: u16 = 6379;
const MEMCACHED_PORT: u16 = 11_211;

/// The subnets that a cache may stand in.
#[derive(Clone, Debug)]
pub struct CacheSubnetGroup {
    resource: CfnResource<cfn::elasticache::SubnetGroup>,
}

impl Scope for CacheSubnetGroup {
    fn construct(&self) -> &Construct {
        self.resource.construct()
    }
}

impl CacheSubnetGroup {
    #[track_caller]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        description: impl IntoValue<String>,
        subnets: &[Subnet],
    ) -> Self {
        let properties = cfn::elasticache::SubnetGroup::new()
            .description(description)
            .subnet_ids(subnets.iter().map(Subnet::subnet_id).collect::<Vec<_>>());
        Self {
            resource: CfnResource::new(scope, id, properties),
        }
    }

    pub fn group_name(&self) -> Value<id::elasticache::SubnetGroupCacheSubnetGroupName> {
        self.resource.reference()
    }

    pub fn resource(&self) -> &CfnResource<cfn::elasticache::SubnetGroup> {
        &self.resource
    }
}

/// One Redis node, or several of Memcached.
#[derive(Clone)]
pub struct CacheCluster {
    resource: CfnResource<cfn::elasticache::CacheCluster>,
    security_groups: Vec<SecurityGroup>,
    port: u16,
}

impl Scope for CacheCluster {
    fn construct(&self) -> &Construct {
        self.resource.construct()
    }
}

/// The properties of a cluster of which all that AWS requires is set.
type Cluster = cfn::elasticache::CacheCluster<cfn::Set, cfn::Set, cfn::Set>;

#[must_use = "nothing is made until `build`"]
pub struct CacheClusterBuilder {
    site: Site,
    properties: Cluster,
    security_groups: Vec<SecurityGroup>,
    port: u16,
}

impl CacheClusterBuilder {
    pub fn subnet_group(mut self, group: &CacheSubnetGroup) -> Self {
        self.properties = self.properties.cache_subnet_group_name(group.group_name());
        self
    }

    pub fn security_groups(mut self, groups: impl IntoIterator<Item = SecurityGroup>) -> Self {
        self.security_groups.extend(groups);
        self
    }

    pub fn engine_version(mut self, version: impl IntoValue<String>) -> Self {
        self.properties = self.properties.engine_version(version);
        self
    }

    pub fn cluster_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.cluster_name(name);
        self
    }

    pub fn port(mut self, port: u16) -> Self {
        self.properties = self.properties.port(port);
        self.port = port;
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(Cluster) -> Cluster) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> CacheCluster {
        let mut properties = self.properties;
        if !self.security_groups.is_empty() {
            properties = properties.vpc_security_group_ids(SecurityGroup::ids(&self.security_groups));
        }
        let resource = self.site.element(properties);
        CacheCluster {
            resource,
            security_groups: self.security_groups,
            port: self.port,
        }
    }
}

impl CacheCluster {
    /// A single Redis node, such as `cache.r6g.xlarge`.
    #[track_caller]
    pub fn redis(scope: &impl Scope, id: impl Into<String>, node_type: impl IntoValue<String>) -> CacheClusterBuilder {
        Self::builder(Site::new(scope, id), "redis", 1, node_type, REDIS_PORT)
    }

    #[track_caller]
    pub fn memcached(
        scope: &impl Scope,
        id: impl Into<String>,
        node_type: impl IntoValue<String>,
        nodes: u8,
    ) -> CacheClusterBuilder {
        Self::builder(Site::new(scope, id), "memcached", nodes, node_type, MEMCACHED_PORT)
    }

    fn builder(
        site: Site,
        engine: &str,
        nodes: u8,
        node_type: impl IntoValue<String>,
        port: u16,
    ) -> CacheClusterBuilder {
        let properties = cfn::elasticache::CacheCluster::new()
            .cache_node_type(node_type)
            .engine(engine)
            .num_cache_nodes(nodes);
        CacheClusterBuilder {
            site,
            properties,
            security_groups: Vec::new(),
            port,
        }
    }

    /// Of the Redis node.
    pub fn redis_endpoint_address(&self) -> Value<String> {
        self.resource.redis_endpoint_address()
    }

    pub fn redis_endpoint_port(&self) -> Value<String> {
        self.resource.redis_endpoint_port()
    }

    /// Of Memcached: where clients learn of all nodes.
    pub fn configuration_endpoint_address(&self) -> Value<String> {
        self.resource.configuration_endpoint_address()
    }

    pub fn resource(&self) -> &CfnResource<cfn::elasticache::CacheCluster> {
        &self.resource
    }
}

impl Connectable for CacheCluster {
    fn connections(&self) -> Connections {
        Connections::new(self.security_groups.iter().cloned()).with_default_port(Port::tcp(self.port))
    }
}
