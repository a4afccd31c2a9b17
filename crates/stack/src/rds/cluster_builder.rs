//! What is said about a cluster of Aurora before it is made.
//!
//! Rotation of passwords, proxies, and log groups of their own retention are not offered here: the CDK makes them with
//! functions of its own.

use std::time::Duration;

use cfn::rds::db_cluster::{DBClusterRole, MasterUserSecret, ServerlessV2ScalingConfiguration};
use cfn::{Builder, Expr, IntoValue, Value, id};

use super::bucket_access::{BucketAccess, BucketRoles};
use super::cluster::DatabaseCluster;
use super::cluster_instance::{ClusterInstance, Surroundings};
use super::credentials::{Credentials, Login};
use super::engine::{ClusterEngine, ParameterFamily};
use super::insights::{DatabaseInsightsMode, Insights, directory_role, monitoring_role};
use super::parameter_group::ParameterGroup;
use super::subnet_group::SubnetGroup;
use crate::dependency::DependencyGroup;
use crate::ec2::{SecurityGroup, SubnetSelection, SubnetType, Vpc};
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::Role;
use crate::s3::Bucket;
use crate::secretsmanager::Secret;
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::{whole_days, whole_seconds};

/// Units of serverless capacity, of 2 GiB memory each, in steps of a half.
const DEFAULT_CAPACITY: (f64, f64) = (0.5, 2.0);
const MOST_CAPACITY: f64 = 256.0;
/// Aurora pauses after five minutes at the soonest and a day at the latest.
const AUTO_PAUSE: std::ops::RangeInclusive<u64> = 300..=86_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterStorageType {
    Aurora,
    /// Reading and writing cost nothing beside the storage.
    AuroraIoOptimized,
}

#[must_use = "nothing is made until `build`"]
pub struct DatabaseClusterBuilder {
    site: Site,
    engine: ClusterEngine,
    writer: ClusterInstance,
    readers: Vec<ClusterInstance>,
    vpc: Vpc,
    properties: cfn::rds::DBCluster,
    snapshot: Option<Value<String>>,
    replicates: bool,
    credentials: Option<Credentials>,
    subnets: Option<SubnetSelection>,
    subnet_group: Option<SubnetGroup>,
    security_groups: Vec<SecurityGroup>,
    parameter_group: Option<ParameterGroup>,
    parameters: Vec<(String, String)>,
    capacity: (f64, f64),
    auto_pause: Option<Duration>,
    removal_policy: Option<RemovalPolicy>,
    deletion_protection: Option<bool>,
    monitoring_interval: Option<Duration>,
    monitoring_role: Option<Role>,
    cluster_level_monitoring: bool,
    insights: Insights,
    domain: Option<(String, Option<Role>)>,
    buckets: BucketAccess,
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

impl DatabaseClusterBuilder {
    pass! {
        cluster_identifier(String) => db_cluster_identifier;
        /// The name of the first database.
        default_database_name(String) => database_name;
        /// UTC, `hh:mm-hh:mm`.
        preferred_backup_window(String) => preferred_backup_window;
        /// UTC, `sun:05:00-sun:06:00`.
        preferred_maintenance_window(String) => preferred_maintenance_window;
        iam_authentication(bool) => enable_iam_database_authentication;
        /// Queries over HTTPS.
        enable_data_api(bool) => enable_http_endpoint;
        /// Readers pass writes on to the writer.
        enable_local_write_forwarding(bool) => enable_local_write_forwarding;
        /// `IPV4` or `DUAL`.
        network_type(String) => network_type;
        auto_minor_version_upgrade(bool) => auto_minor_version_upgrade;
        delete_automated_backups(bool) => delete_automated_backups;
        /// `open-source-rds-extended-support` or `open-source-rds-extended-support-disabled`.
        engine_lifecycle_support(String) => engine_lifecycle_support;
    }

    pub fn reader(mut self, reader: ClusterInstance) -> Self {
        self.readers.push(reader);
        self
    }

