//! How CloudFormation makes, changes and removes one resource. A service that behaves brings providers for its types;
//! every other type of the schema is served by the generic provider.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::members::{Members, merge_tags, tags_of};
use crate::service::ApiError;

/// One resource to be made, changed or removed. `properties` are resolved: they hold no intrinsic.
#[derive(Clone, Debug)]
pub struct ResourceRequest {
    pub resource_type: String,
    pub stack_name: String,
    /// The stack's ARN.
    pub stack_id: String,
    pub logical_id: String,
    pub properties: Map<String, Value>,
    /// A name nobody else has: stack, logical id and a random tail; for resources whose name the template leaves open.
    pub generated_name: String,
    /// The stack's tags, which CloudFormation passes on.
    pub tags: Vec<(String, String)>,
}

impl ResourceRequest {
    /// The name that the template gives in this property; without one, the generated name.
    pub fn name(&self, property: &str) -> &str {
        self.properties.text(property).unwrap_or(&self.generated_name)
    }

    /// The stack's tags and, over them, those of the property `Tags`, a list of `{Key, Value}`.
    pub fn all_tags(&self) -> Vec<(String, String)> {
        let mut tags = self.tags.clone();
        merge_tags(&mut tags, tags_of(&self.properties, "Tags"));
        tags
    }
}

/// What a resource is known by from now on: `Ref` gives the physical id, `Fn::GetAtt` the attributes (by dotted name).
#[derive(Clone, Debug, Default)]
pub struct Resource {
    pub physical_id: String,
    pub attributes: Map<String, Value>,
}

impl Resource {
    /// `attributes` is an object with their dotted names.
    pub fn new(physical_id: impl Into<String>, attributes: Value) -> Self {
        let attributes = match attributes {
            Value::Object(attributes) => attributes,
            _ => Map::new(),
        };
        Self {
            physical_id: physical_id.into(),
            attributes,
        }
    }
}

/// Why a resource could not be made, in the words that AWS would use; it becomes the event's status reason.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    pub message: String,
}

impl From<ApiError> for ProviderError {
    fn from(error: ApiError) -> Self {
        Self { message: error.message }
    }
}

impl ProviderError {
    pub fn already_exists(name: &str) -> Self {
        Self {
            message: format!("{name} already exists"),
        }
    }

    /// The service's message with the service's name and status behind it, as CloudFormation shows what API Gateway
    /// and Lambda answer.
    pub fn of_service(service: &str, error: &ApiError) -> Self {
        let ApiError {
            message, status, code, ..
        } = error;
        Self {
            message: format!("{message} (Service: {service}, Status Code: {status}, Error Code: {code})"),
        }
    }
}

/// What a removal comes to; `gone` is the code with which the service says that there is nothing to remove.
pub fn removed<T>(outcome: Result<T, ApiError>, gone: &str) -> Result<(), ProviderError> {
    match outcome {
        Err(error) if error.code != gone => Err(error.into()),
        _ => Ok(()),
    }
}

#[async_trait]
pub trait Provider: Send + Sync {
    /// The types that this provider serves, for example `AWS::Lambda::Function`.
    fn resource_types(&self) -> &'static [&'static str];
    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError>;
    /// Changes in place what can be changed in place; a replacement never arrives here.
    async fn update(
        &self,
        current: &Resource,
        old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError>;
    /// Saves what the resource holds, before a removal under the deletion policy `Snapshot`; types without snapshots
    /// have nothing to do. A failure stops the removal.
    async fn snapshot(&self, _current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        Ok(())
    }
    /// Removing what is already gone succeeds.
    async fn delete(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ProviderError>;
}
