//! What is said about a database instance before it is made.
//!
//! Log groups of their own retention, rotation of passwords and proxies are not offered here: the CDK makes them with
//! functions of its own.

use std::time::Duration;

use cfn::rds::db_instance::ProcessorFeature;
use cfn::{Builder, IntoValue, id};

use super::insights::{DatabaseInsightsMode, Insights, directory_role, monitoring_role};
use super::instance::DatabaseInstance;
use super::instance_source::Standalone;
use super::option_group::OptionGroup;
use super::parameter_group::ParameterGroup;
use super::subnet_group::SubnetGroup;
use crate::ec2::{InstanceType, SecurityGroup, SubnetSelection, SubnetType, Vpc};
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::Role;
use crate::secretsmanager::Secret;
use crate::site::Site;
use crate::tree::Construct;
use crate::units::{Size, whole_days, whole_seconds};

const DEFAULT_INSTANCE_TYPE: &str = "m5.large";
const DEFAULT_PROVISIONED_IOPS: u32 = 1000;
/// MiB a second that GP3 storage gives for each operation a second, at most.
const MOST_THROUGHPUT_PER_IOPS: f64 = 0.25;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageType {
    Gp2,
    Gp3,
    Io1,
    Io2,
    Standard,
}

impl StorageType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Gp2 => "gp2",
            Self::Gp3 => "gp3",
            Self::Io1 => "io1",
            Self::Io2 => "io2",
            Self::Standard => "standard",
        }
    }

    /// What is rendered of what was said.
    fn iops(self, said: Option<u32>) -> Option<u32> {
        match self {
            Self::Gp2 | Self::Standard => None,
            Self::Gp3 => said,
            Self::Io1 | Self::Io2 => said.or(Some(DEFAULT_PROVISIONED_IOPS)),
        }
    }
}

/// Options of an instance; `K` is what it is made from.
#[must_use = "nothing is made until `build`"]
pub struct DatabaseInstanceBuilder<K = Standalone> {
    pub(super) site: Site,
    vpc: Vpc,
    pub(super) properties: cfn::rds::DBInstance,
    subnets: Option<SubnetSelection>,
    subnet_group: Option<SubnetGroup>,
    security_groups: Vec<SecurityGroup>,
    instance_type: Option<InstanceType>,
    storage_type: StorageType,
    iops: Option<u32>,
    storage_throughput: Option<u32>,
    multi_az: Option<bool>,
    deletion_protection: Option<bool>,
    removal_policy: Option<RemovalPolicy>,
    monitoring_interval: Option<Duration>,
    monitoring_role: Option<Role>,
    insights: Insights,
    pub(super) parameter_group: Option<ParameterGroup>,
    pub(super) option_group: Option<OptionGroup>,
    pub(super) domain: Option<(String, Option<Role>)>,
    pub(super) kind: K,
}

