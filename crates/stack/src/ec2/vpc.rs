//! VPCs: a block of addresses divided among groups of subnets in each availability zone, with the gateways they need.

use std::panic::Location;
use std::rc::Rc;

use cfn::{Builder, Expr, IntoValue, Value, id};

use super::endpoint::{GatewayEndpointBuilder, GatewayService, InterfaceEndpointBuilder, InterfaceService};
use super::flow_log::FlowLogBuilder;
use super::network::{self, Block};
use super::subnet::{ImportedSubnet, Subnet, SubnetRequest, SubnetSelection, SubnetType};
use crate::dependency::DependencyGroup;
use crate::element::CfnResource;
use crate::error::Source;
use crate::site::Site;
use crate::stack::Stack;
use crate::tags::{TagOptions, Tags};
use crate::tree::{Construct, Kind, Scope};

const DEFAULT_CIDR: &str = "10.0.0.0/16";
const DEFAULT_MAX_AZS: usize = 3;

/// A group of subnets, one in each availability zone.
#[derive(Clone, Debug)]
pub struct SubnetConfiguration {
    name: String,
    subnet_type: SubnetType,
    cidr_mask: Option<u32>,
    map_public_ip_on_launch: Option<bool>,
    reserved: bool,
}

impl SubnetConfiguration {
    pub fn new(name: impl Into<String>, subnet_type: SubnetType) -> Self {
        Self {
            name: name.into(),
            subnet_type,
            cidr_mask: None,
            map_public_ip_on_launch: None,
            reserved: false,
        }
    }

    /// The size of each subnet; what the others leave is shared equally if nothing is said.
    #[must_use]
    pub fn cidr_mask(mut self, mask: u32) -> Self {
        self.cidr_mask = Some(mask);
        self
    }

    /// Of public subnets only; on if nothing is said.
    #[must_use]
    pub fn map_public_ip_on_launch(mut self, on: bool) -> Self {
        self.map_public_ip_on_launch = Some(on);
        self
    }

    /// Keeps the addresses free and makes no subnets.
    #[must_use]
    pub fn reserved(mut self) -> Self {
        self.reserved = true;
        self
    }

    fn default_of(subnet_type: SubnetType) -> Self {
        Self::new(subnet_type.name(), subnet_type)
    }
}

#[derive(Clone)]
pub struct Vpc {
    construct: Construct,
    inner: Rc<Inner>,
}

enum Origin {
    Made(CfnResource<cfn::ec2::VPC>),
    Imported {
        id: Value<id::ec2::VpcId>,
        cidr_block: Option<String>,
    },
}

/// A VPC that exists already: what constructs need to know of it.
#[derive(Clone, Debug)]
pub struct VpcAttributes {
    id: Value<id::ec2::VpcId>,
    availability_zones: Vec<Expr>,
    cidr_block: Option<String>,
    subnets: Vec<(SubnetType, Vec<ImportedSubnet>)>,
}

impl VpcAttributes {
    /// `VpcAttributes::new("vpc-0a1b", ["eu-west-1a", "eu-west-1b"])`
    pub fn new(
        id: impl IntoValue<id::ec2::VpcId>,
        availability_zones: impl IntoIterator<Item = impl IntoValue<String>>,
    ) -> Self {
        Self {
            id: id.into_value(),
            availability_zones: availability_zones
                .into_iter()
                .map(|zone| zone.into_value().into_expr())
                .collect(),
            cidr_block: None,
            subnets: Vec::new(),
        }
    }

    /// `10.0.0.0/16`
    #[must_use]
    pub fn cidr_block(mut self, block: impl Into<String>) -> Self {
        self.cidr_block = Some(block.into());
        self
    }

    /// The ids of the subnets of one kind, in the order of the zones, one or several in each.
    #[must_use]
    pub fn subnets(
        mut self,
        subnet_type: SubnetType,
        ids: impl IntoIterator<Item = impl IntoValue<id::ec2::SubnetId>>,
    ) -> Self {
        let subnets = ids.into_iter().map(|id| ImportedSubnet {
            id: id.into_value(),
            route_table: None,
        });
        self.subnets.push((subnet_type, subnets.collect()));
        self
    }

