//! Secrets Manager: secrets with versions and staging labels, deletion with its recovery window, random passwords.
//!
//! No rotation, no replication, no encryption at rest: the state's file may be read by its owner only. A secret's
//! value never reaches a log or an error.

mod operations;
mod password;
mod provider;
mod secret;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chance;
use crate::context::{ACCOUNT, Context};
use crate::members::{Members, tags_of};
use crate::resource::Provider;
use crate::saved::{Saved, storage_failure};
use crate::service::ApiError;
use secret::{CURRENT, Content, Secret, Version};

/// How a database is reached; what `AWS::SecretsManager::SecretTargetAttachment` writes into a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseTarget {
    /// For example `postgres`.
    pub engine: String,
    pub host: String,
    pub port: u16,
    pub database: Option<String>,
    /// User and password, where they are not those of the template because the database is the user's own.
    pub credentials: Option<(String, String)>,
}

/// Who knows the databases. RDS implements it.
pub trait DatabaseDirectory: Send + Sync {
    /// An instance, by identifier or ARN.
    fn database(&self, identifier: &str) -> Option<DatabaseTarget>;
    /// A cluster, by identifier or ARN.
    fn cluster(&self, identifier: &str) -> Option<DatabaseTarget>;
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    /// By name.
    secrets: BTreeMap<String, Secret>,
}

impl State {
    /// Finds by name, by ARN, and by ARN without its random tail.
    fn name_of(&self, id: &str) -> Option<String> {
        if self.secrets.contains_key(id) {
            return Some(id.to_owned());
        }
        let matches = |secret: &&Secret| {
            secret.arn == id
                || (id.starts_with("arn:") && secret.arn.len() == id.len() + 7 && secret.arn.starts_with(id))
        };
        self.secrets.values().find(matches).map(|secret| secret.name.clone())
    }

    fn get(&self, id: &str) -> Result<&Secret, ApiError> {
        self.name_of(id)
            .and_then(|name| self.secrets.get(&name))
            .ok_or_else(not_found)
    }

    fn get_mut(&mut self, id: &str) -> Result<&mut Secret, ApiError> {
        let name = self.name_of(id).ok_or_else(not_found)?;
        self.secrets.get_mut(&name).ok_or_else(not_found)
    }

    /// A secret that is not marked for deletion, which is what most operations want.
    fn live(&mut self, id: &str) -> Result<&mut Secret, ApiError> {
        let secret = self.get_mut(id)?;
        match secret.deletion {
            Some(_) => Err(marked_for_deletion()),
            None => Ok(secret),
        }
    }
}

