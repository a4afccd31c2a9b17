//! What a new template would change of the one that is deployed: property by property, with what CloudFormation will
//! have to replace, followed through references.
//!
//! It reads templates as CloudFormation does, so those of any tool can be compared. It deliberately resolves nothing:
//! two different expressions of the same value are a difference. The CLI calls it for `diff` and before a deploy.

mod expression;
pub(crate) mod references;
mod security;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

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
    /// Of a top-level property. What is not known counts as changed in place.
    fn of(&self, resource_type: &str, property: &str) -> UpdateBehavior;
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
    /// Below the resource, for example `Properties/Environment/Variables/DB_HOST` or `DeletionPolicy`.
    pub path: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
    pub update: UpdateBehavior,
    /// The replaced resource through which the value changes, although its expression does not.
    pub because_of: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourceDiff {
    pub logical_id: String,
    pub resource_type: String,
    pub change: Change,
    pub properties: Vec<PropertyDiff>,
}

/// A difference outside the resources, for example in `Outputs`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SectionDiff {
    pub section: String,
    pub name: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TemplateDiff {
    pub resources: Vec<ResourceDiff>,
    pub sections: Vec<SectionDiff>,
}

impl TemplateDiff {
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.sections.is_empty()
    }

    pub fn is_destructive(&self) -> bool {
        self.resources.iter().any(|resource| resource.change.is_destructive())
    }
}

/// The CDK's own bookkeeping, which an app may bring or leave out without changing anything that runs.
const BOOKKEEPING: [(&str, &str); 2] = [("Parameters", "BootstrapVersion"), ("Rules", "CheckBootstrapVersion")];

/// `old` may be null, for a stack that does not exist yet.
pub fn diff(old: &Value, new: &Value, behaviors: &dyn UpdateBehaviors) -> TemplateDiff {
    let empty = Map::new();
    let section = |template: &'_ Value, name: &str| {
        template
            .get(name)
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let sections: BTreeSet<&String> = [old, new]
        .into_iter()
        .flat_map(|template| template.as_object().unwrap_or(&empty).keys())
        .collect();
    let mut differences = TemplateDiff::default();
    for name in sections.into_iter().filter(|name| *name != "Resources") {
        for (key, (old, new)) in pairs(section(old, name), section(new, name)) {
            if old != new && !BOOKKEEPING.contains(&(name.as_str(), key.as_str())) {
                differences.sections.push(SectionDiff {
                    section: name.clone(),
                    name: key,
                    old,
                    new,
                });
            }
        }
    }
    differences.resources = resources(section(old, "Resources"), section(new, "Resources"), behaviors);
    differences
}

fn pairs(old: Map<String, Value>, new: Map<String, Value>) -> BTreeMap<String, (Option<Value>, Option<Value>)> {
    let mut pairs: BTreeMap<String, (Option<Value>, Option<Value>)> = BTreeMap::new();
    for (key, value) in old {
        pairs.entry(key).or_default().0 = Some(value);
    }
    for (key, value) in new {
        pairs.entry(key).or_default().1 = Some(value);
    }
    pairs
}

fn resources(old: Map<String, Value>, new: Map<String, Value>, behaviors: &dyn UpdateBehaviors) -> Vec<ResourceDiff> {
    let mut found: BTreeMap<String, ResourceDiff> = BTreeMap::new();
    for (logical_id, (old, new)) in pairs(old, new.clone()) {
        if old != new {
            let difference = resource(logical_id.clone(), old.as_ref(), new.as_ref(), behaviors);
            found.insert(logical_id, difference);
        }
    }
    follow_replacements(&new, &mut found, behaviors);
    found.into_values().collect()
}

