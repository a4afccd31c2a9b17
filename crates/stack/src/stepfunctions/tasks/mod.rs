//! What tasks call. Each target says how it is called and what the role must be allowed for it.

mod dynamodb;
mod execution;
mod lambda;
mod message;

pub use dynamodb::{AttributeValue, DynamoDelete, DynamoGet, DynamoPut, DynamoUpdate};
pub use execution::{SdkCall, StartExecution};
pub use lambda::{InvocationType, LambdaInvoke};
pub use message::{Event, PutEvents, SendMessage, SnsPublish};

use cfn::{Expr, Map, Value};

use super::fallible::Retry;
use crate::iam::PolicyStatement;
use crate::tree::Construct;

/// What a task calls.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` is nothing that a task calls",
    label = "a `LambdaInvoke`, a `SendMessage`, an `SdkCall` or the like belongs here"
)]
pub trait TaskTarget {
    /// `task` is the construct of the task, which is told what is wrong.
    fn call(&self, task: &Construct) -> Call;
}

/// A call as it is rendered.
pub struct Call {
    pub(super) resource: Expr,
    pub(super) parameters: Option<Expr>,
    pub(super) policies: Vec<PolicyStatement>,
    pub(super) retries: Vec<Retry>,
    pub(super) metrics: Option<TaskMetrics>,
}

/// What Step Functions measures of a task.
#[derive(Clone)]
pub(super) struct TaskMetrics {
    pub(super) singular: &'static str,
    pub(super) plural: &'static str,
    pub(super) dimension: (&'static str, Value<String>),
}

impl Call {
    fn new(resource: Expr, parameters: Map, policies: impl IntoIterator<Item = PolicyStatement>) -> Self {
        Self {
            resource,
            parameters: Some(parameters.into()),
            policies: policies.into_iter().collect(),
            retries: Vec::new(),
            metrics: None,
        }
    }
}

/// When the task is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pattern {
    /// When the service has answered.
    #[default]
    Response,
    /// When the job that the service began is done.
    Job,
    /// When somebody names the token of the task.
    Token,
}

impl Pattern {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Response => "",
            Self::Job => ".sync",
            Self::Token => ".waitForTaskToken",
        }
    }

    /// `service` and `api` as Step Functions calls them.
    fn resource(self, service: &str, api: &str) -> Expr {
        let call = format!(":states:::{service}:{api}{}", self.suffix());
        Expr::concat(["arn:".into(), cfn::pseudo::partition().into_expr(), call.into()])
    }

    /// Who calls back must have been told the token.
    fn check(self, task: &Construct, has_token: bool, what: &str) {
        if self == Self::Token && !has_token {
            task.report(format!(
                "nobody can call back: put the token into the {what}, as in {{\"token.$\": \"$$.Task.Token\"}}"
            ));
        }
    }
}