    /// The first user; the engine's usual one with a generated password if nothing is said. Of a cluster from a snapshot:
    /// its new password; it keeps the one it had if nothing is said.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Follows this cluster or instance, by ARN, whose users it has.
    pub fn replication_source(mut self, arn: impl IntoValue<String>) -> Self {
        self.properties = self.properties.replication_source_identifier(arn);
        self.replicates = true;
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

    /// The engine's default group if nothing is said.
    pub fn parameter_group(mut self, group: &ParameterGroup) -> Self {
        self.parameter_group = Some(group.clone());
        self
    }

    /// A parameter of the cluster, in a parameter group of its own.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Bounds of the serverless instances, in units of 2 GiB memory and steps of a half: from 0 to 256, and from a half to
    /// 2 if nothing is said.
    pub fn serverless_v2_capacity(mut self, minimum: f64, maximum: f64) -> Self {
        self.capacity = (minimum, maximum);
        self
    }

    /// A serverless cluster without a connection stops after this long, five minutes to a day. Its minimum is 0.
    pub fn serverless_v2_auto_pause(mut self, idle: Duration) -> Self {
        self.auto_pause = Some(idle);
        self
    }

    /// The engine's own if nothing is said.
    pub fn port(mut self, port: u16) -> Self {
        self.properties = self.properties.port(port);
        self
    }

    pub fn storage_type(mut self, storage_type: ClusterStorageType) -> Self {
        self.properties = self.properties.storage_type(match storage_type {
            ClusterStorageType::Aurora => "aurora",
            ClusterStorageType::AuroraIoOptimized => "aurora-iopt1",
        });
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

    /// Whole days.
    pub fn backup_retention(mut self, retention: Duration) -> Self {
        self.properties = self
            .properties
            .backup_retention_period(i64::try_from(whole_days(retention)).unwrap_or(i64::MAX));
        self
    }

    /// How far a cluster of MySQL can be turned back in place.
    pub fn backtrack_window(mut self, window: Duration) -> Self {
        self.properties = self.properties.backtrack_window(whole_seconds(window));
        self
    }

    /// They are if nothing is said.
    pub fn copy_tags_to_snapshot(mut self, on: bool) -> Self {
        self.properties = self.properties.copy_tags_to_snapshot(on);
        self
    }

    /// Logs that go to CloudWatch: `postgresql`, `audit`.
    pub fn cloudwatch_logs_exports(mut self, logs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let logs: Vec<String> = logs.into_iter().map(Into::into).collect();
        self.properties = self.properties.enable_cloudwatch_logs_exports(logs);
        self
    }

    /// On for what is kept when it leaves the stack, if nothing is said.
    pub fn deletion_protection(mut self, on: bool) -> Self {
        self.deletion_protection = Some(on);
        self
    }

    /// A last snapshot if nothing is said. Instances hold no data: they are kept where the cluster is, else deleted.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = Some(policy);
        self
    }

    /// How often the operating system of each instance is measured: every 1, 5, 10, 15, 30 or 60 seconds.
    pub fn monitoring_interval(mut self, interval: Duration) -> Self {
        self.monitoring_interval = Some(interval);
        self
    }

    /// This instead of a role of its own for [`DatabaseClusterBuilder::monitoring_interval`].
    pub fn monitoring_role(mut self, role: &Role) -> Self {
        self.monitoring_role = Some(role.clone());
        self
    }

    /// Measures by the cluster instead of by the instance.
    pub fn cluster_level_enhanced_monitoring(mut self) -> Self {
        self.cluster_level_monitoring = true;
        self
    }

    /// Of the cluster; instances have their own setting.
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

    /// The directory in which users are looked up, by id, with a role of its own for it.
    pub fn domain(mut self, directory: impl Into<String>) -> Self {
        self.domain = Some((directory.into(), None));
        self
    }

    /// As [`DatabaseClusterBuilder::domain`], with this role.
    pub fn domain_with_role(mut self, directory: impl Into<String>, role: &Role) -> Self {
        self.domain = Some((directory.into(), Some(role.clone())));
        self
    }

    /// A bucket that data may be loaded from.
    pub fn s3_import(mut self, bucket: &Bucket) -> Self {
        self.buckets.import(bucket);
        self
    }

    /// A bucket that data may be unloaded to.
    pub fn s3_export(mut self, bucket: &Bucket) -> Self {
        self.buckets.export(bucket);
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::rds::DBCluster) -> cfn::rds::DBCluster) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(mut self) -> DatabaseCluster {
        let id = self.site.id().to_owned();
        let construct = self.site.clone().make("rds.DatabaseCluster");
        self.check(&construct);
        let subnets = self
            .vpc
            .select_subnets(self.subnets.as_ref().unwrap_or(&SubnetSelection::preferred()));
        if subnets.len() < 2 {
            construct.report(format!(
                "a cluster needs two subnets at least, and there are {}",
                subnets.len()
            ));
        }
        let internet: Vec<DependencyGroup> = subnets
            .iter()
            .map(|subnet| subnet.internet_connectivity().clone())
            .collect();
        let subnet_group = self
            .subnet_group
            .take()
            .unwrap_or_else(|| self.make_subnet_group(&construct, &id));
        let security_groups = if self.security_groups.is_empty() {
            let group = SecurityGroup::new(&construct, "SecurityGroup", &self.vpc).description("RDS security group");
            vec![group.build()]
        } else {
            self.security_groups.clone()
        };
        let monitoring = monitoring_role(&construct, self.monitoring_interval, self.monitoring_role.as_ref());
        let roles = self.buckets.roles(&construct, self.takes_one_role());
        let parameter_group = self.parameters_of(&construct, &roles);
        let login = self.log_in(&construct);
        let properties = self.properties(&construct, monitoring.as_ref(), &roles);
        let properties = with_login(properties, &login, self.snapshot.as_ref(), self.replicates)
            .db_subnet_group_name(subnet_group.subnet_group_name())
            .vpc_security_group_ids(SecurityGroup::ids(&security_groups))
            .db_cluster_parameter_group_name(parameter_group);
        let resource = CfnResource::new(&construct, "Resource", properties);
        let removal_policy = self.removal_policy.unwrap_or(RemovalPolicy::Snapshot);
        resource.apply_removal_policy(removal_policy);
        let secret = if let Some(key) = login.managed {
            let arn = resource.master_user_secret_secret_arn();
            Some(Secret::from_arn(&construct, "ManagedSecret", arn).with_key(key))
        } else {
            let attach = |secret: Secret| secret.attach(resource.handle(), "AWS::RDS::DBCluster");
            let secret = login.secret.map(attach);
            // Without a feature flag the CDK makes a secret for a cluster from a snapshot, although nothing uses it.
            let unused = self.snapshot.is_some().then(|| {
                let login = Login::make(&construct, "Secret", &self.engine.0, None);
                login.secret.map(attach)
            });
            secret.or(unused.flatten())
        };
        let instances_monitored = !self.cluster_level_monitoring;
        let around = Surroundings {
            cluster: &construct,
            engine: &self.engine,
            identifier: resource.reference(),
            publicly_accessible: self
                .subnets
                .as_ref()
                .map(|subnets| subnets.subnet_type == Some(SubnetType::Public)),
            monitoring_interval: self.monitoring_interval.filter(|_| instances_monitored),
            monitoring_role: monitoring.as_ref().filter(|_| instances_monitored),
            removal_policy,
            internet: &internet,
        };
        let writer = self.writer.make(&around, true);
        let mut members = vec![writer.clone()];
        for reader in self.readers {
            let reader = reader.make(&around, false);
            reader.construct.add_dependency(&writer.construct);
            members.push(reader);
        }
        DatabaseCluster {
            no_secret: Secret::nowhere(&construct),
            construct,
            resource,
            security_groups,
            secret,
            members,
        }
    }

