//! Tables of the gates' verdicts, and of configurations that are refused.

use jiff::{SignedDuration, Timestamp};
use orchestrator::config::{
    AgainstLive, CacheHits, CheckKind, ConfigError, CountLimit, DurationLimit, GateCheck, GateConfig, RateLimit,
    RolloutConfig, TableThrottles, WebSocketErrors, WebSocketStage,
};
use orchestrator::domain::{ApiTarget, LiveAlias, PerSlot, ReleasedFunction, RolloutTarget, Slot, Weight};
use orchestrator::gates::comparison::Tally;
use orchestrator::gates::{
    ApiSample, Before, Circumstances, Column, FunctionBefore, FunctionSample, Judgement, Numbers, Samples, SharedGate,
    SharedSample, Side, Strata, Verdict, Watch, judge, preflight, queries, queries_before, samples as read,
};
use orchestrator::ports::{
    AlarmName, AlarmObservation, AlarmState, CheckAnswer, Datapoint, FunctionMetric, MetricSeries, MetricSource,
    Statistic,
};
use orchestrator::rollout::{NotedAlarm, PlannedStep};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time of this century")
}

fn function(invocations: u64, errors: Option<u64>, throttles: Option<u64>) -> FunctionSample {
    FunctionSample {
        function: "analytics".into(),
        invocations,
        errors,
        throttles,
        slow: Some(0),
        strata: Strata::default(),
    }
}

fn samples(function: FunctionSample, server_errors: Option<u64>) -> Samples {
    Samples {
        from: at(0),
        to: at(300),
        functions: vec![function],
        apis: vec![ApiSample {
            api_name: "api".to_owned(),
            from: at(0),
            server_errors,
            requests: Some(1000),
        }],
        ..Samples::default()
    }
}

