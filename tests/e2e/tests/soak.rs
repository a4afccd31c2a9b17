//! A few rollouts of the soak that `cargo xtask soak` runs for long.

use e2e::soak::{Options, run};

#[test]
fn rollouts_in_a_row_under_traffic_and_faults_leave_nothing_and_lose_nothing() {
    // A failing release whose calls are spoilt, a good one, and a failing one whose answers are lost.
    let options = Options {
        seed: 1,
        first: 6,
        rollouts: 3,
        // Nobody is killed, so nobody waits for its end.
        lock_lease_seconds: 20,
    };
    match run(options, &|line| println!("{line}")) {
        Ok(summary) => {
            println!("{summary}");
            // What is spoilt early enough ends before anything was begun; how many calls there are to spoil depends on
            // how far it comes.
            assert_eq!((summary.rollouts, summary.promoted), (3, 1), "{summary:?}");
            assert!(summary.turned_back >= 1, "{summary:?}");
            assert!(summary.faults >= 3 && summary.failed_by_candidates > 0, "{summary:?}");
        }
        Err(problem) => panic!("{problem}"),
    }
}