    /// As [`Self::subnets`], with the ids of their route tables, for gateway endpoints: `[("subnet-1", "rtb-1")]`.
    #[must_use]
    pub fn routed_subnets(
        mut self,
        subnet_type: SubnetType,
        ids: impl IntoIterator<Item = (impl IntoValue<id::ec2::SubnetId>, impl IntoValue<id::ec2::RouteTableId>)>,
    ) -> Self {
        let subnets = ids.into_iter().map(|(id, table)| ImportedSubnet {
            id: id.into_value(),
            route_table: Some(table.into_value()),
        });
        self.subnets.push((subnet_type, subnets.collect()));
        self
    }
}

struct Inner {
    origin: Origin,
    subnets: Vec<(SubnetType, Subnet)>,
    availability_zones: Vec<Expr>,
    internet_gateway: Option<CfnResource<cfn::ec2::InternetGateway>>,
    internet: DependencyGroup,
}

impl Scope for Vpc {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct VpcBuilder {
    scope: Construct,
    id: String,
    location: Source,
    properties: cfn::ec2::VPC,
    cidr: String,
    max_azs: Option<usize>,
    availability_zones: Option<Vec<Expr>>,
    nat_gateways: Option<usize>,
    nat_gateway_subnets: SubnetSelection,
    subnet_configuration: Option<Vec<SubnetConfiguration>>,
    dns_hostnames: Option<bool>,
    dns_support: Option<bool>,
    name: Option<String>,
    internet_gateway: bool,
}

impl VpcBuilder {
    /// `10.0.0.0/16` if nothing is said.
    pub fn cidr(mut self, block: impl Into<String>) -> Self {
        self.cidr = block.into();
        self
    }

    /// How many availability zones to spread over: three if nothing is said, and two at most where the stack does not
    /// say its region.
    pub fn max_azs(mut self, count: usize) -> Self {
        self.max_azs = Some(count);
        self
    }

    /// These zones, instead of the first few of the region.
    pub fn availability_zones(mut self, zones: impl IntoIterator<Item = impl IntoValue<String>>) -> Self {
        self.availability_zones = Some(zones.into_iter().map(|zone| zone.into_value().into_expr()).collect());
        self
    }

    /// How many NAT gateways: one for each zone if nothing is said; with 0, private subnets are isolated.
    pub fn nat_gateways(mut self, count: usize) -> Self {
        self.nat_gateways = Some(count);
        self
    }

    /// The public subnets that NAT gateways stand in.
    pub fn nat_gateway_subnets(mut self, subnets: SubnetSelection) -> Self {
        self.nat_gateway_subnets = subnets;
        self
    }

    pub fn subnet_configuration(mut self, groups: impl IntoIterator<Item = SubnetConfiguration>) -> Self {
        self.subnet_configuration = Some(groups.into_iter().collect());
        self
    }

    pub fn enable_dns_hostnames(mut self, on: bool) -> Self {
        self.dns_hostnames = Some(on);
        self
    }

    pub fn enable_dns_support(mut self, on: bool) -> Self {
        self.dns_support = Some(on);
        self
    }

    /// The `Name` tag; the path if nothing is said.
    pub fn vpc_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// `default`, `dedicated` or `host`.
    pub fn instance_tenancy(mut self, tenancy: impl IntoValue<String>) -> Self {
        self.properties = self.properties.instance_tenancy(tenancy);
        self
    }

