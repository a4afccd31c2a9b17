//! Slot against slot: whether events (errors, throttles, slow calls) befall the candidate's calls more often than the
//! live slot's, asked again at every look without the looks making a false alarm likelier.
//!
//! Both slots serve the same traffic at the same time, chosen at random for each request. In each period the calls and
//! the events of both are counted. Given how many calls each slot had and how many events there were in all, the share
//! of the events that is the candidate's follows Fisher's noncentral hypergeometric law, which knows only the odds ratio
//! between the slots: how bad the period was for both does not matter, so a trouble common to both cancels out.
//!
//! For an odds ratio of an alternative the likelihood ratios of the periods multiply to a process that, as long as the
//! candidate is not worse than is tolerated, does not grow on average, whatever the rates of the periods; so does the mean
//! over a fixed grid of alternatives. By Ville's inequality it ever exceeds 1/α with a chance of at most α: one may look
//! whenever one likes and stop at the first excess. Sources: Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform Chernoff
//! bounds via nonnegative supermartingales", 2020; Lindon and Malek, "Anytime-valid inference for multinomial count
//! data", 2022; the conditional test is Fisher's.
//!
//! What it does not do: it knows nothing of names, limits or verdicts (that is `super::judgement`), and it does not
//! estimate how much worse the candidate is.

use serde::{Deserialize, Serialize};

/// Calls of one slot in one period, and how many of them the event befell. Written as `[calls, events]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Tally {
    pub calls: u64,
    pub events: u64,
}

impl Tally {
    /// `events` may be more than `calls` where two metrics do not agree; the calls are then taken to be as many.
    pub fn new(calls: u64, events: u64) -> Tally {
        Tally {
            calls: calls.max(events),
            events,
        }
    }

    pub fn percent(self) -> f64 {
        if self.calls == 0 {
            return 0.0;
        }
        self.events as f64 * 100.0 / self.calls as f64
    }
}

impl From<(u64, u64)> for Tally {
    fn from((calls, events): (u64, u64)) -> Tally {
        Tally { calls, events }
    }
}

impl From<Tally> for (u64, u64) {
    fn from(tally: Tally) -> (u64, u64) {
        (tally.calls, tally.events)
    }
}

impl std::ops::Add for Tally {
    type Output = Tally;

    fn add(self, other: Tally) -> Tally {
        Tally {
            calls: self.calls + other.calls,
            events: self.events + other.events,
        }
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(tallies: I) -> Tally {
        tallies.fold(Tally::default(), std::ops::Add::add)
    }
}

/// Both slots in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pair {
    pub candidate: Tally,
    pub live: Tally,
}

/// The alternatives, as multiples of the odds ratio that is tolerated. With the least of them at 1.5 a candidate that is
/// less than about 1.2 times as bad is never found, however many calls there are: a difference that nobody would turn
/// back for.
const GRID: [f64; 6] = [1.5, 2.0, 4.0, 8.0, 16.0, 32.0];

/// The logarithm of the evidence that the candidate is worse than `tolerated`, an odds ratio of at least 1: the greatest
/// value of the process at the end of any period so far, at least 0. Reject at `(1.0 / alpha).ln()`.
///
/// Periods in which one slot had no calls, or nothing happened to either, say nothing.
pub fn log_evidence(periods: impl IntoIterator<Item = Pair>, tolerated: f64) -> f64 {
    let mut by_alternative = [0.0; GRID.len()];
    let mut greatest: f64 = 0.0;
    for pair in periods {
        let Some(table) = Table::of(pair) else { continue };
        let under_null = table.log_normalizer(tolerated);
        for (sum, multiple) in by_alternative.iter_mut().zip(GRID) {
            *sum +=
                pair.candidate.events as f64 * multiple.ln() + under_null - table.log_normalizer(tolerated * multiple);
        }
        greatest = greatest.max(log_sum_exp(&by_alternative) - (GRID.len() as f64).ln());
    }
    greatest
}

/// The chance of so much evidence or more, at any look, from a candidate that is not worse than tolerated: at most this.
pub fn p_value(log_evidence: f64) -> f64 {
    (-log_evidence).exp().min(1.0)
}

