//! What a Redis says of itself: `PING`, then `INFO` (<https://redis.io/docs/latest/commands/info/>).

use std::collections::BTreeMap;
use std::time::Duration;

use aws::{CacheEndpoint, Secret};
use redis::{ClientTlsConfig, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisConnectionInfo, TlsCertificates};

/// In one network it answers in a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);
/// How a certificate begins.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
/// Above this share of its memory it is about to evict.
const MEMORY_PERCENT: u64 = 90;
/// Fewer lookups say nothing about a hit rate.
const ENOUGH_LOOKUPS: u64 = 1000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub version: String,
    /// `master` or `slave`, as Redis says it.
    pub role: String,
    pub replicas: u64,
    /// Whether a replica has its primary; true of a primary.
    pub is_linked: bool,
    pub memory_bytes: u64,
    /// 0 where there is no limit.
    pub memory_at_most: u64,
    pub evicted_keys: u64,
    pub hits: u64,
    pub misses: u64,
}

/// Who logs in.
pub struct Login {
    /// The server's default user where there is none.
    pub username: Option<Secret>,
    pub password: Secret,
}

/// Who vouches for a cache's certificate: the public roots, or those that were named.
#[derive(Default)]
pub struct Trust {
    roots: Option<Vec<u8>>,
}

impl Trust {
    /// These certificates, in PEM.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn of(pem: &[u8]) -> Result<Self, String> {
        if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
            return Err("it holds no certificate".to_owned());
        }
        Ok(Self {
            roots: Some(pem.to_vec()),
        })
    }
}

/// What is wrong, in words for the end of a sentence.
pub async fn ask(endpoint: &CacheEndpoint, login: Option<&Login>, trust: &Trust) -> Result<Health, String> {
    let unreachable = |why: String| format!("it does not answer at {}:{}: {why}", endpoint.host, endpoint.port);
    match tokio::time::timeout(PATIENCE, info(endpoint, login, trust)).await {
        Ok(Ok(text)) => Ok(Health::of(&text)),
        Ok(Err(error)) if endpoint.wants_password && login.is_none() => Err(format!(
            "it wants a password ({error}): name the stack output with its secret, [cache] secret-output"
        )),
        Ok(Err(error)) if error.kind() == ErrorKind::AuthenticationFailed => Err(
            "it refuses the password in the secret of [cache] secret-output: write the cache's own into the secret"
                .to_owned(),
        ),
        Ok(Err(error)) => Err(unreachable(error.to_string())),
        Err(_) => Err(unreachable(format!("nothing came within {} s", PATIENCE.as_secs()))),
    }
}

async fn info(endpoint: &CacheEndpoint, login: Option<&Login>, trust: &Trust) -> Result<String, redis::RedisError> {
    let host = endpoint.host.clone();
    let address = if endpoint.is_encrypted {
        ConnectionAddr::TcpTls {
            host,
            port: endpoint.port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(host, endpoint.port)
    };
    let mut settings = RedisConnectionInfo::default();
    if let Some(Login { username, password }) = login {
        settings = settings.set_password(password.expose());
        if let Some(username) = username {
            settings = settings.set_username(username.expose());
        }
    }
    let to = address.into_connection_info()?.set_redis_settings(settings);
    let client = match &trust.roots {
        Some(roots) if endpoint.is_encrypted => redis::Client::build_with_tls(
            to,
            TlsCertificates {
                client_tls: None::<ClientTlsConfig>,
                root_cert: Some(roots.clone()),
            },
        )?,
        _ => redis::Client::open(to)?,
    };
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("PING").query_async::<()>(&mut connection).await?;
    redis::cmd("INFO").query_async(&mut connection).await
}

impl Health {
    fn of(info: &str) -> Self {
        let members: BTreeMap<&str, &str> = info.lines().filter_map(|line| line.trim().split_once(':')).collect();
        let text = |name: &str| members.get(name).copied().unwrap_or_default();
        let number = |name: &str| text(name).parse().unwrap_or_default();
        let version = match text("valkey_version") {
            "" => text("redis_version"),
            version => version,
        };
        Self {
            version: version.to_owned(),
            role: text("role").to_owned(),
            replicas: number("connected_slaves"),
            is_linked: text("role") != "slave" || text("master_link_status") == "up",
            memory_bytes: number("used_memory"),
            memory_at_most: number("maxmemory"),
            evicted_keys: number("evicted_keys"),
            hits: number("keyspace_hits"),
            misses: number("keyspace_misses"),
        }
    }

    pub fn lookups(&self) -> u64 {
        self.hits + self.misses
    }

    /// `None` before the first lookup.
    pub fn hit_rate_percent(&self) -> Option<f64> {
        let lookups = self.lookups();
        (lookups > 0).then(|| self.hits as f64 * 100.0 / lookups as f64)
    }

    pub fn problems(&self, least_hit_rate: u8) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.is_linked {
            problems.push("it is a replica that has lost its primary".to_owned());
        }
        if self.memory_at_most > 0 && self.memory_bytes * 100 > self.memory_at_most * MEMORY_PERCENT {
            problems.push(format!(
                "{} % of its memory is used, more than {MEMORY_PERCENT} %, and {} keys were evicted",
                self.memory_bytes * 100 / self.memory_at_most,
                self.evicted_keys
            ));
        }
        if let Some(rate) = self.hit_rate_percent()
            && self.lookups() >= ENOUGH_LOOKUPS
            && rate < f64::from(least_hit_rate)
        {
            problems.push(format!(
                "{rate:.1} % of lookups find something, less than {least_hit_rate} %"
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory:950\r\nmaxmemory:1000\r\n\
        # Stats\r\nkeyspace_hits:850\r\nkeyspace_misses:150\r\nevicted_keys:3\r\n# Replication\r\nrole:slave\r\n\
        master_link_status:down\r\nconnected_slaves:0\r\n";

    #[test]
    fn what_redis_says_is_read_and_judged() {
        let health = Health::of(INFO);
        assert_eq!((health.version.as_str(), health.role.as_str()), ("7.0.15", "slave"));
        assert_eq!(health.hit_rate_percent(), Some(85.0));
        // The runbook is content with 80 %, the guide with 90 %.
        assert_eq!((health.problems(80).len(), health.problems(90).len()), (2, 3));
        let fresh = Health {
            is_linked: true,
            misses: 10,
            ..Health::default()
        };
        assert_eq!(fresh.problems(90), Vec::<String>::new());
    }
}
