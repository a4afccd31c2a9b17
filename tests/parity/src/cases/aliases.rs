//! A weighted alias as what every kind of entry point invokes: what the live alias of blue-green slots is wired to.

use stack::apigateway::{LambdaIntegration, MethodOptions, RestApi};
use stack::apigatewayv2::{
    HttpApi, HttpAuthorizer, HttpIntegration, HttpMethod, HttpRouteOptions, WebSocketApi, WebSocketIntegration,
    WebSocketStage,
};
use stack::cloudwatch::{Alarm, Metric};
use stack::dynamodb::{Attribute, StreamView, Table};
use stack::events::{self, Cron, EventPattern, Rule};
use stack::iam::{Principal, Role};
use stack::kinesis::Stream;
use stack::lambda::{
    Alias, Code, Function, Invocable, Runtime, SqsEventSource, StartingPosition, StreamEventSource, Version,
};
use stack::scheduler::{self, Schedule, ScheduleExpression};
use stack::sns::{SubscriptionOptions, Topic};
use stack::sqs::Queue;
use stack::units::hours;
use stack::{App, CfnOutput, Stack};

pub fn build(app: &App) {
    let stack = Stack::new(app, "Aliases").build();
    let function = Function::new(&stack, "Fn", Runtime::nodejs_24(), Code::inline("x"))
        .handler("index.handler")
        .build();
    let first = Version::new(&stack, "First", &function).build();
    let live = Alias::new(&stack, "Live", "live", &function.current_version())
        .description("what users reach")
        .additional_version(&first, 0.25)
        .build();
    let warm = Alias::new(&stack, "Warm", "warm", &first)
        .provisioned_concurrent_executions(3)
        .build();
    apis(&stack, &live);
    sources(&stack, &live);
    let url = live.add_function_url().public().build();

    let caller = Role::new(&stack, "Caller", Principal::service("ec2.amazonaws.com")).build();
    live.grant_invoke(&caller);
    live.grant_invoke(Principal::service("iot.amazonaws.com"));
    let alarm = |id: &str, metric: Metric| Alarm::new(&stack, id, metric).at_least(1.0).build();
    alarm("Errors", live.metric_errors());
    alarm("Duration", live.metric_duration());
    alarm("Throttles", live.metric_throttles());
    alarm("Invocations", live.metric_invocations());
    alarm(
        "Spilled",
        warm.metric("ProvisionedConcurrencySpilloverInvocations").sum(),
    );
    CfnOutput::new(&stack, "Url", url.url()).build();
    CfnOutput::new(&stack, "Arn", live.invocable_arn()).build();
}

fn apis(stack: &Stack, live: &Alias) {
    let http = HttpApi::new(stack, "Http").build();
    let integration = HttpIntegration::lambda("Orders", live);
    let authorizer = HttpAuthorizer::lambda("Check", live);
    http.add_routes([HttpMethod::Get, HttpMethod::Post], "/orders", &integration);
    http.add_route(
        HttpMethod::Get,
        "/orders/{id}",
        HttpRouteOptions::new(&integration).authorizer(&authorizer),
    );
    let scoped = HttpIntegration::lambda("Scoped", live).permission_for_api();
    http.add_route(HttpMethod::Any, "/all", &scoped);

    let sockets = WebSocketApi::new(stack, "Sockets")
        .connect_route(WebSocketIntegration::lambda("Connect", live))
        .disconnect_route(WebSocketIntegration::lambda("Disconnect", live))
        .default_route(WebSocketIntegration::lambda("Message", live))
        .build();
    WebSocketStage::new(stack, "SocketsProd", &sockets, "prod")
        .auto_deploy(true)
        .build();

    let rest = RestApi::new(stack, "Rest").cloud_watch_role(false).build();
    rest.root()
        .add_method("GET", LambdaIntegration::new(live), MethodOptions::new());
}

fn sources(stack: &Stack, live: &Alias) {
    let jobs = Queue::new(stack, "Jobs").build();
    let table = Table::new(stack, "Table", Attribute::string("id"))
        .stream(StreamView::NewImage)
        .build();
    let stream = Stream::new(stack, "Stream").build();
    live.add_event_source(SqsEventSource::new(&jobs).batch_size(5).report_batch_item_failures());
    live.add_event_source(StreamEventSource::table(&table, StartingPosition::TrimHorizon).retry_attempts(2));
    live.add_event_source(StreamEventSource::kinesis(&stream, StartingPosition::Latest));

    Rule::new(stack, "Nightly")
        .schedule(events::Schedule::cron(&Cron::default().minute("0").hour("3")))
        .target(events::Target::function(live))
        .build();
    Rule::new(stack, "Ordered")
        .event_pattern(EventPattern::new().source(["shop"]))
        .target(events::Target::function(live).retry_attempts(1))
        .build();
    Schedule::new(
        stack,
        "Hourly",
        ScheduleExpression::rate(hours(1)),
        scheduler::Target::function(live),
    )
    .build();
    Topic::new(stack, "Alerts")
        .build()
        .subscribe_function(live, &SubscriptionOptions::new());
}
