//! What holds data is neither deleted nor replaced by an empty one unless the user names it.
//!
//! Which types hold data says the schema of CloudFormation; what becomes of a resource says the change set. A resource
//! that is retained stays in the account and is not at risk; a snapshot is not the resource, so one that is only
//! snapshotted is.

use aws::stacks::{Proposal, Replacement, ResourceChange};
use serde_json::Value;

use crate::assembly::{Origin, Stack};
use crate::commands::holds_data;
use crate::failure::{Code, Failure};

pub struct Guard {
    /// Logical ids and construct paths.
    allowed: Vec<String>,
    stacks: Vec<Stack>,
}

/// One resource that would be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtRisk {
    logical_id: String,
    resource_type: String,
    what: &'static str,
    /// The properties that cause it.
    because: Vec<String>,
    is_snapshotted: bool,
    origin: Option<Origin>,
}

impl Guard {
    pub fn new(allowed: &[String], stacks: &[Stack]) -> Self {
        Self {
            allowed: allowed.to_vec(),
            stacks: stacks.to_vec(),
        }
    }

    /// The construct and its line behind a resource of a stack, where the app told them.
    pub fn place(&self, stack: &str, logical_id: &str) -> Option<String> {
        let stack = self.stacks.iter().find(|known| known.name == stack)?;
        stack.origin(logical_id).map(place)
    }

    /// What the change set would lose and nobody named.
    pub fn at_risk(&self, proposal: &Proposal<'_>) -> Vec<AtRisk> {
        let deployed = proposal.deployed.and_then(|text| serde_json::from_str(text).ok());
        let new = serde_json::from_str(&proposal.input.template).ok();
        let stack = self.stacks.iter().find(|stack| stack.name == proposal.change_set.stack);
        let changes = proposal.change_set.changes.iter();
        changes
            .filter(|change| may_hold_data(&change.resource_type))
            .filter_map(|change| {
                let what = loss(change, deployed.as_ref(), new.as_ref())?;
                let origin = stack.and_then(|stack| stack.origin(&change.logical_id)).cloned();
                let path = origin.as_ref().map(|origin| origin.path.clone()).or_else(|| {
                    // Of a resource that the app no longer has, the deployed template knows the path.
                    let metadata = format!("/Resources/{}/Metadata/aws:cdk:path", change.logical_id);
                    Some(deployed.as_ref()?.pointer(&metadata)?.as_str()?.to_owned())
                });
                let is_named = |name: &String| {
                    *name == change.logical_id || path.as_deref().is_some_and(|path| is_path(name, path))
                };
                (!self.allowed.iter().any(is_named)).then(|| AtRisk {
                    logical_id: change.logical_id.clone(),
                    resource_type: change.resource_type.clone(),
                    what,
                    because: causes(change),
                    is_snapshotted: policy(change, deployed.as_ref(), new.as_ref()) == Some(Policy::Snapshot),
                    origin: origin.or_else(|| path.map(|path| Origin { path, source: None })),
                })
            })
            .collect()
    }
}

impl AtRisk {
    pub fn failure(stack: &str, found: &[Self]) -> Failure {
        let lines: Vec<String> = found.iter().map(Self::line).collect();
        let ids: Vec<String> = found
            .iter()
            .map(|one| format!("--allow-replace {}", one.logical_id))
            .collect();
        Failure::new(
            Code::DataAtRisk,
            format!(
                "{stack}: {} would be lost, and nothing of the stack was changed",
                count(found.len())
            ),
        )
        .because(anyhow::anyhow!("{}", lines.join("\n")))
        .hint(format!(
            "undo these changes or retain the resources; where the data may go, add {}",
            ids.join(" ")
        ))
    }

    /// One line: what, why, where.
    pub fn line(&self) -> String {
        let mut line = format!("{} ({}) {}", self.logical_id, self.resource_type, self.what);
        if !self.because.is_empty() {
            line.push_str(&format!(" because of {}", self.because.join(", ")));
        }
        if self.is_snapshotted {
            line.push_str("; a snapshot of it is kept");
        }
        if let Some(origin) = &self.origin {
            line.push_str(&format!(", {}", place(origin)));
        }
        line
    }
}

/// `Prod/Service/Queue at src/main.rs:12`
pub fn place(origin: &Origin) -> String {
    let path = origin.path.strip_suffix("/Resource").unwrap_or(&origin.path);
    match &origin.source {
        Some(source) => format!("{path} at {source}"),
        None => path.to_owned(),
    }
}

fn count(found: usize) -> String {
    match found {
        1 => "1 resource that holds data".to_owned(),
        many => format!("{many} resources that hold data"),
    }
}

fn is_path(named: &str, path: &str) -> bool {
    let named = named.trim_matches('/');
    named == path || Some(named) == path.strip_suffix("/Resource")
}

/// What is in a nested stack, its change set does not say.
fn may_hold_data(resource_type: &str) -> bool {
    resource_type == "AWS::CloudFormation::Stack" || holds_data(resource_type)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    Delete,
    Retain,
    Snapshot,
}

/// How the resource would go; `None` where it stays or is retained.
fn loss(change: &ResourceChange, deployed: Option<&Value>, new: Option<&Value>) -> Option<&'static str> {
    let what = match (change.action.as_str(), change.replacement) {
        ("Remove", _) => "would be DELETED",
        ("Modify", Replacement::Always) => "would be REPLACED",
        ("Modify", Replacement::Conditional) => "may be REPLACED",
        _ => return None,
    };
    (policy(change, deployed, new) != Some(Policy::Retain)).then_some(what)
}

