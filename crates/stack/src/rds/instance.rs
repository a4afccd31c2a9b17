//! Database instances, with the secret that opens them.

use std::time::Duration;

use cfn::secretsmanager::secret::GenerateSecretString;
use cfn::{Builder, IntoValue, Value, id};
use serde_json::json;

use super::engine::{Credentials, Engine};
use crate::cloudwatch::Metric;
use crate::ec2::{
    Connectable, Connections, InstanceType, Port, SecurityGroup, Subnet, SubnetSelection, SubnetType, Vpc,
};
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{ManagedPolicy, Principal, Role};
use crate::logical_id::{last_characters, md5_hex};
use crate::secretsmanager::Secret;
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::{Size, whole_days, whole_seconds};

/// Characters that break connection strings or shells.
const EXCLUDED_CHARACTERS: &str = " %+~`#$&*()|[]{}:;<>?!'/@\"\\";
const PASSWORD_LENGTH: u32 = 30;
const DEFAULT_STORAGE_GIB: &str = "100";
const DEFAULT_INSTANCE_TYPE: &str = "m5.large";

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
}

#[derive(Clone)]
pub struct DatabaseInstance {
    construct: Construct,
    resource: CfnResource<cfn::rds::DBInstance>,
    security_groups: Vec<SecurityGroup>,
    secret: Secret,
}

impl Scope for DatabaseInstance {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct DatabaseInstanceBuilder {
    site: Site,
    engine: Engine,
    vpc: Vpc,
    properties: cfn::rds::DBInstance,
    subnets: SubnetSelection,
    security_groups: Vec<SecurityGroup>,
    instance_type: Option<InstanceType>,
    storage_type: StorageType,
    iops: Option<u32>,
    credentials: Option<Credentials>,
    multi_az: Option<bool>,
    deletion_protection: Option<bool>,
    removal_policy: Option<RemovalPolicy>,
    monitoring_interval: Option<Duration>,
    performance_insights: Option<bool>,
    performance_insights_retention_days: Option<u32>,
    parameters: Vec<(String, String)>,
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

impl DatabaseInstanceBuilder {
    pass! {
        /// The name of the first database.
        database_name(String) => db_name;
        instance_identifier(String) => db_instance_identifier;
        auto_minor_version_upgrade(bool) => auto_minor_version_upgrade;
        allow_major_version_upgrade(bool) => allow_major_version_upgrade;
        /// UTC, `hh:mm-hh:mm`.
        preferred_backup_window(String) => preferred_backup_window;
        /// UTC, `sun:05:00-sun:06:00`.
        preferred_maintenance_window(String) => preferred_maintenance_window;
        iam_authentication(bool) => enable_iam_database_authentication;
        availability_zone(String) => availability_zone;
        option_group(String) => option_group_name;
        license_model(String) => license_model;
        ca_certificate(String) => ca_certificate_identifier;
        /// `IPV4` or `DUAL`.
        network_type(String) => network_type;
        delete_automated_backups(bool) => delete_automated_backups;
    }

    /// `m5.large` if nothing is said.
    pub fn instance_type(mut self, instance_type: InstanceType) -> Self {
        self.instance_type = Some(instance_type);
        self
    }

