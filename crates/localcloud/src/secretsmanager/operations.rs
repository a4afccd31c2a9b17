//! The wire's operations over [`SecretsManager`].

use async_trait::async_trait;
use serde_json::{Value, json};

use super::secret::{CURRENT, Content, Secret};
use super::{SecretsManager, content_of, find_version, password};
use crate::members::{Members, merge_tags, tags_of};
use crate::page;
use crate::service::{ApiError, Request, Response, Service};

impl SecretsManager {
    fn create_secret(&self, input: &Value) -> Result<Value, ApiError> {
        let (arn, version) = self.create(input, content_of(input))?;
        Ok(json!({"ARN": arn, "Name": input.text("Name"), "VersionId": version}))
    }

    fn get_secret_value(&self, input: &Value) -> Result<Value, ApiError> {
        let now = self.context.clock.now();
        let mut state = self.state.read();
        // When it was read last is worth keeping, but not a file write for each read: it is saved with the next change.
        let secret = state.live(input.required_text("SecretId")?)?;
        secret.accessed = Some(now);
        let (id, version) = find_version(secret, input.text("VersionId"), input.text("VersionStage"))?;
        let mut output = json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": id,
            "VersionStages": version.stages,
            "CreatedDate": version.created.as_second(),
        });
        match &version.content {
            Content::Text(text) => output["SecretString"] = json!(text),
            Content::Binary(base64) => output["SecretBinary"] = json!(base64),
        }
        Ok(output)
    }

    /// Several by their ids; one that cannot be read is an error of its own and spoils no other.
    fn batch_get_secret_value(&self, input: &Value) -> Value {
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for id in input.texts("SecretIdList") {
            match self.get_secret_value(&json!({"SecretId": id})) {
                Ok(value) => values.push(value),
                Err(error) => {
                    errors.push(json!({"SecretId": id, "ErrorCode": error.code, "Message": error.message}));
                }
            }
        }
        json!({"SecretValues": values, "Errors": errors})
    }

    fn put_secret_value(&self, input: &Value) -> Result<Value, ApiError> {
        let content = content_of(input).ok_or_else(|| {
            ApiError::new(
                400,
                "InvalidRequestException",
                "You must provide either SecretString or SecretBinary.",
            )
        })?;
        let mut stages = input.texts("VersionStages");
        if stages.is_empty() {
            stages.push(CURRENT.to_owned());
        }
        self.put_version(input.required_text("SecretId")?, input, content, &stages)
    }

    fn update_secret(&self, input: &Value) -> Result<Value, ApiError> {
        let id = input.required_text("SecretId")?;
        let now = self.context.clock.now();
        let mut output = self.state.change(|state| {
            let secret = state.live(id)?;
            if let Some(description) = input.text("Description") {
                secret.description = Some(description.to_owned());
            }
            if let Some(key) = input.text("KmsKeyId") {
                secret.kms_key_id = Some(key.to_owned());
            }
            secret.changed = now;
            Ok(json!({"ARN": secret.arn, "Name": secret.name}))
        })?;
        if let Some(content) = content_of(input) {
            let put = self.put_version(id, input, content, &[CURRENT.to_owned()])?;
            output["VersionId"] = put["VersionId"].clone();
        }
        Ok(output)
    }

    fn list_secrets(&self, input: &Value) -> Value {
        let planned = input.flag("IncludePlannedDeletion") == Some(true);
        let state = self.state.read();
        let wanted = |secret: &&Secret| (planned || secret.deletion.is_none()) && matches_filters(secret, input);
        let all: Vec<Value> = state
            .secrets
            .values()
            .filter(wanted)
            .map(|secret| secret.described("SecretVersionsToStages"))
            .collect();
        let size = page::size(input, "MaxResults", 100);
        let (secrets, next) = page::page(&all, page::start(input, "NextToken"), size);
        json!({"SecretList": secrets, "NextToken": next})
    }

    fn delete_secret(&self, input: &Value) -> Result<Value, ApiError> {
        let id = input.required_text("SecretId")?;
        let now = self.context.clock.now();
        let force = input.flag("ForceDeleteWithoutRecovery") == Some(true);
        let days = match (force, input.integer("RecoveryWindowInDays")) {
            (true, Some(_)) => {
                return Err(ApiError::new(
                    400,
                    "InvalidParameterException",
                    "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
                ));
            }
            (false, Some(days)) if !(7..=30).contains(&days) => {
                return Err(ApiError::new(
                    400,
                    "InvalidParameterException",
                    "RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
                ));
            }
            (true, None) => 0,
            (false, days) => days.unwrap_or(30),
        };
        self.state.change(|state| {
            let secret = state.live(id)?;
            let deletion = now + jiff::SignedDuration::from_hours(24 * days);
            secret.deletion = Some(deletion);
            let output = json!({"ARN": secret.arn, "Name": secret.name, "DeletionDate": deletion.as_second()});
            if force {
                let name = secret.name.clone();
                state.secrets.remove(&name);
            }
            Ok(output)
        })
    }

    fn restore_secret(&self, input: &Value) -> Result<Value, ApiError> {
        self.state.change(|state| {
            let secret = state.get_mut(input.required_text("SecretId")?)?;
            secret.deletion = None;
            Ok(json!({"ARN": secret.arn, "Name": secret.name}))
        })
    }

    fn list_versions(&self, input: &Value) -> Result<Value, ApiError> {
        let state = self.state.read();
        let secret = state.get(input.required_text("SecretId")?)?;
        let versions: Vec<Value> = secret
            .versions
            .iter()
            .map(|(id, version)| {
                json!({"VersionId": id, "VersionStages": version.stages, "CreatedDate": version.created.as_second()})
            })
            .collect();
        Ok(json!({"ARN": secret.arn, "Name": secret.name, "Versions": versions}))
    }

    fn update_version_stage(&self, input: &Value) -> Result<Value, ApiError> {
        let stage = input.required_text("VersionStage")?;
        let (from, to) = (input.text("RemoveFromVersionId"), input.text("MoveToVersionId"));
        self.state.change(|state| {
            let secret = state.live(input.required_text("SecretId")?)?;
            if let Some(to) = to.filter(|to| !secret.versions.contains_key(*to)) {
                return Err(ApiError::new(
                    400,
                    "ResourceNotFoundException",
                    format!("there is no version {to}"),
                ));
            }
            if secret.staged(stage).map(|(id, _)| id) != from {
                return Err(ApiError::new(
                    400,
                    "InvalidParameterException",
                    format!(
                        "The parameter RemoveFromVersionId has to name the version that has the label {stage} now."
                    ),
                ));
            }
            secret.move_stage(stage, to);
            Ok(json!({"ARN": secret.arn, "Name": secret.name}))
        })
    }

    fn change_tags(&self, input: &Value) -> Result<Value, ApiError> {
        let keys = input.texts("TagKeys");
        self.state.change(|state| {
            let secret = state.live(input.required_text("SecretId")?)?;
            merge_tags(&mut secret.tags, tags_of(input, "Tags"));
            secret.tags.retain(|(key, _)| !keys.contains(key));
            Ok(json!({}))
        })
    }

    fn resource_policy(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        self.state.change(|state| {
            let secret = state.live(input.required_text("SecretId")?)?;
            let mut output = json!({"ARN": secret.arn, "Name": secret.name});
            match operation {
                "PutResourcePolicy" => secret.resource_policy = input.text("ResourcePolicy").map(str::to_owned),
                "DeleteResourcePolicy" => secret.resource_policy = None,
                _ => output["ResourcePolicy"] = json!(secret.resource_policy),
            }
            Ok(output)
        })
    }
}

