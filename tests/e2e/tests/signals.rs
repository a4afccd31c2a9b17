//! What Ctrl-C, SIGINT and SIGTERM do to a rollout and to the deletion of stacks. The command is held at one of its calls
//! while they arrive, so that nothing depends on how fast it is.

use e2e::{Among, Call, Point, Project, Terminal, Wire, settings};
use serde_json::{Value, json};

const DEPLOY: [&str; 2] = ["deploy", "--blue-green"];
const FIRST_SHIFT: Point = Point {
    among: Among::Shifts,
    number: 0,
};
const SECOND_SHIFT: Point = Point {
    among: Among::Shifts,
    number: 1,
};

fn is_shift(call: &Call) -> bool {
    call.is_change && call.operation.ends_with("/stages/prod")
}

/// A service with one release that is live, and a second one as code.
fn service() -> Project {
    let project = Project::service();
    project.run(&DEPLOY).expect(0);
    project.function("changed");
    project
}

fn status(project: &Project) -> Value {
    project.run(&["status", "--json"]).expect(0).json().remove(0)
}

/// The first release has all traffic, nothing is open, and the lock is free.
#[track_caller]
fn assert_turned_back(project: &Project, wire: &Wire<'_>) {
    assert_eq!(wire.traffic("prod").left_over(), None);
    let status = status(project);
    assert_eq!(status["live"]["number"], 1, "{status:#}");
    assert_eq!(status["open"], Value::Null, "{status:#}");
    assert_eq!(status["lock"], Value::Null, "{status:#}");
}

/// The rollout is open with its canary as it was, and nobody holds the lock.
#[track_caller]
fn assert_handed_over(project: &Project, wire: &Wire<'_>) {
    assert!(wire.traffic("prod").left_over().is_some(), "the shift is gone");
    let status = status(project);
    assert_eq!(status["open"]["rollout"], 2, "{status:#}");
    assert_eq!(status["lock"], Value::Null, "{status:#}");
}

#[test]
fn a_cancelled_job_turns_back_and_at_the_second_signal_hands_over() {
    let project = service();
    let wire = Wire::between(&project);
    let held = wire.hold(FIRST_SHIFT);
    let deploy = wire.start(&DEPLOY);
    held.wait();
    deploy.signal("-INT");
    let deploy = deploy.wait_for("interrupted: turning the traffic back");
    deploy.signal("-TERM");
    let deploy = deploy.wait_for("terminated: finishes what is under way and hands over");
    held.release();
    deploy.expect(130);
    assert_handed_over(&project, &wire);
    // The lock is free, so this waits for nobody; the wish to turn back is in the journal.
    let begun = project.run(&["rollback", "local"]).expect(0);
    assert!(!begun.stderr.contains("is locked by"), "{}", begun.stderr);
    assert_turned_back(&project, &wire);
}

#[test]
fn a_third_signal_ends_at_once_and_the_next_command_settles_it() {
    let project = service();
    let wire = Wire::between(&project);
    let held = wire.hold(FIRST_SHIFT);
    let deploy = wire.start(&DEPLOY);
    held.wait();
    deploy.signal("-INT");
    let deploy = deploy.wait_for("turning the traffic back");
    deploy.signal("-INT");
    let deploy = deploy.wait_for("hands over");
    deploy.signal("-INT");
    // It ends although its call has no answer.
    deploy.expect(130);
    held.release();
    let settled = project.run(&["rollback", "local"]).expect(0);
    assert!(settled.stderr.contains("unfinished"), "{}", settled.stderr);
    assert_turned_back(&project, &wire);
}

#[test]
fn on_a_terminal_the_first_control_c_asks() {
    let project = service();
    let wire = Wire::between(&project);
    let held = wire.hold_at(is_shift);
    let mut terminal = Terminal::start(&project.command(&DEPLOY));
    held.wait();
    terminal.control_c();
    terminal.wait_for("turn the traffic back, go on, or leave it");
    terminal.type_in("perhaps\n");
    terminal.wait_for("turn the traffic back, go on, or leave it");
    terminal.type_in("g\n");
    terminal.wait_for("going on");
    held.step();
    held.wait();
    terminal.control_c();
    terminal.wait_for("turn the traffic back, go on, or leave it");
    terminal.type_in("t\n");
    terminal.wait_for("turning the traffic back");
    held.release();
    terminal.wait_for("aborted: interrupted");
    assert_eq!(terminal.wait().code(), Some(130));
    assert_turned_back(&project, &wire);
}

