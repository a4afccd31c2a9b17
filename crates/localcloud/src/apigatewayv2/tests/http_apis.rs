//! HTTP APIs: routes, payload formats, permissions on aliases, CORS, authorizers, deployments.

use super::*;

/// Answers with what it was called as.
fn name(function: &str, event: &Value) -> Result<Value, Value> {
    match function {
        "broken" => Err(json!({"errorMessage": "no"})),
        _ => {
            Ok(json!({"statusCode": 200, "body": format!("{function} {}", event["routeKey"].as_str().unwrap_or("-"))}))
        }
    }
}

#[tokio::test]
async fn requests_reach_their_routes() {
    let world = World::new("HTTP", name).await;
    world.stage("$default").await;
    world.stage("prod").await;
    world.route("GET /pets/{id}", "pets:live", json!({})).await;
    world.route("$default", "rest", json!({})).await;
    let got = |text: &str| (200, text.to_owned());
    assert_eq!(world.get("GET", "/pets/7").await, got("pets:live GET /pets/{id}"));
    assert_eq!(world.get("GET", "/prod/pets/7").await, got("pets:live GET /pets/{id}"));
    assert_eq!(
        world.get("GET", "/$default/pets/7").await,
        got("pets:live GET /pets/{id}")
    );
    assert_eq!(world.get("POST", "/pets/7").await, got("rest $default"));
    let sources = world.stubs.sources.lock().unwrap().clone();
    let arn = |rest: &str| format!("arn:aws:execute-api:us-east-1:000000000000:{}/{rest}", world.api);
    assert_eq!(sources[1], arn("prod/GET/pets/{id}"));
    assert_eq!(sources[3], arn("$default/$default"));
    assert_eq!(world.sum("Count", "$default"), 3.0);
    assert_eq!(world.sum("Count", "prod"), 1.0);
}

#[tokio::test]
async fn failures_have_the_statuses_of_http_apis() {
    let world = World::new("HTTP", name).await;
    world.stage("prod").await;
    world.route("GET /broken", "broken", json!({})).await;
    world.route("GET /throttled", "throttled", json!({})).await;
    world.route("GET /slow", "slow", json!({"TimeoutInMillis": 50})).await;
    world.route("GET /closed", "closed", json!({})).await;
    world.route("GET /open", "closed:live", json!({})).await;
    for (path, status) in [
        ("/prod/broken", 500),
        ("/prod/throttled", 503),
        ("/prod/slow", 503),
        ("/prod/closed", 500),
        ("/prod/open", 200),
        ("/prod/nowhere", 404),
        ("/other/open", 404),
    ] {
        assert_eq!(world.get("GET", path).await.0, status, "{path}");
    }
    assert_eq!(world.get("GET", "/prod/nowhere").await.1, r#"{"message":"Not Found"}"#);
    assert_eq!(world.sum("5xx", "prod"), 4.0);
    assert_eq!(world.sum("4xx", "prod"), 2.0);
    assert_eq!(world.sum("Count", "prod"), 7.0);
}

#[tokio::test]
async fn both_payload_formats_are_spoken() {
    let world = World::new("HTTP", |_, event| Ok(event.clone())).await;
    world.stage("prod").await;
    world.route("POST /two/{id}", "echo", json!({})).await;
    world
        .route("POST /one", "echo", json!({"PayloadFormatVersion": "1.0"}))
        .await;
    let request = |path: &str| {
        Request::post(format!("/_aws/execute-api/{}/prod{path}?a=1&a=2&b=%20", world.api))
            .header("cookie", "x=1; y=2")
            .header("content-type", "application/json")
            .header("x-two", "p")
            .header("x-two", "q")
            .body(Bytes::from_static(b"{}"))
            .unwrap()
    };
    // Without a status the whole answer is the body.
    let response = world.send(request("/two/a%2Fb")).await;
    let event: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["routeKey"], "POST /two/{id}");
    assert_eq!(event["rawPath"], "/prod/two/a%2Fb");
    assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": " "}));
    assert_eq!(event["cookies"], json!(["x=1", "y=2"]));
    assert_eq!(event["headers"]["x-two"], "p,q");
    assert_eq!(event["pathParameters"], json!({"id": "a/b"}));
    assert_eq!(event["body"], "{}");
    assert_eq!(event["isBase64Encoded"], false);
    assert_eq!(event["requestContext"]["http"]["method"], "POST");
    assert_eq!(event["requestContext"]["stage"], "prod");
    assert_eq!(event.get("stageVariables"), None);

    assert_eq!(
        world.send(request("/one")).await.status(),
        500,
        "format 1.0 wants a status"
    );
}

