//! The function's connection to Postgres.
//!
//! Holds one small pool per function instance: Lambda sends an instance one request at a time, and a database counts its
//! connections over all instances. The address and password come from a secret, read when the first request needs them and
//! again when the server refuses the password, because then it was rotated. Runs no SQL but its session settings.

use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{Executor, Postgres};
use tokio::sync::Mutex;

use crate::secret::{SecretError, SecretSource};
use crate::variables::{SettingsError, Variables};

/// The root certificates of Amazon RDS; `certificates/README.md` says where they come from.
const AMAZON_RDS_ROOTS: &[u8] = include_bytes!("../certificates/amazon-rds-roots.pem");

/// How long a request waits for a connection, its handshake included. An API Gateway caller gives up after 29 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the server works on one statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How much longer than the server the client waits, before it takes the network for dead.
const NETWORK_GRACE: Duration = Duration::from_secs(1);
/// A second connection lets a health check pass while the first one is broken and being replaced.
const CONNECTIONS_PER_INSTANCE: u32 = 2;
/// A frozen instance's connection that is older than this is not asked, but replaced.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Which database, and how to trust it.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    secret_id: String,
    host: Option<String>,
    port: u16,
    name: String,
    certificate_file: Option<PathBuf>,
    application_name: String,
}

impl DatabaseSettings {
    /// Reads `DB_SECRET_ARN` (required) and, for what the secret leaves out, `DB_HOST`, `DB_PORT` (5432) and `DB_NAME` (`postgres`).
    /// `DB_CA_FILE` names a PEM file of certificates to trust besides Amazon's and the public ones.
    pub fn read(variables: &Variables) -> Result<Self, SettingsError> {
        Ok(Self {
            secret_id: variables
                .required("DB_SECRET_ARN", "the secret with the database's address and password")?
                .to_owned(),
            host: variables.get("DB_HOST").map(str::to_owned),
            port: variables.parsed("DB_PORT", 5432, "a port number")?,
            name: variables.get("DB_NAME").unwrap_or("postgres").to_owned(),
            certificate_file: variables.get("DB_CA_FILE").map(PathBuf::from),
            application_name: variables.function(),
        })
    }
}

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("no database credentials")]
    Credentials { source: SecretError },
    #[error("cannot read the certificates in {path}, which DB_CA_FILE names")]
    Certificates { path: PathBuf, source: std::io::Error },
    #[error("database request failed")]
    Sql { source: sqlx::Error },
    #[error("the database did not answer within {} s", after.as_secs())]
    Silent { after: Duration },
}

impl From<sqlx::Error> for DatabaseError {
    fn from(source: sqlx::Error) -> Self {
        Self::Sql { source }
    }
}

impl DatabaseError {
    /// Whether the database or the way to it is at fault and the same request may pass later.
    /// Everything else is a bug or a wrong deployment, which a retry does not mend.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Credentials { source } => matches!(source, SecretError::Unreadable { .. }),
            Self::Certificates { .. } => false,
            Self::Silent { .. } => true,
            Self::Sql { source } => match source {
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
                sqlx::Error::Database(error) => error.code().is_some_and(|code| is_outage_state(&code)),
                _ => false,
            },
        }
    }

    fn is_refused_login(&self) -> bool {
        matches!(self, Self::Sql { source: sqlx::Error::Database(error) } if error.code().is_some_and(|code| code.starts_with("28")))
    }
}

/// Classes of SQLSTATE (PostgreSQL, appendix A) that speak of the server's condition and not of the statement:
/// 08 connection, 25006 a standby after a failover, 28 login, 40 serialization, 53 resources, 55P03 lock, 57 operator, 58 system.
fn is_outage_state(code: &str) -> bool {
    ["08", "25006", "28", "40", "53", "55P03", "57", "58"]
        .iter()
        .any(|class| code.starts_with(class))
}

/// The function's way to the database. Opens nothing before the first request asks.
pub struct Database {
    settings: DatabaseSettings,
    secrets: Arc<dyn SecretSource>,
    pool: Mutex<Option<PgPool>>,
}

impl Database {
    pub fn new(settings: DatabaseSettings, secrets: Arc<dyn SecretSource>) -> Self {
        Self {
            settings,
            secrets,
            pool: Mutex::new(None),
        }
    }

    /// A connection, checked to be alive. After a refused login the secret is read again, once: it may have been rotated.
    pub async fn connection(&self) -> Result<PoolConnection<Postgres>, DatabaseError> {
        let pool = self.pool().await?;
        match pool.acquire().await.map_err(DatabaseError::from) {
            Err(error) if error.is_refused_login() => {
                tracing::warn!(
                    error = crate::chain(&error),
                    "login refused; reading the database secret again"
                );
                self.forget(&pool).await;
                Ok(self.pool().await?.acquire().await?)
            }
            result => result,
        }
    }

    /// Waits for a statement on one of these connections, but not for ever: the server's own limit comes first,
    /// this one is for a network that swallows packets.
    pub async fn answer<T>(&self, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, DatabaseError> {
        let after = STATEMENT_TIMEOUT + NETWORK_GRACE;
        match tokio::time::timeout(after, statement).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(DatabaseError::Silent { after }),
        }
    }

