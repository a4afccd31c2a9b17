//! What an instance is made from: an engine, a snapshot, or another instance that it follows.

use cfn::rds::db_instance::{DBInstanceRole, MasterUserSecret};
use cfn::{Builder, Expr, IntoValue, Value, id};

use super::bucket_access::{BucketAccess, BucketRoles};
use super::credentials::{Credentials, Login};
use super::engine::Engine;
use super::instance::DatabaseInstance;
use super::instance_builder::DatabaseInstanceBuilder;
use super::option_group::{DatabaseOption, OptionGroup};
use super::parameter_group::ParameterGroup;
use crate::ec2::{InstanceType, Vpc};
use crate::s3::Bucket;
use crate::secretsmanager::Secret;
use crate::site::Site;
use crate::tree::{Construct, Scope};

const DEFAULT_STORAGE_GIB: &str = "100";

/// An instance that is made from an engine, empty or out of a snapshot.
pub struct Standalone {
    engine: Engine,
    snapshot: Option<Snapshot>,
    credentials: Option<Credentials>,
    parameters: Vec<(String, String)>,
    buckets: BucketAccess,
}

/// What an instance is restored from.
#[derive(Clone, Debug)]
pub enum Snapshot {
    OfInstance(Value<String>),
    /// Of a cluster of several zones.
    OfCluster(Value<String>),
}

impl Snapshot {
    /// A snapshot of an instance, by name or ARN.
    pub fn of_instance(identifier: impl IntoValue<String>) -> Self {
        Self::OfInstance(identifier.into_value())
    }

    /// A snapshot of a cluster of several zones, by name or ARN.
    pub fn of_cluster(identifier: impl IntoValue<String>) -> Self {
        Self::OfCluster(identifier.into_value())
    }
}

/// An instance that follows another.
pub struct Replica {
    source: DatabaseInstance,
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

impl DatabaseInstanceBuilder<Standalone> {
    pass! {
        /// The name of the first database.
        database_name(String) => db_name;
        allow_major_version_upgrade(bool) => allow_major_version_upgrade;
        /// `license-included`, `bring-your-own-license`, `general-public-license`.
        license_model(String) => license_model;
        /// Of SQL Server.
        timezone(String) => timezone;
        /// Of Oracle.
        character_set_name(String) => character_set_name;
    }

    /// The first user; the engine's usual one with a generated password if nothing is said. Of an instance from a
    /// snapshot: its new password; it keeps the one it had if nothing is said.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.kind.credentials = Some(credentials);
        self
    }

    /// A parameter of the engine, in a parameter group of its own.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.kind.parameters.push((name.into(), value.into()));
        self
    }

    /// A bucket that data may be loaded from.
    pub fn s3_import(mut self, bucket: &Bucket) -> Self {
        self.kind.buckets.import(bucket);
        self
    }

    /// A bucket that data may be unloaded to.
    pub fn s3_export(mut self, bucket: &Bucket) -> Self {
        self.kind.buckets.export(bucket);
        self
    }

    pub fn build(mut self) -> DatabaseInstance {
        let id = self.site.id().to_owned();
        let type_name = match self.kind.snapshot {
            None => "rds.DatabaseInstance",
            Some(_) => "rds.DatabaseInstanceFromSnapshot",
        };
        let construct = self.site.clone().make(type_name);
        if self.parameter_group.is_some() && !self.kind.parameters.is_empty() {
            construct.report("parameters belong into the parameter group that was given");
        }
        let roles = self.bucket_roles(&construct);
        let security_groups = self.prepare(&construct, &id);
        let engine = &self.kind.engine;
        if !self.kind.parameters.is_empty() {
            let group = ParameterGroup::new(&construct, "ParameterGroup", engine)
                .parameters(std::mem::take(&mut self.kind.parameters))
                .build();
            self.properties = self.properties.db_parameter_group_name(group.for_instances());
        }
        let product = &engine.0;
        let has_storage = self.properties.properties_mut().get("AllocatedStorage").is_some();
        let storage = (!has_storage).then_some(DEFAULT_STORAGE_GIB);
        self.properties = std::mem::replace(&mut self.properties, cfn::rds::DBInstance::new())
            .engine(product.name)
            .engine_version(product.full_version())
            .when_some(storage, cfn::rds::DBInstance::allocated_storage);
        let associations = engine
            .s3_features()
            .map(|(import, export)| roles.associations(Some(import), Some(export), true))
            .unwrap_or_default();
        if !associations.is_empty() {
            let role = |(arn, feature): (_, Option<&str>)| {
                DBInstanceRole::new()
                    .role_arn(arn)
                    .feature_name(feature.unwrap_or_default())
            };
            let associations: Vec<_> = associations.into_iter().map(role).collect();
            self.properties = self.properties.associated_roles(associations);
        }
        let login = self.log_in(&construct);
        let secret = login.secret.clone();
        self.properties = if self.kind.snapshot.is_some() {
            with_password(self.properties, &login)
        } else {
            with_password(self.properties, &login).when_some(login.username, cfn::rds::DBInstance::master_username)
        };
        let managed = login.managed.clone();
        let mut instance = self.finish(construct, security_groups);
        instance.secret = if let Some(key) = managed {
            let arn = instance.resource.master_user_secret_secret_arn();
            let secret = Secret::from_arn(&instance.construct, "ManagedSecret", arn);
            Some(secret.with_key(key))
        } else {
            secret.map(|secret| secret.attach(instance.resource.handle(), "AWS::RDS::DBInstance"))
        };
        instance
    }

    fn log_in(&mut self, construct: &Construct) -> Login {
        let properties = std::mem::replace(&mut self.properties, cfn::rds::DBInstance::new());
        self.properties = match &self.kind.snapshot {
            None => properties,
            Some(Snapshot::OfInstance(snapshot)) => properties.db_snapshot_identifier(snapshot),
            Some(Snapshot::OfCluster(snapshot)) => properties.db_cluster_snapshot_identifier(snapshot),
        };
        let credentials = self.kind.credentials.as_ref();
        if self.kind.snapshot.is_some() && credentials.is_none() {
            return Login::default();
        }
        Login::make(construct, "Secret", &self.kind.engine.0, credentials)
    }

    /// The roles for buckets, and what the engine needs to use them.
    fn bucket_roles(&mut self, construct: &Construct) -> BucketRoles {
        let engine = &self.kind.engine;
        let through_options = engine.is_oracle() || engine.is_sql_server();
        let roles = self.kind.buckets.roles(construct, through_options);
        if roles.is_empty() {
            return roles;
        }
        if engine.s3_features().is_none() {
            construct.report(format!("{} loads and unloads no data from S3", engine.0.name));
        }
        if !through_options {
            return roles;
        }
        let option = match roles.import.as_ref().or(roles.export.as_ref()) {
            Some(role) if engine.is_sql_server() => {
                DatabaseOption::new("SQLSERVER_BACKUP_RESTORE").setting("IAM_ROLE_ARN", role.role_arn())
            }
            _ => DatabaseOption::new("S3_INTEGRATION").version("1.0"),
        };
        let group = self
            .option_group
            .get_or_insert_with(|| OptionGroup::new(construct, "InstanceOptionGroup", engine).build());
        group.add_option(option);
        roles
    }
}

