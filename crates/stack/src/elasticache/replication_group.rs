//! Several cache nodes: a primary with replicas, or shards of them.

use std::time::Duration;

use cfn::{IntoValue, Value};

use super::{CacheSubnetGroup, REDIS_PORT};
use crate::ec2::{Connectable, Connections, Port, SecurityGroup};
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::whole_days;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheEngine {
    Redis,
    Valkey,
}

/// A group of cache nodes that hold the same data.
#[derive(Clone)]
pub struct ReplicationGroup {
    resource: CfnResource<cfn::elasticache::ReplicationGroup>,
    security_groups: Vec<SecurityGroup>,
    port: u16,
}

impl Scope for ReplicationGroup {
    fn construct(&self) -> &Construct {
        self.resource.construct()
    }
}

/// The properties of a group of which all that AWS requires is set.
type Group = cfn::elasticache::ReplicationGroup<cfn::Set>;

#[must_use = "nothing is made until `build`"]
pub struct ReplicationGroupBuilder {
    site: Site,
    properties: Group,
    security_groups: Vec<SecurityGroup>,
    port: u16,
}

impl ReplicationGroupBuilder {
    /// `7.1`.
    pub fn engine_version(mut self, version: impl IntoValue<String>) -> Self {
        self.properties = self.properties.engine_version(version);
        self
    }

    /// One shard: a primary and `replicas` that follow it. With replicas, one takes over when the primary fails.
    pub fn replicas(mut self, replicas: u8) -> Self {
        let fails_over = replicas > 0;
        self.properties = self
            .properties
            .num_node_groups(1)
            .replicas_per_node_group(replicas)
            .automatic_failover_enabled(fails_over)
            .multi_az_enabled(fails_over);
        self
    }

    /// Several shards of a primary and `replicas` each.
    pub fn shards(mut self, shards: u16, replicas: u8) -> Self {
        self.properties = self
            .properties
            .num_node_groups(shards)
            .replicas_per_node_group(replicas)
            .automatic_failover_enabled(true)
            .multi_az_enabled(replicas > 0);
        self
    }

    pub fn at_rest_encryption(mut self, on: bool) -> Self {
        self.properties = self.properties.at_rest_encryption_enabled(on);
        self
    }

    /// TLS between clients and nodes.
    pub fn transit_encryption(mut self, on: bool) -> Self {
        self.properties = self.properties.transit_encryption_enabled(on);
        self
    }

    pub fn subnet_group(mut self, group: &CacheSubnetGroup) -> Self {
        self.properties = self.properties.cache_subnet_group_name(group.group_name());
        self
    }

    pub fn security_groups(mut self, groups: impl IntoIterator<Item = SecurityGroup>) -> Self {
        self.security_groups.extend(groups);
        self
    }

    /// Whole days; 0 turns snapshots off.
    pub fn snapshot_retention(mut self, retention: Duration) -> Self {
        self.properties = self
            .properties
            .snapshot_retention_limit(i64::try_from(whole_days(retention)).unwrap_or(i64::MAX));
        self
    }

    pub fn port(mut self, port: u16) -> Self {
        self.properties = self.properties.port(port);
        self.port = port;
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(Group) -> Group) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> ReplicationGroup {
        let mut properties = self.properties;
        if !self.security_groups.is_empty() {
            properties = properties.security_group_ids(SecurityGroup::ids(&self.security_groups));
        }
        let resource = self.site.element(properties);
        ReplicationGroup {
            resource,
            security_groups: self.security_groups,
            port: self.port,
        }
    }
}

impl ReplicationGroup {
    /// A primary with one replica that takes over, until something else is said. `node_type` is `cache.r6g.xlarge` or
    /// another.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        engine: CacheEngine,
        node_type: impl IntoValue<String>,
    ) -> ReplicationGroupBuilder {
        let site = Site::new(scope, id);
        let engine = match engine {
            CacheEngine::Redis => "redis",
            CacheEngine::Valkey => "valkey",
        };
        let properties = cfn::elasticache::ReplicationGroup::new()
            .replication_group_description(site.id())
            .cache_node_type(node_type)
            .engine(engine);
        ReplicationGroupBuilder {
            site,
            properties,
            security_groups: Vec::new(),
            port: REDIS_PORT,
        }
        .replicas(1)
    }

    /// Where to write; with one shard.
    pub fn primary_endpoint_address(&self) -> Value<String> {
        self.resource.primary_end_point_address()
    }

    pub fn primary_endpoint_port(&self) -> Value<String> {
        self.resource.primary_end_point_port()
    }

    /// Where to read; with one shard.
    pub fn reader_endpoint_address(&self) -> Value<String> {
        self.resource.reader_end_point_address()
    }

    pub fn resource(&self) -> &CfnResource<cfn::elasticache::ReplicationGroup> {
        &self.resource
    }
}

impl Connectable for ReplicationGroup {
    fn connections(&self) -> Connections {
        Connections::new(self.security_groups.iter().cloned()).with_default_port(Port::tcp(self.port))
    }
}
