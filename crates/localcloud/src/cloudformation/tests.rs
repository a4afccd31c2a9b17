//! The engine with providers that fail, hang and die on command.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::CloudFormation;
use crate::context::Context;
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest};
use crate::secretsmanager::SecretsManager;
use crate::service::ApiError;
use crate::ssm::Ssm;
use crate::testing::{SetClock, call, context_at};

/// Makes queues of the schema, and says what it did. `DelaySeconds` is the property that tells it to misbehave.
#[derive(Default)]
struct Script {
    log: Mutex<Vec<String>>,
    existing: Mutex<BTreeSet<String>>,
    /// Names (by logical id) whose deletion or update is refused.
    refused: Mutex<BTreeSet<String>>,
    /// Creating a resource whose id begins with `Hanging` waits for it.
    released: Notify,
    reached: Notify,
}

impl Script {
    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn note(&self, verb: &str, request: &ResourceRequest) -> Result<(), ProviderError> {
        self.log.lock().unwrap().push(format!("{verb} {}", request.logical_id));
        if self
            .refused
            .lock()
            .unwrap()
            .contains(&format!("{verb} {}", request.logical_id))
        {
            return Err(ProviderError {
                message: format!("{verb} of {} is refused", request.logical_id),
            });
        }
        Ok(())
    }

    fn refuse(&self, what: &[&str]) {
        *self.refused.lock().unwrap() = what.iter().map(|what| (*what).to_owned()).collect();
    }
}

#[async_trait]
impl Provider for Script {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::SQS::Queue"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        self.note("create", request)?;
        assert!(!request.logical_id.starts_with("Panicking"), "a bug of the provider");
        if request.logical_id.starts_with("Hanging") {
            self.reached.notify_one();
            self.released.notified().await;
        }
        let name = request
            .properties
            .get("QueueName")
            .and_then(Value::as_str)
            .unwrap_or(&request.generated_name);
        self.existing.lock().unwrap().insert(name.to_owned());
        let mut attributes = Map::new();
        attributes.insert("QueueName".to_owned(), json!(name));
        Ok(Resource {
            physical_id: name.to_owned(),
            attributes,
        })
    }

    async fn update(
        &self,
        current: &Resource,
        _: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        self.note("update", request)?;
        Ok(current.clone())
    }

    async fn delete(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ProviderError> {
        self.note("delete", request)?;
        self.existing.lock().unwrap().remove(&current.physical_id);
        Ok(())
    }
}

struct Bench {
    context: Context,
    script: Arc<Script>,
    cloud: Arc<CloudFormation>,
}

impl Bench {
    fn open(folder: &std::path::Path) -> Self {
        let context = context_at(folder, SetClock::new());
        let script = Arc::new(Script::default());
        let cloud = Self::cloud(&context, &script);
        Self { context, script, cloud }
    }

    fn cloud(context: &Context, script: &Arc<Script>) -> Arc<CloudFormation> {
        let providers: Vec<Arc<dyn Provider>> = vec![script.clone()];
        CloudFormation::open(
            context,
            providers,
            vec![Ssm::open(context).unwrap(), SecretsManager::open(context).unwrap()],
        )
        .unwrap()
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        call(self.cloud.as_ref(), operation, input).await
    }

    /// The stack's state when nothing runs any more.
    async fn rest(&self) -> Value {
        let cell = self.cloud.engine.stacks.all().pop().unwrap();
        // Bounded by the test runner; every step of the engine yields.
        while cell.read().status.is_running() {
            tokio::task::yield_now().await;
        }
        json!(cell.read().status)
    }

    async fn create(&self, resources: Value) -> Value {
        let body = json!({"Resources": resources}).to_string();
        self.call("CreateStack", json!({"StackName": "s", "TemplateBody": body}))
            .await
            .unwrap();
        self.rest().await
    }

    async fn update(&self, resources: Value) -> Value {
        let body = json!({"Resources": resources}).to_string();
        self.call("UpdateStack", json!({"StackName": "s", "TemplateBody": body}))
            .await
            .unwrap();
        self.rest().await
    }

    async fn reasons(&self, logical_id: &str) -> Vec<String> {
        let events = self
            .call("DescribeStackEvents", json!({"StackName": "s"}))
            .await
            .unwrap();
        let of = events["StackEvents"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| event["LogicalResourceId"] == logical_id);
        of.filter_map(|event| event["ResourceStatusReason"].as_str().map(str::to_owned))
            .collect()
    }

    async fn gave_reason(&self, logical_id: &str, part: &str) -> bool {
        let reasons = self.reasons(logical_id).await;
        reasons.iter().any(|reason| reason.contains(part))
    }
}

