//! Policies in an app: what they refuse, what they let through, and how it is excused.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use stack::policy::{Inspected, Pack, Rule, check};
use stack::sns::Topic;
use stack::sqs::Queue;
use stack::{App, CfnParameter, Construct, Scope, Stack};

fn app() -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (App::new(folder.path().join("out")), folder)
}

fn named_queues() -> Pack {
    Pack::new("acme").rule(
        Rule::resources("ACME001", "queues have names", |resource| {
            let lacks = resource.is("AWS::SQS::Queue") && resource.setting("QueueName").is_absent();
            lacks.then(|| "it has no name".to_owned())
        })
        .reason("nobody finds it in the console")
        .fix("name it"),
    )
}

#[test]
fn a_rule_of_ones_own_refuses_and_a_warning_is_let_through() {
    let (app, folder) = app();
    app.policy(Pack::security());
    app.policy(named_queues());
    let stack = Stack::new(&app, "S").build();
    Topic::new(&stack, "News").build();
    Queue::new(&stack, "Named").queue_name("q").build();
    let warnings = app.synth().unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0]
            .to_string()
            .contains("`S/News/Resource`: it is not encrypted (LDP104)"),
        "{}",
        warnings[0]
    );

    Queue::new(&stack, "Nameless").build();
    std::fs::remove_dir_all(folder.path().join("out")).unwrap();
    let errors = app.synth().unwrap_err();
    let text = errors.to_string();
    assert!(
        text.contains(
            "error[LD1017]: ACME001 at `S/Nameless/Resource`: it has no name; name it (nobody finds it in the console)"
        ),
        "{text}"
    );
    assert!(text.contains("policies.rs:"), "{text}");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_suppression_covers_everything_below_and_stands_in_the_template() {
    let (app, _folder) = app();
    app.policy(named_queues());
    let stack = Stack::new(&app, "S").build();
    let group = Construct::new(&stack, "Group");
    Queue::new(&group, "A").build();
    Queue::new(&group, "B").build();
    CfnParameter::new(
        &group,
        "Token",
        cfn::Parameter {
            type_name: "String".into(),
            ..cfn::Parameter::default()
        },
    );
    group.suppress("ACME001", "made by a migration");
    group.suppress("LDP701", "not a secret");
    let assembly = app.synth().unwrap();
    let template = assembly.stack("S").unwrap().template.to_json().unwrap();
    let inspected = Inspected {
        stack: "S",
        template: &template,
        origins: std::collections::BTreeMap::new(),
    };
    let findings = check(&[named_queues(), Pack::security()], &inspected);
    let excuses: Vec<_> = findings
        .iter()
        .map(|finding| (finding.rule.as_str(), finding.suppressed.as_deref()))
        .collect();
    assert_eq!(
        excuses,
        [
            ("LDP701", Some("not a secret")),
            ("ACME001", Some("made by a migration")),
            ("ACME001", Some("made by a migration"))
        ]
    );
}

#[test]
fn an_excuse_says_why_and_excuses_something() {
    let (app, _folder) = app();
    let stack = Stack::new(&app, "S").build();
    let queue = Queue::new(&stack, "Q").build();
    queue.construct().suppress("LDP103", " ");
    Construct::new(&stack, "Empty").suppress("LDP103", "nothing is in it");
    let text = app.synth().unwrap_err().to_string();
    assert!(
        text.contains("`S/Q`: the suppression of `LDP103` does not say why"),
        "{text}"
    );
    assert!(
        text.contains("`S/Empty`: the suppression of `LDP103` covers no resource"),
        "{text}"
    );
}

#[test]
fn a_suppression_without_a_finding_is_refused() {
    let (app, _folder) = app();
    app.policy(named_queues());
    let stack = Stack::new(&app, "S").build();
    let queue = Queue::new(&stack, "Q").queue_name("q").build();
    queue.construct().suppress("ACME001", "it had no name once");
    let text = app.synth().unwrap_err().to_string();
    assert!(
        text.contains("LDP000 at `S/Q`: the suppression of ACME001 at `S/Q` suppresses nothing"),
        "{text}"
    );
}
