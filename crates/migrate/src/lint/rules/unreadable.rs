//! A file that the parser does not understand is not a file without faults.

use crate::lint::{Report, Severity};

const RULE: &str = "unreadable";

pub(super) fn check(report: &mut Report<'_>) {
    let Some(error) = report.parsed.tree.errors().into_iter().next() else {
        return;
    };
    let line = report.parsed.line(usize::from(error.range().start()));
    let why = format!(
        "the parser does not understand this, so the rules may miss what it does: {}",
        error.message()
    );
    report.add(line, RULE, Severity::Advice, why, None);
}
