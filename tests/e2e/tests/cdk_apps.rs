//! Apps that others wrote: each of the oracle's cases, synthesized by aws-cdk-lib in this very test, goes through
//! `list`, `diff` and `deploy`. The `cdk` CLI is the witness of what is listed and of what is deployed.

use e2e::{Project, post};
use serde_json::Value;

/// What the `cdk` CLI needs to take the embedded cloud for AWS.
fn variables(endpoint: &str) -> [(&str, &str); 4] {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ]
}

fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn stack_diffs(project: &Project) -> Vec<Value> {
    let diff = project.run(&["diff", "--json"]).expect(0).json().remove(0);
    diff["stacks"].as_array().expect("a list of stacks").clone()
}

/// Lists, diffs and deploys everything; a second deploy finds nothing to do. `stacks` and `resources` are the oracle's
/// own numbers.
fn deployed(case: &str, stacks: usize, resources: usize, prepare: impl FnOnce(&str)) -> Project {
    let project = Project::typescript(case);
    project.run(&["synth"]).expect(0);
    let listed = project.run(&["list"]).expect(0).stdout;
    let witness = project.cdk(&["--app", "cdk.out", "list"], &[]).expect(0).stdout;
    assert_eq!(sorted_lines(&listed), sorted_lines(&witness));
    assert_eq!(listed.lines().count(), stacks, "{listed}");

    let endpoint = project.endpoint();
    prepare(&endpoint);
    let before = stack_diffs(&project);
    let added = before
        .iter()
        .flat_map(|stack| stack["diff"]["resources"].as_array().expect("a list of resources"));
    assert_eq!(added.filter(|resource| resource["change"] == "add").count(), resources);

    let first = project.run(&["deploy"]).expect(0);
    assert_eq!(first.stderr.matches(": deployed").count(), stacks, "{}", first.stderr);
    let diff = project.run(&["diff"]).expect(0).stdout;
    assert!(diff.contains(&format!("0 of {stacks} stacks differ")), "{diff}");
    let second = project.run(&["deploy"]).expect(0);
    assert_eq!(
        second.stderr.matches(": no change").count(),
        stacks,
        "{}",
        second.stderr
    );
    project
}

fn deployed_without_more(case: &str, stacks: usize, resources: usize) -> Project {
    deployed(case, stacks, resources, |_| {})
}

#[test]
fn core() {
    // A stack of it reads a parameter that nobody's stack makes.
    deployed("core", 3, 15, |endpoint| {
        let headers = [
            ("X-Amz-Target", "AmazonSSM.PutParameter"),
            ("Content-Type", "application/x-amz-json-1.1"),
        ];
        let body = r#"{"Name":"/shared/value","Value":"shared","Type":"String"}"#;
        let (status, answer) = post(&format!("{endpoint}/"), &headers, body).expect("the embedded cloud answers");
        assert_eq!(status, 200, "{answer}");
    });
}

#[test]
fn vpc() {
    deployed_without_more("vpc", 3, 86);
}

#[test]
fn restapi() {
    deployed_without_more("restapi", 2, 57);
}

#[test]
fn functions() {
    deployed_without_more("functions", 1, 28);
}

#[test]
fn phase2() {
    deployed_without_more("phase2", 2, 66);
}

#[test]
fn realtime() {
    deployed_without_more("realtime", 1, 37);
}

#[test]
fn database() {
    deployed_without_more("database", 1, 49);
}

/// aws-cdk-lib's own custom resources really run: their functions call this cloud with the AWS SDK.
#[test]
fn custom() {
    let project = deployed_without_more("custom", 1, 32);
    let endpoint = project.endpoint();
    let headers = [
        ("X-Amz-Target", "AmazonSSM.GetParameter"),
        ("Content-Type", "application/x-amz-json-1.1"),
    ];
    let (status, answer) = post(&format!("{endpoint}/"), &headers, r#"{"Name":"/from/custom"}"#).expect("it answers");
    assert_eq!(status, 200, "the parameter that a custom resource puts: {answer}");
}

#[test]
fn the_cdk_cli_lists_and_diffs_what_our_app_wrote() {
    let project = Project::service();
    project.run(&["synth"]).expect(0);
    let cdk = |arguments: &[&str], endpoint: &str| {
        let all = [&["--app", "cdk.out"], arguments].concat();
        project.cdk(&all, &variables(endpoint))
    };
    let endpoint = project.endpoint();
    assert_eq!(cdk(&["list"], &endpoint).expect(0).stdout, "Service\n");
    let new = cdk(&["diff", "--fail"], &endpoint).expect(1);
    let said = format!("{}{}", new.stdout, new.stderr);
    assert!(said.contains("[+] AWS::Lambda::Function"), "{said}");

    project.run(&["deploy"]).expect(0);
    let same = cdk(&["diff", "--fail"], &endpoint).expect(0);
    let said = format!("{}{}", same.stdout, same.stderr);
    assert!(said.contains("There were no differences"), "{said}");

    let file = project.path().join("cdk.out/Service.template.json");
    let template = std::fs::read_to_string(&file).expect("the template");
    let changed = template.replace("\"Handler\": \"bootstrap\"", "\"Handler\": \"another\"");
    assert_ne!(template, changed);
    std::fs::write(&file, changed).expect("the template can be written");
    let changed = cdk(&["diff", "--fail", "--method=template"], &endpoint).expect(1);
    let said = format!("{}{}", changed.stdout, changed.stderr);
    assert!(
        said.contains("[~] AWS::Lambda::Function") && said.contains("another"),
        "{said}"
    );
}
