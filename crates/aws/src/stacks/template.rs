//! What a deploy has to know of a template: whether two are the same, and which parameters are secret or looked up.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// SHA-256 in hexadecimal of a JSON text. Key order and white space make no difference: CloudFormation keeps neither.
pub fn json_digest(text: &str) -> String {
    let canonical = match serde_json::from_str::<Value>(text) {
        Ok(value) => sorted(value).to_string(),
        Err(_) => text.to_owned(),
    };
    hex::encode(Sha256::digest(canonical.as_bytes()))
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let by_key: BTreeMap<String, Value> =
                entries.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(by_key.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// The parameters whose values must not be shown (`NoEcho`).
pub fn no_echo_parameters(template: &str) -> BTreeSet<String> {
    let hidden = |parameter: &Value| match parameter.get("NoEcho") {
        Some(Value::Bool(hidden)) => *hidden,
        Some(Value::String(hidden)) => hidden.eq_ignore_ascii_case("true"),
        _ => false,
    };
    parameters_where(template, |_, parameter| hidden(parameter))
}

/// Names of those parameters that the template declares.
pub fn declared_parameters(template: &str) -> BTreeSet<String> {
    parameters_where(template, |_, _| true)
}

/// Such a parameter's value may have changed behind an unchanged name; CloudFormation finds out.
pub(crate) fn reads_parameter_store(template: &str) -> bool {
    // The bootstrap's version number changes nothing in the stack.
    let looked_up = parameters_where(template, |name, parameter| {
        name != "BootstrapVersion"
            && parameter
                .get("Type")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind.starts_with("AWS::SSM::"))
    });
    !looked_up.is_empty()
}

pub(crate) fn same_template(one: &str, other: &str) -> bool {
    match (serde_json::from_str::<Value>(one), serde_json::from_str::<Value>(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn parameters_where(template: &str, wanted: impl Fn(&str, &Value) -> bool) -> BTreeSet<String> {
    let Ok(template) = serde_json::from_str::<Value>(template) else {
        return BTreeSet::new();
    };
    let declared = template.get("Parameters").and_then(Value::as_object);
    declared
        .into_iter()
        .flatten()
        .filter(|(name, parameter)| wanted(name, parameter))
        .map(|(name, _)| name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_compared_by_meaning() {
        assert!(same_template(r#"{"a": 1, "b": 2}"#, r#"{"b":2,"a":1}"#));
        assert!(!same_template(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(same_template("a: 1", "a: 1"));
        assert_eq!(json_digest(r#"{"a": 1, "b": 2}"#), json_digest(r#"{"b":2,"a":1}"#));
        assert_ne!(json_digest(r#"{"a":1}"#), json_digest(r#"{"a":2}"#));
    }

    #[test]
    fn parameters_from_the_parameter_store_are_looked_up_again() {
        let template =
            |name: &str| format!(r#"{{"Parameters":{{"{name}":{{"Type":"AWS::SSM::Parameter::Value<String>"}}}}}}"#);
        assert!(reads_parameter_store(&template("Image")));
        assert!(!reads_parameter_store(&template("BootstrapVersion")));
        assert!(!reads_parameter_store("{}"));
    }

    #[test]
    fn a_parameter_is_hidden_in_either_spelling() {
        let template = r#"{"Parameters":{"A":{"NoEcho":true},"B":{"NoEcho":"true"},"C":{"NoEcho":"false"},"D":{}}}"#;
        assert_eq!(no_echo_parameters(template).into_iter().collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(declared_parameters(template).len(), 4);
    }
}
