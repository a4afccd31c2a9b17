//! HTTP APIs: routes, integrations, authorizers, CORS, stages, domains, VPC links, metrics.

use stack::apigatewayv2::{
    DomainMapping, DomainName, HttpApi, HttpAuthorizer, HttpCors, HttpIntegration, HttpMethod, HttpRouteOptions,
    HttpStage, IpAddressType, MappingValue, ParameterMapping, PayloadFormatVersion, QueueAction, SecurityPolicy,
    VpcLink,
};
use stack::cloudwatch::{Alarm, Metric};
use stack::ec2::{SecurityGroup, SubnetSelection, SubnetType, Vpc};
use stack::events::EventBus;
use stack::iam::{Principal, Role};
use stack::lambda::{Alias, Code, Function, Runtime};
use stack::logs::LogGroup;
use stack::s3::Bucket;
use stack::sqs::Queue;
use stack::units::{hours, minutes, seconds};
use stack::{App, CfnOutput, Stack};
use std::time::Duration;

const CERTIFICATE: &str = "arn:aws:acm:eu-west-1:123456789012:certificate/0b2a0c5a-0000-4000-8000-000000000001";

pub fn build(app: &App) {
    plain(app);
    secured(app);
    services(app);
    staged(app);
}

fn function(stack: &Stack, id: &str) -> Function {
    Function::new(stack, id, Runtime::nodejs_24(), Code::inline("x"))
        .handler("index.handler")
        .build()
}

fn plain(app: &App) {
    let stack = Stack::new(app, "Plain").build();
    let handler = function(&stack, "Fn");
    HttpApi::new(&stack, "Bare").build();
    let integration = HttpIntegration::lambda("Everything", &handler);
    let cors = HttpCors::origins(["https://example.com"])
        .methods([HttpMethod::Get, HttpMethod::Any])
        .headers(["authorization"])
        .exposed_headers(["x-request-id"])
        .allow_credentials(true)
        .max_age(hours(1));
    let api = HttpApi::new(&stack, "Api")
        .api_name("public")
        .description("the public face")
        .default_integration(&integration)
        .ip_address_type(IpAddressType::DualStack)
        .route_selection_expression()
        .cors(cors)
        .build();
    api.add_route(HttpMethod::Any, "/yields", &integration);
    let methods = [HttpMethod::Get, HttpMethod::Post];
    api.add_routes(methods, "/yields/{chain}/{proxy+}", &integration);
    let mapping = ParameterMapping::new()
        .append_header("x-a", MappingValue::request_header("x-b"))
        .overwrite_path(MappingValue::custom("/x"))
        .remove_header("cookie")
        .overwrite_query_string("chain", MappingValue::request_path_parameter("chain"))
        .append_query_string("stage", MappingValue::stage_variable("color"))
        .remove_query_string("token")
        .overwrite_header("x-id", MappingValue::context_variable("requestId"));
    let home = HttpIntegration::lambda("Home", &handler)
        .payload_format_version(PayloadFormatVersion::V1)
        .timeout(seconds(5))
        .permission_for_api()
        .parameter_mapping(mapping);
    api.add_route(HttpMethod::Get, "/", home);
    let proxy = HttpIntegration::url("Proxy", "https://example.com/{proxy}");
    api.add_route(HttpMethod::Get, "/proxy", proxy);
    let pets = HttpIntegration::url("Pets", "https://example.com/pets")
        .method(HttpMethod::Post)
        .timeout(Duration::from_millis(500));
    api.add_route(HttpMethod::Put, "/pets", pets);
    let live = Alias::new(&stack, "Live", "live", &handler.current_version()).build();
    let live = HttpIntegration::lambda("Live", &live).permission_for_api();
    api.add_route(HttpMethod::Get, "/live", live);
    watch(&stack, &api);
    CfnOutput::new(&stack, "Url", api.url()).build();
    CfnOutput::new(&stack, "Endpoint", api.api_endpoint()).build();
    let arn = api.arn_for_execute_api(HttpMethod::Get, "/yields", "prod");
    CfnOutput::new(&stack, "Arn", arn).build();
}

fn watch(stack: &Stack, api: &HttpApi) {
    let alarm = |id: &str, metric: Metric| Alarm::new(stack, id, metric).at_least(1.0).build();
    let stage = api.default_stage();
    alarm("ClientErrors", api.metric_client_error());
    alarm("ServerErrors", api.metric_server_error().period(minutes(1)));
    alarm("Count", api.metric_count());
    alarm("Latency", api.metric_latency().p99());
    alarm("IntegrationLatency", api.metric_integration_latency());
    alarm("StageErrors", stage.metric_server_error());
    alarm("Data", stage.metric_data_processed());
}

