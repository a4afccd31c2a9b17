//! `validate` finds what AWS's rules and the policy packs forbid, says where it comes from, and ends with a status that a
//! CI can use. The first run builds AWS's rules.

use e2e::{Ended, Project};
use serde_json::{Value, json};

fn queue(properties: Value) -> Value {
    json!({ "Resources": { "Queue": { "Type": "AWS::SQS::Queue", "Properties": properties } } })
}

fn findings(ended: &Ended) -> Vec<Value> {
    ended.json()[0]["findings"]
        .as_array()
        .expect("a list of findings")
        .clone()
}

fn ids(findings: &[Value]) -> Vec<&str> {
    findings.iter().filter_map(|finding| finding["id"].as_str()).collect()
}

#[test]
fn an_error_ends_with_1_and_says_what_where_and_how_to_mend_it() {
    let project = Project::of_templates(&[
        ("Bad", &[], queue(json!({ "DelaySeconds": "soon" }))),
        ("Good", &[], queue(json!({ "DelaySeconds": 5 }))),
    ]);
    let said = project.run(&["validate"]).expect(1).stdout;
    assert!(said.starts_with("Bad\n  error "), "{said}");
    assert!(
        said.contains("Queue") && said.contains("Properties.DelaySeconds"),
        "{said}"
    );
    assert!(said.contains("2 templates: 1 error, 0 warnings"), "{said}");
    project.run(&["validate", "Good", "--strict"]).expect(0);
    let ended = project.run(&["validate", "Bad", "--json"]).expect(1);
    assert_eq!(ended.json()[0]["errors"], 1);
    assert_eq!(findings(&ended)[0]["resource"], "Queue");
}

#[test]
fn a_policy_is_broken_unless_the_template_says_why() {
    let bucket = |metadata: Value| {
        json!({ "Resources": { "Database": {
            "Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain",
            "Metadata": metadata,
            "Properties": {
                "Engine": "postgres", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20",
                "StorageEncrypted": false, "ManageMasterUserPassword": true, "MasterUsername": "admin_user",
                "PubliclyAccessible": false, "BackupRetentionPeriod": 7, "DeletionProtection": true
            }
        } } })
    };
    let project = Project::of_templates(&[("Data", &[], bucket(json!({})))]);
    let open = project.run(&["validate", "--json"]).expect(1);
    let found = findings(&open);
    let of_policy = found
        .iter()
        .find(|finding| finding["id"].as_str().unwrap().starts_with("LDP"));
    let of_aws = found.iter().find(|finding| finding["id"] == "W9008");
    let (of_policy, of_aws) = (of_policy.expect("a policy's"), of_aws.expect("one of AWS's"));
    assert!(
        of_policy["fix"].is_string() && of_policy["reason"].is_string(),
        "{of_policy}"
    );

    // One mechanism excuses from rules of both.
    let excuses: Vec<Value> = [of_policy, of_aws]
        .map(|finding| json!({ "Rule": finding["id"], "Reason": "it holds nothing but public data" }))
        .to_vec();
    project.set_templates(&[("Data", &[], bucket(json!({ "LlamaDeploy": { "Suppress": excuses } })))]);
    let excused = project.run(&["validate", "--json"]).expect(0);
    assert_eq!(excused.json()[0]["suppressed"], 2);
    assert_eq!(ids(&findings(&excused)).len(), found.len());
    let said = project.run(&["validate"]).expect(0).stdout;
    assert!(said.contains("2 suppressed (--suppressed lists them)"), "{said}");
    let said = project.run(&["validate", "--suppressed"]).expect(0).stdout;
    assert!(said.contains("because it holds nothing but public data"), "{said}");
}

#[test]
fn a_finding_points_to_the_line_of_the_app() {
    let project = Project::service();
    // Whoever may call the API is told with the construct and its line.
    let warned = project.run(&["validate", "--json"]).expect(0);
    let found = findings(&warned);
    let method = found
        .iter()
        .find(|finding| finding["id"] == "LDP205")
        .expect("an open method");
    assert!(
        method["construct"].as_str().unwrap().starts_with("Service/Api/"),
        "{method}"
    );
    assert!(method["source"].as_str().unwrap().contains("app.rs:"), "{method}");
    project.run(&["validate", "--strict"]).expect(1);
}

#[test]
fn files_need_no_project() {
    let project = Project::empty();
    project.write("good.json", &queue(json!({})).to_string());
    project.write(
        "bad.yaml",
        "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      Delay: 1\n",
    );
    project.write("no-template.json", "[1, 2");
    project.run(&["validate", "good.json"]).expect(0);
    let said = project.run(&["validate", "good.json", "bad.yaml"]).expect(1).stdout;
    assert!(said.contains("bad.yaml:5") && said.contains("Delay"), "{said}");
    let said = project.run(&["validate", "no-template.json"]).expect(1).stdout;
    assert!(said.contains("error F"), "{said}");
    let ended = project.run(&["validate", "gone.json"]).expect(2);
    assert!(
        ended.stderr.contains("error[LD0403]") && ended.stderr.contains("gone.json"),
        "{}",
        ended.stderr
    );
    let ended = project.run(&["validate", "good.json", "Service"]).expect(2);
    assert!(
        ended.stderr.contains("either stacks or template files"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_stack_that_the_app_does_not_have() {
    let project = Project::of_templates(&[("Good", &[], queue(json!({})))]);
    let ended = project.run(&["validate", "Godo"]).expect(2);
    assert!(ended.stderr.contains("error[LD0204]"), "{}", ended.stderr);
}