fn resource(
    logical_id: String,
    old: Option<&Value>,
    new: Option<&Value>,
    behaviors: &dyn UpdateBehaviors,
) -> ResourceDiff {
    let type_of = |resource: &Value| {
        resource
            .get("Type")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (change, resource_type, properties) = match (old, new) {
        (Some(old), Some(new)) if type_of(old) == type_of(new) => {
            let resource_type = type_of(new);
            let properties = attributes(old, new, &resource_type, behaviors);
            (change_of(&properties), resource_type, properties)
        }
        (Some(_), Some(new)) => (Change::Replace, type_of(new), Vec::new()),
        (None, Some(new)) => (Change::Add, type_of(new), Vec::new()),
        (old, None) => {
            let old = old.unwrap_or(&Value::Null);
            let policy = old.get("DeletionPolicy").and_then(Value::as_str).unwrap_or_default();
            let change = if policy.starts_with("Retain") {
                Change::Release
            } else {
                Change::Remove
            };
            (change, type_of(old), Vec::new())
        }
    };
    ResourceDiff {
        logical_id,
        resource_type,
        change,
        properties,
    }
}

fn change_of(properties: &[PropertyDiff]) -> Change {
    match properties.iter().map(|property| property.update).max() {
        Some(UpdateBehavior::Replaces) => Change::Replace,
        Some(UpdateBehavior::MayReplace) => Change::MayReplace,
        _ => Change::Update,
    }
}

fn attributes(old: &Value, new: &Value, resource_type: &str, behaviors: &dyn UpdateBehaviors) -> Vec<PropertyDiff> {
    let object = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for (attribute, (old, new)) in pairs(object(old), object(new)) {
        if attribute != "Properties" {
            leaves(
                &attribute,
                old.as_ref(),
                new.as_ref(),
                UpdateBehavior::InPlace,
                &mut found,
            );
            continue;
        }
        let properties = |value: Option<Value>| value.as_ref().map(object).unwrap_or_default();
        for (property, (old, new)) in pairs(properties(old), properties(new)) {
            let path = format!("Properties/{property}");
            leaves(
                &path,
                old.as_ref(),
                new.as_ref(),
                behaviors.of(resource_type, &property),
                &mut found,
            );
        }
    }
    found
}

/// Goes down into maps and into lists of equal length, so that a difference names the smallest part that differs.
fn leaves(path: &str, old: Option<&Value>, new: Option<&Value>, update: UpdateBehavior, found: &mut Vec<PropertyDiff>) {
    match (old, new) {
        (Some(old), Some(new)) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) if !is_intrinsic(old) && !is_intrinsic(new) => {
            for (key, (old, new)) in pairs(old.clone(), new.clone()) {
                leaves(&format!("{path}/{key}"), old.as_ref(), new.as_ref(), update, found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                leaves(&format!("{path}/{index}"), Some(old), Some(new), update, found);
            }
        }
        (old, new) => {
            found.push(PropertyDiff {
                path: path.to_owned(),
                old: old.cloned(),
                new: new.cloned(),
                update,
                because_of: None,
            });
        }
    }
}

fn is_intrinsic(value: &Map<String, Value>) -> bool {
    value.len() == 1 && value.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

/// A replaced resource gets a new physical id, so every property that refers to it changes too, until nothing more
/// follows.
fn follow_replacements(
    resources: &Map<String, Value>,
    found: &mut BTreeMap<String, ResourceDiff>,
    behaviors: &dyn UpdateBehaviors,
) {
    let replaced = |change: Change| matches!(change, Change::Replace | Change::MayReplace);
    let mut waiting: Vec<String> = found
        .values()
        .filter(|resource| replaced(resource.change))
        .map(|resource| resource.logical_id.clone())
        .collect();
    while let Some(cause) = waiting.pop() {
        let certain = found
            .get(&cause)
            .is_some_and(|resource| resource.change == Change::Replace);
        for (logical_id, resource) in resources.iter().filter(|(logical_id, _)| **logical_id != cause) {
            let resource_type = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
            let properties = resource.get("Properties").and_then(Value::as_object);
            for (property, value) in properties.into_iter().flatten() {
                if !references::any(value, &cause) {
                    continue;
                }
                let update = match behaviors.of(resource_type, property) {
                    UpdateBehavior::Replaces if !certain => UpdateBehavior::MayReplace,
                    update => update,
                };
                let entry = found.entry(logical_id.clone()).or_insert_with(|| ResourceDiff {
                    logical_id: logical_id.clone(),
                    resource_type: resource_type.to_owned(),
                    change: Change::Update,
                    properties: Vec::new(),
                });
                let path = format!("Properties/{property}");
                let known = entry.properties.iter_mut().find(|known| known.path == path);
                let grew = match known {
                    Some(known) if known.update >= update => false,
                    Some(known) => {
                        known.update = update;
                        true
                    }
                    None => {
                        let because_of = Some(cause.clone());
                        let (old, new) = (Some(value.clone()), Some(value.clone()));
                        entry.properties.push(PropertyDiff {
                            path,
                            old,
                            new,
                            update,
                            because_of,
                        });
                        true
                    }
                };
                if grew && matches!(entry.change, Change::Update | Change::MayReplace) {
                    let before = entry.change;
                    entry.change = change_of(&entry.properties);
                    if entry.change != before && replaced(entry.change) {
                        waiting.push(logical_id.clone());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Schema;

    impl UpdateBehaviors for Schema {
        fn of(&self, _: &str, property: &str) -> UpdateBehavior {
            match property {
                "Name" | "VpcId" => UpdateBehavior::Replaces,
                "Engine" => UpdateBehavior::MayReplace,
                _ => UpdateBehavior::InPlace,
            }
        }
    }

    fn changes(old: Value, new: Value) -> Vec<(String, Change)> {
        let differences = diff(&json!({ "Resources": old }), &json!({ "Resources": new }), &Schema);
        differences
            .resources
            .into_iter()
            .map(|resource| (resource.logical_id, resource.change))
            .collect()
    }

    #[test]
    fn the_same_template_differs_in_nothing() {
        let template = json!({ "Resources": { "A": { "Type": "T" } }, "Outputs": { "O": { "Value": 1 } } });
        assert!(diff(&template, &template, &Schema).is_empty());
    }

    #[test]
    fn a_difference_names_the_smallest_part() {
        let with = |value: u32| json!({ "Resources": { "A": { "Type": "T", "Properties": { "E": { "V": { "x": value, "y": 1 } } } } } });
        let differences = diff(&with(1), &with(2), &Schema);
        let property = &differences.resources[0].properties[0];
        assert_eq!(
            (property.path.as_str(), &property.old, &property.new),
            ("Properties/E/V/x", &Some(json!(1)), &Some(json!(2)))
        );
    }

    #[test]
    fn replacement_follows_references_to_the_end() {
        let stack = |name: &str| {
            json!({
                "Vpc": { "Type": "T", "Properties": { "Name": name } },
                "Subnet": { "Type": "T", "Properties": { "VpcId": { "Ref": "Vpc" } } },
                "Group": { "Type": "T", "Properties": { "Subnets": [{ "Fn::GetAtt": ["Subnet", "Id"] }] } },
                "Text": { "Type": "T", "Properties": { "Name": { "Fn::Sub": "x-${Subnet.Arn}-${!Literal}" } } },
                "Other": { "Type": "T", "Properties": { "Name": "o" } }
            })
        };
        assert_eq!(
            changes(stack("a"), stack("b")),
            [
                ("Group".into(), Change::Update),
                ("Subnet".into(), Change::Replace),
                ("Text".into(), Change::Replace),
                ("Vpc".into(), Change::Replace)
            ]
        );
    }

    #[test]
    fn what_may_be_replaced_may_replace_others() {
        let stack = |engine: &str| {
            json!({
                "Db": { "Type": "T", "Properties": { "Engine": engine } },
                "User": { "Type": "T", "Properties": { "Name": { "Ref": "Db" } } }
            })
        };
        assert_eq!(
            changes(stack("a"), stack("b")),
            [("Db".into(), Change::MayReplace), ("User".into(), Change::MayReplace)]
        );
    }

    #[test]
    fn removal_knows_what_is_retained() {
        let old = json!({ "A": { "Type": "T", "DeletionPolicy": "Retain" }, "B": { "Type": "T" } });
        assert_eq!(
            changes(old, json!({ "C": { "Type": "T" } })),
            [
                ("A".into(), Change::Release),
                ("B".into(), Change::Remove),
                ("C".into(), Change::Add)
            ]
        );
    }

    #[test]
    fn another_type_is_a_replacement() {
        assert_eq!(
            changes(json!({ "A": { "Type": "T" } }), json!({ "A": { "Type": "U" } })),
            [("A".into(), Change::Replace)]
        );
    }

    #[test]
    fn a_circle_of_references_ends() {
        let stack = |name: &str| {
            json!({
                "A": { "Type": "T", "Properties": { "Name": [name, { "Ref": "B" }] } },
                "B": { "Type": "T", "Properties": { "Name": { "Ref": "A" } } }
            })
        };
        assert_eq!(
            changes(stack("a"), stack("b")),
            [("A".into(), Change::Replace), ("B".into(), Change::Replace)]
        );
    }
}
