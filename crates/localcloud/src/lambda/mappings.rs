//! Event source mappings: which queue a function works on. Streams and other sources are kept and described only.
//!
//! Lambda Developer Guide, "Using Lambda with Amazon SQS".

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::configuration::invalid;
use super::name::FunctionName;
use super::service::{Lambda, conflict, not_found, page};
use crate::context::ACCOUNT;
use crate::members::Members;
use crate::service::ApiError;

/// Batches of one queue that are served at the same time, where the mapping says nothing: Lambda begins with 5.
const CONCURRENT_BATCHES: usize = 5;

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Mapping {
    pub uuid: String,
    pub function: FunctionName,
    pub source_arn: String,
    pub enabled: bool,
    /// Epoch seconds.
    pub last_modified: i64,
    /// The other members as they were given.
    pub members: Map<String, Value>,
}

impl Mapping {
    pub fn is_queue(&self) -> bool {
        self.source_arn.split(':').nth(2) == Some("sqs")
    }

    pub fn batch_size(&self) -> usize {
        let default = if self.is_queue() { 10 } else { 100 };
        usize::try_from(self.members.integer("BatchSize").unwrap_or(default)).unwrap_or(1)
    }

    /// How long a batch may wait to become full.
    pub fn window(&self) -> Duration {
        let seconds = self.members.integer("MaximumBatchingWindowInSeconds").unwrap_or(0);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    pub fn reports_failures(&self) -> bool {
        self.members
            .texts("FunctionResponseTypes")
            .iter()
            .any(|of| of == "ReportBatchItemFailures")
    }

    pub fn concurrency(&self) -> usize {
        let scaling = self.members.member("ScalingConfig");
        let most = scaling.and_then(|scaling| scaling.integer("MaximumConcurrency"));
        most.and_then(|most| usize::try_from(most).ok())
            .unwrap_or(CONCURRENT_BATCHES)
            .max(1)
    }

    fn describe(&self, lambda: &Lambda) -> Value {
        let mut described = self.members.clone();
        let reason = match self.is_queue() {
            true => "USER_INITIATED",
            false => "The embedded cloud reads queues only: this mapping is kept and described.",
        };
        for (name, value) in [
            ("UUID", json!(self.uuid)),
            ("FunctionArn", json!(lambda.arn(&self.function))),
            ("EventSourceMappingArn", json!(self.arn(lambda))),
            ("BatchSize", json!(self.batch_size())),
            ("MaximumBatchingWindowInSeconds", json!(self.window().as_secs())),
            ("State", json!(if self.enabled { "Enabled" } else { "Disabled" })),
            ("StateTransitionReason", json!(reason)),
            ("LastModified", json!(self.last_modified)),
        ] {
            described.insert(name.to_owned(), value);
        }
        if !self.source_arn.is_empty() {
            described.insert("EventSourceArn".to_owned(), json!(self.source_arn));
        }
        described.entry("FunctionResponseTypes").or_insert_with(|| json!([]));
        Value::Object(described)
    }

    pub fn arn(&self, lambda: &Lambda) -> String {
        format!(
            "arn:aws:lambda:{}:{ACCOUNT}:event-source-mapping:{}",
            lambda.region(),
            self.uuid
        )
    }

    fn check(&self, lambda: &Lambda) -> Result<(), ApiError> {
        let timeout = lambda.with_function(&self.function, |function| {
            let version = lambda.version_of(function, &self.function)?;
            Ok(version.configuration.timeout_seconds)
        })?;
        if !self.is_queue() {
            return Ok(());
        }
        let queue = lambda.shared.ports.queues.queue(&self.source_arn).ok_or_else(|| {
            invalid(
                "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS \
                 Error Message: The specified queue does not exist.",
            )
        })?;
        let visibility = queue.visibility_timeout.as_secs();
        if visibility < u64::from(timeout) {
            return Err(invalid(format!(
                "Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout} seconds"
            )));
        }
        let most = if queue.is_fifo { 10 } else { 10_000 };
        if !(1..=most).contains(&self.batch_size()) {
            return Err(invalid(format!(
                "Batch size must be between 1 and {most} for this queue."
            )));
        }
        if self.batch_size() > 10 && self.window().is_zero() {
            return Err(invalid(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
            ));
        }
        if self
            .members
            .member("FilterCriteria")
            .is_some_and(|criteria| !criteria.list("Filters").is_empty())
        {
            return Err(invalid(
                "The embedded cloud does not filter events: leave FilterCriteria out.",
            ));
        }
        Ok(())
    }
}

impl Lambda {
    pub(super) fn create_mapping(&self, input: &Value) -> Result<Value, ApiError> {
        // Brokers of one's own have addresses in place of an ARN.
        let source_arn = match (input.text("EventSourceArn"), input.member("SelfManagedEventSource")) {
            (Some(arn), _) => arn,
            (None, Some(_)) => "",
            (None, None) => return Err(invalid("EventSourceArn or SelfManagedEventSource is required.")),
        };
        let mapping = Mapping {
            uuid: self.revision(),
            function: FunctionName::parse(input.required_text("FunctionName")?, None)?,
            source_arn: source_arn.to_owned(),
            enabled: input.flag("Enabled").unwrap_or(true),
            last_modified: self.now().as_second(),
            members: further(input),
        };
        mapping.check(self)?;
        self.change(|state| {
            let same = |other: &&Mapping| other.source_arn == mapping.source_arn && other.function == mapping.function;
            if let Some(other) = state.mappings.values().find(same) {
                return Err(conflict(format!(
                    "An event source mapping with {} and function {} already exists. Please update or delete the \
                     existing mapping with UUID {}",
                    mapping.source_arn,
                    self.arn(&mapping.function),
                    other.uuid
                )));
            }
            state.mappings.insert(mapping.uuid.clone(), mapping.clone());
            Ok(())
        })?;
        self.poll(&mapping);
        Ok(mapping.describe(self))
    }

