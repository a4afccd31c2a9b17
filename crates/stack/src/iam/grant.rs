//! Grants: a permission goes to the identity where it has policies of its own, else to the resource's policy.

use cfn::Expr;

use super::policy::{PolicyStatement, Principal};
use super::role::Role;

/// Who is granted something.
#[derive(Clone)]
pub enum Grantee {
    /// Gets a statement in its own policy.
    Role(Role),
    /// Is named in the policy of the resource.
    Principal(Principal),
}

impl From<&Role> for Grantee {
    fn from(role: &Role) -> Self {
        Self::Role(role.clone())
    }
}

impl From<Principal> for Grantee {
    fn from(principal: Principal) -> Self {
        Self::Principal(principal)
    }
}

/// A permission about to be given.
pub struct Grant {
    actions: Vec<String>,
    resources: Vec<Expr>,
}

impl Grant {
    pub fn new(
        actions: impl IntoIterator<Item = impl Into<String>>,
        resources: impl IntoIterator<Item = impl Into<Expr>>,
    ) -> Self {
        Self {
            actions: actions.into_iter().map(Into::into).collect(),
            resources: resources.into_iter().map(Into::into).collect(),
        }
    }

    /// Gives it. `resource_policy` takes the statement for those without a policy of their own.
    pub fn to(self, grantee: &Grantee, resource_policy: impl FnOnce(PolicyStatement)) {
        let mut statement = PolicyStatement::allow(self.actions);
        for resource in self.resources {
            statement = statement.on(resource.cast::<String>());
        }
        match grantee {
            Grantee::Role(role) => role.add_to_policy(statement),
            Grantee::Principal(principal) => resource_policy(statement.by(principal.clone())),
        }
    }
}