#[tokio::test]
async fn deployments_are_snapshots_and_stages_may_deploy_by_themselves() {
    let world = World::new("HTTP", name).await;
    world.stage("auto").await;
    world.call("CreateStage", json!({"StageName": "fixed"})).await.unwrap();
    let refused = world
        .call("CreateDeployment", json!({"StageName": "fixed"}))
        .await
        .unwrap_err();
    assert_eq!(refused.code, "BadRequestException");
    let route = world.route("GET /", "one", json!({})).await;
    assert_eq!(world.get("GET", "/auto").await.0, 200);
    assert_eq!(world.get("GET", "/fixed").await.0, 404, "nothing is deployed there");
    let deployment = world
        .call("CreateDeployment", json!({"StageName": "fixed"}))
        .await
        .unwrap();
    world.call("DeleteRoute", json!({"RouteId": route})).await.unwrap();
    assert_eq!(world.get("GET", "/auto").await.0, 404);
    assert_eq!(world.get("GET", "/fixed").await.0, 200, "a deployment stays as it was");
    let used = world
        .call("DeleteDeployment", json!({"DeploymentId": deployment["DeploymentId"]}))
        .await;
    assert_eq!(used.unwrap_err().status, 400);
    let all = world.call("GetDeployments", json!({})).await.unwrap();
    assert_eq!(all["Items"].as_array().unwrap().len(), 2, "old automatic ones are gone");
}

#[tokio::test]
async fn parts_that_do_not_fit_are_refused() {
    let world = World::new("HTTP", name).await;
    let route = |key: &str, target: &str| json!({"RouteKey": key, "Target": format!("integrations/{target}")});
    for (operation, input, code) in [
        ("CreateRoute", route("FETCH /", "x"), "BadRequestException"),
        ("CreateRoute", route("GET /", "missing"), "BadRequestException"),
        (
            "CreateIntegration",
            json!({"IntegrationType": "MOCK"}),
            "BadRequestException",
        ),
        (
            "CreateIntegration",
            json!({"IntegrationType": "AWS_PROXY"}),
            "BadRequestException",
        ),
        ("GetRoute", json!({"RouteId": "x"}), "NotFoundException"),
    ] {
        assert_eq!(
            world.call(operation, input.clone()).await.unwrap_err().code,
            code,
            "{operation} {input}"
        );
    }
    world.route("GET /", "f", json!({})).await;
    let twice = world
        .call("CreateRoute", json!({"RouteKey": "GET /"}))
        .await
        .unwrap_err();
    assert_eq!(twice.code, "ConflictException");
    let all = world.call("GetIntegrations", json!({})).await.unwrap();
    let used = world
        .call(
            "DeleteIntegration",
            json!({"IntegrationId": all["Items"][0]["IntegrationId"]}),
        )
        .await;
    assert_eq!(used.unwrap_err().code, "ConflictException");
}

