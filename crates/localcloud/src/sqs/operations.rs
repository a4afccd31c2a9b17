//! The operations on queues and messages.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::attributes::{checked, completed};
use super::queue::{Draft, Message, Queue, Received};
use super::{Sqs, State, checksum, invalid, no_queue, queue_name};
use crate::identity;
use crate::members::Members;
use crate::service::ApiError;

impl Sqs {
    pub(super) fn create_queue(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.required_text("QueueName")?;
        let given = checked(input.member("Attributes"))?;
        let is_fifo = given.get("FifoQueue").is_some_and(|value| value == "true");
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let letters = stem
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter));
        if !letters || stem.is_empty() || name.len() > 80 || is_fifo != (stem.len() < name.len()) {
            return Err(invalid(
                "InvalidParameterValue",
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length; the name of a \
                 FIFO queue ends with .fifo",
            ));
        }
        let tags = texts(input.member("tags"));
        let now = self.now() / 1000;
        self.change(|state| {
            if let Some(present) = state.queues.get(name) {
                let differs = |(name, value): (&String, &String)| present.attributes.get(name) != Some(value);
                if let Some((attribute, _)) = given.iter().find(|(name, value)| differs((name, value))) {
                    return Err(invalid(
                        "QueueNameExists",
                        format!(
                            "A queue already exists with the same name and a different value for attribute {attribute}"
                        ),
                    ));
                }
                return Ok(());
            }
            state
                .queues
                .insert(name.to_owned(), Queue::new(completed(given), tags, now));
            Ok(())
        })?;
        Ok(json!({"QueueUrl": self.url(name)}))
    }

    pub(super) fn get_queue_url(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.required_text("QueueName")?;
        match self.lock().queues.contains_key(name) {
            true => Ok(json!({"QueueUrl": self.url(name)})),
            false => Err(no_queue()),
        }
    }

    pub(super) fn list_queues(&self, input: &Value) -> Value {
        let prefix = input.text("QueueNamePrefix").unwrap_or_default();
        let state = self.lock();
        let names = state.queues.keys().filter(|name| name.starts_with(prefix));
        let urls: Vec<String> = names.map(|name| self.url(name)).collect();
        let start = crate::page::start(input, "NextToken");
        let (page, next) = crate::page::page(&urls, start, crate::page::size(input, "MaxResults", 1000));
        json!({"QueueUrls": page, "NextToken": next})
    }

    /// The queues that give up to this one.
    pub(super) fn list_sources(&self, input: &Value) -> Result<Value, ApiError> {
        let name = queue_name(input)?;
        let state = self.lock();
        if !state.queues.contains_key(name) {
            return Err(no_queue());
        }
        let sources = state
            .queues
            .iter()
            .filter(|(_, queue)| queue.redrive().is_some_and(|(dead, _)| dead == name));
        Ok(json!({"queueUrls": sources.map(|(name, _)| self.url(name)).collect::<Vec<_>>()}))
    }

    pub(super) fn get_attributes(&self, input: &Value) -> Result<Value, ApiError> {
        let name = queue_name(input)?;
        let wanted = input.texts("AttributeNames");
        let now = self.now();
        let state = self.lock();
        let queue = state.queues.get(name).ok_or_else(no_queue)?;
        let census = queue.census(now);
        let mut attributes = queue.attributes.clone();
        for (attribute, value) in [
            ("QueueArn", self.arn(name)),
            ("ApproximateNumberOfMessages", census.visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", census.in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", census.delayed.to_string()),
            ("CreatedTimestamp", queue.created.to_string()),
            ("LastModifiedTimestamp", queue.modified.to_string()),
        ] {
            attributes.insert(attribute.to_owned(), value);
        }
        if !wanted.iter().any(|name| name == "All") {
            attributes.retain(|name, _| wanted.contains(name));
        }
        Ok(json!({"Attributes": attributes}))
    }

    pub(super) fn set_attributes(&self, input: &Value) -> Result<Value, ApiError> {
        let name = queue_name(input)?;
        let given = checked(input.member("Attributes"))?;
        self.set(name, given)?;
        Ok(json!({}))
    }

    pub(super) fn set(&self, name: &str, given: BTreeMap<String, String>) -> Result<(), ApiError> {
        let now = self.now() / 1000;
        self.change(|state| {
            let queue = state.queues.get_mut(name).ok_or_else(no_queue)?;
            let was_fifo = queue.is_fifo();
            if given
                .get("FifoQueue")
                .is_some_and(|value| (value == "true") != was_fifo)
            {
                return Err(invalid(
                    "InvalidAttributeValue",
                    "A queue cannot become a FIFO queue, nor cease to be one.",
                ));
            }
            queue.modified = now;
            for (name, value) in given {
                match value.is_empty() {
                    true => drop(queue.attributes.remove(&name)),
                    false => drop(queue.attributes.insert(name, value)),
                }
            }
            queue.attributes = completed(std::mem::take(&mut queue.attributes));
            Ok(())
        })
    }

    pub(super) fn delete_queue(&self, name: &str) -> Result<Value, ApiError> {
        self.change(|state| state.queues.remove(name).map(|_| json!({})).ok_or_else(no_queue))
    }

    pub(super) fn tags(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let name = queue_name(input)?;
        self.change(|state| {
            let queue = state.queues.get_mut(name).ok_or_else(no_queue)?;
            match operation {
                "TagQueue" => queue.tags.extend(texts(input.member("Tags"))),
                "UntagQueue" => {
                    let keys = input.texts("TagKeys");
                    queue.tags.retain(|key, _| !keys.contains(key));
                }
                _ => return Ok(json!({"Tags": queue.tags})),
            }
            Ok(json!({}))
        })
    }

    /// One message; `QueueUrl` names the queue.
    pub(super) fn send(&self, input: &Value) -> Result<Value, ApiError> {
        let name = queue_name(input)?;
        let body = input.required_text("MessageBody")?;
        let attributes = input.member("MessageAttributes").cloned().unwrap_or(Value::Null);
        let now = self.now();
        let (id, sequence) = self.with_queue(name, |state, name| {
            let queue = state.queues.get_mut(name).ok_or_else(no_queue)?;
            let longest = usize::try_from(queue.number("MaximumMessageSize")).unwrap_or(0);
            if body.is_empty() || body.len() > longest {
                return Err(invalid(
                    "InvalidParameterValue",
                    format!(
                        "One or more parameters are invalid. Reason: Message must be shorter than {longest} bytes and \
                         not be empty."
                    ),
                ));
            }
            let group = input.text("MessageGroupId").map(str::to_owned);
            let mut deduplication = input.text("MessageDeduplicationId").map(str::to_owned);
            let mut delay_seconds = input.integer("DelaySeconds");
            if queue.is_fifo() {
                if group.is_none() {
                    return Err(invalid(
                        "MissingParameter",
                        "The request must contain the parameter MessageGroupId.",
                    ));
                }
                let by_content = queue
                    .attributes
                    .get("ContentBasedDeduplication")
                    .is_some_and(|value| value == "true");
                if deduplication.is_none() && by_content {
                    deduplication = Some(sha256(body));
                }
                if deduplication.is_none() {
                    return Err(invalid(
                        "InvalidParameterValue",
                        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId \
                         provided explicitly",
                    ));
                }
                // "FIFO queues don't support per-message delays", API reference, SendMessage.
                delay_seconds = None;
            } else {
                deduplication = None;
            }
            let draft = Draft {
                id: identity::uuid(),
                body: body.to_owned(),
                attributes: attributes.clone(),
                delay_seconds,
                group,
                deduplication,
            };
            Ok(queue.send(draft, now))
        })?;
        self.arrived.notify_waiters();
        self.record(
            name,
            &[
                ("NumberOfMessagesSent", 1.0, "Count"),
                ("SentMessageSize", body.len() as f64, "Bytes"),
            ],
        );
        Ok(json!({
            "MessageId": id,
            "MD5OfMessageBody": checksum::of_body(body),
            "MD5OfMessageAttributes": checksum::of_attributes(&attributes),
            "SequenceNumber": sequence.map(|sequence| format!("{sequence:020}")),
        }))
    }

    pub(super) async fn receive(&self, input: &Value) -> Result<Value, ApiError> {
        let name = queue_name(input)?;
        let limit = usize::try_from(input.integer("MaxNumberOfMessages").unwrap_or(1)).unwrap_or(0);
        if !(1..=10).contains(&limit) {
            return Err(invalid(
                "InvalidParameterValue",
                format!(
                    "Value {limit} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if \
                     provided."
                ),
            ));
        }
        let wait = match input.integer("WaitTimeSeconds") {
            Some(seconds) => seconds,
            None => self
                .lock()
                .queues
                .get(name)
                .map_or(0, |queue| queue.number("ReceiveMessageWaitTimeSeconds")),
        };
        let wait = Duration::from_secs(u64::try_from(wait).unwrap_or(0).min(20));
        let messages = self.take(name, limit, input.integer("VisibilityTimeout"), wait).await?;
        let system: BTreeSet<String> = input
            .texts("AttributeNames")
            .into_iter()
            .chain(input.texts("MessageSystemAttributeNames"))
            .collect();
        let own = input.texts("MessageAttributeNames");
        let described = messages.iter().map(|message| {
            let attributes = named(&message.attributes, &own);
            let mut described = json!({
                "MessageId": message.id,
                "ReceiptHandle": message.receipt,
                "Body": message.body,
                "MD5OfBody": checksum::of_body(&message.body),
                "MD5OfMessageAttributes": checksum::of_attributes(&attributes),
            });
            if attributes.as_object().is_some_and(|attributes| !attributes.is_empty()) {
                described["MessageAttributes"] = attributes;
            }
            let mut values = message.system_attributes();
            if !system.contains("All") {
                values.retain(|name, _| system.contains(name));
            }
            if !values.is_empty() {
                described["Attributes"] = Value::Object(values);
            }
            described
        });
        match messages.is_empty() {
            true => Ok(json!({})),
            false => Ok(json!({"Messages": described.collect::<Vec<_>>()})),
        }
    }

    /// Messages that nobody else sees from now on; waits for the first one.
    pub(super) async fn take(
        &self,
        name: &str,
        limit: usize,
        visibility_seconds: Option<i64>,
        wait: Duration,
    ) -> Result<Vec<Message>, ApiError> {
        let until = Instant::now() + wait;
        loop {
            // Before looking: what comes in between wakes this, too.
            let arrived = self.arrived.notified();
            let now = self.now();
            let (messages, next) = self.with_queue(name, |state, name| {
                let (taken, buried) = take_from(state, name, limit, visibility_seconds, now, &self.arn(name));
                if buried {
                    // Somebody may wait at the dead-letter queue.
                    self.arrived.notify_waiters();
                }
                let next = state.queues.get(name).and_then(|queue| queue.next_visible(now));
                Ok((taken, next))
            })?;
            if !messages.is_empty() {
                self.record(name, &[("NumberOfMessagesReceived", messages.len() as f64, "Count")]);
                return Ok(messages);
            }
            if Instant::now() >= until {
                self.record(name, &[("NumberOfEmptyReceives", 1.0, "Count")]);
                return Ok(messages);
            }
            let pause = next
                .and_then(|next| u64::try_from(next - now).ok())
                .map(Duration::from_millis);
            let wake = pause.map_or(until, |pause| until.min(Instant::now() + pause));
            tokio::select! {
                () = arrived => {}
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    pub(super) fn delete(&self, input: &Value) -> Result<Value, ApiError> {
        let name = queue_name(input)?;
        let receipt = receipt(input)?;
        let gone = self.with_queue(name, |state, name| {
            Ok(state.queues.get_mut(name).is_some_and(|queue| queue.delete(receipt)))
        })?;
        if gone {
            self.record(name, &[("NumberOfMessagesDeleted", 1.0, "Count")]);
            // The next message of a group may be waiting for this one.
            self.arrived.notify_waiters();
        }
        Ok(json!({}))
    }

    pub(super) fn change_visibility(&self, input: &Value) -> Result<Value, ApiError> {
        let name = queue_name(input)?;
        let receipt = receipt(input)?;
        let seconds = input.integer("VisibilityTimeout").unwrap_or(0);
        if !(0..=43_200).contains(&seconds) {
            return Err(invalid(
                "InvalidParameterValue",
                format!(
                    "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200."
                ),
            ));
        }
        let now = self.now();
        self.with_queue(name, |state, name| {
            let queue = state.queues.get_mut(name).ok_or_else(no_queue)?;
            match queue.by_receipt(receipt) {
                Some(message) if message.visible > now => message.visible = now + seconds * 1000,
                _ => {
                    return Err(invalid(
                        "MessageNotInflight",
                        "The message referred to isn't in flight.",
                    ));
                }
            }
            Ok(())
        })?;
        self.arrived.notify_waiters();
        Ok(json!({}))
    }

    /// Calls `each` for every entry, with the queue in it, and tells which succeeded.
    pub(super) fn batch(
        &self,
        input: &Value,
        each: impl Fn(&Value) -> Result<Value, ApiError>,
    ) -> Result<Value, ApiError> {
        let entries = input.list("Entries");
        if entries.is_empty() {
            return Err(invalid(
                "EmptyBatchRequest",
                "There should be at least one entry in the request.",
            ));
        }
        if entries.len() > 10 {
            return Err(invalid(
                "TooManyEntriesInBatchRequest",
                format!(
                    "Maximum number of entries per request are 10. You have sent {}.",
                    entries.len()
                ),
            ));
        }
        let ids: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.text("Id")).collect();
        if ids.len() < entries.len() {
            return Err(invalid(
                "BatchEntryIdsNotDistinct",
                "Id of each entry has to be there and to be unique.",
            ));
        }
        if !self.lock().queues.contains_key(queue_name(input)?) {
            return Err(no_queue());
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = &entry["Id"];
            let mut call = entry.clone();
            call["QueueUrl"] = input["QueueUrl"].clone();
            match each(&call) {
                Ok(mut answer) => {
                    answer["Id"] = id.clone();
                    successful.push(answer);
                }
                Err(error) => failed.push(json!({
                    "Id": id, "Code": error.code, "Message": error.message, "SenderFault": error.status < 500,
                })),
            }
        }
        Ok(json!({"Successful": successful, "Failed": failed}))
    }
}

/// Messages of a queue; those that were received too often go to its dead-letter queue, and whether there were such.
fn take_from(
    state: &mut State,
    name: &str,
    limit: usize,
    visibility_seconds: Option<i64>,
    now: i64,
    arn: &str,
) -> (Vec<Message>, bool) {
    let Some(queue) = state.queues.get_mut(name) else {
        return (Vec::new(), false);
    };
    let visibility = visibility_seconds.unwrap_or_else(|| queue.number("VisibilityTimeout"));
    let Received { messages, dead } = queue.receive(limit, visibility, now, |message| {
        format!("{}:{}", message.id, identity::uuid())
    });
    let grave = queue.redrive().map(|(grave, _)| grave);
    if let Some(grave) = grave.and_then(|grave| state.queues.get_mut(&grave)) {
        let buried = !dead.is_empty();
        for message in dead {
            grave.bury(message, arn.to_owned(), now);
        }
        return (messages, buried);
    }
    if let Some(queue) = state.queues.get_mut(name) {
        // Without the other queue nothing may be lost.
        for message in dead.into_iter().rev() {
            queue.messages.push_front(message);
        }
    }
    (messages, false)
}

impl Message {
    pub(super) fn system_attributes(&self) -> Map<String, Value> {
        let mut attributes = Map::new();
        let mut set = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                attributes.insert(name.to_owned(), json!(value));
            }
        };
        set("ApproximateReceiveCount", Some(self.receive_count.to_string()));
        set("SentTimestamp", Some(self.sent.to_string()));
        set("SenderId", Some("localcloud".to_owned()));
        set(
            "ApproximateFirstReceiveTimestamp",
            self.received_first.map(|first| first.to_string()),
        );
        set("MessageGroupId", self.group.clone());
        set("MessageDeduplicationId", self.deduplication.clone());
        set(
            "SequenceNumber",
            self.sequence.map(|sequence| format!("{sequence:020}")),
        );
        set("DeadLetterQueueSourceArn", self.dead_letter_source.clone());
        attributes
    }
}

fn receipt(input: &Value) -> Result<&str, ApiError> {
    let receipt = input.required_text("ReceiptHandle")?;
    match receipt.contains(':') {
        true => Ok(receipt),
        false => Err(ApiError::new(
            404,
            "ReceiptHandleIsInvalid",
            format!("The input receipt handle \"{receipt}\" is not a valid receipt handle."),
        )),
    }
}

/// The attributes that a receiver names: `All`, `.*`, a name, or the beginning of one with `.*`.
fn named(attributes: &Value, names: &[String]) -> Value {
    let wanted = |attribute: &str| {
        names.iter().any(|name| {
            name == "All"
                || name == attribute
                || name
                    .strip_suffix(".*")
                    .is_some_and(|start| attribute.starts_with(start))
        })
    };
    let all = attributes.as_object().into_iter().flatten();
    Value::Object(
        all.filter(|(name, _)| wanted(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

fn texts(object: Option<&Value>) -> BTreeMap<String, String> {
    let entries = object.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text))
}
