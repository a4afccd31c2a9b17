//! Requests on their way through a stage: what functions get, what clients get back, who is let in.

#![allow(clippy::unwrap_used, reason = "tests and what they call")]

mod apigateway_world;

use std::sync::atomic::Ordering;

use apigateway_world::{World, colour, function_uri, proxy};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

fn request(verb: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Request<Bytes> {
    let mut request = Request::builder().method(verb).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::from(body.to_owned())).unwrap()
}

fn echo(_: &str, _: Option<&str>, event: &Value) -> Result<Value, Value> {
    Ok(
        json!({"statusCode": 201, "headers": {"X-One": 1, "Content-Type": "text/plain"}, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
        "body": event.to_string()}),
    )
}

#[tokio::test]
async fn a_function_gets_the_whole_event() {
    let world = World::new(echo).await;
    world.function("ANY", "/users/{id}/{rest+}", "users").await;
    let deployment = world
        .deploy(json!({"stageName": "prod", "variables": {"color": "blue"}}))
        .await;
    let headers = [
        ("host", "api.test:80"),
        ("user-agent", "test/1"),
        ("content-type", "application/json"),
        ("x-tag", "1"),
        ("x-tag", "2"),
    ];
    let response = world
        .send(
            "prod",
            request(
                "POST",
                "/users/a%20b/c/d?tag=x&tag=y%2Fz&empty=",
                &headers,
                r#"{"n":1}"#,
            ),
        )
        .await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-one"], "1");
    assert_eq!(response.headers()["content-type"], "text/plain");
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);

    let mut event: Value = serde_json::from_slice(response.body()).unwrap();
    let id = event["requestContext"]["requestId"].take();
    assert_eq!(response.headers()["x-amzn-requestid"], id.as_str().unwrap());
    assert!(event["requestContext"]["extendedRequestId"].take().is_string());
    assert!(
        event["headers"]["X-Amzn-Trace-Id"]
            .take()
            .as_str()
            .unwrap()
            .starts_with("Root=1-")
    );
    event["multiValueHeaders"]["X-Amzn-Trace-Id"].take();
    let resource = event["requestContext"]["resourceId"].take();
    assert_eq!(resource.as_str().unwrap().len(), 6);
    let expected = json!({
        "resource": "/users/{id}/{rest+}",
        "path": "/users/a%20b/c/d",
        "httpMethod": "POST",
        "headers": {
            "Host": "api.test:80", "User-Agent": "test/1", "Content-Type": "application/json", "X-Tag": "2",
            "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https", "X-Amzn-Trace-Id": null,
        },
        "multiValueHeaders": {
            "Host": ["api.test:80"], "User-Agent": ["test/1"], "Content-Type": ["application/json"], "X-Tag": ["1", "2"],
            "X-Forwarded-For": ["127.0.0.1"], "X-Forwarded-Port": ["443"], "X-Forwarded-Proto": ["https"], "X-Amzn-Trace-Id": null,
        },
        "queryStringParameters": {"tag": "y/z", "empty": ""},
        "multiValueQueryStringParameters": {"tag": ["x", "y/z"], "empty": [""]},
        "pathParameters": {"id": "a b", "rest": "c/d"},
        "stageVariables": {"color": "blue"},
        "requestContext": {
            "resourceId": null, "resourcePath": "/users/{id}/{rest+}", "httpMethod": "POST", "extendedRequestId": null,
            "requestTime": "22/Nov/2026:12:00:00 +0000", "path": "/prod/users/a%20b/c/d", "accountId": "000000000000",
            "protocol": "HTTP/1.1", "stage": "prod", "domainPrefix": "api", "requestTimeEpoch": 1_795_348_800_000_i64,
            "requestId": null, "domainName": "api.test:80", "deploymentId": deployment, "apiId": world.api,
            "identity": {
                "cognitoIdentityPoolId": null, "accountId": null, "cognitoIdentityId": null, "caller": null, "sourceIp": "127.0.0.1",
                "principalOrgId": null, "accessKey": null, "cognitoAuthenticationType": null, "cognitoAuthenticationProvider": null,
                "userArn": null, "userAgent": "test/1", "user": null,
            },
        },
        "body": r#"{"n":1}"#,
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);

    let bare: Value =
        serde_json::from_slice(world.send("prod", request("GET", "/users/1/x", &[], "")).await.body()).unwrap();
    for member in ["queryStringParameters", "multiValueQueryStringParameters", "body"] {
        assert_eq!(bare[member], Value::Null, "{member}");
    }
}

