//! Subnets, and choosing among them.

use std::rc::Rc;

use cfn::{Expr, Value, id};

use super::flow_log::FlowLogBuilder;
use crate::dependency::DependencyGroup;
use crate::element::CfnResource;
use crate::tags::Tags;
use crate::tree::{Construct, Scope};

/// How a subnet reaches the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubnetType {
    /// Through the internet gateway, in both directions.
    Public,
    /// Outwards only, through a NAT gateway.
    PrivateWithEgress,
    /// Not at all.
    PrivateIsolated,
}

impl SubnetType {
    /// How it is called in tags and as the default name of a group.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Public => "Public",
            Self::PrivateWithEgress => "Private",
            Self::PrivateIsolated => "Isolated",
        }
    }
}

#[derive(Clone)]
pub struct Subnet {
    construct: Construct,
    inner: Rc<Inner>,
}

enum Origin {
    Made {
        subnet: CfnResource<cfn::ec2::Subnet>,
        route_table: CfnResource<cfn::ec2::RouteTable>,
    },
    Imported(ImportedSubnet),
}

/// A subnet that exists already.
#[derive(Clone, Debug)]
pub(crate) struct ImportedSubnet {
    pub(crate) id: Value<id::ec2::SubnetId>,
    pub(crate) route_table: Option<Value<id::ec2::RouteTableId>>,
}

struct Inner {
    origin: Origin,
    group: String,
    availability_zone: Expr,
    internet: DependencyGroup,
}

impl Scope for Subnet {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

/// What a VPC wants a subnet to be.
pub(crate) struct SubnetRequest {
    pub(crate) id: String,
    pub(crate) group: String,
    pub(crate) vpc_id: Value<id::ec2::VpcId>,
    pub(crate) availability_zone: Expr,
    pub(crate) cidr_block: String,
    pub(crate) map_public_ip_on_launch: bool,
}

impl Subnet {
    pub(crate) fn make(vpc: &Construct, request: SubnetRequest) -> Self {
        let construct = vpc.add(request.id, "ec2.Subnet", crate::tree::Kind::Plain, vpc.location());
        Tags::of(&construct).add("Name", construct.path_for_names());
        let internet = DependencyGroup::new();
        let subnet = cfn::ec2::Subnet::new()
            .vpc_id(&request.vpc_id)
            .cidr_block(request.cidr_block)
            .availability_zone(request.availability_zone.clone().cast::<String>())
            .map_public_ip_on_launch(request.map_public_ip_on_launch);
        let subnet = CfnResource::new(&construct, "Subnet", subnet);
        let route_table = CfnResource::new(
            &construct,
            "RouteTable",
            cfn::ec2::RouteTable::new().vpc_id(&request.vpc_id),
        );
        let association = cfn::ec2::SubnetRouteTableAssociation::new()
            .subnet_id(subnet.handle())
            .route_table_id(route_table.handle());
        internet.add(&CfnResource::new(&construct, "RouteTableAssociation", association));
        let inner = Inner {
            origin: Origin::Made { subnet, route_table },
            group: request.group,
            availability_zone: request.availability_zone,
            internet,
        };
        Self {
            construct,
            inner: Rc::new(inner),
        }
    }

    /// A subnet of a VPC that exists already.
    pub(crate) fn imported(
        vpc: &Construct,
        id: String,
        group: &str,
        availability_zone: Expr,
        subnet: ImportedSubnet,
    ) -> Self {
        let inner = Inner {
            origin: Origin::Imported(subnet),
            group: group.to_owned(),
            availability_zone,
            internet: DependencyGroup::new(),
        };
        Self {
            construct: vpc.add(id, "ec2.Subnet", crate::tree::Kind::Plain, vpc.location()),
            inner: Rc::new(inner),
        }
    }

    pub fn subnet_id(&self) -> Value<id::ec2::SubnetId> {
        match &self.inner.origin {
            Origin::Made { subnet, .. } => subnet.reference(),
            Origin::Imported(subnet) => subnet.id.clone(),
        }
    }

    pub fn availability_zone(&self) -> Value<String> {
        Value::from_expr(self.inner.availability_zone.clone())
    }

    /// None of a subnet that exists already and was taken over without it.
    pub fn route_table_id(&self) -> Option<Value<id::ec2::RouteTableId>> {
        match &self.inner.origin {
            Origin::Made { route_table, .. } => Some(route_table.reference()),
            Origin::Imported(subnet) => subnet.route_table.clone(),
        }
    }

    /// Of a subnet that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::ec2::Subnet> {
        match &self.inner.origin {
            Origin::Made { subnet, .. } => subnet.clone(),
            Origin::Imported(_) => CfnResource::elsewhere(&self.construct),
        }
    }

    /// What must exist before something in this subnet reaches the internet.
    pub fn internet_connectivity(&self) -> &DependencyGroup {
        &self.inner.internet
    }

    /// A record of what flows in the subnet.
    #[track_caller]
    pub fn add_flow_log(&self, id: impl Into<String>) -> FlowLogBuilder {
        FlowLogBuilder::new(self, id, "Subnet", self.subnet_id().cast())
    }

    pub(crate) fn group(&self) -> &str {
        &self.inner.group
    }

    /// Adds a route that opens the way to the internet. The routes of a subnet that exists already are left alone.
    pub(crate) fn add_route(
        &self,
        id: &str,
        describe: impl FnOnce(cfn::ec2::Route<cfn::Set>) -> cfn::ec2::Route<cfn::Set>,
    ) -> Option<CfnResource<cfn::ec2::Route>> {
        let Origin::Made { route_table, .. } = &self.inner.origin else {
            return None;
        };
        let route = describe(cfn::ec2::Route::new().route_table_id(route_table.handle()));
        let route = CfnResource::new(&self.construct, id, route);
        self.inner.internet.add(&route);
        Some(route)
    }
}

/// Which subnets of a VPC are meant.
#[derive(Clone, Debug, Default)]
pub struct SubnetSelection {
    pub(crate) subnet_type: Option<SubnetType>,
    pub(crate) group_name: Option<String>,
    pub(crate) one_per_az: bool,
    pub(crate) availability_zones: Vec<String>,
}

impl SubnetSelection {
    /// Those with a way out; where there are none, the isolated ones; else the public ones.
    pub fn preferred() -> Self {
        Self::default()
    }

    pub fn of_type(subnet_type: SubnetType) -> Self {
        Self {
            subnet_type: Some(subnet_type),
            ..Self::default()
        }
    }

    /// Those of a group of the VPC's subnet configuration.
    pub fn group(name: impl Into<String>) -> Self {
        Self {
            group_name: Some(name.into()),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn one_per_az(mut self) -> Self {
        self.one_per_az = true;
        self
    }

    #[must_use]
    pub fn availability_zones(mut self, zones: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.availability_zones.extend(zones.into_iter().map(Into::into));
        self
    }
}
