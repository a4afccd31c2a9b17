//! The shape of the snapshot in `schema/`, one [`ServiceSchema`] a file. The build script reads it to generate types,
//! and with feature `schema-data` the library reads it at run time.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// All resource types of a service.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ServiceSchema {
    /// `AWS::SQS`.
    pub namespace: String,
    /// By full type name: `AWS::SQS::Queue`.
    pub resources: BTreeMap<String, ResourceSchema>,
}

/// A resource type.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ResourceSchema {
    /// The first sentence of AWS's documentation. Not there at run time: it would triple the size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Properties or attributes that together identify a resource in the Cloud Control API.
    pub primary_identifier: Vec<String>,
    /// What `Ref` yields; several are joined by `|`.
    #[serde(rename = "ref")]
    pub ref_identifier: Vec<String>,
    /// The relation target that `Ref` yields, where some property refers to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ref_refers: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagsSchema>,
    /// Whether losing the resource loses data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stateful: bool,
    /// What kind of security policy the resource is, in the words of aws-cdk: `IngressRuleResource`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<String>,
    /// The ARN with placeholders: `arn:${Partition}:sqs:${Region}:${Account}:${QueueName}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The transform that the template needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<String>,
    /// Paths below properties, joined by `/`, of which a change replaces the resource although no property says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replacement_paths: Vec<String>,
    #[serde(default, skip_serializing_if = "Rules::is_empty")]
    pub rules: Rules,
    pub attributes: BTreeMap<String, PropertySchema>,
    pub properties: BTreeMap<String, PropertySchema>,
    /// Nested property types by name.
    pub types: BTreeMap<String, DefinitionSchema>,
}

/// A nested property type.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct DefinitionSchema {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    pub properties: BTreeMap<String, PropertySchema>,
    #[serde(default, skip_serializing_if = "Rules::is_empty")]
    pub rules: Rules,
}

/// Conditions over several properties of one object.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub struct Rules {
    /// Exactly one alternative holds; an alternative is a list of keys that are all there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exactly_one: Vec<Vec<Vec<String>>>,
    /// At least one alternative holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_least_one: Vec<Vec<Vec<String>>>,
    /// Where the key is there, so are the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requires: BTreeMap<String, Vec<String>>,
    /// Where the key is there, the others are not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub excludes: BTreeMap<String, Vec<String>>,
}

impl Rules {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where tags go.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct TagsSchema {
    pub property: String,
    /// `standard`, `map` or `asg`.
    pub shape: String,
}

/// A property or an attribute. Limits of a list or map are those of its innermost values, except the number of items.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PropertySchema {
    #[serde(rename = "type")]
    pub kind: PropertyType,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// What a change of the property does to the resource.
    #[serde(default, skip_serializing_if = "Replaces::is_never")]
    pub replaces: Replaces,
    #[serde(rename = "enum", default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<serde_json::Value>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enum_ignores_case: bool,
    /// A regular expression in the dialect of JSON schemas (lookahead occurs).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_items: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u64>,
    /// What the value identifies, as `Type.Attribute`: `AWS::EC2::Subnet.SubnetId`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refers: Vec<String>,
    /// What the property means for security, in the words of aws-cdk: `IngressRules`, `ManagedPolicies`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
}

/// Whether a change of a property replaces the resource.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Replaces {
    #[default]
    Never,
    Conditionally,
    Always,
}

impl Replaces {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

/// The type of a property.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(try_from = "String", into = "String")]
pub enum PropertyType {
    String,
    Integer,
    Number,
    Boolean,
    Json,
    /// Text in ISO 8601.
    Timestamp,
    /// `{"Key": …, "Value": …}`.
    Tag,
    List(Box<PropertyType>),
    Map(Box<PropertyType>),
    /// A nested property type of the same resource.
    Definition(String),
    Union(Vec<PropertyType>),
}

impl TryFrom<String> for PropertyType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse(&text).ok_or(format!("`{text}` is not a property type"))
    }
}

fn parse(text: &str) -> Option<PropertyType> {
    let members = union_members(text);
    if members.len() > 1 {
        return members
            .into_iter()
            .map(parse)
            .collect::<Option<_>>()
            .map(PropertyType::Union);
    }
    let inside = |prefix: &str| text.strip_prefix(prefix)?.strip_suffix('>');
    if let Some(item) = inside("list<") {
        return parse(item).map(|item| PropertyType::List(Box::new(item)));
    }
    if let Some(item) = inside("map<") {
        return parse(item).map(|item| PropertyType::Map(Box::new(item)));
    }
    Some(match text {
        "string" => PropertyType::String,
        "integer" => PropertyType::Integer,
        "number" => PropertyType::Number,
        "boolean" => PropertyType::Boolean,
        "json" => PropertyType::Json,
        "timestamp" => PropertyType::Timestamp,
        "tag" => PropertyType::Tag,
        name if name.starts_with(char::is_alphabetic) && name.chars().all(char::is_alphanumeric) => {
            PropertyType::Definition(name.to_owned())
        }
        _ => return None,
    })
}

/// Splits at the bars that stand outside of `<…>`.
fn union_members(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(|character| {
        match character {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == '|' && depth == 0
    })
    .collect()
}

impl From<PropertyType> for String {
    fn from(kind: PropertyType) -> Self {
        kind.to_string()
    }
}

impl fmt::Display for PropertyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => formatter.write_str("string"),
            Self::Integer => formatter.write_str("integer"),
            Self::Number => formatter.write_str("number"),
            Self::Boolean => formatter.write_str("boolean"),
            Self::Json => formatter.write_str("json"),
            Self::Timestamp => formatter.write_str("timestamp"),
            Self::Tag => formatter.write_str("tag"),
            Self::List(item) => write!(formatter, "list<{item}>"),
            Self::Map(item) => write!(formatter, "map<{item}>"),
            Self::Definition(name) => formatter.write_str(name),
            Self::Union(members) => {
                let members: Vec<String> = members.iter().map(ToString::to_string).collect();
                formatter.write_str(&members.join("|"))
            }
        }
    }
}
