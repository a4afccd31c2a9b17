//! `AWS::RDS::DBInstance` for CloudFormation. Subnet and parameter groups change nothing here; their types are left to
//! the generic provider.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::Rds;
use super::instance::{HOSTED_ZONE, Instance};
use crate::chance;
use crate::members::{Members, tag_list};
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest, removed};

pub(super) struct InstanceProvider {
    pub(super) rds: Arc<Rds>,
}

/// The properties in the names of `CreateDBInstance`.
fn input(id: &str, request: &ResourceRequest) -> Value {
    let mut input = Value::Object(request.properties.clone());
    input["DBInstanceIdentifier"] = json!(id);
    input["VpcSecurityGroupIds"] = json!(request.properties.texts("VPCSecurityGroups"));
    input["Tags"] = tag_list(&request.all_tags());
    input
}

impl InstanceProvider {
    fn known_as(&self, instance: &Instance) -> Resource {
        let region = &self.rds.context.region;
        let attributes = json!({
            "Endpoint.Address": instance.host,
            "Endpoint.Port": instance.port.to_string(),
            "Endpoint.HostedZoneId": HOSTED_ZONE,
            "DBInstanceArn": instance.arn(region),
            "DbiResourceId": instance.resource_id,
        });
        Resource::new(&instance.id, attributes)
    }
}

#[async_trait]
impl Provider for InstanceProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::RDS::DBInstance"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let id = request.name("DBInstanceIdentifier").to_lowercase();
        let snapshot = request
            .properties
            .text("DBSnapshotIdentifier")
            .filter(|snapshot| !snapshot.is_empty());
        let instance = self.rds.create(&input(&id, request), snapshot).await?;
        Ok(self.known_as(&instance))
    }

    async fn update(
        &self,
        current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        let instance = self
            .rds
            .modify(&current.physical_id, &input(&current.physical_id, request))
            .await?;
        Ok(self.known_as(&instance))
    }

    async fn snapshot(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ProviderError> {
        last_snapshot(&self.rds, &current.physical_id, request).await
    }

    async fn delete(&self, current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        removed(self.rds.delete(&current.physical_id, None).await, "DBInstanceNotFound")
    }
}

/// A snapshot that stays when the stack is gone, named as CloudFormation names them; of what has a server of its own.
pub(super) async fn last_snapshot(rds: &Rds, id: &str, request: &ResourceRequest) -> Result<(), ProviderError> {
    let Ok(instance) = rds.instance(id) else {
        return Ok(());
    };
    if !instance.has_server() {
        return Ok(());
    }
    let tail = chance::letters(b"abcdefghijklmnopqrstuvwxyz0123456789", 12).map_err(|error| ProviderError {
        message: error.to_string(),
    })?;
    let name = format!("{}-snapshot-{}-{tail}", request.stack_name, request.logical_id);
    let begun = rds.begin_snapshot(&instance.id, &name, request.tags.clone())?;
    Ok(rds.finish_snapshot(&begun.id).await?)
}
