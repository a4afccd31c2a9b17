//! CloudFormation stacks: look at them, change them by change set, follow what happens, remove them.
//!
//! It deploys what it is given and judges nothing: which changes need an approval is asked of the caller, with the
//! change list in hand. A stack that is busy or stuck is never touched; the error says the way out.

mod advice;
mod cause;
mod change_set;
mod deploy;
mod describe;
mod destroy;
mod error;
mod events;
mod execute;
mod exports;
mod leftovers;
mod plan;
mod readiness;
mod schedule;
mod stop;
mod template;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::assets::ObjectLocation;

pub use advice::advice;
pub use cause::{Cause, Failures};
pub use change_set::Planned;
pub use deploy::{Approval, Approved, Deployment, Proposal, StackOutcome, StackProgress};
pub(crate) use describe::timestamp;
pub use destroy::{Removal, RemovalProgress};
pub use error::StackError;
pub use exports::{DropExports, KeepExports};
pub use plan::{ChangeSetPlan, Fingerprint, Moved, StackPlan};
pub(crate) use readiness::readiness;
pub use schedule::{Ending, StackEnd, into_outcomes};
pub use stop::Stop;
pub use template::{declared_parameters, json_digest, no_echo_parameters};

/// The largest template that a call may carry, in bytes; a larger one is read from S3 (CloudFormation quotas).
pub const TEMPLATE_BODY_LIMIT: usize = 51_200;

/// One stack as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackInput {
    pub name: String,
    /// JSON.
    pub template: String,
    /// Where the template was published; needed above [`TEMPLATE_BODY_LIMIT`] only.
    pub template_location: Option<ObjectLocation>,
    /// Those that are not given keep their value, and take the template's default in a new stack.
    pub parameters: BTreeMap<String, String>,
    /// All of them: a tag that the stack has and this does not is removed.
    pub tags: BTreeMap<String, String>,
    /// Names of stacks that must stand first.
    pub depends_on: Vec<String>,
    /// Whether the stack can be deleted only after this was taken away; `None` leaves it as it is.
    pub termination_protection: Option<bool>,
    /// Topics that hear of every event of the stack; none leaves them as they are.
    pub notification_arns: Vec<String>,
    /// The role that CloudFormation works as from now on; `None` leaves it as it is, at first the caller's own rights.
    pub role_arn: Option<String>,
}

/// One stack as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackDescription {
    pub name: String,
    /// The ARN; the only name that a deleted stack still answers to.
    pub id: String,
    /// In CloudFormation's words, for example `UPDATE_COMPLETE`.
    pub status: String,
    pub status_reason: Option<String>,
    pub outputs: BTreeMap<String, String>,
    /// Export name → value, of those outputs that are exported.
    pub exports: BTreeMap<String, String>,
    /// Output → export name, of those outputs that are exported.
    pub exported_outputs: BTreeMap<String, String>,
    pub parameters: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// CloudFormation deletes no stack that is protected.
    pub termination_protection: bool,
    /// When it was last changed, or created.
    pub changed_at: Option<Timestamp>,
    /// The ARN of the change set that was executed last.
    pub change_set_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackResource {
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub status: String,
}

/// Something that happened to one resource of a stack, or to the stack itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEvent {
    pub stack: String,
    pub at: Timestamp,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub status: String,
    pub reason: Option<String>,
    pub(crate) id: String,
    pub(crate) of_the_stack_itself: bool,
}

impl StackEvent {
    /// Whether it tells of the stack and not of one of its resources.
    pub fn is_of_the_stack_itself(&self) -> bool {
        self.of_the_stack_itself
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeSetKind {
    Create,
    Update,
}

/// What CloudFormation would do; nothing has happened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    pub stack: String,
    pub kind: ChangeSetKind,
    /// Empty where only outputs change.
    pub changes: Vec<ResourceChange>,
    /// Its ARN.
    pub id: String,
    /// The ARN of the stack, which for a new one exists as `REVIEW_IN_PROGRESS`.
    pub stack_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceChange {
    /// `Add`, `Modify`, `Remove`, `Import` or `Dynamic`.
    pub action: String,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub replacement: Replacement,
    /// What becomes of the resource that is removed or replaced, in CloudFormation's words: `Delete`, `Retain`,
    /// `Snapshot`, `ReplaceAndDelete`, `ReplaceAndRetain`, `ReplaceAndSnapshot`; `None` where nothing goes.
    pub policy_action: Option<String>,
    /// What of the resource changes: `Properties`, `Metadata`, `Tags`, …
    pub scope: Vec<String>,
    pub details: Vec<PropertyChange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    Never,
    /// Depends on a value that is known only when the change is made.
    Conditional,
    Always,
}

/// Why a resource changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyChange {
    /// A property's name, or the attribute (`Tags`, `Metadata`) where there is none.
    pub name: String,
    pub requires_replacement: Replacement,
    /// `DirectModification`, `ResourceReference`, `ParameterReference`, `ResourceAttribute`, `Automatic`.
    pub source: Option<String>,
    /// What it refers to, where that is the cause.
    pub cause: Option<String>,
}

#[cfg(test)]
impl StackDescription {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            id: format!("arn:aws:cloudformation:eu-west-1:123456789012:stack/{name}/1"),
            status: "CREATE_COMPLETE".to_owned(),
            status_reason: None,
            outputs: BTreeMap::new(),
            exports: BTreeMap::new(),
            exported_outputs: BTreeMap::new(),
            parameters: BTreeMap::new(),
            tags: BTreeMap::new(),
            changed_at: None,
            termination_protection: false,
            change_set_id: None,
        }
    }
}
