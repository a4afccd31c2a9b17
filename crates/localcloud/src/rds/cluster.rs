//! Aurora clusters and read replicas: who shares a server with whom.
//!
//! A cluster is one real PostgreSQL, kept like an instance under a key of its own; its instances, writer and readers
//! alike, are that server under further names. A read replica is its source's server: what it reads is never late, and
//! it takes writes. Clusters are made and changed through CloudFormation only.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::cluster_operations::cluster_resource_id;
use super::instance::{HOSTED_ZONE, Instance};
use super::{Rds, check_identifier, invalid};
use crate::members::{Members, tag_list};
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest, removed};
use crate::service::ApiError;

/// What a cluster's key begins with; no identifier holds a colon. Also a part of its ARN.
const PREFIX: &str = "cluster:";

pub(super) fn is_cluster(key: &str) -> bool {
    key.starts_with(PREFIX)
}

pub(super) fn key(identifier: &str) -> String {
    format!("{PREFIX}{}", identifier.to_lowercase())
}

/// The identifier that the key was made of.
pub(super) fn name(key: &str) -> &str {
    key.strip_prefix(PREFIX).unwrap_or(key)
}

impl Rds {
    /// The record whose server an instance of this request would use: its cluster's, or its source's.
    pub(super) fn shared_server(&self, input: &Value) -> Result<Option<Instance>, ApiError> {
        if let Some(cluster) = input.text("DBClusterIdentifier") {
            let no_cluster =
                |_| ApiError::new(404, "DBClusterNotFoundFault", format!("DBCluster {cluster} not found."));
            return self.instance(&key(cluster)).map(Some).map_err(no_cluster);
        }
        let source = input.text("SourceDBInstanceIdentifier");
        source.map(|source| self.instance(source)).transpose()
    }

    /// An instance that is another record's server under a name of its own.
    pub(super) fn sharing(&self, id: String, server: Instance, input: &Value) -> Result<Instance, ApiError> {
        Ok(Instance {
            host: server.host,
            port: server.port,
            engine_version: server.engine_version,
            master_username: server.master_username,
            database: server.database,
            shares: Some(server.shares.unwrap_or(server.id)),
            ..self.blank(id, input)?
        })
    }

    /// Refuses what only the owner of a server can do.
    pub(super) fn refuse_shared(&self, instance: &Instance) -> Result<(), ApiError> {
        match &instance.shares {
            None => Ok(()),
            Some(owner) => Err(ApiError::new(
                400,
                "InvalidDBInstanceState",
                format!(
                    "{} has no server of its own here, it shares the one of {owner}: do this with that one",
                    instance.id
                ),
            )),
        }
    }

    /// Refuses to remove a server that others share.
    pub(super) fn refuse_while_shared(&self, instance: &Instance) -> Result<(), ApiError> {
        let state = self.state.read();
        let others = state.instances.values();
        let others: Vec<&str> = others
            .filter(|other| other.shares.as_ref() == Some(&instance.id))
            .map(|other| other.id.as_str())
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        Err(ApiError::new(
            400,
            "InvalidDBClusterStateFault",
            format!(
                "{} cannot be deleted, it still serves {}",
                instance.id,
                others.join(", ")
            ),
        ))
    }

    async fn create_cluster(&self, identifier: &str, input: &Value) -> Result<Instance, ApiError> {
        let _work = self.work.lock().await;
        check_identifier(identifier)?;
        let id = key(identifier);
        if self.state.read().instances.contains_key(&id) {
            let message = format!("DB Cluster {identifier} already exists");
            return Err(ApiError::new(400, "DBClusterAlreadyExistsFault", message));
        }
        let engine = input.text("Engine").unwrap_or_default();
        if !matches!(engine, "aurora-postgresql" | "postgres") {
            return Err(invalid(format!(
                "The embedded cloud runs clusters of the engines aurora-postgresql and postgres only, not {engine}"
            )));
        }
        for unserved in [
            "SnapshotIdentifier",
            "SourceDBClusterIdentifier",
            "ReplicationSourceIdentifier",
            "GlobalClusterIdentifier",
        ] {
            if input.text(unserved).is_some() {
                return Err(invalid(format!("{unserved} of a cluster is not served here")));
            }
        }
        let cluster = match &self.external {
            Some(external) => self.external_instance(id, external, input)?,
            None => self.made(id, input).await?,
        };
        self.state.change(|state| {
            state.instances.insert(cluster.id.clone(), cluster.clone());
            Ok(cluster)
        })
    }

    pub(super) fn cluster_of(&self, identifier: &str) -> Option<Instance> {
        let name = identifier.rsplit(":cluster:").next().unwrap_or(identifier);
        self.instance(&key(name)).ok()
    }
}

pub(super) struct ClusterProvider {
    pub(super) rds: Arc<Rds>,
}

/// The properties in the names that an instance has.
fn input(request: &ResourceRequest) -> Value {
    let mut input = Value::Object(request.properties.clone());
    input["DBName"] = json!(request.properties.text("DatabaseName"));
    input["Tags"] = tag_list(&request.all_tags());
    input
}

impl ClusterProvider {
    fn known_as(&self, cluster: &Instance) -> Resource {
        let name = name(&cluster.id);
        let attributes = json!({
            "DBClusterIdentifier": name,
            "Endpoint.Address": cluster.host,
            "Endpoint.Port": cluster.port.to_string(),
            "Endpoint.HostedZoneId": HOSTED_ZONE,
            "ReadEndpoint.Address": cluster.host,
            "DBClusterArn": cluster.arn(&self.rds.context.region),
            "DBClusterResourceId": cluster_resource_id(cluster),
        });
        Resource::new(name, attributes)
    }
}

#[async_trait]
impl Provider for ClusterProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::RDS::DBCluster"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let identifier = request.name("DBClusterIdentifier").to_lowercase();
        let cluster = self.rds.create_cluster(&identifier, &input(request)).await?;
        Ok(self.known_as(&cluster))
    }

    async fn update(
        &self,
        current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        let cluster = self.rds.modify(&key(&current.physical_id), &input(request)).await?;
        Ok(self.known_as(&cluster))
    }

    async fn snapshot(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ProviderError> {
        super::provider::last_snapshot(&self.rds, &key(&current.physical_id), request).await
    }

    async fn delete(&self, current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        removed(
            self.rds.delete(&key(&current.physical_id), None).await,
            "DBInstanceNotFound",
        )
    }
}
