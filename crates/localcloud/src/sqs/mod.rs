//! SQS: queues whose messages are seen by one receiver at a time, come back when nobody deletes them, and end in a
//! dead-letter queue.
//!
//! Time is the cloud's clock. Deliberately absent: the query protocol (the service's model speaks JSON only), message
//! move tasks, policies at work. The server calls it as a [`Service`], Lambda's event source mappings as a
//! [`QueueSource`], CloudFormation through its provider.

mod attributes;
mod checksum;
mod operations;
mod provider;
mod queue;
mod source;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::context::{ACCOUNT, Context};
use crate::members::Members;
use crate::resource::Provider;
use crate::saved::storage_failure;
use crate::service::{ApiError, Request, Response, Service};
use crate::sink::{MetricSink, Observation};
use queue::Queue;

const STATE: &str = "sqs";
/// Messages change hundreds of times a second, so they are written once in this time, and at the end.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Default, Serialize, Deserialize)]
struct State {
    /// By name.
    queues: BTreeMap<String, Queue>,
}

pub struct Sqs {
    context: Context,
    metrics: Arc<dyn MetricSink>,
    state: Mutex<State>,
    /// Whether messages changed since they were written.
    changed: AtomicBool,
    stopped: AtomicBool,
    /// Wakes those who wait for messages.
    arrived: Notify,
}

impl Sqs {
    pub fn open(context: &Context, metrics: Arc<dyn MetricSink>) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            state: Mutex::new(context.store.load(STATE)?),
            context: context.clone(),
            metrics,
            changed: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            arrived: Notify::new(),
        }))
    }

    /// Writes messages and measures queues once a second, until the service is stopped or dropped.
    pub fn start(self: &Arc<Self>) {
        let sqs: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(SAVE_INTERVAL);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(sqs) = sqs.upgrade() else { return };
                if sqs.stopped.load(Ordering::Relaxed) {
                    return;
                }
                sqs.measure();
                sqs.flush();
            }
        });
    }

    pub fn providers(self: &Arc<Self>) -> Vec<Arc<dyn Provider>> {
        vec![Arc::new(provider::SqsProvider::new(Arc::clone(self)))]
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush(&self) {
        if self.changed.swap(false, Ordering::Relaxed)
            && let Err(error) = self.context.store.save(STATE, &*self.lock())
        {
            tracing::warn!(%error, "messages could not be written to the folder");
        }
    }

    /// Changes queues themselves: saved at once.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let mut state = self.lock();
        let result = change(&mut state)?;
        self.context.store.save(STATE, &*state).map_err(storage_failure)?;
        Ok(result)
    }

    /// Changes the messages of a queue.
    fn with_queue<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut State, &str) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut state = self.lock();
        if !state.queues.contains_key(name) {
            return Err(no_queue());
        }
        let result = change(&mut state, name);
        self.changed.store(true, Ordering::Relaxed);
        result
    }

    /// Epoch milliseconds.
    fn now(&self) -> i64 {
        self.context.clock.now().as_millisecond()
    }

    fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{ACCOUNT}:{name}", self.context.region)
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.context.endpoint)
    }

    /// "Available CloudWatch metrics for Amazon SQS".
    fn record(&self, queue: &str, metrics: &[(&str, f64, &str)]) {
        let timestamp = self.context.clock.now();
        let observations = metrics.iter().map(|(metric_name, value, unit)| Observation {
            namespace: "AWS/SQS".to_owned(),
            metric_name: (*metric_name).to_owned(),
            dimensions: vec![("QueueName".to_owned(), queue.to_owned())],
            value: *value,
            unit: (*unit).to_owned(),
            timestamp,
        });
        self.metrics.record(observations.collect());
    }

    /// How full the queues are.
    fn measure(&self) {
        let now = self.now();
        let measured: Vec<(String, queue::Census)> = {
            let state = self.lock();
            let queues = state.queues.iter();
            queues.map(|(name, queue)| (name.clone(), queue.census(now))).collect()
        };
        for (name, census) in measured {
            self.record(
                &name,
                &[
                    ("ApproximateNumberOfMessagesVisible", census.visible as f64, "Count"),
                    (
                        "ApproximateNumberOfMessagesNotVisible",
                        census.in_flight as f64,
                        "Count",
                    ),
                    ("ApproximateNumberOfMessagesDelayed", census.delayed as f64, "Count"),
                    ("ApproximateAgeOfOldestMessage", census.oldest_seconds, "Seconds"),
                ],
            );
        }
    }
}

/// The queue's name in its URL or ARN; the port of an older run of this cloud does not matter.
fn name_in(text: &str) -> &str {
    text.rsplit(['/', ':']).next().unwrap_or_default()
}

fn queue_name(input: &Value) -> Result<&str, ApiError> {
    Ok(name_in(input.required_text("QueueUrl")?))
}

fn no_queue() -> ApiError {
    ApiError::new(400, "QueueDoesNotExist", "The specified queue does not exist.")
}

fn invalid(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(400, code, message)
}

#[async_trait]
impl Service for Sqs {
    fn model(&self) -> &'static str {
        "sqs"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let input = &request.input;
        let output = match request.operation.as_str() {
            "CreateQueue" => self.create_queue(input)?,
            "GetQueueUrl" => self.get_queue_url(input)?,
            "ListQueues" => self.list_queues(input),
            "ListDeadLetterSourceQueues" => self.list_sources(input)?,
            "GetQueueAttributes" => self.get_attributes(input)?,
            "SetQueueAttributes" => self.set_attributes(input)?,
            "DeleteQueue" => self.delete_queue(queue_name(input)?)?,
            "PurgeQueue" => self.with_queue(queue_name(input)?, |state, name| {
                if let Some(queue) = state.queues.get_mut(name) {
                    queue.messages.clear();
                }
                Ok(json!({}))
            })?,
            "SendMessage" => self.send(input)?,
            "SendMessageBatch" => self.batch(input, |entry| self.send(entry))?,
            "ReceiveMessage" => self.receive(input).await?,
            "DeleteMessage" => self.delete(input)?,
            "DeleteMessageBatch" => self.batch(input, |entry| self.delete(entry))?,
            "ChangeMessageVisibility" => self.change_visibility(input)?,
            "ChangeMessageVisibilityBatch" => self.batch(input, |entry| self.change_visibility(entry))?,
            "TagQueue" | "UntagQueue" | "ListQueueTags" => self.tags(&request.operation, input)?,
            // Policies are kept as an attribute and judged by nobody.
            "AddPermission" | "RemovePermission" => self.with_queue(queue_name(input)?, |_, _| Ok(json!({})))?,
            other => return Err(ApiError::not_served("UnsupportedOperation", other)),
        };
        Ok(output.into())
    }

    async fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.flush();
    }
}

#[cfg(test)]
mod tests;
