//! The alias `live`: what it is wired to stands in the metadata, nothing that a rollout moves ever differs, and what goes
//! past the slots is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use serde_json::{Value as Json, json};
use stack::apigateway::{LambdaIntegration, MethodOptions, RestApi};
use stack::apigatewayv2::{HttpApi, HttpIntegration, HttpMethod, WebSocketApi, WebSocketIntegration, WebSocketStage};
use stack::dynamodb::{Attribute, StreamView, Table};
use stack::events::{EventPattern, Rule};
use stack::lambda::{Code, Function, Invocable, Runtime, SqsEventSource, StartingPosition, StreamEventSource};
use stack::s3::{Bucket, EventType, KeyFilter};
use stack::scheduler::{Schedule, ScheduleExpression};
use stack::sns::{SubscriptionOptions, Topic};
use stack::sqs::Queue;
use stack::units::{hours, mib};
use stack::{App, BlueGreen, LIVE_ALIAS, METADATA_KEY, Scope as _, Stack};

fn function(stack: &Stack, id: &str, code: &str) -> Function {
    Function::new(stack, id, Runtime::nodejs_24(), Code::inline(code))
        .handler("index.handler")
        .build()
}

/// The template of a stack `S`.
fn template(build: impl FnOnce(&Stack)) -> Json {
    synthesize(build).unwrap()
}

fn synthesize(build: impl FnOnce(&Stack)) -> Result<Json, stack::Errors> {
    let folder = tempfile::tempdir().unwrap();
    let app = App::new(folder.path());
    let stack = Stack::new(&app, "S").bootstrap_version_rule(false).build();
    build(&stack);
    let assembly = app.synth()?;
    Ok(assembly.stack("S").unwrap().template.to_json().unwrap())
}

/// What goes wrong, as the user reads it.
fn mistakes(build: impl FnOnce(&Stack)) -> String {
    synthesize(build).unwrap_err().to_string()
}

/// A worker behind a queue, without any API.
fn worker(stack: &Stack, changed: bool) {
    let worker = Function::new(
        stack,
        "Worker",
        Runtime::nodejs_24(),
        Code::inline(if changed { "new" } else { "old" }),
    )
    .handler("index.handler")
    .memory(mib(if changed { 512 } else { 128 }))
    .build();
    let jobs = Queue::new(stack, "Jobs").queue_name("jobs").build();
    let slots = BlueGreen::without_rest_api(stack, "Slots").function(&worker).build();
    let live = slots.live(&worker);
    live.add_event_source(SqsEventSource::new(&jobs).batch_size(if changed { 5 } else { 1 }));
    if changed {
        Schedule::new(
            stack,
            "Hourly",
            ScheduleExpression::rate(hours(1)),
            stack::scheduler::Target::function(&live),
        )
        .build();
    }
}

fn of_type(template: &Json, name: &str) -> Vec<(String, Json)> {
    let resources = template["Resources"].as_object().unwrap();
    resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == name)
        .map(|(id, resource)| (id.clone(), resource["Properties"].clone()))
        .collect()
}

#[test]
fn a_worker_without_an_api_has_slots() {
    let template = template(|stack| worker(stack, false));
    insta::assert_snapshot!(serde_json::to_string_pretty(&template).unwrap());
}

#[test]
fn a_change_of_the_app_changes_no_alias_and_no_version() {
    let (before, after) = (
        template(|stack| worker(stack, false)),
        template(|stack| worker(stack, true)),
    );
    assert_ne!(before, after);
    for kind in ["AWS::Lambda::Alias", "AWS::Lambda::Version"] {
        assert_eq!(of_type(&before, kind), of_type(&after, kind));
    }
    let names = of_type(&before, "AWS::Lambda::Alias");
    let names: Vec<_> = names.iter().map(|(_, alias)| alias["Name"].clone()).collect();
    assert_eq!(names, ["blue", "green", LIVE_ALIAS]);
}

