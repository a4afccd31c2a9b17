//! What the schema of a resource type says about a change. For a type without a schema a change never replaces.

use cfn::schema::{self, Replaces};
use serde_json::{Map, Value};

use super::evaluate::same;

/// Whether a change of a property replaces the resource.
pub fn replaces(resource_type: &str, property: &str) -> Replaces {
    let schema = schema::resource(resource_type);
    schema
        .and_then(|schema| schema.properties.get(property))
        .map(|property| property.replaces)
        .unwrap_or_default()
}

/// As [`replaces`], for known values: also what a change below the property does.
pub fn replaces_by(resource_type: &str, property: &str, old: Option<&Value>, new: Option<&Value>) -> Replaces {
    let Some(schema) = schema::resource(resource_type) else {
        return Replaces::Never;
    };
    let below = schema
        .replacement_paths
        .iter()
        .filter_map(|path| path.strip_prefix(property)?.strip_prefix('/'));
    let changed = |path: &str| match (old.and_then(|old| at(old, path)), new.and_then(|new| at(new, path))) {
        (Some(old), Some(new)) => !same(old, new),
        (old, new) => old.is_some() != new.is_some(),
    };
    let mut below = below;
    if below.any(changed) {
        Replaces::Always
    } else {
        replaces(resource_type, property)
    }
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').try_fold(value, |value, key| value.get(key))
}

/// The name that the template gives a resource and that is all its identity, when a replacement would keep it.
pub fn kept_name(resource_type: &str, old: &Map<String, Value>, new: &Map<String, Value>) -> Option<String> {
    let schema = schema::resource(resource_type)?;
    let kept = |name: &String| {
        let value = new.get(name)?;
        old.get(name)
            .is_some_and(|old| same(old, value))
            .then(|| crate::members::scalar(value))
            .flatten()
    };
    let parts: Option<Vec<String>> = schema.primary_identifier.iter().map(kept).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("|"))
}

/// Whether the type takes tags, and so the stack's.
pub fn takes_tags(resource_type: &str) -> bool {
    schema::resource(resource_type).is_some_and(|schema| schema.tags.is_some())
}

/// What a resource is called whose provider never answered: its name where it has one.
pub fn guessed_id(resource_type: &str, properties: &Map<String, Value>, generated_name: &str) -> String {
    let identifier = schema::resource(resource_type).and_then(|schema| match schema.primary_identifier.as_slice() {
        [name] => Some(name.clone()),
        _ => None,
    });
    let own = resource_type.rsplit("::").next().map(|kind| format!("{kind}Name"));
    let named = [identifier, own]
        .into_iter()
        .flatten()
        .find_map(|name| properties.get(&name).and_then(crate::members::scalar));
    named.unwrap_or_else(|| generated_name.to_owned())
}
