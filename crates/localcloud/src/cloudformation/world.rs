//! What the engine needs of everybody else: providers, the services that templates refer to, time.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::custom::{self, is_custom};
use crate::context::Context;
use crate::generic::Generic;
use crate::resource::Provider;
use crate::service::{ApiError, Request, Service};

pub struct World {
    pub context: Context,
    providers: BTreeMap<&'static str, Arc<dyn Provider>>,
    generic: Arc<dyn Provider>,
    services: BTreeMap<&'static str, Arc<dyn Service>>,
}

impl World {
    /// `services` are asked for templates (`s3`), parameters (`ssm`) and secrets (`secretsmanager`).
    pub fn new(context: &Context, providers: Vec<Arc<dyn Provider>>, services: Vec<Arc<dyn Service>>) -> Self {
        let mut by_type = BTreeMap::new();
        for provider in providers {
            for resource_type in provider.resource_types() {
                by_type.insert(*resource_type, provider.clone());
            }
        }
        Self {
            context: context.clone(),
            providers: by_type,
            generic: Arc::new(Generic::new(context)),
            services: services.into_iter().map(|service| (service.model(), service)).collect(),
        }
    }

    pub fn now(&self) -> f64 {
        self.context.clock.now().as_millisecond() as f64 / 1000.0
    }

    /// Whether a resource of this type can be made.
    pub fn makes(&self, resource_type: &str) -> bool {
        self.providers.contains_key(key(resource_type)) || crate::generic::is_known(resource_type)
    }

    pub fn provider(&self, resource_type: &str) -> Arc<dyn Provider> {
        self.providers.get(key(resource_type)).unwrap_or(&self.generic).clone()
    }

    async fn call(&self, service: &str, operation: &str, input: Value) -> Result<(Value, Bytes), ApiError> {
        let found = self.services.get(service);
        let found = found
            .ok_or_else(|| ApiError::new(400, "ValidationError", format!("The embedded cloud runs no {service}.")))?;
        let region = self.context.region.clone();
        let answer = found
            .call(Request {
                operation: operation.to_owned(),
                input,
                body: Bytes::new(),
                region,
            })
            .await?;
        Ok((answer.output, answer.body))
    }

    /// The value of an SSM parameter; `name` may end in `:version`.
    pub async fn parameter(&self, name: &str) -> Result<String, String> {
        let (output, _) = self
            .call("ssm", "GetParameter", json!({"Name": name, "WithDecryption": true}))
            .await
            .map_err(|error| {
                format!(
                    "Unable to fetch parameters [{name}] from parameter store for this account. ({})",
                    error.message
                )
            })?;
        let value = output.pointer("/Parameter/Value").and_then(Value::as_str);
        value
            .map(str::to_owned)
            .ok_or_else(|| format!("The parameter {name} has no value."))
    }

    /// A template in S3.
    pub async fn object(&self, url: &str) -> Result<String, ApiError> {
        let refuse = |message: String| ApiError::new(400, "ValidationError", message);
        let (bucket, key) =
            object_of(url).ok_or_else(|| refuse(format!("TemplateURL must be a supported URL: {url}")))?;
        let (_, body) = self
            .call("s3", "GetObject", json!({"Bucket": bucket, "Key": key}))
            .await
            .map_err(|error| refuse(format!("S3 error: {} (bucket {bucket}, key {key})", error.message)))?;
        String::from_utf8(body.to_vec()).map_err(|_| refuse(format!("The template at {url} is no text.")))
    }

    /// Replaces `{{resolve:…}}` in properties by what it stands for.
    pub async fn resolve_dynamic(&self, properties: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        match self.resolve_value(&Value::Object(properties.clone())).await? {
            Value::Object(resolved) => Ok(resolved),
            _ => Ok(Map::new()),
        }
    }

