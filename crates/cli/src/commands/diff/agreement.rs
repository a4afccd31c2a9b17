//! What `diff` says beside what CloudFormation says and does: random stacks are made in the embedded cloud and changed by
//! change set. The change list must be what `diff` said, the deployed template the new one, and exactly what `diff` calls
//! replaced must have another physical id. The embedded cloud plans from values and knows nothing of the differ.
//!
//! Two things are said differently, as AWS documents them
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChangeDetail.html>): a value that is
//! known only when the change is made is `Dynamic`, so a replacement that follows from one is `Conditional` there and
//! certain here; and everything that reads an attribute of a changed resource is listed there, whether it changes or not.

use std::collections::BTreeMap;

use aws::stacks::{Planned, PropertyChange, Replacement, ResourceChange, StackInput};
use aws::{Aws, connect};
use localcloud::cloud::{LocalCloud, Options};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use stack::diff::{Change, PropertyDiff, ResourceDiff};
use tokio::task::JoinSet;

use super::*;

const CASES: usize = 24;

/// Which resources there are and in which variant, from 0 to 3; nothing where one is left out. The last one chooses what
/// stands in the mapping.
type Choice = Vec<Option<u8>>;

const RESOURCES: [&str; 11] = [
    "Queue",
    "Redrive",
    "Topic",
    "Subscription",
    "Group",
    "Filter",
    "Text",
    "Copy",
    "Alarm",
    "Bucket",
    "Policy",
];

fn choice() -> impl Strategy<Value = (Choice, Choice)> {
    let one = || prop_oneof![1 => Just(None), 4 => (0u8..4).prop_map(Some)];
    let both = (one(), one(), prop::bool::weighted(0.4));
    let both = both.prop_map(|(old, other, changes)| (old, if changes { other } else { old }));
    prop::collection::vec(both, RESOURCES.len() + 1).prop_map(|both| both.into_iter().unzip())
}

/// The template of a choice; names are the stack's own, as they share one account.
fn template(stack: &str, choice: &Choice) -> Value {
    let variant = |id: &str| {
        RESOURCES
            .iter()
            .position(|known| *known == id)
            .and_then(|at| choice[at])
    };
    let has = |id: &str| variant(id).is_some();
    // Where something is missing, what would refer to it has a text in its place.
    let reference = |id: &str, attribute: Option<&str>| match (has(id), attribute) {
        (true, None) => json!({ "Ref": id }),
        (true, Some(attribute)) => json!({ "Fn::GetAtt": [id, attribute] }),
        (false, _) => json!("none"),
    };
    let mut resources = serde_json::Map::new();
    for id in RESOURCES {
        let Some(variant) = variant(id) else { continue };
        let (odd, high) = (variant % 2 == 1, variant / 2);
        let mut resource = match id {
            "Queue" => json!({ "Type": "AWS::SQS::Queue", "Properties": { "VisibilityTimeout": 30 + high } }),
            "Redrive" if has("Queue") => json!({ "Type": "AWS::SQS::Queue", "Properties": { "RedrivePolicy": {
                "deadLetterTargetArn": reference("Queue", Some("Arn")), "maxReceiveCount": 1 + variant
            } } }),
            "Topic" => json!({ "Type": "AWS::SNS::Topic", "Properties": { "DisplayName": format!("d{high}") } }),
            "Subscription" if has("Topic") && has("Queue") => {
                json!({ "Type": "AWS::SNS::Subscription", "Properties": {
                    "TopicArn": reference("Topic", None), "Protocol": "sqs", "Endpoint": reference("Queue", Some("Arn")),
                    "RawMessageDelivery": odd
                } })
            }
            "Group" => {
                json!({ "Type": "AWS::Logs::LogGroup", "Properties": { "RetentionInDays": if odd { 7 } else { 14 } } })
            }
            "Filter" if has("Group") => json!({ "Type": "AWS::Logs::MetricFilter", "Properties": {
                "LogGroupName": reference("Group", None), "FilterPattern": format!("p{variant}"),
                "MetricTransformations": [{ "MetricName": "m", "MetricNamespace": "n", "MetricValue": "1" }]
            } }),
            "Text" => json!({ "Type": "AWS::SSM::Parameter", "Properties": { "Type": "String", "Value": match variant {
                0 => json!("constant"),
                1 => json!({ "Fn::FindInMap": ["Sizes", "small", "value"] }),
                2 => json!({ "Fn::FindInMap": ["Sizes", "small", "constant"] }),
                _ => json!({ "Fn::Sub": ["queue ${Name}", { "Name": reference("Queue", None) }] }),
            } } }),
            "Copy" if has("Text") => json!({ "Type": "AWS::SSM::Parameter", "Properties": {
                "Type": "String", "Value": reference("Text", Some("Value")), "Description": format!("d{variant}")
            } }),
            "Alarm" => json!({ "Type": "AWS::CloudWatch::Alarm", "Properties": {
                "MetricName": "ApproximateNumberOfMessagesVisible", "Namespace": "AWS/SQS", "Statistic": "Sum",
                "Period": 60, "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": 1 + high, "AlarmActions": [reference("Topic", None)],
                "Dimensions": [{ "Name": "QueueName", "Value": reference("Queue", Some("QueueName")) }]
            } }),
            "Bucket" => json!({ "Type": "AWS::S3::Bucket", "Properties": {
                "VersioningConfiguration": { "Status": if high == 1 { "Enabled" } else { "Suspended" } }
            } }),
            "Policy" if has("Queue") => json!({ "Type": "AWS::SQS::QueuePolicy", "Properties": {
                "Queues": [reference("Queue", None)], "PolicyDocument": { "Statement": [{
                    "Effect": "Allow", "Action": if odd { "sqs:SendMessage" } else { "sqs:*" }, "Principal": "*",
                    "Resource": reference("Queue", Some("Arn"))
                }] }
            } }),
            _ => continue,
        };
        let name_property = match id {
            "Queue" => Some("QueueName"),
            "Topic" => Some("TopicName"),
            "Group" => Some("LogGroupName"),
            "Text" => Some("Name"),
            "Alarm" => Some("AlarmName"),
            _ => None,
        };
        if let (Some(property), true) = (name_property, odd) {
            resource["Properties"][property] = json!(format!("{stack}-{id}-{high}"));
        }
        if matches!(id, "Bucket" | "Topic" | "Text") && odd {
            resource["DeletionPolicy"] = json!("Retain");
        }
        if id == "Alarm" && odd && has("Bucket") {
            resource["DependsOn"] = json!("Bucket");
        }
        resources.insert(id.to_owned(), resource);
    }
    resources.insert("Always".to_owned(), json!({ "Type": "AWS::SNS::Topic" }));
    let size = choice[RESOURCES.len()].unwrap_or_default();
    json!({
        "Mappings": { "Sizes": { "small": { "value": format!("v{size}"), "constant": "c" } } },
        "Resources": resources
    })
}

