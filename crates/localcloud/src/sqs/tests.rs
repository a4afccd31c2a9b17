//! Queues by the operations that their clients call.

use super::*;
use crate::testing::{SetClock, call, context_at};

struct NoMetrics;

impl MetricSink for NoMetrics {
    fn record(&self, _: Vec<Observation>) {}
}

struct World {
    sqs: Arc<Sqs>,
    clock: Arc<SetClock>,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = SetClock::new();
        let sqs = Sqs::open(&context_at(folder.path(), clock.clone()), Arc::new(NoMetrics)).unwrap();
        Self { sqs, clock, folder }
    }

    async fn queue(&self, name: &str, attributes: Value) -> String {
        let made = self
            .call("CreateQueue", json!({"QueueName": name, "Attributes": attributes}))
            .await
            .unwrap();
        made["QueueUrl"].as_str().unwrap().to_owned()
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        call(&*self.sqs, operation, input).await
    }

    async fn receive(&self, url: &str) -> Vec<Value> {
        let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"]});
        let answer = self.call("ReceiveMessage", input).await.unwrap();
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }
}

#[tokio::test]
async fn messages_are_hidden_and_come_back() {
    let world = World::new();
    let url = world.queue("jobs", json!({"VisibilityTimeout": "10"})).await;
    world
        .call("SendMessage", json!({"QueueUrl": url, "MessageBody": "a"}))
        .await
        .unwrap();
    let first = world.receive(&url).await;
    assert_eq!(first[0]["MD5OfBody"], "0cc175b9c0f1b6a831c399e269772661");
    assert!(world.receive(&url).await.is_empty());
    world.clock.advance_seconds(10);
    let second = world.receive(&url).await;
    assert_eq!(second[0]["Attributes"]["ApproximateReceiveCount"], "2");
    let visible = json!({"QueueUrl": url, "ReceiptHandle": second[0]["ReceiptHandle"], "VisibilityTimeout": 0});
    world.call("ChangeMessageVisibility", visible).await.unwrap();
    let third = world.receive(&url).await;
    let delete = json!({"QueueUrl": url, "ReceiptHandle": third[0]["ReceiptHandle"]});
    world.call("DeleteMessage", delete).await.unwrap();
    world.clock.advance_seconds(60);
    assert!(world.receive(&url).await.is_empty());
}

#[tokio::test]
async fn what_fails_too_often_ends_in_the_dead_letter_queue() {
    let world = World::new();
    let dead = world.queue("dead", json!({})).await;
    let policy = json!({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 2});
    let url = world.queue("jobs", json!({"RedrivePolicy": policy.to_string()})).await;
    world
        .call("SendMessage", json!({"QueueUrl": url, "MessageBody": "a"}))
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(world.receive(&url).await.len(), 1);
        world.clock.advance_seconds(30);
    }
    assert!(world.receive(&url).await.is_empty());
    let buried = world.receive(&dead).await;
    let source = "arn:aws:sqs:us-east-1:000000000000:jobs";
    assert_eq!(buried[0]["Attributes"]["DeadLetterQueueSourceArn"], source);
    let sources = world
        .call("ListDeadLetterSourceQueues", json!({"QueueUrl": dead}))
        .await
        .unwrap();
    assert_eq!(sources["queueUrls"], json!([url]));
}

#[tokio::test]
async fn who_waits_for_the_dead_is_woken() {
    let world = World::new();
    let dead = world.queue("dead", json!({})).await;
    let policy = json!({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1});
    let attributes = json!({"RedrivePolicy": policy.to_string(), "VisibilityTimeout": "0"});
    let url = world.queue("jobs", attributes).await;
    world
        .call("SendMessage", json!({"QueueUrl": url, "MessageBody": "a"}))
        .await
        .unwrap();
    assert_eq!(world.receive(&url).await.len(), 1);
    let sqs = Arc::clone(&world.sqs);
    let input = json!({"QueueUrl": dead, "WaitTimeSeconds": 20});
    let waiting = tokio::spawn(async move { call(&*sqs, "ReceiveMessage", input).await });
    tokio::task::yield_now().await;
    assert!(world.receive(&url).await.is_empty());
    let woken = tokio::time::timeout(Duration::from_secs(15), waiting)
        .await
        .expect("it wakes before its wait ends");
    assert_eq!(woken.unwrap().unwrap()["Messages"][0]["Body"], "a");
}

