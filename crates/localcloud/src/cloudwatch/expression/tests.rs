use super::*;

/// Metrics `a`, `b`, `e1` over minutes 0 to 4 of the epoch.
struct Metrics(Vec<(&'static str, Vec<(i64, f64)>)>);

fn series(label: &str, points: &[(i64, f64)]) -> TimeSeries {
    let points = points.iter().map(|(minute, value)| (minute * 60, *value)).collect();
    TimeSeries {
        label: label.into(),
        period: 60,
        points,
    }
}

impl Scope for Metrics {
    fn value(&self, id: &str) -> Result<Computed, String> {
        let found = self
            .0
            .iter()
            .find(|(name, _)| *name == id)
            .ok_or_else(|| format!("{id} is not defined"))?;
        Ok(Computed::One(series(id, &found.1)))
    }

    fn metrics(&self, part: &str) -> Result<Vec<TimeSeries>, String> {
        Ok(self
            .0
            .iter()
            .filter(|(name, _)| name.contains(part))
            .map(|(name, points)| series(name, points))
            .collect())
    }

    fn window(&self) -> Window {
        Window {
            start: 0,
            end: 300,
            anchor: 0,
        }
    }
}

fn computed(text: &str) -> Result<Computed, String> {
    let metrics = Metrics(vec![
        ("a", vec![(0, 1.0), (1, 2.0), (2, 4.0), (4, 8.0)]),
        ("b", vec![(0, 2.0), (1, 0.0), (3, 5.0), (4, 4.0)]),
        ("e1", vec![]),
    ]);
    compute(&parse(text)?, &metrics)
}

fn points(text: &str) -> Vec<(i64, f64)> {
    match computed(text).unwrap_or_else(|error| panic!("{text}: {error}")) {
        Computed::One(series) => series
            .points
            .into_iter()
            .map(|(time, value)| (time / 60, value))
            .collect(),
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn series_by_table() {
    for (text, expected) in [
        ("a + b", vec![(0, 3.0), (1, 2.0), (4, 12.0)]),
        // A division by zero drops the point.
        ("a / b", vec![(0, 0.5), (4, 2.0)]),
        ("3 * (b / (a + b))", vec![(0, 2.0), (1, 0.0), (4, 1.0)]),
        ("-a ^ 2", vec![(0, -1.0), (1, -4.0), (2, -16.0), (4, -64.0)]),
        ("a - 1 - 1", vec![(0, -1.0), (1, 0.0), (2, 2.0), (4, 6.0)]),
        ("a > 1 AND a < 8", vec![(0, 0.0), (1, 1.0), (2, 1.0), (4, 0.0)]),
        ("a >= 8 || a == 1", vec![(0, 1.0), (1, 0.0), (2, 0.0), (4, 1.0)]),
        ("FILL(a, 0)", vec![(0, 1.0), (1, 2.0), (2, 4.0), (3, 0.0), (4, 8.0)]),
        (
            "FILL(a, REPEAT)",
            vec![(0, 1.0), (1, 2.0), (2, 4.0), (3, 4.0), (4, 8.0)],
        ),
        (
            "FILL(a, LINEAR)",
            vec![(0, 1.0), (1, 2.0), (2, 4.0), (3, 6.0), (4, 8.0)],
        ),
        ("FILL(a, b)", vec![(0, 1.0), (1, 2.0), (2, 4.0), (3, 5.0), (4, 8.0)]),
        ("FILL(e1, 7)", vec![(0, 7.0), (1, 7.0), (2, 7.0), (3, 7.0), (4, 7.0)]),
        ("SUM([a, b])", vec![(0, 3.0), (1, 2.0), (2, 4.0), (3, 5.0), (4, 12.0)]),
        (
            "SUM(METRICS())",
            vec![(0, 3.0), (1, 2.0), (2, 4.0), (3, 5.0), (4, 12.0)],
        ),
        ("MAX([a, b])", vec![(0, 2.0), (1, 2.0), (2, 4.0), (3, 5.0), (4, 8.0)]),
        ("MIN([a, b])", vec![(0, 1.0), (1, 0.0), (2, 4.0), (3, 5.0), (4, 4.0)]),
        ("AVG([a, b])", vec![(0, 1.5), (1, 1.0), (2, 4.0), (3, 5.0), (4, 6.0)]),
        (
            "SUM(METRICS('a')) / SUM(a)",
            vec![(0, 1.0 / 15.0), (1, 2.0 / 15.0), (2, 4.0 / 15.0), (4, 8.0 / 15.0)],
        ),
        ("a * 0 + AVG(a)", vec![(0, 3.75), (1, 3.75), (2, 3.75), (4, 3.75)]),
        ("IF(a > 1, a, 0)", vec![(0, 0.0), (1, 2.0), (2, 4.0), (4, 8.0)]),
        ("IF(a > 1, b)", vec![(1, 0.0), (4, 4.0)]),
        (
            "IF(FILL(b, 0) == 0, 1, 2)",
            vec![(0, 2.0), (1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)],
        ),
        ("RATE(a)", vec![(1, 1.0 / 60.0), (2, 2.0 / 60.0), (4, 4.0 / 120.0)]),
        ("DIFF(a)", vec![(1, 1.0), (2, 2.0), (4, 4.0)]),
        ("RUNNING_SUM(a)", vec![(0, 1.0), (1, 3.0), (2, 7.0), (4, 15.0)]),
        (
            "a / PERIOD(a)",
            vec![(0, 1.0 / 60.0), (1, 2.0 / 60.0), (2, 4.0 / 60.0), (4, 8.0 / 60.0)],
        ),
        ("CEIL(a / 3)", vec![(0, 1.0), (1, 1.0), (2, 2.0), (4, 3.0)]),
        ("LOG10(b * 0 - 1)", vec![]),
    ] {
        assert_eq!(points(text), expected, "{text}");
    }
}

#[test]
fn numbers_by_table() {
    for (text, expected) in [
        ("2 ^ 3 ^ 2", 512.0),
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("-2 + 1e1", 8.0),
        ("SUM(a)", 15.0),
        ("MAX(b) - MIN(b)", 5.0),
        ("METRIC_COUNT(METRICS())", 3.0),
        ("METRIC_COUNT(REMOVE_EMPTY(METRICS()))", 2.0),
        ("DATAPOINT_COUNT(a)", 4.0),
        ("STDDEV(b)", 3.6875_f64.sqrt()),
    ] {
        assert_eq!(computed(text), Ok(Computed::Number(expected)), "{text}");
    }
}

#[test]
fn arrays_stay_arrays() {
    let Ok(Computed::Many(all)) = computed("[a, b] * 2") else {
        panic!("no array")
    };
    assert_eq!(
        all.iter().map(|series| series.label.as_str()).collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(all[1].points[&0], 4.0);
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    for (text, reason) in [
        ("a +", "breaks off"),
        ("(a", "expected )"),
        ("a b", "unexpected b"),
        ("a $ b", "unexpected $"),
        ("'a", "quote"),
        ("c", "c is not defined"),
        ("NOPE(a)", "no function NOPE"),
        ("SEARCH('x')", "not served"),
        ("[a] + 'x'", "no operator"),
        ("1 / 0", "zero"),
        (&"(".repeat(5000), "nested too deeply"),
        ("1.2.3", "no number"),
    ] {
        let error = computed(text).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
}
