//! Lambda's control plane: versions, aliases, policies, what survives a restart, and CloudFormation's resources.

#![allow(clippy::unwrap_used, reason = "tests and what they call")]

mod lambda_world;

use lambda_world::{ROLE, World, archive};
use localcloud::lambda::LambdaProvider;
use localcloud::resource::{Provider, Resource, ResourceRequest};
use serde_json::{Value, json};

const ONE: &[(&str, &str)] = &[("index.py", "def handler(event, context): return 1")];
const TWO: &[(&str, &str)] = &[("index.py", "def handler(event, context): return 2")];

fn named(name: &str) -> Value {
    json!({"FunctionName": name})
}

fn with(mut value: Value, more: Value) -> Value {
    value
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().cloned().unwrap());
    value
}

#[tokio::test]
async fn publishing_twice_gives_one_version_until_something_changes() {
    let world = World::new();
    let created = world.create("f", "python3.12", ONE, json!({})).await;
    let first = world.call("PublishVersion", named("f")).await.unwrap();
    assert_eq!(first["Version"], "1");
    assert_eq!(
        first["FunctionArn"],
        "arn:aws:lambda:eu-west-1:000000000000:function:f:1"
    );
    assert_eq!(first["CodeSha256"], created["CodeSha256"]);
    assert_eq!(world.call("PublishVersion", named("f")).await.unwrap()["Version"], "1");

    world
        .call("UpdateFunctionConfiguration", with(named("f"), json!({"Timeout": 7})))
        .await
        .unwrap();
    let second = world
        .call("PublishVersion", with(named("f"), json!({"Description": "slower"})))
        .await
        .unwrap();
    assert_eq!(
        (&second["Version"], &second["Timeout"], &second["Description"]),
        (&json!("2"), &json!(7), &json!("slower"))
    );
    let unchanged = world.call("GetFunctionConfiguration", named("f:1")).await.unwrap();
    assert_eq!(unchanged["Timeout"], 3);

    world.call("DeleteFunction", named("f:2")).await.unwrap();
    assert_eq!(
        world.call("PublishVersion", named("f")).await.unwrap()["Version"],
        "3",
        "numbers are not used twice"
    );
    let versions = world.call("ListVersionsByFunction", named("f")).await.unwrap();
    let numbers: Vec<&str> = versions["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|v| v["Version"].as_str())
        .collect();
    assert_eq!(numbers, ["$LATEST", "1", "3"]);
    let page = world
        .call("ListVersionsByFunction", with(named("f"), json!({"MaxItems": 2})))
        .await
        .unwrap();
    let rest = with(named("f"), json!({"MaxItems": 2, "Marker": page["NextMarker"]}));
    let rest = world.call("ListVersionsByFunction", rest).await.unwrap();
    assert_eq!(
        (rest["Versions"].as_array().unwrap().len(), &rest["NextMarker"]),
        (1, &Value::Null)
    );
}

#[tokio::test]
async fn preconditions_fail_when_somebody_else_changed_it() {
    let world = World::new();
    let created = world.create("f", "python3.12", ONE, json!({"Publish": true})).await;
    let stale = json!({"RevisionId": "00000000-0000-4000-a000-000000000000"});
    for (operation, input) in [
        ("PublishVersion", stale.clone()),
        ("UpdateFunctionConfiguration", stale.clone()),
        (
            "UpdateFunctionCode",
            with(stale.clone(), json!({"ZipFile": archive(TWO)})),
        ),
    ] {
        let error = world.call(operation, with(named("f"), input)).await.unwrap_err();
        assert_eq!(
            (error.status, error.code.as_str()),
            (412, "PreconditionFailedException"),
            "{operation}"
        );
    }
    let other_code = with(named("f"), json!({"CodeSha256": "bm90IGl0"}));
    assert_eq!(
        world.call("PublishVersion", other_code).await.unwrap_err().code,
        "InvalidParameterValueException"
    );
    let right = with(named("f"), json!({"CodeSha256": created["CodeSha256"]}));
    assert_eq!(world.call("PublishVersion", right).await.unwrap()["Version"], "1");

    let alias = with(named("f"), json!({"Name": "blue", "FunctionVersion": "1"}));
    let alias = world.call("CreateAlias", alias).await.unwrap();
    let update = |revision: &Value| {
        with(
            named("f"),
            json!({"Name": "blue", "Description": "x", "RevisionId": revision}),
        )
    };
    let updated = world.call("UpdateAlias", update(&alias["RevisionId"])).await.unwrap();
    assert_ne!(updated["RevisionId"], alias["RevisionId"]);
    assert_eq!(
        world
            .call("UpdateAlias", update(&alias["RevisionId"]))
            .await
            .unwrap_err()
            .status,
        412
    );
}

#[tokio::test]
async fn an_alias_takes_only_what_aws_takes() {
    let world = World::new();
    world.create("f", "python3.12", ONE, json!({"Publish": true})).await;
    let code = with(named("f"), json!({"ZipFile": archive(TWO), "Publish": true}));
    world.call("UpdateFunctionCode", code).await.unwrap();
    let make = |more: Value| world.call("CreateAlias", with(named("f"), more));
    let routing = |version: &str, weight: f64| json!({"AdditionalVersionWeights": {version: weight}});

    for (alias, code) in [
        (
            json!({"Name": "a", "FunctionVersion": "9"}),
            "ResourceNotFoundException",
        ),
        (json!({"Name": "7", "FunctionVersion": "1"}), "ValidationException"),
        (
            json!({"Name": "a", "FunctionVersion": "$LATEST", "RoutingConfig": routing("1", 0.5)}),
            "InvalidParameterValueException",
        ),
        (
            json!({"Name": "a", "FunctionVersion": "1", "RoutingConfig": routing("$LATEST", 0.5)}),
            "InvalidParameterValueException",
        ),
        (
            json!({"Name": "a", "FunctionVersion": "1", "RoutingConfig": routing("1", 0.5)}),
            "InvalidParameterValueException",
        ),
        (
            json!({"Name": "a", "FunctionVersion": "1", "RoutingConfig": routing("2", 1.5)}),
            "InvalidParameterValueException",
        ),
        (
            json!({"Name": "a", "FunctionVersion": "1", "RoutingConfig": routing("3", 0.5)}),
            "ResourceNotFoundException",
        ),
    ] {
        assert_eq!(make(alias.clone()).await.unwrap_err().code, code, "{alias}");
    }
    let made = make(json!({"Name": "a", "FunctionVersion": "1", "RoutingConfig": routing("2", 0.1)}))
        .await
        .unwrap();
    assert_eq!(made["RoutingConfig"]["AdditionalVersionWeights"]["2"], 0.1);
    assert_eq!(
        make(json!({"Name": "a", "FunctionVersion": "1"}))
            .await
            .unwrap_err()
            .code,
        "ResourceConflictException"
    );
    assert_eq!(
        world.call("DeleteFunction", named("f:2")).await.unwrap_err().code,
        "ResourceConflictException"
    );

    // Weights are moved by compare-and-swap, from 0.0 to 1.0.
    let weigh = |weight: f64, revision: &Value| {
        let change = json!({"Name": "a", "RoutingConfig": routing("2", weight), "RevisionId": revision});
        world.call("UpdateAlias", with(named("f"), change))
    };
    let none = weigh(0.0, &made["RevisionId"]).await.unwrap();
    let all = weigh(1.0, &none["RevisionId"]).await.unwrap();
    assert_eq!(all["RoutingConfig"]["AdditionalVersionWeights"]["2"], 1.0);
    let stale = weigh(0.5, &none["RevisionId"]).await.unwrap_err();
    assert_eq!(
        (stale.status, stale.code.as_str()),
        (412, "PreconditionFailedException")
    );

    let clear = with(
        named("f"),
        json!({"Name": "a", "FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {}}}),
    );
    assert_eq!(
        world.call("UpdateAlias", clear).await.unwrap()["RoutingConfig"],
        Value::Null
    );
    let listed = world
        .call("ListAliases", with(named("f"), json!({"FunctionVersion": "1"})))
        .await
        .unwrap();
    assert_eq!(listed["Aliases"], json!([]));
    let get = with(named("f"), json!({"Name": "a"}));
    assert_eq!(
        world.call("GetAlias", get.clone()).await.unwrap()["FunctionVersion"],
        "2"
    );
    world.call("DeleteAlias", get.clone()).await.unwrap();
    assert_eq!(
        world.call("GetAlias", get).await.unwrap_err().code,
        "ResourceNotFoundException"
    );

    // Versions with different roles cannot share an alias.
    let role = with(named("f"), json!({"Role": "arn:aws:iam::000000000000:role/other"}));
    world.call("UpdateFunctionConfiguration", role).await.unwrap();
    world.call("PublishVersion", named("f")).await.unwrap();
    let mixed = make(json!({"Name": "b", "FunctionVersion": "1", "RoutingConfig": routing("3", 0.5)}))
        .await
        .unwrap_err();
    assert!(mixed.message.contains("role"), "{mixed}");

    // Nor such with different dead-letter queues.
    let queue = json!({"Role": ROLE, "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}});
    world
        .call("UpdateFunctionConfiguration", with(named("f"), queue))
        .await
        .unwrap();
    world.call("PublishVersion", named("f")).await.unwrap();
    let mixed = make(json!({"Name": "b", "FunctionVersion": "1", "RoutingConfig": routing("4", 0.5)}))
        .await
        .unwrap_err();
    assert!(mixed.message.contains("dead-letter queue"), "{mixed}");
}

#[tokio::test]
async fn each_alias_needs_its_own_permission() {
    let world = World::new();
    world.create("f", "python3.12", ONE, json!({"Publish": true})).await;
    world
        .call(
            "CreateAlias",
            with(named("f"), json!({"Name": "blue", "FunctionVersion": "1"})),
        )
        .await
        .unwrap();
    let source = "arn:aws:execute-api:eu-west-1:000000000000:abc/prod/GET/health";
    let permits = |qualifier: Option<&str>| world.lambda.permits("f", qualifier, "apigateway.amazonaws.com", source);
    let permission = json!({
        "StatementId": "api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
        "SourceArn": "arn:aws:execute-api:eu-west-1:000000000000:abc/*/GET/health",
    });
    world
        .call("AddPermission", with(named("f"), permission.clone()))
        .await
        .unwrap();
    assert!(permits(None) && !permits(Some("blue")));
    let for_alias = with(with(named("f"), permission.clone()), json!({"Qualifier": "blue"}));
    world.call("AddPermission", for_alias.clone()).await.unwrap();
    assert!(permits(Some("blue")));
    assert_eq!(
        world.call("AddPermission", for_alias).await.unwrap_err().code,
        "ResourceConflictException"
    );
    let policy = world.call("GetPolicy", named("f:blue")).await.unwrap();
    let document: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(
        document["Statement"][0]["Resource"],
        "arn:aws:lambda:eu-west-1:000000000000:function:f:blue"
    );
    let remove = with(named("f:blue"), json!({"StatementId": "api"}));
    world.call("RemovePermission", remove.clone()).await.unwrap();
    assert!(permits(None) && !permits(Some("blue")));
    assert_eq!(
        world.call("RemovePermission", remove).await.unwrap_err().code,
        "ResourceNotFoundException"
    );
    assert_eq!(
        world.call("GetPolicy", named("f:blue")).await.unwrap_err().code,
        "ResourceNotFoundException"
    );
    let nowhere = with(named("f:green"), permission);
    assert_eq!(
        world.call("AddPermission", nowhere).await.unwrap_err().code,
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let mut world = World::new();
    world
        .create("f", "python3.12", ONE, json!({"Publish": true, "Tags": {"team": "a"}}))
        .await;
    world
        .call(
            "CreateAlias",
            with(named("f"), json!({"Name": "blue", "FunctionVersion": "1"})),
        )
        .await
        .unwrap();
    world
        .call(
            "PutFunctionConcurrency",
            with(named("f"), json!({"ReservedConcurrentExecutions": 5})),
        )
        .await
        .unwrap();
    let before = world.call("GetFunction", named("f:blue")).await.unwrap();
    world.reopen();
    assert_eq!(world.call("GetFunction", named("f:blue")).await.unwrap(), before);
    assert_eq!(
        before["Configuration"]["FunctionArn"],
        "arn:aws:lambda:eu-west-1:000000000000:function:f:blue"
    );
    assert_eq!(before["Concurrency"]["ReservedConcurrentExecutions"], 5);
    assert_eq!(world.invoke("f:blue", json!({})).await.0, json!(1));
}

#[tokio::test]
async fn code_comes_from_s3_and_a_missing_object_is_named() {
    let world = World::new();
    let input = |key: &str| {
        json!({"FunctionName": "f", "Runtime": "python3.12", "Handler": "index.handler", "Role": ROLE,
            "Code": {"S3Bucket": "assets", "S3Key": key}})
    };
    let missing = world.call("CreateFunction", input("nothing.zip")).await.unwrap_err();
    assert_eq!(
        missing.message,
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."
    );
    use base64::Engine;
    let zip = base64::engine::general_purpose::STANDARD.decode(archive(ONE)).unwrap();
    world
        .recorder
        .objects
        .lock()
        .unwrap()
        .insert(("assets".into(), "code.zip".into()), zip.into());
    world.call("CreateFunction", input("code.zip")).await.unwrap();
    assert_eq!(world.invoke("f", json!({})).await.0, json!(1));
    let twice = world.call("CreateFunction", input("code.zip")).await.unwrap_err();
    assert_eq!((twice.status, twice.code.as_str()), (409, "ResourceConflictException"));
}

fn resource(kind: &str, properties: Value) -> ResourceRequest {
    ResourceRequest {
        resource_type: format!("AWS::Lambda::{kind}"),
        stack_name: "stack".to_owned(),
        stack_id: "arn:aws:cloudformation:us-east-1:000000000000:stack/Stack/1".into(),
        logical_id: kind.to_owned(),
        properties: properties.as_object().cloned().unwrap(),
        generated_name: format!("stack-{kind}-0123456789AB"),
        tags: vec![("stack".to_owned(), "mine".to_owned())],
    }
}

#[tokio::test]
async fn a_stack_makes_changes_and_removes_a_function_with_its_slots() {
    let world = World::new();
    let provider = LambdaProvider::new(world.lambda.clone());
    let properties = |source: &str, timeout: u32| {
        json!({"Runtime": "python3.12", "Handler": "index.handler", "Role": ROLE, "Timeout": timeout,
            "Code": {"ZipFile": source}, "Tags": [{"Key": "team", "Value": "a"}]})
    };
    let first = resource("Function", properties("def handler(event, context): return 1", 5));
    let function = provider.create(&first).await.unwrap();
    assert_eq!(function.physical_id, "stack-Function-0123456789AB");
    let name = function.physical_id.as_str();
    assert_eq!(
        function.attributes["Arn"],
        format!("arn:aws:lambda:eu-west-1:000000000000:function:{name}")
    );
    assert_eq!(
        world
            .call("ListTags", json!({"Resource": function.attributes["Arn"]}))
            .await
            .unwrap()["Tags"],
        json!({"stack": "mine", "team": "a"})
    );

    let version_request = resource("Version", named(name));
    let version = provider.create(&version_request).await.unwrap();
    assert_eq!(version.attributes["Version"], "1");
    let again = provider.create(&version_request).await.unwrap_err();
    assert!(
        again
            .message
            .starts_with("A version for this Lambda function exists ( 1 )."),
        "{again}"
    );

    let alias_request = resource(
        "Alias",
        with(named(name), json!({"Name": "blue", "FunctionVersion": "1"})),
    );
    let alias = provider.create(&alias_request).await.unwrap();
    let permission_request = resource(
        "Permission",
        json!({"FunctionName": alias.physical_id, "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com"}),
    );
    let permission = provider.create(&permission_request).await.unwrap();
    assert!(world.lambda.permits(
        name,
        Some("blue"),
        "apigateway.amazonaws.com",
        "arn:aws:execute-api:r:0:a/b/GET/"
    ));

    // New code and a removed timeout: the one is taken, the other falls back to its default.
    let mut changed = properties("def handler(event, context): return 2", 5);
    changed.as_object_mut().unwrap().remove("Timeout");
    let second = resource("Function", changed);
    provider.update(&function, &first.properties, &second).await.unwrap();
    assert_eq!(world.invoke(name, json!({})).await.0, json!(2));
    assert_eq!(
        world.invoke(&format!("{name}:blue"), json!({})).await.0,
        json!(1),
        "the alias keeps its version"
    );
    assert_eq!(
        world.call("GetFunctionConfiguration", named(name)).await.unwrap()["Timeout"],
        3
    );

    // A rollout moved the alias; a stack update that changes only the description leaves it there.
    world.call("PublishVersion", named(name)).await.unwrap();
    world
        .call(
            "UpdateAlias",
            with(named(name), json!({"Name": "blue", "FunctionVersion": "2"})),
        )
        .await
        .unwrap();
    let described = resource(
        "Alias",
        with(
            named(name),
            json!({"Name": "blue", "FunctionVersion": "1", "Description": "slot"}),
        ),
    );
    provider
        .update(&alias, &alias_request.properties, &described)
        .await
        .unwrap();
    let moved = world
        .call("GetAlias", with(named(name), json!({"Name": "blue"})))
        .await
        .unwrap();
    assert_eq!(
        (&moved["FunctionVersion"], &moved["Description"]),
        (&json!("2"), &json!("slot"))
    );

    for (resource, request) in [
        (&permission, &permission_request),
        (&alias, &alias_request),
        (&version, &version_request),
        (&function, &second),
    ] {
        provider.delete(resource, request).await.unwrap();
        provider
            .delete(resource, request)
            .await
            .expect("removing what is gone succeeds");
    }
    assert_eq!(
        world.call("ListFunctions", json!({})).await.unwrap()["Functions"],
        json!([])
    );
}

#[tokio::test]
async fn a_stack_with_a_missing_object_or_function_fails() {
    let world = World::new();
    let provider = LambdaProvider::new(world.lambda.clone());
    let missing = json!({"Runtime": "python3.12", "Handler": "index.handler", "Role": ROLE, "Code": {"S3Bucket": "b", "S3Key": "k"}});
    let error = provider.create(&resource("Function", missing)).await.unwrap_err();
    assert!(error.message.contains("S3 Error Code: NoSuchKey"), "{error}");
    let error = provider
        .create(&resource("Version", named("nobody")))
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .starts_with("Function not found: arn:aws:lambda:eu-west-1:000000000000:function:nobody"),
        "{error}"
    );
    let gone = Resource {
        physical_id: "nobody".to_owned(),
        ..Resource::default()
    };
    provider.delete(&gone, &resource("Function", json!({}))).await.unwrap();
}
