//! Nested stacks: a stack as a resource of another one.
//!
//! A nested stack is made, changed and removed by the same calls as any other; its parent waits for it. It is changed
//! when its own properties change, so a template that is exchanged under the same URL is not seen.

use std::sync::Weak;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::CloudFormation;
use super::record::Stack;
use super::status::Status;
use super::updates::NO_UPDATES;
use crate::members::scalar;
use crate::members::tag_list;
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest};

const LOOK: Duration = Duration::from_millis(20);

pub struct NestedStacks {
    pub cloud: Weak<CloudFormation>,
}

impl NestedStacks {
    fn cloud(&self) -> Result<std::sync::Arc<CloudFormation>, ProviderError> {
        self.cloud.upgrade().ok_or_else(|| failed("CloudFormation ends"))
    }
}

fn failed(message: impl Into<String>) -> ProviderError {
    ProviderError {
        message: message.into(),
    }
}

fn input(request: &ResourceRequest, name: &str) -> Value {
    let given = request.properties.get("Parameters").and_then(Value::as_object);
    let parameters: Vec<Value> = given
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            let list = value
                .as_array()
                .map(|items| items.iter().filter_map(scalar).collect::<Vec<_>>().join(","));
            json!({"ParameterKey": key, "ParameterValue": list.or_else(|| scalar(value))})
        })
        .collect();
    let mut tags = tag_list(&request.tags);
    if let (Some(all), Some(own)) = (
        tags.as_array_mut(),
        request.properties.get("Tags").and_then(Value::as_array),
    ) {
        all.extend(own.iter().cloned());
    }
    json!({
        "StackName": name, "TemplateURL": request.properties.get("TemplateURL"), "Parameters": parameters, "Tags": tags,
        // The parent was acknowledged.
        "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    })
}

/// The stack when it rests.
async fn rested(cloud: &CloudFormation, name: &str) -> Result<Stack, ProviderError> {
    loop {
        let cell = cloud
            .engine
            .stacks
            .find(name)
            .ok_or_else(|| failed(format!("Stack [{name}] does not exist")))?;
        let stack = cell.read().clone();
        if !stack.status.is_running() {
            return Ok(stack);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn resource(stack: &Stack) -> Resource {
    let outputs = stack
        .outputs
        .iter()
        .map(|output| (format!("Outputs.{}", output.key), json!(output.value)));
    Resource {
        physical_id: stack.id.clone(),
        attributes: outputs.collect::<Map<String, Value>>(),
    }
}

/// Why a nested stack is not what it should be: the first failed resource says it best.
fn complaint(stack: &Stack, verb: &str) -> ProviderError {
    let is_failure = |status| {
        matches!(
            status,
            Status::CreateFailed | Status::UpdateFailed | Status::DeleteFailed
        )
    };
    let first = stack
        .events
        .iter()
        .rev()
        .take_while(|event| event.reason.as_deref() != Some("User Initiated"));
    let reason = first
        .filter(|event| is_failure(event.status))
        .last()
        .and_then(|event| event.reason.clone());
    let reason = reason.or_else(|| stack.status_reason.clone()).unwrap_or_default();
    failed(format!(
        "Embedded stack {} was not successfully {verb}: {reason}",
        stack.id
    ))
}

#[async_trait]
impl Provider for NestedStacks {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::CloudFormation::Stack"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let cloud = self.cloud()?;
        let name = &request.generated_name;
        cloud.create_stack(&input(request, name)).await?;
        let stack = rested(&cloud, name).await?;
        if stack.status == Status::CreateComplete {
            return Ok(resource(&stack));
        }
        let complaint = complaint(&stack, "created");
        cloud.delete_stack(&json!({"StackName": stack.id}))?;
        rested(&cloud, &stack.id).await?;
        Err(complaint)
    }

    async fn update(
        &self,
        current: &Resource,
        _: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        let cloud = self.cloud()?;
        match cloud.update_stack(&input(request, &current.physical_id)).await {
            Ok(_) => {}
            Err(error) if error.message == NO_UPDATES => {}
            Err(error) => return Err(error.into()),
        }
        let stack = rested(&cloud, &current.physical_id).await?;
        match stack.status {
            Status::UpdateRollbackComplete | Status::UpdateRollbackFailed | Status::UpdateFailed => {
                Err(complaint(&stack, "updated"))
            }
            _ => Ok(resource(&stack)),
        }
    }

    async fn delete(&self, current: &Resource, _: &ResourceRequest) -> Result<(), ProviderError> {
        let cloud = self.cloud()?;
        if cloud.engine.stacks.find(&current.physical_id).is_none() {
            return Ok(());
        }
        // It may be rolling back itself.
        let id = rested(&cloud, &current.physical_id).await?.id;
        cloud.delete_stack(&json!({"StackName": id}))?;
        let stack = rested(&cloud, &id).await?;
        if stack.status == Status::DeleteComplete {
            Ok(())
        } else {
            Err(complaint(&stack, "deleted"))
        }
    }
}
