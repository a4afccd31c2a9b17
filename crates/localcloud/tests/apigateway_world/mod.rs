//! An API Gateway on its own, with functions that are Rust closures.

#![allow(dead_code, reason = "each test file uses its own part of the world")]
#![allow(clippy::unwrap_used, reason = "tests and what they call")]

#[path = "../observations/mod.rs"]
mod observations;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use localcloud::apigateway::{ApiGateway, Functions, Ports, Settings};
use localcloud::context::{Clock, Context};
use localcloud::service::{ApiError, Request as Call, Service};
use localcloud::sink::{FunctionInvoker, HttpFrontend, Invocation, MetricSink, Observation};
use localcloud::store::Store;
use serde_json::{Value, json};

/// A clock that moves when it is told to. Milliseconds of the epoch.
pub struct Hand(pub AtomicI64);

impl Clock for Hand {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

type Body = dyn Fn(&str, Option<&str>, &Value) -> Result<Value, Value> + Send + Sync;
/// Function with qualifier, and the ARN on whose behalf it is invoked.
type Permission = dyn Fn(&str, &str) -> bool + Send + Sync;

/// Functions that answer by a closure: Ok is the answer, Err a function error.
pub struct Stubs {
    pub body: Box<Body>,
    /// Function with qualifier, and the event.
    pub calls: Mutex<Vec<(String, Value)>>,
    pub permitted: Box<Permission>,
    pub observations: Mutex<Vec<Observation>>,
}

#[async_trait]
impl FunctionInvoker for Stubs {
    async fn invoke(&self, function: &str, qualifier: Option<&str>, payload: Bytes) -> Result<Invocation, ApiError> {
        let event: Value = serde_json::from_slice(&payload).unwrap();
        if function == "gone" {
            return Err(ApiError::new(404, "ResourceNotFoundException", "Function not found"));
        }
        if function == "slow" {
            std::future::pending::<()>().await;
        }
        let name = qualifier.map_or(function.to_owned(), |qualifier| format!("{function}:{qualifier}"));
        self.calls.lock().unwrap().push((name, event.clone()));
        let (payload, function_error) = match (self.body)(function, qualifier, &event) {
            Ok(answer) => (answer, None),
            Err(error) => (error, Some("Unhandled".to_owned())),
        };
        Ok(Invocation {
            payload: payload.to_string().into(),
            function_error,
            executed_version: "1".to_owned(),
        })
    }
}

impl Functions for Stubs {
    fn permits(&self, function: &str, qualifier: Option<&str>, service: &str, source_arn: &str) -> bool {
        assert_eq!(service, "apigateway.amazonaws.com");
        let name = qualifier.map_or(function.to_owned(), |qualifier| format!("{function}:{qualifier}"));
        (self.permitted)(&name, source_arn)
    }
}

impl MetricSink for Stubs {
    fn record(&self, observations: Vec<Observation>) {
        self.observations.lock().unwrap().extend(observations);
    }
}

pub struct World {
    pub gateway: ApiGateway,
    pub stubs: Arc<Stubs>,
    pub clock: Arc<Hand>,
    pub folder: tempfile::TempDir,
    pub api: String,
    pub root: String,
}

/// Answers 200 with the qualifier that ran.
pub fn colour(_: &str, qualifier: Option<&str>, _: &Value) -> Result<Value, Value> {
    Ok(json!({"statusCode": 200, "body": qualifier}))
}

impl World {
    pub async fn new(
        body: impl Fn(&str, Option<&str>, &Value) -> Result<Value, Value> + Send + Sync + 'static,
    ) -> Self {
        Self::with(body, |_, _| true).await
    }

