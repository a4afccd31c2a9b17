//! EventBridge: rules that answer events or the clock.
//!
//! Targets in another account or region are not offered here.

mod bus;
mod cron;
mod destination;
mod input;
mod matching;

pub use bus::{Archive, ArchiveBuilder, EventBus, EventBusBuilder};
pub use cron::Cron;
pub use destination::{
    ApiDestination, ApiDestinationBuilder, Authorization, Connection, ConnectionBuilder, HttpParameter,
};
pub use input::{EventField, Input};
pub use matching::Match;

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use cfn::{Expr, IntoValue, Json, Map, Value, id};

use crate::element::CfnResource;
use crate::iam::{PolicyStatement, Principal, Role};
use crate::lambda::{Invocable, Permission};
use crate::site::Site;
use crate::sns::Topic;
use crate::sqs::Queue;
use crate::stepfunctions::StateMachine;
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

/// EventBridge takes no more.
const MOST_TARGETS: usize = 5;

fn events_service() -> Principal {
    Principal::service("events.amazonaws.com")
}

/// When a rule runs of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(String);

impl Schedule {
    /// `rate(5 minutes)` or `cron(0 2 * * ? *)`.
    pub fn expression(expression: impl Into<String>) -> Self {
        Self(expression.into())
    }

    /// Again and again, in whole minutes: a part of a minute is left out.
    pub fn rate(interval: Duration) -> Self {
        let minutes = interval.as_secs() / 60;
        let (count, unit) = if minutes > 0 && minutes.is_multiple_of(24 * 60) {
            (minutes / (24 * 60), "day")
        } else if minutes > 0 && minutes.is_multiple_of(60) {
            (minutes / 60, "hour")
        } else {
            (minutes, "minute")
        };
        let plural = if count == 1 { "" } else { "s" };
        Self(format!("rate({count} {unit}{plural})"))
    }

    /// At the times of a table of times, in UTC.
    pub fn cron(cron: &Cron) -> Self {
        Self(cron.to_string())
    }

    /// Each day at this time, in UTC.
    pub fn daily(hour: u8, minute: u8) -> Self {
        Self(format!("cron({minute} {hour} * * ? *)"))
    }

    /// As AWS reads it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn problem(&self) -> Option<&'static str> {
        (self.0 == "rate(0 minutes)").then_some("a rate is a minute at least")
    }
}

/// Which events a rule answers: each field names the values that it may have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventPattern(Map);

impl EventPattern {
    pub fn new() -> Self {
        Self::default()
    }

    /// Who sent it: `aws.cloudwatch`.
    #[must_use]
    pub fn source(self, sources: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.any_of("source", sources)
    }

    #[must_use]
    pub fn detail_type(self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.any_of("detail-type", types)
    }

    #[must_use]
    pub fn account(self, accounts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.any_of("account", accounts)
    }

    #[must_use]
    pub fn region(self, regions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.any_of("region", regions)
    }

    /// The resources, by ARN, that the event is about.
    #[must_use]
    pub fn resources(mut self, arns: impl IntoIterator<Item = impl IntoValue<String>>) -> Self {
        let arns = arns.into_iter().map(|arn| arn.into_value().into_expr());
        self.0.insert("resources", Expr::List(arns.collect()));
        self
    }

    /// What the event itself says, as EventBridge's content filtering writes it.
    #[must_use]
    pub fn detail(mut self, detail: impl IntoValue<Json>) -> Self {
        self.0.insert("detail", detail.into_value().into_expr());
        self
    }

    fn any_of(mut self, field: &'static str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let values = values.into_iter().map(|value| Expr::from(value.into()));
        self.0.insert(field, Expr::List(values.collect()));
        self
    }
}

#[derive(Clone)]
enum Receiver {
    Function(Rc<dyn Invocable>),
    Queue(Queue),
    Topic(Topic),
    Bus(EventBus),
    Destination(ApiDestination),
    StateMachine(StateMachine),
}

/// Who gets what a rule lets through.
#[derive(Clone)]
pub struct Target {
    receiver: Receiver,
    input: Option<Input>,
    retry_attempts: Option<u32>,
    max_event_age: Option<Duration>,
    dead_letter_queue: Option<Queue>,
    message_group: Option<String>,
    headers: Map,
    query: Map,
}

