//! A plain deploy as a user types it: several stacks, what is refused, what is kept, what an interrupt leaves.

use std::path::PathBuf;
use std::process::Command;

use e2e::{Ended, Project, Template};
use serde_json::{Value, json};

fn topic() -> Value {
    json!({ "Type": "AWS::SNS::Topic" })
}

fn table(name: &str) -> Value {
    json!({ "Type": "AWS::DynamoDB::Table", "Properties": {
        "TableName": name, "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
    } })
}

/// A stack with one topic.
fn small(name: &str) -> Template {
    Template::new(name, json!({ "Resources": { "Topic": topic() } }))
}

/// A stack that cannot be made: another stack has its bucket.
fn taken(name: &str) -> Template {
    let bucket = json!({ "Type": "AWS::S3::Bucket", "Properties": { "BucketName": "taken" } });
    Template::new(name, json!({ "Resources": { "Bucket": bucket } })).made_at(
        "Bucket",
        "Files/Resource",
        "src/files.rs:12:5",
    )
}

#[track_caller]
fn refused(ended: Ended, status: i32, code: &str) -> String {
    let ended = ended.expect(status);
    assert!(
        ended.stderr.contains(&format!("error[{code}]")),
        "not {code}:\n{}",
        ended.stderr
    );
    ended.stderr
}

/// The result of each stack, `NAME RESULT`, sorted.
fn results(ended: &Ended) -> Vec<String> {
    let document = ended.json().remove(0);
    let stacks = document["stacks"].as_array().expect("a list of stacks");
    let mut results: Vec<String> = stacks
        .iter()
        .map(|stack| format!("{} {}", stack["stack"], stack["result"]).replace('"', ""))
        .collect();
    results.sort();
    results
}

/// What CloudFormation answers, as XML.
fn cloudformation(project: &Project, action: &str, input: &str) -> String {
    project.call("cloudformation", &format!("Action={action}&Version=2010-05-15&{input}"))
}

fn describe(project: &Project, stack: &str) -> String {
    cloudformation(project, "DescribeStacks", &format!("StackName={stack}"))
}

#[test]
fn stacks_go_at_once_and_in_order_and_write_their_outputs() {
    let output = |name: &str| json!({ "Name": { "Value": { "Fn::GetAtt": ["Topic", "TopicName"] }, "Export": { "Name": format!("{name}-topic") } } });
    let base = Template::new(
        "Base",
        json!({ "Resources": { "Topic": topic() }, "Outputs": output("Base") }),
    );
    let service = Template::new(
        "Service",
        json!({ "Resources": { "Topic": {
            "Type": "AWS::SNS::Topic", "Properties": { "DisplayName": { "Fn::ImportValue": "Base-topic" } }
        } } }),
    )
    .depends_on(&["Base"]);
    let project = Project::of_stacks(&[service, base, small("Alone")]);
    let first = project
        .run(&[
            "deploy",
            "--outputs-file",
            "outputs.json",
            "--concurrency",
            "2",
            "--json",
        ])
        .expect(0);
    assert_eq!(results(&first), ["Alone deployed", "Base deployed", "Service deployed"]);
    // Each line names its stack, also where they interleave.
    for line in first.stderr.lines().filter(|line| line.contains("CREATE_")) {
        assert!(
            ["Alone", "Base", "Service"].iter().any(|stack| line.starts_with(stack)),
            "{line}"
        );
    }
    let position = |text: &str| {
        let mut lines = first.stderr.lines();
        lines
            .position(|line| line == text)
            .unwrap_or_else(|| panic!("no '{text}' in:\n{}", first.stderr))
    };
    assert!(position("Base     CREATE_COMPLETE") < position("Service  1 change"));
    let outputs: Value =
        serde_json::from_str(&std::fs::read_to_string(project.path().join("outputs.json")).unwrap()).unwrap();
    assert!(outputs["Base"]["Name"].as_str().unwrap().contains("Topic"), "{outputs}");
    assert_eq!(outputs.as_object().unwrap().len(), 1);
    let again = project.run(&["deploy", "--json"]).expect(0);
    assert_eq!(
        results(&again),
        ["Alone unchanged", "Base unchanged", "Service unchanged"]
    );
}

