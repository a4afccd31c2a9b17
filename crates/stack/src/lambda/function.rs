//! Functions: role, security group, environment, logs.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::lambda::function;
use cfn::{Builder, Expr, IntoValue, Map, Value, id};

use super::alias::Version;
use super::code::{Code, Runtime};
use super::destination::{Asynchronous, Destination};
use super::permission::{GivenName, Invocable};
use crate::cloudwatch::Metric;
use crate::ec2::{Connectable, Connections, SecurityGroup, Subnet, SubnetSelection, Vpc};
use crate::element::CfnResource;
use crate::iam::{Identity, ManagedPolicy, PolicyStatement, Principal, Role};
use crate::logs::LogGroup;
use crate::site::Site;
use crate::sqs::Queue;
use crate::tree::{Construct, Scope};
use crate::units::{Size, whole_seconds};

/// What Lambda sets itself.
const RESERVED_VARIABLES: [&str; 17] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    X86_64,
    Arm64,
}

impl Architecture {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracing {
    /// Each request is traced.
    Active,
    /// Requests are traced that the caller traces.
    PassThrough,
    Disabled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// The least that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl LogLevel {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

#[derive(Clone)]
pub struct Function {
    construct: Construct,
    resource: CfnResource<cfn::lambda::Function>,
    inner: Rc<Inner>,
}

struct Inner {
    role: Role,
    security_groups: Vec<SecurityGroup>,
    given_name: GivenName,
    environment: RefCell<Map>,
    current_version: RefCell<Option<Version>>,
}

impl Scope for Function {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct FunctionBuilder {
    site: Site,
    runtime: Runtime,
    code: Code,
    properties: cfn::lambda::Function,
    handler: Option<String>,
    name: Option<Expr>,
    environment: Vec<(String, Expr)>,
    role: Option<Role>,
    policies: Vec<PolicyStatement>,
    network: Option<Network>,
    dead_letter_queue: Option<Queue>,
    tracing: Option<Tracing>,
    log_format: Option<LogFormat>,
    application_log_level: Option<LogLevel>,
    system_log_level: Option<LogLevel>,
    log_group: Option<LogGroup>,
    asynchronous: Asynchronous,
}

/// Where a function stands in a VPC.
struct Network {
    vpc: Vpc,
    subnets: SubnetSelection,
    security_groups: Vec<SecurityGroup>,
    allow_public_subnet: bool,
    allow_all_outbound: bool,
}

impl FunctionBuilder {
    /// What is called: `index.handler`; for native runtimes the executable, `bootstrap`.
    pub fn handler(mut self, handler: impl Into<String>) -> Self {
        self.handler = Some(handler.into());
        self
    }

    pub fn function_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// An environment variable. Secrets do not belong here: pass the ARN of one.
    pub fn environment(mut self, name: impl Into<String>, value: impl IntoValue<String>) -> Self {
        self.environment.push((name.into(), value.into_value().into_expr()));
        self
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.properties = self.properties.timeout(whole_seconds(timeout));
        self
    }

    pub fn memory(mut self, size: Size) -> Self {
        self.properties = self.properties.memory_size(size.to_mebibytes());
        self
    }

    /// Space in `/tmp`, 512 MiB to 10 GiB.
    pub fn ephemeral_storage(mut self, size: Size) -> Self {
        self.properties = self
            .properties
            .ephemeral_storage(function::EphemeralStorage::new().size(size.to_mebibytes()));
        self
    }

    pub fn architecture(mut self, architecture: Architecture) -> Self {
        self.properties = self.properties.architectures([architecture.as_str()]);
        self
    }

    /// How many run at a time at most, kept free for this function.
    pub fn reserved_concurrent_executions(mut self, count: u32) -> Self {
        self.properties = self.properties.reserved_concurrent_executions(count);
        self
    }

    pub fn layers(mut self, arns: impl IntoIterator<Item = impl IntoValue<id::lambda::LayerVersionArn>>) -> Self {
        self.properties = self.properties.layers(arns.into_iter().collect::<Vec<_>>());
        self
    }

