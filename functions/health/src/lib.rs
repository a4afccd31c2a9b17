//! Serves `GET /health`: can this slot reach its database and its cache?
//!
//! Smoke checks and monitors ask it. The answer:
//! ```json
//! { "status": "ok", "function": "health:7",
//!   "checks": { "database": { "status": "ok" }, "cache": { "status": "not_configured" } } }
//! ```
//! `status` is `ok` (200); `degraded` (200) when only the cache fails, because requests are still answered and a monitor
//! must not turn a lost cache into 5xx errors of the API, which a gate counts; or `failing` (503) when the database fails.
//! A smoke check that wants the cache too asks for `"status":"ok"` in the body. Why a check fails is only in the log.

use std::sync::Arc;

use lambda_http::http::{Response, StatusCode};
use lambda_http::{Body, Error, Request};
use platform::{
    Cache, CacheSettings, Database, DatabaseError, DatabaseSettings, SecretSource, SecretsManager, Variables, chain,
};
use serde::Serialize;

/// The function, with its ways to the database and, where there is one, the cache.
pub struct Service {
    database: Database,
    cache: Option<Cache>,
    function: String,
}

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    function: &'a str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    database: Check,
    cache: Check,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Check {
    Ok,
    Failed,
    NotConfigured,
}

impl Service {
    /// As the stack's environment variables say, with Secrets Manager for the password.
    pub async fn connect(variables: &Variables) -> Result<Self, Error> {
        Self::new(variables, Arc::new(SecretsManager::connect().await))
    }

    /// The same with secrets from elsewhere.
    pub fn new(variables: &Variables, secrets: Arc<dyn SecretSource>) -> Result<Self, Error> {
        let database = Database::new(DatabaseSettings::read(variables)?, secrets);
        let cache = CacheSettings::read(variables)?.map(Cache::new).transpose()?;
        Ok(Self {
            database,
            cache,
            function: variables.function(),
        })
    }

    /// Answers one request. A database that cannot be used for whatever reason is what this function is here to report,
    /// so unlike elsewhere a wrong deployment is a 503 too and not an error of the function.
    pub async fn handle(&self, _request: Request) -> Result<Response<Body>, Error> {
        let (database, cache) = tokio::join!(self.database(), self.cache());
        let (code, status) = match (database, cache) {
            (Check::Failed, _) => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
            (_, Check::Failed) => (StatusCode::OK, "degraded"),
            _ => (StatusCode::OK, "ok"),
        };
        let health = Health {
            status,
            function: &self.function,
            checks: Checks { database, cache },
        };
        Ok(platform::json(code, serde_json::to_string(&health)?))
    }

    async fn database(&self) -> Check {
        let result = async {
            let mut connection = self.database.connection().await?;
            self.database
                .answer(sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(&mut *connection))
                .await
        };
        let result: Result<i32, DatabaseError> = result.await;
        match result {
            Ok(_) => Check::Ok,
            Err(error) => {
                tracing::error!(error = chain(&error), "the database check failed");
                Check::Failed
            }
        }
    }

    async fn cache(&self) -> Check {
        let Some(cache) = &self.cache else {
            return Check::NotConfigured;
        };
        match cache.ping().await {
            Ok(()) => Check::Ok,
            Err(error) => {
                tracing::error!(error = chain(&error), "the cache check failed");
                Check::Failed
            }
        }
    }
}