    async fn pool(&self) -> Result<PgPool, DatabaseError> {
        let mut slot = self.pool.lock().await;
        if let Some(pool) = &*slot {
            return Ok(pool.clone());
        }
        let options = self.connect_options().await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_PER_INSTANCE)
            .acquire_timeout(CONNECT_TIMEOUT)
            .idle_timeout(IDLE_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    // A statement and not a startup parameter: proxies between Lambda and Postgres refuse those.
                    connection
                        .execute(sqlx::AssertSqlSafe(format!(
                            "SET statement_timeout = {}",
                            STATEMENT_TIMEOUT.as_millis()
                        )))
                        .await?;
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        *slot = Some(pool.clone());
        Ok(pool)
    }

    async fn forget(&self, refused: &PgPool) {
        *self.pool.lock().await = None;
        refused.close().await;
    }

    async fn connect_options(&self) -> Result<PgConnectOptions, DatabaseError> {
        let settings = &self.settings;
        let secret = self
            .secrets
            .read(&settings.secret_id)
            .await
            .map_err(|source| DatabaseError::Credentials { source })?;
        let credentials: Credentials =
            serde_json::from_str(secret.reveal()).map_err(|_| malformed(&settings.secret_id))?;
        let host = credentials
            .host
            .or_else(|| settings.host.clone())
            .ok_or_else(|| malformed(&settings.secret_id))?;
        let options = PgConnectOptions::new_without_pgpass()
            .host(&host)
            .port(credentials.port.map_or(Ok(settings.port), |port| {
                port.number().ok_or_else(|| malformed(&settings.secret_id))
            })?)
            .username(&credentials.username)
            .password(&credentials.password)
            .database(credentials.dbname.as_deref().unwrap_or(&settings.name))
            .application_name(&settings.application_name);
        Ok(if is_loopback(&host) {
            // The embedded cloud's Postgres, or a tunnel, which protects the way itself.
            options.ssl_mode(PgSslMode::Prefer)
        } else {
            verified(options, self.certificates().await?)
        })
    }

    async fn certificates(&self) -> Result<Vec<u8>, DatabaseError> {
        let mut roots = AMAZON_RDS_ROOTS.to_vec();
        if let Some(path) = &self.settings.certificate_file {
            let more = tokio::fs::read(path)
                .await
                .map_err(|source| DatabaseError::Certificates {
                    path: path.clone(),
                    source,
                })?;
            roots.push(b'\n');
            roots.extend(more);
        }
        Ok(roots)
    }
}

/// Speaks to nobody but the host that the certificate names.
fn verified(options: PgConnectOptions, roots: Vec<u8>) -> PgConnectOptions {
    options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(roots)
}

fn malformed(id: &str) -> DatabaseError {
    let expected = "a JSON object with username, password, host and optionally port and dbname";
    DatabaseError::Credentials {
        source: SecretError::Malformed {
            id: id.to_owned(),
            expected,
        },
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a secret attached to an RDS instance holds
/// (https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html).
#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
    host: Option<String>,
    port: Option<Port>,
    dbname: Option<String>,
}

/// CloudFormation writes the port as a number, people and rotation functions also as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Text(String),
}

impl Port {
    fn number(&self) -> Option<u16> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::ConnectOptions;

    #[test]
    fn only_the_server_s_condition_is_an_outage() {
        for code in ["08006", "28P01", "53300", "57014", "57P01", "40001"] {
            assert!(is_outage_state(code), "{code}");
        }
        for code in ["42P01", "42703", "22P02", "23505", "0A000"] {
            assert!(!is_outage_state(code), "{code}");
        }
    }

    #[test]
    fn loopback_is_told_from_the_world() {
        assert!(is_loopback("127.0.0.1") && is_loopback("::1") && is_loopback("LocalHost"));
        assert!(!is_loopback("10.0.0.1") && !is_loopback("localhost.example.com") && !is_loopback("db.internal"));
    }

    #[test]
    fn the_shipped_certificates_are_whole() {
        let text = std::str::from_utf8(AMAZON_RDS_ROOTS).unwrap();
        let begins = text.matches("-----BEGIN CERTIFICATE-----").count();
        assert!(begins > 50, "{begins} certificates");
        assert_eq!(begins, text.matches("-----END CERTIFICATE-----").count());
    }

    #[tokio::test]
    async fn a_server_is_trusted_for_its_certificate_alone() {
        let (postgres, root) = test_postgres::TestPostgres::start_tls().await;
        let mut roots = AMAZON_RDS_ROOTS.to_vec();
        let stranger = verified(postgres.options(), roots.clone()).connect().await.unwrap_err();
        assert!(
            matches!(stranger, sqlx::Error::Tls(_) | sqlx::Error::Io(_)),
            "{stranger}"
        );
        // That it connects shows too that every one of Amazon's certificates can be read.
        roots.extend(root.into_bytes());
        verified(postgres.options(), roots).connect().await.unwrap();
    }
}