    /// Without one, nothing in the VPC reaches the internet.
    pub fn create_internet_gateway(mut self, on: bool) -> Self {
        self.internet_gateway = on;
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::ec2::VPC) -> cfn::ec2::VPC) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(mut self) -> Vpc {
        let construct = self.scope.add(self.id.clone(), "ec2.Vpc", Kind::Plain, self.location);
        if self.dns_hostnames == Some(true) && self.dns_support == Some(false) {
            construct.report("DNS hostnames need DNS support");
        }
        if self.availability_zones.is_some() && self.max_azs.is_some() {
            construct.report("name either the availability zones or their number");
        }
        let network = Block::parse(&self.cidr);
        let mut properties = std::mem::replace(&mut self.properties, cfn::ec2::VPC::new());
        if properties.properties_mut().get("InstanceTenancy").is_none() {
            properties = properties.instance_tenancy("default");
        }
        let block = network.as_ref().map_or_else(|_| self.cidr.clone(), Block::to_string);
        let properties = properties
            .cidr_block(block)
            .enable_dns_hostnames(self.dns_hostnames.unwrap_or(true))
            .enable_dns_support(self.dns_support.unwrap_or(true));
        let resource = CfnResource::new(&construct, "Resource", properties);
        Tags::of(&construct).add("Name", self.name.clone().unwrap_or_else(|| construct.path_for_names()));

        let zones = self.availability_zones.clone().unwrap_or_else(|| {
            let mut zones = Stack::of(&construct).availability_zones();
            zones.truncate(self.max_azs.unwrap_or(DEFAULT_MAX_AZS));
            zones
        });
        let groups = self.subnet_configuration.clone().unwrap_or_else(|| {
            let private = if self.nat_gateways == Some(0) {
                SubnetType::PrivateIsolated
            } else {
                SubnetType::PrivateWithEgress
            };
            [SubnetType::Public, private]
                .map(SubnetConfiguration::default_of)
                .to_vec()
        });
        let nat_count = self.nat_count(&construct, &groups, zones.len());
        let subnets = make_subnets(&construct, &resource, &groups, &zones, network);
        let vpc_id = resource.reference();
        let mut vpc = Inner {
            origin: Origin::Made(resource),
            subnets,
            availability_zones: zones,
            internet_gateway: None,
            internet: DependencyGroup::new(),
        };
        let reaches_out = groups
            .iter()
            .any(|group| group.subnet_type != SubnetType::PrivateIsolated && !group.reserved);
        if reaches_out && self.internet_gateway {
            let gateway = CfnResource::new(&construct, "IGW", cfn::ec2::InternetGateway::new());
            vpc.internet.add(&gateway);
            let attachment = cfn::ec2::VPCGatewayAttachment::new()
                .vpc_id(vpc_id)
                .internet_gateway_id(gateway.handle());
            let attachment = CfnResource::new(&construct, "VPCGW", attachment);
            for subnet in vpc.of_type(SubnetType::Public) {
                let route = |route: cfn::ec2::Route<cfn::Set>| {
                    route
                        .destination_cidr_block("0.0.0.0/0")
                        .gateway_id(gateway.reference().cast::<String>())
                };
                if let Some(route) = subnet.add_route("DefaultRoute", route) {
                    route.construct().add_dependency(&attachment);
                }
            }
            vpc.internet_gateway = Some(gateway);
            if nat_count > 0 {
                vpc.make_nat_gateways(&construct, nat_count, &self.nat_gateway_subnets);
            }
        }
        Vpc {
            construct,
            inner: Rc::new(vpc),
        }
    }

    fn nat_count(&self, construct: &Construct, groups: &[SubnetConfiguration], zones: usize) -> usize {
        let has = |subnet_type| {
            groups
                .iter()
                .any(|group| group.subnet_type == subnet_type && !group.reserved)
        };
        let private = has(SubnetType::PrivateWithEgress);
        let count = self
            .nat_gateways
            .map_or(if private { zones } else { 0 }, |count| count.min(zones));
        if count > 0 && !has(SubnetType::Public) {
            construct.report("NAT gateways stand in public subnets, and there are none");
            return 0;
        }
        count
    }
}

fn make_subnets(
    construct: &Construct,
    vpc: &CfnResource<cfn::ec2::VPC>,
    groups: &[SubnetConfiguration],
    zones: &[Expr],
    network: Result<Block, String>,
) -> Vec<(SubnetType, Subnet)> {
    let requested: Vec<(&SubnetConfiguration, usize)> = groups
        .iter()
        .flat_map(|group| (0..zones.len()).map(move |zone| (group, zone)))
        .collect();
    let masks: Vec<Option<u32>> = requested.iter().map(|(group, _)| group.cidr_mask).collect();
    let blocks = match network.and_then(|network| network::allocate(network, &masks)) {
        Ok(blocks) => blocks,
        Err(problem) => {
            construct.report(problem);
            return Vec::new();
        }
    };
    let mut subnets = Vec::new();
    for ((group, zone), block) in requested.into_iter().zip(blocks) {
        if group.reserved {
            continue;
        }
        let public = group.subnet_type == SubnetType::Public;
        if group.map_public_ip_on_launch.is_some() && !public {
            construct.report(format!(
                "subnets of the group `{}` are not public and get no public addresses",
                group.name
            ));
        }
        let subnet = Subnet::make(
            construct,
            SubnetRequest {
                id: format!("{}Subnet{}", group.name, zone + 1),
                group: group.name.clone(),
                vpc_id: vpc.reference(),
                availability_zone: zones[zone].clone(),
                cidr_block: block.to_string(),
                map_public_ip_on_launch: public && group.map_public_ip_on_launch.unwrap_or(true),
            },
        );
        let subnets_only = || TagOptions::new().include(["AWS::EC2::Subnet"]);
        Tags::of(&subnet)
            .add_with("aws-cdk:subnet-name", group.name.clone(), subnets_only())
            .add_with("aws-cdk:subnet-type", group.subnet_type.name(), subnets_only());
        subnets.push((group.subnet_type, subnet));
    }
    subnets
}

