//! The resource types of HTTP and WebSocket APIs for CloudFormation. They go through the same code as the API, whose
//! members are called as the properties are.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::parts::Part;
use super::record::Object;
use super::service::{ApiGatewayV2, bad_request};
use crate::members::Members;
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest};
use crate::service::ApiError;

pub struct ApiGatewayV2Provider {
    gateway: ApiGatewayV2,
}

impl ApiGatewayV2Provider {
    pub fn new(gateway: ApiGatewayV2) -> Self {
        Self { gateway }
    }
}

const API: &str = "AWS::ApiGatewayV2::Api";
const STAGE: &str = "AWS::ApiGatewayV2::Stage";
const DEPLOYMENT: &str = "AWS::ApiGatewayV2::Deployment";
const PARTS: [(&str, Part); 5] = [
    ("AWS::ApiGatewayV2::Route", Part::Route),
    ("AWS::ApiGatewayV2::Integration", Part::Integration),
    ("AWS::ApiGatewayV2::Authorizer", Part::Authorizer),
    ("AWS::ApiGatewayV2::RouteResponse", Part::RouteResponse),
    ("AWS::ApiGatewayV2::IntegrationResponse", Part::IntegrationResponse),
];

/// A template may write numbers and booleans as texts.
const FLAGS: [&str; 5] = [
    "ApiKeyRequired",
    "AutoDeploy",
    "DisableExecuteApiEndpoint",
    "DisableSchemaValidation",
    "EnableSimpleResponses",
];
const NUMBERS: [&str; 2] = ["TimeoutInMillis", "AuthorizerResultTtlInSeconds"];

fn part_of(resource_type: &str) -> Option<Part> {
    PARTS
        .into_iter()
        .find(|(name, _)| *name == resource_type)
        .map(|(_, part)| part)
}

#[async_trait]
impl Provider for ApiGatewayV2Provider {
    fn resource_types(&self) -> &'static [&'static str] {
        &[
            API,
            STAGE,
            DEPLOYMENT,
            "AWS::ApiGatewayV2::Route",
            "AWS::ApiGatewayV2::Integration",
            "AWS::ApiGatewayV2::Authorizer",
            "AWS::ApiGatewayV2::RouteResponse",
            "AWS::ApiGatewayV2::IntegrationResponse",
        ]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        self.make(request).map_err(refused)
    }

    async fn update(
        &self,
        current: &Resource,
        old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        self.alter(current, old_properties, request).map_err(refused)?;
        Ok(current.clone())
    }

    async fn delete(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ProviderError> {
        match self.remove(current, request) {
            Err(error) if error.status != 404 => Err(refused(error)),
            _ => Ok(()),
        }
    }
}

fn refused(error: ApiError) -> ProviderError {
    ProviderError::of_service("AmazonApiGatewayV2", &error)
}

impl ApiGatewayV2Provider {
    fn make(&self, request: &ResourceRequest) -> Result<Resource, ApiError> {
        let gateway = &self.gateway;
        let input = Value::Object(members(&request.properties));
        if let Some(part) = part_of(&request.resource_type) {
            let made = gateway.create_part(part, &input)?;
            let id = made.text(part.id()).unwrap_or_default();
            return Ok(Resource::new(id, json!({part.id(): id})));
        }
        match request.resource_type.as_str() {
            API => {
                let api = gateway.create_api(&api(request)?)?;
                let id = api.text("ApiId").unwrap_or_default();
                Ok(Resource::new(
                    id,
                    json!({"ApiId": id, "ApiEndpoint": api["ApiEndpoint"]}),
                ))
            }
            STAGE => {
                let stage = gateway.create_stage(&stage(request))?;
                let name = stage.text("StageName").unwrap_or_default();
                Ok(Resource::new(name, json!({"Id": request.generated_name})))
            }
            DEPLOYMENT => {
                let made = gateway.create_deployment(&input)?;
                let id = made.text("DeploymentId").unwrap_or_default();
                Ok(Resource::new(id, json!({"DeploymentId": id})))
            }
            other => Err(bad_request(format!("API Gateway makes no {other}."))),
        }
    }

