//! The Lambda runtime API as one function process sees it: HTTP on a port of its own on 127.0.0.1.
//!
//! AWS Lambda Developer Guide, "Using the Lambda runtime API". A worker puts events in and takes reports out; it alone
//! decides what they mean.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// Lambda quotas: 6 MB for a synchronous answer; what is above is the worker's to refuse, so some room is left.
const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// One invocation on its way into the process.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub request_id: String,
    pub payload: Bytes,
    /// Epoch milliseconds.
    pub deadline: i64,
    pub function_arn: String,
    pub trace_id: String,
}

/// What the process said.
#[derive(Debug)]
pub(crate) enum Report {
    /// It asked for its next event.
    Ready,
    Answer {
        request_id: String,
        payload: Bytes,
    },
    Error {
        request_id: String,
        payload: Bytes,
    },
    InitError {
        payload: Bytes,
    },
}

pub(crate) struct RuntimeApi {
    pub address: SocketAddr,
    pub events: mpsc::UnboundedSender<Event>,
    pub reports: mpsc::UnboundedReceiver<Report>,
    /// Dropping it closes every connection, which a runtime client takes as its end.
    _server: JoinSet<()>,
}

struct Desk {
    events: Mutex<mpsc::UnboundedReceiver<Event>>,
    reports: mpsc::UnboundedSender<Report>,
}

impl RuntimeApi {
    pub async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (events, events_receiver) = mpsc::unbounded_channel();
        let (reports_sender, reports) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            events: Mutex::new(events_receiver),
            reports: reports_sender,
        });
        let mut server = JoinSet::new();
        server.spawn(accept(listener, desk));
        Ok(Self {
            address,
            events,
            reports,
            _server: server,
        })
    }
}

async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        // Small answers would wait for the other side's acknowledgement otherwise; failing to set it costs only time.
        let _ = stream.set_nodelay(true);
        while connections.try_join_next().is_some() {}
        let desk = Arc::clone(&desk);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let desk = Arc::clone(&desk);
                async move { Ok::<_, Infallible>(desk.answer(request).await) }
            });
            // A broken connection is the process's matter: the worker sees it exit or time out.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let Some(resource) = path.strip_prefix("/2018-06-01/runtime/") else {
            return status(StatusCode::NOT_FOUND);
        };
        if parts.method == Method::GET {
            return if resource == "invocation/next" {
                self.next().await
            } else {
                status(StatusCode::NOT_FOUND)
            };
        }
        let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
            return status(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let payload = body.to_bytes();
        let report = match resource.split('/').collect::<Vec<_>>().as_slice() {
            ["invocation", request_id, "response"] => Report::Answer {
                request_id: (*request_id).to_owned(),
                payload,
            },
            ["invocation", request_id, "error"] => Report::Error {
                request_id: (*request_id).to_owned(),
                payload,
            },
            ["init", "error"] => Report::InitError { payload },
            _ => return status(StatusCode::NOT_FOUND),
        };
        self.report(report)
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let mut events = self.events.lock().await;
        if self.reports.send(Report::Ready).is_err() {
            return status(StatusCode::GONE);
        }
        let Some(event) = events.recv().await else {
            return status(StatusCode::GONE);
        };
        let answer = Response::builder()
            .header("Content-Type", "application/json")
            .header("Lambda-Runtime-Aws-Request-Id", event.request_id)
            .header("Lambda-Runtime-Deadline-Ms", event.deadline)
            .header("Lambda-Runtime-Invoked-Function-Arn", event.function_arn)
            .header("Lambda-Runtime-Trace-Id", event.trace_id)
            .body(Full::new(event.payload));
        answer.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
    }

    fn report(&self, report: Report) -> Response<Full<Bytes>> {
        match self.reports.send(report) {
            Ok(()) => status(StatusCode::ACCEPTED),
            Err(_) => status(StatusCode::GONE),
        }
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(br#"{"status":"OK"}"#)));
    *response.status_mut() = status;
    response
}
