//! Stages, and the deployments that they point to: made by hand, or by the stage itself with every change of the API.

use std::sync::Arc;

use serde_json::{Value, json};

use super::apis::no_stage;
use super::record::{Api, ApiKind, Deployment, Object};
use super::service::{ApiGatewayV2, bad_request, conflict, merge, not_found, without};
use crate::members::Members;
use crate::service::ApiError;

impl ApiGatewayV2 {
    pub(super) fn create_stage(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.required_text("StageName")?.to_owned();
        let mut stage = without(input, &["ApiId"]);
        for (member, empty) in [
            ("StageVariables", json!({})),
            ("RouteSettings", json!({})),
            ("Tags", json!({})),
        ] {
            stage.entry(member).or_insert(empty);
        }
        stage
            .entry("DefaultRouteSettings")
            .or_insert_with(|| json!({"DetailedMetricsEnabled": false}));
        stage.entry("AutoDeploy").or_insert_with(|| json!(false));
        let now = json!(self.now().as_second());
        stage.insert("CreatedDate".to_owned(), now.clone());
        stage.insert("LastUpdatedDate".to_owned(), now);
        self.change_api(input, |api| {
            if api.stages.contains_key(&name) {
                return Err(conflict(format!("Stage with name {name} already exists")));
            }
            if name == "$default" && api.kind() == ApiKind::WebSocket {
                return Err(bad_request("A WebSocket API has no stage $default"));
            }
            check_stage(api, &stage)?;
            api.stages.insert(name.clone(), stage);
            Ok(())
        })?;
        self.with_stage(input, |stage| Ok(Value::Object(stage.clone())))
    }

    pub(super) fn with_stage<T>(
        &self,
        input: &Value,
        read: impl FnOnce(&Object) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let name = input.text("StageName").unwrap_or_default();
        self.with_api(input, |api| read(api.stages.get(name).ok_or_else(|| no_stage(name))?))
    }

    pub(super) fn update_stage(&self, input: &Value) -> Result<Value, ApiError> {
        self.set_stage(input, &without(input, &["ApiId", "StageName"]))
    }

    /// `changes` hold null for what goes away.
    pub(super) fn set_stage(&self, input: &Value, changes: &Object) -> Result<Value, ApiError> {
        let name = input.text("StageName").unwrap_or_default();
        let now = json!(self.now().as_second());
        self.change_api(input, |api| {
            let mut stage = api.stages.get(name).cloned().ok_or_else(|| no_stage(name))?;
            merge(&mut stage, changes);
            stage.insert("LastUpdatedDate".to_owned(), now);
            check_stage(api, &stage)?;
            api.stages.insert(name.to_owned(), stage);
            Ok(())
        })?;
        self.with_stage(input, |stage| Ok(Value::Object(stage.clone())))
    }

    pub(super) fn delete_stage(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.text("StageName").unwrap_or_default();
        self.change_api(input, |api| {
            api.stages.remove(name).map(|_| json!({})).ok_or_else(|| no_stage(name))
        })
    }

    pub(super) fn delete_route_settings(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.text("StageName").unwrap_or_default();
        let key = input.required_text("RouteKey")?;
        self.change_api(input, |api| {
            let stage = api.stages.get_mut(name).ok_or_else(|| no_stage(name))?;
            let settings = stage.get_mut("RouteSettings").and_then(Value::as_object_mut);
            let gone = settings.and_then(|settings| settings.remove(key));
            gone.map(|_| json!({}))
                .ok_or_else(|| not_found(format!("There are no settings of the route {key}")))
        })
    }

    pub(super) fn reset_authorizers(&self, input: &Value) -> Result<Value, ApiError> {
        self.with_stage(input, |_| Ok(()))?;
        let text = |name: &str| input.text(name).unwrap_or_default();
        self.shared.authorizations.flush(text("ApiId"), text("StageName"));
        Ok(json!({}))
    }

    pub(super) fn create_deployment(&self, input: &Value) -> Result<Value, ApiError> {
        let id = self.new_id(6);
        self.change_api(input, |api| {
            if api.definition.routes.is_empty() {
                return Err(bad_request("At least one route is required before deploying the Api."));
            }
            let deployment = self.deployment(api, &id, input.text("Description"), false);
            if let Some(name) = input.text("StageName").filter(|name| !name.is_empty()) {
                let stage = api.stages.get_mut(name).ok_or_else(|| no_stage(name))?;
                if stage.flag("AutoDeploy") == Some(true) {
                    return Err(bad_request(format!("The stage {name} deploys by itself")));
                }
                stage.insert("DeploymentId".to_owned(), json!(id));
            }
            let info = deployment.info.clone();
            api.deployments.insert(id, deployment);
            Ok(Value::Object(info))
        })
    }

