//! The one connection that a run uses, and what can be seen of others from it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use crate::database::{Database, Tls};
use crate::error::MigrateError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// The first version with `client_connection_check_interval`.
const CHECKS_CLIENTS: i32 = 140_000;

/// SQLSTATE of a prepared statement that the session does not have, or has already.
const UNKNOWN_STATEMENT: &str = "26000";
const KNOWN_STATEMENT: &str = "42P05";
/// SQLSTATE of a lock that was not got in time.
const LOCK_TIMEOUT: &str = "55P03";

/// A session in the way of a migration, or one that waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    pub pid: i32,
    pub application: String,
    /// `active`, `idle in transaction`, …
    pub state: String,
    /// For how long its transaction is open, in seconds.
    pub transaction_seconds: i64,
    /// What it runs now or ran last, cut to 200 characters.
    pub query: String,
}

impl fmt::Display for Blocker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            application,
            state,
            transaction_seconds,
            query,
        } = self;
        write!(
            formatter,
            "session {pid} ({application:?}, {state}, in its transaction for {transaction_seconds} s, query: {query})"
        )
    }
}

/// Connects for a run. Nobody else uses the connection, and [`close`] ends it whatever happened, because the server
/// releases a session's locks only with the session.
pub(crate) async fn open(database: &Database) -> Result<PgConnection, MigrateError> {
    let mut connection = connect(database).await?;
    let prepared = async {
        prepare(&mut connection).await?;
        is_our_own(&mut connection, database).await
    };
    match prepared.await {
        Ok(()) => Ok(connection),
        Err(error) => finish(connection, Err(error)).await,
    }
}

/// Refuses a pooler in transaction mode, which lends a session to whoever begins a transaction: while ours is idle, a
/// second connection begins one. A quiet PgBouncer lends it the very session that we believe to be ours; without
/// this everything would pass, and the migration lock stay behind in its pool.
async fn is_our_own(connection: &mut PgConnection, database: &Database) -> Result<(), MigrateError> {
    let before = own_pid(connection).await?;
    let mut second = connect(database).await?;
    let compared = async {
        let mut transaction = second.begin().await.map_err(|source| MigrateError::Database {
            what: "a second session",
            source,
        })?;
        // Where there is one session for all, asking ours again would wait for this transaction.
        Ok(own_pid(&mut transaction).await? != before && own_pid(connection).await? == before)
    }
    .await;
    match finish(second, compared).await? {
        true => Ok(()),
        false => Err(MigrateError::SessionNotKept),
    }
}

/// The server's process id of the session that this connection has at the moment.
pub(crate) async fn own_pid(connection: &mut PgConnection) -> Result<i32, MigrateError> {
    sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(connection)
        .await
        .map_err(|source| MigrateError::Database {
            what: "its session",
            source,
        })
}

async fn prepare(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(&mut *connection)
        .await
        .map_err(|source| MigrateError::Database {
            what: "its version",
            source,
        })?;
    if version >= CHECKS_CLIENTS {
        // Else the server notices a killed client only when its statement ends: 13.5 s measured, against 0.1 s.
        set(connection, "client_connection_check_interval", Duration::from_secs(1)).await?;
    }
    Ok(())
}

/// Ends the session of a piece of work. Behind a pooler in transaction mode statements meet sessions that never heard of
/// them, or heard of others by the same name; both are said to be that.
pub(crate) async fn finish<T>(connection: PgConnection, result: Result<T, MigrateError>) -> Result<T, MigrateError> {
    close(connection).await;
    let is_pooled = |error: &sqlx::Error| {
        let code = error.as_database_error().and_then(|error| error.code());
        code.is_some_and(|code| code == UNKNOWN_STATEMENT || code == KNOWN_STATEMENT)
    };
    result.map_err(|error| match error {
        MigrateError::Database { source, .. } | MigrateError::Failed { source, .. } if is_pooled(&source) => {
            MigrateError::SessionNotKept
        }
        error => error,
    })
}

pub(crate) async fn connect(database: &Database) -> Result<PgConnection, MigrateError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, database.options().connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(source)) if *database.tls() != Tls::Loopback && is_about_tls(&source) => Err(MigrateError::Untrusted {
            database: database.to_string(),
            source,
        }),
        Ok(Err(source)) => Err(MigrateError::Connect {
            database: database.to_string(),
            source,
        }),
        Err(_) => Err(MigrateError::Unreachable {
            database: database.to_string(),
            after: CONNECT_TIMEOUT,
        }),
    }
}

