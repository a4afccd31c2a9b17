//! Reads secrets from AWS Secrets Manager.
//!
//! Keeps nothing: who needs a secret again (after a rotation) asks again.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// A secret's text. Its `Debug` does not show it, and it has no `Display`.
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for parsing, never for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Why a secret is not to be had. Never holds any of the secret's text.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("cannot read secret {id}: {reason}")]
    Unreadable { id: String, reason: String },
    #[error("secret {id} has no text; a JSON object is expected")]
    Binary { id: String },
    #[error("secret {id} is not {expected}")]
    Malformed { id: String, expected: &'static str },
}

/// Where secrets come from: Secrets Manager in a function, a map in a test.
#[async_trait]
pub trait SecretSource: Send + Sync {
    /// The current text of the secret with this ARN or name.
    async fn read(&self, id: &str) -> Result<Secret, SecretError>;
}

/// AWS Secrets Manager, reached as the environment says (`AWS_REGION`, `AWS_ENDPOINT_URL`, the function's credentials).
pub struct SecretsManager {
    client: aws_sdk_secretsmanager::Client,
}

impl SecretsManager {
    /// A client that gives up within seconds: a request waits for it.
    pub async fn connect() -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_secs(2))
            .operation_timeout(Duration::from_secs(5))
            .build();
        let http = Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .load()
            .await;
        Self {
            client: aws_sdk_secretsmanager::Client::new(&config),
        }
    }
}

#[async_trait]
impl SecretSource for SecretsManager {
    async fn read(&self, id: &str) -> Result<Secret, SecretError> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(id)
            .send()
            .await
            .map_err(|error| SecretError::Unreadable {
                id: id.to_owned(),
                reason: DisplayErrorContext(&error).to_string(),
            })?;
        let text = answer
            .secret_string
            .ok_or_else(|| SecretError::Binary { id: id.to_owned() })?;
        Ok(Secret(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