    fn deployment(&self, api: &Api, id: &str, description: Option<&str>, automatic: bool) -> Deployment {
        let mut info = Object::new();
        info.insert("DeploymentId".to_owned(), json!(id));
        info.insert("AutoDeployed".to_owned(), json!(automatic));
        info.insert("CreatedDate".to_owned(), json!(self.now().as_second()));
        info.insert("DeploymentStatus".to_owned(), json!("DEPLOYED"));
        if let Some(description) = description {
            info.insert("Description".to_owned(), json!(description));
        }
        Deployment {
            info,
            snapshot: Arc::new(api.definition.clone()),
        }
    }

    /// Gives the stages that deploy by themselves what the API holds now, if it changed.
    pub(super) fn deploy_automatically(&self, api: &mut Api) {
        let automatic = |stage: &&String| api.stages[*stage].flag("AutoDeploy") == Some(true);
        let stages: Vec<String> = api.stages.keys().filter(automatic).cloned().collect();
        for name in stages {
            let current = api.stages[&name]
                .text("DeploymentId")
                .and_then(|id| api.deployments.get(id));
            let same = |deployment: &Deployment| json!(*deployment.snapshot) == json!(api.definition);
            if current.is_some_and(same) {
                continue;
            }
            let id = self.new_id(6);
            let description = "Automatic deployment triggered by changes to the Api configuration";
            let deployment = self.deployment(api, &id, Some(description), true);
            api.deployments.insert(id.clone(), deployment);
            if let Some(stage) = api.stages.get_mut(&name) {
                stage.insert("DeploymentId".to_owned(), json!(id));
                stage.insert(
                    "LastDeploymentStatusMessage".to_owned(),
                    json!(format!("Successfully deployed stage with deployment ID '{id}'")),
                );
            }
        }
        // Nobody can return to an automatic deployment: those that no stage uses would only pile up.
        let used: Vec<String> = api
            .stages
            .values()
            .filter_map(|stage| stage.text("DeploymentId").map(str::to_owned))
            .collect();
        api.deployments
            .retain(|id, deployment| used.contains(id) || deployment.info.flag("AutoDeployed") != Some(true));
    }

    pub(super) fn get_deployment(&self, input: &Value) -> Result<Value, ApiError> {
        let id = input.text("DeploymentId").unwrap_or_default();
        self.with_api(input, |api| {
            let deployment = api.deployments.get(id).ok_or_else(|| no_deployment(id))?;
            Ok(Value::Object(deployment.info.clone()))
        })
    }

    pub(super) fn update_deployment(&self, input: &Value) -> Result<Value, ApiError> {
        let id = input.text("DeploymentId").unwrap_or_default();
        self.change_api(input, |api| {
            let deployment = api.deployments.get_mut(id).ok_or_else(|| no_deployment(id))?;
            merge(&mut deployment.info, &without(input, &["ApiId", "DeploymentId"]));
            Ok(Value::Object(deployment.info.clone()))
        })
    }

    pub(super) fn delete_deployment(&self, input: &Value) -> Result<Value, ApiError> {
        let id = input.text("DeploymentId").unwrap_or_default();
        self.change_api(input, |api| {
            if api.stages.values().any(|stage| stage.text("DeploymentId") == Some(id)) {
                return Err(bad_request(
                    "Active stages pointing to this deployment must be moved or deleted",
                ));
            }
            api.deployments
                .remove(id)
                .map(|_| json!({}))
                .ok_or_else(|| no_deployment(id))
        })
    }
}

fn no_deployment(id: &str) -> ApiError {
    not_found(format!("Invalid deployment identifier specified {id}"))
}

fn check_stage(api: &Api, stage: &Object) -> Result<(), ApiError> {
    match stage.text("DeploymentId").filter(|id| !id.is_empty()) {
        Some(id) if !api.deployments.contains_key(id) => {
            Err(bad_request(format!("Invalid deployment identifier specified {id}")))
        }
        _ => Ok(()),
    }
}
