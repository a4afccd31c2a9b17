//! What is wrong with an app comes out of synthesis typed, all of it at once, with the line of the app; and nothing is
//! written then.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use cfn::Expr;
use stack::ec2::{GatewayService, Vpc};
use stack::events::{Rule, Schedule};
use stack::iam::PolicyStatement;
use stack::lambda::{Code, Function, Runtime};
use stack::sns::{SubscriptionOptions, Topic};
use stack::sqs::Queue;
use stack::units::seconds;
use stack::{App, CfnOutput, Construct, Errors, Stack, Stage};

fn app() -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (App::new(folder.path().join("out")), folder)
}

fn errors(app: &App, folder: &tempfile::TempDir) -> Errors {
    let errors = app.synth().unwrap_err();
    assert!(!folder.path().join("out").exists(), "something was written");
    for error in errors.iter() {
        assert!(
            error.location().unwrap().file().ends_with("errors.rs"),
            "{error}: {:?}",
            error.location()
        );
    }
    errors
}

fn codes(errors: &Errors) -> Vec<&str> {
    errors.iter().map(stack::Error::code).collect()
}

#[test]
fn an_id_that_is_taken() {
    let (app, folder) = app();
    let stack = Stack::new(&app, "S").build();
    Queue::new(&stack, "Jobs").build();
    Queue::new(&stack, "Jobs").build();
    let errors = errors(&app, &folder);
    assert_eq!(codes(&errors), ["LD1001"]);
    let text = errors.to_string();
    assert!(
        text.starts_with("error[LD1001]: there is already a construct `S/Jobs`, made at "),
        "{text}"
    );
    assert!(text.contains("\n  --> crates/stack/tests/errors.rs:"), "{text}");
}

#[test]
fn a_logical_id_that_is_taken_names_both_paths() {
    let (app, folder) = app();
    let stack = Stack::new(&app, "S").build();
    Queue::new(&stack, "One").build().resource().override_logical_id("Same");
    Topic::new(&stack, "Two").build().resource().override_logical_id("Same");
    let errors = errors(&app, &folder);
    assert_eq!(codes(&errors), ["LD1002"]);
    let text = errors.to_string();
    assert!(text.contains("`S/Two/Resource` and `S/One/Resource`"), "{text}");
}

#[test]
fn a_missing_artifact_and_everything_else_in_one_run() {
    let (app, folder) = app();
    let stack = Stack::new(&app, "S").build();
    let code = Code::asset(folder.path().join("not-built"));
    Function::new(&stack, "F", Runtime::provided_al2023(), code)
        .environment("AWS_REGION", "x")
        .build();
    Stack::new(&app, "not a name").build();
    let errors = errors(&app, &folder);
    assert_eq!(codes(&errors), ["LD1003", "LD1004", "LD1004"]);
    assert!(errors.to_string().contains("not-built`; build it first"), "{errors}");
}

#[test]
fn references_that_cannot_be() {
    let (app, folder) = app();
    let here = Stack::new(&app, "Here").env("111111111111", "eu-west-1").build();
    let there = Stack::new(&app, "There").env("111111111111", "us-east-1").build();
    let topic = Topic::new(&here, "T").build();
    CfnOutput::new(&there, "Arn", topic.topic_arn()).build();
    let stage = Stage::new(&app, "Prod").env("111111111111", "eu-west-1").build();
    let inside = Stack::new(&stage, "Inside").build();
    CfnOutput::new(&inside, "Arn", topic.topic_arn()).build();
    let errors = errors(&app, &folder);
    assert_eq!(codes(&errors), ["LD1006", "LD1007"]);
}

#[test]
fn stacks_in_a_circle() {
    let (app, folder) = app();
    let one = Stack::new(&app, "One").build();
    let two = Stack::new(&app, "Two").build();
    let (a, b) = (Topic::new(&one, "A").build(), Topic::new(&two, "B").build());
    CfnOutput::new(&one, "FromTwo", b.topic_arn()).build();
    CfnOutput::new(&two, "FromOne", a.topic_arn()).build();
    let errors = errors(&app, &folder);
    assert_eq!(codes(&errors), ["LD1009"]);
    assert!(errors.to_string().contains("One -> Two -> One"), "{errors}");
}

#[test]
fn a_dependency_on_what_contains_it() {
    let (app, folder) = app();
    let stack = Stack::new(&app, "S").build();
    let queue = Queue::new(&stack, "Q").build();
    stack::Scope::construct(&queue).add_dependency(&stack);
    assert_eq!(codes(&errors(&app, &folder)), ["LD1010"]);
}

#[test]
fn a_resource_outside_of_any_stack() {
    let (app, folder) = app();
    let loose = Construct::new(&app, "Loose");
    let queue = Queue::new(&loose, "Q").build();
    let stack = Stack::new(&app, "S").build();
    let url: Expr = queue.queue_url().into_expr();
    CfnOutput::new(&stack, "Url", url.cast::<String>()).build();
    assert_eq!(codes(&errors(&app, &folder)), ["LD1005"]);
}

#[test]
fn options_that_cannot_be_together() {
    let (app, folder) = app();
    let stack = Stack::new(&app, "S").build();
    Rule::new(&stack, "Never").build();
    Rule::new(&stack, "Bus")
        .event_bus("named")
        .schedule(Schedule::rate(seconds(30)))
        .build();
    let topic = Topic::new(&stack, "Topic").build();
    topic.subscribe_email("a@example.com", &SubscriptionOptions::new().raw_message_delivery());
    topic.subscribe_url("example.com", &SubscriptionOptions::new());
    let vpc = Vpc::new(&stack, "Vpc").build();
    vpc.add_gateway_endpoint("S3", GatewayService::S3)
        .build()
        .add_to_policy(PolicyStatement::allow(["s3:*"]).on_all());
    let errors = errors(&app, &folder);
    assert_eq!(codes(&errors), ["LD1004"; 6]);
    let text = errors.to_string();
    for expected in [
        "a rule needs a pattern of events or a schedule",
        "only the account's own bus has schedules",
        "a rate is a minute at least",
        "raw messages are delivered to queues and URLs only",
        "`example.com` begins with neither",
        "names its principals",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
