//! Systems Manager's parameter store: put, get (also by path, by version and by ARN), describe, delete, tags.
//!
//! `/cdk-bootstrap/hnb659fds/version` is there from the start, so that apps made for the CDK deploy. No history, no
//! labels, no policies, no encryption at rest: a `SecureString` lies in a file that only its owner may read.

mod provider;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::context::{ACCOUNT, Context};
use crate::members::{Members, merge_tags, tag_list, tags_of};
use crate::page;
use crate::resource::Provider;
use crate::saved::Saved;
use crate::service::{ApiError, Request, Response, Service};

/// What `cdk bootstrap` of late 2026 writes; apps ask for at least 6.
const BOOTSTRAP_PARAMETER: &str = "/cdk-bootstrap/hnb659fds/version";
const BOOTSTRAP_VERSION: &str = "30";

#[derive(Clone, Serialize, Deserialize)]
struct Parameter {
    kind: String,
    value: String,
    version: i64,
    modified: jiff::Timestamp,
    description: Option<String>,
    tier: String,
    data_type: String,
    tags: Vec<(String, String)>,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    parameters: BTreeMap<String, Parameter>,
}

pub struct Ssm {
    context: Context,
    state: Saved<State>,
}

impl Ssm {
    pub fn open(context: &Context) -> io::Result<Arc<Self>> {
        let ssm = Arc::new(Self {
            context: context.clone(),
            state: Saved::open(&context.store, "ssm")?,
        });
        if !ssm.state.read().parameters.contains_key(BOOTSTRAP_PARAMETER) {
            ssm.put(&json!({"Name": BOOTSTRAP_PARAMETER, "Value": BOOTSTRAP_VERSION, "Type": "String"}))
                .map_err(io::Error::other)?;
        }
        Ok(ssm)
    }

    pub fn providers(self: &Arc<Self>) -> Vec<Arc<dyn Provider>> {
        vec![Arc::new(provider::ParameterProvider { ssm: self.clone() })]
    }

    fn put(&self, input: &Value) -> Result<Response, ApiError> {
        let name = input.required_text("Name")?.to_owned();
        let value = input.required_text("Value")?.to_owned();
        if name.contains('/') && !name.starts_with('/') {
            return Err(ApiError::new(
                400,
                "ValidationException",
                format!("Parameter name: {name} must be a fully qualified name that begins with a slash"),
            ));
        }
        let now = self.context.clock.now();
        self.state.change(|state| {
            let present = state.parameters.get(&name);
            if present.is_some() && input.flag("Overwrite") != Some(true) {
                return Err(ApiError::new(
                    400,
                    "ParameterAlreadyExists",
                    "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
                ));
            }
            let kind = match (input.text("Type"), present) {
                (Some(kind), _) => kind.to_owned(),
                (None, Some(present)) => present.kind.clone(),
                (None, None) => {
                    return Err(ApiError::new(
                        400,
                        "ValidationException",
                        "A parameter type is required when you create a parameter.",
                    ));
                }
            };
            let mut tags = present.map(|present| present.tags.clone()).unwrap_or_default();
            merge_tags(&mut tags, tags_of(input, "Tags"));
            let parameter = Parameter {
                kind,
                value,
                version: present.map_or(1, |present| present.version + 1),
                modified: now,
                description: input
                    .text("Description")
                    .map(str::to_owned)
                    .or_else(|| present.and_then(|present| present.description.clone())),
                tier: input.text("Tier").unwrap_or("Standard").to_owned(),
                data_type: input.text("DataType").unwrap_or("text").to_owned(),
                tags,
            };
            let answer = json!({"Version": parameter.version, "Tier": parameter.tier});
            state.parameters.insert(name, parameter);
            Ok(answer.into())
        })
    }

    fn described(&self, name: &str, parameter: &Parameter, decrypt: bool) -> Value {
        let value = if parameter.kind == "SecureString" && !decrypt {
            // Whoever does not ask to decrypt gets a text that tells nothing but whether the value changed.
            hex::encode(Sha256::digest(format!("{name}:{}", parameter.version)))
        } else {
            parameter.value.clone()
        };
        json!({
            "Name": name,
            "Type": parameter.kind,
            "Value": value,
            "Version": parameter.version,
            "LastModifiedDate": parameter.modified.as_second(),
            "ARN": self.arn(name),
            "DataType": parameter.data_type,
        })
    }

    fn arn(&self, name: &str) -> String {
        let slash = if name.starts_with('/') { "" } else { "/" };
        format!("arn:aws:ssm:{}:{ACCOUNT}:parameter{slash}{name}", self.context.region)
    }

    fn get(&self, input: &Value) -> Result<Response, ApiError> {
        let (name, version) = selected(input.required_text("Name")?);
        let state = self.state.read();
        let parameter = state.parameters.get(name).ok_or_else(|| not_found(name))?;
        check_version(name, parameter, version)?;
        Ok(json!({"Parameter": self.described(name, parameter, input.flag("WithDecryption") == Some(true))}).into())
    }

    fn get_many(&self, input: &Value) -> Response {
        let decrypt = input.flag("WithDecryption") == Some(true);
        let state = self.state.read();
        let (mut found, mut invalid) = (Vec::new(), Vec::new());
        for asked in input.texts("Names") {
            let (name, version) = selected(&asked);
            match state.parameters.get(name) {
                Some(parameter) if check_version(name, parameter, version).is_ok() => {
                    found.push(self.described(name, parameter, decrypt));
                }
                _ => invalid.push(asked),
            }
        }
        json!({"Parameters": found, "InvalidParameters": invalid}).into()
    }

