//! Goes down into two values, so that a difference names the smallest part that differs: into maps, into lists by
//! pairing their elements, and into JSON that stands in a text, such as a dashboard's body or a state machine's
//! definition.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::expression::{compact, is_intrinsic};
use super::same::{self, same};
use super::{PropertyDiff, UpdateBehavior, lists, pairs};

/// What a change of a path below the start does.
pub type Behavior<'a> = dyn Fn(&[&str]) -> UpdateBehavior + 'a;

/// What differs, in the order of the paths. `start` stands before each path.
pub fn of(start: &str, old: Option<&Value>, new: Option<&Value>, behavior: &Behavior<'_>) -> Vec<PropertyDiff> {
    let mut walk = Walk {
        start,
        path: Vec::new(),
        behavior,
        found: Vec::new(),
    };
    walk.compare(old, new);
    walk.found
}

/// `DependsOn` is a name or a list of names, in any order.
pub fn dependencies(old: Option<&Value>, new: Option<&Value>, found: &mut Vec<PropertyDiff>) {
    fn names(value: Option<&Value>) -> BTreeMap<String, &Value> {
        let items = match value {
            Some(Value::Array(items)) => items.as_slice(),
            other => other.map(std::slice::from_ref).unwrap_or_default(),
        };
        items.iter().map(|item| (same::key(item), item)).collect()
    }
    let (old, new) = (names(old), names(new));
    let change = |old: Option<&Value>, new: Option<&Value>| PropertyDiff {
        path: "DependsOn".to_owned(),
        old: old.cloned(),
        new: new.cloned(),
        update: UpdateBehavior::InPlace,
        because_of: None,
        certain: true,
    };
    let gone = old.iter().filter(|(key, _)| !new.contains_key(*key));
    found.extend(gone.map(|(_, name)| change(Some(name), None)));
    let came = new.iter().filter(|(key, _)| !old.contains_key(*key));
    found.extend(came.map(|(_, name)| change(None, Some(name))));
}

struct Walk<'a> {
    start: &'a str,
    path: Vec<String>,
    behavior: &'a Behavior<'a>,
    found: Vec<PropertyDiff>,
}

impl Walk<'_> {
    fn compare(&mut self, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (Some(old), Some(new)) if same(old, new) => {}
            (Some(Value::Object(old)), Some(Value::Object(new))) if !is_intrinsic(old) && !is_intrinsic(new) => {
                for (key, (old, new)) in pairs(old, new) {
                    self.below(key.to_owned(), old, new);
                }
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => self.lists(old, new),
            // Policies take one action or a list of them; the one is still there.
            (Some(Value::Array(old)), Some(new)) if old.len() > 1 && old.iter().any(|item| same(item, new)) => {
                self.lists(old, std::slice::from_ref(new));
            }
            (Some(old), Some(Value::Array(new))) if new.len() > 1 && new.iter().any(|item| same(item, old)) => {
                self.lists(std::slice::from_ref(old), new);
            }
            (Some(one), Some(other)) => match (document(one), document(other)) {
                (Some(old_document), Some(new_document)) if !same(&old_document, &new_document) => {
                    self.compare(Some(&old_document), Some(&new_document));
                }
                _ => self.leaf(old, new),
            },
            _ => self.leaf(old, new),
        }
    }

    fn below(&mut self, segment: String, old: Option<&Value>, new: Option<&Value>) {
        self.path.push(segment);
        self.compare(old, new);
        self.path.pop();
    }

    fn lists(&mut self, old: &[Value], new: &[Value]) {
        let before = self.found.len();
        for pair in lists::pairs(old, new) {
            self.below(pair.name, pair.old, pair.new);
        }
        if self.found.len() == before {
            // The same elements in another order.
            let (old, new) = (Value::Array(old.to_vec()), Value::Array(new.to_vec()));
            self.leaf(Some(&old), Some(&new));
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let mut path = self.start.to_owned();
        for segment in &self.path {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(segment);
        }
        let mut segments: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let update = self.strongest(&mut segments, old, new);
        self.found.push(PropertyDiff {
            path,
            old: old.cloned(),
            new: new.cloned(),
            update,
            because_of: None,
            certain: true,
        });
    }

    /// A map that comes or goes as a whole brings what its members do.
    fn strongest<'a>(
        &self,
        segments: &mut Vec<&'a str>,
        old: Option<&'a Value>,
        new: Option<&'a Value>,
    ) -> UpdateBehavior {
        let own = (self.behavior)(segments);
        let none = Map::new();
        let members = |value: Option<&'a Value>| value.and_then(Value::as_object).filter(|map| !is_intrinsic(map));
        let mut strongest = own;
        for (values, others) in [(members(old), members(new)), (members(new), members(old))] {
            for (key, value) in values.into_iter().flatten() {
                let other = others.unwrap_or(&none).get(key);
                if strongest == UpdateBehavior::Replaces {
                    return strongest;
                }
                if !same::optional(Some(value), other) {
                    segments.push(key);
                    strongest = strongest.max(self.strongest(segments, Some(value), None));
                    segments.pop();
                }
            }
        }
        strongest
    }
}

/// JSON in a text, also in one that intrinsic functions put together.
fn document(value: &Value) -> Option<Value> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => match compact(value) {
            Value::String(text) => text,
            _ => return None,
        },
        _ => return None,
    };
    let text = text.trim_start();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let parsed: Value = serde_json::from_str(text).ok()?;
    (parsed.is_object() || parsed.is_array()).then_some(parsed)
}
