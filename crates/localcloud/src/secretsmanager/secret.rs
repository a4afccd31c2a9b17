//! What a secret is: versions with staging labels, and the rules by which the labels move.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::members::tag_list;

pub const CURRENT: &str = "AWSCURRENT";
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// What a version holds. It has no way to be printed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Content {
    Text(String),
    /// Base64.
    Binary(String),
}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    pub content: Content,
    pub stages: Vec<String>,
    pub created: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Secret {
    pub arn: String,
    pub name: String,
    pub description: Option<String>,
    pub kms_key_id: Option<String>,
    pub tags: Vec<(String, String)>,
    pub created: Timestamp,
    pub changed: Timestamp,
    pub accessed: Option<Timestamp>,
    /// When it goes away, for a secret marked for deletion.
    pub deletion: Option<Timestamp>,
    pub resource_policy: Option<String>,
    /// By version id.
    pub versions: BTreeMap<String, Version>,
}

impl Secret {
    /// Adds a version. A label lives at one version: it is taken from whoever had it, and who loses `AWSCURRENT`
    /// becomes `AWSPREVIOUS`. Versions without a label are deprecated and go away.
    pub fn add_version(&mut self, id: String, content: Content, stages: &[String], now: Timestamp) {
        self.versions.insert(
            id.clone(),
            Version {
                content,
                stages: Vec::new(),
                created: now,
            },
        );
        for stage in stages {
            self.move_stage(stage, Some(&id));
        }
        self.versions.retain(|_, version| !version.stages.is_empty());
        self.changed = now;
    }

    /// Moves a label to a version, or takes it away.
    pub fn move_stage(&mut self, stage: &str, to: Option<&str>) {
        let from = self.staged(stage).map(|(id, _)| id.to_owned());
        if from.as_deref() == to {
            return;
        }
        for version in self.versions.values_mut() {
            version.stages.retain(|present| present != stage);
        }
        if let Some(version) = to.and_then(|id| self.versions.get_mut(id)) {
            version.stages.push(stage.to_owned());
        }
        if let (CURRENT, Some(from)) = (stage, from) {
            self.move_stage(PREVIOUS, Some(&from));
        }
    }

    /// The version that has a label.
    pub fn staged(&self, stage: &str) -> Option<(&str, &Version)> {
        self.versions
            .iter()
            .find(|(_, version)| version.stages.iter().any(|present| present == stage))
            .map(|(id, version)| (id.as_str(), version))
    }

    /// As `DescribeSecret` and `ListSecrets` show it; the two name the version map differently.
    pub fn described(&self, versions_member: &str) -> Value {
        let stages: serde_json::Map<String, Value> = self
            .versions
            .iter()
            .map(|(id, version)| (id.clone(), json!(version.stages)))
            .collect();
        json!({
            "ARN": self.arn,
            "Name": self.name,
            "Description": self.description,
            "KmsKeyId": self.kms_key_id,
            "CreatedDate": self.created.as_second(),
            "LastChangedDate": self.changed.as_second(),
            "LastAccessedDate": self.accessed.map(Timestamp::as_second),
            "DeletedDate": self.deletion.map(Timestamp::as_second),
            "Tags": tag_list(&self.tags),
            versions_member: stages,
        })
    }
}
