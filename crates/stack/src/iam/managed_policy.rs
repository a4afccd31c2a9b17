//! Policies that exist on their own and are attached to many.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::{Expr, IntoValue, Value, id};

use super::identity::{Attachments, Identity};
use super::policy::{PolicyDocument, PolicyStatement};
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

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

    pub(super) const fn policy_arn(&self) -> &Expr {
        &self.0
    }
}

impl From<&CustomerManagedPolicy> for ManagedPolicy {
    fn from(policy: &CustomerManagedPolicy) -> Self {
        Self(policy.policy_arn().into_expr())
    }
}

/// A managed policy of the account's own, as a resource.
#[derive(Clone)]
pub struct CustomerManagedPolicy {
    construct: Construct,
    resource: CfnResource<cfn::iam::ManagedPolicy>,
    document: Rc<RefCell<PolicyDocument>>,
    attached: Attachments,
}

impl Scope for CustomerManagedPolicy {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct CustomerManagedPolicyBuilder {
    site: Site,
    properties: cfn::iam::ManagedPolicy,
    statements: Vec<PolicyStatement>,
    identities: Vec<Identity>,
}

impl CustomerManagedPolicyBuilder {
    pub fn managed_policy_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.managed_policy_name(name);
        self
    }

    /// Up to 1,000 characters; it cannot change without a replacement.
    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// `/` if nothing is said.
    pub fn path(mut self, path: impl IntoValue<String>) -> Self {
        self.properties = self.properties.path(path);
        self
    }

    pub fn statement(mut self, statement: PolicyStatement) -> Self {
        self.statements.push(statement);
        self
    }

    /// A role, a user or a group that gets it.
    pub fn attach_to(mut self, identity: impl Into<Identity>) -> Self {
        self.identities.push(identity.into());
        self
    }

    pub fn build(self) -> CustomerManagedPolicy {
        let construct = self.site.make("iam.ManagedPolicy");
        let document = PolicyDocument::default();
        let properties = self.properties.policy_document(&document);
        let policy = CustomerManagedPolicy {
            resource: CfnResource::new(&construct, "Resource", properties),
            construct,
            document: Rc::new(RefCell::new(document)),
            attached: Attachments::default(),
        };
        for statement in self.statements {
            policy.add(statement);
        }
        for identity in self.identities {
            policy.attach_to(identity);
        }
        let (built, document) = (policy.construct.clone(), Rc::clone(&policy.document));
        policy.construct.on_synth(move || {
            if document.borrow().is_empty() {
                built.report("a managed policy needs at least one statement");
            }
        });
        policy
    }
}

impl CustomerManagedPolicy {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> CustomerManagedPolicyBuilder {
        CustomerManagedPolicyBuilder {
            site: Site::new(scope, id),
            properties: cfn::iam::ManagedPolicy::new().description("").path("/"),
            statements: Vec::new(),
            identities: Vec::new(),
        }
    }

    pub fn policy_arn(&self) -> Value<id::iam::ManagedPolicyPolicyArn> {
        self.resource.reference()
    }

    pub fn resource(&self) -> &CfnResource<cfn::iam::ManagedPolicy> {
        &self.resource
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
}
