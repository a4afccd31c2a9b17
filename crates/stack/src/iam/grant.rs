//! Grants: a permission goes to the identity where it has policies of its own, else to the resource's policy.

use cfn::Expr;

use super::identity::Identity;
use super::policy::{PolicyStatement, Principal};

/// Who is granted something.
#[derive(Clone)]
pub enum Grantee {
    /// Gets a statement in its own policy.
    Identity(Identity),
    /// Is named in the policy of the resource.
    Principal(Principal),
}

impl Grantee {
    /// Whose own policy gets the statement, and who is named in the policy of the resource. Both, of a role that exists
    /// already and may belong to another account: both accounts have to agree then.
    pub(crate) fn parties(&self) -> (Option<&Identity>, Option<&Principal>) {
        match self {
            Self::Identity(identity) => (
                Some(identity).filter(|identity| identity.has_policy()),
                identity.outside(),
            ),
            Self::Principal(principal) => (None, Some(principal)),
        }
    }
}

impl Grantee {
    pub(crate) const fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Identity(identity) => Some(identity),
            Self::Principal(_) => None,
        }
    }

    /// Who it is to the policies of resources.
    pub(crate) fn principal(&self) -> Principal {
        match self {
            Self::Identity(identity) => identity.principal(),
            Self::Principal(principal) => principal.clone(),
        }
    }
}

impl<T> From<&T> for Grantee
where
    for<'a> &'a T: Into<Identity>,
{
    fn from(identity: &T) -> Self {
        Self::Identity(identity.into())
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
        let (identity, principal) = grantee.parties();
        if let Some(identity) = identity {
            identity.add_to_policy(statement.clone());
        }
        if let Some(principal) = principal {
            resource_policy(statement.by(principal.clone()));
        }
    }
}