fn queue(properties: Value) -> Value {
    json!({"Type": "AWS::SQS::Queue", "Properties": properties})
}

fn after(target: &str, properties: Value) -> Value {
    json!({"Type": "AWS::SQS::Queue", "Properties": properties, "DependsOn": target})
}

#[tokio::test]
async fn a_rollback_undoes_updates_and_a_refused_one_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(folder.path());
    let first = json!({"A": queue(json!({"DelaySeconds": 1})), "B": after("A", json!({"DelaySeconds": 1}))});
    assert_eq!(bench.create(first).await, "CREATE_COMPLETE");
    assert_eq!(bench.script.log(), ["create A", "create B"]);

    bench.script.refuse(&["update B"]);
    let second = json!({"A": queue(json!({"DelaySeconds": 2})), "B": after("A", json!({"DelaySeconds": 2}))});
    assert_eq!(bench.update(second.clone()).await, "UPDATE_ROLLBACK_FAILED");
    assert_eq!(bench.script.log(), ["update A", "update B", "update A", "update B"]);
    let refused = bench
        .call("UpdateStack", json!({"StackName": "s", "TemplateBody": "{}"}))
        .await
        .unwrap_err();
    assert!(
        refused.message.contains("UPDATE_ROLLBACK_FAILED state"),
        "{}",
        refused.message
    );

    bench.script.refuse(&[]);
    bench
        .call("ContinueUpdateRollback", json!({"StackName": "s"}))
        .await
        .unwrap();
    assert_eq!(bench.rest().await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(
        bench.script.log(),
        ["update B"],
        "what was taken back already is left alone"
    );
    assert_eq!(bench.update(second).await, "UPDATE_COMPLETE");
}

#[tokio::test]
async fn a_refused_deletion_leaves_the_stack_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(folder.path());
    bench
        .create(json!({"A": queue(json!({})), "B": after("A", json!({}))}))
        .await;
    bench.script.refuse(&["delete B"]);
    bench.call("DeleteStack", json!({"StackName": "s"})).await.unwrap();
    assert_eq!(bench.rest().await, "DELETE_FAILED");
    assert_eq!(
        bench.script.log()[2..],
        ["delete B"],
        "A waits for B, which depends on it"
    );
    bench
        .call("DeleteStack", json!({"StackName": "s", "RetainResources": ["B"]}))
        .await
        .unwrap();
    assert_eq!(bench.rest().await, "DELETE_COMPLETE");
    assert_eq!(bench.script.log(), ["delete A"]);
}

#[tokio::test]
async fn independent_resources_are_made_at_once_and_a_failure_waits_for_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(folder.path());
    bench.script.refuse(&["create B"]);
    let resources = json!({"HangingA": queue(json!({})), "B": queue(json!({})), "C": after("B", json!({}))});
    let body = json!({"Resources": resources}).to_string();
    bench
        .call(
            "CreateStack",
            json!({"StackName": "s", "TemplateBody": body, "DisableRollback": true}),
        )
        .await
        .unwrap();
    bench.script.reached.notified().await;
    bench.script.released.notify_one();
    assert_eq!(bench.rest().await, "CREATE_FAILED");
    assert_eq!(
        bench.script.existing.lock().unwrap().len(),
        1,
        "what had begun was ended"
    );
    bench.script.refuse(&[]);
    let healed = json!({"HangingA": queue(json!({})), "B": queue(json!({})), "C": after("B", json!({}))});
    bench.script.log();
    assert_eq!(bench.update(healed).await, "UPDATE_COMPLETE");
    assert_eq!(bench.script.log(), ["create B", "create C"]);
}

#[tokio::test]
async fn a_provider_that_panics_fails_its_resource_only() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(folder.path());
    assert_eq!(
        bench.create(json!({"PanickingA": queue(json!({}))})).await,
        "ROLLBACK_COMPLETE"
    );
    assert!(bench.gave_reason("PanickingA", "panicked").await);
}

#[tokio::test]
async fn a_cancelled_update_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(folder.path());
    bench.create(json!({"A": queue(json!({"DelaySeconds": 1}))})).await;
    let body = json!({"Resources": {
        "A": queue(json!({"DelaySeconds": 2})), "HangingB": after("A", json!({})), "C": after("HangingB", json!({})),
    }});
    bench
        .call(
            "UpdateStack",
            json!({"StackName": "s", "TemplateBody": body.to_string()}),
        )
        .await
        .unwrap();
    bench.script.reached.notified().await;
    bench
        .call("CancelUpdateStack", json!({"StackName": "s"}))
        .await
        .unwrap();
    bench.script.released.notify_one();
    assert_eq!(bench.rest().await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(
        bench.script.log(),
        ["create A", "update A", "create HangingB", "update A", "delete HangingB"]
    );
}

