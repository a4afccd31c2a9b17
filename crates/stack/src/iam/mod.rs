//! Identities and what they may do.

mod grant;
mod policy;
mod role;

pub use grant::{Grant, Grantee};
pub use policy::{Effect, PolicyDocument, PolicyStatement, Principal};
pub use role::{ManagedPolicy, Policy, Role, RoleBuilder};