/// All filters have to match; of one filter's values any. Values are matched as prefixes, `!` negates.
fn matches_filters(secret: &Secret, input: &Value) -> bool {
    input.list("Filters").iter().all(|filter| {
        let values = filter.texts("Values");
        values.iter().any(|value| {
            let (negated, value) = match value.strip_prefix('!') {
                Some(value) => (true, value),
                None => (false, value.as_str()),
            };
            let description = secret.description.as_deref().unwrap_or_default();
            let tag_keys = || secret.tags.iter().any(|(key, _)| key.starts_with(value));
            let tag_values = || secret.tags.iter().any(|(_, text)| text.starts_with(value));
            let found = match filter.text("Key") {
                Some("name") => secret.name.starts_with(value),
                Some("description") => description.to_lowercase().contains(&value.to_lowercase()),
                Some("tag-key") => tag_keys(),
                Some("tag-value") => tag_values(),
                _ => secret.name.contains(value) || description.contains(value) || tag_keys() || tag_values(),
            };
            found != negated
        })
    })
}

#[async_trait]
impl Service for SecretsManager {
    fn model(&self) -> &'static str {
        "secretsmanager"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let input = &request.input;
        let output = match request.operation.as_str() {
            "CreateSecret" => self.create_secret(input)?,
            "GetSecretValue" => self.get_secret_value(input)?,
            "BatchGetSecretValue" => self.batch_get_secret_value(input),
            "PutSecretValue" => self.put_secret_value(input)?,
            "UpdateSecret" => self.update_secret(input)?,
            "DescribeSecret" => self
                .state
                .read()
                .get(input.required_text("SecretId")?)?
                .described("VersionIdsToStages"),
            "ListSecrets" => self.list_secrets(input),
            "ListSecretVersionIds" => self.list_versions(input)?,
            "UpdateSecretVersionStage" => self.update_version_stage(input)?,
            "DeleteSecret" => self.delete_secret(input)?,
            "RestoreSecret" => self.restore_secret(input)?,
            "GetRandomPassword" => json!({"RandomPassword": password::generate(input)?}),
            "TagResource" | "UntagResource" => self.change_tags(input)?,
            "GetResourcePolicy" | "PutResourcePolicy" | "DeleteResourcePolicy" => {
                self.resource_policy(&request.operation, input)?
            }
            other => return Err(ApiError::not_served("UnknownOperationException", other)),
        };
        Ok(output.into())
    }
}
