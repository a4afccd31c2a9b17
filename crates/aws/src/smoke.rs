//! The configured smoke checks: one HTTP request each, and what the answer must be.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::SignedDuration;
use orchestrator::ports::{PortError, Smoke, SmokeCheckResult, SmokeTarget};
use tokio::time::Instant;

use crate::failure::Failure;
use crate::http::Http;
use crate::secrets::Secret;

/// What of an answer is read; a check looks for a text near its beginning.
const BODY_LIMIT: usize = 1024 * 1024;
/// What of an unexpected answer is shown.
const EXCERPT_LENGTH: usize = 200;

/// One check.
#[derive(Clone, Debug)]
pub struct SmokeCheck {
    /// Such as `GET /health`, or a name of the user's.
    pub name: String,
    /// `GET`, `POST`, …
    pub method: String,
    /// Below the stage's URL, beginning with `/`; may carry a query.
    pub path: String,
    /// Values may hold keys, so they are never shown.
    pub headers: BTreeMap<String, Secret>,
    pub body: Option<String>,
    pub expected_status: u16,
    /// A text that the answer's first MiB must contain.
    pub body_contains: Option<String>,
    /// For the whole exchange.
    pub timeout: Duration,
}

/// Runs the same checks against whichever slot it is given.
#[derive(Clone, Debug)]
pub struct HttpSmoke {
    checks: Vec<SmokeCheck>,
    http: Http,
}

impl HttpSmoke {
    pub fn new(checks: Vec<SmokeCheck>) -> Self {
        Self {
            checks,
            http: Http::new(),
        }
    }

    async fn check(&self, check: &SmokeCheck, base_url: &str) -> Result<SmokeCheckResult, Failure> {
        let request = request(check, base_url)?;
        let begun = Instant::now();
        let outcome = self.http.send(request, check.timeout, BODY_LIMIT).await;
        let duration = SignedDuration::try_from(begun.elapsed()).unwrap_or(SignedDuration::MAX);
        let (passed, detail) = match outcome {
            Ok(answer) => judge(check, answer.status().as_u16(), answer.body()),
            Err(failure) => (false, failure.to_string()),
        };
        Ok(SmokeCheckResult {
            name: check.name.clone(),
            passed,
            detail,
            duration,
        })
    }
}

#[async_trait]
impl Smoke for HttpSmoke {
    async fn run(&self, target: &SmokeTarget) -> Result<Vec<SmokeCheckResult>, PortError> {
        let mut results = Vec::with_capacity(self.checks.len());
        for check in &self.checks {
            results.push(self.check(check, &target.base_url).await?);
        }
        Ok(results)
    }
}

fn request(check: &SmokeCheck, base_url: &str) -> Result<http::Request<Bytes>, Failure> {
    let url = format!("{base_url}{}", check.path);
    let mut builder = http::Request::builder()
        .method(check.method.as_str())
        .uri(&url)
        .header("user-agent", "llama-deploy");
    for (name, value) in &check.headers {
        let mut value = http::HeaderValue::from_str(value.expose()).map_err(|_| {
            Failure::invalid(
                "smoke check",
                &check.name,
                format!("the value of its header {name} cannot be sent"),
            )
        })?;
        value.set_sensitive(true);
        builder = builder.header(name, value);
    }
    let body = check.body.clone().map_or_else(Bytes::new, Bytes::from);
    builder
        .body(body)
        .map_err(|error| Failure::invalid("smoke check", &check.name, format!("{error} ({url})")))
}

fn judge(check: &SmokeCheck, status: u16, body: &[u8]) -> (bool, String) {
    if status != check.expected_status {
        let detail = format!(
            "HTTP status {status} instead of {}: {}",
            check.expected_status,
            excerpt(body)
        );
        return (false, detail);
    }
    match &check.body_contains {
        Some(text) if !String::from_utf8_lossy(body).contains(text) => (
            false,
            format!("HTTP status {status}, but the answer lacks `{text}`: {}", excerpt(body)),
        ),
        _ => (true, format!("HTTP status {status}")),
    }
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(EXCERPT_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "no body".to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Stub;
    use orchestrator::domain::{RestApiId, Slot};

    fn check(path: &str) -> SmokeCheck {
        SmokeCheck {
            name: format!("GET {path}"),
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: BTreeMap::from([("x-api-key".to_owned(), Secret::new("hunter2"))]),
            body: None,
            expected_status: 200,
            body_contains: Some("\"ok\"".to_owned()),
            timeout: Duration::from_secs(5),
        }
    }

    async fn run(stub: &Stub, check: SmokeCheck) -> SmokeCheckResult {
        let target = SmokeTarget {
            rest_api_id: RestApiId::new("a"),
            base_url: stub.url.clone(),
            slot: Slot::Green,
        };
        HttpSmoke::new(vec![check]).run(&target).await.unwrap().remove(0)
    }

    #[tokio::test]
    async fn judges_status_and_body_and_sends_its_headers() {
        let stub = Stub::start(|request| {
            if !request.contains("x-api-key: hunter2") {
                return Stub::answer(401, "no key");
            }
            match request.split(' ').nth(1) {
                Some("/health") => Stub::answer(200, r#"{"status":"ok"}"#),
                Some("/other") => Stub::answer(200, "something\n else"),
                _ => Stub::answer(502, &"x".repeat(1000)),
            }
        })
        .await;
        let passed = run(&stub, check("/health")).await;
        assert!(passed.passed, "{}", passed.detail);
        let lacking = run(&stub, check("/other")).await;
        assert_eq!(
            lacking.detail,
            "HTTP status 200, but the answer lacks `\"ok\"`: something else"
        );
        let failing = run(&stub, check("/gone?x=1")).await;
        assert!(!failing.passed);
        assert!(
            failing.detail.starts_with("HTTP status 502 instead of 200: xxx"),
            "{}",
            failing.detail
        );
        assert!(failing.detail.len() < 300);
    }

    #[tokio::test]
    async fn no_answer_is_a_failed_check() {
        let silent = Stub::start(|_| Vec::new()).await;
        let result = run(&silent, check("/health")).await;
        assert!(!result.passed);
        assert!(result.detail.contains("the connection broke"), "{}", result.detail);

        let target = SmokeTarget {
            rest_api_id: RestApiId::new("a"),
            base_url: "http://127.0.0.1:1".to_owned(),
            slot: Slot::Green,
        };
        let result = HttpSmoke::new(vec![check("/health")])
            .run(&target)
            .await
            .unwrap()
            .remove(0);
        assert!(
            result.detail.contains("no connection could be made"),
            "{}",
            result.detail
        );
    }

    #[tokio::test]
    async fn a_check_that_cannot_be_sent_is_an_error_that_keeps_the_secret() {
        let mut wrong = check("/health");
        wrong
            .headers
            .insert("x-token".to_owned(), Secret::new("line\nbreak hunter3"));
        let error = HttpSmoke::new(vec![wrong])
            .run(&SmokeTarget {
                rest_api_id: RestApiId::new("a"),
                base_url: "http://127.0.0.1:1".to_owned(),
                slot: Slot::Blue,
            })
            .await
            .unwrap_err();
        assert!(error.to_string().contains("x-token"));
        assert!(!error.to_string().contains("hunter3"));
    }
}
