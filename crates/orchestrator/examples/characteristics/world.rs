//! Simulated rollouts of one function behind one REST API, judged by the real gates with their default configuration.
//!
//! Each quarter of a minute requests come at random (Poisson), are split by the weight at random, fail at random with the
//! rate of their slot, and are slow at random alike in both. Every failed call is an answer 5xx, too. Metrics are kept by
//! the minute and are there at once. What a bake needs to pass, and when it is turned back, is the state machine's rule:
//! a pass counts from the end of bake and settling on, and what is inconclusive at the end of the extension goes back.

use jiff::{SignedDuration, Timestamp};
use orchestrator::config::{RolloutConfig, StepConfig};
use orchestrator::domain::Weight;
use orchestrator::gates::comparison::Tally;
use orchestrator::gates::{
    ApiSample, Before, Circumstances, Column, FunctionBefore, FunctionSample, Samples, SharedGate, SharedSample,
    Strata, Verdict, judge,
};

/// Calls that take longer than the p95 of the hour before, and longer than the limit, in both slots.
const ABOVE_USUAL: f64 = 0.05;
const ABOVE_LIMIT: f64 = 0.01;
const TICK_SECONDS: f64 = 15.0;
const TICKS_A_MINUTE: usize = 4;

#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Over both slots.
    pub requests_per_second: f64,
    /// Shares, 0 to 1.
    pub live_errors: f64,
    pub candidate_errors: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum End {
    Promoted,
    /// A gate failed, so long after the step's weight was in force.
    Failed {
        step: usize,
        seconds: f64,
        gate: String,
    },
    /// The extension ended without a verdict.
    Inconclusive {
        step: usize,
    },
}

impl End {
    pub fn is_promoted(&self) -> bool {
        *self == End::Promoted
    }
}

/// What happened to one slot in one minute.
#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    calls: u64,
    errors: u64,
    above_limit: u64,
    above_usual: u64,
}

/// One rollout to its end.
pub fn roll_out(config: &RolloutConfig, scenario: &Scenario, random: &mut fastrand::Rng) -> End {
    let mut world = World::new(scenario, random);
    for (step, planned) in config.steps.iter().enumerate() {
        match world.bake(config, step, planned) {
            None => {}
            Some(end) => return end,
        }
    }
    End::Promoted
}

