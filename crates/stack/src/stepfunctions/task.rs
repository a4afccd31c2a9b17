//! Tasks: work that another service does.

use std::time::Duration;

use cfn::{Expr, Map, Value};

use super::chain::{Chain, Chainable};
use super::fallible::{Retry, fallible};
use super::state::{Common, Kind, State, StateData, input_and_output, result_path, result_selector};
use super::tasks::{TaskMetrics, TaskTarget};
use crate::cloudwatch::Metric;
use crate::iam::{PolicyStatement, Role};
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

/// Work that another service does, and that a state machine waits for.
#[derive(Clone)]
pub struct Task(State, Option<TaskMetrics>);

fallible!(Task);

impl Scope for Task {
    fn construct(&self) -> &Construct {
        &self.0.0
    }
}

impl Chainable for Task {
    fn chain(&self) -> Chain {
        Chain::of_step(&self.0)
    }
}

#[must_use = "nothing is made until `build`"]
pub struct TaskBuilder<T> {
    site: Site,
    common: Common,
    target: T,
    times: Map,
    retries: Vec<Retry>,
    credentials: Option<Value<cfn::id::iam::RoleArn>>,
}

impl<T: TaskTarget> TaskBuilder<T> {
    input_and_output!();
    result_path!();
    result_selector!();

    /// A task that takes longer has failed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.times.insert("TimeoutSeconds", whole_seconds(timeout));
        self
    }

    /// As [`TaskBuilder::timeout`], as seconds in the input.
    pub fn timeout_path(mut self, path: impl Into<String>) -> Self {
        self.times.insert("TimeoutSecondsPath", path.into());
        self
    }

    /// A task that gives no sign of life for so long has failed.
    pub fn heartbeat(mut self, timeout: Duration) -> Self {
        self.times.insert("HeartbeatSeconds", whole_seconds(timeout));
        self
    }

    /// As [`TaskBuilder::heartbeat`], as seconds in the input.
    pub fn heartbeat_path(mut self, path: impl Into<String>) -> Self {
        self.times.insert("HeartbeatSecondsPath", path.into());
        self
    }

    pub fn retry(mut self, retry: Retry) -> Self {
        self.retries.push(retry);
        self
    }

    /// Takes on this role for the task, which may be of another account.
    pub fn credentials(mut self, role: &Role) -> Self {
        self.credentials = Some(role.role_arn());
        self
    }

    pub fn build(self) -> Task {
        let construct = self.site.make("stepfunctions.Task");
        let call = self.target.call(&construct);
        let mut rendered = Map::new();
        if let Some(role) = &self.credentials {
            rendered.insert("Credentials", Expr::map([("RoleArn", role.clone())]));
        }
        rendered.insert("Resource", call.resource);
        if let Some(parameters) = call.parameters {
            rendered.insert("Parameters", parameters);
        }
        let mut times = Map::new();
        for key in [
            "TimeoutSeconds",
            "TimeoutSecondsPath",
            "HeartbeatSeconds",
            "HeartbeatSecondsPath",
        ] {
            if let Some(value) = self.times.get(key) {
                times.insert(key, value.clone());
            }
        }
        let kind = Kind::Task { times, call: rendered };
        let mut data = StateData::new(kind, self.common);
        data.policies = call.policies;
        if let Some(role) = self.credentials {
            data.policies.push(PolicyStatement::allow(["sts:AssumeRole"]).on(role));
        }
        data.retries = call.retries;
        let state = State::make(construct, data);
        for retry in self.retries {
            state.add_retry(retry);
        }
        Task(state, call.metrics)
    }
}

impl Task {
    /// `target` is what does the work: [`super::LambdaInvoke`], [`super::SendMessage`], [`super::SdkCall`] and others.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new<T: TaskTarget>(scope: &impl Scope, id: impl Into<String>, target: T) -> TaskBuilder<T> {
        TaskBuilder {
            site: Site::new(scope, id),
            common: Common::default(),
            target,
            times: Map::new(),
            retries: Vec::new(),
            credentials: None,
        }
    }

    /// `next` follows this task.
    pub fn next(&self, next: &impl Chainable) -> Chain {
        self.chain().next(next)
    }

    fn metric(&self, suffix: &str, plural: bool) -> Metric {
        let Some(metrics) = &self.1 else {
            self.0
                .0
                .report("Step Functions measures tasks of functions only; look at the state machine's metrics");
            return Metric::new("AWS/States", suffix);
        };
        let prefix = if plural { metrics.plural } else { metrics.singular };
        let (name, value) = &metrics.dimension;
        Metric::new("AWS/States", format!("{prefix}{suffix}"))
            .dimension(*name, value.clone())
            .attached_to(self)
    }

    pub fn metric_scheduled(&self) -> Metric {
        self.metric("Scheduled", true).sum()
    }

    pub fn metric_started(&self) -> Metric {
        self.metric("Started", true).sum()
    }

    pub fn metric_succeeded(&self) -> Metric {
        self.metric("Succeeded", true).sum()
    }

    pub fn metric_failed(&self) -> Metric {
        self.metric("Failed", true).sum()
    }

    pub fn metric_timed_out(&self) -> Metric {
        self.metric("TimedOut", true).sum()
    }

    pub fn metric_heartbeat_timed_out(&self) -> Metric {
        self.metric("HeartbeatTimedOut", true).sum()
    }

    /// From start to end.
    pub fn metric_run_time(&self) -> Metric {
        self.metric("RunTime", false).average()
    }

    /// From when it was wanted to when it started.
    pub fn metric_schedule_time(&self) -> Metric {
        self.metric("ScheduleTime", false).average()
    }

    /// From when it was wanted to when it ended.
    pub fn metric_time(&self) -> Metric {
        self.metric("Time", false).average()
    }
}
