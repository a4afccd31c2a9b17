//! The table `[rollout.gates]`, and how an environment's and the file's become the orchestrator's configuration.

use jiff::SignedDuration;
use orchestrator::config::{
    AgainstLive, CacheHits, CheckKind, CountLimit, DurationLimit, GateCheck, GateConfig, LowTraffic, Preflight,
    RateLimit, TableThrottles, WebSocketErrors, WebSocketStage,
};
use orchestrator::ports::AlarmName;
use serde::Deserialize;

use super::duration::Span;

/// For a check that names none.
const CHECK_TIMEOUT: SignedDuration = SignedDuration::from_secs(10);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GatesTable {
    /// Names of CloudWatch alarms, composite ones too, that must not go off during a bake.
    pub alarms: Option<Vec<String>>,
    pub lambda_error_rate: Option<Switch<RateTable>>,
    pub lambda_throttle_rate: Option<Switch<RateTable>>,
    pub lambda_p95: Option<Switch<Span>>,
    /// The candidate's functions against the live slot's.
    pub against_live: Option<Switch<AgainstTable>>,
    pub api_5xx: Option<Switch<CountTable>>,
    pub websocket_errors: Option<Switch<WebSocketTable>>,
    pub redis_hit_rate: Option<Switch<CacheTable>>,
    pub dynamodb_throttling: Option<Switch<ThrottleTable>>,
    /// Questions of the project's own.
    pub checks: Option<Vec<CheckTable>>,
    /// Length of a datapoint.
    pub metric_period: Option<Span>,
    /// How long data may arrive late before it counts as missing.
    pub settle: Option<Span>,
    /// Requests to the candidate without which a bake cannot pass.
    pub minimum_requests: Option<u64>,
    /// By how much a bake without a verdict is extended.
    pub longest_extension: Option<Span>,
    /// What becomes of it then: `roll-back`, or `pause` until somebody says something.
    pub low_traffic: Option<LowTraffic>,
    /// What becomes of traffic that is too little to decide, seen before anything moves: `warn`, or `require` enough.
    pub preflight: Option<Preflight>,
}

/// `false` is without, `true` is the default, anything else is that.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Switch<T> {
    Is(bool),
    To(T),
}

/// Proven above the one it fails; at most the other it passes; in between it waits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RateTable {
    fail_above_percent: f64,
    pass_at_most_percent: f64,
}

