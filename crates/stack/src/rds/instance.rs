//! Database instances: what is known of one that was made.

use cfn::{Expr, IntoValue, Value, id};

use crate::cloudwatch::Metric;
use crate::ec2::{Connectable, Connections, Port, SecurityGroup};
use crate::element::CfnResource;
use crate::iam::{Grant, Grantee};
use crate::secretsmanager::Secret;
use crate::stack::{Arn, ArnFormat, Stack};
use crate::tree::{Construct, Scope};

/// A database instance: made from an engine, from a snapshot, or as a replica of another.
#[derive(Clone)]
pub struct DatabaseInstance {
    pub(super) construct: Construct,
    pub(super) resource: CfnResource<cfn::rds::DBInstance>,
    pub(super) security_groups: Vec<SecurityGroup>,
    pub(super) secret: Option<Secret>,
    /// What [`DatabaseInstance::secret`] shows where there is none.
    pub(super) no_secret: Secret,
    /// Users who connect with IAM are named below it.
    pub(super) resource_id: Value<String>,
}

impl Scope for DatabaseInstance {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl DatabaseInstance {
    pub fn instance_identifier(&self) -> Value<id::rds::DBInstanceIdentifier> {
        self.resource.reference()
    }

    pub fn instance_arn(&self) -> Value<String> {
        let arn = Arn::new("rds", "db")
            .name(self.instance_identifier())
            .format(ArnFormat::Colon);
        Stack::of(self).format_arn(arn).cast()
    }

    pub fn endpoint_address(&self) -> Value<String> {
        self.resource.endpoint_address()
    }

    pub fn endpoint_port(&self) -> Value<String> {
        self.resource.endpoint_port()
    }

    /// `HOST:PORT`.
    pub fn socket_address(&self) -> Value<String> {
        cfn::text![self.endpoint_address(), ":", self.endpoint_port()]
    }

    /// User, password, and, once the instance exists, host, port and database. A replica has none, nor an instance whose
    /// password was given: to ask for it then is reported.
    pub fn secret(&self) -> &Secret {
        if self.secret.is_none() {
            self.construct.report(
                "this instance has no secret of its own: it is a replica or from a snapshot, or its password was given",
            );
        }
        self.secret.as_ref().unwrap_or(&self.no_secret)
    }

    pub fn resource(&self) -> &CfnResource<cfn::rds::DBInstance> {
        &self.resource
    }

    pub fn connections(&self) -> Connections {
        Connectable::connections(self)
    }

    /// Lets it connect as this user of the database, with IAM instead of a password.
    pub fn grant_connect(&self, grantee: impl Into<Grantee>, user: impl IntoValue<String>) {
        const PROPERTY: &str = "EnableIAMDatabaseAuthentication";
        if self.resource.property(PROPERTY) == Some(Expr::Bool(false)) {
            self.construct
                .report("nobody can be let in through IAM, because authentication with IAM is turned off");
        }
        self.resource.set(PROPERTY, Some(true.into()));
        let name = Expr::concat([
            self.resource_id.clone().into_expr(),
            "/".into(),
            user.into_value().into_expr(),
        ]);
        let arn = Arn::new("rds-db", "dbuser").name(name).format(ArnFormat::Colon);
        Grant::new(["rds-db:connect"], [Stack::of(self).format_arn(arn)]).to(&grantee.into(), |_| {});
    }

    /// As [`DatabaseInstance::grant_connect`], as the first user.
    pub fn grant_connect_as_first_user(&self, grantee: impl Into<Grantee>) {
        let user = self.secret().value_of("username");
        self.grant_connect(grantee, user);
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
