//! The change list of a change set: what an execution would do, from what is known before it.
//!
//! Values that depend on resources yet to be made or replaced are not known; AWS calls such changes `Dynamic`. The
//! words and their meaning are those of the API reference of `ResourceChange` and `ResourceTargetDefinition`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use cfn::schema::Replaces;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::blueprint::{Blueprint, Records};
use super::evaluate::{Fault, Lookup, same};
use super::record::{Policy, ResourceRecord};
use super::schema;
use super::template::{Definition, Template, Uses};

/// What happens to a resource, as far as others can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Modified { replacement: Replaces },
    Added,
}

struct Foresight<'a> {
    records: &'a IndexMap<String, ResourceRecord>,
    fates: &'a RefCell<BTreeMap<String, Fate>>,
}

impl Lookup for Foresight<'_> {
    fn reference(&self, id: &str) -> Result<Value, Fault> {
        match self.fates.borrow().get(id) {
            Some(Fate::Added) => Err(Fault::Unknown),
            Some(Fate::Modified { replacement }) if *replacement != Replaces::Never => Err(Fault::Unknown),
            _ => Records(self.records).reference(id),
        }
    }

    fn attribute(&self, id: &str, attribute: &str) -> Result<Value, Fault> {
        match self.fates.borrow().get(id) {
            Some(_) => Err(Fault::Unknown),
            None => Records(self.records).attribute(id, attribute),
        }
    }
}

/// What the plan compares against.
pub struct Current<'a> {
    pub records: &'a IndexMap<String, ResourceRecord>,
    /// The template that made the records.
    pub template: Option<&'a Template>,
    pub tags: &'a [(String, String)],
    /// Parameters whose value is another one now.
    pub changed_parameters: &'a BTreeSet<String>,
}

/// The list of `Change`s, additions and modifications in dependency order, then removals.
pub fn changes(blueprint: &Blueprint, current: &Current<'_>, tags: &[(String, String)]) -> Result<Vec<Value>, String> {
    let fates = RefCell::new(BTreeMap::new());
    let mut changes = Vec::new();
    for id in blueprint.in_order() {
        let definition = &blueprint.template.resources[&id];
        let Some(record) = current.records.get(&id) else {
            fates.borrow_mut().insert(id.clone(), Fate::Added);
            changes.push(change(json!({
                "Action": "Add", "LogicalResourceId": id, "ResourceType": definition.resource_type, "Scope": [], "Details": [],
            })));
            continue;
        };
        let foresight = Foresight {
            records: current.records,
            fates: &fates,
        };
        let old = current.template.and_then(|template| template.resources.get(&id));
        let mut details = details(blueprint, &foresight, definition, old, record, current)?;
        let retagged = current.tags != tags && schema::takes_tags(&definition.resource_type);
        if retagged && !details.iter().any(|detail| detail.attribute == "Tags") {
            details.push(Detail::of_attribute("Tags"));
        }
        if details.is_empty() {
            continue;
        }
        let replacement = details.iter().map(Detail::replacement).max().unwrap_or_default();
        fates.borrow_mut().insert(id.clone(), Fate::Modified { replacement });
        let scope: BTreeSet<&str> = details.iter().map(|detail| detail.attribute).collect();
        let details: Vec<Value> = details.iter().map(Detail::to_value).collect();
        let mut modified = json!({
            "Action": "Modify", "LogicalResourceId": id, "PhysicalResourceId": record.physical_id,
            "ResourceType": definition.resource_type, "Replacement": word(replacement, "True", "Conditional", "False"),
            "Scope": scope, "Details": details,
        });
        if replacement != Replaces::Never {
            modified["PolicyAction"] = json!(match definition.update_replace_policy {
                Policy::Delete => "ReplaceAndDelete",
                Policy::Retain | Policy::RetainExceptOnCreate => "ReplaceAndRetain",
                Policy::Snapshot => "ReplaceAndSnapshot",
            });
        }
        changes.push(change(modified));
    }
    for (id, record) in current.records.iter().filter(|(id, _)| !blueprint.is_wanted(id)) {
        let policy = match record.deletion_policy {
            Policy::Delete => "Delete",
            Policy::Retain | Policy::RetainExceptOnCreate => "Retain",
            Policy::Snapshot => "Snapshot",
        };
        changes.push(change(json!({
            "Action": "Remove", "PolicyAction": policy, "LogicalResourceId": id, "PhysicalResourceId": record.physical_id,
            "ResourceType": record.resource_type, "Scope": [], "Details": [],
        })));
    }
    Ok(changes)
}

fn change(resource: Value) -> Value {
    json!({"Type": "Resource", "ResourceChange": resource})
}

