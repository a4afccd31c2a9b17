//! How a rollout goes in an environment: plain data that the CLI fills from `llama-deploy.toml`.
//!
//! Durations are written `"5m"` or `"30s"`. Defaults are the runbook's: 10/50/100 % with 5/5/10 minutes, and its
//! triggers for a rollback; where the runbook gives a stricter figure for verification, passing takes the stricter one.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::domain::{StageName, Weight};
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
    /// How often each smoke check runs against the live release before the schema is expanded, and again after it; 0 for
    /// not at all.
    pub live_checks: u32,
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

/// What is asked during a bake. Each gate's rule stands in `docs/gates.md` and at [`crate::gates`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateConfig {
    /// A new ALARM of any of these is a breach; one that was in ALARM when the rollout began is reported, not obeyed.
    /// Composite alarms too.
    pub alarms: Vec<AlarmName>,
    /// Errors by calls of a function to the candidate.
    pub function_errors: Option<RateLimit>,
    /// Throttled calls by all calls, T/(I+T), of a function to the candidate.
    pub function_throttles: Option<RateLimit>,
    /// How long the calls of a function to the candidate take.
    pub function_duration: Option<DurationLimit>,
    /// The candidate's functions against the live slot's.
    pub against_live: AgainstLive,
    /// Answers 5xx of the live stage.
    pub api_server_errors: Option<CountLimit>,
    pub websocket_errors: Option<WebSocketErrors>,
    pub cache_hits: Option<CacheHits>,
    pub table_throttles: Option<TableThrottles>,
    /// Questions of the user's own, asked at each look.
    pub checks: Vec<GateCheck>,
    /// Length of a datapoint: a minute for what the cloud keeps by the minute.
    pub metric_period: SignedDuration,
    /// How long data may come late: a step passes at the earliest this long after its bake's end.
    pub settle: SignedDuration,
    /// How many calls of the candidate's functions, all together, a step needs to pass.
    pub minimum_requests: u64,
    /// How long a step's bake is extended while its verdict is inconclusive.
    pub longest_extension: SignedDuration,
    /// What becomes of it when it is inconclusive then.
    pub low_traffic: LowTraffic,
    /// How long metrics may be unreachable during a bake before it is turned back.
    pub longest_blindness: SignedDuration,
    /// What comes of traffic that is too little for a gate to decide, seen before the rollout.
    pub preflight: Preflight,
    /// Requests a second that are sent during the bakes by whoever calls this crate; the preflight counts them in.
    pub synthetic_requests_per_second: f64,
}

/// Fails when the rate is proven above `fail_above_percent` (99 %). Passes while the rate seen is at most
/// `pass_at_most_percent`, or is not proven above that and is shown to be below `fail_above_percent` (95 %).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    pub fail_above_percent: f64,
    pub pass_at_most_percent: f64,
}

/// Fails when more than a twentieth of the calls is proven to take longer than `p95_at_most`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DurationLimit {
    /// Whole milliseconds, at least one.
    pub p95_at_most: SignedDuration,
}

/// The odds ratio between candidate and live slot that is still tolerated, at least 1; `None` does not compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgainstLive {
    pub errors: Option<f64>,
    pub throttles: Option<f64>,
    /// Of calls that take longer than the live slot's p95 of the hour before the rollout.
    pub slow_calls: Option<f64>,
}

/// Fails when more than `fail_above` are counted in `window`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountLimit {
    pub fail_above: u64,
    pub window: SignedDuration,
    /// Whether it fails also where there were about as many in the hour before the rollout, which the candidate cannot
    /// have caused. Otherwise that is reported and not obeyed, as an old alarm is.
    #[serde(default)]
    pub even_if_before: bool,
}

/// Connections that could not be opened, of all that were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSocketErrors {
    pub apis: Vec<WebSocketStage>,
    pub limit: RateLimit,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSocketStage {
    pub api_id: String,
    pub stage: StageName,
}

/// Lookups that the cache answered, of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheHits {
    /// Cache cluster ids (nodes).
    pub clusters: Vec<String>,
    pub fail_below_percent: f64,
    pub pass_at_least_percent: f64,
}

impl CacheHits {
    /// The runbook's figure, the looser one of the two documents.
    pub const FAIL_BELOW_PERCENT: f64 = 80.0;
    /// The guide's figure for verification.
    pub const PASS_AT_LEAST_PERCENT: f64 = 90.0;

    /// The same as a limit on misses.
    pub fn misses(&self) -> RateLimit {
        RateLimit {
            fail_above_percent: 100.0 - self.fail_below_percent,
            pass_at_most_percent: 100.0 - self.pass_at_least_percent,
        }
    }
}

/// Requests that a table refused because of its capacity, since the step began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableThrottles {
    /// `TABLE`, or `TABLE/index/NAME` for a global secondary index.
    pub tables: Vec<String>,
    pub fail_above: u64,
}

