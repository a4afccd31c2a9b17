//! Queues, topics and buses.

use std::time::Duration;

use cfn::{Expr, Map};

use super::{Call, Pattern, TaskTarget};
use crate::events::EventBus;
use crate::iam::PolicyStatement;
use crate::sns::Topic;
use crate::sqs::Queue;
use crate::stack::{Arn, Stack};
use crate::stepfunctions::input::{Field, Input, holds_token};
use crate::tree::Construct;
use crate::units::whole_seconds;

fn insert(parameters: &mut Map, key: &str, field: Option<&Field>) {
    if let Some(field) = field {
        field.insert(parameters, key);
    }
}

fn has_token(input: &Input) -> bool {
    input.value().is_some_and(holds_token)
}

/// Sends a message to a queue.
#[derive(Clone)]
pub struct SendMessage {
    queue: Queue,
    body: Input,
    delay: Option<Duration>,
    deduplication_id: Option<Field>,
    group_id: Option<Field>,
    pattern: Pattern,
}

impl SendMessage {
    pub fn new(queue: &Queue, body: impl Into<Input>) -> Self {
        Self {
            queue: queue.clone(),
            body: body.into(),
            delay: None,
            deduplication_id: None,
            group_id: None,
            pattern: Pattern::Response,
        }
    }

    /// How long the message is hidden at first; whole seconds.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Of a FIFO queue.
    #[must_use]
    pub fn message_deduplication_id(mut self, id: impl Into<Field>) -> Self {
        self.deduplication_id = Some(id.into());
        self
    }

    /// Of a FIFO queue.
    #[must_use]
    pub fn message_group_id(mut self, id: impl Into<Field>) -> Self {
        self.group_id = Some(id.into());
        self
    }

    /// Waits until somebody names the token of the task, which the body must hold.
    #[must_use]
    pub fn wait_for_task_token(mut self) -> Self {
        self.pattern = Pattern::Token;
        self
    }
}

impl TaskTarget for SendMessage {
    fn call(&self, task: &Construct) -> Call {
        self.pattern.check(task, has_token(&self.body), "body of the message");
        let mut parameters = Map::new();
        parameters.insert("QueueUrl", self.queue.queue_url());
        self.body.insert(&mut parameters, "MessageBody");
        if let Some(delay) = self.delay {
            parameters.insert("DelaySeconds", whole_seconds(delay));
        }
        insert(
            &mut parameters,
            "MessageDeduplicationId",
            self.deduplication_id.as_ref(),
        );
        insert(&mut parameters, "MessageGroupId", self.group_id.as_ref());
        let statement = PolicyStatement::allow(["sqs:SendMessage"]).on(self.queue.queue_arn());
        Call::new(self.pattern.resource("sqs", "sendMessage"), parameters, [statement])
    }
}

/// Publishes a message to a topic.
#[derive(Clone)]
pub struct SnsPublish {
    topic: Topic,
    message: Input,
    subject: Option<Field>,
    per_subscription_type: bool,
    attributes: Map,
    deduplication_id: Option<Field>,
    group_id: Option<Field>,
    pattern: Pattern,
}

impl SnsPublish {
    pub fn new(topic: &Topic, message: impl Into<Input>) -> Self {
        Self {
            topic: topic.clone(),
            message: message.into(),
            subject: None,
            per_subscription_type: false,
            attributes: Map::new(),
            deduplication_id: None,
            group_id: None,
            pattern: Pattern::Response,
        }
    }

    /// Of mails.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<Field>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The message is an object with a text for each protocol, and one for `default`.
    #[must_use]
    pub fn message_per_subscription_type(mut self) -> Self {
        self.per_subscription_type = true;
        self
    }

    /// A text that subscriptions may filter by.
    #[must_use]
    pub fn attribute(self, name: impl Into<String>, value: impl Into<Field>) -> Self {
        self.typed_attribute(name.into(), "String", &value.into())
    }

    /// A number that subscriptions may filter by.
    #[must_use]
    pub fn number_attribute(self, name: impl Into<String>, value: f64) -> Self {
        self.typed_attribute(name.into(), "Number", &value.to_string().into())
    }

