//! Properties against the schema of their type. As lenient as CloudFormation is: numbers and booleans may be texts.

use std::collections::BTreeMap;

use cfn::schema::{self, PropertySchema, PropertyType, ResourceSchema, Rules};
use serde_json::{Map, Value};

use crate::members::scalar;

/// What CloudFormation and the CDK put into templates besides resources of a service.
const WITHOUT_SCHEMA: &[&str] = &["AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle"];

/// What exists only by what it does: remembered without doing it, it would pretend.
const DOERS: &[&str] = &[
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudFormation::Macro",
    "AWS::CloudFormation::StackSet",
    "AWS::CloudFormation::WaitCondition",
];

/// Whether a resource of this type can be made.
pub fn is_known(resource_type: &str) -> bool {
    if DOERS.contains(&resource_type) {
        return false;
    }
    WITHOUT_SCHEMA.contains(&resource_type) || schema::resource(resource_type).is_some()
}

/// The error names every fault with its path, in CloudFormation's words.
pub fn validate(resource_type: &str, properties: &Map<String, Value>) -> Result<(), String> {
    // A custom resource takes any property; whether it is right is its function's to say.
    let schema = schema::resource(resource_type).filter(|_| resource_type != "AWS::CloudFormation::CustomResource");
    let Some(schema) = schema else {
        return Ok(());
    };
    let mut check = Check {
        schema,
        faults: Vec::new(),
    };
    check.object(&schema.properties, &schema.rules, properties, "#");
    if check.faults.is_empty() {
        return Ok(());
    }
    Err(format!(
        "Properties validation failed for resource of type {resource_type} with message: [{}]",
        check.faults.join(", ")
    ))
}

struct Check<'a> {
    schema: &'a ResourceSchema,
    faults: Vec<String>,
}