#[tokio::test]
async fn a_waiting_receiver_is_woken() {
    let world = World::new();
    let url = world.queue("jobs", json!({})).await;
    let sqs = Arc::clone(&world.sqs);
    let input = json!({"QueueUrl": url, "WaitTimeSeconds": 20});
    let waiting = tokio::spawn(async move { call(&*sqs, "ReceiveMessage", input).await });
    tokio::task::yield_now().await;
    world
        .call("SendMessage", json!({"QueueUrl": url, "MessageBody": "a"}))
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap().unwrap()["Messages"][0]["Body"], "a");
}

#[tokio::test]
async fn messages_survive_the_end_of_the_cloud() {
    let world = World::new();
    let url = world.queue("jobs", json!({})).await;
    world
        .call("SendMessage", json!({"QueueUrl": url, "MessageBody": "a"}))
        .await
        .unwrap();
    world.sqs.stop().await;
    let again = Sqs::open(
        &context_at(world.folder.path(), world.clock.clone()),
        Arc::new(NoMetrics),
    )
    .unwrap();
    let answer = call(&*again, "ReceiveMessage", json!({"QueueUrl": url})).await.unwrap();
    assert_eq!(answer["Messages"][0]["Body"], "a");
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let world = World::new();
    let url = world.queue("jobs", json!({})).await;
    let fifo = world.queue("jobs.fifo", json!({"FifoQueue": "true"})).await;
    for (operation, input, code) in [
        ("CreateQueue", json!({"QueueName": "a b"}), "InvalidParameterValue"),
        (
            "CreateQueue",
            json!({"QueueName": "a", "Attributes": {"FifoQueue": "true"}}),
            "InvalidParameterValue",
        ),
        (
            "CreateQueue",
            json!({"QueueName": "jobs", "Attributes": {"DelaySeconds": "1"}}),
            "QueueNameExists",
        ),
        (
            "CreateQueue",
            json!({"QueueName": "a", "Attributes": {"DelaySeconds": "901"}}),
            "InvalidAttributeValue",
        ),
        (
            "CreateQueue",
            json!({"QueueName": "a", "Attributes": {"Colour": "1"}}),
            "InvalidAttributeName",
        ),
        (
            "SendMessage",
            json!({"QueueUrl": "absent", "MessageBody": "a"}),
            "QueueDoesNotExist",
        ),
        (
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": ""}),
            "InvalidParameterValue",
        ),
        (
            "SendMessage",
            json!({"QueueUrl": fifo, "MessageBody": "a"}),
            "MissingParameter",
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": url, "MaxNumberOfMessages": 11}),
            "InvalidParameterValue",
        ),
        (
            "DeleteMessage",
            json!({"QueueUrl": url, "ReceiptHandle": "x"}),
            "ReceiptHandleIsInvalid",
        ),
        (
            "SendMessageBatch",
            json!({"QueueUrl": url, "Entries": []}),
            "EmptyBatchRequest",
        ),
    ] {
        assert_eq!(
            world.call(operation, input.clone()).await.unwrap_err().code,
            code,
            "{operation} {input}"
        );
    }
}

#[test]
fn attributes_are_summed_as_clients_sum_them() {
    // The value was computed by Python's hashlib after the words of the Developer Guide.
    let attributes = json!({
        "timestamp": {"StringValue": "1493147359900", "DataType": "Number"},
    });
    assert_eq!(
        checksum::of_attributes(&attributes).as_deref(),
        Some("235c5c510d26fb653d073faed50ae77c")
    );
    assert_eq!(checksum::of_attributes(&json!({})), None);
}