    fn check(&self, construct: &Construct) {
        self.insights.check(construct);
        let (minimum, maximum) = self.capacity;
        let in_steps = |capacity: f64| (capacity * 2.0).fract() == 0.0;
        if !(in_steps(minimum) && in_steps(maximum)) {
            construct.report(format!(
                "serverless capacity comes in steps of a half, unlike {minimum} to {maximum}"
            ));
        }
        if !(0.0..=MOST_CAPACITY).contains(&minimum) || !(1.0..=MOST_CAPACITY).contains(&maximum) || maximum < minimum {
            construct.report(format!(
                "serverless capacity is from 0 up to between 1 and {MOST_CAPACITY} units, unlike {minimum} to {maximum}"
            ));
        }
        if self
            .auto_pause
            .is_some_and(|idle| !AUTO_PAUSE.contains(&idle.as_secs()))
        {
            construct.report("a serverless cluster pauses after five minutes at the soonest and a day at the latest");
        }
        if self.parameter_group.is_some() && !self.parameters.is_empty() {
            construct.report("parameters belong into the parameter group that was given");
        }
        if self.cluster_level_monitoring && self.monitoring_interval.is_none() {
            construct.report("measuring by the cluster needs `monitoring_interval`");
        }
        if self.replicates && self.credentials.is_some() {
            construct.report("a cluster that follows another has its users, and takes no credentials");
        }
    }