impl Check<'_> {
    fn object(
        &mut self,
        known: &BTreeMap<String, PropertySchema>,
        rules: &Rules,
        given: &Map<String, Value>,
        path: &str,
    ) {
        for (name, property) in known {
            if property.required && !given.contains_key(name) {
                self.faults.push(format!("{path}: required key [{name}] not found"));
            }
        }
        for (name, value) in given {
            match known.get(name) {
                Some(property) => self.property(property, value, &format!("{path}/{name}")),
                None => self
                    .faults
                    .push(format!("{path}: extraneous key [{name}] is not permitted")),
            }
        }
        self.rules(rules, given, path);
    }

    fn rules(&mut self, rules: &Rules, given: &Map<String, Value>, path: &str) {
        let all_there = |keys: &[String]| keys.iter().all(|key| given.contains_key(key));
        let listed = |alternatives: &[Vec<String>]| {
            let alternatives: Vec<String> = alternatives.iter().map(|keys| keys.join(" and ")).collect();
            alternatives.join(", ")
        };
        for alternatives in &rules.exactly_one {
            let count = alternatives.iter().filter(|keys| all_there(keys)).count();
            if count != 1 {
                self.faults.push(format!(
                    "{path}: exactly one of [{}] must be given, {count} are",
                    listed(alternatives)
                ));
            }
        }
        for alternatives in &rules.at_least_one {
            if !alternatives.iter().any(|keys| all_there(keys)) {
                self.faults.push(format!(
                    "{path}: at least one of [{}] must be given",
                    listed(alternatives)
                ));
            }
        }
        for (key, others) in rules.requires.iter().filter(|(key, _)| given.contains_key(*key)) {
            for other in others.iter().filter(|other| !given.contains_key(*other)) {
                self.faults.push(format!("{path}: [{key}] needs [{other}]"));
            }
        }
        for (key, others) in rules.excludes.iter().filter(|(key, _)| given.contains_key(*key)) {
            for other in others.iter().filter(|other| key < *other && given.contains_key(*other)) {
                self.faults
                    .push(format!("{path}: [{key}] and [{other}] exclude each other"));
            }
        }
    }

    fn property(&mut self, property: &PropertySchema, value: &Value, path: &str) {
        if let Some(items) = value.as_array() {
            let count = items.len() as u64;
            if property.min_items.is_some_and(|min| count < min) {
                self.faults.push(format!(
                    "{path}: expected minimum item count: {}, found: {count}",
                    property.min_items.unwrap_or_default()
                ));
            }
            if property.max_items.is_some_and(|max| count > max) {
                self.faults.push(format!(
                    "{path}: expected maximum item count: {}, found: {count}",
                    property.max_items.unwrap_or_default()
                ));
            }
        }
        self.value(property, &property.kind, value, path);
    }

    fn value(&mut self, property: &PropertySchema, kind: &PropertyType, value: &Value, path: &str) {
        match kind {
            PropertyType::List(item) => match value {
                Value::Array(items) => {
                    for (index, value) in items.iter().enumerate() {
                        self.value(property, item, value, &format!("{path}/{index}"));
                    }
                }
                other => self.wrong_type(path, "JSONArray", other),
            },
            PropertyType::Map(item) => match value {
                Value::Object(entries) => {
                    for (key, value) in entries {
                        self.value(property, item, value, &format!("{path}/{key}"));
                    }
                }
                other => self.wrong_type(path, "JSONObject", other),
            },
            PropertyType::Definition(name) => match (value, self.schema.types.get(name)) {
                (Value::Object(given), Some(definition)) => {
                    self.object(&definition.properties, &definition.rules, given, path)
                }
                (Value::Object(_), None) => {}
                (other, _) => self.wrong_type(path, "JSONObject", other),
            },
            PropertyType::Union(kinds) => {
                let fits = kinds.iter().any(|kind| {
                    let mut attempt = Check {
                        schema: self.schema,
                        faults: Vec::new(),
                    };
                    attempt.value(property, kind, value, path);
                    attempt.faults.is_empty()
                });
                if !fits {
                    self.faults.push(format!("{path}: matches none of the allowed types"));
                }
            }
            PropertyType::Tag => match value {
                Value::Object(tag) if tag.contains_key("Key") => {}
                _ => self.faults.push(format!("{path}: a tag needs [Key] and [Value]")),
            },
            // A document may be given as its text.
            PropertyType::Json => {}
            PropertyType::String | PropertyType::Timestamp => match scalar(value) {
                Some(text) => self.text(property, &text, path),
                None => self.wrong_type(path, "String", value),
            },
            PropertyType::Integer => match scalar(value)
                .and_then(|text| text.parse::<f64>().ok())
                .filter(|number| number.fract() == 0.0)
            {
                Some(number) => self.number(property, number, value, path),
                None => self.wrong_type(path, "Integer", value),
            },
            PropertyType::Number => match scalar(value).and_then(|text| text.parse::<f64>().ok()) {
                Some(number) => self.number(property, number, value, path),
                None => self.wrong_type(path, "Number", value),
            },
            PropertyType::Boolean => {
                if !matches!(scalar(value).as_deref(), Some("true" | "false" | "True" | "False")) {
                    self.wrong_type(path, "Boolean", value);
                }
            }
        }
    }

    fn wrong_type(&mut self, path: &str, expected: &str, found: &Value) {
        let found = match found {
            Value::Null => "Null",
            Value::Bool(_) => "Boolean",
            Value::Number(_) => "Number",
            Value::String(_) => "String",
            Value::Array(_) => "JSONArray",
            Value::Object(_) => "JSONObject",
        };
        self.faults
            .push(format!("{path}: expected type: {expected}, found: {found}"));
    }

    fn allowed(&mut self, property: &PropertySchema, text: &str, path: &str) {
        let is_same = |allowed: &Value| {
            let allowed = scalar(allowed).unwrap_or_default();
            allowed == text || (property.enum_ignores_case && allowed.eq_ignore_ascii_case(text))
        };
        if !property.allowed.is_empty() && !property.allowed.iter().any(is_same) {
            let values: Vec<String> = property.allowed.iter().filter_map(scalar).collect();
            self.faults.push(format!(
                "{path}: {text} is not a valid enum value, expected one of [{}]",
                values.join(", ")
            ));
        }
    }

    fn text(&mut self, property: &PropertySchema, text: &str, path: &str) {
        self.allowed(property, text, path);
        let length = text.chars().count() as u64;
        if let Some(min) = property.min_length.filter(|min| length < *min) {
            self.faults
                .push(format!("{path}: expected minLength: {min}, actual: {length}"));
        }
        if let Some(max) = property.max_length.filter(|max| length > *max) {
            self.faults
                .push(format!("{path}: expected maxLength: {max}, actual: {length}"));
        }
        // An expression that our engine does not take refuses nothing.
        let expression = property
            .pattern
            .as_ref()
            .and_then(|pattern| fancy_regex::Regex::new(pattern).ok());
        if expression.is_some_and(|expression| !expression.is_match(text).unwrap_or(true)) {
            let pattern = property.pattern.as_deref().unwrap_or_default();
            self.faults.push(format!(
                "{path}: failed validation constraint for keyword [pattern]: {pattern}"
            ));
        }
    }

    fn number(&mut self, property: &PropertySchema, number: f64, value: &Value, path: &str) {
        self.allowed(property, &scalar(value).unwrap_or_default(), path);
        if let Some(minimum) = property.minimum.filter(|minimum| number < *minimum) {
            self.faults
                .push(format!("{path}: {number} is not greater or equal to {minimum}"));
        }
        if let Some(maximum) = property.maximum.filter(|maximum| number > *maximum) {
            self.faults
                .push(format!("{path}: {number} is not less or equal to {maximum}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(resource_type: &str, properties: Value) -> String {
        validate(resource_type, properties.as_object().unwrap())
            .err()
            .unwrap_or_default()
    }

    #[test]
    fn required_unknown_and_mistyped_properties_are_named() {
        let found = faults("AWS::IAM::Role", json!({"Rolename": "a", "MaxSessionDuration": "long"}));
        assert!(
            found.contains("#: required key [AssumeRolePolicyDocument] not found"),
            "{found}"
        );
        assert!(
            found.contains("#: extraneous key [Rolename] is not permitted"),
            "{found}"
        );
        assert!(
            found.contains("#/MaxSessionDuration: expected type: Integer, found: String"),
            "{found}"
        );
    }

    #[test]
    fn numbers_and_booleans_may_be_texts() {
        assert_eq!(
            faults("AWS::SQS::Queue", json!({"DelaySeconds": "5", "FifoQueue": "true"})),
            ""
        );
        assert_ne!(faults("AWS::SQS::Queue", json!({"FifoQueue": "perhaps"})), "");
    }

    #[test]
    fn nested_objects_are_checked_where_they_stand() {
        let rule = json!({"ScheduleExpression": "rate(1 hour)", "Targets": [{"Id": "a", "Arn": "x"}, {"Id": "b"}]});
        let found = faults("AWS::Events::Rule", rule);
        assert!(found.contains("#/Targets/1: required key [Arn] not found"), "{found}");
    }
}
