//! State machines themselves: role, logs, traces, definition.

use std::path::PathBuf;
use std::time::Duration;

use cfn::stepfunctions::state_machine::{
    CloudWatchLogsLogGroup, LogDestination, LoggingConfiguration, S3Location, TracingConfiguration,
};
use cfn::{Builder, Expr, IntoValue, Json, Value, id};

use super::chain::Chainable;
use super::graph::Graph;
use super::state::State;
use crate::cloudwatch::Metric;
use crate::cloudwatch::json_text::json_text;
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{Grant, Grantee, Identity, PolicyStatement, Principal, Role};
use crate::logs::LogGroup;
use crate::site::Site;
use crate::stack::{Arn, ArnFormat, Stack};
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

const MAX_NAME_LENGTH: usize = 80;
const LOG_ACTIONS: [&str; 8] = [
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
];
const TRACE_ACTIONS: [&str; 4] = [
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateMachineType {
    /// Each step exactly once, up to a year long.
    Standard,
    /// Many and short ones, each step at least once.
    Express,
}

/// Which events of executions are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Off,
    All,
    Error,
    Fatal,
}

impl LogLevel {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::All => "ALL",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

enum Definition {
    Chain(State),
    Text(Value<String>),
    File(PathBuf),
}

#[derive(Clone)]
pub struct StateMachine {
    construct: Construct,
    resource: CfnResource<cfn::stepfunctions::StateMachine>,
    role: Role,
}

impl Scope for StateMachine {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl From<&StateMachine> for Identity {
    fn from(state_machine: &StateMachine) -> Self {
        (&state_machine.role).into()
    }
}

struct Logs {
    group: LogGroup,
    level: LogLevel,
    includes_execution_data: Option<bool>,
}

#[must_use = "nothing is made until `build`"]
pub struct StateMachineBuilder {
    site: Site,
    definition: Definition,
    properties: cfn::stepfunctions::StateMachine,
    name: Option<Value<String>>,
    role: Option<Role>,
    comment: Option<String>,
    timeout: Option<Duration>,
    logs: Option<Logs>,
    tracing: Option<bool>,
    substitutions: Vec<(String, Value<Json>)>,
    removal_policy: RemovalPolicy,
}

impl StateMachineBuilder {
    pub fn state_machine_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value());
        self
    }

    /// Standard if nothing is said.
    pub fn state_machine_type(mut self, kind: StateMachineType) -> Self {
        self.properties = self.properties.state_machine_type(match kind {
            StateMachineType::Standard => "STANDARD",
            StateMachineType::Express => "EXPRESS",
        });
        self
    }

    /// This instead of a role of its own.
    pub fn role(mut self, role: &Role) -> Self {
        self.role = Some(role.clone());
        self
    }

    /// In the definition.
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// An execution that takes longer has failed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Logs errors, until [`StateMachineBuilder::log_level`] says more or less.
    pub fn logs(mut self, group: &LogGroup) -> Self {
        self.logs = Some(Logs {
            group: group.clone(),
            level: LogLevel::Error,
            includes_execution_data: None,
        });
        self
    }

    /// After [`StateMachineBuilder::logs`].
    pub fn log_level(mut self, level: LogLevel) -> Self {
        if let Some(logs) = &mut self.logs {
            logs.level = level;
        }
        self
    }

    /// Whether inputs and outputs are logged too. After [`StateMachineBuilder::logs`].
    pub fn log_execution_data(mut self, on: bool) -> Self {
        if let Some(logs) = &mut self.logs {
            logs.includes_execution_data = Some(on);
        }
        self
    }

    /// Traces executions with X-Ray.
    pub fn tracing(mut self, on: bool) -> Self {
        self.tracing = Some(on);
        self
    }

    /// What `${name}` stands for in a definition that is a text or a file.
    pub fn substitution(mut self, name: impl Into<String>, value: impl IntoValue<Json>) -> Self {
        self.substitutions.push((name.into(), value.into_value()));
        self
    }

