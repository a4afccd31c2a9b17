//! `UPDATE` and `DELETE` without `WHERE`: every row is written in one transaction, and often it was forgotten.

use squawk_syntax::ast::{self, AstNode};

use crate::lint::parsed::table_of;
use crate::lint::{Report, Severity};

const RULE: &str = "unbounded-write";

pub(super) fn check(report: &mut Report<'_>) {
    for statement in report.parsed.statements() {
        let (verb, has_where) = match &statement {
            ast::Stmt::Update(update) => ("UPDATE", update.where_clause_or_current_of().is_some()),
            ast::Stmt::Delete(delete) => ("DELETE", delete.where_clause_or_current_of().is_some()),
            _ => continue,
        };
        let table = table_of(&statement).unwrap_or_default();
        if has_where || report.parsed.new_tables.contains(&table) {
            continue;
        }
        let line = report.parsed.line_of(statement.syntax());
        let why = format!(
            "{verb} without WHERE writes every row of {table}{} in one transaction",
            report.size(&table)
        );
        let safe = "a backfill in batches; where every row is really meant, WHERE true says so".to_owned();
        report.add(line, RULE, Severity::Error, why, Some(safe));
    }
}
