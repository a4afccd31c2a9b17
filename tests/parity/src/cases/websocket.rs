//! WebSocket APIs: integrations of all kinds, authorizers, answers, stages, domains.

use std::time::Duration;

use cfn::Expr;
use stack::apigatewayv2::{
    ContentHandling, DomainMapping, DomainName, IpAddressType, PassthroughBehavior, WebSocketApi, WebSocketAuthorizer,
    WebSocketIntegration, WebSocketRouteOptions, WebSocketStage,
};
use stack::cloudwatch::Alarm;
use stack::iam::{Principal, Role};
use stack::lambda::{Code, Function, Runtime};
use stack::logs::LogGroup;
use stack::units::seconds;
use stack::{App, CfnOutput, Stack};

const CERTIFICATE: &str = "arn:aws:acm:eu-west-1:123456789012:certificate/0b2a0c5a-0000-4000-8000-000000000001";

pub fn build(app: &App) {
    let stack = Stack::new(app, "Sockets").build();
    let function = |id: &str| {
        Function::new(&stack, id, Runtime::nodejs_24(), Code::inline("x"))
            .handler("index.handler")
            .build()
    };
    let handler = function("Fn");
    let check = function("Check");
    let shared = WebSocketIntegration::lambda("Shared", &handler)
        .timeout(seconds(3))
        .content_handling(ContentHandling::ConvertToText);
    let authorizer = WebSocketAuthorizer::lambda("Auth", &check)
        .identity_source(["route.request.querystring.token"])
        .authorizer_name("tokens");
    let api = WebSocketApi::new(&stack, "Api")
        .api_name("sockets")
        .description("live")
        .route_selection_expression("$request.body.kind")
        .api_key_selection_expression("$request.header.x-api-key")
        .ip_address_type(IpAddressType::DualStack)
        .disable_schema_validation(true)
        .connect_route(WebSocketRouteOptions::new(&shared).authorizer(&authorizer))
        .disconnect_route(&shared)
        .build();
    let ping = WebSocketIntegration::mock("Ping")
        .request_template("pong", r#"{"statusCode":200}"#)
        .template_selection_expression("pong");
    let ping = WebSocketRouteOptions::new(&ping)
        .return_response()
        .api_key_required(true);
    api.add_route("ping", ping);
    let role = Role::new(&stack, "Writer", Principal::service("apigateway.amazonaws.com")).build();
    let uri = [
        "arn:aws:apigateway:".into(),
        stack.region().into_expr(),
        ":dynamodb:action/PutItem".into(),
    ];
    let put = WebSocketIntegration::aws("Put", Expr::concat(uri).cast::<String>(), "POST")
        .credentials_role(&role)
        .passthrough_behavior(PassthroughBehavior::Never)
        .request_parameter(
            "integration.request.header.Content-Type",
            "'application/x-amz-json-1.0'",
        )
        .request_template("\\$default", r#"{"TableName":"t"}"#)
        .template_selection_expression("\\$default")
        .content_handling(ContentHandling::ConvertToBinary)
        .timeout(Duration::from_millis(750));
    api.add_route("put", put);
    let access = LogGroup::new(&stack, "Access").build();
    let domain = DomainName::new(&stack, "Domain", "ws.example.com", CERTIFICATE).build();
    let stage = WebSocketStage::new(&stack, "Stage", &api, "live")
        .description("now")
        .throttle(10.0, 20)
        .detailed_metrics(true)
        .variable("color", "blue")
        .access_log(&access)
        .domain_mapping(DomainMapping::of(&domain).key("v1"))
        .build();
    let caller = Role::new(&stack, "Caller", Principal::service("ec2.amazonaws.com")).build();
    api.grant_manage_connections(&caller);
    stage.grant_management_api_access(&caller);
    let connect = WebSocketIntegration::lambda("Connect", &handler);
    let signed = WebSocketApi::new(&stack, "Signed")
        .connect_route(WebSocketRouteOptions::new(&connect).authorizer(&WebSocketAuthorizer::iam()))
        .build();
    let messages = api.metric("MessageCount");
    Alarm::new(&stack, "Messages", messages).at_least(1.0).build();
    let connects = stage.metric("ConnectCount").sum();
    Alarm::new(&stack, "Connects", connects).at_least(1.0).build();
    CfnOutput::new(&stack, "Callback", stage.callback_url()).build();
    CfnOutput::new(&stack, "Endpoint", signed.api_endpoint()).build();
    let arn = api.arn_for_execute_api("$connect", "live");
    CfnOutput::new(&stack, "Arn", arn).build();
}
