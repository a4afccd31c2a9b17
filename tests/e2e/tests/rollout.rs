//! The main job as a user sees it: releases, a bad one that is turned back, rollbacks, a run that is killed.

use e2e::{Background, Poller, Project, get, settings};
use serde_json::Value;

/// Deploys and waits until stderr has a line with `marker`.
fn deploy_until(project: &Project, marker: &str) -> Background {
    project.start(&["deploy", "--blue-green"]).wait_for(marker)
}

/// Bakes of these lengths from now on. One of minutes is never over before the test has seen what it wants to see.
fn bakes(project: &Project, bakes: [&str; 3]) {
    let parts = settings("", "");
    let mut parts = parts.split("bake = '3s'");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (bake, part) in bakes.iter().zip(&mut parts) {
        text.push_str(&format!("bake = '{bake}'{part}"));
    }
    project.write("llama-deploy.toml", &text);
}

fn status(project: &Project) -> Value {
    project.run(&["status", "--json"]).expect(0).json().remove(0)
}

/// All traffic is on one slot, without canary settings, as the ledger says.
fn assert_settled(project: &Project) -> Value {
    let status = status(project);
    for api in status["apis"].as_array().expect("status lists the APIs") {
        assert_eq!(api["as_recorded"], true, "{status:#}");
        assert_eq!(api["traffic"]["canary"], Value::Null, "{status:#}");
    }
    assert_eq!(status["open"], Value::Null, "{status:#}");
    assert_eq!(status["lock"], Value::Null, "{status:#}");
    status
}

/// What the journal says about looks and moves, in order: `judged pass`, `shift`, `in_force`, `withdraw`, and so on.
fn looks_and_moves(journal: &[Value]) -> Vec<String> {
    let events = journal.iter().map(|record| &record["event"]);
    let told = events.filter_map(|event| {
        let kind = event["effect"]["kind"].as_str().or(event["kind"].as_str())?;
        match kind {
            "judged" => Some(format!("judged {}", event["judgement"]["verdict"].as_str()?)),
            "shift" | "in_force" | "promote" | "promoted" | "withdraw" | "withdrawn" => Some(kind.to_owned()),
            _ => None,
        }
    });
    told.collect()
}

/// Whether `hit` of `all` are few enough for a share of at most `share`, by six standard deviations: so many come by
/// chance less often than once in a million.
fn within_share(hit: usize, all: usize, share: f64) -> bool {
    let (hit, all) = (hit as f64, all as f64);
    hit <= 1.0 + all * share + 6.0 * (all * share * (1.0 - share)).sqrt()
}

#[test]
fn releases_are_promoted_and_a_rollback_is_one_switch() {
    let project = Project::service();
    project.run(&["deploy", "--blue-green"]).expect(0);
    let url = format!("{}/hello", project.live_url());
    assert_eq!(get(&url).unwrap(), (200, "hello from release one".to_owned()));

    project.function("changed");
    let second = project.run(&["deploy", "--blue-green", "--tag", "v2"]).expect(0);
    for share in ["10 %", "50 %", "100 %"] {
        assert!(
            second.stderr.contains(&format!("has {share} of the live traffic")),
            "{}",
            second.stderr
        );
    }
    assert_eq!(get(&url).unwrap(), (200, "hello from release two".to_owned()));
    assert_eq!(assert_settled(&project)["live"]["tag"], "v2");

    // The slot still holds release 1, so going back is one switch.
    let back = project.run(&["rollback", "local"]).expect(0);
    assert!(
        back.stderr.contains("back from release 2 to release 1") && back.stderr.contains("in one switch"),
        "{}",
        back.stderr
    );
    assert_eq!(get(&url).unwrap(), (200, "hello from release one".to_owned()));
    assert_eq!(assert_settled(&project)["live"]["number"], 1);

    assert_eq!(looks_and_moves(&project.journal(3)), ["promote", "promoted"]);

    let history = project.run(&["history"]).expect(0).stdout;
    assert_eq!(history.lines().count(), 3, "{history}");
    assert!(history.contains("rollback to release 1"), "{history}");
}