/// Odds ratios that are tolerated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AgainstTable {
    errors: Option<Switch<f64>>,
    throttles: Option<Switch<f64>>,
    slow_calls: Option<Switch<f64>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CountTable {
    fail_above: u64,
    window: Span,
    #[serde(default)]
    even_if_before: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WebSocketTable {
    apis: Vec<StageTable>,
    fail_above_percent: Option<f64>,
    pass_at_most_percent: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StageTable {
    id: String,
    stage: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CacheTable {
    clusters: Vec<String>,
    fail_below_percent: Option<f64>,
    pass_at_least_percent: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ThrottleTable {
    tables: Vec<String>,
    #[serde(default)]
    fail_above: u64,
}

/// Either a URL or a command.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CheckTable {
    name: String,
    url: Option<String>,
    status: Option<u16>,
    contains: Option<String>,
    command: Option<Vec<String>>,
    timeout: Option<Span>,
}

/// The environment's word, else the file's, else the default.
///
/// # Errors
/// In words, for what makes no sense.
pub fn gates(own: &GatesTable, shared: &GatesTable, default: GateConfig) -> Result<GateConfig, String> {
    fn either<'a, T>(own: &'a Option<T>, shared: &'a Option<T>) -> Option<&'a T> {
        own.as_ref().or(shared.as_ref())
    }
    let span = |own: &Option<Span>, shared: &Option<Span>, default| either(own, shared).map_or(default, |span| span.0);
    let checks = either(&own.checks, &shared.checks);
    let config = GateConfig {
        alarms: either(&own.alarms, &shared.alarms)
            .map_or(default.alarms, |names| names.iter().cloned().map(AlarmName).collect()),
        function_errors: switched(
            either(&own.lambda_error_rate, &shared.lambda_error_rate),
            default.function_errors,
            rate,
        ),
        function_throttles: switched(
            either(&own.lambda_throttle_rate, &shared.lambda_throttle_rate),
            default.function_throttles,
            rate,
        ),
        function_duration: switched(
            either(&own.lambda_p95, &shared.lambda_p95),
            default.function_duration,
            |limit| DurationLimit { p95_at_most: limit.0 },
        ),
        against_live: match either(&own.against_live, &shared.against_live) {
            None | Some(Switch::Is(true)) => default.against_live,
            Some(Switch::Is(false)) => AgainstLive {
                errors: None,
                throttles: None,
                slow_calls: None,
            },
            Some(Switch::To(table)) => AgainstLive {
                errors: switched(table.errors.as_ref(), default.against_live.errors, |ratio| *ratio),
                throttles: switched(table.throttles.as_ref(), default.against_live.throttles, |ratio| *ratio),
                slow_calls: switched(table.slow_calls.as_ref(), default.against_live.slow_calls, |ratio| {
                    *ratio
                }),
            },
        },
        api_server_errors: switched(
            either(&own.api_5xx, &shared.api_5xx),
            default.api_server_errors,
            |table| CountLimit {
                fail_above: table.fail_above,
                window: table.window.0,
                even_if_before: table.even_if_before,
            },
        ),
        websocket_errors: switched(
            either(&own.websocket_errors, &shared.websocket_errors),
            default.websocket_errors,
            websockets,
        ),
        cache_hits: switched(
            either(&own.redis_hit_rate, &shared.redis_hit_rate),
            default.cache_hits,
            |table| CacheHits {
                clusters: table.clusters.clone(),
                fail_below_percent: table.fail_below_percent.unwrap_or(CacheHits::FAIL_BELOW_PERCENT),
                pass_at_least_percent: table.pass_at_least_percent.unwrap_or(CacheHits::PASS_AT_LEAST_PERCENT),
            },
        ),
        table_throttles: switched(
            either(&own.dynamodb_throttling, &shared.dynamodb_throttling),
            default.table_throttles,
            |table| TableThrottles {
                tables: table.tables.clone(),
                fail_above: table.fail_above,
            },
        ),
        checks: match checks {
            None => default.checks,
            Some(tables) => tables.iter().map(check).collect::<Result<_, _>>()?,
        },
        metric_period: span(&own.metric_period, &shared.metric_period, default.metric_period),
        settle: span(&own.settle, &shared.settle, default.settle),
        minimum_requests: own
            .minimum_requests
            .or(shared.minimum_requests)
            .unwrap_or(default.minimum_requests),
        longest_extension: span(
            &own.longest_extension,
            &shared.longest_extension,
            default.longest_extension,
        ),
        low_traffic: own.low_traffic.or(shared.low_traffic).unwrap_or(default.low_traffic),
        longest_blindness: default.longest_blindness,
        preflight: own.preflight.or(shared.preflight).unwrap_or(default.preflight),
        synthetic_requests_per_second: default.synthetic_requests_per_second,
    };
    for (key, limit) in [
        ("lambda-error-rate", config.function_errors.as_ref()),
        ("lambda-throttle-rate", config.function_throttles.as_ref()),
        (
            "websocket-errors",
            config.websocket_errors.as_ref().map(|gate| &gate.limit),
        ),
    ] {
        if let Some(limit) = limit
            && !(0.0 <= limit.pass_at_most_percent
                && limit.pass_at_most_percent <= limit.fail_above_percent
                && limit.fail_above_percent < 100.0)
        {
            return Err(format!(
                "{key} needs 0 <= pass-at-most-percent <= fail-above-percent < 100"
            ));
        }
    }
    config.validate().map_err(|error| error.to_string())?;
    Ok(config)
}

fn switched<T, U>(said: Option<&Switch<T>>, default: Option<U>, make: impl FnOnce(&T) -> U) -> Option<U> {
    match said {
        None | Some(Switch::Is(true)) => default,
        Some(Switch::Is(false)) => None,
        Some(Switch::To(table)) => Some(make(table)),
    }
}

fn rate(table: &RateTable) -> RateLimit {
    RateLimit {
        fail_above_percent: table.fail_above_percent,
        pass_at_most_percent: table.pass_at_most_percent,
    }
}

fn websockets(table: &WebSocketTable) -> WebSocketErrors {
    let usual = WebSocketErrors::LIMIT;
    WebSocketErrors {
        apis: table
            .apis
            .iter()
            .map(|stage| WebSocketStage {
                api_id: stage.id.clone(),
                stage: stage.stage.as_str().into(),
            })
            .collect(),
        limit: RateLimit {
            fail_above_percent: table.fail_above_percent.unwrap_or(usual.fail_above_percent),
            pass_at_most_percent: table.pass_at_most_percent.unwrap_or(usual.pass_at_most_percent),
        },
    }
}

fn check(table: &CheckTable) -> Result<GateCheck, String> {
    let ask = match (&table.url, &table.command) {
        (Some(url), None) => CheckKind::Http {
            url: url.clone(),
            status: table.status.unwrap_or(200),
            contains: table.contains.clone(),
        },
        (None, Some(words)) if table.status.is_none() && table.contains.is_none() => {
            CheckKind::Command { words: words.clone() }
        }
        _ => {
            return Err(format!(
                "the check `{}` needs either `url` (with `status` and `contains`) or `command`",
                table.name
            ));
        }
    };
    Ok(GateCheck {
        name: table.name.clone(),
        ask,
        timeout: table.timeout.map_or(CHECK_TIMEOUT, |timeout| timeout.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<GateConfig, String> {
        let table: GatesTable = toml::from_str(text).map_err(|error| error.to_string())?;
        gates(&table, &GatesTable::default(), GateConfig::default())
    }

    #[test]
    fn every_gate_can_be_set_and_switched_off() {
        let config = resolve(
            "lambda-p95 = '250ms'\nlambda-error-rate = false\napi-5xx = true\n\
             against-live = { errors = 2, throttles = false }\n\
             websocket-errors = { apis = [{ id = 'a1', stage = 'prod' }] }\n\
             redis-hit-rate = { clusters = ['cache-001'], fail-below-percent = 70 }\n\
             dynamodb-throttling = { tables = ['orders', 'orders/index/by-date'] }\n\
             preflight = 'require'\nlow-traffic = 'pause'\n\
             [[checks]]\nname = 'health'\nurl = 'https://example.com/health'\n\
             [[checks]]\nname = 'orders add up'\ncommand = ['./check']\ntimeout = '1m'\n",
        )
        .unwrap();
        assert_eq!(config.function_errors, None);
        assert_eq!(
            config.function_duration.unwrap().p95_at_most,
            SignedDuration::from_millis(250)
        );
        assert_eq!(config.api_server_errors, GateConfig::default().api_server_errors);
        let against = AgainstLive {
            errors: Some(2.0),
            throttles: None,
            slow_calls: AgainstLive::default().slow_calls,
        };
        assert_eq!(config.against_live, against);
        assert_eq!(config.websocket_errors.unwrap().limit, WebSocketErrors::LIMIT);
        let cache = config.cache_hits.unwrap();
        assert_eq!((cache.fail_below_percent, cache.pass_at_least_percent), (70.0, 90.0));
        assert_eq!(config.table_throttles.unwrap().fail_above, 0);
        assert_eq!(
            (config.preflight, config.low_traffic),
            (Preflight::Require, LowTraffic::Pause)
        );
        assert_eq!(config.checks[0].timeout, CHECK_TIMEOUT);
        assert_eq!(config.checks[1].timeout, SignedDuration::from_mins(1));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, expected) in [
            ("lambda-p99 = '1s'", "unknown field"),
            ("lambda-p95 = 'soon'", "did not match"),
            (
                "lambda-error-rate = { fail-above-percent = 1, pass-at-most-percent = 2 }",
                "lambda-error-rate needs",
            ),
            ("against-live = { errors = 0.5 }", "odds ratio of 1 to 1000"),
            (
                "[[checks]]\nname = 'both'\nurl = 'https://a'\ncommand = ['b']",
                "needs either",
            ),
            ("[[checks]]\nname = 'none'", "needs either"),
            ("[[checks]]\nname = 'ftp'\nurl = 'ftp://a'", "begins with https"),
        ] {
            let error = resolve(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
