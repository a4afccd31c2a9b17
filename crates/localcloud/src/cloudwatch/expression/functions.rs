//! The functions of metric math.

use std::collections::{BTreeMap, BTreeSet};

use super::{Computed, Expression, Scope, TimeSeries, compute, kind, map};

pub(super) fn call(name: &str, arguments: &[Expression], scope: &dyn Scope) -> Result<Computed, String> {
    match (name, arguments) {
        ("METRICS", []) => scope.metrics("").map(Computed::Many),
        ("METRICS", [Expression::Text(part)]) => scope.metrics(part).map(Computed::Many),
        // The second argument of FILL may be a word.
        ("FILL", [series, Expression::Id(word)]) if ["REPEAT", "LINEAR"].contains(&word.as_str()) => {
            fill(compute(series, scope)?, &Filling::Word(word.clone()), scope)
        }
        ("FILL", [series, value]) => match compute(value, scope)? {
            Computed::Number(number) => fill(compute(series, scope)?, &Filling::Number(number), scope),
            Computed::One(other) => fill(compute(series, scope)?, &Filling::Series(other), scope),
            other => Err(format!(
                "FILL takes a number, REPEAT, LINEAR or a metric, not {}",
                kind(&other)
            )),
        },
        ("IF", [condition, yes]) => choose(compute(condition, scope)?, compute(yes, scope)?, None),
        ("IF", [condition, yes, no]) => choose(
            compute(condition, scope)?,
            compute(yes, scope)?,
            Some(compute(no, scope)?),
        ),
        ("TIME_SERIES", [value]) => match compute(value, scope)? {
            Computed::Number(number) => Ok(constant(number, scope)),
            other => Err(format!("TIME_SERIES takes a number, not {}", kind(&other))),
        },
        (_, [argument]) => of_one(name, compute(argument, scope)?),
        (_, all) if ["SUM", "AVG", "MAX", "MIN", "STDDEV"].contains(&name) && !all.is_empty() => {
            of_one(name, compute(&Expression::Array(all.to_vec()), scope)?)
        }
        _ => Err(format!("{name} with {} arguments is not served", arguments.len())),
    }
}

fn of_one(name: &str, argument: Computed) -> Result<Computed, String> {
    let each = |argument: Computed, change: &dyn Fn(TimeSeries) -> TimeSeries| match argument {
        Computed::One(series) => Ok(Computed::One(change(series))),
        Computed::Many(all) => Ok(Computed::Many(all.into_iter().map(change).collect())),
        other => Err(format!("{name} takes metrics, not {}", kind(&other))),
    };
    let value = |argument: Computed, change: fn(f64) -> f64| match argument {
        Computed::Number(number) => Ok(Computed::Number(change(number))),
        other => each(other, &|series| {
            map(series, |value| Some(change(value)).filter(|value| value.is_finite()))
        }),
    };
    match name {
        "SUM" | "AVG" | "MAX" | "MIN" | "STDDEV" => aggregate(name, argument),
        "ABS" => value(argument, f64::abs),
        "CEIL" => value(argument, f64::ceil),
        "FLOOR" => value(argument, f64::floor),
        "LOG" => value(argument, f64::ln),
        "LOG10" => value(argument, f64::log10),
        "DIFF" => each(argument, &|series| steps(series, |difference, _| difference)),
        "RATE" => each(argument, &|series| {
            steps(series, |difference, seconds| difference / seconds)
        }),
        "RUNNING_SUM" => each(argument, &|mut series| {
            let mut sum = 0.0;
            for value in series.points.values_mut() {
                sum += *value;
                *value = sum;
            }
            series
        }),
        "REMOVE_EMPTY" => match argument {
            Computed::Many(all) => Ok(Computed::Many(
                all.into_iter().filter(|series| !series.points.is_empty()).collect(),
            )),
            other => Ok(other),
        },
        "METRIC_COUNT" => match argument {
            Computed::Many(all) => Ok(Computed::Number(all.len() as f64)),
            other => Err(format!("METRIC_COUNT takes an array, not {}", kind(&other))),
        },
        "DATAPOINT_COUNT" => match argument {
            Computed::One(series) => Ok(Computed::Number(series.points.len() as f64)),
            Computed::Many(_) => aggregate(name, argument),
            other => Err(format!("DATAPOINT_COUNT takes metrics, not {}", kind(&other))),
        },
        "PERIOD" => match argument {
            Computed::One(series) => Ok(Computed::Number(series.period as f64)),
            other => Err(format!("PERIOD takes a metric, not {}", kind(&other))),
        },
        "SEARCH" | "INSIGHT_RULE_METRIC" | "ANOMALY_DETECTION_BAND" => {
            Err(format!("the function {name} is not served by the embedded cloud"))
        }
        _ => Err(format!("there is no function {name}")),
    }
}

