//! Intrinsic functions: from a template's values to plain ones.
//!
//! One evaluator serves planning and execution. Planning looks resources up that do not exist yet; what depends on
//! them is [`Fault::Unknown`] as a whole.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use super::template::{Template, attribute_target, single};
use crate::context::ACCOUNT;
use crate::members::scalar;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The value is known only when a resource has been made or changed.
    Unknown,
    /// In AWS's words.
    Wrong(String),
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::Wrong(message)
    }
}

/// Where references to resources lead.
pub trait Lookup {
    fn reference(&self, logical_id: &str) -> Result<Value, Fault>;
    fn attribute(&self, logical_id: &str, attribute: &str) -> Result<Value, Fault>;
}

pub struct Scope<'a> {
    pub template: &'a Template,
    /// Values by type: a text, or a list of texts.
    pub parameters: &'a BTreeMap<String, Value>,
    pub conditions: &'a BTreeMap<String, bool>,
    pub region: &'a str,
    pub stack_name: &'a str,
    pub stack_id: &'a str,
    pub notification_arns: &'a [String],
    pub exports: &'a BTreeMap<String, String>,
    pub lookup: &'a dyn Lookup,
    /// The exports that were asked for.
    pub imported: RefCell<BTreeSet<String>>,
}

/// A lookup for sections that may not refer to resources.
pub struct NoResources;

impl Lookup for NoResources {
    fn reference(&self, logical_id: &str) -> Result<Value, Fault> {
        Err(Fault::Wrong(format!(
            "Template format error: Unresolved dependencies [{logical_id}]. Cannot reference resources in the Conditions block of the template"
        )))
    }

    fn attribute(&self, logical_id: &str, _: &str) -> Result<Value, Fault> {
        self.reference(logical_id)
    }
}