    /// Only what the template itself changed.
    fn alter(&self, current: &Resource, old: &Map<String, Value>, request: &ResourceRequest) -> Result<(), ApiError> {
        let gateway = &self.gateway;
        let id = current.physical_id.as_str();
        let before = ResourceRequest {
            properties: old.clone(),
            ..request.clone()
        };
        let mut input = Value::Object(members(&request.properties));
        match request.resource_type.as_str() {
            API => {
                input["ApiId"] = json!(id);
                let mut changes = changed(&api(&before)?, &api(request)?);
                for quick in ["Target", "RouteKey", "CredentialsArn"] {
                    changes.remove(quick);
                }
                gateway.set_api(&input, &changes)
            }
            STAGE => {
                input["StageName"] = json!(id);
                gateway.set_stage(&input, &changed(&stage(&before), &stage(request)))
            }
            DEPLOYMENT => gateway.update_deployment(&json!({
                "ApiId": request.properties.get("ApiId"),
                "DeploymentId": id,
                "Description": request.properties.text("Description").unwrap_or_default(),
            })),
            other => {
                let part = part_of(other).ok_or_else(|| bad_request(format!("API Gateway changes no {other}.")))?;
                let changes = changed(&Value::Object(members(old)), &input);
                gateway.update_part(part, &input, id, &changes)
            }
        }
        .map(drop)
    }

    fn remove(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ApiError> {
        let gateway = &self.gateway;
        let id = current.physical_id.as_str();
        let mut input = Value::Object(request.properties.clone());
        match request.resource_type.as_str() {
            API => gateway.delete_api(&json!({"ApiId": id})),
            STAGE => {
                input["StageName"] = json!(id);
                gateway.delete_stage(&input)
            }
            DEPLOYMENT => {
                input["DeploymentId"] = json!(id);
                gateway.delete_deployment(&input)
            }
            other => match part_of(other) {
                Some(part) => gateway.delete_part(part, &input, id),
                None => Ok(json!({})),
            },
        }
        .map(drop)
    }
}

/// Properties as the API takes them.
fn members(properties: &Map<String, Value>) -> Object {
    let given = properties
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) if FLAGS.contains(&name.as_str()) || NUMBERS.contains(&name.as_str()) => {
                    serde_json::from_str(text).unwrap_or_else(|_| value.clone())
                }
                _ => value.clone(),
            };
            (name.clone(), value)
        });
    given.collect()
}

fn api(request: &ResourceRequest) -> Result<Value, ApiError> {
    let mut api = members(&request.properties);
    for unsupported in ["Body", "BodyS3Location"] {
        if api.contains_key(unsupported) {
            return Err(bad_request(format!(
                "The embedded cloud does not import OpenAPI definitions ({unsupported}): declare routes instead"
            )));
        }
    }
    for ours in ["FailOnWarnings", "BasePath"] {
        api.remove(ours);
    }
    api.entry("Name").or_insert_with(|| json!(request.generated_name));
    set_tags(&mut api, request);
    Ok(Value::Object(api))
}

fn stage(request: &ResourceRequest) -> Value {
    let mut stage = members(&request.properties);
    set_tags(&mut stage, request);
    Value::Object(stage)
}

/// Tags of stack and resource; both are a map here.
fn set_tags(object: &mut Object, request: &ResourceRequest) {
    let mut tags: Object = request
        .tags
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    if let Some(own) = request.properties.get("Tags").and_then(Value::as_object) {
        tags.extend(own.clone());
    }
    object.insert("Tags".to_owned(), Value::Object(tags));
}

/// `after` where it differs from `before`; what is gone is null. What names the resource and its parents stays out.
fn changed(before: &Value, after: &Value) -> Object {
    let empty = Map::new();
    let (before, after) = (
        before.as_object().unwrap_or(&empty),
        after.as_object().unwrap_or(&empty),
    );
    let gone = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .map(|name| (name.clone(), Value::Null));
    let differs = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let mut changes: Object = gone
        .chain(differs.map(|(name, value)| (name.clone(), value.clone())))
        .collect();
    for name in ["ApiId", "RouteId", "IntegrationId", "StageName"] {
        changes.remove(name);
    }
    changes
}
