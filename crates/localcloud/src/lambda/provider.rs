//! Lambda's resource types for CloudFormation.

use std::io::{Cursor, Write};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::aliases::changed_alias;
use super::configuration::invalid;
use super::name::FunctionName;
use super::record::Configuration;
use super::service::Lambda;
use super::versions::unchanged;
use crate::members::Members;
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest};
use crate::service::ApiError;

/// Makes Lambda's resources through the same code as the API.
pub struct LambdaProvider {
    lambda: Lambda,
}

impl LambdaProvider {
    pub fn new(lambda: Lambda) -> Self {
        Self { lambda }
    }
}

const FUNCTION: &str = "AWS::Lambda::Function";
const VERSION: &str = "AWS::Lambda::Version";
const ALIAS: &str = "AWS::Lambda::Alias";
const PERMISSION: &str = "AWS::Lambda::Permission";
const LAYER_VERSION: &str = "AWS::Lambda::LayerVersion";
const EVENT_INVOKE_CONFIG: &str = "AWS::Lambda::EventInvokeConfig";
const EVENT_SOURCE_MAPPING: &str = "AWS::Lambda::EventSourceMapping";

#[async_trait]
impl Provider for LambdaProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &[
            FUNCTION,
            VERSION,
            ALIAS,
            PERMISSION,
            LAYER_VERSION,
            EVENT_INVOKE_CONFIG,
            EVENT_SOURCE_MAPPING,
        ]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        self.make(request).await.map_err(refused)
    }

    async fn update(
        &self,
        current: &Resource,
        old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        self.alter(current, old_properties, request).await.map_err(refused)
    }

    async fn delete(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ProviderError> {
        match self.remove(current, request) {
            Err(error) if error.status != 404 => Err(refused(error)),
            _ => Ok(()),
        }
    }
}

fn refused(error: ApiError) -> ProviderError {
    ProviderError::of_service("Lambda", &error)
}

impl LambdaProvider {
    async fn make(&self, request: &ResourceRequest) -> Result<Resource, ApiError> {
        let properties = &request.properties;
        match request.resource_type.as_str() {
            FUNCTION => self.make_function(request).await,
            VERSION => self.make_version(properties),
            ALIAS => {
                let alias = self.lambda.create_alias(&Value::Object(properties.clone()))?;
                let arn = alias["AliasArn"].as_str().unwrap_or_default();
                Ok(Resource::new(arn, json!({"AliasArn": arn})))
            }
            PERMISSION => {
                let mut input = Value::Object(properties.clone());
                input["StatementId"] = json!(request.generated_name);
                self.lambda.add_permission(&input)?;
                Ok(Resource::new(
                    &request.generated_name,
                    json!({"Id": request.generated_name}),
                ))
            }
            LAYER_VERSION => {
                let mut input = Value::Object(properties.clone());
                if input.member("LayerName").is_none() {
                    input["LayerName"] = json!(request.generated_name);
                }
                let layer = self.lambda.publish_layer_version(&input).await?;
                let arn = layer["LayerVersionArn"].as_str().unwrap_or_default();
                Ok(Resource::new(arn, json!({"LayerVersionArn": arn})))
            }
            EVENT_INVOKE_CONFIG => {
                self.lambda
                    .put_event_invoke_config(&Value::Object(properties.clone()), false)?;
                Ok(Resource::new(&request.generated_name, json!({})))
            }
            EVENT_SOURCE_MAPPING => {
                let mapping = self.lambda.create_mapping(&Value::Object(properties.clone()))?;
                let uuid = mapping.text("UUID").unwrap_or_default();
                let arn = &mapping["EventSourceMappingArn"];
                Ok(Resource::new(uuid, json!({"Id": uuid, "EventSourceMappingArn": arn})))
            }
            other => Err(invalid(format!("Lambda makes no {other}."))),
        }
    }

    async fn make_function(&self, request: &ResourceRequest) -> Result<Resource, ApiError> {
        let properties = &request.properties;
        let generated = &request.generated_name[..request.generated_name.len().min(64)];
        let name = properties.text("FunctionName").unwrap_or(generated);
        let configuration = Configuration::new(properties)?;
        let code = self.code(properties).await?;
        let tags = request.all_tags().into_iter().collect();
        self.lambda.create(name, configuration, code, tags, false)?;
        let name = FunctionName {
            name: name.to_owned(),
            qualifier: None,
        };
        if let Some(reserved) = reserved_concurrency(properties)
            && let Err(error) = self.lambda.reserve_concurrency(&name, Some(reserved))
        {
            self.lambda.delete_function(&json!({"FunctionName": name.name}))?;
            return Err(error);
        }
        Ok(self.function_resource(&name))
    }

    fn function_resource(&self, name: &FunctionName) -> Resource {
        Resource::new(
            &name.name,
            json!({
                "Arn": self.lambda.arn(name),
                "SnapStartResponse.ApplyOn": "None",
                "SnapStartResponse.OptimizationStatus": "Off",
            }),
        )
    }

    async fn code(&self, properties: &Map<String, Value>) -> Result<super::record::Code, ApiError> {
        let code = properties.member("Code").cloned().unwrap_or_default();
        match code.text("ZipFile") {
            // In templates it is the source itself.
            Some(source) => {
                let archive = inline_archive(source, properties.text("Runtime").unwrap_or_default())?;
                self.lambda.code_of(&json!({"ZipFile": STANDARD.encode(archive)})).await
            }
            None => self.lambda.code_of(&code).await,
        }
    }

