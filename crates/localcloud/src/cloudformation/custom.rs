//! Custom resources: a function of the user's makes, changes and removes what CloudFormation does not know.
//!
//! The protocol is the one of the User Guide ("Custom resource request and response objects"): the function gets a
//! request with a `ResponseURL` and puts its answer there; what it returns does not count. Here the URL is a path of
//! this cloud. Unlike in AWS a function that fails before it answered fails the resource at once, instead of after an
//! hour. Custom resources behind an SNS topic are refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use crate::context::Context;
use crate::identity;
use crate::members::{Members, scalar};
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest};
use crate::sink::{CallbackReceiver, FunctionInvoker};

pub(super) const TYPE: &str = "AWS::CloudFormation::CustomResource";
/// Where answers are put, followed by a token that nobody can guess.
pub const RESPONSE_PATH: &str = "/_aws/local/custom-resource/";
/// User Guide: "The default value is 3600 seconds", in `ServiceTimeout`.
const LONGEST_WAIT: u64 = 3600;
/// User Guide: "The total size of the response body can't exceed 4096 bytes."
const ANSWER_LIMIT: usize = 4096;

/// aws-cdk-lib's resource that takes the rules out of a VPC's default security group by the API of EC2, which is not
/// served here. Networks carry no traffic in this cloud, so there is no rule to take out: it is remembered like the VPC.
const ABOUT_NETWORKS: &str = "Custom::VpcRestrictDefaultSG";

/// Whether a template's type is one: the general type, or any name below `Custom::`.
pub(super) fn is_custom(resource_type: &str) -> bool {
    resource_type == TYPE || resource_type.starts_with("Custom::")
}

pub struct CustomResources {
    endpoint: String,
    functions: Arc<dyn FunctionInvoker>,
    /// Who waits for which answer.
    waiting: Mutex<BTreeMap<String, oneshot::Sender<Bytes>>>,
}

struct Answer {
    physical_id: Option<String>,
    data: Map<String, Value>,
}

impl CustomResources {
    pub fn new(context: &Context, functions: Arc<dyn FunctionInvoker>) -> Self {
        Self {
            endpoint: context.endpoint.clone(),
            functions,
            waiting: Mutex::default(),
        }
    }

    /// Calls the function and waits for its answer.
    async fn ask(&self, request: &ResourceRequest, kind: &str, more: Value) -> Result<Answer, ProviderError> {
        let properties = &request.properties;
        let service = properties
            .text("ServiceToken")
            .ok_or_else(|| failed("#: required key [ServiceToken] not found"))?;
        if !service.contains(":lambda:") {
            return Err(failed(format!(
                "The embedded cloud runs custom resources of Lambda functions only, and the ServiceToken of {} is {service}",
                request.logical_id
            )));
        }
        let wait = properties
            .integer("ServiceTimeout")
            .and_then(|seconds| u64::try_from(seconds).ok())
            .unwrap_or(LONGEST_WAIT)
            .clamp(1, LONGEST_WAIT);
        let (request_id, token) = (identity::uuid(), identity::uuid());
        let mut event = json!({
            "RequestType": kind,
            "ServiceToken": service,
            "ResponseURL": format!("{}{RESPONSE_PATH}{token}", self.endpoint),
            "StackId": request.stack_id,
            "RequestId": request_id,
            "LogicalResourceId": request.logical_id,
            "ResourceType": request.resource_type,
            "ResourceProperties": as_texts(&Value::Object(properties.clone())),
        });
        if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
            event.extend(more);
        }
        let (sender, receiver) = oneshot::channel();
        let _slot = Slot::take(self, token, sender);
        let payload = Bytes::from(event.to_string());
        let invocation = async {
            match self.functions.invoke(service, None, payload).await {
                Err(error) => format!("The function {service} could not be called: {error}"),
                Ok(done) if done.function_error.is_some() => format!(
                    "The function {service} failed before it answered: {} (RequestId: {request_id})",
                    String::from_utf8_lossy(&done.payload)
                ),
                // It may have handed the work on; whoever does it has the URL.
                Ok(_) => std::future::pending().await,
            }
        };
        let body = tokio::select! {
            biased;
            answered = receiver => answered.map_err(|_| failed("The embedded cloud ends"))?,
            complaint = invocation => return Err(failed(complaint)),
            () = tokio::time::sleep(Duration::from_secs(wait)) => return Err(failed(format!(
                "CloudFormation did not receive a response from your Custom Resource within {wait} seconds. Please check \
                 your logs for requestId [{request_id}]."
            ))),
        };
        answer(&body, &request_id)
    }

    fn deliver_to(&self, token: &str) -> Option<oneshot::Sender<Bytes>> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(token)
    }
}

