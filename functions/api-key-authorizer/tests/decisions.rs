//! Decisions about keys whose secret changes or cannot be read. Time is tokio's and paused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_key_authorizer::{Authorizer, AuthorizerError, TokenRequest};
use async_trait::async_trait;
use platform::{Secret, SecretError, SecretSource, Variables};

/// A secret that a test can change, and take away.
#[derive(Default)]
struct Vault {
    text: Mutex<Option<String>>,
    reads: AtomicUsize,
}

impl Vault {
    fn hold(&self, text: Option<&str>) {
        *self.text.lock().unwrap() = text.map(str::to_owned);
    }
}

#[async_trait]
impl SecretSource for Vault {
    async fn read(&self, id: &str) -> Result<Secret, SecretError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let text = self.text.lock().unwrap().clone();
        text.map(Secret::new).ok_or_else(|| SecretError::Unreadable {
            id: id.to_owned(),
            reason: "timed out".to_owned(),
        })
    }
}

fn authorizer(text: &str) -> (Arc<Vault>, Authorizer) {
    let vault = Arc::new(Vault::default());
    vault.hold(Some(text));
    let variables = Variables::from([("API_KEYS_SECRET_ARN", "api-keys")]);
    let authorizer = Authorizer::new(&variables, vault.clone()).unwrap();
    (vault, authorizer)
}

/// `Allow`, `Deny`, or the error's text.
async fn decide(authorizer: &Authorizer, header: &str) -> String {
    let request = TokenRequest {
        authorization_token: Some(header.to_owned()),
        method_arn: "arn:aws:execute-api:r:a:api/prod/GET/x".to_owned(),
    };
    match authorizer.authorize(request).await {
        Ok(policy) => {
            let policy = serde_json::to_value(policy).unwrap();
            policy["policyDocument"]["Statement"][0]["Effect"]
                .as_str()
                .unwrap()
                .to_owned()
        }
        Err(error) => error.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_known_key_is_allowed_and_an_unknown_one_denied() {
    let (_, authorizer) = authorizer(r#"{"keys": ["alpha", "beta"]}"#);
    assert_eq!(decide(&authorizer, "Bearer alpha").await, "Allow");
    assert_eq!(decide(&authorizer, "Bearer beta").await, "Allow");
    assert_eq!(decide(&authorizer, "Bearer alph").await, "Deny");
    assert_eq!(decide(&authorizer, "alpha").await, "Unauthorized");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_added_works_after_half_a_minute_and_guessing_reads_no_oftener() {
    let (vault, authorizer) = authorizer(r#"{"api_key": "alpha"}"#);
    assert_eq!(decide(&authorizer, "Bearer beta").await, "Deny");
    vault.hold(Some(r#"{"keys": ["alpha", "beta"]}"#));
    for _ in 0..50 {
        assert_eq!(decide(&authorizer, "Bearer beta").await, "Deny");
    }
    assert_eq!(vault.reads.load(Ordering::Relaxed), 1);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(decide(&authorizer, "Bearer beta").await, "Allow");
    assert_eq!(vault.reads.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_ends_within_five_minutes() {
    let (vault, authorizer) = authorizer(r#"{"keys": ["alpha", "beta"]}"#);
    assert_eq!(decide(&authorizer, "Bearer beta").await, "Allow");
    vault.hold(Some(r#"{"keys": ["alpha"]}"#));
    tokio::time::advance(Duration::from_secs(301)).await;
    assert_eq!(decide(&authorizer, "Bearer beta").await, "Deny");
}

#[tokio::test(start_paused = true)]
async fn while_the_secret_is_out_of_reach_known_keys_serve_for_an_hour() {
    let (vault, authorizer) = authorizer(r#"{"keys": ["alpha"]}"#);
    assert_eq!(decide(&authorizer, "Bearer alpha").await, "Allow");
    vault.hold(None);
    tokio::time::advance(Duration::from_secs(3000)).await;
    assert_eq!(decide(&authorizer, "Bearer alpha").await, "Allow");
    tokio::time::advance(Duration::from_secs(700)).await;
    assert_eq!(decide(&authorizer, "Bearer alpha").await, "the API keys cannot be read");
}

#[tokio::test(start_paused = true)]
async fn an_error_tells_nothing_of_the_secret() {
    let (_, authorizer) = authorizer(r#"{"keys": [42], "note": "hunter2"}"#);
    let request = TokenRequest {
        authorization_token: Some("Bearer alpha".to_owned()),
        method_arn: "arn".to_owned(),
    };
    let error = authorizer.authorize(request).await.unwrap_err();
    assert!(matches!(error, AuthorizerError::Keys { .. }));
    assert!(
        !platform::chain(&error).contains("hunter2"),
        "{}",
        platform::chain(&error)
    );
}
