//! What a rollout moves, resolved to physical names.

use serde::{Deserialize, Serialize};

use super::{AliasName, EntryKind, FunctionName, PerSlot, RestApiId, ServedEntry, StageName};

/// Everything that moves together in a rollout: all of it ends on one slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutTarget {
    pub functions: Vec<FunctionName>,
    pub apis: Vec<ApiTarget>,
    /// Journals and standings of before live aliases have none.
    #[serde(default)]
    pub aliases: Vec<LiveAlias>,
}

/// The alias that everything but REST APIs calls a function through. Its weights split the calls between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveAlias {
    pub function: FunctionName,
    pub alias: AliasName,
    /// Who calls it, for people, and for what a rollout does differently for each kind.
    pub serves: Vec<ServedEntry>,
}

impl LiveAlias {
    /// As the service writes it: `orders:live`.
    pub fn resource(&self) -> String {
        format!("{}:{}", self.function, self.alias)
    }

    pub fn serves_kind(&self, kind: EntryKind) -> bool {
        self.serves.iter().any(|entry| entry.kind == kind)
    }
}

/// A REST API with its live stage and a preview stage for each slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiTarget {
    pub rest_api_id: RestApiId,
    /// The API's name, which its metrics carry.
    pub name: String,
    pub live_stage: StageName,
    pub preview_stages: PerSlot<StageName>,
    /// Base URL of the live stage, without a trailing slash.
    pub live_url: String,
    /// Base URLs of the preview stages, without a trailing slash.
    pub preview_urls: PerSlot<String>,
}
