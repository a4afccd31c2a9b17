//! From samples to a judgement. Pure.

use super::binomial::{CLEARANCE, PROOF, is_proven_above, is_shown_below, lower_bound, upper_bound, upper_tail};
use super::comparison::{Pair, Tally, log_evidence, p_value};
use super::samples::{Before, FunctionSample, Samples, SharedGate};
use super::verdict::{Finding, Judgement, Numbers, Verdict, rounded};
use crate::config::{GateConfig, RateLimit};
use crate::ports::{AlarmName, AlarmObservation, AlarmState, CheckAnswer};
use crate::rollout::NotedAlarm;

/// The chance that a rollout whose candidate is not worse than the live slot is turned back by a comparison, over all of
/// its functions, kinds of events, steps and looks.
const FALSE_ALARMS: f64 = 0.005;
/// What both slots share is as it was before unless so much or more would come by chance less often than this. Far
/// below [`FALSE_ALARMS`], because it is asked at every look.
const AS_BEFORE: f64 = 1e-4;
/// A p95 within its limit is at most this share of calls above it.
const ABOVE_P95: f64 = 0.05;

/// What is known besides the samples.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    pub config: &'a GateConfig,
    /// The alarms as they were before anything moved.
    pub noted: &'a [NotedAlarm],
    pub before: &'a Before,
    /// How many of the rollout's steps have both slots serve.
    pub compared_steps: usize,
    /// The rollout is a hotfix: troubles that the live release may have itself are reported, not obeyed.
    pub hotfix: bool,
}

/// The judgement of one look.
pub fn judge(about: &Circumstances<'_>, samples: Samples) -> Judgement {
    let config = about.config;
    let requests = samples.functions.iter().map(calls).sum();
    let mut findings = Vec::new();
    for function in &samples.functions {
        if let Some(limit) = &config.function_errors {
            findings.push(function_errors(limit, function));
        }
        if let Some(limit) = &config.function_throttles {
            findings.push(function_throttles(limit, function));
        }
        if config.function_duration.is_some() {
            findings.push(function_duration(function));
        }
        findings.extend(against_live(about, samples.functions.len(), function));
    }
    if let Some(limit) = &config.function_errors {
        findings.push(all_functions(limit, &samples.functions));
    }
    findings.extend(shared(about, &samples));
    for name in &config.alarms {
        findings.push(alarm(about, name, &samples.alarms));
    }
    for check in &config.checks {
        findings.push(answer(&check.name, &samples.checks));
    }
    if requests < config.minimum_requests {
        let detail = format!("{requests} calls, at least {} are needed", config.minimum_requests);
        findings.push(Finding::new("traffic", "the candidate", Verdict::Inconclusive, detail));
    }
    Judgement::of(findings, requests, samples)
}

/// Throttled calls are not among the invocations.
fn calls(function: &FunctionSample) -> u64 {
    function.invocations + function.throttles.unwrap_or(0)
}

fn function_errors(limit: &RateLimit, function: &FunctionSample) -> Finding {
    let finding = |verdict, detail: &str| Finding::new("function errors", &function.function, verdict, detail);
    match (function.invocations, function.errors) {
        // A function that is not called is no obstacle: what a step needs is counted over all functions together.
        (0, _) => finding(Verdict::Pass, "not called"),
        (calls, None) => finding(
            Verdict::Inconclusive,
            &format!("{calls} calls, and no data of their errors"),
        ),
        (calls, Some(errors)) => rate(limit, Tally::new(calls, errors), |verdict| {
            finding(verdict, "calls failed")
        }),
    }
}

