//! Roles and inline policies.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::{Expr, IntoValue, Value, id};

use super::grant::Grantee;
use super::identity::{Attachments, Identity, Import};
use super::managed_policy::ManagedPolicy;
use super::policy::{PolicyDocument, PolicyStatement, Principal};
use crate::element::{CfnResource, RemovalPolicy};
use crate::logical_id;
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};

/// What IAM takes as the name of a policy.
const MAX_POLICY_NAME: usize = 128;
const ROLES: &str = "Roles";

/// A role: made here, or taken over by its ARN.
#[derive(Clone)]
pub struct Role(Rc<Parts>);

struct Parts {
    construct: Construct,
    arn: Value<id::iam::RoleArn>,
    name: Value<id::iam::RoleName>,
    resource: Option<CfnResource<cfn::iam::Role>>,
    identity: Identity,
}

impl Scope for Role {
    fn construct(&self) -> &Construct {
        &self.0.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct RoleBuilder {
    site: Site,
    properties: cfn::iam::Role,
    assumed_by: Vec<Principal>,
    external_ids: Vec<String>,
    managed_policies: Vec<ManagedPolicy>,
    inline_policies: Vec<(String, PolicyDocument)>,
}

impl RoleBuilder {
    /// Somebody else who may take on the role.
    pub fn also_assumed_by(mut self, principal: Principal) -> Self {
        self.assumed_by.push(principal);
        self
    }

    /// The secret that others must name when they take on the role.
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.external_ids.push(id.into());
        self
    }

    pub fn managed_policy(mut self, policy: impl Into<ManagedPolicy>) -> Self {
        self.managed_policies.push(policy.into());
        self
    }

    pub fn inline_policy(mut self, name: impl Into<String>, document: PolicyDocument) -> Self {
        self.inline_policies.push((name.into(), document));
        self
    }

    pub fn role_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.role_name(name);
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    pub fn path(mut self, path: impl IntoValue<String>) -> Self {
        self.properties = self.properties.path(path);
        self
    }

    /// Between one and twelve hours.
    pub fn max_session_duration(mut self, duration: Duration) -> Self {
        self.properties = self
            .properties
            .max_session_duration(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX));
        self
    }

    /// The most that the role may ever do.
    pub fn permissions_boundary(mut self, policy: impl Into<ManagedPolicy>) -> Self {
        let arn = policy.into().policy_arn().clone();
        self.properties = self
            .properties
            .permissions_boundary(arn.cast::<id::iam::ManagedPolicyPolicyArn>());
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::iam::Role) -> cfn::iam::Role) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> Role {
        let construct = self.site.make("iam.Role");
        let mut trust = PolicyDocument::default();
        for principal in self.assumed_by {
            let mut statement = PolicyStatement::allow(principal.assume_actions()).by(principal);
            if !self.external_ids.is_empty() {
                let ids = match self.external_ids.as_slice() {
                    [only] => Expr::text(only.clone()),
                    several => Expr::list(several.iter().cloned()),
                };
                statement = statement.condition("StringEquals", [("sts:ExternalId", ids)]);
            }
            trust.add(statement);
        }
        let mut properties = self.properties.assume_role_policy_document(&trust);
        if !self.inline_policies.is_empty() {
            let policies = self.inline_policies.iter().map(|(name, document)| {
                cfn::iam::role::Policy::new()
                    .policy_name(name)
                    .policy_document(document)
            });
            properties = properties.policies(policies.collect::<Vec<_>>());
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        let identity = Identity::made(&construct, ROLES, &resource);
        for policy in self.managed_policies {
            identity.add_managed_policy(policy);
        }
        Role(Rc::new(Parts {
            construct,
            arn: resource.arn(),
            name: resource.reference(),
            resource: Some(resource),
            identity,
        }))
    }
}

