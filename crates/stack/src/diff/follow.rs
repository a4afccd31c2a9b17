//! What changes with something else although its own expression stays: a replaced resource gets a new physical id, an
//! attribute may be the property that changed, a mapping or a condition yields another value. Followed until nothing
//! more follows.
//!
//! CloudFormation's change sets also list everything that asks a changed resource for an attribute, as it cannot know
//! the attribute before. That says nothing about most attributes (an ARN stays when a timeout changes), so only an
//! attribute that is named like a property which changed is followed here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value};

use super::references::{Use, uses};
use super::{Change, PropertyDiff, Remains, ResourceDiff, SectionDiff, UpdateBehavior, UpdateBehaviors, change_of};
use super::{same, type_of};

#[derive(Clone, Copy)]
pub struct Templates<'a> {
    pub old: &'a Map<String, Value>,
    pub new: &'a Map<String, Value>,
}

/// Where something is used: the resource and the path below `Properties`.
type Place = (String, Vec<String>);

/// What changed, for those that use it.
enum News {
    Replaced { certain: bool },
    Attribute(String),
}

/// Adds what follows from the differences in `found` and in `sections`.
pub fn causes(
    templates: Templates<'_>,
    resources: &Map<String, Value>,
    sections: &[SectionDiff],
    behaviors: &dyn UpdateBehaviors,
    found: &mut BTreeMap<String, ResourceDiff>,
) {
    let changed_sections = changed_sections(templates, sections);
    let nothing_to_follow = found
        .values()
        .all(|resource| matches!(resource.change, Change::Add | Change::Remove | Change::Release));
    if changed_sections.is_empty() && nothing_to_follow {
        return;
    }
    let mut follower = Follower {
        resources,
        behaviors,
        users: BTreeMap::new(),
        attributes: BTreeMap::new(),
        waiting: VecDeque::new(),
        direct: BTreeSet::new(),
        followed: BTreeMap::new(),
    };
    follower.direct = found
        .values()
        .flat_map(|resource| {
            let paths = resource.properties.iter().map(|property| property.path.clone());
            paths.map(|path| (resource.logical_id.clone(), path))
        })
        .collect();
    let mut from_sections: Vec<(Place, String, bool)> = Vec::new();
    for (logical_id, resource) in resources {
        let is_new = |difference: &ResourceDiff| difference.change == Change::Add || difference.old_type.is_some();
        if found.get(logical_id).is_some_and(is_new) {
            continue;
        }
        if let Some(condition) = resource.get("Condition").and_then(Value::as_str)
            && changed_sections.contains(&format!("Conditions/{condition}"))
        {
            let cause = format!("Conditions/{condition}");
            follower.touch(logical_id, "Condition", UpdateBehavior::InPlace, (&cause, false), found);
        }
        let Some(properties) = resource.get("Properties") else {
            continue;
        };
        for (path, used) in uses(properties) {
            let place = (logical_id.clone(), path);
            let section = match &used {
                Use::Reference(target) => Some((format!("Parameters/{target}"), false)),
                Use::Condition(name) => Some((format!("Conditions/{name}"), false)),
                Use::Mapping(name, keys) => match keys {
                    Some([first, second]) if !templates.maps_another(name, first, second) => None,
                    keys => Some((format!("Mappings/{name}"), keys.is_some())),
                },
                Use::Attribute(..) => None,
            };
            if let Some((cause, certain)) = section
                && changed_sections.contains(&cause)
            {
                from_sections.push((place.clone(), cause, certain));
            }
            match used {
                Use::Attribute(target, attribute) => {
                    follower.users.entry(target.clone()).or_default().insert(place.clone());
                    follower
                        .attributes
                        .entry((target, attribute))
                        .or_default()
                        .insert(place);
                }
                Use::Reference(target) => {
                    follower.users.entry(target).or_default().insert(place);
                }
                Use::Mapping(..) | Use::Condition(_) => {}
            }
        }
    }
    for resource in found.values() {
        follower.tell(resource);
    }
    for (place, cause, certain) in from_sections {
        follower.property(&place, (&cause, certain), found);
    }
    while let Some((cause, news)) = follower.waiting.pop_front() {
        let (places, certain) = match &news {
            News::Replaced { certain } => (follower.users.get(&cause), *certain),
            News::Attribute(name) => (follower.attributes.get(&(cause.clone(), name.clone())), true),
        };
        for place in places.cloned().unwrap_or_default() {
            if place.0 != cause {
                follower.property(&place, (&cause, certain), found);
            }
        }
    }
}

impl Templates<'_> {
    fn maps_another(&self, name: &str, first: &str, second: &str) -> bool {
        let at = |template: &'_ Map<String, Value>| {
            template
                .get("Mappings")
                .and_then(|mappings| mappings.get(name)?.get(first)?.get(second).cloned())
        };
        !same::optional(at(self.old).as_ref(), at(self.new).as_ref())
    }
}