#[test]
fn a_failure_names_its_cause_and_spares_the_others() {
    let project = Project::of_stacks(&[taken("First")]);
    project.run(&["deploy"]).expect(0);
    project.set_stacks(&[
        taken("First"),
        taken("Second"),
        small("Third").depends_on(&["Second"]),
        small("Fourth").depends_on(&["Third"]),
        small("Fifth"),
    ]);
    let failed = project.run(&["deploy", "--json"]);
    assert_eq!(
        results(&failed),
        [
            "Fifth deployed",
            "First unchanged",
            "Fourth skipped",
            "Second failed",
            "Third skipped"
        ]
    );
    let said = refused(failed, 1, "LD0401");
    // The resource, its construct, its line, the reason, and what to do.
    assert!(
        said.contains("Bucket (AWS::S3::Bucket), Second/Files at src/files.rs:12"),
        "{said}"
    );
    assert!(said.contains("leave the name of Bucket out"), "{said}");
    assert!(
        said.contains("Third") && said.contains("skipped: it depends on Second"),
        "{said}"
    );
    assert!(said.contains("skipped because of it: "), "{said}");
    let log = std::fs::read_to_string(project.path().join(".llama/local/last-deploy.log")).unwrap();
    assert!(
        log.contains("Second CREATE_FAILED") && log.contains("Fifth CREATE_COMPLETE"),
        "{log}"
    );
    // A creation that was undone is made again, and what was skipped comes with it.
    project.set_stacks(&[
        taken("First"),
        small("Second"),
        small("Third").depends_on(&["Second"]),
        small("Fourth").depends_on(&["Third"]),
    ]);
    let mended = project.run(&["deploy", "--json"]).expect(0);
    assert_eq!(
        results(&mended),
        [
            "First unchanged",
            "Fourth deployed",
            "Second deployed",
            "Third deployed"
        ]
    );
}

#[test]
fn only_what_is_named_is_deployed() {
    let chain = [small("A"), small("B").depends_on(&["A"]), small("C").depends_on(&["B"])];
    let project = Project::of_stacks(&chain);
    let with = project.run(&["deploy", "B", "--json"]).expect(0);
    assert_eq!(results(&with), ["A deployed", "B deployed"]);
    let alone = project.run(&["deploy", "C", "--exclusively", "--json"]).expect(0);
    assert_eq!(results(&alone), ["C deployed"]);
}

fn with_parameters(stack: &str) -> Template {
    Template::new(
        stack,
        json!({
            "Parameters": {
                "Stage": { "Type": "String", "Default": "test" },
                "Password": { "Type": "String", "NoEcho": true, "Default": "" },
                "Owner": { "Type": "String" },
            },
            "Resources": { "Topic": { "Type": "AWS::SNS::Topic", "Properties": {
                "DisplayName": { "Fn::Sub": "${Stage}-${Owner}-${Password}" }
            } } },
            "Outputs": { "Is": { "Value": { "Fn::Sub": "${Stage}-${Owner}" } } },
        }),
    )
}

#[test]
fn parameters_are_given_kept_and_never_shown_when_secret() {
    let project = Project::of_stacks(&[with_parameters("Shop")]);
    let missing = refused(project.run(&["deploy"]), 2, "LD0403");
    assert!(
        missing.contains("Owner") && missing.contains("--parameters"),
        "{missing}"
    );
    let secret = "correct-horse-battery";
    let deployed = project
        .run(&["deploy", "-v", "--parameters", "Owner=me", "--parameters"])
        .status;
    assert_eq!(deployed, Some(2), "a parameter without a value is a usage error");
    let deployed = project
        .run(&[
            "deploy",
            "-vv",
            "--parameters",
            "Shop:Owner=me",
            "--parameters",
            &format!("Password={secret}"),
            "--tags",
            "team=platform",
        ])
        .expect(0);
    assert!(deployed.stdout.contains("Shop.Is = test-me"), "{}", deployed.stdout);
    // The others keep theirs.
    let changed = project
        .run(&["deploy", "--parameters", "Stage=prod", "--tags", "team=platform"])
        .expect(0);
    assert!(changed.stdout.contains("Shop.Is = prod-me"), "{}", changed.stdout);
    let planned = project
        .run(&[
            "deploy",
            "--no-execute",
            "--json",
            "--parameters",
            &format!("Password={secret}2"),
        ])
        .expect(0);
    let plan = std::fs::read_to_string(project.path().join("local.plan.json")).unwrap();
    assert!(plan.contains("****"), "{plan}");
    for text in [
        &deployed.stderr,
        &deployed.stdout,
        &planned.stdout,
        &planned.stderr,
        &plan,
    ] {
        assert!(!text.contains(secret), "{text}");
    }
    let unknown = refused(project.run(&["deploy", "--parameters", "Stge=x"]), 2, "LD0408");
    assert!(unknown.contains("Stage"), "{unknown}");
    refused(project.run(&["deploy", "--parameters", "Shp:Stage=x"]), 2, "LD0204");
    let described = describe(&project, "Shop");
    assert!(described.contains("<Key>team</Key>"), "{described}");
}

