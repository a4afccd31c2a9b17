//! A stack's API in front of real functions: made by CloudFormation's providers, shifted as a rollout does it.

#![allow(clippy::unwrap_used, reason = "tests and what they call")]

mod lambda_world;

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use lambda_world::{World, archive, request};
use localcloud::apigateway::{ApiGateway, ApiGatewayProvider, Ports, Settings};
use localcloud::lambda::LambdaProvider;
use localcloud::resource::{Provider, Resource, ResourceRequest};
use localcloud::service::Service;
use localcloud::sink::HttpFrontend;
use serde_json::{Value, json};

fn resource(kind: &str, logical_id: &str, properties: Value) -> ResourceRequest {
    ResourceRequest {
        resource_type: format!("AWS::{kind}"),
        stack_name: "stack".to_owned(),
        stack_id: "arn:aws:cloudformation:us-east-1:000000000000:stack/Stack/1".into(),
        logical_id: logical_id.to_owned(),
        properties: properties.as_object().cloned().unwrap(),
        generated_name: format!("stack-{logical_id}-0123456789AB"),
        tags: Vec::new(),
    }
}

const SOURCE: &str = "def handler(event, context): return {'statusCode': 200, 'body': context.function_version}";

struct Stack {
    world: World,
    gateway: ApiGateway,
    provider: ApiGatewayProvider,
    api: String,
    deployment: String,
    stage: ResourceRequest,
    /// In the order of their making.
    made: Vec<(Resource, ResourceRequest)>,
}

impl Stack {
    async fn call(&self, operation: &str, mut input: Value) -> Value {
        input["restApiId"] = json!(self.api);
        self.gateway
            .call(request(operation, input, Bytes::new()))
            .await
            .unwrap()
            .output
    }

    async fn get(&self, stage: &str, path: &str) -> (u16, String) {
        let request = Request::builder().uri(path).body(Bytes::new()).unwrap();
        let response = self.gateway.serve(request, &self.api, stage, path).await;
        (
            response.status().as_u16(),
            String::from_utf8(response.body().to_vec()).unwrap(),
        )
    }
}

async fn stack() -> Stack {
    let world = World::new();
    let ports = Ports {
        metrics: Arc::clone(&world.recorder) as _,
        functions: Arc::new(world.lambda.clone()),
    };
    let gateway = ApiGateway::open(world.context(), ports, Settings { seed: Some(5) }).unwrap();
    let (lambda, provider) = (
        LambdaProvider::new(world.lambda.clone()),
        ApiGatewayProvider::new(gateway.clone()),
    );
    let mut made = Vec::new();
    let mut make = async |provider: &dyn Provider, request: ResourceRequest| {
        let resource = provider.create(&request).await.unwrap();
        made.push((resource.clone(), request));
        resource
    };

    let function = json!({"Runtime": "python3.12", "Handler": "index.handler", "Role": lambda_world::ROLE, "Code": {"ZipFile": SOURCE}});
    let function = make(&lambda, resource("Lambda::Function", "Health", function)).await;
    let name = function.physical_id.clone();
    let version = make(
        &lambda,
        resource("Lambda::Version", "Version", json!({"FunctionName": name})),
    )
    .await;
    let number = version.attributes["Version"].clone();
    for color in ["blue", "green"] {
        let alias = json!({"FunctionName": name, "Name": color, "FunctionVersion": number});
        make(&lambda, resource("Lambda::Alias", color, alias)).await;
    }

    let api = make(
        &provider,
        resource(
            "ApiGateway::RestApi",
            "Api",
            json!({"Name": "shop", "EndpointConfiguration": {"Types": ["REGIONAL"]}}),
        ),
    )
    .await;
    let id = api.physical_id.clone();
    let part = json!({"RestApiId": id, "ParentId": api.attributes["RootResourceId"], "PathPart": "health"});
    let health = make(&provider, resource("ApiGateway::Resource", "Path", part)).await;
    let arn = function.attributes["Arn"].as_str().unwrap();
    let uri = format!(
        "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}:${{stageVariables.color}}/invocations"
    );
    let method = json!({"RestApiId": id, "ResourceId": health.physical_id, "HttpMethod": "GET", "AuthorizationType": "NONE",
        "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": uri}});
    make(&provider, resource("ApiGateway::Method", "Method", method)).await;
    for color in ["blue", "green"] {
        let permission = json!({"FunctionName": format!("{arn}:{color}"), "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
            "SourceArn": format!("arn:aws:execute-api:eu-west-1:000000000000:{id}/*/GET/health")});
        make(
            &lambda,
            resource("Lambda::Permission", &format!("Permission{color}"), permission),
        )
        .await;
    }
    let deployment = make(
        &provider,
        resource(
            "ApiGateway::Deployment",
            "Deployment",
            json!({"RestApiId": id, "Description": "first"}),
        ),
    )
    .await;
    let deployment = deployment.physical_id;
    let properties = |name: &str, color: &str| {
        json!({"RestApiId": id, "StageName": name, "DeploymentId": deployment, "Variables": {"color": color, "plan": "basic"},
            "MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", "MetricsEnabled": "true", "ThrottlingRateLimit": 1000}]})
    };
    let stage = resource("ApiGateway::Stage", "Prod", properties("prod", "blue"));
    make(&provider, stage.clone()).await;
    make(
        &provider,
        resource("ApiGateway::Stage", "Green", properties("green", "green")),
    )
    .await;
    Stack {
        world,
        gateway,
        provider,
        api: id,
        deployment,
        stage,
        made,
    }
}