    fn make_version(&self, properties: &Map<String, Value>) -> Result<Resource, ApiError> {
        let name = FunctionName::parse(properties.required_text("FunctionName")?, None)?;
        let existing = self.lambda.with_function(&name, |function| {
            Ok(unchanged(function).map(|last| last.version.clone()))
        })?;
        // CloudFormation does not let two resources mean one version.
        if let Some(existing) = existing {
            return Err(ApiError::new(
                409,
                "AlreadyExists",
                format!(
                    "A version for this Lambda function exists ( {existing} ). Modify the function to create a new version."
                ),
            ));
        }
        let version = self.lambda.publish_version(&Value::Object(properties.clone()))?;
        let arn = version["FunctionArn"].as_str().unwrap_or_default();
        Ok(Resource::new(
            arn,
            json!({"Version": version["Version"], "FunctionArn": arn}),
        ))
    }

    async fn alter(
        &self,
        current: &Resource,
        old: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ApiError> {
        let new = &request.properties;
        match request.resource_type.as_str() {
            FUNCTION => {
                let name = FunctionName::parse(&current.physical_id, None)?;
                // Inline code lies under a name that depends on the runtime.
                let code_changed = old.get("Code") != new.get("Code")
                    || (has_inline_code(new) && old.get("Runtime") != new.get("Runtime"));
                let configuration = Configuration::new(new)?;
                let code = if code_changed {
                    Some(self.code(new).await?)
                } else {
                    None
                };
                if code.is_some() || Configuration::new(old).ok().as_ref() != Some(&configuration) {
                    self.lambda.replace_latest(&name, configuration, code)?;
                }
                if reserved_concurrency(old) != reserved_concurrency(new) {
                    self.lambda.reserve_concurrency(&name, reserved_concurrency(new))?;
                }
                let tags = request.all_tags().into_iter().collect();
                self.lambda.change_function(&name, |function| {
                    function.tags = tags;
                    Ok(())
                })?;
                Ok(self.function_resource(&name))
            }
            ALIAS => {
                // What the template did not change stays as a rollout left it.
                if let Some(mut input) = changed_alias(old, new) {
                    for member in ["FunctionName", "Name"] {
                        input.insert(member.to_owned(), new.get(member).cloned().unwrap_or_default());
                    }
                    self.lambda.update_alias(&Value::Object(input))?;
                }
                Ok(current.clone())
            }
            EVENT_INVOKE_CONFIG => {
                self.lambda
                    .put_event_invoke_config(&Value::Object(new.clone()), false)?;
                Ok(current.clone())
            }
            EVENT_SOURCE_MAPPING => {
                let mut input = Map::new();
                // Only what the template changed; what it no longer says stays as it is.
                let changed = new.iter().filter(|(name, value)| old.get(*name) != Some(value));
                input.extend(changed.map(|(name, value)| (name.clone(), value.clone())));
                input.insert("UUID".to_owned(), json!(current.physical_id));
                self.lambda.update_mapping(&Value::Object(input))?;
                Ok(current.clone())
            }
            PERMISSION => {
                self.remove(
                    current,
                    &ResourceRequest {
                        properties: old.clone(),
                        ..request.clone()
                    },
                )?;
                self.make(request).await
            }
            // Every property of the others is part of what they are.
            _ => Ok(current.clone()),
        }
    }

    fn remove(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ApiError> {
        let properties = &request.properties;
        match request.resource_type.as_str() {
            FUNCTION | VERSION => self
                .lambda
                .delete_function(&json!({"FunctionName": current.physical_id}))?,
            ALIAS => {
                let name = FunctionName::parse(&current.physical_id, None)?;
                self.lambda
                    .delete_alias(&json!({"FunctionName": name.name, "Name": name.qualifier}))?
            }
            PERMISSION => self.lambda.remove_permission(
                &json!({"FunctionName": properties.get("FunctionName"), "StatementId": current.physical_id}),
            )?,
            LAYER_VERSION => {
                let (name, number) = current.physical_id.rsplit_once(':').unwrap_or_default();
                self.lambda
                    .delete_layer_version(&json!({"LayerName": name, "VersionNumber": number}))?
            }
            EVENT_SOURCE_MAPPING => self.lambda.delete_mapping(&json!({"UUID": current.physical_id}))?,
            _ => self
                .lambda
                .delete_event_invoke_config(&Value::Object(properties.clone()))?,
        };
        Ok(())
    }
}

fn reserved_concurrency(properties: &Map<String, Value>) -> Option<u32> {
    properties
        .integer("ReservedConcurrentExecutions")
        .and_then(|reserved| u32::try_from(reserved).ok())
}

fn has_inline_code(properties: &Map<String, Value>) -> bool {
    properties
        .member("Code")
        .is_some_and(|code| code.member("ZipFile").is_some())
}

/// AWS::Lambda::Function Code: inline source becomes the file `index` of the runtime.
fn inline_archive(source: &str, runtime: &str) -> Result<Vec<u8>, ApiError> {
    let module = source
        .lines()
        .any(|line| line.starts_with("export ") || line.starts_with("import "));
    let file = match runtime {
        runtime if runtime.starts_with("nodejs") && module => "index.mjs",
        runtime if runtime.starts_with("nodejs") => "index.js",
        runtime if runtime.starts_with("python") => "index.py",
        other => {
            return Err(invalid(format!(
                "ZipFile can only be used when Runtime is set to nodejs or python, not to {other}."
            )));
        }
    };
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // No date: the same source is the same archive.
    let options = zip::write::SimpleFileOptions::default()
        .unix_permissions(0o644)
        .last_modified_time(zip::DateTime::default());
    let written = writer
        .start_file(file, options)
        .map_err(std::io::Error::from)
        .and_then(|()| writer.write_all(source.as_bytes()))
        .and_then(|()| writer.finish().map_err(std::io::Error::from));
    Ok(written
        .map_err(|error| ApiError::new(500, "ServiceException", error.to_string()))?
        .into_inner())
}