    /// A role of one's own; it needs the right to write logs.
    pub fn role(mut self, role: &Role) -> Self {
        self.role = Some(role.clone());
        self
    }

    /// What the function may do from the beginning.
    pub fn initial_policy(mut self, statement: PolicyStatement) -> Self {
        self.policies.push(statement);
        self
    }

    /// In this VPC, in its private subnets, with a security group of its own.
    pub fn vpc(self, vpc: &Vpc) -> Self {
        self.vpc_subnets(vpc, SubnetSelection::preferred())
    }

    pub fn vpc_subnets(mut self, vpc: &Vpc, subnets: SubnetSelection) -> Self {
        self.network = Some(Network {
            vpc: vpc.clone(),
            subnets,
            security_groups: Vec::new(),
            allow_public_subnet: false,
            allow_all_outbound: true,
        });
        self
    }

    /// These instead of a security group of its own. After [`FunctionBuilder::vpc`].
    pub fn security_groups(mut self, groups: impl IntoIterator<Item = SecurityGroup>) -> Self {
        if let Some(network) = &mut self.network {
            network.security_groups.extend(groups);
        }
        self
    }

    /// Whether its own security group lets everything out; it does if nothing is said. After [`FunctionBuilder::vpc`].
    pub fn allow_all_outbound(mut self, on: bool) -> Self {
        if let Some(network) = &mut self.network {
            network.allow_all_outbound = on;
        }
        self
    }

    /// A function in a public subnet reaches no internet; say that this is meant. After [`FunctionBuilder::vpc`].
    pub fn allow_public_subnet(mut self) -> Self {
        if let Some(network) = &mut self.network {
            network.allow_public_subnet = true;
        }
        self
    }

    /// Where asynchronous events go that failed.
    pub fn dead_letter_queue(mut self, queue: &Queue) -> Self {
        self.dead_letter_queue = Some(queue.clone());
        self
    }

    pub fn tracing(mut self, tracing: Tracing) -> Self {
        self.tracing = Some(tracing);
        self
    }

    pub fn log_format(mut self, format: LogFormat) -> Self {
        self.log_format = Some(format);
        self
    }

    /// Of what the code logs; needs [`LogFormat::Json`].
    pub fn application_log_level(mut self, level: LogLevel) -> Self {
        self.application_log_level = Some(level);
        self
    }

    /// Of what Lambda logs; needs [`LogFormat::Json`].
    pub fn system_log_level(mut self, level: LogLevel) -> Self {
        self.system_log_level = Some(level);
        self
    }

    pub fn log_group(mut self, group: &LogGroup) -> Self {
        self.log_group = Some(group.clone());
        self
    }

    /// How often an asynchronous event is tried again: 0 to 2.
    pub fn retry_attempts(mut self, count: u32) -> Self {
        self.asynchronous.retry_attempts = Some(count);
        self
    }

    /// How long an asynchronous event is tried.
    pub fn max_event_age(mut self, age: Duration) -> Self {
        self.asynchronous.max_event_age = Some(age);
        self
    }

    /// Learns of each asynchronous event that succeeded.
    pub fn on_success(mut self, destination: Destination) -> Self {
        self.asynchronous.on_success = Some(destination);
        self
    }

