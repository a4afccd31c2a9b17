//! `AWS::SQS::Queue` and its policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::attributes::checked;
use super::{Sqs, name_in};
use crate::members::{Members, scalar};
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest, removed};

const QUEUE: &str = "AWS::SQS::Queue";

pub(super) struct SqsProvider {
    sqs: Arc<Sqs>,
}

impl SqsProvider {
    pub fn new(sqs: Arc<Sqs>) -> Self {
        Self { sqs }
    }

    fn resource(&self, name: &str) -> Resource {
        let url = self.sqs.url(name);
        Resource::new(
            &url,
            json!({"Arn": self.sqs.arn(name), "QueueName": name, "QueueUrl": url}),
        )
    }

    /// Sets a policy on its queues; an empty text takes it away.
    fn set_policy(&self, properties: &Map<String, Value>, policy: &str) -> Result<(), ProviderError> {
        for queue in properties.texts("Queues") {
            let attributes = BTreeMap::from([("Policy".to_owned(), policy.to_owned())]);
            self.sqs.set(name_in(&queue), attributes)?;
        }
        Ok(())
    }
}

#[async_trait]
impl Provider for SqsProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &[QUEUE, "AWS::SQS::QueuePolicy", "AWS::SQS::QueueInlinePolicy"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        if request.resource_type != QUEUE {
            self.set_policy(&request.properties, &policy(&request.properties))?;
            return Ok(Resource::new(
                &request.generated_name,
                json!({"Id": request.generated_name}),
            ));
        }
        let is_fifo = request.properties.flag("FifoQueue") == Some(true);
        let name = match request.properties.text("QueueName") {
            Some(name) => name.to_owned(),
            None if is_fifo => {
                let stem = &request.generated_name[request.generated_name.len().saturating_sub(75)..];
                format!("{stem}.fifo")
            }
            None => request.generated_name[request.generated_name.len().saturating_sub(80)..].to_owned(),
        };
        if self.sqs.lock().queues.contains_key(&name) {
            return Err(ProviderError::already_exists(&name));
        }
        let tags: BTreeMap<String, String> = request.all_tags().into_iter().collect();
        let input = json!({"QueueName": name, "Attributes": attributes(&request.properties), "tags": tags});
        self.sqs.create_queue(&input)?;
        Ok(self.resource(&name))
    }

    async fn update(
        &self,
        current: &Resource,
        old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        if request.resource_type != QUEUE {
            self.set_policy(old_properties, "")?;
            self.set_policy(&request.properties, &policy(&request.properties))?;
            return Ok(current.clone());
        }
        let name = name_in(&current.physical_id);
        let (before, after) = (attributes(old_properties), attributes(&request.properties));
        let mut changes: Map<String, Value> = after
            .iter()
            .filter(|(name, value)| before.get(*name) != Some(value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut given = checked(Some(&Value::Object(std::mem::take(&mut changes))))?;
        // What the template no longer says goes back to its default.
        given.extend(
            before
                .keys()
                .filter(|name| !after.contains_key(*name))
                .map(|name| (name.clone(), String::new())),
        );
        self.sqs.set(name, given)?;
        let tags: BTreeMap<String, String> = request.all_tags().into_iter().collect();
        self.sqs.change(|state| {
            if let Some(queue) = state.queues.get_mut(name) {
                queue.tags = tags;
            }
            Ok(())
        })?;
        Ok(self.resource(name))
    }

    async fn delete(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ProviderError> {
        if request.resource_type != QUEUE {
            // A queue that is gone already has taken its policy along.
            for queue in request.properties.texts("Queues") {
                let policy = BTreeMap::from([("Policy".to_owned(), String::new())]);
                removed(self.sqs.set(name_in(&queue), policy), "QueueDoesNotExist")?;
            }
            return Ok(());
        }
        removed(
            self.sqs.delete_queue(name_in(&current.physical_id)),
            "QueueDoesNotExist",
        )
    }
}

/// Properties as attributes: all are texts there.
fn attributes(properties: &Map<String, Value>) -> Map<String, Value> {
    let given = properties
        .iter()
        .filter(|(name, value)| !matches!(name.as_str(), "QueueName" | "Tags") && !value.is_null());
    given
        .map(|(name, value)| (name.clone(), json!(scalar(value).unwrap_or_else(|| value.to_string()))))
        .collect()
}

fn policy(properties: &Map<String, Value>) -> String {
    properties
        .member("PolicyDocument")
        .map(Value::to_string)
        .unwrap_or_default()
}
