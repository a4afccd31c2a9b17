//! What the traffic did, from CloudWatch: data by GetMetricData, states by DescribeAlarms.
//!
//! Namespaces, names and dimensions: "Lambda function metrics", "API Gateway dimensions and metrics", "Monitoring
//! WebSocket API execution with CloudWatch metrics", "Metrics for Valkey and Redis OSS" and "DynamoDB metrics and
//! dimensions" of the AWS guides. A metric by slot is the alias's: `Resource = name:alias`; the live alias's has
//! `ExecutedVersion` too. Throttles of a table are its `ReadThrottleEvents` and `WriteThrottleEvents`: `ThrottledRequests`
//! is kept by table and operation only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use async_trait::async_trait;
use aws_sdk_cloudwatch::types::{
    AlarmType, Dimension, DimensionFilter, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StateValue,
    StatusCode,
};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use orchestrator::ports::{
    AlarmName, AlarmObservation, AlarmState, Datapoint, FunctionMetric, MetricQuery, MetricSeries, MetricSource,
    Metrics, PortError, PortErrorKind, Statistic, WebSocketMetric,
};

use crate::connection::Aws;
use crate::failure::{Failure, failed};
use crate::stacks::timestamp;

/// GetMetricData takes 500 queries a call, DescribeAlarms a hundred names.
const QUERIES_PER_CALL: usize = 500;
const ALARMS_PER_CALL: usize = 100;
/// The alias that everything but REST APIs calls.
const LIVE_ALIAS: &str = "live";
/// 500 queries of a day by the minute are eight pages.
const PAGE_LIMIT: usize = 100;

#[async_trait]
impl Metrics for Aws {
    async fn query(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<MetricSeries>, PortError> {
        let mut series = Vec::with_capacity(queries.len());
        for part in queries.chunks(QUERIES_PER_CALL) {
            let mut found = self.metric_data(part, from, to).await?;
            for (index, query) in part.iter().enumerate() {
                let mut datapoints = found.remove(&index).unwrap_or_default();
                datapoints.retain(|datapoint| from <= datapoint.at && datapoint.at < to);
                datapoints.sort_by_key(|datapoint| datapoint.at);
                series.push(MetricSeries {
                    id: query.id.clone(),
                    datapoints,
                });
            }
        }
        Ok(series)
    }

    /// Something exists when CloudWatch has had any metric of it (it forgets after two weeks), or a stack holds it.
    async fn resolve(&self, sources: &[MetricSource]) -> Result<(), PortError> {
        let mut missing: Vec<String> = Vec::new();
        let mut asked = BTreeSet::new();
        for source in sources {
            let metric = metric(source);
            let Some(subject) = Subject::of(&metric) else { continue };
            if !asked.insert(subject.clone())
                || self.has_metrics(&subject).await?
                || self.is_in_a_stack(&subject).await?
            {
                continue;
            }
            missing.push(subject.to_string());
        }
        if missing.is_empty() {
            return Ok(());
        }
        let message = "CloudWatch has no metric of it and no stack holds it, in this account and region: a gate names it, \
                       and would never see anything";
        Err(Failure::not_found("ListMetrics", missing.join(", "), message).into())
    }

    async fn alarms(&self, names: &[AlarmName]) -> Result<Vec<AlarmObservation>, PortError> {
        let mut found = BTreeMap::new();
        for part in names.chunks(ALARMS_PER_CALL) {
            self.describe_alarms(part, &mut found).await?;
        }
        let missing: Vec<&str> = names
            .iter()
            .filter(|name| !found.contains_key(&name.0))
            .map(|name| name.0.as_str())
            .collect();
        if !missing.is_empty() {
            let message = "there is no such alarm in this account and region";
            return Err(Failure::not_found("DescribeAlarms", missing.join(", "), message).into());
        }
        Ok(names.iter().filter_map(|name| found.get(&name.0).cloned()).collect())
    }
}

/// What a metric is about: a table, a cluster, an API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    namespace: String,
    /// The dimension that names it, the first of the metric's.
    dimension: String,
    name: String,
}

