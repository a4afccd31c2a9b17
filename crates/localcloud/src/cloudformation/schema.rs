//! What the schema of a resource type says about a change. For a type without a schema a change never replaces.

use cfn::schema::{self, PropertyType, Replaces, ResourceSchema};
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
    match schema.properties.get(property) {
        _ if below.any(changed) => Replaces::Always,
        Some(property) => property.replaces.max(replaces_within(schema, &property.kind, old, new)),
        None => Replaces::Never,
    }
}

/// What the nested properties do that differ; elements of lists are compared place by place.
fn replaces_within(schema: &ResourceSchema, kind: &PropertyType, old: Option<&Value>, new: Option<&Value>) -> Replaces {
    let differ = |old: Option<&Value>, new: Option<&Value>| match (old, new) {
        (Some(old), Some(new)) => !same(old, new),
        (old, new) => old.is_some() != new.is_some(),
    };
    if !differ(old, new) {
        return Replaces::Never;
    }
    let member = |value: Option<&'_ Value>, key: &str| value.and_then(|value| value.get(key)).cloned();
    match kind {
        PropertyType::Definition(name) => {
            let properties = schema.types.get(name).into_iter().flat_map(|kind| &kind.properties);
            let changed = properties.map(|(key, property)| {
                let (old, new) = (member(old, key), member(new, key));
                if differ(old.as_ref(), new.as_ref()) {
                    property
                        .replaces
                        .max(replaces_within(schema, &property.kind, old.as_ref(), new.as_ref()))
                } else {
                    Replaces::Never
                }
            });
            changed.max().unwrap_or_default()
        }
        PropertyType::List(item) => {
            let items = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
            let (old, new) = (items(old), items(new));
            let places = 0..old.len().max(new.len());
            let changed = places.map(|at| replaces_within(schema, item, old.get(at), new.get(at)));
            changed.max().unwrap_or_default()
        }
        PropertyType::Map(item) => {
            let keys = [old, new]
                .into_iter()
                .flatten()
                .filter_map(Value::as_object)
                .flat_map(Map::keys);
            let changed =
                keys.map(|key| replaces_within(schema, item, member(old, key).as_ref(), member(new, key).as_ref()));
            changed.max().unwrap_or_default()
        }
        PropertyType::Union(kinds) => kinds
            .iter()
            .map(|kind| replaces_within(schema, kind, old, new))
            .max()
            .unwrap_or_default(),
        _ => Replaces::Never,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_nested_property_may_replace_alone() {
        let by =
            |kind: &str, property: &str, old: Value, new: Value| replaces_by(kind, property, Some(&old), Some(&new));
        let dns = |name: &str, value: &str| json!({ name: value, "Other": 1 });
        let endpoint = |old: Value, new: Value| by("AWS::EC2::VPCEndpoint", "DnsOptions", old, new);
        let preference = "PrivateDnsPreference";
        assert_eq!(endpoint(dns(preference, "a"), dns(preference, "b")), Replaces::Always);
        assert_eq!(endpoint(dns(preference, "a"), json!({})), Replaces::Always);
        assert_eq!(
            endpoint(dns("DnsRecordIpType", "a"), dns("DnsRecordIpType", "b")),
            Replaces::Never
        );
        let owner = |id: &str| json!({ "OwnerGid": id });
        assert_eq!(
            by("AWS::EFS::AccessPoint", "CreationInfo", owner("1"), owner("2")),
            Replaces::Always
        );
        assert_eq!(
            by(
                "AWS::EFS::AccessPoint",
                "CreationInfo",
                owner("1"),
                json!({ "OwnerGid": 1 })
            ),
            Replaces::Never
        );
    }
}
