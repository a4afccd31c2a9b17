//! Stages: which deployment a name reaches, with which variables, and how much of its traffic a canary takes.

use serde_json::{Map, Value, json};

use super::patch::{Fields, Kind, PatchOperation, parts};
use super::record::{Object, child};
use super::service::{ApiGateway, bad_request, conflict, not_found, pick};
use crate::members::Members;
use crate::service::ApiError;

const CREATE: [&str; 8] = [
    "description",
    "cacheClusterEnabled",
    "cacheClusterSize",
    "variables",
    "documentationVersion",
    "canarySettings",
    "tracingEnabled",
    "tags",
];

const FIELDS: Fields = &[
    ("/deploymentId", Kind::Text),
    ("/description", Kind::Text),
    ("/clientCertificateId", Kind::Text),
    ("/documentationVersion", Kind::Text),
    ("/cacheClusterEnabled", Kind::Flag),
    ("/cacheClusterSize", Kind::Text),
    ("/tracingEnabled", Kind::Flag),
    ("/accessLogSettings", Kind::Whole),
    ("/accessLogSettings/destinationArn", Kind::Text),
    ("/accessLogSettings/format", Kind::Text),
    ("/variables/*", Kind::Text),
    ("/canarySettings", Kind::Whole),
    ("/canarySettings/percentTraffic", Kind::Decimal),
    ("/canarySettings/deploymentId", Kind::Text),
    ("/canarySettings/stageVariableOverrides", Kind::Whole),
    ("/canarySettings/stageVariableOverrides/*", Kind::Text),
    ("/canarySettings/useStageCache", Kind::Flag),
];

/// `/{path}/{method}/…`: the path's end, the member it sets.
const METHOD_SETTINGS: [(&str, &str, Kind); 10] = [
    ("metrics/enabled", "metricsEnabled", Kind::Flag),
    ("logging/loglevel", "loggingLevel", Kind::Text),
    ("logging/dataTrace", "dataTraceEnabled", Kind::Flag),
    ("throttling/burstLimit", "throttlingBurstLimit", Kind::Integer),
    ("throttling/rateLimit", "throttlingRateLimit", Kind::Decimal),
    ("caching/enabled", "cachingEnabled", Kind::Flag),
    ("caching/ttlInSeconds", "cacheTtlInSeconds", Kind::Integer),
    ("caching/dataEncrypted", "cacheDataEncrypted", Kind::Flag),
    (
        "caching/requireAuthorizationForCacheControl",
        "requireAuthorizationForCacheControl",
        Kind::Flag,
    ),
    (
        "caching/unauthorizedCacheControlHeaderStrategy",
        "unauthorizedCacheControlHeaderStrategy",
        Kind::Text,
    ),
];

