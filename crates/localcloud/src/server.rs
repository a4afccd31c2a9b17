//! The HTTP server: one listener on loopback, every service behind it.
//!
//! It decides between plain HTTP for a deployed API, the cloud's own paths, and calls of services; the codec does the
//! rest. A service's call runs in a task of its own, so that a client that hangs up cancels nothing half done.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::codec::{self, Refusal};
use crate::identity;
use crate::percent::percent_decoded;
use crate::service::{ApiError, Service};
use crate::sink::{CallbackReceiver, FiresNow, HttpFrontend};

/// Above the largest code archive and far above any template; a bound, so that no client fills the memory.
const BODY_LIMIT: usize = 1024 * 1024 * 1024;

/// How long open connections may finish after the stop.
const DRAIN: Duration = Duration::from_secs(3);

const HEALTH_PATH: &str = "/_aws/local/health";
/// Behind it the name of a rule or schedule that fires now.
const FIRE_PREFIX: &str = "/_aws/local/fire/";
const API_PREFIX: &str = "/_aws/execute-api/";
const CONNECTIONS_PREFIX: &str = "/@connections/";

/// Who answers what.
pub struct Router {
    region: String,
    folder: String,
    services: BTreeMap<&'static str, Arc<dyn Service>>,
    frontends: Vec<Arc<dyn HttpFrontend>>,
    callbacks: Option<Arc<dyn CallbackReceiver>>,
    schedules: Option<Arc<dyn FiresNow>>,
}

impl Router {
    /// `region` is meant by requests that name none; `folder` is told by the health page.
    pub fn new(region: impl Into<String>, folder: impl Into<String>) -> Self {
        Self {
            region: region.into(),
            folder: folder.into(),
            services: BTreeMap::new(),
            frontends: Vec::new(),
            callbacks: None,
            schedules: None,
        }
    }

    #[must_use]
    pub fn with_service(mut self, service: Arc<dyn Service>) -> Self {
        self.services.insert(service.model(), service);
        self
    }

    /// The first one answers for APIs that nobody knows.
    #[must_use]
    pub fn with_frontend(mut self, frontend: Arc<dyn HttpFrontend>) -> Self {
        self.frontends.push(frontend);
        self
    }

    #[must_use]
    pub fn with_callbacks(mut self, callbacks: Arc<dyn CallbackReceiver>) -> Self {
        self.callbacks = Some(callbacks);
        self
    }

    #[must_use]
    pub fn with_schedules(mut self, schedules: Arc<dyn FiresNow>) -> Self {
        self.schedules = Some(schedules);
        self
    }

    pub async fn answer(&self, mut request: Request<Bytes>) -> Response<Bytes> {
        if request.uri().path() == HEALTH_PATH {
            return self.health();
        }
        let mut deployed = deployed_api(&request);
        if let Some((_, _, path)) = deployed.take_if(|(_, _, path)| path.starts_with(CONNECTIONS_PREFIX))
            && let Ok(uri) = path.parse()
        {
            // The management API of WebSocket connections lies below the stage that they came to.
            *request.uri_mut() = uri;
        }
        if let Some((api, stage, path)) = deployed {
            let own = self.frontends.iter().find(|frontend| frontend.serves(&api));
            return match own.or(self.frontends.first()) {
                Some(frontend) => frontend.serve(request, &api, &stage, &path).await,
                None => plain(StatusCode::NOT_FOUND, json!({"message": "Not Found"})),
            };
        }
        if is_foreign_page(request.headers(), request.uri().query().unwrap_or_default()) {
            let message = "The embedded cloud takes no calls from web pages of other sites.";
            return plain(StatusCode::FORBIDDEN, json!({"message": message}));
        }
        if let Some(waited) = self.called_back(&request) {
            return match waited {
                true => plain(StatusCode::OK, json!({})),
                false => plain(
                    StatusCode::NOT_FOUND,
                    json!({"message": "Nobody waits for this answer (any more)."}),
                ),
            };
        }
        if let (&http::Method::POST, Some(name), Some(schedules)) = (
            request.method(),
            request.uri().path().strip_prefix(FIRE_PREFIX),
            &self.schedules,
        ) {
            return match schedules.fire_now(&percent_decoded(name)).await {
                Some(invocations) => plain(StatusCode::OK, json!({"invocations": invocations})),
                None => plain(
                    StatusCode::NOT_FOUND,
                    json!({"message": "There is no rule and no schedule of this name."}),
                ),
            };
        }
        self.call(request).await
    }

    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let request_id = identity::uuid();
        let (parts, body) = request.into_parts();
        let call = match codec::decode(parts, body, &self.region) {
            Ok(call) => call,
            Err(Refusal { model, protocol, error }) => {
                tracing::debug!(service = model.map(|model| model.name), %error, "refused");
                return codec::encode_failure(model, protocol, &error, &request_id);
            }
        };
        let name = call.model.name;
        let Some(service) = self.services.get(name).cloned() else {
            let error = ApiError::new(
                501,
                "NotImplemented",
                format!("The embedded cloud does not run {name}."),
            );
            return codec::encode_failure(Some(call.model), call.protocol, &error, &request_id);
        };
        let (request, operation) = (call.request.clone(), call.request.operation.clone());
        let result = tokio::spawn(async move { service.call(request).await })
            .await
            .unwrap_or_else(|panic| {
                tracing::error!(service = name, operation, %panic, "a handler panicked");
                Err(ApiError::new(
                    500,
                    "InternalFailure",
                    format!("{name} {operation} panicked: this is a bug of the embedded cloud."),
                ))
            });
        match result {
            Ok(answer) => {
                tracing::debug!(service = name, operation, "answered");
                codec::encode(&call, answer, &request_id)
            }
            Err(error) => {
                tracing::debug!(service = name, operation, %error, "failed");
                codec::encode_failure(Some(call.model), call.protocol, &error, &request_id)
            }
        }
    }

    fn called_back(&self, request: &Request<Bytes>) -> Option<bool> {
        if request.method() != http::Method::PUT {
            return None;
        }
        let callbacks = self.callbacks.as_ref()?;
        callbacks.receive(request.uri().path(), request.body().clone())
    }

    fn health(&self) -> Response<Bytes> {
        let services: Vec<&str> = self.services.keys().copied().collect();
        plain(
            StatusCode::OK,
            json!({
                "status": "running",
                "version": env!("CARGO_PKG_VERSION"),
                "pid": std::process::id(),
                "folder": self.folder,
                "region": self.region,
                "services": services,
            }),
        )
    }

    /// Tells every service that the cloud ends: processes end, what is open is saved.
    pub async fn stop(&self) {
        for service in self.services.values() {
            service.stop().await;
        }
    }
}

