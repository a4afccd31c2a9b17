//! Carries a backfill through its table: a batch a transaction, the cursor in the same one.
//!
//! A run that dies goes on behind its last batch. Rows that come with lower keys meanwhile are not looked at: by then the new
//! version fills the column itself.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::batch::Batch;
use crate::error::MigrateError;
use crate::event::{Event, Events};
use crate::files::MigrationFile;
use crate::plan::Options;
use crate::progress;
use crate::session;
use crate::tries::Tries;
use crate::watch::{Budget, Watch};

/// Runs all batches that are left. The migration is not recorded here.
pub(crate) async fn run(
    connection: &mut PgConnection,
    watch: &mut Watch<'_>,
    file: &MigrationFile,
    batch: &Batch,
    options: &Options,
    events: &dyn Events,
) -> Result<Duration, MigrateError> {
    let begun = Instant::now();
    let key_type = key_type(connection, file, batch).await?;
    progress::prepare(connection).await?;
    let before = progress::read(connection, file.version).await?;
    let (mut cursor, earlier) = match before {
        Some(before) if file.matches(&before.checksum) => (before.cursor, before.keys),
        // Never begun, or begun with another text: from the start.
        _ => {
            progress::begin(connection, file).await?;
            (None, 0)
        }
    };
    session::set(connection, "lock_timeout", options.lock_timeout).await?;
    let estimate = estimate(connection, batch).await?;
    let statement = Batch::statement(file.sql(), &key_type);
    let mut written = 0;
    let mut keys = 0;
    loop {
        let batch_begun = Instant::now();
        let Some(next) = next_keys(connection, batch, &key_type, cursor.as_deref()).await? else {
            return Ok(begun.elapsed());
        };
        written += one(connection, watch, file, &statement, &next, options, events).await?;
        keys += next.count;
        let took = batch_begun.elapsed();
        events.report(Event::Backfilling {
            file: file.file.clone(),
            rows: written,
            keys,
            estimate,
            remaining: remaining(
                begun.elapsed(),
                keys,
                estimate.map(|estimate| estimate - earlier - keys),
            ),
        });
        cursor = Some(next.last);
        // At most half of the time is the database's to work for us.
        tokio::time::sleep(batch.pause.max(took)).await;
    }
}

struct Keys {
    first: String,
    last: String,
    count: i64,
}

async fn next_keys(
    connection: &mut PgConnection,
    batch: &Batch,
    key_type: &str,
    cursor: Option<&str>,
) -> Result<Option<Keys>, MigrateError> {
    let Batch { table, key, rows, .. } = batch;
    let after = match cursor {
        Some(_) => format!("WHERE {key} > CAST($1::text AS {key_type})"),
        None => "WHERE $1::text IS NULL".to_owned(),
    };
    let sql = format!(
        "SELECT (array_agg(k ORDER BY k))[1]::text, (array_agg(k ORDER BY k DESC))[1]::text, count(*)
         FROM (SELECT {key} AS k FROM {table} {after} ORDER BY {key} LIMIT {rows}) AS next"
    );
    let found: (Option<String>, Option<String>, i64) = sqlx::query_as(AssertSqlSafe(sql))
        .bind(cursor)
        .fetch_one(connection)
        .await
        .map_err(|source| MigrateError::Database {
            what: "the next keys of a backfill",
            source,
        })?;
    Ok(match found {
        (Some(first), Some(last), count) => Some(Keys { first, last, count }),
        _ => None,
    })
}

/// One batch with its cursor. Tries again while others hold its rows.
async fn one(
    connection: &mut PgConnection,
    watch: &mut Watch<'_>,
    file: &MigrationFile,
    statement: &str,
    keys: &Keys,
    options: &Options,
    events: &dyn Events,
) -> Result<i64, MigrateError> {
    let mut tries = Tries::of(file, options, events);
    loop {
        let once = once(connection, file, statement, keys);
        let seen = watch.over(once, Budget::Together(options.lock_timeout)).await;
        match &seen.result {
            Ok(written) => return Ok(*written),
            Err(error) if seen.is_lock_timeout(error) || is_deadlock(error) => {}
            Err(_) => {
                return seen.result.map_err(|source| MigrateError::Failed {
                    file: file.file.clone(),
                    line: None,
                    no_transaction: false,
                    source,
                });
            }
        }
        tries.pause(watch, seen.blockers).await?;
    }
}

/// The batch and its cursor in one transaction; how many rows were written.
async fn once(
    connection: &mut PgConnection,
    file: &MigrationFile,
    statement: &str,
    keys: &Keys,
) -> Result<i64, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let done = sqlx::query(AssertSqlSafe(statement.to_owned()))
        .bind(&keys.first)
        .bind(&keys.last)
        .execute(&mut *transaction)
        .await?;
    let written = i64::try_from(done.rows_affected()).unwrap_or(i64::MAX);
    progress::advance(&mut transaction, file.version, &keys.last, keys.count).await?;
    transaction.commit().await?;
    Ok(written)
}

/// A deadlock that the server ended: the same batch may pass later.
fn is_deadlock(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == "40P01")
}

/// The type of the key, which has to be unique by itself and without nulls, or batches would leave rows out.
async fn key_type(connection: &mut PgConnection, file: &MigrationFile, batch: &Batch) -> Result<String, MigrateError> {
    let found: Option<(String, bool)> = sqlx::query_as(
        "SELECT format_type(a.atttypid, a.atttypmod), a.attnotnull AND EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
              AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)
         FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped",
    )
    .bind(&batch.table)
    .bind(&batch.key)
    .fetch_optional(connection)
    .await
    .map_err(|source| MigrateError::Database {
        what: "the key of a backfill",
        source,
    })?;
    let unusable = |problem| MigrateError::BackfillKey {
        file: file.file.clone(),
        table: batch.table.clone(),
        key: batch.key.clone(),
        problem,
    };
    match found {
        None => Err(unusable("there is no such column")),
        Some((_, false)) => Err(unusable(
            "it needs a unique index of its own and NOT NULL, or rows would be left out",
        )),
        Some((key_type, true)) => Ok(key_type),
    }
}

/// The server's estimate of the table's rows; `None` where it was never analysed.
async fn estimate(connection: &mut PgConnection, batch: &Batch) -> Result<Option<i64>, MigrateError> {
    let rows: Option<f32> = sqlx::query_scalar("SELECT reltuples FROM pg_class WHERE oid = to_regclass($1)")
        .bind(&batch.table)
        .fetch_optional(connection)
        .await
        .map_err(|source| MigrateError::Database {
            what: "the size of a backfill",
            source,
        })?;
    Ok(rows.filter(|rows| *rows >= 0.0).map(|rows| rows as i64))
}

fn remaining(elapsed: Duration, keys: i64, left: Option<i64>) -> Option<Duration> {
    let left = left?.max(0);
    (keys > 0).then(|| elapsed.mul_f64(left as f64 / keys as f64))
}
