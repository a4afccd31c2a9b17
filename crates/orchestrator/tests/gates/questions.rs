//! What is asked of the metrics, what becomes of the answers, and what the hour before says.

use jiff::{SignedDuration, Timestamp};
use orchestrator::config::*;
use orchestrator::domain::*;
use orchestrator::gates::comparison::Tally;
use orchestrator::gates::{samples as read, *};
use orchestrator::ports::*;
use orchestrator::rollout::*;

use crate::{at, circumstances, judged};

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
