//! The template document with all its sections, in the order in which they render.

use indexmap::IndexMap;
use serde::Serialize;

use crate::element::{Name, Target};
use crate::expr::{Expr, Map};
use crate::resource::Resource;

fn is_empty<T>(map: &IndexMap<Name, T>) -> bool {
    map.is_empty()
}

/// A CloudFormation template. Empty sections do not render.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Template {
    #[serde(rename = "AWSTemplateFormatVersion", skip_serializing_if = "Option::is_none")]
    pub format_version: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Name>,
    /// One macro or several: `AWS::LanguageExtensions`, `AWS::Serverless-2016-10-31`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transform: Vec<Name>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map,
    #[serde(skip_serializing_if = "is_empty")]
    pub parameters: IndexMap<Name, Parameter>,
    #[serde(skip_serializing_if = "is_empty")]
    pub mappings: IndexMap<Name, Expr>,
    #[serde(skip_serializing_if = "is_empty")]
    pub conditions: IndexMap<Name, Expr>,
    #[serde(skip_serializing_if = "is_empty")]
    pub rules: IndexMap<Name, Expr>,
    #[serde(skip_serializing_if = "is_empty")]
    pub resources: IndexMap<Name, Resource>,
    #[serde(skip_serializing_if = "is_empty")]
    pub outputs: IndexMap<Name, Output>,
    #[serde(skip_serializing_if = "is_empty")]
    pub hooks: IndexMap<Name, Expr>,
}

impl Template {
    /// The template as JSON.
    ///
    /// # Errors
    /// When a reference to an element was not resolved; the message names the element.
    pub fn to_json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

/// A parameter of a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Parameter {
    /// `String`, `Number`, `AWS::SSM::Parameter::Value<String>`, …
    #[serde(rename = "Type")]
    pub type_name: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Expr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_pattern: Option<Name>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_values: Vec<Expr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraint_description: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_value: Option<Expr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_value: Option<Expr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_echo: Option<bool>,
}

/// An output of a template, exported or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Name>,
    pub value: Expr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<Export>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Target>,
}

/// The name under which other stacks import an output.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Export {
    pub name: Expr,
}