struct World<'a> {
    scenario: &'a Scenario,
    random: &'a mut fastrand::Rng,
    before: Before,
    /// Ticks since the minute in which the candidate was released.
    now: usize,
    candidate: Vec<Minute>,
    live: Vec<Minute>,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, random: &'a mut fastrand::Rng) -> World<'a> {
        let calls = poisson(random, scenario.requests_per_second * 3600.0);
        let errors = binomial(random, calls, scenario.live_errors);
        let before = Before {
            from: at(-240),
            to: at(0),
            functions: vec![FunctionBefore {
                function: "orders".into(),
                calls,
                errors,
                p95_milliseconds: Some(200.0),
            }],
            shared: vec![SharedSample {
                gate: SharedGate::ApiServerErrors,
                resource: "api".to_owned(),
                seen: Some(Tally { calls, events: errors }),
            }],
        };
        let mut world = World {
            scenario,
            random,
            before,
            now: 0,
            candidate: Vec::new(),
            live: Vec::new(),
        };
        // The weight comes in force anywhere in a minute.
        for _ in 0..world.random.usize(0..TICKS_A_MINUTE) {
            world.tick(0.0);
        }
        world
    }

    fn bake(&mut self, config: &RolloutConfig, step: usize, planned: &StepConfig) -> Option<End> {
        let gates = &config.gates;
        let share = planned.weight_percent.as_percent() / 100.0;
        let (since, from) = (self.now, self.now / TICKS_A_MINUTE);
        let passes_from = (planned.bake + gates.settle).as_secs_f64();
        let ends_at = passes_from + gates.longest_extension.as_secs_f64();
        let about = Circumstances {
            config: gates,
            noted: &[],
            before: &self.before.clone(),
            compared_steps: config
                .steps
                .iter()
                .filter(|step| step.weight_percent < Weight::FULL)
                .count(),
            hotfix: false,
        };
        loop {
            self.tick(share);
            let seconds = (self.now - since) as f64 * TICK_SECONDS;
            let judged = judge(
                &about,
                self.samples(from, gates.api_server_errors.as_ref().map(|limit| limit.window)),
            );
            match judged.verdict {
                Verdict::Fail => {
                    let failed = judged.findings.iter().find(|finding| finding.verdict == Verdict::Fail);
                    let gate = failed.map(|finding| finding.gate.clone()).unwrap_or_default();
                    return Some(End::Failed { step, seconds, gate });
                }
                Verdict::Pass if seconds >= passes_from => return None,
                _ if seconds >= ends_at => return Some(End::Inconclusive { step }),
                _ => {}
            }
        }
    }

    fn tick(&mut self, share: f64) {
        let minute = self.now / TICKS_A_MINUTE;
        self.candidate.resize(minute + 1, Minute::default());
        self.live.resize(minute + 1, Minute::default());
        let calls = poisson(self.random, self.scenario.requests_per_second * TICK_SECONDS);
        let to_candidate = binomial(self.random, calls, share);
        let sides = [
            (
                &mut self.candidate[minute],
                to_candidate,
                self.scenario.candidate_errors,
            ),
            (&mut self.live[minute], calls - to_candidate, self.scenario.live_errors),
        ];
        for (slot, calls, errors) in sides {
            slot.calls += calls;
            slot.errors += binomial(self.random, calls, errors);
            slot.above_limit += binomial(self.random, calls, ABOVE_LIMIT);
            slot.above_usual += binomial(self.random, calls, ABOVE_USUAL);
        }
        self.now += 1;
    }

    fn samples(&self, from: usize, window: Option<SignedDuration>) -> Samples {
        let (candidate, live) = (&self.candidate[from..], &self.live[from..]);
        let column =
            |of: fn(&Minute) -> u64| Column::new(candidate.iter().map(of).collect(), live.iter().map(of).collect());
        let sum = |of: fn(&Minute) -> u64| candidate.iter().map(of).sum::<u64>();
        let strata = Strata {
            calls: column(|minute| minute.calls),
            errors: Some(column(|minute| minute.errors)),
            throttles: Column::default(),
            slower: Some(column(|minute| minute.above_usual)),
        };
        // As the queries do: the whole minute in which the window begins.
        let ticks = window.map_or(0, |window| (window.as_secs_f64() / TICK_SECONDS) as usize);
        let api_from = self.now.saturating_sub(ticks) / TICKS_A_MINUTE;
        let both = || self.candidate[api_from..].iter().chain(&self.live[api_from..]);
        Samples {
            from: at(from * TICKS_A_MINUTE),
            to: at(self.now),
            functions: vec![FunctionSample {
                function: "orders".into(),
                invocations: sum(|minute| minute.calls),
                errors: Some(sum(|minute| minute.errors)),
                throttles: Some(0),
                slow: Some(sum(|minute| minute.above_limit)),
                strata,
            }],
            apis: vec![ApiSample {
                api_name: "api".to_owned(),
                from: at(api_from * TICKS_A_MINUTE),
                server_errors: Some(both().map(|minute| minute.errors).sum()),
                requests: Some(both().map(|minute| minute.calls).sum()),
            }],
            ..Samples::default()
        }
    }
}

/// The time of a tick; negative ones are before the release.
fn at(tick: impl TryInto<i64>) -> Timestamp {
    let tick = tick.try_into().unwrap_or_default();
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(86_400 + tick * TICK_SECONDS as i64)
}

/// By the gaps between arrivals; from a mean of a thousand on by the normal law, whose error is below a tenth of a
/// standard deviation there.
fn poisson(random: &mut fastrand::Rng, mean: f64) -> u64 {
    if mean > 1000.0 {
        return normal(random, mean, mean.sqrt());
    }
    let (mut count, mut gone) = (0, 0.0);
    loop {
        gone -= (1.0 - random.f64()).ln();
        if gone > mean {
            return count;
        }
        count += 1;
    }
}

/// By the gaps between successes, of the rarer of both outcomes; with more than a thousand of these by the normal law.
fn binomial(random: &mut fastrand::Rng, trials: u64, rate: f64) -> u64 {
    if rate <= 0.0 || trials == 0 {
        return 0;
    }
    if rate > 0.5 {
        return trials - binomial(random, trials, 1.0 - rate);
    }
    let mean = trials as f64 * rate;
    if mean > 1000.0 {
        return normal(random, mean, (mean * (1.0 - rate)).sqrt()).min(trials);
    }
    let (mut count, mut at, step) = (0, 0.0, (1.0 - rate).ln());
    loop {
        at += ((1.0 - random.f64()).ln() / step).floor() + 1.0;
        if at > trials as f64 {
            return count;
        }
        count += 1;
    }
}

fn normal(random: &mut fastrand::Rng, mean: f64, deviation: f64) -> u64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    let unit = radius * (std::f64::consts::TAU * random.f64()).cos();
    (mean + deviation * unit).round().max(0.0) as u64
}