/// CloudFormation says it in the change list; where it does not, the templates do: the old one for what is removed, the
/// new one for what is replaced.
fn policy(change: &ResourceChange, deployed: Option<&Value>, new: Option<&Value>) -> Option<Policy> {
    if let Some(action) = &change.policy_action {
        return Some(match action.as_str() {
            "Retain" | "ReplaceAndRetain" => Policy::Retain,
            "Snapshot" | "ReplaceAndSnapshot" => Policy::Snapshot,
            _ => Policy::Delete,
        });
    }
    let (template, attribute) = match change.action.as_str() {
        "Remove" => (deployed, "DeletionPolicy"),
        _ => (new, "UpdateReplacePolicy"),
    };
    let pointer = format!("/Resources/{}/{attribute}", change.logical_id);
    match template?.pointer(&pointer)?.as_str()? {
        "Retain" | "RetainExceptOnCreate" => Some(Policy::Retain),
        "Snapshot" => Some(Policy::Snapshot),
        _ => Some(Policy::Delete),
    }
}

fn causes(change: &ResourceChange) -> Vec<String> {
    let mut causes: Vec<String> = change
        .details
        .iter()
        .filter(|detail| detail.requires_replacement != Replacement::Never)
        .map(|detail| match &detail.cause {
            Some(cause) => format!("{} (through {cause})", detail.name),
            None => detail.name.clone(),
        })
        .filter(|name| !name.is_empty())
        .collect();
    causes.sort();
    causes.dedup();
    causes
}

#[cfg(test)]
mod tests {
    use aws::stacks::{ChangeSet, ChangeSetKind, PropertyChange, StackInput};
    use serde_json::json;

    use super::*;

    fn change(
        action: &str,
        resource_type: &str,
        replacement: Replacement,
        policy_action: Option<&str>,
    ) -> ResourceChange {
        let details = match replacement {
            Replacement::Never => Vec::new(),
            requires_replacement => vec![PropertyChange {
                name: "TableName".to_owned(),
                requires_replacement,
                source: None,
                cause: None,
            }],
        };
        ResourceChange {
            action: action.to_owned(),
            logical_id: "Prices".to_owned(),
            physical_id: None,
            resource_type: resource_type.to_owned(),
            replacement,
            policy_action: policy_action.map(str::to_owned),
            scope: Vec::new(),
            details,
        }
    }

    fn lines(change: ResourceChange, deployed: &Value, new: &Value, allowed: &[&str]) -> Vec<String> {
        let allowed: Vec<String> = allowed.iter().map(|id| (*id).to_owned()).collect();
        let input = StackInput {
            name: "Shop".to_owned(),
            template: new.to_string(),
            ..StackInput::default()
        };
        let deployed = deployed.to_string();
        let change_set = ChangeSet {
            stack: "Shop".to_owned(),
            kind: ChangeSetKind::Update,
            changes: vec![change],
            id: String::new(),
            stack_id: String::new(),
        };
        let proposal = Proposal {
            input: &input,
            change_set: &change_set,
            deployed: Some(&deployed),
        };
        Guard::new(&allowed, &[])
            .at_risk(&proposal)
            .iter()
            .map(AtRisk::line)
            .collect()
    }

    #[test]
    fn what_holds_data_is_lost_only_by_name() {
        const TABLE: &str = "AWS::DynamoDB::Table";
        let deployed = json!({ "Resources": { "Prices": {
            "Type": TABLE, "Metadata": { "aws:cdk:path": "Shop/Data/Prices/Resource" }
        } } });
        let retained = json!({ "Resources": { "Prices": {
            "Type": TABLE, "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"
        } } });
        let none = json!({});
        let removed = || change("Remove", TABLE, Replacement::Never, Some("Delete"));
        assert_eq!(
            lines(removed(), &deployed, &none, &[]),
            ["Prices (AWS::DynamoDB::Table) would be DELETED, Shop/Data/Prices"]
        );
        for name in ["Prices", "Shop/Data/Prices", "Shop/Data/Prices/Resource"] {
            assert!(lines(removed(), &deployed, &none, &[name]).is_empty(), "{name}");
        }
        assert_eq!(lines(removed(), &deployed, &none, &["Price"]).len(), 1);
        let replaced = |policy| change("Modify", TABLE, Replacement::Always, policy);
        assert_eq!(
            lines(replaced(None), &none, &none, &[]),
            ["Prices (AWS::DynamoDB::Table) would be REPLACED because of TableName"]
        );
        let maybe = change("Modify", TABLE, Replacement::Conditional, Some("ReplaceAndSnapshot"));
        assert_eq!(
            lines(maybe, &none, &none, &[]),
            ["Prices (AWS::DynamoDB::Table) may be REPLACED because of TableName; a snapshot of it is kept"]
        );
        // Retained, in CloudFormation's words or in the template's.
        assert!(lines(replaced(Some("ReplaceAndRetain")), &none, &none, &[]).is_empty());
        assert!(lines(replaced(None), &none, &retained, &[]).is_empty());
        let removed_without_word = change("Remove", TABLE, Replacement::Never, None);
        assert!(lines(removed_without_word, &retained, &none, &[]).is_empty());
        // Neither holds data nor goes.
        assert!(
            lines(
                change("Remove", "AWS::IAM::Role", Replacement::Never, None),
                &none,
                &none,
                &[]
            )
            .is_empty()
        );
        assert!(lines(change("Modify", TABLE, Replacement::Never, None), &none, &none, &[]).is_empty());
        assert!(lines(change("Add", TABLE, Replacement::Never, None), &none, &none, &[]).is_empty());
    }
}
