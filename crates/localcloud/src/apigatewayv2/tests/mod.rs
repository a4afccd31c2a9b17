//! HTTP and WebSocket APIs over the real server, with functions that are closures.

mod http_apis;
mod websockets;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{ApiGatewayV2, Connections, Settings};
use crate::apigateway::{Functions, Ports};
use crate::server::{Router, serve};
use crate::service::ApiError;
use crate::sink::{FunctionInvoker, HttpFrontend, Invocation, MetricSink, Observation};
use crate::testing::{SetClock, call, context_at};

type Body = dyn Fn(&str, &Value) -> Result<Value, Value> + Send + Sync;

/// Functions that answer by a closure of name with qualifier and event: Ok is the answer, Err a function error.
struct Stubs {
    body: Box<Body>,
    /// The ARN on whose behalf a function was invoked.
    sources: Mutex<Vec<String>>,
    observations: Mutex<Vec<Observation>>,
}

#[async_trait]
impl FunctionInvoker for Stubs {
    async fn invoke(&self, function: &str, qualifier: Option<&str>, payload: Bytes) -> Result<Invocation, ApiError> {
        let event: Value = serde_json::from_slice(&payload).unwrap();
        let name = qualifier.map_or(function.to_owned(), |qualifier| format!("{function}:{qualifier}"));
        match function {
            "throttled" => return Err(ApiError::new(429, "TooManyRequestsException", "Rate Exceeded.")),
            "slow" => std::future::pending().await,
            _ => {}
        }
        let (payload, function_error) = match (self.body)(&name, &event) {
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
        self.sources.lock().unwrap().push(source_arn.to_owned());
        // The permission stands on the alias, not on the function.
        function != "closed" || qualifier == Some("live")
    }
}

impl MetricSink for Stubs {
    fn record(&self, observations: Vec<Observation>) {
        self.observations.lock().unwrap().extend(observations);
    }
}

struct World {
    gateway: ApiGatewayV2,
    connections: Connections,
    stubs: Arc<Stubs>,
    api: String,
    /// `127.0.0.1:PORT`
    address: String,
    _stop: watch::Sender<bool>,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(protocol: &str, body: impl Fn(&str, &Value) -> Result<Value, Value> + Send + Sync + 'static) -> Self {
        Self::with(protocol, Settings::default(), body).await
    }

    async fn with(
        protocol: &str,
        settings: Settings,
        body: impl Fn(&str, &Value) -> Result<Value, Value> + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stubs = Arc::new(Stubs {
            body: Box::new(body),
            sources: Mutex::default(),
            observations: Mutex::default(),
        });
        let ports = Ports {
            metrics: Arc::clone(&stubs) as _,
            functions: Arc::clone(&stubs) as _,
        };
        let settings = Settings {
            seed: Some(7),
            ..settings
        };
        let gateway = ApiGatewayV2::open(context_at(folder.path(), SetClock::new()), ports, settings).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new("us-east-1", "")
            .with_frontend(Arc::new(gateway.clone()))
            .with_service(Arc::new(Connections::new(gateway.clone())));
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve(listener, Arc::new(router), stopped));
        let made =
            json!({"Name": "shop", "ProtocolType": protocol, "RouteSelectionExpression": "$request.body.action"});
        let made = call(&gateway, "CreateApi", made).await.unwrap();
        Self {
            connections: Connections::new(gateway.clone()),
            gateway,
            stubs,
            api: made["ApiId"].as_str().unwrap().to_owned(),
            address,
            _stop: stop,
            folder,
        }
    }

    /// Calls an operation for the world's API.
    async fn call(&self, operation: &str, mut input: Value) -> Result<Value, ApiError> {
        input["ApiId"] = json!(self.api);
        call(&self.gateway, operation, input).await
    }

    /// A route in front of a function.
    async fn route(&self, key: &str, function: &str, more: Value) -> String {
        let mut integration = json!({
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": format!("arn:aws:lambda:us-east-1:000000000000:function:{function}"),
            "PayloadFormatVersion": "2.0",
        });
        let mut route = json!({"RouteKey": key});
        for (name, value) in more.as_object().unwrap() {
            let of_route = name.starts_with("Route") || name.starts_with("Authoriz");
            let part = if of_route { &mut route } else { &mut integration };
            part[name] = value.clone();
        }
        let integration = self.call("CreateIntegration", integration).await.unwrap();
        route["Target"] = json!(format!(
            "integrations/{}",
            integration["IntegrationId"].as_str().unwrap()
        ));
        let route = self.call("CreateRoute", route).await.unwrap();
        route["RouteId"].as_str().unwrap().to_owned()
    }

    async fn stage(&self, name: &str) {
        self.call("CreateStage", json!({"StageName": name, "AutoDeploy": true}))
            .await
            .unwrap();
    }

    async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.gateway.serve(request, &self.api, "", "").await
    }

    /// Status and body of a plain request; `path` follows the API's id.
    async fn get(&self, verb: &str, path: &str) -> (u16, String) {
        let uri = format!("/_aws/execute-api/{}{path}", self.api);
        let response = self
            .send(Request::builder().method(verb).uri(uri).body(Bytes::new()).unwrap())
            .await;
        (
            response.status().as_u16(),
            String::from_utf8(response.body().to_vec()).unwrap(),
        )
    }

    /// The sum of a metric of a stage.
    fn sum(&self, metric: &str, stage: &str) -> f64 {
        let dimensions = [
            ("ApiId".to_owned(), self.api.clone()),
            ("Stage".to_owned(), stage.to_owned()),
        ];
        let observations = self.stubs.observations.lock().unwrap();
        let wanted = |one: &&Observation| one.metric_name == metric && one.dimensions == dimensions;
        observations.iter().filter(wanted).map(|one| one.value).sum()
    }
}