impl Scope<'_> {
    /// `None` is `AWS::NoValue`: what holds it is left out.
    pub fn value(&self, value: &Value) -> Result<Option<Value>, Fault> {
        match value {
            Value::Array(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(self.value(item)?);
                }
                Ok(Some(Value::Array(list)))
            }
            Value::Object(entries) => match single(entries) {
                // `Condition` is also the plain name of a member, in policy documents above all.
                Some((name, argument)) if name != "Condition" => self.function(name, argument),
                _ => self.object(entries).map(|object| Some(Value::Object(object))),
            },
            other => Ok(Some(other.clone())),
        }
    }

    pub fn object(&self, entries: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
        let mut object = Map::new();
        for (key, value) in entries {
            if let Some(value) = self.value(value)? {
                object.insert(key.clone(), value);
            }
        }
        Ok(object)
    }

    pub fn text(&self, value: &Value, what: &str) -> Result<String, Fault> {
        match self.value(value)? {
            Some(value) => {
                scalar(&value).ok_or_else(|| wrong(format!("Template error: {what} must be a string, not {value}")))
            }
            None => Err(wrong(format!(
                "Template error: {what} must be a string, not AWS::NoValue"
            ))),
        }
    }

    fn list(&self, value: &Value, what: &str) -> Result<Vec<Value>, Fault> {
        match self.value(value)? {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(wrong(format!("Template error: {what} must be a list"))),
        }
    }

    fn function(&self, name: &str, argument: &Value) -> Result<Option<Value>, Fault> {
        let parts = |count: std::ops::RangeInclusive<usize>| match argument {
            Value::Array(parts) if count.contains(&parts.len()) => Ok(parts.as_slice()),
            _ => Err(wrong(format!(
                "Template error: {name} has the wrong number of arguments: {argument}"
            ))),
        };
        Ok(Some(match name {
            "Ref" => return self.reference(argument.as_str().unwrap_or_default()),
            "Fn::GetAtt" => self.attribute(argument)?,
            "Fn::Sub" => Value::String(self.sub(argument)?),
            "Fn::Join" => {
                let parts = parts(2..=2)?;
                let separator = self.text(&parts[0], "the delimiter of Fn::Join")?;
                let items = self.list(&parts[1], "the second argument of Fn::Join")?;
                let texts: Option<Vec<String>> = items.iter().map(scalar).collect();
                let texts = texts
                    .ok_or_else(|| wrong("Template error: every value of a Fn::Join must be a string".to_owned()))?;
                Value::String(texts.join(&separator))
            }
            "Fn::Split" => {
                let parts = parts(2..=2)?;
                let separator = self.text(&parts[0], "the delimiter of Fn::Split")?;
                let text = self.text(&parts[1], "the source of Fn::Split")?;
                Value::Array(
                    text.split(&separator)
                        .map(|part| Value::String(part.to_owned()))
                        .collect(),
                )
            }
            "Fn::Select" => {
                let parts = parts(2..=2)?;
                let index = self.text(&parts[0], "the index of Fn::Select")?;
                let items = self.list(&parts[1], "the second argument of Fn::Select")?;
                let found = index.parse::<usize>().ok().and_then(|index| items.get(index).cloned());
                found.ok_or_else(|| {
                    wrong(format!(
                        "Template error: Fn::Select cannot select nonexistent value at index {index}"
                    ))
                })?
            }
            "Fn::If" => {
                let parts = parts(3..=3)?;
                let condition = parts[0].as_str().unwrap_or_default();
                let holds = self.conditions.get(condition).copied();
                let holds = holds.ok_or_else(|| {
                    wrong(format!(
                        "Template format error: Unresolved condition {condition} in Fn::If"
                    ))
                })?;
                return self.value(&parts[if holds { 1 } else { 2 }]);
            }
            "Fn::FindInMap" => return self.find_in_map(parts(3..=4)?),
            "Fn::Base64" => Value::String(BASE64_STANDARD.encode(self.text(argument, "the argument of Fn::Base64")?)),
            "Fn::Cidr" => {
                let parts = parts(2..=3)?;
                let block = self.text(&parts[0], "the block of Fn::Cidr")?;
                let count = self.text(&parts[1], "the count of Fn::Cidr")?;
                let bits = parts
                    .get(2)
                    .map_or(Ok("8".to_owned()), |bits| self.text(bits, "the bits of Fn::Cidr"))?;
                cidr(&block, &count, &bits)?
            }
            "Fn::GetAZs" => {
                let named = self.text(argument, "the region of Fn::GetAZs")?;
                let region = if named.is_empty() { self.region } else { &named };
                ["a", "b", "c"]
                    .iter()
                    .map(|zone| Value::String(format!("{region}{zone}")))
                    .collect()
            }
            "Fn::ImportValue" => {
                let name = self.text(argument, "the name of Fn::ImportValue")?;
                let value = self.exports.get(&name).cloned();
                self.imported.borrow_mut().insert(name.clone());
                Value::String(value.ok_or_else(|| wrong(format!("No export named {name} found.")))?)
            }
            "Fn::ToJsonString" => Value::String(self.value(argument)?.unwrap_or(Value::Null).to_string()),
            "Fn::Length" => Value::from(self.list(argument, "the argument of Fn::Length")?.len()),
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => Value::Bool(self.holds_function(name, argument)?),
            other => {
                return Err(wrong(format!(
                    "Template error: the embedded cloud does not know the function {other}"
                )));
            }
        }))
    }

    fn reference(&self, name: &str) -> Result<Option<Value>, Fault> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        let text = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::Region" => self.region.to_owned(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => self.stack_name.to_owned(),
            "AWS::StackId" => self.stack_id.to_owned(),
            "AWS::NotificationARNs" => {
                return Ok(Some(
                    self.notification_arns.iter().cloned().map(Value::String).collect(),
                ));
            }
            _ => return self.lookup.reference(name).map(Some),
        };
        Ok(Some(Value::String(text)))
    }

    fn attribute(&self, argument: &Value) -> Result<Value, Fault> {
        if let Value::Array(parts) = argument
            && let [Value::String(id), name @ Value::Object(_)] = parts.as_slice()
        {
            return self
                .lookup
                .attribute(id, &self.text(name, "the attribute of Fn::GetAtt")?);
        }
        let (id, attribute) = attribute_target(argument).ok_or_else(|| {
            wrong(format!(
                "Template error: every Fn::GetAtt object requires two non-empty parameters: {argument}"
            ))
        })?;
        self.lookup.attribute(&id, &attribute)
    }

    fn sub(&self, argument: &Value) -> Result<String, Fault> {
        let (text, own) = match argument {
            Value::String(text) => (text.as_str(), None),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(text), Value::Object(own)] => (text.as_str(), Some(own)),
                _ => {
                    return Err(wrong(
                        "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments."
                            .to_owned(),
                    ));
                }
            },
            _ => {
                return Err(wrong(
                    "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments."
                        .to_owned(),
                ));
            }
        };
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let Some(length) = rest[start..].find('}') else { break };
            out.push_str(&rest[..start]);
            let name = &rest[start + 2..start + length];
            rest = &rest[start + length + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let name = name.trim();
            let value = match (own.and_then(|own| own.get(name)), name.split_once('.')) {
                (Some(value), _) => self.value(value)?,
                (None, Some((id, attribute))) => Some(self.lookup.attribute(id, attribute)?),
                (None, None) => self.reference(name)?,
            };
            let text = value.as_ref().and_then(scalar);
            out.push_str(&text.ok_or_else(|| wrong(format!("Template error: ${{{name}}} in a Fn::Sub is no string")))?);
        }
        out.push_str(rest);
        Ok(out)
    }

    fn find_in_map(&self, parts: &[Value]) -> Result<Option<Value>, Fault> {
        let map = self.text(&parts[0], "the map of Fn::FindInMap")?;
        let first = self.text(&parts[1], "the first key of Fn::FindInMap")?;
        let second = self.text(&parts[2], "the second key of Fn::FindInMap")?;
        let found = self
            .template
            .mappings
            .get(&map)
            .and_then(|map| map.get(&first)?.get(&second));
        match (found, parts.get(3).and_then(|options| options.get("DefaultValue"))) {
            (Some(value), _) => Ok(Some(value.clone())),
            (None, Some(default)) => self.value(default),
            (None, None) => Err(wrong(format!(
                "Template error: Unable to get mapping for {map}::{first}::{second}"
            ))),
        }
    }

    fn holds_function(&self, name: &str, argument: &Value) -> Result<bool, Fault> {
        let Value::Array(parts) = argument else {
            return Err(wrong(format!("Template error: {name} takes a list")));
        };
        match (name, parts.as_slice()) {
            ("Fn::Equals", [left, right]) => Ok(match (self.value(left)?, self.value(right)?) {
                (Some(left), Some(right)) => same(&left, &right),
                (left, right) => left == right,
            }),
            ("Fn::Not", [condition]) => Ok(!self.holds(condition)?),
            ("Fn::And", all) => all
                .iter()
                .try_fold(true, |holds, condition| Ok(self.holds(condition)? && holds)),
            ("Fn::Or", all) => all
                .iter()
                .try_fold(false, |holds, condition| Ok(self.holds(condition)? || holds)),
            _ => Err(wrong(format!(
                "Template error: {name} has the wrong number of arguments"
            ))),
        }
    }

    /// A condition's truth.
    pub fn holds(&self, condition: &Value) -> Result<bool, Fault> {
        let function = condition.as_object().and_then(single);
        match function {
            Some(("Condition", Value::String(name))) => match self.conditions.get(name) {
                Some(holds) => Ok(*holds),
                None => self.template.conditions.get(name).map_or_else(
                    || {
                        Err(wrong(format!(
                            "Template format error: Unresolved condition dependency {name}"
                        )))
                    },
                    |condition| self.holds(condition),
                ),
            },
            Some((name, argument)) => self.holds_function(name, argument),
            None => Err(wrong(format!("Template error: {condition} is no condition"))),
        }
    }
}