    fn get_by_path(&self, input: &Value) -> Result<Response, ApiError> {
        let path = input.required_text("Path")?;
        if !path.starts_with('/') {
            return Err(ApiError::new(
                400,
                "ValidationException",
                "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\".",
            ));
        }
        let folder = format!("{}/", path.trim_end_matches('/'));
        let (recursive, decrypt) = (
            input.flag("Recursive") == Some(true),
            input.flag("WithDecryption") == Some(true),
        );
        let state = self.state.read();
        let below = state.parameters.iter().filter(|(name, _)| {
            name.strip_prefix(&folder)
                .is_some_and(|rest| !rest.is_empty() && (recursive || !rest.contains('/')))
        });
        let all: Vec<Value> = below
            .map(|(name, parameter)| self.described(name, parameter, decrypt))
            .collect();
        Ok(page("Parameters", &all, input, 10))
    }

    fn describe(&self, input: &Value) -> Response {
        let filters = input.list("ParameterFilters");
        let state = self.state.read();
        let wanted = state.parameters.iter().filter(|(name, parameter)| {
            filters.iter().all(|filter| {
                let values = filter.texts("Values");
                match filter.text("Key") {
                    Some("Name") => match filter.text("Option") {
                        Some("BeginsWith") => values.iter().any(|value| name.starts_with(value.as_str())),
                        Some("Contains") => values.iter().any(|value| name.contains(value.as_str())),
                        _ => values.contains(name),
                    },
                    Some("Type") => values.contains(&parameter.kind),
                    _ => true,
                }
            })
        });
        let all: Vec<Value> = wanted
            .map(|(name, parameter)| {
                json!({
                    "Name": name,
                    "ARN": self.arn(name),
                    "Type": parameter.kind,
                    "LastModifiedDate": parameter.modified.as_second(),
                    "Description": parameter.description,
                    "Version": parameter.version,
                    "Tier": parameter.tier,
                    "Policies": [],
                    "DataType": parameter.data_type,
                })
            })
            .collect();
        page("Parameters", &all, input, 50)
    }

    fn delete(&self, name: &str) -> Result<(), ApiError> {
        self.state
            .change(|state| state.parameters.remove(name).map(drop).ok_or_else(|| not_found(name)))
    }

    fn delete_many(&self, input: &Value) -> Result<Response, ApiError> {
        let names = input.texts("Names");
        let (deleted, invalid): (Vec<_>, Vec<_>) = self.state.change(|state| {
            Ok(names
                .into_iter()
                .partition(|name| state.parameters.remove(name).is_some()))
        })?;
        Ok(json!({"DeletedParameters": deleted, "InvalidParameters": invalid}).into())
    }

    fn tagged<R>(&self, input: &Value, change: impl FnOnce(&mut Vec<(String, String)>) -> R) -> Result<R, ApiError> {
        let name = input.required_text("ResourceId")?;
        self.state.change(|state| {
            let parameter = state.parameters.get_mut(name).ok_or_else(|| {
                ApiError::new(
                    400,
                    "InvalidResourceId",
                    format!("The resource ID \"{name}\" is not valid."),
                )
            })?;
            Ok(change(&mut parameter.tags))
        })
    }
}

#[async_trait]
impl Service for Ssm {
    fn model(&self) -> &'static str {
        "ssm"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let input = &request.input;
        match request.operation.as_str() {
            "PutParameter" => self.put(input),
            "GetParameter" => self.get(input),
            "GetParameters" => Ok(self.get_many(input)),
            "GetParametersByPath" => self.get_by_path(input),
            "DescribeParameters" => Ok(self.describe(input)),
            "DeleteParameter" => {
                self.delete(input.required_text("Name")?)?;
                Ok(json!({}).into())
            }
            "DeleteParameters" => self.delete_many(input),
            "AddTagsToResource" => {
                self.tagged(input, |tags| merge_tags(tags, tags_of(input, "Tags")))?;
                Ok(json!({}).into())
            }
            "RemoveTagsFromResource" => {
                let keys = input.texts("TagKeys");
                self.tagged(input, |tags| tags.retain(|(key, _)| !keys.contains(key)))?;
                Ok(json!({}).into())
            }
            "ListTagsForResource" => {
                let tags = self.tagged(input, |tags| tag_list(tags))?;
                Ok(json!({"TagList": tags}).into())
            }
            other => Err(ApiError::not_served("UnknownOperationException", other)),
        }
    }
}

/// A name without its `:VERSION`; an ARN becomes the name in it.
fn selected(asked: &str) -> (&str, Option<&str>) {
    let asked = match asked.split_once(":parameter/") {
        Some((arn, _)) if arn.starts_with("arn:") => {
            let name = &asked[arn.len() + ":parameter".len()..];
            // The ARN has a slash that a name without a path has not.
            if name[1..].contains('/') { name } else { &name[1..] }
        }
        _ => asked,
    };
    match asked.split_once(':') {
        Some((name, version)) => (name, Some(version)),
        None => (asked, None),
    }
}

fn check_version(name: &str, parameter: &Parameter, version: Option<&str>) -> Result<(), ApiError> {
    match version {
        Some(version) if version != parameter.version.to_string() => Err(ApiError::new(
            400,
            "ParameterVersionNotFound",
            format!("Systems Manager could not find version {version} of {name}. Verify the version and try again."),
        )),
        _ => Ok(()),
    }
}

fn not_found(name: &str) -> ApiError {
    ApiError::new(400, "ParameterNotFound", format!("Parameter {name} not found."))
}

fn page(member: &str, all: &[Value], input: &Value, default_size: i64) -> Response {
    let size = page::size(input, "MaxResults", default_size);
    let (page, next) = page::page(all, page::start(input, "NextToken"), size);
    let mut output = json!({member: page});
    if let Some(next) = next {
        output["NextToken"] = json!(next);
    }
    output.into()
}

#[cfg(test)]
mod tests;
