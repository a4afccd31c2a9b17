//! Deleting stacks of the embedded cloud: users first, and again after it failed.

#![allow(clippy::unwrap_used, reason = "what a test prepares fails by panicking")]

use aws::stacks::{Approved, Deployment, Removal, StackError, StackInput, Stop, into_outcomes};
use aws::{Settings, connect};
use localcloud::cloud::{LocalCloud, Options};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_failed_is_gone_on_with_and_may_leave_something() {
    let folder = tempfile::tempdir().unwrap();
    let running = LocalCloud::start(Options {
        folder: folder.path().to_owned(),
        port: 0,
        region: "eu-west-1".to_owned(),
        database_url: None,
    })
    .await
    .unwrap();
    let settings = Settings {
        region: Some("eu-west-1".to_owned()),
        endpoint_url: Some(running.endpoint.clone()),
        ..Settings::default()
    };
    let aws = connect(settings).await.unwrap();
    let input = |name: &str, template: serde_json::Value, depends_on: &[&str]| StackInput {
        name: name.to_owned(),
        template: template.to_string(),
        depends_on: depends_on.iter().map(|name| (*name).to_owned()).collect(),
        ..StackInput::default()
    };
    let ledger = aws.ledger("s3://shop-ledger/x").unwrap();
    let bucket = json!({ "Resources": { "Ledger": {
        "Type": "AWS::S3::Bucket", "Properties": { "BucketName": "shop-ledger" }
    } }, "Outputs": { "Name": { "Value": { "Ref": "Ledger" }, "Export": { "Name": "Base:Ledger" } } } });
    let user = json!({ "Resources": { "Parameter": { "Type": "AWS::SSM::Parameter", "Properties": {
        "Type": "String", "Value": { "Fn::ImportValue": "Base:Ledger" }
    } } } });
    let inputs = [input("Base", bucket, &[]), input("User", user, &["Base"])];
    let deployment = Deployment::new(&Approved, &|_| {});
    into_outcomes(aws.deploy_stacks(&inputs, &deployment).await.unwrap()).unwrap();
    assert_eq!(aws.importers("Base:Ledger").await.unwrap(), ["User"]);
    assert_eq!(aws.importers("Nobody").await.unwrap(), [] as [&str; 0]);
    assert!(!aws.bucket_holds_objects("shop-ledger").await.unwrap());
    ledger.put(&Path::from("object"), "x".into()).await.unwrap();
    assert!(aws.bucket_holds_objects("shop-ledger").await.unwrap());
    assert!(!aws.bucket_holds_objects("no-such-bucket").await.unwrap());

    let removal = |stack: &str, after: &[&str], retain: &[&str]| Removal {
        stack: stack.to_owned(),
        after: after.iter().map(|name| (*name).to_owned()).collect(),
        retain: retain.iter().map(|name| (*name).to_owned()).collect(),
    };
    let removals = [
        removal("Base", &["User"], &["Ledger"]),
        removal("User", &[], &["Ledger"]),
    ];
    match aws
        .destroy_stacks(&removals, &|_| {}, &Stop::default())
        .await
        .unwrap_err()
    {
        StackError::Failed { status, failures, .. } => {
            assert_eq!(
                (status.as_str(), failures.first.unwrap().event.logical_id.as_str()),
                ("DELETE_FAILED", "Ledger")
            );
        }
        other => panic!("{other}"),
    }
    assert!(aws.describe_stack("User").await.unwrap().is_none());
    // The same again, now that it may leave the bucket.
    aws.destroy_stacks(&removals, &|_| {}, &Stop::default()).await.unwrap();
    assert!(aws.describe_stack("Base").await.unwrap().is_none());
    assert!(aws.bucket_holds_objects("shop-ledger").await.unwrap());
    let circle = [removal("A", &["B"], &[]), removal("B", &["A"], &[])];
    let refused = aws
        .destroy_stacks(&circle, &|_| {}, &Stop::default())
        .await
        .unwrap_err();
    assert!(matches!(refused, StackError::Circle { .. }), "{refused}");
    running.stop().await;
}