    /// Gets each asynchronous event that failed for good.
    pub fn on_failure(mut self, destination: Destination) -> Self {
        self.asynchronous.on_failure = Some(destination);
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::lambda::Function) -> cfn::lambda::Function) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(mut self) -> Function {
        let construct = self.site.clone().make("lambda.Function");
        let role = self.make_role(&construct);
        for statement in std::mem::take(&mut self.policies) {
            role.add_to_policy(statement);
        }
        if matches!(self.code, Code::Inline(_)) && !self.runtime.takes_inline_code() {
            construct.report(format!(
                "{} does not run code that stands in the template",
                self.runtime.name()
            ));
        }
        let code = self.code.render(&construct);
        let mut properties = std::mem::replace(&mut self.properties, cfn::lambda::Function::new());
        if let Some(queue) = &self.dead_letter_queue {
            role.add_to_policy(PolicyStatement::allow(["sqs:SendMessage"]).on(queue.queue_arn()));
            properties = properties.dead_letter_config(function::DeadLetterConfig::new().target_arn(queue.queue_arn()));
        }
        let mut security_groups = Vec::new();
        if let Some(network) = &self.network {
            let (config, groups) = network.join(&construct);
            properties = properties.vpc_config(config);
            security_groups = groups;
        }
        if let Some(logging) = self.logging(&construct) {
            properties = properties.logging_config(logging);
        }
        if let Some(tracing @ (Tracing::Active | Tracing::PassThrough)) = self.tracing {
            let actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"];
            role.add_to_policy(PolicyStatement::allow(actions).on_all());
            let mode = if tracing == Tracing::Active {
                "Active"
            } else {
                "PassThrough"
            };
            properties = properties.tracing_config(function::TracingConfig::new().mode(mode));
        }
        let given_name = match &self.name {
            None => GivenName::None,
            Some(name) => name
                .as_text()
                .map_or(GivenName::Unknown, |name| GivenName::Given(name.to_owned())),
        };
        if let Some(name) = &self.name {
            check_name(&construct, name);
            properties = properties.function_name(name.clone().cast::<String>());
        }
        let handler = self
            .handler
            .as_deref()
            .unwrap_or_else(|| self.runtime.default_handler());
        let properties = properties
            .runtime(self.runtime.name())
            .handler(handler)
            .role(role.role_arn())
            .code(code);
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.construct().add_dependency(&role);
        let inner = Inner {
            role,
            security_groups,
            given_name,
            environment: RefCell::default(),
            current_version: RefCell::default(),
        };
        let function = Function {
            construct,
            resource,
            inner: Rc::new(inner),
        };
        for (name, value) in std::mem::take(&mut self.environment) {
            function.add_environment(name, value.cast::<String>());
        }
        self.asynchronous.configure(&function);
        function
    }

    fn make_role(&self, construct: &Construct) -> Role {
        if let Some(role) = &self.role {
            return role.clone();
        }
        let role = Role::new(construct, "ServiceRole", Principal::service("lambda.amazonaws.com"))
            .managed_policy(ManagedPolicy::aws("service-role/AWSLambdaBasicExecutionRole"));
        if self.network.is_none() {
            return role.build();
        }
        role.managed_policy(ManagedPolicy::aws("service-role/AWSLambdaVPCAccessExecutionRole"))
            .build()
    }

    fn logging(&self, construct: &Construct) -> Option<function::LoggingConfig> {
        let has_level = self.application_log_level.is_some() || self.system_log_level.is_some();
        if has_level && self.log_format != Some(LogFormat::Json) {
            construct.report("log levels need the log format JSON");
        }
        if self.log_format.is_none() && self.log_group.is_none() {
            return None;
        }
        let format = self
            .log_format
            .map(|format| if format == LogFormat::Json { "JSON" } else { "Text" });
        Some(
            function::LoggingConfig::new()
                .when_some(format, function::LoggingConfig::log_format)
                .when_some(
                    self.application_log_level.map(LogLevel::as_str),
                    function::LoggingConfig::application_log_level,
                )
                .when_some(
                    self.system_log_level.map(LogLevel::as_str),
                    function::LoggingConfig::system_log_level,
                )
                .when_some(
                    self.log_group.as_ref().map(LogGroup::log_group_name),
                    function::LoggingConfig::log_group,
                ),
        )
    }
}

fn check_name(construct: &Construct, name: &Expr) {
    let valid = |name: &str| name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if name.as_text().is_some_and(|name| !valid(name)) {
        construct.report("the name of a function holds letters, digits, `-` and `_`, at most 64");
    }
}

impl Network {
    /// The part of the properties, and the security groups.
    fn join(&self, construct: &Construct) -> (function::VpcConfig, Vec<SecurityGroup>) {
        let groups = if self.security_groups.is_empty() {
            let description = format!("Automatic security group for Lambda Function {}", construct.unique_id());
            let group = SecurityGroup::new(construct, "SecurityGroup", &self.vpc)
                .description(description)
                .allow_all_outbound(self.allow_all_outbound);
            vec![group.build()]
        } else {
            self.security_groups.clone()
        };
        let subnets = self.vpc.select_subnets(&self.subnets);
        let public: Vec<_> = self.vpc.public_subnets().iter().map(Subnet::subnet_id).collect();
        if !self.allow_public_subnet && subnets.iter().any(|subnet| public.contains(&subnet.subnet_id())) {
            construct.report("a function in a public subnet reaches no internet; choose private subnets");
        }
        for subnet in &subnets {
            construct.add_dependency_on_group(subnet.internet_connectivity());
        }
        let config = function::VpcConfig::new()
            .subnet_ids(subnets.iter().map(Subnet::subnet_id).collect::<Vec<_>>())
            .security_group_ids(SecurityGroup::ids(&groups));
        (config, groups)
    }
}

impl Function {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, runtime: Runtime, code: Code) -> FunctionBuilder {
        FunctionBuilder {
            site: Site::new(scope, id),
            runtime,
            code,
            properties: cfn::lambda::Function::new(),
            handler: None,
            name: None,
            environment: Vec::new(),
            role: None,
            policies: Vec::new(),
            network: None,
            dead_letter_queue: None,
            tracing: None,
            log_format: None,
            application_log_level: None,
            system_log_level: None,
            log_group: None,
            asynchronous: Asynchronous::default(),
        }
    }

