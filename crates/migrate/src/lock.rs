//! The lock that lets one run migrate a database at a time.
//!
//! It is the session lock that sqlx takes, so a program that migrates itself at its start waits for us and we for it. Unlike
//! sqlx we ask again and again and never wait inside the server: a session that waits there holds a snapshot, for which a
//! concurrent index build of the lock's holder waits, and the two deadlock (measured with three runners).
//! The server releases it when the session ends, however that happens.

use std::fmt;
use std::time::Duration;

use crc::{CRC_32_ISO_HDLC, Crc};
use sqlx::PgConnection;
use tokio::time::Instant;

use crate::error::MigrateError;
use crate::event::{Event, Events};
use crate::session::jittered;

const POLL: Duration = Duration::from_millis(250);

/// Who holds the migration lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The server's process id of the session; 0 if it was gone before it could be seen.
    pub pid: i32,
    pub application: String,
    /// Where it connects from; empty for a local socket.
    pub address: String,
    /// For how long its session exists, in seconds.
    pub age_seconds: i64,
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            application,
            address,
            age_seconds,
        } = self;
        write!(
            formatter,
            "session {pid} ({application:?} from {address:?}, connected for {age_seconds} s)"
        )
    }
}

/// Takes the lock, and makes sure that the session keeps it.
pub(crate) async fn acquire(
    connection: &mut PgConnection,
    wait: Duration,
    events: &dyn Events,
) -> Result<(), MigrateError> {
    let failed = |source| MigrateError::Database {
        what: "the migration lock",
        source,
    };
    let database: String = sqlx::query_scalar("SELECT current_database()")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let key = key(&database);
    let begun = Instant::now();
    let mut told = None;
    loop {
        let locked: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(key)
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        if locked {
            break;
        }
        let holder = holder(connection, key).await.map_err(failed)?.unwrap_or_default();
        if begun.elapsed() >= wait {
            return Err(MigrateError::LockHeld { waited: wait, holder });
        }
        if told != Some(holder.pid) {
            told = Some(holder.pid);
            events.report(Event::WaitingForLock { holder });
        }
        tokio::time::sleep(jittered(POLL)).await;
    }
    let kept = holder(connection, key).await.map_err(failed)?;
    let own: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    if kept.is_none_or(|holder| holder.pid != own) {
        return Err(MigrateError::SessionNotKept);
    }
    events.report(Event::Locked);
    Ok(())
}

/// The session with the lock; `None` if it was released meanwhile.
async fn holder(connection: &mut PgConnection, key: i64) -> Result<Option<Holder>, sqlx::Error> {
    // A bigint key is shown in two halves, with objsubid 1 (manual, view pg_locks).
    let row: Option<(i32, String, String, i64)> = sqlx::query_as(
        "SELECT l.pid, coalesce(a.application_name, ''), coalesce(host(a.client_addr), ''),
                coalesce(extract(epoch FROM clock_timestamp() - a.backend_start)::bigint, 0)
         FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND l.classid::bigint = ($1 >> 32) & 4294967295 AND l.objid::bigint = $1 & 4294967295",
    )
    .bind(key)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(pid, application, address, age_seconds)| Holder {
        pid,
        application,
        address,
        age_seconds,
    }))
}

/// sqlx's key (sqlx-postgres 0.9.0, `generate_lock_id`).
fn key(database: &str) -> i64 {
    0x3d32_ad9e * i64::from(Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(database.as_bytes()))
}
