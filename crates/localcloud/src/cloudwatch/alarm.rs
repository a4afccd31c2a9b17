//! A metric alarm and how its state follows from its points.
//!
//! The rules are those of
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>; its tables are our
//! tests. An alarm looks at more points than its evaluation periods: two more, as the page's example does.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::query::{Answers, MetricStatistic, Query, Subject, dimensions_of, invalid, metric_of, period_of};
use super::series::{PointSource, Window};
use super::statistic::Statistic;
use crate::members::Members;
use crate::service::ApiError;

/// How many points beyond its evaluation periods an alarm looks back.
const EXTRA_POINTS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum State {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "ALARM")]
    Alarm,
    #[serde(rename = "INSUFFICIENT_DATA")]
    InsufficientData,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "GreaterThanThreshold" => Self::Greater,
            "GreaterThanOrEqualToThreshold" => Self::GreaterOrEqual,
            "LessThanThreshold" => Self::Less,
            "LessThanOrEqualToThreshold" => Self::LessOrEqual,
            _ => return None,
        })
    }

    fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Greater => value > threshold,
            Self::GreaterOrEqual => value >= threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Greater => "greater than",
            Self::GreaterOrEqual => "greater than or equal to",
            Self::Less => "less than",
            Self::LessOrEqual => "less than or equal to",
        }
    }
}

/// What a missing point counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    Missing,
    Ignore,
    Breaching,
    NotBreaching,
}

/// The part of an alarm that decides its state.
#[derive(Clone, Debug)]
pub struct Rule {
    pub evaluation_periods: usize,
    pub datapoints_to_alarm: usize,
    pub threshold: f64,
    pub comparison: Comparison,
    pub missing: Treatment,
}

/// What an alarm watches.
#[derive(Clone, Debug)]
pub enum Watched {
    Metric(MetricStatistic),
    /// The queries, and the id of the one that is compared.
    Math(Vec<Query>, String),
}

#[derive(Clone, Debug)]
pub struct Alarm {
    pub rule: Rule,
    pub watched: Watched,
    /// Seconds.
    pub period: i64,
}

impl Alarm {
    /// From the members of `PutMetricAlarm`, which are those of `AWS::CloudWatch::Alarm`, too.
    pub fn parse(input: &impl Members) -> Result<Self, ApiError> {
        let count = |name: &str| {
            input
                .integer(name)
                .and_then(|count| usize::try_from(count).ok())
                .filter(|n| *n > 0)
        };
        let evaluation_periods = count("EvaluationPeriods")
            .ok_or_else(|| invalid("The parameter EvaluationPeriods must be greater than 0"))?;
        let datapoints_to_alarm = count("DatapointsToAlarm").unwrap_or(evaluation_periods);
        if datapoints_to_alarm > evaluation_periods {
            return Err(invalid(
                "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
            ));
        }
        let operator = input.text("ComparisonOperator").unwrap_or_default();
        let comparison = Comparison::parse(operator)
            .ok_or_else(|| invalid(format!("The comparison operator '{operator}' is not served")))?;
        let missing = match input.text("TreatMissingData").unwrap_or("missing") {
            "missing" => Treatment::Missing,
            "ignore" => Treatment::Ignore,
            "breaching" => Treatment::Breaching,
            "notBreaching" => Treatment::NotBreaching,
            other => {
                return Err(invalid(format!(
                    "Option {other} is not supported for TreatMissingData parameter."
                )));
            }
        };
        let threshold = input
            .number("Threshold")
            .ok_or_else(|| invalid("The parameter Threshold is missing"))?;
        let rule = Rule {
            evaluation_periods,
            datapoints_to_alarm,
            threshold,
            comparison,
            missing,
        };
        let watched = watched(input)?;
        let period = match &watched {
            Watched::Metric(metric) => metric.period,
            Watched::Math(queries, _) => longest_period(queries, input)?,
        };
        if period * evaluation_periods as i64 > super::series::RETENTION_SECONDS {
            return Err(invalid(format!(
                "The embedded cloud keeps metrics for {} hours: Period times EvaluationPeriods goes beyond",
                super::series::RETENTION_SECONDS / 3600
            )));
        }
        Ok(Self { rule, watched, period })
    }

