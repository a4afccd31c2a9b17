//! What a deletion would do to each resource of a stack, and what would make it fail. Pure, from the deployed template.

use std::collections::BTreeSet;

use aws::stacks::{StackDescription, StackResource};
use serde_json::{Value, json};

use crate::commands::holds_data;

/// What becomes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Deleted,
    /// Deleted, and its data with it.
    Lost,
    Snapshot,
    /// It stays, without a stack.
    Kept,
}

/// What CloudFormation would refuse, or fail at after it has deleted other things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    Busy {
        status: String,
    },
    TerminationProtection,
    /// A property of the resource forbids that it is deleted.
    DeletionProtection {
        logical_id: String,
        property: String,
    },
    BucketHoldsObjects {
        bucket: String,
    },
    /// By a stack that is not to be deleted.
    Imported {
        export: String,
        importer: String,
    },
}

#[derive(Clone, Debug)]
pub struct StackFate {
    pub name: String,
    pub resources: Vec<(StackResource, Fate)>,
    pub obstacles: Vec<Obstacle>,
    /// Stacks to be deleted that import from this one.
    pub importers: BTreeSet<String>,
}

impl StackFate {
    pub fn new(stack: &StackDescription, template: &Value, resources: &[StackResource]) -> Self {
        let mut obstacles = Vec::new();
        let may_go = matches!(stack.status.as_str(), "REVIEW_IN_PROGRESS" | "DELETE_IN_PROGRESS");
        if stack.status.ends_with("_IN_PROGRESS") && !may_go {
            obstacles.push(Obstacle::Busy {
                status: stack.status.clone(),
            });
        }
        if stack.termination_protection {
            obstacles.push(Obstacle::TerminationProtection);
        }
        let standing = resources
            .iter()
            .filter(|resource| !matches!(resource.status.as_str(), "DELETE_COMPLETE" | "DELETE_SKIPPED"));
        let resources: Vec<(StackResource, Fate)> = standing
            .map(|resource| {
                let declared = &template["Resources"][&resource.logical_id];
                (resource.clone(), fate(&resource.resource_type, declared))
            })
            .collect();
        for (resource, fate) in &resources {
            let properties = &template["Resources"][&resource.logical_id]["Properties"];
            if *fate != Fate::Kept
                && let Some(property) = protection(&resource.resource_type, properties)
            {
                obstacles.push(Obstacle::DeletionProtection {
                    logical_id: resource.logical_id.clone(),
                    property: property.to_owned(),
                });
            }
        }
        Self {
            name: stack.name.clone(),
            resources,
            obstacles,
            importers: BTreeSet::new(),
        }
    }

    /// Names of the buckets that are to go, without those that the CDK's custom resource empties before.
    pub fn buckets_to_delete(&self, template: &Value) -> Vec<String> {
        let declared = template["Resources"].as_object();
        let emptied: BTreeSet<&str> = declared
            .into_iter()
            .flatten()
            .filter(|(_, resource)| resource["Type"] == "Custom::S3AutoDeleteObjects")
            .filter_map(|(_, resource)| resource["Properties"]["BucketName"]["Ref"].as_str())
            .collect();
        self.resources
            .iter()
            .filter(|(resource, fate)| resource.resource_type == "AWS::S3::Bucket" && *fate != Fate::Kept)
            .filter(|(resource, _)| !emptied.contains(resource.logical_id.as_str()))
            .filter_map(|(resource, _)| resource.physical_id.clone())
            .collect()
    }

    /// Logical ids and ARNs of the stacks nested in this one that go with it.
    pub fn nested(&self) -> Vec<(String, String)> {
        let nested = self
            .resources
            .iter()
            .filter(|(resource, fate)| resource.resource_type == "AWS::CloudFormation::Stack" && *fate != Fate::Kept);
        nested
            .filter_map(|(resource, _)| Some((resource.logical_id.clone(), resource.physical_id.clone()?)))
            .collect()
    }

    /// What is in a nested stack goes with this one; its logical ids stand behind the nested stack's.
    pub fn take_in(&mut self, logical_id: &str, nested: Self) {
        self.obstacles.extend(nested.obstacles.into_iter().filter(|obstacle| {
            // CloudFormation protects whole trees; a nested stack that is busy is so with its parent.
            !matches!(obstacle, Obstacle::TerminationProtection | Obstacle::Busy { .. })
        }));
        self.resources
            .extend(nested.resources.into_iter().map(|(resource, fate)| {
                let logical_id = format!("{logical_id}/{}", resource.logical_id);
                (StackResource { logical_id, ..resource }, fate)
            }));
    }

    /// What stays behind, for programs.
    pub fn kept(&self) -> impl Iterator<Item = Value> {
        self.resources
            .iter()
            .filter(|(_, fate)| *fate == Fate::Kept)
            .map(|(resource, _)| {
                json!({
                    "stack": self.name, "logical_id": resource.logical_id,
                    "type": resource.resource_type, "physical_id": resource.physical_id
                })
            })
    }
}

/// The default is a snapshot for a database cluster, and for an instance that is in none ("DeletionPolicy attribute" in
/// the CloudFormation guide).
fn fate(resource_type: &str, declared: &Value) -> Fate {
    let default = match resource_type {
        "AWS::RDS::DBCluster" => "Snapshot",
        "AWS::RDS::DBInstance" if declared["Properties"]["DBClusterIdentifier"].is_null() => "Snapshot",
        _ => "Delete",
    };
    match declared["DeletionPolicy"].as_str().unwrap_or(default) {
        "Retain" | "RetainExceptOnCreate" => Fate::Kept,
        "Snapshot" => Fate::Snapshot,
        _ if holds_data(resource_type) => Fate::Lost,
        _ => Fate::Deleted,
    }
}

