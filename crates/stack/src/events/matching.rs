//! Conditions on the fields of events, for [`super::EventPattern`].
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>

use serde_json::{Value, json};

/// What a field of an event must be like. Each yields the list of a pattern's field.
#[derive(Debug)]
pub enum Match {}

impl Match {
    pub fn exists() -> Value {
        json!([{ "exists": true }])
    }

    pub fn does_not_exist() -> Value {
        json!([{ "exists": false }])
    }

    pub fn prefix(text: &str) -> Value {
        json!([{ "prefix": text }])
    }

    pub fn suffix(text: &str) -> Value {
        json!([{ "suffix": text }])
    }

    pub fn equals_ignore_case(text: &str) -> Value {
        json!([{ "equals-ignore-case": text }])
    }

    /// With `*` for any characters.
    pub fn wildcard(text: &str) -> Value {
        json!([{ "wildcard": text }])
    }

    /// A range of IPv4 or IPv6 addresses: `10.0.0.0/8`.
    pub fn cidr(range: &str) -> Value {
        json!([{ "cidr": range }])
    }

    pub fn anything_but(values: impl IntoIterator<Item = impl Into<Value>>) -> Value {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        json!([{ "anything-but": values }])
    }

    pub fn anything_but_prefix(text: &str) -> Value {
        json!([{ "anything-but": { "prefix": text } }])
    }

    pub fn greater_than(number: impl Into<Value>) -> Value {
        Self::numeric(">", number)
    }

    pub fn greater_than_or_equal(number: impl Into<Value>) -> Value {
        Self::numeric(">=", number)
    }

    pub fn less_than(number: impl Into<Value>) -> Value {
        Self::numeric("<", number)
    }

    pub fn less_than_or_equal(number: impl Into<Value>) -> Value {
        Self::numeric("<=", number)
    }

    pub fn equal(number: impl Into<Value>) -> Value {
        Self::numeric("=", number)
    }

    /// Both ends belong to it.
    pub fn interval(from: impl Into<Value>, to: impl Into<Value>) -> Value {
        json!([{ "numeric": [">=", from.into(), "<=", to.into()] }])
    }

    fn numeric(operator: &str, number: impl Into<Value>) -> Value {
        json!([{ "numeric": [operator, number.into()] }])
    }

    /// One of several conditions: `Match::any_of([Match::prefix("a"), Match::does_not_exist()])`.
    pub fn any_of(conditions: impl IntoIterator<Item = Value>) -> Value {
        let flat = conditions.into_iter().flat_map(|condition| match condition {
            Value::Array(items) => items,
            one => vec![one],
        });
        Value::Array(flat.collect())
    }
}
