//! What a down file would lose, held against the rows that are there.

use std::fmt;

use sqlx::{AssertSqlSafe, PgConnection};
use squawk_syntax::SourceFile;
use squawk_syntax::ast::{self, AstNode};

use crate::error::MigrateError;
use crate::lint::{line_of, plain_name};
use crate::sql::quoted;

/// Something that a down file takes away and that no up file brings back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The down file.
    pub file: String,
    /// From 1.
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{} {}", self.file, self.line, self.what)
    }
}

/// What a statement takes away.
enum Takes {
    /// Definitions only: what they held can be made again from the file.
    Nothing,
    Table(String),
    Column {
        table: String,
        column: String,
    },
    /// It cannot be told.
    Unknown,
}

/// Everything that the statements would lose. Tables are locked first, so that what is found stays so in this transaction.
pub(crate) async fn losses(connection: &mut PgConnection, file: &str, sql: &str) -> Result<Vec<Loss>, MigrateError> {
    let mut losses = Vec::new();
    let tree = SourceFile::parse(sql).tree();
    let statements: Vec<(usize, Vec<Takes>)> = tree
        .stmts()
        .map(|statement| (line_of(sql, statement.syntax()), takes(&statement)))
        .collect();
    for (line, taken) in statements {
        for takes in taken {
            let what = match takes {
                Takes::Nothing => continue,
                Takes::Unknown => "does something of which it cannot be shown that it loses nothing".to_owned(),
                Takes::Table(table) => {
                    let count = held(connection, file, &table, "true").await?;
                    if count == 0 {
                        continue;
                    }
                    format!("drops {table} with {count} rows")
                }
                Takes::Column { table, column } => {
                    let quoted = format!("{} IS NOT NULL", quoted(&column));
                    let count = held(connection, file, &table, &quoted).await?;
                    if count == 0 {
                        continue;
                    }
                    format!("drops column {column} of {table}, which {count} rows fill")
                }
            };
            losses.push(Loss {
                file: file.to_owned(),
                line,
                what,
            });
        }
    }
    Ok(losses)
}

/// How many rows of the table hold; 0 where there is no such table.
async fn held(connection: &mut PgConnection, file: &str, table: &str, condition: &str) -> Result<i64, MigrateError> {
    let failed = |source| MigrateError::Database {
        what: "what would be lost",
        source,
    };
    let name: Option<String> = sqlx::query_scalar("SELECT to_regclass($1)::text")
        .bind(table)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let Some(name) = name else { return Ok(0) };
    sqlx::query(AssertSqlSafe(format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")))
        .execute(&mut *connection)
        .await
        .map_err(|source| MigrateError::Failed {
            file: file.to_owned(),
            line: None,
            no_transaction: false,
            source,
        })?;
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {name} WHERE {condition}")))
        .fetch_one(connection)
        .await
        .map_err(failed)
}

fn takes(statement: &ast::Stmt) -> Vec<Takes> {
    if cascades(statement) {
        return vec![Takes::Unknown];
    }
    match statement {
        ast::Stmt::DropTable(drop) => drop
            .table_name_refs()
            .map(|table| Takes::Table(text(table.syntax())))
            .collect(),
        ast::Stmt::AlterTable(alter) => {
            let table = alter
                .table_relation_name()
                .map(|name| text(name.syntax()))
                .unwrap_or_default();
            alter.actions().map(|action| takes_by_action(&table, &action)).collect()
        }
        ast::Stmt::DropIndex(_)
        | ast::Stmt::DropView(_)
        | ast::Stmt::DropMaterializedView(_)
        | ast::Stmt::DropFunction(_)
        | ast::Stmt::DropProcedure(_)
        | ast::Stmt::DropTrigger(_)
        | ast::Stmt::DropPolicy(_)
        | ast::Stmt::CreateIndex(_)
        | ast::Stmt::CreateView(_)
        | ast::Stmt::CreateFunction(_)
        | ast::Stmt::CreateTrigger(_)
        | ast::Stmt::CommentOn(_) => vec![Takes::Nothing],
        _ => vec![Takes::Unknown],
    }
}

fn takes_by_action(table: &str, action: &ast::AlterTableAction) -> Takes {
    match action {
        ast::AlterTableAction::DropColumn(drop) => match drop.column_name_ref() {
            Some(column) => Takes::Column {
                table: table.to_owned(),
                column: plain_name(column.syntax()),
            },
            None => Takes::Unknown,
        },
        ast::AlterTableAction::DropConstraint(_)
        | ast::AlterTableAction::AddConstraint(_)
        | ast::AlterTableAction::ValidateConstraint(_) => Takes::Nothing,
        _ => Takes::Unknown,
    }
}

/// `CASCADE` takes what the file does not name.
fn cascades(statement: &ast::Stmt) -> bool {
    statement
        .syntax()
        .descendants()
        .any(|node| matches!(ast::DropBehavior::cast(node), Some(ast::DropBehavior::Cascade(_))))
}

fn text(node: &squawk_syntax::SyntaxNode) -> String {
    node.text().to_string().trim().to_owned()
}
