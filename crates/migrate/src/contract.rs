//! Leave to take away what the old version needed.
//!
//! A contract cannot be taken back, so [`Options::contracting`] wants a [`ContractPermit`], and only
//! [`ContractPermit::ask`] makes one: after no session of another version is left, and with a backup of this schema that
//! was restored. That the old version cannot be called any more is what the caller knows: it says so in [`Versions`].
//!
//! [`Options::contracting`]: crate::Options::contracting

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sqlx::PgConnection;

use crate::backup::Backup;
use crate::database::{APPLICATION_NAME, Database};
use crate::error::MigrateError;
use crate::{history, session};

/// Which versions may be connected. A function names its sessions `FUNCTION:VERSION`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The live version of each function.
    pub live: BTreeMap<String, String>,
    /// Since when no other version can be called: RFC 3339. A session that names no function is trusted if it began later;
    /// `None`: none of those is trusted.
    pub alone_since: Option<String>,
    /// The contracts that lay beside the live versions when they were deployed; any other may take away what these need.
    /// `None` where nobody knows: then none is held for that.
    pub contracts: Option<BTreeSet<i64>>,
}

/// A session that may be of a version that the contract would break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldSession {
    pub pid: i32,
    /// As it names itself; often `FUNCTION:VERSION`.
    pub application: String,
    /// When it began: RFC 3339, in UTC; `None` where the server does not tell our user.
    pub since: Option<String>,
}

impl fmt::Display for OldSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            application,
            since,
        } = self;
        let since = since.as_deref().unwrap_or("an unknown time");
        write!(formatter, "session {pid} ({application:?}, since {since})")
    }
}

/// A backup that was restored and compared, so that what is taken away can be had back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenBackup {
    pub name: String,
    /// The newest migration that it holds.
    pub schema_version: Option<i64>,
}

impl ProvenBackup {
    /// `None` for one that was never restored.
    pub fn of(backup: &Backup) -> Option<Self> {
        backup.verified.as_ref().map(|_| Self {
            name: backup.label.clone(),
            schema_version: backup.schema_version,
        })
    }
}

/// Leave to run the contracts of one database, for the run that begins now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractPermit {
    database: String,
    backup: String,
    /// See [`Versions::contracts`].
    contracts: Option<BTreeSet<i64>>,
}

/// Why no contract may run now. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ContractRefused {
    #[error(transparent)]
    Database(#[from] MigrateError),
    #[error(
        "of another version, or of one that does not say, there may still be: {}",
        list(sessions)
    )]
    OldSessions { sessions: Vec<OldSession> },
    #[error("no backup of the schema as it is now ({}) has been restored for a proof", version(*schema_version))]
    NothingProven { schema_version: Option<i64> },
}

impl ContractPermit {
    /// Asks the server who is connected, and takes the last of the backups that holds the schema as it is now.
    ///
    /// # Errors
    /// [`ContractRefused`], with every session in question.
    pub async fn ask(
        database: &Database,
        versions: &Versions,
        backups: &[ProvenBackup],
    ) -> Result<Self, ContractRefused> {
        let mut connection = session::connect(database).await?;
        let asked = async {
            let applied = history::read(&mut connection).await?;
            let sessions = old_sessions(&mut connection, versions).await?;
            Ok((applied.last().map(|applied| applied.version), sessions))
        }
        .await;
        let (schema_version, sessions) = session::finish(connection, asked).await?;
        if !sessions.is_empty() {
            return Err(ContractRefused::OldSessions { sessions });
        }
        let proven = backups.iter().rfind(|backup| backup.schema_version == schema_version);
        let backup = proven.ok_or(ContractRefused::NothingProven { schema_version })?;
        Ok(Self {
            database: database.to_string(),
            backup: backup.name.clone(),
            contracts: versions.contracts.clone(),
        })
    }

    /// The backup that what is taken away can be had back from.
    pub fn backup(&self) -> &str {
        &self.backup
    }

    pub(crate) fn is_for(&self, database: &Database) -> bool {
        self.database == database.to_string()
    }

    pub(crate) fn covers(&self, version: i64) -> bool {
        covers(self.contracts.as_ref(), version)
    }
}

fn covers(contracts: Option<&BTreeSet<i64>>, version: i64) -> bool {
    contracts.is_none_or(|contracts| contracts.contains(&version))
}

/// The sessions of this database that may be of a version that is not live, oldest first.
async fn old_sessions(connection: &mut PgConnection, versions: &Versions) -> Result<Vec<OldSession>, MigrateError> {
    // Who is not allowed to see other users' sessions is told their names, but neither their beginning nor their kind.
    let sessions: Vec<(i32, String, Option<String>, bool)> = sqlx::query_as(
        r#"SELECT pid, coalesce(application_name, ''),
                  to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                  coalesce(backend_start >= $1::text::timestamptz, false)
           FROM pg_stat_activity
           WHERE datname = current_database() AND coalesce(backend_type, 'client backend') = 'client backend'
             AND pid <> pg_backend_pid()
             AND application_name IS DISTINCT FROM $2
           ORDER BY backend_start, pid"#,
    )
    .bind(versions.alone_since.as_deref())
    .bind(APPLICATION_NAME)
    .fetch_all(connection)
    .await
    .map_err(|source| MigrateError::Database {
        what: "who is connected",
        source,
    })?;
    let old = sessions
        .into_iter()
        .filter(|(_, application, _, is_new)| match versions.names(application) {
            Some(is_live) => !is_live,
            None => !is_new,
        });
    Ok(old
        .map(|(pid, application, since, _)| OldSession {
            pid,
            application,
            since,
        })
        .collect())
}

impl Versions {
    /// Whether the live versions can do without what this contract takes away, as far as anybody knows.
    pub fn cover(&self, contract: i64) -> bool {
        covers(self.contracts.as_ref(), contract)
    }

    /// Whether the name is of a live version; `None` where it is not of a function that we know.
    fn names(&self, application: &str) -> Option<bool> {
        let (function, version) = application.rsplit_once(':')?;
        self.live.get(function).map(|live| live == version)
    }
}

fn list(sessions: &[OldSession]) -> String {
    sessions.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn version(version: Option<i64>) -> String {
    version.map_or_else(|| "no migration applied".to_owned(), |version| version.to_string())
}
