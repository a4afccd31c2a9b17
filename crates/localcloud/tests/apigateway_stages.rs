//! Deployments, stages and canaries, as a rollout uses them: what each call moves, and where the traffic goes.

#![allow(clippy::unwrap_used, reason = "tests and what they call")]

mod apigateway_world;

use apigateway_world::{World, colour};
use serde_json::{Value, json};

/// GET / reaches the function of the stage's colour, and stage `prod` is blue.
async fn world() -> (World, String) {
    let world = World::new(colour).await;
    world.function("GET", "/", "health:${stageVariables.color}").await;
    let deployment = world
        .deploy(json!({"stageName": "prod", "variables": {"color": "blue"}}))
        .await;
    (world, deployment)
}

async fn greens(world: &World, requests: u32) -> u32 {
    let mut greens = 0;
    for _ in 0..requests {
        let (status, body) = world.get("prod", "/").await;
        assert_eq!(status, 200, "{body}");
        greens += u32::from(body == "green");
    }
    greens
}

#[tokio::test]
async fn a_deployment_is_a_snapshot_and_an_old_one_comes_back() {
    let (world, first) = world().await;
    world.function("GET", "/new", "health:${stageVariables.color}").await;
    assert_eq!(
        world.get("prod", "/new").await.0,
        403,
        "what is not deployed does not show"
    );
    let second = world.deploy(json!({"stageName": "prod"})).await;
    assert_eq!(world.get("prod", "/new").await, (200, "blue".to_owned()));
    world
        .patch(
            "prod",
            json!([{"op": "replace", "path": "/deploymentId", "value": first}]),
        )
        .await
        .unwrap();
    assert_eq!(world.get("prod", "/new").await.0, 403);
    assert_eq!(world.get("prod", "/").await.0, 200);
    let refused = world
        .call("DeleteDeployment", json!({"deploymentId": first}))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.status, refused.message.as_str()),
        (
            400,
            "Active stages pointing to this deployment must be moved or deleted"
        )
    );
    world
        .call("DeleteDeployment", json!({"deploymentId": second}))
        .await
        .unwrap();
    let missing = world
        .patch(
            "prod",
            json!([{"op": "replace", "path": "/deploymentId", "value": second}]),
        )
        .await
        .unwrap_err();
    assert_eq!(missing.code, "NotFoundException");
}

/// The splits that were measured on another implementation: 50, 10, 30 and 100 %.
#[tokio::test]
async fn a_canary_takes_its_share_by_chance() {
    let (world, _) = world().await;
    let canary = json!({"stageName": "prod", "canarySettings": {"percentTraffic": 50.0, "stageVariableOverrides": {"color": "green"}}});
    let deployment = world.deploy(canary).await;
    let stage = world.call("GetStage", json!({"stageName": "prod"})).await.unwrap();
    assert_ne!(
        stage["deploymentId"],
        deployment.as_str(),
        "the stage keeps its own deployment"
    );
    assert_eq!(stage["canarySettings"]["deploymentId"], deployment.as_str());
    assert_eq!(stage["canarySettings"]["percentTraffic"], 50.0);

    // 99.9 % of the binomial distribution, 400 requests each.
    for (percent, least, most) in [
        ("50", 167, 233),
        ("10", 21, 61),
        ("30", 91, 151),
        ("0", 0, 0),
        ("100", 400, 400),
        ("0.0", 0, 0),
    ] {
        let operation = json!([{"op": "replace", "path": "/canarySettings/percentTraffic", "value": percent}]);
        world.patch("prod", operation).await.unwrap();
        let greens = greens(&world, 400).await;
        assert!((least..=most).contains(&greens), "{greens} of 400 at {percent} %");
    }
    for percent in ["-1", "100.5", "many"] {
        let operation = json!([{"op": "replace", "path": "/canarySettings/percentTraffic", "value": percent}]);
        assert_eq!(
            world.patch("prod", operation).await.unwrap_err().code,
            "BadRequestException",
            "{percent}"
        );
    }
    let stage = world.call("GetStage", json!({"stageName": "prod"})).await.unwrap();
    assert_eq!(
        stage["canarySettings"]["percentTraffic"], 0.0,
        "a refused patch changes nothing"
    );
}

