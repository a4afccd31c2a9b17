//! The app of the tests about entry points: two functions behind a REST API, an HTTP API, a WebSocket API, a queue and a
//! schedule, released together. Context values change what a deploy without a rollout may change.

use std::process::ExitCode;

use stack::apigateway::{MethodOptions, RestApi, StageOptions};
use stack::apigatewayv2::{
    HttpApi, HttpIntegration, HttpMethod, WebSocketApi, WebSocketIntegration, WebSocketRouteOptions, WebSocketStage,
};
use stack::lambda::{Alias, Code, Function, Runtime, SqsEventSource};
use stack::scheduler::{Schedule, ScheduleExpression, Target};
use stack::sqs::Queue;
use stack::units::{hours, mib, seconds};
use stack::{App, BlueGreen, CfnOutput, Scope as _, Stack};

/// The worker's limit in seconds: enough for a slow machine, and short enough for a test to wait for, because a message
/// that it failed stays away for so long.
const WORK: u64 = 30;

fn main() -> ExitCode {
    stack::run(|app| match text(app, "only") {
        Some(_) => worker_alone(app),
        None => whole_shop(app),
    })
}

/// No REST API, no API at all: one function on a queue.
fn worker_alone(app: &App) {
    let shop = Stack::new(app, "Shop").build();
    let worker = Function::new(&shop, "Worker", Runtime::provided_al2023(), Code::asset("function"))
        .handler("bootstrap")
        .timeout(seconds(WORK))
        .build();
    let slots = BlueGreen::without_rest_api(&shop, "Slots").function(&worker).build();
    let jobs = Queue::new(&shop, "Jobs").visibility_timeout(seconds(WORK)).build();
    work(&shop, &slots.live(&worker), &jobs);
}

/// Queue and schedule call the alias.
fn work(shop: &Stack, live: &Alias, jobs: &Queue) {
    live.add_event_source(SqsEventSource::new(jobs));
    let firing = Target::function(live).input_object(serde_json::json!({ "what": "hourly" }));
    let hourly = Schedule::new(shop, "Hourly", ScheduleExpression::rate(hours(1)), firing).build();
    CfnOutput::new(shop, "QueueUrl", jobs.queue_url()).build();
    CfnOutput::new(shop, "HourlyName", hourly.schedule_name()).build();
}

fn whole_shop(app: &App) {
    let shop = Stack::new(app, "Shop").build();
    // A slow machine is no reason to fail.
    let function = |id: &str, timeout: u64| {
        Function::new(&shop, id, Runtime::provided_al2023(), Code::asset("function"))
            .handler("bootstrap")
            .memory(mib(number(app, "memory", 128)))
            .timeout(seconds(timeout))
            .build()
    };
    let (orders, worker) = (function("Orders", 60), function("Worker", WORK));
    let rest = RestApi::new(&shop, "Rest")
        .description(text(app, "described").unwrap_or_else(|| "what the shop sells".to_owned()))
        .deploy(false)
        .cloud_watch_role(false)
        .build();
    let burst = number(app, "burst", 5_000);
    let slots = BlueGreen::new(&shop, "Slots", &rest)
        .function(&orders)
        .function(&worker)
        .live_stage(StageOptions::new().named("prod").throttling(10_000.0, burst))
        .build();
    rest.root()
        .add_resource("orders")
        .add_method("GET", slots.integration(&orders), MethodOptions::new());
    rest.root()
        .add_resource("worker")
        .add_method("GET", slots.integration(&worker), MethodOptions::new());

    let live = slots.live(&orders);
    let http = HttpApi::new(&shop, "Http").build();
    http.add_route(HttpMethod::Get, "/orders", HttpIntegration::lambda("Orders", &live));
    let message = WebSocketIntegration::lambda("Message", &live);
    let sockets = WebSocketApi::new(&shop, "Sockets")
        .connect_route(WebSocketIntegration::lambda("Connect", &live))
        .disconnect_route(WebSocketIntegration::lambda("Disconnect", &live))
        .default_route(WebSocketRouteOptions::new(&message).return_response())
        .build();
    WebSocketStage::new(&shop, "SocketsProd", &sockets, "prod")
        .auto_deploy(true)
        .build();

    let jobs = Queue::new(&shop, "Jobs").visibility_timeout(seconds(WORK)).build();
    work(&shop, &slots.live(&worker), &jobs);
    if app.construct().context("broken").is_some() {
        let broken = Queue::new(&shop, "Broken").build();
        broken.resource().set("DelaySeconds", Some((-7).into()));
        // After everything else, so that there is something to undo.
        for function in [&orders, &worker] {
            broken.resource().depend_on(function.resource());
        }
        broken.resource().depend_on(slots.live_stage().resource());
    }

    for (name, value) in [
        ("RestApi", rest.rest_api_id().cast()),
        ("HttpUrl", http.api_endpoint()),
        ("SocketApi", sockets.api_id().cast()),
    ] {
        CfnOutput::new(&shop, name, value).build();
    }
}

fn text(app: &App, key: &str) -> Option<String> {
    app.construct().context(key)?.as_str().map(str::to_owned)
}

fn number(app: &App, key: &str, default: u32) -> u32 {
    text(app, key).and_then(|text| text.parse().ok()).unwrap_or(default)
}
