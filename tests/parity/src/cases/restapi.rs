//! REST APIs in their variants: models, keys, questions of browsers, proxies, and stages of one deployment.

use serde_json::json;
use stack::apigateway::{
    CorsOptions, Deployment, EndpointType, GatewayResponse, HttpIntegration, IdentitySource, LambdaIntegration,
    MethodLoggingLevel, MethodOptions, MethodSettings, MockIntegration, Period, RequestAuthorizer, RestApi, Stage,
    StageOptions,
};
use stack::lambda::{Code, Function, Runtime};
use stack::logs::LogGroup;
use stack::units::{days, kib, minutes, seconds};
use stack::{App, CfnOutput, Stack};

use super::asset;

/// As `AccessLogFormat.jsonWithStandardFields()` of aws-cdk-lib.
const ACCESS_LOG: &str = concat!(
    r#"{"requestId":"$context.requestId","ip":"$context.identity.sourceIp","user":"$context.identity.user","#,
    r#""caller":"$context.identity.caller","requestTime":"$context.requestTime","httpMethod":"$context.httpMethod","#,
    r#""resourcePath":"$context.resourcePath","status":"$context.status","protocol":"$context.protocol","#,
    r#""responseLength":"$context.responseLength"}"#
);

pub fn build(app: &App) {
    let stack = Stack::new(app, "RestApiStack").build();
    let function =
        |id: &str, folder: &str| Function::new(&stack, id, Runtime::nodejs_24(), Code::asset(asset(folder))).build();
    let handler = function("Fn", "protocol-analytics");
    let authorizer_function = function("AuthFn", "authorizer");
    let access = LogGroup::new(&stack, "Access").retention(days(7)).build();
    let settings = MethodSettings::new()
        .metrics(true)
        .logging_level(MethodLoggingLevel::Error)
        .data_trace(false);
    let options = StageOptions::new()
        .named("v1")
        .methods(settings)
        .tracing(true)
        .variable("color", "blue")
        .access_log(access.log_group_arn(), ACCESS_LOG)
        .method("/yields/GET", MethodSettings::new().throttling(10.0, 20).caching(false));
    let cors = CorsOptions::new(["https://defillama.com"])
        .allow_methods(["GET", "POST"])
        .allow_headers(["authorization"])
        .max_age(minutes(10));
    let api = RestApi::new(&stack, "Api")
        .description("public")
        .endpoint_types([EndpointType::Regional])
        .binary_media_types(["image/png"])
        .min_compression_size(kib(1))
        .cloud_watch_role(false)
        .deploy_options(options)
        .default_cors_preflight(cors)
        .build();
    let sources = [IdentitySource::header("x-api-key")];
    let authorizer = RequestAuthorizer::new(&stack, "Auth", &authorizer_function, sources)
        .results_cache_ttl(minutes(5))
        .build();
    let schema = json!({
        "$schema": "http://json-schema.org/draft-04/schema#", "title": "portfolio", "type": "object",
        "required": ["address"],
        "properties": { "address": { "type": "string", "pattern": "^0x[0-9a-fA-F]{40}$" } },
    });
    let model = api.add_model("Portfolio", Some("Portfolio"), schema);
    let validator = api.add_request_validator("Body", true, true);
    let yields = api.root().add_resource("yields");
    yields.add_method(
        "GET",
        LambdaIntegration::new(&handler),
        MethodOptions::new()
            .authorizer(&authorizer)
            .request_parameter("method.request.querystring.chain", true)
            .request_validator(validator.request_validator_id()),
    );
    let portfolio = api.root().resource_for_path("/v1/portfolio/{address}");
    portfolio.add_method(
        "POST",
        LambdaIntegration::new(&handler)
            .timeout(seconds(10))
            .allow_test_invoke(false),
        MethodOptions::new()
            .api_key_required(true)
            .request_model("application/json", &model)
            .request_validator(validator.request_validator_id())
            .operation_name("TrackPortfolio"),
    );
    let mock = MockIntegration::new()
        .request_template("application/json", r#"{"statusCode": 200}"#)
        .response(200, "application/json", r#"{"ok": true}"#);
    let answers = MethodOptions::new().response(200, Vec::<String>::new());
    api.root().add_resource("health").add_method("GET", mock, answers);
    api.root()
        .add_resource("proxy")
        .add_proxy(HttpIntegration::new("https://example.com/{proxy}"));
    let denied = GatewayResponse::new("ACCESS_DENIED")
        .status(403)
        .template("application/json", r#"{"message": "no"}"#);
    api.add_gateway_response("Denied", &denied);
    let key = api.add_api_key("PartnerKey", Some("partner"));
    let plan = api.add_usage_plan("Partner");
    plan.name("partner")
        .throttle(50.0, 100)
        .quota(100_000, Period::Month)
        .add_api_key(&key);
    if let Some(stage) = api.deployment_stage() {
        plan.add_api_stage(&stage);
    }
    let whole = RestApi::of_function(&stack, "Whole", &handler, |api| {
        api.deploy_options(StageOptions::new().named("live"))
    });
    CfnOutput::new(&stack, "Yields", api.url_for_path("/yields")).build();
    CfnOutput::new(&stack, "WholeArn", whole.arn_for_execute_api("GET", "/x", "live")).build();

    let staged = Stack::new(app, "StagedApi").build();
    let green = RestApi::new(&staged, "Api").deploy(false).build();
    green
        .root()
        .add_method("GET", MockIntegration::new(), MethodOptions::new());
    let deployment = Deployment::new(&staged, "Release", &green).build();
    for color in ["blue", "green"] {
        Stage::new(&staged, format!("Stage-{color}"), &deployment)
            .options(StageOptions::new().named(color).variable("color", color))
            .build();
    }
}
