//! What a server says of its own health. Reads only, and waits for nobody.

use serde::Serialize;
use sqlx::PgConnection;

use crate::database::Database;
use crate::error::MigrateError;
use crate::session::{self, Blocker};

/// The state of a database and its server, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub server_version: String,
    /// `primary` or `replica`.
    pub role: Role,
    /// Whether new transactions may not write.
    pub is_read_only: bool,
    /// Clients' sessions, this one included.
    pub connections: i64,
    /// How many an ordinary user may have in all.
    pub connections_at_most: i64,
    pub database_bytes: i64,
    /// The transaction that is open longest, where one is; the server's own workers left out.
    pub longest_transaction: Option<Session>,
    /// Sessions that wait for another, those that wait longest first.
    pub waiting: Vec<Waiting>,
    /// As SQL names them; they are kept by every writer and read by nobody.
    pub invalid_indexes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Primary,
    Replica,
}

/// A session and what it does, its query cut to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    pub pid: i32,
    pub application: String,
    pub state: String,
    pub transaction_seconds: i64,
    pub query: String,
}

/// A session that waits, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    #[serde(flatten)]
    pub session: Session,
    pub waits_for: Vec<i32>,
}

impl From<Blocker> for Session {
    fn from(blocker: Blocker) -> Self {
        Self {
            pid: blocker.pid,
            application: blocker.application,
            state: blocker.state,
            transaction_seconds: blocker.transaction_seconds,
            query: blocker.query,
        }
    }
}

impl Health {
    /// Connects and asks.
    ///
    /// # Errors
    /// Where there is no connection, or a question is not answered.
    pub async fn read(database: &Database) -> Result<Self, MigrateError> {
        let mut connection = session::connect(database).await?;
        let read = ask(&mut connection).await.map_err(|source| MigrateError::Database {
            what: "its health",
            source,
        });
        session::finish(connection, read).await
    }
}

async fn ask(connection: &mut PgConnection) -> Result<Health, sqlx::Error> {
    let (server_version, in_recovery, is_read_only, connections_at_most, database_bytes): (String, bool, bool, i64, i64) =
        sqlx::query_as(
            "SELECT current_setting('server_version'), pg_is_in_recovery(),
                    current_setting('default_transaction_read_only')::bool OR pg_is_in_recovery(),
                    current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,
                    pg_database_size(current_database())",
        )
        .fetch_one(&mut *connection)
        .await?;
    let connections: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
            .fetch_one(&mut *connection)
            .await?;
    let longest = session::longest_transaction(&mut *connection).await?;
    let mut waiting = Vec::new();
    for (session, waits_for) in session::all_waiting(&mut *connection).await? {
        waiting.push(Waiting {
            session: session.into(),
            waits_for,
        });
    }
    let invalid_indexes = sqlx::query_scalar(
        "SELECT i.indexrelid::regclass::text FROM pg_index i WHERE NOT i.indisvalid
         AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) ORDER BY 1",
    )
    .fetch_all(connection)
    .await?;
    Ok(Health {
        server_version,
        role: if in_recovery { Role::Replica } else { Role::Primary },
        is_read_only,
        connections,
        connections_at_most,
        database_bytes,
        longest_transaction: longest.map(Session::from),
        waiting,
        invalid_indexes,
    })
}
