//! The Redis cache in front of the database.
//!
//! It may always be missing: every operation ends within a fraction of a second, a failure is counted and logged and looks to the
//! caller like a miss, and after one the cache is left alone for a while, so that an outage costs a request nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ConnectionAddr, IntoConnectionInfo};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::variables::{SettingsError, Variables};

/// What a request is ready to lose to the cache, in milliseconds. In one availability zone Redis answers in under 1 ms.
const DEFAULT_TIMEOUT_MS: u64 = 200;
/// How long a cache that failed is not asked again.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Which cache, and for how long it keeps an answer.
#[derive(Clone, Debug)]
pub struct CacheSettings {
    host: String,
    port: u16,
    tls: bool,
    ttl: Duration,
    timeout: Duration,
}

impl CacheSettings {
    /// Reads `REDIS_HOST` (without it there is no cache), `REDIS_PORT` (6379), `REDIS_TLS` (`true` or `false`)
    /// `CACHE_TTL` (seconds, 300) and `CACHE_TIMEOUT_MS` (milliseconds, 200).
    pub fn read(variables: &Variables) -> Result<Option<Self>, SettingsError> {
        let Some(host) = variables.get("REDIS_HOST") else {
            return Ok(None);
        };
        let ttl: u64 = variables.parsed("CACHE_TTL", 300, "a number of seconds above 0")?;
        if ttl == 0 {
            return Err(SettingsError::Malformed {
                name: "CACHE_TTL",
                expected: "a number of seconds above 0",
            });
        }
        Ok(Some(Self {
            host: host.to_owned(),
            port: variables.parsed("REDIS_PORT", 6379, "a port number")?,
            tls: variables.parsed("REDIS_TLS", false, "true or false")?,
            ttl: Duration::from_secs(ttl),
            timeout: Duration::from_millis(variables.parsed(
                "CACHE_TIMEOUT_MS",
                DEFAULT_TIMEOUT_MS,
                "a number of milliseconds",
            )?),
        }))
    }
}

/// What the cache knew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    Hit(String),
    Miss,
    /// The cache failed or is being left alone; do not write to it either.
    Unavailable,
}

/// Why the cache did not answer.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("the cache did not answer within {} ms", after.as_millis())]
    Silent { after: Duration },
    #[error("the cache is left alone after a failure")]
    Paused,
    #[error("the cache failed")]
    Redis { source: redis::RedisError },
}

/// The function's way to the cache.
pub struct Cache {
    settings: CacheSettings,
    client: redis::Client,
    state: Mutex<State>,
    failures: AtomicU64,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    paused_until: Option<Instant>,
}

impl Cache {
    /// Opens nothing yet; fails only when the address cannot be one.
    pub fn new(settings: CacheSettings) -> Result<Self, CacheError> {
        let address = if settings.tls {
            ConnectionAddr::TcpTls {
                host: settings.host.clone(),
                port: settings.port,
                insecure: false,
                tls_params: None,
            }
        } else {
            ConnectionAddr::Tcp(settings.host.clone(), settings.port)
        };
        let client = address
            .into_connection_info()
            .and_then(redis::Client::open)
            .map_err(|source| CacheError::Redis { source })?;
        Ok(Self {
            settings,
            client,
            state: Mutex::default(),
            failures: AtomicU64::new(0),
        })
    }

    /// What is stored under `key`.
    pub async fn get(&self, key: &str) -> Lookup {
        let mut command = redis::cmd("GET");
        command.arg(key);
        match self.run::<Option<String>>(&command).await {
            Ok(Some(text)) => Lookup::Hit(text),
            Ok(None) => Lookup::Miss,
            Err(error) => {
                self.count(&error, "read");
                Lookup::Unavailable
            }
        }
    }

    /// Stores `text` for the configured time.
    pub async fn put(&self, key: &str, text: &str) {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(text).arg("EX").arg(self.settings.ttl.as_secs());
        if let Err(error) = self.run::<()>(&command).await {
            self.count(&error, "write");
        }
    }

    /// Whether the cache answers now; asks it even while requests leave it alone.
    pub async fn ping(&self) -> Result<(), CacheError> {
        self.state.lock().await.paused_until = None;
        self.run::<()>(&redis::cmd("PING")).await
    }

    /// Failures that this function instance has seen.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn count(&self, error: &CacheError, operation: &'static str) {
        if matches!(error, CacheError::Paused) {
            return;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::warn!(
            operation,
            failures,
            error = crate::chain(error),
            "cache failed; the request goes on without it"
        );
    }

    async fn run<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, CacheError> {
        let mut state = self.state.lock().await;
        if state.paused_until.is_some_and(|until| Instant::now() < until) {
            return Err(CacheError::Paused);
        }
        let result = match tokio::time::timeout(self.settings.timeout, self.attempt(&mut state, command)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(source)) => Err(CacheError::Redis { source }),
            Err(_) => Err(CacheError::Silent {
                after: self.settings.timeout,
            }),
        };
        state.paused_until = None;
        if result.is_err() {
            state.connection = None;
            state.paused_until = Some(Instant::now() + PAUSE_AFTER_FAILURE);
        }
        result
    }

    /// One try on the connection at hand, which may have died while the instance was frozen, then one on a new one.
    async fn attempt<T: redis::FromRedisValue>(
        &self,
        state: &mut State,
        command: &redis::Cmd,
    ) -> Result<T, redis::RedisError> {
        if let Some(mut connection) = state.connection.take()
            && let Ok(value) = command.query_async(&mut connection).await
        {
            state.connection = Some(connection);
            return Ok(value);
        }
        let mut connection = self.client.get_multiplexed_async_connection().await?;
        let value = command.query_async(&mut connection).await?;
        state.connection = Some(connection);
        Ok(value)
    }
}