/// Of one metric a number over all its points; of an array one metric, point by point, wherever any has one.
fn aggregate(name: &str, argument: Computed) -> Result<Computed, String> {
    match argument {
        Computed::Number(number) => Ok(Computed::Number(number)),
        Computed::One(series) => {
            let values: Vec<f64> = series.points.into_values().collect();
            reduced(name, &values)
                .map(Computed::Number)
                .ok_or_else(|| format!("{name} of a metric without points"))
        }
        Computed::Many(all) => {
            let times: BTreeSet<i64> = all.iter().flat_map(|series| series.points.keys().copied()).collect();
            let points = times.into_iter().filter_map(|time| {
                let values: Vec<f64> = all
                    .iter()
                    .filter_map(|series| series.points.get(&time).copied())
                    .collect();
                Some((time, reduced(name, &values)?))
            });
            let period = all.iter().map(|series| series.period).max().unwrap_or(60);
            Ok(Computed::One(TimeSeries {
                label: name.to_owned(),
                period,
                points: points.collect(),
            }))
        }
        other => Err(format!("{name} takes metrics, not {}", kind(&other))),
    }
}

fn reduced(name: &str, values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    if values.is_empty() {
        return None;
    }
    Some(match name {
        "SUM" => sum,
        "AVG" => sum / count,
        "MAX" => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "MIN" => values.iter().copied().fold(f64::INFINITY, f64::min),
        "DATAPOINT_COUNT" => count,
        _ => {
            let mean = sum / count;
            (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
        }
    })
}

enum Filling {
    Number(f64),
    Word(String),
    Series(TimeSeries),
}

/// Gives every period of the window a point.
fn fill(argument: Computed, filling: &Filling, scope: &dyn Scope) -> Result<Computed, String> {
    let one = |mut series: TimeSeries| {
        let missing: Vec<i64> = scope
            .window()
            .periods(series.period)
            .filter(|time| !series.points.contains_key(time))
            .collect();
        let known = series.points.clone();
        for time in missing {
            let value = match filling {
                Filling::Number(number) => Some(*number),
                Filling::Series(other) => other.points.get(&time).copied(),
                Filling::Word(word) if word == "REPEAT" => known.range(..time).next_back().map(|(_, value)| *value),
                Filling::Word(_) => between(&known, time),
            };
            series.points.extend(value.map(|value| (time, value)));
        }
        series
    };
    match argument {
        Computed::One(series) => Ok(Computed::One(one(series))),
        Computed::Many(all) => Ok(Computed::Many(all.into_iter().map(one).collect())),
        other => Err(format!("FILL takes metrics, not {}", kind(&other))),
    }
}

/// On the line between the known neighbours; nothing beyond the ends.
fn between(known: &BTreeMap<i64, f64>, time: i64) -> Option<f64> {
    let (before, low) = known.range(..time).next_back()?;
    let (after, high) = known.range(time..).next()?;
    Some(low + (high - low) * (time - before) as f64 / (after - before) as f64)
}

fn constant(number: f64, scope: &dyn Scope) -> Computed {
    let period = 60;
    let points = scope.window().periods(period).map(|time| (time, number)).collect();
    Computed::One(TimeSeries {
        label: "TIME_SERIES".into(),
        period,
        points,
    })
}

/// Takes a point from `yes` where the condition holds, else from `no`.
fn choose(condition: Computed, yes: Computed, no: Option<Computed>) -> Result<Computed, String> {
    let at = |branch: &Computed, time: i64| match branch {
        Computed::Number(number) => Some(*number),
        Computed::One(series) => series.points.get(&time).copied(),
        Computed::Text(_) | Computed::Many(_) => None,
    };
    for branch in [Some(&yes), no.as_ref()].into_iter().flatten() {
        if matches!(branch, Computed::Text(_) | Computed::Many(_)) {
            return Err(format!("IF takes numbers and metrics, not {}", kind(branch)));
        }
    }
    match condition {
        Computed::Number(number) if number != 0.0 => Ok(yes),
        Computed::Number(_) => no.ok_or_else(|| "IF without an else has no value here".into()),
        Computed::One(mut series) => {
            series.points = series
                .points
                .into_iter()
                .filter_map(|(time, holds)| {
                    let value = if holds != 0.0 {
                        at(&yes, time)
                    } else {
                        no.as_ref().and_then(|no| at(no, time))
                    };
                    Some((time, value?))
                })
                .collect();
            Ok(Computed::One(series))
        }
        other => Err(format!(
            "the condition of IF is a number or a metric, not {}",
            kind(&other)
        )),
    }
}

/// What changed from point to point; the first point has no predecessor.
fn steps(mut series: TimeSeries, step: impl Fn(f64, f64) -> f64) -> TimeSeries {
    let points: Vec<(i64, f64)> = series.points.into_iter().collect();
    let pairs = points.windows(2).map(|pair| {
        let ((before, from), (time, to)) = (pair[0], pair[1]);
        (time, step(to - from, (time - before) as f64))
    });
    series.points = pairs.collect();
    series
}