fn good() -> Samples {
    samples(function(1000, Some(0), Some(0)), Some(0))
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

#[test]
fn rates_counts_and_missing_data() {
    use Verdict::{Fail, Inconclusive, Pass};
    let table = [
        // calls, errors, throttles, answers 5xx
        (1000, Some(0), Some(0), Some(0), Pass, "nothing to object"),
        (
            1000,
            Some(10),
            Some(0),
            Some(10),
            Pass,
            "one percent and ten answers are at the limits",
        ),
        (
            1000,
            Some(14),
            Some(0),
            Some(0),
            Pass,
            "1.4 % may be one percent, and is shown to be below five",
        ),
        (
            1000,
            Some(30),
            Some(0),
            Some(0),
            Inconclusive,
            "3 % is neither good nor proven bad",
        ),
        (
            1000,
            Some(50),
            Some(0),
            Some(0),
            Inconclusive,
            "5 % is not proven above 5 %",
        ),
        (1000, Some(70), Some(0), Some(0), Fail, "7 % of a thousand is"),
        (
            30,
            Some(3),
            Some(0),
            Some(0),
            Inconclusive,
            "three of thirty may be chance",
        ),
        (30, Some(7), Some(0), Some(0), Fail, "seven of thirty are not"),
        (1, Some(1), Some(0), Some(0), Inconclusive, "one call proves nothing"),
        (
            58,
            Some(0),
            Some(0),
            Some(0),
            Inconclusive,
            "too few calls to show that less than 5 % fail",
        ),
        (59, Some(0), Some(0), Some(0), Pass, "just enough"),
        (0, None, None, Some(0), Inconclusive, "no traffic"),
        (
            1000,
            None,
            Some(0),
            Some(0),
            Inconclusive,
            "calls without data of their errors",
        ),
        (1000, Some(0), None, Some(0), Pass, "no throttle was ever reported"),
        (1000, Some(0), Some(1), Some(0), Pass, "0.1 % is at the limit"),
        (1000, Some(0), Some(3), Some(0), Inconclusive, "0.3 % may be chance"),
        (1000, Some(0), Some(8), Some(0), Fail, "0.8 % is not"),
        (0, None, Some(50), Some(0), Fail, "every call was throttled"),
        (1000, Some(0), Some(0), None, Inconclusive, "no data of the API"),
        (1000, Some(0), Some(0), Some(11), Fail, "more than ten answers 5xx"),
        (
            5,
            Some(5),
            Some(0),
            Some(0),
            Fail,
            "all of few calls failed: too few to pass, enough to fail",
        ),
    ];
    for (calls, errors, throttles, server_errors, expected, why) in table {
        let judged = judged(
            &GateConfig::default(),
            samples(function(calls, errors, throttles), server_errors),
        );
        assert_eq!(judged.verdict, expected, "{why}: {}", judged.summary());
        assert!(!judged.is_blind());
    }
}

#[test]
fn a_p95_is_judged_by_the_calls_above_the_limit() {
    use Verdict::{Fail, Inconclusive, Pass};
    let table = [
        (1000, Some(50), Pass, "exactly a twentieth"),
        (1000, Some(55), Inconclusive, "may be a twentieth"),
        (1000, Some(75), Fail, "is proven to be more"),
        (
            20,
            Some(2),
            Inconclusive,
            "too few to prove anything, and too few to pass",
        ),
        (1000, None, Inconclusive, "calls without data of their durations"),
        (0, None, Inconclusive, "no traffic"),
    ];
    for (calls, slow, expected, why) in table {
        let sample = FunctionSample {
            slow,
            ..function(calls, Some(0), Some(0))
        };
        let judged = judged(&GateConfig::default(), samples(sample, Some(0)));
        assert_eq!(judged.verdict, expected, "{why}: {}", judged.summary());
    }
}

#[test]
fn a_rarely_called_function_is_no_obstacle_unless_it_fails() {
    let quiet = |errors| FunctionSample {
        function: "quiet".into(),
        ..function(3, Some(errors), Some(0))
    };
    let mut samples = good();
    samples.functions.push(quiet(0));
    assert_eq!(judged(&GateConfig::default(), samples.clone()).verdict, Verdict::Pass);
    samples.functions[1] = quiet(1);
    assert_eq!(
        judged(&GateConfig::default(), samples.clone()).verdict,
        Verdict::Inconclusive
    );
    samples.functions[1] = quiet(3);
    assert_eq!(judged(&GateConfig::default(), samples).verdict, Verdict::Fail);
}

fn compared(candidate_errors: &[u64], live_errors: &[u64]) -> Samples {
    let length = candidate_errors.len();
    let errors: u64 = candidate_errors.iter().sum();
    let strata = Strata {
        calls: Column::new(vec![30; length], vec![270; length]),
        errors: Some(Column::new(candidate_errors.to_vec(), live_errors.to_vec())),
        ..Strata::default()
    };
    let sample = FunctionSample {
        strata,
        ..function(30 * length as u64, Some(errors), Some(0))
    };
    samples(sample, Some(0))
}

#[test]
fn slot_against_slot() {
    let config = GateConfig {
        function_errors: None,
        ..GateConfig::default()
    };
    let alone = judged(&config, compared(&[3, 3, 2, 3, 4], &[0, 1, 0, 0, 1]));
    assert_eq!(alone.verdict, Verdict::Fail, "{}", alone.summary());
    assert_eq!(
        alone
            .findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Fail)
            .count(),
        1
    );
    assert!(
        alone
            .summary()
            .starts_with("errors against live of analytics: 15 of 150 calls failed"),
        "{}",
        alone.summary()
    );
    let Some(Numbers::Comparison { p_value, alpha, .. }) = &alone.findings[2].numbers else {
        panic!("{:?}", alone.findings);
    };
    // One function, three kinds of events, two steps with both slots.
    assert!(
        (alpha - 0.005 / 6.0).abs() < 1e-6 && p_value < alpha,
        "{p_value} {alpha}"
    );
    let both = judged(&config, compared(&[3, 3, 2, 3, 4], &[27, 27, 25, 24, 30]));
    assert_eq!(both.verdict, Verdict::Pass, "{}", both.summary());
    let off = GateConfig {
        against_live: AgainstLive {
            errors: None,
            throttles: None,
            slow_calls: None,
        },
        ..config
    };
    assert_eq!(judged(&off, compared(&[3, 3, 2, 3, 4], &[0; 5])).verdict, Verdict::Pass);
}

#[test]
fn slow_calls_and_throttles_are_compared_too() {
    let config = GateConfig {
        function_duration: None,
        function_throttles: None,
        ..GateConfig::default()
    };
    let with = |strata| {
        let sample = FunctionSample {
            strata,
            ..function(1000, Some(0), Some(0))
        };
        judged(&config, samples(sample, Some(0)))
    };
    let calls = Column::new(vec![100; 10], vec![900; 10]);
    let slow = |candidate: u64| Strata {
        calls: calls.clone(),
        slower: Some(Column::new(vec![candidate; 10], vec![45; 10])),
        ..Strata::default()
    };
    assert_eq!(with(slow(6)).verdict, Verdict::Pass, "{}", with(slow(6)).summary());
    assert_eq!(with(slow(20)).verdict, Verdict::Fail);
    let throttled = Strata {
        calls: calls.clone(),
        throttles: Column::new(vec![5; 10], vec![1; 10]),
        ..Strata::default()
    };
    assert!(
        with(throttled)
            .summary()
            .starts_with("throttles against live of analytics")
    );
}