#[test]
fn protection_against_deletion_follows_the_app() {
    let protected = |on: bool| [small("Shop").property("terminationProtection", json!(on))];
    let project = Project::of_stacks(&protected(true));
    project.run(&["deploy"]).expect(0);
    let is_on = |described: &str| described.contains("<EnableTerminationProtection>true</EnableTerminationProtection>");
    assert!(is_on(&describe(&project, "Shop")));
    // Also where nothing else changes.
    project.set_stacks(&protected(false));
    project.run(&["deploy"]).expect(0);
    assert!(!is_on(&describe(&project, "Shop")));
}

#[test]
fn data_is_lost_only_by_name() {
    let with_table = |name: &str| {
        Template::new(
            "Shop",
            json!({ "Resources": { "Prices": table(name), "Topic": topic() } }),
        )
        .made_at("Prices", "Data/Prices/Resource", "src/data.rs:7:9")
    };
    let project = Project::of_stacks(&[with_table("one")]);
    project.run(&["deploy"]).expect(0);

    project.set_stacks(&[with_table("two")]);
    let replaced = refused(project.run(&["deploy", "--yes"]), 2, "LD0405");
    assert!(
        replaced.contains(
            "Prices (AWS::DynamoDB::Table) would be REPLACED because of TableName, Shop/Data/Prices at src/data.rs:7"
        ),
        "{replaced}"
    );
    assert!(replaced.contains("--allow-replace Prices"), "{replaced}");
    let other = refused(project.run(&["deploy", "--allow-replace", "Topic"]), 2, "LD0405");
    assert!(other.contains("Prices"), "{other}");
    project
        .run(&["deploy", "--allow-replace", "Shop/Data/Prices"])
        .expect(0);

    project.set_stacks(&[small("Shop")]);
    let removed = refused(project.run(&["deploy"]), 2, "LD0405");
    assert!(removed.contains("would be DELETED"), "{removed}");
    // A plan is made, says so, and is refused the same way.
    let planned = project.run(&["deploy", "--no-execute"]).expect(0);
    assert!(
        planned.stderr.contains("refused without --allow-replace: Prices"),
        "{}",
        planned.stderr
    );
    refused(project.run(&["deploy", "local.plan.json"]), 2, "LD0405");
    project
        .run(&["deploy", "local.plan.json", "--allow-replace", "Prices"])
        .expect(0);

    // What is retained is not lost.
    let mut retained = table("three");
    retained["DeletionPolicy"] = json!("Retain");
    retained["UpdateReplacePolicy"] = json!("Retain");
    project.set_stacks(&[Template::new(
        "Shop",
        json!({ "Resources": { "Prices": retained, "Topic": topic() } }),
    )]);
    project.run(&["deploy"]).expect(0);
    project.set_stacks(&[small("Shop")]);
    project.run(&["deploy"]).expect(0);
}

#[test]
fn a_release_guards_data_too() {
    let project = Project::service();
    project.run(&["deploy", "--context", "scenario=queue"]).expect(0);
    let said = refused(project.run(&["deploy", "--blue-green", "--yes"]), 2, "LD0405");
    assert!(said.contains("Queue (AWS::SQS::Queue) would be DELETED"), "{said}");
    let queues = || {
        project.call(
            "cloudformation",
            "Action=ListStackResources&Version=2010-05-15&StackName=Service",
        )
    };
    assert!(queues().contains("AWS::SQS::Queue"));
    project.run(&["deploy", "--allow-replace", "Queue"]).expect(0);
    assert!(!queues().contains("AWS::SQS::Queue"));
}

