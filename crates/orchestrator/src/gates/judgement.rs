//! From samples to a judgement. Pure.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::binomial::is_proven_above;
use crate::config::{GateConfig, RateLimit};
use crate::domain::FunctionName;
use crate::ports::{AlarmName, AlarmObservation, AlarmState};
use crate::rollout::NotedAlarm;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    Inconclusive,
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Verdict::Pass => "pass",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Fail => "fail",
        })
    }
}

/// What the metrics said about a step so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Of the candidate's slot.
    pub functions: Vec<FunctionSample>,
    pub apis: Vec<ApiSample>,
    pub alarms: Vec<AlarmObservation>,
}

/// A function's calls through the candidate's alias. `None`: the metric has no data at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionSample {
    pub function: FunctionName,
    pub invocations: u64,
    pub errors: Option<u64>,
    pub throttles: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiSample {
    pub api_name: String,
    /// Begin of the window that is counted.
    pub from: Timestamp,
    pub server_errors: Option<u64>,
}

/// One gate's answer for one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Such as `function errors` or `alarm`.
    pub gate: String,
    pub resource: String,
    pub verdict: Verdict,
    /// The numbers, such as `12 of 80 calls failed (15 %), limit 5 %`.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}: {}", self.gate, self.resource, self.detail)
    }
}

/// All gates' answers at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    pub verdict: Verdict,
    /// Calls of the candidate's functions since the step began, all together.
    pub requests: u64,
    pub findings: Vec<Finding>,
    /// What they rest on; `None` while the metrics cannot be read.
    pub samples: Option<Samples>,
}

impl Judgement {
    /// The metrics could not be read.
    pub fn is_blind(&self) -> bool {
        self.samples.is_none()
    }

    /// The findings that stand in the way of a pass, or that there are none.
    pub fn summary(&self) -> String {
        let decisive: Vec<String> = self
            .findings
            .iter()
            .filter(|finding| finding.verdict == self.verdict)
            .map(Finding::to_string)
            .collect();
        if decisive.is_empty() {
            format!("{} calls, nothing to object", self.requests)
        } else {
            decisive.join("; ")
        }
    }
}

/// The judgement while the metrics cannot be read: never a pass.
pub fn unavailable(error: &str) -> Judgement {
    Judgement {
        verdict: Verdict::Inconclusive,
        requests: 0,
        findings: vec![Finding {
            gate: "metrics".to_owned(),
            resource: "all gates".to_owned(),
            verdict: Verdict::Inconclusive,
            detail: error.to_owned(),
        }],
        samples: None,
    }
}

/// `noted` are the alarms as they were before anything moved.
pub fn judge(config: &GateConfig, noted: &[NotedAlarm], samples: Samples) -> Judgement {
    let requests = samples.functions.iter().map(calls).sum();
    let mut findings = Vec::new();
    for function in &samples.functions {
        if let Some(limit) = &config.function_errors {
            findings.push(function_errors(limit, function));
        }
        if let Some(limit) = &config.function_throttles {
            findings.push(function_throttles(limit, function));
        }
    }
    if let Some(limit) = &config.api_server_errors {
        for api in &samples.apis {
            let (verdict, detail) = match api.server_errors {
                None => (Verdict::Inconclusive, "no data".to_owned()),
                Some(count) => {
                    let verdict = if count > limit.fail_above {
                        Verdict::Fail
                    } else {
                        Verdict::Pass
                    };
                    (
                        verdict,
                        format!(
                            "{count} answers 5xx since {}, limit {} in {:#}",
                            api.from, limit.fail_above, limit.window
                        ),
                    )
                }
            };
            findings.push(Finding {
                gate: "API 5xx".to_owned(),
                resource: api.api_name.clone(),
                verdict,
                detail,
            });
        }
    }
    for name in &config.alarms {
        findings.push(alarm(name, noted, &samples.alarms));
    }
    if requests < config.minimum_requests {
        findings.push(Finding {
            gate: "traffic".to_owned(),
            resource: "the candidate".to_owned(),
            verdict: Verdict::Inconclusive,
            detail: format!("{requests} calls, at least {} are needed", config.minimum_requests),
        });
    }
    let verdict = if findings.iter().any(|finding| finding.verdict == Verdict::Fail) {
        Verdict::Fail
    } else if findings.iter().any(|finding| finding.verdict == Verdict::Inconclusive) {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    };
    Judgement {
        verdict,
        requests,
        findings,
        samples: Some(samples),
    }
}

