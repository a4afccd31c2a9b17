//! Before anything moves: whether the traffic of the last hour is enough for the gates to decide within each step.
//!
//! A gate that cannot decide makes a rollout end inconclusive after all its extensions; better to know that before.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::comparison::{Pair, Tally, log_evidence};
use super::judgement::{Circumstances, alpha};
use super::samples::Before;
use crate::config::GateConfig;
use crate::rollout::PlannedStep;

/// A candidate without any error is shown to be below a limit p after ln(0.05)/ln(1-p) calls.
const CLEARED: f64 = 0.05;
/// The most calls of a candidate that are tried; what needs more is out of reach.
const MOST_CALLS: u64 = 1 << 17;

/// A gate that needs more traffic than there was: `gate errors of all functions needs 3.0 requests a second in step 1
/// (10 % for 5m): the last hour had 0.4`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shortage {
    pub gate: String,
    pub resource: String,
    /// From 0.
    pub step: usize,
    pub weight_percent: f64,
    /// Of the bake, in words.
    pub bake: String,
    /// Calls of the candidate that the gate needs.
    pub calls: u64,
    /// Over both slots.
    pub needed_per_second: f64,
    pub seen_per_second: f64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "gate {} of {} needs {:.1} requests a second in step {} ({} % for {}): the last hour had {:.1}",
            self.gate,
            self.resource,
            self.needed_per_second,
            self.step + 1,
            self.weight_percent,
            self.bake,
            self.seen_per_second
        )
    }
}

/// Every gate and step that the last hour's traffic would not decide, were it to go on.
pub fn preflight(about: &Circumstances<'_>, steps: &[PlannedStep]) -> Vec<Shortage> {
    let (config, before) = (about.config, about.before);
    let per_second = |calls: u64| calls as f64 / before.seconds();
    let all: u64 = before.functions.iter().map(|function| function.calls).sum();
    let all_seen = per_second(all) + config.synthetic_requests_per_second;
    let mut shortages = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let share = step.weight.as_percent() / 100.0;
        let seconds = step.bake.as_secs_f64().max(1.0);
        let mut need = |gate: &str, resource: &str, calls: u64, seen_per_second: f64| {
            let needed_per_second = calls as f64 / (share * seconds);
            if needed_per_second > seen_per_second {
                shortages.push(Shortage {
                    gate: gate.to_owned(),
                    resource: resource.to_owned(),
                    step: index,
                    weight_percent: step.weight.as_percent(),
                    bake: format!("{:#}", step.bake),
                    calls,
                    needed_per_second,
                    seen_per_second,
                });
            }
        };
        need("traffic", "the candidate", config.minimum_requests, all_seen);
        if let Some(limit) = &config.function_errors {
            need("errors", "all functions", to_clear(limit.fail_above_percent), all_seen);
        }
        // With the whole weight there is nothing left to compare with.
        if share >= 1.0 || all == 0 {
            continue;
        }
        for function in &before.functions {
            // Synthetic requests go to some function or other.
            let part = function.calls as f64 / all as f64;
            let seen = per_second(function.calls) + config.synthetic_requests_per_second * part;
            if let Some(calls) = to_compare(about, before, config, function, share) {
                need("errors against live", function.function.as_str(), calls, seen);
            }
        }
    }
    shortages
}

/// Calls after which a candidate without an error is shown to be below the limit: 59 for 5 %.
fn to_clear(percent: f64) -> u64 {
    (CLEARED.ln() / (1.0 - percent / 100.0).ln()).ceil().max(0.0) as u64
}

/// The candidate's calls after which one that fails as often as just to be intolerable is told from the live slot, on
/// average. `None` where it is not compared, or the live slot fails as often itself.
fn to_compare(
    about: &Circumstances<'_>,
    before: &Before,
    config: &GateConfig,
    function: &super::FunctionBefore,
    share: f64,
) -> Option<u64> {
    let tolerated = config.against_live.errors?;
    let bad = config.function_errors.as_ref()?.fail_above_percent / 100.0;
    let usual = Tally::new(function.calls, function.errors).percent() / 100.0;
    if usual >= bad {
        return None;
    }
    let evidence = (1.0 / alpha(about, before.functions.len())).ln();
    let mut calls: u64 = 16;
    while calls <= MOST_CALLS {
        let live = (calls as f64 * (1.0 - share) / share).round();
        let pair = Pair {
            candidate: Tally::new(calls, (calls as f64 * bad).round() as u64),
            live: Tally::new(live as u64, (live * usual).round() as u64),
        };
        if log_evidence([pair], tolerated) >= evidence {
            return Some(calls);
        }
        calls += (calls / 8).max(1);
    }
    None
}
