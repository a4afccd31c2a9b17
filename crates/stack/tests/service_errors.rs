//! What tables, APIs, event sources and alarms refuse: at synthesis, all of it at once.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use stack::apigatewayv2::{
    HttpApi, HttpCors, HttpIntegration, HttpMethod, WebSocketApi, WebSocketAuthorizer, WebSocketIntegration,
    WebSocketRouteOptions,
};
use stack::cloudwatch::{Alarm, MathExpression, Metric};
use stack::dynamodb::{
    Attribute, Capacity, GlobalSecondaryIndex, LocalSecondaryIndex, Projection, Table, TableReference, Utilization,
};
use stack::iam::{Principal, Role};
use stack::lambda::{Code, Function, Runtime, SqsEventSource, StartingPosition, StreamEventSource};
use stack::sqs::Queue;
use stack::units::{days, hours, seconds};
use stack::{App, Stack};

/// The messages of an app's mistakes, without where they were made.
fn messages(build: impl FnOnce(&Stack)) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let app = App::new(folder.path().join("out"));
    build(&Stack::new(&app, "S").env("123456789012", "eu-west-1").build());
    let errors = app.synth().unwrap_err();
    errors
        .iter()
        .map(|error| {
            let text = error.to_string();
            text.split_once(": ")
                .map_or(text.clone(), |(_, message)| message.to_owned())
        })
        .collect()
}

#[track_caller]
fn assert_said(said: &[String], expected: &[&str]) {
    for part in expected {
        let count = said.iter().filter(|message| message.contains(part)).count();
        assert_eq!(count, 1, "`{part}` among {said:#?}");
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");
}

fn function(stack: &Stack) -> Function {
    Function::new(stack, "Fn", Runtime::nodejs_24(), Code::inline("x"))
        .handler("index.handler")
        .build()
}

#[test]
fn keys_and_indexes_of_a_table() {
    let said = messages(|stack| {
        Table::new(stack, "T", Attribute::string("id"))
            .capacity(Capacity::on_demand())
            .local_secondary_index(LocalSecondaryIndex::new("local", Attribute::number("at")))
            .global_secondary_index(
                GlobalSecondaryIndex::new("paid", Attribute::string("at")).capacity(Capacity::provisioned(1, 1)),
            )
            .global_secondary_index(
                GlobalSecondaryIndex::new("paid", Attribute::string("id"))
                    .projection(Projection::include(Vec::<String>::new())),
            )
            .point_in_time_recovery_for(days(36))
            .build();
    });
    assert_said(
        &said,
        &[
            "a local index needs a sort key of the table itself",
            "the index `paid` includes no attributes",
            "two indexes are called `paid`",
            "`at` cannot be of type S here and N elsewhere",
            "the index `paid` is paid as its table is",
            "backups are kept for 1 to 35 days, not 36",
        ],
    );
}

#[test]
fn scaling_and_streams_of_a_table() {
    let said = messages(|stack| {
        let free = Table::new(stack, "Free", Attribute::string("id"))
            .capacity(Capacity::on_demand())
            .build();
        free.auto_scale_read_capacity(1, 5);
        let paid = Table::new(stack, "Paid", Attribute::string("id")).build();
        paid.auto_scale_index_read_capacity("none", 5, 1)
            .scale_on_utilization(&Utilization::percent(95.0));
        let role = Role::new(stack, "R", Principal::service("ec2.amazonaws.com")).build();
        paid.grant_stream_read(&role);
        paid.grant_read_data(Principal::service("ec2.amazonaws.com"));
        let arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/theirs";
        let theirs = TableReference::from_arn(stack, "Theirs", arn).build();
        theirs.add_to_resource_policy(stack::iam::PolicyStatement::allow(["dynamodb:GetItem"]).on_all());
    });
    assert_said(
        &said,
        &[
            "a table on demand scales of itself",
            "the table has no global index `none`",
            "the least capacity, 5, is above the most, 1",
            "between 10 and 90 percent",
            "the table has no stream",
            "names no service of this kind",
            "is not this app's to say",
        ],
    );
}

#[test]
fn routes_and_integrations_of_an_http_api() {
    let said = messages(|stack| {
        let handler = function(stack);
        let slow = HttpIntegration::lambda("Slow", &handler).timeout(seconds(30));
        let api = HttpApi::new(stack, "Api")
            .cors(HttpCors::origins(["*"]).allow_credentials(true))
            .create_default_stage(false)
            .build();
        let route = api.add_route(HttpMethod::Get, "/slow/", &slow);
        let role = Role::new(stack, "R", Principal::service("ec2.amazonaws.com")).build();
        route.grant_invoke(&role);
        let other = HttpApi::new(stack, "Other").build();
        other.add_route(HttpMethod::Get, "/slow", &slow);
        let _ = api.url();
    });
    assert_said(
        &said,
        &[
            "credentials are let in from named origins only",
            "begins with `/` and does not end with it",
            "between 50 milliseconds and 29 seconds",
            "a route is granted only if IAM authorizes it",
            "an integration belongs to one API",
            "the API has no default stage",
        ],
    );
}

#[test]
fn only_who_connects_is_authorized() {
    let said = messages(|stack| {
        let handler = function(stack);
        let integration = WebSocketIntegration::lambda("I", &handler);
        let api = WebSocketApi::new(stack, "Api").build();
        let route = WebSocketRouteOptions::new(&integration).authorizer(&WebSocketAuthorizer::iam());
        api.add_route("send", route);
    });
    assert_said(&said, &["set the authorizer on the connect route"]);
}

#[test]
fn what_event_sources_cannot() {
    let said = messages(|stack| {
        let handler = function(stack);
        let queue = Queue::new(stack, "Q").build();
        handler.add_event_source(SqsEventSource::new(&queue).batch_size(11).max_concurrency(1));
        let ordered = Queue::new(stack, "O").fifo(true).build();
        handler.add_event_source(SqsEventSource::new(&ordered).max_batching_window(hours(1)));
        let table = Table::new(stack, "T", Attribute::string("id")).build();
        let since = StartingPosition::AtTimestamp(1.0);
        handler.add_event_source(StreamEventSource::table(&table, since).parallelization_factor(11));
    });
    assert_said(
        &said,
        &[
            "a batch holds 1 to 10 messages",
            "the concurrency of a queue is 2 to 1000, not 1",
            "messages of FIFO queues are not collected",
            "messages are collected for five minutes at most",
            "1 to 10 batches of a shard",
            "read from its oldest record, or from the latest",
            "the table has no stream",
        ],
    );
}

#[test]
fn what_alarms_cannot_see() {
    let said = messages(|stack| {
        let far = Metric::new("Llama", "Far").region("us-east-1");
        Alarm::new(stack, "Far", far).at_least(1.0).build();
        let many = (0..11).fold(MathExpression::new("SUM(METRICS())"), |sum, index| {
            sum.using(format!("m{index}"), Metric::new("Llama", format!("M{index}")))
        });
        Alarm::new(stack, "Many", many.clone()).at_least(1.0).build();
        Alarm::new(stack, "Band", MathExpression::new("1 + 1"))
            .outside_band(2.0)
            .build();
    });
    assert_said(
        &said,
        &[
            "the metric `Far` is in us-east-1",
            "an alarm looks at 10 metrics at most, not 11",
            "a band lies around a single metric",
        ],
    );
}
