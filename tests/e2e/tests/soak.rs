//! A few rollouts of the soak that `cargo xtask soak` runs for long.

use e2e::soak::{Options, run};

#[test]
fn rollouts_in_a_row_under_traffic_and_faults_leave_nothing_and_lose_nothing() {
    // A failing release whose calls are spoilt, a good one, and a failing one whose answers are lost.
    let options = Options {
        seed: 1,
        first: 6,
        rollouts: 3,
    };
    match run(options, &|line| println!("{line}")) {
        Ok(summary) => {
            println!("{summary}");
            assert_eq!((summary.promoted, summary.turned_back), (1, 2));
            // How many calls there are to spoil depends on how far it comes.
            assert!(summary.faults >= 3 && summary.failed_by_candidates > 0, "{summary:?}");
        }
        Err(problem) => panic!("{problem}"),
    }
}
