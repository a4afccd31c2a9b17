//! What happens between the last line of an app and its templates: aspects, warnings, limits.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::cell::RefCell;
use std::rc::Rc;

use cfn::Expr;
use serde_json::{Value as Json, json};
use stack::assertions::Template;
use stack::sns::Topic;
use stack::sqs::Queue;
use stack::{App, Aspects, CfnOutput, CfnParameter, CfnResource, Construct, Scope, Stack, Stage};

fn app() -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (App::new(folder.path().join("out")), folder)
}

fn queues(scope: &impl Scope, count: usize) {
    for index in 0..count {
        CfnResource::new(scope, format!("Q{index}"), cfn::sqs::Queue::new());
    }
}

#[test]
fn an_aspect_visits_everything_and_what_it_adds_once() {
    let (app, _folder) = app();
    let stage = Stage::new(&app, "Prod").build();
    let stack = Stack::new(&stage, "S").build();
    Queue::new(&stack, "Jobs").build();
    let seen: Rc<RefCell<Vec<String>>> = Rc::default();
    let note = Rc::clone(&seen);
    Aspects::of(&app)
        .add_with_priority(Aspects::READONLY, move |construct| {
            note.borrow_mut().push(construct.path())
        })
        .add(|construct| {
            if let Some(queue) = construct.as_resource("AWS::SQS::Queue") {
                queue.set("KmsMasterKeyId", Some(Expr::text("alias/queues")));
                let parent = construct.parent().unwrap();
                if parent.find_child("Alerts").is_none() {
                    Topic::new(&parent, "Alerts").build();
                }
            }
        });
    let assembly = app.synth().unwrap();
    let template = assembly.stack("Prod-S").unwrap().template.to_json().unwrap();
    let resources = template["Resources"].as_object().unwrap();
    assert_eq!(resources.len(), 2);
    assert!(
        resources
            .values()
            .any(|queue| queue["Properties"]["KmsMasterKeyId"] == "alias/queues")
    );
    assert_eq!(
        *seen.borrow(),
        [
            "",
            "Prod",
            "Prod/S",
            "Prod/S/Jobs",
            "Prod/S/Jobs/Resource",
            "Prod/S/Jobs/Alerts",
            "Prod/S/Jobs/Alerts/Resource"
        ]
    );
}

#[test]
fn rendering_again_visits_nothing_twice_and_forgets_no_error() {
    let (app, _folder) = app();
    let stack = Stack::new(&app, "S").build();
    Aspects::of(&stack).add(|construct| {
        if construct.path() == "S" {
            Topic::new(construct, "Alerts").build();
        }
    });
    for _ in 0..2 {
        Template::of(&stack).resource_count_is("AWS::SNS::Topic", 1);
    }
    stack.construct().report("wrong");
    assert!(app.synth().is_err());
    assert!(
        app.synth()
            .unwrap_err()
            .to_string()
            .contains("was wrong when it was synthesized before")
    );
}

#[test]
fn an_aspect_without_an_end_is_stopped() {
    let (app, _folder) = app();
    Aspects::of(&app).add(|construct| {
        if construct.find_child("Deeper").is_none() {
            Construct::new(construct, "Deeper");
        }
    });
    assert!(app.synth().unwrap_err().to_string().contains("does not end"));
}

#[test]
fn an_aspect_may_refuse() {
    let (app, _folder) = app();
    let stack = Stack::new(&app, "S").build();
    Queue::new(&stack, "Jobs").build();
    Aspects::of(&stack).add(|construct| {
        if let Some(queue) = construct.as_resource("AWS::SQS::Queue")
            && queue.property("QueueName").is_none()
        {
            construct.report("queues have names here");
        }
    });
    let errors = app.synth().unwrap_err().to_string();
    assert!(errors.contains("`S/Jobs/Resource`: queues have names here"), "{errors}");
}

