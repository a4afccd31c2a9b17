//! Exact binomial tails, for limits on rates that are judged from few requests.

use std::sync::LazyLock;

/// The chance of at least `events` in `trials` when each has the chance `rate`: P(X ≥ events).
///
/// Sums the upper tail from its largest term in logarithms, so it is exact to about ten digits also where the chance is
/// tiny, and ends after few terms. Where `events` is at most the expected number the tail holds about half or more; it
/// is then given as one minus the lower tail.
pub fn upper_tail(events: u64, trials: u64, rate: f64) -> f64 {
    if events == 0 {
        return 1.0;
    }
    if events > trials || rate <= 0.0 {
        return 0.0;
    }
    if rate >= 1.0 {
        return 1.0;
    }
    if (events as f64) > trials as f64 * rate {
        sum_from(events, trials, rate)
    } else {
        // P(X ≤ k-1) with successes and failures exchanged: P(Y ≥ n-k+1) at 1 - rate.
        1.0 - sum_from(trials - events + 1, trials, 1.0 - rate)
    }
}

/// The one-sided Clopper–Pearson lower bound: the rate below which `events` or more of `trials` would have a chance of at
/// most 1 - `confidence`. 0 where nothing happened.
///
/// Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934.
pub fn lower_bound(events: u64, trials: u64, confidence: f64) -> f64 {
    if events == 0 || trials == 0 {
        return 0.0;
    }
    // At the rate that was seen the tail is about a half.
    let seen = events as f64 / trials as f64;
    rate_where(seen, |rate| upper_tail(events, trials, rate) < 1.0 - confidence)
}

/// The one-sided Clopper–Pearson upper bound: the rate above which `events` or fewer of `trials` would have a chance of at
/// most 1 - `confidence`. 1 where nothing was tried: nothing is known.
pub fn upper_bound(events: u64, trials: u64, confidence: f64) -> f64 {
    if events >= trials {
        return 1.0;
    }
    // At most `events` of `trials` happen exactly when at least the others do not.
    1.0 - lower_bound(trials - events, trials, confidence)
}

/// Whether the rate behind `events` in `trials` is above `limit` with 99 % confidence: the one-sided Clopper–Pearson
/// lower bound lies above the limit exactly when the tail at the limit is below 1 %.
pub fn is_proven_above(events: u64, trials: u64, limit: f64) -> bool {
    upper_tail(events, trials, limit) < 1.0 - PROOF
}

/// Whether the rate behind `events` in `trials` is below `limit` with 95 % confidence: 59 calls without an error for 5 %.
pub fn is_shown_below(events: u64, trials: u64, limit: f64) -> bool {
    // P(X ≤ k) at the limit, with successes and failures exchanged.
    events < trials && upper_tail(trials - events, trials, 1.0 - limit) < 1.0 - CLEARANCE
}

/// The confidence with which something is above its limit when a gate fails.
pub const PROOF: f64 = 0.99;
/// The confidence with which something is below its limit when a gate passes.
pub const CLEARANCE: f64 = 0.95;

/// The rate up to `high` at which `is_below`, true for small rates and false for large ones, turns: by bisection, to the
/// last digits of `high`.
fn rate_where(high: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, high);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Sums P(X = i) for i from `from` up, `from` being above the mean, where the terms fall.
fn sum_from(from: u64, trials: u64, rate: f64) -> f64 {
    let (n, k) = (trials as f64, from as f64);
    let first = (ln_factorial(trials) - ln_factorial(from) - ln_factorial(trials - from)
        + k * rate.ln()
        + (n - k) * (1.0 - rate).ln())
    .exp();
    let odds = rate / (1.0 - rate);
    let (mut term, mut sum) = (first, first);
    for i in from..trials {
        term *= (trials - i) as f64 / (i + 1) as f64 * odds;
        sum += term;
        if term < sum * 1e-15 {
            break;
        }
    }
    sum.min(1.0)
}

