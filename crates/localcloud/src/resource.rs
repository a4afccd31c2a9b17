//! How CloudFormation makes, changes and removes one resource. A service that behaves brings providers for its types;
//! every other type of the schema is served by the generic provider.

use async_trait::async_trait;
use serde_json::{Map, Value};

/// One resource to be made, changed or removed. `properties` are resolved: they hold no intrinsic.
#[derive(Clone, Debug)]
pub struct ResourceRequest {
    pub resource_type: String,
    pub stack_name: String,
    pub logical_id: String,
    pub properties: Map<String, Value>,
    /// A name nobody else has: stack, logical id and a random tail; for resources whose name the template leaves open.
    pub generated_name: String,
    /// The stack's tags, which CloudFormation passes on.
    pub tags: Vec<(String, String)>,
}

/// What a resource is known by from now on: `Ref` gives the physical id, `Fn::GetAtt` the attributes (by dotted name).
#[derive(Clone, Debug, Default)]
pub struct Resource {
    pub physical_id: String,
    pub attributes: Map<String, Value>,
}

/// Why a resource could not be made, in the words that AWS would use; it becomes the event's status reason.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    pub message: String,
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