impl Inner {
    fn of_type(&self, subnet_type: SubnetType) -> impl Iterator<Item = &Subnet> {
        self.subnets
            .iter()
            .filter(move |(of, _)| *of == subnet_type)
            .map(|(_, subnet)| subnet)
    }

    /// One gateway in each of the first public subnets; a private subnet uses the one of its zone, else they take turns.
    fn make_nat_gateways(&self, construct: &Construct, count: usize, placement: &SubnetSelection) {
        let public = if placement.subnet_type.is_none() && placement.group_name.is_none() {
            self.of_type(SubnetType::Public).cloned().collect()
        } else {
            self.select(construct, placement)
        };
        let mut gateways: Vec<(Value<String>, Value<id::ec2::NatGatewayId>)> = Vec::new();
        for subnet in public.iter().take(count) {
            let address = CfnResource::new(subnet, "EIP", cfn::ec2::EIP::new().domain("vpc"));
            let gateway = cfn::ec2::NatGateway::new()
                .subnet_id(subnet.subnet_id())
                .allocation_id(address.allocation_id());
            let gateway = CfnResource::new(subnet, "NATGateway", gateway);
            gateway
                .construct()
                .add_dependency_on_group(subnet.internet_connectivity());
            gateways.push((subnet.availability_zone(), gateway.reference().cast()));
        }
        let mut next = 0;
        for subnet in self.of_type(SubnetType::PrivateWithEgress) {
            let same_zone = gateways.iter().find(|(zone, _)| *zone == subnet.availability_zone());
            let Some((_, gateway)) = same_zone.or_else(|| gateways.get(next % gateways.len().max(1))) else {
                return;
            };
            if same_zone.is_none() {
                next += 1;
            }
            subnet.add_route("DefaultRoute", |route| {
                route.destination_cidr_block("0.0.0.0/0").nat_gateway_id(gateway)
            });
        }
    }

    fn select(&self, construct: &Construct, selection: &SubnetSelection) -> Vec<Subnet> {
        let mut subnets: Vec<Subnet> = match (&selection.group_name, selection.subnet_type) {
            (Some(name), _) => self
                .subnets
                .iter()
                .map(|(_, subnet)| subnet)
                .filter(|subnet| subnet.group() == name)
                .cloned()
                .collect(),
            (None, Some(subnet_type)) => self.of_type(subnet_type).cloned().collect(),
            (None, None) => [
                SubnetType::PrivateWithEgress,
                SubnetType::PrivateIsolated,
                SubnetType::Public,
            ]
            .into_iter()
            .map(|subnet_type| self.of_type(subnet_type).cloned().collect::<Vec<_>>())
            .find(|subnets| !subnets.is_empty())
            .unwrap_or_default(),
        };
        if subnets.is_empty() {
            let mut groups: Vec<_> = self.subnets.iter().map(|(_, subnet)| subnet.group()).collect();
            groups.dedup();
            construct.report(format!(
                "no subnets match {selection:?}; there are the groups {}",
                groups.join(", ")
            ));
        }
        if !selection.availability_zones.is_empty() {
            let wanted = |zone: &str| selection.availability_zones.iter().any(|wanted| wanted == zone);
            subnets.retain(|subnet| subnet.availability_zone().expr().as_text().is_some_and(wanted));
        }
        if selection.one_per_az {
            let mut seen: Vec<Value<String>> = Vec::new();
            subnets.retain(|subnet| {
                let zone = subnet.availability_zone();
                let new = !seen.contains(&zone);
                seen.push(zone);
                new
            });
        }
        subnets
    }
}

impl Vpc {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> VpcBuilder {
        VpcBuilder {
            scope: scope.construct().clone(),
            id: id.into(),
            location: Location::caller(),
            properties: cfn::ec2::VPC::new(),
            cidr: DEFAULT_CIDR.into(),
            max_azs: None,
            availability_zones: None,
            nat_gateways: None,
            nat_gateway_subnets: SubnetSelection::preferred(),
            subnet_configuration: None,
            dns_hostnames: None,
            dns_support: None,
            name: None,
            internet_gateway: true,
        }
    }

