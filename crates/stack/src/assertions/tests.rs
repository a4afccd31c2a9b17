use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;

use super::*;

fn template() -> Template {
    Template::from_json(json!({
        "Resources": {
            "Jobs": { "Type": "AWS::SQS::Queue", "Properties": {
                "QueueName": "jobs", "VisibilityTimeout": 30, "Tags": [{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "2" }]
            } },
            "Mails": { "Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain", "Properties": { "QueueName": "mails" } },
            "Board": { "Type": "AWS::CloudWatch::Dashboard", "Properties": { "DashboardBody": "{\"widgets\":[1,2]}" } },
            "Plain": { "Type": "AWS::SNS::Topic" }
        },
        "Outputs": { "Url": { "Value": { "Ref": "Jobs" }, "Export": { "Name": "url" } } }
    }))
}

fn message(assertion: impl FnOnce(&Template)) -> String {
    let template = template();
    let panic = catch_unwind(AssertUnwindSafe(|| assertion(&template))).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

const QUEUE: &str = "AWS::SQS::Queue";

#[test]
fn what_holds_passes() {
    let template = template();
    template.resource_count_is(QUEUE, 2);
    template.resource_count_is("AWS::S3::Bucket", 0);
    template.has_resource(QUEUE, json!({ "DeletionPolicy": "Retain" }));
    template.has_resource_properties(QUEUE, json!({ "VisibilityTimeout": 30.0 }));
    template.has_resource_properties(QUEUE, json!({ "Tags": [{ "Key": "a" }, { "Value": "2" }] }));
    template.has_resource_properties(
        QUEUE,
        Match::object_like([("Tags", Match::array_with([json!({ "Key": "b" })]))]),
    );
    template.has_resource_properties(
        QUEUE,
        Match::object_equals([("QueueName", Match::string_like_regexp("^m.*s$"))]),
    );
    template.has_resource_properties(
        QUEUE,
        Match::object_like([("Tags", Match::absent()), ("QueueName", Match::not("jobs"))]),
    );
    template.has_resource_properties(
        "AWS::CloudWatch::Dashboard",
        Match::object_like([("DashboardBody", Match::serialized_json(json!({ "widgets": [1, 2] })))]),
    );
    template.has_resource("AWS::SNS::Topic", Match::exact(json!({ "Type": "AWS::SNS::Topic" })));
    template.has_output("Url", json!({ "Export": { "Name": "url" } }));
    template.has_output("*", Match::any());
    template.all_resources(QUEUE, json!({ "Properties": {} }));
    template.resource_properties_count_is(QUEUE, json!({ "QueueName": "jobs" }), 1);
    assert_eq!(template.find_resources(QUEUE, Match::any()).len(), 2);
}

#[test]
fn the_nearest_is_shown_with_marks() {
    let text = message(|template| {
        template.has_resource_properties(
            QUEUE,
            json!({ "QueueName": "jobs", "VisibilityTimeout": 60, "FifoQueue": true, "Tags": [{ "Key": "a", "Value": "9" }] }),
        );
    });
    insta::assert_snapshot!(text, @r#"
    no AWS::SQS::Queue has properties that match; the nearest of 2 is `Jobs`, with 4 difference(s):
        {
          "QueueName": "jobs",
     !!   "VisibilityTimeout": 30,   <- expected 60
          "Tags": [
            {
              "Key": "a",
     !!       "Value": "1"   <- expected "9"
            },
     !!     {   <- expected nothing
              "Key": "b",
              "Value": "2"
            }
          ]
     !!   "FifoQueue": (missing)   <- expected true
        }
    "#);
}

#[test]
fn counts_and_missing_entries_name_what_there_is() {
    let text = message(|template| template.resource_count_is(QUEUE, 3));
    assert_eq!(text, "there are 2 AWS::SQS::Queue, not 3: Jobs, Mails");
    let text = message(|template| template.has_output("Arn", Match::any()));
    assert_eq!(text, "there is no output `Arn`; there are Url");
    let text = message(|template| template.has_resource("AWS::S3::Bucket", Match::any()));
    assert_eq!(text, "no AWS::S3::Bucket matches: there is none at all");
}

#[test]
fn captures_are_taken_from_what_matched_only() {
    let (name, tag) = (Capture::new(), Capture::new());
    template().has_resource_properties(
        QUEUE,
        Match::object_like([
            ("QueueName", Match::capture(&name)),
            (
                "Tags",
                Match::array_with([Match::object_like([
                    ("Key", "b".into()),
                    ("Value", Match::capture(&tag)),
                ])]),
            ),
        ]),
    );
    assert_eq!((name.text(), tag.values()), ("jobs".to_owned(), vec![json!("2")]));
}

#[test]
fn a_subsequence_keeps_its_order() {
    let two = |first: &str, second: &str| {
        let tags = [json!({ "Key": first }), json!({ "Key": second })];
        Match::object_like([("Properties", Match::object_like([("Tags", Match::array_with(tags))]))])
    };
    assert_eq!(template().find_resources(QUEUE, two("a", "b")).len(), 1);
    assert_eq!(template().find_resources(QUEUE, two("b", "a")).len(), 0);
    assert_eq!(template().find_resources(QUEUE, two("a", "a")).len(), 0);
}

#[test]
fn a_snapshot_leaves_out_what_follows_from_content() {
    let with = |fill: char| {
        let fingerprint = fill.to_string().repeat(64);
        let version = format!("FCurrentVersionABCDEF12{}", fill.to_string().repeat(32));
        Template::from_json(json!({ "Resources": {
            version: { "Type": "AWS::Lambda::Version" },
            "F": { "Key": format!("{fingerprint}.zip"), "Other": fingerprint }
        } }))
        .snapshot()
    };
    assert_eq!(with('a'), with('0'));
    assert!(with('a').contains("\"<asset 1>.zip\""), "{}", with('a'));
    assert!(with('a').contains("FCurrentVersionABCDEF12<content>"), "{}", with('a'));
}

#[test]
fn a_stack_is_rendered_without_writing_anything() {
    let app = crate::App::new("/nonexistent/never-written");
    let stack = crate::Stack::new(&app, "S").build();
    let queue = crate::sqs::Queue::new(&stack, "Q").build();
    Template::of(&queue).resource_count_is(QUEUE, 1);
    crate::sqs::Queue::new(&stack, "Q").build();
    let failed = catch_unwind(AssertUnwindSafe(|| Template::of(&stack)));
    let text = failed.unwrap_err().downcast_ref::<String>().unwrap().clone();
    assert!(text.contains("LD1001"), "{text}");
}
