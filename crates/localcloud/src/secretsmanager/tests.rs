use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::*;
use crate::testing::{SetClock, call, context_at, resource_request};

struct OneDatabase;

impl DatabaseDirectory for OneDatabase {
    fn database(&self, identifier: &str) -> Option<DatabaseTarget> {
        (identifier == "db-1").then(|| DatabaseTarget {
            engine: "postgres".into(),
            host: "127.0.0.1".into(),
            port: 5433,
            database: Some("llama".into()),
            credentials: None,
        })
    }

    fn cluster(&self, identifier: &str) -> Option<DatabaseTarget> {
        (identifier == "cluster-1").then(|| DatabaseTarget {
            engine: "postgres".into(),
            host: "127.0.0.1".into(),
            port: 5434,
            database: None,
            credentials: None,
        })
    }
}

fn secrets(folder: &std::path::Path) -> Arc<SecretsManager> {
    SecretsManager::open(&context_at(folder, SetClock::new())).unwrap()
}

#[tokio::test]
async fn labels_move_with_new_versions_and_old_ones_go() {
    let folder = tempfile::tempdir().unwrap();
    let service = secrets(folder.path());
    call(&*service, "CreateSecret", json!({"Name": "s", "SecretString": "one"}))
        .await
        .unwrap();
    let put = call(
        &*service,
        "PutSecretValue",
        json!({"SecretId": "s", "SecretString": "two"}),
    )
    .await
    .unwrap();
    assert_eq!(put["VersionStages"], json!(["AWSCURRENT"]));
    call(
        &*service,
        "UpdateSecret",
        json!({"SecretId": "s", "SecretString": "three"}),
    )
    .await
    .unwrap();
    drop(service);

    let service = secrets(folder.path());
    let value = async |input| {
        call(&*service, "GetSecretValue", input)
            .await
            .map(|value| value["SecretString"].clone())
    };
    assert_eq!(value(json!({"SecretId": "s"})).await.unwrap(), "three");
    assert_eq!(
        value(json!({"SecretId": "s", "VersionStage": "AWSPREVIOUS"}))
            .await
            .unwrap(),
        "two"
    );
    let versions = call(&*service, "ListSecretVersionIds", json!({"SecretId": "s"}))
        .await
        .unwrap();
    assert_eq!(versions["Versions"].as_array().unwrap().len(), 2);

    // Back to the previous one by moving the label.
    let described = call(&*service, "DescribeSecret", json!({"SecretId": "s"}))
        .await
        .unwrap();
    let labelled = |label: &str| {
        let stages = described["VersionIdsToStages"].as_object().unwrap();
        stages.iter().find(|(_, stages)| stages[0] == label).unwrap().0.clone()
    };
    let back = json!({"SecretId": "s", "VersionStage": "AWSCURRENT", "MoveToVersionId": labelled("AWSPREVIOUS"),
        "RemoveFromVersionId": labelled("AWSCURRENT")});
    call(&*service, "UpdateSecretVersionStage", back).await.unwrap();
    assert_eq!(value(json!({"SecretId": "s"})).await.unwrap(), "two");
    assert_eq!(
        value(json!({"SecretId": "s", "VersionStage": "AWSPREVIOUS"}))
            .await
            .unwrap(),
        "three"
    );
}