impl Target {
    fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            input: None,
            retry_attempts: None,
            max_event_age: None,
            dead_letter_queue: None,
            message_group: None,
            headers: Map::new(),
            query: Map::new(),
        }
    }

    /// A function, a version or an alias.
    pub fn function(function: &(impl Invocable + Clone + 'static)) -> Self {
        Self::new(Receiver::Function(Rc::new(function.clone())))
    }

    pub fn queue(queue: &Queue) -> Self {
        Self::new(Receiver::Queue(queue.clone()))
    }

    pub fn topic(topic: &Topic) -> Self {
        Self::new(Receiver::Topic(topic.clone()))
    }

    /// Another bus; the rule gets a role that may put events there.
    pub fn event_bus(bus: &EventBus) -> Self {
        Self::new(Receiver::Bus(bus.clone()))
    }

    /// Starts the state machine, whose input is the event.
    pub fn state_machine(state_machine: &StateMachine) -> Self {
        Self::new(Receiver::StateMachine(state_machine.clone()))
    }

    /// An address outside of AWS.
    pub fn api_destination(destination: &ApiDestination) -> Self {
        Self::new(Receiver::Destination(destination.clone()))
    }

    /// A header of the request to an API destination.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl IntoValue<String>) -> Self {
        self.headers.insert(name.into(), value.into_value().into_expr());
        self
    }

    /// A parameter in the query of the request to an API destination.
    #[must_use]
    pub fn query_string(mut self, name: impl Into<String>, value: impl IntoValue<String>) -> Self {
        self.query.insert(name.into(), value.into_value().into_expr());
        self
    }

    /// This instead of the event.
    #[must_use]
    pub fn input(mut self, input: Input) -> Self {
        self.input = Some(input);
        self
    }

    /// 0 to 185, the latter if nothing is said.
    #[must_use]
    pub fn retry_attempts(mut self, count: u32) -> Self {
        self.retry_attempts = Some(count);
        self
    }

    /// Between a minute and a day, the latter if nothing is said.
    #[must_use]
    pub fn max_event_age(mut self, age: Duration) -> Self {
        self.max_event_age = Some(age);
        self
    }

    /// Takes what could not be delivered.
    #[must_use]
    pub fn dead_letter_queue(mut self, queue: &Queue) -> Self {
        self.dead_letter_queue = Some(queue.clone());
        self
    }

    /// Of a FIFO queue.
    #[must_use]
    pub fn message_group_id(mut self, id: impl Into<String>) -> Self {
        self.message_group = Some(id.into());
        self
    }

    /// Lets the rule reach the target, and renders it.
    fn bind(&self, rule: &Rule, index: usize) -> Map {
        let mut target = Map::new();
        target.insert("Id", format!("Target{index}"));
        let from_rule = || events_service().condition("ArnEquals", [("aws:SourceArn", rule.rule_arn())]);
        match &self.receiver {
            Receiver::Function(function) => {
                let id = format!("AllowEventRule{}", function.construct().unique_id());
                if rule.construct.find_child(&id).is_none() {
                    let permission = Permission::new(events_service()).source_arn(rule.rule_arn());
                    function.add_permission_in(&rule.construct, &id, &permission);
                }
                target.insert("Arn", function.invocable_arn());
            }
            Receiver::Queue(queue) => {
                queue.grant_send_messages(from_rule());
                target.insert("Arn", queue.queue_arn());
            }
            Receiver::Topic(topic) => {
                topic.grant_publish(events_service());
                target.insert("Arn", topic.topic_arn());
            }
            Receiver::Bus(bus) => {
                let role = rule.role.of(&rule.construct);
                role.add_to_policy(PolicyStatement::allow(["events:PutEvents"]).on(bus.event_bus_arn()));
                target.insert("Arn", bus.event_bus_arn());
                target.insert("RoleArn", role.role_arn());
            }
            Receiver::Destination(destination) => {
                let role = destination.delivery_role();
                let invoke = PolicyStatement::allow(["events:InvokeApiDestination"]);
                role.add_to_policy(invoke.on(destination.api_destination_arn()));
                target.insert("Arn", destination.api_destination_arn());
                target.insert("RoleArn", role.role_arn());
            }
            Receiver::StateMachine(state_machine) => {
                let role = state_machine.events_role();
                state_machine.grant_start_execution(&role);
                target.insert("Arn", state_machine.state_machine_arn());
                target.insert("RoleArn", role.role_arn());
            }
        }
        if let Some(queue) = &self.dead_letter_queue {
            let statement = PolicyStatement::allow(["sqs:SendMessage"])
                .sid(format!("AllowEventRule{}", rule.construct.unique_id()))
                .on(queue.queue_arn())
                .by(from_rule());
            queue.add_to_resource_policy(statement);
            let mut config = Map::new();
            config.insert("Arn", queue.queue_arn());
            target.insert("DeadLetterConfig", config);
        }
        if let Some(input) = &self.input {
            input.render(&mut target);
        }
        let mut request = Map::new();
        for (part, values) in [
            ("HeaderParameters", &self.headers),
            ("QueryStringParameters", &self.query),
        ] {
            if !values.is_empty() {
                request.insert(part, values.clone());
            }
        }
        if !request.is_empty() {
            target.insert("HttpParameters", request);
        }
        if self.retry_attempts.is_some() || self.max_event_age.is_some() {
            let mut policy = Map::new();
            if let Some(count) = self.retry_attempts {
                policy.insert("MaximumRetryAttempts", count);
            }
            if let Some(age) = self.max_event_age {
                policy.insert("MaximumEventAgeInSeconds", whole_seconds(age));
            }
            target.insert("RetryPolicy", policy);
        }
        if let Some(group) = &self.message_group {
            let mut parameters = Map::new();
            parameters.insert("MessageGroupId", group.clone());
            target.insert("SqsParameters", parameters);
        }
        target
    }
}