    /// Destroyed if nothing is said.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = policy;
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(
        mut self,
        change: impl FnOnce(cfn::stepfunctions::StateMachine) -> cfn::stepfunctions::StateMachine,
    ) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> StateMachine {
        let construct = self.site.clone().make("stepfunctions.StateMachine");
        self.check_name(&construct);
        let stack = Stack::of(&construct);
        let role = self.role.unwrap_or_else(|| make_role(&construct, &stack));
        let properties = match self.definition {
            Definition::Chain(start) => {
                let graph = Graph::collect(&start, &construct, 0);
                for statement in &graph.policies {
                    role.add_to_policy(statement.clone());
                }
                let mut definition = graph.render();
                if let Some(timeout) = self.timeout {
                    definition.insert("TimeoutSeconds", whole_seconds(timeout));
                }
                if let Some(comment) = self.comment {
                    definition.insert("Comment", comment);
                }
                let text = json_text(&definition.into()).cast::<String>();
                self.properties.definition_string(text)
            }
            Definition::Text(text) => self.properties.definition_string(text),
            Definition::File(path) => {
                let asset = Site::new(&construct, "DefinitionBody").make("s3_assets.Asset");
                let location = stack.add_file_asset(&asset, &path);
                let place = S3Location::new()
                    .bucket(location.bucket.cast::<String>())
                    .key(location.key);
                self.properties.definition_s3_location(place)
            }
        };
        let logging = self.logs.map(|logs| logs.configure(&role));
        if self.tracing == Some(true) {
            role.add_to_policy(PolicyStatement::allow(TRACE_ACTIONS).on_all());
        }
        let tracing = self.tracing.map(|on| TracingConfiguration::new().enabled(on));
        let substitutions = Some(self.substitutions).filter(|substitutions| !substitutions.is_empty());
        let properties = properties
            .when_some(self.name, cfn::stepfunctions::StateMachine::state_machine_name)
            .when_some(logging, cfn::stepfunctions::StateMachine::logging_configuration)
            .when_some(tracing, cfn::stepfunctions::StateMachine::tracing_configuration)
            .when_some(
                substitutions,
                cfn::stepfunctions::StateMachine::definition_substitutions,
            )
            .role_arn(role.role_arn());
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(self.removal_policy);
        Scope::construct(&resource).add_dependency(&role);
        StateMachine {
            construct,
            resource,
            role,
        }
    }

    fn check_name(&self, construct: &Construct) {
        let valid = |name: &str| {
            (1..=MAX_NAME_LENGTH).contains(&name.len())
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+!@.()-=_'".contains(c))
        };
        let name = self.name.as_ref().and_then(|name| name.expr().as_text());
        if name.is_some_and(|name| !valid(name)) {
            construct.report(format!(
                "the name of a state machine has up to {MAX_NAME_LENGTH} letters, digits and of `+!@.()-=_'`"
            ));
        }
    }
}

impl Logs {
    fn configure(&self, role: &Role) -> LoggingConfiguration {
        role.add_to_policy(PolicyStatement::allow(LOG_ACTIONS).on_all());
        let group = CloudWatchLogsLogGroup::new().log_group_arn(self.group.log_group_arn());
        LoggingConfiguration::new()
            .destinations([LogDestination::new().cloud_watch_logs_log_group(group)])
            .level(self.level.as_str())
            .when_some(
                self.includes_execution_data,
                LoggingConfiguration::include_execution_data,
            )
    }
}

fn make_role(construct: &Construct, stack: &Stack) -> Role {
    let own = Arn::new("states", "stateMachine").name("*").format(ArnFormat::Colon);
    let principal = Principal::service("states.amazonaws.com")
        .condition("ArnLike", [("aws:SourceArn", stack.format_arn(own))])
        .condition("StringEquals", [("aws:SourceAccount", stack.account())]);
    Role::new(construct, "Role", principal).build()
}

/// The name of a state machine, cut out of its ARN.
pub(super) fn name_in_arn(arn: &Value<String>) -> Expr {
    if let Some(name) = arn.expr().as_text().and_then(|arn| arn.split(':').nth(6)) {
        return Expr::text(name.to_owned());
    }
    cfn::intrinsics::select(6, cfn::intrinsics::split(":", arn)).into_expr()
}