/// A replacement, in the words of a change set.
fn replacement(resource: &ResourceDiff) -> Replacement {
    let of = |property: &PropertyDiff| {
        let cause = property.because_of.as_ref();
        let is_dynamic = cause.is_some_and(|cause| !cause.starts_with("Mappings/"));
        match property.update {
            UpdateBehavior::InPlace => Replacement::Never,
            UpdateBehavior::Replaces if !is_dynamic => Replacement::Always,
            UpdateBehavior::Replaces | UpdateBehavior::MayReplace => Replacement::Conditional,
        }
    };
    strongest(resource.properties.iter().map(of))
}

fn strongest(replacements: impl Iterator<Item = Replacement>) -> Replacement {
    let strength = |replacement: &Replacement| match replacement {
        Replacement::Never => 0,
        Replacement::Conditional => 1,
        Replacement::Always => 2,
    };
    replacements.max_by_key(strength).unwrap_or(Replacement::Never)
}

/// Action and replacement by logical id, as `diff` says.
fn said(difference: &TemplateDiff) -> BTreeMap<String, (&'static str, Replacement)> {
    let mut said = BTreeMap::new();
    for resource in &difference.resources {
        let action = match resource.change {
            Change::Add => ("Add", Replacement::Never),
            Change::Remove | Change::Release => ("Remove", Replacement::Never),
            // CloudFormation lists no change of the order in which it works.
            Change::Update if resource.properties.iter().all(|property| property.path == "DependsOn") => continue,
            Change::Update | Change::MayReplace | Change::Replace => ("Modify", replacement(resource)),
        };
        said.insert(resource.logical_id.clone(), action);
    }
    said
}