/// Throttled calls are not among the invocations.
fn calls(function: &FunctionSample) -> u64 {
    function.invocations + function.throttles.unwrap_or(0)
}

fn function_errors(limit: &RateLimit, function: &FunctionSample) -> Finding {
    let (verdict, detail) = match (function.invocations, function.errors) {
        // A function that is not called is no obstacle: the step's minimum counts all functions together.
        (0, _) => (Verdict::Pass, "not called".to_owned()),
        (calls, None) => (
            Verdict::Inconclusive,
            format!("{calls} calls, and no data of their errors"),
        ),
        (calls, Some(errors)) => rate(limit, errors, calls, "failed"),
    };
    Finding {
        gate: "function errors".to_owned(),
        resource: function.function.to_string(),
        verdict,
        detail,
    }
}

fn function_throttles(limit: &RateLimit, function: &FunctionSample) -> Finding {
    let (verdict, detail) = match function.throttles {
        // The metric appears with the first throttle of an alias; the calls prove that metrics arrive.
        None if function.invocations > 0 => (
            Verdict::Pass,
            format!("{} calls, no throttle reported", function.invocations),
        ),
        None => (Verdict::Pass, "not called".to_owned()),
        Some(throttles) => rate(limit, throttles, calls(function), "were throttled"),
    };
    Finding {
        gate: "function throttles".to_owned(),
        resource: function.function.to_string(),
        verdict,
        detail,
    }
}

fn rate(limit: &RateLimit, events: u64, calls: u64, what: &str) -> (Verdict, String) {
    if calls == 0 {
        return (Verdict::Pass, "not called".to_owned());
    }
    let percent = events as f64 * 100.0 / calls as f64;
    let verdict = if is_proven_above(events, calls, limit.fail_above_percent / 100.0) {
        Verdict::Fail
    } else if percent <= limit.pass_at_most_percent {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    };
    let detail = format!(
        "{events} of {calls} calls {what} ({percent:.2} %), fails when proven above {} %, passes at most {} %",
        limit.fail_above_percent, limit.pass_at_most_percent
    );
    (verdict, detail)
}

fn alarm(name: &AlarmName, noted: &[NotedAlarm], observed: &[AlarmObservation]) -> Finding {
    let before = noted.iter().find(|noted| &noted.observation.name == name);
    let now = observed.iter().find(|observation| &observation.name == name);
    let (verdict, detail) = match (before, now) {
        (_, None) => (Verdict::Inconclusive, "its state is not known".to_owned()),
        (Some(before), Some(now)) if now.state == AlarmState::Alarm => {
            if before.observation.state == AlarmState::Alarm && now.since <= before.noted_at {
                (
                    Verdict::Pass,
                    format!("in ALARM since {}, before the rollout began: not obeyed", now.since),
                )
            } else {
                (Verdict::Fail, format!("in ALARM since {}: {}", now.since, now.reason))
            }
        }
        (None, Some(now)) if now.state == AlarmState::Alarm => {
            (Verdict::Fail, format!("in ALARM since {}: {}", now.since, now.reason))
        }
        (_, Some(_)) => (Verdict::Pass, "not in ALARM".to_owned()),
    };
    Finding {
        gate: "alarm".to_owned(),
        resource: name.0.clone(),
        verdict,
        detail,
    }
}