fn before(gate: SharedGate, resource: &str, calls: u64, events: u64) -> Before {
    Before {
        from: at(-3600),
        to: at(0),
        functions: Vec::new(),
        shared: vec![SharedSample {
            gate,
            resource: resource.to_owned(),
            seen: Some(Tally { calls, events }),
        }],
    }
}

#[test]
fn answers_5xx_of_before_are_not_held_against_the_candidate() {
    let config = GateConfig::default();
    let judged = |errors, before: &Before, config: &GateConfig, hotfix| {
        let about = Circumstances {
            hotfix,
            ..circumstances(config, before)
        };
        judge(&about, samples(function(1000, Some(0), Some(0)), Some(errors)))
    };
    // A thousand requests now, twelve thousand in the hour before, of which 1 % failed.
    let usual = before(SharedGate::ApiServerErrors, "api", 12_000, 120);
    let excused = judged(14, &usual, &config, false);
    assert_eq!(excused.verdict, Verdict::Pass);
    assert!(
        excused.findings.iter().any(|finding| finding
            .to_string()
            .contains("not obeyed: in the hour before it was about as bad, 120 of 12000")),
        "{:?}",
        excused.findings
    );
    assert_eq!(
        judged(40, &usual, &config, false).verdict,
        Verdict::Fail,
        "that is more than before"
    );
    let literal = GateConfig {
        api_server_errors: Some(CountLimit {
            even_if_before: true,
            ..config.api_server_errors.clone().expect("it has one")
        }),
        ..GateConfig::default()
    };
    assert_eq!(judged(14, &usual, &literal, false).verdict, Verdict::Fail);
    let clean = before(SharedGate::ApiServerErrors, "api", 12_000, 0);
    assert_eq!(judged(11, &clean, &config, false).verdict, Verdict::Fail);
    let hotfix = judged(40, &usual, &config, true);
    assert_eq!(hotfix.verdict, Verdict::Pass);
    assert!(
        hotfix
            .findings
            .iter()
            .any(|finding| finding.to_string().contains("not obeyed: a hotfix"))
    );
}

#[test]
fn what_both_slots_share() {
    use Verdict::{Fail, Inconclusive, Pass};
    let config = GateConfig {
        websocket_errors: Some(WebSocketErrors {
            apis: vec![WebSocketStage {
                api_id: "ws".to_owned(),
                stage: "live".into(),
            }],
            limit: WebSocketErrors::LIMIT,
        }),
        cache_hits: Some(CacheHits {
            clusters: vec!["cache".to_owned()],
            fail_below_percent: 80.0,
            pass_at_least_percent: 90.0,
        }),
        table_throttles: Some(TableThrottles {
            tables: vec!["orders".to_owned()],
            fail_above: 0,
        }),
        ..GateConfig::default()
    };
    let none = Before::default();
    let (web, cache, table) = (
        SharedGate::WebSocketErrors,
        SharedGate::CacheMisses,
        SharedGate::TableThrottles,
    );
    let had = |gate, resource: &str, calls, events| before(gate, resource, calls, events);
    let rows = [
        (web, "ws/live", Some((10_000, 10)), none.clone(), Pass, "0.1 %"),
        (web, "ws/live", Some((10_000, 60)), none.clone(), Inconclusive, "0.6 %"),
        (web, "ws/live", Some((10_000, 130)), none.clone(), Fail, "1.3 %"),
        (
            web,
            "ws/live",
            Some((10_000, 130)),
            had(web, "ws/live", 100_000, 1200),
            Pass,
            "as before",
        ),
        (web, "ws/live", None, none.clone(), Pass, "nobody connects, as before"),
        (
            web,
            "ws/live",
            None,
            had(web, "ws/live", 5000, 0),
            Inconclusive,
            "nobody connects any more",
        ),
        (cache, "cache", Some((10_000, 900)), none.clone(), Pass, "91 % hits"),
        (
            cache,
            "cache",
            Some((10_000, 1500)),
            none.clone(),
            Inconclusive,
            "85 % hits",
        ),
        (cache, "cache", Some((10_000, 2200)), none.clone(), Fail, "78 % hits"),
        (
            cache,
            "cache",
            Some((10_000, 2200)),
            had(cache, "cache", 100_000, 22_000),
            Pass,
            "as before",
        ),
        (cache, "cache", None, none.clone(), Inconclusive, "no data"),
        (table, "orders", Some((0, 0)), none.clone(), Pass, "no throttle"),
        (table, "orders", Some((1, 1)), none.clone(), Fail, "one throttle"),
        (
            table,
            "orders",
            Some((3, 3)),
            had(table, "orders", 40, 40),
            Pass,
            "as before",
        ),
    ];
    for (gate, resource, seen, before, expected, why) in rows {
        for hotfix in [false, true] {
            let mut samples = good();
            samples.shared.push(SharedSample {
                gate,
                resource: resource.to_owned(),
                seen: seen.map(|(calls, events)| Tally { calls, events }),
            });
            let about = Circumstances {
                hotfix,
                ..circumstances(&config, &before)
            };
            let judged = judge(&about, samples);
            let expected = if hotfix { Pass } else { expected };
            assert_eq!(
                judged.verdict,
                expected,
                "{why} (hotfix {hotfix}): {}",
                judged.summary()
            );
        }
    }
}

