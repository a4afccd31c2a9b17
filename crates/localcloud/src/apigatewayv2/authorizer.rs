//! Lambda authorizers of HTTP APIs and of WebSocket handshakes: who asks, what the function says, and for how long
//! that holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::exchange::Exchange;
use super::http_api::Refusal;
use super::live::{Authorization, Authorizer, Format, LiveStage};
use super::record::{ApiKind, Object};
use super::service::ApiGatewayV2;
use crate::apigateway::{Verdict, judge};
use crate::context::ACCOUNT;

/// More answers than this are not kept.
const CACHE_LIMIT: usize = 10_000;

#[derive(Default)]
pub(super) struct Authorizations {
    answers: Mutex<HashMap<Key, (Timestamp, Arc<Answer>)>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    api: String,
    stage: String,
    authorizer: String,
    identity: Vec<String>,
}

struct Answer {
    verdict: Judgement,
    context: Object,
}

enum Judgement {
    /// `isAuthorized` of a simple response.
    Simple(bool),
    Policy(Value),
}

impl Authorizations {
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

impl ApiGatewayV2 {
    /// Lets the exchange pass, with what the authorizer said of the caller, or refuses it.
    pub(super) async fn authorize(
        &self,
        authorization: &Authorization,
        stage: &LiveStage,
        exchange: &mut Exchange,
    ) -> Result<(), Refusal> {
        match authorization {
            Authorization::None => Ok(()),
            // Signatures are not checked: every caller is this machine's user.
            Authorization::Iam if exchange.header("authorization").is_some() => Ok(()),
            Authorization::Iam => Err(Refusal::FORBIDDEN),
            Authorization::Jwt => {
                tracing::warn!("the embedded cloud verifies no JSON Web Tokens: nobody can be let in by one");
                Err(Refusal::UNAUTHORIZED)
            }
            Authorization::Custom(authorizer) => {
                let answer = self.authorization(authorizer, stage, exchange).await?;
                let allowed = match &answer.verdict {
                    Judgement::Simple(allowed) => *allowed,
                    Judgement::Policy(policy) => {
                        judge(policy, &exchange.source_arn(self.region(), stage)) == Verdict::Allowed
                    }
                };
                if !allowed {
                    return Err(Refusal::FORBIDDEN);
                }
                exchange.authorizer = Some(answer.context.clone());
                Ok(())
            }
        }
    }

    async fn authorization(
        &self,
        authorizer: &Authorizer,
        stage: &LiveStage,
        exchange: &Exchange,
    ) -> Result<Arc<Answer>, Refusal> {
        let sources = authorizer.identity_sources.iter();
        let identity: Option<Vec<String>> = sources.map(|source| exchange.identity(stage, source)).collect();
        let identity = identity.ok_or(Refusal::UNAUTHORIZED)?;
        let key = Key {
            api: stage.api_id.clone(),
            stage: stage.name.clone(),
            authorizer: authorizer.id.clone(),
            identity: identity.clone(),
        };
        let caches = !authorizer.ttl.is_zero() && stage.kind == ApiKind::Http;
        if caches && let Some(answer) = self.shared.authorizations.get(&key, exchange.time) {
            return Ok(answer);
        }
        let arn = exchange.source_arn(self.region(), stage);
        let mut event = match stage.kind {
            ApiKind::Http => exchange.request_event(stage, authorizer.format),
            ApiKind::WebSocket => self.handshake_event(stage, exchange),
        };
        event.insert("type".to_owned(), json!("REQUEST"));
        match (stage.kind, authorizer.format) {
            (ApiKind::Http, Format::Two) => {
                event.insert("routeArn".to_owned(), json!(arn));
                event.insert("identitySource".to_owned(), json!(identity));
            }
            _ => drop(event.insert("methodArn".to_owned(), json!(arn))),
        }
        let source = format!(
            "arn:aws:execute-api:{}:{ACCOUNT}:{}/authorizers/{}",
            self.region(),
            stage.api_id,
            authorizer.id
        );
        let uri = stage.substituted(&authorizer.uri);
        let invoked = self
            .invoke(&uri, &source, Value::Object(event).to_string().into())
            .await;
        let invocation = invoked.map_err(|error| {
            tracing::warn!(%error, authorizer = authorizer.id, "the authorizer could not be invoked");
            Refusal::INTERNAL
        })?;
        let payload: Value = serde_json::from_slice(&invocation.payload).unwrap_or_default();
        if invocation.function_error.is_some() {
            // AWS's convention by which an authorizer says 401.
            let unauthorized = payload["errorMessage"] == "Unauthorized";
            return Err(if unauthorized {
                Refusal::UNAUTHORIZED
            } else {
                Refusal::INTERNAL
            });
        }
        let answer = Arc::new(Answer::read(&payload, authorizer.simple).ok_or(Refusal::INTERNAL)?);
        if caches {
            let until = exchange.time.checked_add(authorizer.ttl).unwrap_or(exchange.time);
            self.shared
                .authorizations
                .keep(key, until, exchange.time, Arc::clone(&answer));
        }
        Ok(answer)
    }
}

impl Answer {
    fn read(payload: &Value, simple: bool) -> Option<Self> {
        let mut context = payload
            .get("context")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let verdict = if simple {
            Judgement::Simple(payload.get("isAuthorized")?.as_bool()?)
        } else {
            context.insert("principalId".to_owned(), payload.get("principalId")?.clone());
            Judgement::Policy(
                payload
                    .get("policyDocument")
                    .filter(|policy| policy.is_object())?
                    .clone(),
            )
        };
        Some(Self { verdict, context })
    }
}
