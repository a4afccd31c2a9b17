//! Ways from HTTP APIs into a VPC.

use cfn::{Expr, IntoValue, Value};

use crate::ec2::{SecurityGroup, Subnet, SubnetSelection, SubnetType, Vpc};
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

#[derive(Clone)]
pub struct VpcLink {
    construct: Construct,
    resource: CfnResource<cfn::apigatewayv2::VpcLink>,
}

impl Scope for VpcLink {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct VpcLinkBuilder {
    site: Site,
    vpc: Vpc,
    subnets: SubnetSelection,
    security_groups: Vec<SecurityGroup>,
    name: Option<Expr>,
}

impl VpcLinkBuilder {
    /// The private ones if nothing is said.
    pub fn subnets(mut self, subnets: SubnetSelection) -> Self {
        self.subnets = subnets;
        self
    }

    pub fn security_groups(mut self, groups: impl IntoIterator<Item = SecurityGroup>) -> Self {
        self.security_groups.extend(groups);
        self
    }

    /// Made of the path if nothing is said.
    pub fn vpc_link_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn build(self) -> VpcLink {
        let construct = self.site.make("apigatewayv2.VpcLink");
        let name = self.name.unwrap_or_else(|| construct.unique_id().into());
        let subnets = self.vpc.select_subnets(&self.subnets);
        let properties = cfn::apigatewayv2::VpcLink::new()
            .name(name.cast::<String>())
            .subnet_ids(subnets.iter().map(Subnet::subnet_id).collect::<Vec<_>>())
            .security_group_ids(SecurityGroup::ids(&self.security_groups));
        let resource = CfnResource::new(&construct, "Resource", properties);
        VpcLink { construct, resource }
    }
}

impl VpcLink {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, vpc: &Vpc) -> VpcLinkBuilder {
        VpcLinkBuilder {
            site: Site::new(scope, id),
            vpc: vpc.clone(),
            subnets: SubnetSelection::of_type(SubnetType::PrivateWithEgress),
            security_groups: Vec::new(),
            name: None,
        }
    }

    pub fn vpc_link_id(&self) -> Value<String> {
        self.resource.reference().cast()
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigatewayv2::VpcLink> {
        &self.resource
    }
}