impl ApiGateway {
    pub(super) fn create_stage(&self, input: &Value) -> Result<Value, ApiError> {
        let name = stage_name(input).to_owned();
        if name.is_empty()
            || !name
                .bytes()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == b'_' || letter == b'-')
        {
            return Err(bad_request("Stage name only allows a-zA-Z0-9_-"));
        }
        let deployment_id = input.text("deploymentId").unwrap_or_default();
        let mut stage = new_stage(&name, deployment_id, self.now().as_second());
        stage.extend(pick(input, &CREATE));
        self.change_api(input, |api| {
            if api.stages.contains_key(&name) {
                return Err(conflict("Stage already exists"));
            }
            api.deployment(deployment_id)?;
            check_variables(input.member("variables"))?;
            if let Some(canary) = input.member("canarySettings") {
                let canary_deployment = canary.text("deploymentId").unwrap_or(deployment_id);
                api.deployment(canary_deployment)?;
                check_percent(canary.number("percentTraffic").unwrap_or(0.0))?;
                check_variables(canary.member("stageVariableOverrides"))?;
                let settings = child(&mut stage, "canarySettings");
                settings.insert("deploymentId".to_owned(), json!(canary_deployment));
                settings.entry("percentTraffic").or_insert_with(|| json!(0.0));
            }
            let described = Value::Object(stage.clone());
            api.stages.insert(name, stage);
            Ok(described)
        })
    }

    pub(super) fn get_stage(&self, input: &Value) -> Result<Value, ApiError> {
        self.with_api(input, |api| {
            api.stages
                .get(stage_name(input))
                .cloned()
                .map(Value::Object)
                .ok_or_else(no_stage)
        })
    }

    pub(super) fn get_stages(&self, input: &Value) -> Result<Value, ApiError> {
        let wanted = |stage: &&Object| match input.text("deploymentId") {
            Some(id) => stage.text("deploymentId") == Some(id),
            None => true,
        };
        self.with_api(input, |api| {
            let stages: Vec<Value> = api.stages.values().filter(wanted).cloned().map(Value::Object).collect();
            Ok(json!({"item": stages}))
        })
    }

    pub(super) fn update_stage(&self, input: &Value) -> Result<Value, ApiError> {
        let operations = PatchOperation::all_of(input)?;
        let now = self.now().as_second();
        self.change_api(input, |api| {
            let mut stage = api.stages.get(stage_name(input)).ok_or_else(no_stage)?.clone();
            for operation in &operations {
                apply(operation, &mut stage)?;
            }
            api.deployment(stage.text("deploymentId").unwrap_or_default())?;
            check_variables(stage.get("variables"))?;
            if let Some(canary) = stage.member("canarySettings") {
                api.deployment(canary.text("deploymentId").unwrap_or_default())?;
                check_percent(canary.number("percentTraffic").unwrap_or(0.0))?;
                check_variables(canary.member("stageVariableOverrides"))?;
            }
            stage.insert("lastUpdatedDate".to_owned(), json!(now));
            let described = Value::Object(stage.clone());
            api.stages.insert(stage_name(input).to_owned(), stage);
            Ok(described)
        })
    }

    /// Sets members as a template describes them; null removes one. The others stay as they are.
    pub(super) fn set_stage(&self, input: &Value, members: Object) -> Result<(), ApiError> {
        let now = self.now().as_second();
        self.change_api(input, |api| {
            let mut stage = api.stages.get(stage_name(input)).ok_or_else(no_stage)?.clone();
            for (name, value) in members {
                if value.is_null() {
                    drop(stage.remove(&name))
                } else {
                    drop(stage.insert(name, value))
                }
            }
            api.deployment(stage.text("deploymentId").unwrap_or_default())?;
            check_variables(stage.get("variables"))?;
            stage.insert("lastUpdatedDate".to_owned(), json!(now));
            api.stages.insert(stage_name(input).to_owned(), stage);
            Ok(())
        })
    }

    pub(super) fn delete_stage(&self, input: &Value) -> Result<Value, ApiError> {
        self.change_api(input, |api| {
            api.stages
                .remove(stage_name(input))
                .map(|_| json!({}))
                .ok_or_else(no_stage)
        })
    }

    pub(super) fn flush_authorizers(&self, input: &Value) -> Result<Value, ApiError> {
        self.get_stage(input)?;
        self.shared
            .authorizations
            .flush(input.text("restApiId").unwrap_or_default(), stage_name(input));
        Ok(json!({}))
    }
}

fn stage_name(input: &Value) -> &str {
    input.text("stageName").unwrap_or_default()
}

fn no_stage() -> ApiError {
    not_found("Invalid stage identifier specified")
}

pub(super) fn new_stage(name: &str, deployment_id: &str, now: i64) -> Object {
    let stage = json!({
        "deploymentId": deployment_id,
        "stageName": name,
        "cacheClusterEnabled": false,
        "cacheClusterStatus": "NOT_AVAILABLE",
        "methodSettings": {},
        "tracingEnabled": false,
        "createdDate": now,
        "lastUpdatedDate": now,
    });
    match stage {
        Value::Object(stage) => stage,
        _ => Map::new(),
    }
}

fn apply(operation: &PatchOperation, stage: &mut Object) -> Result<(), ApiError> {
    match operation.op.as_str() {
        "copy" => return copy(operation, stage),
        "move" | "test" => return Err(operation.refuse(FIELDS)),
        _ => {}
    }
    if let Some((key, member, kind)) = method_setting(&operation.path) {
        return set_method_setting(operation, stage, &key, member, kind);
    }
    let into_canary = operation.path.starts_with("/canarySettings/");
    if into_canary && stage.member("canarySettings").is_none() {
        if operation.op == "remove" {
            return Err(bad_request("The stage has no canary settings to remove from"));
        }
        // A canary begins as what the stage is.
        let deployment = stage.get("deploymentId").cloned().unwrap_or_default();
        let canary = json!({"percentTraffic": 0.0, "deploymentId": deployment, "useStageCache": false});
        stage.insert("canarySettings".to_owned(), canary);
    }
    operation.apply(stage, FIELDS)
}