/// Whether a browser sends this for a page that is not of this machine. Nothing on loopback asks for a password, and a
/// call may start processes: any web page that its user opens could make it otherwise.
fn is_foreign_page(headers: &HeaderMap, query: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // A link to an object in S3 may be followed; one that names an action may not.
    let is_link = text("sec-fetch-mode") == Some("navigate") && !query.contains("Action=");
    if text("sec-fetch-site") == Some("cross-site") && !is_link {
        return true;
    }
    let Some(origin) = text("origin") else { return false };
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    !(name == "127.0.0.1" || name == "localhost" || name == "[::1]" || name.ends_with(".localhost"))
}

fn plain(status: StatusCode, body: serde_json::Value) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .expect("a status and a constant header are well-formed")
}

/// API, stage and path of a request that is plain HTTP for a deployed API, by path or by host.
fn deployed_api(request: &Request<Bytes>) -> Option<(String, String, String)> {
    let path = request.uri().path();
    let split = |rest: &str| {
        let (first, after) = rest.split_once('/').unwrap_or((rest, ""));
        (first.to_owned(), format!("/{after}"))
    };
    if let Some(rest) = path.strip_prefix(API_PREFIX) {
        let (api, rest) = split(rest);
        let (stage, path) = split(&rest[1..]);
        return Some((api, stage, path));
    }
    let host = request
        .headers()
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok());
    let (api, _) = host.or_else(|| request.uri().host())?.split_once(".execute-api.")?;
    let (stage, path) = split(path.strip_prefix('/')?);
    Some((api.to_owned(), stage, path))
}

/// Serves until `stop` says so, then lets open requests finish for a moment.
pub async fn serve(listener: TcpListener, router: Arc<Router>, mut stop: watch::Receiver<bool>) {
    // Every connection holds a copy: when the last one goes, all are served.
    let (open, mut all_served) = mpsc::channel::<()>(1);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Too many open files and the like pass; the next accept would fail at once again.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = stopped(&mut stop) => break,
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "nodelay");
        }
        let router = router.clone();
        let handler = service_fn(move |request: Request<Incoming>| {
            let router = router.clone();
            async move { Ok::<_, Infallible>(receive(&router, request).await.map(Full::new)) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), handler)
            .with_upgrades();
        let (mut stop, open) = (stop.clone(), open.clone());
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = stopped(&mut stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a connection ended");
            }
            drop(open);
        });
    }
    drop((listener, open));
    if tokio::time::timeout(DRAIN, all_served.recv()).await.is_err() {
        tracing::debug!("connections were still open at the end");
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left who could say stop; then it is time, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn receive(router: &Router, request: Request<Incoming>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => router.answer(Request::from_parts(parts, body.to_bytes())).await,
        Err(error) => plain(
            StatusCode::BAD_REQUEST,
            json!({"message": format!("the request's body cannot be read: {error}")}),
        ),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn web_pages_of_other_sites_are_told_apart() {
        let is_foreign = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_foreign_page(&pairs.collect(), "X-Amz-Signature=0")
        };
        assert!(!is_foreign(&[("user-agent", "aws-cli/2")]));
        assert!(!is_foreign(&[("origin", "http://localhost:3000")]));
        assert!(
            !is_foreign(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]),
            "a presigned link"
        );
        assert!(is_foreign(&[("origin", "https://example.com")]));
        assert!(is_foreign(&[("origin", "null")]), "a sandboxed page");
        assert!(is_foreign(&[("origin", "http://127.0.0.1.example.com")]));
        assert!(is_foreign(&[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "no-cors")
        ]));
    }

    #[test]
    fn a_deployed_api_is_found_by_path_and_by_host() {
        let by_path = Request::get("http://127.0.0.1:1/_aws/execute-api/ab12/prod/a/b%2Fc?x=1")
            .body(Bytes::new())
            .unwrap();
        let expected = ("ab12".to_owned(), "prod".to_owned(), "/a/b%2Fc".to_owned());
        assert_eq!(deployed_api(&by_path), Some(expected.clone()));
        let by_host = Request::get("/prod/a/b%2Fc").header("host", "ab12.execute-api.us-east-1.localhost:4566");
        assert_eq!(deployed_api(&by_host.body(Bytes::new()).unwrap()), Some(expected));
        assert_eq!(
            deployed_api(&Request::get("/bucket/key").body(Bytes::new()).unwrap()),
            None
        );
    }
}