    /// The points that count at `now`: oldest first, each the start of its period and a value where there is one.
    /// Periods end at `now`, rounded down to `step` seconds.
    pub fn points(&self, source: &dyn PointSource, now: i64, step: i64) -> Result<Vec<(i64, Option<f64>)>, ApiError> {
        let step = step.clamp(1, self.period);
        let end = now.div_euclid(step) * step;
        let length = (self.rule.evaluation_periods + EXTRA_POINTS) as i64 * self.period;
        let window = Window {
            start: end - length,
            end,
            anchor: end,
        };
        let points = match &self.watched {
            Watched::Metric(metric) => metric.points(source, window),
            Watched::Math(queries, id) => match Answers::new(queries, source, window).series(id)?.as_slice() {
                [series] => series.points.clone(),
                all => {
                    return Err(invalid(format!(
                        "The expression yields {} time series, an alarm needs one",
                        all.len()
                    )));
                }
            },
        };
        Ok(window
            .periods(self.period)
            .map(|start| (start, points.get(&start).copied()))
            .collect())
    }
}

fn watched(input: &impl Members) -> Result<Watched, ApiError> {
    let metrics = input.list("Metrics");
    if metrics.is_empty() {
        let name = input.text("ExtendedStatistic").or_else(|| input.text("Statistic"));
        let name = name.ok_or_else(|| invalid("Either Statistic or ExtendedStatistic has to be given"))?;
        return Ok(Watched::Metric(MetricStatistic {
            metric: metric_of(input)?,
            period: period_of(input)?,
            statistic: Statistic::parse(name).ok_or_else(|| invalid(format!("The statistic {name} is not served")))?,
            unit: input.text("Unit").map(str::to_owned),
        }));
    }
    if input.text("MetricName").is_some() || !dimensions_of(input).is_empty() {
        return Err(invalid("An alarm has either Metrics or MetricName"));
    }
    let queries = Query::parse_all(metrics)?;
    let mut returning = queries.iter().filter(|query| query.return_data);
    match (returning.next().map(|query| query.id.clone()), returning.next()) {
        (Some(id), None) => Ok(Watched::Math(queries, id)),
        _ => Err(invalid("Exactly one element of the metrics list should return data.")),
    }
}

fn longest_period(queries: &[Query], input: &impl Members) -> Result<i64, ApiError> {
    let own = queries.iter().filter_map(|query| match &query.subject {
        Subject::Metric(statistic) => Some(statistic.period),
        Subject::Expression(_) => None,
    });
    let declared = input.list("Metrics").iter().filter_map(|query| query.integer("Period"));
    own.chain(declared)
        .max()
        .ok_or_else(|| invalid("At least one element of the metrics list has to have a Period"))
}

/// The state that follows from the points (oldest first; `None` where one is missing), or `None` where the alarm
/// keeps the state that it has.
pub fn evaluate(rule: &Rule, points: &[Option<f64>]) -> Option<State> {
    // Newest first, with the age in periods beginning at 1.
    let real: Vec<(usize, bool)> = points
        .iter()
        .rev()
        .enumerate()
        .filter_map(|(age, value)| Some((age + 1, rule.comparison.holds((*value)?, rule.threshold))))
        .collect();
    let needed = rule.evaluation_periods;
    let decided = |breaching: usize| {
        Some(if breaching >= rule.datapoints_to_alarm {
            State::Alarm
        } else {
            State::Ok
        })
    };
    let breaching = real.iter().take(needed).filter(|(_, breaching)| *breaching).count();
    if real.len() >= needed {
        return decided(breaching);
    }
    let enough = breaching >= rule.datapoints_to_alarm;
    let all_breach = !real.is_empty() && breaching == real.len();
    // Breaching for so long that no new point could excuse it, although points are missing.
    let old_enough = all_breach && real.last().is_some_and(|(age, _)| *age >= rule.datapoints_to_alarm);
    match rule.missing {
        Treatment::Breaching => decided(breaching + needed - real.len()),
        Treatment::NotBreaching => decided(breaching),
        Treatment::Missing if real.is_empty() => Some(State::InsufficientData),
        Treatment::Missing => decided(if old_enough {
            rule.datapoints_to_alarm
        } else {
            breaching
        }),
        Treatment::Ignore if enough => Some(State::Alarm),
        Treatment::Ignore if real.is_empty() || all_breach => None,
        Treatment::Ignore => decided(breaching),
    }
}

