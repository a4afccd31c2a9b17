//! One queue and its messages: what is seen by whom, and when it comes back. It knows no clock: every call brings the
//! time, in epoch milliseconds.
//!
//! SQS Developer Guide, "Amazon SQS visibility timeout", "Using dead-letter queues", "FIFO queue delivery logic".

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// "Exactly-once processing": a message with a known deduplication id is taken and not delivered for 5 minutes.
const DEDUPLICATION_MILLISECONDS: i64 = 5 * 60 * 1000;

#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Queue {
    /// As they were set, completed by the defaults.
    pub attributes: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// Epoch seconds.
    pub created: i64,
    pub modified: i64,
    /// In the order in which they came.
    pub messages: VecDeque<Message>,
    /// Deduplication ids, with the message that came first and until when it counts.
    deduplicated: BTreeMap<String, (i64, String, u64)>,
    last_sequence: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub id: String,
    pub body: String,
    /// `MessageAttributes` as the API has them.
    pub attributes: Value,
    pub sent: i64,
    /// From when on it can be received.
    pub visible: i64,
    pub received_first: Option<i64>,
    pub receive_count: u64,
    /// Of the last receive.
    pub receipt: Option<String>,
    pub group: Option<String>,
    pub deduplication: Option<String>,
    pub sequence: Option<u64>,
    /// ARN of the queue that gave it up.
    pub dead_letter_source: Option<String>,
}

/// A message that is to be sent.
pub(super) struct Draft {
    pub id: String,
    pub body: String,
    pub attributes: Value,
    /// None for the queue's own.
    pub delay_seconds: Option<i64>,
    pub group: Option<String>,
    pub deduplication: Option<String>,
}

/// How many messages are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Census {
    pub visible: usize,
    pub in_flight: usize,
    pub delayed: usize,
    pub oldest_seconds: f64,
}

/// What a receive found.
#[derive(Default)]
pub(super) struct Received {
    pub messages: Vec<Message>,
    /// Received too often: for the dead-letter queue.
    pub dead: Vec<Message>,
}

impl Queue {
    /// `now` in epoch seconds.
    pub fn new(attributes: BTreeMap<String, String>, tags: BTreeMap<String, String>, now: i64) -> Self {
        Self {
            attributes,
            tags,
            created: now,
            modified: now,
            ..Self::default()
        }
    }

    pub fn number(&self, attribute: &str) -> i64 {
        self.attributes
            .get(attribute)
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }

    pub fn is_fifo(&self) -> bool {
        self.attributes.get("FifoQueue").is_some_and(|value| value == "true")
    }

    /// The name of the dead-letter queue, and after how many receives a message goes there.
    pub fn redrive(&self) -> Option<(String, u64)> {
        let policy: Value = serde_json::from_str(self.attributes.get("RedrivePolicy")?).ok()?;
        let count = match &policy["maxReceiveCount"] {
            Value::String(text) => text.parse().ok()?,
            number => number.as_u64()?,
        };
        Some((
            super::name_in(policy["deadLetterTargetArn"].as_str()?).to_owned(),
            count,
        ))
    }

    /// Takes a message: its id and sequence number, which are the first one's when this is a duplicate.
    pub fn send(&mut self, draft: Draft, now: i64) -> (String, Option<u64>) {
        self.deduplicated.retain(|_, (until, ..)| now < *until);
        if let Some((_, id, sequence)) = draft.deduplication.as_ref().and_then(|id| self.deduplicated.get(id)) {
            return (id.clone(), Some(*sequence));
        }
        let sequence = self.is_fifo().then(|| {
            self.last_sequence += 1;
            self.last_sequence
        });
        if let (Some(deduplication), Some(sequence)) = (&draft.deduplication, sequence) {
            let until = now + DEDUPLICATION_MILLISECONDS;
            self.deduplicated
                .insert(deduplication.clone(), (until, draft.id.clone(), sequence));
        }
        let delay = draft.delay_seconds.unwrap_or_else(|| self.number("DelaySeconds"));
        self.messages.push_back(Message {
            id: draft.id.clone(),
            body: draft.body,
            attributes: draft.attributes,
            sent: now,
            visible: now + delay * 1000,
            received_first: None,
            receive_count: 0,
            receipt: None,
            group: draft.group,
            deduplication: draft.deduplication,
            sequence,
            dead_letter_source: None,
        });
        (draft.id, sequence)
    }

    /// Hands out up to `limit` messages that nobody else sees until `visibility_seconds` are over.
    pub fn receive(
        &mut self,
        limit: usize,
        visibility_seconds: i64,
        now: i64,
        mut receipt: impl FnMut(&Message) -> String,
    ) -> Received {
        self.expire(now);
        let redrive = self.redrive();
        let mut received = Received::default();
        // A group of a FIFO queue waits for its first message.
        let mut waiting: BTreeSet<String> = BTreeSet::new();
        let mut dead = Vec::new();
        for (index, message) in self.messages.iter_mut().enumerate() {
            if received.messages.len() == limit {
                break;
            }
            let group_waits = message.group.as_ref().is_some_and(|group| waiting.contains(group));
            if message.visible > now || group_waits {
                waiting.extend(message.sequence.and(message.group.clone()));
                continue;
            }
            if redrive.as_ref().is_some_and(|(_, most)| message.receive_count >= *most) {
                dead.push(index);
                continue;
            }
            message.receive_count += 1;
            message.received_first.get_or_insert(now);
            message.visible = now + visibility_seconds * 1000;
            message.receipt = Some(receipt(message));
            received.messages.push(message.clone());
        }
        for index in dead.into_iter().rev() {
            received.dead.extend(self.messages.remove(index));
        }
        received.dead.reverse();
        received
    }