impl Role {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, assumed_by: Principal) -> RoleBuilder {
        RoleBuilder {
            site: Site::new(scope, id),
            properties: cfn::iam::Role::new(),
            assumed_by: vec![assumed_by],
            external_ids: Vec::new(),
            managed_policies: Vec::new(),
            inline_policies: Vec::new(),
        }
    }

    /// A role that exists already. What is granted to it goes into a policy of this stack that is attached to it, unless
    /// it belongs to another account; where that is not known, resources name the role too.
    #[track_caller]
    pub fn from_arn(scope: &impl Scope, id: impl Into<String>, arn: impl IntoValue<String>) -> Self {
        let arn = arn.into_value().into_expr();
        let account = arn.as_text().and_then(|arn| arn.split(':').nth(4)).map(str::to_owned);
        let principal = Principal::arn(arn.clone().cast::<String>());
        let (home, _) = Stack::of(scope).known_environment();
        let import = match (account, home) {
            (Some(account), Some(home)) if account == home => Import::Here(principal),
            (Some(_), Some(_)) => Import::Untouched(principal),
            _ => Import::Anywhere(principal),
        };
        Self::imported(Site::new(scope, id), arn, import)
    }

    /// A role that exists already and is not touched: resources name it in their own policies.
    #[track_caller]
    pub fn from_immutable_arn(scope: &impl Scope, id: impl Into<String>, arn: impl IntoValue<String>) -> Self {
        let arn = arn.into_value().into_expr();
        let import = Import::Untouched(Principal::arn(arn.clone().cast::<String>()));
        Self::imported(Site::new(scope, id), arn, import)
    }

    fn imported(site: Site, arn: Expr, import: Import) -> Self {
        let construct = site.make("iam.Role");
        let name = match arn.as_text().and_then(|arn| arn.rsplit('/').next()) {
            Some(name) => Expr::text(name.to_owned()),
            None => Arn::name_of(&arn),
        };
        Self(Rc::new(Parts {
            identity: Identity::imported(&construct, ROLES, name.clone(), import),
            construct,
            arn: arn.cast(),
            name: name.cast(),
            resource: None,
        }))
    }

    pub fn role_arn(&self) -> Value<id::iam::RoleArn> {
        self.0.arn.clone()
    }

    pub fn role_name(&self) -> Value<id::iam::RoleName> {
        self.0.name.clone()
    }

    /// The role as whom a policy names.
    pub fn principal(&self) -> Principal {
        Principal::arn(self.0.arn.clone().cast::<String>())
    }

    /// Of a role that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::iam::Role> {
        let known = self.0.resource.clone();
        known.unwrap_or_else(|| CfnResource::elsewhere(&self.0.construct))
    }

    pub fn apply_removal_policy(&self, policy: RemovalPolicy) {
        if let Some(resource) = &self.0.resource {
            resource.apply_removal_policy(policy);
        }
    }

    pub fn add_managed_policy(&self, policy: impl Into<ManagedPolicy>) {
        self.0.identity.add_managed_policy(policy.into());
    }

    /// Lets somebody else take on the role too. A role that exists already stays as it is.
    pub fn add_trust(&self, principal: Principal) {
        const PROPERTY: &str = "AssumeRolePolicyDocument";
        let Some(resource) = &self.0.resource else { return };
        let statement = PolicyStatement::allow(principal.assume_actions()).by(principal);
        let added = PolicyDocument::new([statement]).statements();
        let mut trust = resource.property(PROPERTY);
        if let Some(Expr::Map(document)) = &mut trust
            && let Some(Expr::List(statements)) = document.get_mut("Statement")
        {
            for statement in added {
                if !statements.contains(&statement) {
                    statements.push(statement);
                }
            }
        }
        resource.set(PROPERTY, trust);
    }

    /// Adds a statement to the role's own policy, which is made with the first one. A role that is not touched stays as
    /// it is.
    pub fn add_to_policy(&self, statement: PolicyStatement) {
        self.0.identity.add_to_policy(statement);
    }

    /// Lets somebody hand the role to a service.
    pub fn grant_pass_role(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ["iam:PassRole"]);
    }

    /// Lets an identity take on the role. Who may do so at all is said where the role is made.
    pub fn grant_assume_role(&self, identity: impl Into<Identity>) {
        self.grant(Grantee::Identity(identity.into()), ["sts:AssumeRole"]);
    }

    /// A principal has no policy of its own, and a role none that names others: it is then given nothing.
    pub fn grant(&self, grantee: impl Into<Grantee>, actions: impl IntoIterator<Item = impl Into<String>>) {
        if let (Some(identity), _) = grantee.into().parties() {
            identity.add_to_policy(PolicyStatement::allow(actions).on(self.role_arn()));
        }
    }
}

impl From<&Role> for Identity {
    fn from(role: &Role) -> Self {
        role.0.identity.clone()
    }
}

/// An inline policy as a resource of its own.
#[derive(Clone)]
pub struct Policy {
    construct: Construct,
    resource: CfnResource<cfn::iam::Policy>,
    document: Rc<RefCell<PolicyDocument>>,
    attached: Attachments,
}

impl Scope for Policy {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl Policy {
    #[track_caller]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> Self {
        let construct = Site::new(scope, id).make("iam.Policy");
        let properties = cfn::iam::Policy::new()
            .policy_document(&PolicyDocument::default())
            .policy_name("");
        let resource = CfnResource::new(&construct, "Resource", properties);
        let path = {
            let tree = construct.tree();
            let stack = tree.stack_of(construct.node()).unwrap_or(crate::tree::NodeId::ROOT);
            logical_id::unique_id(&tree.name_below(stack, resource.construct().node()))
        };
        // The name is the logical id, so that it is unique in the account without a random part.
        let name = if path.len() <= MAX_POLICY_NAME {
            resource.logical_id()
        } else {
            construct.tree_mut().moves.note_name(construct.node());
            Expr::text(logical_id::last_characters(&path, MAX_POLICY_NAME).to_owned())
        };
        resource.set("PolicyName", Some(name));
        Self {
            construct,
            resource,
            document: Rc::default(),
            attached: Attachments::default(),
        }
    }

    /// A policy whose name is given; without one it is the logical id.
    #[track_caller]
    pub fn named(scope: &impl Scope, id: impl Into<String>, name: impl IntoValue<String>) -> Self {
        let policy = Self::new(scope, id);
        policy.resource.set("PolicyName", Some(name.into_value().into_expr()));
        policy
    }

    pub fn add(&self, statement: PolicyStatement) {
        if let Some(problem) = statement.problem_for_identity() {
            self.construct.report(problem);
        }
        let mut document = self.document.borrow_mut();
        document.add(statement);
        self.resource.set("PolicyDocument", Some(document.render()));
    }

    /// To a role, a user or a group.
    pub fn attach_to(&self, identity: impl Into<Identity>) {
        self.attached
            .add(&identity.into(), |list, names| self.resource.set(list, Some(names)));
    }

    pub fn resource(&self) -> &CfnResource<cfn::iam::Policy> {
        &self.resource
    }
}
