//! Knows the keys and compares a caller's with them.
//!
//! Keeps only digests of the keys in memory. They are read again after [`KEYS_AGE`] and, because a new key must work soon
//! after it was added, when an unknown key comes, though not more often than every [`UNKNOWN_KEY_PAUSE`]: guessing
//! must not become a load on Secrets Manager.

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::Diagnostic;
use platform::{Secret, SecretError, SecretSource, SecretsManager, SettingsError, Variables, chain};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::policy::{Policy, TokenRequest};

const KEYS_AGE: Duration = Duration::from_secs(300);
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(30);
/// For how long keys serve on while Secrets Manager cannot be reached: a revoked key must not live for ever.
const STALE_KEYS_AGE: Duration = Duration::from_secs(3600);
/// A header is at most 10,240 bytes at API Gateway; no key needs that.
const LONGEST_KEY: usize = 512;

/// Why there is no decision.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizerError {
    /// Exactly this text makes API Gateway answer 401.
    #[error("Unauthorized")]
    Unauthorized,
    #[error("the API keys cannot be read")]
    Keys { source: SecretError },
}

impl From<AuthorizerError> for Diagnostic {
    fn from(error: AuthorizerError) -> Self {
        let error_type = match error {
            AuthorizerError::Unauthorized => "Unauthorized",
            AuthorizerError::Keys { .. } => "KeysUnavailable",
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// The function, with its keys.
pub struct Authorizer {
    secret_id: String,
    secrets: Arc<dyn SecretSource>,
    known: Mutex<Option<Known>>,
}

struct Known {
    keys: Arc<[Fingerprint]>,
    read_at: Instant,
}

/// SHA-256 of a key. Keys are long and random, so nobody finds one from its digest.
struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// How logs and policies name a key.
    fn principal(&self) -> String {
        format!("key-{}", hex::encode(&self.0[..6]))
    }

    /// Whether it is among the keys. Looks at every one, whatever it finds, so that the time taken tells nothing.
    fn is_among(&self, keys: &[Fingerprint]) -> bool {
        keys.iter()
            .fold(Choice::from(0), |found, key| found | key.0.ct_eq(&self.0))
            .into()
    }
}

/// The secret's two forms: a list, and what CloudFormation's `GenerateSecretString` writes with the key `api_key`.
#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    keys: Vec<String>,
    api_key: Option<String>,
}

impl Authorizer {
    /// As the stack's environment variables say: `API_KEYS_SECRET_ARN` names the secret with the keys.
    pub async fn connect(variables: &Variables) -> Result<Self, SettingsError> {
        Self::new(variables, Arc::new(SecretsManager::connect().await))
    }

    /// The same with secrets from elsewhere.
    pub fn new(variables: &Variables, secrets: Arc<dyn SecretSource>) -> Result<Self, SettingsError> {
        let secret_id = variables
            .required("API_KEYS_SECRET_ARN", "the secret with the API's keys")?
            .to_owned();
        Ok(Self {
            secret_id,
            secrets,
            known: Mutex::new(None),
        })
    }

    /// Decides about one request.
    pub async fn authorize(&self, request: TokenRequest) -> Result<Policy, AuthorizerError> {
        let key = bearer_key(request.authorization_token.as_deref().unwrap_or_default())
            .ok_or(AuthorizerError::Unauthorized)?;
        let presented = Fingerprint::of(key);
        let principal = presented.principal();
        if presented.is_among(&self.keys(KEYS_AGE).await?) || presented.is_among(&self.keys(UNKNOWN_KEY_PAUSE).await?) {
            Ok(Policy::allow(principal, &request.method_arn))
        } else {
            tracing::warn!(principal, "unknown key");
            Ok(Policy::deny(principal, &request.method_arn))
        }
    }

    /// The keys, read again if they are older than `age`. While that fails, the old ones serve on for a while.
    async fn keys(&self, age: Duration) -> Result<Arc<[Fingerprint]>, AuthorizerError> {
        let mut known = self.known.lock().await;
        if let Some(known) = &*known
            && known.read_at.elapsed() < age
        {
            return Ok(known.keys.clone());
        }
        match (self.read().await, &*known) {
            (Ok(keys), _) => {
                *known = Some(Known {
                    keys: keys.clone(),
                    read_at: Instant::now(),
                });
                Ok(keys)
            }
            (Err(error), Some(old)) if old.read_at.elapsed() < STALE_KEYS_AGE => {
                tracing::error!(
                    error = chain(&error),
                    "the API keys cannot be read again; the known ones serve on"
                );
                Ok(old.keys.clone())
            }
            (Err(error), _) => {
                tracing::error!(error = chain(&error), "the API keys cannot be read");
                Err(AuthorizerError::Keys { source: error })
            }
        }
    }

    async fn read(&self) -> Result<Arc<[Fingerprint]>, SecretError> {
        let secret = self.secrets.read(&self.secret_id).await?;
        parse(&secret).ok_or_else(|| SecretError::Malformed {
            id: self.secret_id.clone(),
            expected: r#"{"keys": ["…"]} or {"api_key": "…"} with at least one key"#,
        })
    }
}

fn parse(secret: &Secret) -> Option<Arc<[Fingerprint]>> {
    let keys: Keys = serde_json::from_str(secret.reveal()).ok()?;
    let keys: Vec<String> = keys.keys.into_iter().chain(keys.api_key).collect();
    let usable = !keys.is_empty() && keys.iter().all(|key| !key.is_empty());
    usable.then(|| keys.iter().map(|key| Fingerprint::of(key)).collect())
}

/// The key of `Bearer KEY`; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer_key(header: &str) -> Option<&str> {
    let (scheme, key) = header.trim().split_once(' ')?;
    let key = key.trim_start();
    let well_formed = !key.is_empty() && key.len() <= LONGEST_KEY && key.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && well_formed).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_header_is_read_and_nothing_else() {
        assert_eq!(bearer_key("Bearer abc"), Some("abc"));
        assert_eq!(bearer_key("bearer  abc "), Some("abc"));
        let long = format!("Bearer {}", "x".repeat(LONGEST_KEY + 1));
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Basic abc",
            "abc",
            "Bearer a b",
            "Bearer é",
            &long,
        ] {
            assert_eq!(bearer_key(header), None, "{header:?}");
        }
    }

    #[test]
    fn both_forms_of_the_secret_are_read() {
        let count = |text: &str| parse(&Secret::new(text)).map(|keys| keys.len());
        assert_eq!(count(r#"{"keys": ["a", "b"]}"#), Some(2));
        assert_eq!(count(r#"{"api_key": "a"}"#), Some(1));
        assert_eq!(count(r#"{"keys": ["a"], "api_key": "b"}"#), Some(2));
        for text in [r#"{"keys": []}"#, "{}", r#"{"api_key": ""}"#, "a", r#"{"keys": [""]}"#] {
            assert_eq!(count(text), None, "{text}");
        }
    }
}