#[tokio::test]
async fn one_patch_promotes_a_canary() {
    let (world, first) = world().await;
    world
        .patch(
            "prod",
            json!([{"op": "replace", "path": "/variables/plan", "value": "basic"}]),
        )
        .await
        .unwrap();
    let canary = json!({"stageName": "prod", "canarySettings": {"percentTraffic": 10.0, "stageVariableOverrides": {"color": "green"}}});
    let second = world.deploy(canary).await;

    let plain = world
        .call("CreateDeployment", json!({"stageName": "prod"}))
        .await
        .unwrap_err();
    assert_eq!(
        (plain.status, plain.code.as_str()),
        (400, "BadRequestException"),
        "a stage with a canary takes no other deployment"
    );
    assert_eq!(
        world.call("GetDeployments", json!({})).await.unwrap()["items"]
            .as_array()
            .unwrap()
            .len(),
        2,
        "nothing is half done"
    );
    let used = world
        .call("DeleteDeployment", json!({"deploymentId": second}))
        .await
        .unwrap_err();
    assert_eq!(used.code, "BadRequestException", "the canary uses it");

    let promote = json!([
        {"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"},
        {"op": "copy", "from": "/canarySettings/stageVariableOverrides", "path": "/variables"},
        {"op": "remove", "path": "/canarySettings"},
    ]);
    let stage = world.patch("prod", promote.clone()).await.unwrap();
    assert_eq!(stage["deploymentId"], second.as_str());
    assert_eq!(
        stage["variables"],
        json!({"color": "green", "plan": "basic"}),
        "the overrides are merged"
    );
    assert_eq!(stage["canarySettings"], Value::Null);
    assert_eq!(greens(&world, 20).await, 20);
    assert_eq!(
        world.patch("prod", promote).await.unwrap_err().code,
        "BadRequestException",
        "there is nothing left to copy"
    );
    world
        .call("DeleteDeployment", json!({"deploymentId": first}))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_canary_can_be_put_on_an_existing_stage() {
    let (world, first) = world().await;
    let second = world.deploy(json!({})).await;
    let stage = world
        .patch(
            "prod",
            json!([
                {"op": "replace", "path": "/canarySettings/stageVariableOverrides/color", "value": "green"},
                {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "100"},
            ]),
        )
        .await
        .unwrap();
    assert_eq!(
        stage["canarySettings"]["deploymentId"],
        first.as_str(),
        "a canary begins with the stage's deployment"
    );
    assert_eq!(greens(&world, 10).await, 10);
    world
        .patch(
            "prod",
            json!([{"op": "replace", "path": "/canarySettings/deploymentId", "value": second}]),
        )
        .await
        .unwrap();
    let missing = json!([{"op": "replace", "path": "/canarySettings/deploymentId", "value": "nobody"}]);
    assert_eq!(
        world.patch("prod", missing).await.unwrap_err().code,
        "NotFoundException"
    );
    world
        .patch(
            "prod",
            json!([{"op": "remove", "path": "/canarySettings/stageVariableOverrides/color"}]),
        )
        .await
        .unwrap();
    assert_eq!(greens(&world, 10).await, 0, "the stage's own variable holds again");
    world
        .patch("prod", json!([{"op": "remove", "path": "/canarySettings"}]))
        .await
        .unwrap();
    let nothing = json!([{"op": "remove", "path": "/canarySettings/stageVariableOverrides/color"}]);
    assert_eq!(
        world.patch("prod", nothing).await.unwrap_err().code,
        "BadRequestException"
    );
    let nowhere = json!({"stageName": "none", "canarySettings": {"percentTraffic": 1.0}});
    assert_eq!(
        world.call("CreateDeployment", nowhere).await.unwrap_err().code,
        "BadRequestException"
    );
}

#[tokio::test]
async fn the_stages_of_two_slots_reach_their_own_colour() {
    let (mut world, deployment) = world().await;
    for color in ["blue", "green"] {
        let stage = json!({"stageName": color, "deploymentId": deployment, "variables": {"color": color}});
        world.call("CreateStage", stage.clone()).await.unwrap();
        assert_eq!(
            world.call("CreateStage", stage).await.unwrap_err().code,
            "ConflictException"
        );
        assert_eq!(world.get(color, "/").await, (200, color.to_owned()));
    }
    let before = world.call("GetStages", json!({})).await.unwrap();
    assert_eq!(before["item"].as_array().unwrap().len(), 3);
    world.reopen();
    assert_eq!(
        world.call("GetStages", json!({})).await.unwrap(),
        before,
        "everything survives a restart"
    );
    assert_eq!(world.get("green", "/").await, (200, "green".to_owned()));
    world.call("DeleteStage", json!({"stageName": "green"})).await.unwrap();
    assert_eq!(
        world.get("green", "/").await,
        (403, r#"{"message":"Forbidden"}"#.to_owned())
    );
}

#[tokio::test]
async fn a_stage_is_patched_by_path() {
    let (world, _) = world().await;
    let stage = world
        .patch(
            "prod",
            json!([
                {"op": "replace", "path": "/description", "value": "live"},
                {"op": "replace", "path": "/tracingEnabled", "value": "true"},
                {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "12.5"},
                {"op": "replace", "path": "/*/*/metrics/enabled", "value": "true"},
                {"op": "replace", "path": "/~1users~1{id}/GET/throttling/burstLimit", "value": "3"},
            ]),
        )
        .await
        .unwrap();
    assert_eq!(
        (&stage["description"], &stage["tracingEnabled"]),
        (&json!("live"), &json!(true))
    );
    let settings = json!({
        "*/*": {"throttlingRateLimit": 12.5, "metricsEnabled": true},
        "~1users~1{id}/GET": {"throttlingBurstLimit": 3},
    });
    assert_eq!(stage["methodSettings"], settings);
    let stage = world
        .patch("prod", json!([{"op": "remove", "path": "/*/*"}]))
        .await
        .unwrap();
    assert_eq!(
        stage["methodSettings"],
        json!({"~1users~1{id}/GET": {"throttlingBurstLimit": 3}})
    );
    for operation in [
        json!({"op": "replace", "path": "/nothing", "value": "1"}),
        json!({"op": "replace", "path": "/variables/color", "value": "not allowed!"}),
        json!({"op": "copy", "from": "/description", "path": "/variables"}),
        json!({"op": "move", "from": "/description", "path": "/variables/a"}),
    ] {
        let refused = world.patch("prod", json!([operation])).await.unwrap_err();
        assert_eq!(refused.code, "BadRequestException", "{operation}");
    }
}

#[tokio::test]
async fn what_cannot_be_deployed_is_refused() {
    let world = World::new(colour).await;
    let empty = world.call("CreateDeployment", json!({})).await.unwrap_err();
    assert_eq!(empty.message, "The REST API doesn't contain any methods");
    let method = json!({"resourceId": world.root, "httpMethod": "GET", "authorizationType": "NONE"});
    world.call("PutMethod", method.clone()).await.unwrap();
    assert_eq!(
        world.call("PutMethod", method).await.unwrap_err().code,
        "ConflictException"
    );
    let bare = world.call("CreateDeployment", json!({})).await.unwrap_err();
    assert_eq!(bare.message, "No integration defined for method");
    let nobody =
        json!({"resourceId": world.root, "httpMethod": "POST", "authorizationType": "CUSTOM", "authorizerId": "none"});
    assert_eq!(
        world.call("PutMethod", nobody).await.unwrap_err().code,
        "BadRequestException"
    );
    let wrong = json!({"resourceId": world.root, "httpMethod": "GET", "type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": "nowhere"});
    assert_eq!(
        world.call("PutIntegration", wrong).await.unwrap_err().code,
        "BadRequestException"
    );
    let users = world.resource("/users").await;
    let twice = world
        .call("CreateResource", json!({"parentId": world.root, "pathPart": "users"}))
        .await
        .unwrap_err();
    assert_eq!(twice.code, "ConflictException");
    world
        .call("CreateResource", json!({"parentId": users, "pathPart": "{id}"}))
        .await
        .unwrap();
    let sibling = world
        .call("CreateResource", json!({"parentId": users, "pathPart": "{name}"}))
        .await
        .unwrap_err();
    assert_eq!(sibling.code, "BadRequestException");
    assert_eq!(
        world
            .call("GetStage", json!({"stageName": "prod"}))
            .await
            .unwrap_err()
            .message,
        "Invalid stage identifier specified"
    );
    let elsewhere = json!({"restApiId": "none", "httpMethod": "GET", "resourceId": "x"});
    assert_eq!(
        world.call("GetMethod", elsewhere).await.unwrap_err().code,
        "NotFoundException"
    );
}
