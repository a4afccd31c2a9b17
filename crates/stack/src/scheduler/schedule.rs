//! Schedules.

use std::time::Duration;

use cfn::scheduler::schedule::FlexibleTimeWindow;
use cfn::{Builder, IntoValue, Value};

use super::group::ScheduleGroup;
use super::target::Target;
use super::time::{Moment, ScheduleExpression};
use crate::cloudwatch::Metric;
use crate::element::CfnResource;
use crate::kms::Key;
use crate::site::Site;
use crate::tree::{Construct, Scope};

const MAX_NAME_LENGTH: usize = 64;
const WINDOW_MINUTES: std::ops::RangeInclusive<u64> = 1..=1440;

/// How late a schedule may run, so that not everything runs at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeWindow {
    /// Within the minute.
    #[default]
    Off,
    /// Within this time, between a minute and a day.
    Flexible(Duration),
}

#[derive(Clone)]
pub struct Schedule {
    construct: Construct,
    resource: CfnResource<cfn::scheduler::Schedule>,
}

impl Scope for Schedule {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct ScheduleBuilder {
    site: Site,
    expression: ScheduleExpression,
    target: Target,
    name: Option<Value<String>>,
    description: Option<Value<String>>,
    group: Option<ScheduleGroup>,
    enabled: bool,
    window: TimeWindow,
    start: Option<Moment>,
    end: Option<Moment>,
    key: Option<Key>,
}

impl ScheduleBuilder {
    /// At most 64 characters.
    pub fn schedule_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value());
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.description = Some(description.into_value());
        self
    }

    /// The account's default group if nothing is said.
    pub fn group(mut self, group: &ScheduleGroup) -> Self {
        self.group = Some(group.clone());
        self
    }

    /// It is if nothing is said.
    pub fn enabled(mut self, on: bool) -> Self {
        self.enabled = on;
        self
    }

    pub fn time_window(mut self, window: TimeWindow) -> Self {
        self.window = window;
        self
    }

    /// It does not run before this, in UTC.
    pub fn start(mut self, moment: Moment) -> Self {
        self.start = Some(moment);
        self
    }

    /// It does not run after this, in UTC.
    pub fn end(mut self, moment: Moment) -> Self {
        self.end = Some(moment);
        self
    }

    /// Encrypts what the target gets.
    pub fn encryption_key(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    pub fn build(self) -> Schedule {
        let construct = self.site.clone().make("scheduler.Schedule");
        self.check(&construct);
        let group_arn = self.group.as_ref().map(ScheduleGroup::schedule_group_arn);
        let (target, role) = self.target.bind(&construct, group_arn);
        if let Some(key) = &self.key {
            key.grant_decrypt(&role);
        }
        let window = match self.window {
            TimeWindow::Off => FlexibleTimeWindow::new().mode("OFF"),
            TimeWindow::Flexible(window) => FlexibleTimeWindow::new()
                .mode("FLEXIBLE")
                .maximum_window_in_minutes(whole_minutes(window)),
        };
        // As JavaScript writes times, with milliseconds.
        let instant = |moment: Moment| format!("{moment}.000Z");
        let properties = cfn::scheduler::Schedule::new()
            .flexible_time_window(window)
            .schedule_expression(self.expression.text())
            .target(target)
            .schedule_expression_timezone(self.expression.zone())
            .state(if self.enabled { "ENABLED" } else { "DISABLED" })
            .when_some(self.name, cfn::scheduler::Schedule::name)
            .when_some(self.description, cfn::scheduler::Schedule::description)
            .when_some(
                self.group.as_ref().map(ScheduleGroup::schedule_group_name),
                cfn::scheduler::Schedule::group_name,
            )
            .when_some(self.key.as_ref(), cfn::scheduler::Schedule::kms_key_arn)
            .when_some(self.start.map(instant), cfn::scheduler::Schedule::start_date)
            .when_some(self.end.map(instant), cfn::scheduler::Schedule::end_date);
        let resource = CfnResource::new(&construct, "Resource", properties);
        Schedule { construct, resource }
    }

    fn check(&self, construct: &Construct) {
        let name = self.name.as_ref().and_then(|name| name.expr().as_text());
        if name.is_some_and(|name| name.len() > MAX_NAME_LENGTH) {
            construct.report(format!(
                "the name of a schedule has {MAX_NAME_LENGTH} characters at most"
            ));
        }
        if let Some(problem) = self.expression.problem() {
            construct.report(problem);
        }
        for moment in self.start.into_iter().chain(self.end) {
            if let Some(problem) = moment.problem() {
                construct.report(problem);
            }
        }
        if let (Some(start), Some(end)) = (self.start, self.end)
            && start >= end
        {
            construct.report(format!("the schedule ends at {end}, before it starts at {start}"));
        }
        if let TimeWindow::Flexible(window) = self.window
            && !WINDOW_MINUTES.contains(&(window.as_secs() / 60))
        {
            construct.report("a schedule is late by a minute at least and a day at most");
        }
    }
}

fn whole_minutes(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs() / 60).unwrap_or(i64::MAX)
}

impl Schedule {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        expression: ScheduleExpression,
        target: Target,
    ) -> ScheduleBuilder {
        ScheduleBuilder {
            site: Site::new(scope, id),
            expression,
            target,
            name: None,
            description: None,
            group: None,
            enabled: true,
            window: TimeWindow::Off,
            start: None,
            end: None,
            key: None,
        }
    }

    pub fn schedule_arn(&self) -> Value<String> {
        self.resource.arn()
    }

    pub fn schedule_name(&self) -> Value<String> {
        self.resource.reference().into_value()
    }

    pub fn resource(&self) -> &CfnResource<cfn::scheduler::Schedule> {
        &self.resource
    }
}

/// A metric of `AWS/Scheduler` about all schedules of the account, as a sum: `InvocationDroppedCount`.
pub fn metric_all(name: impl Into<String>) -> Metric {
    Metric::new("AWS/Scheduler", name).sum()
}
