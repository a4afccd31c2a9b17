//! How a rollout goes in an environment: plain data that the CLI fills from `llama-deploy.toml`.
//!
//! Durations are written `"5m"` or `"30s"`. Defaults are the runbook's: 10/50/100 % with 5/5/10 minutes, and its
//! triggers for a rollback; where the runbook gives a stricter figure for verification, passing takes the stricter one.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::domain::Weight;
use crate::ports::AlarmName;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutConfig {
    /// In order; weights rise strictly and the last is 100.
    pub steps: Vec<StepConfig>,
    /// The steps of a hotfix, by the same rules.
    pub hotfix_steps: Vec<StepConfig>,
    /// How long an approval, or a word about an inconclusive bake, is waited for before the rollout is turned back.
    pub approval_timeout: SignedDuration,
    pub gates: GateConfig,
    /// How long between two looks at the gates.
    pub poll_interval: SignedDuration,
    /// How long the release before stays ready to be gone back to.
    pub retention: SignedDuration,
    /// How long the lock holds without being renewed. A run that died is found by the next one after this time.
    pub lock_lease: SignedDuration,
    /// Nothing is changed when the lease ends within this time; covers the clocks' difference and one call.
    pub lock_margin: SignedDuration,
    pub convergence: ConvergenceConfig,
    /// How long calls over WebSocket connections get to end after a switch; zero waits for none.
    pub websocket_drain: SignedDuration,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepConfig {
    pub weight_percent: Weight,
    /// How long the weight is watched after it was seen to be in force.
    pub bake: SignedDuration,
    /// Whether somebody has to approve before the weight is set.
    #[serde(default)]
    pub approval: bool,
}

/// What becomes of a bake whose extension ended without a verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LowTraffic {
    #[default]
    RollBack,
    /// It waits, watched, for an operator, for `approval_timeout` at most.
    Pause,
}

/// The bounds for reading back, probing and trying again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConvergenceConfig {
    /// How often a call is tried in all while it fails in a way that can pass.
    pub attempts: u32,
    /// The wait after the first failure; doubles with each up to `longest_wait`.
    pub first_wait: SignedDuration,
    pub longest_wait: SignedDuration,
    /// How long a change may take to be seen in force by a probe.
    pub probe_timeout: SignedDuration,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateConfig {
    /// A new ALARM of any of these is a breach; one that was in ALARM when the rollout began is reported, not obeyed.
    pub alarms: Vec<AlarmName>,
    /// Errors by calls of a function through the candidate's alias.
    pub function_errors: Option<RateLimit>,
    /// Throttled calls by all calls, T/(I+T), of a function through the candidate's alias.
    pub function_throttles: Option<RateLimit>,
    /// Answers 5xx of the live stage.
    pub api_server_errors: Option<CountLimit>,
    /// Length of a datapoint: a minute for what the cloud keeps by the minute.
    pub metric_period: SignedDuration,
    /// How long data may come late: a step passes at the earliest this long after its bake's end.
    pub settle: SignedDuration,
    /// How many calls of the candidate's functions, all together, a step needs to pass.
    pub minimum_requests: u64,
    /// How long a step's bake is extended while its verdict is inconclusive, before it is turned back.
    pub longest_extension: SignedDuration,
    /// What becomes of it when it is inconclusive then.
    pub low_traffic: LowTraffic,
    /// How long metrics may be unreachable during a bake before it is turned back.
    pub longest_blindness: SignedDuration,
}

/// Fails when the rate is proven above `fail_above_percent`; passes while the rate seen is at most
/// `pass_at_most_percent`; in between it is inconclusive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    pub fail_above_percent: f64,
    pub pass_at_most_percent: f64,
}

/// Fails when more than `fail_above` are counted in `window`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountLimit {
    pub fail_above: u64,
    pub window: SignedDuration,
}

impl Default for RolloutConfig {
    fn default() -> RolloutConfig {
        let step = |percent: f64, minutes: i64| StepConfig {
            weight_percent: Weight::from_percent(percent).expect("the default weights are within 0 to 100"),
            bake: SignedDuration::from_mins(minutes),
            approval: false,
        };
        RolloutConfig {
            steps: vec![step(10.0, 5), step(50.0, 5), step(100.0, 10)],
            hotfix_steps: vec![step(10.0, 1), step(100.0, 2)],
            approval_timeout: SignedDuration::from_hours(1),
            gates: GateConfig::default(),
            poll_interval: SignedDuration::from_secs(15),
            retention: SignedDuration::from_hours(24),
            lock_lease: SignedDuration::from_secs(120),
            lock_margin: SignedDuration::from_secs(20),
            convergence: ConvergenceConfig::default(),
            // API Gateway waits for an integration at most 29 s.
            websocket_drain: SignedDuration::from_secs(30),
        }
    }
}