#[test]
fn a_warning_is_returned_and_lies_in_the_manifest_as_the_cdks_do() {
    let (app, folder) = app();
    let stack = Stack::new(&app, "S").build();
    let queue = Queue::new(&stack, "Jobs").build();
    queue.resource().construct().warn("no dead-letter queue");
    queue.resource().construct().warn("no dead-letter queue");
    let assembly = app.synth().unwrap();
    let [warning] = assembly.warnings.as_slice() else {
        panic!("{:?}", assembly.warnings)
    };
    assert_eq!(
        (warning.construct.as_str(), warning.message.as_str()),
        ("S/Jobs/Resource", "no dead-letter queue")
    );
    let manifest: Json =
        serde_json::from_slice(&std::fs::read(folder.path().join("out/manifest.json")).unwrap()).unwrap();
    let entries = &manifest["artifacts"]["S"]["metadata"]["/S/Jobs/Resource"];
    assert_eq!(entries[0]["type"], "aws:cdk:logicalId");
    assert_eq!(
        (&entries[1]["type"], &entries[1]["data"]),
        (&json!("aws:cdk:warning"), &json!("no dead-letter queue"))
    );
}

#[test]
fn five_hundred_resources_are_taken_with_a_warning_and_one_more_is_not() {
    let build = |count: usize| {
        let (app, _folder) = app();
        let stack = Stack::new(&app, "S").build();
        queues(&Construct::new(&stack, "Many"), count - 3);
        queues(&Construct::new(&stack, "Few"), 3);
        app.synth().map(|assembly| assembly.warnings).map_err(|errors| {
            (
                errors.iter().map(stack::Error::code).collect::<Vec<_>>(),
                errors.to_string(),
            )
        })
    };
    assert_eq!(build(400), Ok(Vec::new()));
    let warnings = build(500).unwrap();
    assert!(
        warnings[0].message.starts_with("500 resources of the 500"),
        "{warnings:?}"
    );
    let (codes, text) = build(501).unwrap_err();
    assert_eq!(codes, ["LD1016"]);
    assert!(
        text.contains("the largest are `Many` (498 resources), `Few` (3 resources)"),
        "{text}"
    );
}

#[test]
fn outputs_parameters_tags_and_size_have_limits() {
    let (app, folder) = app();
    let mut stack = Stack::new(&app, "S").description("x".repeat(1025));
    for index in 0..51 {
        stack = stack.tag(format!("k{index}"), "v".repeat(if index == 0 { 257 } else { 1 }));
    }
    let stack = stack.build();
    for index in 0..201 {
        CfnOutput::new(&stack, format!("O{index}"), "x").build();
        CfnParameter::new(&stack, format!("P{index}"), cfn::Parameter::default());
    }
    let text = "x".repeat(1024 * 1024);
    CfnResource::new(&stack, "Large", cfn::sqs::Queue::new().queue_name(text));
    let errors = app.synth().unwrap_err();
    assert!(!folder.path().join("out").exists());
    let text = errors.to_string();
    for expected in [
        "201 outputs, and CloudFormation takes 200",
        "202 parameters, and CloudFormation takes 200",
        "bytes of template, and CloudFormation takes 1048576",
        "51 tags",
        "the tag `k0` is too long",
        "its description has 1025 bytes",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert_eq!(errors.iter().count(), 6, "{text}");
}

#[test]
fn indentation_does_not_make_a_template_too_large() {
    let (app, folder) = app();
    let stack = Stack::new(&app, "S").build();
    let deep = (0..300).fold(json!("x"), |inner, _| json!({ "a": inner }));
    let properties = Expr::from(json!((0..40).map(|_| deep.clone()).collect::<Vec<_>>()));
    let resource = CfnResource::raw(&stack, "Deep", cfn::Resource::new("Custom::Deep"));
    resource.set("List", Some(properties));
    app.synth().unwrap();
    let text = std::fs::read_to_string(folder.path().join("out/S.template.json")).unwrap();
    assert!(text.len() < 1024 * 1024 && !text.contains('\n'), "{}", text.len());
}
