//! How a template's properties become the API's members: other spelling, other shapes, texts where numbers are meant.

use serde_json::{Map, Value, json};

use super::record::{Object, child};
use super::resources::METHOD;
use super::service::bad_request;
use crate::members::{Members, tags_of};
use crate::resource::ResourceRequest;
use crate::service::ApiError;

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
pub(super) fn lowered(properties: &Map<String, Value>) -> Object {
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
pub(super) fn changed(before: &Value, after: &Value) -> Value {
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

pub(super) fn with_members(input: &Value, members: &Object) -> Value {
    let mut input = input.as_object().cloned().unwrap_or_default();
    input.extend(members.clone());
    Value::Object(input)
}

pub(super) fn rest_api(request: &ResourceRequest) -> Result<Value, ApiError> {
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

pub(super) fn part_input(request: &ResourceRequest) -> Value {
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
pub(super) fn method(properties: &Map<String, Value>) -> Object {
    let given = lowered(properties);
    let mut method = Object::new();
    for name in ["httpMethod"].into_iter().chain(METHOD) {
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

pub(super) fn deployment(properties: &Map<String, Value>) -> Value {
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

pub(super) fn stage_input(request: &ResourceRequest) -> Value {
    let mut input = lowered(&request.properties);
    lowered_member(&mut input, "canarySettings");
    set_tags(&mut input, request);
    Value::Object(input)
}

/// Everything of a stage that a template can set, as the API keeps it.
pub(super) fn stage_members(request: &ResourceRequest) -> Object {
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
pub(super) fn stage_extras(properties: &Map<String, Value>) -> Object {
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

pub(super) fn api_key(request: &ResourceRequest) -> Value {
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

pub(super) fn usage_plan(request: &ResourceRequest) -> Value {
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
