//! A service's model as botocore ships it, trimmed by `models/trim.py`: operations, shapes, and where a member travels.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use indexmap::IndexMap;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Model {
    /// The folder's name in botocore, for example `cloudformation`.
    #[serde(skip)]
    pub name: &'static str,
    pub metadata: Metadata,
    pub operations: BTreeMap<String, Operation>,
    /// What the service has and the embedded cloud does not serve: known, so that it is refused by name.
    pub unserved: BTreeMap<String, Http>,
    pub shapes: HashMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub api_version: String,
    pub endpoint_prefix: String,
    pub protocol: String,
    #[serde(default)]
    pub protocols: Vec<String>,
    pub service_id: String,
    pub signing_name: Option<String>,
    pub target_prefix: Option<String>,
    pub xml_namespace: Option<String>,
    /// There for services that spoke query once: their clients still know the error codes of that time.
    pub aws_query_compatible: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub http: Http,
    pub input: Option<ShapeReference>,
    pub output: Option<ShapeReference>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    pub method: String,
    pub request_uri: String,
    pub response_code: Option<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShapeReference {
    pub shape: String,
    pub result_wrapper: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Structure,
    List,
    Map,
    String,
    Character,
    Boolean,
    Integer,
    Long,
    Float,
    Double,
    Timestamp,
    Blob,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: Kind,
    #[serde(default)]
    pub members: IndexMap<String, Member>,
    #[serde(default)]
    pub required: Vec<String>,
    pub member: Option<Member>,
    pub key: Option<Member>,
    pub value: Option<Member>,
    #[serde(default, rename = "enum")]
    pub variants: Vec<String>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    #[serde(default)]
    pub flattened: bool,
    pub payload: Option<String>,
    pub timestamp_format: Option<String>,
    pub xml_namespace: Option<Namespace>,
    pub error: Option<ErrorTrait>,
}

/// How an error is called outside JSON, where that differs from the shape's name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    pub code: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Namespace {
    Uri(String),
    Prefixed { uri: String, prefix: Option<String> },
}

impl Namespace {
    pub fn attribute(&self) -> (String, &str) {
        match self {
            Self::Uri(uri) | Self::Prefixed { uri, prefix: None } => ("xmlns".to_owned(), uri),
            Self::Prefixed {
                uri,
                prefix: Some(prefix),
            } => (format!("xmlns:{prefix}"), uri),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub shape: String,
    pub location: Option<Location>,
    pub location_name: Option<String>,
    #[serde(default)]
    pub flattened: bool,
    #[serde(default)]
    pub xml_attribute: bool,
    pub xml_namespace: Option<Namespace>,
    pub timestamp_format: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Location {
    Uri,
    #[serde(rename = "querystring")]
    QueryString,
    Header,
    /// All headers that begin with the member's name.
    Headers,
    StatusCode,
}

impl Member {
    /// What the member is called on the wire.
    pub fn wire_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.location_name.as_deref().unwrap_or(name)
    }
}

impl Model {
    pub fn shape(&self, name: &str) -> &Shape {
        self.shapes
            .get(name)
            .expect("trim.py keeps every shape that a kept shape names")
    }

    pub fn of<'a>(&'a self, member: &Member) -> &'a Shape {
        self.shape(&member.shape)
    }

    pub fn speaks(&self, protocol: &str) -> bool {
        self.metadata.protocol == protocol || self.metadata.protocols.iter().any(|spoken| spoken == protocol)
    }

    /// The name in a SigV4 credential scope.
    pub fn signing_name(&self) -> &str {
        self.metadata
            .signing_name
            .as_deref()
            .unwrap_or(&self.metadata.endpoint_prefix)
    }

    /// The error shape that a service means by `code`: the shape's name or the code of its `error` trait.
    pub fn error_shape(&self, code: &str) -> Option<(&str, &Shape)> {
        let by_trait = |shape: &Shape| shape.error.as_ref().and_then(|error| error.code.as_deref()) == Some(code);
        if let Some((name, shape)) = self.shapes.get_key_value(code) {
            return (shape.kind == Kind::Structure).then_some((name.as_str(), shape));
        }
        self.shapes
            .iter()
            .find(|(_, shape)| by_trait(shape))
            .map(|(name, shape)| (name.as_str(), shape))
    }
}

const SOURCES: &[(&str, &str)] = &[
    ("apigateway", include_str!("../../models/apigateway.json")),
    (
        "apigatewaymanagementapi",
        include_str!("../../models/apigatewaymanagementapi.json"),
    ),
    ("apigatewayv2", include_str!("../../models/apigatewayv2.json")),
    ("cloudformation", include_str!("../../models/cloudformation.json")),
    ("cloudwatch", include_str!("../../models/cloudwatch.json")),
    ("dynamodb", include_str!("../../models/dynamodb.json")),
    ("elasticache", include_str!("../../models/elasticache.json")),
    ("events", include_str!("../../models/events.json")),
    ("lambda", include_str!("../../models/lambda.json")),
    ("logs", include_str!("../../models/logs.json")),
    ("rds", include_str!("../../models/rds.json")),
    ("s3", include_str!("../../models/s3.json")),
    ("scheduler", include_str!("../../models/scheduler.json")),
    ("secretsmanager", include_str!("../../models/secretsmanager.json")),
    ("sqs", include_str!("../../models/sqs.json")),
    ("ssm", include_str!("../../models/ssm.json")),
    ("sts", include_str!("../../models/sts.json")),
];

static MODELS: [OnceLock<Model>; SOURCES.len()] = [const { OnceLock::new() }; SOURCES.len()];

/// The names of all models.
pub fn models() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|(name, _)| *name)
}

/// A service's model by the folder's name in botocore; parsed when first asked for.
pub fn model(name: &str) -> Option<&'static Model> {
    let index = SOURCES.iter().position(|(known, _)| *known == name)?;
    let (name, source) = SOURCES[index];
    Some(MODELS[index].get_or_init(|| {
        let mut model: Model = serde_json::from_str(source).expect("the models in the binary are read by the tests");
        model.name = name;
        model
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_read_and_reaches_only_shapes_that_it_has() {
        for name in models() {
            let model = model(name).unwrap();
            for shape in model.shapes.values() {
                let members = shape
                    .members
                    .values()
                    .chain(&shape.member)
                    .chain(&shape.key)
                    .chain(&shape.value);
                for member in members {
                    model.of(member);
                }
            }
        }
    }
}
