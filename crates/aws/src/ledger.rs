//! The ledger in S3: an object store with create-if-absent and compare-and-swap, over our own connector and the same
//! credentials as everything else.
//!
//! `object_store` signs and retries by itself; its own HTTP client and credential chain are left out, because they
//! would bring a second TLS stack and know neither profiles nor SSO. A ledger in a local folder is the command line's.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use object_store::aws::{AmazonS3Builder, AwsCredential, S3ConditionalPut};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, CredentialProvider, ObjectStore};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::connection::Aws;
use crate::http::{Http, HttpFailure};

/// A record is a few kilobytes, a report below a megabyte.
const OBJECT_LIMIT: usize = 64 * 1024 * 1024;
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The SDK's chain does not cache by itself, and every kind of credentials it gives is good for longer than this.
const CREDENTIALS_AGE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("a ledger in AWS is written s3://BUCKET/PREFIX, not {url}")]
    NotS3 { url: String },
    #[error("the ledger {url} cannot be used: {cause}")]
    Unusable { url: String, cause: object_store::Error },
}

impl Aws {
    /// The store behind `s3://bucket/prefix`; the bucket is in the connection's region. Nothing is called yet.
    pub fn ledger(&self, url: &str) -> Result<Arc<dyn ObjectStore>, LedgerError> {
        let (bucket, prefix) = parse(url).ok_or_else(|| LedgerError::NotS3 { url: url.to_owned() })?;
        let credentials = LedgerCredentials {
            chain: self.credentials(),
            cached: Mutex::new(None),
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(self.region())
            .with_credentials(Arc::new(credentials))
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_http_connector(Connector {
                http: self.http().clone(),
            });
        if let Some(endpoint) = self.endpoint_url() {
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(true)
                .with_virtual_hosted_style_request(false);
        }
        let store = builder.build().map_err(|cause| LedgerError::Unusable {
            url: url.to_owned(),
            cause,
        })?;
        Ok(if prefix.is_empty() {
            Arc::new(store)
        } else {
            Arc::new(PrefixStore::new(store, prefix))
        })
    }
}

fn parse(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    (!bucket.is_empty()).then_some((bucket, prefix.trim_matches('/')))
}

#[derive(Debug)]
struct LedgerCredentials {
    chain: Option<SharedCredentialsProvider>,
    cached: Mutex<Option<(Instant, Arc<AwsCredential>)>>,
}

#[async_trait]
impl CredentialProvider for LedgerCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut cached = self.cached.lock().await;
        if let Some((read_at, credential)) = cached.as_ref()
            && read_at.elapsed() < CREDENTIALS_AGE
        {
            return Ok(Arc::clone(credential));
        }
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic { store: "S3", source };
        let chain = self
            .chain
            .as_ref()
            .ok_or_else(|| failed("there are no credentials".into()))?;
        let keys = chain
            .provide_credentials()
            .await
            .map_err(|error| failed(error.into()))?;
        let credential = Arc::new(AwsCredential {
            key_id: keys.access_key_id().to_owned(),
            secret_key: keys.secret_access_key().to_owned(),
            token: keys.session_token().map(str::to_owned),
        });
        *cached = Some((Instant::now(), Arc::clone(&credential)));
        Ok(credential)
    }
}

#[derive(Debug)]
struct Connector {
    http: Http,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service {
            http: self.http.clone(),
        }))
    }
}

#[derive(Debug)]
struct Service {
    http: Http,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let body: Bytes = body.collect().await?.to_bytes();
        let answer = self
            .http
            .send(http::Request::from_parts(head, body), CALL_TIMEOUT, OBJECT_LIMIT)
            .await
            .map_err(|failure| HttpError::new(kind_of(&failure), failure))?;
        if answer.body().len() == OBJECT_LIMIT {
            let error = std::io::Error::other(format!("the object is larger than {OBJECT_LIMIT} bytes"));
            return Err(HttpError::new(HttpErrorKind::Unknown, error));
        }
        Ok(answer.map(HttpResponseBody::from))
    }
}

fn kind_of(failure: &HttpFailure) -> HttpErrorKind {
    match failure {
        HttpFailure::TimedOut { .. } => HttpErrorKind::Timeout,
        HttpFailure::Unreachable { .. } => HttpErrorKind::Connect,
        HttpFailure::Broken { .. } => HttpErrorKind::Interrupted,
        HttpFailure::Malformed { .. } => HttpErrorKind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledgers_address_is_a_bucket_and_a_prefix() {
        assert_eq!(parse("s3://bucket/a/b/"), Some(("bucket", "a/b")));
        assert_eq!(parse("s3://bucket"), Some(("bucket", "")));
        assert_eq!(parse("s3:///a"), None);
        assert_eq!(parse("/var/ledger"), None);
    }
}
