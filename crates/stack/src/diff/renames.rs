//! A resource that goes and an equal one that comes: most likely a construct that was moved or renamed, which would cost
//! the resource and what it holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::same;
use super::{Change, ResourceDiff, type_of};

/// Resources that refer to each other are found one after the other; so many times they are looked at.
const ROUNDS: usize = 4;

/// Marks pairs of the same type with equal properties, where there is no second candidate on either side.
pub fn mark(old: &Map<String, Value>, new: &Map<String, Value>, found: &mut BTreeMap<String, ResourceDiff>) {
    let ids = |wanted: fn(Change) -> bool| -> Vec<String> {
        let resources = found.values().filter(|resource| wanted(resource.change));
        resources.map(|resource| resource.logical_id.clone()).collect()
    };
    let mut gone = ids(|change| matches!(change, Change::Remove | Change::Release));
    let mut came = ids(|change| change == Change::Add);
    if gone.is_empty() || came.is_empty() {
        return;
    }
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let by_shape = |ids: &[String], template: &Map<String, Value>, renamed: &BTreeMap<String, String>| {
            let mut shapes: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for id in ids {
                let Some(resource) = template.get(id) else { continue };
                let properties = resource.get("Properties").cloned().unwrap_or_default();
                let shape = same::key(&with_new_names(&properties, renamed));
                shapes
                    .entry(format!("{} {shape}", type_of(resource)))
                    .or_default()
                    .push(id.clone());
            }
            shapes
        };
        let (old_shapes, new_shapes) = (by_shape(&gone, old, &renamed), by_shape(&came, new, &BTreeMap::new()));
        let before = renamed.len();
        for (shape, olds) in &old_shapes {
            if let ([old], Some([new])) = (olds.as_slice(), new_shapes.get(shape).map(Vec::as_slice)) {
                renamed.insert(old.clone(), new.clone());
            }
        }
        if renamed.len() == before {
            break;
        }
        gone.retain(|id| !renamed.contains_key(id));
        let taken: BTreeSet<&String> = renamed.values().collect();
        came.retain(|id| !taken.contains(id));
    }
    for (old, new) in renamed {
        let old_path = found.get(&old).and_then(|resource| resource.old_path.clone());
        if let Some(resource) = found.get_mut(&old) {
            resource.looks_like = Some(new.clone());
        }
        if let Some(resource) = found.get_mut(&new) {
            resource.looks_like = Some(old);
            resource.old_path = old_path;
        }
    }
}

/// The value with references to renamed resources as the new template writes them.
fn with_new_names(value: &Value, renamed: &BTreeMap<String, String>) -> Value {
    let new_name = |text: &String| renamed.get(text).unwrap_or(text).clone();
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| with_new_names(item, renamed)).collect()),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, inner)| {
                let inner = match (key.as_str(), inner) {
                    ("Ref", Value::String(target)) => Value::String(new_name(target)),
                    ("Fn::GetAtt", Value::Array(parts)) => match parts.as_slice() {
                        [Value::String(target), attribute] => {
                            Value::Array(vec![Value::String(new_name(target)), attribute.clone()])
                        }
                        _ => inner.clone(),
                    },
                    _ => with_new_names(inner, renamed),
                };
                (key.clone(), inner)
            });
            Value::Object(entries.collect())
        }
        other => other.clone(),
    }
}
