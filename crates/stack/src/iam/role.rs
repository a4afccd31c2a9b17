//! Roles and inline policies.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::{Expr, IntoValue, Value, id};

use super::policy::{PolicyDocument, PolicyStatement, Principal};
use crate::element::{CfnResource, RemovalPolicy};
use crate::logical_id;
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// What IAM takes as the name of a policy.
const MAX_POLICY_NAME: usize = 128;

/// A policy that exists on its own, by ARN.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedPolicy(Expr);

impl ManagedPolicy {
    /// One of AWS's own: `service-role/AWSLambdaBasicExecutionRole`.
    pub fn aws(name: &str) -> Self {
        Self(Expr::concat([
            "arn:".into(),
            cfn::pseudo::partition().into_expr(),
            format!(":iam::aws:policy/{name}").into(),
        ]))
    }

    pub fn arn(arn: impl IntoValue<String>) -> Self {
        Self(arn.into_value().into_expr())
    }
}

#[derive(Clone)]
pub struct Role {
    construct: Construct,
    resource: CfnResource<cfn::iam::Role>,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    managed_policies: Vec<ManagedPolicy>,
    default_policy: Option<Policy>,
}

impl Scope for Role {
    fn construct(&self) -> &Construct {
        &self.construct
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

    pub fn managed_policy(mut self, policy: ManagedPolicy) -> Self {
        self.managed_policies.push(policy);
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

    pub fn permissions_boundary(mut self, policy: &ManagedPolicy) -> Self {
        self.properties = self
            .properties
            .permissions_boundary(policy.0.clone().cast::<id::iam::ManagedPolicyPolicyArn>());
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
            let mut statement = PolicyStatement::allow([principal.assume_action()]).by(principal);
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
        let role = Role {
            construct,
            resource,
            state: Rc::default(),
        };
        for policy in self.managed_policies {
            role.add_managed_policy(policy);
        }
        role
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

    pub fn role_arn(&self) -> Value<id::iam::RoleArn> {
        self.resource.arn()
    }

    pub fn role_name(&self) -> Value<id::iam::RoleName> {
        self.resource.reference()
    }

    pub fn resource(&self) -> &CfnResource<cfn::iam::Role> {
        &self.resource
    }

    pub fn apply_removal_policy(&self, policy: RemovalPolicy) {
        self.resource.apply_removal_policy(policy);
    }

    pub fn add_managed_policy(&self, policy: ManagedPolicy) {
        let mut state = self.state.borrow_mut();
        if state.managed_policies.contains(&policy) {
            return;
        }
        state.managed_policies.push(policy);
        let arns = state.managed_policies.iter().map(|ManagedPolicy(arn)| arn.clone());
        self.resource.set("ManagedPolicyArns", Some(Expr::List(arns.collect())));
    }

    /// Adds a statement to the role's own policy, which is made with the first one.
    pub fn add_to_policy(&self, statement: PolicyStatement) {
        let policy = self.state.borrow().default_policy.clone();
        let policy = policy.unwrap_or_else(|| {
            let policy = Policy::new(self, "DefaultPolicy");
            policy.attach_to(self);
            self.state.borrow_mut().default_policy = Some(policy.clone());
            policy
        });
        policy.add(statement);
    }
}

/// An inline policy as a resource of its own.
#[derive(Clone)]
pub struct Policy {
    construct: Construct,
    resource: CfnResource<cfn::iam::Policy>,
    state: Rc<RefCell<PolicyState>>,
}

#[derive(Default)]
struct PolicyState {
    document: PolicyDocument,
    roles: Vec<Expr>,
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
            state: Rc::default(),
        }
    }

    pub fn add(&self, statement: PolicyStatement) {
        if let Some(problem) = statement.problem_for_identity() {
            self.construct.report(problem);
        }
        let mut state = self.state.borrow_mut();
        state.document.add(statement);
        self.resource.set("PolicyDocument", Some(state.document.render()));
    }

    pub fn attach_to(&self, role: &Role) {
        let mut state = self.state.borrow_mut();
        let name = role.role_name().into_expr();
        if !state.roles.contains(&name) {
            state.roles.push(name);
            self.resource.set("Roles", Some(Expr::List(state.roles.clone())));
        }
    }

    pub fn resource(&self) -> &CfnResource<cfn::iam::Policy> {
        &self.resource
    }
}
