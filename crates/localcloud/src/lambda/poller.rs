//! Taking messages from queues to functions: a task for each mapping that is enabled.
//!
//! A mapping to a weighted alias has a version chosen for every batch. What a function did not serve stays in the
//! queue until its visibility timeout is over, and is counted there on its way to a dead-letter queue.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::mappings::Mapping;
use super::service::Lambda;
use crate::sink::{FunctionInvoker, QueuedMessage};

/// A receive takes so many at most; larger batches are filled by several.
const RECEIVE_LIMIT: usize = 10;
/// How long one look at a queue waits.
const LOOK: Duration = Duration::from_secs(20);
/// Between looks at a queue that is gone.
const PAUSE: Duration = Duration::from_secs(1);

impl Lambda {
    /// Begins to poll all queues that mappings name; needs a running tokio.
    pub fn start_mappings(&self) {
        let mappings: Vec<Mapping> = self.state().mappings.values().cloned().collect();
        for mapping in mappings {
            self.poll(&mapping);
        }
    }

    /// Ends the polling of a mapping, and begins it anew if it is enabled. Batches under way are served to their end.
    pub(super) fn poll(&self, mapping: &Mapping) {
        let mut pollers = self.shared.pollers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(poller) = pollers.remove(&mapping.uuid) {
            poller.abort();
        }
        if mapping.enabled && mapping.is_queue() {
            let poller = tokio::spawn(self.clone().poll_queue(mapping.clone()));
            pollers.insert(mapping.uuid.clone(), poller);
        }
    }

    pub(super) fn end_mappings(&self) {
        let mut pollers = self.shared.pollers.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, poller) in pollers.drain() {
            poller.abort();
        }
    }

    async fn poll_queue(self, mapping: Mapping) {
        let mapping = Arc::new(mapping);
        let places = Arc::new(Semaphore::new(mapping.concurrency()));
        // Ends with the semaphore, which nobody closes.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match self.batch(&mapping).await {
                Ok(batch) if batch.is_empty() => {}
                Ok(batch) => drop(tokio::spawn(self.clone().serve(Arc::clone(&mapping), batch, place))),
                Err(error) => {
                    tracing::debug!(%error, queue = mapping.source_arn, "a mapping's queue cannot be read");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// As many messages as a batch may have, or as many as there are when its window is over.
    async fn batch(&self, mapping: &Mapping) -> Result<Vec<QueuedMessage>, crate::service::ApiError> {
        let queues = &self.shared.ports.queues;
        let size = mapping.batch_size();
        let mut batch = queues
            .receive(&mapping.source_arn, size.min(RECEIVE_LIMIT), LOOK)
            .await?;
        let until = Instant::now() + mapping.window();
        while !batch.is_empty() && batch.len() < size {
            let left = until.saturating_duration_since(Instant::now());
            let limit = (size - batch.len()).min(RECEIVE_LIMIT);
            let more = queues.receive(&mapping.source_arn, limit, left).await?;
            if more.is_empty() {
                break;
            }
            batch.extend(more);
        }
        Ok(batch)
    }

    async fn serve(self, mapping: Arc<Mapping>, batch: Vec<QueuedMessage>, _place: OwnedSemaphorePermit) {
        let records: Vec<&Value> = batch.iter().map(|message| &message.record).collect();
        let payload = json!({"Records": records}).to_string();
        let name = &mapping.function;
        let invoked = self.invoke(&name.name, name.qualifier.as_deref(), payload.into()).await;
        let served = match invoked {
            Ok(invocation) if invocation.function_error.is_none() && mapping.reports_failures() => {
                served(&batch, &invocation.payload)
            }
            Ok(invocation) if invocation.function_error.is_none() => batch.iter().collect(),
            Ok(_) => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, function = name.name, "a batch could not be given to its function");
                Vec::new()
            }
        };
        let receipts: Vec<String> = served.into_iter().map(|message| message.receipt.clone()).collect();
        self.shared.ports.queues.delete(&mapping.source_arn, &receipts);
    }
}

/// The messages that the answer does not call failed. Lambda Developer Guide, "Implementing partial batch responses":
/// an empty or missing list is a success, an answer that cannot be read or names a message that was not there is a
/// failure of the whole batch.
fn served<'a>(batch: &'a [QueuedMessage], payload: &[u8]) -> Vec<&'a QueuedMessage> {
    let failed = || {
        let answer: Value = serde_json::from_slice(payload).ok()?;
        let failures = match answer.get("batchItemFailures") {
            None | Some(Value::Null) => return Some(Vec::new()),
            Some(Value::Array(failures)) => failures.clone(),
            Some(_) => return None,
        };
        let ids = failures.iter().map(|failure| {
            let id = failure.get("itemIdentifier")?.as_str()?;
            batch.iter().any(|message| message.id == id).then(|| id.to_owned())
        });
        ids.collect::<Option<Vec<String>>>()
    };
    match failed() {
        Some(failed) => batch.iter().filter(|message| !failed.contains(&message.id)).collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_failures_keep_what_failed() {
        let batch: Vec<QueuedMessage> = ["a", "b"]
            .map(|id| QueuedMessage {
                id: id.to_owned(),
                receipt: id.to_owned(),
                record: Value::Null,
            })
            .into();
        let ids = |payload: &str| -> Vec<&str> {
            served(&batch, payload.as_bytes())
                .into_iter()
                .map(|message| message.id.as_str())
                .collect()
        };
        assert_eq!(ids("null"), ["a", "b"]);
        assert_eq!(ids("{}"), ["a", "b"]);
        assert_eq!(ids(r#"{"batchItemFailures":[]}"#), ["a", "b"]);
        assert_eq!(ids(r#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#), ["b"]);
        for broken in [
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#,
            r#"{"batchItemFailures":[{"id":"a"}]}"#,
            r#"{"batchItemFailures":"a"}"#,
        ] {
            assert!(ids(broken).is_empty(), "{broken}");
        }
    }
}