/// A question of the user's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateCheck {
    /// Unique among the checks.
    pub name: String,
    pub ask: CheckKind,
    pub timeout: SignedDuration,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CheckKind {
    /// GET; passes with this status and, where it is given, this text in the answer.
    Http {
        url: String,
        status: u16,
        contains: Option<String>,
    },
    /// A program and its arguments. Its exit status is the verdict: 0 pass, 1 fail, 2 inconclusive.
    Command { words: Vec<String> },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preflight {
    #[default]
    Warn,
    /// A rollout that its traffic cannot decide does not begin.
    Require,
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
            live_checks: 3,
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
            function_duration: Some(DurationLimit {
                p95_at_most: SignedDuration::from_millis(500),
            }),
            against_live: AgainstLive::default(),
            api_server_errors: Some(CountLimit {
                fail_above: 10,
                window: SignedDuration::from_mins(5),
                even_if_before: false,
            }),
            websocket_errors: None,
            cache_hits: None,
            table_throttles: None,
            checks: Vec::new(),
            metric_period: SignedDuration::from_secs(60),
            settle: SignedDuration::from_secs(60),
            minimum_requests: 20,
            longest_extension: SignedDuration::from_mins(10),
            low_traffic: LowTraffic::default(),
            longest_blindness: SignedDuration::from_mins(2),
            preflight: Preflight::default(),
            synthetic_requests_per_second: 0.0,
        }
    }
}

impl Default for AgainstLive {
    fn default() -> AgainstLive {
        AgainstLive {
            errors: Some(1.0),
            throttles: Some(1.0),
            // New instances are slower at first.
            slow_calls: Some(1.5),
        }
    }
}

impl WebSocketErrors {
    /// The runbook's trigger, and its figure for verification.
    pub const LIMIT: RateLimit = RateLimit {
        fail_above_percent: 1.0,
        pass_at_most_percent: 0.1,
    };
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
        if self.live_checks > 20 {
            return wrong("live_checks", "must be at most 20");
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
        self.gates.validate()
    }
}

impl GateConfig {
    /// # Errors
    /// The first setting that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |setting: &str, problem: &str| {
            Err(ConfigError {
                setting: format!("gates.{setting}"),
                problem: problem.to_owned(),
            })
        };
        let cache_misses = self.cache_hits.as_ref().map(CacheHits::misses);
        for (name, limit) in [
            ("function_errors", self.function_errors.as_ref()),
            ("function_throttles", self.function_throttles.as_ref()),
            (
                "websocket_errors",
                self.websocket_errors.as_ref().map(|gate| &gate.limit),
            ),
            ("cache_hits", cache_misses.as_ref()),
        ] {
            if let Some(limit) = limit
                && !(0.0 <= limit.pass_at_most_percent
                    && limit.pass_at_most_percent <= limit.fail_above_percent
                    && limit.fail_above_percent < 100.0)
            {
                return wrong(
                    name,
                    "must have 0 <= pass_at_most_percent <= fail_above_percent < 100 (for hits 0 < fail_below_percent <= \
                     pass_at_least_percent <= 100)",
                );
            }
        }
        for (name, tolerated) in [
            ("against_live.errors", self.against_live.errors),
            ("against_live.throttles", self.against_live.throttles),
            ("against_live.slow_calls", self.against_live.slow_calls),
        ] {
            if tolerated.is_some_and(|ratio| !(1.0..=1000.0).contains(&ratio)) {
                return wrong(name, "must be an odds ratio of 1 to 1000");
            }
        }
        let longest = SignedDuration::from_hours(24 * 365);
        if let Some(limit) = &self.function_duration
            && (limit.p95_at_most < SignedDuration::from_millis(1) || limit.p95_at_most > longest)
        {
            return wrong("function_duration.p95_at_most", "must be at least 1 ms");
        }
        if let Some(limit) = &self.api_server_errors
            && (limit.window < self.metric_period || limit.window > longest)
        {
            return wrong(
                "api_server_errors.window",
                "must be at least metric_period and at most a year",
            );
        }
        for (index, check) in self.checks.iter().enumerate() {
            let setting = format!("checks[{index}]");
            if check.name.is_empty() || self.checks[..index].iter().any(|other| other.name == check.name) {
                return wrong(&setting, "must have a name that no other check has");
            }
            if check.timeout < SignedDuration::from_millis(1) || check.timeout > SignedDuration::from_mins(10) {
                return wrong(&setting, "must have a timeout of 1 ms to 10 min");
            }
            match &check.ask {
                CheckKind::Command { words } if words.first().is_none_or(String::is_empty) => {
                    return wrong(&setting, "must name a program");
                }
                CheckKind::Http { url, .. } if !url.starts_with("https://") && !url.starts_with("http://") => {
                    return wrong(&setting, "must have a URL that begins with https:// or http://");
                }
                CheckKind::Command { .. } | CheckKind::Http { .. } => {}
            }
        }
        if !(0.0..1e9).contains(&self.synthetic_requests_per_second) {
            return wrong("synthetic_requests_per_second", "must be a rate of at least 0");
        }
        Ok(())
    }
}
