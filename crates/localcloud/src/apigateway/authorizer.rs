//! Lambda authorizers: who asks, what the function says, and for how long that holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::exchange::{Exchange, text};
use super::gateway_response::Refusal;
use super::integration::{FunctionTarget, matches_whole, substituted};
use super::policy::{Verdict, judge};
use super::record::Object;
use super::routes::Authorizer;
use super::service::ApiGateway;
use crate::context::ACCOUNT;

/// More answers than this are not kept.
const CACHE_LIMIT: usize = 10_000;

#[derive(Default)]
pub(super) struct AuthorizerCache {
    answers: Mutex<HashMap<Key, (Timestamp, Arc<Answer>)>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    api: String,
    stage: String,
    authorizer: String,
    /// Stage variables may lead to different functions.
    uri: String,
    identity: Vec<String>,
}

struct Answer {
    policy: Value,
    context: Object,
    usage_key: Option<String>,
}

impl AuthorizerCache {
    pub fn flush(&self, api: &str, stage: &str) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|key, _| key.api != api || key.stage != stage);
    }

    fn get(&self, key: &Key, now: Timestamp) -> Option<Arc<Answer>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers
            .get(key)
            .filter(|(until, _)| now < *until)
            .map(|(_, answer)| Arc::clone(answer))
    }

    fn keep(&self, key: Key, until: Timestamp, now: Timestamp, answer: Arc<Answer>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= CACHE_LIMIT {
            answers.retain(|_, (until, _)| now < *until);
        }
        if answers.len() < CACHE_LIMIT {
            answers.insert(key, (until, answer));
        }
    }
}

impl ApiGateway {
    /// Lets the exchange pass and gives it the authorizer's context, or refuses it.
    pub(super) async fn authorize(&self, authorizer: &Authorizer, exchange: &mut Exchange) -> Result<(), Refusal> {
        let begun = tokio::time::Instant::now();
        let answer = self.authorization(authorizer, exchange).await?;
        match judge(&answer.policy, &exchange.method_arn()) {
            Verdict::Allowed => {}
            Verdict::ExplicitlyDenied => {
                return Err(Refusal::saying(
                    "ACCESS_DENIED",
                    "User is not authorized to access this resource with an explicit deny",
                ));
            }
            Verdict::NotAllowed => return Err(Refusal::new("ACCESS_DENIED")),
        }
        let mut context = answer.context.clone();
        context.insert(
            "integrationLatency".to_owned(),
            json!(begun.elapsed().as_millis() as u64),
        );
        exchange.authorizer = Some(context);
        if exchange.track.routes.api_key_from_authorizer
            && let Some(key) = &answer.usage_key
        {
            exchange.api_key = Some((String::new(), key.clone()));
        }
        Ok(())
    }

    async fn authorization(&self, authorizer: &Authorizer, exchange: &Exchange) -> Result<Arc<Answer>, Refusal> {
        let identity = self.identity(authorizer, exchange)?;
        let uri = substituted(&authorizer.uri, exchange);
        let caches = !authorizer.ttl.is_zero();
        let key = Key {
            api: exchange.api_id.clone(),
            stage: exchange.stage.clone(),
            authorizer: authorizer.id.clone(),
            uri: uri.clone(),
            identity: identity.clone(),
        };
        if caches && let Some(answer) = self.shared.authorizations.get(&key, exchange.time) {
            return Ok(answer);
        }
        let event = if authorizer.is_token {
            json!({"type": "TOKEN", "methodArn": exchange.method_arn(), "authorizationToken": identity.first()})
        } else {
            let mut event = exchange.request_event();
            event.insert("type".to_owned(), json!("REQUEST"));
            event.insert("methodArn".to_owned(), json!(exchange.method_arn()));
            Value::Object(event)
        };
        let source = format!(
            "arn:aws:execute-api:{}:{ACCOUNT}:{}/authorizers/{}",
            exchange.region, exchange.api_id, authorizer.id
        );
        let target = FunctionTarget::parse(&uri).ok_or_else(|| Refusal::new("AUTHORIZER_CONFIGURATION_ERROR"))?;
        let invocation = self
            .invoke(&target, &source, event.to_string().into())
            .await
            .map_err(|error| {
                tracing::warn!(%error, authorizer = authorizer.id, "the authorizer could not be invoked");
                failed()
            })?;
        let payload: Value = serde_json::from_slice(&invocation.payload).unwrap_or_default();
        if invocation.function_error.is_some() {
            // AWS's convention by which an authorizer says 401.
            let unauthorized = payload["errorMessage"] == "Unauthorized";
            return Err(if unauthorized {
                Refusal::new("UNAUTHORIZED")
            } else {
                failed()
            });
        }
        let answer = Arc::new(Answer::read(&payload).ok_or_else(failed)?);
        if caches {
            let until = exchange.time.checked_add(authorizer.ttl).unwrap_or(exchange.time);
            self.shared
                .authorizations
                .keep(key, until, exchange.time, Arc::clone(&answer));
        }
        Ok(answer)
    }

    fn identity(&self, authorizer: &Authorizer, exchange: &Exchange) -> Result<Vec<String>, Refusal> {
        let mut identity = Vec::with_capacity(authorizer.identity_sources.len());
        for source in &authorizer.identity_sources {
            match exchange.mapped(source).filter(|value| !value.is_empty()) {
                Some(value) => identity.push(value),
                // Without caching only a token must be there.
                None if authorizer.is_token || !authorizer.ttl.is_zero() => return Err(Refusal::new("UNAUTHORIZED")),
                None => {}
            }
        }
        if let (true, Some(expression), Some(token)) = (authorizer.is_token, &authorizer.validation, identity.first()) {
            let fits =
                matches_whole(expression, token).ok_or_else(|| Refusal::new("AUTHORIZER_CONFIGURATION_ERROR"))?;
            if !fits {
                return Err(Refusal::new("UNAUTHORIZED"));
            }
        }
        Ok(identity)
    }
}

/// The authorizer failed or answered in the wrong shape: AWS says so with an empty message.
fn failed() -> Refusal {
    Refusal {
        message: None,
        ..Refusal::new("AUTHORIZER_FAILURE")
    }
}

impl Answer {
    fn read(payload: &Value) -> Option<Self> {
        let principal = payload.get("principalId")?;
        let policy = payload
            .get("policyDocument")
            .filter(|policy| policy.is_object())?
            .clone();
        let mut context = Object::new();
        for (name, value) in payload.get("context").and_then(Value::as_object).into_iter().flatten() {
            match value {
                Value::Object(_) | Value::Array(_) => return None,
                value => drop(context.insert(name.clone(), json!(text(value)))),
            }
        }
        context.insert("principalId".to_owned(), json!(text(principal)));
        let usage_key = payload
            .get("usageIdentifierKey")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Some(Self {
            policy,
            context,
            usage_key,
        })
    }
}