/// How the events of one period can be spread over the slots: unnormalized logarithms of the hypergeometric law for
/// `first`, `first + 1`, … events at the candidate.
struct Table {
    first: u64,
    log_weights: Vec<f64>,
}

impl Table {
    /// `None` where there is only one way.
    fn of(pair: Pair) -> Option<Table> {
        let (mine, theirs) = (pair.candidate.calls, pair.live.calls);
        let events = pair.candidate.events + pair.live.events;
        let first = events.saturating_sub(theirs);
        let last = events.min(mine);
        if first >= last {
            return None;
        }
        // Ratios of neighbours: C(n₁,k+1) C(n₀,m-k-1) / (C(n₁,k) C(n₀,m-k)).
        let mut log_weight = 0.0;
        let log_weights = std::iter::once(0.0)
            .chain((first..last).map(|k| {
                let up = (mine - k) as f64 * (events - k) as f64;
                // In this order, because theirs - events alone may be negative.
                let down = (k + 1) as f64 * (theirs + k + 1 - events) as f64;
                log_weight += (up / down).ln();
                log_weight
            }))
            .collect();
        Some(Table { first, log_weights })
    }

    fn log_normalizer(&self, odds: f64) -> f64 {
        let step = odds.ln();
        let terms: Vec<f64> = self
            .log_weights
            .iter()
            .zip(self.first..)
            .map(|(log_weight, k)| log_weight + k as f64 * step)
            .collect();
        log_sum_exp(&terms)
    }
}