/// Whether the connection was there and its protection was not: a handshake that fails comes as an error of reading.
fn is_about_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// Says goodbye to the server; one that does not listen loses the connection all the same.
pub(crate) async fn close(connection: PgConnection) {
    if tokio::time::timeout(CLOSE_TIMEOUT, connection.close()).await.is_err() {
        tracing::debug!("the database did not take leave in time");
    }
}

/// Sets a session setting that is a time. Before every file anew, because a block or a function may have changed it; in the
/// simple protocol, which takes one turn.
pub(crate) async fn set(
    connection: &mut PgConnection,
    name: &'static str,
    value: Duration,
) -> Result<(), MigrateError> {
    sqlx::raw_sql(AssertSqlSafe(format!("SET {name} = {}", value.as_millis())))
        .execute(connection)
        .await
        .map_err(|source| MigrateError::Database {
            what: "a session setting",
            source,
        })?;
    Ok(())
}

/// Whether the server ended a wait for a lock, as `lock_timeout` says.
pub(crate) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == LOCK_TIMEOUT)
}

/// Who is in the way of the session `pid` at this moment; `None` where it waits for no lock.
pub(crate) async fn in_the_way(watcher: &mut PgConnection, pid: i32) -> Result<Option<Vec<Blocker>>, sqlx::Error> {
    let waits: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock')")
            .bind(pid)
            .fetch_one(&mut *watcher)
            .await?;
    match waits {
        true => sessions(watcher, "pid = ANY (pg_blocking_pids($1))", pid)
            .await
            .map(Some),
        false => Ok(None),
    }
}

/// Who waits for the session `pid` at this moment.
pub(crate) async fn waiting_for(watcher: &mut PgConnection, pid: i32) -> Result<Vec<Blocker>, sqlx::Error> {
    sessions(watcher, "$1 = ANY (pg_blocking_pids(pid))", pid).await
}

/// The transaction that is open longest, ours left out.
pub(crate) async fn longest_transaction(watcher: &mut PgConnection) -> Result<Option<Blocker>, sqlx::Error> {
    let condition = "xact_start IS NOT NULL AND backend_type = 'client backend' AND pid <> $1";
    let own: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut *watcher)
        .await?;
    Ok(sessions(watcher, condition, own).await?.into_iter().next())
}

/// Whoever waits for a lock of another, with those it waits for.
pub(crate) async fn all_waiting(watcher: &mut PgConnection) -> Result<Vec<(Blocker, Vec<i32>)>, sqlx::Error> {
    let waiting = sessions(watcher, "wait_event_type = 'Lock' AND pid <> $1", 0).await?;
    let mut found = Vec::with_capacity(waiting.len());
    for session in waiting {
        let others: Vec<i32> = sqlx::query_scalar("SELECT pg_blocking_pids($1)")
            .bind(session.pid)
            .fetch_one(&mut *watcher)
            .await?;
        // It may have got its lock meanwhile.
        if !others.is_empty() {
            found.push((session, others));
        }
    }
    Ok(found)
}

async fn sessions(watcher: &mut PgConnection, condition: &'static str, pid: i32) -> Result<Vec<Blocker>, sqlx::Error> {
    let rows: Vec<(i32, String, String, i64, String)> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT pid, coalesce(application_name, ''), coalesce(state, ''),
                coalesce(extract(epoch FROM clock_timestamp() - xact_start)::bigint, 0), coalesce(left(query, 200), '')
         FROM pg_stat_activity WHERE {condition} ORDER BY xact_start"
    )))
    .bind(pid)
    .fetch_all(watcher)
    .await?;
    let blocker = |(pid, application, state, transaction_seconds, query)| Blocker {
        pid,
        application,
        state,
        transaction_seconds,
        query,
    };
    Ok(rows.into_iter().map(blocker).collect())
}

/// Between half and one and a half of the time, so that several runners do not march in step.
pub(crate) fn jittered(time: Duration) -> Duration {
    let share = random() % 1000;
    time / 2 + time.mul_f64(share as f64 / 1000.0)
}

/// Eight digits for the name of something that exists for a while.
pub(crate) fn mark() -> String {
    format!("{:08x}", random() & 0xffff_ffff)
}

/// The standard library's only randomness: the keys of a new hasher.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
