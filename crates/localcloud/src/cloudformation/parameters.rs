//! From given parameters to values: defaults, previous values, constraints, SSM parameter types.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::record::Parameter;
use super::template::Template;
use crate::members::scalar;
use crate::service::ApiError;

/// A parameter as a request gives it.
#[derive(Clone, Debug)]
pub struct Given {
    pub key: String,
    pub value: Option<String>,
    pub use_previous: bool,
}

pub fn given(input: &Value) -> Vec<Given> {
    let list = input.get("Parameters").and_then(Value::as_array);
    let read = |parameter: &Value| {
        Some(Given {
            key: parameter.get("ParameterKey")?.as_str()?.to_owned(),
            value: parameter
                .get("ParameterValue")
                .and_then(Value::as_str)
                .map(str::to_owned),
            use_previous: parameter
                .get("UsePreviousValue")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        })
    };
    list.into_iter().flatten().filter_map(read).collect()
}

/// The parameters of a stack: given, else previous where asked for, else the template's default.
pub fn settle(template: &Template, given: &[Given], previous: &[Parameter]) -> Result<Vec<Parameter>, ApiError> {
    let unknown: Vec<&str> = given
        .iter()
        .map(|given| given.key.as_str())
        .filter(|key| !template.parameters.contains_key(*key))
        .collect();
    if !unknown.is_empty() {
        return Err(refusal(format!(
            "Parameters: [{}] do not exist in the template",
            unknown.join(", ")
        )));
    }
    let mut settled = Vec::new();
    let mut missing = Vec::new();
    for (key, definition) in &template.parameters {
        let given = given.iter().find(|given| given.key == *key);
        let value = match given {
            Some(given) if given.use_previous => {
                let previous = previous.iter().find(|previous| previous.key == *key);
                let previous = previous.ok_or_else(|| {
                    refusal(format!("Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter key not in the previous template"))
                })?;
                Some(previous.value.clone())
            }
            Some(given) => given.value.clone(),
            None => definition.get("Default").and_then(scalar),
        };
        let Some(value) = value else {
            missing.push(key.as_str());
            continue;
        };
        let no_echo = definition.get("NoEcho").and_then(scalar).as_deref() == Some("true");
        check(key, definition, &value)?;
        settled.push(Parameter {
            key: key.clone(),
            value,
            resolved: None,
            no_echo,
        });
    }
    if missing.is_empty() {
        Ok(settled)
    } else {
        Err(refusal(format!(
            "Parameters: [{}] must have values",
            missing.join(", ")
        )))
    }
}

fn refusal(message: String) -> ApiError {
    ApiError::new(400, "ValidationError", message)
}

pub fn type_of(definition: &Map<String, Value>) -> &str {
    definition.get("Type").and_then(Value::as_str).unwrap_or("String")
}

/// Whether the value names an SSM parameter.
pub fn is_from_ssm(definition: &Map<String, Value>) -> bool {
    type_of(definition).starts_with("AWS::SSM::Parameter::Value<")
}

fn is_list(kind: &str) -> bool {
    let inner = kind.strip_prefix("AWS::SSM::Parameter::Value<").unwrap_or(kind);
    inner.starts_with("List<") || inner.starts_with("CommaDelimitedList")
}

fn check(key: &str, definition: &Map<String, Value>, value: &str) -> Result<(), ApiError> {
    let described = definition.get("ConstraintDescription").and_then(Value::as_str);
    let refuse = |constraint: String| match described {
        Some(text) => Err(refusal(format!("Parameter {key} failed to satisfy constraint: {text}"))),
        None => Err(refusal(constraint)),
    };
    let kind = type_of(definition);
    if is_from_ssm(definition) {
        return Ok(());
    }
    if kind == "Number" && value.parse::<f64>().is_err() {
        return Err(refusal(format!("Parameter '{key}' must be a number.")));
    }
    let bound = |name: &str| {
        definition
            .get(name)
            .and_then(scalar)
            .and_then(|text| text.parse::<f64>().ok())
    };
    let items: Vec<&str> = if is_list(kind) {
        value.split(',').map(str::trim).collect()
    } else {
        vec![value]
    };
    if let Some(allowed) = definition.get("AllowedValues").and_then(Value::as_array) {
        let allowed: Vec<String> = allowed.iter().filter_map(scalar).collect();
        if items.iter().any(|item| !allowed.iter().any(|allowed| allowed == item)) {
            return refuse(format!("Parameter '{key}' must be one of AllowedValues"));
        }
    }
    let length = value.chars().count() as f64;
    if bound("MinLength").is_some_and(|min| length < min) || bound("MaxLength").is_some_and(|max| length > max) {
        return refuse(format!(
            "Parameter '{key}' must have a length within MinLength and MaxLength"
        ));
    }
    if let Ok(number) = value.parse::<f64>()
        && (bound("MinValue").is_some_and(|min| number < min) || bound("MaxValue").is_some_and(|max| number > max))
    {
        return refuse(format!("Parameter '{key}' must be within MinValue and MaxValue"));
    }
    if let Some(pattern) = definition.get("AllowedPattern").and_then(Value::as_str) {
        let expression = fancy_regex::Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
            refusal(format!(
                "Template format error: Parameter '{key}' has an invalid AllowedPattern"
            ))
        })?;
        if !expression.is_match(value).unwrap_or(false) {
            return refuse(format!(
                "Parameter {key} failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}"
            ));
        }
    }
    Ok(())
}

/// Values by type, for evaluation.
pub fn values(template: &Template, parameters: &[Parameter]) -> BTreeMap<String, Value> {
    parameters
        .iter()
        .map(|parameter| {
            let text = parameter.resolved.as_ref().unwrap_or(&parameter.value);
            let kind = template.parameters.get(&parameter.key).map_or("String", type_of);
            let value = if !is_list(kind) {
                Value::String(text.clone())
            } else if text.is_empty() {
                Value::Array(Vec::new())
            } else {
                text.split(',')
                    .map(|item| Value::String(item.trim().to_owned()))
                    .collect()
            };
            (parameter.key.clone(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template(parameters: Value) -> Template {
        let body = json!({"Parameters": parameters, "Resources": {"A": {"Type": "AWS::SQS::Queue"}}});
        Template::parse(&body.to_string()).unwrap()
    }

    fn give(key: &str, value: &str) -> Given {
        Given {
            key: key.to_owned(),
            value: Some(value.to_owned()),
            use_previous: false,
        }
    }

    #[test]
    fn constraints_are_checked_and_missing_values_named() {
        let template = template(json!({
            "Size": {"Type": "Number", "MinValue": 1, "MaxValue": 5},
            "Zone": {"Type": "CommaDelimitedList", "Default": "a, b"},
            "Name": {"Type": "String", "AllowedPattern": "[a-z]+"},
        }));
        let settled = settle(&template, &[give("Size", "3"), give("Name", "abc")], &[]).unwrap();
        assert_eq!(values(&template, &settled)["Zone"], json!(["a", "b"]));
        let refused = |given: &[Given]| settle(&template, given, &[]).unwrap_err().message;
        assert_eq!(refused(&[give("Size", "3")]), "Parameters: [Name] must have values");
        assert!(refused(&[give("Size", "9"), give("Name", "abc")]).contains("within MinValue"));
        assert!(refused(&[give("Size", "2"), give("Name", "ABC")]).contains("pattern: [a-z]+"));
        assert!(refused(&[give("Other", "2")]).contains("do not exist in the template"));
    }
}
