//! `AWS::SecretsManager::Secret` and `AWS::SecretsManager::SecretTargetAttachment` for CloudFormation. (A
//! `ResourcePolicy` changes nothing here and is left to the generic provider.)

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::secret::{CURRENT, Content};
use super::{DatabaseDirectory, SecretsManager, password};
use crate::members::{Members, tag_list};
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest, removed};
use crate::service::ApiError;

pub(super) struct SecretProvider {
    pub(super) secrets: Arc<SecretsManager>,
}

/// What the template wants the secret to hold; a generated one is made anew at each call.
fn wanted_content(properties: &Map<String, Value>) -> Result<Option<Content>, ApiError> {
    match (
        properties.text("SecretString"),
        properties.member("GenerateSecretString"),
    ) {
        (Some(_), Some(_)) => Err(ApiError::new(
            400,
            "InvalidRequestException",
            "You can't specify both SecretString and GenerateSecretString",
        )),
        (Some(text), None) => Ok(Some(Content::Text(text.to_owned()))),
        (None, Some(options)) => password::generate_secret(options).map(Content::Text).map(Some),
        (None, None) => Ok(None),
    }
}

fn known_as(arn: String) -> Resource {
    let attributes = json!({"Id": arn});
    Resource::new(arn, attributes)
}

#[async_trait]
impl Provider for SecretProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::SecretsManager::Secret"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let properties = &request.properties;
        let content = wanted_content(properties)?;
        let input = json!({
            "Name": request.name("Name"),
            "Description": properties.text("Description"),
            "KmsKeyId": properties.text("KmsKeyId"),
            "Tags": tag_list(&request.all_tags()),
        });
        let (arn, _) = self.secrets.create(&input, content)?;
        Ok(known_as(arn))
    }

    async fn update(
        &self,
        current: &Resource,
        old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        let properties = &request.properties;
        let id = &current.physical_id;
        let changes = |name: &str| old_properties.member(name) != properties.member(name);
        // A generated secret stays what it is unless the recipe changes: an update must not lock out its users.
        let recipe_changed = changes("SecretString") || changes("GenerateSecretString");
        let content = if recipe_changed {
            wanted_content(properties)?
        } else {
            None
        };
        if let Some(content) = content {
            self.secrets
                .put_version(id, &Value::Null, content, &[CURRENT.to_owned()])?;
        }
        self.secrets.state.change(|state| {
            let secret = state.live(id)?;
            secret.description = properties.text("Description").map(str::to_owned);
            secret.kms_key_id = properties.text("KmsKeyId").map(str::to_owned);
            secret.tags = request.all_tags();
            Ok(())
        })?;
        Ok(known_as(id.clone()))
    }

    async fn delete(&self, current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        removed(self.secrets.remove(&current.physical_id), "ResourceNotFoundException")
    }
}

/// Completes a secret with how its database is reached, as
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html> lays it out.
pub(super) struct AttachmentProvider {
    pub(super) secrets: Arc<SecretsManager>,
    pub(super) databases: Arc<dyn DatabaseDirectory>,
}

impl AttachmentProvider {
    fn attach(&self, request: &ResourceRequest) -> Result<Resource, ApiError> {
        let properties = &request.properties;
        let id = properties.required_text("SecretId")?;
        let target = properties.required_text("TargetId")?;
        let target_type = properties.required_text("TargetType")?;
        let (kind, member, database) = match target_type {
            "AWS::RDS::DBInstance" => ("DBInstance", "dbInstanceIdentifier", self.databases.database(target)),
            "AWS::RDS::DBCluster" => ("DBCluster", "dbClusterIdentifier", self.databases.cluster(target)),
            other => {
                return Err(ApiError::new(
                    400,
                    "InvalidRequest",
                    format!("TargetType {other} is not served here"),
                ));
            }
        };
        let database = database.ok_or_else(|| {
            ApiError::new(
                404,
                "NotFound",
                format!("{kind} {target} not found: the secret cannot be attached to it"),
            )
        })?;
        let text = self.secrets.secret_text(id, None, None, None)?;
        let mut secret: Map<String, Value> = serde_json::from_str(&text)
            .map_err(|_| ApiError::new(400, "InvalidRequest", "The secret to attach is not a JSON object"))?;
        secret.insert("engine".into(), json!(database.engine));
        secret.insert("host".into(), json!(database.host));
        secret.insert("port".into(), json!(database.port));
        secret.insert(member.into(), json!(target));
        if let Some((user, password)) = database.credentials {
            secret.insert("username".into(), json!(user));
            secret.insert("password".into(), json!(password));
        }
        if let Some(name) = database.database {
            secret.insert("dbname".into(), json!(name));
        }
        let completed = Value::Object(secret).to_string();
        if completed != text {
            self.secrets
                .put_version(id, &Value::Null, Content::Text(completed), &[CURRENT.to_owned()])?;
        }
        let arn = self.secrets.state.read().get(id)?.arn.clone();
        Ok(known_as(arn))
    }
}

#[async_trait]
impl Provider for AttachmentProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::SecretsManager::SecretTargetAttachment"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        Ok(self.attach(request)?)
    }

    async fn update(
        &self,
        _current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        Ok(self.attach(request)?)
    }

    /// The secret keeps what it says: whoever reads it may still be running.
    async fn delete(&self, _current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        Ok(())
    }
}
