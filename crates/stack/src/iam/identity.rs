//! What roles, users and groups have in common: managed policies, and a policy of their own that is made with its first
//! statement. Grants give statements to an [`Identity`]; policies are attached to one.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::Expr;
use indexmap::IndexMap;

use super::managed_policy::ManagedPolicy;
use super::policy::{PolicyStatement, Principal};
use super::role::Policy;
use crate::element::{CfnResource, Untyped};
use crate::tree::{Construct, Scope};

/// A role, a user or a group as the holder of policies.
#[derive(Clone)]
pub struct Identity {
    construct: Construct,
    /// Where a policy lists identities of this kind: `Roles`, `Users` or `Groups`.
    list: &'static str,
    /// As policies name it.
    name: Expr,
    origin: Origin,
    default_policy: Rc<RefCell<Option<Policy>>>,
}

#[derive(Clone)]
enum Origin {
    Made {
        resource: CfnResource<Untyped>,
        managed_policies: Rc<RefCell<Vec<ManagedPolicy>>>,
    },
    /// It exists already.
    Imported(Import),
}

/// How far an identity that exists already can be given something.
#[derive(Clone)]
pub(super) enum Import {
    /// It is of this account: its own policy says all.
    Here(Principal),
    /// It may be of another account: policies of resources name it too.
    Anywhere(Principal),
    /// Only policies of resources name it.
    Untouched(Principal),
}

impl Identity {
    pub(super) fn made<T: cfn::ResourceType>(
        construct: &Construct,
        list: &'static str,
        resource: &CfnResource<T>,
    ) -> Self {
        Self {
            construct: construct.clone(),
            list,
            name: resource.reference().into_expr(),
            origin: Origin::Made {
                resource: resource.untyped(),
                managed_policies: Rc::default(),
            },
            default_policy: Rc::default(),
        }
    }

    pub(super) fn imported(construct: &Construct, list: &'static str, name: Expr, import: Import) -> Self {
        Self {
            construct: construct.clone(),
            list,
            name,
            origin: Origin::Imported(import),
            default_policy: Rc::default(),
        }
    }

    /// Whether a policy of its own can be attached to it.
    pub(super) const fn has_policy(&self) -> bool {
        !matches!(self.origin, Origin::Imported(Import::Untouched(_)))
    }

    /// Who it is to the policies of resources, where those have to name it.
    pub(super) const fn outside(&self) -> Option<&Principal> {
        match &self.origin {
            Origin::Imported(Import::Anywhere(principal) | Import::Untouched(principal)) => Some(principal),
            Origin::Made { .. } | Origin::Imported(Import::Here(_)) => None,
        }
    }

    /// Who it is to the policies of resources.
    pub(crate) fn principal(&self) -> Principal {
        match &self.origin {
            Origin::Made { resource, .. } => Principal::arn(resource.attribute::<String>("Arn")),
            Origin::Imported(Import::Here(principal) | Import::Anywhere(principal) | Import::Untouched(principal)) => {
                principal.clone()
            }
        }
    }

    /// Of an identity that exists already this is not possible, and reported.
    pub fn add_managed_policy(&self, policy: ManagedPolicy) {
        let Origin::Made {
            resource,
            managed_policies,
        } = &self.origin
        else {
            self.construct
                .report("managed policies of an imported identity are given where it is made");
            return;
        };
        let mut policies = managed_policies.borrow_mut();
        if policies.contains(&policy) {
            return;
        }
        policies.push(policy);
        let arns = policies.iter().map(|policy| policy.policy_arn().clone());
        resource.set("ManagedPolicyArns", Some(Expr::List(arns.collect())));
    }

    /// Adds a statement to the identity's own policy, which is made with the first one. An identity that is not touched
    /// stays as it is.
    pub fn add_to_policy(&self, statement: PolicyStatement) {
        if !self.has_policy() {
            return;
        }
        let policy = self.default_policy.borrow().clone();
        let policy = policy.unwrap_or_else(|| {
            let id = match self.origin {
                Origin::Made { .. } => "DefaultPolicy",
                Origin::Imported(_) => "Policy",
            };
            let policy = Policy::new(&self.construct, id);
            policy.attach_to(self);
            *self.default_policy.borrow_mut() = Some(policy.clone());
            policy
        });
        policy.add(statement);
    }
}

impl Scope for Identity {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

/// A policy is attached to a role, a user or a group alike.
impl From<&Self> for Identity {
    fn from(identity: &Self) -> Self {
        identity.clone()
    }
}

/// Whom a policy is attached to, by the list of their kind.
#[derive(Clone, Default)]
pub(super) struct Attachments(Rc<RefCell<IndexMap<&'static str, Vec<Expr>>>>);

impl Attachments {
    /// Adds an identity, once, and hands the whole list of its kind to `set`.
    pub(super) fn add(&self, identity: &Identity, set: impl FnOnce(&'static str, Expr)) {
        let mut lists = self.0.borrow_mut();
        let names = lists.entry(identity.list).or_default();
        if !names.contains(&identity.name) {
            names.push(identity.name.clone());
            set(identity.list, Expr::List(names.clone()));
        }
    }
}
