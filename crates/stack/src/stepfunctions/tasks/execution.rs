//! Other state machines, and any call of the SDK.

use cfn::{Expr, IntoValue, Json, Map, Value};

use super::{Call, Pattern, TaskTarget};
use crate::iam::PolicyStatement;
use crate::stack::{Arn, ArnFormat, Stack};
use crate::stepfunctions::input::{Field, Input, context, holds_token};
use crate::stepfunctions::state_machine::{StateMachine, name_in_arn};
use crate::tree::Construct;

/// Starts another state machine.
#[derive(Clone)]
pub struct StartExecution {
    state_machine: Value<String>,
    input: Option<Input>,
    name: Option<Field>,
    associates: bool,
    pattern: Pattern,
}

impl StartExecution {
    pub fn new(state_machine: &StateMachine) -> Self {
        Self {
            state_machine: state_machine.state_machine_arn().into_value(),
            input: None,
            name: None,
            associates: false,
            pattern: Pattern::Response,
        }
    }

    /// The input of the state if nothing is said.
    #[must_use]
    pub fn input(mut self, input: impl Into<Input>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Of the execution.
    #[must_use]
    pub fn name(mut self, name: impl Into<Field>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Tells the other who started it, so that the console shows it. The input is an object then.
    #[must_use]
    pub fn associate_with_parent(mut self) -> Self {
        self.associates = true;
        self
    }

    /// Waits until the execution has ended.
    #[must_use]
    pub fn run_job(mut self) -> Self {
        self.pattern = Pattern::Job;
        self
    }

    /// Waits until somebody names the token of the task, which the input must hold.
    #[must_use]
    pub fn wait_for_task_token(mut self) -> Self {
        self.pattern = Pattern::Token;
        self
    }

    fn policies(&self, stack: &Stack) -> Vec<PolicyStatement> {
        let mut policies = vec![PolicyStatement::allow(["states:StartExecution"]).on(&self.state_machine)];
        if self.pattern == Pattern::Job {
            let name = Expr::concat([name_in_arn(&self.state_machine), "*".into()]);
            let executions = Arn::new("states", "execution").name(name).format(ArnFormat::Colon);
            let watch = PolicyStatement::allow(["states:DescribeExecution", "states:StopExecution"]);
            policies.push(watch.on(stack.format_arn(executions).cast::<String>()));
            let rule = Arn::new("events", "rule").name("StepFunctionsGetEventsForStepFunctionsExecutionRule");
            let listen = PolicyStatement::allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"]);
            policies.push(listen.on(stack.format_arn(rule).cast::<String>()));
        }
        policies
    }
}

impl TaskTarget for StartExecution {
    fn call(&self, task: &Construct) -> Call {
        let value = self.input.as_ref().and_then(Input::value);
        self.pattern.check(task, value.is_some_and(holds_token), "input");
        let input = if self.associates {
            let mut object = match (&self.input, value) {
                (None, _) => Map::new(),
                (_, Some(Expr::Map(object))) => object.clone(),
                _ => {
                    task.report("to associate the execution with its parent, its input must be an object");
                    Map::new()
                }
            };
            object.insert("AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$", context::EXECUTION_ID);
            Input::object(object)
        } else {
            self.input.clone().unwrap_or_else(Input::whole)
        };
        let mut parameters = Map::new();
        input.insert(&mut parameters, "Input");
        parameters.insert("StateMachineArn", self.state_machine.clone());
        if let Some(name) = &self.name {
            name.insert(&mut parameters, "Name");
        }
        // The second form of `.sync` gives the output as JSON instead of as a text.
        let api = self.pattern.resource("states", "startExecution");
        let resource = if self.pattern == Pattern::Job {
            Expr::concat([api, ":2".into()])
        } else {
            api
        };
        Call::new(resource, parameters, self.policies(&Stack::of(task)))
    }
}

/// What IAM calls the services whose name in the SDK is another, as far as aws-cdk-lib knows it for tasks.
const IAM_NAMES: [(&str, &str); 7] = [
    ("bedrockagent", "bedrock"),
    ("cloudwatchlogs", "logs"),
    ("efs", "elasticfilesystem"),
    ("elasticloadbalancingv2", "elasticloadbalancing"),
    ("mediapackagevod", "mediapackage-vod"),
    ("mwaa", "airflow"),
    ("sfn", "states"),
];

/// Any call that the SDK can make.
#[derive(Clone)]
pub struct SdkCall {
    service: String,
    action: String,
    resources: Vec<Expr>,
    parameters: Option<Expr>,
    iam_action: Option<String>,
    more: Vec<PolicyStatement>,
    pattern: Pattern,
}

impl SdkCall {
    /// `SdkCall::new("s3", "getObject", [bucket.arn_for_objects("*")])`: what is called, and what it is called on.
    pub fn new(
        service: impl Into<String>,
        action: impl Into<String>,
        resources: impl IntoIterator<Item = impl IntoValue<String>>,
    ) -> Self {
        let resources = resources.into_iter().map(|arn| arn.into_value().into_expr());
        Self {
            service: service.into(),
            action: action.into(),
            resources: resources.collect(),
            parameters: None,
            iam_action: None,
            more: Vec::new(),
            pattern: Pattern::Response,
        }
    }

    /// Their names begin with a capital: `{"Bucket": "b", "Key.$": "$.key"}`.
    #[must_use]
    pub fn parameters(mut self, parameters: impl IntoValue<Json>) -> Self {
        self.parameters = Some(parameters.into_value().into_expr());
        self
    }

    /// What IAM calls the action, where that is not the service and the action: `s3:ListAllMyBuckets`.
    #[must_use]
    pub fn iam_action(mut self, action: impl Into<String>) -> Self {
        self.iam_action = Some(action.into());
        self
    }

    /// What the call needs beside the action itself.
    #[must_use]
    pub fn permission(mut self, statement: PolicyStatement) -> Self {
        self.more.push(statement);
        self
    }

    /// Waits until somebody names the token of the task, which a parameter must hold.
    #[must_use]
    pub fn wait_for_task_token(mut self) -> Self {
        self.pattern = Pattern::Token;
        self
    }

    fn check(&self, task: &Construct) {
        let small = |text: &str| text.starts_with(|letter: char| letter.is_ascii_lowercase());
        let has_token = self.parameters.as_ref().is_some_and(holds_token);
        self.pattern.check(task, has_token, "parameters");
        if !small(&self.action) {
            task.report(format!(
                "an action begins with a small letter, as in `getObject`, not `{}`",
                self.action
            ));
        }
        let keys = self.parameters.as_ref().and_then(Expr::as_map).into_iter();
        for (key, _) in keys.flat_map(Map::iter).filter(|(key, _)| small(key)) {
            task.report(format!("parameters begin with a capital, unlike `{key}`"));
        }
    }
}

impl TaskTarget for SdkCall {
    fn call(&self, task: &Construct) -> Call {
        self.check(task);
        let known = IAM_NAMES.iter().find(|(sdk, _)| *sdk == self.service);
        let iam_service = known.map_or(self.service.as_str(), |(_, iam)| iam);
        let action = self.iam_action.clone();
        let action = action.unwrap_or_else(|| format!("{iam_service}:{}", self.action));
        let resources = self.resources.iter().cloned().map(Expr::cast::<String>);
        let statement = resources.fold(PolicyStatement::allow([action]), PolicyStatement::on);
        let api = format!("{}:{}", self.service.to_lowercase(), self.action);
        let mut call = Call::new(
            self.pattern.resource("aws-sdk", &api),
            Map::new(),
            std::iter::once(statement).chain(self.more.iter().cloned()),
        );
        if let Some(parameters) = &self.parameters {
            call.parameters = Some(parameters.clone());
        }
        call
    }
}
