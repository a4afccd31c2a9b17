//! Which database to connect to, and as whom. Its password never shows itself.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// How sessions of this crate name themselves to the server, and so to everybody who waits for them.
pub(crate) const APPLICATION_NAME: &str = "llama-deploy migrate";

/// A password whose `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// How the way to the server is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// As the server likes, and unverified: the address is of this machine. Behind it may be a tunnel to a server that
    /// demands TLS with a certificate for another name; the tunnel protects the way.
    Loopback,
    /// Certificate and host name are verified against the public roots and these (PEM, may be empty).
    Verified { roots: String },
}

/// A database and how to log in to it.
#[derive(Clone, Debug)]
pub struct Database {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) name: String,
    pub(crate) username: String,
    pub(crate) password: Password,
    pub(crate) tls: Tls,
}

/// A URL that names no database. The URL itself is not repeated: it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    #[error("the database URL is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Malformed,
    #[error("the database URL switches TLS off (sslmode={sslmode}) for {host}; only a loopback address may do that")]
    Unprotected { host: String, sslmode: String },
}

impl Database {
    /// TLS is required and verified, except to a loopback address.
    pub fn new(
        host: impl Into<String>,
        port: u16,
        name: impl Into<String>,
        username: impl Into<String>,
        password: Password,
    ) -> Self {
        let host = host.into();
        let tls = if is_loopback(&host) {
            Tls::Loopback
        } else {
            Tls::Verified { roots: String::new() }
        };
        Self {
            host,
            port,
            name: name.into(),
            username: username.into(),
            password,
            tls,
        }
    }

    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; of the parameters only `sslmode` counts.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
        let sslmode = parameters
            .split('&')
            .filter_map(|pair| pair.strip_prefix("sslmode="))
            .next_back();
        let options = PgConnectOptions::from_str(url).map_err(|_| UrlError::Malformed)?;
        let password = url_password(url).ok_or(UrlError::Malformed)?;
        let name = options.get_database().ok_or(UrlError::Malformed)?.to_owned();
        let database = Self::new(
            options.get_host(),
            options.get_port(),
            name,
            options.get_username(),
            Password::new(password),
        );
        match sslmode {
            Some(mode @ ("disable" | "allow" | "prefer")) if database.tls != Tls::Loopback => {
                Err(UrlError::Unprotected {
                    host: database.host,
                    sslmode: mode.to_owned(),
                })
            }
            _ => Ok(database),
        }
    }

    /// Trusts these roots (PEM) besides the public ones; nothing changes for a loopback address.
    #[must_use]
    pub fn trusting(mut self, roots: impl Into<String>) -> Self {
        if let Tls::Verified { roots: trusted } = &mut self.tls {
            *trusted = roots.into();
        }
        self
    }

    /// The same database on another server, with the same roots: a copy of it that was restored.
    #[must_use]
    pub fn at(&self, host: impl Into<String>, port: u16) -> Self {
        let other = Self::new(
            host,
            port,
            self.name.clone(),
            self.username.clone(),
            self.password.clone(),
        );
        match &self.tls {
            Tls::Verified { roots } => other.trusting(roots.clone()),
            Tls::Loopback => other,
        }
    }

    /// The text with `***` for the password, as it is and as a URL writes it.
    pub fn mask(&self, text: &str) -> String {
        let password = self.password.reveal();
        if password.is_empty() {
            return text.to_owned();
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        let encoded = |byte: u8| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        let in_url: String = password.bytes().map(encoded).collect();
        text.replace(password, "***").replace(&in_url, "***")
    }

    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .database(&self.name)
            .username(&self.username)
            .password(self.password.reveal())
            .application_name(APPLICATION_NAME);
        match &self.tls {
            Tls::Loopback => options.ssl_mode(PgSslMode::Prefer),
            Tls::Verified { roots } if roots.is_empty() => options.ssl_mode(PgSslMode::VerifyFull),
            Tls::Verified { roots } => options
                .ssl_mode(PgSslMode::VerifyFull)
                .ssl_root_cert_from_pem(roots.clone().into_bytes()),
        }
    }
}

/// `USER@HOST:PORT/DATABASE`, for messages.
impl fmt::Display for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}:{}/{}", self.username, self.host, self.port, self.name)
    }
}

/// sqlx reads a URL's password and does not give it back, so it is cut out here: between the first `:` after the scheme
/// and the last `@` before the path.
fn url_password(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (login, _) = authority.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    percent_decoded(password)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            bytes.extend(hex::decode(tail.get(..2)?).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_its_password_never_shown() {
        let database = Database::from_url("postgres://app:p%40ss%3Aword@127.0.0.1:5433/platform").unwrap();
        assert_eq!(database.to_string(), "app@127.0.0.1:5433/platform");
        assert_eq!(database.password.reveal(), "p@ss:word");
        assert_eq!(database.tls, Tls::Loopback);
        assert!(!format!("{database:?}").contains("ss:word"), "{database:?}");
    }

    #[test]
    fn a_remote_database_is_verified_and_cannot_be_talked_out_of_it() {
        let database = Database::from_url("postgres://a:b@db.example.com/x?sslmode=require")
            .unwrap()
            .trusting("PEM");
        assert_eq!(
            database.tls,
            Tls::Verified {
                roots: "PEM".to_owned()
            }
        );
        let error = Database::from_url("postgres://a:b@db.example.com/x?sslmode=disable").unwrap_err();
        assert!(matches!(error, UrlError::Unprotected { .. }));
    }

    #[test]
    fn a_malformed_url_is_not_repeated() {
        for url in [
            "postgres://a:hunter2@host:port/x",
            "hunter2",
            "postgres://host/x",
            "postgres://a:%zz@host/x",
        ] {
            let error = Database::from_url(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    /// Connects as to a server elsewhere, which the test cannot have.
    async fn encrypted(port: u16, tls: Tls) -> Result<bool, sqlx::Error> {
        let password = Password::new(test_postgres::PASSWORD);
        let database = Database {
            tls,
            ..Database::new("127.0.0.1", port, "postgres", "postgres", password)
        };
        let mut connection = sqlx::ConnectOptions::connect(&database.options()).await?;
        sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            .fetch_one(&mut connection)
            .await
    }

    #[tokio::test]
    async fn a_server_is_trusted_for_its_certificate_alone() {
        let (postgres, roots) = test_postgres::TestPostgres::start_tls().await;
        assert!(encrypted(postgres.port(), Tls::Verified { roots }).await.unwrap());
        let stranger = encrypted(postgres.port(), Tls::Verified { roots: String::new() })
            .await
            .unwrap_err();
        assert!(
            matches!(stranger, sqlx::Error::Tls(_) | sqlx::Error::Io(_)),
            "{stranger}"
        );
        assert!(
            encrypted(postgres.port(), Tls::Loopback).await.unwrap(),
            "what a tunnel leads to may demand it"
        );

        let plain = test_postgres::TestPostgres::start().await;
        assert!(!encrypted(plain.port(), Tls::Loopback).await.unwrap());
        let refused = encrypted(plain.port(), Tls::Verified { roots: String::new() })
            .await
            .unwrap_err();
        assert!(matches!(refused, sqlx::Error::Tls(_)), "{refused}");
    }
}
