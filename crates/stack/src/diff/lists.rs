//! Pairs the elements of two lists, so that one that was put in front does not change all the others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::same;

pub struct Pair<'a> {
    /// The segment of the path: `[Owner]` or `[3]`.
    pub name: String,
    pub old: Option<&'a Value>,
    pub new: Option<&'a Value>,
}

/// What names an element, the most telling first. AWS has no word for it; these are the keys of its lists.
const NAMES: [&str; 19] = [
    "Key",
    "Sid",
    "Name",
    "Id",
    "AttributeName",
    "IndexName",
    "ParameterKey",
    "ParameterName",
    "PolicyName",
    "RuleName",
    "DeviceName",
    "ContainerName",
    "VolumeName",
    "DestinationKey",
    "HeaderName",
    "StageName",
    "MetricName",
    "id",
    "name",
];

/// Elements that are not alike are compared with so many others at most.
const MOST_CANDIDATES: usize = 32;

/// The elements that differ, those of the new list first in its order, then those that are gone. Nothing for lists of
/// the same elements in different orders.
pub fn pairs<'a>(old: &'a [Value], new: &'a [Value]) -> Vec<Pair<'a>> {
    match named(old, new) {
        Some(pairs) => pairs,
        None => unnamed(old, new),
    }
}

/// By name, where every element of both lists has one of its own.
fn named<'a>(old: &'a [Value], new: &'a [Value]) -> Option<Vec<Pair<'a>>> {
    let by = |list: &'a [Value], name: &str| -> Option<BTreeMap<String, &'a Value>> {
        let named: Option<Vec<(String, &Value)>> = list
            .iter()
            .map(|item| Some((super::shown(item.get(name)?), item)))
            .collect();
        let map: BTreeMap<String, &Value> = named?.into_iter().collect();
        (map.len() == list.len()).then_some(map)
    };
    if old.is_empty() || new.is_empty() {
        return None;
    }
    NAMES.iter().find_map(|name| {
        let (old_named, new_named) = (by(old, name)?, by(new, name)?);
        let name_of = |item: &Value| super::shown(&item[*name]);
        let kept = new.iter().map(|item| {
            let name = name_of(item);
            Pair {
                old: old_named.get(&name).copied(),
                new: Some(item),
                name: format!("[{name}]"),
            }
        });
        let gone = old.iter().filter_map(|item| {
            let name = name_of(item);
            (!new_named.contains_key(&name)).then(|| Pair {
                name: format!("[{name}]"),
                old: Some(item),
                new: None,
            })
        });
        Some(kept.chain(gone).collect())
    })
}

fn unnamed<'a>(old: &'a [Value], new: &'a [Value]) -> Vec<Pair<'a>> {
    let mut equal: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, item) in old.iter().enumerate().rev() {
        equal.entry(same::key(item)).or_default().push(index);
    }
    let mut waiting_old: BTreeSet<usize> = (0..old.len()).collect();
    let mut waiting_new: Vec<usize> = Vec::new();
    for (index, item) in new.iter().enumerate() {
        match equal.get_mut(&same::key(item)).and_then(Vec::pop) {
            Some(match_) => {
                waiting_old.remove(&match_);
            }
            None => waiting_new.push(index),
        }
    }
    let alone = waiting_old.len() == 1 && waiting_new.len() == 1;
    let mut pairs = Vec::new();
    for index in waiting_new {
        let item = &new[index];
        let candidates = waiting_old.iter().take(MOST_CANDIDATES).copied();
        let nearest = candidates
            .map(|candidate| (likeness(&old[candidate], item), candidate))
            // Of those that are equally like, the one at the nearest place.
            .max_by_key(|(likeness, candidate)| (*likeness, std::cmp::Reverse(candidate.abs_diff(index))));
        let partner = nearest
            .filter(|(likeness, _)| *likeness > 0 || alone)
            .map(|(_, candidate)| candidate);
        if let Some(partner) = partner {
            waiting_old.remove(&partner);
        }
        let old = partner.map(|partner| &old[partner]);
        pairs.push(Pair {
            name: format!("[{index}]"),
            old,
            new: Some(item),
        });
    }
    let gone = waiting_old.into_iter();
    pairs.extend(gone.map(|index| Pair {
        name: format!("[{index}]"),
        old: Some(&old[index]),
        new: None,
    }));
    pairs
}

/// In how many members two maps agree, or two lists in elements; scalars are alike only when they are the same.
fn likeness(old: &Value, new: &Value) -> usize {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => old
            .iter()
            .filter(|(key, value)| new.get(*key).is_some_and(|other| same::same(value, other)))
            .count(),
        (Value::Array(old), Value::Array(new)) => old.iter().zip(new).filter(|(old, new)| same::same(old, new)).count(),
        _ => 0,
    }
}