#[tokio::test]
async fn bad_answers_and_lost_functions_have_their_own_status() {
    let answer = |function: &str, _: Option<&str>, _: &Value| match function {
        "text" => Ok(json!("no object")),
        "shapeless" => Ok(json!({"message": "no status"})),
        "nested" => Ok(json!({"statusCode": 200, "body": {"not": "text"}})),
        "status" => Ok(json!({"statusCode": "418"})),
        _ => Err(json!({"errorMessage": "boom", "errorType": "Error"})),
    };
    let world = World::with(answer, |function, _| function != "forbidden").await;
    for function in ["text", "shapeless", "nested", "status", "failing", "gone", "forbidden"] {
        world.function("GET", &format!("/{function}"), function).await;
    }
    world.function("GET", "/variable", "f:${stageVariables.missing}").await;
    let mut slow = proxy("slow");
    slow["timeoutInMillis"] = json!(50);
    world.method("GET", "/slow", json!({}), slow).await;
    world.deploy(json!({"stageName": "prod"})).await;
    let internal = r#"{"message":"Internal server error"}"#;
    for (path, status, body) in [
        ("/text", 502, internal),
        ("/shapeless", 502, internal),
        ("/nested", 502, internal),
        ("/status", 418, ""),
        ("/failing", 502, internal),
        ("/gone", 500, internal),
        ("/forbidden", 500, internal),
        ("/variable", 500, internal),
        ("/slow", 504, r#"{"message":"Endpoint request timed out"}"#),
        ("/elsewhere", 403, r#"{"message":"Missing Authentication Token"}"#),
    ] {
        assert_eq!(world.get("prod", path).await, (status, body.to_owned()), "{path}");
    }
    assert_eq!(
        world.get("nowhere", "/text").await,
        (403, r#"{"message":"Forbidden"}"#.to_owned())
    );
}

#[tokio::test]
async fn the_permission_is_asked_for_with_the_methods_arn() {
    let world = World::with(colour, |function, source| {
        function == "users:blue"
            && source.starts_with("arn:aws:execute-api:eu-west-1:000000000000:")
            && source.ends_with("/prod/GET/users/*")
    })
    .await;
    world
        .function("GET", "/users/{id}", "users:${stageVariables.color}")
        .await;
    world
        .deploy(json!({"stageName": "prod", "variables": {"color": "blue"}}))
        .await;
    assert_eq!(world.get("prod", "/users/7").await, (200, "blue".to_owned()));
    world
        .patch(
            "prod",
            json!([{"op": "replace", "path": "/variables/color", "value": "green"}]),
        )
        .await
        .unwrap();
    assert_eq!(
        world.get("prod", "/users/7").await.0,
        500,
        "the other alias has no permission"
    );
}

#[tokio::test]
async fn every_request_makes_every_metric() {
    let world = World::new(|function, _, _| match function {
        "fine" => Ok(json!({"statusCode": 200})),
        "mine" => Ok(json!({"statusCode": 400})),
        _ => Err(json!({})),
    })
    .await;
    for function in ["fine", "mine", "failing"] {
        world.function("GET", &format!("/{function}"), function).await;
    }
    world.deploy(json!({"stageName": "prod"})).await;
    for path in ["/fine", "/mine", "/failing", "/missing"] {
        world.get("prod", path).await;
    }
    for dimensions in ["ApiName=shop", "ApiName=shop,Stage=prod"] {
        assert_eq!(world.values("Count", dimensions), [1.0, 1.0, 1.0, 1.0]);
        assert_eq!(world.values("4XXError", dimensions), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(world.values("5XXError", dimensions), [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(world.values("Latency", dimensions).len(), 4);
        assert_eq!(
            world.values("IntegrationLatency", dimensions).len(),
            3,
            "no integration was reached by the last"
        );
    }
    let detailed = "ApiName=shop,Method=GET,Resource=/fine,Stage=prod";
    assert!(world.values("Count", detailed).is_empty());
    world
        .patch(
            "prod",
            json!([{"op": "replace", "path": "/*/*/metrics/enabled", "value": "true"}]),
        )
        .await
        .unwrap();
    world.get("prod", "/fine").await;
    assert_eq!(world.values("Count", detailed), [1.0]);
}

async fn authorized(world: &World, authorizer: Value) {
    let authorizer = world.call("CreateAuthorizer", authorizer).await.unwrap();
    let method = json!({"authorizationType": "CUSTOM", "authorizerId": authorizer["id"]});
    world.method("GET", "/secret/{id}", method, proxy("secret")).await;
    world.deploy(json!({"stageName": "prod"})).await;
}

/// An authorizer that knows a few tokens, and a function that answers with what it was told.
fn guarded(function: &str, _: Option<&str>, event: &Value) -> Result<Value, Value> {
    if function == "secret" {
        return Ok(json!({"statusCode": 200, "body": event["requestContext"]["authorizer"].to_string()}));
    }
    let policy = |effect: &str, resource: &str| {
        json!({"principalId": "user", "context": {"team": "a", "level": 3},
            "policyDocument": {"Version": "2012-10-17", "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}]}})
    };
    match event["authorizationToken"]
        .as_str()
        .or(event["queryStringParameters"]["token"].as_str())
    {
        Some("good") => Ok(policy("Allow", "*")),
        Some("one") => Ok(policy("Allow", event["methodArn"].as_str().unwrap())),
        Some("bad") => Ok(policy("Deny", "*")),
        Some("unknown") => Err(json!({"errorMessage": "Unauthorized"})),
        Some("malformed") => Ok(json!({"principalId": "user"})),
        _ => Err(json!({"errorMessage": "broken"})),
    }
}

#[tokio::test]
async fn a_token_authorizer_lets_in_whom_it_knows() {
    let world = World::new(guarded).await;
    let authorizer = json!({"name": "keys", "type": "TOKEN", "authorizerUri": function_uri("auth"), "identitySource": "method.request.header.X-Api-Key",
        "identityValidationExpression": "[a-z]+", "authorizerResultTtlInSeconds": 60});
    authorized(&world, authorizer).await;
    let ask = async |token: &str, path: &str| {
        let headers: &[(&str, &str)] = if token.is_empty() { &[] } else { &[("x-api-key", token)] };
        let response = world.send("prod", request("GET", path, headers, "")).await;
        (
            response.status().as_u16(),
            String::from_utf8(response.body().to_vec()).unwrap(),
        )
    };
    let denied = r#"{"Message":"User is not authorized to access this resource with an explicit deny"}"#;
    for (token, status, body) in [
        ("", 401, r#"{"message":"Unauthorized"}"#),
        ("123", 401, r#"{"message":"Unauthorized"}"#),
        ("unknown", 401, r#"{"message":"Unauthorized"}"#),
        ("bad", 403, denied),
        ("malformed", 500, r#"{"message":null}"#),
        ("crash", 500, r#"{"message":null}"#),
    ] {
        assert_eq!(ask(token, "/secret/1").await, (status, body.to_owned()), "{token}");
    }
    let (status, told) = ask("good", "/secret/1").await;
    let mut told: Value = serde_json::from_str(&told).unwrap();
    assert!(told.as_object_mut().unwrap().remove("integrationLatency").is_some());
    assert_eq!(
        (status, told),
        (200, json!({"team": "a", "level": "3", "principalId": "user"}))
    );

    let asked = |token: &str| {
        let calls = world.stubs.calls.lock().unwrap();
        calls
            .iter()
            .filter(|(function, event)| function == "auth" && event["authorizationToken"] == token)
            .count()
    };
    assert_eq!(ask("good", "/secret/2").await.0, 200);
    assert_eq!(
        (asked("good"), asked("123")),
        (1, 0),
        "answers are kept, and what does not fit the expression is not asked"
    );
    world.clock.0.fetch_add(61_000, Ordering::SeqCst);
    assert_eq!(ask("good", "/secret/2").await.0, 200);
    assert_eq!(asked("good"), 2, "the answer has expired");

    // The kept policy names one method only: for another one it does not hold.
    assert_eq!(ask("one", "/secret/1").await.0, 200);
    assert_eq!(
        ask("one", "/secret/2").await,
        (
            403,
            r#"{"Message":"User is not authorized to access this resource"}"#.to_owned()
        )
    );
    world
        .call("FlushStageAuthorizersCache", json!({"stageName": "prod"}))
        .await
        .unwrap();
    assert_eq!(ask("one", "/secret/2").await.0, 200);
}

#[tokio::test]
async fn a_request_authorizer_sees_the_request() {
    let world = World::new(guarded).await;
    let authorizer = json!({"name": "query", "type": "REQUEST", "authorizerUri": function_uri("auth"),
        "identitySource": "method.request.querystring.token, method.request.header.X-Client"});
    authorized(&world, authorizer).await;
    let ask = async |uri: &str, headers: &[(&str, &str)]| {
        world
            .send("prod", request("GET", uri, headers, ""))
            .await
            .status()
            .as_u16()
    };
    assert_eq!(
        ask("/secret/1?token=good", &[]).await,
        401,
        "one of the identity sources is missing"
    );
    assert_eq!(ask("/secret/1?token=good", &[("x-client", "c")]).await, 200);
    assert_eq!(ask("/secret/1?token=bad", &[("x-client", "c")]).await, 403);
    let calls = world.stubs.calls.lock().unwrap();
    let event = &calls[0].1;
    assert_eq!(
        (event["type"].as_str(), event["pathParameters"]["id"].as_str()),
        (Some("REQUEST"), Some("1"))
    );
    assert!(
        event["methodArn"].as_str().unwrap().ends_with("/prod/GET/secret/1"),
        "{event}"
    );
    assert_eq!(event.get("body"), None);
}

#[tokio::test]
async fn a_stage_with_limits_throttles() {
    let world = World::new(colour).await;
    world.function("GET", "/", "f:blue").await;
    world.function("GET", "/free", "f:blue").await;
    world.deploy(json!({"stageName": "prod"})).await;
    let limits = json!([
        {"op": "replace", "path": "/~1/GET/throttling/rateLimit", "value": "2"},
        {"op": "replace", "path": "/~1/GET/throttling/burstLimit", "value": "2"},
    ]);
    world.patch("prod", limits).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(world.get("prod", "/").await.0);
    }
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(world.get("prod", "/").await.1, r#"{"message":"Too Many Requests"}"#);
    assert_eq!(world.get("prod", "/free").await.0, 200);
    world.clock.0.fetch_add(500, Ordering::SeqCst);
    assert_eq!(world.get("prod", "/").await.0, 200);
}

#[tokio::test]
async fn a_method_may_want_an_api_key() {
    let world = World::new(colour).await;
    world
        .method("GET", "/", json!({"apiKeyRequired": true}), proxy("f:blue"))
        .await;
    world.deploy(json!({"stageName": "prod"})).await;
    let key = world
        .call(
            "CreateApiKey",
            json!({"name": "k", "enabled": true, "value": "a-key-of-twenty-letters"}),
        )
        .await
        .unwrap();
    let ask = async |value: &str| {
        world
            .send("prod", request("GET", "/", &[("x-api-key", value)], ""))
            .await
            .status()
            .as_u16()
    };
    assert_eq!(ask("a-key-of-twenty-letters").await, 403, "no usage plan lets it in");
    let plan = json!({"name": "p", "apiStages": [{"apiId": world.api, "stage": "prod"}]});
    let plan = world.call("CreateUsagePlan", plan).await.unwrap();
    world
        .call(
            "CreateUsagePlanKey",
            json!({"usagePlanId": plan["id"], "keyId": key["id"], "keyType": "API_KEY"}),
        )
        .await
        .unwrap();
    assert_eq!(ask("a-key-of-twenty-letters").await, 200);
    assert_eq!(ask("another").await, 403);
    assert_eq!(
        world.get("prod", "/").await,
        (403, r#"{"message":"Forbidden"}"#.to_owned())
    );
    let hidden = world.call("GetApiKey", json!({"apiKey": key["id"]})).await.unwrap();
    assert_eq!(hidden["value"], Value::Null);
    let off =
        json!({"apiKey": key["id"], "patchOperations": [{"op": "replace", "path": "/enabled", "value": "false"}]});
    world.call("UpdateApiKey", off).await.unwrap();
    assert_eq!(ask("a-key-of-twenty-letters").await, 403);
}

#[tokio::test]
async fn mocks_answer_preflights_and_the_gateways_own_answers_can_be_changed() {
    let world = World::new(colour).await;
    let mock = json!({"type": "MOCK", "requestTemplates": {"application/json": "{ \"statusCode\": 204 }"}});
    world.method("OPTIONS", "/", json!({}), mock).await;
    let response = json!({"resourceId": world.root, "httpMethod": "OPTIONS", "statusCode": "204", "responseParameters": {
        "method.response.header.Access-Control-Allow-Origin": "'*'", "method.response.header.X-Stage": "context.stage"}});
    world.call("PutIntegrationResponse", response).await.unwrap();
    let templated = json!({"type": "MOCK", "requestTemplates": {"application/json": "{\"statusCode\": 200}"}});
    world.method("GET", "/mock/{name}", json!({}), templated).await;
    let response = json!({"resourceId": world.resource("/mock/{name}").await, "httpMethod": "GET", "statusCode": "200", "responseTemplates": {
        "application/json": "{\"name\": \"$input.params('name')\", \"stage\": \"$context.stage\", \"color\": \"${stageVariables.color}\"}"}});
    world.call("PutIntegrationResponse", response).await.unwrap();
    let changed = json!({"responseType": "DEFAULT_4XX", "responseParameters": {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"},
        "responseTemplates": {"application/json": "{\"error\":$context.error.messageString,\"type\":\"$context.error.responseType\"}"}});
    world.call("PutGatewayResponse", changed).await.unwrap();
    world
        .deploy(json!({"stageName": "prod", "variables": {"color": "blue"}}))
        .await;

    let preflight = world.send("prod", request("OPTIONS", "/", &[], "")).await;
    assert_eq!((preflight.status().as_u16(), preflight.body().len()), (204, 0));
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    assert_eq!(preflight.headers()["x-stage"], "prod");
    assert_eq!(
        world.get("prod", "/mock/ann").await,
        (200, r#"{"name": "ann", "stage": "prod", "color": "blue"}"#.to_owned())
    );
    let missing = world.send("prod", request("GET", "/none", &[], "")).await;
    assert_eq!(
        (
            missing.status().as_u16(),
            &missing.headers()["access-control-allow-origin"]
        ),
        (403, &http::HeaderValue::from_static("*"))
    );
    assert_eq!(
        missing.body(),
        r#"{"error":"Missing Authentication Token","type":"MISSING_AUTHENTICATION_TOKEN"}"#
    );
}

#[tokio::test]
async fn a_function_without_proxy_is_mapped_both_ways() {
    let world = World::new(|_, _, event| match event["ask"].as_str() {
        Some("fail") => Err(json!({"errorMessage": "NotFound: nobody"})),
        _ => Ok(json!({"got": event["ask"]})),
    })
    .await;
    let integration = json!({"type": "AWS", "integrationHttpMethod": "POST", "uri": function_uri("f"),
        "requestTemplates": {"application/json": "{\"ask\": $input.json('$.question')}"}});
    world.method("POST", "/", json!({}), integration).await;
    for (status, more) in [
        (
            "200",
            json!({"responseTemplates": {"application/json": "{\"answer\": $input.json('$.got')}"}}),
        ),
        (
            "404",
            json!({"selectionPattern": "NotFound:.*", "responseTemplates": {"application/json": "{\"error\": \"$input.path('$.errorMessage')\"}"}}),
        ),
    ] {
        let mut response = json!({"resourceId": world.root, "httpMethod": "POST", "statusCode": status});
        response
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().cloned().unwrap());
        world.call("PutIntegrationResponse", response).await.unwrap();
    }
    world.deploy(json!({"stageName": "prod"})).await;
    let ask = async |question: &str| {
        let body = json!({"question": question}).to_string();
        let response = world
            .send(
                "prod",
                request("POST", "/", &[("content-type", "application/json")], &body),
            )
            .await;
        (
            response.status().as_u16(),
            String::from_utf8(response.body().to_vec()).unwrap(),
        )
    };
    assert_eq!(ask("why").await, (200, r#"{"answer": "why"}"#.to_owned()));
    assert_eq!(ask("fail").await, (404, r#"{"error": "NotFound: nobody"}"#.to_owned()));
}

#[tokio::test]
async fn http_endpoints_are_reached_through_stage_variables() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Answers each connection with the first line of its request.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).await.unwrap();
            let head = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let line = head.lines().next().unwrap_or_default();
            let answer = format!(
                "HTTP/1.1 202 Accepted\r\nX-Backend: yes\r\nContent-Length: {}\r\n\r\n{line}",
                line.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let world = World::new(colour).await;
    let integration = json!({"type": "HTTP_PROXY", "integrationHttpMethod": "ANY", "uri": "http://${stageVariables.host}/base/{path}",
        "requestParameters": {"integration.request.path.path": "method.request.path.proxy"}});
    world
        .method(
            "ANY",
            "/{proxy+}",
            json!({"requestParameters": {"method.request.path.proxy": true}}),
            integration,
        )
        .await;
    world
        .deploy(json!({"stageName": "prod", "variables": {"host": address.to_string()}}))
        .await;
    let response = world.send("prod", request("PUT", "/a/b?x=1", &[], "body")).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-backend"]),
        (202, &http::HeaderValue::from_static("yes"))
    );
    assert_eq!(response.body(), "PUT /base/a/b?x=1 HTTP/1.1");
    world
        .patch(
            "prod",
            json!([{"op": "replace", "path": "/variables/host", "value": "127.0.0.1:1"}]),
        )
        .await
        .unwrap();
    assert_eq!(world.get("prod", "/a").await.0, 504);
}

#[tokio::test]
async fn a_validator_wants_its_parameters() {
    let world = World::new(colour).await;
    let validator = world
        .call(
            "CreateRequestValidator",
            json!({"name": "v", "validateRequestParameters": true}),
        )
        .await
        .unwrap();
    let method = json!({"requestValidatorId": validator["id"], "requestParameters": {
        "method.request.querystring.page": true, "method.request.querystring.size": false}});
    world.method("GET", "/", method, proxy("f:blue")).await;
    world.deploy(json!({"stageName": "prod"})).await;
    assert_eq!(
        world.get("prod", "/").await,
        (
            400,
            r#"{"message":"Missing required request parameters: [page]"}"#.to_owned()
        )
    );
    assert_eq!(world.get("prod", "/?page=1").await.0, 200);
}

#[tokio::test]
async fn binary_bodies_are_encoded_for_the_types_that_the_api_names() {
    let world = World::new(|_, _, event| {
        Ok(json!({"statusCode": 200, "isBase64Encoded": event["isBase64Encoded"], "body": event["body"]}))
    })
    .await;
    let types = json!({"patchOperations": [{"op": "add", "path": "/binaryMediaTypes/image~1*"}]});
    let api = world.call("UpdateRestApi", types).await.unwrap();
    assert_eq!(api["binaryMediaTypes"], json!(["image/*"]));
    world.function("POST", "/", "f").await;
    world.deploy(json!({"stageName": "prod"})).await;
    let image = [0_u8, 159, 146, 150];
    let post = |content_type: &str, accept: &str| {
        let request = Request::builder()
            .method("POST")
            .uri("/")
            .header("content-type", content_type)
            .header("accept", accept);
        request.body(Bytes::copy_from_slice(&image)).unwrap()
    };
    assert_eq!(
        &world.send("prod", post("image/png", "image/png")).await.body()[..],
        image
    );
    assert_eq!(
        world.send("prod", post("image/png", "text/html")).await.body(),
        "AJ+Slg=="
    );
}