    /// Since its version 3, Aurora MySQL takes one role for loading and unloading.
    fn takes_one_role(&self) -> bool {
        self.engine.is_mysql() && self.engine.0.major_version() != "5.7"
    }

    fn make_subnet_group(&self, construct: &Construct, id: &str) -> SubnetGroup {
        let description = format!("Subnets for {id} database");
        let mut group = SubnetGroup::new(construct, "Subnets", &self.vpc, description);
        if let Some(subnets) = &self.subnets {
            group = group.vpc_subnets(subnets.clone());
        }
        if self.removal_policy == Some(RemovalPolicy::Retain) {
            group = group.removal_policy(RemovalPolicy::Retain);
        }
        group.build()
    }

    /// The parameter group: one that was given, one for what was said, one for the roles that MySQL reads as parameters,
    /// or the engine's default.
    fn parameters_of(
        &mut self,
        construct: &Construct,
        roles: &BucketRoles,
    ) -> Value<id::rds::DBClusterParameterGroupName> {
        let through_parameters = self.engine.is_mysql() && !roles.is_empty();
        let own = |id: &str| ParameterGroup::new(construct, id, &self.engine);
        let group = if let Some(group) = &self.parameter_group {
            group.clone()
        } else if !self.parameters.is_empty() {
            own("ParameterGroup")
                .parameters(std::mem::take(&mut self.parameters))
                .build()
        } else if through_parameters {
            own("ClusterParameterGroup").build()
        } else {
            ParameterGroup::named(format!("default.{}", self.engine.parameter_group_family()))
        };
        if through_parameters {
            let (import, export) = if self.takes_one_role() {
                ("aws_default_s3_role", "aws_default_s3_role")
            } else {
                ("aurora_load_from_s3_role", "aurora_select_into_s3_role")
            };
            for (parameter, role) in [(import, &roles.import), (export, &roles.export)] {
                if let Some(role) = role {
                    group.add_parameter(parameter, role.role_arn());
                }
            }
        }
        group.for_clusters()
    }

    fn log_in(&self, construct: &Construct) -> Login {
        if self.snapshot.is_none() {
            return Login::make(construct, "Secret", &self.engine.0, self.credentials.as_ref());
        }
        match &self.credentials {
            Some(credentials) => Login::make(construct, "SnapshotSecret", &self.engine.0, Some(credentials)),
            None => Login::default(),
        }
    }