#[test]
fn approval_is_asked_for_as_the_environment_or_the_command_says() {
    let role = |actions: Value| {
        let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
        let trust = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "lambda.amazonaws.com" } });
        Template::new(
            "Shop",
            json!({ "Resources": { "Topic": topic(), "Role": { "Type": "AWS::IAM::Role", "Properties": {
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [trust] },
            "Policies": [{ "PolicyName": "p", "PolicyDocument": { "Version": "2012-10-17", "Statement": [statement] } }],
        } } } }),
        )
    };
    let project = Project::of_stacks(&[role(json!(["sqs:SendMessage", "sqs:ReceiveMessage"]))]);
    let asked = |when: &str| project.run(&["deploy", "--require-approval", when]);
    refused(asked("broadening"), 2, "LD0404");
    refused(asked("any"), 2, "LD0404");
    asked("destructive").expect(0);
    // Less is allowed afterwards.
    project.set_stacks(&[role(json!("sqs:SendMessage"))]);
    asked("broadening").expect(0);
    project.set_stacks(&[role(json!("sqs:*"))]);
    let said = refused(asked("broadening"), 2, "LD0404");
    assert!(
        said.contains("Modify   AWS::IAM::Role Role") && said.contains("allows more than before"),
        "{said}"
    );
    project
        .run(&["deploy", "--require-approval", "broadening", "--yes"])
        .expect(0);
    // The settings say it for every deploy of the environment.
    let settings = std::fs::read_to_string(project.path().join("llama-deploy.toml")).unwrap();
    project.write("llama-deploy.toml", &format!("{settings}approval = 'broadening'\n"));
    project.set_stacks(&[role(json!("*"))]);
    refused(project.run(&["deploy"]), 2, "LD0404");
    asked("never").expect(0);
    project.set_stacks(&[small("Shop")]);
    refused(asked("destructive"), 2, "LD0404");
    asked("wrong").expect(2);
}

#[test]
fn a_plan_is_executed_exactly_or_not_at_all() {
    let with_name = |name: &str| {
        let topic = json!({ "Type": "AWS::SNS::Topic", "Properties": { "DisplayName": name } });
        Template::new("Shop", json!({ "Resources": { "News": topic } }))
    };
    let project = Project::of_stacks(&[with_name("one"), small("New").depends_on(&["Shop"])]);
    let planned = project.run(&["deploy", "--no-execute"]).expect(0);
    assert!(
        planned.stdout.contains("Add      AWS::SNS::Topic News"),
        "{}",
        planned.stdout
    );
    assert!(
        planned.stdout.contains("llama-deploy deploy local.plan.json"),
        "{}",
        planned.stdout
    );
    assert!(describe(&project, "Shop").contains("REVIEW_IN_PROGRESS"));
    let done = project.run(&["deploy", "local.plan.json", "--json"]).expect(0);
    assert_eq!(results(&done), ["New deployed", "Shop deployed"]);
    // A second time it does not fit.
    let moved = refused(project.run(&["deploy", "local.plan.json"]), 2, "LD0407");
    assert!(moved.contains("new when it was planned"), "{moved}");

    // Somebody deploys in between.
    project.set_stacks(&[with_name("two"), small("New")]);
    project.run(&["deploy", "--no-execute", "--plan", "two.json"]).expect(0);
    project.set_stacks(&[with_name("three"), small("New")]);
    project.run(&["deploy"]).expect(0);
    project.set_stacks(&[with_name("two"), small("New")]);
    project.run(&["synth", "--output", ".llama/local/assembly"]).expect(0);
    let moved = refused(project.run(&["deploy", "two.json"]), 2, "LD0407");
    assert!(moved.contains("was changed since it was planned"), "{moved}");

    // The app is changed in between, and the plan is edited.
    project.run(&["deploy", "--no-execute"]).expect(0);
    let plan = std::fs::read_to_string(project.path().join("local.plan.json")).unwrap();
    project.set_stacks(&[with_name("four"), small("New")]);
    project.run(&["diff"]);
    let moved = refused(project.run(&["deploy", "local.plan.json"]), 2, "LD0407");
    assert!(moved.contains("assembly has another template of Shop"), "{moved}");
    project.write("local.plan.json", &plan.replacen("\"News\"", "\"Olds\"", 1));
    let edited = refused(project.run(&["deploy", "local.plan.json"]), 2, "LD0406");
    assert!(edited.contains("was changed after it was written"), "{edited}");
    project.write("local.plan.json", &plan);
    let other = refused(
        project.run(&["deploy", "local.plan.json", "--env", "prod"]),
        2,
        "LD0406",
    );
    assert!(other.contains("environment local"), "{other}");
    refused(project.run(&["deploy", "no.plan.json"]), 2, "LD0406");
    refused(project.run(&["deploy", "local.plan.json", "Shop"]), 2, "LD0406");

    // On another machine there is no assembly, and a change set that is gone is gone.
    std::fs::remove_dir_all(project.path().join(".llama/local/assembly")).unwrap();
    let recorded: Value = serde_json::from_str(&plan).unwrap();
    let arn = recorded["plan"]["stacks"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|stack| stack["change_set"]["arn"].as_str())
        .unwrap();
    let arn = arn.replace(':', "%3A").replace('/', "%2F");
    cloudformation(&project, "DeleteChangeSet", &format!("ChangeSetName={arn}"));
    let gone = refused(project.run(&["deploy", "local.plan.json"]), 2, "LD0407");
    assert!(gone.contains("its change set is gone"), "{gone}");
}

