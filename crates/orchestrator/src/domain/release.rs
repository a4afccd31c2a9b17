//! A release: an immutable set of function versions, API deployments, template digest and schema version.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{DeploymentId, FunctionName, FunctionVersion, RestApiId, Slot};

/// Counts up in each environment. 0 is the baseline: what the stack's creation made live, before any rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseNumber(pub u32);

impl ReleaseNumber {
    pub const BASELINE: ReleaseNumber = ReleaseNumber(0);

    pub fn next(self) -> ReleaseNumber {
        ReleaseNumber(self.0 + 1)
    }
}

impl fmt::Display for ReleaseNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// A function as a release holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedFunction {
    pub name: FunctionName,
    pub version: FunctionVersion,
    /// As the cloud reports it: base64 of the SHA-256 of the code package.
    pub code_sha256: String,
}

/// An API as a release holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiDeployment {
    pub rest_api_id: RestApiId,
    pub deployment_id: DeploymentId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// Being rolled out; not proven yet.
    Candidate,
    /// Receives the live traffic.
    Live,
    /// Was live and proven; a rollback may go there until the retention ends.
    Retained,
    /// Failed a smoke check or a gate, or its rollout was turned back: nothing goes there again.
    Rejected,
    /// Its retention has ended.
    Retired,
}

impl fmt::Display for ReleaseState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            ReleaseState::Candidate => "candidate",
            ReleaseState::Live => "live",
            ReleaseState::Retained => "retained",
            ReleaseState::Rejected => "rejected",
            ReleaseState::Retired => "retired",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub number: ReleaseNumber,
    pub tag: String,
    pub functions: Vec<ReleasedFunction>,
    pub apis: Vec<ApiDeployment>,
    /// The slot whose aliases it was last pointed to by.
    pub slot: Slot,
    pub template_digest: String,
    /// The newest migration applied when it was made; `None` where there is no database.
    pub schema_version: Option<String>,
    /// The contracts that were pending beside it, by their versions: those that it, alone, can do without. `None` in
    /// releases of before this was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contracts: Option<Vec<String>>,
    pub created_at: Timestamp,
    /// What was live when it was made; where a rollback from here goes.
    pub previous: Option<ReleaseNumber>,
    pub state: ReleaseState,
    /// Until when a retained release may be gone back to.
    pub retained_until: Option<Timestamp>,
}

impl Release {
    /// SHA-256 in hex over everything that makes the release what it is: number, functions, APIs, template, schema.
    /// Slot, state, times and contracts are not part of it.
    pub fn digest(&self) -> String {
        let identity = serde_json::json!([
            self.number,
            self.functions,
            self.apis,
            self.template_digest,
            self.schema_version
        ]);
        hex::encode(Sha256::digest(identity.to_string()))
    }

    pub fn function(&self, name: &FunctionName) -> Option<&ReleasedFunction> {
        self.functions.iter().find(|function| &function.name == name)
    }

    pub fn deployment(&self, rest_api_id: &RestApiId) -> Option<&DeploymentId> {
        self.apis
            .iter()
            .find(|api| &api.rest_api_id == rest_api_id)
            .map(|api| &api.deployment_id)
    }
}
