//! What is kept and described, and changes no invocation here: layers and the settings of asynchronous events.

use serde_json::{Map, Value, json};

use super::functions::function_name;
use super::service::{Lambda, not_found, page};
use crate::context::ACCOUNT;
use crate::members::Members;
use crate::service::ApiError;

const EVENT_INVOKE_MEMBERS: [&str; 3] = ["MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig"];

impl Lambda {
    pub(super) async fn publish_layer_version(&self, input: &Value) -> Result<Value, ApiError> {
        let name = layer_name(input)?;
        let code = self.code_of(input.member("Content").unwrap_or(&Value::Null)).await?;
        let layer_arn = format!("arn:aws:lambda:{}:{ACCOUNT}:layer:{name}", self.region());
        let created = self.now().strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string();
        self.change(|state| {
            let versions = state.layers.entry(name).or_default();
            let number = versions.keys().next_back().map_or(1, |last| last + 1);
            let mut layer = json!({
                "Content": {
                    "Location": format!("file://{}", self.shared.code.archive(&code).display()),
                    "CodeSha256": code.sha256,
                    "CodeSize": code.size,
                },
                "LayerArn": layer_arn,
                "LayerVersionArn": format!("{layer_arn}:{number}"),
                "Description": input.text("Description").unwrap_or_default(),
                "CreatedDate": created,
                "Version": number,
            });
            for member in ["CompatibleRuntimes", "LicenseInfo", "CompatibleArchitectures"] {
                if let Some(value) = input.member(member) {
                    layer[member] = value.clone();
                }
            }
            versions.insert(number, layer.clone());
            Ok(layer)
        })
    }

    pub(super) fn get_layer_version(&self, input: &Value) -> Result<Value, ApiError> {
        let (name, number) = (layer_name(input)?, layer_number(input));
        let state = self.state();
        let layer = state.layers.get(&name).and_then(|versions| versions.get(&number));
        layer
            .cloned()
            .ok_or_else(|| not_found("The resource you requested does not exist."))
    }

    pub(super) fn list_layer_versions(&self, input: &Value) -> Result<Value, ApiError> {
        let state = self.state();
        let versions = state
            .layers
            .get(&layer_name(input)?)
            .into_iter()
            .flat_map(|versions| versions.values().rev());
        page(input, "LayerVersions", versions.cloned().collect())
    }

    pub(super) fn delete_layer_version(&self, input: &Value) -> Result<Value, ApiError> {
        let (name, number) = (layer_name(input)?, layer_number(input));
        self.change(|state| {
            if let Some(versions) = state.layers.get_mut(&name) {
                versions.remove(&number);
            }
            Ok(json!({}))
        })
    }

    pub(super) fn put_event_invoke_config(&self, input: &Value, keeps_others: bool) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let qualifier = name.qualifier.clone().unwrap_or_else(|| "$LATEST".to_owned());
        let arn = format!(
            "{}:{qualifier}",
            super::name::function_arn(self.region(), &name.name, None)
        );
        let now = self.now().as_second();
        self.change_function(&name, |function| {
            self.version_of(function, &name)?;
            let current = function
                .event_invoke_configs
                .remove(&qualifier)
                .filter(|_| keeps_others);
            let mut config = current.unwrap_or_default();
            for member in EVENT_INVOKE_MEMBERS {
                if let Some(value) = input.member(member) {
                    config.insert(member.to_owned(), value.clone());
                }
            }
            config.insert("FunctionArn".to_owned(), json!(arn));
            config.insert("LastModified".to_owned(), json!(now));
            function.event_invoke_configs.insert(qualifier, config.clone());
            Ok(Value::Object(config))
        })
    }

    pub(super) fn get_event_invoke_config(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let qualifier = name.qualifier.as_deref().unwrap_or("$LATEST");
        self.with_function(&name, |function| {
            let config: Option<&Map<String, Value>> = function.event_invoke_configs.get(qualifier);
            let arn = self.arn(&name);
            let missing = || not_found(format!("The function {arn} doesn't have an EventInvokeConfig"));
            config.cloned().map(Value::Object).ok_or_else(missing)
        })
    }

    pub(super) fn list_event_invoke_configs(&self, input: &Value) -> Result<Value, ApiError> {
        let configs = self.with_function(&function_name(input)?, |function| {
            Ok(function
                .event_invoke_configs
                .values()
                .cloned()
                .map(Value::Object)
                .collect())
        })?;
        page(input, "FunctionEventInvokeConfigs", configs)
    }

    pub(super) fn delete_event_invoke_config(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let qualifier = name.qualifier.as_deref().unwrap_or("$LATEST");
        self.change_function(&name, |function| {
            function.event_invoke_configs.remove(qualifier);
            Ok(json!({}))
        })
    }
}

/// A layer's name or ARN.
fn layer_name(input: &Value) -> Result<String, ApiError> {
    let text = input.required_text("LayerName")?;
    Ok(text.split(":layer:").last().unwrap_or(text).to_owned())
}

fn layer_number(input: &Value) -> u64 {
    input
        .integer("VersionNumber")
        .and_then(|number| u64::try_from(number).ok())
        .unwrap_or_default()
}