#[test]
fn checks() {
    let check = GateCheck {
        name: "orders add up".to_owned(),
        ask: CheckKind::Command {
            words: vec!["true".to_owned()],
        },
        timeout: SignedDuration::from_secs(5),
    };
    let config = GateConfig {
        checks: vec![check],
        ..GateConfig::default()
    };
    assert_eq!(
        judged(&config, good()).verdict,
        Verdict::Inconclusive,
        "it was not asked"
    );
    for verdict in [Verdict::Pass, Verdict::Inconclusive, Verdict::Fail] {
        let mut samples = good();
        samples.checks.push(CheckAnswer {
            name: "orders add up".to_owned(),
            verdict,
            detail: "3 are missing".to_owned(),
        });
        let judged = judged(&config, samples);
        assert_eq!(judged.verdict, verdict);
        if verdict != Verdict::Pass {
            assert_eq!(judged.summary(), "check of orders add up: 3 are missing");
        }
    }
}

#[test]
fn a_judgement_says_which_gate_and_its_numbers() {
    let judged = judged(
        &GateConfig::default(),
        samples(function(80, Some(12), Some(0)), Some(0)),
    );
    assert_eq!(
        judged.summary(),
        "function errors of analytics: 12 of 80 calls failed (15.00 %), fails when proven above 5 %, passes at most 1 %"
    );
}

/// As journals of the first version hold it.
#[test]
fn a_judgement_of_before_reads_and_says_the_same() {
    let text = r#"{"verdict":"fail","requests":80,"findings":[{"gate":"function errors","resource":"analytics",
        "verdict":"fail","detail":"12 of 80 calls failed (15.00 %)"}],"samples":{"from":"2026-03-01T12:00:00Z",
        "to":"2026-03-01T12:01:00Z","functions":[{"function":"analytics","invocations":80,"errors":12,"throttles":null}],
        "apis":[{"api_name":"api","from":"2026-03-01T12:00:00Z","server_errors":0}],"alarms":[]}}"#;
    let judgement: Judgement = serde_json::from_str(text).expect("it reads");
    assert_eq!(
        judgement.summary(),
        "function errors of analytics: 12 of 80 calls failed (15.00 %)"
    );
}

#[test]
fn a_look_at_three_functions_takes_little_of_the_journal() {
    // A bake of five minutes with its settling.
    let length = 7;
    let strata = Strata {
        calls: Column::new(vec![123; length], vec![1110; length]),
        errors: Some(Column::new(vec![1; length], vec![6; length])),
        throttles: Column::default(),
        slower: Some(Column::new(vec![6; length], vec![55; length])),
    };
    let sample = FunctionSample {
        slow: Some(30),
        strata,
        ..function(861, Some(7), Some(0))
    };
    let mut samples = samples(sample, Some(3));
    samples.functions = vec![samples.functions[0].clone(); 3];
    let asked = "functions by slot green, slot blue: sums of calls, errors, throttles, PR(:500) of durations, PR(:p95 of \
                 the hour before) of durations; each 1m since the step began";
    samples.queries = vec![asked.to_owned()];
    let text = serde_json::to_string(&judged(&GateConfig::default(), samples)).expect("it can be written");
    assert!(text.len() <= 4096, "{} bytes: {text}", text.len());
}