impl CallbackReceiver for CustomResources {
    fn receive(&self, path: &str, body: Bytes) -> Option<bool> {
        let token = path.strip_prefix(RESPONSE_PATH)?;
        Some(self.deliver_to(token).is_some_and(|waiting| waiting.send(body).is_ok()))
    }
}

/// A place in the list of who waits, for as long as it lives.
struct Slot<'a> {
    resources: &'a CustomResources,
    token: String,
}

impl<'a> Slot<'a> {
    fn take(resources: &'a CustomResources, token: String, sender: oneshot::Sender<Bytes>) -> Self {
        let mut waiting = resources.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(token.clone(), sender);
        drop(waiting);
        Self { resources, token }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.resources.deliver_to(&self.token);
    }
}

fn failed(message: impl Into<String>) -> ProviderError {
    ProviderError {
        message: message.into(),
    }
}

/// CloudFormation gives numbers and booleans to custom resources as texts.
fn as_texts(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(as_texts).collect(),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.clone(), as_texts(value)));
            Value::Object(entries.collect())
        }
        other => scalar(other).map_or_else(|| other.clone(), Value::String),
    }
}

fn answer(body: &[u8], request_id: &str) -> Result<Answer, ProviderError> {
    if body.len() > ANSWER_LIMIT {
        return Err(failed("Response object is too long."));
    }
    let answer: Value = serde_json::from_slice(body)
        .map_err(|error| failed(format!("Invalid response object: {error} (RequestId: {request_id})")))?;
    match answer.text("Status") {
        Some("SUCCESS") => Ok(Answer {
            physical_id: answer.text("PhysicalResourceId").map(str::to_owned),
            data: answer
                .member("Data")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
        }),
        Some("FAILED") => Err(failed(format!(
            "Received response status [FAILED] from custom resource. Message returned: {} (RequestId: {request_id})",
            answer.text("Reason").unwrap_or("(no reason was given)")
        ))),
        _ => Err(failed(format!(
            "Invalid response object: Status must be SUCCESS or FAILED (RequestId: {request_id})"
        ))),
    }
}

impl Answer {
    fn resource(self) -> Result<Resource, ProviderError> {
        let physical_id = self
            .physical_id
            .filter(|id| !id.is_empty())
            .ok_or_else(|| failed("Invalid PhysicalResourceId"))?;
        Ok(Resource {
            physical_id,
            attributes: self.data,
        })
    }
}

#[async_trait]
impl Provider for CustomResources {
    fn resource_types(&self) -> &'static [&'static str] {
        &[TYPE]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        if request.resource_type == ABOUT_NETWORKS {
            return Ok(Resource::new(&request.generated_name, Value::Null));
        }
        self.ask(request, "Create", json!({})).await?.resource()
    }

    /// Another physical id in the answer makes it a replacement, which the engine cleans up after.
    async fn update(
        &self,
        current: &Resource,
        old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        if request.resource_type == ABOUT_NETWORKS {
            return Ok(current.clone());
        }
        let more = json!({
            "PhysicalResourceId": current.physical_id,
            "OldResourceProperties": as_texts(&Value::Object(old_properties.clone())),
        });
        self.ask(request, "Update", more).await?.resource()
    }

    async fn delete(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ProviderError> {
        if request.resource_type == ABOUT_NETWORKS {
            return Ok(());
        }
        let more = json!({"PhysicalResourceId": current.physical_id});
        self.ask(request, "Delete", more).await.map(|_| ())
    }
}
