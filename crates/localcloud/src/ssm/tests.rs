use serde_json::json;

use super::*;
use crate::testing::{SetClock, call, context_at, resource_request};

fn ssm(folder: &std::path::Path) -> Arc<Ssm> {
    Ssm::open(&context_at(folder, SetClock::new())).unwrap()
}

/// As CloudFormation reads it.
async fn value(ssm: &Ssm, name: &str) -> Result<Value, ApiError> {
    let found = call(ssm, "GetParameter", json!({"Name": name})).await?;
    Ok(found["Parameter"]["Value"].clone())
}

#[tokio::test]
async fn the_bootstrap_version_is_there_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let ssm = ssm(folder.path());
    let found = call(&*ssm, "GetParameter", json!({"Name": BOOTSTRAP_PARAMETER}))
        .await
        .unwrap();
    assert_eq!(found["Parameter"]["Value"], BOOTSTRAP_VERSION);
}

#[tokio::test]
async fn a_parameter_is_overwritten_only_when_asked_and_counts_its_versions() {
    let folder = tempfile::tempdir().unwrap();
    let ssm = ssm(folder.path());
    let put = json!({"Name": "/app/a", "Value": "1", "Type": "String"});
    call(&*ssm, "PutParameter", put.clone()).await.unwrap();
    assert_eq!(
        call(&*ssm, "PutParameter", put).await.unwrap_err().code,
        "ParameterAlreadyExists"
    );
    let again = json!({"Name": "/app/a", "Value": "2", "Overwrite": true});
    assert_eq!(call(&*ssm, "PutParameter", again).await.unwrap()["Version"], 2);
    assert_eq!(value(&ssm, "/app/a:2").await.unwrap(), "2");
    assert_eq!(
        value(&ssm, "/app/a:1").await.unwrap_err().code,
        "ParameterVersionNotFound"
    );
}

#[tokio::test]
async fn a_path_lists_its_children_in_pages_and_below_when_recursive() {
    let folder = tempfile::tempdir().unwrap();
    let service = ssm(folder.path());
    for name in ["/p/a", "/p/b", "/p/q/c", "/px"] {
        let put = json!({"Name": name, "Value": name, "Type": "SecureString"});
        call(&*service, "PutParameter", put).await.unwrap();
    }
    let names = |answer: &Value| -> Vec<String> {
        answer
            .list("Parameters")
            .iter()
            .map(|p| p["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    let flat = call(&*service, "GetParametersByPath", json!({"Path": "/p"}))
        .await
        .unwrap();
    assert_eq!(names(&flat), ["/p/a", "/p/b"]);
    assert_ne!(flat["Parameters"][0]["Value"], "/p/a", "not decrypted");
    let first = json!({"Path": "/p/", "Recursive": true, "MaxResults": 2, "WithDecryption": true});
    let first = call(&*service, "GetParametersByPath", first).await.unwrap();
    assert_eq!(first["Parameters"][0]["Value"], "/p/a");
    let rest = json!({"Path": "/p/", "Recursive": true, "MaxResults": 2, "NextToken": first["NextToken"]});
    let rest = call(&*service, "GetParametersByPath", rest).await.unwrap();
    assert_eq!(names(&rest), ["/p/q/c"]);
    assert!(rest.get("NextToken").is_none());

    // Another process finds the same.
    drop(service);
    let found = call(
        &*ssm(folder.path()),
        "GetParameters",
        json!({"Names": ["/p/a", "/nope"]}),
    )
    .await
    .unwrap();
    assert_eq!(names(&found), ["/p/a"]);
    assert_eq!(found["InvalidParameters"], json!(["/nope"]));
}

#[tokio::test]
async fn an_arn_names_the_parameter() {
    assert_eq!(selected("arn:aws:ssm:r:1:parameter/a/b"), ("/a/b", None));
    assert_eq!(selected("arn:aws:ssm:r:1:parameter/plain:3"), ("plain", Some("3")));
    assert_eq!(selected("plain"), ("plain", None));
}

#[tokio::test]
async fn cloudformation_makes_changes_and_removes_a_parameter() {
    let folder = tempfile::tempdir().unwrap();
    let ssm = ssm(folder.path());
    let provider = ssm.providers().remove(0);
    let request = resource_request("AWS::SSM::Parameter", json!({"Type": "String", "Value": "one"}));
    let made = provider.create(&request).await.unwrap();
    assert_eq!(made.physical_id, "Stack-Thing-ABC123");
    assert_eq!(made.attributes["Value"], "one");
    let changed = resource_request("AWS::SSM::Parameter", json!({"Type": "String", "Value": "two"}));
    provider.update(&made, &request.properties, &changed).await.unwrap();
    assert_eq!(value(&ssm, "Stack-Thing-ABC123").await.unwrap(), "two");
    provider.delete(&made, &changed).await.unwrap();
    provider.delete(&made, &changed).await.unwrap();
    assert_eq!(
        value(&ssm, "Stack-Thing-ABC123").await.unwrap_err().code,
        "ParameterNotFound"
    );
}
