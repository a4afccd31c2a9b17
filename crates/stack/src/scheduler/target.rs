//! What a schedule calls, and the role with which it does.
//!
//! Targets of services that the crate has no constructs for are reached with [`Target::sdk_call`].

use std::rc::Rc;
use std::time::Duration;

use cfn::scheduler::schedule;
use cfn::{Builder, Expr, IntoValue, Json, Value};

use crate::cloudwatch::json_text::json_text;
use crate::events::EventBus;
use crate::iam::{PolicyStatement, Principal, Role, iam_action};
use crate::lambda::Invocable;
use crate::logical_id::md5_hex;
use crate::sns::Topic;
use crate::sqs::Queue;
use crate::stack::{Arn, Stack};
use crate::stepfunctions::StateMachine;
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

const MOST_ATTEMPTS: u32 = 185;
const EVENT_AGE: std::ops::RangeInclusive<u64> = 60..=86_400;
/// Calls that only read, which the scheduler does not make.
const READING: [&str; 25] = [
    "get",
    "describe",
    "list",
    "poll",
    "receive",
    "search",
    "scan",
    "query",
    "select",
    "read",
    "lookup",
    "discover",
    "validate",
    "batchGet",
    "batchDescribe",
    "batchRead",
    "transactGet",
    "adminGet",
    "adminList",
    "testMigration",
    "retrieve",
    "testConnection",
    "translateDocument",
    "isAuthorized",
    "invokeModel",
];

/// Words in an input that the scheduler replaces when it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextAttribute {
    ScheduleArn,
    /// The time that the schedule says, as `2026-12-24T18:00:00Z`.
    ScheduledTime,
    ExecutionId,
    AttemptNumber,
}

impl ContextAttribute {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScheduleArn => "<aws.scheduler.schedule-arn>",
            Self::ScheduledTime => "<aws.scheduler.scheduled-time>",
            Self::ExecutionId => "<aws.scheduler.execution-id>",
            Self::AttemptNumber => "<aws.scheduler.attempt-number>",
        }
    }
}

#[derive(Clone)]
enum Receiver {
    Function(Rc<dyn Invocable>),
    Queue {
        queue: Queue,
        group: Option<String>,
    },
    Topic(Topic),
    StateMachine(StateMachine),
    Bus {
        bus: EventBus,
        source: String,
        detail_type: String,
    },
    Call {
        service: String,
        call: String,
        statements: Vec<PolicyStatement>,
    },
}

/// What a schedule calls.
#[derive(Clone)]
pub struct Target {
    receiver: Receiver,
    input: Option<Expr>,
    role: Option<Role>,
    dead_letter_queue: Option<Queue>,
    max_event_age: Option<Duration>,
    retry_attempts: Option<u32>,
}