/// The property that forbids the deletion, where the template sets it.
fn protection(resource_type: &str, properties: &Value) -> Option<&'static str> {
    let (property, value) = match resource_type {
        "AWS::RDS::DBInstance"
        | "AWS::RDS::DBCluster"
        | "AWS::RDS::GlobalCluster"
        | "AWS::DocDB::DBCluster"
        | "AWS::Neptune::DBCluster"
        | "AWS::Neptune::DBInstance" => ("DeletionProtection", json!(true)),
        "AWS::DynamoDB::Table" => ("DeletionProtectionEnabled", json!(true)),
        "AWS::Cognito::UserPool" => ("DeletionProtection", json!("ACTIVE")),
        "AWS::EC2::Instance" => ("DisableApiTermination", json!(true)),
        _ => return None,
    };
    let found = &properties[property];
    (*found == value || found.as_str() == Some("true")).then_some(property)
}

impl Obstacle {
    pub fn reason(&self, stack: &str) -> String {
        match self {
            Self::Busy { status } => format!("{stack} is {status}: somebody else changes it"),
            Self::TerminationProtection => format!("{stack} is protected from termination"),
            Self::DeletionProtection { logical_id, property } => {
                format!("{stack}: {logical_id} is protected by its property {property}")
            }
            Self::BucketHoldsObjects { bucket } => {
                format!("{stack}: the bucket {bucket} is not empty, and S3 deletes only empty ones")
            }
            Self::Imported { export, importer } => {
                format!("{stack}: its export {export} is imported by {importer}, which is not to be deleted")
            }
        }
    }

    pub fn advice(&self, stack: &str) -> String {
        match self {
            Self::Busy { .. } => "wait until that ends, then run the same command".to_owned(),
            Self::TerminationProtection => format!(
                "if it must go, deploy it without the protection, or: aws cloudformation update-termination-protection --no-enable-termination-protection \
                 --stack-name {stack}"
            ),
            Self::DeletionProtection { logical_id, property } => {
                format!("deploy {logical_id} with {property} off first, or retain it by a removal policy")
            }
            Self::BucketHoldsObjects { bucket } => format!(
                "empty it (all versions; aws s3 rm s3://{bucket} --recursive leaves old ones), or deploy it with a \
                 removal policy that retains it"
            ),
            Self::Imported { importer, .. } => format!("delete {importer} too, or deploy it without the import"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(logical_id: &str, resource_type: &str) -> StackResource {
        StackResource {
            logical_id: logical_id.into(),
            physical_id: Some(format!("{logical_id}-1")),
            resource_type: resource_type.into(),
            status: "CREATE_COMPLETE".into(),
        }
    }

    fn stack(status: &str, termination_protection: bool) -> StackDescription {
        StackDescription {
            name: "Shop".into(),
            id: "arn".into(),
            status: status.into(),
            status_reason: None,
            outputs: Default::default(),
            exports: Default::default(),
            exported_outputs: Default::default(),
            parameters: Default::default(),
            tags: Default::default(),
            termination_protection,
            changed_at: None,
            change_set_id: None,
        }
    }

    #[test]
    fn data_is_told_apart_from_what_can_be_made_again() {
        let template = json!({ "Resources": {
            "Table": { "Type": "AWS::DynamoDB::Table" },
            "Kept": { "Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain" },
            "Role": { "Type": "AWS::IAM::Role" },
            "Single": { "Type": "AWS::RDS::DBInstance", "Properties": { "DeletionProtection": true } },
            "Member": { "Type": "AWS::RDS::DBInstance", "Properties": { "DBClusterIdentifier": "c" } },
            "Bucket": { "Type": "AWS::S3::Bucket" },
            "Emptied": { "Type": "AWS::S3::Bucket" },
            "Emptier": { "Type": "Custom::S3AutoDeleteObjects", "Properties": { "BucketName": { "Ref": "Emptied" } } },
        } });
        let resources: Vec<StackResource> = template["Resources"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(id, declared)| resource(id, declared["Type"].as_str().unwrap()))
            .collect();
        let found = StackFate::new(&stack("CREATE_COMPLETE", true), &template, &resources);
        let fate = |id: &str| {
            found
                .resources
                .iter()
                .find(|(resource, _)| resource.logical_id == id)
                .unwrap()
                .1
        };
        assert_eq!(fate("Table"), Fate::Lost);
        assert_eq!(fate("Kept"), Fate::Kept);
        assert_eq!(fate("Role"), Fate::Deleted);
        assert_eq!(fate("Single"), Fate::Snapshot);
        assert_eq!(fate("Member"), Fate::Lost);
        assert_eq!(found.buckets_to_delete(&template), ["Bucket-1"]);
        assert_eq!(
            found.obstacles,
            [
                Obstacle::TerminationProtection,
                Obstacle::DeletionProtection {
                    logical_id: "Single".into(),
                    property: "DeletionProtection".into()
                }
            ]
        );
        assert_eq!(found.kept().count(), 1);
    }

    #[test]
    fn only_what_somebody_else_does_is_waited_for() {
        let obstacles = |status: &str| StackFate::new(&stack(status, false), &json!({}), &[]).obstacles;
        assert_eq!(obstacles("DELETE_IN_PROGRESS"), []);
        assert_eq!(obstacles("DELETE_FAILED"), []);
        assert_eq!(
            obstacles("UPDATE_IN_PROGRESS"),
            [Obstacle::Busy {
                status: "UPDATE_IN_PROGRESS".into()
            }]
        );
    }
}
