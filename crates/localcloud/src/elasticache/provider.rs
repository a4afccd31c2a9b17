//! `AWS::ElastiCache::CacheCluster` and `AWS::ElastiCache::ReplicationGroup` for CloudFormation.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Cache, ElastiCache, Kind};
use crate::members::{Members, tag_list};
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest};

pub(super) struct CacheProvider {
    pub(super) caches: Arc<ElastiCache>,
}

fn kind(request: &ResourceRequest) -> Kind {
    match request.resource_type.as_str() {
        "AWS::ElastiCache::ReplicationGroup" => Kind::ReplicationGroup,
        _ => Kind::CacheCluster,
    }
}

fn input(request: &ResourceRequest) -> Value {
    let mut input = Value::Object(request.properties.clone());
    input["Tags"] = tag_list(&request.all_tags());
    if let Some(groups) = request.properties.member("VpcSecurityGroupIds") {
        input["SecurityGroupIds"] = groups.clone();
    }
    input
}

fn known_as(cache: &Cache) -> Resource {
    let port = cache.port.to_string();
    let prefixes: &[&str] = match cache.kind {
        Kind::CacheCluster => &["RedisEndpoint"],
        Kind::ReplicationGroup => &["PrimaryEndPoint", "ReaderEndPoint"],
    };
    let mut attributes = Map::new();
    for prefix in prefixes {
        attributes.insert(format!("{prefix}.Address"), json!("127.0.0.1"));
        attributes.insert(format!("{prefix}.Port"), json!(port));
    }
    if cache.kind == Kind::ReplicationGroup {
        attributes.insert("ReadEndPoint.Addresses".to_owned(), json!("[127.0.0.1]"));
        attributes.insert("ReadEndPoint.Ports".to_owned(), json!(format!("[{port}]")));
    }
    Resource {
        physical_id: cache.id.clone(),
        attributes,
    }
}

#[async_trait]
impl Provider for CacheProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let member = match kind(request) {
            Kind::CacheCluster => "ClusterName",
            Kind::ReplicationGroup => "ReplicationGroupId",
        };
        let id = match request.properties.text(member) {
            Some(name) => name.to_owned(),
            None => short(&request.generated_name),
        };
        let cache = self.caches.create(kind(request), &id, &input(request)).await?;
        Ok(known_as(&cache))
    }

    async fn update(
        &self,
        current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        let cache = self
            .caches
            .modify(kind(request), &current.physical_id, &input(request))?;
        Ok(known_as(&cache))
    }

    async fn delete(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ProviderError> {
        match self.caches.delete(kind(request), &current.physical_id).await {
            Err(error) if error.status != 404 => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Names have at most 50 letters; the random tail is what has to stay.
fn short(generated: &str) -> String {
    let (head, tail) = generated.rsplit_once('-').unwrap_or((generated, "x"));
    let kept: String = head.chars().take(49_usize.saturating_sub(tail.len())).collect();
    format!("{}-{tail}", kept.trim_end_matches('-'))
}
