//! What every function of the platform stands on: its settings, secrets, database, cache and answers.
//!
//! Called by the functions beside this folder. It knows nothing of what a function answers: no SQL, no route.
//!
//! When does a request count as failed? An answer with a status, even 503, is a *success* for `AWS/Lambda Errors`,
//! because the function ran to its end. So the functions divide failures in two:
//! - something that they depend on is down or too slow ([`DatabaseError::is_outage`]): a 503 answer, which counts as `5XXError`
//!   of the API and tells the caller to come back;
//! - anything else is a bug or a wrong deployment (a missing table, a malformed secret): the handler returns `Err`,
//!   which counts in `AWS/Lambda Errors` of exactly this version, so that a gate sees it. API Gateway answers 502.

mod answer;
mod cache;
mod chain;
mod database;
mod secret;
mod variables;

pub use answer::{invalid, json, not_found, outage};
pub use cache::{Cache, CacheError, CacheSettings, Lookup};
pub use chain::chain;
pub use database::{Database, DatabaseError, DatabaseSettings};
pub use secret::{Secret, SecretError, SecretSource, SecretsManager};
pub use variables::{SettingsError, Variables};
