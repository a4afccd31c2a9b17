//! Metrics in and out: `PutMetricData`, `GetMetricData`, `GetMetricStatistics`, `ListMetrics`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::CloudWatch;
use super::query::{Answers, Query, dimensions_of, invalid, metric_of, period_of};
use super::series::{Metric, PointSource, RETENTION_SECONDS, Window};
use super::statistic::{Distribution, Statistic};
use crate::members::Members;
use crate::page;
use crate::service::ApiError;

/// How far ahead data may be dated, as in AWS.
const FUTURE_SECONDS: f64 = 2.0 * 3600.0;

impl CloudWatch {
    pub(super) fn put_metric_data(&self, input: &Value) -> Result<Value, ApiError> {
        let namespace = input.required_text("Namespace")?;
        let now = self.context.clock.now().as_second() as f64;
        // All or nothing: read everything before recording anything.
        let mut all = Vec::new();
        for datum in input.list("MetricData") {
            let name = datum.required_text("MetricName")?;
            let metric = Metric::new(namespace, name, dimensions_of(datum));
            let time = datum.number("Timestamp").unwrap_or(now);
            if time > now + FUTURE_SECONDS {
                return Err(wrong(format!(
                    "The parameter Timestamp of {name} must not be later than two hours from now"
                )));
            }
            if time < now - RETENTION_SECONDS as f64 {
                return Err(wrong(format!(
                    "The parameter Timestamp of {name} lies too far back: the embedded cloud keeps metrics for {} hours",
                    RETENTION_SECONDS / 3600
                )));
            }
            all.push((metric, datum.text("Unit"), time.floor() as i64, observed(name, datum)?));
        }
        for (metric, unit, second, distribution) in all {
            self.series.record(metric, unit, second, &distribution);
        }
        Ok(json!({}))
    }

    pub(super) fn get_metric_data(&self, input: &Value) -> Result<Value, ApiError> {
        let queries = Query::parse_all(input.list("MetricDataQueries"))?;
        let window = window(input)?;
        let newest_first = input.text("ScanBy") != Some("TimestampAscending");
        let answers = Answers::new(&queries, &self.series, window);
        let mut results = Vec::new();
        for query in queries.iter().filter(|query| query.return_data) {
            for series in answers.series(&query.id)? {
                let mut points: Vec<(i64, f64)> = series.points.into_iter().collect();
                if newest_first {
                    points.reverse();
                }
                let (times, values): (Vec<i64>, Vec<f64>) = points.into_iter().unzip();
                results.push(json!({
                    "Id": query.id,
                    "Label": series.label,
                    "Timestamps": times,
                    "Values": values,
                    "StatusCode": "Complete",
                }));
            }
        }
        Ok(json!({"MetricDataResults": results, "Messages": []}))
    }

    pub(super) fn get_metric_statistics(&self, input: &Value) -> Result<Value, ApiError> {
        let metric = metric_of(input)?;
        let (period, window) = (period_of(input)?, window(input)?);
        let names: Vec<String> = [input.texts("Statistics"), input.texts("ExtendedStatistics")].concat();
        if names.is_empty() {
            return Err(wrong("Either Statistics or ExtendedStatistics has to be given"));
        }
        let mut datapoints: BTreeMap<i64, Value> = BTreeMap::new();
        let unit = self.series.unit(&metric).unwrap_or_else(|| "None".to_owned());
        for name in &names {
            let statistic =
                Statistic::parse(name).ok_or_else(|| wrong(format!("The statistic {name} is not served")))?;
            for (time, value) in self
                .series
                .points(&metric, statistic, input.text("Unit"), period, window)
            {
                let datapoint = datapoints
                    .entry(time)
                    .or_insert_with(|| json!({"Timestamp": time, "Unit": unit}));
                match statistic {
                    Statistic::Percentile(_) | Statistic::PercentileRank(..) => {
                        datapoint["ExtendedStatistics"][name] = json!(value)
                    }
                    _ => datapoint[name] = json!(value),
                }
            }
        }
        Ok(json!({"Label": metric.name, "Datapoints": datapoints.into_values().collect::<Vec<_>>()}))
    }

    pub(super) fn list_metrics(&self, input: &Value) -> Value {
        const PAGE: usize = 500;
        let recent = input.text("RecentlyActive").is_some();
        let oldest = self.context.clock.now().as_second() - RETENTION_SECONDS;
        let wanted = |metric: &Metric, newest: i64| {
            input
                .text("Namespace")
                .is_none_or(|namespace| metric.namespace == namespace)
                && input.text("MetricName").is_none_or(|name| metric.name == name)
                && (!recent || newest >= oldest)
                && input.list("Dimensions").iter().all(|filter| {
                    metric.dimensions.iter().any(|(name, value)| {
                        filter.text("Name") == Some(name) && filter.text("Value").is_none_or(|wanted| wanted == value)
                    })
                })
        };
        let all: Vec<Value> = self
            .series
            .metrics()
            .into_iter()
            .filter(|(metric, newest)| wanted(metric, *newest))
            .map(|(metric, _)| described(&metric))
            .collect();
        let (metrics, next) = page::page(&all, page::start(input, "NextToken"), PAGE);
        json!({"Metrics": metrics, "NextToken": next})
    }
}

fn described(metric: &Metric) -> Value {
    json!({
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": dimension_list(&metric.dimensions),
    })
}

fn dimension_list(dimensions: &[(String, String)]) -> Value {
    dimensions
        .iter()
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect()
}

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterValue", message)
}

fn window(input: &Value) -> Result<Window, ApiError> {
    let time = |name: &str| {
        input
            .number(name)
            .ok_or_else(|| invalid(format!("The parameter {name} is missing")))
    };
    let (start, end) = (time("StartTime")?.floor() as i64, time("EndTime")?.ceil() as i64);
    match start < end {
        true => Ok(Window { start, end, anchor: 0 }),
        false => Err(invalid(
            "The parameter StartTime must be less than the parameter EndTime.",
        )),
    }
}

/// A value, values with counts, or a statistic set.
fn observed(name: &str, datum: &Value) -> Result<Distribution, ApiError> {
    let finite = |value: Option<f64>, what: &str| {
        let value = value.filter(|value| value.is_finite());
        value.ok_or_else(|| wrong(format!("The value of {what} of {name} must be a finite number")))
    };
    let mut distribution = Distribution::default();
    if datum.member("Value").is_some() {
        distribution.add(finite(datum.number("Value"), "Value")?, 1.0);
        return Ok(distribution);
    }
    if let Some(set) = datum.member("StatisticValues") {
        let part = |member: &str| finite(set.number(member), member);
        distribution.add_set(part("SampleCount")?, part("Sum")?, part("Minimum")?, part("Maximum")?);
        return Ok(distribution);
    }
    let (values, counts) = (datum.list("Values"), datum.list("Counts"));
    if values.is_empty() || !(counts.is_empty() || counts.len() == values.len()) {
        return Err(wrong(format!(
            "{name} has to have Value, Values with as many Counts or none, or StatisticValues"
        )));
    }
    for (place, value) in values.iter().enumerate() {
        let count = match counts.get(place) {
            Some(count) => finite(count.as_f64(), "Counts")?,
            None => 1.0,
        };
        distribution.add(finite(value.as_f64(), "Values")?, count);
    }
    Ok(distribution)
}