#[tokio::test]
async fn a_rollout_shifts_between_slots_and_back() {
    let stack = stack().await;
    assert_eq!(stack.get("prod", "/health").await, (200, "1".to_owned()));

    // A release: new code, a version of it in the idle slot, a deployment, the preview stage.
    let (function, _) = &stack.made[0];
    let name = function.physical_id.as_str();
    let code =
        json!({"FunctionName": name, "ZipFile": archive(&[("index.py", &format!("{SOURCE} # new"))]), "Publish": true});
    let version = stack.world.call("UpdateFunctionCode", code).await.unwrap();
    assert_eq!(version["Version"], "2");
    stack
        .world
        .call(
            "UpdateAlias",
            json!({"FunctionName": name, "Name": "green", "FunctionVersion": "2"}),
        )
        .await
        .unwrap();
    assert_eq!(stack.get("green", "/health").await, (200, "2".to_owned()));
    assert_eq!(stack.get("prod", "/health").await, (200, "1".to_owned()));

    let canary = json!({"stageName": "prod", "canarySettings": {"percentTraffic": 30.0, "stageVariableOverrides": {"color": "green"}}});
    let deployment = stack.call("CreateDeployment", canary).await;
    let mut green = 0_u32;
    for _ in 0..200 {
        let (status, body) = stack.get("prod", "/health").await;
        assert_eq!(status, 200);
        green += u32::from(body == "2");
    }
    // 99.9 % of binomial(200, 0.3).
    assert!((39..=82).contains(&green), "{green} of 200 at 30 %");
    let by_alias = stack
        .world
        .recorder
        .sum("Invocations", &format!("FunctionName={name},Resource={name}:green"));
    assert_eq!(
        by_alias,
        f64::from(green + 1),
        "each request of the canary and of the preview is an invocation of the green alias"
    );
    assert_eq!(stack.world.recorder.sum("Count", "ApiName=shop,Stage=prod"), 202.0);

    // A stack update in the middle, which changes a variable of its own, leaves the canary and the colour alone.
    let mut changed = stack.stage.clone();
    changed.properties["Variables"]["plan"] = json!("premium");
    changed.properties.insert("Description".to_owned(), json!("live"));
    let (current, _) = stack
        .made
        .iter()
        .find(|(_, request)| request.logical_id == "Prod")
        .unwrap();
    let to = |to: u32| json!([{"op": "replace", "path": "/variables/color", "value": if to == 0 { "blue" } else { "green" }}]);
    stack
        .call("UpdateStage", json!({"stageName": "prod", "patchOperations": to(1)}))
        .await;
    stack
        .provider
        .update(current, &stack.stage.properties, &changed)
        .await
        .unwrap();
    let stage = stack.call("GetStage", json!({"stageName": "prod"})).await;
    assert_eq!(stage["variables"], json!({"color": "green", "plan": "premium"}));
    assert_eq!(stage["canarySettings"]["deploymentId"], deployment["id"]);
    assert_eq!(
        (&stage["deploymentId"], &stage["description"]),
        (&json!(stack.deployment), &json!("live"))
    );

    // Back to blue in one call.
    let mut back = to(0).as_array().cloned().unwrap();
    back.push(json!({"op": "remove", "path": "/canarySettings"}));
    stack
        .call("UpdateStage", json!({"stageName": "prod", "patchOperations": back}))
        .await;
    for _ in 0..20 {
        assert_eq!(stack.get("prod", "/health").await, (200, "1".to_owned()));
    }
}