fn function_throttles(limit: &RateLimit, function: &FunctionSample) -> Finding {
    let finding = |verdict, detail: &str| Finding::new("function throttles", &function.function, verdict, detail);
    match function.throttles {
        // The metric appears with the first throttle of an alias; the calls prove that metrics arrive.
        None if function.invocations > 0 => finding(Verdict::Pass, "no throttle reported"),
        None => finding(Verdict::Pass, "not called"),
        Some(0) if function.invocations == 0 => finding(Verdict::Pass, "not called"),
        Some(throttles) => {
            let seen = Tally::new(calls(function), throttles);
            let verdict = if is_proven_above(seen.events, seen.calls, limit.fail_above_percent / 100.0) {
                Verdict::Fail
            } else if seen.percent() <= limit.pass_at_most_percent {
                // A throttle is counted, not sampled: what was seen is what there was.
                Verdict::Pass
            } else {
                Verdict::Inconclusive
            };
            finding(verdict, "calls were throttled").with(numbers(limit, seen))
        }
    }
}

fn function_duration(function: &FunctionSample) -> Finding {
    let finding = |verdict, detail: &str| Finding::new("function p95", &function.function, verdict, detail);
    match (function.invocations, function.slow) {
        (0, _) => finding(Verdict::Pass, "not called"),
        (calls, None) => finding(
            Verdict::Inconclusive,
            &format!("{calls} calls, and no data of their durations"),
        ),
        (calls, Some(slow)) => {
            let seen = Tally::new(calls, slow);
            let limit = RateLimit {
                fail_above_percent: ABOVE_P95 * 100.0,
                pass_at_most_percent: ABOVE_P95 * 100.0,
            };
            let verdict = if is_proven_above(seen.events, seen.calls, ABOVE_P95) {
                Verdict::Fail
            } else if seen.percent() <= ABOVE_P95 * 100.0 {
                Verdict::Pass
            } else {
                Verdict::Inconclusive
            };
            finding(verdict, "calls took longer than the limit").with(numbers(&limit, seen))
        }
    }
}

/// Whether the candidate's calls were enough to show, over all functions, that its errors are below the limit. Asked of
/// all together, because a function that is hardly ever called would otherwise hold up every rollout.
fn all_functions(limit: &RateLimit, functions: &[FunctionSample]) -> Finding {
    let seen: Tally = functions
        .iter()
        .map(|function| Tally::new(function.invocations, function.errors.unwrap_or(0)))
        .sum();
    let verdict = if is_shown_below(seen.events, seen.calls, limit.fail_above_percent / 100.0) {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    };
    let detail = match verdict {
        Verdict::Pass => "calls failed",
        _ => "calls failed: too few to show that the rate is below the limit",
    };
    Finding::new("errors", "all functions", verdict, detail).with(numbers(limit, seen))
}

/// Fails when the rate is proven above its limit. Passes while what is seen is good, or may be good and is shown not to
/// be bad.
fn rate(limit: &RateLimit, seen: Tally, finding: impl Fn(Verdict) -> Finding) -> Finding {
    let (fail_above, pass_at_most) = (limit.fail_above_percent / 100.0, limit.pass_at_most_percent / 100.0);
    let verdict = if is_proven_above(seen.events, seen.calls, fail_above) {
        Verdict::Fail
    } else if seen.percent() <= limit.pass_at_most_percent
        || (!is_proven_above(seen.events, seen.calls, pass_at_most)
            && is_shown_below(seen.events, seen.calls, fail_above))
    {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    };
    finding(verdict).with(numbers(limit, seen))
}

fn numbers(limit: &RateLimit, seen: Tally) -> Numbers {
    Numbers::Rate {
        seen,
        lower: rounded(lower_bound(seen.events, seen.calls, PROOF) * 100.0),
        upper: rounded(upper_bound(seen.events, seen.calls, CLEARANCE) * 100.0),
        fail_above: rounded(limit.fail_above_percent),
        pass_at_most: rounded(limit.pass_at_most_percent),
    }
}

