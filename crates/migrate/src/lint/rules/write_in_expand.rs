//! Writing rows of a table in use before the shift: an expand only adds.

use squawk_syntax::ast::{self, AstNode};

use crate::lint::parsed::table_of;
use crate::lint::{Report, Severity};
use crate::phase::Phase;

const RULE: &str = "write-in-expand";

pub(super) fn check(report: &mut Report<'_>) {
    if report.phase() != Phase::Expand {
        return;
    }
    for statement in report.parsed.statements() {
        if !matches!(statement, ast::Stmt::Update(_) | ast::Stmt::Delete(_)) {
            continue;
        }
        let table = table_of(&statement).unwrap_or_default();
        if report.parsed.new_tables.contains(&table) {
            continue;
        }
        let line = report.parsed.line_of(statement.syntax());
        let why = format!(
            "it writes rows of {table}{} that the running version uses, and holds their locks until the whole file is done",
            report.size(&table)
        );
        let safe = "a migration of the phase backfill, which runs in batches after the shift".to_owned();
        report.add(line, RULE, Severity::Error, why, Some(safe));
    }
}
