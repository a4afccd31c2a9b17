//! Exact binomial tails, for limits on rates that are judged from few requests.

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

/// Whether the rate behind `events` in `trials` is above `limit` with 99 % confidence: the one-sided Clopper–Pearson
/// lower bound lies above the limit exactly when the tail at the limit is below 1 %.
pub fn is_proven_above(events: u64, trials: u64, limit: f64) -> bool {
    upper_tail(events, trials, limit) < 0.01
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
    if number < 256 {
        return (2..=number).map(|factor| (factor as f64).ln()).sum();
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

    #[test]
    fn one_error_alone_proves_nothing_and_many_do() {
        assert!(!is_proven_above(1, 1, 0.05));
        assert!(!is_proven_above(3, 30, 0.05));
        assert!(is_proven_above(30, 150, 0.05));
        assert!(!is_proven_above(0, 0, 0.05));
        assert!(!is_proven_above(5, 100, 0.05));
    }
}
