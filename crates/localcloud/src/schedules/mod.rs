//! What calls functions by the clock: rules of EventBridge with a schedule, and the schedules of EventBridge Scheduler.
//!
//! Time is the cloud's clock; a look at it each second, or [`Schedules::tick`] in tests, fires what is due, and
//! `POST /_aws/local/fire/NAME` fires at once. Deliberately absent: event patterns at work, buses, targets that are no
//! functions. The server calls it as two services, CloudFormation through its provider.

mod cron;
mod expression;
mod operations;
mod provider;
mod target;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::apigateway::Functions;
use crate::context::{ACCOUNT, Context};
use crate::members::Members;
use crate::resource::Provider;
use crate::saved::Saved;
use crate::service::{ApiError, Request, Response, Service};
use crate::sink::{FiresNow, MetricSink};
use expression::Expression;

const LOOK_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Default, Serialize, Deserialize)]
struct State {
    /// By name, those of other buses with the bus in front: `BUS/NAME`.
    rules: BTreeMap<String, Rule>,
    /// By `GROUP/NAME`.
    schedules: BTreeMap<String, Schedule>,
    /// By name; `default` is always there.
    groups: BTreeMap<String, Value>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Rule {
    /// As `DescribeRule` gives it.
    info: Map<String, Value>,
    /// By id.
    targets: BTreeMap<String, Value>,
    tags: BTreeMap<String, String>,
    /// Epoch seconds; rates count from here.
    created: i64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Schedule {
    /// As `GetSchedule` gives it.
    info: Map<String, Value>,
    created: i64,
}

/// Something that is to fire.
#[derive(Clone)]
struct Firing {
    source: Source,
    name: String,
    arn: String,
    time: Timestamp,
    targets: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Rule,
    Scheduler,
}

pub struct Schedules {
    context: Context,
    functions: Arc<dyn Functions>,
    metrics: Arc<dyn MetricSink>,
    state: Saved<State>,
    /// Until when everything due has been fired.
    looked: Mutex<Timestamp>,
    stopped: AtomicBool,
}

impl Schedules {
    pub fn open(
        context: &Context,
        functions: Arc<dyn Functions>,
        metrics: Arc<dyn MetricSink>,
    ) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            state: Saved::open(&context.store, "schedules")?,
            // What was due while the cloud did not run is not made up for.
            looked: Mutex::new(context.clock.now()),
            context: context.clone(),
            functions,
            metrics,
            stopped: AtomicBool::new(false),
        }))
    }

    /// Looks at the clock each second, until the service is stopped or dropped.
    pub fn start(self: &Arc<Self>) {
        let schedules: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut looks = tokio::time::interval(LOOK_INTERVAL);
            looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                looks.tick().await;
                let Some(schedules) = schedules.upgrade() else { return };
                if schedules.stopped.load(Ordering::Relaxed) {
                    return;
                }
                for firing in schedules.due() {
                    // Nobody waits for a function that was called by the clock.
                    let schedules = Arc::clone(&schedules);
                    tokio::spawn(async move { schedules.fire(&firing).await });
                }
            }
        });
    }

    /// Fires what became due since the last look, and waits for the functions.
    #[cfg(test)]
    async fn tick(&self) -> Vec<Value> {
        let mut outcomes = Vec::new();
        for firing in self.due() {
            outcomes.extend(self.fire(&firing).await);
        }
        outcomes
    }

    pub fn providers(self: &Arc<Self>) -> Vec<Arc<dyn Provider>> {
        vec![Arc::new(provider::SchedulesProvider::new(Arc::clone(self)))]
    }

    pub fn services(self: &Arc<Self>) -> [Arc<dyn Service>; 2] {
        [Arc::new(Rules(Arc::clone(self))), Arc::new(Scheduler(Arc::clone(self)))]
    }

    fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    /// Everything that became due since the last look. Several times of one schedule between two looks are one.
    fn due(&self) -> Vec<Firing> {
        let now = self.now();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let after = std::mem::replace(&mut *looked, now);
        let state = self.state.read();
        let rules = state.rules.iter().filter_map(|(name, rule)| {
            let time = rule.due(after).filter(|time| *time <= now)?;
            Some(self.firing_of_rule(name, rule, time))
        });
        let schedules = state.schedules.values().filter_map(|schedule| {
            let time = schedule.due(after).filter(|time| *time <= now)?;
            Some(firing_of_schedule(schedule, time))
        });
        rules.chain(schedules).collect()
    }

    fn rule_arn(&self, name: &str) -> String {
        format!("arn:aws:events:{}:{ACCOUNT}:rule/{name}", self.context.region)
    }

    fn firing_of_rule(&self, name: &str, rule: &Rule, time: Timestamp) -> Firing {
        Firing {
            source: Source::Rule,
            name: name.to_owned(),
            arn: self.rule_arn(name),
            time,
            targets: rule.targets.values().cloned().collect(),
        }
    }
}

