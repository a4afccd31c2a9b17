//! What a new template would change of the one that is deployed: property by property, with what CloudFormation will
//! have to replace, followed through references; and what it would allow ([`security`]).
//!
//! It reads templates as CloudFormation does, so those of any tool can be compared: `5` is `"5"`, the order of keys says
//! nothing, both forms of `Fn::GetAtt` are one. It deliberately resolves nothing: two different expressions of the same
//! value are a difference. The CLI calls it for `diff` and before a deploy.

mod expression;
mod follow;
mod leaves;
mod lists;
mod noise;
pub(crate) mod references;
mod renames;
mod same;
mod security;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

pub use expression::{compact, shown};
pub use same::same;
pub use security::{
    Direction, Effect, ExposureChange, ManagedPolicyChange, RuleChange, SecurityChanges, StatementChange, Traffic,
    security,
};

/// What CloudFormation does when a property changes; from the resource's schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateBehavior {
    InPlace,
    MayReplace,
    Replaces,
}

/// Knows the schemas.
pub trait UpdateBehaviors {
    /// Of a value below `Properties`: `["Tags", "[Owner]", "Value"]`, where a segment in brackets is an element of a
    /// list. What is not known counts as changed in place.
    fn of(&self, resource_type: &str, path: &[&str]) -> UpdateBehavior;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Add,
    Update,
    /// CloudFormation decides when it sees the values.
    MayReplace,
    Replace,
    /// Leaves the stack, but not the account: its deletion policy retains it.
    Release,
    Remove,
}

