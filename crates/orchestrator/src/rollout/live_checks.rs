//! The checks of the live release around an expand: what it can no longer do once the schema has grown. Pure.
//!
//! Each check runs several times, because what breaks is often a session and not the program: a statement that was
//! prepared against the narrower table fails only where it had been prepared.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ports::SmokeCheckResult;

/// One check of the live release, run several times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveCheck {
    /// Such as `GET /health`.
    pub name: String,
    pub runs: u32,
    pub failures: u32,
    /// What the first failure said; what the last run said where none failed.
    pub detail: String,
}

impl fmt::Display for LiveCheck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            runs,
            failures,
            detail,
        } = self;
        match failures {
            0 => write!(formatter, "✓ {name}: {detail}"),
            _ => write!(formatter, "✗ {name} failed {failures} of {runs} times: {detail}"),
        }
    }
}

/// How far the checks around the expand are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LiveChecks {
    /// They have not run.
    #[default]
    Due,
    /// There is nothing to expand, so there is nothing to compare.
    NothingPending,
    /// As it was before the expand; the same is due after it.
    Before(Vec<LiveCheck>),
    /// The live release does after the expand what it did before.
    Passed,
}

/// The rounds as one result a check, by its name.
pub fn tally(rounds: &[Vec<SmokeCheckResult>]) -> Vec<LiveCheck> {
    let mut checks: Vec<LiveCheck> = Vec::new();
    for result in rounds.iter().flatten() {
        let index = match checks.iter().position(|check| check.name == result.name) {
            Some(index) => index,
            None => {
                checks.push(LiveCheck {
                    name: result.name.clone(),
                    runs: 0,
                    failures: 0,
                    detail: String::new(),
                });
                checks.len() - 1
            }
        };
        let check = &mut checks[index];
        if check.failures == 0 {
            check.detail.clone_from(&result.detail);
        }
        check.runs += 1;
        check.failures += u32::from(!result.passed);
    }
    checks
}

/// What fails now and did not fail before. What failed before already says nothing about the schema; a check that did not
/// run before neither.
pub fn broken(before: &[LiveCheck], after: &[LiveCheck]) -> Vec<LiveCheck> {
    let passed_before = |name: &str| before.iter().any(|check| check.name == name && check.failures == 0);
    after
        .iter()
        .filter(|check| check.failures > 0 && passed_before(&check.name))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn round(results: &[(&str, bool)]) -> Vec<SmokeCheckResult> {
        let one = |(name, passed): &(&str, bool)| SmokeCheckResult {
            name: (*name).to_owned(),
            passed: *passed,
            detail: if *passed { "200" } else { "500 instead of 200" }.to_owned(),
            duration: SignedDuration::ZERO,
        };
        results.iter().map(one).collect()
    }

    #[test]
    fn a_check_that_fails_once_in_several_runs_has_failed() {
        let checks = tally(&[
            round(&[("a", true), ("b", true)]),
            round(&[("a", true), ("b", false)]),
            round(&[("a", true), ("b", true)]),
        ]);
        let seen: Vec<_> = checks
            .iter()
            .map(|check| (check.name.as_str(), check.runs, check.failures, check.detail.as_str()))
            .collect();
        assert_eq!(seen, [("a", 3, 0, "200"), ("b", 3, 1, "500 instead of 200")]);
    }

    #[test]
    fn only_what_passed_before_is_judged() {
        let before = tally(&[round(&[("sound", true), ("ill", false), ("breaks", true)])]);
        let after = tally(&[round(&[
            ("sound", true),
            ("ill", false),
            ("breaks", false),
            ("new", false),
        ])]);
        let names: Vec<_> = broken(&before, &after).into_iter().map(|check| check.name).collect();
        assert_eq!(names, ["breaks"]);
    }
}
