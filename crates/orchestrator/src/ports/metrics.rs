//! What the traffic did: metrics and alarms.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::domain::{FunctionName, FunctionVersion, Slot, StageName};

/// What is measured. The adapter knows the namespace, name and dimensions for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MetricSource {
    /// Calls of a function through a slot's alias that ran, whether well or not. Throttled calls are not in it.
    FunctionInvocations {
        function: FunctionName,
        slot: Slot,
    },
    /// Calls of those that ended in an error.
    FunctionErrors {
        function: FunctionName,
        slot: Slot,
    },
    /// Calls through the alias that were refused because of concurrency.
    FunctionThrottles {
        function: FunctionName,
        slot: Slot,
    },
    /// Milliseconds.
    FunctionDuration {
        function: FunctionName,
        slot: Slot,
    },
    /// Requests to a stage of an API. Counts both slots: there is no dimension for the canary.
    ApiRequests {
        api_name: String,
        stage: StageName,
    },
    /// Answers 5xx of a stage. Counts both slots.
    ApiServerErrors {
        api_name: String,
        stage: StageName,
    },
    /// The same of a function's calls through its live alias that one version ran (or would have run, for throttles).
    LiveAlias {
        function: FunctionName,
        version: FunctionVersion,
        metric: FunctionMetric,
    },
    /// Of `$connect` of a stage of a WebSocket API. Counts both versions.
    WebSocket {
        api_id: String,
        stage: StageName,
        metric: WebSocketMetric,
    },
    /// Lookups of a cache node that found something.
    CacheHits {
        cluster: String,
    },
    CacheMisses {
        cluster: String,
    },
    /// Reads that a table, or one of its global secondary indexes, refused because of its capacity.
    ReadThrottles {
        table: String,
        index: Option<String>,
    },
    WriteThrottles {
        table: String,
        index: Option<String>,
    },
    /// Any other metric, by the service's own words.
    Named {
        namespace: String,
        name: String,
        dimensions: BTreeMap<String, String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FunctionMetric {
    Invocations,
    Errors,
    Throttles,
    Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebSocketMetric {
    /// Connections that were opened.
    Connects,
    /// Refused before the integration was called.
    ClientErrors,
    /// The integration failed.
    IntegrationErrors,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Statistic {
    Sum,
    Average,
    Minimum,
    Maximum,
    SampleCount,
    /// `rank` is above 0 and below 100: 95 for p95.
    Percentile {
        rank: f64,
    },
    /// How many percent of the values are `at_most` this.
    PercentileRank {
        at_most: f64,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricQuery {
    /// The caller's own name for it; the answer carries it.
    pub id: String,
    pub source: MetricSource,
    pub statistic: Statistic,
    /// Length of one datapoint; whole seconds.
    pub period: SignedDuration,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Datapoint {
    /// Begin of the period.
    pub at: Timestamp,
    pub value: f64,
}

/// One query's answer: periods without data are missing, not zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSeries {
    pub id: String,
    /// In order of time.
    pub datapoints: Vec<Datapoint>,
}

/// An alarm's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlarmName(pub String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    Ok,
    Alarm,
    InsufficientData,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmObservation {
    pub name: AlarmName,
    pub state: AlarmState,
    /// When it came into this state.
    pub since: Timestamp,
    /// Why, in the service's words.
    pub reason: String,
}

#[async_trait]
pub trait Metrics: Send + Sync {
    /// The data of all queries whose periods begin at or after `from` and before `to`, one series for each query in
    /// their order. A metric that has no data in the window gives an empty series.
    ///
    /// # Errors
    /// `Invalid` for a query that can never be answered.
    async fn query(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<MetricSeries>, PortError>;

    /// Sees that each of these metrics belongs to something that exists: a metric without data looks like one with a
    /// misspelt name.
    ///
    /// # Errors
    /// `NotFound` names those that cannot be resolved.
    async fn resolve(&self, sources: &[MetricSource]) -> Result<(), PortError>;

    /// The states of the alarms, one for each name in their order.
    ///
    /// # Errors
    /// `NotFound` names the alarms that do not exist.
    async fn alarms(&self, names: &[AlarmName]) -> Result<Vec<AlarmObservation>, PortError>;
}