    /// A VPC that exists already.
    #[track_caller]
    pub fn from_attributes(scope: &impl Scope, id: impl Into<String>, attributes: VpcAttributes) -> Self {
        let construct = Site::new(scope, id).make("ec2.Vpc");
        let zones = &attributes.availability_zones;
        let mut subnets = Vec::new();
        for (subnet_type, ids) in attributes.subnets {
            if zones.is_empty() || ids.len() % zones.len() != 0 {
                construct.report(format!(
                    "there are {} {} subnets in {} availability zones: each zone has as many as the others",
                    ids.len(),
                    subnet_type.name(),
                    zones.len()
                ));
                continue;
            }
            for (index, subnet) in ids.into_iter().enumerate() {
                let id = format!("{}Subnet{}", subnet_type.name(), index + 1);
                let zone = zones[index % zones.len()].clone();
                let subnet = Subnet::imported(&construct, id, subnet_type.name(), zone, subnet);
                subnets.push((subnet_type, subnet));
            }
        }
        let inner = Inner {
            origin: Origin::Imported {
                id: attributes.id,
                cidr_block: attributes.cidr_block,
            },
            subnets,
            availability_zones: attributes.availability_zones,
            internet_gateway: None,
            internet: DependencyGroup::new(),
        };
        Self {
            construct,
            inner: Rc::new(inner),
        }
    }

    pub fn vpc_id(&self) -> Value<id::ec2::VpcId> {
        match &self.inner.origin {
            Origin::Made(resource) => resource.reference(),
            Origin::Imported { id, .. } => id.clone(),
        }
    }

    /// Of a VPC that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::ec2::VPC> {
        match &self.inner.origin {
            Origin::Made(resource) => resource.clone(),
            Origin::Imported { .. } => CfnResource::elsewhere(&self.construct),
        }
    }

    /// Of a VPC that exists already and was taken over without it this is reported.
    pub fn cidr_block(&self) -> Value<String> {
        match &self.inner.origin {
            Origin::Made(resource) => resource.cidr_block(),
            Origin::Imported {
                cidr_block: Some(block),
                ..
            } => Value::from_expr(Expr::text(block.clone())),
            Origin::Imported { cidr_block: None, .. } => {
                self.construct
                    .report("this VPC was taken over without its addresses: give `VpcAttributes::cidr_block`");
                Value::from_expr(Expr::text(""))
            }
        }
    }

    pub fn availability_zones(&self) -> Vec<Value<String>> {
        self.inner
            .availability_zones
            .iter()
            .cloned()
            .map(Value::from_expr)
            .collect()
    }

    pub fn public_subnets(&self) -> Vec<Subnet> {
        self.inner.of_type(SubnetType::Public).cloned().collect()
    }

    pub fn private_subnets(&self) -> Vec<Subnet> {
        self.inner.of_type(SubnetType::PrivateWithEgress).cloned().collect()
    }

    pub fn isolated_subnets(&self) -> Vec<Subnet> {
        self.inner.of_type(SubnetType::PrivateIsolated).cloned().collect()
    }

    pub fn internet_gateway(&self) -> Option<&CfnResource<cfn::ec2::InternetGateway>> {
        self.inner.internet_gateway.as_ref()
    }

    /// The subnets that are meant. That there are none is reported.
    pub fn select_subnets(&self, selection: &SubnetSelection) -> Vec<Subnet> {
        self.inner.select(&self.construct, selection)
    }

    /// A way to a service of AWS that is a route and costs nothing.
    #[track_caller]
    pub fn add_gateway_endpoint(&self, id: impl Into<String>, service: GatewayService) -> GatewayEndpointBuilder {
        GatewayEndpointBuilder::new(self, id, service)
    }

    /// A way to a service of AWS that stands in the subnets with an address of its own.
    #[track_caller]
    pub fn add_interface_endpoint(&self, id: impl Into<String>, service: InterfaceService) -> InterfaceEndpointBuilder {
        InterfaceEndpointBuilder::new(self, id, service)
    }

    /// A record of what flows in the VPC.
    #[track_caller]
    pub fn add_flow_log(&self, id: impl Into<String>) -> FlowLogBuilder {
        FlowLogBuilder::new(self, id, "VPC", self.vpc_id().cast())
    }
}
