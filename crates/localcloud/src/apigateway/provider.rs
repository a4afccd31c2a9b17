//! API Gateway's resource types for CloudFormation. They go through the same code as the API; here stands only how a
//! template's properties become the API's members.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::parts::{AUTHORIZER, GATEWAY_RESPONSE, MODEL, Part, VALIDATOR};
use super::record::{Object, child};
use super::service::{ApiGateway, bad_request};
use crate::context::ACCOUNT;
use crate::members::{Members, tags_of};
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

/// CloudFormation shows the service's message with the service's name and status behind it.
fn refused(error: ApiError) -> ProviderError {
    ProviderError {
        message: format!(
            "{} (Service: ApiGateway, Status Code: {}, Error Code: {})",
            error.message, error.status, error.code
        ),
    }
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
                "AWS::ApiGateway::Authorizer" => resource(&id, json!({"AuthorizerId": id})),
                "AWS::ApiGateway::RequestValidator" => resource(&id, json!({"RequestValidatorId": id})),
                "AWS::ApiGateway::Model" => resource(made.text("name").unwrap_or_default(), json!({})),
                _ => resource(&request.generated_name, json!({"Id": request.generated_name})),
            });
        }
        match request.resource_type.as_str() {
            REST_API => {
                let api = gateway.create_rest_api(&rest_api(request)?)?;
                let id = api.text("id").unwrap_or_default();
                Ok(resource(
                    id,
                    json!({"RestApiId": id, "RootResourceId": api["rootResourceId"]}),
                ))
            }
            RESOURCE => {
                let made = gateway.create_resource(&input)?;
                let id = made.text("id").unwrap_or_default();
                Ok(resource(id, json!({"ResourceId": id})))
            }
            METHOD => {
                let method = method(properties);
                gateway.put_method(&with_members(&input, &method))?;
                if let Err(error) = gateway.replace_method(&input, method) {
                    gateway.delete_method(&input)?;
                    return Err(error);
                }
                Ok(resource(&request.generated_name, json!({})))
            }
            DEPLOYMENT => {
                let made = gateway.create_deployment(&deployment(properties))?;
                let id = made.text("id").unwrap_or_default();
                Ok(resource(id, json!({"DeploymentId": id})))
            }
            STAGE => {
                let stage = gateway.create_stage(&stage_input(request))?;
                gateway.set_stage(&input, stage_extras(properties))?;
                Ok(resource(stage.text("stageName").unwrap_or_default(), json!({})))
            }
            ACCOUNT_TYPE => {
                gateway.set_account_role(properties.text("CloudWatchRoleArn"))?;
                Ok(resource(&request.generated_name, json!({"Id": ACCOUNT})))
            }
            API_KEY => {
                let key = gateway.create_api_key(&api_key(request))?;
                let id = key.text("id").unwrap_or_default();
                Ok(resource(id, json!({"APIKeyId": id})))
            }
            USAGE_PLAN => {
                let plan = gateway.create_usage_plan(&usage_plan(request))?;
                let id = plan.text("id").unwrap_or_default();
                Ok(resource(id, json!({"Id": id})))
            }
            USAGE_PLAN_KEY => {
                gateway.create_usage_plan_key(&input)?;
                let text = |name: &str| properties.text(name).unwrap_or_default();
                let id = format!("{}:{}", text("KeyId"), text("UsagePlanId"));
                Ok(resource(&id, json!({"Id": id})))
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

fn resource(physical_id: &str, attributes: Value) -> Resource {
    let attributes = attributes.as_object().cloned().unwrap_or_default();
    Resource {
        physical_id: physical_id.to_owned(),
        attributes,
    }
}

/// A template may write numbers and booleans as texts.
const FLAGS: [&str; 8] = [
    "apiKeyRequired",
    "validateRequestBody",
    "validateRequestParameters",
    "disableExecuteApiEndpoint",
    "tracingEnabled",
    "cacheClusterEnabled",
    "useStageCache",
    "enabled",
];
const NUMBERS: [&str; 8] = [
    "timeoutInMillis",
    "authorizerResultTtlInSeconds",
    "minimumCompressionSize",
    "percentTraffic",
    "burstLimit",
    "rateLimit",
    "limit",
    "offset",
];

/// The properties with the API's spelling of their names; what is inside them stays.
fn lowered(properties: &Map<String, Value>) -> Object {
    let lowered = properties
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let name = match name.as_str() {
                "ProviderARNs" => "providerARNs".to_owned(),
                "ApiKeySourceType" => "apiKeySource".to_owned(),
                "UsagePlanName" => "name".to_owned(),
                "AccessLogSetting" => "accessLogSettings".to_owned(),
                "CanarySetting" | "DeploymentCanarySettings" => "canarySettings".to_owned(),
                name => {
                    let mut name = name.to_owned();
                    name[..1].make_ascii_lowercase();
                    name
                }
            };
            let value = match value {
                Value::String(text) if FLAGS.contains(&name.as_str()) => {
                    text.parse().map_or_else(|_| value.clone(), Value::Bool)
                }
                Value::String(text) if NUMBERS.contains(&name.as_str()) => {
                    serde_json::from_str(text).unwrap_or_else(|_| value.clone())
                }
                _ => value.clone(),
            };
            (name, value)
        });
    lowered.collect()
}

