//! `AWS::Logs::LogGroup` for CloudFormation.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::Logs;
use crate::members::Members;
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest, removed};
use crate::service::ApiError;

pub(super) struct GroupProvider {
    pub(super) logs: Arc<Logs>,
}

impl GroupProvider {
    fn configure(&self, name: &str, request: &ResourceRequest) -> Result<Resource, ApiError> {
        self.logs
            .set_retention(name, request.properties.integer("RetentionInDays"))?;
        let tags = request.all_tags();
        self.logs.state.change(|state| {
            state.groups.get_mut(name).ok_or_else(super::no_group)?.tags = tags.into_iter().collect();
            Ok(())
        })?;
        let arn = format!("{}:*", self.logs.group_arn(name));
        Ok(Resource::new(name, json!({"Arn": arn})))
    }
}

#[async_trait]
impl Provider for GroupProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::Logs::LogGroup"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let name = request.name("LogGroupName");
        let input = json!({
            "logGroupName": name,
            "kmsKeyId": request.properties.text("KmsKeyId"),
            "logGroupClass": request.properties.text("LogGroupClass"),
        });
        self.logs
            .create_group(&input)
            .map_err(|error| match error.code.as_str() {
                "ResourceAlreadyExistsException" => ProviderError::already_exists(name),
                _ => error.into(),
            })?;
        let configured = self.configure(name, request);
        if configured.is_err() {
            // A group that could not be configured is not there; failing to undo it leaves an empty one.
            let _ = self.logs.remove_group(name);
        }
        Ok(configured?)
    }

    async fn update(
        &self,
        current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        Ok(self.configure(&current.physical_id, request)?)
    }

    async fn delete(&self, current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        removed(
            self.logs.remove_group(&current.physical_id),
            "ResourceNotFoundException",
        )
    }
}
