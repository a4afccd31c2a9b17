//! The policy packs over a template, and the excuses that a template makes for itself.
//!
//! An excuse (`Construct::suppress`) may name a rule of AWS's too: it stands in the template's metadata, and holds for
//! whoever finds what it is about.

use serde_json::Value;
use stack::policy::{self, Inspected, Pack};

use super::finding::{Finding, Severity};

/// What the built-in packs find, with what is excused.
pub fn check(template: &Value, name: &str) -> Vec<Finding> {
    let inspected = Inspected {
        stack: name,
        template,
        origins: Default::default(),
    };
    let found = policy::check(&[Pack::security()], &inspected);
    found
        .into_iter()
        .map(|found| Finding {
            id: found.rule,
            severity: match found.severity {
                policy::Severity::Error => Severity::Error,
                policy::Severity::Warning => Severity::Warning,
            },
            message: found.message,
            template: name.to_owned(),
            resource: Some(found.logical_id),
            property: None,
            construct: found.path,
            source: found.source,
            reason: Some(found.reason).filter(|reason| !reason.is_empty()),
            fix: Some(found.fix).filter(|fix| !fix.is_empty()),
            suppressed: found.suppressed,
        })
        .collect()
}

/// The finding, excused where the template says why.
pub fn excused(finding: Finding, template: &Value) -> Finding {
    let resource = finding.resource.as_deref().map(|id| &template["Resources"][id]);
    let excuses = resource
        .and_then(|resource| resource["Metadata"]["LlamaDeploy"]["Suppress"].as_array())
        .into_iter()
        .flatten();
    let reason = excuses
        .filter(|excuse| excuse["Rule"] == finding.id.as_str())
        .find_map(|excuse| excuse["Reason"].as_str());
    Finding {
        suppressed: reason.map(str::to_owned),
        ..finding
    }
}