    pub async fn with(
        body: impl Fn(&str, Option<&str>, &Value) -> Result<Value, Value> + Send + Sync + 'static,
        permitted: impl Fn(&str, &str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stubs = Arc::new(Stubs {
            body: Box::new(body),
            calls: Mutex::default(),
            permitted: Box::new(permitted),
            observations: Mutex::default(),
        });
        let clock = Arc::new(Hand(AtomicI64::new(1_795_348_800_000)));
        let gateway = open(&folder, &stubs, &clock);
        let mut world = Self {
            gateway,
            stubs,
            clock,
            folder,
            api: String::new(),
            root: String::new(),
        };
        let api = world.call("CreateRestApi", json!({"name": "shop"})).await.unwrap();
        world.api = api["id"].as_str().unwrap().to_owned();
        world.root = api["rootResourceId"].as_str().unwrap().to_owned();
        world
    }

    /// The same cloud after a restart.
    pub fn reopen(&mut self) {
        self.gateway = open(&self.folder, &self.stubs, &self.clock);
    }

    /// Calls an operation, by default for the world's API.
    pub async fn call(&self, operation: &str, mut input: Value) -> Result<Value, ApiError> {
        if input.get("restApiId").is_none() && !self.api.is_empty() {
            input["restApiId"] = json!(self.api);
        }
        let call = Call {
            operation: operation.to_owned(),
            input,
            body: Bytes::new(),
            region: "eu-west-1".to_owned(),
        };
        Ok(self.gateway.call(call).await?.output)
    }

    /// The id of the resource at a path; what is missing of it is made.
    pub async fn resource(&self, path: &str) -> String {
        let mut parent = self.root.clone();
        let mut so_far = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            so_far = format!("{so_far}/{part}");
            let all = self.call("GetResources", json!({"limit": 500})).await.unwrap();
            let found = all["items"]
                .as_array()
                .unwrap()
                .iter()
                .find(|resource| resource["path"] == so_far.as_str())
                .cloned();
            let resource = match found {
                Some(resource) => resource,
                None => self
                    .call("CreateResource", json!({"parentId": parent, "pathPart": part}))
                    .await
                    .unwrap(),
            };
            parent = resource["id"].as_str().unwrap().to_owned();
        }
        parent
    }

    /// A method in front of an integration.
    pub async fn method(&self, verb: &str, path: &str, method: Value, integration: Value) {
        let of = json!({"resourceId": self.resource(path).await, "httpMethod": verb});
        let with = |more: Value| {
            let mut input = of.clone();
            input
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().cloned().unwrap());
            input
        };
        let mut method = method;
        if method.get("authorizationType").is_none() {
            method["authorizationType"] = json!("NONE");
        }
        self.call("PutMethod", with(method)).await.unwrap();
        self.call("PutIntegration", with(integration)).await.unwrap();
    }

    /// A method in front of a function.
    pub async fn function(&self, verb: &str, path: &str, function: &str) {
        self.method(verb, path, json!({}), proxy(function)).await;
    }

    pub async fn deploy(&self, more: Value) -> String {
        let deployment = self.call("CreateDeployment", more).await.unwrap();
        deployment["id"].as_str().unwrap().to_owned()
    }

    pub async fn patch(&self, stage: &str, operations: Value) -> Result<Value, ApiError> {
        self.call(
            "UpdateStage",
            json!({"stageName": stage, "patchOperations": operations}),
        )
        .await
    }

    pub async fn send(&self, stage: &str, request: Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().to_owned();
        self.gateway.serve(request, &self.api, stage, &path).await
    }

    /// Status and body of a plain GET.
    pub async fn get(&self, stage: &str, path: &str) -> (u16, String) {
        let response = self
            .send(stage, Request::builder().uri(path).body(Bytes::new()).unwrap())
            .await;
        (
            response.status().as_u16(),
            String::from_utf8(response.body().to_vec()).unwrap(),
        )
    }

    /// The values of a metric; `dimensions` as `Name=value` joined by commas.
    pub fn values(&self, metric: &str, dimensions: &str) -> Vec<f64> {
        observations::values(&self.stubs.observations, metric, dimensions)
    }
}

fn open(folder: &tempfile::TempDir, stubs: &Arc<Stubs>, clock: &Arc<Hand>) -> ApiGateway {
    let context = Context {
        store: Store::open(folder.path().join("state")).unwrap(),
        folder: folder.path().to_owned(),
        endpoint: "http://127.0.0.1:4566".to_owned(),
        region: "eu-west-1".to_owned(),
        clock: Arc::clone(clock) as _,
    };
    let ports = Ports {
        metrics: Arc::clone(stubs) as _,
        functions: Arc::clone(stubs) as _,
    };
    ApiGateway::open(context, ports, Settings { seed: Some(11) }).unwrap()
}

/// `function` may hold stage variables.
pub fn function_uri(function: &str) -> String {
    format!(
        "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:000000000000:function:{function}/invocations"
    )
}

pub fn proxy(function: &str) -> Value {
    json!({"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": function_uri(function)})
}