fn secured(app: &App) {
    let stack = Stack::new(app, "Secured").env("123456789012", "eu-west-1").build();
    let handler = function(&stack, "Fn");
    let check = function(&stack, "Check");
    let integration = HttpIntegration::lambda("Integration", &handler);
    let with = |authorizer: &HttpAuthorizer| HttpRouteOptions::new(&integration).authorizer(authorizer);
    let jwt = HttpAuthorizer::jwt("Jwt", "https://issuer.example.com", ["app", "other"]);
    let api = HttpApi::new(&stack, "Api")
        .default_authorizer(&jwt)
        .default_authorization_scopes(["read"])
        .default_integration(&integration)
        .create_default_stage(false)
        .disable_execute_api_endpoint(true)
        .build();
    api.add_route(HttpMethod::Get, "/read", &integration);
    let write = HttpRouteOptions::new(&integration).authorization_scopes(["write", "read"]);
    api.add_route(HttpMethod::Post, "/write", write);
    api.add_route(HttpMethod::Get, "/open", with(&HttpAuthorizer::none()));
    let simple = HttpAuthorizer::lambda("Simple", &check)
        .simple_responses()
        .authorizer_name("keys")
        .identity_source(["$request.header.x-api-key"])
        .results_cache_ttl(seconds(0));
    api.add_route(HttpMethod::Get, "/simple", with(&simple));
    let policy = HttpAuthorizer::lambda("Policy", &check);
    api.add_routes([HttpMethod::Get, HttpMethod::Delete], "/policy", with(&policy));
    let invoker = Role::new(&stack, "Invoker", Principal::service("apigateway.amazonaws.com")).build();
    let both = HttpAuthorizer::lambda("Both", &check).simple_responses().role(&invoker);
    api.add_route(HttpMethod::Get, "/both", with(&both));
    let caller = Role::new(&stack, "Caller", Principal::service("ec2.amazonaws.com")).build();
    let signed = api.add_route(HttpMethod::Any, "/signed/{id}/x", with(&HttpAuthorizer::iam()));
    signed.grant_invoke(&caller);
    signed.grant_invoke_with(&caller, [HttpMethod::Get, HttpMethod::Post]);
}

fn services(app: &App) {
    let stack = Stack::new(app, "Services").build();
    let api = HttpApi::new(&stack, "Api").build();
    let queue = Queue::new(&stack, "Queue").build();
    let actions = [
        QueueAction::SendMessage,
        QueueAction::SendMessage,
        QueueAction::ReceiveMessage,
        QueueAction::DeleteMessage,
        QueueAction::PurgeQueue,
    ];
    let post = |path: &str, integration: HttpIntegration| api.add_route(HttpMethod::Post, path, integration);
    for (index, action) in actions.into_iter().enumerate() {
        let integration = HttpIntegration::sqs(format!("Sqs{index}"), &queue, action);
        post(&format!("/sqs{index}"), integration);
    }
    let mapping = ParameterMapping::new()
        .custom("QueueUrl", queue.queue_url())
        .custom("MessageBody", "$request.body");
    let mapped = HttpIntegration::sqs("Mapped", &queue, QueueAction::SendMessage).parameter_mapping(mapping);
    post("/mapped", mapped);
    let bus = EventBus::new(&stack, "Bus")
        .event_bus_name("orders")
        .description("what was ordered")
        .build();
    EventBus::new(&stack, "Unnamed").build();
    post("/events", HttpIntegration::event_bridge("Events", &bus));
    let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders";
    post("/start", HttpIntegration::start_execution("Start", machine));
    post("/sync", HttpIntegration::start_sync_execution("Sync", machine));
    let execution = ParameterMapping::new().custom("ExecutionArn", "$request.body.executionArn");
    post("/stop", HttpIntegration::stop_execution("Stop", "orders", execution));
    let vpc = Vpc::new(&stack, "Vpc").max_azs(2).build();
    let group = SecurityGroup::new(&stack, "Group", &vpc).build();
    let link = VpcLink::new(&stack, "Link", &vpc)
        .subnets(SubnetSelection::of_type(SubnetType::Public))
        .security_groups([group])
        .vpc_link_name("inside")
        .build();
    VpcLink::new(&stack, "Second", &vpc).build();
    let listener = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/x/1/2";
    let inside = HttpIntegration::private("Inside", listener, &link)
        .secure_server_name("inside.example.com")
        .timeout(seconds(10));
    api.add_route(HttpMethod::Get, "/inside", inside);
}

fn staged(app: &App) {
    let stack = Stack::new(app, "Staged").build();
    let handler = function(&stack, "Fn");
    let domain = DomainName::new(&stack, "Domain", "api.example.com", CERTIFICATE).build();
    let api = HttpApi::new(&stack, "Api")
        .default_integration(&HttpIntegration::lambda("Main", &handler))
        .default_domain_mapping(DomainMapping::of(&domain).key("v1"))
        .build();
    let access = LogGroup::new(&stack, "Access").build();
    let beta = api
        .add_stage("Beta")
        .stage_name("beta")
        .auto_deploy(true)
        .description("what comes")
        .throttle(100.0, 50)
        .detailed_metrics(true)
        .variable("color", "green")
        .variable("depth", "2")
        .access_log(&access)
        .domain_mapping(DomainMapping::of(&domain))
        .build();
    HttpStage::new(&stack, "Old", &api)
        .stage_name("old")
        .throttle(1.5, 2)
        .access_log_with(&access, "$context.requestId $context.status")
        .build();
    let trust = Bucket::new(&stack, "Trust").build();
    let other = DomainName::new(&stack, "Other", "other.example.com", CERTIFICATE)
        .certificate_name("other")
        .security_policy(SecurityPolicy::Tls1_2)
        .ip_address_type(IpAddressType::Ipv4)
        .mutual_tls_version(&trust, "trust.pem", "v1")
        .ownership_certificate(CERTIFICATE)
        .build();
    beta.add_domain_mapping(&stack, "Mapping", DomainMapping::of(&other).key("beta"))
        .build();
    let default = api.default_stage();
    default
        .add_domain_mapping(&stack, "Whole", DomainMapping::of(&other))
        .build();
    CfnOutput::new(&stack, "Beta", beta.url()).build();
    CfnOutput::new(&stack, "DomainUrl", default.domain_url()).build();
    CfnOutput::new(&stack, "Target", domain.regional_domain_name()).build();
    CfnOutput::new(&stack, "Zone", domain.regional_hosted_zone_id()).build();
}