fn log_sum_exp(terms: &[f64]) -> f64 {
    let greatest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    greatest + terms.iter().map(|term| (term - greatest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(candidate: (u64, u64), live: (u64, u64)) -> Pair {
        Pair {
            candidate: Tally::new(candidate.0, candidate.1),
            live: Tally::new(live.0, live.1),
        }
    }

    /// Reference values by SciPy; how they are made stands in the file.
    #[test]
    fn a_likelihood_ratio_agrees_with_scipy() {
        let reference = include_str!("../../tests/witness/hypergeometric.csv");
        let mut rows = 0;
        for line in reference.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
            let [calls, events, live_calls, live_events, odds, null, expected] = fields[..] else {
                panic!("{line}");
            };
            let one = pair((calls as u64, events as u64), (live_calls as u64, live_events as u64));
            let found = Table::of(one).map_or(0.0, |table| {
                events * (odds / null).ln() + table.log_normalizer(null) - table.log_normalizer(odds)
            });
            assert!(
                (found - expected).abs() <= 1e-8 * expected.abs().max(1.0),
                "{line}: {found}"
            );
            rows += 1;
        }
        assert!(rows > 200, "{rows}");
    }

    #[test]
    fn a_trouble_of_both_is_no_evidence_and_one_of_the_candidate_alone_is() {
        let both = [pair((30, 15), (270, 135)); 5];
        assert!(log_evidence(both, 1.0) < 0.5, "{}", log_evidence(both, 1.0));
        let alone = [pair((30, 15), (270, 0)); 5];
        assert!(log_evidence(alone, 1.0) > 100.0);
        // A tenth of few calls, as in the first step of a quiet service.
        let quiet = [pair((30, 3), (270, 1)); 5];
        assert!(p_value(log_evidence(quiet, 1.0)) < 1e-6);
        let live_is_worse = [pair((30, 0), (270, 135)); 5];
        assert_eq!(log_evidence(live_is_worse, 1.0), 0.0);
    }

    #[test]
    fn nothing_to_compare_is_no_evidence() {
        for nothing in [
            pair((0, 0), (0, 0)),
            pair((100, 100), (0, 0)),
            pair((0, 0), (100, 7)),
            pair((100, 0), (100, 0)),
            pair((5, 5), (5, 5)),
        ] {
            assert_eq!(log_evidence([nothing], 1.0), 0.0, "{nothing:?}");
        }
    }

    #[test]
    fn many_calls_are_no_trouble() {
        let evidence = log_evidence([pair((1_000_000, 50_000), (9_000_000, 450_000))], 1.0);
        assert!(evidence.is_finite() && evidence < 1.0, "{evidence}");
        let evidence = log_evidence([pair((1_000_000, 80_000), (9_000_000, 450_000))], 1.0);
        assert!(evidence > 1000.0, "{evidence}");
    }

    /// 4,000 bakes whose slots are equal, each looked at after every period and stopped at the first excess.
    #[test]
    fn false_alarms_are_as_rare_as_promised_however_often_one_looks() {
        let mut random = fastrand::Rng::with_seed(7);
        for (alpha, tolerated) in [(0.05, 1.0), (0.01, 1.0), (0.05, 1.5)] {
            let mut alarms = 0;
            for _ in 0..4000 {
                let periods: Vec<Pair> = (0..25)
                    .map(|_| {
                        // Rate and share change from period to period: neither is known to the test.
                        let (rate, share) = (0.2 * random.f64() * random.f64(), 0.1 + 0.4 * random.f64());
                        let mut one = Pair::default();
                        for _ in 0..120 {
                            let of_candidate = random.f64() < share;
                            // At the edge of what is tolerated.
                            let odds = rate / (1.0 - rate) * if of_candidate { tolerated } else { 1.0 };
                            let failed = random.f64() < odds / (1.0 + odds);
                            let slot = if of_candidate {
                                &mut one.candidate
                            } else {
                                &mut one.live
                            };
                            slot.calls += 1;
                            slot.events += u64::from(failed);
                        }
                        one
                    })
                    .collect();
                alarms += u32::from(p_value(log_evidence(periods, tolerated)) <= alpha);
            }
            let share = f64::from(alarms) / 4000.0;
            assert!(share <= alpha, "{share} for {alpha} at {tolerated}");
        }
    }

    proptest! {
        /// Given the margins, the mean of a likelihood ratio under the null is one: what the promise rests on.
        #[test]
        fn the_mean_of_a_likelihood_ratio_is_one(
            mine in 1_u64..60, theirs in 1_u64..200, events in 1_u64..60, odds in 1.01_f64..50.0, null in 1.0_f64..3.0,
        ) {
            let events = events.min(mine + theirs);
            let Some(table) = Table::of(pair((mine, events.min(mine)), (theirs, events - events.min(mine)))) else {
                return Ok(());
            };
            let (under_null, under_odds) = (table.log_normalizer(null), table.log_normalizer(odds));
            let mean: f64 = table.log_weights.iter().zip(table.first..).map(|(log_weight, k)| {
                let chance = (log_weight + k as f64 * null.ln() - under_null).exp();
                chance * (k as f64 * (odds / null).ln() + under_null - under_odds).exp()
            }).sum();
            prop_assert!((mean - 1.0).abs() < 1e-9, "{mean}");
        }

        /// More trouble at the candidate is more evidence, more at the live slot is less.
        #[test]
        fn evidence_goes_with_the_trouble(
            mine in 1_u64..100, theirs in 1_u64..300, a in 0_u64..100, b in 0_u64..300, tolerated in 1.0_f64..3.0,
        ) {
            let one = |a: u64, b: u64| log_evidence([pair((mine, a.min(mine)), (theirs, b.min(theirs)))], tolerated);
            prop_assert!(one(a + 1, b) >= one(a, b) - 1e-9);
            prop_assert!(one(a, b + 1) <= one(a, b) + 1e-9);
        }

        /// A datapoint that is revised by one event moves the evidence by no more than that event can say.
        #[test]
        fn revised_data_changes_little(
            mine in 2_u64..100, theirs in 2_u64..300, a in 0_u64..99, b in 0_u64..299, tolerated in 1.0_f64..3.0,
        ) {
            let (a, b) = (a.min(mine - 1), b.min(theirs - 1));
            let rest = [pair((30, 2), (270, 3)); 4];
            let with = |a: u64, b: u64| {
                log_evidence(rest.into_iter().chain([pair((mine, a), (theirs, b))]), tolerated)
            };
            let most = GRID[GRID.len() - 1].ln() + 1e-9;
            prop_assert!((with(a + 1, b) - with(a, b)).abs() <= most);
            prop_assert!((with(a, b + 1) - with(a, b)).abs() <= most);
        }
    }
}