#[test]
fn on_a_terminal_a_rollout_can_be_left_for_later() {
    let project = service();
    let wire = Wire::between(&project);
    let held = wire.hold(SECOND_SHIFT);
    let mut terminal = Terminal::start(&project.command(&DEPLOY));
    held.wait();
    terminal.control_c();
    terminal.wait_for("turn the traffic back, go on, or leave it");
    terminal.type_in("l\n");
    terminal.wait_for("hands over to `resume`");
    held.release();
    assert_eq!(terminal.wait().code(), Some(130));
    assert_handed_over(&project, &wire);
}

/// What is typed at a question is its answer, so no second one is put beside it: the first signal already turns back.
#[test]
fn a_signal_while_an_approval_is_asked_for_does_not_wait_for_the_answer() {
    let project = service();
    let text = settings("", "approval = 'any'");
    project.write("llama-deploy.toml", &text);
    let mut terminal = Terminal::start(&project.command(&DEPLOY));
    terminal.wait_for("deploy Service? [y/N]");
    terminal.control_c();
    terminal.wait_for("interrupted: turning the traffic back");
    terminal.wait_for("before the change of Service was approved");
    assert_eq!(terminal.wait().code(), Some(130));
    let status = status(&project);
    assert_eq!(status["live"]["number"], 1, "{status:#}");
    assert_eq!(status["open"], Value::Null, "{status:#}");
    assert_eq!(status["lock"], Value::Null, "{status:#}");
}

/// Two stacks, of which `User` goes first.
fn stacks() -> Project {
    let base = json!({
        "Resources": { "Topic": { "Type": "AWS::SNS::Topic" } },
        "Outputs": { "Topic": { "Value": { "Ref": "Topic" }, "Export": { "Name": "Base:Topic" } } }
    });
    let user = json!({ "Resources": { "Parameter": { "Type": "AWS::SSM::Parameter", "Properties": {
        "Type": "String", "Value": { "Fn::ImportValue": "Base:Topic" }
    } } } });
    let project = Project::of_templates(&[("Base", &[], base), ("User", &["Base"], user)]);
    project.run(&["deploy"]).expect(0);
    project
}

fn standing(project: &Project) -> Vec<&'static str> {
    let answer = project.call("cloudformation", "Action=DescribeStacks&Version=2010-05-15");
    let stands = |name: &&str| answer.contains(&format!("<StackName>{name}</StackName>"));
    ["Base", "User"].into_iter().filter(stands).collect()
}

fn is_deletion(call: &Call) -> bool {
    call.operation == "DeleteStack"
}

#[test]
fn an_interrupted_deletion_ends_the_stack_that_it_began_and_no_other() {
    let project = stacks();
    let wire = Wire::between(&project);
    let held = wire.hold_at(is_deletion);
    let destroy = wire.start(&["destroy", "--yes"]);
    held.wait();
    destroy.signal("-INT");
    let destroy = destroy.wait_for("interrupted: waits for the deletion of User and begins no other stack");
    held.release();
    assert_eq!(destroy.wait().code(), Some(130));
    assert_eq!(standing(&project), ["Base"]);
    project.run(&["destroy", "--yes"]).expect(0);
    assert_eq!(standing(&project), [""; 0]);
}

#[test]
fn the_second_interrupt_leaves_a_deletion_to_cloudformation() {
    let project = stacks();
    let wire = Wire::between(&project);
    // The deletion has been asked for; what held is the first look at how it goes.
    let mut asked = false;
    let held = wire.hold_at(move |call| {
        let is_look = asked && !is_deletion(call);
        asked |= is_deletion(call);
        is_look
    });
    let destroy = wire.start(&["destroy", "--yes"]);
    held.wait();
    destroy.signal("-TERM");
    let destroy = destroy.wait_for("waits for the deletion of User");
    destroy.signal("-TERM");
    let destroy = destroy.wait_for("terminated twice: nothing more is done here");
    assert_eq!(destroy.wait().code(), Some(130));
    held.release();
    // The same command follows what goes on and deletes the rest.
    project.run(&["destroy", "--yes"]).expect(0);
    assert_eq!(standing(&project), [""; 0]);
}
