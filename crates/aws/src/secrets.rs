//! Secrets: a type that cannot be printed by accident, and reading one from Secrets Manager.

use std::fmt;

use serde_json::Value;

use crate::connection::Aws;
use crate::failure::{Failure, failed};

/// A text that must not be seen. It has no `Display`, its `Debug` shows nothing of it, and it cannot be serialized;
/// [`Secret::expose`] is the one way to it, so that a search for it finds every use.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A member of a secret that is a JSON object, such as the `password` of a database's generated secret; numbers
    /// become text. `None` where it is no object or has no such member.
    pub fn field(&self, name: &str) -> Option<Secret> {
        let object: Value = serde_json::from_str(&self.0).ok()?;
        match object.get(name)? {
            Value::String(text) => Some(Secret(text.clone())),
            Value::Number(number) => Some(Secret(number.to_string())),
            _ => None,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl Aws {
    /// The current value of a secret, by its name or ARN.
    pub async fn secret(&self, id: &str) -> Result<Secret, Failure> {
        let found = self
            .secretsmanager()
            .get_secret_value()
            .secret_id(id)
            .send()
            .await
            .map_err(failed("GetSecretValue", id))?;
        match found.secret_string {
            Some(text) => Ok(Secret(text)),
            None => Err(Failure::invalid("GetSecretValue", id, "it holds bytes, not text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::new(r#"{"username":"postgres","password":"hunter2","port":5432}"#);
        assert!(!format!("{secret:?} {:#?}", Some(&secret)).contains("hunter2"));
        assert_eq!(secret.field("password").unwrap().expose(), "hunter2");
        assert_eq!(secret.field("port").unwrap().expose(), "5432");
        assert!(secret.field("host").is_none());
        assert!(Secret::new("plain").field("password").is_none());
    }
}
