//! Answers: of one gate for one resource, and of all gates at one moment.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::comparison::Tally;
use super::samples::Samples;

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

/// One gate's answer for one resource. Displayed as `function errors of orders: 12 of 80 calls failed (15.00 %), …`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Such as `function errors` or `alarm`.
    pub gate: String,
    pub resource: String,
    pub verdict: Verdict,
    /// What is said in words; with `numbers`, what befell the calls, such as `calls failed`, and nothing for a pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// Why it passes although the numbers say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_obeyed: Option<String>,
}

/// What a verdict rests on; limits and bounds in percent. Bounds and chances are rounded to four digits. Short names,
/// because every look is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Numbers {
    Rate {
        seen: Tally,
        /// One-sided, 99 %.
        lower: f64,
        /// One-sided, 95 %.
        upper: f64,
        #[serde(rename = "limit")]
        fail_above: f64,
        #[serde(rename = "pass")]
        pass_at_most: f64,
    },
    Count {
        count: u64,
        fail_above: u64,
    },
    Comparison {
        #[serde(rename = "seen")]
        candidate: Tally,
        live: Tally,
        /// Anytime-valid.
        p_value: f64,
        /// It fails at this or below.
        alpha: f64,
        /// As an odds ratio.
        tolerated: f64,
    },
}

impl Finding {
    pub fn new(gate: &str, resource: impl fmt::Display, verdict: Verdict, detail: impl Into<String>) -> Finding {
        Finding {
            gate: gate.to_owned(),
            resource: resource.to_string(),
            verdict,
            detail: detail.into(),
            numbers: None,
            not_obeyed: None,
        }
    }

    pub fn with(self, numbers: Numbers) -> Finding {
        // The gate's name says it; every look is kept, and nearly all of it are passes.
        let detail = if self.verdict == Verdict::Pass {
            String::new()
        } else {
            self.detail
        };
        Finding {
            detail,
            numbers: Some(numbers),
            ..self
        }
    }

    /// What it says stays; it no longer stands in the way of a pass.
    pub fn unheeded(self, why: impl Into<String>) -> Finding {
        if self.verdict == Verdict::Pass {
            return self;
        }
        Finding {
            verdict: Verdict::Pass,
            not_obeyed: Some(why.into()),
            ..self
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}: ", self.gate, self.resource)?;
        let detail = if self.detail.is_empty() {
            "counted"
        } else {
            &self.detail
        };
        match &self.numbers {
            None => formatter.write_str(detail)?,
            Some(Numbers::Rate {
                seen,
                fail_above,
                pass_at_most,
                ..
            }) => write!(
                formatter,
                "{} of {} {detail} ({:.2} %), fails when proven above {fail_above} %, passes at most \
                 {pass_at_most} %",
                seen.events,
                seen.calls,
                seen.percent(),
            )?,
            Some(Numbers::Count { count, fail_above }) => {
                write!(formatter, "{count} {detail}, limit {fail_above}")?;
            }
            Some(Numbers::Comparison {
                candidate,
                live,
                p_value,
                alpha,
                ..
            }) => write!(
                formatter,
                "{} of {} {detail} ({:.2} %), of the live slot's {} of {} ({:.2} %); p = {p_value:.2e}, fails at {alpha:.2e}",
                candidate.events,
                candidate.calls,
                candidate.percent(),
                live.events,
                live.calls,
                live.percent(),
            )?,
        }
        match &self.not_obeyed {
            Some(why) => write!(formatter, "; not obeyed: {why}"),
            None => Ok(()),
        }
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
    pub samples: Option<Box<Samples>>,
}

impl Judgement {
    pub(super) fn of(findings: Vec<Finding>, requests: u64, samples: Samples) -> Judgement {
        let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
        let verdict = if has(Verdict::Fail) {
            Verdict::Fail
        } else if has(Verdict::Inconclusive) {
            Verdict::Inconclusive
        } else {
            Verdict::Pass
        };
        Judgement {
            verdict,
            requests,
            findings,
            samples: Some(Box::new(samples)),
        }
    }

    /// The judgement while the metrics cannot be read: never a pass.
    pub fn unavailable(error: &str) -> Judgement {
        Judgement {
            verdict: Verdict::Inconclusive,
            requests: 0,
            findings: vec![Finding::new("metrics", "all gates", Verdict::Inconclusive, error)],
            samples: None,
        }
    }

    /// The metrics could not be read.
    pub fn is_blind(&self) -> bool {
        self.samples.is_none()
    }

    /// The findings that stand in the way of a pass, or that there are none.
    pub fn summary(&self) -> String {
        let decisive: Vec<String> = self
            .findings
            .iter()
            .filter(|finding| finding.verdict == self.verdict && finding.verdict != Verdict::Pass)
            .map(Finding::to_string)
            .collect();
        if decisive.is_empty() {
            format!("{} calls, nothing to object", self.requests)
        } else {
            decisive.join("; ")
        }
    }
}

/// Four digits, so that a journal does not carry what nobody reads.
pub(super) fn rounded(number: f64) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return number;
    }
    let scale = 10_f64.powi(3 - number.abs().log10().floor() as i32);
    if scale.is_finite() && scale > 0.0 {
        (number * scale).round() / scale
    } else {
        0.0
    }
}
