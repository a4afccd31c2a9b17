//! A token authorizer of API Gateway: `Authorization: Bearer KEY` against the keys in a secret.
//!
//! - A known key gets an `Allow` policy, an unknown one a `Deny` (the caller sees 403).
//! - A header that is no bearer token ends as the error `Unauthorized`, which is how API Gateway is told to answer 401.
//!   It also counts in `AWS/Lambda Errors` of this function, so gates look at the functions behind the API and not at this one.
//! - When the keys cannot be read, the request fails (500): nothing is let through.
//!
//! It is not slotted: a wrong authorizer would lock out both slots, so it changes with the stack and not with a release.

mod keys;
mod policy;

pub use keys::{Authorizer, AuthorizerError};
pub use policy::{Policy, TokenRequest};