    pub(super) fn get_mapping(&self, input: &Value) -> Result<Value, ApiError> {
        Ok(self.mapping(input.required_text("UUID")?)?.describe(self))
    }

    pub(super) fn list_mappings(&self, input: &Value) -> Result<Value, ApiError> {
        let function = input
            .text("FunctionName")
            .map(|name| FunctionName::parse(name, None))
            .transpose()?;
        let source = input.text("EventSourceArn");
        let mappings: Vec<Mapping> = self.state().mappings.values().cloned().collect();
        let wanted = mappings.iter().filter(|mapping| {
            let of_function = function.as_ref().is_none_or(|function| {
                // A name alone means the function's mappings whatever their qualifier.
                mapping.function.name == function.name
                    && (function.qualifier.is_none() || mapping.function.qualifier == function.qualifier)
            });
            of_function && source.is_none_or(|source| source == mapping.source_arn)
        });
        page(
            input,
            "EventSourceMappings",
            wanted.map(|mapping| mapping.describe(self)).collect(),
        )
    }

    pub(super) fn update_mapping(&self, input: &Value) -> Result<Value, ApiError> {
        let mut mapping = self.mapping(input.required_text("UUID")?)?;
        if let Some(function) = input.text("FunctionName") {
            mapping.function = FunctionName::parse(function, None)?;
        }
        if let Some(enabled) = input.flag("Enabled") {
            mapping.enabled = enabled;
        }
        mapping.members.extend(further(input));
        mapping.last_modified = self.now().as_second();
        mapping.check(self)?;
        self.change(|state| match state.mappings.get_mut(&mapping.uuid) {
            Some(present) => {
                *present = mapping.clone();
                Ok(())
            }
            None => Err(no_mapping()),
        })?;
        self.poll(&mapping);
        Ok(mapping.describe(self))
    }

    pub(super) fn delete_mapping(&self, input: &Value) -> Result<Value, ApiError> {
        let uuid = input.required_text("UUID")?;
        let mut mapping = self.change(|state| state.mappings.remove(uuid).ok_or_else(no_mapping))?;
        mapping.enabled = false;
        self.poll(&mapping);
        let mut described = mapping.describe(self);
        described["State"] = json!("Deleting");
        Ok(described)
    }

    pub(super) fn mapping(&self, uuid: &str) -> Result<Mapping, ApiError> {
        self.state().mappings.get(uuid).cloned().ok_or_else(no_mapping)
    }
}

fn no_mapping() -> ApiError {
    not_found("The resource you requested does not exist.")
}

/// Everything that only is kept and described, or read when it is needed.
fn further(input: &Value) -> Map<String, Value> {
    let members = input.as_object().into_iter().flatten();
    let kept = members.filter(|(name, value)| {
        !matches!(
            name.as_str(),
            "UUID" | "FunctionName" | "EventSourceArn" | "Enabled" | "Tags"
        ) && !value.is_null()
    });
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}
