//! A function's configuration: read from a call or from a template's properties, checked as AWS checks it, and
//! described again.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::name::function_arn;
use super::record::{Configuration, LATEST, Version};
use crate::members::Members;
use crate::service::ApiError;

/// Kept as given. What AWS derives from them is added when they are described.
const FURTHER: [&str; 11] = [
    "VpcConfig",
    "DeadLetterConfig",
    "KMSKeyArn",
    "TracingConfig",
    "Layers",
    "FileSystemConfigs",
    "ImageConfig",
    "EphemeralStorage",
    "SnapStart",
    "LoggingConfig",
    "DurableConfig",
];

/// AWS Lambda Developer Guide, "Defined runtime environment variables": the reserved ones.
const RESERVED_VARIABLES: [&str; 19] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
    "AWS_SECURITY_TOKEN",
];

pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterValueException", message)
}

impl Configuration {
    /// The configuration of a new function.
    pub fn new(input: &impl Members) -> Result<Self, ApiError> {
        let package_type = input.text("PackageType").unwrap_or("Zip").to_owned();
        let mut configuration = Self {
            runtime: None,
            handler: None,
            role: String::new(),
            description: String::new(),
            timeout_seconds: 3,
            memory_megabytes: 128,
            environment: BTreeMap::new(),
            architectures: vec!["x86_64".to_owned()],
            package_type,
            further: Map::new(),
        };
        configuration.change(input)?;
        if configuration.role.is_empty() {
            return Err(invalid("The role of the function is missing."));
        }
        if configuration.package_type == "Zip" {
            if configuration.runtime.is_none() {
                return Err(invalid(
                    "Runtime is mandatory for functions created with deployment packages.",
                ));
            }
            if configuration.handler.is_none() {
                return Err(invalid(
                    "Handler is mandatory for functions created with deployment packages.",
                ));
            }
        }
        Ok(configuration)
    }

    /// Takes over every member that `input` has and leaves the others.
    pub fn change(&mut self, input: &impl Members) -> Result<(), ApiError> {
        if let Some(runtime) = input.text("Runtime") {
            self.runtime = Some(runtime.to_owned());
        }
        if let Some(handler) = input.text("Handler") {
            self.handler = Some(handler.to_owned());
        }
        if let Some(role) = input.text("Role") {
            if !(role.starts_with("arn:") && role.contains(":role/")) {
                return Err(ApiError::new(
                    400,
                    "ValidationException",
                    format!(
                        "1 validation error detected: Value '{role}' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{{12}}:role/?[a-zA-Z_0-9+=,.@\\-_/]+"
                    ),
                ));
            }
            self.role = role.to_owned();
        }
        if let Some(description) = input.text("Description") {
            self.description = description.to_owned();
        }
        self.timeout_seconds = ranged(input, "Timeout", 1, 900)?.unwrap_or(self.timeout_seconds);
        self.memory_megabytes = ranged(input, "MemorySize", 128, 10_240)?.unwrap_or(self.memory_megabytes);
        if let Some(environment) = input.member("Environment") {
            self.environment = variables(environment)?;
        }
        if input.member("Architectures").is_some() {
            self.architectures = input.texts("Architectures");
        }
        for name in FURTHER {
            if let Some(value) = input.member(name) {
                self.further.insert(name.to_owned(), value.clone());
            }
        }
        // The template's name of the same member.
        if let Some(value) = input.member("KmsKeyArn") {
            self.further.insert("KMSKeyArn".to_owned(), value.clone());
        }
        Ok(())
    }
}

fn ranged(input: &impl Members, name: &str, least: i64, most: i64) -> Result<Option<u32>, ApiError> {
    let Some(value) = input.integer(name) else {
        return Ok(None);
    };
    if value < least || value > most {
        let bound = if value < least {
            format!("greater than or equal to {least}")
        } else {
            format!("less than or equal to {most}")
        };
        let mut member = name.to_owned();
        member[..1].make_ascii_lowercase();
        return Err(ApiError::new(
            400,
            "ValidationException",
            format!(
                "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must have value {bound}"
            ),
        ));
    }
    Ok(u32::try_from(value).ok())
}

