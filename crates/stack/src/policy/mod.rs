//! Policies: rules that a template must keep, in packs, each rule with an id, a reason and a fix.
//!
//! They work over the template as JSON, so that the templates of any tool can be checked: [`check`] is what
//! [`crate::App::policy`] and the CLI's `validate` call. A value that is known only to CloudFormation (a parameter, an
//! attribute of another resource) is never a finding. What a finding is about may be excused with
//! [`crate::Construct::suppress`], which asks for the reason and writes it into the template; an excuse without a finding
//! is a finding of its own.
//!
//! Deliberately absent: whether a template is valid at all, and anything that would need the account or a clock.

mod document;
mod security;
mod subject;
mod suppression;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;

pub use document::{Document, Statement};
pub use subject::{Declaration, Resource, Setting};
pub(crate) use suppression::{Suppression, write};

/// The rule about excuses that excuse nothing. No pack holds it and nothing suppresses it.
pub const USELESS_SUPPRESSION: &str = "LDP000";
/// What the ids of built-in rules begin with.
const BUILT_IN: &str = "LDP";

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Said, and let through.
    Warning,
    /// The app does not synthesize, and `validate` fails.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

type OnResource = Arc<dyn Fn(&Resource<'_>) -> Option<String> + Send + Sync>;
type OnParameter = Arc<dyn Fn(&Declaration<'_>) -> Option<String> + Send + Sync>;

#[derive(Clone)]
enum Check {
    Resources(OnResource),
    Parameters(OnParameter),
}

/// One thing that must hold.
#[derive(Clone)]
pub struct Rule {
    /// Stable: suppressions name it.
    pub id: Cow<'static, str>,
    /// What holds where the rule is kept: `RDS storage is encrypted`.
    pub title: Cow<'static, str>,
    /// Why anybody should care.
    pub reason: Cow<'static, str>,
    /// What to do about a finding.
    pub fix: Cow<'static, str>,
    pub severity: Severity,
    check: Check,
}

impl fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Rule({} {})", self.id, self.title)
    }
}

impl Rule {
    /// A rule about single resources, an error unless [`Rule::warning`] says otherwise. `check` answers what is wrong
    /// with one; others of the template can be asked for through it.
    ///
    /// ```
    /// use stack::policy::Rule;
    ///
    /// let rule = Rule::resources("ACME001", "queues have a dead-letter queue", |resource| {
    ///     let lacks = resource.is("AWS::SQS::Queue") && resource.setting("RedrivePolicy").is_absent();
    ///     lacks.then(|| "it has no dead-letter queue".to_owned())
    /// })
    /// .reason("messages that always fail come back for ever")
    /// .fix("give it one: `.dead_letter_queue(&failed, 3)`");
    /// assert_eq!(rule.id, "ACME001");
    /// ```
    pub fn resources(
        id: impl Into<Cow<'static, str>>,
        title: impl Into<Cow<'static, str>>,
        check: impl Fn(&Resource<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self::new(id, title, Check::Resources(Arc::new(check)))
    }

    /// A rule about single parameters of the template.
    pub fn parameters(
        id: impl Into<Cow<'static, str>>,
        title: impl Into<Cow<'static, str>>,
        check: impl Fn(&Declaration<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self::new(id, title, Check::Parameters(Arc::new(check)))
    }

    fn new(id: impl Into<Cow<'static, str>>, title: impl Into<Cow<'static, str>>, check: Check) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            reason: Cow::Borrowed(""),
            fix: Cow::Borrowed(""),
            severity: Severity::Error,
            check,
        }
    }

    #[must_use]
    pub fn reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = reason.into();
        self
    }

    #[must_use]
    pub fn fix(mut self, fix: impl Into<Cow<'static, str>>) -> Self {
        self.fix = fix.into();
        self
    }

    /// Findings are let through.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

/// Rules that belong together.
#[derive(Clone, Debug)]
pub struct Pack {
    pub name: Cow<'static, str>,
    pub rules: Vec<Rule>,
}

impl Pack {
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            rules: Vec::new(),
        }
    }

    /// The built-in rules: encryption, public access, permissions, networks, backups, what is out of support, secrets.
    pub fn security() -> Self {
        Self {
            name: Cow::Borrowed("security"),
            rules: security::rules(),
        }
    }

    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Without a rule, for teams that do not want it at all.
    #[must_use]
    pub fn without(mut self, id: &str) -> Self {
        self.rules.retain(|rule| rule.id != id);
        self
    }

    pub fn find(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}

/// Where an element of a template comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The path of the construct: `Network/Vpc/Resource`.
    pub path: Option<String>,
    /// `FILE:LINE:COLUMN` of the app.
    pub source: Option<String>,
}

/// A template to check.
#[derive(Clone, Debug)]
pub struct Inspected<'a> {
    /// The name of its stack.
    pub stack: &'a str,
    pub template: &'a Json,
    /// By logical id, as far as it is known.
    pub origins: BTreeMap<String, Origin>,
}