#[test]
fn the_metadata_says_what_each_live_alias_serves() {
    let template = template(|stack| {
        let orders = function(stack, "Orders", "x");
        let unwired = function(stack, "Unwired", "y");
        let never = function(stack, "Never", "z");
        let rest = RestApi::new(stack, "Rest").deploy(false).build();
        let slots = BlueGreen::new(stack, "Slots", &rest)
            .function(&orders)
            .function(&unwired)
            .function(&never)
            .build();
        rest.root()
            .add_method("GET", slots.integration(&orders), MethodOptions::new());
        slots.live(&unwired);
        let live = slots.live(&orders);
        let http = HttpApi::new(stack, "Http").api_name("shop").build();
        let integration = HttpIntegration::lambda("Orders", &live);
        http.add_routes([HttpMethod::Get, HttpMethod::Post], "/orders", &integration);
        let again = HttpIntegration::lambda("Again", &live);
        http.add_route(HttpMethod::Get, "/again", &again);
        let sockets = WebSocketApi::new(stack, "Sockets")
            .default_route(WebSocketIntegration::lambda("Message", &live))
            .build();
        WebSocketStage::new(stack, "SocketsProd", &sockets, "prod").build();
        let jobs = Queue::new(stack, "Jobs").build();
        live.add_event_source(SqsEventSource::new(&jobs));
        let table = Table::new(stack, "Table", Attribute::string("id"))
            .stream(StreamView::NewImage)
            .build();
        live.add_event_source(StreamEventSource::table(&table, StartingPosition::Latest));
        Schedule::new(
            stack,
            "Hourly",
            ScheduleExpression::rate(hours(1)),
            stack::scheduler::Target::function(&live),
        )
        .schedule_name("hourly")
        .build();
        Rule::new(stack, "Nightly")
            .schedule(stack::events::Schedule::daily(3, 0))
            .target(stack::events::Target::function(&live))
            .build();
        Rule::new(stack, "Bought")
            .event_pattern(EventPattern::new().source(["shop"]))
            .target(stack::events::Target::function(&live))
            .build();
        Topic::new(stack, "Alerts")
            .build()
            .subscribe_function(&live, &SubscriptionOptions::new());
        Bucket::new(stack, "Uploads")
            .build()
            .notify_function(EventType::ObjectCreated, &live, &KeyFilter::new());
        live.add_function_url().build();
    });
    let live = &template["Metadata"][METADATA_KEY]["LiveAliases"];
    let served = live[0]["Serves"].as_array().unwrap();
    let expected = [
        "HTTP API shop",
        "WebSocket API Sockets",
        "queue Jobs",
        "stream Table",
        "schedule hourly",
        "schedule Nightly",
        "rule Bought",
        "topic Alerts",
        "bucket Uploads",
        "function URL Orders/Slot-live/FunctionUrl",
    ];
    for wanted in &expected {
        assert!(served.contains(&json!(wanted)), "{wanted} is not in {served:#?}");
    }
    assert_eq!(served.len(), expected.len(), "{served:#?}");
    assert_eq!(live[1]["Serves"], json!([]), "asked for, but not wired yet");
    assert_eq!(live.as_array().unwrap().len(), 2, "nobody asked for the third");
    for entry in live.as_array().unwrap() {
        let alias = &template["Resources"][entry["Alias"].as_str().unwrap()];
        assert_eq!(alias["Properties"]["FunctionName"]["Ref"], entry["Function"]);
        assert_eq!(alias["Properties"]["Name"], LIVE_ALIAS);
    }
}

#[test]
fn a_stack_without_live_aliases_says_nothing_of_them() {
    let template = template(|stack| {
        let worker = function(stack, "Worker", "x");
        BlueGreen::without_rest_api(stack, "Slots").function(&worker).build();
    });
    assert_eq!(template["Metadata"][METADATA_KEY].as_object().unwrap().len(), 2);
}

#[test]
fn permissions_hang_on_the_alias() {
    let template = template(|stack| {
        let worker = function(stack, "Worker", "x");
        let slots = BlueGreen::without_rest_api(stack, "Slots").function(&worker).build();
        let http = HttpApi::new(stack, "Http").build();
        let integration = HttpIntegration::lambda("Worker", &slots.live(&worker));
        http.add_route(HttpMethod::Get, "/", &integration);
    });
    let permissions = of_type(&template, "AWS::Lambda::Permission");
    let (live, _) = of_type(&template, "AWS::Lambda::Alias").pop().unwrap();
    assert_eq!(permissions.len(), 1, "{permissions:?}");
    assert_eq!(permissions[0].1["FunctionName"], json!({ "Ref": live }));
}

#[test]
fn asynchronous_events_keep_their_settings_at_the_alias() {
    let template = template(|stack| {
        let worker = Function::new(stack, "Worker", Runtime::nodejs_24(), Code::inline("x"))
            .handler("index.handler")
            .retry_attempts(0)
            .build();
        let slots = BlueGreen::without_rest_api(stack, "Slots").function(&worker).build();
        slots.live(&worker);
    });
    let settings = of_type(&template, "AWS::Lambda::EventInvokeConfig");
    let qualifiers: Vec<_> = settings.iter().map(|(_, said)| &said["Qualifier"]).collect();
    let (live, _) = of_type(&template, "AWS::Lambda::Alias").pop().unwrap();
    let name = json!({ "Fn::Select": [7, { "Fn::Split": [":", { "Ref": live }] }] });
    assert_eq!(qualifiers, [&json!("$LATEST"), &name]);
    assert!(settings.iter().all(|(_, said)| said["MaximumRetryAttempts"] == 0));
}