/// Why the state is what it is, in CloudWatch's words.
pub fn reason(rule: &Rule, points: &[(i64, Option<f64>)], state: State) -> String {
    let recent: Vec<(i64, f64)> = points
        .iter()
        .rev()
        .filter_map(|(time, value)| Some((*time, (*value)?)))
        .take(rule.evaluation_periods)
        .collect();
    let needed = rule.datapoints_to_alarm;
    let transition = match state {
        State::Alarm => "for OK -> ALARM transition",
        State::Ok => "for ALARM -> OK transition",
        State::InsufficientData => return "Insufficient Data: no datapoints were received".to_owned(),
    };
    if recent.is_empty() {
        let treated = if state == State::Alarm {
            "Breaching"
        } else {
            "NonBreaching"
        };
        return format!(
            "Threshold Crossed: no datapoints were received for {} periods and {} missing datapoints were treated as \
             [{treated}].",
            rule.evaluation_periods, rule.evaluation_periods
        );
    }
    let breaching = recent
        .iter()
        .filter(|(_, value)| rule.comparison.holds(*value, rule.threshold))
        .count();
    let (count, verb) = match state {
        State::Alarm => (breaching, if breaching == 1 { "was" } else { "were" }),
        _ => (
            recent.len() - breaching,
            if recent.len() - breaching == 1 {
                "was not"
            } else {
                "were not"
            },
        ),
    };
    let shown: Vec<String> = recent
        .iter()
        .map(|(time, value)| format!("{} ({})", number(*value), clock(*time)))
        .collect();
    format!(
        "Threshold Crossed: {count} out of the last {} datapoints [{}] {verb} {} the threshold ({}) (minimum {needed} \
         datapoint{} {transition}).",
        recent.len(),
        shown.join(", "),
        rule.comparison.words(),
        number(rule.threshold),
        if needed == 1 { "" } else { "s" },
    )
}

/// The machine's form of [`reason`].
pub fn reason_data(alarm: &Alarm, points: &[(i64, Option<f64>)], now: Timestamp) -> Value {
    let recent: Vec<f64> = points.iter().filter_map(|(_, value)| *value).collect();
    let kept = recent.len().saturating_sub(alarm.rule.evaluation_periods);
    json!({
        "version": "1.0",
        "queryDate": now.to_string(),
        "startDate": points.first().and_then(|(time, _)| Timestamp::from_second(*time).ok()).map(|time| time.to_string()),
        "period": alarm.period,
        "recentDatapoints": recent[kept..],
        "threshold": alarm.rule.threshold,
    })
}

fn number(value: f64) -> String {
    if value == value.trunc() {
        format!("{value:.1}")
    } else {
        value.to_string()
    }
}

