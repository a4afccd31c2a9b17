//! What the database says of its tables, for rules that only matter on large ones.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection};

use crate::database::Database;
use crate::error::MigrateError;
use crate::session::{self, is_lock_timeout};

/// Below this a scan under a lock takes milliseconds.
const SMALL: i64 = 8 * 1024 * 1024;

/// How large a table is, its indexes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSize {
    pub bytes: i64,
    /// The server's estimate; -1 where the table was never analysed.
    pub rows: i64,
}

impl TableSize {
    pub fn is_small(self) -> bool {
        self.bytes < SMALL
    }
}

impl fmt::Display for TableSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = self.bytes as f64 / 1_048_576.0;
        if self.rows < 0 {
            write!(formatter, "{megabytes:.0} MB")
        } else {
            write!(formatter, "{megabytes:.0} MB, about {} rows", self.rows)
        }
    }
}

/// How long the size of a table may wait for a lock that somebody holds.
const PATIENCE: Duration = Duration::from_millis(500);

/// The pages of a table, its indexes and its long values at the last analysis, in bytes.
const ESTIMATE: &str = "(SELECT sum(r.relpages)::bigint * current_setting('block_size')::bigint FROM pg_class r
    WHERE r.oid IN (c.oid, c.reltoastrelid) OR r.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = c.oid))";

/// Schema, name, whether the name alone finds it, bytes, and rows.
type Row = (String, String, bool, i64, f32);

async fn tables(connection: &mut PgConnection, size: &str, condition: &str) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(AssertSqlSafe(format!(
        "SELECT n.nspname::text, c.relname::text, pg_table_is_visible(c.oid), {size}, c.reltuples
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
           AND {condition}"
    )))
    .fetch_all(connection)
    .await
}

/// The tables of a database, and which server it is on.
#[derive(Clone, Debug)]
pub struct Catalogue {
    tables: BTreeMap<String, TableSize>,
    server_major: u32,
}

impl Catalogue {
    /// Reads sizes only. Where somebody holds a table for themselves, the sizes are the server's estimates, and a table
    /// that was never analysed is unknown: nobody is waited for.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn read(database: &Database) -> Result<Self, MigrateError> {
        let mut connection = session::connect(database).await?;
        let asked = Self::ask(&mut connection).await;
        session::close(connection).await;
        let (server_major, rows) = asked?;
        let mut catalogue = Self::of(server_major, []);
        for (schema, name, is_visible, bytes, rows) in rows {
            let size = TableSize {
                bytes,
                rows: rows as i64,
            };
            catalogue.tables.insert(format!("{schema}.{name}"), size);
            if is_visible {
                catalogue.tables.insert(name, size);
            }
        }
        Ok(catalogue)
    }

    async fn ask(connection: &mut PgConnection) -> Result<(u32, Vec<Row>), MigrateError> {
        let failed = |source| MigrateError::Database {
            what: "its tables",
            source,
        };
        // A database without a table has a version, too.
        let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int / 10000")
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        session::set(connection, "lock_timeout", PATIENCE).await?;
        let exact = tables(connection, "pg_total_relation_size(c.oid)", "true").await;
        let rows = match exact {
            Err(error) if is_lock_timeout(&error) => tables(connection, ESTIMATE, "c.reltuples >= 0").await,
            exact => exact,
        };
        Ok((u32::try_from(version).unwrap_or_default(), rows.map_err(failed)?))
    }

    /// A catalogue of these tables, by name or `schema.name`, on a server of this major version.
    pub fn of(server_major: u32, tables: impl IntoIterator<Item = (String, TableSize)>) -> Self {
        Self {
            tables: tables.into_iter().collect(),
            server_major,
        }
    }

    pub fn server_major(&self) -> u32 {
        self.server_major
    }

    /// `table` as a statement names it, with or without a schema.
    pub fn size(&self, table: &str) -> Option<TableSize> {
        self.tables.get(table).copied()
    }
}
