//! Real deploys under constant traffic, killed at calls over the wire that a seed chooses. What the next command finds it
//! settles, and no request is lost. `LLAMA_KILL_SEED=7` repeats one seed.
#![expect(clippy::print_stdout, reason = "whoever repeats a failure needs its seed")]

use std::time::Duration;

use e2e::{Among, Fault, Point, Poller, Project, Random, Wire, get, settings};
use serde_json::Value;

/// A lease that a dead process does not hold for long. One that lives may lose it where the machine stands still.
const DIES: &str = "8s";
/// A lease for whoever has to come to its end.
const LIVES: &str = "10m";

/// Fast.
const ROLLOUT: &str = "poll = '200ms'\nlock-margin = '2s'\n\
    gates.settle = '0s'\ngates.minimum-requests = 5\n\
    gates.lambda-error-rate = { fail-above-percent = 40.0, pass-at-most-percent = 10.0 }\n";

/// Where a deploy is killed, how, and what settles it.
fn choice(seed: u64) -> (Point, Fault, &'static str) {
    let mut random = Random::new(seed);
    let fault = *random.choose(&[
        Fault::KillBefore,
        Fault::KillAfter,
        Fault::KillAfter,
        // Within the lock's margin, so that the next run has not begun.
        Fault::KillAndArriveLate(Duration::from_millis(500)),
    ]);
    let (among, number) = match random.one_in(3) {
        true => (Among::All, random.below(100)),
        false => (Among::Changes, random.below(12)),
    };
    (Point { among, number }, fault, *random.choose(&["rollback", "resume"]))
}

fn seeds(fixed: &[u64]) -> Vec<u64> {
    match std::env::var_os("LLAMA_KILL_SEED") {
        Some(seed) => vec![
            seed.to_str()
                .and_then(|seed| seed.parse().ok())
                .expect("a seed is a number"),
        ],
        None => fixed.to_vec(),
    }
}

fn says(function: &str) -> &'static str {
    match function {
        "good" => "hello from release one",
        "changed" => "hello from release two",
        other => panic!("no function {other}"),
    }
}

/// The end that every command has to leave, by the product's word and by the cloud's.
fn assert_settled(project: &Project, wire: &Wire<'_>) -> String {
    assert_eq!(wire.traffic("prod").left_over(), None);
    let status = project.run(&["status", "--json"]).expect(0).json().remove(0);
    assert_eq!(status["apis"][0]["as_recorded"], true, "{status:#}");
    assert_eq!(status["open"], Value::Null, "{status:#}");
    assert_eq!(status["lock"], Value::Null, "{status:#}");
    status["live"]["tag"].as_str().expect("something is live").to_owned()
}

/// What is started from now on takes the lock for so long.
fn lease(project: &Project, ledger: &str, lease: &str) {
    let rollout = format!("lock-lease = '{lease}'\n{ROLLOUT}");
    let text = settings(&rollout, ledger).replace("'3s'", "'500ms'");
    project.write("llama-deploy.toml", &text);
}

fn killed_anywhere(ledger: &str, seeds: &[u64]) {
    let project = Project::service();
    lease(&project, ledger, LIVES);
    let wire = Wire::between(&project);
    project.make_bucket("ledger-of-a-test");
    project.run(&["deploy", "--blue-green", "--tag", "good"]).expect(0);
    let url = format!("{}/hello", wire.traffic("prod").live_url);
    let traffic = Poller::start(&url);
    let mut functions = ["changed", "good"].iter().cycle();
    for &seed in seeds {
        let (point, fault, verb) = choice(seed);
        let function = *functions.next().expect("it goes round");
        project.function(function);
        wire.rule(point.rule(fault));
        lease(&project, ledger, DIES);
        let status = wire.start(&["deploy", "--blue-green", "--tag", function]).wait();
        lease(&project, ledger, LIVES);
        let calls = wire.calls();
        let last = calls.last().map(ToString::to_string).unwrap_or_default();
        println!("LLAMA_KILL_SEED={seed}: {fault:?} at {point:?} and {verb}, ended with {status} at {last}");
        if status.success() {
            // The deploy had fewer calls than that.
            continue;
        }
        // A machine that stands still for longer than the lease stops it at its fence, which has to be as good.
        assert!(matches!(status.code(), None | Some(4)), "it was not killed");
        let settled = project.run(&[verb, "local"]);
        // Killed before anything was begun there may be nothing to carry on, or to go back to.
        assert!(
            settled.status == Some(0) || settled.stderr.contains("error[LD0506]"),
            "{}",
            settled.stderr
        );
        let live = assert_settled(&project, &wire);
        assert_eq!(
            get(&url).expect("an answer"),
            (200, says(&live).to_owned()),
            "{}",
            settled.stderr
        );
    }
    let last = project.run(&["deploy", "--blue-green", "--tag", "good"]);
    assert!(matches!(last.status, Some(0)), "{}", last.stderr);
    assert_settled(&project, &wire);
    let answers = traffic.stop();
    let wrong: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status != 200 || ![says("good"), says("changed")].contains(&answer.body.as_str()))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} answers: {:?}",
        wrong.len(),
        answers.len(),
        wrong.first()
    );
}

#[test]
fn a_deploy_that_is_killed_anywhere_is_settled_and_no_request_is_lost() {
    killed_anywhere("", &seeds(&[17, 11, 5]));
}

#[test]
fn also_with_a_ledger_in_a_bucket() {
    killed_anywhere("ledger = 's3://ledger-of-a-test/ledger'", &seeds(&[40, 21, 14]));
}