#[test]
fn what_goes_past_the_slots_is_refused_with_what_to_do() {
    let queue = mistakes(|stack| {
        let worker = function(stack, "Worker", "x");
        let jobs = Queue::new(stack, "Jobs").build();
        // Before the function has slots, to show that the order does not matter.
        worker.add_event_source(SqsEventSource::new(&jobs));
        BlueGreen::without_rest_api(stack, "Slots").function(&worker).build();
    });
    assert!(queue.contains("invokes `S/Worker` past its slots"), "{queue}");
    assert!(queue.contains("would share `Jobs`"), "{queue}");
    assert!(queue.contains("give it `slots.live(…)`"), "{queue}");
    assert!(queue.contains("live_aliases.rs:"), "{queue}");

    let http = mistakes(|stack| {
        let worker = function(stack, "Worker", "x");
        let http = HttpApi::new(stack, "Http").build();
        http.add_route(HttpMethod::Get, "/", HttpIntegration::lambda("Worker", &worker));
        BlueGreen::without_rest_api(stack, "Slots").function(&worker).build();
    });
    assert!(
        http.contains("past its slots") && !http.contains("would share"),
        "{http}"
    );

    let rest = mistakes(|stack| {
        let worker = function(stack, "Worker", "x");
        let rest = RestApi::new(stack, "Rest").deploy(false).build();
        BlueGreen::new(stack, "Slots", &rest).function(&worker).build();
        rest.root()
            .add_method("GET", LambdaIntegration::new(&worker), MethodOptions::new());
    });
    assert!(rest.contains("integrate it with `slots.integration(…)`"), "{rest}");

    let color = mistakes(|stack| {
        let worker = function(stack, "Worker", "x");
        let jobs = Queue::new(stack, "Jobs").build();
        let slots = BlueGreen::without_rest_api(stack, "Slots").function(&worker).build();
        slots.aliases(&worker)[1].add_event_source(SqsEventSource::new(&jobs));
    });
    assert!(color.contains("also while that slot is idle"), "{color}");
}

#[test]
fn what_invokes_nothing_or_a_version_that_was_chosen_is_none_of_ours() {
    let template = template(|stack| {
        let worker = function(stack, "Worker", "x");
        let other = function(stack, "Other", "y");
        let jobs = Queue::new(stack, "Jobs").build();
        other.add_event_source(SqsEventSource::new(&jobs));
        let slots = BlueGreen::without_rest_api(stack, "Slots").function(&worker).build();
        slots.live(&worker);
        let http = HttpApi::new(stack, "Http").build();
        // A preview of the idle slot takes no work away from the live one.
        let preview = HttpIntegration::lambda("Green", &slots.aliases(&worker)[1]);
        http.add_route(HttpMethod::Get, "/green", &preview);
        let pinned = HttpIntegration::lambda("Pinned", &worker.current_version());
        http.add_route(HttpMethod::Get, "/pinned", &pinned);
        worker.grant_invoke(&other);
    });
    let live = &template["Metadata"][METADATA_KEY]["LiveAliases"];
    assert_eq!(live[0]["Serves"], json!([]));
}

#[test]
fn a_live_alias_of_a_function_without_slots_is_refused() {
    let errors = mistakes(|stack| {
        let (worker, other) = (function(stack, "Worker", "x"), function(stack, "Other", "y"));
        let slots = BlueGreen::without_rest_api(stack, "Slots").function(&worker).build();
        slots.live(&other);
    });
    assert!(errors.contains("`S/Other` has no slots"), "{errors}");
    let empty = mistakes(|stack| {
        BlueGreen::without_rest_api(stack, "Slots").build();
    });
    assert!(empty.contains("slots without a function release nothing"), "{empty}");
}

#[test]
fn a_resource_that_no_construct_made_is_seen() {
    let errors = mistakes(|stack| {
        let worker = function(stack, "Worker", "x");
        BlueGreen::without_rest_api(stack, "Slots").function(&worker).build();
        let target = cfn::scheduler::schedule::Target::new()
            .arn(worker.function_arn().cast::<String>())
            .role_arn("arn:aws:iam::123456789012:role/r");
        stack::CfnResource::new(
            stack,
            "Raw",
            cfn::scheduler::Schedule::new()
                .schedule_expression("rate(1 hour)")
                .target(target)
                .flexible_time_window(cfn::scheduler::schedule::FlexibleTimeWindow::new().mode("OFF")),
        );
    });
    assert!(
        errors.contains("`S/Raw`") && errors.contains("past its slots"),
        "{errors}"
    );
}

#[test]
fn a_mapping_moves_to_the_alias_in_place() {
    let mapping = |slots: bool| {
        let template = template(|stack| {
            let worker = function(stack, "Worker", "x");
            let table = Table::new(stack, "Table", Attribute::string("id"))
                .stream(StreamView::NewImage)
                .build();
            let source = StreamEventSource::table(&table, StartingPosition::TrimHorizon);
            if slots {
                let slots = BlueGreen::without_rest_api(stack, "Slots").function(&worker).build();
                let id = format!("DynamoDBEventSource:{}", table.construct().unique_id());
                let mapping = slots.live(&worker).add_event_source(source);
                mapping.construct().moved_from(&format!("Worker/{id}"));
            } else {
                worker.add_event_source(source);
            }
        });
        of_type(&template, "AWS::Lambda::EventSourceMapping").remove(0)
    };
    let ((before, old), (after, new)) = (mapping(false), mapping(true));
    assert_eq!(before, after);
    assert_ne!(old["FunctionName"], new["FunctionName"]);
}