    fn properties(
        &mut self,
        construct: &Construct,
        monitoring: Option<&Role>,
        roles: &BucketRoles,
    ) -> cfn::rds::DBCluster {
        let is_serverless = self.writer.is_serverless() || self.readers.iter().any(ClusterInstance::is_serverless);
        let mut properties = std::mem::replace(&mut self.properties, cfn::rds::DBCluster::new());
        let is_set = |properties: &mut cfn::rds::DBCluster, key: &str| properties.properties_mut().get(key).is_some();
        if !is_set(&mut properties, "CopyTagsToSnapshot") {
            properties = properties.copy_tags_to_snapshot(true);
        }
        if !is_set(&mut properties, "Port") {
            properties = properties.when_some(self.engine.default_port(), cfn::rds::DBCluster::port);
        }
        if is_serverless {
            let scaling = ServerlessV2ScalingConfiguration::new()
                .min_capacity(units(self.capacity.0))
                .max_capacity(units(self.capacity.1))
                .when_some(
                    self.auto_pause.map(whole_seconds),
                    ServerlessV2ScalingConfiguration::seconds_until_auto_pause,
                );
            properties = properties.serverless_v2_scaling_configuration(scaling);
        }
        if let Some((directory, role)) = &self.domain {
            let role = directory_role(construct, "RDSClusterDirectoryServiceRole", role.as_ref());
            properties = properties.domain(directory).domain_iam_role_name(role.role_name());
        }
        if !roles.is_empty() {
            let (import, export) = if self.engine.is_mysql() {
                (None, None)
            } else {
                (Some("s3Import"), Some("s3Export"))
            };
            let role = |(arn, feature)| {
                DBClusterRole::new()
                    .role_arn(arn)
                    .when_some(feature, DBClusterRole::feature_name)
            };
            let roles = roles.associations(import, export, false).into_iter().map(role);
            properties = properties.associated_roles(roles.collect::<Vec<_>>());
        }
        if self.cluster_level_monitoring {
            properties = properties
                .when_some(
                    self.monitoring_interval.map(whole_seconds),
                    cfn::rds::DBCluster::monitoring_interval,
                )
                .when_some(monitoring.map(Role::role_arn), cfn::rds::DBCluster::monitoring_role_arn);
        }
        let protection = self
            .deletion_protection
            .or((self.removal_policy == Some(RemovalPolicy::Retain)).then_some(true));
        properties
            .engine(self.engine.0.name)
            .engine_version(self.engine.0.full_version())
            .when_some(protection, cfn::rds::DBCluster::deletion_protection)
            .when_some(
                self.insights.enabled(),
                cfn::rds::DBCluster::performance_insights_enabled,
            )
            .when_some(
                self.insights.retention(),
                cfn::rds::DBCluster::performance_insights_retention_period,
            )
            .when_some(
                self.insights.encryption_key.clone(),
                cfn::rds::DBCluster::performance_insights_kms_key_id,
            )
            .when_some(
                self.insights.mode.map(DatabaseInsightsMode::as_str),
                cfn::rds::DBCluster::database_insights_mode,
            )
    }
}

/// Whole units without a fraction, as the CDK writes them.
fn units(capacity: f64) -> Value<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a whole number within the bounds that were checked"
    )]
    let whole = capacity as i64;
    Value::from_expr(if capacity.fract() == 0.0 {
        Expr::Integer(whole)
    } else {
        Expr::Float(capacity)
    })
}

fn with_login(
    properties: cfn::rds::DBCluster,
    login: &Login,
    snapshot: Option<&Value<String>>,
    replicates: bool,
) -> cfn::rds::DBCluster {
    let properties = properties.when_some(snapshot, cfn::rds::DBCluster::snapshot_identifier);
    if replicates {
        return properties;
    }
    let username = login.username.as_ref().filter(|_| snapshot.is_none());
    let properties = properties.when_some(username, cfn::rds::DBCluster::master_username);
    let Some(key) = &login.managed else {
        return properties.when_some(login.password.as_ref(), cfn::rds::DBCluster::master_user_password);
    };
    let key = key.as_ref().map(|key| MasterUserSecret::new().kms_key_id(key));
    properties
        .manage_master_user_password(true)
        .when_some(key, cfn::rds::DBCluster::master_user_secret)
}

impl DatabaseCluster {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        engine: ClusterEngine,
        writer: ClusterInstance,
        vpc: &Vpc,
    ) -> DatabaseClusterBuilder {
        DatabaseClusterBuilder {
            site: Site::new(scope, id),
            engine,
            writer,
            readers: Vec::new(),
            vpc: vpc.clone(),
            properties: cfn::rds::DBCluster::new(),
            snapshot: None,
            replicates: false,
            credentials: None,
            subnets: None,
            subnet_group: None,
            security_groups: Vec::new(),
            parameter_group: None,
            parameters: Vec::new(),
            capacity: DEFAULT_CAPACITY,
            auto_pause: None,
            removal_policy: None,
            deletion_protection: None,
            monitoring_interval: None,
            monitoring_role: None,
            cluster_level_monitoring: false,
            insights: Insights::default(),
            domain: None,
            buckets: BucketAccess::default(),
        }
    }

    /// A cluster that begins with what a snapshot holds, by name or ARN.
    #[track_caller]
    pub fn from_snapshot(
        scope: &impl Scope,
        id: impl Into<String>,
        engine: ClusterEngine,
        writer: ClusterInstance,
        vpc: &Vpc,
        snapshot: impl IntoValue<String>,
    ) -> DatabaseClusterBuilder {
        let mut builder = Self::new(scope, id, engine, writer, vpc);
        builder.snapshot = Some(snapshot.into_value());
        builder
    }
}