impl Change {
    /// Whether something that exists may be gone afterwards.
    pub fn is_destructive(self) -> bool {
        matches!(self, Change::MayReplace | Change::Replace | Change::Remove)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PropertyDiff {
    /// Below the resource, for example `Properties/Environment/Variables/DB_HOST`, `Properties/Tags/[Owner]/Value` or
    /// `DeletionPolicy`. An element of a list goes by its name, where it has one, or by its number from 0: that in the new
    /// list, or in the old one where it is gone.
    pub path: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
    pub update: UpdateBehavior,
    /// Through what the value changes although its expression does not: a replaced or changed resource by its logical
    /// id, or `Mappings/Sizes`, `Conditions/IsProd`, `Parameters/Size`.
    pub because_of: Option<String>,
    /// False where only CloudFormation sees whether the value changes.
    pub certain: bool,
}

impl PropertyDiff {
    /// `Environment`, of `Properties/Environment/Variables/DB_HOST`.
    pub fn property(&self) -> &str {
        let path = self.path.strip_prefix("Properties/").unwrap_or(&self.path);
        path.split('/').next().unwrap_or(path)
    }
}

/// What stays of a resource that is removed or replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remains {
    #[default]
    Nothing,
    Snapshot,
    /// The resource itself, outside the stack.
    Everything,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourceDiff {
    pub logical_id: String,
    pub resource_type: String,
    /// The deployed type, where it is another one. CloudFormation refuses to change it.
    pub old_type: Option<String>,
    pub change: Change,
    /// What stays of the deployed resource when the change removes or replaces it.
    pub remains: Remains,
    pub properties: Vec<PropertyDiff>,
    /// Of a removed and an added resource that are equal: the logical id on the other side.
    pub looks_like: Option<String>,
    /// The construct's path in the deployed template, where the app wrote it there.
    pub old_path: Option<String>,
}

impl ResourceDiff {
    /// The properties that replace the resource, or may.
    pub fn reasons(&self) -> Vec<&str> {
        let wanted = match self.change {
            Change::Replace => UpdateBehavior::Replaces,
            Change::MayReplace => UpdateBehavior::MayReplace,
            _ => return Vec::new(),
        };
        let properties = self.properties.iter().filter(|property| property.update == wanted);
        let mut reasons: Vec<&str> = properties.map(PropertyDiff::property).collect();
        reasons.dedup();
        reasons
    }
}

/// A difference outside the resources, for example in `Outputs`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SectionDiff {
    pub section: String,
    /// Empty for a section that has no entries, such as `Description`.
    pub name: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
    /// What differs inside, where both sides have the entry; paths are below the entry.
    pub parts: Vec<PropertyDiff>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TemplateDiff {
    pub resources: Vec<ResourceDiff>,
    pub sections: Vec<SectionDiff>,
    /// Paths of differences that mean nothing for what runs, left out above: the CDK's bookkeeping.
    pub folded: Vec<String>,
}

impl TemplateDiff {
    /// Whether nothing differs that matters; something may be folded.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.sections.is_empty()
    }

    pub fn is_destructive(&self) -> bool {
        self.resources.iter().any(|resource| resource.change.is_destructive())
    }
}

/// What matters for what runs; the rest is in [`TemplateDiff::folded`]. `old` may be null, for a stack that does not
/// exist yet.
pub fn diff(old: &Value, new: &Value, behaviors: &dyn UpdateBehaviors) -> TemplateDiff {
    let mut difference = strict(old, new, behaviors);
    noise::fold(&mut difference);
    difference
}

/// The same with everything that differs and nothing folded.
pub fn strict(old: &Value, new: &Value, behaviors: &dyn UpdateBehaviors) -> TemplateDiff {
    let (old, new) = (entries(old), entries(new));
    let mut difference = TemplateDiff::default();
    for (name, (old, new)) in pairs(&old, &new) {
        if name != "Resources" {
            section(name, old, new, &mut difference.sections);
        }
    }
    let none = Map::new();
    let resources_of = |template: &'_ Map<String, Value>| template.get("Resources").cloned().unwrap_or_default();
    let (old_resources, new_resources) = (resources_of(&old), resources_of(&new));
    let old_resources = old_resources.as_object().unwrap_or(&none);
    let new_resources = new_resources.as_object().unwrap_or(&none);
    let mut found: BTreeMap<String, ResourceDiff> = pairs(old_resources, new_resources)
        .into_iter()
        .filter_map(|(logical_id, (old, new))| {
            Some((logical_id.to_owned(), resource(logical_id, old, new, behaviors)?))
        })
        .collect();
    let templates = follow::Templates { old: &old, new: &new };
    follow::causes(templates, new_resources, &difference.sections, behaviors, &mut found);
    renames::mark(old_resources, new_resources, &mut found);
    difference.resources = found.into_values().collect();
    difference
}

fn entries(template: &Value) -> Map<String, Value> {
    template.as_object().cloned().unwrap_or_default()
}

type Pairs<'a> = BTreeMap<&'a str, (Option<&'a Value>, Option<&'a Value>)>;

fn pairs<'a>(old: &'a Map<String, Value>, new: &'a Map<String, Value>) -> Pairs<'a> {
    let mut pairs: Pairs<'a> = BTreeMap::new();
    for (key, value) in old {
        pairs.entry(key).or_default().0 = Some(value);
    }
    for (key, value) in new {
        pairs.entry(key).or_default().1 = Some(value);
    }
    pairs
}

fn section(section: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<SectionDiff>) {
    let difference = |name: &str, old: Option<&Value>, new: Option<&Value>| SectionDiff {
        section: section.to_owned(),
        name: name.to_owned(),
        old: old.cloned(),
        new: new.cloned(),
        parts: match (old, new) {
            (Some(_), Some(_)) => leaves::of("", old, new, &|_| UpdateBehavior::InPlace),
            _ => Vec::new(),
        },
    };
    let is_entries = |value: Option<&Value>| value.is_none_or(Value::is_object);
    if !is_entries(old) || !is_entries(new) {
        if !same::optional(old, new) {
            found.push(difference("", old, new));
        }
        return;
    }
    let none = Map::new();
    let old_entries = old.and_then(Value::as_object).unwrap_or(&none);
    let new_entries = new.and_then(Value::as_object).unwrap_or(&none);
    for (name, (old, new)) in pairs(old_entries, new_entries) {
        if !same::optional(old, new) {
            found.push(difference(name, old, new));
        }
    }
}

fn type_of(resource: &Value) -> &str {
    resource.get("Type").and_then(Value::as_str).unwrap_or_default()
}

/// Nothing where the two are the same to CloudFormation.
fn resource(
    logical_id: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    behaviors: &dyn UpdateBehaviors,
) -> Option<ResourceDiff> {
    let mut difference = ResourceDiff {
        logical_id: logical_id.to_owned(),
        resource_type: new.or(old).map(type_of).unwrap_or_default().to_owned(),
        old_type: None,
        change: Change::Add,
        remains: Remains::Nothing,
        properties: Vec::new(),
        looks_like: None,
        old_path: old
            .and_then(|old| old.pointer("/Metadata/aws:cdk:path")?.as_str())
            .map(str::to_owned),
    };
    match (old, new) {
        (Some(old), Some(new)) => {
            difference.properties = if old.is_object() && new.is_object() {
                attributes(old, new, behaviors)
            } else {
                leaves::of("", Some(old), Some(new), &|_| UpdateBehavior::InPlace)
            };
            if !same::optional(old.get("Type"), new.get("Type")) {
                difference.old_type = Some(type_of(old).to_owned());
                difference.change = Change::Replace;
            } else if difference.properties.is_empty() {
                return None;
            } else {
                difference.change = change_of(&difference.properties);
            }
            if difference.change.is_destructive() {
                difference.remains = remains(new, "UpdateReplacePolicy");
            }
        }
        (Some(old), None) => {
            difference.remains = remains(old, "DeletionPolicy");
            difference.change = match difference.remains {
                Remains::Everything => Change::Release,
                Remains::Nothing | Remains::Snapshot => Change::Remove,
            };
        }
        (None, _) => {}
    }
    Some(difference)
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html>: clusters of
/// RDS, and its instances outside of one, leave a snapshot by default.
fn remains(resource: &Value, policy: &str) -> Remains {
    let outside_of_a_cluster = || resource.pointer("/Properties/DBClusterIdentifier").is_none();
    match (resource.get(policy).and_then(Value::as_str), type_of(resource)) {
        (Some("Retain" | "RetainExceptOnCreate"), _) => Remains::Everything,
        (Some("Snapshot"), _) => Remains::Snapshot,
        (None, "AWS::RDS::DBCluster") if policy == "DeletionPolicy" => Remains::Snapshot,
        (None, "AWS::RDS::DBInstance") if policy == "DeletionPolicy" && outside_of_a_cluster() => Remains::Snapshot,
        _ => Remains::Nothing,
    }
}

fn change_of(properties: &[PropertyDiff]) -> Change {
    match properties.iter().map(|property| property.update).max() {
        Some(UpdateBehavior::Replaces) => Change::Replace,
        Some(UpdateBehavior::MayReplace) => Change::MayReplace,
        _ => Change::Update,
    }
}

fn attributes(old: &Value, new: &Value, behaviors: &dyn UpdateBehaviors) -> Vec<PropertyDiff> {
    let none = Map::new();
    let resource_type = type_of(new);
    let mut found = Vec::new();
    let (old, new) = (old.as_object().unwrap_or(&none), new.as_object().unwrap_or(&none));
    for (attribute, (old, new)) in pairs(old, new) {
        match attribute {
            // Another type is told by the resource; this is one that is no text.
            "Type" if old.is_some_and(Value::is_string) && new.is_some_and(Value::is_string) => {}
            "DependsOn" => leaves::dependencies(old, new, &mut found),
            "Properties" => {
                let empty = Value::Object(Map::new());
                let behavior = |path: &[&str]| behaviors.of(resource_type, path);
                let properties = leaves::of(
                    "Properties",
                    Some(old.unwrap_or(&empty)),
                    Some(new.unwrap_or(&empty)),
                    &behavior,
                );
                found.extend(properties);
            }
            _ => found.extend(leaves::of(attribute, old, new, &|_| UpdateBehavior::InPlace)),
        }
    }
    found
}
