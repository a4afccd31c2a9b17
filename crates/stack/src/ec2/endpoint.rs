//! Ways from a VPC to services of AWS that do not lead through the internet.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::{Expr, Value, id, pseudo};

use super::connections::{Connectable, Connections};
use super::port::{Peer, Port};
use super::security_group::SecurityGroup;
use super::subnet::{Subnet, SubnetSelection};
use super::vpc::Vpc;
use crate::element::CfnResource;
use crate::iam::{PolicyDocument, PolicyStatement};
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};

const HTTPS: u16 = 443;

/// A service that is reached by a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayService {
    S3,
    S3Express,
    DynamoDb,
}

impl GatewayService {
    const fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::S3Express => "s3express",
            Self::DynamoDb => "dynamodb",
        }
    }
}

/// A service that is reached through an interface in the VPC, by the last part of its name:
/// `com.amazonaws.<region>.<name>`.
///
/// The partitions whose names begin otherwise (China, the isolated ones) need [`InterfaceService::with_prefix`].
#[derive(Clone, Debug, PartialEq)]
pub struct InterfaceService {
    name: String,
    prefix: String,
    port: u16,
    full_name: Option<String>,
    private_dns: bool,
}

macro_rules! services {
    ($($function:ident => $name:literal),* $(,)?) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub fn $function() -> Self {
                Self::aws($name)
            }
        )*
    };
}

impl InterfaceService {
    services! {
        api_gateway => "execute-api",
        cloudwatch_logs => "logs",
        cloudwatch_monitoring => "monitoring",
        ec2 => "ec2",
        ecr => "ecr.api",
        ecr_docker => "ecr.dkr",
        event_bridge => "events",
        kms => "kms",
        lambda => "lambda",
        rds => "rds",
        rds_data => "rds-data",
        secrets_manager => "secretsmanager",
        sns => "sns",
        sqs => "sqs",
        ssm => "ssm",
        ssm_messages => "ssmmessages",
        step_functions => "states",
        sts => "sts",
        xray => "xray",
    }

    /// A service of AWS by the last part of its name.
    pub fn aws(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            prefix: "com.amazonaws".into(),
            port: HTTPS,
            full_name: None,
            private_dns: true,
        }
    }

    /// Somebody's service by its whole name, `com.amazonaws.vpce.<region>.vpce-svc-<id>`; its private DNS is off.
    pub fn of_provider(full_name: impl Into<String>) -> Self {
        let full_name = full_name.into();
        Self {
            full_name: Some(full_name.clone()),
            private_dns: false,
            ..Self::aws(full_name)
        }
    }

    /// What the name begins with in this partition, such as `cn.com.amazonaws`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The port that is let in; 443 if nothing is said.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    fn render(&self, region: Expr) -> Value<String> {
        let parts = match &self.full_name {
            Some(name) => vec![name.clone().into()],
            None => vec![
                format!("{}.", self.prefix).into(),
                region,
                format!(".{}", self.name).into(),
            ],
        };
        Value::from_expr(Expr::concat(parts))
    }
}

/// The policy of an endpoint, which begins with the first statement: without one, everything is allowed.
#[derive(Clone)]
struct EndpointPolicy {
    resource: CfnResource<cfn::ec2::VPCEndpoint>,
    document: Rc<RefCell<PolicyDocument>>,
}

impl EndpointPolicy {
    fn new(resource: CfnResource<cfn::ec2::VPCEndpoint>) -> Self {
        Self {
            resource,
            document: Rc::default(),
        }
    }

    fn add(&self, statement: PolicyStatement) {
        if let Some(problem) = statement.problem_for_endpoint() {
            self.resource.construct().report(problem);
        }
        let mut document = self.document.borrow_mut();
        document.add(statement);
        self.resource.set("PolicyDocument", Some(document.render()));
    }
}

#[derive(Clone)]
pub struct GatewayEndpoint {
    construct: Construct,
    policy: EndpointPolicy,
}

impl Scope for GatewayEndpoint {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct GatewayEndpointBuilder {
    site: Site,
    vpc: Vpc,
    service: GatewayService,
    subnets: Vec<SubnetSelection>,
}

impl GatewayEndpointBuilder {
    #[track_caller]
    pub(crate) fn new(vpc: &Vpc, id: impl Into<String>, service: GatewayService) -> Self {
        Self {
            site: Site::new(vpc, id),
            vpc: vpc.clone(),
            service,
            subnets: Vec::new(),
        }
    }

    /// The subnets that get the route, and further ones with each call; all of the VPC's if nothing is said.
    pub fn subnets(mut self, subnets: SubnetSelection) -> Self {
        self.subnets.push(subnets);
        self
    }