    pub fn function_name(&self) -> Value<id::lambda::FunctionName> {
        self.resource.reference()
    }

    pub fn function_arn(&self) -> Value<id::lambda::FunctionArn> {
        self.resource.arn()
    }

    pub fn role(&self) -> &Role {
        &self.inner.role
    }

    pub fn resource(&self) -> &CfnResource<cfn::lambda::Function> {
        &self.resource
    }

    pub fn add_environment(&self, name: impl Into<String>, value: impl IntoValue<String>) {
        let name = name.into();
        if RESERVED_VARIABLES.contains(&name.as_str()) {
            self.construct
                .report(format!("the environment variable `{name}` is set by Lambda itself"));
        }
        let mut environment = self.inner.environment.borrow_mut();
        environment.insert(name, value.into_value());
        // Sorted, so that the hash of a version does not depend on the order in which variables were added.
        environment.sort_keys();
        self.resource
            .set("Environment", Some(Expr::map([("Variables", environment.clone())])));
    }

    pub fn add_to_role_policy(&self, statement: PolicyStatement) {
        self.role().add_to_policy(statement);
    }

    /// A version that follows the content: published anew when something changes that a version freezes.
    pub fn current_version(&self) -> Version {
        let known = self.inner.current_version.borrow().clone();
        known.unwrap_or_else(|| {
            let version = Version::current(self);
            *self.inner.current_version.borrow_mut() = Some(version.clone());
            version
        })
    }

    /// A metric of `AWS/Lambda` about this function.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/Lambda", name)
            .dimension("FunctionName", self.function_name())
            .attached_to(&self.construct)
    }

    /// The average, in milliseconds.
    pub fn metric_duration(&self) -> Metric {
        self.metric("Duration").average()
    }

    pub fn metric_errors(&self) -> Metric {
        self.metric("Errors").sum()
    }

    pub fn metric_invocations(&self) -> Metric {
        self.metric("Invocations").sum()
    }

    pub fn metric_throttles(&self) -> Metric {
        self.metric("Throttles").sum()
    }
}

impl Invocable for Function {
    fn invocable_arn(&self) -> Value<String> {
        self.function_arn().cast()
    }

    fn arns_to_invoke(&self) -> Vec<Value<String>> {
        let versions = Expr::concat([self.function_arn().into_expr(), ":*".into()]);
        vec![self.invocable_arn(), Value::from_expr(versions)]
    }

    fn given_name(&self) -> GivenName {
        self.inner.given_name.clone()
    }
}

impl Connectable for Function {
    fn connections(&self) -> Connections {
        if self.inner.security_groups.is_empty() {
            self.construct.report("a function has connections only in a VPC");
        }
        Connections::new(self.inner.security_groups.iter().cloned())
    }
}

/// Its role.
impl From<&Function> for Identity {
    fn from(function: &Function) -> Self {
        function.role().into()
    }
}