fn not_found() -> ApiError {
    ApiError::new(
        400,
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

fn marked_for_deletion() -> ApiError {
    ApiError::new(
        400,
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
}

pub struct SecretsManager {
    context: Context,
    state: Saved<State>,
}

impl SecretsManager {
    pub fn open(context: &Context) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            context: context.clone(),
            state: Saved::open(&context.store, "secretsmanager")?,
        }))
    }

    /// `databases` is asked when a secret is attached to a database.
    pub fn providers(self: &Arc<Self>, databases: Arc<dyn DatabaseDirectory>) -> Vec<Arc<dyn Provider>> {
        vec![
            Arc::new(provider::SecretProvider { secrets: self.clone() }),
            Arc::new(provider::AttachmentProvider {
                secrets: self.clone(),
                databases,
            }),
        ]
    }

    /// The text of a secret, for CloudFormation's `{{resolve:secretsmanager:ID:SecretString:KEY:STAGE:VERSION}}`.
    /// `id` is a name or an ARN; without stage and version the current one. With `key` the text is a JSON object and
    /// the result that member.
    pub fn secret_text(
        &self,
        id: &str,
        key: Option<&str>,
        stage: Option<&str>,
        version: Option<&str>,
    ) -> Result<String, ApiError> {
        let state = self.state.read();
        let secret = state.get(id)?;
        if secret.deletion.is_some() {
            return Err(marked_for_deletion());
        }
        let (_, version) = find_version(secret, version, stage)?;
        let Content::Text(text) = &version.content else {
            return Err(ApiError::new(
                400,
                "InvalidRequestException",
                format!("{} holds no SecretString", secret.name),
            ));
        };
        let Some(key) = key else { return Ok(text.clone()) };
        let missing = || {
            let message = format!(
                "Could not find a value associated with JSONKey {key} in SecretString of {}",
                secret.name
            );
            ApiError::new(400, "InvalidRequestException", message)
        };
        match serde_json::from_str::<Value>(text).map_err(|_| missing())?.member(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value) => Ok(value.to_string()),
            None => Err(missing()),
        }
    }

    /// Makes a secret; `content` is its first version when there is one.
    fn create(&self, input: &Value, content: Option<Content>) -> Result<(String, Option<String>), ApiError> {
        let name = input.required_text("Name")?.to_owned();
        let now = self.context.clock.now();
        let tail = chance::letters(chance::LETTERS_AND_DIGITS, 6).map_err(storage_failure)?;
        let version_id = self.version_id(input)?;
        self.state.change(|state| {
            state.secrets.retain(|_, secret| secret.deletion.is_none_or(|deletion| deletion > now));
            if let Some(present) = state.secrets.get(&name) {
                if present.deletion.is_some() {
                    return Err(ApiError::new(
                        400,
                        "InvalidRequestException",
                        "You can't create this secret because a secret with this name is already scheduled for deletion.",
                    ));
                }
                // The same token with the same content is the same call made again.
                let repeated = input.text("ClientRequestToken").and_then(|token| present.versions.get(token));
                if content.is_some() && repeated.map(|version| &version.content) == content.as_ref() {
                    return Ok((present.arn.clone(), Some(version_id)));
                }
                return Err(ApiError::new(
                    400,
                    "ResourceExistsException",
                    format!("The operation failed because the secret {name} already exists."),
                ));
            }
            let mut secret = Secret {
                arn: format!("arn:aws:secretsmanager:{}:{ACCOUNT}:secret:{name}-{tail}", self.context.region),
                name: name.clone(),
                description: input.text("Description").map(str::to_owned),
                kms_key_id: input.text("KmsKeyId").map(str::to_owned),
                tags: tags_of(input, "Tags"),
                created: now,
                changed: now,
                accessed: None,
                deletion: None,
                resource_policy: None,
                versions: BTreeMap::new(),
            };
            let version = content.map(|content| {
                secret.add_version(version_id.clone(), content, &[CURRENT.to_owned()], now);
                version_id
            });
            let arn = secret.arn.clone();
            state.secrets.insert(name, secret);
            Ok((arn, version))
        })
    }

    /// Adds a version to a secret; the same token again must bring the same content.
    fn put_version(&self, id: &str, input: &Value, content: Content, stages: &[String]) -> Result<Value, ApiError> {
        let now = self.context.clock.now();
        let version_id = self.version_id(input)?;
        self.state.change(|state| {
            let secret = state.live(id)?;
            match secret.versions.get(&version_id) {
                Some(present) if present.content != content => Err(ApiError::new(
                    400,
                    "ResourceExistsException",
                    "You can't modify an existing version, you can only create a new version.",
                )),
                Some(_) => Ok(()),
                None => {
                    secret.add_version(version_id.clone(), content, stages, now);
                    Ok(())
                }
            }?;
            Ok(serde_json::json!({
                "ARN": secret.arn,
                "Name": secret.name,
                "VersionId": version_id,
                "VersionStages": secret.versions.get(&version_id).map(|version| version.stages.clone()),
            }))
        })
    }

    fn version_id(&self, input: &Value) -> Result<String, ApiError> {
        match input.text("ClientRequestToken") {
            Some(token) => Ok(token.to_owned()),
            None => chance::uuid().map_err(storage_failure),
        }
    }

    fn remove(&self, id: &str) -> Result<(), ApiError> {
        self.state.change(|state| {
            let name = state.name_of(id).ok_or_else(not_found)?;
            state.secrets.remove(&name);
            Ok(())
        })
    }
}

fn find_version<'s>(
    secret: &'s Secret,
    version: Option<&str>,
    stage: Option<&str>,
) -> Result<(&'s str, &'s Version), ApiError> {
    let missing = |what: String| {
        ApiError::new(
            400,
            "ResourceNotFoundException",
            format!("Secrets Manager can't find the specified secret value for {what}"),
        )
    };
    match version {
        Some(id) => secret
            .versions
            .get_key_value(id)
            .filter(|(_, version)| stage.is_none_or(|stage| version.stages.iter().any(|present| present == stage)))
            .map(|(id, version)| (id.as_str(), version))
            .ok_or_else(|| missing(format!("VersionId: {id}"))),
        None => {
            let stage = stage.unwrap_or(CURRENT);
            secret
                .staged(stage)
                .ok_or_else(|| missing(format!("staging label: {stage}")))
        }
    }
}

fn content_of(input: &Value) -> Option<Content> {
    match (input.text("SecretString"), input.text("SecretBinary")) {
        (Some(text), _) => Some(Content::Text(text.to_owned())),
        (None, Some(binary)) => Some(Content::Binary(binary.to_owned())),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
