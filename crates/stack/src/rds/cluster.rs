//! Clusters of Aurora: what is known of one that was made.

use cfn::{Expr, IntoValue, Value, id};

use super::cluster_instance::Member;
use crate::cloudwatch::Metric;
use crate::ec2::{Connectable, Connections, Port, SecurityGroup};
use crate::element::CfnResource;
use crate::iam::{Grant, Grantee};
use crate::secretsmanager::Secret;
use crate::stack::{Arn, ArnFormat, Stack};
use crate::tree::{Construct, Scope};

const DATA_API_ACTIONS: [&str; 5] = [
    "rds-data:BatchExecuteStatement",
    "rds-data:BeginTransaction",
    "rds-data:CommitTransaction",
    "rds-data:ExecuteStatement",
    "rds-data:RollbackTransaction",
];

/// A cluster of Aurora: storage that its instances share.
#[derive(Clone)]
pub struct DatabaseCluster {
    pub(super) construct: Construct,
    pub(super) resource: CfnResource<cfn::rds::DBCluster>,
    pub(super) security_groups: Vec<SecurityGroup>,
    pub(super) secret: Option<Secret>,
    pub(super) no_secret: Secret,
    pub(super) members: Vec<Member>,
}

impl Scope for DatabaseCluster {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl DatabaseCluster {
    pub fn cluster_identifier(&self) -> Value<id::rds::DBClusterIdentifier> {
        self.resource.reference()
    }

    pub fn cluster_arn(&self) -> Value<String> {
        let arn = Arn::new("rds", "cluster")
            .name(self.cluster_identifier())
            .format(ArnFormat::Colon);
        Stack::of(self).format_arn(arn).cast()
    }

    /// Where to write.
    pub fn endpoint_address(&self) -> Value<String> {
        self.resource.endpoint_address()
    }

    /// Where to read.
    pub fn read_endpoint_address(&self) -> Value<String> {
        self.resource.read_endpoint_address()
    }

    pub fn endpoint_port(&self) -> Value<String> {
        self.resource.endpoint_port()
    }

    /// The identifiers of its instances, the writer's first.
    pub fn instance_identifiers(&self) -> Vec<Value<id::rds::DBInstanceIdentifier>> {
        self.members.iter().map(|member| member.resource.reference()).collect()
    }

    /// The addresses of its instances, the writer's first.
    pub fn instance_endpoint_addresses(&self) -> Vec<Value<String>> {
        self.members
            .iter()
            .map(|member| member.resource.endpoint_address())
            .collect()
    }

    /// User, password, and, once the cluster exists, host, port and database. Where the password was given there is none:
    /// to ask for it then is reported.
    pub fn secret(&self) -> &Secret {
        if self.secret.is_none() {
            self.construct
                .report("this cluster has no secret of its own: its password was given");
        }
        self.secret.as_ref().unwrap_or(&self.no_secret)
    }

    pub fn resource(&self) -> &CfnResource<cfn::rds::DBCluster> {
        &self.resource
    }

    pub fn connections(&self) -> Connections {
        Connectable::connections(self)
    }

    /// Lets it connect as this user of the database, with IAM instead of a password.
    pub fn grant_connect(&self, grantee: impl Into<Grantee>, user: impl IntoValue<String>) {
        let name = cfn::text![self.resource.db_cluster_resource_id(), "/", user];
        let arn = Arn::new("rds-db", "dbuser").name(name).format(ArnFormat::Colon);
        Grant::new(["rds-db:connect"], [Stack::of(self).format_arn(arn)]).to(&grantee.into(), |_| {});
    }

    /// Lets it query over HTTPS, which is turned on, and read the secret that this needs.
    pub fn grant_data_api_access(&self, grantee: impl Into<Grantee>) {
        const PROPERTY: &str = "EnableHttpEndpoint";
        let grantee = grantee.into();
        if self.resource.property(PROPERTY) == Some(Expr::Bool(false)) {
            self.construct
                .report("nobody can be let in through the data API, because it is turned off");
        }
        self.resource.set(PROPERTY, Some(true.into()));
        Grant::new(DATA_API_ACTIONS, [self.cluster_arn()]).to(&grantee, |_| {});
        if let Some(secret) = &self.secret {
            secret.grant_read(grantee);
        }
    }

    /// A metric of `AWS/RDS` about this cluster.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/RDS", name)
            .dimension("DBClusterIdentifier", self.cluster_identifier())
            .attached_to(&self.construct)
    }

    pub fn metric_cpu_utilization(&self) -> Metric {
        self.metric("CPUUtilization")
    }

    pub fn metric_database_connections(&self) -> Metric {
        self.metric("DatabaseConnections")
    }

    pub fn metric_freeable_memory(&self) -> Metric {
        self.metric("FreeableMemory")
    }

    pub fn metric_serverless_database_capacity(&self) -> Metric {
        self.metric("ServerlessDatabaseCapacity")
    }

    /// The share of the most serverless capacity that is in use.
    pub fn metric_acu_utilization(&self) -> Metric {
        self.metric("ACUUtilization")
    }

    pub fn metric_volume_read_iops(&self) -> Metric {
        self.metric("VolumeReadIOPs")
    }

    pub fn metric_volume_write_iops(&self) -> Metric {
        self.metric("VolumeWriteIOPs")
    }
}

impl Connectable for DatabaseCluster {
    fn connections(&self) -> Connections {
        Connections::new(self.security_groups.iter().cloned()).with_default_port(Port::tcp_of(self.endpoint_port()))
    }
}
