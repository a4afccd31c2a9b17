//! `-- lint: allow RULE because REASON` above a statement takes a rule's findings in that statement away.

use squawk_syntax::ast::AstNode;

use super::parsed::Parsed;
use super::{Finding, Severity};

const HEAD: &str = "lint: allow ";
const REASON: &str = " because ";

struct Waiver {
    line: usize,
    rule: String,
    has_reason: bool,
}

impl Waiver {
    fn parse(line: usize, text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("--")?.trim().strip_prefix(HEAD)?;
        let (rule, reason) = rest.split_once(REASON).unwrap_or((rest, ""));
        Some(Self {
            line,
            rule: rule.trim().to_owned(),
            has_reason: !reason.trim().is_empty(),
        })
    }
}

/// Takes away what is waived, and reports waivers that say no reason or meet nothing.
pub(super) fn apply(findings: &mut Vec<Finding>, parsed: &Parsed) {
    let waivers: Vec<Waiver> = parsed
        .sql
        .lines()
        .enumerate()
        .filter_map(|(index, text)| Waiver::parse(index + 1, text))
        .collect();
    for waiver in waivers {
        let covered = statement_after(parsed, waiver.line);
        let before = findings.len();
        if waiver.has_reason {
            findings.retain(|finding| {
                finding.rule != waiver.rule
                    || !covered.is_some_and(|(first, last)| (first..=last).contains(&finding.line))
            });
            if findings.len() < before {
                continue;
            }
        }
        let (rule, why) = if waiver.has_reason {
            (
                "unused-waiver",
                format!("nothing of the rule {} is found in the statement below", waiver.rule),
            )
        } else {
            (
                "unreasoned-waiver",
                format!("the rule {} is waived without a reason", waiver.rule),
            )
        };
        findings.push(Finding {
            file: parsed.file.clone(),
            line: waiver.line,
            rule: rule.to_owned(),
            severity: if waiver.has_reason {
                Severity::Advice
            } else {
                Severity::Error
            },
            why,
            safe: (!waiver.has_reason).then(|| format!("-- {HEAD}{}{REASON}…", waiver.rule)),
        });
    }
}

/// First and last line of the first statement that begins after `line`.
fn statement_after(parsed: &Parsed, line: usize) -> Option<(usize, usize)> {
    parsed
        .statements()
        .iter()
        .map(|statement| {
            let end = usize::from(statement.syntax().text_range().end());
            (parsed.line_of(statement.syntax()), parsed.line(end.saturating_sub(1)))
        })
        .find(|(first, _)| *first > line)
}
