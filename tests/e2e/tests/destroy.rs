//! `destroy` says what would be lost, deletes only what it was told to, and never leaves half.

use e2e::{Ended, Project};
use serde_json::{Value, json};

#[track_caller]
fn refused(ended: Ended, status: i32, code: &str) -> String {
    let ended = ended.expect(status);
    let heading = format!("error[{code}]");
    assert!(ended.stderr.contains(&heading), "not {code}:\n{}", ended.stderr);
    ended.stderr
}

/// A table that is lost, a bucket, a bucket that stays, and an export that `Service` imports.
fn base() -> Value {
    json!({
        "Resources": {
            "Table": { "Type": "AWS::DynamoDB::Table", "Properties": {
                "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
                "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }], "BillingMode": "PAY_PER_REQUEST"
            } },
            "Uploads": { "Type": "AWS::S3::Bucket", "Properties": { "BucketName": "uploads-of-a-test" } },
            "Archive": { "Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain" }
        },
        "Outputs": { "Table": { "Value": { "Ref": "Table" }, "Export": { "Name": "Base:Table" } } }
    })
}

fn service() -> Value {
    json!({ "Resources": { "Parameter": { "Type": "AWS::SSM::Parameter", "Properties": {
        "Type": "String", "Value": { "Fn::ImportValue": "Base:Table" }
    } } } })
}

fn alone() -> Value {
    json!({ "Resources": { "Topic": { "Type": "AWS::SNS::Topic" } } })
}

fn deployed() -> Project {
    let project = Project::of_templates(&[
        ("Base", &[], base()),
        ("Service", &["Base"], service()),
        ("Alone", &[], alone()),
    ]);
    project.run(&["deploy"]).expect(0);
    project
}

fn standing(project: &Project) -> Vec<String> {
    let answer = project.call("cloudformation", "Action=DescribeStacks&Version=2010-05-15");
    let mut names: Vec<String> = answer
        .split("<StackName>")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('<')?.0.to_owned()))
        .collect();
    names.sort();
    names
}

#[test]
fn whoever_uses_a_stack_goes_with_it_and_what_is_retained_stays() {
    let project = deployed();
    let said = refused(project.run(&["destroy", "Base"]), 2, "LD0404");
    assert!(said.contains("2 stacks would be deleted"), "{said}");
    assert!(said.contains("Service: 1 resource (it uses Base)"), "{said}");
    assert!(
        said.contains("AWS::DynamoDB::Table Table") && said.contains("LOST with its data"),
        "{said}"
    );
    assert!(
        said.contains("AWS::S3::Bucket Archive") && said.contains("stays"),
        "{said}"
    );
    assert_eq!(standing(&project), ["Alone", "Base", "Service"]);

    let ended = project.run(&["destroy", "Base", "--yes", "--json"]).expect(0);
    let document = &ended.json()[0];
    assert_eq!(document["deleted"], json!(["Service", "Base"]));
    assert_eq!(document["kept"][0]["logical_id"], "Archive");
    assert_eq!(standing(&project), ["Alone"]);

    let nothing = project.run(&["destroy", "Base", "--yes"]).expect(0);
    assert!(
        nothing.stderr.contains("nothing of it is deployed"),
        "{}",
        nothing.stderr
    );

    // What the app does not have any more is known from its deploy.
    project.set_templates(&[("Base", &[], base())]);
    let all = project.run(&["destroy", "--confirm", "local", "--json"]).expect(0);
    assert_eq!(all.json()[0]["deleted"], json!(["Alone"]));
    assert_eq!(standing(&project), [] as [&str; 0]);
    refused(project.run(&["destroy", "Alone", "--yes"]), 2, "LD0204");
}

#[test]
fn what_would_fail_half_way_is_refused_before() {
    let project = deployed();
    project.put_object("uploads-of-a-test", "a.txt", "a");
    project.call(
        "cloudformation",
        "Action=UpdateTerminationProtection&Version=2010-05-15&StackName=Service&EnableTerminationProtection=true",
    );
    let said = refused(project.run(&["destroy", "--yes"]), 2, "LD0421");
    assert!(said.contains("Service is protected from termination"), "{said}");
    assert!(said.contains("uploads-of-a-test is not empty"), "{said}");
    assert!(
        said.contains("--no-enable-termination-protection --stack-name Service"),
        "{said}"
    );
    assert_eq!(standing(&project), ["Alone", "Base", "Service"]);

    project.call(
        "cloudformation",
        "Action=UpdateTerminationProtection&Version=2010-05-15&StackName=Service&EnableTerminationProtection=false",
    );
    project.delete_object("uploads-of-a-test", "a.txt");
    project.run(&["destroy", "--yes"]).expect(0);
    assert_eq!(standing(&project), [] as [&str; 0]);
}

#[test]
fn what_is_in_a_nested_stack_is_looked_at_too() {
    let project = Project::of_templates(&[]);
    let assets = "cdk-hnb659fds-assets-000000000000-us-east-1";
    let inner = json!({ "Resources": {
        "Inner": { "Type": "AWS::S3::Bucket", "Properties": { "BucketName": "inside-of-a-test" } }
    } });
    project.put_object(assets, "inner.json", &inner.to_string());
    let url = format!("{}/{assets}/inner.json", project.endpoint());
    let outer = json!({ "Resources": {
        "Part": { "Type": "AWS::CloudFormation::Stack", "Properties": { "TemplateURL": url } }
    } });
    project.set_templates(&[("Whole", &[], outer)]);
    project.run(&["deploy"]).expect(0);
    project.put_object("inside-of-a-test", "a.txt", "a");
    let said = refused(project.run(&["destroy", "--yes"]), 2, "LD0421");
    assert!(
        said.contains("AWS::S3::Bucket Part/Inner (inside-of-a-test): LOST"),
        "{said}"
    );
    assert!(said.contains("inside-of-a-test is not empty"), "{said}");
    project.delete_object("inside-of-a-test", "a.txt");
    project.run(&["destroy", "--yes"]).expect(0);
    assert_eq!(standing(&project), [] as [&str; 0]);
}

#[test]
fn another_environment_wants_its_name() {
    let project = Project::of_templates(&[("Alone", &[], alone())]);
    let said = refused(project.run(&["destroy", "--env", "prod", "--yes"]), 2, "LD0404");
    assert!(said.contains("--confirm prod"), "{said}");
    let said = refused(
        project.run(&["destroy", "--env", "prod", "--confirm", "staging"]),
        2,
        "LD0404",
    );
    assert!(said.contains("staging is not the environment's name"), "{said}");
    refused(project.run(&["destroy", "--env", "prd"]), 2, "LD0103");
}