/// API Gateway Developer Guide, "Promote a canary release": the deployment id and the variables can be copied.
fn copy(operation: &PatchOperation, stage: &mut Object) -> Result<(), ApiError> {
    let from = operation.from.as_deref().unwrap_or_default();
    let canary = stage.member("canarySettings").cloned();
    let missing = || bad_request(format!("Cannot copy from '{from}': the stage has no canary settings"));
    match (from, operation.path.as_str()) {
        ("/canarySettings/deploymentId", "/deploymentId") => {
            let id = canary
                .as_ref()
                .and_then(|canary| canary.member("deploymentId"))
                .cloned()
                .ok_or_else(missing)?;
            stage.insert("deploymentId".to_owned(), id);
        }
        ("/canarySettings/stageVariableOverrides", "/variables") => {
            let canary = canary.ok_or_else(missing)?;
            let overrides = canary
                .get("stageVariableOverrides")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            // What the canary does not override stays.
            child(stage, "variables").extend(overrides);
        }
        (from, path) => {
            let variable = from
                .strip_prefix("/canarySettings/stageVariableOverrides/")
                .zip(path.strip_prefix("/variables/"));
            let Some((from_name, to_name)) = variable else {
                return Err(bad_request(format!(
                    "Invalid patch path '{path}' specified for op 'copy' from '{from}'"
                )));
            };
            let value = canary
                .as_ref()
                .and_then(|canary| canary.get("stageVariableOverrides")?.get(from_name))
                .cloned();
            child(stage, "variables").insert(to_name.to_owned(), value.ok_or_else(missing)?);
        }
    }
    Ok(())
}

/// The key in `methodSettings`, and what is set there.
fn method_setting(path: &str) -> Option<(String, Option<&'static str>, Kind)> {
    let setting = METHOD_SETTINGS.iter().find_map(|(end, member, kind)| {
        let key = path.strip_suffix(end)?.strip_suffix('/')?;
        Some((key, Some(*member), *kind))
    });
    // Without an end the whole entry is meant, which can only be removed.
    let (key, member, kind) = setting.or_else(|| {
        let parts = path.split('/').count();
        (parts == 3
            && !path.starts_with("/variables/")
            && !path.starts_with("/canarySettings/")
            && !path.starts_with("/accessLogSettings/"))
        .then_some((path, None, Kind::Whole))
    })?;
    let (resource, verb) = match parts(key).as_slice() {
        [resource, verb] => (resource.trim_start_matches('/').to_owned(), verb.clone()),
        _ => return None,
    };
    // Kept as AWS shows it: `*/*`, or `~1users~1{id}/GET`.
    let key = if resource == "*" {
        format!("*/{verb}")
    } else {
        format!("~1{}/{verb}", resource.replace('/', "~1"))
    };
    Some((key, member, kind))
}

fn set_method_setting(
    operation: &PatchOperation,
    stage: &mut Object,
    key: &str,
    member: Option<&str>,
    kind: Kind,
) -> Result<(), ApiError> {
    let settings = child(stage, "methodSettings");
    match (operation.op.as_str(), member) {
        ("remove", None) => drop(settings.remove(key)),
        ("remove", Some(member)) => {
            if let Some(setting) = settings.get_mut(key).and_then(Value::as_object_mut) {
                setting.remove(member);
            }
        }
        (_, Some(member)) => {
            let mut value = Object::new();
            let operation = PatchOperation {
                op: "replace".to_owned(),
                path: "/value".to_owned(),
                value: Some(operation.needed_value()?.to_owned()),
                from: None,
            };
            operation.apply(&mut value, fields_of(kind))?;
            child(settings, key).extend(value.remove("value").map(|value| (member.to_owned(), value)));
        }
        (_, None) => return Err(operation.refuse(FIELDS)),
    }
    Ok(())
}

fn fields_of(kind: Kind) -> Fields {
    match kind {
        Kind::Flag => &[("/value", Kind::Flag)],
        Kind::Integer => &[("/value", Kind::Integer)],
        Kind::Decimal => &[("/value", Kind::Decimal)],
        _ => &[("/value", Kind::Text)],
    }
}

pub(super) fn check_percent(percent: f64) -> Result<(), ApiError> {
    if (0.0..=100.0).contains(&percent) {
        Ok(())
    } else {
        Err(bad_request(format!(
            "Invalid canary percentTraffic {percent}: it must be between 0.0 and 100.0"
        )))
    }
}

/// API Gateway REST API Reference, Stage: names have letters, digits and underscores; values `A-Za-z0-9-._~:/?#&=,`.
pub(super) fn check_variables(variables: Option<&Value>) -> Result<(), ApiError> {
    for (name, value) in variables.and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if name.is_empty()
            || !name
                .bytes()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
        {
            return Err(bad_request(format!(
                "Stage variable name '{name}' must have letters, digits and underscores only"
            )));
        }
        if !value
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&letter))
        {
            return Err(bad_request(format!(
                "Stage variable value of '{name}' must match the pattern [A-Za-z0-9-._~:/?#&=,]+"
            )));
        }
    }
    Ok(())
}
