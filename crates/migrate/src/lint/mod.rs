//! What is known to hurt in a migration, found by reading it.
//!
//! Two sources: squawk's rules, sorted here by what they mean for a blue-green rollout ([`squawk`]), and our own, one
//! a file in [`rules`]. The same statement is fine in one phase and an outage in another, so every rule asks for the phase;
//! and fine on a small table or on one that nobody uses yet, so rules about locks ask the [`Catalogue`] where there is
//! one. Nothing here runs a migration or refuses one: the caller decides what an error stops.
//!
//! A finding is waived above its statement, and only with a reason:
//!
//! ```sql
//! -- lint: allow unexplained-block because it only raises a notice
//! DO $$ BEGIN RAISE NOTICE 'here'; END $$;
//! ```

mod catalogue;
mod parsed;
mod rules;
mod squawk;
mod waiver;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

pub use self::catalogue::{Catalogue, TableSize};
use self::parsed::Parsed;
pub(crate) use self::parsed::{line_of, plain_name};
use crate::files::MigrationFile;
use crate::phase::Phase;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a thought.
    Advice,
    /// It breaks the running version, or holds others up.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Advice => "advice",
            Self::Error => "error",
        })
    }
}

/// One thing found in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// The rule's name, by which it is waived.
    pub rule: String,
    pub severity: Severity,
    pub why: String,
    /// The safe way to write it, where there is one.
    pub safe: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            rule,
            severity,
            why,
            safe,
        } = self;
        write!(formatter, "{file}:{line}: {severity}: {why} [{rule}]")?;
        match safe {
            Some(safe) => write!(formatter, "\n    instead: {safe}"),
            None => Ok(()),
        }
    }
}

/// What the rules know besides the file.
#[derive(Clone, Debug, Default)]
pub struct Surroundings<'a> {
    /// The server's major version, for rules about what an older or a newer one does; 15 without it.
    pub server_major: Option<u32>,
    /// The database's tables, where one is at hand.
    pub catalogue: Option<&'a Catalogue>,
}

/// The findings in these migrations, in order of file and line. Files that name no phase are judged as expands, which
/// is the strictest.
pub fn lint<'a>(files: impl IntoIterator<Item = &'a MigrationFile>, surroundings: &Surroundings<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What an earlier file of the same batch makes is as new to a later one as what that makes itself.
    let mut new_tables = BTreeSet::new();
    for file in files {
        let parsed = Parsed::read(file, &mut new_tables);
        let mut report = Report {
            parsed: &parsed,
            surroundings,
            findings: Vec::new(),
        };
        squawk::check(&mut report);
        rules::check(&mut report);
        let mut found = report.findings;
        waiver::apply(&mut found, &parsed);
        found.sort_by(|left, right| (left.line, &left.rule).cmp(&(right.line, &right.rule)));
        findings.extend(found);
    }
    findings
}

/// What a rule works with.
struct Report<'a> {
    parsed: &'a Parsed,
    surroundings: &'a Surroundings<'a>,
    findings: Vec<Finding>,
}

impl Report<'_> {
    fn phase(&self) -> Phase {
        self.parsed.phase
    }

    fn add(&mut self, line: usize, rule: &str, severity: Severity, why: impl Into<String>, safe: Option<String>) {
        self.findings.push(Finding {
            file: self.parsed.file.clone(),
            line,
            rule: rule.to_owned(),
            severity,
            why: why.into(),
            safe,
        });
    }

    /// Whether a lock on the table, or a scan of it, is felt by nobody: it is made in this batch, or it is known to be
    /// small.
    fn is_harmless_to_lock(&self, table: &str) -> bool {
        self.parsed.new_tables.contains(table)
            || self
                .surroundings
                .catalogue
                .and_then(|catalogue| catalogue.size(table))
                .is_some_and(TableSize::is_small)
    }

    /// How large the table is, for a finding's text; empty where that is not known.
    fn size(&self, table: &str) -> String {
        self.surroundings
            .catalogue
            .and_then(|catalogue| catalogue.size(table))
            .map(|size| format!(" ({size})"))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