/// One finding for each kind of event that befell anybody.
fn against_live(about: &Circumstances<'_>, functions: usize, function: &FunctionSample) -> Vec<Finding> {
    let strata = &function.strata;
    let tolerances = &about.config.against_live;
    let kinds = [
        (
            tolerances.errors,
            strata.errors.as_ref(),
            false,
            "errors against live",
            "calls failed",
        ),
        (
            tolerances.throttles,
            Some(&strata.throttles),
            true,
            "throttles against live",
            "calls were throttled",
        ),
        (
            tolerances.slow_calls,
            strata.slower.as_ref(),
            false,
            "slow calls against live",
            "calls took longer than the live slot's usual p95",
        ),
    ];
    let alpha = alpha(about, functions);
    let compared = kinds
        .into_iter()
        .filter_map(|(tolerated, column, added, gate, detail)| {
            let (tolerated, column) = (tolerated?, column?);
            let pairs = strata.pairs(column, added);
            let candidate: Tally = pairs.iter().map(|pair| pair.candidate).sum();
            let live: Tally = pairs.iter().map(|pair| pair.live).sum();
            if candidate.calls == 0 || live.calls == 0 || candidate.events + live.events == 0 {
                return None;
            }
            Some(compare(
                gate,
                detail,
                function,
                &pairs,
                (candidate, live),
                alpha,
                tolerated,
            ))
        });
    compared.collect()
}

fn compare(
    gate: &str,
    detail: &str,
    function: &FunctionSample,
    pairs: &[Pair],
    (candidate, live): (Tally, Tally),
    alpha: f64,
    tolerated: f64,
) -> Finding {
    let p_value = p_value(log_evidence(pairs.iter().copied(), tolerated));
    let verdict = if p_value <= alpha { Verdict::Fail } else { Verdict::Pass };
    Finding::new(gate, &function.function, verdict, detail).with(Numbers::Comparison {
        candidate,
        live,
        p_value: rounded(p_value),
        alpha: rounded(alpha),
        tolerated,
    })
}

/// The share of [`FALSE_ALARMS`] that one comparison may use.
pub(super) fn alpha(about: &Circumstances<'_>, functions: usize) -> f64 {
    let tolerances = &about.config.against_live;
    let kinds = [tolerances.errors, tolerances.throttles, tolerances.slow_calls];
    let kinds = kinds.iter().flatten().count();
    FALSE_ALARMS / (functions * kinds * about.compared_steps).max(1) as f64
}

/// The gates of what both slots use.
fn shared(about: &Circumstances<'_>, samples: &Samples) -> Vec<Finding> {
    let config = about.config;
    let seconds = samples.to.duration_since(samples.from).as_secs_f64();
    let mut findings = Vec::new();
    if let Some(limit) = &config.api_server_errors {
        for api in &samples.apis {
            let gate = SharedGate::ApiServerErrors;
            let seen = api
                .server_errors
                .map(|events| Tally::new(api.requests.unwrap_or(0), events));
            let found = |seen: Tally| {
                let words = format!("answers 5xx in {:#}", limit.window);
                count(gate, &api.api_name, seen.events, limit.fail_above, &words)
            };
            let finding = heeded(about, gate, &api.api_name, seen, limit.even_if_before, seconds, found);
            findings.push(finding);
        }
    }
    for sample in &samples.shared {
        let (gate, resource) = (sample.gate, &sample.resource);
        let found = |seen: Tally| match (
            gate,
            &config.websocket_errors,
            &config.cache_hits,
            &config.table_throttles,
        ) {
            (SharedGate::WebSocketErrors, Some(gate_config), _, _) => {
                let finding = |verdict| Finding::new(gate.name(), resource, verdict, "connections could not be opened");
                rate(&gate_config.limit, seen, finding)
            }
            (SharedGate::CacheMisses, _, Some(gate_config), _) => {
                let finding = |verdict| Finding::new(gate.name(), resource, verdict, "lookups were misses");
                rate(&gate_config.misses(), seen, finding)
            }
            (SharedGate::TableThrottles, _, _, Some(gate_config)) => {
                let words = "requests were throttled since the step began";
                count(gate, resource, seen.events, gate_config.fail_above, words)
            }
            _ => Finding::new(gate.name(), resource, Verdict::Pass, "is not asked"),
        };
        findings.push(heeded(about, gate, resource, sample.seen, false, seconds, found));
    }
    findings
}