#[test]
fn metrics_that_cannot_be_read_never_pass() {
    let judged = Judgement::unavailable("GetMetricData of everything: unavailable: no route");
    assert_eq!(judged.verdict, Verdict::Inconclusive);
    assert!(judged.is_blind());
}

#[test]
fn alarms() {
    use AlarmState::{Alarm, InsufficientData, Ok};
    let name = AlarmName("HighLatency".to_owned());
    let config = GateConfig {
        alarms: vec![name.clone()],
        ..GateConfig::default()
    };
    let observation = |state, since| AlarmObservation {
        name: name.clone(),
        state,
        since,
        reason: "why".to_owned(),
    };
    let noted = |state, since| {
        vec![NotedAlarm {
            observation: observation(state, since),
            noted_at: at(100),
        }]
    };
    let table = [
        (noted(Ok, at(0)), Some(observation(Ok, at(0))), Verdict::Pass),
        (noted(Ok, at(0)), Some(observation(Alarm, at(150))), Verdict::Fail),
        (noted(Alarm, at(50)), Some(observation(Alarm, at(50))), Verdict::Pass),
        (noted(Alarm, at(50)), Some(observation(Alarm, at(150))), Verdict::Fail),
        (noted(Alarm, at(50)), Some(observation(Ok, at(150))), Verdict::Pass),
        (
            noted(InsufficientData, at(0)),
            Some(observation(Alarm, at(150))),
            Verdict::Fail,
        ),
        (
            noted(InsufficientData, at(0)),
            Some(observation(InsufficientData, at(0))),
            Verdict::Pass,
        ),
        (Vec::new(), Some(observation(Alarm, at(150))), Verdict::Fail),
        (noted(Ok, at(0)), None, Verdict::Inconclusive),
    ];
    for (index, (noted, now, expected)) in table.into_iter().enumerate() {
        let was_on = noted.iter().any(|noted| noted.observation.state == Alarm);
        for hotfix in [false, true] {
            let mut samples = good();
            samples.alarms = now.iter().cloned().collect();
            let before = Before::default();
            let about = Circumstances {
                noted: &noted,
                hotfix,
                ..circumstances(&config, &before)
            };
            // A hotfix is not held up by what it may be there to mend.
            let expected = if hotfix && was_on { Verdict::Pass } else { expected };
            assert_eq!(judge(&about, samples).verdict, expected, "row {index}, hotfix {hotfix}");
        }
    }
}

#[test]
fn configurations() {
    fn refused(change: impl FnOnce(&mut RolloutConfig)) -> String {
        let mut config = RolloutConfig::default();
        change(&mut config);
        config
            .validate()
            .map_err(|ConfigError { setting, .. }| setting)
            .expect_err("it makes no sense")
    }
    assert_eq!(RolloutConfig::default().validate(), Ok(()));
    assert_eq!(refused(|config| config.steps.clear()), "steps");
    assert_eq!(refused(|config| config.steps.swap(0, 1)), "steps");
    assert_eq!(refused(|config| config.steps.truncate(2)), "steps");
    assert_eq!(
        refused(|config| config.steps[1].bake = SignedDuration::from_secs(-1)),
        "steps[1].bake"
    );
    assert_eq!(
        refused(|config| config.poll_interval = SignedDuration::ZERO),
        "poll_interval"
    );
    assert_eq!(refused(|config| config.lock_margin = config.lock_lease), "lock_margin");
    assert_eq!(
        refused(|config| config.convergence.attempts = 0),
        "convergence.attempts"
    );
    let wrong = RateLimit {
        fail_above_percent: 1.0,
        pass_at_most_percent: 2.0,
    };
    assert_eq!(
        refused(|config| config.gates.function_errors = Some(wrong)),
        "gates.function_errors"
    );
    assert_eq!(
        refused(|config| config.gates.against_live.errors = Some(0.5)),
        "gates.against_live.errors"
    );
    assert_eq!(
        refused(|config| config.gates.function_duration = Some(DurationLimit {
            p95_at_most: SignedDuration::ZERO
        })),
        "gates.function_duration.p95_at_most"
    );
    assert_eq!(
        refused(|config| config.gates.cache_hits = Some(CacheHits {
            clusters: Vec::new(),
            fail_below_percent: 90.0,
            pass_at_least_percent: 80.0
        })),
        "gates.cache_hits"
    );
    let check = |name: &str, ask| GateCheck {
        name: name.to_owned(),
        ask,
        timeout: SignedDuration::from_secs(5),
    };
    let command = |words: &[&str]| CheckKind::Command {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
    };
    for checks in [
        vec![check("", command(&["true"]))],
        vec![check("a", command(&[]))],
        vec![check(
            "a",
            CheckKind::Http {
                url: "example.com".to_owned(),
                status: 200,
                contains: None,
            },
        )],
    ] {
        assert_eq!(refused(|config| config.gates.checks = checks), "gates.checks[0]");
    }
    let twice = vec![check("a", command(&["true"])), check("a", command(&["false"]))];
    assert_eq!(refused(|config| config.gates.checks = twice), "gates.checks[1]");
}

