//! What invokes functions: queues, streams of tables and of Kinesis, topics, buckets; in their options, also through an
//! alias.

use serde_json::json;
use stack::dynamodb::{Attribute, StreamView, Table};
use stack::iam::{Principal, Role};
use stack::kinesis::{Stream, StreamConsumer, StreamEncryption, StreamMode};
use stack::lambda::{
    Alias, Code, FailureDestination, Function, Runtime, SqsEventSource, StartingPosition, StreamEventSource,
};
use stack::s3::{Bucket, EventType, KeyFilter};
use stack::sns::{SubscriptionOptions, Topic};
use stack::sqs::Queue;
use stack::units::{days, hours, minutes, seconds};
use stack::{App, CfnOutput, RemovalPolicy, Stack};

pub fn build(app: &App) {
    polled(app);
    streams(app);
    pushed(app);
}

fn function(stack: &Stack, id: &str) -> Function {
    Function::new(stack, id, Runtime::nodejs_24(), Code::inline("x"))
        .handler("index.handler")
        .build()
}

fn polled(app: &App) {
    let stack = Stack::new(app, "Polled").build();
    let handler = function(&stack, "Fn");
    let queue = Queue::new(&stack, "Queue").build();
    let ordered = Queue::new(&stack, "Ordered").fifo(true).build();
    handler.add_event_source(
        SqsEventSource::new(&queue)
            .batch_size(500)
            .max_batching_window(minutes(1))
            .max_concurrency(20)
            .enabled(false)
            .count_events()
            .filter(json!({ "body": { "kind": ["a"], "depth": [{ "numeric": [">", 1, "<=", 5] }] } }))
            .filter(json!({ "body": { "chain": [{ "exists": false }] } })),
    );
    let mapping = handler.add_event_source(SqsEventSource::new(&ordered).batch_size(3).report_batch_item_failures());
    let live = Alias::new(&stack, "Live", "live", &handler.current_version()).build();
    live.add_event_source(SqsEventSource::new(&queue).provisioned_pollers(2, 10));
    let table = Table::new(&stack, "Table", Attribute::string("id"))
        .stream(StreamView::NewImage)
        .build();
    let dead = Queue::new(&stack, "Dead").build();
    let failed = Topic::new(&stack, "Failed").build();
    let kept = Bucket::new(&stack, "Kept").build();
    handler.add_event_source(
        StreamEventSource::table(&table, StartingPosition::Latest)
            .batch_size(1000)
            .bisect_batch_on_error(false)
            .report_batch_item_failures()
            .max_batching_window(seconds(30))
            .max_record_age(hours(2))
            .retry_attempts(-1)
            .parallelization_factor(4)
            .on_failure(FailureDestination::Queue(dead))
            .tumbling_window(minutes(1))
            .enabled(true)
            .filter(json!({ "eventName": ["INSERT", "MODIFY"] }))
            .count_events(),
    );
    let from_start = || StreamEventSource::table(&table, StartingPosition::TrimHorizon);
    live.add_event_source(from_start().on_failure(FailureDestination::Topic(failed)));
    let other = function(&stack, "Other");
    other.add_event_source(from_start().on_failure(FailureDestination::Bucket(kept)));
    CfnOutput::new(&stack, "Mapping", mapping.event_source_mapping_id()).build();
}

fn streams(app: &App) {
    let stack = Stack::new(app, "Streams").build();
    let handler = function(&stack, "Fn");
    let plain = Stream::new(&stack, "Plain").build();
    let stream = Stream::new(&stack, "Stream")
        .stream_name("events")
        .mode(StreamMode::Provisioned { shards: 3 })
        .retention_period(days(7))
        .encryption(StreamEncryption::Managed)
        .shard_level_metrics(["IncomingBytes", "OutgoingRecords"])
        .removal_policy(RemovalPolicy::Destroy)
        .build();
    let demand = Stream::new(&stack, "Demand")
        .mode(StreamMode::OnDemand)
        .encryption(StreamEncryption::Unencrypted)
        .build();
    let since = StartingPosition::AtTimestamp(1_700_000_000.0);
    handler.add_event_source(StreamEventSource::kinesis(&stream, since).batch_size(50));
    handler.add_event_source(StreamEventSource::kinesis(&demand, StartingPosition::Latest));
    let role = Role::new(&stack, "Role", Principal::service("ec2.amazonaws.com")).build();
    plain.grant_read(&role);
    plain.grant_write(&role);
    stream.grant_read_write(&role);
    demand.grant(&role, &["kinesis:DescribeLimits"]);
    stream.grant_read(Principal::account("222222222222"));
    let theirs = "arn:aws:kinesis:eu-west-1:123456789012:stream/theirs";
    let imported = Stream::from_arn(&stack, "Imported", theirs);
    imported.grant_write(&role);
    let consumer = StreamConsumer::new(&stack, "Consumer", &stream, "reader");
    handler.add_event_source(StreamEventSource::kinesis_consumer(
        &consumer,
        StartingPosition::TrimHorizon,
    ));
    Table::new(&stack, "Table", Attribute::string("id"))
        .kinesis_stream(demand.stream_arn())
        .build();
    CfnOutput::new(&stack, "Name", stream.stream_name()).build();
    CfnOutput::new(&stack, "Theirs", imported.stream_name()).build();
}

fn pushed(app: &App) {
    let stack = Stack::new(app, "Pushed").build();
    let handler = function(&stack, "Fn");
    let topic = Topic::new(&stack, "Topic").build();
    let dead = Queue::new(&stack, "Dead").build();
    let options = SubscriptionOptions::new()
        .filter_attributes(json!({ "kind": [{ "prefix": "a" }] }))
        .dead_letter_queue(&dead);
    topic.subscribe_function(&handler, &options);
    let bucket = Bucket::new(&stack, "Uploads").enforce_ssl().build();
    let documents = KeyFilter::new().prefix("in/").suffix(".json");
    bucket.notify_function(EventType::ObjectCreated, &handler, &documents);
    bucket.notify_function(EventType::ObjectRemoved, &handler, &documents);
    bucket.notify_queue(EventType::ObjectCreatedPut, &dead, &KeyFilter::new().suffix(".csv"));
    bucket.notify_topic(EventType::ObjectTagging, &topic, &KeyFilter::new());
    bucket.enable_event_bridge_notification();
    let other = Bucket::new(&stack, "Other").build();
    other.enable_event_bridge_notification();
    let live = Alias::new(&stack, "Live", "live", &handler.current_version()).build();
    other.notify_function(EventType::ObjectCreated, &live, &KeyFilter::new());
    topic.subscribe_function(&live, &SubscriptionOptions::new());
}