    /// Takes over what another queue gave up. It stays as old as it is.
    pub fn bury(&mut self, message: Message, source: String, now: i64) {
        let sequence = self.is_fifo().then(|| {
            self.last_sequence += 1;
            self.last_sequence
        });
        self.messages.push_back(Message {
            visible: now,
            receipt: None,
            sequence,
            dead_letter_source: Some(source),
            ..message
        });
    }

    /// The message of a receipt; an older receipt than the last one's finds nothing.
    pub fn by_receipt(&mut self, receipt: &str) -> Option<&mut Message> {
        self.messages
            .iter_mut()
            .find(|message| message.receipt.as_deref() == Some(receipt))
    }

    /// Deleting what is not there any more succeeds.
    pub fn delete(&mut self, receipt: &str) -> bool {
        let before = self.messages.len();
        self.messages
            .retain(|message| message.receipt.as_deref() != Some(receipt));
        self.messages.len() < before
    }

    /// When the next message that waits can be received.
    pub fn next_visible(&self, now: i64) -> Option<i64> {
        self.messages
            .iter()
            .map(|message| message.visible)
            .filter(|visible| *visible > now)
            .min()
    }

    pub fn census(&self, now: i64) -> Census {
        let mut census = Census::default();
        for message in &self.messages {
            match (message.visible > now, message.receive_count) {
                (false, _) => census.visible += 1,
                (true, 0) => census.delayed += 1,
                (true, _) => census.in_flight += 1,
            }
            census.oldest_seconds = census.oldest_seconds.max((now - message.sent) as f64 / 1000.0);
        }
        census
    }

    fn expire(&mut self, now: i64) {
        let oldest = now - self.number("MessageRetentionPeriod") * 1000;
        self.messages.retain(|message| message.sent > oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(attributes: &[(&str, &str)]) -> Queue {
        let defaults = [("MessageRetentionPeriod", "345600"), ("DelaySeconds", "0")];
        let pairs = defaults.iter().chain(attributes);
        Queue {
            attributes: pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Queue::default()
        }
    }

    fn draft(id: &str) -> Draft {
        Draft {
            id: id.to_owned(),
            body: id.to_owned(),
            attributes: Value::Null,
            delay_seconds: None,
            group: None,
            deduplication: None,
        }
    }

    fn ids(received: &Received) -> Vec<&str> {
        received.messages.iter().map(|message| message.id.as_str()).collect()
    }

    fn receive(queue: &mut Queue, limit: usize, now: i64) -> Received {
        queue.receive(limit, 30, now, |message| {
            format!("{}-{}", message.id, message.receive_count)
        })
    }

    #[test]
    fn a_message_comes_back_until_it_is_deleted() {
        let mut queue = queue(&[]);
        queue.send(draft("a"), 0);
        assert_eq!(ids(&receive(&mut queue, 10, 0)), ["a"]);
        assert!(receive(&mut queue, 10, 29_999).messages.is_empty());
        assert_eq!(queue.census(29_999).in_flight, 1);
        assert_eq!(ids(&receive(&mut queue, 10, 30_000)), ["a"]);
        assert!(!queue.delete("a-1"), "the first receipt is over");
        assert!(queue.delete("a-2"));
        assert!(receive(&mut queue, 10, 90_000).messages.is_empty());
    }

    #[test]
    fn what_is_received_too_often_is_dead() {
        let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:r:0:dead","maxReceiveCount":"2"}"#;
        let mut queue = queue(&[("RedrivePolicy", policy)]);
        assert_eq!(queue.redrive(), Some(("dead".to_owned(), 2)));
        for id in ["a", "b"] {
            queue.send(draft(id), 0);
        }
        assert_eq!(receive(&mut queue, 1, 0).messages.len(), 1);
        assert_eq!(receive(&mut queue, 2, 30_000).messages.len(), 2);
        let third = receive(&mut queue, 2, 60_000);
        assert_eq!(ids(&third), ["b"]);
        assert_eq!(
            third.dead.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(),
            ["a"]
        );
    }

    #[test]
    fn delays_and_retention_are_kept() {
        let mut queue = queue(&[("DelaySeconds", "5"), ("MessageRetentionPeriod", "60")]);
        queue.send(draft("a"), 0);
        assert_eq!(queue.census(0).delayed, 1);
        assert_eq!(queue.next_visible(0), Some(5_000));
        assert!(receive(&mut queue, 1, 4_999).messages.is_empty());
        assert_eq!(ids(&receive(&mut queue, 1, 5_000)), ["a"]);
        assert!(receive(&mut queue, 1, 60_000).messages.is_empty(), "it is too old");
    }

    #[test]
    fn groups_keep_their_order_and_duplicates_are_taken_once() {
        let mut queue = queue(&[("FifoQueue", "true")]);
        for (id, group) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a1", "a")] {
            let draft = Draft {
                group: Some(group.to_owned()),
                deduplication: Some(id.to_owned()),
                ..draft(id)
            };
            queue.send(draft, 0);
        }
        assert_eq!(ids(&receive(&mut queue, 1, 0)), ["a1"]);
        assert_eq!(
            ids(&receive(&mut queue, 10, 0)),
            ["b1"],
            "the group waits for its first message"
        );
        queue.delete("a1-1");
        assert_eq!(ids(&receive(&mut queue, 10, 0)), ["a2"]);
    }
}
