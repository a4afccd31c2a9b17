//! `bootstrap` makes what the CDK's apps and its CLI expect, with fewer permissions, and takes nothing from an environment
//! that others bootstrapped. The CDK's CLI is the witness.

use e2e::Project;
use serde_json::{Value, json};

/// The bootstrap of the CDK's CLI as a stack of another qualifier, in some version.
fn of_the_cdk(qualifier: &str, version: &str) -> Value {
    let text = include_str!("../../../crates/cli/src/commands/bootstrap/cdk-template.json");
    let mut template: Value = serde_json::from_str(text).expect("the CLI wrote it");
    template["Parameters"]["Qualifier"]["Default"] = json!(qualifier);
    // What the CLI passes.
    template["Parameters"]["FileAssetsBucketKmsKeyId"]["Default"] = json!("AWS_MANAGED_KEY");
    template["Outputs"]["BootstrapVersion"]["Value"] = json!(version);
    template["Resources"]["CdkBootstrapVersion"]["Properties"]["Value"] = json!(version);
    template
}

fn app() -> Value {
    json!({ "Resources": { "Queue": { "Type": "AWS::SQS::Queue" } } })
}

fn project() -> Project {
    Project::of_templates(&[("Shop", &[], app())])
}

fn deployed(project: &Project, stack: &str) -> Value {
    let form = format!("Action=GetTemplate&Version=2010-05-15&StackName={stack}");
    let answer = project.call("cloudformation", &form);
    let body = answer.split("<TemplateBody>").nth(1);
    let body = body.and_then(|rest| rest.split("</TemplateBody>").next());
    let entities = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    let json = entities
        .iter()
        .fold(body.expect("a template body").to_owned(), |text, (entity, letter)| {
            text.replace(entity, letter)
        });
    serde_json::from_str(&json).expect("our templates are JSON")
}

fn describe(project: &Project, stack: &str) -> String {
    project.call(
        "cloudformation",
        &format!("Action=DescribeStacks&Version=2010-05-15&StackName={stack}"),
    )
}

/// Everything that the CDK's own template says is said by ours, but for what ours is there for.
#[test]
fn the_template_is_the_cdks_but_for_the_execution_role() {
    let project = project();
    project.link_node_modules();
    let witness = project.cdk(&["bootstrap", "--show-template", "--json"], &[]).expect(0);
    let witness: Value = serde_json::from_str(&witness.stdout).expect("the CLI writes JSON");
    let ours = project.run(&["bootstrap", "--show-template"]).expect(0);
    let mut ours: Value = serde_json::from_str(&ours.stdout).expect("a template");

    let policy = ours["Resources"].as_object_mut().unwrap().remove("ExecutionPolicy");
    let policy = policy.expect("our policy");
    assert_eq!(
        policy["Properties"]["Roles"],
        json!([{ "Ref": "CloudFormationExecutionRole" }])
    );
    assert_eq!(
        policy["Properties"]["PolicyDocument"]["Statement"][0]["Action"],
        json!(["sqs:*"])
    );
    let arns = &witness["Resources"]["CloudFormationExecutionRole"]["Properties"]["ManagedPolicyArns"];
    let variant = &witness["Parameters"]["BootstrapVariant"]["Default"];
    assert_ne!(ours["Parameters"]["BootstrapVariant"]["Default"], *variant);
    ours["Resources"]["CloudFormationExecutionRole"]["Properties"]["ManagedPolicyArns"] = arns.clone();
    ours["Parameters"]["BootstrapVariant"]["Default"] = variant.clone();
    assert_eq!(ours, witness);
}

