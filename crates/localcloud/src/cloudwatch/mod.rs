//! CloudWatch: metrics, metric math, alarms that evaluate themselves, dashboards.
//!
//! Services record through [`MetricSink`], clients through `PutMetricData`; alarms are evaluated by time, whether data
//! arrives or not. Not served: Metrics Insights, anomaly detection, metric streams, insight rules. Actions of alarms
//! are kept but not taken: whoever watches an alarm asks for its state.

mod alarm;
mod alarms;
mod composite;
mod dashboards;
mod data;
mod expression;
mod provider;
mod query;
mod series;
mod statistic;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;

use crate::context::Context;
use crate::resource::Provider;
use crate::saved::Saved;
use crate::service::{ApiError, Request, Response, Service};
use crate::sink::{MetricSink, Observation};
use series::{Metric, SeriesStore};
use statistic::Distribution;

/// AWS evaluates each minute. A rehearsal takes seconds, so ours does it each second.
pub const EVALUATION_INTERVAL: Duration = Duration::from_secs(1);

pub struct CloudWatch {
    context: Context,
    series: SeriesStore,
    alarms: Saved<alarms::Alarms>,
    dashboards: Saved<dashboards::Dashboards>,
    /// Seconds between evaluations, which is also how finely an alarm's periods are placed.
    step: i64,
    stopped: AtomicBool,
}

impl CloudWatch {
    pub fn open(context: &Context, evaluation_interval: Duration) -> io::Result<Arc<Self>> {
        let now = context.clock.now().as_second();
        Ok(Arc::new(Self {
            series: SeriesStore::open(context.folder.join("metrics"), now)?,
            alarms: Saved::open(&context.store, "alarms")?,
            dashboards: Saved::open(&context.store, "dashboards")?,
            context: context.clone(),
            step: i64::try_from(evaluation_interval.as_secs()).unwrap_or(i64::MAX).max(1),
            stopped: AtomicBool::new(false),
        }))
    }

    /// Evaluates the alarms and writes the metrics to disk from now on, in a task of the current runtime, until the
    /// service is stopped or dropped.
    pub fn start(self: &Arc<Self>) {
        let mut ticks = tokio::time::interval(Duration::from_secs(self.step.unsigned_abs()));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let cloudwatch: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                ticks.tick().await;
                let Some(cloudwatch) = cloudwatch.upgrade() else { return };
                if cloudwatch.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let done = tokio::task::spawn_blocking(move || cloudwatch.tick()).await;
                if let Err(error) = done {
                    tracing::error!(%error, "the evaluation of alarms panicked");
                }
            }
        });
    }

    /// One evaluation of everything at the clock's time; metrics go to disk.
    pub fn tick(&self) {
        self.evaluate_alarms();
        if let Err(error) = self.series.flush(self.context.clock.now().as_second()) {
            tracing::warn!(%error, "metrics could not be written to the folder");
        }
    }

    pub fn providers(self: &Arc<Self>) -> Vec<Arc<dyn Provider>> {
        vec![
            Arc::new(provider::AlarmProvider {
                cloudwatch: self.clone(),
            }),
            Arc::new(provider::DashboardProvider {
                cloudwatch: self.clone(),
            }),
        ]
    }
}

impl MetricSink for CloudWatch {
    fn record(&self, observations: Vec<Observation>) {
        for observation in observations {
            if !observation.value.is_finite() {
                continue;
            }
            let metric = Metric::new(&observation.namespace, &observation.metric_name, observation.dimensions);
            let value = Distribution::of(observation.value, 1.0);
            self.series.record(
                metric,
                Some(&observation.unit),
                observation.timestamp.as_second(),
                &value,
            );
        }
    }
}

#[async_trait]
impl Service for CloudWatch {
    fn model(&self) -> &'static str {
        "cloudwatch"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let input = &request.input;
        let output = match request.operation.as_str() {
            "PutMetricData" => self.put_metric_data(input)?,
            "GetMetricData" => self.get_metric_data(input)?,
            "GetMetricStatistics" => self.get_metric_statistics(input)?,
            "ListMetrics" => self.list_metrics(input),
            "PutMetricAlarm" => self.put_metric_alarm(input)?,
            "PutCompositeAlarm" => self.put_composite_alarm(input)?,
            "DescribeAlarms" => self.describe_alarms(input),
            "DescribeAlarmsForMetric" => self.describe_alarms_for_metric(input)?,
            "DescribeAlarmHistory" => self.describe_alarm_history(input),
            "DeleteAlarms" => self.delete_alarms(input)?,
            "SetAlarmState" => self.set_alarm_state(input)?,
            "EnableAlarmActions" => self.enable_actions(input, true)?,
            "DisableAlarmActions" => self.enable_actions(input, false)?,
            "PutDashboard" => self.put_dashboard(input)?,
            "GetDashboard" => self.get_dashboard(input)?,
            "ListDashboards" => self.list_dashboards(input),
            "DeleteDashboards" => self.delete_dashboards(input)?,
            "TagResource" | "UntagResource" | "ListTagsForResource" => self.alarm_tags(&request.operation, input)?,
            other => return Err(ApiError::not_served("InvalidAction", other)),
        };
        Ok(output.into())
    }

    async fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Err(error) = self.series.flush(self.context.clock.now().as_second()) {
            tracing::warn!(%error, "the last metrics could not be written to the folder");
        }
    }
}

#[cfg(test)]
mod tests;
