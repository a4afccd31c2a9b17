//! `AWS::SSM::Parameter` for CloudFormation.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::Ssm;
use crate::members::{Members, merge_tags, tag_list};
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest, removed};

pub(super) struct ParameterProvider {
    pub(super) ssm: Arc<Ssm>,
}

impl ParameterProvider {
    fn put(&self, name: &str, request: &ResourceRequest, overwrite: bool) -> Result<Resource, ProviderError> {
        // The type's tags are a map, unlike most.
        let mut tags = request.tags.clone();
        if let Some(own) = request.properties.member("Tags").and_then(Value::as_object) {
            let own = own
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            merge_tags(&mut tags, own.collect());
        }
        let input = json!({
            "Name": name,
            "Value": request.properties.text("Value"),
            "Type": request.properties.text("Type"),
            "Description": request.properties.text("Description"),
            "Tier": request.properties.text("Tier"),
            "DataType": request.properties.text("DataType"),
            "Overwrite": overwrite,
            "Tags": tag_list(&tags),
        });
        self.ssm.put(&input)?;
        Ok(Resource::new(
            name,
            json!({"Type": input["Type"], "Value": input["Value"]}),
        ))
    }
}

#[async_trait]
impl Provider for ParameterProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::SSM::Parameter"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        self.put(request.name("Name"), request, false)
    }

    async fn update(
        &self,
        current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        self.put(&current.physical_id, request, true)
    }

    async fn delete(&self, current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        removed(self.ssm.delete(&current.physical_id), "ParameterNotFound")
    }
}
