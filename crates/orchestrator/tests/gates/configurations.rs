//! Configurations that are refused, and how people write them.

use jiff::SignedDuration;
use orchestrator::config::*;

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