    /// The subnets with a way out if nothing is said.
    pub fn vpc_subnets(mut self, subnets: SubnetSelection) -> Self {
        self.subnets = subnets;
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

    /// Whole GiB; 100 if nothing is said.
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

    pub fn iops(mut self, count: u32) -> Self {
        self.iops = Some(count);
        self
    }

    /// MiB a second; of GP3 storage only.
    pub fn storage_throughput(mut self, mebibytes: u32) -> Self {
        self.properties = self.properties.storage_throughput(mebibytes);
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

    /// The first user; the engine's usual one if nothing is said.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
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

    /// How often the operating system is measured.
    pub fn monitoring_interval(mut self, interval: Duration) -> Self {
        self.monitoring_interval = Some(interval);
        self
    }

    pub fn performance_insights(mut self, on: bool) -> Self {
        self.performance_insights = Some(on);
        self
    }

    /// Seven days if nothing is said.
    pub fn performance_insights_retention_days(mut self, days: u32) -> Self {
        self.performance_insights_retention_days = Some(days);
        self
    }

    /// Logs that go to CloudWatch: `postgresql`, `upgrade`.
    pub fn cloudwatch_logs_exports(mut self, logs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let logs: Vec<String> = logs.into_iter().map(Into::into).collect();
        self.properties = self.properties.enable_cloudwatch_logs_exports(logs);
        self
    }

    /// A parameter of the engine, in a parameter group of its own.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// A parameter group that exists already.
    pub fn parameter_group(mut self, name: impl IntoValue<id::rds::DBParameterGroupName>) -> Self {
        self.properties = self.properties.db_parameter_group_name(name);
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::rds::DBInstance) -> cfn::rds::DBInstance) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(mut self) -> DatabaseInstance {
        let id = self.site.id().to_owned();
        let construct = self.site.clone().make("rds.DatabaseInstance");
        let has = |properties: &mut cfn::rds::DBInstance, key: &str| properties.properties_mut().get(key).is_some();
        if self.multi_az == Some(true) && has(&mut self.properties, "AvailabilityZone") {
            construct.report("an instance in several availability zones cannot be asked to stand in one");
        }
        if has(&mut self.properties, "StorageThroughput") && self.storage_type != StorageType::Gp3 {
            construct.report("only GP3 storage has a throughput of its own");
        }
        let subnet_group = self.subnet_group(&construct, &id);
        let security_groups = if self.security_groups.is_empty() {
            let group = SecurityGroup::new(&construct, "SecurityGroup", &self.vpc);
            vec![group.description(format!("Security group for {id} database")).build()]
        } else {
            self.security_groups.clone()
        };
        let mut properties = std::mem::replace(&mut self.properties, cfn::rds::DBInstance::new());
        if let Some(interval) = self.monitoring_interval {
            let role = Role::new(
                &construct,
                "MonitoringRole",
                Principal::service("monitoring.rds.amazonaws.com"),
            )
            .managed_policy(ManagedPolicy::aws("service-role/AmazonRDSEnhancedMonitoringRole"))
            .build();
            properties = properties
                .monitoring_interval(whole_seconds(interval))
                .monitoring_role_arn(role.role_arn());
        }
        let insights = self
            .performance_insights
            .or(self.performance_insights_retention_days.map(|_| true));
        if let Some(on) = insights {
            properties = properties.enable_performance_insights(on);
            if on {
                properties = properties
                    .performance_insights_retention_period(self.performance_insights_retention_days.unwrap_or(7));
            }
        }
        let iops = self
            .iops
            .or(matches!(self.storage_type, StorageType::Io1 | StorageType::Io2).then_some(1000));
        let protection = self
            .deletion_protection
            .or((self.removal_policy == Some(RemovalPolicy::Retain)).then_some(true));
        if !has(&mut properties, "AllocatedStorage") {
            properties = properties.allocated_storage(DEFAULT_STORAGE_GIB);
        }
        if !has(&mut properties, "CopyTagsToSnapshot") {
            properties = properties.copy_tags_to_snapshot(true);
        }
        let chosen = self.subnets.subnet_type.is_some() || self.subnets.group_name.is_some();
        if !has(&mut properties, "PubliclyAccessible") && chosen {
            properties = properties.publicly_accessible(self.subnets.subnet_type == Some(SubnetType::Public));
        }
        if !self.parameters.is_empty() {
            properties = properties.db_parameter_group_name(self.make_parameter_group(&construct).handle());
        }
        let instance_type = self
            .instance_type
            .as_ref()
            .map_or_else(|| DEFAULT_INSTANCE_TYPE.to_owned(), ToString::to_string);
        let secret = self.make_secret(&construct);
        let properties = properties
            .db_instance_class(format!("db.{instance_type}"))
            .db_subnet_group_name(subnet_group.handle())
            .engine(self.engine.name)
            .engine_version(self.engine.version.0.as_str())
            .storage_type(self.storage_type.as_str())
            .vpc_security_groups(SecurityGroup::ids(&security_groups))
            .master_username(self.master_username(&secret))
            .master_user_password(secret.value_of("password"))
            .when_some(self.multi_az, cfn::rds::DBInstance::multi_az)
            .when_some(protection, cfn::rds::DBInstance::deletion_protection)
            .when_some(iops, cfn::rds::DBInstance::iops);
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(self.removal_policy.unwrap_or(RemovalPolicy::Snapshot));
        let secret = secret.attach(resource.handle(), "AWS::RDS::DBInstance");
        DatabaseInstance {
            construct,
            resource,
            security_groups,
            secret,
        }
    }

    fn subnet_group(&self, construct: &Construct, id: &str) -> CfnResource<cfn::rds::DBSubnetGroup> {
        let scope = Site::new(construct, "SubnetGroup").make("rds.SubnetGroup");
        let with_way_out = SubnetSelection::of_type(SubnetType::PrivateWithEgress);
        let is_default = self.subnets.subnet_type.is_none() && self.subnets.group_name.is_none();
        let subnets = self
            .vpc
            .select_subnets(if is_default { &with_way_out } else { &self.subnets });
        let group = cfn::rds::DBSubnetGroup::new()
            .db_subnet_group_description(format!("Subnet group for {id} database"))
            .subnet_ids(subnets.iter().map(Subnet::subnet_id).collect::<Vec<_>>());
        let group = CfnResource::new(&scope, "Default", group);
        if self.removal_policy == Some(RemovalPolicy::Retain) {
            group.apply_removal_policy(RemovalPolicy::Retain);
        }
        group
    }

    fn make_parameter_group(&self, construct: &Construct) -> CfnResource<cfn::rds::DBParameterGroup> {
        let scope = Site::new(construct, "ParameterGroup").make("rds.ParameterGroup");
        let family = self.engine.parameter_group_family();
        let parameters: serde_json::Map<_, _> = self
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        let group = cfn::rds::DBParameterGroup::new()
            .description(format!("Parameter group for {family}"))
            .family(family)
            .parameters(serde_json::Value::Object(parameters));
        CfnResource::new(&scope, "Resource", group)
    }

    fn user(&self) -> Credentials {
        self.credentials
            .clone()
            .unwrap_or_else(|| Credentials::username(self.engine.default_username))
    }

    fn make_secret(&self, construct: &Construct) -> Secret {
        let credentials = self.user();
        let description = cfn::intrinsics::concat([
            "Generated by the CDK for stack: ".into_value(),
            cfn::pseudo::stack_name(),
        ]);
        let mut secret = Secret::new(construct, "Secret")
            .description(description)
            .template(&json!({ "username": credentials.username }), "password")
            .generate(|generate: GenerateSecretString| {
                generate
                    .password_length(PASSWORD_LENGTH)
                    .exclude_characters(EXCLUDED_CHARACTERS)
            });
        if let Some(name) = &credentials.secret_name {
            secret = secret.secret_name(name);
        }
        let secret = secret.build();
        if credentials.replace_on_criteria {
            let criteria = json!({ "excludeCharacters": EXCLUDED_CHARACTERS }).to_string();
            let id = format!("{}{}", secret.construct().unique_id(), md5_hex(&criteria));
            secret
                .construct()
                .resource()
                .override_logical_id(last_characters(&id, 255));
        }
        secret
    }

    fn master_username(&self, secret: &Secret) -> Value<String> {
        let credentials = self.user();
        if credentials.replace_on_criteria {
            credentials.username.into_value()
        } else {
            secret.value_of("username")
        }
    }
}

impl DatabaseInstance {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, engine: Engine, vpc: &Vpc) -> DatabaseInstanceBuilder {
        DatabaseInstanceBuilder {
            site: Site::new(scope, id),
            engine,
            vpc: vpc.clone(),
            properties: cfn::rds::DBInstance::new(),
            subnets: SubnetSelection::preferred(),
            security_groups: Vec::new(),
            instance_type: None,
            storage_type: StorageType::Gp2,
            iops: None,
            credentials: None,
            multi_az: None,
            deletion_protection: None,
            removal_policy: None,
            monitoring_interval: None,
            performance_insights: None,
            performance_insights_retention_days: None,
            parameters: Vec::new(),
        }
    }

