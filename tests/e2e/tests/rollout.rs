//! The main job as a user sees it: releases, a bad one that is turned back, rollbacks, a run that is killed.

use e2e::{Background, Poller, Project, get};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Deploys and waits until stderr has a line with `marker`.
fn deploy_until(project: &Project, marker: &str) -> Background {
    project.start(&["deploy", "--blue-green"]).wait_for(marker)
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

fn time(record: &Value) -> Timestamp {
    let time = record["time"].as_str().expect("a record has a time");
    time.parse().expect("it is a time")
}

/// When the first record with such an event was written.
#[track_caller]
fn time_of(journal: &[Value], event: impl Fn(&Value) -> bool) -> Timestamp {
    let record = journal.iter().find(|record| event(&record["event"]));
    time(record.expect("the journal has such a record"))
}

#[test]
fn releases_are_promoted_and_a_rollback_switches_within_a_second() {
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

    // From the intent of the switch until it was read back and met by a request.
    let journal = project.journal(3);
    let switch = |kind: &str| {
        let of_kind =
            |event: &Value| event["kind"] == kind && (kind == "promoted" || event["effect"]["kind"] == "promote");
        time_of(&journal, of_kind)
    };
    let took = switch("promoted").duration_since(switch("intended"));
    assert!(
        took < SignedDuration::from_secs(1),
        "the switch of a rollback took {took:#}"
    );

    let history = project.run(&["history"]).expect(0).stdout;
    assert_eq!(history.lines().count(), 3, "{history}");
    assert!(history.contains("rollback to release 1"), "{history}");
}

#[test]
fn a_bad_release_is_turned_back_within_five_seconds_of_its_data() {
    let project = Project::service();
    project.run(&["deploy", "--blue-green"]).expect(0);
    let url = format!("{}/hello", project.live_url());
    project.function("failing");
    let poller = Poller::start(&url);
    let third = project.run(&["deploy", "--blue-green"]).expect(3);
    let turned_back = std::time::Instant::now();
    while get(&url).unwrap().0 == 0 {}
    let answers = poller.stop();
    assert!(third.stderr.contains("error[LD0504]"), "{}", third.stderr);
    assert!(
        third.stderr.contains("function errors of") || third.stderr.contains("API 5xx of"),
        "{}",
        third.stderr
    );
    let bad = answers.iter().filter(|answer| answer.status != 200).count();
    assert!(
        bad * 20 < answers.len(),
        "{bad} of {} answers were not 200: more than the canary's share",
        answers.len()
    );
    assert!(answers.iter().all(|answer| answer.status != 0), "an answer was lost");
    let late = answers.iter().filter(|answer| answer.at > turned_back);
    assert!(
        late.clone()
            .all(|answer| answer.status == 200 && answer.body.contains("release one")),
        "{:?}",
        late.collect::<Vec<_>>()
    );
    assert_eq!(assert_settled(&project)["live"]["number"], 1);

    // The gates are asked once a second, so what tipped the verdict came after the look before the last.
    let journal = project.journal(2);
    let looks: Vec<Timestamp> = journal
        .iter()
        .filter(|record| record["event"]["kind"] == "judged")
        .map(time)
        .collect();
    let data = match looks.as_slice() {
        [.., before, _] => *before,
        _ => time_of(&journal, |event| event["kind"] == "in_force"),
    };
    let verdict = journal.iter().rfind(|record| record["event"]["kind"] == "judged");
    assert_eq!(verdict.expect("a look")["event"]["judgement"]["verdict"], "fail");
    let took = time_of(&journal, |event| event["kind"] == "withdrawn").duration_since(data);
    assert!(
        took <= SignedDuration::from_secs(5),
        "from the data to weight 0 it took {took:#}"
    );

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
    deploy_until(&project, "has 10 % of the live traffic").kill();
    let rollback = project.run(&["rollback", "local"]).expect(0);
    assert!(
        rollback.stderr.contains("found rollout 2 unfinished"),
        "{}",
        rollback.stderr
    );
    assert_eq!(assert_settled(&project)["live"]["number"], 1);
    assert_eq!(get(&url).unwrap(), (200, "hello from release one".to_owned()));

    deploy_until(&project, "has 50 % of the live traffic").kill();
    let deploy = project.run(&["deploy", "--blue-green"]).expect(0);
    assert!(deploy.stderr.contains("unfinished"), "{}", deploy.stderr);
    assert_settled(&project);
    assert_eq!(get(&url).unwrap(), (200, "hello from release two".to_owned()));
}

#[test]
fn two_deploys_at_once_do_not_meet() {
    let project = Project::service();
    let first = deploy_until(&project, "smoke-testing slot");
    let second = project.run(&["deploy", "--blue-green"]).expect(4);
    assert!(second.stderr.contains("error[LD0501]"), "{}", second.stderr);
    assert!(first.wait().success());
    assert_settled(&project);
}

#[test]
fn an_interrupt_turns_the_traffic_back_before_the_end() {
    let project = Project::service();
    project.run(&["deploy", "--blue-green"]).expect(0);
    project.function("changed");
    let deploy = deploy_until(&project, "has 10 % of the live traffic");
    deploy.terminate();
    assert_eq!(deploy.wait().code(), Some(130));
    assert_eq!(assert_settled(&project)["live"]["number"], 1);
}
