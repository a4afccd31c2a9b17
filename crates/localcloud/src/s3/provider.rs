//! `AWS::S3::Bucket` for CloudFormation. What a bucket policy says changes nothing here; its type is left to the
//! generic provider.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Core, of_mut, settings};
use crate::members::{Members, tag_list};
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest, removed};
use crate::saved::storage_failure;
use crate::service::ApiError;

pub(super) struct BucketProvider {
    pub(super) core: Arc<Core>,
}

/// The template's settings in the words of the put operations.
fn wanted(request: &ResourceRequest) -> Map<String, Value> {
    let properties = &request.properties;
    let mut values = settings::defaults();
    for member in ["VersioningConfiguration", "PublicAccessBlockConfiguration"] {
        if let Some(value) = properties.member(member) {
            values.insert(member.to_owned(), value.clone());
        }
    }
    if let Some(encryption) = properties.member("BucketEncryption") {
        let rules: Vec<Value> = encryption
            .list("ServerSideEncryptionConfiguration")
            .iter()
            .map(|rule| {
                json!({
                    "ApplyServerSideEncryptionByDefault": rule.member("ServerSideEncryptionByDefault"),
                    "BucketKeyEnabled": rule.flag("BucketKeyEnabled").unwrap_or(false),
                })
            })
            .collect();
        values.insert("ServerSideEncryptionConfiguration".to_owned(), json!({"Rules": rules}));
    }
    let tags = request.all_tags();
    if !tags.is_empty() {
        values.insert("Tagging".to_owned(), json!({"TagSet": tag_list(&tags)}));
    }
    values
}

impl BucketProvider {
    fn configure(&self, name: &str, request: &ResourceRequest) -> Result<Resource, ApiError> {
        let mut buckets = self.core.lock();
        let bucket = of_mut(&mut buckets, name)?;
        // A policy comes from another resource, or from PutBucketPolicy.
        let policy = bucket.settings.values.remove("Policy");
        bucket.settings.values = wanted(request);
        bucket
            .settings
            .values
            .extend(policy.map(|policy| ("Policy".to_owned(), policy)));
        bucket.save_settings().map_err(storage_failure)?;
        let region = &bucket.settings.region;
        let attributes = json!({
            "Arn": format!("arn:aws:s3:::{name}"),
            "DomainName": format!("{name}.s3.amazonaws.com"),
            "DualStackDomainName": format!("{name}.s3.dualstack.{region}.amazonaws.com"),
            "RegionalDomainName": format!("{name}.s3.{region}.amazonaws.com"),
            "WebsiteURL": format!("http://{name}.s3-website-{region}.amazonaws.com"),
        });
        Ok(Resource::new(name, attributes))
    }
}

#[async_trait]
impl Provider for BucketProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::S3::Bucket"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let name = match request.properties.text("BucketName") {
            Some(name) => name.to_owned(),
            None => bucket_name(&request.generated_name),
        };
        self.core
            .create_bucket(&json!({"Bucket": name}))
            .map_err(|error| match error.code.as_str() {
                "BucketAlreadyOwnedByYou" => ProviderError::already_exists(&name),
                _ => error.into(),
            })?;
        Ok(self.configure(&name, request)?)
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
        let asked = json!({"Bucket": current.physical_id});
        removed(self.core.delete_bucket(&asked), "NoSuchBucket")
    }
}

/// Buckets have small letters only, and at most 63; the random tail is what has to stay.
fn bucket_name(generated: &str) -> String {
    let lower = generated.to_lowercase();
    let tail = lower.rsplit_once('-').map_or("", |(_, tail)| tail);
    let head = lower.len().min(62 - tail.len().min(40));
    match lower.len() > 63 {
        true => format!("{}-{tail}", lower[..head].trim_end_matches('-')),
        false => lower,
    }
}

#[cfg(test)]
mod tests {
    use super::bucket_name;

    #[test]
    fn long_names_keep_their_random_tail() {
        assert_eq!(bucket_name("Stack-Assets-A1B2"), "stack-assets-a1b2");
        let long = bucket_name(&format!("{}-A1B2C3D4", "Stack".repeat(20)));
        assert!(
            long.len() <= 63 && long.ends_with("k-a1b2c3d4") | long.ends_with("-a1b2c3d4"),
            "{long}"
        );
    }
}