fn word(replaces: Replaces, always: &'static str, conditionally: &'static str, never: &'static str) -> &'static str {
    match replaces {
        Replaces::Always => always,
        Replaces::Conditionally => conditionally,
        Replaces::Never => never,
    }
}

struct Detail {
    /// `Properties`, `Tags`, `Metadata`, `DeletionPolicy` or `UpdateReplacePolicy`.
    attribute: &'static str,
    name: Option<String>,
    recreation: Replaces,
    is_static: bool,
    source: &'static str,
    cause: Option<String>,
}

impl Detail {
    /// A change of an attribute as a whole.
    fn of_attribute(attribute: &'static str) -> Self {
        let (recreation, source) = (Replaces::Never, "DirectModification");
        Self {
            attribute,
            name: None,
            recreation,
            is_static: true,
            source,
            cause: None,
        }
    }

    /// A replacement is certain only where the change is.
    fn replacement(&self) -> Replaces {
        if self.is_static {
            self.recreation
        } else {
            self.recreation.min(Replaces::Conditionally)
        }
    }

    fn to_value(&self) -> Value {
        let mut target = json!({
            "Attribute": self.attribute,
            "RequiresRecreation": word(self.recreation, "Always", "Conditionally", "Never"),
        });
        if let Some(name) = &self.name {
            target["Name"] = json!(name);
        }
        let evaluation = if self.is_static { "Static" } else { "Dynamic" };
        let mut value = json!({"Target": target, "Evaluation": evaluation, "ChangeSource": self.source});
        if let Some(cause) = &self.cause {
            value["CausingEntity"] = json!(cause);
        }
        value
    }
}

fn details(
    blueprint: &Blueprint,
    foresight: &Foresight<'_>,
    definition: &Definition,
    old: Option<&Definition>,
    record: &ResourceRecord,
    current: &Current<'_>,
) -> Result<Vec<Detail>, String> {
    let mut details = Vec::new();
    let resource_type = &definition.resource_type;
    let names: BTreeSet<&String> = definition.properties.keys().chain(record.properties.keys()).collect();
    let scope = blueprint.scope(foresight);
    for name in names {
        let written = definition.properties.get(name);
        let value = match written.map(|value| scope.value(value)) {
            Some(Ok(value)) => Some(value),
            None => Some(None),
            Some(Err(Fault::Unknown)) => None,
            Some(Err(Fault::Wrong(message))) => return Err(message),
        };
        let before = record.properties.get(name);
        let attribute = if name == "Tags" { "Tags" } else { "Properties" };
        let detail = |recreation, is_static, source, cause| Detail {
            attribute,
            name: (attribute == "Properties").then(|| name.clone()),
            recreation,
            is_static,
            source,
            cause,
        };
        let before_written = old.and_then(|old| old.properties.get(name));
        let rewritten = old.is_some() && before_written != written;
        match &value {
            Some(value) if same_property(value.as_ref(), before) => {}
            Some(value) => {
                let recreation = schema::replaces_by(resource_type, name, before, value.as_ref());
                let uses = written.map(Uses::of).unwrap_or_default();
                let parameters: Vec<String> = uses
                    .references
                    .intersection(current.changed_parameters)
                    .cloned()
                    .collect();
                if rewritten || parameters.is_empty() {
                    details.push(detail(recreation, true, "DirectModification", None));
                } else {
                    details.extend(
                        parameters
                            .into_iter()
                            .map(|cause| detail(recreation, true, "ParameterReference", Some(cause))),
                    );
                }
            }
            None => {
                let recreation = schema::replaces(resource_type, name);
                let uses = written.map(Uses::of).unwrap_or_default();
                let fates = foresight.fates.borrow();
                for (id, attribute) in uses.attributes.iter().filter(|(id, _)| fates.contains_key(id)) {
                    details.push(detail(
                        recreation,
                        false,
                        "ResourceAttribute",
                        Some(format!("{id}.{attribute}")),
                    ));
                }
                let moved = |id: &&String| {
                    !matches!(
                        fates.get(*id),
                        None | Some(Fate::Modified {
                            replacement: Replaces::Never
                        })
                    )
                };
                for id in uses.references.iter().filter(moved) {
                    details.push(detail(recreation, false, "ResourceReference", Some(id.clone())));
                }
                if rewritten {
                    details.push(detail(recreation, true, "DirectModification", None));
                }
            }
        }
    }
    if record.resource_type != *resource_type {
        details.push(Detail {
            recreation: Replaces::Always,
            ..Detail::of_attribute("Properties")
        });
    }
    if definition.metadata != record.metadata {
        details.push(Detail::of_attribute("Metadata"));
    }
    if definition.deletion_policy != record.deletion_policy {
        details.push(Detail::of_attribute("DeletionPolicy"));
    }
    if definition.update_replace_policy != record.update_replace_policy {
        details.push(Detail::of_attribute("UpdateReplacePolicy"));
    }
    Ok(details)
}

pub fn same_property(new: Option<&Value>, old: Option<&Value>) -> bool {
    match (new, old) {
        (Some(new), Some(old)) => same(new, old),
        (None, None) => true,
        _ => false,
    }
}

pub fn same_properties(new: &Map<String, Value>, old: &Map<String, Value>) -> bool {
    let names: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
    names
        .into_iter()
        .all(|name| same_property(new.get(name), old.get(name)))
}
