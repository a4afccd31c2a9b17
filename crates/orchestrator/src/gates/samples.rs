//! What the metrics said, as the gates judge it and as the journal keeps it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::comparison::{Pair, Tally};
use crate::domain::FunctionName;
use crate::ports::{AlarmObservation, CheckAnswer};

/// What the metrics said about a step so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Length of one entry of the columns; one or more of the metrics' periods.
    #[serde(default)]
    pub stratum: SignedDuration,
    pub functions: Vec<FunctionSample>,
    pub apis: Vec<ApiSample>,
    /// Of what both slots use, and cannot be told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<SharedSample>,
    pub alarms: Vec<AlarmObservation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckAnswer>,
    /// What was asked, in words: one entry for each function and window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<String>,
}

/// A function's calls to the candidate, since the step began. `None`: the metric has no data at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionSample {
    pub function: FunctionName,
    pub invocations: u64,
    pub errors: Option<u64>,
    pub throttles: Option<u64>,
    /// Calls that took longer than the limit of the gate; `None` also where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<u64>,
    #[serde(default)]
    pub strata: Strata,
}

/// Both slots by stratum, in columns; zeros at the end are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Strata {
    pub calls: Column,
    /// `None` where a slot that was called has no data, here and in `slower`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Column>,
    #[serde(skip_serializing_if = "Column::is_empty")]
    pub throttles: Column,
    /// Calls that took longer than the live slot's p95 of the hour before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slower: Option<Column>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Column {
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty")]
    pub candidate: Vec<u64>,
    #[serde(rename = "l", skip_serializing_if = "Vec::is_empty")]
    pub live: Vec<u64>,
}

impl Column {
    fn is_empty(&self) -> bool {
        self.candidate.is_empty() && self.live.is_empty()
    }

    /// Without the zeros at the end.
    pub fn new(mut candidate: Vec<u64>, mut live: Vec<u64>) -> Column {
        for counts in [&mut candidate, &mut live] {
            while counts.last() == Some(&0) {
                counts.pop();
            }
        }
        Column { candidate, live }
    }

    fn at(counts: &[u64], index: usize) -> u64 {
        counts.get(index).copied().unwrap_or(0)
    }
}

impl Strata {
    /// The calls with the events of `column`. `added`: the events are not among the calls, as throttles are not.
    pub fn pairs(&self, column: &Column, added: bool) -> Vec<Pair> {
        let columns = [&self.calls, column];
        let length = columns
            .iter()
            .map(|column| column.candidate.len().max(column.live.len()))
            .max()
            .unwrap_or(0);
        let tally = |calls: &[u64], events: &[u64], index: usize| {
            let events = Column::at(events, index);
            let more = if added { events } else { 0 };
            Tally::new(Column::at(calls, index) + more, events)
        };
        (0..length)
            .map(|index| Pair {
                candidate: tally(&self.calls.candidate, &column.candidate, index),
                live: tally(&self.calls.live, &column.live, index),
            })
            .collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiSample {
    pub api_name: String,
    /// Begin of the window that is counted.
    pub from: Timestamp,
    pub server_errors: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
}

/// What both slots use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedGate {
    /// Events are answers 5xx, calls are requests to the live stage.
    ApiServerErrors,
    /// Events are connections that could not be opened, calls are those that were asked for.
    WebSocketErrors,
    /// Events are misses, calls are lookups.
    CacheMisses,
    /// Events are requests that were refused; calls are not known, and as many.
    TableThrottles,
}

impl SharedGate {
    pub fn name(self) -> &'static str {
        match self {
            SharedGate::ApiServerErrors => "API 5xx",
            SharedGate::WebSocketErrors => "WebSocket connection errors",
            SharedGate::CacheMisses => "Redis hit rate",
            SharedGate::TableThrottles => "DynamoDB throttling",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedSample {
    pub gate: SharedGate,
    pub resource: String,
    /// `None`: no data.
    pub seen: Option<Tally>,
}

/// The hour before the rollout moved anything: what the live slot did, for the preflight and for telling old troubles
/// from new ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Before {
    pub from: Timestamp,
    pub to: Timestamp,
    pub functions: Vec<FunctionBefore>,
    pub shared: Vec<SharedSample>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionBefore {
    pub function: FunctionName,
    /// Those that ran and those that were throttled.
    pub calls: u64,
    pub errors: u64,
    /// Mean of the p95s of its parts, weighted by their calls. `None` without calls.
    pub p95_milliseconds: Option<f64>,
}

impl Before {
    pub fn function(&self, name: &FunctionName) -> Option<&FunctionBefore> {
        self.functions.iter().find(|function| &function.function == name)
    }

    pub fn shared(&self, gate: SharedGate, resource: &str) -> Option<Tally> {
        self.shared
            .iter()
            .find(|sample| sample.gate == gate && sample.resource == resource)
            .and_then(|sample| sample.seen)
    }

    /// At least a second, so that a rate can be made of it.
    pub fn seconds(&self) -> f64 {
        self.to.duration_since(self.from).as_secs_f64().max(1.0)
    }
}