/// Runs `begin` in a runtime of its own and drops that where a kill would: while a resource is being made.
fn killed(folder: &std::path::Path, prepared: Value, then: Value) -> (Context, Arc<Script>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let bench = runtime.block_on(async {
        let bench = Bench::open(folder);
        if !prepared.is_null() {
            assert_eq!(bench.create(prepared.clone()).await, "CREATE_COMPLETE");
        }
        let operation = if prepared.is_null() {
            "CreateStack"
        } else {
            "UpdateStack"
        };
        let body = json!({"Resources": then}).to_string();
        bench
            .call(operation, json!({"StackName": "s", "TemplateBody": body}))
            .await
            .unwrap();
        bench.script.reached.notified().await;
        bench
    });
    runtime.shutdown_background();
    (bench.context.clone(), bench.script.clone())
}

/// The cloud after the next start, which recovers what was killed.
fn restarted(context: Context, script: &Arc<Script>, then: impl AsyncFnOnce(Bench)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let bench = Bench {
            cloud: Bench::cloud(&context, script),
            script: script.clone(),
            context,
        };
        bench.cloud.recover();
        then(bench).await;
    });
}

#[test]
fn a_killed_creation_is_rolled_back_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let resources = json!({"A": queue(json!({})), "HangingB": after("A", json!({"QueueName": "b"}))});
    let (context, script) = killed(folder.path(), Value::Null, resources);
    // The last line of the journal broke off with the process.
    let journals = std::fs::read_dir(context.store.folder().join("cloudformation")).unwrap();
    let mut journals = journals
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "journal"));
    let journal = journals.next().unwrap();
    let text = std::fs::read_to_string(&journal).unwrap();
    assert_eq!(text.lines().count(), 4, "three steps of A, one of B: {text}");
    std::fs::write(&journal, format!("{text}{{\"generation\":")).unwrap();
    // The provider had made it and could not say so any more.
    script.existing.lock().unwrap().insert("b".to_owned());
    restarted(context, &script, async |bench| {
        assert_eq!(bench.rest().await, "ROLLBACK_COMPLETE");
        assert!(bench.gave_reason("s", "ended before the operation did").await);
        assert_eq!(*script.existing.lock().unwrap(), BTreeSet::new());
    });
}

#[test]
fn a_killed_update_is_rolled_back_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let old = json!({"A": queue(json!({"QueueName": "old", "DelaySeconds": 1}))});
    let new = json!({"A": queue(json!({"QueueName": "new", "DelaySeconds": 2})), "HangingB": after("A", json!({}))});
    let (context, script) = killed(folder.path(), old, new);
    restarted(context, &script, async |bench| {
        assert_eq!(bench.rest().await, "UPDATE_ROLLBACK_COMPLETE");
        let resources = bench
            .call("DescribeStackResources", json!({"StackName": "s"}))
            .await
            .unwrap();
        assert_eq!(resources["StackResources"].as_array().unwrap().len(), 1);
        assert_eq!(resources["StackResources"][0]["PhysicalResourceId"], "old");
        assert_eq!(*script.existing.lock().unwrap(), BTreeSet::from(["old".to_owned()]));
    });
}

