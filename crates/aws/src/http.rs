//! The one HTTP connector of this crate: the SDK's clients, smoke checks, probes and the ledger all connect through it,
//! so that the binary carries one TLS stack (rustls over ring) and one connection pool a use.
//!
//! It follows no redirect and keeps no cookie: a smoke check judges what the API itself answers.

use std::time::Duration;

use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::{Bytes, BytesMut};

use crate::failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why no answer came.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum HttpFailure {
    #[error("no answer within {} ms", limit.as_millis())]
    TimedOut { limit: Duration },
    #[error("no connection could be made: {cause}")]
    Unreachable { cause: String },
    #[error("the connection broke: {cause}")]
    Broken { cause: String },
    #[error("the request cannot be sent: {cause}")]
    Malformed { cause: String },
}

#[derive(Clone, Debug)]
pub(crate) struct Http {
    connector: SharedHttpConnector,
}

impl Http {
    pub(crate) fn new() -> Self {
        let connector = Connector::builder()
            .connector_settings(
                HttpConnectorSettings::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .build(),
            )
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        Self {
            connector: SharedHttpConnector::new(connector),
        }
    }

    /// Sends one request, never a second time, and reads the answer's first `body_limit` bytes. `timeout` covers all
    /// of it, from the connection to the last byte.
    pub(crate) async fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
        body_limit: usize,
    ) -> Result<http::Response<Bytes>, HttpFailure> {
        match tokio::time::timeout(timeout, self.exchange(request, body_limit)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HttpFailure::TimedOut { limit: timeout }),
        }
    }

    async fn exchange(
        &self,
        request: http::Request<Bytes>,
        body_limit: usize,
    ) -> Result<http::Response<Bytes>, HttpFailure> {
        let request = HttpRequest::try_from(request.map(SdkBody::from)).map_err(|error| HttpFailure::Malformed {
            cause: failure::chain(&error),
        })?;
        let answer = self.connector.call(request).await.map_err(|error| {
            let cause = failure::chain(&error);
            if failure::never_connected(&error) {
                HttpFailure::Unreachable { cause }
            } else {
                HttpFailure::Broken { cause }
            }
        })?;
        let answer = answer.try_into_http1x().map_err(|error| HttpFailure::Broken {
            cause: failure::chain(&error),
        })?;
        let (head, body) = answer.into_parts();
        let mut stream = ByteStream::new(body);
        let mut read = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| HttpFailure::Broken {
                cause: failure::chain(&error),
            })?;
            let room = body_limit - read.len();
            read.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if read.len() == body_limit {
                break;
            }
        }
        Ok(http::Response::from_parts(head, read.freeze()))
    }
}

/// The HTTP client that the SDK's clients are built on.
pub(crate) fn sdk_client() -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}
