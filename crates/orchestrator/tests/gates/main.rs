//! The gates from outside: what they ask, what they judge, and which configurations they refuse.

mod configurations;
mod questions;
mod verdicts;

use jiff::Timestamp;
use orchestrator::config::GateConfig;
use orchestrator::gates::{Before, Circumstances, Judgement, Samples, judge};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time of this century")
}

fn circumstances<'a>(config: &'a GateConfig, before: &'a Before) -> Circumstances<'a> {
    Circumstances {
        config,
        noted: &[],
        before,
        compared_steps: 2,
        hotfix: false,
    }
}

fn judged(config: &GateConfig, samples: Samples) -> Judgement {
    judge(&circumstances(config, &Before::default()), samples)
}
