//! What to ask of the metrics for a step, and samples made of the answers.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{ApiSample, FunctionSample, Samples};
use crate::config::GateConfig;
use crate::domain::{RolloutTarget, Slot};
use crate::ports::{AlarmObservation, MetricQuery, MetricSeries, MetricSource, Statistic};

/// Two sets of queries with their windows; both end now.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryPlan {
    pub function_queries: Vec<MetricQuery>,
    pub functions_from: Timestamp,
    pub api_queries: Vec<MetricQuery>,
    pub apis_from: Timestamp,
    /// End of both windows, exclusive: the period that goes on now is asked for too.
    pub to: Timestamp,
}

/// `released_at`: when the candidate came into its slot; data of an earlier release in that slot is left out, which
/// costs at most one period. `since`: when the step's weight was in force; the whole period that it lies in counts,
/// because an earlier step of the same candidate is no stranger.
pub fn queries(
    config: &GateConfig,
    target: &RolloutTarget,
    slot: Slot,
    released_at: Timestamp,
    since: Timestamp,
    now: Timestamp,
) -> QueryPlan {
    let period = config.metric_period;
    let query = |id: String, source| MetricQuery {
        id,
        source,
        statistic: Statistic::Sum,
        period,
    };
    let mut function_queries = Vec::new();
    for (index, function) in target.functions.iter().enumerate() {
        let function = function.clone();
        function_queries.push(query(
            format!("invocations{index}"),
            MetricSource::FunctionInvocations {
                function: function.clone(),
                slot,
            },
        ));
        function_queries.push(query(
            format!("errors{index}"),
            MetricSource::FunctionErrors {
                function: function.clone(),
                slot,
            },
        ));
        function_queries.push(query(
            format!("throttles{index}"),
            MetricSource::FunctionThrottles { function, slot },
        ));
    }
    let mut api_queries = Vec::new();
    if config.api_server_errors.is_some() {
        for (index, api) in target.apis.iter().enumerate() {
            let source = MetricSource::ApiServerErrors {
                api_name: api.name.clone(),
                stage: api.live_stage.clone(),
            };
            api_queries.push(query(format!("server_errors{index}"), source));
        }
    }
    let first = period_after(released_at, period);
    let window = config
        .api_server_errors
        .as_ref()
        .map_or(SignedDuration::ZERO, |limit| limit.window);
    let functions_from = period_of(since, period).max(first);
    let apis_from = period_of(now - window, period).max(first);
    QueryPlan {
        function_queries,
        functions_from,
        api_queries,
        apis_from,
        // Never an empty window: a candidate may be younger than one period.
        to: (period_of(now, period) + period).max(functions_from.max(apis_from) + period),
    }
}

/// The answers to `plan` as samples. A series without any datapoint is missing data, not zero.
pub fn samples(
    plan: &QueryPlan,
    target: &RolloutTarget,
    functions: &[MetricSeries],
    apis: &[MetricSeries],
    alarms: Vec<AlarmObservation>,
) -> Samples {
    let sums: HashMap<&str, Option<u64>> = functions
        .iter()
        .chain(apis)
        .map(|series| (series.id.as_str(), sum(series)))
        .collect();
    let of = |id: String| sums.get(id.as_str()).copied().flatten();
    Samples {
        from: plan.functions_from,
        to: plan.to,
        functions: target
            .functions
            .iter()
            .enumerate()
            .map(|(index, function)| FunctionSample {
                function: function.clone(),
                invocations: of(format!("invocations{index}")).unwrap_or(0),
                errors: of(format!("errors{index}")),
                throttles: of(format!("throttles{index}")),
            })
            .collect(),
        apis: if plan.api_queries.is_empty() {
            Vec::new()
        } else {
            target
                .apis
                .iter()
                .enumerate()
                .map(|(index, api)| ApiSample {
                    api_name: api.name.clone(),
                    from: plan.apis_from,
                    server_errors: of(format!("server_errors{index}")),
                })
                .collect()
        },
        alarms,
    }
}

fn sum(series: &MetricSeries) -> Option<u64> {
    if series.datapoints.is_empty() {
        return None;
    }
    Some(
        series
            .datapoints
            .iter()
            .map(|point| point.value)
            .sum::<f64>()
            .round()
            .max(0.0) as u64,
    )
}

/// Begin of the period that `time` lies in.
fn period_of(time: Timestamp, period: SignedDuration) -> Timestamp {
    let seconds = period.as_secs().max(1);
    let begin = time.as_second().div_euclid(seconds) * seconds;
    Timestamp::from_second(begin).unwrap_or(time)
}

/// Begin of the first period that does not begin before `time`.
fn period_after(time: Timestamp, period: SignedDuration) -> Timestamp {
    let begin = period_of(time, period);
    if begin == time { begin } else { begin + period }
}