impl Default for ConvergenceConfig {
    fn default() -> ConvergenceConfig {
        ConvergenceConfig {
            attempts: 8,
            first_wait: SignedDuration::from_millis(500),
            longest_wait: SignedDuration::from_secs(10),
            probe_timeout: SignedDuration::from_secs(60),
        }
    }
}

impl Default for GateConfig {
    fn default() -> GateConfig {
        GateConfig {
            alarms: Vec::new(),
            function_errors: Some(RateLimit {
                fail_above_percent: 5.0,
                pass_at_most_percent: 1.0,
            }),
            function_throttles: Some(RateLimit {
                fail_above_percent: 0.1,
                pass_at_most_percent: 0.1,
            }),
            api_server_errors: Some(CountLimit {
                fail_above: 10,
                window: SignedDuration::from_mins(5),
            }),
            metric_period: SignedDuration::from_secs(60),
            settle: SignedDuration::from_secs(60),
            minimum_requests: 20,
            longest_extension: SignedDuration::from_mins(10),
            low_traffic: LowTraffic::default(),
            longest_blindness: SignedDuration::from_mins(2),
        }
    }
}

/// A configuration that no rollout can be planned from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rollout configuration's {setting} {problem}")]
pub struct ConfigError {
    pub setting: String,
    pub problem: String,
}

impl RolloutConfig {
    /// # Errors
    /// The first setting that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |setting: &str, problem: &str| {
            Err(ConfigError {
                setting: setting.to_owned(),
                problem: problem.to_owned(),
            })
        };
        let longest = SignedDuration::from_hours(24 * 365);
        for (setting, steps) in [("steps", &self.steps), ("hotfix_steps", &self.hotfix_steps)] {
            if steps.last().map(|step| step.weight_percent) != Some(Weight::FULL) {
                return wrong(setting, "must end with a weight of 100");
            }
            if steps.first().is_some_and(|step| step.weight_percent == Weight::ZERO)
                || steps
                    .windows(2)
                    .any(|pair| pair[0].weight_percent >= pair[1].weight_percent)
            {
                return wrong(setting, "must rise strictly from above 0");
            }
            for (index, step) in steps.iter().enumerate() {
                if step.bake.is_negative() || step.bake > longest {
                    return wrong(
                        &format!("{setting}[{index}].bake"),
                        "must be at least 0 and at most a year",
                    );
                }
            }
        }
        let durations = [
            ("poll_interval", self.poll_interval, SignedDuration::from_millis(100)),
            ("approval_timeout", self.approval_timeout, SignedDuration::ZERO),
            ("retention", self.retention, SignedDuration::ZERO),
            ("lock_lease", self.lock_lease, SignedDuration::from_secs(1)),
            ("lock_margin", self.lock_margin, SignedDuration::ZERO),
            ("websocket_drain", self.websocket_drain, SignedDuration::ZERO),
            (
                "convergence.first_wait",
                self.convergence.first_wait,
                SignedDuration::ZERO,
            ),
            (
                "convergence.longest_wait",
                self.convergence.longest_wait,
                SignedDuration::ZERO,
            ),
            (
                "convergence.probe_timeout",
                self.convergence.probe_timeout,
                SignedDuration::ZERO,
            ),
            (
                "gates.metric_period",
                self.gates.metric_period,
                SignedDuration::from_secs(1),
            ),
            ("gates.settle", self.gates.settle, SignedDuration::ZERO),
            (
                "gates.longest_extension",
                self.gates.longest_extension,
                SignedDuration::ZERO,
            ),
            (
                "gates.longest_blindness",
                self.gates.longest_blindness,
                SignedDuration::ZERO,
            ),
        ];
        for (setting, value, least) in durations {
            if value < least || value > longest {
                return wrong(
                    setting,
                    &format!("must be at least {least:#} and at most a year, not {value:#}"),
                );
            }
        }
        if self.lock_margin * 3 >= self.lock_lease {
            return wrong("lock_margin", "must be less than a third of lock_lease");
        }
        if self.convergence.attempts == 0 {
            return wrong("convergence.attempts", "must be at least 1");
        }
        for (name, limit) in [
            ("function_errors", &self.gates.function_errors),
            ("function_throttles", &self.gates.function_throttles),
        ] {
            if let Some(limit) = limit
                && !(0.0 <= limit.pass_at_most_percent
                    && limit.pass_at_most_percent <= limit.fail_above_percent
                    && limit.fail_above_percent < 100.0)
            {
                return wrong(
                    &format!("gates.{name}"),
                    "must have 0 <= pass_at_most_percent <= fail_above_percent < 100",
                );
            }
        }
        if let Some(limit) = &self.gates.api_server_errors
            && (limit.window < self.gates.metric_period || limit.window > longest)
        {
            return wrong(
                "gates.api_server_errors.window",
                "must be at least metric_period and at most a year",
            );
        }
        Ok(())
    }
}