fn variables(environment: &Value) -> Result<BTreeMap<String, String>, ApiError> {
    let Some(given) = environment.get("Variables").and_then(Value::as_object) else {
        return Ok(BTreeMap::new());
    };
    let mut variables = BTreeMap::new();
    for (name, value) in given {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => continue,
            other => other.to_string(),
        };
        variables.insert(name.clone(), text);
    }
    let reserved: Vec<&str> = variables
        .keys()
        .map(String::as_str)
        .filter(|name| RESERVED_VARIABLES.contains(name))
        .collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    // Lambda quotas: all variables together have 4 KB.
    if variables
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum::<usize>()
        > 4096
    {
        return Err(invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.",
        ));
    }
    Ok(variables)
}

impl Version {
    /// The `FunctionConfiguration` of the API. The ARN ends with what the caller asked for, an alias too; a published
    /// version's always has a qualifier.
    pub fn describe(&self, region: &str, qualifier: Option<&str>) -> Value {
        let configuration = &self.configuration;
        let qualifier = qualifier.or((self.version != LATEST).then_some(self.version.as_str()));
        let mut described = json!({
            "FunctionName": self.function,
            "FunctionArn": function_arn(region, &self.function, qualifier),
            "Role": configuration.role,
            "CodeSize": self.code.size,
            "Description": self.description.as_ref().unwrap_or(&configuration.description),
            "Timeout": configuration.timeout_seconds,
            "MemorySize": configuration.memory_megabytes,
            "LastModified": date_of(self.last_modified),
            "CodeSha256": self.code.sha256,
            "Version": self.version,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": self.revision_id,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": configuration.package_type,
            "Architectures": configuration.architectures,
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": format!("/aws/lambda/{}", self.function)},
        });
        if let Some(runtime) = &configuration.runtime {
            described["Runtime"] = json!(runtime);
        }
        if let Some(handler) = &configuration.handler {
            described["Handler"] = json!(handler);
        }
        if !configuration.environment.is_empty() {
            described["Environment"] = json!({"Variables": configuration.environment});
        }
        for (name, value) in &configuration.further {
            match name.as_str() {
                "Layers" => {
                    let layers = value.as_array().into_iter().flatten();
                    described["Layers"] = layers.map(|arn| json!({"Arn": arn, "CodeSize": 0})).collect();
                }
                "ImageConfig" => described["ImageConfigResponse"] = json!({"ImageConfig": value}),
                _ => match (
                    described.get_mut(name).and_then(Value::as_object_mut),
                    value.as_object(),
                ) {
                    (Some(defaults), Some(given)) => {
                        defaults.extend(given.iter().map(|(member, value)| (member.clone(), value.clone())));
                    }
                    _ => described[name] = value.clone(),
                },
            }
        }
        described
    }
}

/// `2026-11-22T18:00:00.000+0000`, as Lambda writes dates.
fn date_of(epoch_milliseconds: i64) -> String {
    let instant = jiff::Timestamp::from_millisecond(epoch_milliseconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    instant.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Value {
        json!({"Runtime": "provided.al2023", "Handler": "bootstrap", "Role": "arn:aws:iam::000000000000:role/r"})
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        let mut reserved = input();
        reserved["Environment"] = json!({"Variables": {"AWS_REGION": "x", "FINE": "y"}});
        let error = Configuration::new(&reserved).err().unwrap();
        assert!(
            error
                .message
                .ends_with("Reserved keys used in this request: AWS_REGION"),
            "{error}"
        );
        let mut long = input();
        long["Timeout"] = json!(901);
        assert!(Configuration::new(&long).err().unwrap().message.contains("'timeout'"));
        let mut without_role = input();
        without_role["Role"] = json!("admin");
        assert_eq!(
            Configuration::new(&without_role).err().unwrap().code,
            "ValidationException"
        );
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let mut configuration = Configuration::new(&input()).unwrap();
        configuration
            .change(&json!({"Environment": {"Variables": {"A": "1"}}}))
            .unwrap();
        configuration.change(&json!({"Timeout": 20})).unwrap();
        assert_eq!(
            (configuration.timeout_seconds, configuration.environment["A"].as_str()),
            (20, "1")
        );
    }

    #[test]
    fn dates_look_like_lambdas() {
        assert_eq!(date_of(1_700_000_000_123), "2023-11-14T22:13:20.123+0000");
    }
}