impl Subject {
    fn of(metric: &Metric) -> Option<Subject> {
        let dimension = metric.dimensions().first()?;
        Some(Subject {
            namespace: metric.namespace()?.to_owned(),
            dimension: dimension.name()?.to_owned(),
            name: dimension.value()?.to_owned(),
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} ({})", self.dimension, self.name, self.namespace)
    }
}

impl Aws {
    async fn has_metrics(&self, subject: &Subject) -> Result<bool, Failure> {
        let filter = DimensionFilter::builder()
            .name(&subject.dimension)
            .value(&subject.name)
            .build();
        let page = self
            .cloudwatch()
            .list_metrics()
            .namespace(&subject.namespace)
            .dimensions(filter)
            .send()
            .await
            .map_err(failed("ListMetrics", subject.to_string()))?;
        Ok(!page.metrics().is_empty())
    }

    async fn is_in_a_stack(&self, subject: &Subject) -> Result<bool, Failure> {
        let asked = self
            .cloudformation()
            .describe_stack_resources()
            .physical_resource_id(&subject.name)
            .send()
            .await
            .map_err(failed("DescribeStackResources", subject.to_string()));
        match asked {
            Ok(found) => Ok(!found.stack_resources().is_empty()),
            // "Stack for … does not exist" is a validation error.
            Err(failure) if matches!(failure.kind, PortErrorKind::Invalid | PortErrorKind::NotFound) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn metric_data(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<HashMap<usize, Vec<Datapoint>>, Failure> {
        let (start, end) = whole_seconds(from, to);
        let requests = queries
            .iter()
            .enumerate()
            .map(|(index, query)| metric_data_query(index, query))
            .collect::<Result<Vec<_>, Failure>>()?;
        let mut found: HashMap<usize, Vec<Datapoint>> = HashMap::new();
        let mut token = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .cloudwatch()
                .get_metric_data()
                .set_metric_data_queries(Some(requests.clone()))
                .start_time(start)
                .end_time(end)
                .scan_by(ScanBy::TimestampAscending)
                .set_next_token(token)
                .send()
                .await
                .map_err(failed("GetMetricData", "CloudWatch"))?;
            for result in page.metric_data_results.unwrap_or_default() {
                let index = result
                    .id
                    .as_deref()
                    .and_then(|id| id.strip_prefix('q'))
                    .and_then(|id| id.parse().ok());
                let index: usize = index
                    .ok_or_else(|| Failure::incomplete("GetMetricData", "CloudWatch", "an id that was asked for"))?;
                let query = queries.get(index).map_or("CloudWatch", |query| query.id.as_str());
                found.entry(index).or_default().extend(datapoints(query, result)?);
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
        Err(Failure::ambiguous(
            "GetMetricData",
            "CloudWatch",
            format!("more than {PAGE_LIMIT} pages"),
        ))
    }

    async fn describe_alarms(
        &self,
        names: &[AlarmName],
        found: &mut BTreeMap<String, AlarmObservation>,
    ) -> Result<(), Failure> {
        let mut token = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .cloudwatch()
                .describe_alarms()
                .set_alarm_names(Some(names.iter().map(|name| name.0.clone()).collect()))
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .set_next_token(token)
                .send()
                .await
                .map_err(failed("DescribeAlarms", "CloudWatch"))?;
            let metric = page.metric_alarms.unwrap_or_default().into_iter().map(|alarm| {
                let since = alarm.state_transitioned_timestamp.or(alarm.state_updated_timestamp);
                (alarm.alarm_name, alarm.state_value, since, alarm.state_reason)
            });
            let composite = page.composite_alarms.unwrap_or_default().into_iter().map(|alarm| {
                let since = alarm.state_transitioned_timestamp.or(alarm.state_updated_timestamp);
                (alarm.alarm_name, alarm.state_value, since, alarm.state_reason)
            });
            for (name, state, since, reason) in metric.chain(composite) {
                let name = name.ok_or_else(|| Failure::incomplete("DescribeAlarms", "CloudWatch", "AlarmName"))?;
                let state = match state {
                    Some(StateValue::Ok) => AlarmState::Ok,
                    Some(StateValue::Alarm) => AlarmState::Alarm,
                    Some(StateValue::InsufficientData) => AlarmState::InsufficientData,
                    _ => return Err(Failure::incomplete("DescribeAlarms", name, "a known StateValue")),
                };
                let observation = AlarmObservation {
                    name: AlarmName(name.clone()),
                    state,
                    since: since.as_ref().and_then(timestamp).unwrap_or(Timestamp::UNIX_EPOCH),
                    reason: reason.unwrap_or_default(),
                };
                found.insert(name, observation);
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(());
            }
        }
        Err(Failure::ambiguous(
            "DescribeAlarms",
            "CloudWatch",
            format!("more than {PAGE_LIMIT} pages"),
        ))
    }
}

/// CloudWatch refuses an empty window, and reads fractions of a second in its own way; what it gives beyond the
/// caller's window is left out afterwards. Queries are checked even where the window is empty.
fn whole_seconds(from: Timestamp, to: Timestamp) -> (DateTime, DateTime) {
    let start = from.as_second();
    let end = to.as_second() + 1;
    (DateTime::from_secs(start), DateTime::from_secs(end.max(start + 1)))
}

fn datapoints(query: &str, result: MetricDataResult) -> Result<Vec<Datapoint>, Failure> {
    let messages = result.messages.unwrap_or_default();
    let said = || {
        let values: Vec<String> = messages.iter().filter_map(|message| message.value.clone()).collect();
        if values.is_empty() {
            "no reason given".to_owned()
        } else {
            values.join("; ")
        }
    };
    match result.status_code {
        Some(StatusCode::Forbidden) => {
            let refused = Failure::invalid("GetMetricData", query, format!("it may not be read: {}", said()));
            return Err(Failure {
                kind: PortErrorKind::Denied,
                ..refused
            });
        }
        Some(StatusCode::InternalError) => {
            return Err(Failure::ambiguous(
                "GetMetricData",
                query,
                format!("CloudWatch failed: {}", said()),
            ));
        }
        _ => {}
    }
    let times = result.timestamps.unwrap_or_default();
    let values = result.values.unwrap_or_default();
    Ok(times
        .iter()
        .zip(values)
        .filter_map(|(time, value)| {
            Some(Datapoint {
                at: timestamp(time)?,
                value,
            })
        })
        .collect())
}

fn metric_data_query(index: usize, query: &MetricQuery) -> Result<MetricDataQuery, Failure> {
    let seconds = query.period.as_secs();
    let whole = query.period.subsec_nanos() == 0;
    // CloudWatch: 1, 5, 10, 20, 30 or a multiple of 60 seconds.
    let period = match i32::try_from(seconds) {
        Ok(period) if whole && (matches!(period, 1 | 5 | 10 | 20 | 30) || (period > 0 && period % 60 == 0)) => period,
        _ => {
            let message = format!(
                "a period of {:#} is not 1, 5, 10, 20, 30 or a multiple of 60 s",
                query.period
            );
            return Err(Failure::invalid("GetMetricData", &query.id, message));
        }
    };
    let statistic = match query.statistic {
        Statistic::Sum => "Sum".to_owned(),
        Statistic::Average => "Average".to_owned(),
        Statistic::Minimum => "Minimum".to_owned(),
        Statistic::Maximum => "Maximum".to_owned(),
        Statistic::SampleCount => "SampleCount".to_owned(),
        Statistic::Percentile { rank } if rank > 0.0 && rank < 100.0 => format!("p{rank}"),
        Statistic::Percentile { rank } => {
            let message = format!("a percentile lies between 0 and 100, not at {rank}");
            return Err(Failure::invalid("GetMetricData", &query.id, message));
        }
        // "CloudWatch statistics definitions": the percentage of values that are at most the upper bound.
        Statistic::PercentileRank { at_most } => format!("PR(:{at_most})"),
    };
    let stat = MetricStat::builder()
        .metric(metric(&query.source))
        .period(period)
        .stat(statistic)
        .build();
    // An id begins with a lower-case letter; the caller's may not.
    Ok(MetricDataQuery::builder()
        .id(format!("q{index}"))
        .metric_stat(stat)
        .return_data(true)
        .build())
}

fn metric(source: &MetricSource) -> Metric {
    let build = |namespace: &str, name: &str, dimensions: &[(&str, &str)]| {
        dimensions
            .iter()
            .fold(
                Metric::builder().namespace(namespace).metric_name(name),
                |metric, (name, value)| metric.dimensions(Dimension::builder().name(*name).value(*value).build()),
            )
            .build()
    };
    let function = |name: &str, function: &str, slot: &str| {
        let resource = format!("{function}:{slot}");
        build(
            "AWS/Lambda",
            name,
            &[("FunctionName", function), ("Resource", &resource)],
        )
    };
    let throttles = |name: &str, table: &str, index: Option<&str>| {
        let table = ("TableName", table);
        match index {
            Some(index) => build("AWS/DynamoDB", name, &[table, ("GlobalSecondaryIndexName", index)]),
            None => build("AWS/DynamoDB", name, &[table]),
        }
    };
    match source {
        MetricSource::FunctionInvocations { function: name, slot } => {
            function("Invocations", name.as_str(), slot.as_str())
        }
        MetricSource::FunctionErrors { function: name, slot } => function("Errors", name.as_str(), slot.as_str()),
        MetricSource::FunctionThrottles { function: name, slot } => function("Throttles", name.as_str(), slot.as_str()),
        MetricSource::FunctionDuration { function: name, slot } => function("Duration", name.as_str(), slot.as_str()),
        MetricSource::ApiRequests { api_name, stage } => build(
            "AWS/ApiGateway",
            "Count",
            &[("ApiName", api_name), ("Stage", stage.as_str())],
        ),
        MetricSource::ApiServerErrors { api_name, stage } => build(
            "AWS/ApiGateway",
            "5XXError",
            &[("ApiName", api_name), ("Stage", stage.as_str())],
        ),
        MetricSource::LiveAlias {
            function,
            version,
            metric,
        } => {
            let name = match metric {
                FunctionMetric::Invocations => "Invocations",
                FunctionMetric::Errors => "Errors",
                FunctionMetric::Throttles => "Throttles",
                FunctionMetric::Duration => "Duration",
            };
            let resource = format!("{function}:{LIVE_ALIAS}");
            let dimensions = [
                ("FunctionName", function.as_str()),
                ("Resource", &resource),
                ("ExecutedVersion", version.as_str()),
            ];
            build("AWS/Lambda", name, &dimensions)
        }
        MetricSource::WebSocket { api_id, stage, metric } => {
            let name = match metric {
                WebSocketMetric::Connects => "ConnectCount",
                WebSocketMetric::ClientErrors => "ClientError",
                WebSocketMetric::IntegrationErrors => "IntegrationError",
            };
            build("AWS/ApiGateway", name, &[("ApiId", api_id), ("Stage", stage.as_str())])
        }
        MetricSource::CacheHits { cluster } => build("AWS/ElastiCache", "CacheHits", &[("CacheClusterId", cluster)]),
        MetricSource::CacheMisses { cluster } => {
            build("AWS/ElastiCache", "CacheMisses", &[("CacheClusterId", cluster)])
        }
        MetricSource::ReadThrottles { table, index } => throttles("ReadThrottleEvents", table, index.as_deref()),
        MetricSource::WriteThrottles { table, index } => throttles("WriteThrottleEvents", table, index.as_deref()),
        MetricSource::Named {
            namespace,
            name,
            dimensions,
        } => {
            let dimensions: Vec<(&str, &str)> = dimensions
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            build(namespace, name, &dimensions)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use orchestrator::domain::{FunctionName, Slot, StageName};

    fn query(statistic: Statistic, period: SignedDuration) -> MetricQuery {
        let source = MetricSource::ApiRequests {
            api_name: "Api".to_owned(),
            stage: StageName::new("prod"),
        };
        MetricQuery {
            id: "Requests!".to_owned(),
            source,
            statistic,
            period,
        }
    }

    #[test]
    fn a_slots_metric_is_its_aliass() {
        let errors = metric(&MetricSource::FunctionErrors {
            function: FunctionName::new("fn"),
            slot: Slot::Green,
        });
        let dimensions: Vec<_> = errors
            .dimensions()
            .iter()
            .map(|one| (one.name().unwrap(), one.value().unwrap()))
            .collect();
        assert_eq!(
            (errors.namespace(), errors.metric_name()),
            (Some("AWS/Lambda"), Some("Errors"))
        );
        assert_eq!(dimensions, [("FunctionName", "fn"), ("Resource", "fn:green")]);
    }

    #[test]
    fn every_source_has_the_dimensions_of_its_service() {
        let described = |source: MetricSource| {
            let metric = metric(&source);
            let dimensions: Vec<String> = metric
                .dimensions()
                .iter()
                .map(|one| format!("{}={}", one.name().unwrap(), one.value().unwrap()))
                .collect();
            let name = metric.metric_name().unwrap();
            format!("{} {name} {}", metric.namespace().unwrap(), dimensions.join(" "))
        };
        let table = |index: Option<&str>| MetricSource::WriteThrottles {
            table: "orders".to_owned(),
            index: index.map(str::to_owned),
        };
        let found = [
            described(MetricSource::LiveAlias {
                function: FunctionName::new("fn"),
                version: "7".into(),
                metric: FunctionMetric::Duration,
            }),
            described(MetricSource::WebSocket {
                api_id: "a1".to_owned(),
                stage: StageName::new("prod"),
                metric: WebSocketMetric::IntegrationErrors,
            }),
            described(MetricSource::CacheMisses {
                cluster: "cache-001".to_owned(),
            }),
            described(table(None)),
            described(table(Some("by-date"))),
        ];
        let expected = [
            "AWS/Lambda Duration FunctionName=fn Resource=fn:live ExecutedVersion=7",
            "AWS/ApiGateway IntegrationError ApiId=a1 Stage=prod",
            "AWS/ElastiCache CacheMisses CacheClusterId=cache-001",
            "AWS/DynamoDB WriteThrottleEvents TableName=orders",
            "AWS/DynamoDB WriteThrottleEvents TableName=orders GlobalSecondaryIndexName=by-date",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn statistics_and_periods_are_those_that_cloudwatch_takes() {
        let made = metric_data_query(
            7,
            &query(Statistic::Percentile { rank: 95.0 }, SignedDuration::from_secs(60)),
        );
        let made = made.unwrap();
        assert_eq!(made.id(), Some("q7"));
        assert_eq!(made.metric_stat().unwrap().stat(), Some("p95"));
        let rank = Statistic::PercentileRank { at_most: 120.5 };
        let made = metric_data_query(0, &query(rank, SignedDuration::from_secs(60))).unwrap();
        assert_eq!(made.metric_stat().unwrap().stat(), Some("PR(:120.5)"));
        let refused = |statistic, period| metric_data_query(0, &query(statistic, period)).unwrap_err().kind;
        assert_eq!(
            refused(Statistic::Percentile { rank: 100.0 }, SignedDuration::from_secs(60)),
            PortErrorKind::Invalid
        );
        assert_eq!(
            refused(Statistic::Sum, SignedDuration::from_secs(61)),
            PortErrorKind::Invalid
        );
        assert_eq!(
            refused(Statistic::Sum, SignedDuration::from_millis(1500)),
            PortErrorKind::Invalid
        );
        assert_eq!(refused(Statistic::Sum, SignedDuration::ZERO), PortErrorKind::Invalid);
    }

    #[test]
    fn a_window_is_never_empty_for_cloudwatch() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let window = |from, to| {
            let (start, end) = whole_seconds(at(from), at(to));
            (start.secs(), end.secs())
        };
        assert_eq!(window("1970-01-01T00:01:00.25Z", "1970-01-01T00:01:00.75Z"), (60, 61));
        assert_eq!(window("1970-01-01T00:01:00Z", "1970-01-01T00:01:00Z"), (60, 61));
        assert_eq!(window("1970-01-01T00:01:00Z", "1970-01-01T00:00:00Z"), (60, 61));
        assert_eq!(window("1970-01-01T00:01:00Z", "1970-01-01T00:02:00Z"), (60, 121));
    }

    #[test]
    fn a_result_that_cloudwatch_could_not_make_is_no_empty_series() {
        let result = |code| MetricDataResult::builder().id("q0").status_code(code).build();
        assert_eq!(
            datapoints("errors", result(StatusCode::Forbidden)).unwrap_err().kind,
            PortErrorKind::Denied
        );
        assert_eq!(
            datapoints("errors", result(StatusCode::InternalError))
                .unwrap_err()
                .kind,
            PortErrorKind::Ambiguous
        );
        assert!(datapoints("errors", result(StatusCode::Complete)).unwrap().is_empty());
    }
}
