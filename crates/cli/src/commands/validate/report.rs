//! What `validate` shows: for people a block a template, for programs one document.

use serde_json::json;

use super::finding::{Finding, Severity};
use crate::console::Console;

#[derive(Debug)]
pub struct Report {
    templates: Vec<String>,
    findings: Vec<Finding>,
}

impl Report {
    /// These templates are looked at, whatever is found.
    pub fn of(templates: impl Iterator<Item = String>) -> Self {
        Self {
            templates: templates.collect(),
            findings: Vec::new(),
        }
    }

    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    /// Without the findings of these rules.
    pub fn leave_out(&mut self, rules: &[&str]) {
        self.findings.retain(|finding| !rules.contains(&finding.id.as_str()));
    }

    pub fn each(&mut self, change: impl FnMut(&mut Finding)) {
        self.findings.iter_mut().for_each(change);
    }

    /// Those that count.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.suppressed.is_none())
    }

    fn suppressed(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.suppressed.is_some())
    }

    fn count(&self, severity: Severity) -> usize {
        self.open().filter(|finding| finding.severity == severity).count()
    }

    pub fn show(&self, with_suppressed: bool, console: &Console) {
        console.print(&self.text(with_suppressed));
        console.print_json(&json!({
            "templates": self.templates, "findings": self.findings, "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning), "suppressed": self.suppressed().count()
        }));
    }

    fn text(&self, with_suppressed: bool) -> String {
        let mut lines = Vec::new();
        for template in &self.templates {
            let mut shown: Vec<&Finding> = self
                .findings
                .iter()
                .filter(|finding| finding.template == *template)
                .filter(|finding| with_suppressed || finding.suppressed.is_none())
                .collect();
            shown.sort_by_key(|finding| (finding.suppressed.is_some(), finding.severity));
            if !shown.is_empty() {
                lines.push(template.clone());
            }
            for finding in shown {
                lines.extend(block(finding));
            }
        }
        lines.push(self.summary(with_suppressed));
        lines.join("\n")
    }

    fn summary(&self, with_suppressed: bool) -> String {
        let suppressed = match (self.suppressed().count(), with_suppressed) {
            (0, _) => String::new(),
            (count, true) => format!(", {count} suppressed"),
            (count, false) => format!(", {count} suppressed (--suppressed lists them)"),
        };
        format!(
            "{}: {}, {}{suppressed}",
            counted(self.templates.len(), "template"),
            counted(self.count(Severity::Error), "error"),
            counted(self.count(Severity::Warning), "warning")
        )
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn block(finding: &Finding) -> Vec<String> {
    let severity = match (finding.suppressed.is_some(), finding.severity) {
        (true, _) => "suppressed",
        (_, Severity::Error) => "error",
        (_, Severity::Warning) => "warning",
    };
    let resource = finding.resource.as_deref().unwrap_or("the template");
    let mut lines = vec![format!("  {severity} {} {resource}: {}", finding.id, finding.message)];
    let place = [&finding.property, &finding.construct, &finding.source];
    let place: Vec<&str> = place.into_iter().flatten().map(String::as_str).collect();
    if !place.is_empty() {
        lines.push(format!("      at {}", place.join(", ")));
    }
    if let Some(reason) = &finding.suppressed {
        lines.push(format!("      because {reason}"));
    } else if let Some(fix) = &finding.fix {
        lines.push(format!("      fix: {fix}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, severity: Severity, suppressed: Option<&str>) -> Finding {
        Finding {
            id: id.into(),
            severity,
            message: "is wrong".into(),
            template: "Shop".into(),
            resource: Some("Queue".into()),
            property: Some("Properties.Delay".into()),
            construct: Some("Shop/Queue/Resource".into()),
            source: Some("src/shop.rs:14".into()),
            reason: None,
            fix: Some("mend it".into()),
            suppressed: suppressed.map(str::to_owned),
        }
    }

    #[test]
    fn what_counts_stands_first_and_what_does_not_only_on_request() {
        let mut report = Report::of(["Shop", "Other"].map(str::to_owned).into_iter());
        report.extend([
            finding("S1", Severity::Error, Some("a test bucket")),
            finding("W1", Severity::Warning, None),
            finding("E1", Severity::Error, None),
        ]);
        insta::assert_snapshot!(report.text(true), @r"
        Shop
          error E1 Queue: is wrong
              at Properties.Delay, Shop/Queue/Resource, src/shop.rs:14
              fix: mend it
          warning W1 Queue: is wrong
              at Properties.Delay, Shop/Queue/Resource, src/shop.rs:14
              fix: mend it
          suppressed S1 Queue: is wrong
              at Properties.Delay, Shop/Queue/Resource, src/shop.rs:14
              because a test bucket
        2 templates: 1 error, 1 warning, 1 suppressed
        ");
        let short = report.text(false);
        assert!(
            !short.contains("S1") && short.ends_with("1 suppressed (--suppressed lists them)"),
            "{short}"
        );
        assert_eq!(report.open().count(), 2);
    }
}