fn with_password(properties: cfn::rds::DBInstance, login: &Login) -> cfn::rds::DBInstance {
    let Some(key) = &login.managed else {
        return properties.when_some(login.password.as_ref(), cfn::rds::DBInstance::master_user_password);
    };
    let key = key.as_ref().map(|key| MasterUserSecret::new().kms_key_id(key));
    properties
        .manage_master_user_password(true)
        .when_some(key, cfn::rds::DBInstance::master_user_secret)
}

impl DatabaseInstanceBuilder<Replica> {
    pub fn build(mut self) -> DatabaseInstance {
        let id = self.site.id().to_owned();
        let construct = self.site.clone().make("rds.DatabaseInstanceReadReplica");
        let security_groups = self.prepare(&construct, &id);
        let source = &self.kind.source;
        let engine = source.resource.property("Engine").filter(|_| self.domain.is_some());
        self.properties = self
            .properties
            .source_db_instance_identifier(source.instance_arn().cast::<id::rds::DBInstanceIdentifier>())
            .when_some(engine.map(Expr::cast::<String>), cfn::rds::DBInstance::engine);
        let mut instance = self.finish(construct, security_groups);
        // What the CDK takes for the id of a replica, without the feature flag that puts it right.
        instance.resource_id = instance.resource.db_instance_arn();
        instance
    }
}

impl DatabaseInstance {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, engine: Engine, vpc: &Vpc) -> DatabaseInstanceBuilder {
        standalone(Site::new(scope, id), engine, vpc, None)
    }

    /// An instance that begins with what a snapshot holds.
    #[track_caller]
    pub fn from_snapshot(
        scope: &impl Scope,
        id: impl Into<String>,
        engine: Engine,
        vpc: &Vpc,
        snapshot: Snapshot,
    ) -> DatabaseInstanceBuilder {
        standalone(Site::new(scope, id), engine, vpc, Some(snapshot))
    }

    /// An instance that follows `source` and is only read.
    #[track_caller]
    pub fn read_replica(
        scope: &impl Scope,
        id: impl Into<String>,
        source: &Self,
        vpc: &Vpc,
        instance_type: InstanceType,
    ) -> DatabaseInstanceBuilder<Replica> {
        let kind = Replica { source: source.clone() };
        DatabaseInstanceBuilder::at(Site::new(scope, id), vpc, kind).instance_type(instance_type)
    }
}

fn standalone(site: Site, engine: Engine, vpc: &Vpc, snapshot: Option<Snapshot>) -> DatabaseInstanceBuilder {
    let kind = Standalone {
        engine,
        snapshot,
        credentials: None,
        parameters: Vec::new(),
        buckets: BucketAccess::default(),
    };
    DatabaseInstanceBuilder::at(site, vpc, kind)
}
