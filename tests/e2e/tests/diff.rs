//! What a change would do, before anything is deployed: beside another assembly, beside a file, and as a pipeline asks.

use e2e::Project;

/// An app that has one queue more.
const MORE: [&str; 2] = ["--context", "scenario=refused"];

#[test]
fn two_assemblies_are_compared_without_a_cloud() {
    let project = Project::service();
    project.run(&["synth", "--output", "before"]).expect(0);
    let same = project.run(&["diff", "--against", "before", "--fail"]).expect(0);
    assert_eq!(same.stdout, "Service: no difference\n0 of 1 stacks differ\n");

    let more = project
        .run(&[["diff", "--against"].as_slice(), &["before", "--fail"], &MORE].concat())
        .expect(1);
    let line = more
        .stdout
        .lines()
        .find(|line| line.contains("AWS::SQS::Queue"))
        .unwrap_or_default();
    assert!(
        line.starts_with("  + AWS::SQS::Queue Queue  ") && line.contains("src/app.rs:"),
        "{}",
        more.stdout
    );
    assert!(
        more.stdout.ends_with("1 of 1 stacks differ: 1 added\n"),
        "{}",
        more.stdout
    );
    // Nobody asked for colours.
    assert!(!more.stdout.contains('\u{1b}'));

    // The other way round, and as data.
    project
        .run(&[["synth", "--output", "after"].as_slice(), &MORE].concat())
        .expect(0);
    let less = project
        .run(&["diff", "--against", "after", "--json"])
        .expect(0)
        .json()
        .remove(0);
    let stack = &less["stacks"][0];
    assert_eq!(stack["diff"]["resources"][0]["change"], "remove");
    assert_eq!(
        (&stack["broadens"], &stack["destructive"]),
        (&false.into(), &true.into())
    );

    // No cloud was needed.
    project.run(&["local", "status"]).expect(1);
}

#[test]
fn a_template_file_may_be_yaml() {
    let project = Project::service();
    project.write(
        "old.yaml",
        "Resources:\n  Old:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Sub 'q-${AWS::Region}'\n",
    );
    let diff = project.run(&["diff", "Service", "--against", "old.yaml"]).expect(0);
    assert!(
        diff.stdout.contains("  - AWS::SQS::Queue Old  will be DELETED\n"),
        "{}",
        diff.stdout
    );
    assert!(
        diff.stdout.contains("Security: allows more than before"),
        "{}",
        diff.stdout
    );
    assert!(
        diff.stdout.contains("+ Allow   Service:lambda.amazonaws.com "),
        "{}",
        diff.stdout
    );
}

#[test]
fn what_is_deployed_is_compared_and_a_change_shows_its_line() {
    let project = Project::service();
    let new = project.run(&["diff"]).expect(0);
    assert!(new.stdout.starts_with("Service: a new stack\n"), "{}", new.stdout);
    project.run(&["deploy"]).expect(0);
    project.run(&["diff", "--fail"]).expect(0);
    project.run(&[["diff", "--fail"].as_slice(), &MORE].concat()).expect(1);
}
