//! Aliases: names that point to a version, or share their traffic between two.

use serde_json::{Map, Value, json};

use super::configuration::invalid;
use super::functions::function_name;
use super::name::{FunctionName, function_arn};
use super::record::{Alias, Function, LATEST};
use super::service::{Lambda, check_revision, conflict, not_found, page};
use crate::members::Members;
use crate::service::ApiError;

impl Alias {
    pub fn uses(&self, version: &str) -> bool {
        self.function_version == version
            || self
                .additional_version
                .as_ref()
                .is_some_and(|(other, _)| other == version)
    }

    /// The version for one invocation; `dice` is between 0 and 1 without 1.
    pub fn choose(&self, dice: f64) -> &str {
        match &self.additional_version {
            Some((version, weight)) if dice < *weight => version,
            _ => &self.function_version,
        }
    }

    fn describe(&self, region: &str, function: &str) -> Value {
        let mut described = json!({
            "AliasArn": function_arn(region, function, Some(&self.name)),
            "Name": self.name,
            "FunctionVersion": self.function_version,
            "Description": self.description,
            "RevisionId": self.revision_id,
        });
        if let Some((version, weight)) = &self.additional_version {
            described["RoutingConfig"] = json!({"AdditionalVersionWeights": {version: weight}});
        }
        described
    }

    /// AWS Lambda Developer Guide, "Implement Lambda canary deployments using a weighted alias".
    fn check(&self, lambda: &Lambda, function: &Function) -> Result<(), ApiError> {
        let missing = |version: &str| {
            let name = &function.latest.function;
            not_found(format!(
                "Function not found: {}",
                function_arn(lambda.region(), name, Some(version))
            ))
        };
        let version = function
            .version(&self.function_version)
            .ok_or_else(|| missing(&self.function_version))?;
        let Some((other, weight)) = &self.additional_version else {
            return Ok(());
        };
        if self.function_version == LATEST {
            return Err(invalid(
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ));
        }
        if other == LATEST || other.parse::<u64>().is_err() {
            return Err(invalid(format!(
                "Invalid function version {other}. Only published versions can have a weight."
            )));
        }
        if !(0.0..=1.0).contains(weight) {
            return Err(invalid(format!(
                "Value '{weight}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Member must have value between 0.0 and 1.0"
            )));
        }
        if *other == self.function_version {
            return Err(invalid(format!(
                "Invalid function version {other}. Function version {other} is already included in routing configuration."
            )));
        }
        let other = function.version(other).ok_or_else(|| missing(other))?;
        if version.configuration.role != other.configuration.role {
            return Err(invalid(
                "The execution role of both versions that an alias points to must be the same.",
            ));
        }
        let queue = |version: &super::record::Version| version.configuration.further.get("DeadLetterConfig").cloned();
        if queue(version) != queue(other) {
            return Err(invalid(
                "The dead-letter queue configuration of both versions that an alias points to must be the same.",
            ));
        }
        Ok(())
    }
}

/// `{AdditionalVersionWeights: {version: weight}}`, or as templates write it `[{FunctionVersion, FunctionWeight}]`.
fn additional_version(routing: &Value) -> Result<Option<(String, f64)>, ApiError> {
    let mut weights: Vec<(String, f64)> = match routing.get("AdditionalVersionWeights") {
        Some(Value::Object(weights)) => weights
            .iter()
            .filter_map(|(version, weight)| Some((version.clone(), weight.as_f64()?)))
            .collect(),
        Some(Value::Array(weights)) => weights
            .iter()
            .filter_map(|weight| {
                Some((
                    weight.text("FunctionVersion")?.to_owned(),
                    weight.number("FunctionWeight")?,
                ))
            })
            .collect(),
        _ => Vec::new(),
    };
    if weights.len() > 1 {
        return Err(invalid(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    Ok(weights.pop())
}

impl Lambda {
    pub(super) fn create_alias(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let alias = Alias {
            name: alias_name(input.required_text("Name")?)?,
            function_version: input.required_text("FunctionVersion")?.to_owned(),
            description: input.text("Description").unwrap_or_default().to_owned(),
            additional_version: additional_version(input.member("RoutingConfig").unwrap_or(&Value::Null))?,
            revision_id: self.revision(),
        };
        self.change_function(&name, |function| {
            if function.aliases.contains_key(&alias.name) {
                let arn = function_arn(self.region(), &name.name, Some(&alias.name));
                return Err(conflict(format!("Alias already exists: {arn}")));
            }
            alias.check(self, function)?;
            let described = alias.describe(self.region(), &name.name);
            function.aliases.insert(alias.name.clone(), alias);
            Ok(described)
        })
    }

    pub(super) fn update_alias(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let revision_id = self.revision();
        self.change_function(&name, |function| {
            let current = self.alias_of(function, &name, input)?;
            check_revision(input.text("RevisionId"), &current.revision_id)?;
            let mut alias = Alias {
                revision_id,
                ..current.clone()
            };
            if let Some(version) = input.text("FunctionVersion") {
                alias.function_version = version.to_owned();
            }
            if let Some(description) = input.text("Description") {
                alias.description = description.to_owned();
            }
            if let Some(routing) = input.member("RoutingConfig") {
                alias.additional_version = additional_version(routing)?;
            }
            alias.check(self, function)?;
            let described = alias.describe(self.region(), &name.name);
            function.aliases.insert(alias.name.clone(), alias);
            Ok(described)
        })
    }

    pub(super) fn get_alias(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        self.with_function(&name, |function| {
            Ok(self
                .alias_of(function, &name, input)?
                .describe(self.region(), &name.name))
        })
    }

    pub(super) fn list_aliases(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let entries = self.with_function(&name, |function| {
            let wanted = |alias: &&Alias| input.text("FunctionVersion").is_none_or(|version| alias.uses(version));
            Ok(function
                .aliases
                .values()
                .filter(wanted)
                .map(|alias| alias.describe(self.region(), &name.name))
                .collect())
        })?;
        page(input, "Aliases", entries)
    }

    /// Removing an alias that is not there succeeds, as in AWS.
    pub(super) fn delete_alias(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let alias = input.required_text("Name")?;
        self.change_function(&name, |function| {
            function.aliases.remove(alias);
            function.policies.remove(alias);
            function.event_invoke_configs.remove(alias);
            Ok(json!({}))
        })
    }

    fn alias_of<'a>(&self, function: &'a Function, name: &FunctionName, input: &Value) -> Result<&'a Alias, ApiError> {
        let alias = input.required_text("Name")?;
        function.aliases.get(alias).ok_or_else(|| {
            not_found(format!(
                "Cannot find alias arn: {}",
                function_arn(self.region(), &name.name, Some(alias))
            ))
        })
    }
}

/// `input` with the members that differ between two sets of a template's properties; the others are not touched.
pub(super) fn changed_alias(old: &Map<String, Value>, new: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut input = Map::new();
    for member in ["FunctionVersion", "Description", "RoutingConfig"] {
        if old.get(member) != new.get(member) {
            let removed = if member == "RoutingConfig" {
                json!({})
            } else {
                json!("")
            };
            input.insert(member.to_owned(), new.get(member).cloned().unwrap_or(removed));
        }
    }
    (!input.is_empty()).then_some(input)
}

fn alias_name(name: &str) -> Result<String, ApiError> {
    let letters = name
        .bytes()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == b'-' || letter == b'_');
    if name.is_empty() || name.len() > 128 || !letters || name.bytes().all(|letter| letter.is_ascii_digit()) {
        return Err(ApiError::new(
            400,
            "ValidationException",
            format!(
                "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
            ),
        ));
    }
    Ok(name.to_owned())
}
