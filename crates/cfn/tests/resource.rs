//! What surrounds the properties of a resource, and the escape hatches.

use cfn::{DeletionPolicy, Expr, Map, Resource, intrinsics as fns, pseudo};
use serde_json::{Value as Json, json};

fn render(resource: &Resource) -> Json {
    serde_json::to_value(resource).expect("every reference has a name")
}

fn queue() -> Resource {
    let mut queue = Resource::new("AWS::SQS::Queue");
    queue.properties.insert("QueueName", "q");
    queue.properties.insert(
        "Tags",
        Expr::list([Expr::map([("Key", "a")]), Expr::map([("Key", "b")])]),
    );
    queue
}

#[test]
fn attributes_of_a_resource_render() {
    let mut resource = Resource::new("AWS::SQS::Queue");
    let options = resource.options_mut();
    options.condition = Some("IsProd".into());
    options.deletion_policy = Some(DeletionPolicy::Retain);
    options.update_replace_policy = Some(DeletionPolicy::Snapshot);
    options.update_policy = Some(Expr::map([("UseOnlineResharding", true)]));
    options.creation_policy = Some(Expr::map([("ResourceSignal", Expr::map([("Count", 1)]))]));
    options.metadata = Map::from_iter([("aws:cdk:path", "S/Q/Resource")]);
    resource.depend_on("Other");
    assert_eq!(
        render(&resource),
        json!({
            "Type": "AWS::SQS::Queue",
            "DependsOn": ["Other"],
            "Condition": "IsProd",
            "CreationPolicy": { "ResourceSignal": { "Count": 1 } },
            "UpdatePolicy": { "UseOnlineResharding": true },
            "UpdateReplacePolicy": "Snapshot",
            "DeletionPolicy": "Retain",
            "Metadata": { "aws:cdk:path": "S/Q/Resource" },
        })
    );
}

#[test]
fn overrides_replace_add_and_delete_in_order() {
    let mut queue = queue();
    queue.override_at("Properties.QueueName", Some(pseudo::stack_name().into()));
    queue.override_at("Properties.Tags.0", None);
    queue.override_at("Properties.Tags.1.Key", Some("c".into()));
    queue.override_at("Properties.Redrive.maxReceiveCount", Some(3.into()));
    queue.override_at("Metadata.x\\.y", Some(fns::import_value::<String>("E").into()));
    queue.override_at("Type", Some("AWS::SQS::Other".into()));
    assert_eq!(
        render(&queue),
        json!({
            "Type": "AWS::SQS::Other",
            "Properties": {
                "QueueName": { "Ref": "AWS::StackName" },
                "Tags": [{ "Key": "b" }, { "Key": "c" }],
                "Redrive": { "maxReceiveCount": 3 },
            },
            "Metadata": { "x.y": { "Fn::ImportValue": "E" } },
        })
    );
}

#[test]
fn deleting_what_is_not_there_changes_nothing() {
    let mut overridden = queue();
    for path in [
        "Properties.Nothing.Deep",
        "Properties.Tags.7",
        "Properties.Tags.x",
        "Properties.QueueName.Deep",
        "",
    ] {
        overridden.override_at(path, None);
    }
    assert_eq!(render(&overridden), render(&queue()));
}
