//! Statements that shut everybody out of a table for as long as they take, which squawk only asks a timeout of.

use squawk_syntax::ast::{self, AstNode};

use crate::lint::parsed::{plain_name, table_of};
use crate::lint::{Report, Severity};

const RULE: &str = "long-lock";

pub(super) fn check(report: &mut Report<'_>) {
    for statement in report.parsed.statements() {
        let (what, blocks, safe) = match &statement {
            ast::Stmt::Truncate(_) => ("TRUNCATE", "readers and writers", "DELETE in batches, or a new table"),
            ast::Stmt::Lock(_) => (
                "LOCK",
                "whoever needs the table",
                "no explicit lock: statements take what they need",
            ),
            ast::Stmt::Vacuum(vacuum) if vacuum.full_token().is_some() => (
                "VACUUM FULL",
                "readers and writers while the table is copied",
                "pg_repack, or plain VACUUM",
            ),
            ast::Stmt::Refresh(refresh) if refresh.concurrently_token().is_none() => (
                "REFRESH MATERIALIZED VIEW",
                "readers of the view",
                "REFRESH MATERIALIZED VIEW CONCURRENTLY, in a file of its own with a unique index on the view",
            ),
            ast::Stmt::Cluster(_) => ("CLUSTER", "readers and writers while the table is copied", "pg_repack"),
            ast::Stmt::CreateTrigger(_) => (
                "CREATE TRIGGER",
                "writers until the transaction ends, and it acts on what the running version writes",
                "a file of its own, so that the lock is short",
            ),
            _ => continue,
        };
        let tables: Vec<String> = match &statement {
            ast::Stmt::Truncate(truncate) => {
                let list = truncate.table_list();
                list.map(|list| plain_name(list.syntax()).split(',').map(str::to_owned).collect())
                    .unwrap_or_default()
            }
            other => table_of(other).into_iter().collect(),
        };
        if !tables.is_empty() && tables.iter().all(|table| report.parsed.new_tables.contains(table)) {
            continue;
        }
        let line = report.parsed.line_of(statement.syntax());
        report.add(
            line,
            RULE,
            Severity::Error,
            format!("{what} blocks {blocks}"),
            Some(safe.to_owned()),
        );
    }
}
