//! Attributes of queues: what may be set, to what, and what they are when nobody sets them.
//!
//! API reference, SetQueueAttributes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::invalid;
use super::queue::Queue;
use crate::service::ApiError;

/// Name, least, most, default.
const NUMBERS: [(&str, i64, i64, &str); 5] = [
    ("DelaySeconds", 0, 900, "0"),
    ("MaximumMessageSize", 1024, 1_048_576, "1048576"),
    ("MessageRetentionPeriod", 60, 1_209_600, "345600"),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, "0"),
    ("VisibilityTimeout", 0, 43_200, "30"),
];

/// Kept as given.
const OTHERS: [&str; 10] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
];

/// The attributes with the defaults of those that are missing.
pub(super) fn completed(given: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut attributes = given;
    for (name, _, _, default) in NUMBERS {
        attributes.entry(name.to_owned()).or_insert_with(|| default.to_owned());
    }
    if !attributes.contains_key("KmsMasterKeyId") {
        attributes
            .entry("SqsManagedSseEnabled".to_owned())
            .or_insert_with(|| "true".to_owned());
    }
    if attributes.get("FifoQueue").is_some_and(|value| value == "true") {
        attributes
            .entry("ContentBasedDeduplication".to_owned())
            .or_insert_with(|| "false".to_owned());
        attributes
            .entry("DeduplicationScope".to_owned())
            .or_insert_with(|| "queue".to_owned());
        attributes
            .entry("FifoThroughputLimit".to_owned())
            .or_insert_with(|| "perQueue".to_owned());
    }
    attributes
}

/// Reads and checks `Attributes`; an empty value takes one back to its default.
pub(super) fn checked(given: Option<&Value>) -> Result<BTreeMap<String, String>, ApiError> {
    let mut attributes = BTreeMap::new();
    for (name, value) in given.and_then(Value::as_object).into_iter().flatten() {
        let value = crate::members::scalar(value).unwrap_or_default();
        let wrong = || {
            invalid(
                "InvalidAttributeValue",
                format!("Invalid value for the parameter {name}."),
            )
        };
        if let Some((_, least, most, _)) = NUMBERS.iter().find(|(number, ..)| number == name) {
            let fits = value
                .parse::<i64>()
                .is_ok_and(|number| (*least..=*most).contains(&number));
            if !fits {
                return Err(wrong());
            }
        } else if !OTHERS.contains(&name.as_str()) {
            return Err(invalid("InvalidAttributeName", format!("Unknown Attribute {name}.")));
        }
        if name == "RedrivePolicy" && !value.is_empty() {
            let mut policy = Queue::default();
            policy.attributes.insert(name.clone(), value.clone());
            let count = policy.redrive().map(|(_, count)| count);
            if !count.is_some_and(|count| (1..=1000).contains(&count)) {
                return Err(invalid(
                    "InvalidAttributeValue",
                    "Value for parameter RedrivePolicy is invalid. Reason: it needs deadLetterTargetArn and a \
                     maxReceiveCount between 1 and 1000.",
                ));
            }
        }
        attributes.insert(name.clone(), value);
    }
    Ok(attributes)
}
