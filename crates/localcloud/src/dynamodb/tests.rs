use serde_json::json;

use super::*;
use crate::testing::{SetClock, call, context_at, resource_request};

#[tokio::test]
async fn a_backup_outlives_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::new();
    let service = DynamoDb::open(&context_at(folder.path(), clock.clone())).unwrap();
    let provider = service.providers().remove(0);
    let request = resource_request(
        "AWS::DynamoDB::Table",
        json!({"TableName": "events", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST"}),
    );
    let made = provider.create(&request).await.unwrap();
    assert_eq!(made.physical_id, "events");
    assert!(provider.create(&request).await.is_err());
    let table = call(&*service, "DescribeTable", json!({"TableName": "events"}))
        .await
        .unwrap();
    assert_eq!(table["Table"]["TableArn"], made.attributes["Arn"]);
    assert_eq!(table["Table"]["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");

    let backup = async |name: &str| {
        call(
            &*service,
            "CreateBackup",
            json!({"TableName": "events", "BackupName": name}),
        )
        .await
        .map(|answer| answer["BackupDetails"]["BackupArn"].clone())
    };
    let first = backup("one").await.unwrap();
    clock.advance_seconds(60);
    let second = backup("two").await.unwrap();
    provider.delete(&made, &request).await.unwrap();
    assert_eq!(backup("three").await.unwrap_err().code, "TableNotFoundException");

    let page = call(&*service, "ListBackups", json!({"TableName": "events", "Limit": 1}))
        .await
        .unwrap();
    assert_eq!(
        (
            page["BackupSummaries"].as_array().unwrap().len(),
            &page["LastEvaluatedBackupArn"]
        ),
        (1, &first)
    );
    let rest = json!({"ExclusiveStartBackupArn": first});
    let rest = call(&*service, "ListBackups", rest).await.unwrap();
    assert_eq!(rest["BackupSummaries"][0]["BackupArn"], second);
    assert!(rest["LastEvaluatedBackupArn"].is_null());

    let deleted = call(&*service, "DeleteBackup", json!({"BackupArn": first}))
        .await
        .unwrap();
    assert_eq!(deleted["BackupDescription"]["BackupDetails"]["BackupStatus"], "DELETED");
    let gone = call(&*service, "DescribeBackup", json!({"BackupArn": first})).await;
    assert_eq!(gone.unwrap_err().code, "BackupNotFoundException");
}
