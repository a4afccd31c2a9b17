//! `AWS::Logs::LogGroup` for CloudFormation.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::Logs;
use crate::members::{Members, merge_tags, tags_of};
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest};
use crate::service::ApiError;

pub(super) struct GroupProvider {
    pub(super) logs: Arc<Logs>,
}

fn failed(error: ApiError) -> ProviderError {
    ProviderError { message: error.message }
}

impl GroupProvider {
    fn configure(&self, name: &str, request: &ResourceRequest) -> Result<Resource, ApiError> {
        self.logs
            .set_retention(name, request.properties.integer("RetentionInDays"))?;
        let mut tags = request.tags.clone();
        merge_tags(&mut tags, tags_of(&request.properties, "Tags"));
        self.logs.state.change(|state| {
            state.groups.get_mut(name).ok_or_else(super::no_group)?.tags = tags.into_iter().collect();
            Ok(())
        })?;
        let attributes = Map::from_iter([("Arn".to_owned(), json!(format!("{}:*", self.logs.group_arn(name))))]);
        Ok(Resource {
            physical_id: name.to_owned(),
            attributes,
        })
    }
}

#[async_trait]
impl Provider for GroupProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::Logs::LogGroup"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let name = request
            .properties
            .text("LogGroupName")
            .unwrap_or(&request.generated_name);
        let input = json!({
            "logGroupName": name,
            "kmsKeyId": request.properties.text("KmsKeyId"),
            "logGroupClass": request.properties.text("LogGroupClass"),
        });
        self.logs
            .create_group(&input)
            .map_err(|error| match error.code.as_str() {
                "ResourceAlreadyExistsException" => ProviderError {
                    message: format!("{name} already exists"),
                },
                _ => failed(error),
            })?;
        let configured = self.configure(name, request);
        if configured.is_err() {
            // A group that could not be configured is not there; failing to undo it leaves an empty one.
            let _ = self.logs.remove_group(name);
        }
        configured.map_err(failed)
    }

    async fn update(
        &self,
        current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        self.configure(&current.physical_id, request).map_err(failed)
    }

    async fn delete(&self, current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        match self.logs.remove_group(&current.physical_id) {
            Err(error) if error.code != "ResourceNotFoundException" => Err(failed(error)),
            _ => Ok(()),
        }
    }
}