    fn typed_attribute(mut self, name: String, kind: &'static str, value: &Field) -> Self {
        let mut attribute = Map::new();
        attribute.insert("DataType", kind);
        value.insert(&mut attribute, "StringValue");
        self.attributes.insert(name, attribute);
        self
    }

    /// Of a FIFO topic.
    #[must_use]
    pub fn message_deduplication_id(mut self, id: impl Into<Field>) -> Self {
        self.deduplication_id = Some(id.into());
        self
    }

    /// Of a FIFO topic.
    #[must_use]
    pub fn message_group_id(mut self, id: impl Into<Field>) -> Self {
        self.group_id = Some(id.into());
        self
    }

    /// Waits until somebody names the token of the task, which the message must hold.
    #[must_use]
    pub fn wait_for_task_token(mut self) -> Self {
        self.pattern = Pattern::Token;
        self
    }
}

impl TaskTarget for SnsPublish {
    fn call(&self, task: &Construct) -> Call {
        self.pattern.check(task, has_token(&self.message), "message");
        let mut parameters = Map::new();
        parameters.insert("TopicArn", self.topic.topic_arn());
        self.message.insert(&mut parameters, "Message");
        insert(
            &mut parameters,
            "MessageDeduplicationId",
            self.deduplication_id.as_ref(),
        );
        insert(&mut parameters, "MessageGroupId", self.group_id.as_ref());
        if self.per_subscription_type {
            parameters.insert("MessageStructure", "json");
        }
        if !self.attributes.is_empty() {
            parameters.insert("MessageAttributes", self.attributes.clone());
        }
        insert(&mut parameters, "Subject", self.subject.as_ref());
        let statement = PolicyStatement::allow(["sns:Publish"]).on(self.topic.topic_arn());
        Call::new(self.pattern.resource("sns", "publish"), parameters, [statement])
    }
}

/// An event for a bus.
#[derive(Clone)]
pub struct Event {
    source: String,
    detail_type: String,
    detail: Input,
    bus: Option<EventBus>,
}

impl Event {
    /// For the account's own bus, until [`Event::bus`] says another. A source does not begin with `aws.`.
    pub fn new(source: impl Into<String>, detail_type: impl Into<String>, detail: impl Into<Input>) -> Self {
        Self {
            source: source.into(),
            detail_type: detail_type.into(),
            detail: detail.into(),
            bus: None,
        }
    }

    #[must_use]
    pub fn bus(mut self, bus: &EventBus) -> Self {
        self.bus = Some(bus.clone());
        self
    }
}

/// Sends events.
#[derive(Clone)]
pub struct PutEvents {
    events: Vec<Event>,
    pattern: Pattern,
}

impl PutEvents {
    pub fn new(events: impl IntoIterator<Item = Event>) -> Self {
        Self {
            events: events.into_iter().collect(),
            pattern: Pattern::Response,
        }
    }

    /// Waits until somebody names the token of the task, which a detail must hold.
    #[must_use]
    pub fn wait_for_task_token(mut self) -> Self {
        self.pattern = Pattern::Token;
        self
    }
}

impl TaskTarget for PutEvents {
    fn call(&self, task: &Construct) -> Call {
        let has_token = self.events.iter().any(|event| has_token(&event.detail));
        self.pattern.check(task, has_token, "detail of an event");
        if self.events.is_empty() {
            task.report("there is no event to send");
        }
        let mut statement = PolicyStatement::allow(["events:PutEvents"]);
        let mut entries = Vec::new();
        for event in &self.events {
            if event.source.starts_with("aws.") {
                task.report(format!(
                    "only AWS sends events of `{}`; call the source otherwise",
                    event.source
                ));
            }
            let mut entry = Map::new();
            event.detail.insert(&mut entry, "Detail");
            entry.insert("DetailType", event.detail_type.clone());
            let arn = match &event.bus {
                Some(bus) => {
                    entry.insert("EventBusName", bus.event_bus_arn());
                    bus.event_bus_arn().into_expr()
                }
                None => Stack::of(task).format_arn(Arn::new("events", "event-bus").name("default")),
            };
            statement = statement.on(arn.cast::<String>());
            entry.insert("Source", event.source.clone());
            entries.push(entry);
        }
        let mut parameters = Map::new();
        parameters.insert("Entries", Expr::list(entries));
        Call::new(self.pattern.resource("events", "putEvents"), parameters, [statement])
    }
}
