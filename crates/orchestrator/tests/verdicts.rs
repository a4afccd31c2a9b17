//! Tables of the gates' verdicts, and of configurations that are refused.

use jiff::{SignedDuration, Timestamp};
use orchestrator::config::{ConfigError, GateConfig, RateLimit, RolloutConfig};
use orchestrator::domain::{RolloutTarget, Slot};
use orchestrator::gates::{ApiSample, FunctionSample, Samples, Verdict, judge, queries, unavailable};
use orchestrator::ports::{AlarmName, AlarmObservation, AlarmState};
use orchestrator::rollout::NotedAlarm;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time of this century")
}

fn function(invocations: u64, errors: Option<u64>, throttles: Option<u64>) -> FunctionSample {
    FunctionSample {
        function: "analytics".into(),
        invocations,
        errors,
        throttles,
    }
}

fn samples(function: FunctionSample, server_errors: Option<u64>) -> Samples {
    Samples {
        from: at(0),
        to: at(60),
        functions: vec![function],
        apis: vec![ApiSample {
            api_name: "api".to_owned(),
            from: at(0),
            server_errors,
        }],
        alarms: Vec::new(),
    }
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
        (19, Some(0), Some(0), Some(0), Inconclusive, "too few calls"),
        (20, Some(0), Some(0), Some(0), Pass, "just enough"),
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
        let judged = judge(
            &GateConfig::default(),
            &[],
            samples(function(calls, errors, throttles), server_errors),
        );
        assert_eq!(judged.verdict, expected, "{why}: {}", judged.summary());
        assert!(!judged.is_blind());
    }
}

#[test]
fn a_judgement_says_which_gate_and_its_numbers() {
    let judged = judge(
        &GateConfig::default(),
        &[],
        samples(function(80, Some(12), Some(0)), Some(0)),
    );
    assert_eq!(
        judged.summary(),
        "function errors of analytics: 12 of 80 calls failed (15.00 %), fails when proven above 5 %, passes at most 1 %"
    );
}

#[test]
fn metrics_that_cannot_be_read_never_pass() {
    let judged = unavailable("GetMetricData of everything: unavailable: no route");
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
        let mut samples = samples(function(100, Some(0), Some(0)), Some(0));
        samples.alarms = now.into_iter().collect();
        assert_eq!(judge(&config, &noted, samples).verdict, expected, "row {index}");
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

#[test]
fn windows_of_metrics() {
    let target = RolloutTarget {
        functions: vec!["analytics".into()],
        apis: Vec::new(),
        aliases: Vec::new(),
    };
    let config = GateConfig::default();
    // Released ten seconds into a minute, in force at second 30, looked at in second 200 and second 40.
    let begin = at(0) - SignedDuration::from_secs(at(0).as_second() % 60);
    let after = |seconds| begin + SignedDuration::from_secs(seconds);
    let plan = queries(&config, &target, Slot::Green, after(10), after(30), after(200));
    assert_eq!(
        (plan.functions_from, plan.to),
        (after(60), after(240)),
        "data of the slot's release before is left out"
    );
    let plan = queries(&config, &target, Slot::Green, after(10), after(130), after(200));
    assert_eq!(
        plan.functions_from,
        after(120),
        "the period in which the weight came in force counts whole"
    );
    let plan = queries(&config, &target, Slot::Green, after(10), after(30), after(40));
    assert_eq!(
        (plan.functions_from, plan.to),
        (after(60), after(120)),
        "never an empty window"
    );
    let plan = queries(&config, &target, Slot::Green, after(10), after(1200), after(1230));
    assert_eq!(
        plan.apis_from,
        after(900),
        "answers of the API count for the limit's window"
    );
    let ids: Vec<&str> = plan.function_queries.iter().map(|query| query.id.as_str()).collect();
    assert_eq!(ids, ["invocations0", "errors0", "throttles0"]);
}