/// `Mappings/Sizes`, `Parameters/Size`, `Conditions/IsProd` that are in both templates and differ, and the conditions
/// that depend on one that does.
fn changed_sections(templates: Templates<'_>, sections: &[SectionDiff]) -> BTreeSet<String> {
    let in_both = sections
        .iter()
        .filter(|section| section.old.is_some() && section.new.is_some());
    let of_interest = in_both.filter(|section| match section.section.as_str() {
        "Mappings" | "Conditions" => true,
        "Parameters" => section
            .parts
            .iter()
            .any(|part| matches!(part.path.as_str(), "Default" | "Type")),
        _ => false,
    });
    let mut changed: BTreeSet<String> = of_interest
        .map(|section| format!("{}/{}", section.section, section.name))
        .collect();
    let conditions = templates.new.get("Conditions").and_then(Value::as_object);
    let uses_of = |condition: &Value| -> Vec<String> {
        let names = uses(condition).into_iter().filter_map(|(_, used)| match used {
            Use::Reference(name) => Some(format!("Parameters/{name}")),
            Use::Condition(name) => Some(format!("Conditions/{name}")),
            Use::Mapping(name, _) => Some(format!("Mappings/{name}")),
            Use::Attribute(..) => None,
        });
        names.collect()
    };
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, condition) in conditions.into_iter().flatten() {
        for used in uses_of(condition) {
            users.entry(used).or_default().push(format!("Conditions/{name}"));
        }
    }
    let mut waiting: Vec<String> = changed.iter().cloned().collect();
    while let Some(cause) = waiting.pop() {
        for user in users.get(&cause).into_iter().flatten() {
            if changed.insert(user.clone()) {
                waiting.push(user.clone());
            }
        }
    }
    changed
}

struct Follower<'a> {
    resources: &'a Map<String, Value>,
    behaviors: &'a dyn UpdateBehaviors,
    /// By logical id, whoever refers to it in any way.
    users: BTreeMap<String, BTreeSet<Place>>,
    attributes: BTreeMap<(String, String), BTreeSet<Place>>,
    waiting: VecDeque<(String, News)>,
    /// Resource and path of what differs by itself.
    direct: BTreeSet<(String, String)>,
    /// Of what follows, the strongest behaviour so far, and where it stands in the resource's properties.
    followed: BTreeMap<(String, String), usize>,
}

impl Follower<'_> {
    /// What others learn of a resource that changes.
    fn tell(&mut self, resource: &ResourceDiff) {
        match resource.change {
            Change::Replace | Change::MayReplace => {
                let certain = resource.change == Change::Replace;
                self.waiting
                    .push_back((resource.logical_id.clone(), News::Replaced { certain }));
            }
            Change::Update | Change::Add | Change::Release | Change::Remove => {}
        }
        if matches!(resource.change, Change::Update | Change::MayReplace) {
            for property in resource
                .properties
                .iter()
                .filter(|property| property.path.starts_with("Properties/"))
            {
                let news = News::Attribute(property.property().to_owned());
                self.waiting.push_back((resource.logical_id.clone(), news));
            }
        }
    }

    fn property(&mut self, place: &Place, cause: (&str, bool), found: &mut BTreeMap<String, ResourceDiff>) {
        let (logical_id, path) = place;
        let segments: Vec<&str> = path.iter().map(String::as_str).collect();
        let resource_type = self.resources.get(logical_id).map(type_of).unwrap_or_default();
        let update = match self.behaviors.of(resource_type, &segments) {
            UpdateBehavior::Replaces if !cause.1 => UpdateBehavior::MayReplace,
            update => update,
        };
        let path = format!("Properties/{}", segments.join("/"));
        self.touch(logical_id, &path, update, cause, found);
    }

    fn touch(
        &mut self,
        logical_id: &str,
        path: &str,
        update: UpdateBehavior,
        (cause, certain): (&str, bool),
        found: &mut BTreeMap<String, ResourceDiff>,
    ) {
        let key = (logical_id.to_owned(), path.to_owned());
        if self.direct.contains(&key) {
            return;
        }
        let resource_type = self.resources.get(logical_id).map(type_of).unwrap_or_default();
        let entry = found.entry(logical_id.to_owned()).or_insert_with(|| ResourceDiff {
            logical_id: logical_id.to_owned(),
            resource_type: resource_type.to_owned(),
            old_type: None,
            change: Change::Update,
            remains: Remains::Nothing,
            properties: Vec::new(),
            looks_like: None,
            old_path: None,
        });
        match self
            .followed
            .get(&key)
            .and_then(|index| entry.properties.get_mut(*index))
        {
            Some(known) if known.update >= update && (known.certain || !certain) => return,
            Some(known) => {
                if update > known.update || certain {
                    known.because_of = Some(cause.to_owned());
                }
                known.update = known.update.max(update);
                known.certain |= certain;
            }
            None => {
                self.followed.insert(key, entry.properties.len());
                let value = self.resources.get(logical_id).and_then(|resource| at(resource, path));
                entry.properties.push(PropertyDiff {
                    path: path.to_owned(),
                    old: value.clone(),
                    new: value,
                    update,
                    because_of: Some(cause.to_owned()),
                    certain,
                });
            }
        }
        let before = entry.change;
        entry.change = change_of(&entry.properties);
        if before != entry.change {
            if let Some(resource) = self.resources.get(logical_id) {
                entry.remains = super::remains(resource, "UpdateReplacePolicy");
            }
            let news = News::Replaced {
                certain: entry.change == Change::Replace,
            };
            self.waiting.push_back((logical_id.to_owned(), news));
        } else if entry.change == Change::Update && path.starts_with("Properties/") {
            let property = path
                .trim_start_matches("Properties/")
                .split('/')
                .next()
                .unwrap_or_default();
            self.waiting
                .push_back((logical_id.to_owned(), News::Attribute(property.to_owned())));
        }
    }
}

/// The value at `Properties/Subnets/[0]`.
fn at(resource: &Value, path: &str) -> Option<Value> {
    path.split('/')
        .try_fold(resource, |value, segment| match value {
            Value::Array(items) => items.get(
                segment
                    .trim_start_matches('[')
                    .trim_end_matches(']')
                    .parse::<usize>()
                    .ok()?,
            ),
            other => other.get(segment),
        })
        .cloned()
}