fn wrong(message: String) -> Fault {
    Fault::Wrong(message)
}

/// Equality as CloudFormation has it: `5` is `"5"`.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        (left, right) => match (scalar(left), scalar(right)) {
            (Some(left), Some(right)) => left == right,
            _ => left == right,
        },
    }
}

/// `count` blocks of 2^`bits` addresses, one after the other from the block's start.
fn cidr(block: &str, count: &str, bits: &str) -> Result<Value, Fault> {
    let refuse = || {
        wrong(format!(
            "Template error: Fn::Cidr cannot take {count} blocks of {bits} bits from {block}"
        ))
    };
    let (address, prefix) = block.split_once('/').ok_or_else(refuse)?;
    let address: Ipv4Addr = address.parse().map_err(|_| refuse())?;
    let (prefix, count, bits): (u32, u64, u32) = match (prefix.parse(), count.parse(), bits.parse()) {
        (Ok(prefix), Ok(count), Ok(bits)) => (prefix, count, bits),
        _ => return Err(refuse()),
    };
    let fits =
        prefix <= 32 && (1..=256).contains(&count) && (1..32).contains(&bits) && count << bits <= 1 << (32 - prefix);
    if !fits {
        return Err(refuse());
    }
    let mask = if prefix == 0 { 0 } else { u32::MAX << (32 - prefix) };
    let start = u64::from(u32::from(address) & mask);
    let blocks = (0..count).map(|index| {
        let address = Ipv4Addr::from((start + (index << bits)) as u32);
        Value::String(format!("{address}/{}", 32 - bits))
    });
    Ok(blocks.collect())
}
