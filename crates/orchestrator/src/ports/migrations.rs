//! The database's schema, as far as a rollout is concerned.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Where it is, such as a snapshot's identifier or a file; never with a password.
    pub location: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Expanded {
    /// `count` migrations were applied now; `schema_version` is the newest that is applied, `None` where there are no
    /// migrations at all.
    Applied { count: u32, schema_version: Option<String> },
    /// There is no database before the first deploy; the rollout asks again when the stacks stand.
    NoDatabaseYet,
}

#[async_trait]
pub trait Migrations: Send + Sync {
    /// Backs the database up under `label`; `None` where the environment asks for no backup or there is no database
    /// yet. Repeating it with the same label is safe.
    async fn backup(&self, label: &str) -> Result<Option<Backup>, PortError>;

    /// Applies what is pending of the phase *expand*. Repeating it is safe.
    async fn expand(&self) -> Result<Expanded, PortError>;
}