#[test]
fn a_configuration_reads_as_people_write_it() {
    let text = r#"{
        "steps": [{"weight_percent": 25, "bake": "90s"}, {"weight_percent": 100, "bake": "5m"}],
        "gates": {"alarms": ["HighLatency"], "function_throttles": null, "metric_period": "1m"},
        "retention": "24h"
    }"#;
    let config: RolloutConfig = serde_json::from_str(text).expect("it reads");
    assert_eq!(config.steps[0].bake, SignedDuration::from_secs(90));
    assert_eq!(config.gates.function_throttles, None);
    assert_eq!(config.retention, RolloutConfig::default().retention);
    assert_eq!(config.validate(), Ok(()));
    let error = serde_json::from_str::<RolloutConfig>(r#"{"stepz": []}"#).expect_err("there is no such setting");
    assert!(error.to_string().contains("unknown field `stepz`"), "{error}");
    let error = serde_json::from_str::<RolloutConfig>(r#"{"steps": [{"weight_percent": 101, "bake": "1s"}]}"#)
        .expect_err("more than everything");
    assert!(
        error
            .to_string()
            .contains("a traffic weight is 0 to 100 percent, not 101"),
        "{error}"
    );
}

fn target() -> RolloutTarget {
    RolloutTarget {
        functions: vec!["analytics".into()],
        apis: vec![ApiTarget {
            rest_api_id: "a1".into(),
            name: "api".to_owned(),
            live_stage: "prod".into(),
            preview_stages: PerSlot {
                blue: "blue".into(),
                green: "green".into(),
            },
            live_url: String::new(),
            preview_urls: PerSlot {
                blue: String::new(),
                green: String::new(),
            },
        }],
        aliases: Vec::new(),
    }
}

fn version(version: &str) -> Vec<ReleasedFunction> {
    vec![ReleasedFunction {
        name: "analytics".into(),
        version: version.into(),
        code_sha256: String::new(),
    }]
}

fn watch<'a>(
    released_at: Timestamp,
    since: Timestamp,
    now: Timestamp,
    candidate: &'a [ReleasedFunction],
    live: &'a [ReleasedFunction],
) -> Watch<'a> {
    Watch {
        candidate: Side {
            slot: Slot::Green,
            functions: candidate,
        },
        live: Side {
            slot: Slot::Blue,
            functions: live,
        },
        released_at,
        since,
        longest: SignedDuration::from_mins(16),
        now,
    }
}

#[test]
fn windows_of_metrics() {
    let (config, none) = (GateConfig::default(), Before::default());
    // Released ten seconds into a minute, in force at second 30, looked at in second 200 and second 40.
    let begin = at(0) - SignedDuration::from_secs(at(0).as_second() % 60);
    let after = |seconds| begin + SignedDuration::from_secs(seconds);
    let plan = |released, since, now| {
        let watch = watch(after(released), after(since), after(now), &[], &[]);
        queries(&config, &target(), &none, &watch)
    };
    let found = plan(10, 30, 200);
    assert_eq!(
        (found.step.from, found.step.to),
        (after(60), after(240)),
        "data of the slot's release before is left out"
    );
    assert_eq!(
        plan(10, 130, 200).step.from,
        after(120),
        "the period in which the weight came in force counts whole"
    );
    let found = plan(10, 30, 40);
    assert_eq!(
        (found.step.from, found.step.to),
        (after(60), after(120)),
        "never an empty window"
    );
    assert_eq!(
        plan(10, 1200, 1230).apis.from,
        after(900),
        "answers of the API count for the limit's window"
    );
}

