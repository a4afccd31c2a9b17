//! How many rows each table has: what a restore is compared by.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

/// The rows of every table with data of its own, as this connection's transaction sees them.
pub(super) async fn count(connection: &mut PgConnection) -> Result<BTreeMap<String, i64>, sqlx::Error> {
    // Names come quoted from the server, so they can stand in a statement.
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', n.nspname, c.relname)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND c.relpersistence <> 't'
           AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut rows = BTreeMap::new();
    for table in tables {
        let count = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM ONLY {table}")))
            .fetch_one(&mut *connection)
            .await?;
        rows.insert(table, count);
    }
    Ok(rows)
}
