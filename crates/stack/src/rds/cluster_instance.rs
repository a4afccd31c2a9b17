//! The instances of a cluster: one that writes, and those that read.

use std::time::Duration;

use cfn::{Builder, IntoValue, Value, id};

use super::engine::ClusterEngine;
use super::insights::Insights;
use super::parameter_group::ParameterGroup;
use crate::dependency::DependencyGroup;
use crate::ec2::InstanceType;
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::Role;
use crate::site::Site;
use crate::tree::Construct;
use crate::units::whole_seconds;

/// Which reader takes over first; the lowest does.
const TIERS: std::ops::RangeInclusive<u8> = 0..=15;
const WITH_WRITER: u8 = 1;
const ON_ITS_OWN: u8 = 2;

/// An instance that a cluster is to have.
pub struct ClusterInstance {
    site_id: String,
    class: String,
    is_serverless: bool,
    tier: u8,
    publicly_accessible: Option<bool>,
    insights: Insights,
    parameter_group: Option<ParameterGroup>,
    parameters: Vec<(String, String)>,
    properties: cfn::rds::DBInstance,
}

macro_rules! pass {
    ($($(#[$doc:meta])* $setter:ident($kind:ty) => $property:ident;)*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $setter(mut self, value: impl IntoValue<$kind>) -> Self {
            self.properties = self.properties.$property(value);
            self
        }
    )* };
}

impl ClusterInstance {
    fn new(id: impl Into<String>, class: String, is_serverless: bool) -> Self {
        Self {
            site_id: id.into(),
            class,
            is_serverless,
            tier: ON_ITS_OWN,
            publicly_accessible: None,
            insights: Insights::default(),
            parameter_group: None,
            parameters: Vec::new(),
            properties: cfn::rds::DBInstance::new(),
        }
    }

    /// A machine of a fixed size.
    pub fn provisioned(id: impl Into<String>, instance_type: &InstanceType) -> Self {
        Self::new(id, format!("db.{instance_type}"), false)
    }

    /// As much capacity as there is work, within the bounds of the cluster.
    pub fn serverless_v2(id: impl Into<String>) -> Self {
        Self::new(id, "db.serverless".to_owned(), true)
    }

    /// A serverless reader is as large as the writer at any time, and so may take over; it scales by itself if nothing
    /// is said.
    #[must_use]
    pub fn scale_with_writer(mut self, on: bool) -> Self {
        self.tier = if on { WITH_WRITER } else { ON_ITS_OWN };
        self
    }

    /// 0 to 15: who takes over first when the writer fails; the lowest number does. 2 if nothing is said.
    #[must_use]
    pub fn promotion_tier(mut self, tier: u8) -> Self {
        self.tier = tier;
        self
    }

    pass! {
        instance_identifier(String) => db_instance_identifier;
        auto_minor_version_upgrade(bool) => auto_minor_version_upgrade;
        allow_major_version_upgrade(bool) => allow_major_version_upgrade;
        availability_zone(String) => availability_zone;
        /// UTC, `sun:05:00-sun:06:00`.
        preferred_maintenance_window(String) => preferred_maintenance_window;
        ca_certificate(String) => ca_certificate_identifier;
        /// Changes do not wait for the maintenance window.
        apply_immediately(bool) => apply_immediately;
    }

    #[must_use]
    pub fn publicly_accessible(mut self, on: bool) -> Self {
        self.publicly_accessible = Some(on);
        self
    }

    #[must_use]
    pub fn performance_insights(mut self, on: bool) -> Self {
        self.insights.on = Some(on);
        self
    }

    /// Seven days if nothing is said.
    #[must_use]
    pub fn performance_insights_retention_days(mut self, days: u32) -> Self {
        self.insights.retention_days = Some(days);
        self
    }

    #[must_use]
    pub fn performance_insights_encryption_key(mut self, key: impl IntoValue<id::kms::AnyKey>) -> Self {
        self.insights.encryption_key = Some(key.into_value());
        self
    }

    #[must_use]
    pub fn parameter_group(mut self, group: &ParameterGroup) -> Self {
        self.parameter_group = Some(group.clone());
        self
    }

    /// A parameter of this instance, in a group that the cluster gets for it. Only one instance of a cluster can have
    /// parameters this way; others share a [`ParameterGroup`].
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Sets what is not offered here on the resource itself.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(cfn::rds::DBInstance) -> cfn::rds::DBInstance) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub(super) const fn is_serverless(&self) -> bool {
        self.is_serverless
    }

    /// Makes it. What is said here of the cluster is for all of its instances.
    pub(super) fn make(self, around: &Surroundings<'_>, is_writer: bool) -> Member {
        let construct = Site::new(around.cluster, self.site_id).make("rds.AuroraClusterInstance");
        let tier = if is_writer { 0 } else { self.tier };
        if !TIERS.contains(&tier) {
            construct.report(format!("the tier of a reader is from 0 to 15, not {tier}"));
        }
        self.insights.check(&construct);
        let group = if self.parameters.is_empty() {
            self.parameter_group
        } else {
            if self.parameter_group.is_some() {
                construct.report("parameters belong into the parameter group that was given");
            }
            let site = Site::new(around.cluster, "InstanceParameterGroup");
            Some(
                ParameterGroup::at(site, around.engine)
                    .parameters(self.parameters)
                    .build(),
            )
        };
        let properties = self
            .properties
            .engine(around.engine.0.name)
            .db_cluster_identifier(around.identifier.clone())
            .promotion_tier(tier)
            .db_instance_class(self.class)
            .when_some(
                self.publicly_accessible.or(around.publicly_accessible),
                cfn::rds::DBInstance::publicly_accessible,
            )
            .when_some(
                self.insights.enabled(),
                cfn::rds::DBInstance::enable_performance_insights,
            )
            .when_some(
                self.insights.retention(),
                cfn::rds::DBInstance::performance_insights_retention_period,
            )
            .when_some(
                self.insights.encryption_key,
                cfn::rds::DBInstance::performance_insights_kms_key_id,
            )
            .when_some(
                group.map(|group| group.for_instances()),
                cfn::rds::DBInstance::db_parameter_group_name,
            )
            .when_some(
                around.monitoring_interval.map(whole_seconds),
                cfn::rds::DBInstance::monitoring_interval,
            )
            .when_some(
                around.monitoring_role.map(Role::role_arn),
                cfn::rds::DBInstance::monitoring_role_arn,
            );
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(match around.removal_policy {
            RemovalPolicy::Retain => RemovalPolicy::Retain,
            _ => RemovalPolicy::Destroy,
        });
        for group in around.internet {
            crate::Scope::construct(&resource).add_dependency_on_group(group);
        }
        Member { construct, resource }
    }
}

/// What the instances of a cluster share.
pub(super) struct Surroundings<'a> {
    pub(super) cluster: &'a Construct,
    pub(super) engine: &'a ClusterEngine,
    pub(super) identifier: Value<id::rds::DBClusterIdentifier>,
    pub(super) publicly_accessible: Option<bool>,
    pub(super) monitoring_interval: Option<Duration>,
    pub(super) monitoring_role: Option<&'a Role>,
    pub(super) removal_policy: RemovalPolicy,
    /// What must exist before the subnets reach the internet.
    pub(super) internet: &'a [DependencyGroup],
}

/// An instance of a cluster that was made.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) construct: Construct,
    pub(super) resource: CfnResource<cfn::rds::DBInstance>,
}
