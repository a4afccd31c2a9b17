//! Every resource type that no service of ours behaves for: checked against its schema, given a plausible identity,
//! remembered by its stack and by nobody else. Nothing runs behind it, and no service's API shows it.

mod invent;
mod validate;

use async_trait::async_trait;
use cfn::schema;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest};

pub use validate::{is_known, validate};

pub struct Generic {
    endpoint: String,
    region: String,
    clock: std::sync::Arc<dyn crate::context::Clock>,
}

impl Generic {
    pub fn new(context: &Context) -> Self {
        Self {
            endpoint: context.endpoint.clone(),
            region: context.region.clone(),
            clock: context.clock.clone(),
        }
    }

    fn inventor<'a>(&'a self, request: &'a ResourceRequest) -> invent::Inventor<'a> {
        invent::Inventor {
            endpoint: &self.endpoint,
            region: &self.region,
            now: self.clock.now(),
            request,
        }
    }
}

#[async_trait]
impl Provider for Generic {
    /// None by name: it is asked for what nobody else serves.
    fn resource_types(&self) -> &'static [&'static str] {
        &[]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        if !is_known(&request.resource_type) {
            return Err(ProviderError {
                message: format!("Unrecognized resource type {}", request.resource_type),
            });
        }
        Ok(match schema::resource(&request.resource_type) {
            Some(schema) => self.inventor(request).resource(schema),
            None => Resource {
                physical_id: request.generated_name.clone(),
                attributes: Map::new(),
            },
        })
    }

    async fn update(
        &self,
        current: &Resource,
        _: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        Ok(match schema::resource(&request.resource_type) {
            Some(schema) => self.inventor(request).changed(schema, current),
            None => current.clone(),
        })
    }

    async fn delete(&self, _: &Resource, _: &ResourceRequest) -> Result<(), ProviderError> {
        Ok(())
    }
}