fn clock(time: i64) -> String {
    Timestamp::from_second(time)
        .map(|time| time.strftime("%d/%m/%y %H:%M:%S").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::cloudwatch::series::Metric;

    const TREATMENTS: [Treatment; 4] = [
        Treatment::Missing,
        Treatment::Ignore,
        Treatment::Breaching,
        Treatment::NotBreaching,
    ];

    fn rule(needed: usize, of: usize, missing: Treatment) -> Rule {
        Rule {
            evaluation_periods: of,
            datapoints_to_alarm: needed,
            threshold: 10.0,
            comparison: Comparison::Greater,
            missing,
        }
    }

    /// `0 - X` as the documentation writes points.
    fn points(text: &str) -> Vec<Option<f64>> {
        text.split(' ')
            .map(|point| match point {
                "0" => Some(1.0),
                "X" => Some(11.0),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_tables_of_the_documentation() {
        const OK: Option<State> = Some(State::Ok);
        const ALARM: Option<State> = Some(State::Alarm);
        const INSUFFICIENT: Option<State> = Some(State::InsufficientData);
        const RETAIN: Option<State> = None;
        for (needed, text, expected) in [
            // Missing, ignore, breaching, not breaching.
            (3, "0 - X - X", [OK, OK, OK, OK]),
            (3, "0 - - - -", [OK, OK, OK, OK]),
            (3, "- - - - -", [INSUFFICIENT, RETAIN, ALARM, OK]),
            (3, "0 X X - X", [ALARM, ALARM, ALARM, ALARM]),
            (3, "- - X - -", [ALARM, RETAIN, ALARM, OK]),
            (2, "0 - X - X", [ALARM, ALARM, ALARM, ALARM]),
            (2, "0 0 X 0 X", [ALARM, ALARM, ALARM, ALARM]),
            (2, "0 - X - -", [OK, OK, ALARM, OK]),
            (2, "- - - - 0", [OK, OK, ALARM, OK]),
            (2, "- - - X -", [ALARM, RETAIN, ALARM, OK]),
        ] {
            for (missing, expected) in TREATMENTS.into_iter().zip(expected) {
                let found = evaluate(&rule(needed, 3, missing), &points(text));
                assert_eq!(found, expected, "{needed} of 3, {text}, {missing:?}");
            }
        }
        // "the alarm does not go immediately into ALARM state when the data is either …"
        for text in ["- - - - X", "- - - X -"] {
            assert_ne!(
                evaluate(&rule(3, 3, Treatment::Missing), &points(text)),
                ALARM,
                "{text}"
            );
        }
    }

    #[test]
    fn one_point_of_one_alarms_and_a_good_one_clears() {
        for missing in TREATMENTS {
            assert_eq!(evaluate(&rule(1, 1, missing), &points("- - X")), Some(State::Alarm));
            assert_eq!(evaluate(&rule(1, 1, missing), &points("- X 0")), Some(State::Ok));
        }
    }

    #[test]
    fn each_comparison_at_its_border() {
        for (name, below, at, above) in [
            ("GreaterThanThreshold", false, false, true),
            ("GreaterThanOrEqualToThreshold", false, true, true),
            ("LessThanThreshold", true, false, false),
            ("LessThanOrEqualToThreshold", true, true, false),
        ] {
            let comparison = Comparison::parse(name).unwrap();
            let holds = [9.0, 10.0, 11.0].map(|value| comparison.holds(value, 10.0));
            assert_eq!(holds, [below, at, above], "{name}");
        }
    }

    fn any_point() -> impl Strategy<Value = Option<f64>> {
        prop_oneof![Just(None), Just(Some(1.0)), Just(Some(11.0))]
    }

    proptest! {
        /// With all points there, it is counting.
        #[test]
        fn complete_data_is_m_of_n(values in proptest::collection::vec(prop_oneof![Just(1.0), Just(11.0)], 8), needed in 1_usize..=4, extra in 0_usize..=2) {
            let of = needed + extra;
            let breaching = values.iter().rev().take(of).filter(|value| **value > 10.0).count();
            let expected = if breaching >= needed { State::Alarm } else { State::Ok };
            let all: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
            for missing in TREATMENTS {
                prop_assert_eq!(evaluate(&rule(needed, of, missing), &all), Some(expected));
            }
        }

        /// Whoever treats missing points as good alarms never before whoever treats them as bad.
        #[test]
        fn treatments_are_ordered(all in proptest::collection::vec(any_point(), 5), needed in 1_usize..=3) {
            let state = |missing| evaluate(&rule(needed, 3, missing), &all);
            if state(Treatment::NotBreaching) == Some(State::Alarm) {
                for missing in TREATMENTS {
                    prop_assert_eq!(state(missing), Some(State::Alarm));
                }
            }
            if state(Treatment::Breaching) == Some(State::Ok) {
                for missing in TREATMENTS {
                    prop_assert_eq!(state(missing), Some(State::Ok));
                }
            }
            // Without a point, only "missing" knows that nothing is known.
            let nothing = all.iter().all(Option::is_none);
            prop_assert_eq!(state(Treatment::Missing) == Some(State::InsufficientData), nothing);
        }
    }

    struct Fixed(BTreeMap<String, BTreeMap<i64, f64>>);

    impl PointSource for Fixed {
        fn points(
            &self,
            metric: &Metric,
            _statistic: Statistic,
            _unit: Option<&str>,
            period: i64,
            window: Window,
        ) -> BTreeMap<i64, f64> {
            let all = self.0.get(&metric.name).cloned().unwrap_or_default();
            all.into_iter()
                .map(|(time, value)| (window.period_start(time, period), value))
                .collect()
        }
    }

    #[test]
    fn a_math_alarm_compares_its_one_returned_expression() {
        let stat = |name: &str| json!({"Metric": {"Namespace": "N", "MetricName": name}, "Period": 60, "Stat": "Sum"});
        let mut input = json!({
            "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold",
            "Metrics": [
                {"Id": "rate", "Expression": "100 * errors / calls"},
                {"Id": "errors", "MetricStat": stat("Errors"), "ReturnData": false},
                {"Id": "calls", "MetricStat": stat("Calls"), "ReturnData": false},
            ],
        });
        let alarm = Alarm::parse(&input).unwrap();
        assert_eq!(alarm.period, 60);
        let source = Fixed(BTreeMap::from([
            ("Errors".into(), BTreeMap::from([(1010, 6.0), (950, 1.0)])),
            ("Calls".into(), BTreeMap::from([(1010, 100.0), (950, 0.0)])),
        ]));
        // 1025 rounded down to a multiple of 10: the last period is 960 to 1020.
        let points = alarm.points(&source, 1025, 10).unwrap();
        assert_eq!(points, [(840, None), (900, None), (960, Some(6.0))]);
        let state = evaluate(&alarm.rule, &points.iter().map(|(_, value)| *value).collect::<Vec<_>>());
        assert_eq!(state, Some(State::Alarm));
        let reason = reason(&alarm.rule, &points, State::Alarm);
        assert_eq!(
            reason,
            "Threshold Crossed: 1 out of the last 1 datapoints [6.0 (01/01/70 00:16:00)] was greater than the \
             threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition)."
        );

        input["Metrics"][1]["ReturnData"] = json!(true);
        assert!(Alarm::parse(&input).unwrap_err().message.contains("Exactly one"));
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused() {
        let whole = json!({
            "EvaluationPeriods": 2, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold", "Period": 60,
            "Namespace": "N", "MetricName": "M", "Statistic": "Sum",
        });
        Alarm::parse(&whole).unwrap();
        for (member, value) in [
            ("EvaluationPeriods", json!(0)),
            ("DatapointsToAlarm", json!(3)),
            ("ComparisonOperator", json!("GreaterThanUpperThreshold")),
            ("TreatMissingData", json!("nope")),
            ("Statistic", json!("tm99")),
            ("Period", json!(0)),
            ("Period", json!(86_400)),
            ("Threshold", json!(null)),
        ] {
            let mut broken = whole.clone();
            broken[member] = value.clone();
            assert!(Alarm::parse(&broken).is_err(), "{member} {value}");
        }
    }
}