fn sources(queries: &[orchestrator::ports::MetricQuery]) -> Vec<(MetricSource, Statistic)> {
    queries
        .iter()
        .map(|query| (query.source.clone(), query.statistic))
        .collect()
}

#[test]
fn both_slots_are_asked_about_through_every_entry() {
    let config = GateConfig::default();
    let usual = Before {
        functions: vec![FunctionBefore {
            function: "analytics".into(),
            calls: 1000,
            errors: 0,
            p95_milliseconds: Some(120.5),
        }],
        ..Before::default()
    };
    let (seven, six) = (version("7"), version("6"));
    let mut target = target();
    let asked = |target: &RolloutTarget| {
        sources(
            &queries(&config, target, &usual, &watch(at(0), at(60), at(120), &seven, &six))
                .step
                .queries,
        )
    };
    let duration = |slot| MetricSource::FunctionDuration {
        function: "analytics".into(),
        slot,
    };
    let through_rest = asked(&target);
    assert_eq!(through_rest.len(), 5 + 4);
    assert!(through_rest.contains(&(duration(Slot::Green), Statistic::PercentileRank { at_most: 500.0 })));
    assert!(through_rest.contains(&(duration(Slot::Green), Statistic::PercentileRank { at_most: 120.5 })));
    assert!(through_rest.contains(&(duration(Slot::Blue), Statistic::PercentileRank { at_most: 120.5 })));
    assert!(!through_rest.contains(&(duration(Slot::Blue), Statistic::PercentileRank { at_most: 500.0 })));
    target.aliases.push(LiveAlias {
        function: "analytics".into(),
        alias: "live".into(),
        serves: Vec::new(),
    });
    let live_errors = |version: &str| MetricSource::LiveAlias {
        function: "analytics".into(),
        version: version.into(),
        metric: FunctionMetric::Errors,
    };
    let through_both = asked(&target);
    assert_eq!(through_both.len(), 2 * (5 + 4));
    assert!(through_both.contains(&(live_errors("7"), Statistic::Sum)));
    assert!(through_both.contains(&(live_errors("6"), Statistic::Sum)));
    target.apis.clear();
    assert_eq!(
        asked(&target).len(),
        5 + 4,
        "without a REST API nothing comes through the slots"
    );
}

#[test]
fn answers_become_samples() {
    let config = GateConfig::default();
    let usual = Before {
        functions: vec![FunctionBefore {
            function: "analytics".into(),
            calls: 1000,
            errors: 0,
            p95_milliseconds: Some(120.5),
        }],
        ..Before::default()
    };
    let (seven, six) = (version("7"), version("6"));
    let mut target = target();
    target.aliases.push(LiveAlias {
        function: "analytics".into(),
        alias: "live".into(),
        serves: Vec::new(),
    });
    let plan = queries(&config, &target, &usual, &watch(at(0), at(60), at(170), &seven, &six));
    // Two periods, a hundred calls each by every way to the candidate and nine hundred to the live slot.
    let answer = |query: &orchestrator::ports::MetricQuery| {
        let is_candidate = match &query.source {
            MetricSource::LiveAlias { version, .. } => version.as_str() == "7",
            MetricSource::FunctionInvocations { slot, .. }
            | MetricSource::FunctionErrors { slot, .. }
            | MetricSource::FunctionThrottles { slot, .. }
            | MetricSource::FunctionDuration { slot, .. } => *slot == Slot::Green,
            _ => false,
        };
        let value = match (&query.source, query.statistic) {
            (_, Statistic::PercentileRank { at_most }) => Some(if at_most > 200.0 { 99.0 } else { 95.0 }),
            (
                MetricSource::FunctionErrors { .. }
                | MetricSource::LiveAlias {
                    metric: FunctionMetric::Errors,
                    ..
                },
                _,
            ) => Some(if is_candidate { 2.0 } else { 0.0 }),
            (
                MetricSource::FunctionThrottles { .. }
                | MetricSource::LiveAlias {
                    metric: FunctionMetric::Throttles,
                    ..
                },
                _,
            ) => None,
            _ => Some(if is_candidate { 100.0 } else { 900.0 }),
        };
        let points = [plan.step.from, plan.step.from + SignedDuration::from_secs(60)];
        MetricSeries {
            id: query.id.clone(),
            datapoints: value
                .into_iter()
                .flat_map(|value| points.map(|at| Datapoint { at, value }))
                .collect(),
        }
    };
    let step: Vec<MetricSeries> = plan.step.queries.iter().map(answer).collect();
    let apis: Vec<MetricSeries> = plan.apis.queries.iter().map(answer).collect();
    let samples = read(&plan, &target, &step, &apis, Vec::new(), Vec::new());
    let function = &samples.functions[0];
    assert_eq!(
        (function.invocations, function.errors, function.throttles),
        (400, Some(8), None)
    );
    assert_eq!(function.slow, Some(4), "one of a hundred, by two ways in two periods");
    assert_eq!(function.strata.calls, Column::new(vec![200, 200], vec![1800, 1800]));
    assert_eq!(function.strata.errors, Some(Column::new(vec![4, 4], vec![])));
    assert_eq!(function.strata.slower, Some(Column::new(vec![10, 10], vec![90, 90])));
    assert_eq!(samples.queries.len(), 2, "{:?}", samples.queries);
    // A period whose durations are not there yet says nothing about the function.
    let mut late = step;
    for (series, query) in late.iter_mut().zip(&plan.step.queries) {
        if matches!(query.statistic, Statistic::PercentileRank { .. }) {
            series.datapoints.pop();
        }
    }
    let samples = read(&plan, &target, &late, &apis, Vec::new(), Vec::new());
    assert_eq!(
        (samples.functions[0].slow, &samples.functions[0].strata.slower),
        (None, &None)
    );
    let judged = judged(&config, samples);
    let p95 = judged.findings.iter().find(|finding| finding.gate == "function p95");
    assert_eq!(p95.map(|finding| finding.verdict), Some(Verdict::Inconclusive));
}

