//! What is kept of a stack, so that a killed cloud knows what it was at.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::status::Status;

/// Seconds since the epoch, as the wire has them.
pub type Seconds = f64;

/// What a stack was asked to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Goal {
    /// The template as it was given.
    pub template: String,
    pub parameters: Vec<Parameter>,
    pub tags: Vec<(String, String)>,
    pub capabilities: Vec<String>,
    pub notification_arns: Vec<String>,
    pub role_arn: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    pub key: String,
    /// As given: for an SSM parameter type the parameter's name.
    pub value: String,
    /// The value of an SSM parameter type.
    pub resolved: Option<String>,
    /// Shown as `****`.
    pub no_echo: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stack {
    pub id: String,
    pub name: String,
    pub status: Status,
    pub status_reason: Option<String>,
    pub created: Seconds,
    pub updated: Option<Seconds>,
    pub deleted: Option<Seconds>,
    pub goal: Goal,
    pub on_failure: OnFailure,
    pub termination_protection: bool,
    pub description: Option<String>,
    pub change_set_id: Option<String>,
    pub outputs: Vec<Output>,
    /// Names of exports of other stacks that this one's template imports.
    pub imports: Vec<String>,
    pub resources: IndexMap<String, ResourceRecord>,
    /// What the stack was before the update that runs; a rollback goes there.
    pub previous: Option<Box<Snapshot>>,
    /// Resources that exist and no longer belong to the stack: replaced or removed, deleted in the cleanup.
    pub garbage: Vec<Garbage>,
    /// Oldest first.
    pub events: Vec<Event>,
    pub change_sets: Vec<ChangeSet>,
    /// How often the whole stack was saved; the journal's entries belong to one such save.
    #[serde(default)]
    pub generation: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    #[default]
    Rollback,
    Delete,
    DoNothing,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    pub goal: Goal,
    pub outputs: Vec<Output>,
    pub imports: Vec<String>,
    pub resources: IndexMap<String, ResourceRecord>,
    pub description: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResourceRecord {
    pub logical_id: String,
    pub resource_type: String,
    pub status: Status,
    pub status_reason: Option<String>,
    pub timestamp: Seconds,
    /// Absent while the provider has not answered.
    pub physical_id: Option<String>,
    pub attributes: Map<String, Value>,
    /// Resolved but for dynamic references: what those stand for is never stored.
    pub properties: Map<String, Value>,
    pub tags: Vec<(String, String)>,
    pub generated_name: String,
    pub deletion_policy: Policy,
    pub update_replace_policy: Policy,
    pub metadata: Option<Value>,
    pub depends_on: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    #[default]
    Delete,
    Retain,
    RetainExceptOnCreate,
    Snapshot,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Garbage {
    pub record: ResourceRecord,
    pub policy: Policy,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Output {
    pub key: String,
    pub value: String,
    pub description: Option<String>,
    pub export_name: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    pub id: String,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub timestamp: Seconds,
    pub status: Status,
    pub reason: Option<String>,
    /// JSON text.
    pub properties: Option<String>,
    pub token: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeSet {
    pub id: String,
    pub name: String,
    pub is_create: bool,
    /// `CREATE_COMPLETE` or `FAILED`.
    pub status: String,
    pub status_reason: Option<String>,
    pub execution_status: String,
    pub created: Seconds,
    pub description: Option<String>,
    pub on_failure: OnFailure,
    pub goal: Goal,
    /// As the wire has them.
    pub changes: Vec<Value>,
}

impl Stack {
    pub fn change_set(&self, name_or_id: &str) -> Option<&ChangeSet> {
        self.change_sets
            .iter()
            .find(|set| set.id == name_or_id || set.name == name_or_id)
    }
}