#[tokio::test]
async fn a_secret_is_found_by_name_arn_and_partial_arn() {
    let folder = tempfile::tempdir().unwrap();
    let service = secrets(folder.path());
    let made = call(
        &*service,
        "CreateSecret",
        json!({"Name": "a/b", "SecretBinary": "AAE="}),
    )
    .await
    .unwrap();
    let arn = made["ARN"].as_str().unwrap();
    for id in ["a/b", arn, &arn[..arn.len() - 7]] {
        assert_eq!(
            call(&*service, "GetSecretValue", json!({"SecretId": id}))
                .await
                .unwrap()["SecretBinary"],
            "AAE="
        );
    }
    let missing = call(&*service, "GetSecretValue", json!({"SecretId": "a"}))
        .await
        .unwrap_err();
    assert_eq!(missing.code, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_until_forced() {
    let folder = tempfile::tempdir().unwrap();
    let service = secrets(folder.path());
    let create = json!({"Name": "s", "SecretString": "x"});
    call(&*service, "CreateSecret", create.clone()).await.unwrap();
    assert_eq!(
        call(&*service, "CreateSecret", create.clone()).await.unwrap_err().code,
        "ResourceExistsException"
    );
    call(
        &*service,
        "DeleteSecret",
        json!({"SecretId": "s", "RecoveryWindowInDays": 7}),
    )
    .await
    .unwrap();
    let read = json!({"SecretId": "s"});
    assert_eq!(
        call(&*service, "GetSecretValue", read.clone()).await.unwrap_err().code,
        "InvalidRequestException"
    );
    assert_eq!(
        call(&*service, "CreateSecret", create.clone()).await.unwrap_err().code,
        "InvalidRequestException"
    );
    assert_eq!(
        call(&*service, "ListSecrets", json!({})).await.unwrap()["SecretList"],
        json!([])
    );
    call(&*service, "RestoreSecret", read.clone()).await.unwrap();
    call(&*service, "GetSecretValue", read.clone()).await.unwrap();
    call(
        &*service,
        "DeleteSecret",
        json!({"SecretId": "s", "ForceDeleteWithoutRecovery": true}),
    )
    .await
    .unwrap();
    assert_eq!(
        call(&*service, "DescribeSecret", read).await.unwrap_err().code,
        "ResourceNotFoundException"
    );
    call(&*service, "CreateSecret", create).await.unwrap();
}

#[tokio::test]
async fn cloudformation_generates_a_secret_keeps_it_and_attaches_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let service = secrets(folder.path());
    let providers = service.providers(Arc::new(OneDatabase));
    let generate = json!({"GenerateSecretString": {"SecretStringTemplate": "{\"username\":\"llama\"}",
        "GenerateStringKey": "password", "PasswordLength": 30, "ExcludeCharacters": "\"@/\\"}, "Description": "d"});
    let request = resource_request("AWS::SecretsManager::Secret", generate.clone());
    let made = providers[0].create(&request).await.unwrap();
    assert!(
        made.physical_id
            .starts_with("arn:aws:secretsmanager:us-east-1:000000000000:secret:Stack-Thing-ABC123-")
    );
    let password = service
        .secret_text(&made.physical_id, Some("password"), None, None)
        .unwrap();
    assert_eq!(password.len(), 30);

    let mut described = generate;
    described["Description"] = json!("other");
    let changed = resource_request("AWS::SecretsManager::Secret", described);
    providers[0].update(&made, &request.properties, &changed).await.unwrap();
    assert_eq!(
        service
            .secret_text(&made.physical_id, Some("password"), None, None)
            .unwrap(),
        password
    );

    let attachment = |target: &str| {
        let properties =
            json!({"SecretId": made.physical_id, "TargetId": target, "TargetType": "AWS::RDS::DBInstance"});
        resource_request("AWS::SecretsManager::SecretTargetAttachment", properties)
    };
    assert!(
        providers[1]
            .create(&attachment("db-2"))
            .await
            .unwrap_err()
            .message
            .contains("db-2 not found")
    );
    let attached = providers[1].create(&attachment("db-1")).await.unwrap();
    assert_eq!(attached.physical_id, made.physical_id);
    let secret: Value =
        serde_json::from_str(&service.secret_text(&made.physical_id, None, None, None).unwrap()).unwrap();
    let expected = json!({"username": "llama", "password": password, "engine": "postgres", "host": "127.0.0.1",
        "port": 5433, "dbInstanceIdentifier": "db-1", "dbname": "llama"});
    assert_eq!(secret, expected);

    providers[0].delete(&made, &request).await.unwrap();
    providers[0].delete(&made, &request).await.unwrap();
}

#[tokio::test]
async fn only_its_owner_may_read_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let service = secrets(folder.path());
    call(&*service, "CreateSecret", json!({"Name": "s", "SecretString": "x"}))
        .await
        .unwrap();
    let file = std::fs::metadata(folder.path().join("state/secretsmanager.json")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}
