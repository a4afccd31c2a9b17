//! API Gateway's resource types for CloudFormation. They go through the same code as the API; how
//! properties become its members stands in `properties`.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::parts::{AUTHORIZER, GATEWAY_RESPONSE, MODEL, Part, VALIDATOR};
use super::properties::{
    api_key, changed, deployment, lowered, method, part_input, rest_api, stage_extras, stage_input, stage_members,
    usage_plan, with_members,
};
use super::service::{ApiGateway, bad_request};
use crate::context::ACCOUNT;
use crate::members::Members;
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest};
use crate::service::ApiError;

pub struct ApiGatewayProvider {
    gateway: ApiGateway,
}

impl ApiGatewayProvider {
    pub fn new(gateway: ApiGateway) -> Self {
        Self { gateway }
    }
}

const REST_API: &str = "AWS::ApiGateway::RestApi";
const RESOURCE: &str = "AWS::ApiGateway::Resource";
const METHOD: &str = "AWS::ApiGateway::Method";
const DEPLOYMENT: &str = "AWS::ApiGateway::Deployment";
const STAGE: &str = "AWS::ApiGateway::Stage";
const ACCOUNT_TYPE: &str = "AWS::ApiGateway::Account";
const API_KEY: &str = "AWS::ApiGateway::ApiKey";
const USAGE_PLAN: &str = "AWS::ApiGateway::UsagePlan";
const USAGE_PLAN_KEY: &str = "AWS::ApiGateway::UsagePlanKey";

fn part_of(resource_type: &str) -> Option<&'static Part> {
    match resource_type {
        "AWS::ApiGateway::Authorizer" => Some(&AUTHORIZER),
        "AWS::ApiGateway::Model" => Some(&MODEL),
        "AWS::ApiGateway::RequestValidator" => Some(&VALIDATOR),
        "AWS::ApiGateway::GatewayResponse" => Some(&GATEWAY_RESPONSE),
        _ => None,
    }
}

#[async_trait]
impl Provider for ApiGatewayProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &[
            REST_API,
            RESOURCE,
            METHOD,
            DEPLOYMENT,
            STAGE,
            ACCOUNT_TYPE,
            API_KEY,
            USAGE_PLAN,
            USAGE_PLAN_KEY,
            "AWS::ApiGateway::Authorizer",
            "AWS::ApiGateway::Model",
            "AWS::ApiGateway::RequestValidator",
            "AWS::ApiGateway::GatewayResponse",
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
    ProviderError::of_service("ApiGateway", &error)
}

impl ApiGatewayProvider {
    fn make(&self, request: &ResourceRequest) -> Result<Resource, ApiError> {
        let properties = &request.properties;
        let gateway = &self.gateway;
        let input = Value::Object(lowered(properties));
        if let Some(part) = part_of(&request.resource_type) {
            let made = gateway.create_part(part, &part_input(request))?;
            let id = made.text("id").unwrap_or(&request.generated_name).to_owned();
            return Ok(match request.resource_type.as_str() {
                "AWS::ApiGateway::Authorizer" => Resource::new(&id, json!({"AuthorizerId": id})),
                "AWS::ApiGateway::RequestValidator" => Resource::new(&id, json!({"RequestValidatorId": id})),
                "AWS::ApiGateway::Model" => Resource::new(made.text("name").unwrap_or_default(), json!({})),
                _ => Resource::new(&request.generated_name, json!({"Id": request.generated_name})),
            });
        }
        match request.resource_type.as_str() {
            REST_API => {
                let api = gateway.create_rest_api(&rest_api(request)?)?;
                let id = api.text("id").unwrap_or_default();
                Ok(Resource::new(
                    id,
                    json!({"RestApiId": id, "RootResourceId": api["rootResourceId"]}),
                ))
            }
            RESOURCE => {
                let made = gateway.create_resource(&input)?;
                let id = made.text("id").unwrap_or_default();
                Ok(Resource::new(id, json!({"ResourceId": id})))
            }
            METHOD => {
                let method = method(properties);
                gateway.put_method(&with_members(&input, &method))?;
                if let Err(error) = gateway.replace_method(&input, method) {
                    gateway.delete_method(&input)?;
                    return Err(error);
                }
                Ok(Resource::new(&request.generated_name, json!({})))
            }
            DEPLOYMENT => {
                let made = gateway.create_deployment(&deployment(properties))?;
                let id = made.text("id").unwrap_or_default();
                Ok(Resource::new(id, json!({"DeploymentId": id})))
            }
            STAGE => {
                let stage = gateway.create_stage(&stage_input(request))?;
                gateway.set_stage(&input, stage_extras(properties))?;
                Ok(Resource::new(stage.text("stageName").unwrap_or_default(), json!({})))
            }
            ACCOUNT_TYPE => {
                gateway.set_account_role(properties.text("CloudWatchRoleArn"))?;
                Ok(Resource::new(&request.generated_name, json!({"Id": ACCOUNT})))
            }
            API_KEY => {
                let key = gateway.create_api_key(&api_key(request))?;
                let id = key.text("id").unwrap_or_default();
                Ok(Resource::new(id, json!({"APIKeyId": id})))
            }
            USAGE_PLAN => {
                let plan = gateway.create_usage_plan(&usage_plan(request))?;
                let id = plan.text("id").unwrap_or_default();
                Ok(Resource::new(id, json!({"Id": id})))
            }
            USAGE_PLAN_KEY => {
                gateway.create_usage_plan_key(&input)?;
                let text = |name: &str| properties.text(name).unwrap_or_default();
                let id = format!("{}:{}", text("KeyId"), text("UsagePlanId"));
                Ok(Resource::new(&id, json!({"Id": id})))
            }
            other => Err(bad_request(format!("API Gateway makes no {other}."))),
        }
    }

