//! The two promises about the gates' errors, over simulated rollouts of the default configuration. The table and the plot
//! of `docs/gates.md` come from the same simulation, with more rollouts: `cargo xtask characteristics`.

#[path = "../examples/characteristics/world.rs"]
mod world;

use orchestrator::config::RolloutConfig;
use world::{End, Scenario, roll_out};

fn ends(count: usize, seed: u64, scenario: impl Fn(&mut fastrand::Rng) -> Scenario) -> Vec<End> {
    let config = RolloutConfig::default();
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count)
        .map(|_| {
            let scenario = scenario(&mut random);
            roll_out(&config, &scenario, &mut random)
        })
        .collect()
}

#[test]
fn a_healthy_release_is_turned_back_in_at_most_one_of_a_hundred_rollouts() {
    let ends = ends(1000, 4, |random| {
        let errors = 0.001 + 0.009 * random.f64();
        Scenario {
            requests_per_second: 5.0,
            live_errors: errors,
            candidate_errors: errors,
        }
    });
    let turned_back: Vec<&End> = ends.iter().filter(|end| !end.is_promoted()).collect();
    assert!(
        turned_back.len() * 100 <= ends.len(),
        "{} of {}: {turned_back:?}",
        turned_back.len(),
        ends.len()
    );
}

#[test]
fn a_rise_from_half_a_percent_to_ten_is_caught_within_five_minutes_of_the_first_step() {
    let rise = Scenario {
        requests_per_second: 5.0,
        live_errors: 0.005,
        candidate_errors: 0.1,
    };
    let ends = ends(3000, 5, |_| rise);
    let caught = ends
        .iter()
        .filter(|end| matches!(end, End::Failed { step: 0, seconds, .. } if *seconds <= 300.0))
        .count();
    assert!(caught * 100 >= ends.len() * 95, "{caught} of {}", ends.len());
    assert!(!ends.iter().any(End::is_promoted));
}
