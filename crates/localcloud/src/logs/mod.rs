//! CloudWatch Logs: groups, streams, events; search by simple patterns; retention.
//!
//! Functions leave their output through [`LogSink`]. Not served: metric filters, subscriptions, Logs Insights, export.

mod operations;
mod pattern;
mod provider;
mod streams;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::context::{ACCOUNT, Context};
use crate::resource::Provider;
use crate::saved::{Saved, storage_failure};
use crate::service::ApiError;
use crate::sink::LogSink;
use streams::{Event, STREAMS_PER_GROUP, Stream};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Group {
    /// Epoch milliseconds.
    created: i64,
    retention_days: Option<i64>,
    kms_key_id: Option<String>,
    class: String,
    tags: BTreeMap<String, String>,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    groups: BTreeMap<String, Group>,
}

/// Streams by group and name.
type Streams = BTreeMap<String, BTreeMap<String, Stream>>;

pub struct Logs {
    context: Context,
    folder: PathBuf,
    state: Saved<State>,
    streams: Mutex<Streams>,
}

impl Logs {
    pub fn open(context: &Context) -> io::Result<Arc<Self>> {
        let state: Saved<State> = Saved::open(&context.store, "logs")?;
        let folder = context.folder.join("logs");
        let mut streams = BTreeMap::new();
        let groups: Vec<String> = state.read().groups.keys().cloned().collect();
        for group in groups {
            let loaded = Stream::load_all(&folder.join(folder_name(&group)))?;
            streams.insert(group, loaded);
        }
        Ok(Arc::new(Self {
            context: context.clone(),
            folder,
            state,
            streams: Mutex::new(streams),
        }))
    }

    pub fn providers(self: &Arc<Self>) -> Vec<Arc<dyn Provider>> {
        vec![Arc::new(provider::GroupProvider { logs: self.clone() })]
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        self.context.clock.now().as_millisecond()
    }

    /// Whether the group was made by this call.
    fn ensure_group(&self, name: &str, group: Group) -> Result<bool, ApiError> {
        if self.state.read().groups.contains_key(name) {
            return Ok(false);
        }
        let made = self.state.change(|state| {
            let missing = !state.groups.contains_key(name);
            state.groups.entry(name.to_owned()).or_insert(group);
            Ok(missing)
        })?;
        self.streams().entry(name.to_owned()).or_default();
        Ok(made)
    }

    fn remove_group(&self, name: &str) -> Result<(), ApiError> {
        self.state
            .change(|state| state.groups.remove(name).map(drop).ok_or_else(no_group))?;
        self.streams().remove(name);
        match std::fs::remove_dir_all(self.folder.join(folder_name(name))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(storage_failure(error)),
            _ => Ok(()),
        }
    }

    /// Whether the stream was made by this call. The oldest one goes when there are too many.
    fn ensure_stream(&self, group: &str, stream: &str) -> Result<bool, ApiError> {
        let mut all = self.streams();
        let streams = all.get_mut(group).ok_or_else(no_group)?;
        if streams.contains_key(stream) {
            return Ok(false);
        }
        let folder = self.folder.join(folder_name(group));
        streams.insert(
            stream.to_owned(),
            Stream::create(&folder, stream, self.now()).map_err(storage_failure)?,
        );
        if streams.len() > STREAMS_PER_GROUP {
            let oldest = streams
                .iter()
                .min_by_key(|(_, stream)| stream.created)
                .map(|(name, _)| name.clone());
            if let Some(oldest) = oldest.and_then(|name| streams.remove(&name)) {
                oldest.remove().map_err(storage_failure)?;
            }
        }
        Ok(true)
    }

    fn put(&self, group: &str, stream: &str, events: Vec<Event>) -> Result<(), ApiError> {
        let mut all = self.streams();
        let streams = all.get_mut(group).ok_or_else(no_group)?;
        let found = streams.get_mut(stream).ok_or_else(no_stream)?;
        found.append(stream, events).map_err(storage_failure)
    }

    fn group_arn(&self, name: &str) -> String {
        format!("arn:aws:logs:{}:{ACCOUNT}:log-group:{name}", self.context.region)
    }
}

impl LogSink for Logs {
    fn append(&self, group: &str, stream: &str, lines: Vec<String>) {
        let now = self.now();
        let events: Vec<Event> = lines
            .into_iter()
            .filter(|line| !line.is_empty())
            .map(|message| Event {
                timestamp: now,
                ingestion: now,
                message,
            })
            .collect();
        let made = Group {
            created: now,
            class: "STANDARD".to_owned(),
            ..Group::default()
        };
        let done = self
            .ensure_group(group, made)
            .and_then(|_| self.ensure_stream(group, stream))
            .and_then(|_| self.put(group, stream, events));
        if let Err(error) = done {
            tracing::warn!(group, stream, %error, "log lines were lost");
        }
    }
}

fn folder_name(group: &str) -> String {
    hex::encode(Sha256::digest(group))
}

fn no_group() -> ApiError {
    ApiError::new(
        400,
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
}

fn no_stream() -> ApiError {
    ApiError::new(
        400,
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )
}

#[cfg(test)]
mod tests;
