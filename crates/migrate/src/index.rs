//! Concurrent index builds: the one kind of migration that can end half done.
//!
//! A build that fails or is cut off leaves an invalid index behind, which nobody reads and every writer keeps, and which `IF
//! NOT EXISTS` takes for a finished one. So before a build whatever an earlier try left is dropped, and a build that ended and
//! whose record was lost is recorded, not built again.

use sqlx::{AssertSqlSafe, PgConnection};
use squawk_syntax::SourceFile;
use squawk_syntax::ast::{self, AstNode};

use crate::error::MigrateError;
use crate::files::MigrationFile;
use crate::lint::plain_name;

/// The index that a file builds concurrently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConcurrentIndex {
    pub name: String,
    /// With its schema, if the file says one.
    table: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IndexState {
    Absent,
    /// `index` as SQL names it.
    Invalid {
        index: String,
    },
    Valid,
}

impl ConcurrentIndex {
    /// `None` where the file builds none, or one that it leaves to the server to name.
    pub(crate) fn of(file: &MigrationFile) -> Option<Self> {
        let tree = SourceFile::parse(file.sql()).tree();
        tree.stmts().find_map(|statement| {
            let ast::Stmt::CreateIndex(create) = statement else {
                return None;
            };
            create.concurrently_token()?;
            Some(Self {
                name: plain_name(create.index()?.syntax()),
                table: create
                    .table_relation_name()?
                    .syntax()
                    .text()
                    .to_string()
                    .trim()
                    .to_owned(),
            })
        })
    }

    pub(crate) async fn state(&self, connection: &mut PgConnection) -> Result<IndexState, MigrateError> {
        let table = self.table.trim_start_matches("ONLY ").trim_start_matches("only ");
        let found: Option<(bool, String)> = sqlx::query_as(
            "SELECT i.indisvalid, i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE c.relname = $1 AND i.indrelid = to_regclass($2)",
        )
        .bind(&self.name)
        .bind(table)
        .fetch_optional(connection)
        .await
        .map_err(|source| MigrateError::Database {
            what: "the index",
            source,
        })?;
        Ok(match found {
            None => IndexState::Absent,
            Some((true, _)) => IndexState::Valid,
            Some((false, index)) => IndexState::Invalid { index },
        })
    }
}

/// Drops an index without holding anybody up. `index` as SQL names it.
pub(crate) async fn drop_concurrently(connection: &mut PgConnection, index: &str) -> Result<(), sqlx::Error> {
    sqlx::query(AssertSqlSafe(format!("DROP INDEX CONCURRENTLY IF EXISTS {index}")))
        .execute(connection)
        .await?;
    Ok(())
}
