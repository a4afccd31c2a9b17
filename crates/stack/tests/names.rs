//! Logical ids: constructs that move keep them, and no two resources ever share one silently.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use proptest::prelude::*;
use serde_json::Value as Json;
use stack::ec2::{SecurityGroup, Vpc};
use stack::sns::Topic;
use stack::sqs::Queue;
use stack::{App, CfnOutput, CfnResource, Construct, Errors, Scope, Stack};

fn app() -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (App::new(folder.path().join("out")), folder)
}

fn synth(build: impl FnOnce(&Stack)) -> Result<Json, Errors> {
    let (app, _folder) = app();
    build(&Stack::new(&app, "S").build());
    app.synth()
        .map(|assembly| assembly.stack("S").unwrap().template.to_json().unwrap())
}

/// The section as pairs in the order of their names: moving may change the order of a template.
fn sorted(template: &Json) -> Vec<(String, Json)> {
    let mut resources: Vec<_> = template["Resources"].as_object().unwrap().clone().into_iter().collect();
    resources.sort_by(|(a, _), (b, _)| a.cmp(b));
    resources
}

fn codes(errors: &Errors) -> Vec<&str> {
    errors.iter().map(stack::Error::code).collect()
}

#[test]
fn a_resource_and_a_whole_scope_keep_their_ids() {
    let before = synth(|stack| {
        let old = Construct::new(stack, "Old");
        let topic = Topic::new(&old, "Topic").build();
        let queue = Queue::new(&old, "Jobs").build();
        CfnOutput::new(stack, "Topic", topic.topic_arn()).build();
        queue.construct().add_dependency(&topic);
    });
    let after = synth(|stack| {
        let group = Construct::new(stack, "Group");
        let new = Construct::new(&group, "New");
        new.moved_from("Old");
        let topic = Topic::new(&new, "Topic").build();
        let queue = Queue::new(stack, "RenamedJobs").build();
        queue.construct().moved_from("Old/Jobs");
        CfnOutput::new(stack, "Topic", topic.topic_arn()).build();
        queue.construct().add_dependency(&topic);
    });
    assert_eq!(sorted(&before.unwrap()), sorted(&after.unwrap()));
}

#[test]
fn names_that_are_taken_while_building_are_kept_when_the_move_is_said_before() {
    let make = |scope: &Construct, id: &str| {
        let vpc = Vpc::new(scope, id).max_azs(1).build();
        SecurityGroup::new(&vpc, "Group", &vpc).build();
    };
    let before = synth(|stack| make(&Construct::new(stack, "Net"), "Vpc"));
    let after = synth(|stack| {
        stack.construct().moved_child("Network", "Net/Vpc");
        make(stack.construct(), "Network");
    });
    assert_eq!(sorted(&before.unwrap()), sorted(&after.unwrap()));

    let errors = synth(|stack| {
        let vpc = Vpc::new(stack, "Network").max_azs(1).build();
        vpc.construct().moved_from("Net/Vpc");
    });
    let errors = errors.unwrap_err();
    assert_eq!(codes(&errors), ["LD1015"]);
    assert!(
        errors.to_string().contains("moved_child(\"Network\", \"Net/Vpc\")"),
        "{errors}"
    );
}

#[test]
fn two_constructs_may_change_places() {
    let build = |swapped: bool| {
        synth(move |stack| {
            let make = |id: &str, name: &str| Queue::new(stack, id).queue_name(name).build();
            if swapped {
                make("A", "b").construct().moved_from("B");
                make("B", "a").construct().moved_from("A");
            } else {
                make("A", "a");
                make("B", "b");
            }
        })
        .unwrap()
    };
    assert_eq!(sorted(&build(false)), sorted(&build(true)));
}

#[test]
fn a_construct_may_be_wrapped_in_a_scope_of_its_name() {
    let before = synth(|stack| {
        Queue::new(stack, "Jobs").build();
    });
    let after = synth(|stack| {
        let scope = Construct::new(stack, "Jobs");
        Queue::new(&scope, "Queue").build().construct().moved_from("Jobs");
    });
    assert_eq!(sorted(&before.unwrap()), sorted(&after.unwrap()));
}

