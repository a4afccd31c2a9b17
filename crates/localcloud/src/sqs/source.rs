//! Queues as Lambda's event source mappings see them.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Sqs, checksum, name_in};
use crate::members::Members;
use crate::service::ApiError;
use crate::sink::{QueueFacts, QueueSource, QueuedMessage};

#[async_trait]
impl QueueSource for Sqs {
    fn queue(&self, arn: &str) -> Option<QueueFacts> {
        let state = self.lock();
        let queue = state
            .queues
            .get(name_in(arn))
            .filter(|_| arn == self.arn(name_in(arn)))?;
        Some(QueueFacts {
            visibility_timeout: Duration::from_secs(u64::try_from(queue.number("VisibilityTimeout")).unwrap_or(0)),
            is_fifo: queue.is_fifo(),
        })
    }

    async fn receive(&self, arn: &str, limit: usize, wait: Duration) -> Result<Vec<QueuedMessage>, ApiError> {
        let messages = self.take(name_in(arn), limit, None, wait).await?;
        let queued = messages.into_iter().map(|message| QueuedMessage {
            record: json!({
                "messageId": message.id,
                "receiptHandle": message.receipt,
                "body": message.body,
                "attributes": message.system_attributes(),
                "messageAttributes": event_attributes(&message.attributes),
                "md5OfBody": checksum::of_body(&message.body),
                "md5OfMessageAttributes": checksum::of_attributes(&message.attributes),
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": self.context.region,
            }),
            receipt: message.receipt.unwrap_or_default(),
            id: message.id,
        });
        Ok(queued.collect())
    }

    fn delete(&self, arn: &str, receipts: &[String]) {
        for receipt in receipts {
            let input = json!({"QueueUrl": name_in(arn), "ReceiptHandle": receipt});
            // A queue that is gone has no messages left.
            if let Err(error) = Sqs::delete(self, &input) {
                tracing::debug!(%error, arn, "a message that was served is gone already");
            }
        }
    }
}

/// Lambda Developer Guide, "Using Lambda with Amazon SQS": the members begin with a small letter.
fn event_attributes(attributes: &Value) -> Map<String, Value> {
    let attributes = attributes.as_object().into_iter().flatten();
    let event = attributes.map(|(name, value)| {
        let mut event = json!({
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": value.text("DataType"),
        });
        for (member, event_member) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
            if let Some(text) = value.text(member) {
                event[event_member] = json!(text);
            }
        }
        (name.clone(), event)
    });
    event.collect()
}