/// By addition for small numbers, else by Stirling's series, whose first left-out term is below 1e-12 there.
fn ln_factorial(number: u64) -> f64 {
    static SMALL: LazyLock<[f64; 256]> = LazyLock::new(|| {
        let mut sums = [0.0; 256];
        for number in 2..256 {
            sums[number] = sums[number - 1] + (number as f64).ln();
        }
        sums
    });
    if let Some(known) = usize::try_from(number).ok().and_then(|number| SMALL.get(number)) {
        return *known;
    }
    let n = number as f64;
    n * n.ln() - n + 0.5 * (2.0 * std::f64::consts::PI * n).ln() + 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() <= 1e-9 * right.abs().max(1e-9)
    }

    #[test]
    fn agrees_with_the_definition() {
        // P(X ≥ 1) = 1 - (1-p)^n, and P(X = n) = p^n.
        for (trials, rate) in [
            (1_u64, 0.05_f64),
            (59, 0.05),
            (299, 0.01),
            (2_995, 0.001),
            (100_000, 0.000_01),
        ] {
            let expected = 1.0 - (1.0 - rate).powf(trials as f64);
            assert!(near(upper_tail(1, trials, rate), expected), "n={trials} p={rate}");
        }
        assert!(near(upper_tail(7, 7, 0.3), 0.3_f64.powi(7)));
        // Fair coin, ten throws, at least eight heads: 56/1024.
        assert!(near(upper_tail(8, 10, 0.5), 56.0 / 1024.0));
        assert!(near(upper_tail(3, 10, 0.5), 968.0 / 1024.0));
    }

    #[test]
    fn tails_of_both_sides_make_one() {
        for events in 1..=600_u64 {
            let lower = upper_tail(600 - events + 1, 600, 1.0 - 0.2);
            assert!(near(upper_tail(events, 600, 0.2) + lower, 1.0), "{events}");
        }
    }

    /// Reference values by SciPy; how they are made stands in the file.
    #[test]
    fn agrees_with_scipy() {
        let reference = include_str!("../../tests/witness/binomial.csv");
        let mut rows = 0;
        for line in reference.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
            let [events, trials, confidence, lower, upper] = fields[..] else {
                panic!("{line}");
            };
            let (events, trials) = (events as u64, trials as u64);
            let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-8 * expected.max(1e-6);
            let found = lower_bound(events, trials, confidence);
            assert!(close(found, lower), "{line}: lower {found}");
            let found = upper_bound(events, trials, confidence);
            assert!(close(found, upper), "{line}: upper {found}");
            rows += 1;
        }
        assert!(rows > 100, "{rows}");
    }

    #[test]
    fn the_bounds_are_where_the_verdicts_turn() {
        for trials in [1, 20, 58, 59, 150, 1500] {
            for events in 0..=trials.min(40) {
                for limit in [0.001, 0.01, 0.05, 0.2] {
                    let lower = lower_bound(events, trials, PROOF);
                    let upper = upper_bound(events, trials, CLEARANCE);
                    if (lower - limit).abs() > 1e-12 {
                        assert_eq!(
                            is_proven_above(events, trials, limit),
                            lower > limit,
                            "{events}/{trials} {limit}"
                        );
                    }
                    if (upper - limit).abs() > 1e-12 {
                        assert_eq!(
                            is_shown_below(events, trials, limit),
                            upper < limit,
                            "{events}/{trials} {limit}"
                        );
                    }
                }
            }
        }
        assert!(!is_shown_below(0, 58, 0.05) && is_shown_below(0, 59, 0.05));
        assert!(!is_shown_below(0, 298, 0.01) && is_shown_below(0, 299, 0.01));
        assert!(!is_shown_below(0, 0, 0.05));
    }

    #[test]
    fn one_error_alone_proves_nothing_and_many_do() {
        assert!(!is_proven_above(1, 1, 0.05));
        assert!(!is_proven_above(3, 30, 0.05));
        assert!(is_proven_above(30, 150, 0.05));
        assert!(!is_proven_above(0, 0, 0.05));
        assert!(!is_proven_above(5, 100, 0.05));
    }
}