#[tokio::test]
async fn cors_is_the_gateways() {
    let world = World::new("HTTP", |_, _| {
        Ok(json!({"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "https://evil.example"}}))
    })
    .await;
    let cors = json!({"AllowOrigins": ["https://shop.example"], "AllowMethods": ["GET", "PUT"], "MaxAge": 60});
    world
        .call("UpdateApi", json!({"CorsConfiguration": cors}))
        .await
        .unwrap();
    world.stage("prod").await;
    world.route("GET /", "f", json!({})).await;
    let request = |verb: &str, origin: &str| {
        let request = Request::builder()
            .method(verb)
            .uri(format!("/_aws/execute-api/{}/prod/", world.api));
        let request = request
            .header("origin", origin)
            .header("access-control-request-method", "PUT");
        world.send(request.body(Bytes::new()).unwrap())
    };
    let preflight = request("OPTIONS", "https://shop.example").await;
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-methods"], "GET,PUT");
    assert_eq!(preflight.headers()["access-control-max-age"], "60");
    let actual = request("GET", "https://shop.example").await;
    assert_eq!(actual.headers()["access-control-allow-origin"], "https://shop.example");
    let foreign = request("GET", "https://other.example").await;
    assert_eq!(foreign.headers().get("access-control-allow-origin"), None);
}

#[tokio::test]
async fn an_authorizer_decides_and_its_answer_is_kept() {
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let world = World::new("HTTP", move |function, event| match function {
        "guard" => {
            *count.lock().unwrap() += 1;
            assert_eq!(event["type"], "REQUEST");
            assert!(event["routeArn"].as_str().unwrap().ends_with("/prod/GET/"));
            Ok(json!({"isAuthorized": event["identitySource"] == json!(["let me in"]), "context": {"user": "me"}}))
        }
        _ => Ok(json!({"statusCode": 200, "body": event["requestContext"]["authorizer"]["lambda"]["user"]})),
    })
    .await;
    world.stage("prod").await;
    let authorizer = json!({"Name": "guard", "AuthorizerType": "REQUEST", "AuthorizerPayloadFormatVersion": "2.0",
        "EnableSimpleResponses": true, "IdentitySource": ["$request.header.Authorization"],
        "AuthorizerResultTtlInSeconds": 60,
        "AuthorizerUri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:guard/invocations"});
    let authorizer = world.call("CreateAuthorizer", authorizer).await.unwrap();
    let guarded = json!({"AuthorizationType": "CUSTOM", "AuthorizerId": authorizer["AuthorizerId"]});
    world.route("GET /", "f", guarded).await;
    let get = |token: Option<&str>| {
        let mut request = Request::get(format!("/_aws/execute-api/{}/prod/", world.api));
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        world.send(request.body(Bytes::new()).unwrap())
    };
    assert_eq!(get(None).await.status(), 401);
    assert_eq!(get(Some("please")).await.status(), 403);
    for _ in 0..3 {
        let response = get(Some("let me in")).await;
        assert_eq!(
            (response.status().as_u16(), response.body().as_ref()),
            (200, b"me".as_slice())
        );
    }
    assert_eq!(*asked.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_quick_creation_is_ready_to_serve() {
    let world = World::new("HTTP", name).await;
    let target = "arn:aws:lambda:us-east-1:000000000000:function:quick";
    let quick = json!({"Name": "quick", "ProtocolType": "HTTP", "Target": target});
    let made = call(&world.gateway, "CreateApi", quick).await.unwrap();
    let world = World {
        api: made["ApiId"].as_str().unwrap().to_owned(),
        ..world
    };
    assert_eq!(world.get("GET", "/any/thing").await, (200, "quick $default".to_owned()));
    world.call("DeleteApi", json!({})).await.unwrap();
    assert!(!world.gateway.serves(&world.api));
}

#[tokio::test]
async fn what_is_not_served_is_kept_and_says_so_when_it_is_called() {
    let world = World::new("HTTP", name).await;
    world.stage("prod").await;
    let more = json!({"IntegrationSubtype": "SQS-SendMessage"});
    world.route("POST /jobs", "f", more).await;
    assert_eq!(world.get("POST", "/prod/jobs").await.0, 500);
}

#[tokio::test]
async fn an_api_survives_a_restart() {
    let world = World::new("HTTP", name).await;
    world.stage("prod").await;
    world.route("GET /", "f", json!({})).await;
    let ports = Ports {
        metrics: Arc::clone(&world.stubs) as _,
        functions: Arc::clone(&world.stubs) as _,
    };
    let context = context_at(world.folder.path(), SetClock::new());
    let world = World {
        gateway: ApiGatewayV2::open(context, ports, Settings::default()).unwrap(),
        ..world
    };
    assert_eq!(world.get("GET", "/prod").await, (200, "f GET /".to_owned()));
}

#[tokio::test]
async fn limits_of_a_stage_hold() {
    let world = World::new("HTTP", name).await;
    let settings = json!({"ThrottlingRateLimit": 1.0, "ThrottlingBurstLimit": 2});
    let stage = json!({"StageName": "prod", "AutoDeploy": true, "DefaultRouteSettings": settings});
    world.call("CreateStage", stage).await.unwrap();
    world.route("GET /", "f", json!({})).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(world.get("GET", "/prod").await.0);
    }
    assert_eq!(statuses, [200, 200, 429]);
}