#[test]
fn a_bad_release_is_turned_back_by_the_first_look_that_finds_it() {
    let project = Project::service();
    project.run(&["deploy", "--blue-green"]).expect(0);
    let url = format!("{}/hello", project.live_url());
    project.function("failing");
    let poller = Poller::start(&url);
    let third = project.run(&["deploy", "--blue-green"]).expect(3);
    let turned_back = std::time::Instant::now();
    assert_eq!(get(&url).unwrap(), (200, "hello from release one".to_owned()));
    let answers = poller.stop();
    assert!(third.stderr.contains("error[LD0504]"), "{}", third.stderr);
    // Which of the gates that count errors has enough calls first is chance.
    assert!(third.stderr.contains("a gate was breached in step"), "{}", third.stderr);
    let counts_errors = ["function errors of", "API 5xx of", "errors against live of"];
    assert!(
        counts_errors.iter().any(|gate| third.stderr.contains(gate)),
        "{}",
        third.stderr
    );
    let bad = answers.iter().filter(|answer| answer.status != 200).count();
    assert!(
        within_share(bad, answers.len(), 0.1),
        "{bad} of {} answers were not 200: more than the canary's share",
        answers.len()
    );
    assert!(answers.iter().all(|answer| answer.status != 0), "an answer was lost");
    let late = answers.iter().filter(|answer| answer.began > turned_back);
    assert!(
        late.clone()
            .all(|answer| answer.status == 200 && answer.body.contains("release one")),
        "{:?}",
        late.collect::<Vec<_>>()
    );
    assert_eq!(assert_settled(&project)["live"]["number"], 1);

    // Nothing comes between the breach and the way back: no other look, no other step. How long it takes in seconds is
    // measured by `cargo xtask soak`.
    let told = looks_and_moves(&project.journal(2));
    let breach = told.iter().position(|told| told == "judged fail").expect("a breach");
    assert_eq!(&told[breach..], ["judged fail", "withdraw", "withdrawn"], "{told:?}");

    let history = project.run(&["history"]).expect(0).stdout;
    assert!(
        history
            .lines()
            .next()
            .expect("a line")
            .contains("release 2 (release-2) was turned back"),
        "{history}"
    );
}

#[test]
fn a_release_that_fails_its_smoke_check_never_gets_traffic() {
    let project = Project::service();
    project.run(&["deploy", "--blue-green"]).expect(0);
    let url = format!("{}/hello", project.live_url());
    project.function("broken");
    let poller = Poller::start(&url);
    let second = project.run(&["deploy", "--blue-green"]).expect(3);
    let answers = poller.stop();
    assert!(
        second.stderr.contains("error[LD0503]") && second.stderr.contains("hello"),
        "{}",
        second.stderr
    );
    assert!(
        !second.stderr.contains("has 10 % of the live traffic"),
        "{}",
        second.stderr
    );
    assert!(
        answers.iter().all(|answer| answer.status == 200),
        "live traffic reached a version that failed its check"
    );
    assert_eq!(assert_settled(&project)["live"]["number"], 1);
}

#[test]
fn a_deploy_that_is_killed_in_a_shift_is_settled_by_the_next_command() {
    let project = Project::service();
    project.run(&["deploy", "--blue-green"]).expect(0);
    let url = format!("{}/hello", project.live_url());

    project.function("changed");
    bakes(&project, ["10m", "1s", "1s"]);
    deploy_until(&project, "has 10 % of the live traffic").kill();
    let rollback = project.run(&["rollback", "local"]).expect(0);
    assert!(
        rollback.stderr.contains("found rollout 2 unfinished"),
        "{}",
        rollback.stderr
    );
    assert_eq!(assert_settled(&project)["live"]["number"], 1);
    assert_eq!(get(&url).unwrap(), (200, "hello from release one".to_owned()));

    bakes(&project, ["1s", "10m", "1s"]);
    deploy_until(&project, "has 50 % of the live traffic").kill();
    bakes(&project, ["1s", "1s", "1s"]);
    let deploy = project.run(&["deploy", "--blue-green"]).expect(0);
    assert!(deploy.stderr.contains("unfinished"), "{}", deploy.stderr);
    assert_settled(&project);
    assert_eq!(get(&url).unwrap(), (200, "hello from release two".to_owned()));
}

#[test]
fn two_deploys_at_once_do_not_meet() {
    let project = Project::service();
    // It holds the lock until somebody approves, also where it stands still for a while. The other one waits for a sign
    // of its life: for a third of the lease.
    project.write("llama-deploy.toml", &settings("lock-lease = '1m'", ""));
    let hold = project.start(&["deploy", "--blue-green", "--hold"]);
    let first = hold.wait_for("WAITING FOR APPROVAL");
    let second = project.run(&["deploy", "--blue-green"]).expect(4);
    assert!(second.stderr.contains("error[LD0501]"), "{}", second.stderr);
    project.run(&["approve", "local"]).expect(0);
    first.expect(0);
    assert_settled(&project);
}

#[test]
fn an_interrupt_turns_the_traffic_back_before_the_end() {
    let project = Project::service();
    project.run(&["deploy", "--blue-green"]).expect(0);
    project.function("changed");
    bakes(&project, ["10m", "1s", "1s"]);
    let deploy = deploy_until(&project, "has 10 % of the live traffic");
    deploy.terminate();
    deploy.expect(130);
    assert_eq!(assert_settled(&project)["live"]["number"], 1);
}
