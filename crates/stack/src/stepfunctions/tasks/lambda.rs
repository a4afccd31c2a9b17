//! Functions.

use std::rc::Rc;
use std::time::Duration;

use cfn::{Expr, Map};

use super::{Call, Pattern, TaskMetrics, TaskTarget};
use crate::iam::PolicyStatement;
use crate::lambda::Invocable;
use crate::stepfunctions::fallible::Retry;
use crate::stepfunctions::input::{Input, holds_token};
use crate::tree::Construct;

/// What Lambda itself fails with, now and then.
const SERVICE_ERRORS: [&str; 4] = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
];

/// Whether an invocation waits for the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvocationType {
    RequestResponse,
    Event,
    /// Only asks whether it would be allowed.
    DryRun,
}

impl InvocationType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RequestResponse => "RequestResponse",
            Self::Event => "Event",
            Self::DryRun => "DryRun",
        }
    }
}

/// Invokes a function, a version or an alias. The result has the function's answer under `Payload`.
#[derive(Clone)]
pub struct LambdaInvoke {
    function: Rc<dyn Invocable>,
    payload: Option<Input>,
    invocation_type: Option<InvocationType>,
    client_context: Option<Input>,
    qualifier: Option<String>,
    pattern: Pattern,
    payload_response_only: bool,
    retries_service_errors: bool,
}

impl LambdaInvoke {
    pub fn new(function: &(impl Invocable + Clone + 'static)) -> Self {
        Self {
            function: Rc::new(function.clone()),
            payload: None,
            invocation_type: None,
            client_context: None,
            qualifier: None,
            pattern: Pattern::Response,
            payload_response_only: false,
            retries_service_errors: true,
        }
    }

    /// What the function gets; the input of the state if nothing is said.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Input>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    #[must_use]
    pub fn invocation_type(mut self, kind: InvocationType) -> Self {
        self.invocation_type = Some(kind);
        self
    }

    /// Base64 of JSON, which the function finds in its context.
    #[must_use]
    pub fn client_context(mut self, context: impl Into<Input>) -> Self {
        self.client_context = Some(context.into());
        self
    }

    /// A version or an alias of the function, by name.
    #[must_use]
    pub fn qualifier(mut self, qualifier: impl Into<String>) -> Self {
        self.qualifier = Some(qualifier.into());
        self
    }

    /// Waits until somebody names the token of the task, which the payload must hold.
    #[must_use]
    pub fn wait_for_task_token(mut self) -> Self {
        self.pattern = Pattern::Token;
        self
    }

    /// The result is the function's answer alone. Neither the type of invocation nor a qualifier can be said then.
    #[must_use]
    pub fn payload_response_only(mut self) -> Self {
        self.payload_response_only = true;
        self
    }

    /// Whether errors of Lambda itself are tried again six times; they are if nothing is said.
    #[must_use]
    pub fn retry_on_service_exceptions(mut self, on: bool) -> Self {
        self.retries_service_errors = on;
        self
    }

    fn parameters(&self) -> Map {
        let mut parameters = Map::new();
        parameters.insert("FunctionName", self.function.invocable_arn());
        self.payload
            .clone()
            .unwrap_or_else(Input::whole)
            .insert(&mut parameters, "Payload");
        if let Some(kind) = self.invocation_type {
            parameters.insert("InvocationType", kind.as_str());
        }
        if let Some(context) = &self.client_context {
            context.insert(&mut parameters, "ClientContext");
        }
        if let Some(qualifier) = &self.qualifier {
            parameters.insert("Qualifier", qualifier.clone());
        }
        parameters
    }
}

impl TaskTarget for LambdaInvoke {
    fn call(&self, task: &Construct) -> Call {
        let arn = self.function.invocable_arn();
        let has_token = self.payload.as_ref().and_then(Input::value).is_some_and(holds_token);
        self.pattern.check(task, has_token, "payload");
        let statement = PolicyStatement::allow(["lambda:InvokeFunction"]);
        let statement = self
            .function
            .arns_to_invoke()
            .into_iter()
            .fold(statement, PolicyStatement::on);
        let retry = Retry::on(SERVICE_ERRORS)
            .interval(Duration::from_secs(2))
            .max_attempts(6)
            .backoff_rate(2.0);
        let (resource, parameters) = if self.payload_response_only {
            let is_more = self.pattern != Pattern::Response
                || self.invocation_type.is_some()
                || self.client_context.is_some()
                || self.qualifier.is_some();
            if is_more {
                task.report("with `payload_response_only`, nothing but the payload can be said of the invocation");
            }
            (arn.clone().into_expr(), self.payload.as_ref().map(Input::bare))
        } else {
            let parameters = Expr::from(self.parameters());
            (self.pattern.resource("lambda", "invoke"), Some(parameters))
        };
        Call {
            resource,
            parameters,
            policies: vec![statement],
            retries: self.retries_service_errors.then_some(retry).into_iter().collect(),
            metrics: Some(TaskMetrics {
                singular: "LambdaFunction",
                plural: "LambdaFunctions",
                dimension: ("LambdaFunctionArn", arn),
            }),
        }
    }
}