    pub fn instance_identifier(&self) -> Value<id::rds::DBInstanceIdentifier> {
        self.resource.reference()
    }

    pub fn endpoint_address(&self) -> Value<String> {
        self.resource.endpoint_address()
    }

    pub fn endpoint_port(&self) -> Value<String> {
        self.resource.endpoint_port()
    }

    /// User, password, and, once the instance exists, host, port and database.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    pub fn resource(&self) -> &CfnResource<cfn::rds::DBInstance> {
        &self.resource
    }

    pub fn connections(&self) -> Connections {
        Connectable::connections(self)
    }

    /// A metric of `AWS/RDS` about this instance.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/RDS", name)
            .dimension("DBInstanceIdentifier", self.instance_identifier())
            .attached_to(&self.construct)
    }

    pub fn metric_database_connections(&self) -> Metric {
        self.metric("DatabaseConnections")
    }

    pub fn metric_cpu_utilization(&self) -> Metric {
        self.metric("CPUUtilization")
    }

    pub fn metric_free_storage_space(&self) -> Metric {
        self.metric("FreeStorageSpace")
    }

    pub fn metric_freeable_memory(&self) -> Metric {
        self.metric("FreeableMemory")
    }

    pub fn metric_read_iops(&self) -> Metric {
        self.metric("ReadIOPS")
    }

    pub fn metric_write_iops(&self) -> Metric {
        self.metric("WriteIOPS")
    }
}

impl Connectable for DatabaseInstance {
    fn connections(&self) -> Connections {
        Connections::new(self.security_groups.iter().cloned()).with_default_port(Port::tcp_of(self.endpoint_port()))
    }
}
