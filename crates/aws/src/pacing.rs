//! Keeps calls below the services' rate limits: one token bucket a service, paid for each attempt, retries included.
//!
//! It sits below the SDK's retries, as the HTTP client of every service, because a limit counts what reaches the
//! service. It does not know operations; a limit of one operation (`CreateDeployment`, one in five seconds) is left to
//! the retries. Called by `connection` alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::time::Instant;

/// A sustained rate in requests a second, and how many may go at once after a pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub per_second: f64,
    pub burst: u32,
}

/// A token bucket in its time form: instead of counting tokens it remembers when the bucket will be full again.
#[derive(Debug)]
pub(crate) struct Bucket {
    interval: Duration,
    burst: Duration,
    full_at: Mutex<Option<Instant>>,
}

impl Bucket {
    pub(crate) fn new(rate: Rate) -> Self {
        let interval = Duration::from_secs_f64(1.0 / rate.per_second);
        Self {
            interval,
            burst: interval * rate.burst.saturating_sub(1),
            full_at: Mutex::new(None),
        }
    }

    /// Takes one token, and says how long to wait before using it.
    fn take(&self, now: Instant) -> Duration {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let start = full_at.unwrap_or(now).max(now);
        *full_at = Some(start + self.interval);
        (start - now).saturating_sub(self.burst)
    }
}

/// An HTTP client whose calls wait for their token first.
#[derive(Clone, Debug)]
pub(crate) struct Paced {
    client: SharedHttpClient,
    bucket: Arc<Bucket>,
}

impl Paced {
    pub(crate) fn new(client: SharedHttpClient, rate: Rate) -> Self {
        Self {
            client,
            bucket: Arc::new(Bucket::new(rate)),
        }
    }
}

impl HttpClient for Paced {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(PacedConnector {
            connector,
            bucket: Arc::clone(&self.bucket),
        })
    }
}

#[derive(Debug)]
struct PacedConnector {
    connector: SharedHttpConnector,
    bucket: Arc<Bucket>,
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wait = self.bucket.take(Instant::now());
        if wait.is_zero() {
            return self.connector.call(request);
        }
        let connector = self.connector.clone();
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(wait).await;
            connector.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let bucket = Bucket::new(Rate {
            per_second: 10.0,
            burst: 3,
        });
        let now = Instant::now();
        let waits: Vec<u128> = (0..6).map(|_| bucket.take(now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
    }

    #[test]
    fn a_pause_fills_the_bucket_again_but_not_beyond_its_burst() {
        let bucket = Bucket::new(Rate {
            per_second: 10.0,
            burst: 2,
        });
        let now = Instant::now();
        for _ in 0..5 {
            bucket.take(now);
        }
        let later = now + Duration::from_secs(60);
        let waits: Vec<u128> = (0..4).map(|_| bucket.take(later).as_millis()).collect();
        assert_eq!(waits, [0, 0, 100, 200]);
    }
}