macro_rules! pass {
    ($($(#[$doc:meta])* $setter:ident($kind:ty) => $property:ident;)*) => { $(
        $(#[$doc])*
        pub fn $setter(mut self, value: impl IntoValue<$kind>) -> Self {
            self.properties = self.properties.$property(value);
            self
        }
    )* };
}

impl<K> DatabaseInstanceBuilder<K> {
    pub(super) fn at(site: Site, vpc: &Vpc, kind: K) -> Self {
        Self {
            site,
            vpc: vpc.clone(),
            properties: cfn::rds::DBInstance::new(),
            subnets: None,
            subnet_group: None,
            security_groups: Vec::new(),
            instance_type: None,
            storage_type: StorageType::Gp2,
            iops: None,
            storage_throughput: None,
            multi_az: None,
            deletion_protection: None,
            removal_policy: None,
            monitoring_interval: None,
            monitoring_role: None,
            insights: Insights::default(),
            parameter_group: None,
            option_group: None,
            domain: None,
            kind,
        }
    }

    pass! {
        instance_identifier(String) => db_instance_identifier;
        auto_minor_version_upgrade(bool) => auto_minor_version_upgrade;
        /// UTC, `hh:mm-hh:mm`.
        preferred_backup_window(String) => preferred_backup_window;
        /// UTC, `sun:05:00-sun:06:00`.
        preferred_maintenance_window(String) => preferred_maintenance_window;
        iam_authentication(bool) => enable_iam_database_authentication;
        /// Not together with a standby in another zone.
        availability_zone(String) => availability_zone;
        ca_certificate(String) => ca_certificate_identifier;
        /// `IPV4` or `DUAL`.
        network_type(String) => network_type;
        delete_automated_backups(bool) => delete_automated_backups;
        /// Changes do not wait for the maintenance window.
        apply_immediately(bool) => apply_immediately;
        /// `open-source-rds-extended-support` or `open-source-rds-extended-support-disabled`; of MySQL and PostgreSQL.
        engine_lifecycle_support(String) => engine_lifecycle_support;
    }

    /// `m5.large` if nothing is said.
    pub fn instance_type(mut self, instance_type: InstanceType) -> Self {
        self.instance_type = Some(instance_type);
        self
    }

    /// The subnets with a way out if nothing is said.
    pub fn vpc_subnets(mut self, subnets: SubnetSelection) -> Self {
        self.subnets = Some(subnets);
        self
    }

    /// This instead of a group of its own.
    pub fn subnet_group(mut self, group: &SubnetGroup) -> Self {
        self.subnet_group = Some(group.clone());
        self
    }

    /// These instead of a security group of its own.
    pub fn security_groups(mut self, groups: impl IntoIterator<Item = SecurityGroup>) -> Self {
        self.security_groups.extend(groups);
        self
    }

    /// A standby in another availability zone.
    pub fn multi_az(mut self, on: bool) -> Self {
        self.multi_az = Some(on);
        self
    }

    /// Whole GiB; 100 if nothing is said, and as much as its source for a replica.
    pub fn allocated_storage(mut self, size: Size) -> Self {
        self.properties = self.properties.allocated_storage(size.to_gibibytes().to_string());
        self
    }

    /// Grows up to this on its own.
    pub fn max_allocated_storage(mut self, size: Size) -> Self {
        self.properties = self.properties.max_allocated_storage(size.to_gibibytes());
        self
    }

    pub fn storage_type(mut self, storage_type: StorageType) -> Self {
        self.storage_type = storage_type;
        self
    }

    /// Operations a second; of GP3 storage and of provisioned storage, which has 1000 if nothing is said.
    pub fn iops(mut self, count: u32) -> Self {
        self.iops = Some(count);
        self
    }

    /// MiB a second; of GP3 storage only.
    pub fn storage_throughput(mut self, mebibytes: u32) -> Self {
        self.storage_throughput = Some(mebibytes);
        self
    }

    pub fn storage_encrypted(mut self, on: bool) -> Self {
        self.properties = self.properties.storage_encrypted(on);
        self
    }

    pub fn storage_encryption_key(mut self, key: impl IntoValue<id::kms::AnyKey>) -> Self {
        self.properties = self.properties.kms_key_id(key).storage_encrypted(true);
        self
    }

    /// Whole days; 0 turns backups off.
    pub fn backup_retention(mut self, retention: Duration) -> Self {
        self.properties = self
            .properties
            .backup_retention_period(i64::try_from(whole_days(retention)).unwrap_or(i64::MAX));
        self
    }

    /// On for what is kept when it leaves the stack, if nothing is said.
    pub fn deletion_protection(mut self, on: bool) -> Self {
        self.deletion_protection = Some(on);
        self
    }

    /// A last snapshot if nothing is said.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = Some(policy);
        self
    }

    /// The port, if not the engine's own.
    pub fn port(mut self, port: u16) -> Self {
        self.properties = self.properties.port(port.to_string());
        self
    }

    pub fn copy_tags_to_snapshot(mut self, on: bool) -> Self {
        self.properties = self.properties.copy_tags_to_snapshot(on);
        self
    }

    pub fn publicly_accessible(mut self, on: bool) -> Self {
        self.properties = self.properties.publicly_accessible(on);
        self
    }

    /// How often the operating system is measured: every 1, 5, 10, 15, 30 or 60 seconds.
    pub fn monitoring_interval(mut self, interval: Duration) -> Self {
        self.monitoring_interval = Some(interval);
        self
    }

    /// This instead of a role of its own for [`DatabaseInstanceBuilder::monitoring_interval`].
    pub fn monitoring_role(mut self, role: &Role) -> Self {
        self.monitoring_role = Some(role.clone());
        self
    }

    pub fn performance_insights(mut self, on: bool) -> Self {
        self.insights.on = Some(on);
        self
    }

    /// Seven days if nothing is said.
    pub fn performance_insights_retention_days(mut self, days: u32) -> Self {
        self.insights.retention_days = Some(days);
        self
    }

    pub fn performance_insights_encryption_key(mut self, key: impl IntoValue<id::kms::AnyKey>) -> Self {
        self.insights.encryption_key = Some(key.into_value());
        self
    }

    pub fn database_insights_mode(mut self, mode: DatabaseInsightsMode) -> Self {
        self.insights.mode = Some(mode);
        self
    }

    /// Logs that go to CloudWatch: `postgresql`, `upgrade`.
    pub fn cloudwatch_logs_exports(mut self, logs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let logs: Vec<String> = logs.into_iter().map(Into::into).collect();
        self.properties = self.properties.enable_cloudwatch_logs_exports(logs);
        self
    }

    pub fn parameter_group(mut self, group: &ParameterGroup) -> Self {
        self.parameter_group = Some(group.clone());
        self
    }

    pub fn option_group(mut self, group: &OptionGroup) -> Self {
        self.option_group = Some(group.clone());
        self
    }

    /// The directory in which users are looked up, by id, with a role of its own for it.
    pub fn domain(mut self, directory: impl Into<String>) -> Self {
        self.domain = Some((directory.into(), None));
        self
    }

    /// As [`DatabaseInstanceBuilder::domain`], with this role.
    pub fn domain_with_role(mut self, directory: impl Into<String>, role: &Role) -> Self {
        self.domain = Some((directory.into(), Some(role.clone())));
        self
    }

    /// How many cores of the machine are used, and how many threads of each.
    pub fn processor_features(mut self, core_count: u32, threads_per_core: u32) -> Self {
        let feature = |name: &str, value: u32| ProcessorFeature::new().name(name).value(value.to_string());
        self.properties = self.properties.processor_features([
            feature("coreCount", core_count),
            feature("threadsPerCore", threads_per_core),
        ]);
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::rds::DBInstance) -> cfn::rds::DBInstance) -> Self {
        self.properties = change(self.properties);
        self
    }

    fn is_set(&mut self, key: &str) -> bool {
        self.properties.properties_mut().get(key).is_some()
    }

    /// Makes what every instance has around it, and renders what every instance says.
    pub(super) fn prepare(&mut self, construct: &Construct, id: &str) -> Vec<SecurityGroup> {
        self.check(construct);
        let subnet_group = self.subnet_group.clone().unwrap_or_else(|| {
            let description = format!("Subnet group for {id} database");
            let mut group = SubnetGroup::new(construct, "SubnetGroup", &self.vpc, description);
            if let Some(subnets) = &self.subnets {
                group = group.vpc_subnets(subnets.clone());
            }
            if self.removal_policy == Some(RemovalPolicy::Retain) {
                group = group.removal_policy(RemovalPolicy::Retain);
            }
            group.build()
        });
        let security_groups = if self.security_groups.is_empty() {
            let group = SecurityGroup::new(construct, "SecurityGroup", &self.vpc)
                .description(format!("Security group for {id} database"));
            vec![group.build()]
        } else {
            self.security_groups.clone()
        };
        let monitoring = monitoring_role(construct, self.monitoring_interval, self.monitoring_role.as_ref());
        let (is_copying, is_placed) = (self.is_set("CopyTagsToSnapshot"), self.is_set("PubliclyAccessible"));
        let mut properties = std::mem::replace(&mut self.properties, cfn::rds::DBInstance::new());
        if let Some((directory, role)) = &self.domain {
            let role = directory_role(construct, "RDSDirectoryServiceRole", role.as_ref());
            properties = properties.domain(directory).domain_iam_role_name(role.role_name());
        }
        if !is_copying {
            properties = properties.copy_tags_to_snapshot(true);
        }
        if let Some(subnets) = self.subnets.as_ref().filter(|_| !is_placed) {
            properties = properties.publicly_accessible(subnets.subnet_type == Some(SubnetType::Public));
        }
        let protection = self
            .deletion_protection
            .or((self.removal_policy == Some(RemovalPolicy::Retain)).then_some(true));
        let instance_type = self.instance_type.as_ref().map(ToString::to_string);
        let instance_type = instance_type.as_deref().unwrap_or(DEFAULT_INSTANCE_TYPE);
        let parameter_group = self.parameter_group.as_ref().map(ParameterGroup::for_instances);
        self.properties = properties
            .db_instance_class(format!("db.{instance_type}"))
            .db_subnet_group_name(subnet_group.subnet_group_name())
            .storage_type(self.storage_type.as_str())
            .vpc_security_groups(SecurityGroup::ids(&security_groups))
            .when_some(self.multi_az, cfn::rds::DBInstance::multi_az)
            .when_some(protection, cfn::rds::DBInstance::deletion_protection)
            .when_some(self.storage_type.iops(self.iops), cfn::rds::DBInstance::iops)
            .when_some(self.storage_throughput, cfn::rds::DBInstance::storage_throughput)
            .when_some(
                self.monitoring_interval.map(whole_seconds),
                cfn::rds::DBInstance::monitoring_interval,
            )
            .when_some(
                monitoring.map(|role| role.role_arn()),
                cfn::rds::DBInstance::monitoring_role_arn,
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
                self.insights.encryption_key.as_ref(),
                cfn::rds::DBInstance::performance_insights_kms_key_id,
            )
            .when_some(
                self.insights.mode.map(DatabaseInsightsMode::as_str),
                cfn::rds::DBInstance::database_insights_mode,
            )
            .when_some(parameter_group, cfn::rds::DBInstance::db_parameter_group_name)
            .when_some(
                self.option_group.as_ref().map(OptionGroup::option_group_name),
                cfn::rds::DBInstance::option_group_name,
            );
        security_groups
    }

    fn check(&mut self, construct: &Construct) {
        if self.multi_az == Some(true) && self.is_set("AvailabilityZone") {
            construct.report("an instance with a standby stands in two zones: leave the availability zone to RDS");
        }
        if let Some(throughput) = self.storage_throughput {
            if self.storage_type != StorageType::Gp3 {
                construct.report("only GP3 storage takes a throughput; set `storage_type(StorageType::Gp3)`");
            } else if let Some(iops) = self.iops
                && f64::from(throughput) / f64::from(iops) > MOST_THROUGHPUT_PER_IOPS
            {
                construct.report(format!(
                    "{throughput} MiB a second need {} operations a second at least, not {iops}",
                    u64::from(throughput) * 4
                ));
            }
        }
        self.insights.check(construct);
    }

    pub(super) fn finish(self, construct: Construct, security_groups: Vec<SecurityGroup>) -> DatabaseInstance {
        let resource = CfnResource::new(&construct, "Resource", self.properties);
        resource.apply_removal_policy(self.removal_policy.unwrap_or(RemovalPolicy::Snapshot));
        DatabaseInstance {
            no_secret: Secret::nowhere(&construct),
            resource_id: resource.dbi_resource_id(),
            construct,
            resource,
            security_groups,
            secret: None,
        }
    }
}