/// Something that a rule does not allow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    pub rule: String,
    pub severity: Severity,
    pub stack: String,
    pub logical_id: String,
    pub path: Option<String>,
    /// `FILE:LINE:COLUMN` of the app.
    pub source: Option<String>,
    pub message: String,
    pub reason: String,
    pub fix: String,
    /// Why it was excused, if it was.
    pub suppressed: Option<String>,
}

impl Finding {
    /// Whether it stands in the way.
    pub fn is_violation(&self) -> bool {
        self.severity == Severity::Error && self.suppressed.is_none()
    }
}

/// `LDP101 at Network/Db/Resource: its storage is not encrypted; set …`
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.path.as_ref().unwrap_or(&self.logical_id);
        write!(formatter, "{} at `{place}`: {}", self.rule, self.message)?;
        if !self.fix.is_empty() {
            write!(formatter, "; {}", self.fix)?;
        }
        Ok(())
    }
}

/// Everything in a template that the packs do not allow, in the order of the template and its rules, also what is
/// suppressed; then the suppressions that suppress nothing.
pub fn check(packs: &[Pack], inspected: &Inspected<'_>) -> Vec<Finding> {
    let suppressions = suppression::read(inspected.template);
    let rules: Vec<&Rule> = packs.iter().flat_map(|pack| &pack.rules).collect();
    let finding = |rule: &Rule, logical_id: &str, message: String| {
        let origin = inspected.origins.get(logical_id).cloned().unwrap_or_default();
        let excuse = suppressions
            .iter()
            .find(|excuse| excuse.logical_id == logical_id && excuse.rule == rule.id);
        Finding {
            rule: rule.id.clone().into_owned(),
            severity: rule.severity,
            stack: inspected.stack.to_owned(),
            logical_id: logical_id.to_owned(),
            path: origin.path,
            source: origin.source,
            message,
            reason: rule.reason.clone().into_owned(),
            fix: rule.fix.clone().into_owned(),
            suppressed: excuse.map(|excuse| excuse.reason.clone()),
        }
    };
    let mut findings = Vec::new();
    for declaration in subject::parameters(inspected.template) {
        for rule in &rules {
            if let Check::Parameters(check) = &rule.check
                && let Some(message) = check(&declaration)
            {
                findings.push(finding(rule, declaration.logical_id(), message));
            }
        }
    }
    for resource in subject::resources(inspected.template) {
        for rule in &rules {
            if let Check::Resources(check) = &rule.check
                && let Some(message) = check(&resource)
            {
                findings.push(finding(rule, resource.logical_id(), message));
            }
        }
    }
    findings.extend(useless(inspected, &suppressions, &rules, &findings));
    findings
}

/// What one call of `suppress` said about all that stands below its construct.
type Excuse<'a> = (&'a str, &'a str, &'a str);

/// Suppressions of checked rules without a single finding, each once however many resources it covers, and those of
/// built-in rules that do not exist. Rules that nobody checks here may be another tool's.
fn useless(
    inspected: &Inspected<'_>,
    suppressions: &[suppression::Entry],
    rules: &[&Rule],
    findings: &[Finding],
) -> Vec<Finding> {
    let mut excuses: BTreeMap<Excuse<'_>, Vec<&suppression::Entry>> = BTreeMap::new();
    for entry in suppressions {
        let place = entry.construct.as_deref().unwrap_or(&entry.logical_id);
        excuses
            .entry((&entry.rule, &entry.reason, place))
            .or_default()
            .push(entry);
    }
    let built_in = Pack::security();
    let is_used = |entry: &suppression::Entry| {
        let mut same = findings.iter().filter(|finding| finding.rule == entry.rule);
        same.any(|finding| finding.logical_id == entry.logical_id)
    };
    let mut found = Vec::new();
    for ((rule, _, place), entries) in excuses {
        let is_checked = rules.iter().any(|known| known.id == rule);
        let is_unknown = rule.starts_with(BUILT_IN) && !is_checked && built_in.find(rule).is_none();
        let message = if is_unknown {
            format!("the suppression at `{place}` names `{rule}`, and there is no such rule")
        } else if is_checked && !entries.iter().any(|entry| is_used(entry)) {
            format!("the suppression of {rule} at `{place}` suppresses nothing")
        } else {
            continue;
        };
        let logical_id = entries[0].logical_id.clone();
        let origin = inspected.origins.get(&logical_id).cloned().unwrap_or_default();
        found.push(Finding {
            rule: USELESS_SUPPRESSION.to_owned(),
            severity: Severity::Error,
            stack: inspected.stack.to_owned(),
            path: entries[0].construct.clone().or(origin.path),
            logical_id,
            source: origin.source,
            message,
            reason: "an excuse that outlives its cause hides the next one".to_owned(),
            fix: "remove it".to_owned(),
            suppressed: None,
        });
    }
    found
}

#[cfg(test)]
mod tests;