impl StateMachine {
    /// `definition` is the first state, or a chain that begins with it.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, definition: &impl Chainable) -> StateMachineBuilder {
        Self::at(Site::new(scope, id), Definition::Chain(definition.chain().start))
    }

    /// From a definition in Amazon States Language.
    #[track_caller]
    pub fn from_text(
        scope: &impl Scope,
        id: impl Into<String>,
        definition: impl IntoValue<String>,
    ) -> StateMachineBuilder {
        Self::at(Site::new(scope, id), Definition::Text(definition.into_value()))
    }

    /// From a definition in a file, which is published as an asset.
    #[track_caller]
    pub fn from_file(scope: &impl Scope, id: impl Into<String>, path: impl Into<PathBuf>) -> StateMachineBuilder {
        Self::at(Site::new(scope, id), Definition::File(path.into()))
    }

    fn at(site: Site, definition: Definition) -> StateMachineBuilder {
        StateMachineBuilder {
            site,
            definition,
            properties: cfn::stepfunctions::StateMachine::new(),
            name: None,
            role: None,
            comment: None,
            timeout: None,
            logs: None,
            tracing: None,
            substitutions: Vec::new(),
            removal_policy: RemovalPolicy::Destroy,
        }
    }

    pub fn state_machine_arn(&self) -> Value<id::stepfunctions::StateMachineArn> {
        self.resource.reference()
    }

    pub fn state_machine_name(&self) -> Value<String> {
        self.resource.name()
    }

    pub fn role(&self) -> &Role {
        &self.role
    }

    pub fn resource(&self) -> &CfnResource<cfn::stepfunctions::StateMachine> {
        &self.resource
    }

    /// The role with which rules start it, made when the first does.
    pub(crate) fn events_role(&self) -> Role {
        const ID: &str = "EventsRole";
        if let Some(role) = self.construct.find_shared::<Role>(ID) {
            return role;
        }
        let role = Role::new(self, ID, Principal::service("events.amazonaws.com")).build();
        role.construct().share(role.clone());
        role
    }

    pub fn add_to_role_policy(&self, statement: PolicyStatement) {
        self.role.add_to_policy(statement);
    }

    /// Actions on the state machine itself.
    pub fn grant(&self, grantee: impl Into<Grantee>, actions: impl IntoIterator<Item = impl Into<String>>) {
        Grant::new(actions, [self.state_machine_arn()]).to(&grantee.into(), |_| {});
    }

    pub fn grant_start_execution(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ["states:StartExecution"]);
    }

    /// Of an express one, whose answer the caller waits for.
    pub fn grant_start_sync_execution(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ["states:StartSyncExecution"]);
    }

    /// Lets it answer tasks that wait for their token.
    pub fn grant_task_response(&self, grantee: impl Into<Grantee>) {
        let actions = [
            "states:SendTaskSuccess",
            "states:SendTaskFailure",
            "states:SendTaskHeartbeat",
        ];
        self.grant(grantee, actions);
    }

    pub fn grant_read(&self, grantee: impl Into<Grantee>) {
        let grantee = grantee.into();
        self.grant(grantee.clone(), ["states:ListExecutions", "states:ListStateMachines"]);
        let actions = [
            "states:DescribeExecution",
            "states:DescribeStateMachineForExecution",
            "states:GetExecutionHistory",
        ];
        self.grant_execution(grantee.clone(), actions);
        let actions = [
            "states:ListActivities",
            "states:DescribeStateMachine",
            "states:DescribeActivity",
        ];
        Grant::new(actions, ["*"]).to(&grantee, |_| {});
    }

    /// Actions on all executions.
    pub fn grant_execution(&self, grantee: impl Into<Grantee>, actions: impl IntoIterator<Item = impl Into<String>>) {
        let name = name_in_arn(&self.state_machine_arn().into_value());
        let arn = Arn::new("states", "execution").name(name).format(ArnFormat::Colon);
        let arn = Expr::concat([Stack::of(self).format_arn(arn), ":*".into()]);
        Grant::new(actions, [arn]).to(&grantee.into(), |_| {});
    }

    /// Lets it go on with executions that failed.
    pub fn grant_redrive_execution(&self, grantee: impl Into<Grantee>) {
        self.grant_execution(grantee, ["states:RedriveExecution"]);
    }

    /// A metric of `AWS/States` about this state machine, as a sum.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/States", name)
            .dimension("StateMachineArn", self.state_machine_arn())
            .sum()
            .attached_to(&self.construct)
    }

    pub fn metric_started(&self) -> Metric {
        self.metric("ExecutionsStarted")
    }

    pub fn metric_succeeded(&self) -> Metric {
        self.metric("ExecutionsSucceeded")
    }

    pub fn metric_failed(&self) -> Metric {
        self.metric("ExecutionsFailed")
    }

    pub fn metric_aborted(&self) -> Metric {
        self.metric("ExecutionsAborted")
    }

    pub fn metric_timed_out(&self) -> Metric {
        self.metric("ExecutionsTimedOut")
    }

    pub fn metric_throttled(&self) -> Metric {
        self.metric("ExecutionThrottled")
    }

    /// How long executions take, in milliseconds, on average.
    pub fn metric_time(&self) -> Metric {
        self.metric("ExecutionTime").average()
    }
}
