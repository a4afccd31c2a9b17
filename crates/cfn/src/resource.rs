//! A resource without its type's help: what every builder becomes and what a template holds.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::element::{Name, Target};
use crate::expr::{Expr, Map};
use crate::overrides::Override;
use crate::resolve::Resolver;

/// What is known about a resource type at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    /// `AWS::SQS::Queue`.
    pub name: &'static str,
    /// Where tags go; nothing for types that cannot be tagged.
    pub tags: Option<TagStyle>,
}

/// The property that holds tags, and its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagStyle {
    /// `Tags` for most; `UserPoolTags`, `FileSystemTags`, … for some.
    pub property: &'static str,
    pub shape: TagShape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagShape {
    /// `[{"Key": …, "Value": …}]`.
    List,
    /// `{key: value}`.
    Map,
    /// `[{"Key": …, "Value": …, "PropagateAtLaunch": …}]` of auto scaling groups.
    AutoScalingList,
}

/// A resource of a template: type, properties, and the attributes that CloudFormation itself understands.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub type_name: Name,
    pub properties: Map,
    pub tags: Option<TagStyle>,
    options: Option<Box<ResourceOptions>>,
}

/// Everything besides type and properties; most resources have none of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceOptions {
    pub condition: Option<Target>,
    pub depends_on: Vec<Target>,
    pub deletion_policy: Option<DeletionPolicy>,
    pub update_replace_policy: Option<DeletionPolicy>,
    pub creation_policy: Option<Expr>,
    pub update_policy: Option<Expr>,
    pub metadata: Map,
    /// Applied to the rendered JSON in order, after everything else.
    pub overrides: Vec<Override>,
}

/// What happens to the physical resource when it leaves the template or is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionPolicy {
    Delete,
    Retain,
    RetainExceptOnCreate,
    Snapshot,
}

impl DeletionPolicy {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "Delete",
            Self::Retain => "Retain",
            Self::RetainExceptOnCreate => "RetainExceptOnCreate",
            Self::Snapshot => "Snapshot",
        }
    }
}

impl Resource {
    /// A resource of any type, also of types that the schema does not know: `Custom::Thing`.
    pub fn new(type_name: impl Into<Name>) -> Self {
        Self {
            type_name: type_name.into(),
            properties: Map::new(),
            tags: None,
            options: None,
        }
    }

    /// What generated builders call.
    #[must_use]
    pub fn of_type(info: TypeInfo, properties: Map) -> Self {
        Self {
            type_name: info.name.into(),
            properties,
            tags: info.tags,
            options: None,
        }
    }

    #[must_use]
    pub fn options(&self) -> Option<&ResourceOptions> {
        self.options.as_deref()
    }

    pub fn options_mut(&mut self) -> &mut ResourceOptions {
        self.options.get_or_insert_default()
    }

    /// Adds a dependency once.
    pub fn depend_on(&mut self, target: impl Into<Target>) {
        let target = target.into();
        let depends_on = &mut self.options_mut().depends_on;
        if !depends_on.contains(&target) {
            depends_on.push(target);
        }
    }

    /// Replaces or, with `None`, deletes what stands at a path of the rendered resource, such as
    /// `Properties.Code.S3Key` or `Properties.Tags.0`; a dot inside a key is written `\.`.
    pub fn override_at(&mut self, path: &str, value: Option<Expr>) {
        self.options_mut().overrides.push(Override::new(path, value));
    }

    /// As [`Expr::resolve`], for every expression and target of the resource.
    ///
    /// # Errors
    /// The resolver's own.
    pub fn resolve<R: Resolver>(mut self, resolver: &mut R) -> Result<Self, R::Error> {
        self.properties = self.properties.resolve(resolver)?;
        if let Some(options) = self.options.take() {
            self.options = Some(Box::new(options.resolve(resolver)?));
        }
        Ok(self)
    }
}

impl ResourceOptions {
    fn resolve<R: Resolver>(self, resolver: &mut R) -> Result<Self, R::Error> {
        let expr = |expr: Option<Expr>, resolver: &mut R| expr.map(|expr| expr.resolve(resolver)).transpose();
        Ok(Self {
            condition: self
                .condition
                .map(|condition| condition.resolve(resolver))
                .transpose()?,
            depends_on: self
                .depends_on
                .into_iter()
                .map(|on| on.resolve(resolver))
                .collect::<Result<_, _>>()?,
            deletion_policy: self.deletion_policy,
            update_replace_policy: self.update_replace_policy,
            creation_policy: expr(self.creation_policy, resolver)?,
            update_policy: expr(self.update_policy, resolver)?,
            metadata: self.metadata.resolve(resolver)?,
            overrides: self
                .overrides
                .into_iter()
                .map(|entry| entry.resolve(resolver))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let overrides = self.options().map_or(&[][..], |options| &options.overrides);
        if overrides.is_empty() {
            return Plain(self).serialize(serializer);
        }
        let mut json = serde_json::to_value(Plain(self)).map_err(serde::ser::Error::custom)?;
        for entry in overrides {
            entry.apply(&mut json).map_err(serde::ser::Error::custom)?;
        }
        json.serialize(serializer)
    }
}

/// A resource before its overrides.
struct Plain<'a>(&'a Resource);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(resource) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("Type", &resource.type_name)?;
        if !resource.properties.is_empty() {
            map.serialize_entry("Properties", &resource.properties)?;
        }
        if let Some(options) = resource.options() {
            if !options.depends_on.is_empty() {
                map.serialize_entry("DependsOn", &options.depends_on)?;
            }
            if let Some(condition) = &options.condition {
                map.serialize_entry("Condition", condition)?;
            }
            if let Some(policy) = &options.creation_policy {
                map.serialize_entry("CreationPolicy", policy)?;
            }
            if let Some(policy) = &options.update_policy {
                map.serialize_entry("UpdatePolicy", policy)?;
            }
            if let Some(policy) = options.update_replace_policy {
                map.serialize_entry("UpdateReplacePolicy", policy.as_str())?;
            }
            if let Some(policy) = options.deletion_policy {
                map.serialize_entry("DeletionPolicy", policy.as_str())?;
            }
            if !options.metadata.is_empty() {
                map.serialize_entry("Metadata", &options.metadata)?;
            }
        }
        map.end()
    }
}
