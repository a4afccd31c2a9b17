//! Who may answer for a zone below this one by changing records here.

use cfn::Expr;

use super::zone::{HostedZone, problem_with_name, without_dot};
use crate::iam::{PolicyStatement, Role};
use crate::tree::Scope;

impl HostedZone {
    /// The role may write the name servers of zones below this one: of these, or of all where none is named.
    pub fn grant_delegation(&self, role: &Role, delegated_zone_names: &[&str]) {
        let list = |items: &[&str]| Expr::list(items.iter().map(|item| (*item).to_owned()));
        let mut conditions = vec![
            ("route53:ChangeResourceRecordSetsRecordTypes", list(&["NS"])),
            ("route53:ChangeResourceRecordSetsActions", list(&["UPSERT", "DELETE"])),
        ];
        if !delegated_zone_names.is_empty() {
            let names = delegated_zone_names.iter().map(|name| {
                self.check_delegated(name);
                octal(name)
            });
            conditions.push((
                "route53:ChangeResourceRecordSetsNormalizedRecordNames",
                Expr::list(names),
            ));
        }
        let change = PolicyStatement::allow(["route53:ChangeResourceRecordSets"])
            .on(self.hosted_zone_arn())
            .condition("ForAllValues:StringEquals", conditions);
        role.add_to_policy(change);
        role.add_to_policy(PolicyStatement::allow(["route53:ListHostedZonesByName"]).on_all());
    }

    fn check_delegated(&self, name: &str) {
        let problem = problem_with_name(name);
        let above = without_dot(self.zone_name().expr());
        let problem = problem.map(str::to_owned).or_else(|| {
            if name.ends_with('.') {
                return Some("it ends with a dot".to_owned());
            }
            if name.chars().any(|c| c.is_ascii_uppercase()) {
                return Some("it holds capital letters".to_owned());
            }
            let above = above.as_text()?;
            let is_below = name.strip_suffix(above).is_some_and(|rest| !rest.is_empty());
            (!is_below).then(|| format!("it is not below {above}"))
        });
        if let Some(problem) = problem {
            self.construct()
                .report(format!("`{name}` cannot be delegated: {problem}"));
        }
    }
}

/// The name as IAM compares it: what is no letter, digit, hyphen, underscore or dot stands in octal.
fn octal(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '-' | '_' | '\\' | '.' => c.to_string(),
            other => format!("\\{:03o}", u32::from(other)),
        })
        .collect()
}