/// The same, as the change set says, without what only reads an attribute of a resource that stays.
fn planned<'a>(changes: &'a [ResourceChange], difference: &TemplateDiff) -> BTreeMap<String, (&'a str, Replacement)> {
    let follows = |change: &ResourceChange, detail: &PropertyChange| {
        let mut resources = difference.resources.iter();
        let resource = resources.find(|resource| resource.logical_id == change.logical_id);
        let mut properties = resource.into_iter().flat_map(|resource| &resource.properties);
        detail.source.as_deref() != Some("ResourceAttribute")
            || properties.any(|property| property.property() == detail.name)
    };
    let mut planned = BTreeMap::new();
    for change in changes {
        let details: Vec<&PropertyChange> = change.details.iter().filter(|detail| follows(change, detail)).collect();
        if change.action == "Modify" && details.is_empty() {
            continue;
        }
        let replacement = strongest(details.iter().map(|detail| {
            let is_dynamic = matches!(
                detail.source.as_deref(),
                Some("ResourceAttribute" | "ResourceReference")
            );
            match detail.requires_replacement {
                Replacement::Always if is_dynamic => Replacement::Conditional,
                replacement => replacement,
            }
        }));
        planned.insert(change.logical_id.clone(), (change.action.as_str(), replacement));
    }
    planned
}

async fn deploy(aws: &Aws, stack: &str, template: &Value) -> Vec<ResourceChange> {
    let input = StackInput {
        name: stack.to_owned(),
        template: template.to_string(),
        ..StackInput::default()
    };
    match aws.plan_stack(&input).await.unwrap() {
        Planned::Unchanged(_) => Vec::new(),
        Planned::Changes(change_set) => {
            let executed = aws.execute_change_set(&change_set, &|_| {}).await;
            executed.unwrap_or_else(|error| panic!("{stack}: {error}\n{template}"));
            change_set.changes
        }
    }
}

async fn deployed(aws: &Aws, stack: &str) -> Value {
    serde_json::from_str(&aws.stack_template(stack).await.unwrap().unwrap()).unwrap()
}

async fn physical_ids(aws: &Aws, stack: &str) -> BTreeMap<String, String> {
    let resources = aws.stack_resources(stack).await.unwrap().into_iter();
    let alive = resources.filter(|resource| !resource.status.starts_with("DELETE"));
    alive
        .map(|resource| (resource.logical_id, resource.physical_id.unwrap_or_default()))
        .collect()
}

async fn agrees(aws: Aws, stack: String, old: Value, new: Value) -> Vec<Change> {
    let context = format!("{stack}\nold: {old}\nnew: {new}");
    deploy(&aws, &stack, &old).await;
    let before = physical_ids(&aws, &stack).await;
    let difference = diff::strict(&deployed(&aws, &stack).await, &new, &Schemas);
    let changes = deploy(&aws, &stack, &new).await;
    assert_eq!(planned(&changes, &difference), said(&difference), "{context}");

    // What changes nothing that runs is no update to CloudFormation, and the old template stays.
    let template = deployed(&aws, &stack).await;
    assert!(template == new || (changes.is_empty() && template == old), "{context}");
    let after = physical_ids(&aws, &stack).await;
    let wanted = new["Resources"].as_object().unwrap();
    assert!(
        after.len() == wanted.len() && after.keys().all(|id| wanted.contains_key(id)),
        "{context}"
    );
    for (id, physical) in &after {
        let mut resources = difference.resources.iter();
        let change = resources
            .find(|resource| resource.logical_id == *id)
            .map(|resource| resource.change);
        let replaced = before.get(id).map(|before| before != physical);
        match change {
            Some(Change::Add) => assert_eq!(replaced, None, "{id} of {context}"),
            Some(Change::Replace) => assert_eq!(replaced, Some(true), "{id} of {context}"),
            Some(Change::MayReplace) => {}
            _ => assert_eq!(replaced, Some(false), "{id} of {context}"),
        }
    }
    difference.resources.iter().map(|resource| resource.change).collect()
}

#[test]
fn the_embedded_cloud_plans_and_does_what_diff_says() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = Options {
            folder: folder.path().to_owned(),
            port: 0,
            region: "eu-west-1".into(),
            database_url: None,
        };
        let cloud = LocalCloud::start(options).await.unwrap();
        let settings = aws::Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some(cloud.endpoint.clone()),
            ..aws::Settings::default()
        };
        let aws = connect(settings).await.unwrap();
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        let mut cases = JoinSet::new();
        for case in 0..CASES {
            let (old, new) = choice().new_tree(&mut runner).unwrap().current();
            let stack = format!("case{case}");
            let (old, new) = (template(&stack, &old), template(&stack, &new));
            cases.spawn(agrees(aws.clone(), stack, old, new));
        }
        let mut seen = Vec::new();
        while let Some(ended) = cases.join_next().await {
            seen.extend(ended.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic())));
        }
        for change in [
            Change::Add,
            Change::Update,
            Change::Replace,
            Change::Release,
            Change::Remove,
        ] {
            assert!(seen.contains(&change), "no case has {change:?}");
        }
        cloud.stop().await;
    });
}
