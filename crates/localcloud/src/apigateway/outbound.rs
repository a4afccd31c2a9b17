//! Calls to HTTP endpoints behind integrations of all kinds of APIs, each on a connection of its own.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    #[error("the embedded cloud calls HTTP endpoints by http:// only, not {uri}")]
    NotHttp { uri: Uri },
    #[error("{uri} cannot be called: {reason}")]
    Failed { uri: Uri, reason: String },
}

pub(crate) async fn send(mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, OutboundError> {
    let uri = request.uri().clone();
    let failed = |error: &dyn std::fmt::Display| OutboundError::Failed {
        uri: uri.clone(),
        reason: error.to_string(),
    };
    if uri.scheme_str() != Some("http") {
        return Err(OutboundError::NotHttp { uri });
    }
    let host = uri.host().unwrap_or_default();
    let stream = tokio::net::TcpStream::connect((host.trim_matches(['[', ']']), uri.port_u16().unwrap_or(80)))
        .await
        .map_err(|error| failed(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    let connection = tokio::spawn(connection);
    if let Some(authority) = uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(http::header::HOST, host);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|error| failed(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
    let (mut parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| failed(&error))?.to_bytes();
    connection.abort();
    for name in ["connection", "content-length", "transfer-encoding", "keep-alive"] {
        parts.headers.remove(name);
    }
    Ok(Response::from_parts(parts, body))
}
