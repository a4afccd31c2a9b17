//! Identities and what they may do.

mod grant;
mod policy;
mod resource_policy;
mod role;

pub use grant::{Grant, Grantee};
pub use policy::{Effect, PolicyDocument, PolicyStatement, Principal};
pub(crate) use resource_policy::ResourcePolicy;
pub use role::{ManagedPolicy, Policy, Role, RoleBuilder};
