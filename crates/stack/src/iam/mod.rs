//! Identities and what they may do.

mod grant;
mod identity;
mod managed_policy;
mod policy;
mod provider;
mod resource_policy;
mod role;
mod service_prefix;
mod user;

pub use grant::{Grant, Grantee};
pub use identity::Identity;
pub use managed_policy::{CustomerManagedPolicy, CustomerManagedPolicyBuilder, ManagedPolicy};
pub use policy::{Effect, PolicyDocument, PolicyStatement, Principal};
pub use provider::{InstanceProfile, InstanceProfileBuilder, OidcProvider, OidcProviderBuilder, SamlProvider};
pub(crate) use resource_policy::ResourcePolicy;
pub use role::{Policy, Role, RoleBuilder};
pub(crate) use service_prefix::iam_action;
pub use user::{AccessKey, AccessKeyBuilder, Group, GroupBuilder, User, UserBuilder};
