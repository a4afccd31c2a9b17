//! Deployments: immutable snapshots of an API's definition, and how one comes onto a stage.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::patch::{Fields, Kind, patched};
use super::record::{Definition, Deployment, Object, RestApi, child};
use super::service::{ApiGateway, bad_request, not_found, page, pick};
use super::stages::{check_percent, check_variables, new_stage};
use crate::members::Members;
use crate::service::ApiError;

impl ApiGateway {
    pub(super) fn create_deployment(&self, input: &Value) -> Result<Value, ApiError> {
        let id = self.new_id(6);
        let now = self.now().as_second();
        self.change_api(input, |api| {
            api.definition.check_deployable()?;
            // Checked and prepared before the deployment exists, so that nothing is half done.
            let stage = match input.text("stageName").filter(|name| !name.is_empty()) {
                Some(name) => Some((name.to_owned(), stage_with(api, name, &id, input, now)?)),
                None if input.member("canarySettings").is_some() => {
                    return Err(bad_request(
                        "Canary settings need the name of the stage that gets the canary",
                    ));
                }
                None => None,
            };
            let deployment = Deployment {
                id: id.clone(),
                description: input.text("description").unwrap_or_default().to_owned(),
                created: now,
                snapshot: Arc::new(api.definition.clone()),
            };
            let described = deployment.describe(false);
            api.deployments.insert(id, deployment);
            api.stages.extend(stage);
            Ok(described)
        })
    }

    pub(super) fn get_deployment(&self, input: &Value) -> Result<Value, ApiError> {
        let embeds = input
            .texts("embed")
            .iter()
            .any(|part| part == "apisummary" || part == "apiSummary");
        self.with_api(input, |api| Ok(api.deployment(deployment_id(input))?.describe(embeds)))
    }

    pub(super) fn get_deployments(&self, input: &Value) -> Result<Value, ApiError> {
        self.with_api(input, |api| {
            let mut deployments: Vec<&Deployment> = api.deployments.values().collect();
            // The newest first; ids tell nothing about age.
            deployments.sort_by_key(|deployment| std::cmp::Reverse(deployment.created));
            page(
                input,
                deployments
                    .into_iter()
                    .map(|deployment| deployment.describe(false))
                    .collect(),
            )
        })
    }

    pub(super) fn update_deployment(&self, input: &Value) -> Result<Value, ApiError> {
        const FIELDS: Fields = &[("/description", Kind::Text)];
        self.change_api(input, |api| {
            let deployment = api.deployments.get_mut(deployment_id(input)).ok_or_else(missing)?;
            let mut members = Object::new();
            members.insert("description".to_owned(), json!(deployment.description));
            let members = patched(&members, input, FIELDS)?;
            deployment.description = members.text("description").unwrap_or_default().to_owned();
            Ok(deployment.describe(false))
        })
    }

    pub(super) fn delete_deployment(&self, input: &Value) -> Result<Value, ApiError> {
        let id = deployment_id(input);
        self.change_api(input, |api| {
            api.deployment(id)?;
            let uses = |stage: &Object| {
                stage.text("deploymentId") == Some(id)
                    || stage
                        .member("canarySettings")
                        .and_then(|canary| canary.text("deploymentId"))
                        == Some(id)
            };
            if api.stages.values().any(uses) {
                return Err(bad_request(
                    "Active stages pointing to this deployment must be moved or deleted",
                ));
            }
            api.deployments.remove(id);
            Ok(json!({}))
        })
    }
}

fn deployment_id(input: &Value) -> &str {
    input.text("deploymentId").unwrap_or_default()
}

fn missing() -> ApiError {
    not_found("Invalid Deployment identifier specified")
}

impl RestApi {
    pub fn deployment(&self, id: &str) -> Result<&Deployment, ApiError> {
        self.deployments.get(id).ok_or_else(missing)
    }
}

impl Deployment {
    fn describe(&self, with_summary: bool) -> Value {
        let mut described = json!({"id": self.id, "createdDate": self.created});
        if !self.description.is_empty() {
            described["description"] = json!(self.description);
        }
        if with_summary {
            let mut summary = Map::new();
            for resource in self.snapshot.resources.values() {
                for (verb, method) in &resource.methods {
                    let snapshot = pick(&Value::Object(method.clone()), &["authorizationType", "apiKeyRequired"]);
                    child(&mut summary, &resource.path).insert(verb.clone(), Value::Object(snapshot));
                }
            }
            described["apiSummary"] = Value::Object(summary);
        }
        described
    }
}

impl Definition {
    fn check_deployable(&self) -> Result<(), ApiError> {
        let mut methods = self
            .resources
            .values()
            .flat_map(|resource| resource.methods.values())
            .peekable();
        if methods.peek().is_none() {
            return Err(bad_request("The REST API doesn't contain any methods"));
        }
        if methods.any(|method| method.member("methodIntegration").is_none()) {
            return Err(bad_request("No integration defined for method"));
        }
        Ok(())
    }
}

/// The stage after the deployment: made, moved, or given a canary.
///
/// API Gateway Developer Guide, "Set up an API Gateway canary release deployment": with canary settings the stage
/// keeps its deployment, and while it has a canary it takes no other deployment.
fn stage_with(api: &RestApi, name: &str, deployment_id: &str, input: &Value, now: i64) -> Result<Object, ApiError> {
    let canary = input.member("canarySettings");
    let current = api.stages.get(name);
    check_variables(input.member("variables"))?;
    let mut stage = match (current, canary) {
        (None, Some(_)) => {
            return Err(bad_request(format!(
                "Canary settings need a stage that exists, and there is no stage {name}"
            )));
        }
        (None, None) => new_stage(name, deployment_id, now),
        (Some(stage), Some(canary)) => {
            check_variables(canary.member("stageVariableOverrides"))?;
            let percent = canary.number("percentTraffic").unwrap_or(0.0);
            check_percent(percent)?;
            let mut settings = pick(canary, &["stageVariableOverrides", "useStageCache"]);
            settings.insert("percentTraffic".to_owned(), json!(percent));
            settings.insert("deploymentId".to_owned(), json!(deployment_id));
            settings.entry("useStageCache").or_insert_with(|| json!(false));
            let mut stage = stage.clone();
            stage.insert("canarySettings".to_owned(), Value::Object(settings));
            stage
        }
        (Some(stage), None) => {
            if stage.member("canarySettings").is_some() {
                return Err(bad_request(format!(
                    "The stage {name} has a canary: promote it or remove its canary settings before another deployment"
                )));
            }
            let mut stage = stage.clone();
            stage.insert("deploymentId".to_owned(), json!(deployment_id));
            stage
        }
    };
    if let Some(description) = input.text("stageDescription") {
        stage.insert("description".to_owned(), json!(description));
    }
    for member in ["cacheClusterEnabled", "cacheClusterSize", "tracingEnabled"] {
        if let Some(value) = input.member(member) {
            stage.insert(member.to_owned(), value.clone());
        }
    }
    if let Some(variables) = input.member("variables").and_then(Value::as_object) {
        child(&mut stage, "variables").extend(variables.clone());
    }
    stage.insert("lastUpdatedDate".to_owned(), json!(now));
    Ok(stage)
}
