//! What the database says of its tables, for rules that only matter on large ones.

use std::collections::BTreeMap;
use std::fmt;

use crate::database::Database;
use crate::error::MigrateError;
use crate::session;

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

/// The tables of a database.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    tables: BTreeMap<String, TableSize>,
    server_major: u32,
}

impl Catalogue {
    /// Reads sizes only; takes no locks that anybody waits for.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn read(database: &Database) -> Result<Self, MigrateError> {
        let mut connection = session::connect(database).await?;
        let asked = sqlx::query_as::<_, (String, String, bool, i64, f32, i32)>(
            "SELECT n.nspname::text, c.relname::text, pg_table_is_visible(c.oid), pg_total_relation_size(c.oid), c.reltuples,
                    current_setting('server_version_num')::int / 10000
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')",
        )
        .fetch_all(&mut connection)
        .await;
        session::close(connection).await;
        let rows = asked.map_err(|source| MigrateError::Database {
            what: "its tables",
            source,
        })?;
        let mut catalogue = Self::default();
        for (schema, name, is_visible, bytes, rows, major) in rows {
            catalogue.server_major = u32::try_from(major).unwrap_or_default();
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

    /// A catalogue of these tables, by name or `schema.name`.
    pub fn of(tables: impl IntoIterator<Item = (String, TableSize)>) -> Self {
        Self {
            tables: tables.into_iter().collect(),
            server_major: 0,
        }
    }

    /// `table` as a statement names it, with or without a schema.
    pub fn size(&self, table: &str) -> Option<TableSize> {
        self.tables.get(table).copied()
    }
}