    fn alter(&self, current: &Resource, old: &Map<String, Value>, request: &ResourceRequest) -> Result<(), ApiError> {
        let properties = &request.properties;
        let gateway = &self.gateway;
        let id = current.physical_id.as_str();
        if let Some(part) = part_of(&request.resource_type) {
            let mut input = part_input(request);
            let key = match request.resource_type.as_str() {
                "AWS::ApiGateway::Authorizer" => "authorizerId",
                "AWS::ApiGateway::RequestValidator" => "requestValidatorId",
                "AWS::ApiGateway::Model" => "modelName",
                // Its own type names a gateway response.
                _ => return gateway.replace_part(part, &input),
            };
            input[key] = json!(id);
            return gateway.replace_part(part, &input);
        }
        match request.resource_type.as_str() {
            REST_API => {
                let before = rest_api(&ResourceRequest {
                    properties: old.clone(),
                    ..request.clone()
                })?;
                gateway.set_rest_api(id, &changed(&before, &rest_api(request)?))
            }
            METHOD => gateway.replace_method(&Value::Object(lowered(properties)), method(properties)),
            DEPLOYMENT => {
                let operation = json!({"op": "replace", "path": "/description", "value": properties.text("Description").unwrap_or_default()});
                let input = json!({"restApiId": properties.get("RestApiId"), "deploymentId": id, "patchOperations": [operation]});
                gateway.update_deployment(&input).map(drop)
            }
            STAGE => self.alter_stage(old, request),
            ACCOUNT_TYPE => gateway.set_account_role(properties.text("CloudWatchRoleArn")),
            API_KEY => {
                let operation = |path: &str, value: String| json!({"op": "replace", "path": path, "value": value});
                let operations = [
                    operation(
                        "/description",
                        properties.text("Description").unwrap_or_default().to_owned(),
                    ),
                    operation("/enabled", properties.flag("Enabled").unwrap_or(false).to_string()),
                    operation(
                        "/customerId",
                        properties.text("CustomerId").unwrap_or_default().to_owned(),
                    ),
                ];
                let input = json!({"apiKey": id, "patchOperations": operations});
                gateway
                    .call_api_key("UpdateApiKey", &input)
                    .map_or(Ok(()), |result| result.map(drop))
            }
            USAGE_PLAN => gateway.replace_usage_plan(id, &usage_plan(request)),
            // Every property of the others is part of what they are.
            _ => Ok(()),
        }
    }

    /// Only what the template itself changed: the deployment, the variables and the canary that a rollout moved stay.
    fn alter_stage(&self, old: &Map<String, Value>, request: &ResourceRequest) -> Result<(), ApiError> {
        let before = stage_members(&ResourceRequest {
            properties: old.clone(),
            ..request.clone()
        });
        let after = stage_members(request);
        let mut members = changed(&Value::Object(before), &Value::Object(after))
            .as_object()
            .cloned()
            .unwrap_or_default();
        let input = Value::Object(lowered(&request.properties));
        // Variables are compared one by one.
        if members.remove("variables").is_some() {
            let of =
                |properties: &Map<String, Value>| properties.get("Variables").cloned().unwrap_or_else(|| json!({}));
            let current = self.gateway.get_stage(&input)?;
            let mut variables = current
                .get("variables")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            for (name, value) in changed(&of(old), &of(&request.properties))
                .as_object()
                .into_iter()
                .flatten()
            {
                if value.is_null() {
                    drop(variables.remove(name))
                } else {
                    drop(variables.insert(name.clone(), value.clone()))
                }
            }
            members.insert("variables".to_owned(), Value::Object(variables));
        }
        if members.is_empty() {
            Ok(())
        } else {
            self.gateway.set_stage(&input, members)
        }
    }

    fn remove(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ApiError> {
        let properties = &request.properties;
        let gateway = &self.gateway;
        let id = json!(current.physical_id);
        let mut input = Value::Object(lowered(properties));
        if let Some(part) = part_of(&request.resource_type) {
            match request.resource_type.as_str() {
                "AWS::ApiGateway::Authorizer" => input["authorizerId"] = id,
                "AWS::ApiGateway::RequestValidator" => input["requestValidatorId"] = id,
                "AWS::ApiGateway::Model" => input["modelName"] = id,
                _ => {}
            }
            return gateway.delete_part(part, &input).map(drop);
        }
        match request.resource_type.as_str() {
            REST_API => gateway.delete_rest_api(&json!({"restApiId": id})),
            RESOURCE => {
                input["resourceId"] = id;
                gateway.delete_resource(&input)
            }
            METHOD => gateway.delete_method(&input),
            DEPLOYMENT => {
                input["deploymentId"] = id;
                gateway.delete_deployment(&input)
            }
            STAGE => {
                input["stageName"] = id;
                gateway.delete_stage(&input)
            }
            API_KEY => gateway.delete_api_key(&json!({"apiKey": id})),
            USAGE_PLAN => gateway.delete_usage_plan(&json!({"usagePlanId": id})),
            USAGE_PLAN_KEY => gateway.delete_usage_plan_key(&input),
            // The account's settings stay, as in AWS.
            _ => Ok(json!({})),
        }
        .map(drop)
    }
}
