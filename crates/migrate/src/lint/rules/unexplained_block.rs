//! `DO` blocks: no rule sees into them, so they need a reason.

use squawk_syntax::ast::{self, AstNode};

use crate::lint::{Report, Severity};

const RULE: &str = "unexplained-block";

pub(super) fn check(report: &mut Report<'_>) {
    for statement in report.parsed.statements() {
        if !matches!(statement, ast::Stmt::Do(_)) {
            continue;
        }
        let line = report.parsed.line_of(statement.syntax());
        let why = "no rule sees what a DO block does";
        let safe = format!("plain statements; or above it: -- lint: allow {RULE} because …");
        report.add(line, RULE, Severity::Error, why, Some(safe));
    }
}