#[test]
fn what_needs_another_stack_first_is_planned_later() {
    let base = |exports: &[&str]| {
        let outputs: serde_json::Map<String, Value> = exports
            .iter()
            .map(|name| ((*name).to_owned(), json!({ "Value": name, "Export": { "Name": name } })))
            .collect();
        Template::new("Base", json!({ "Resources": { "Topic": topic() }, "Outputs": outputs }))
    };
    let service = |import: &str| {
        let topic =
            json!({ "Type": "AWS::SNS::Topic", "Properties": { "DisplayName": { "Fn::ImportValue": import } } });
        Template::new("Service", json!({ "Resources": { "Topic": topic } })).depends_on(&["Base"])
    };
    // New stacks are planned together: what the second imports is looked up when it is made.
    let project = Project::of_stacks(&[base(&["One"]), service("One")]);
    project.run(&["deploy", "--no-execute"]).expect(0);
    let both = project.run(&["deploy", "local.plan.json", "--json"]).expect(0);
    assert_eq!(results(&both), ["Base deployed", "Service deployed"]);
    // An update is compared with what stands, so that its import must be there.
    project.set_stacks(&[base(&["One", "Two"]), service("Two")]);
    let planned = project.run(&["deploy", "--no-execute"]).expect(0);
    assert!(
        planned.stderr.contains("Service: to be planned when"),
        "{}",
        planned.stderr
    );
    let first = project.run(&["deploy", "local.plan.json"]).expect(0);
    assert!(
        first.stderr.contains("Service: was not in the plan"),
        "{}",
        first.stderr
    );
    project.run(&["deploy", "--no-execute"]).expect(0);
    let second = project.run(&["deploy", "local.plan.json", "--json"]).expect(0);
    assert_eq!(results(&second), ["Service deployed"]);
}

#[test]
fn an_export_stays_until_nobody_imports_it() {
    let base = |export: bool| {
        let mut template = json!({ "Resources": { "Topic": topic() } });
        if export {
            template["Outputs"] = json!({ "Name": {
                "Value": { "Fn::GetAtt": ["Topic", "TopicName"] }, "Export": { "Name": "Base-topic" }
            } });
        }
        Template::new("Base", template)
    };
    let service = |import: bool| {
        let name = if import {
            json!({ "Fn::ImportValue": "Base-topic" })
        } else {
            json!("own")
        };
        Template::new(
            "Service",
            json!({ "Resources": { "Topic": { "Type": "AWS::SNS::Topic", "Properties": { "DisplayName": name } } } }),
        )
    };
    let project = Project::of_stacks(&[base(true), service(true).depends_on(&["Base"])]);
    project.run(&["deploy"]).expect(0);
    // Both change at once: the export is imported until the other stack is deployed.
    project.set_stacks(&[base(false), service(false)]);
    let kept = project.run(&["deploy", "Base"]).expect(0);
    assert!(
        kept.stderr.contains("keeps exports that are imported") && kept.stderr.contains("Name (Service)"),
        "{}",
        kept.stderr
    );
    assert!(describe(&project, "Base").contains("Base-topic"));
    project.run(&["deploy", "Service"]).expect(0);
    project.run(&["deploy"]).expect(0);
    assert!(!describe(&project, "Base").contains("Base-topic"), "it goes by itself");
    // What its value comes from cannot go before.
    project.set_stacks(&[base(true), service(true).depends_on(&["Base"])]);
    project.run(&["deploy"]).expect(0);
    project.set_stacks(&[
        Template::new("Base", json!({ "Resources": { "Other": topic() } })),
        service(true),
    ]);
    let said = refused(project.run(&["deploy", "Base"]), 2, "LD0403");
    assert!(said.contains("Base-topic") && said.contains("Service"), "{said}");
}