    pub fn build(self) -> GatewayEndpoint {
        let construct = self.site.make("ec2.GatewayVpcEndpoint");
        let vpc = &self.vpc;
        let subnets: Vec<Subnet> = if self.subnets.is_empty() {
            let all = [vpc.private_subnets(), vpc.public_subnets(), vpc.isolated_subnets()];
            all.into_iter().flatten().collect()
        } else {
            self.subnets
                .iter()
                .flat_map(|subnets| vpc.select_subnets(subnets))
                .collect()
        };
        let mut tables = Vec::new();
        for subnet in &subnets {
            // A subnet that was taken over without its route table is left out, as aws-cdk-lib does.
            if let Some(table) = subnet.route_table_id()
                && !tables.contains(&table)
            {
                tables.push(table);
            }
        }
        if tables.is_empty() {
            construct.report("a gateway endpoint is a route, and there are no route tables to put it into");
        }
        let service = [
            Expr::from("com.amazonaws."),
            pseudo::region().into_expr(),
            format!(".{}", self.service.as_str()).into(),
        ];
        let properties = cfn::ec2::VPCEndpoint::new()
            .route_table_ids(tables)
            .service_name(Value::<String>::from_expr(Expr::concat(service)))
            .vpc_endpoint_type("Gateway")
            .vpc_id(vpc.vpc_id());
        let resource = CfnResource::new(&construct, "Resource", properties);
        GatewayEndpoint {
            construct,
            policy: EndpointPolicy::new(resource),
        }
    }
}

impl GatewayEndpoint {
    pub fn endpoint_id(&self) -> Value<id::ec2::VPCEndpointId> {
        self.policy.resource.reference()
    }

    /// With the first statement, only what statements allow passes. They name principals.
    pub fn add_to_policy(&self, statement: PolicyStatement) {
        self.policy.add(statement);
    }

    pub fn resource(&self) -> &CfnResource<cfn::ec2::VPCEndpoint> {
        &self.policy.resource
    }
}

#[derive(Clone)]
pub struct InterfaceEndpoint {
    construct: Construct,
    policy: EndpointPolicy,
    connections: Connections,
}

impl Scope for InterfaceEndpoint {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl Connectable for InterfaceEndpoint {
    fn connections(&self) -> Connections {
        self.connections.clone()
    }
}

#[must_use = "nothing is made until `build`"]
pub struct InterfaceEndpointBuilder {
    site: Site,
    vpc: Vpc,
    service: InterfaceService,
    subnets: SubnetSelection,
    security_groups: Vec<SecurityGroup>,
    open: bool,
    private_dns: Option<bool>,
}

impl InterfaceEndpointBuilder {
    #[track_caller]
    pub(crate) fn new(vpc: &Vpc, id: impl Into<String>, service: InterfaceService) -> Self {
        Self {
            site: Site::new(vpc, id),
            vpc: vpc.clone(),
            service,
            subnets: SubnetSelection::preferred(),
            security_groups: Vec::new(),
            open: true,
            private_dns: None,
        }
    }

    /// Where it stands, in one subnet of each zone.
    pub fn subnets(mut self, subnets: SubnetSelection) -> Self {
        self.subnets = subnets;
        self
    }

    /// These instead of a security group of its own.
    pub fn security_groups(mut self, groups: impl IntoIterator<Item = SecurityGroup>) -> Self {
        self.security_groups.extend(groups);
        self
    }

    /// Whether everybody in the VPC is let in; they are if nothing is said.
    pub fn open(mut self, on: bool) -> Self {
        self.open = on;
        self
    }

    /// Whether the service's usual name leads here; it does if nothing is said about a service of AWS.
    pub fn private_dns_enabled(mut self, on: bool) -> Self {
        self.private_dns = Some(on);
        self
    }

    pub fn build(self) -> InterfaceEndpoint {
        let construct = self.site.make("ec2.InterfaceVpcEndpoint");
        let groups = if self.security_groups.is_empty() {
            vec![SecurityGroup::new(&construct, "SecurityGroup", &self.vpc).build()]
        } else {
            self.security_groups
        };
        let connections = Connections::new(groups.clone()).with_default_port(Port::tcp(self.service.port));
        if self.open {
            connections.allow_default_port_from(&Peer::ipv4(self.vpc.cidr_block()));
        }
        let subnets = self.vpc.select_subnets(&self.subnets.one_per_az());
        let region = Stack::of(&construct).region().into_expr();
        let properties = cfn::ec2::VPCEndpoint::new()
            .private_dns_enabled(self.private_dns.unwrap_or(self.service.private_dns))
            .security_group_ids(SecurityGroup::ids(&groups))
            .service_name(self.service.render(region))
            .subnet_ids(subnets.iter().map(Subnet::subnet_id).collect::<Vec<_>>())
            .vpc_endpoint_type("Interface")
            .vpc_id(self.vpc.vpc_id());
        let resource = CfnResource::new(&construct, "Resource", properties);
        InterfaceEndpoint {
            construct,
            policy: EndpointPolicy::new(resource),
            connections,
        }
    }
}

impl InterfaceEndpoint {
    pub fn endpoint_id(&self) -> Value<id::ec2::VPCEndpointId> {
        self.policy.resource.reference()
    }

    /// With the first statement, only what statements allow passes. They name principals.
    pub fn add_to_policy(&self, statement: PolicyStatement) {
        self.policy.add(statement);
    }

    pub fn resource(&self) -> &CfnResource<cfn::ec2::VPCEndpoint> {
        &self.policy.resource
    }
}
