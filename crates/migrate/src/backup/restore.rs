//! Puts a backup in a database's place: restored beside it, compared, then swapped by name.
//!
//! The old database serves until the last moment and is kept under another name. The swap is one transaction: renaming takes
//! a lock on the database that lets nobody new in, and waits for those inside, whom another session sends away meanwhile.
//! Whoever dies before its end leaves the old database serving.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::alike::Alike;
use super::client::{self, Owners};
use super::verify::{compare, execute, intact};
use super::{Backup, BackupError, Server};
use crate::database::Database;
use crate::session;
use crate::sql::quoted;

/// How often the sessions inside are sent away while the server waits for them to leave.
const DISMISSALS: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// How many tables are restored at once.
    pub jobs: u32,
    /// How long `pg_restore` may take.
    pub timeout: Duration,
    /// The folder of `pg_restore`, looked at before any other.
    pub programs: Option<PathBuf>,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self {
            jobs: 2,
            timeout: Duration::from_secs(3600),
            programs: None,
        }
    }
}

/// A restore that took place. Whatever was written since `backup.made_at` is only in the database that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The name of the database that served before, closed to nobody and used by nobody.
    pub kept_as: String,
    pub tables: usize,
    pub rows: i64,
}

/// Restores `backup` in the place of `database`.
///
/// # Errors
/// Any failure leaves the old database serving, and nothing of the new one.
pub async fn restore(backup: &Backup, database: &Database, options: &RestoreOptions) -> Result<Restored, BackupError> {
    intact(backup).await?;
    // A database cannot be renamed from inside of it.
    let outside = Database {
        name: if database.name == "postgres" {
            "template1"
        } else {
            "postgres"
        }
        .to_owned(),
        ..database.clone()
    };
    let mut connection = session::connect(&outside).await?;
    let result = restore_from(&mut connection, &outside, backup, database, options).await;
    session::close(connection).await;
    result
}

async fn restore_from(
    connection: &mut PgConnection,
    outside: &Database,
    backup: &Backup,
    database: &Database,
    options: &RestoreOptions,
) -> Result<Restored, BackupError> {
    let server = Server::ask(connection).await?;
    let client = client::find(options.programs.as_deref(), server.major).await?;
    let mark = session::mark();
    let beside = Database {
        name: name_beside(&database.name, "restore", &mark),
        ..database.clone()
    };
    let alike = Alike::read(connection, &database.name).await?;
    alike.create(connection, &beside.name).await?;
    let swapped = async {
        client
            .restore(&beside, &backup.path, Owners::Kept, options.jobs, options.timeout)
            .await?;
        let rows = compare(backup, &beside).await?;
        alike.carry_over(connection, &beside.name).await?;
        let kept_as = name_beside(&database.name, "before", &mark);
        swap(connection, outside, &database.name, &beside.name, &kept_as).await?;
        Ok(Restored {
            kept_as,
            tables: rows.len(),
            rows: rows.values().sum(),
        })
    }
    .await;
    if swapped.is_err() {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(&beside.name));
        if let Err(error) = execute(connection, drop, "to drop what was restored").await {
            tracing::warn!("{} is left over: {error}", beside.name);
        }
    }
    swapped
}

async fn swap(
    connection: &mut PgConnection,
    outside: &Database,
    name: &str,
    beside: &str,
    kept_as: &str,
) -> Result<(), BackupError> {
    let failed = |source| BackupError::Swap {
        name: name.to_owned(),
        source,
    };
    let mut usher = session::connect(outside).await?;
    let renamed = async {
        let mut transaction = connection.begin().await.map_err(failed)?;
        let away = AssertSqlSafe(format!("ALTER DATABASE {} RENAME TO {}", quoted(name), quoted(kept_as)));
        {
            let mut rename = std::pin::pin!(sqlx::query(away).execute(&mut *transaction));
            loop {
                tokio::select! {
                    renamed = &mut rename => break renamed.map(|_| ()).map_err(failed)?,
                    () = tokio::time::sleep(DISMISSALS) => dismiss(&mut usher, name).await.map_err(failed)?,
                }
            }
        }
        let into_place = AssertSqlSafe(format!("ALTER DATABASE {} RENAME TO {}", quoted(beside), quoted(name)));
        sqlx::query(into_place)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }
    .await;
    session::close(usher).await;
    renamed
}

async fn dismiss(usher: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
    )
    .bind(name)
    .execute(usher)
    .await?;
    Ok(())
}

/// `NAME_WHAT_MARK`, within the 63 bytes of a name.
fn name_beside(name: &str, what: &str, mark: &str) -> String {
    let mut room = 63 - what.len() - mark.len() - 2;
    while !name.is_char_boundary(room.min(name.len())) {
        room -= 1;
    }
    format!("{}_{what}_{mark}", &name[..room.min(name.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beside_stay_within_what_the_server_keeps() {
        assert_eq!(name_beside("app", "before", "0123abcd"), "app_before_0123abcd");
        let long = name_beside(&"ü".repeat(40), "before", "0123abcd");
        assert!(long.len() <= 63 && long.ends_with("_before_0123abcd"), "{long}");
    }
}