fn firing_of_schedule(schedule: &Schedule, time: Timestamp) -> Firing {
    Firing {
        source: Source::Scheduler,
        name: schedule.info.text("GroupName").unwrap_or("default").to_owned(),
        arn: schedule.info.text("Arn").unwrap_or_default().to_owned(),
        time,
        targets: schedule.info.get("Target").cloned().into_iter().collect(),
    }
}

impl Rule {
    fn due(&self, after: Timestamp) -> Option<Timestamp> {
        if self.info.text("State") != Some("ENABLED") {
            return None;
        }
        let expression = Expression::parse(self.info.text("ScheduleExpression")?, TimeZone::UTC).ok()?;
        expression.next_after(after, Timestamp::from_second(self.created).ok()?)
    }
}

impl Schedule {
    fn due(&self, after: Timestamp) -> Option<Timestamp> {
        if self.info.text("State") != Some("ENABLED") {
            return None;
        }
        let zone = TimeZone::get(self.info.text("ScheduleExpressionTimezone").unwrap_or("UTC")).ok()?;
        let expression = Expression::parse(self.info.text("ScheduleExpression")?, zone).ok()?;
        let seconds = |name: &str| Timestamp::from_second(self.info.integer(name)?).ok();
        let start = seconds("StartDate");
        let anchor = start.or(Timestamp::from_second(self.created).ok())?;
        let time = expression.next_after(start.map_or(after, |start| after.max(start)), anchor)?;
        seconds("EndDate").is_none_or(|end| time < end).then_some(time)
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationException", message)
}

fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", message)
}

#[async_trait]
impl FiresNow for Schedules {
    async fn fire_now(&self, name: &str) -> Option<Vec<Value>> {
        let now = self.now();
        let firing = {
            let state = self.state.read();
            let rule = state.rules.get(name).map(|rule| self.firing_of_rule(name, rule, now));
            let of_schedule = || {
                let mut schedules = state.schedules.values();
                let found = schedules.find(|schedule| schedule.info.text("Name") == Some(name))?;
                Some(firing_of_schedule(found, now))
            };
            rule.or_else(of_schedule)?
        };
        Some(self.fire(&firing).await)
    }
}

/// EventBridge.
struct Rules(Arc<Schedules>);

/// EventBridge Scheduler.
struct Scheduler(Arc<Schedules>);

#[async_trait]
impl Service for Rules {
    fn model(&self) -> &'static str {
        "events"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let (schedules, input) = (&self.0, &request.input);
        let output = match request.operation.as_str() {
            "PutRule" => schedules.put_rule(input)?,
            "DescribeRule" => schedules.describe_rule(input)?,
            "ListRules" => schedules.list_rules(input),
            "ListRuleNamesByTarget" => schedules.list_rule_names(input)?,
            "DeleteRule" => schedules.delete_rule(input)?,
            "EnableRule" => schedules.enable_rule(input, "ENABLED")?,
            "DisableRule" => schedules.enable_rule(input, "DISABLED")?,
            "PutTargets" => schedules.put_targets(input)?,
            "RemoveTargets" => schedules.remove_targets(input)?,
            "ListTargetsByRule" => schedules.list_targets(input)?,
            "TagResource" | "UntagResource" | "ListTagsForResource" => {
                schedules.rule_tags(&request.operation, input)?
            }
            other => return Err(ApiError::not_served("UnknownOperationException", other)),
        };
        Ok(output.into())
    }

    async fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Service for Scheduler {
    fn model(&self) -> &'static str {
        "scheduler"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let (schedules, input) = (&self.0, &request.input);
        let output = match request.operation.as_str() {
            "CreateSchedule" => schedules.create_schedule(input)?,
            "GetSchedule" => schedules.get_schedule(input)?,
            "ListSchedules" => schedules.list_schedules(input),
            "UpdateSchedule" => schedules.update_schedule(input)?,
            "DeleteSchedule" => schedules.delete_schedule(input)?,
            "CreateScheduleGroup" => schedules.create_group(input)?,
            "GetScheduleGroup" => schedules.get_group(input.required_text("Name")?)?,
            "ListScheduleGroups" => schedules.list_groups(),
            "DeleteScheduleGroup" => schedules.delete_group(input.required_text("Name")?)?,
            other => return Err(ApiError::not_served("UnknownOperationException", other)),
        };
        Ok(output.into())
    }
}

/// A page of entries below `member`, by the tokens of both services.
fn page(input: &Value, member: &str, size_member: &str, entries: &[Value]) -> Value {
    let start = crate::page::start(input, "NextToken");
    let (page, next) = crate::page::page(entries, start, crate::page::size(input, size_member, 100));
    json!({member: page, "NextToken": next})
}

#[cfg(test)]
mod tests;
