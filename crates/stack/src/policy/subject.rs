//! What rules look at: resources and parameters of a template, with settings that may be unknown until the deploy.

use serde_json::{Map, Value as Json};

use crate::diff::references;

/// A property as far as a template tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Setting<'a> {
    /// Not there, or `AWS::NoValue`: the service's default holds.
    Absent,
    Known(&'a Json),
    /// Decided at deploy time by an intrinsic.
    Unknown,
}

impl<'a> Setting<'a> {
    /// What a value is: an intrinsic is unknown.
    pub fn of(value: Option<&'a Json>) -> Self {
        match value {
            None | Some(Json::Null) => Self::Absent,
            Some(Json::Object(map)) if is_intrinsic(map) => {
                if map.get("Ref").is_some_and(|target| target == "AWS::NoValue") {
                    Self::Absent
                } else {
                    Self::Unknown
                }
            }
            Some(value) => Self::Known(value),
        }
    }

    pub fn is_absent(self) -> bool {
        self == Self::Absent
    }

    /// Known to be true; CloudFormation also takes the text.
    pub fn is_on(self) -> bool {
        matches!(self, Self::Known(value) if value == true || value == "true")
    }

    /// Known to be false, by being said.
    pub fn is_off(self) -> bool {
        matches!(self, Self::Known(value) if value == false || value == "false")
    }

    /// Known to be false, for settings whose default is false.
    pub fn is_off_or_absent(self) -> bool {
        self.is_absent() || self.is_off()
    }

    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Known(value) => value.as_str(),
            _ => None,
        }
    }

    /// A number, also as text.
    pub fn number(self) -> Option<i64> {
        match self {
            Self::Known(value) => value.as_i64().or_else(|| value.as_str()?.parse().ok()),
            _ => None,
        }
    }

    /// The items of a list; of anything else none. An item that is an intrinsic is unknown.
    pub fn items(self) -> impl Iterator<Item = Setting<'a>> {
        let items = match self {
            Self::Known(Json::Array(items)) => items.as_slice(),
            _ => &[],
        };
        items.iter().map(|item| Setting::of(Some(item)))
    }

    /// The entries of a map.
    pub fn entries(self) -> impl Iterator<Item = (&'a str, Setting<'a>)> {
        let entries = match self {
            Self::Known(Json::Object(map)) => Some(map),
            _ => None,
        };
        let entries = entries.into_iter().flatten();
        entries.map(|(key, value)| (key.as_str(), Setting::of(Some(value))))
    }

    /// A setting inside: keys joined with dots.
    pub fn at(self, path: &str) -> Self {
        path.split('.').fold(self, |at, key| match at {
            Self::Known(value) => Self::of(value.get(key)),
            other => other,
        })
    }
}

fn is_intrinsic(map: &Map<String, Json>) -> bool {
    let mut keys = map.keys();
    match (keys.next(), keys.next()) {
        (Some(key), None) => key == "Ref" || key.starts_with("Fn::"),
        _ => false,
    }
}

/// A resource of a template.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    logical_id: &'a str,
    body: &'a Json,
    template: &'a Json,
}

impl<'a> Resource<'a> {
    pub fn logical_id(&self) -> &'a str {
        self.logical_id
    }

    /// `AWS::SQS::Queue`.
    pub fn type_name(&self) -> &'a str {
        self.body.get("Type").and_then(Json::as_str).unwrap_or_default()
    }

    pub fn is(&self, type_name: &str) -> bool {
        self.type_name() == type_name
    }

    /// A property by its path: `PublicAccessBlockConfiguration.BlockPublicAcls`.
    pub fn setting(&self, path: &str) -> Setting<'a> {
        self.properties().at(path)
    }

    pub fn properties(&self) -> Setting<'a> {
        Setting::of(self.body.get("Properties"))
    }

    /// An attribute beside the properties: `DeletionPolicy`.
    pub fn attribute(&self, name: &str) -> Setting<'a> {
        Setting::of(self.body.get(name))
    }

    /// All resources of its template, itself included.
    pub fn siblings(&self) -> impl Iterator<Item = Resource<'a>> + use<'a> {
        resources(self.template)
    }

    /// Whether a property of this one refers to the other.
    pub fn refers_to(&self, property: &str, other: &Resource<'_>) -> bool {
        let value = self
            .body
            .get("Properties")
            .and_then(|properties| properties.get(property));
        value.is_some_and(|value| references::any(value, other.logical_id))
    }
}

/// A parameter of a template.
#[derive(Clone, Copy, Debug)]
pub struct Declaration<'a> {
    logical_id: &'a str,
    body: &'a Json,
}

impl<'a> Declaration<'a> {
    pub fn logical_id(&self) -> &'a str {
        self.logical_id
    }

    /// `NoEcho`, `Default`, `Type`, …
    pub fn setting(&self, name: &str) -> Setting<'a> {
        Setting::of(self.body.get(name))
    }
}

fn section<'a>(template: &'a Json, name: &str) -> impl Iterator<Item = (&'a String, &'a Json)> + use<'a> {
    template.get(name).and_then(Json::as_object).into_iter().flatten()
}

pub(super) fn resources(template: &Json) -> impl Iterator<Item = Resource<'_>> {
    section(template, "Resources").map(move |(logical_id, body)| Resource {
        logical_id,
        body,
        template,
    })
}

pub(super) fn parameters(template: &Json) -> impl Iterator<Item = Declaration<'_>> {
    section(template, "Parameters").map(|(logical_id, body)| Declaration { logical_id, body })
}
