//! What a rollout moves, resolved to physical names.

use serde::{Deserialize, Serialize};

use super::{FunctionName, PerSlot, RestApiId, StageName};

/// Everything that moves together in a rollout: all of it ends on one slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutTarget {
    pub functions: Vec<FunctionName>,
    pub apis: Vec<ApiTarget>,
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