impl Target {
    fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            input: None,
            role: None,
            dead_letter_queue: None,
            max_event_age: None,
            retry_attempts: None,
        }
    }

    /// A function, a version or an alias.
    pub fn function(function: &(impl Invocable + Clone + 'static)) -> Self {
        Self::new(Receiver::Function(Rc::new(function.clone())))
    }

    pub fn queue(queue: &Queue) -> Self {
        let queue = queue.clone();
        Self::new(Receiver::Queue { queue, group: None })
    }

    /// A queue that keeps the order of each group, and deduplicates by content.
    pub fn fifo_queue(queue: &Queue, message_group_id: impl Into<String>) -> Self {
        let (queue, group) = (queue.clone(), Some(message_group_id.into()));
        Self::new(Receiver::Queue { queue, group })
    }

    pub fn topic(topic: &Topic) -> Self {
        Self::new(Receiver::Topic(topic.clone()))
    }

    pub fn state_machine(state_machine: &StateMachine) -> Self {
        Self::new(Receiver::StateMachine(state_machine.clone()))
    }

    /// An event on a bus. Its `detail` is a text of JSON.
    pub fn event(
        bus: &EventBus,
        source: impl Into<String>,
        detail_type: impl Into<String>,
        detail: impl IntoValue<Json>,
    ) -> Self {
        let receiver = Receiver::Bus {
            bus: bus.clone(),
            source: source.into(),
            detail_type: detail_type.into(),
        };
        Self::new(receiver).input_object(detail)
    }

    /// Any call that the SDK can make: `Target::sdk_call("rds", "stopDBInstance")`. The role may do it to everything,
    /// unless [`Target::permission`] says to what.
    pub fn sdk_call(service: impl Into<String>, call: impl Into<String>) -> Self {
        Self::new(Receiver::Call {
            service: service.into(),
            call: call.into(),
            statements: Vec::new(),
        })
    }

    /// What the role of an [`Target::sdk_call`] may do.
    #[must_use]
    pub fn permission(mut self, statement: PolicyStatement) -> Self {
        if let Receiver::Call { statements, .. } = &mut self.receiver {
            statements.push(statement);
        }
        self
    }

    /// A text, passed on as it is.
    #[must_use]
    pub fn input_text(mut self, text: impl IntoValue<String>) -> Self {
        self.input = Some(text.into_value().into_expr());
        self
    }

    /// A JSON value, which may hold references and [`ContextAttribute`]s.
    #[must_use]
    pub fn input_object(mut self, value: impl IntoValue<Json>) -> Self {
        self.input = Some(json_text(&value.into_value().into_expr()));
        self
    }

    /// This instead of a role of the target's own.
    #[must_use]
    pub fn role(mut self, role: &Role) -> Self {
        self.role = Some(role.clone());
        self
    }

    /// Takes what could not be delivered.
    #[must_use]
    pub fn dead_letter_queue(mut self, queue: &Queue) -> Self {
        self.dead_letter_queue = Some(queue.clone());
        self
    }

    /// Between a minute and a day, the latter if nothing is said.
    #[must_use]
    pub fn max_event_age(mut self, age: Duration) -> Self {
        self.max_event_age = Some(age);
        self
    }

    /// 0 to 185, the latter if nothing is said.
    #[must_use]
    pub fn retry_attempts(mut self, count: u32) -> Self {
        self.retry_attempts = Some(count);
        self
    }

    fn arn(&self) -> Value<String> {
        match &self.receiver {
            Receiver::Function(function) => function.invocable_arn(),
            Receiver::Queue { queue, .. } => queue.queue_arn().into_value(),
            Receiver::Topic(topic) => topic.topic_arn().into_value(),
            Receiver::StateMachine(state_machine) => state_machine.state_machine_arn().into_value(),
            Receiver::Bus { bus, .. } => bus.event_bus_arn().into_value(),
            Receiver::Call { service, call, .. } => {
                cfn::text![
                    "arn:",
                    cfn::pseudo::partition(),
                    format!(":scheduler:::aws-sdk:{service}:{call}")
                ]
            }
        }
    }

    fn check(&self, construct: &Construct) {
        if self.retry_attempts.is_some_and(|count| count > MOST_ATTEMPTS) {
            construct.report(format!("the scheduler tries {MOST_ATTEMPTS} times again at most"));
        }
        if self
            .max_event_age
            .is_some_and(|age| !EVENT_AGE.contains(&age.as_secs()))
        {
            construct.report("the scheduler tries again for a minute at least and a day at most");
        }
        if let Receiver::Call { service, call, .. } = &self.receiver {
            if service.to_lowercase() != *service {
                construct.report(format!("a service is written in small letters, not `{service}`"));
            }
            if !call.starts_with(|letter: char| letter.is_ascii_lowercase()) {
                construct.report(format!(
                    "a call begins with a small letter, as in `stopDBInstance`, not `{call}`"
                ));
            }
            if READING.iter().any(|prefix| call.starts_with(prefix)) {
                construct.report(format!(
                    "the scheduler makes no call that only reads, such as {service}:{call}"
                ));
            }
        }
    }

    /// Lets the role do what the target asks.
    fn permit(&self, role: &Role) {
        match &self.receiver {
            Receiver::Function(function) => {
                let allowed = PolicyStatement::allow(["lambda:InvokeFunction"]);
                role.add_to_policy(function.arns_to_invoke().into_iter().fold(allowed, PolicyStatement::on));
            }
            Receiver::Queue { queue, .. } => queue.grant(role, ["sqs:SendMessage"]),
            Receiver::Topic(topic) => topic.grant_publish(role),
            Receiver::StateMachine(state_machine) => state_machine.grant_start_execution(role),
            Receiver::Bus { bus, .. } => bus.grant_put_events(role),
            Receiver::Call {
                service,
                call,
                statements,
            } if statements.is_empty() => {
                role.add_to_policy(PolicyStatement::allow([iam_action(service, call)]).on_all());
            }
            Receiver::Call { statements, .. } => {
                for statement in statements {
                    role.add_to_policy(statement.clone());
                }
            }
        }
    }

    /// Lets the schedule reach the target, and renders it.
    pub(super) fn bind(
        &self,
        schedule: &Construct,
        group_arn: Option<Value<String>>,
    ) -> (schedule::Target<cfn::Set, cfn::Set>, Role) {
        self.check(schedule);
        let arn = self.arn();
        let role = self.role.clone().unwrap_or_else(|| role_for(schedule, &arn, group_arn));
        self.permit(&role);
        if let Some(queue) = &self.dead_letter_queue {
            role.add_to_policy(PolicyStatement::allow(["sqs:SendMessage"]).on(queue.queue_arn()));
        }
        let retries = schedule::RetryPolicy::new()
            .maximum_event_age_in_seconds(whole_seconds(
                self.max_event_age.unwrap_or(Duration::from_secs(*EVENT_AGE.end())),
            ))
            .maximum_retry_attempts(self.retry_attempts.unwrap_or(MOST_ATTEMPTS));
        let queue = self.dead_letter_queue.as_ref().map(Queue::queue_arn);
        let mut target = schedule::Target::new()
            .arn(arn)
            .role_arn(role.role_arn())
            .retry_policy(retries)
            .when_some(self.input.clone().map(Expr::cast::<String>), schedule::Target::input)
            .when_some(
                queue.map(|arn| schedule::DeadLetterConfig::new().arn(arn)),
                schedule::Target::dead_letter_config,
            );
        match &self.receiver {
            Receiver::Queue { group: Some(group), .. } => {
                target = target.sqs_parameters(schedule::SqsParameters::new().message_group_id(group));
            }
            Receiver::Bus {
                source, detail_type, ..
            } => {
                let parameters = schedule::EventBridgeParameters::new()
                    .source(source)
                    .detail_type(detail_type);
                target = target.event_bridge_parameters(parameters);
            }
            _ => {}
        }
        (target, role)
    }
}

/// The role of the stack for everything that calls a target.
fn role_for(schedule: &Construct, arn: &Value<String>, group_arn: Option<Value<String>>) -> Role {
    let stack = Stack::of(schedule);
    let text = match arn.expr().as_text() {
        Some(text) => text.to_owned(),
        None => schedule.early_text(arn.expr().clone()),
    };
    let mut hash = md5_hex(&text);
    hash.truncate(6);
    let id = format!("SchedulerRoleForTarget-{hash}");
    let group_arn = group_arn.unwrap_or_else(|| {
        let arn = Arn::new("scheduler", "schedule-group").name("default");
        stack.format_arn(arn).cast()
    });
    let principal = Principal::service("scheduler.amazonaws.com").condition(
        "StringEquals",
        [("aws:SourceAccount", stack.account()), ("aws:SourceArn", group_arn)],
    );
    if let Some(role) = stack.construct().find_shared::<Role>(&id) {
        role.add_trust(principal);
        return role;
    }
    let role = Role::new(&stack, id, principal).build();
    role.construct().share(role.clone());
    role
}
