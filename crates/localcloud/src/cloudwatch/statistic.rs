//! How many observations become one number: sums, averages, extremes, counts and percentiles.

use serde::{Deserialize, Serialize};

/// After this many distinct values in one second further ones are rounded to three significant digits, which moves a
/// percentile by half a percent at most and bounds the memory.
const DISTINCT_VALUES: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    SampleCount,
    Sum,
    Average,
    Minimum,
    Maximum,
    /// 0 to 100.
    Percentile(f64),
    /// Percent of the values that are above the first and at most the second.
    PercentileRank(f64, f64),
}

impl Statistic {
    /// `Sum`, `p95`, `p99.9`, `PR(:300)`, `PR(100:)`, `PR(100:300)` ("CloudWatch statistics definitions": exclusive of the
    /// lower bound and inclusive of the upper one); `None` for what is not served (trimmed means and their like).
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "SampleCount" => Some(Self::SampleCount),
            "Sum" => Some(Self::Sum),
            "Average" => Some(Self::Average),
            "Minimum" => Some(Self::Minimum),
            "Maximum" => Some(Self::Maximum),
            _ if name.starts_with("PR(") => {
                let (above, at_most) = name.strip_prefix("PR(")?.strip_suffix(')')?.split_once(':')?;
                let bound = |text: &str, open: f64| if text.is_empty() { Some(open) } else { text.parse().ok() };
                let (above, at_most): (f64, f64) = (bound(above, f64::NEG_INFINITY)?, bound(at_most, f64::INFINITY)?);
                // One bound at least, and numbers.
                ((above.is_finite() || at_most.is_finite()) && above < at_most)
                    .then_some(Self::PercentileRank(above, at_most))
            }
            _ => {
                let percent: f64 = name.strip_prefix('p')?.parse().ok()?;
                (0.0..=100.0).contains(&percent).then_some(Self::Percentile(percent))
            }
        }
    }
}

/// The observations of one metric in some span of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    pub count: f64,
    pub sum: f64,
    pub minimum: f64,
    pub maximum: f64,
    /// Value and how often.
    pub values: Vec<(f64, f64)>,
    /// Some came as a statistic set, so their values are unknown.
    pub opaque: bool,
}

impl Distribution {
    pub fn of(value: f64, count: f64) -> Self {
        let mut distribution = Self::default();
        distribution.add(value, count);
        distribution
    }

    pub fn add(&mut self, value: f64, count: f64) {
        self.grow(count, value * count, value, value);
        let value = if self.values.len() < DISTINCT_VALUES {
            value
        } else {
            three_digits(value)
        };
        match self.values.iter_mut().find(|(present, _)| *present == value) {
            Some((_, present)) => *present += count,
            None => self.values.push((value, count)),
        }
    }

    /// A statistic set; where its extremes are equal its values are known after all.
    pub fn add_set(&mut self, count: f64, sum: f64, minimum: f64, maximum: f64) {
        if minimum == maximum {
            return self.add(minimum, count);
        }
        self.grow(count, sum, minimum, maximum);
        self.opaque = true;
    }

    pub fn merge(&mut self, other: &Self) {
        self.grow(other.count, other.sum, other.minimum, other.maximum);
        self.opaque |= other.opaque;
        self.values.extend_from_slice(&other.values);
    }

    fn grow(&mut self, count: f64, sum: f64, minimum: f64, maximum: f64) {
        if count <= 0.0 {
            return;
        }
        let first = self.count == 0.0;
        self.minimum = if first { minimum } else { self.minimum.min(minimum) };
        self.maximum = if first { maximum } else { self.maximum.max(maximum) };
        self.count += count;
        self.sum += sum;
    }