#[test]
fn it_is_made_once_and_grows_with_the_app() {
    let project = project();
    let bootstrap = |more: &[&str]| {
        let arguments = [&["bootstrap", "--qualifier", "shop", "--json"], more].concat();
        project.run(&arguments).expect(0)
    };
    let first = bootstrap(&[]);
    assert_eq!(first.json()[0]["changed"], true);
    assert_eq!(first.json()[0]["version"], "33");
    assert!(
        first.stderr.contains("CloudFormation may use sqs:*"),
        "{}",
        first.stderr
    );
    let bucket = first.json()[0]["outputs"]["BucketName"].as_str().unwrap().to_owned();
    assert!(
        bucket.starts_with("cdk-shop-assets-") && bucket.ends_with("-us-east-1"),
        "{bucket}"
    );
    assert_eq!(bootstrap(&[]).json()[0]["changed"], false);

    let topic = json!({ "Resources": { "Topic": { "Type": "AWS::SNS::Topic" } } });
    project.set_templates(&[("News", &[], topic)]);
    assert_eq!(bootstrap(&[]).json()[0]["changed"], true);
    let policy = &deployed(&project, "CDKToolkit-shop")["Resources"]["ExecutionPolicy"]["Properties"]["PolicyDocument"];
    assert_eq!(policy["Statement"][0]["Action"], json!(["sns:*", "sqs:*"]));
    let text = policy.to_string();
    assert!(text.contains("role/Shop-*") && text.contains("role/News-*"), "{text}");

    let asked = bootstrap(&["--administrator"]);
    assert!(asked.stderr.contains("becomes an administrator"), "{}", asked.stderr);
    assert!(describe(&project, "CDKToolkit-shop").contains("AdministratorAccess"));
    assert!(deployed(&project, "CDKToolkit-shop")["Resources"]["ExecutionPolicy"].is_null());
}

#[test]
fn an_older_one_of_the_cdk_is_updated_and_a_newer_one_left_alone() {
    let project = Project::of_templates(&[
        ("CDKToolkit-old", &[], of_the_cdk("old", "20")),
        ("CDKToolkit-new", &[], of_the_cdk("new", "99")),
        ("CDKToolkit-same", &[], of_the_cdk("same", "33")),
    ]);
    project.run(&["deploy"]).expect(0);
    project.set_templates(&[("Shop", &[], app())]);

    let updated = project.run(&["bootstrap", "--qualifier", "old"]).expect(0);
    assert!(updated.stdout.contains("deployed, version 33"), "{}", updated.stdout);
    let kept = "keeps arn:aws:iam::aws:policy/AdministratorAccess";
    assert!(updated.stderr.contains(kept), "{}", updated.stderr);
    let less = project
        .run(&["bootstrap", "--qualifier", "old", "--least-privilege"])
        .expect(0);
    assert!(less.stderr.contains("CloudFormation may use sqs:*"), "{}", less.stderr);
    assert!(!describe(&project, "CDKToolkit-old").contains("AdministratorAccess"));

    let left = project.run(&["bootstrap", "--qualifier", "new"]).expect(0);
    assert!(left.stdout.contains("left alone: it has version 99"), "{}", left.stdout);
    let left = project.run(&["bootstrap", "--qualifier", "same"]).expect(0);
    assert!(
        left.stdout.contains("left alone: it has version 33 already"),
        "{}",
        left.stdout
    );
    let foreign = project
        .run(&["bootstrap", "--qualifier", "other", "--stack", "CDKToolkit-new"])
        .expect(2);
    assert!(foreign.stderr.contains("error[LD0423]"), "{}", foreign.stderr);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let project = project();
    for arguments in [
        ["--trust", "12345"],
        ["--qualifier", "much-too-long"],
        ["--execution-policy", "AdministratorAccess"],
    ] {
        let ended = project.run(&[&["bootstrap"], arguments.as_slice()].concat()).expect(2);
        assert!(ended.stderr.contains("expected"), "{}", ended.stderr);
    }
    let ended = project.run(&["bootstrap", "--env", "prd"]).expect(2);
    assert!(ended.stderr.contains("error[LD0103]"), "{}", ended.stderr);
    let nothing = project.run(&["bootstrap"]).expect(0);
    assert!(nothing.stdout.contains("nothing to do"), "{}", nothing.stdout);
}