fn lowered_member(object: &mut Object, name: &str) {
    let lowered = object.get(name).and_then(Value::as_object).map(lowered);
    if let Some(lowered) = lowered {
        object.insert(name.to_owned(), Value::Object(lowered));
    }
}

/// Tags of stack and resource as the API's map.
fn set_tags(object: &mut Object, request: &ResourceRequest) {
    let tags = request.tags.iter().cloned().chain(tags_of(&request.properties, "Tags"));
    let tags: Object = tags.map(|(key, value)| (key, json!(value))).collect();
    object.insert("tags".to_owned(), Value::Object(tags));
}

/// `after` where it differs from `before`; what is gone is null.
fn changed(before: &Value, after: &Value) -> Value {
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
    gone.chain(differs.map(|(name, value)| (name.clone(), value.clone())))
        .collect::<Map<_, _>>()
        .into()
}

fn with_members(input: &Value, members: &Object) -> Value {
    let mut input = input.as_object().cloned().unwrap_or_default();
    input.extend(members.clone());
    Value::Object(input)
}

fn rest_api(request: &ResourceRequest) -> Result<Value, ApiError> {
    let properties = &request.properties;
    for unsupported in ["Body", "BodyS3Location"] {
        if properties.member(unsupported).is_some() {
            return Err(bad_request(format!(
                "The embedded cloud does not import OpenAPI definitions ({unsupported}): declare resources and methods instead"
            )));
        }
    }
    let mut api = lowered(properties);
    lowered_member(&mut api, "endpointConfiguration");
    api.entry("name").or_insert_with(|| json!(request.generated_name));
    if let Some(policy) = api
        .get("policy")
        .filter(|policy| policy.is_object())
        .map(Value::to_string)
    {
        api.insert("policy".to_owned(), json!(policy));
    }
    set_tags(&mut api, request);
    Ok(Value::Object(api))
}

fn part_input(request: &ResourceRequest) -> Value {
    let mut input = lowered(&request.properties);
    if request.resource_type == "AWS::ApiGateway::Model" {
        // The API wants letters and digits only.
        let name: String = request
            .generated_name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        input.entry("name").or_insert_with(|| json!(name));
        input.entry("contentType").or_insert_with(|| json!("application/json"));
        if let Some(schema) = input
            .get("schema")
            .filter(|schema| !schema.is_string())
            .map(Value::to_string)
        {
            input.insert("schema".to_owned(), json!(schema));
        }
    }
    if request.resource_type == "AWS::ApiGateway::Authorizer" {
        input.entry("name").or_insert_with(|| json!(request.generated_name));
    }
    Value::Object(input)
}

/// The whole method as the API keeps it.
fn method(properties: &Map<String, Value>) -> Object {
    let given = lowered(properties);
    let mut method = Object::new();
    for name in [
        "httpMethod",
        "authorizationType",
        "authorizerId",
        "apiKeyRequired",
        "operationName",
        "requestParameters",
        "requestModels",
        "requestValidatorId",
        "authorizationScopes",
    ] {
        if let Some(value) = given.get(name) {
            method.insert(name.to_owned(), value.clone());
        }
    }
    method.entry("apiKeyRequired").or_insert_with(|| json!(false));
    method.entry("authorizationType").or_insert_with(|| json!("NONE"));
    let by_status = |responses: &[Value]| -> Object {
        let responses = responses.iter().filter_map(Value::as_object).map(|response| {
            let mut response = lowered(response);
            let status = response
                .get("statusCode")
                .map(|status| status.as_str().map_or_else(|| status.to_string(), str::to_owned));
            let status = status.unwrap_or_default();
            response.insert("statusCode".to_owned(), json!(status));
            (status, Value::Object(response))
        });
        responses.collect()
    };
    if !properties.list("MethodResponses").is_empty() {
        method.insert(
            "methodResponses".to_owned(),
            Value::Object(by_status(properties.list("MethodResponses"))),
        );
    }
    if let Some(given) = properties.member("Integration").and_then(Value::as_object) {
        let mut integration = lowered(given);
        if let Some(verb) = integration.remove("integrationHttpMethod") {
            integration.insert("httpMethod".to_owned(), verb);
        }
        integration.insert(
            "integrationResponses".to_owned(),
            Value::Object(by_status(given.list("IntegrationResponses"))),
        );
        integration
            .entry("passthroughBehavior")
            .or_insert_with(|| json!("WHEN_NO_MATCH"));
        integration.entry("timeoutInMillis").or_insert_with(|| json!(29_000));
        method.insert("methodIntegration".to_owned(), Value::Object(integration));
    }
    method
}

