//! The subnets that a database may stand in.

use cfn::{Expr, IntoValue, Value, id};

use crate::ec2::{Subnet, SubnetSelection, SubnetType, Vpc};
use crate::element::{CfnResource, RemovalPolicy};
use crate::site::Site;
use crate::tree::Scope;

/// Subnets of a VPC, by the name of a group.
#[derive(Clone)]
pub struct SubnetGroup {
    name: Value<id::rds::DBSubnetGroupName>,
}

#[must_use = "nothing is made until `build`"]
pub struct SubnetGroupBuilder {
    site: Site,
    vpc: Vpc,
    description: String,
    subnets: Option<SubnetSelection>,
    name: Option<Expr>,
    removal_policy: Option<RemovalPolicy>,
}

impl SubnetGroupBuilder {
    /// Those with a way out if nothing is said.
    pub fn vpc_subnets(mut self, subnets: SubnetSelection) -> Self {
        self.subnets = Some(subnets);
        self
    }

    /// RDS keeps it in small letters.
    pub fn subnet_group_name(mut self, name: impl IntoValue<String>) -> Self {
        let name = name.into_value().into_expr();
        self.name = Some(match name.as_text() {
            Some(text) => Expr::text(text.to_lowercase()),
            None => name,
        });
        self
    }

    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = Some(policy);
        self
    }

    pub fn build(self) -> SubnetGroup {
        let construct = self.site.make("rds.SubnetGroup");
        let with_way_out = SubnetSelection::of_type(SubnetType::PrivateWithEgress);
        let subnets = self.vpc.select_subnets(self.subnets.as_ref().unwrap_or(&with_way_out));
        let mut group = cfn::rds::DBSubnetGroup::new()
            .db_subnet_group_description(self.description)
            .subnet_ids(subnets.iter().map(Subnet::subnet_id).collect::<Vec<_>>());
        if let Some(name) = self.name {
            group = group.db_subnet_group_name(name.cast::<String>());
        }
        let group = CfnResource::new(&construct, "Default", group);
        if let Some(policy) = self.removal_policy {
            group.apply_removal_policy(policy);
        }
        SubnetGroup {
            name: group.reference(),
        }
    }
}

impl SubnetGroup {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        vpc: &Vpc,
        description: impl Into<String>,
    ) -> SubnetGroupBuilder {
        SubnetGroupBuilder {
            site: Site::new(scope, id),
            vpc: vpc.clone(),
            description: description.into(),
            subnets: None,
            name: None,
            removal_policy: None,
        }
    }

    /// A group that exists already.
    pub fn named(name: impl IntoValue<id::rds::DBSubnetGroupName>) -> Self {
        Self {
            name: name.into_value(),
        }
    }

    pub fn subnet_group_name(&self) -> Value<id::rds::DBSubnetGroupName> {
        self.name.clone()
    }
}
