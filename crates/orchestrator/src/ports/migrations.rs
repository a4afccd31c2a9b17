//! The database's schema, as far as a rollout is concerned.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Where it is, such as a snapshot's identifier or a file; never with a password.
    pub location: String,
    /// What the environment's commands around it said, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookRun>,
}

/// A command of the environment's settings that ran before or after a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookRun {
    /// `before-migrate`, `after-backup`, …
    pub when: String,
    /// Its program and arguments, with every secret masked.
    pub command: String,
    pub succeeded: bool,
    /// How it ended: `exit status: 0`, or that it was ended after its time.
    pub ended: String,
    /// The end of what it wrote, with every secret masked.
    pub output: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Expanded {
    /// `count` migrations were applied now; `schema_version` is the newest that is applied, `None` where there are no
    /// migrations at all. `contracts` are the versions of the contracts that lie beside and are pending, so that it is known
    /// which belong with this release; journals of before have `None`.
    Applied {
        count: u32,
        schema_version: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contracts: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hooks: Vec<HookRun>,
    },
    /// There is no database before the first deploy; the rollout asks again when the stacks stand.
    NoDatabaseYet,
}

#[async_trait]
pub trait Migrations: Send + Sync {
    /// Backs the database up under `label`; `None` where the environment asks for no backup or there is no database
    /// yet. Repeating it with the same label is safe.
    async fn backup(&self, label: &str) -> Result<Option<Backup>, PortError>;

    /// Whether [`Migrations::expand`] would apply anything now; not where there is no database yet.
    async fn expand_is_pending(&self) -> Result<bool, PortError>;

    /// Applies what is pending of the phase *expand*. Repeating it is safe.
    async fn expand(&self) -> Result<Expanded, PortError>;
}
