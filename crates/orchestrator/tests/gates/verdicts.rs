//! Tables of the gates' verdicts.

use jiff::SignedDuration;
use orchestrator::config::{
    AgainstLive, CacheHits, CheckKind, CountLimit, GateCheck, GateConfig, TableThrottles, WebSocketErrors,
    WebSocketStage,
};
use orchestrator::gates::comparison::Tally;
use orchestrator::gates::{
    ApiSample, Before, Circumstances, Column, FunctionSample, Judgement, Numbers, Samples, SharedGate, SharedSample,
    Strata, Verdict, judge,
};
use orchestrator::ports::{AlarmName, AlarmObservation, AlarmState, CheckAnswer};
use orchestrator::rollout::NotedAlarm;

use crate::{at, circumstances, judged};

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