#[tokio::test]
async fn a_stack_leaves_nothing_behind() {
    let stack = stack().await;
    let lambda = LambdaProvider::new(stack.world.lambda.clone());
    for (resource, request) in stack.made.iter().rev() {
        let provider: &dyn Provider = if request.resource_type.contains("Lambda") {
            &lambda
        } else {
            &stack.provider
        };
        provider.delete(resource, request).await.unwrap();
    }
    let apis = stack
        .gateway
        .call(request("GetRestApis", json!({}), Bytes::new()))
        .await
        .unwrap();
    assert_eq!(apis.output["items"], json!([]));
    assert_eq!(
        stack.world.call("ListFunctions", json!({})).await.unwrap()["Functions"],
        json!([])
    );
    assert_eq!(stack.get("prod", "/health").await.0, 403);
}

#[tokio::test]
async fn the_other_resources_of_a_template_are_made_too() {
    let stack = stack().await;
    let provider = &stack.provider;
    let with = |mut properties: Value| {
        properties["RestApiId"] = json!(stack.api);
        properties
    };
    let authorizer = with(
        json!({"Type": "TOKEN", "Name": "keys", "IdentitySource": "method.request.header.Authorization",
        "AuthorizerUri": "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:000000000000:function:auth/invocations",
        "AuthorizerResultTtlInSeconds": "60"}),
    );
    let request = resource("ApiGateway::Authorizer", "Authorizer", authorizer.clone());
    let made = provider.create(&request).await.unwrap();
    let mut changed = request.clone();
    changed
        .properties
        .insert("AuthorizerResultTtlInSeconds".to_owned(), json!(0));
    provider.update(&made, &request.properties, &changed).await.unwrap();
    let described = stack
        .call("GetAuthorizer", json!({"authorizerId": made.physical_id}))
        .await;
    assert_eq!(
        (&described["authorizerResultTtlInSeconds"], &described["name"]),
        (&json!(0), &json!("keys"))
    );
    provider.delete(&made, &changed).await.unwrap();

    for (kind, properties) in [
        (
            "Model",
            with(json!({"ContentType": "application/json", "Schema": {"type": "object"}})),
        ),
        ("RequestValidator", with(json!({"ValidateRequestBody": "true"}))),
        (
            "GatewayResponse",
            with(json!({"ResponseType": "UNAUTHORIZED", "StatusCode": "401"})),
        ),
        (
            "Account",
            json!({"CloudWatchRoleArn": "arn:aws:iam::000000000000:role/logs"}),
        ),
        ("ApiKey", json!({"Enabled": true})),
        (
            "UsagePlan",
            json!({"UsagePlanName": "plan", "ApiStages": [{"ApiId": stack.api, "Stage": "prod"}], "Throttle": {"RateLimit": "5"}}),
        ),
    ] {
        let request = resource(&format!("ApiGateway::{kind}"), kind, properties);
        let made = provider
            .create(&request)
            .await
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert!(!made.physical_id.is_empty(), "{kind}");
        provider.update(&made, &request.properties, &request).await.unwrap();
        provider.delete(&made, &request).await.unwrap();
        provider
            .delete(&made, &request)
            .await
            .unwrap_or_else(|error| panic!("{kind} twice: {error}"));
    }
    let body = resource("ApiGateway::RestApi", "Imported", json!({"Body": {"openapi": "3.0.1"}}));
    assert!(provider.create(&body).await.unwrap_err().message.contains("OpenAPI"));
}