#[test]
fn the_hour_before_gives_rates_and_the_usual_p95() {
    let (config, six) = (GateConfig::default(), version("6"));
    let live = Side {
        slot: Slot::Blue,
        functions: &six,
    };
    let batch = queries_before(&config, &target(), live, at(7200));
    let series: Vec<MetricSeries> = batch
        .queries
        .iter()
        .map(|query| {
            let values = match (&query.source, query.statistic) {
                (MetricSource::FunctionInvocations { .. }, _) => vec![300.0, 100.0],
                (_, Statistic::Percentile { .. }) => vec![100.0, 200.0],
                (MetricSource::ApiRequests { .. }, _) => vec![400.0, 0.0],
                _ => vec![1.0, 1.0],
            };
            let points = values.into_iter().zip([at(3600), at(3900)]);
            MetricSeries {
                id: query.id.clone(),
                datapoints: points.map(|(value, at)| Datapoint { at, value }).collect(),
            }
        })
        .collect();
    let before = orchestrator::gates::before(&batch, &target(), &series);
    assert_eq!(before.functions[0].calls, 402);
    assert_eq!(before.functions[0].p95_milliseconds, Some(125.0));
    assert_eq!(
        before.shared(SharedGate::ApiServerErrors, "api"),
        Some(Tally { calls: 400, events: 2 })
    );
    assert!((before.seconds() - 3600.0).abs() < 300.0);
}

#[test]
fn the_preflight_says_what_traffic_cannot_decide() {
    let config = GateConfig::default();
    let steps: Vec<PlannedStep> = RolloutConfig::default()
        .steps
        .iter()
        .map(|step| PlannedStep {
            weight: step.weight_percent,
            bake: step.bake,
            settle: SignedDuration::from_secs(60),
            longest_extension: SignedDuration::from_mins(10),
            approval: false,
        })
        .collect();
    let with = |per_second: f64| Before {
        from: at(0),
        to: at(3600),
        functions: vec![FunctionBefore {
            function: "analytics".into(),
            calls: (per_second * 3600.0) as u64,
            errors: 0,
            p95_milliseconds: Some(100.0),
        }],
        shared: Vec::new(),
    };
    let shortages = |before: &Before, config: &GateConfig| preflight(&circumstances(config, before), &steps);
    let few = with(0.4);
    let found: Vec<String> = shortages(&few, &config).iter().map(ToString::to_string).collect();
    assert!(
        found.contains(
            &"gate errors of all functions needs 2.0 requests a second in step 1 (10 % for 5m): the last hour had 0.4"
                .to_owned()
        ),
        "{found:#?}"
    );
    assert!(shortages(&with(20.0), &config).is_empty());
    let synthetic = GateConfig {
        synthetic_requests_per_second: 20.0,
        ..config
    };
    assert!(
        shortages(&few, &synthetic).is_empty(),
        "{:?}",
        shortages(&few, &synthetic)
    );
    assert_eq!(Weight::FULL, steps[2].weight);
}
