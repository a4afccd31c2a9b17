//! One request from question to answer: cache, database, cache.

use std::sync::Arc;

use lambda_http::http::{HeaderValue, Response, StatusCode};
use lambda_http::{Body, Error, Request};
use platform::{
    Cache, CacheSettings, Database, DatabaseError, DatabaseSettings, Lookup, SecretSource, SecretsManager, Variables,
    chain,
};

use crate::performance;
use crate::question::{Invalid, Question};

/// The function, with its ways to the database and, where there is one, the cache.
pub struct Service {
    database: Database,
    cache: Option<Cache>,
}

impl Service {
    /// As the stack's environment variables say, with Secrets Manager for the password.
    /// Fails (and with it the function's start) only on settings; nothing is connected yet.
    pub async fn connect(variables: &Variables) -> Result<Self, Error> {
        Self::new(variables, Arc::new(SecretsManager::connect().await))
    }

    /// The same with secrets from elsewhere.
    pub fn new(variables: &Variables, secrets: Arc<dyn SecretSource>) -> Result<Self, Error> {
        let database = Database::new(DatabaseSettings::read(variables)?, secrets);
        let cache = CacheSettings::read(variables)?.map(Cache::new).transpose()?;
        Ok(Self { database, cache })
    }

    /// Answers one request: 200, 400, 404, or 503 while the database is down. `Err` is a bug or a wrong deployment,
    /// which AWS counts as an error of this version (see [`platform`]).
    pub async fn handle(&self, request: Request) -> Result<Response<Body>, Error> {
        let question = match Question::read(&request) {
            Ok(question) => question,
            Err(Invalid(message)) => return Ok(platform::invalid(&request, &message)),
        };
        let key = question.cache_key();
        let lookup = match &self.cache {
            Some(cache) => cache.get(&key).await,
            None => Lookup::Unavailable,
        };
        if let Lookup::Hit(text) = lookup {
            return Ok(marked(platform::json(StatusCode::OK, text), "hit"));
        }
        let found = match self.find(&question).await {
            Ok(found) => found,
            Err(error) if error.is_outage() => {
                tracing::error!(error = chain(&error), "database outage");
                return Ok(platform::outage(&request));
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "request failed");
                return Err(error.into());
            }
        };
        let Some(performance) = found else {
            return Ok(platform::not_found(
                &request,
                "There are no metrics of a protocol with this id.",
            ));
        };
        let text = serde_json::to_string(&performance)?;
        if let (Lookup::Miss, Some(cache)) = (&lookup, &self.cache) {
            cache.put(&key, &text).await;
        }
        Ok(marked(
            platform::json(StatusCode::OK, text),
            if lookup == Lookup::Miss { "miss" } else { "none" },
        ))
    }

    async fn find(&self, question: &Question) -> Result<Option<performance::Performance>, DatabaseError> {
        let mut connection = self.database.connection().await?;
        self.database.answer(performance::find(&mut connection, question)).await
    }
}

/// Says in `x-cache` whether the answer came from the cache (`hit`), went into it (`miss`), or there was none to ask.
fn marked(mut response: Response<Body>, cache: &'static str) -> Response<Body> {
    response
        .headers_mut()
        .insert("x-cache", HeaderValue::from_static(cache));
    response
}
