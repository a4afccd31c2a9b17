//! `AWS::DynamoDB::Table` and `GlobalTable` for CloudFormation: identity and attributes are the generic provider's, and
//! the service knows of them.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{DynamoDb, Table};
use crate::generic::Generic;
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest};

pub(super) struct TableProvider {
    tables: Arc<DynamoDb>,
    generic: Generic,
}

impl TableProvider {
    pub(super) fn new(tables: Arc<DynamoDb>) -> Self {
        let generic = Generic::new(&tables.context);
        Self { tables, generic }
    }

    fn keep(&self, resource: &Resource, request: &ResourceRequest) -> Result<(), ProviderError> {
        let (created, name) = (self.tables.context.clock.now(), resource.physical_id.clone());
        let id = crate::identity::uuid();
        self.tables.state.change(|state| {
            let table = state.tables.entry(name.clone()).or_insert(Table {
                name,
                id,
                created,
                properties: Map::new(),
            });
            table.properties = request.properties.clone();
            Ok(())
        })?;
        Ok(())
    }
}

#[async_trait]
impl Provider for TableProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let resource = self.generic.create(request).await?;
        if self.tables.state.read().tables.contains_key(&resource.physical_id) {
            return Err(ProviderError::already_exists(&resource.physical_id));
        }
        self.keep(&resource, request)?;
        Ok(resource)
    }

    async fn update(
        &self,
        current: &Resource,
        old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        let resource = self.generic.update(current, old_properties, request).await?;
        self.keep(&resource, request)?;
        Ok(resource)
    }

    async fn delete(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ProviderError> {
        self.tables.state.change(|state| {
            state.tables.remove(&current.physical_id);
            Ok(())
        })?;
        self.generic.delete(current, request).await
    }
}
