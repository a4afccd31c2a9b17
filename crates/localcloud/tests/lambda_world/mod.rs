//! A Lambda on its own, with recorders in place of the services beside it.

#![allow(dead_code, reason = "each test file uses its own part of the world")]
#![allow(clippy::unwrap_used, reason = "tests and what they call")]

#[path = "../observations/mod.rs"]
mod observations;

use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use localcloud::context::{Clock, Context};
use localcloud::lambda::{Lambda, Ports, Settings};
use localcloud::service::{ApiError, Request, Response, Service};
use localcloud::sink::{LogSink, MetricSink, ObjectSource, Observation, QueueFacts, QueueSource, QueuedMessage};
use localcloud::store::Store;
use serde_json::{Value, json};

pub const ROLE: &str = "arn:aws:iam::000000000000:role/function";

/// A clock that stands still.
pub struct Noon;

impl Clock for Noon {
    fn now(&self) -> jiff::Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }
}

#[derive(Default)]
pub struct Recorder {
    pub observations: Mutex<Vec<Observation>>,
    pub lines: Mutex<Vec<(String, String)>>,
    pub objects: Mutex<HashMap<(String, String), Bytes>>,
}

impl MetricSink for Recorder {
    fn record(&self, observations: Vec<Observation>) {
        self.observations.lock().unwrap().extend(observations);
    }
}

impl LogSink for Recorder {
    fn append(&self, group: &str, _stream: &str, lines: Vec<String>) {
        self.lines
            .lock()
            .unwrap()
            .extend(lines.into_iter().map(|line| (group.to_owned(), line)));
    }
}

#[async_trait]
impl ObjectSource for Recorder {
    async fn object(&self, bucket: &str, key: &str) -> Result<Bytes, ApiError> {
        let found = self
            .objects
            .lock()
            .unwrap()
            .get(&(bucket.to_owned(), key.to_owned()))
            .cloned();
        found.ok_or_else(|| ApiError::new(404, "NoSuchKey", "The specified key does not exist."))
    }
}

/// There are none: what takes messages from queues is tested over the real ones.
#[async_trait]
impl QueueSource for Recorder {
    fn queue(&self, _arn: &str) -> Option<QueueFacts> {
        None
    }

    async fn receive(&self, arn: &str, _: usize, _: std::time::Duration) -> Result<Vec<QueuedMessage>, ApiError> {
        Err(ApiError::new(400, "QueueDoesNotExist", arn))
    }

    fn delete(&self, _arn: &str, _receipts: &[String]) {}
}

impl Recorder {
    /// The sum of a metric's values; `dimensions` as `Name=value` joined by commas.
    pub fn sum(&self, metric: &str, dimensions: &str) -> f64 {
        self.values(metric, dimensions).iter().sum()
    }

    pub fn values(&self, metric: &str, dimensions: &str) -> Vec<f64> {
        observations::values(&self.observations, metric, dimensions)
    }

    pub fn log(&self, group: &str) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .filter(|(of, _)| of == group)
            .map(|(_, line)| line.clone())
            .collect()
    }
}

pub struct World {
    pub lambda: Lambda,
    pub recorder: Arc<Recorder>,
    pub folder: tempfile::TempDir,
    pub settings: Settings,
}

impl World {
    pub fn new() -> Self {
        Self::with(Settings {
            seed: Some(7),
            ..Settings::default()
        })
    }

    pub fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Arc::new(Recorder::default());
        let lambda = open(&folder, &recorder, settings);
        Self {
            lambda,
            recorder,
            folder,
            settings,
        }
    }

    pub fn context(&self) -> Context {
        context(&self.folder)
    }

    /// The same cloud after a restart.
    pub fn reopen(&mut self) {
        self.lambda = open(&self.folder, &self.recorder, self.settings);
    }

    pub async fn call(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        Ok(self.call_with(operation, input, Bytes::new()).await?.output)
    }

    pub async fn call_with(&self, operation: &str, input: Value, body: Bytes) -> Result<Response, ApiError> {
        self.lambda.call(request(operation, input, body)).await
    }

    pub async fn create(&self, name: &str, runtime: &str, files: &[(&str, &str)], more: Value) -> Value {
        let handler = if runtime.starts_with("provided") {
            "bootstrap"
        } else {
            "index.handler"
        };
        let mut input = json!({
            "FunctionName": name,
            "Runtime": runtime,
            "Handler": handler,
            "Role": ROLE,
            "Code": {"ZipFile": archive(files)},
        });
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().cloned().unwrap_or_default());
        self.call("CreateFunction", input).await.unwrap()
    }

    /// The answer, the function error and the version that ran.
    pub async fn invoke(&self, function: &str, payload: Value) -> (Value, Option<String>, String) {
        let body = Bytes::from(payload.to_string());
        let response = self
            .call_with("Invoke", json!({"FunctionName": function}), body)
            .await
            .unwrap();
        let error = response.output["FunctionError"].as_str().map(str::to_owned);
        let version = response.output["ExecutedVersion"].as_str().unwrap().to_owned();
        (serde_json::from_slice(&response.body).unwrap(), error, version)
    }
}

pub fn request(operation: &str, input: Value, body: Bytes) -> Request {
    Request {
        operation: operation.to_owned(),
        input,
        body,
        region: "eu-west-1".to_owned(),
    }
}

fn context(folder: &tempfile::TempDir) -> Context {
    Context {
        store: Store::open(folder.path().join("state")).unwrap(),
        folder: folder.path().to_owned(),
        endpoint: "http://127.0.0.1:4566".to_owned(),
        region: "eu-west-1".to_owned(),
        clock: Arc::new(Noon),
    }
}

fn open(folder: &tempfile::TempDir, recorder: &Arc<Recorder>, settings: Settings) -> Lambda {
    let ports = Ports {
        metrics: Arc::clone(recorder) as _,
        logs: Arc::clone(recorder) as _,
        objects: Arc::clone(recorder) as _,
        queues: Arc::clone(recorder) as _,
    };
    Lambda::open(context(folder), ports, settings).unwrap()
}

/// A zip in base64.
pub fn archive(files: &[(&str, &str)]) -> String {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    STANDARD.encode(writer.finish().unwrap().into_inner())
}