    async fn resolve_value(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) if text.contains("{{resolve:") => Value::String(self.resolve_text(text).await?),
            Value::Array(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.push(Box::pin(self.resolve_value(item)).await?);
                }
                Value::Array(list)
            }
            Value::Object(entries) => {
                let mut object = Map::new();
                for (key, item) in entries {
                    object.insert(key.clone(), Box::pin(self.resolve_value(item)).await?);
                }
                Value::Object(object)
            }
            other => other.clone(),
        })
    }

    async fn resolve_text(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{resolve:") {
            let Some(length) = rest[start..].find("}}") else { break };
            out.push_str(&rest[..start]);
            out.push_str(
                &self
                    .resolve_reference(&rest[start + "{{resolve:".len()..start + length])
                    .await?,
            );
            rest = &rest[start + length + 2..];
        }
        out.push_str(rest);
        Ok(out)
    }

    async fn resolve_reference(&self, reference: &str) -> Result<String, String> {
        let (service, name) = reference
            .split_once(':')
            .ok_or_else(|| format!("Invalid dynamic reference {reference}"))?;
        match service {
            "ssm" | "ssm-secure" => self.parameter(name).await,
            "secretsmanager" => self.secret(name).await,
            _ => Err(format!(
                "Invalid dynamic reference: the embedded cloud knows no service {service}"
            )),
        }
    }

    /// `secret-id:SecretString:json-key:version-stage:version-id`; the id may be an ARN, which has colons of its own.
    async fn secret(&self, name: &str) -> Result<String, String> {
        let (id, rest) = match name.split_once(":SecretString") {
            Some((id, rest)) => (id, rest.trim_start_matches(':')),
            None => (name, ""),
        };
        let mut parts = rest.split(':');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let (key, stage, version) = (part(), part(), part());
        let input = json!({"SecretId": id, "VersionStage": stage, "VersionId": version});
        let (output, _) = self
            .call("secretsmanager", "GetSecretValue", input)
            .await
            .map_err(|error| {
                format!(
                    "Could not resolve the secret {id} of a dynamic reference: {}",
                    error.message
                )
            })?;
        let secret = output.get("SecretString").and_then(Value::as_str).unwrap_or_default();
        let Some(key) = key else { return Ok(secret.to_owned()) };
        let parsed: Value =
            serde_json::from_str(secret).map_err(|_| format!("Could not parse SecretString JSON of {id}"))?;
        let value = parsed.get(key).and_then(crate::members::scalar);
        value.ok_or_else(|| format!("Could not find a value associated with JSONKey {key} in SecretString of {id}"))
    }
}

/// Under which type a provider is found: custom resources have one, whatever their templates call them.
fn key(resource_type: &str) -> &str {
    if is_custom(resource_type) {
        custom::TYPE
    } else {
        resource_type
    }
}

/// Bucket and key of an object's URL, in path style or with the bucket in the host's name.
fn object_of(url: &str) -> Option<(String, String)> {
    if let Some(rest) = url.strip_prefix("s3://") {
        return rest
            .split_once('/')
            .map(|(bucket, key)| (bucket.to_owned(), key.to_owned()));
    }
    let (_, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let path = path.split('?').next().unwrap_or(path);
    match host.split_once(".s3.").or_else(|| host.split_once(".s3-")) {
        Some((bucket, _)) => Some((bucket.to_owned(), path.to_owned())),
        None => path
            .split_once('/')
            .map(|(bucket, key)| (bucket.to_owned(), key.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_in_every_style_of_url() {
        let expected = Some(("bucket".to_owned(), "a/b.json".to_owned()));
        for url in [
            "https://s3.us-east-1.amazonaws.com/bucket/a/b.json",
            "https://bucket.s3.us-east-1.amazonaws.com/a/b.json",
            "https://bucket.s3.amazonaws.com/a/b.json?versionId=1",
            "http://127.0.0.1:4566/bucket/a/b.json",
            "s3://bucket/a/b.json",
        ] {
            assert_eq!(object_of(url), expected, "{url}");
        }
    }
}