/// Makes it, and what the error says.
type WrongMove = (fn(&Stack), &'static str);

#[test]
fn wrong_moves_are_refused() {
    let problem = |build: fn(&Stack)| {
        let errors = synth(build).unwrap_err();
        assert!(codes(&errors).iter().all(|code| *code == "LD1015"), "{errors}");
        assert!(
            errors
                .iter()
                .all(|error| error.location().unwrap().file().ends_with("names.rs"))
        );
        errors.to_string()
    };
    let cases: [WrongMove; 7] = [
        (
            |stack| {
                Queue::new(stack, "Old").build();
                Queue::new(stack, "New").build().construct().moved_from("Old");
            },
            "`S/Old/Resource` stands there now",
        ),
        (
            |stack| {
                Queue::new(stack, "One").build().construct().moved_from("Old");
                Queue::new(stack, "Two").build().construct().moved_from("Old");
            },
            "`S/One` comes from there too",
        ),
        (
            |stack| {
                let queue = Queue::new(stack, "One").build();
                queue.construct().moved_from("Old");
                queue.construct().moved_from("Older");
            },
            "it is said to come from `Old` already",
        ),
        (
            |stack| Queue::new(stack, "One").build().construct().moved_from("One"),
            "it stands there still",
        ),
        (
            |stack| Queue::new(stack, "One").build().construct().moved_from("/Two"),
            "that is no path",
        ),
        (
            |stack| stack.construct().moved_from("Two"),
            "only what stands in a stack can move",
        ),
        (
            |stack| stack.construct().moved_child("Never", "Two"),
            "nothing was made in it as `Never`",
        ),
    ];
    for (build, expected) in cases {
        let text = problem(build);
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_path_that_begins_with_the_stack_is_doubted() {
    let (app, _folder) = app();
    let stack = Stack::new(&app, "S").build();
    Queue::new(&stack, "One").build().construct().moved_from("S/Two");
    let warnings = app.synth().unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains("leave that out"), "{}", warnings[0]);
}

#[test]
fn an_id_that_synthesis_itself_needs_is_not_overwritten() {
    let taken = |id: &'static str| {
        let errors = synth(|stack| {
            Queue::new(stack, "Q").build().resource().override_logical_id(id);
        });
        codes(&errors.unwrap_err()).join(" ")
    };
    assert_eq!(taken("BootstrapVersion"), "LD1002");
    assert_eq!(taken("CheckBootstrapVersion"), "LD1002");

    let (app, _folder) = app();
    let producer = Stack::new(&app, "P").build();
    let topic = Topic::new(&producer, "T").build();
    topic.resource().override_logical_id("T");
    CfnOutput::new(&producer, "Mine", "x")
        .build()
        .override_logical_id("ExportsOutputRefT1B7F69AB");
    let consumer = Stack::new(&app, "C").build();
    CfnOutput::new(&consumer, "Arn", topic.topic_arn()).build();
    assert_eq!(codes(&app.synth().unwrap_err()), ["LD1002"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Ids of few letters and of symbols that logical ids leave out, three levels deep: many come out the same.
    #[test]
    fn logical_ids_never_collide_silently(paths in prop::collection::vec(prop::collection::vec("[ab. _-]{1,3}|Default|Resource", 1..4), 1..20)) {
        let (app, _folder) = app();
        let stack = Stack::new(&app, "S").build();
        let mut made = 0;
        for path in &paths {
            let (last, scopes) = path.split_last().unwrap();
            let mut scope = stack.construct().clone();
            for id in scopes {
                scope = scope.find_child(id).unwrap_or_else(|| Construct::new(&scope, id.as_str()));
            }
            if scope.find_child(last).is_none() {
                CfnResource::new(&scope, last.as_str(), cfn::sqs::Queue::new());
                made += 1;
            }
        }
        match app.synth() {
            Ok(assembly) => prop_assert_eq!(assembly.stack("S").unwrap().template.resources.len(), made),
            Err(errors) => prop_assert!(errors.iter().all(|error| ["LD1002", "LD1004"].contains(&error.code())), "{}", errors),
        }
    }

    /// Whatever is said about moves, either the resources have the ids of their old places, or it is refused.
    #[test]
    fn a_move_keeps_the_ids_or_is_refused(old in prop::collection::vec("[a-c]{1,2}", 1..4), new in prop::collection::vec("[a-c]{1,2}", 1..4), stays in "[a-c]{1,2}") {
        let build = |path: &[String], moved: Option<&str>| synth(|stack| {
            let (last, scopes) = path.split_last().unwrap();
            let mut scope = stack.construct().clone();
            for id in scopes {
                scope = Construct::new(&scope, id.as_str());
            }
            let queue = Queue::new(&scope, last.as_str()).build();
            if let Some(moved) = moved {
                queue.construct().moved_from(moved);
            }
            let other = Construct::new(stack, "Other");
            Topic::new(&other, stays.as_str()).build();
        });
        let before = build(&old, None).unwrap();
        match build(&new, Some(&old.join("/"))) {
            Ok(after) => prop_assert_eq!(sorted(&before), sorted(&after)),
            Err(errors) => {
                prop_assert_eq!(codes(&errors), ["LD1015"]);
                prop_assert_eq!(old, new);
            }
        }
    }
}
