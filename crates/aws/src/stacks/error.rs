//! Why a stack is not as it should be.

use std::time::Duration;

use orchestrator::ports::{PortError, PortErrorKind};

use super::cause::{Cause, Failures};
use super::plan::Moved;
use crate::failure::Failure;

#[derive(Debug, thiserror::Error)]
pub enum StackError {
    #[error("stack {stack} is busy ({status}): somebody else changes it, wait until that ends and try again")]
    InProgress { stack: String, status: String },
    #[error(
        "stack {stack} is {status}: nothing of it can be used or updated; delete it (`aws cloudformation delete-stack --stack-name {stack}`) and deploy again"
    )]
    MustBeDeleted { stack: String, status: String },
    #[error(
        "stack {stack} is {status}: remove what blocks the rollback, then let it end (`aws cloudformation continue-update-rollback --stack-name {stack}`) and deploy again"
    )]
    MustContinueRollback { stack: String, status: String },
    #[error("stack {stack} is {status}, in which nothing can be changed: see its events in the console")]
    Stuck { stack: String, status: String },
    #[error("CloudFormation refuses the change to stack {stack}: {reason}")]
    Refused { stack: String, reason: String },
    #[error("stack {stack} ended as {status}: {}", describe_cause(.failures.first.as_ref()))]
    Failed {
        stack: String,
        status: String,
        failures: Box<Failures>,
    },
    #[error("stack {stack} was not begun, because stopping was asked for")]
    Interrupted { stack: String },
    #[error("the plan of stack {stack} cannot be executed: {moved}")]
    Moved { stack: String, moved: Moved },
    #[error("the change to stack {stack} was not approved; nothing was changed")]
    NotApproved { stack: String },
    #[error("stack {stack} still is {status} after {} minutes: it goes on without us, see its events", waited.as_secs() / 60)]
    TimedOut {
        stack: String,
        status: String,
        waited: Duration,
    },
    #[error("the template of stack {stack} has {bytes} bytes, more than a call may carry (51,200): publish it first")]
    TemplateTooLarge { stack: String, bytes: usize },
    #[error("stack {stack} depends on {dependency}, which is not among the stacks to deploy")]
    UnknownDependency { stack: String, dependency: String },
    #[error("the stacks {} depend on each other in a circle", stacks.join(", "))]
    Circle { stacks: Vec<String> },
    #[error("stack {stack}: {failure}")]
    Aws { stack: String, failure: Failure },
}

fn describe_cause(cause: Option<&Cause>) -> String {
    match cause {
        Some(Cause { event, within }) => format!(
            "{}{} ({}) was first to fail, with {}: {}",
            within.iter().map(|nested| format!("{nested}/")).collect::<String>(),
            event.logical_id,
            event.resource_type,
            event.status,
            event.reason.as_deref().unwrap_or("no reason given")
        ),
        None => "no event says why".to_owned(),
    }
}

impl StackError {
    pub(crate) fn aws(stack: &str) -> impl FnOnce(Failure) -> Self {
        let stack = stack.to_owned();
        move |failure| Self::Aws { stack, failure }
    }

    pub fn stack(&self) -> &str {
        match self {
            Self::InProgress { stack, .. }
            | Self::MustBeDeleted { stack, .. }
            | Self::MustContinueRollback { stack, .. }
            | Self::Stuck { stack, .. }
            | Self::Refused { stack, .. }
            | Self::Failed { stack, .. }
            | Self::NotApproved { stack }
            | Self::Interrupted { stack }
            | Self::Moved { stack, .. }
            | Self::TimedOut { stack, .. }
            | Self::TemplateTooLarge { stack, .. }
            | Self::UnknownDependency { stack, .. }
            | Self::Aws { stack, .. } => stack,
            Self::Circle { stacks } => stacks.first().map_or("", String::as_str),
        }
    }
}

impl From<StackError> for PortError {
    fn from(error: StackError) -> Self {
        let kind = match &error {
            StackError::Aws { failure, .. } => return failure.clone().into(),
            StackError::InProgress { .. }
            | StackError::MustBeDeleted { .. }
            | StackError::MustContinueRollback { .. }
            | StackError::Stuck { .. }
            | StackError::Moved { .. } => PortErrorKind::Conflict,
            StackError::Refused { .. }
            | StackError::Failed { .. }
            | StackError::NotApproved { .. }
            | StackError::Interrupted { .. }
            | StackError::TemplateTooLarge { .. }
            | StackError::UnknownDependency { .. }
            | StackError::Circle { .. } => PortErrorKind::Invalid,
            StackError::TimedOut { .. } => PortErrorKind::Ambiguous,
        };
        Self::new(kind, "deploy", error.stack(), error.to_string())
    }
}