/// The role by which EventBridge delivers for a construct, made when the first delivery needs it.
#[derive(Clone, Default)]
struct DeliveryRole(Rc<OnceCell<Role>>);

impl DeliveryRole {
    fn of(&self, construct: &Construct) -> &Role {
        self.0
            .get_or_init(|| Role::new(construct, "EventsRole", events_service()).build())
    }
}

#[derive(Clone)]
pub struct Rule {
    construct: Construct,
    resource: CfnResource<cfn::events::Rule>,
    targets: Rc<RefCell<Vec<Map>>>,
    role: DeliveryRole,
}

impl Scope for Rule {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct RuleBuilder {
    site: Site,
    properties: cfn::events::Rule,
    pattern: Option<EventPattern>,
    schedule: Option<Schedule>,
    enabled: bool,
    on_bus: bool,
    targets: Vec<Target>,
}

impl RuleBuilder {
    pub fn rule_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.name(name);
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// Answers these events.
    pub fn event_pattern(mut self, pattern: EventPattern) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// Runs at these times.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = Some(schedule);
        self
    }

    /// Of this bus instead of the account's own; not with a schedule.
    pub fn event_bus(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.event_bus_name(name);
        self.on_bus = true;
        self
    }

    /// It is if nothing is said.
    pub fn enabled(mut self, on: bool) -> Self {
        self.enabled = on;
        self
    }

    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    pub fn build(self) -> Rule {
        let construct = self.site.make("events.Rule");
        if self.pattern.is_none() && self.schedule.is_none() {
            construct.report("a rule needs a pattern of events or a schedule");
        }
        if self.on_bus && self.schedule.is_some() {
            construct.report("only the account's own bus has schedules");
        }
        let state = if self.enabled { "ENABLED" } else { "DISABLED" };
        let mut properties = self.properties.state(state);
        if let Some(pattern) = self.pattern {
            properties = properties.event_pattern(pattern.0);
        }
        if let Some(schedule) = self.schedule {
            if let Some(problem) = schedule.problem() {
                construct.report(problem);
            }
            properties = properties.schedule_expression(schedule.0);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        let rule = Rule {
            construct,
            resource,
            targets: Rc::default(),
            role: DeliveryRole::default(),
        };
        for target in &self.targets {
            rule.add_target(target);
        }
        rule
    }
}

impl Rule {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> RuleBuilder {
        RuleBuilder {
            site: Site::new(scope, id),
            properties: cfn::events::Rule::new(),
            pattern: None,
            schedule: None,
            enabled: true,
            on_bus: false,
            targets: Vec::new(),
        }
    }

    pub fn rule_arn(&self) -> Value<id::events::RuleArn> {
        self.resource.arn()
    }

    pub fn resource(&self) -> &CfnResource<cfn::events::Rule> {
        &self.resource
    }

    pub fn add_target(&self, target: &Target) {
        let index = self.targets.borrow().len();
        if index == MOST_TARGETS {
            self.construct
                .report(format!("a rule has {MOST_TARGETS} targets at most"));
        }
        let target = target.bind(self, index);
        let mut targets = self.targets.borrow_mut();
        targets.push(target);
        let list = targets.iter().cloned().map(Expr::from).collect();
        self.resource.set("Targets", Some(Expr::List(list)));
    }
}