#[tokio::test]
async fn dynamic_references_reach_the_provider_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(folder.path());
    let secrets = SecretsManager::open(&bench.context).unwrap();
    call(
        secrets.as_ref(),
        "CreateSecret",
        json!({"Name": "db", "SecretString": "{\"name\": \"from-secret\"}"}),
    )
    .await
    .unwrap();
    let ssm = Ssm::open(&bench.context).unwrap();
    call(
        ssm.as_ref(),
        "PutParameter",
        json!({"Name": "/delay", "Value": "7", "Type": "String"}),
    )
    .await
    .unwrap();
    let bench = Bench {
        cloud: Bench::cloud(&bench.context, &bench.script),
        ..bench
    };
    let body = json!({
        "Parameters": {"Delay": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/delay"}},
        "Resources": {"A": queue(json!({
            "QueueName": "{{resolve:secretsmanager:db:SecretString:name}}", "DelaySeconds": {"Ref": "Delay"},
        }))},
        "Outputs": {"Delay": {"Value": {"Ref": "Delay"}}},
    });
    bench
        .call(
            "CreateStack",
            json!({"StackName": "s", "TemplateBody": body.to_string()}),
        )
        .await
        .unwrap();
    assert_eq!(bench.rest().await, "CREATE_COMPLETE");
    assert_eq!(
        *bench.script.existing.lock().unwrap(),
        BTreeSet::from(["from-secret".to_owned()])
    );
    let events = bench
        .call("DescribeStackEvents", json!({"StackName": "s"}))
        .await
        .unwrap()
        .to_string();
    assert!(
        events.contains("{{resolve:secretsmanager:db:SecretString:name}}"),
        "{events}"
    );
    let stack = bench.call("DescribeStacks", json!({"StackName": "s"})).await.unwrap();
    assert_eq!(stack["Stacks"][0]["Outputs"][0]["OutputValue"], "7");
    assert_eq!(stack["Stacks"][0]["Parameters"][0]["ParameterValue"], "/delay");
    assert_eq!(stack["Stacks"][0]["Parameters"][0]["ResolvedValue"], "7");

    let absent = body.to_string().replace("SecretString:name", "SecretString:other");
    bench
        .call("UpdateStack", json!({"StackName": "s", "TemplateBody": absent}))
        .await
        .unwrap();
    assert_eq!(bench.rest().await, "UPDATE_ROLLBACK_COMPLETE");
    assert!(bench.gave_reason("A", "JSONKey other").await);
}

#[tokio::test]
async fn a_named_resource_is_not_replaced_by_one_of_the_same_name() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(folder.path());
    let table = |attribute: &str| {
        json!({"T": {"Type": "AWS::DynamoDB::Table", "Properties": {
            "TableName": "t", "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
        }}})
    };
    assert_eq!(bench.create(table("a")).await, "CREATE_COMPLETE");
    assert_eq!(bench.update(table("b")).await, "UPDATE_ROLLBACK_COMPLETE");
    assert!(bench.gave_reason("T", "Rename t and update the stack again").await);
}

#[tokio::test]
async fn every_function_gives_what_aws_gives() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(folder.path());
    let body = json!({
        "Parameters": {"Zones": {"Type": "CommaDelimitedList", "Default": "a,b,c"}},
        "Mappings": {"M": {"us-east-1": {"Name": "mapped"}}},
        "Conditions": {
            "Yes": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
            "No": {"Fn::Not": [{"Condition": "Yes"}]},
            "Both": {"Fn::And": [{"Condition": "Yes"}, {"Fn::Or": [{"Condition": "No"}, {"Condition": "Yes"}]}]},
        },
        "Resources": {"A": queue(json!({"QueueName": "q", "DelaySeconds": {"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}}))},
        "Outputs": {
            "Cidr": {"Value": {"Fn::Join": [",", {"Fn::Cidr": ["10.0.0.0/16", 3, 8]}]}},
            "Select": {"Value": {"Fn::Select": [1, {"Ref": "Zones"}]}},
            "Split": {"Value": {"Fn::Select": ["2", {"Fn::Split": [":", "a:b:c"]}]}},
            "Map": {"Value": {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "Name"]}},
            "Base64": {"Value": {"Fn::Base64": "hello"}},
            "Sub": {"Value": {"Fn::Sub": ["${A.QueueName} ${!Kept} ${Own} ${AWS::AccountId}", {"Own": {"Ref": "A"}}]}},
            "Zones": {"Value": {"Fn::Join": ["|", {"Fn::GetAZs": ""}]}},
            "If": {"Value": {"Fn::If": ["Both", "both", "not"]}},
            "Gone": {"Condition": "No", "Value": "x"},
        },
    });
    bench
        .call(
            "CreateStack",
            json!({"StackName": "s", "TemplateBody": body.to_string()}),
        )
        .await
        .unwrap();
    assert_eq!(bench.rest().await, "CREATE_COMPLETE");
    let stack = bench.call("DescribeStacks", json!({"StackName": "s"})).await.unwrap();
    let outputs = stack["Stacks"][0]["Outputs"].as_array().unwrap();
    let found: Map<String, Value> = outputs
        .iter()
        .map(|output| {
            (
                output["OutputKey"].as_str().unwrap().to_owned(),
                output["OutputValue"].clone(),
            )
        })
        .collect();
    let expected = json!({
        "Cidr": "10.0.0.0/24,10.0.1.0/24,10.0.2.0/24", "Select": "b", "Split": "c", "Map": "mapped", "Base64": "aGVsbG8=",
        "Sub": "q ${Kept} q 000000000000", "Zones": "us-east-1a|us-east-1b|us-east-1c", "If": "both",
    });
    assert_eq!(Value::Object(found), expected);
}
