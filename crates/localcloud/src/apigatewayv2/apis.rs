//! APIs: made, also with all that a quick creation adds, changed and removed; their tags and their stages'.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::parts::Part;
use super::record::{Api, Definition, Object};
use super::service::{ApiGatewayV2, bad_request, merge, no_api, not_found, without};
use crate::members::Members;
use crate::service::ApiError;

impl ApiGatewayV2 {
    pub(super) fn create_api(&self, input: &Value) -> Result<Value, ApiError> {
        let id = self.new_id(10);
        let is_websocket = input.text("ProtocolType") == Some("WEBSOCKET");
        let mut info = without(input, &["Target", "RouteKey", "CredentialsArn"]);
        if is_websocket && info.text("RouteSelectionExpression").is_none() {
            return Err(bad_request("RouteSelectionExpression is required for WebSocket APIs"));
        }
        if is_websocket && info.contains_key("CorsConfiguration") {
            return Err(bad_request("CORS can only be configured for HTTP APIs"));
        }
        let selection = "$request.method $request.path";
        info.entry("RouteSelectionExpression")
            .or_insert_with(|| json!(selection));
        info.entry("ApiKeySelectionExpression")
            .or_insert_with(|| json!("$request.header.x-api-key"));
        info.entry("DisableExecuteApiEndpoint").or_insert_with(|| json!(false));
        info.insert("ApiId".to_owned(), json!(id));
        info.insert("ApiEndpoint".to_owned(), json!(self.api_endpoint(&id, is_websocket)));
        info.insert("CreatedDate".to_owned(), json!(self.now().as_second()));
        let api = Api {
            info: info.clone(),
            definition: Definition::default(),
            deployments: BTreeMap::new(),
            stages: BTreeMap::new(),
        };
        self.change(|state| {
            state.apis.insert(id.clone(), api);
            Ok(())
        })?;
        if let Some(target) = input.text("Target")
            && let Err(error) = self.create_quickly(&id, target, input.text("RouteKey").unwrap_or("$default"))
        {
            self.delete_api(&json!({"ApiId": id}))?;
            return Err(error);
        }
        Ok(Value::Object(info))
    }

    /// API reference, CreateApi, "Target": an integration, a route that catches all, a stage that deploys by itself.
    fn create_quickly(&self, id: &str, target: &str, route_key: &str) -> Result<(), ApiError> {
        let (kind, verb) = if target.starts_with("arn:") {
            ("AWS_PROXY", Value::Null)
        } else {
            ("HTTP_PROXY", json!("ANY"))
        };
        let integration = self.create_part(
            Part::Integration,
            &json!({"ApiId": id, "IntegrationType": kind, "IntegrationUri": target, "IntegrationMethod": verb,
                "PayloadFormatVersion": if kind == "AWS_PROXY" { "2.0" } else { "1.0" }}),
        )?;
        let integration = integration.text("IntegrationId").unwrap_or_default();
        let target = format!("integrations/{integration}");
        self.create_part(
            Part::Route,
            &json!({"ApiId": id, "RouteKey": route_key, "Target": target}),
        )?;
        self.create_stage(&json!({"ApiId": id, "StageName": "$default", "AutoDeploy": true}))?;
        Ok(())
    }

    /// Where the API is reached here; AWS's own names lead nowhere on loopback.
    fn api_endpoint(&self, id: &str, is_websocket: bool) -> String {
        let endpoint = &self.shared.context.endpoint;
        let endpoint = match (is_websocket, endpoint.strip_prefix("http://")) {
            (true, Some(address)) => format!("ws://{address}"),
            _ => endpoint.clone(),
        };
        format!("{endpoint}/_aws/execute-api/{id}")
    }

    pub(super) fn update_api(&self, input: &Value) -> Result<Value, ApiError> {
        let changes = without(
            input,
            &["ApiId", "Target", "RouteKey", "CredentialsArn", "ProtocolType"],
        );
        self.set_api(input, &changes)
    }

    /// `changes` hold null for what goes away.
    pub(super) fn set_api(&self, input: &Value, changes: &Object) -> Result<Value, ApiError> {
        self.change_api(input, |api| {
            merge(&mut api.info, changes);
            Ok(Value::Object(api.info.clone()))
        })
    }

    pub(super) fn delete_api(&self, input: &Value) -> Result<Value, ApiError> {
        let id = input.text("ApiId").unwrap_or_default();
        self.change(|state| state.apis.remove(id).map(drop).ok_or_else(|| no_api(id)))?;
        self.shared.registry.close_api(id);
        Ok(json!({}))
    }

    pub(super) fn tag_resource(&self, input: &Value) -> Result<Value, ApiError> {
        let added = input
            .get("Tags")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        self.change_tags(input, |tags| tags.extend(added))
    }

    pub(super) fn untag_resource(&self, input: &Value) -> Result<Value, ApiError> {
        let keys = input.texts("TagKeys");
        self.change_tags(input, |tags| tags.retain(|key, _| !keys.contains(key)))
    }

    pub(super) fn get_tags(&self, input: &Value) -> Result<Value, ApiError> {
        let arn = input.required_text("ResourceArn")?;
        let state = self.state();
        let (api, stage) = tagged(arn)?;
        let api = state.apis.get(api).ok_or_else(|| no_api(api))?;
        let of = match stage {
            Some(stage) => api.stages.get(stage).ok_or_else(|| no_stage(stage))?,
            None => &api.info,
        };
        Ok(json!({"Tags": of.get("Tags").cloned().unwrap_or_else(|| json!({}))}))
    }

    fn change_tags(&self, input: &Value, change: impl FnOnce(&mut Object)) -> Result<Value, ApiError> {
        let (api, stage) = tagged(input.required_text("ResourceArn")?)?;
        self.change(|state| {
            let api = state.apis.get_mut(api).ok_or_else(|| no_api(api))?;
            let of = match stage {
                Some(stage) => api.stages.get_mut(stage).ok_or_else(|| no_stage(stage))?,
                None => &mut api.info,
            };
            let mut tags = of.get("Tags").and_then(Value::as_object).cloned().unwrap_or_default();
            change(&mut tags);
            of.insert("Tags".to_owned(), Value::Object(tags));
            Ok(json!({}))
        })
    }
}

pub(super) fn no_stage(name: &str) -> ApiError {
    not_found(format!("Invalid stage identifier specified {name}"))
}

/// `arn:aws:apigateway:REGION::/apis/ID[/stages/NAME]`
fn tagged(arn: &str) -> Result<(&str, Option<&str>), ApiError> {
    let parts = arn
        .split_once("::/apis/")
        .map(|(_, rest)| rest.split_once("/stages/").unwrap_or((rest, "")));
    match parts {
        Some((api, "")) => Ok((api, None)),
        Some((api, stage)) => Ok((api, Some(stage))),
        None => Err(bad_request(format!("Invalid ARN specified in the request: {arn}"))),
    }
}
