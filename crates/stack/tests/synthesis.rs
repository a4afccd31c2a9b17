//! Tags, references and the files of the assembly.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use stack::cloudwatch::{Alarm, Metric};
use stack::ec2::Vpc;
use stack::lambda::{Code, Function, Runtime};
use stack::sns::Topic;
use stack::sqs::Queue;
use stack::{App, CfnOutput, Construct, Scope, Stack, Stage, TagOptions, Tags};

fn template(app: &App, stack: &str) -> Json {
    app.synth().unwrap().stack(stack).unwrap().template.to_json().unwrap()
}

fn app() -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (App::new(folder.path().join("out")), folder)
}

fn read(path: impl AsRef<Path>) -> Json {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_higher_priority_wins_then_the_nearer_then_the_later() {
    let (app, _folder) = app();
    let stack = Stack::new(&app, "S").build();
    let group = Construct::new(&stack, "Group");
    let queue = Queue::new(&group, "Q")
        .with(|queue| queue.tags([cfn::Tag::new("own", "property")]))
        .build();
    Tags::of(&stack)
        .add("near", "far")
        .add("own", "rule")
        .add_with("strong", "far", TagOptions::new().priority(500));
    Tags::of(&group)
        .add("near", "near")
        .add("strong", "near")
        .add("twice", "1")
        .add("twice", "2");
    Tags::of(&stack)
        .add("gone", "x")
        .add_with("topics", "x", TagOptions::new().include(["AWS::SNS::Topic"]));
    Tags::of(&queue).remove("gone");
    let template = template(&app, "S");
    let queue = template["Resources"].as_object().unwrap().values().next().unwrap();
    let tags: Vec<(&str, &str)> = queue["Properties"]["Tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| (tag["Key"].as_str().unwrap(), tag["Value"].as_str().unwrap()))
        .collect();
    assert_eq!(
        tags,
        [("near", "near"), ("own", "rule"), ("strong", "far"), ("twice", "2")]
    );
}

#[test]
fn a_list_is_joined_to_be_exported_and_split_where_it_is_used() {
    let (app, _folder) = app();
    let network = Stack::new(&app, "Network").build();
    let vpc = Vpc::new(&network, "Vpc").max_azs(1).nat_gateways(0).build();
    let user = Stack::new(&app, "User").build();
    let blocks = vpc.resource().ipv6_cidr_blocks();
    CfnOutput::new(&user, "First", cfn::intrinsics::select::<String>(0, blocks)).build();
    let assembly = app.synth().unwrap();
    let of = |name: &str| assembly.stack(name).unwrap().template.to_json().unwrap();
    let outputs = of("Network")["Outputs"].clone();
    let (_, export) = outputs.as_object().unwrap().iter().next().unwrap();
    assert_eq!(export["Value"]["Fn::Join"][0], "||");
    let first = &of("User")["Outputs"]["First"]["Value"]["Fn::Select"][1]["Fn::Split"];
    assert_eq!(*first, json!(["||", { "Fn::ImportValue": export["Export"]["Name"] }]));
}

#[test]
fn the_assembly_names_stacks_assets_and_sources() {
    let (app, folder) = app();
    let code = folder.path().join("code");
    fs::create_dir(&code).unwrap();
    fs::write(code.join("bootstrap"), "run").unwrap();
    let make = |stack: &Stack| {
        Function::new(stack, "F", Runtime::provided_al2023(), Code::asset(&code)).build();
    };
    make(&Stack::new(&app, "Plain").tag("team", "data").build());
    let stage = Stage::new(&app, "Prod").env("111111111111", "eu-west-1").build();
    make(&Stack::new(&stage, "Inner").build());
    let assembly = app.synth().unwrap();
    assert_eq!(
        assembly
            .stacks
            .iter()
            .map(|stack| stack.name.as_str())
            .collect::<Vec<_>>(),
        ["Prod-Inner", "Plain"]
    );

    let out = folder.path().join("out");
    let manifest = read(out.join("manifest.json"));
    let plain = &manifest["artifacts"]["Plain"];
    assert_eq!(plain["environment"], "aws://unknown-account/unknown-region");
    assert_eq!(plain["properties"]["tags"], json!({ "team": "data" }));
    let source = &plain["metadata"]["/Plain/F/Resource"][0];
    assert_eq!(source["data"], "FC4345940");
    assert!(
        source["trace"][0]
            .as_str()
            .unwrap()
            .starts_with("crates/stack/tests/synthesis.rs:"),
        "{source}"
    );

    let assets = read(out.join("Plain.assets.json"));
    let (hash, asset) = assets["files"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(
        asset["source"],
        json!({ "path": format!("asset.{hash}"), "packaging": "zip" })
    );
    assert_eq!(
        fs::read_to_string(out.join(format!("asset.{hash}/bootstrap"))).unwrap(),
        "run"
    );

    let inner = out.join("assembly-Prod");
    let id = &assembly.stacks[0].artifact_id;
    let artifact = read(inner.join("manifest.json"))["artifacts"][id].clone();
    assert_eq!(artifact["properties"]["stackName"], "Prod-Inner");
    let assets = read(inner.join(format!("{id}.assets.json")));
    assert_eq!(assets["files"][hash]["source"]["path"], format!("../asset.{hash}"));
    let destination = assets["files"][hash]["destinations"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap();
    assert_eq!(destination["bucketName"], "cdk-hnb659fds-assets-111111111111-eu-west-1");
}

#[test]
fn the_same_app_writes_the_same_bytes() {
    let files = || {
        let (app, folder) = app();
        let stack = Stack::new(&app, "S").build();
        let topic = Topic::new(&stack, "T").build();
        let alarm = Alarm::new(&stack, "A", Metric::new("N", "M").p99())
            .above(0.5)
            .for_periods(3)
            .build();
        alarm.add_alarm_action(topic.topic_arn());
        app.synth().unwrap();
        ["manifest.json", "S.template.json", "S.assets.json", "tree.json"]
            .map(|name| fs::read(folder.path().join("out").join(name)).unwrap())
    };
    assert!(files() == files());
}

#[test]
fn a_stack_waits_for_the_stacks_that_it_uses() {
    let (app, folder) = app();
    let first = Stack::new(&app, "First").build();
    let second = Stack::new(&app, "Second").build();
    let third = Stack::new(&app, "Third").build();
    let topic = Topic::new(&first, "T").build();
    CfnOutput::new(&second, "Arn", topic.topic_arn()).build();
    third.construct().add_dependency(&second);
    Topic::new(&third, "T").build();
    app.synth().unwrap();
    let manifest = read(folder.path().join("out/manifest.json"));
    let waits = |name: &str| manifest["artifacts"][name]["dependencies"].clone();
    assert_eq!(waits("Second"), json!(["First", "Second.assets"]));
    assert_eq!(waits("Third"), json!(["Second", "Third.assets"]));
}