fn count(gate: SharedGate, resource: &str, count: u64, fail_above: u64, words: &str) -> Finding {
    let verdict = if count > fail_above {
        Verdict::Fail
    } else {
        Verdict::Pass
    };
    Finding::new(gate.name(), resource, verdict, words).with(Numbers::Count { count, fail_above })
}

/// Missing data is inconclusive; a trouble that was there before is reported and not obeyed.
fn heeded(
    about: &Circumstances<'_>,
    gate: SharedGate,
    resource: &str,
    seen: Option<Tally>,
    even_if_before: bool,
    seconds: f64,
    found: impl Fn(Tally) -> Finding,
) -> Finding {
    let before = about.before.shared(gate, resource);
    let finding = match seen {
        Some(seen) => found(seen),
        None if gate == SharedGate::WebSocketErrors && before.is_none() => Finding::new(
            gate.name(),
            resource,
            Verdict::Pass,
            "no connection now, nor in the hour before",
        ),
        None => Finding::new(gate.name(), resource, Verdict::Inconclusive, "no data"),
    };
    if about.hotfix {
        return finding.unheeded("a hotfix does not answer for what both slots share");
    }
    match (seen, before) {
        (Some(seen), Some(before)) if !even_if_before => {
            // How much of what could happen lay in each window: requests, or time where they are not known.
            let (now, then) = if gate == SharedGate::TableThrottles {
                (seconds, about.before.seconds())
            } else {
                (seen.calls as f64, before.calls as f64)
            };
            if !is_as_before(seen.events, before.events, now / (now + then)) {
                return finding;
            }
            finding.unheeded(format!(
                "in the hour before it was about as bad, {} of {}",
                before.events,
                before.calls.max(before.events)
            ))
        }
        _ => finding,
    }
}

/// Whether so many events now are no more than the hour before lets expect. Given how many there were in both together,
/// those of now follow a binomial law with the share of now, if the rate did not rise.
fn is_as_before(now: u64, before: u64, share_of_now: f64) -> bool {
    before > 0 && upper_tail(now, now + before, share_of_now) >= AS_BEFORE
}

fn alarm(about: &Circumstances<'_>, name: &AlarmName, observed: &[AlarmObservation]) -> Finding {
    let finding = |verdict, detail: String| Finding::new("alarm", &name.0, verdict, detail);
    let before = about.noted.iter().find(|noted| &noted.observation.name == name);
    let was_on = before.is_some_and(|before| before.observation.state == AlarmState::Alarm);
    match observed.iter().find(|observation| &observation.name == name) {
        None => finding(Verdict::Inconclusive, "its state is not known".to_owned()),
        Some(now) if now.state == AlarmState::Alarm => {
            let found = finding(Verdict::Fail, format!("in ALARM since {}: {}", now.since, now.reason));
            if was_on && about.hotfix {
                found.unheeded("it was in ALARM before this hotfix began")
            } else if was_on && before.is_some_and(|before| now.since <= before.noted_at) {
                found.unheeded("it was in ALARM before the rollout began")
            } else {
                found
            }
        }
        Some(_) => finding(Verdict::Pass, "not in ALARM".to_owned()),
    }
}

fn answer(name: &str, answers: &[CheckAnswer]) -> Finding {
    match answers.iter().find(|answer| answer.name == name) {
        Some(answer) => Finding::new("check", name, answer.verdict, answer.detail.clone()),
        None => Finding::new("check", name, Verdict::Inconclusive, "it was not asked"),
    }
}