/// A stack that takes its time: every topic waits for the one before.
fn slow(name: &str, length: usize) -> Template {
    let mut resources = serde_json::Map::new();
    for index in 0..length {
        let mut topic = topic();
        if index > 0 {
            topic["DependsOn"] = json!(format!("Topic{}", index - 1));
        }
        resources.insert(format!("Topic{index}"), topic);
    }
    Template::new(name, json!({ "Resources": resources }))
}

#[test]
fn a_deploy_that_was_killed_is_picked_up_by_the_same_command() {
    let project = Project::of_stacks(&[slow("Slow", 400), small("After").depends_on(&["Slow"])]);
    project.start(&["deploy"]).wait_for("CREATE_COMPLETE").kill();
    // Whether it still runs or has ended by now, it is the same change, which is not made a second time.
    let again = project.run(&["deploy", "--json"]).expect(0);
    assert_eq!(results(&again), ["After deployed", "Slow unchanged"]);
    // Killed before anything was executed: the change set that is left is not in the way.
    project.set_stacks(&[slow("Slow", 300), small("After")]);
    project.start(&["deploy"]).wait_for("Slow   100 changes").kill();
    project.set_stacks(&[slow("Slow", 301), small("After")]);
    project.run(&["deploy"]).expect(0);
    let listed = cloudformation(&project, "ListChangeSets", "StackName=Slow");
    assert_eq!(
        listed.matches("<ChangeSetName>").count(),
        1,
        "only the executed one: {listed}"
    );
}

const GATE_KEEPER: &str = r#"
import json, urllib.request

def handler(event, context):
    open("PIPE").read()
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "SUCCESS", "PhysicalResourceId": "gate"}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request)
"#;

/// Holds a stack in its creation until it is opened: a custom resource whose function reads a pipe that nobody has written
/// to yet.
struct Gate {
    _folder: tempfile::TempDir,
    pipe: PathBuf,
}

impl Gate {
    fn closed() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the pipe");
        let pipe = folder.path().join("gate");
        let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there");
        assert!(made.success());
        Self { _folder: folder, pipe }
    }

    /// A stack that makes a topic, and then waits.
    fn stack(&self, name: &str) -> Template {
        let code = GATE_KEEPER.replace("PIPE", &self.pipe.display().to_string());
        let function = json!({ "Type": "AWS::Lambda::Function", "Properties": {
            "Code": { "ZipFile": code }, "Handler": "index.handler", "Runtime": "python3.12", "Timeout": 300,
            "Role": "arn:aws:iam::000000000000:role/gate",
        } });
        let gate = json!({ "Type": "Custom::Gate", "DependsOn": "Topic", "Properties": {
            "ServiceToken": { "Fn::GetAtt": ["Function", "Arn"] },
        } });
        Template::new(
            name,
            json!({ "Resources": { "Topic": topic(), "Function": function, "Gate": gate } }),
        )
    }

    fn open(&self) {
        std::fs::write(&self.pipe, "open").expect("the pipe takes a word");
    }
}

#[test]
fn an_interrupt_waits_for_what_runs_and_begins_nothing_more() {
    let gate = Gate::closed();
    let project = Project::of_stacks(&[gate.stack("Slow"), small("After").depends_on(&["Slow"])]);
    let running = project.start(&["deploy"]).wait_for("CREATE_COMPLETE");
    running.terminate();
    let running = running.wait_for("terminated: waits for Slow (CREATE_IN_PROGRESS) and begins no other stack");
    gate.open();
    let running = running.wait_for("error[LD0801]");
    assert_eq!(running.wait().code(), Some(130));
    assert!(describe(&project, "Slow").contains("<StackStatus>CREATE_COMPLETE"));
    assert!(!cloudformation(&project, "ListStacks", "").contains("<StackName>After"));
    let rest = project.run(&["deploy", "--json"]).expect(0);
    assert_eq!(results(&rest), ["After deployed", "Slow unchanged"]);
}

#[test]
fn a_second_interrupt_leaves_the_rest_to_cloudformation() {
    let gate = Gate::closed();
    let project = Project::of_stacks(&[gate.stack("Slow")]);
    let running = project.start(&["deploy"]).wait_for("CREATE_COMPLETE");
    running.terminate();
    let running = running.wait_for("terminated:");
    running.terminate();
    let running = running.wait_for("CloudFormation goes on by itself with Slow");
    assert_eq!(running.wait().code(), Some(130));
    gate.open();
    let again = project.run(&["deploy", "--json"]).expect(0);
    assert_eq!(results(&again), ["Slow unchanged"]);
}