    /// `None` where there is nothing, and for percentiles of values that are unknown.
    pub fn statistic(&self, statistic: Statistic) -> Option<f64> {
        if self.count <= 0.0 {
            return None;
        }
        match statistic {
            Statistic::SampleCount => Some(self.count),
            Statistic::Sum => Some(self.sum),
            Statistic::Average => Some(self.sum / self.count),
            Statistic::Minimum => Some(self.minimum),
            Statistic::Maximum => Some(self.maximum),
            Statistic::Percentile(percent) => self.percentile(percent),
            Statistic::PercentileRank(above, at_most) => self.percentile_rank(above, at_most),
        }
    }

    fn percentile_rank(&self, above: f64, at_most: f64) -> Option<f64> {
        if self.opaque {
            return None;
        }
        let within = self
            .values
            .iter()
            .filter(|(value, _)| above < *value && *value <= at_most);
        Some(within.map(|(_, count)| count).sum::<f64>() / self.count * 100.0)
    }

    /// By nearest rank: the smallest value that at least so many percent do not exceed.
    fn percentile(&self, percent: f64) -> Option<f64> {
        if self.opaque {
            return None;
        }
        let mut values = self.values.clone();
        values.sort_by(|left, right| left.0.total_cmp(&right.0));
        let rank = percent / 100.0 * self.count;
        let mut below = 0.0;
        for (value, count) in &values {
            below += count;
            // A hair of tolerance: 0.95 * 20 is a little more than 19.
            if below + 1e-9 >= rank {
                return Some(*value);
            }
        }
        values.last().map(|(value, _)| *value)
    }
}

fn three_digits(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powi(2 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statistics_of_a_handful() {
        let mut distribution = Distribution::default();
        for value in 1..=20 {
            distribution.add(f64::from(value), 1.0);
        }
        for (name, expected) in [
            ("SampleCount", 20.0),
            ("Sum", 210.0),
            ("Average", 10.5),
            ("Minimum", 1.0),
            ("Maximum", 20.0),
            ("p95", 19.0),
            ("p50", 10.0),
            ("p0", 1.0),
            ("p100", 20.0),
            ("PR(:5)", 25.0),
            ("PR(:0.5)", 0.0),
            ("PR(:20)", 100.0),
            ("PR(5:)", 75.0),
            ("PR(5:10)", 25.0),
        ] {
            assert_eq!(
                distribution.statistic(Statistic::parse(name).unwrap()),
                Some(expected),
                "{name}"
            );
        }
        assert_eq!(Statistic::parse("tm99"), None);
        assert_eq!(Statistic::parse("p101"), None);
        for wrong in ["PR(:)", "PR(5)", "PR(:x)", "PR(10:5)", "PR(:5", "PR(:nan)"] {
            assert_eq!(Statistic::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Distribution::default().statistic(Statistic::Sum), None);
    }

    #[test]
    fn the_values_of_a_statistic_set_are_unknown() {
        let mut distribution = Distribution::default();
        distribution.add_set(4.0, 10.0, 1.0, 5.0);
        assert_eq!(distribution.statistic(Statistic::Average), Some(2.5));
        assert_eq!(distribution.statistic(Statistic::Percentile(50.0)), None);
        assert_eq!(distribution.statistic(Statistic::PercentileRank(0.0, 3.0)), None);
    }

    proptest! {
        #[test]
        fn many_values_are_bounded_and_percentiles_stay_close(
            values in proptest::collection::vec(0.01_f64..10_000.0, 1..2000),
            percent in 0.0_f64..100.0,
        ) {
            let mut distribution = Distribution::default();
            for value in &values {
                distribution.add(*value, 1.0);
            }
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let rank = ((percent / 100.0 * values.len() as f64 - 1e-9).ceil() as usize).max(1);
            let exact = sorted[rank - 1];
            let found = distribution.statistic(Statistic::Percentile(percent)).unwrap();
            prop_assert!((found - exact).abs() <= exact * 0.006, "{found} for {exact}");
            prop_assert!(distribution.values.len() <= 6 * 900 + DISTINCT_VALUES);
        }
    }
}
