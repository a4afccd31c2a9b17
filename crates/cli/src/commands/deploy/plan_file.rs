//! The plan file of `deploy --no-execute`: what a later `deploy PLAN` executes. JSON with a version, made to be looked
//! at and to be handed from one job to another. Values of secret parameters are not in it, nor are templates.
//!
//! A digest over the whole says whether somebody edited it. It is no signature: who can write the file can write the
//! digest.

use std::collections::BTreeMap;
use std::path::Path;

use aws::stacks::{ChangeSet, ChangeSetKind, Fingerprint, PropertyChange, Replacement, ResourceChange, json_digest};
use serde::{Deserialize, Serialize};

use crate::failure::{Code, Failure, Outcome};

const VERSION: u32 = 1;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The program that wrote it.
    pub tool: String,
    pub environment: String,
    pub account: String,
    pub region: String,
    /// Dependencies first.
    pub stacks: Vec<PlannedStack>,
    /// Stacks that can be planned only when others stand, with the reason.
    pub later: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedStack {
    pub name: String,
    pub depends_on: Vec<String>,
    /// SHA-256 of the template that the change set brings about.
    pub template: String,
    /// SHA-256 of the template as the app wrote it; another one where imported exports are kept.
    pub app_template: String,
    /// Those that were published for it.
    pub assets: Vec<String>,
    /// `****` for those that are secret; those that keep their value are left out.
    pub parameters: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub termination_protection: Option<bool>,
    /// What stood when it was planned; nothing for a new stack.
    pub deployed: Option<Deployed>,
    /// Nothing where nothing changes.
    pub change_set: Option<PlannedChangeSet>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Deployed {
    pub stack_id: String,
    pub changed_at: Option<String>,
    pub template: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedChangeSet {
    pub arn: String,
    pub stack_id: String,
    pub creates: bool,
    pub changes: Vec<Change>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    action: String,
    logical_id: String,
    physical_id: Option<String>,
    resource_type: String,
    replacement: Kind,
    policy_action: Option<String>,
    scope: Vec<String>,
    details: Vec<Detail>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Detail {
    name: String,
    requires_replacement: Kind,
    source: Option<String>,
    cause: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Never,
    Conditional,
    Always,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u32,
    digest: String,
    plan: Plan,
}

/// Only what every version has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Plan {
    pub fn write(self, file: &Path) -> Outcome {
        let cannot = |error: anyhow::Error| {
            Failure::new(
                Code::PlanInvalid,
                format!("the plan cannot be written to {}", file.display()),
            )
            .because(error)
        };
        let record = Record {
            version: VERSION,
            digest: self.digest().map_err(|error| cannot(error.into()))?,
            plan: self,
        };
        let text = serde_json::to_string_pretty(&record).map_err(|error| cannot(error.into()))?;
        std::fs::write(file, text + "\n").map_err(|error| cannot(error.into()))
    }

    pub fn read(file: &Path) -> Outcome<Self> {
        let invalid = |what: &str| {
            Failure::new(Code::PlanInvalid, format!("{} {what}", file.display()))
                .hint("make a plan with `llama-deploy deploy --no-execute`")
        };
        let text = std::fs::read_to_string(file).map_err(|error| invalid("cannot be read").because(error))?;
        let versioned: Versioned = serde_json::from_str(&text).map_err(|error| invalid("is no plan").because(error))?;
        if versioned.version != VERSION {
            return Err(invalid(&format!(
                "has version {}, and this program knows {VERSION}",
                versioned.version
            )));
        }
        let record: Record = serde_json::from_str(&text).map_err(|error| invalid("is no plan").because(error))?;
        let digest = record
            .plan
            .digest()
            .map_err(|error| invalid("is no plan").because(error))?;
        if digest != record.digest {
            return Err(invalid("was changed after it was written"));
        }
        Ok(record.plan)
    }

    fn digest(&self) -> serde_json::Result<String> {
        Ok(json_digest(&serde_json::to_string(self)?))
    }
}

impl PlannedChangeSet {
    pub fn of(change_set: &ChangeSet) -> Self {
        Self {
            arn: change_set.id.clone(),
            stack_id: change_set.stack_id.clone(),
            creates: change_set.kind == ChangeSetKind::Create,
            changes: change_set.changes.iter().map(Change::of).collect(),
        }
    }

    pub fn change_set(&self, stack: &str) -> ChangeSet {
        ChangeSet {
            stack: stack.to_owned(),
            kind: if self.creates {
                ChangeSetKind::Create
            } else {
                ChangeSetKind::Update
            },
            changes: self.changes.iter().map(Change::to_change).collect(),
            id: self.arn.clone(),
            stack_id: self.stack_id.clone(),
        }
    }
}

impl Deployed {
    pub fn of(fingerprint: Fingerprint) -> Self {
        Self {
            stack_id: fingerprint.stack_id,
            changed_at: fingerprint.changed_at,
            template: fingerprint.template_digest,
        }
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            stack_id: self.stack_id.clone(),
            changed_at: self.changed_at.clone(),
            template_digest: self.template.clone(),
        }
    }
}

impl Change {
    fn of(change: &ResourceChange) -> Self {
        Self {
            action: change.action.clone(),
            logical_id: change.logical_id.clone(),
            physical_id: change.physical_id.clone(),
            resource_type: change.resource_type.clone(),
            replacement: change.replacement.into(),
            policy_action: change.policy_action.clone(),
            scope: change.scope.clone(),
            details: change
                .details
                .iter()
                .map(|detail| Detail {
                    name: detail.name.clone(),
                    requires_replacement: detail.requires_replacement.into(),
                    source: detail.source.clone(),
                    cause: detail.cause.clone(),
                })
                .collect(),
        }
    }

    fn to_change(&self) -> ResourceChange {
        ResourceChange {
            action: self.action.clone(),
            logical_id: self.logical_id.clone(),
            physical_id: self.physical_id.clone(),
            resource_type: self.resource_type.clone(),
            replacement: self.replacement.into(),
            policy_action: self.policy_action.clone(),
            scope: self.scope.clone(),
            details: self
                .details
                .iter()
                .map(|detail| PropertyChange {
                    name: detail.name.clone(),
                    requires_replacement: detail.requires_replacement.into(),
                    source: detail.source.clone(),
                    cause: detail.cause.clone(),
                })
                .collect(),
        }
    }
}

impl From<Replacement> for Kind {
    fn from(replacement: Replacement) -> Self {
        match replacement {
            Replacement::Never => Self::Never,
            Replacement::Conditional => Self::Conditional,
            Replacement::Always => Self::Always,
        }
    }
}

impl From<Kind> for Replacement {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Never => Self::Never,
            Kind::Conditional => Self::Conditional,
            Kind::Always => Self::Always,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            tool: "llama-deploy 0".to_owned(),
            environment: "prod".to_owned(),
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            stacks: Vec::new(),
            later: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_written_is_read_and_what_was_edited_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prod.plan.json");
        plan().write(&file).unwrap();
        assert_eq!(Plan::read(&file).unwrap().environment, "prod");
        let text = std::fs::read_to_string(&file).unwrap();
        for (from, to, what) in [
            ("eu-west-1", "eu-west-2", "was changed"),
            ("\"version\": 1", "\"version\": 2", "has version 2"),
            ("\"later\"", "\"latter\"", "is no plan"),
            ("{", "", "is no plan"),
        ] {
            std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
            let refused = Plan::read(&file).unwrap_err();
            assert_eq!(refused.code, Code::PlanInvalid);
            assert!(refused.message.contains(what), "{refused}");
        }
        let missing = Plan::read(&folder.path().join("no.json")).unwrap_err();
        assert!(missing.message.contains("cannot be read"), "{missing}");
    }

    #[test]
    fn a_change_comes_back_as_it_was() {
        let change = ResourceChange {
            action: "Modify".to_owned(),
            logical_id: "Queue".to_owned(),
            physical_id: Some("url".to_owned()),
            resource_type: "AWS::SQS::Queue".to_owned(),
            replacement: Replacement::Conditional,
            policy_action: Some("ReplaceAndDelete".to_owned()),
            scope: vec!["Properties".to_owned()],
            details: vec![PropertyChange {
                name: "QueueName".to_owned(),
                requires_replacement: Replacement::Always,
                source: Some("DirectModification".to_owned()),
                cause: None,
            }],
        };
        assert_eq!(Change::of(&change).to_change(), change);
    }
}