fn deployment(properties: &Map<String, Value>) -> Value {
    let mut input = lowered(properties);
    lowered_member(&mut input, "canarySettings");
    // `StageDescription` is an object in templates: what the stage gets.
    if let Some(stage) = input
        .remove("stageDescription")
        .as_ref()
        .and_then(Value::as_object)
        .map(lowered)
    {
        for (from, to) in [
            ("description", "stageDescription"),
            ("variables", "variables"),
            ("cacheClusterEnabled", "cacheClusterEnabled"),
            ("cacheClusterSize", "cacheClusterSize"),
            ("tracingEnabled", "tracingEnabled"),
        ] {
            if let Some(value) = stage.get(from) {
                input.insert(to.to_owned(), value.clone());
            }
        }
    }
    Value::Object(input)
}

fn stage_input(request: &ResourceRequest) -> Value {
    let mut input = lowered(&request.properties);
    lowered_member(&mut input, "canarySettings");
    set_tags(&mut input, request);
    Value::Object(input)
}

/// Everything of a stage that a template can set, as the API keeps it.
fn stage_members(request: &ResourceRequest) -> Object {
    let mut members = lowered(&request.properties);
    members.retain(|name, _| {
        !matches!(
            name.as_str(),
            "restApiId" | "stageName" | "methodSettings" | "accessLogSettings"
        )
    });
    lowered_member(&mut members, "canarySettings");
    set_tags(&mut members, request);
    members.extend(stage_extras(&request.properties));
    members
}

/// What only templates can set when a stage is made.
fn stage_extras(properties: &Map<String, Value>) -> Object {
    let mut extras = Object::new();
    let mut settings = Object::new();
    for setting in properties.list("MethodSettings") {
        let path = setting.text("ResourcePath").unwrap_or("/*").trim_start_matches('/');
        let verb = setting.text("HttpMethod").unwrap_or("*");
        let key = if path == "*" {
            format!("*/{verb}")
        } else {
            format!("~1{}/{verb}", path.trim_start_matches("~1").replace('/', "~1"))
        };
        let setting = child(&mut settings, &key)
            .clone()
            .into_iter()
            .chain(method_setting(setting))
            .collect();
        settings.insert(key, Value::Object(setting));
    }
    if !settings.is_empty() {
        extras.insert("methodSettings".to_owned(), Value::Object(settings));
    }
    if let Some(log) = properties.member("AccessLogSetting").and_then(Value::as_object) {
        extras.insert("accessLogSettings".to_owned(), Value::Object(lowered(log)));
    }
    if let Some(certificate) = properties.member("ClientCertificateId") {
        extras.insert("clientCertificateId".to_owned(), certificate.clone());
    }
    extras
}

fn method_setting(setting: &Value) -> Object {
    let mut members = Object::new();
    for (property, member) in [
        ("MetricsEnabled", "metricsEnabled"),
        ("DataTraceEnabled", "dataTraceEnabled"),
        ("CachingEnabled", "cachingEnabled"),
        ("CacheDataEncrypted", "cacheDataEncrypted"),
    ] {
        members.extend(setting.flag(property).map(|flag| (member.to_owned(), json!(flag))));
    }
    members.extend(
        setting
            .text("LoggingLevel")
            .map(|level| ("loggingLevel".to_owned(), json!(level))),
    );
    members.extend(
        setting
            .integer("ThrottlingBurstLimit")
            .map(|limit| ("throttlingBurstLimit".to_owned(), json!(limit))),
    );
    members.extend(
        setting
            .number("ThrottlingRateLimit")
            .map(|limit| ("throttlingRateLimit".to_owned(), json!(limit))),
    );
    members.extend(
        setting
            .integer("CacheTtlInSeconds")
            .map(|seconds| ("cacheTtlInSeconds".to_owned(), json!(seconds))),
    );
    members
}

fn api_key(request: &ResourceRequest) -> Value {
    let mut key = lowered(&request.properties);
    key.entry("name").or_insert_with(|| json!(request.generated_name));
    let stages = request
        .properties
        .list("StageKeys")
        .iter()
        .filter_map(Value::as_object)
        .map(|stage| Value::Object(lowered(stage)));
    key.insert("stageKeys".to_owned(), stages.collect());
    set_tags(&mut key, request);
    Value::Object(key)
}

fn usage_plan(request: &ResourceRequest) -> Value {
    let mut plan = lowered(&request.properties);
    plan.entry("name").or_insert_with(|| json!(request.generated_name));
    let stages = request
        .properties
        .list("ApiStages")
        .iter()
        .filter_map(Value::as_object)
        .map(|stage| Value::Object(lowered(stage)));
    plan.insert("apiStages".to_owned(), stages.collect());
    lowered_member(&mut plan, "throttle");
    lowered_member(&mut plan, "quota");
    set_tags(&mut plan, request);
    Value::Object(plan)
}
