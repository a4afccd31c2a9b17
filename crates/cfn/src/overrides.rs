//! The escape hatch: replace or delete what stands at a path of a rendered resource, whatever the types say.

use serde_json::{Map as JsonMap, Value as Json};

use crate::expr::Expr;
use crate::resolve::Resolver;

/// One override. Without a value the key is deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    path: OverridePath,
    value: Option<Expr>,
}

/// A path of keys; in a list the key is the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverridePath(Vec<String>);

impl OverridePath {
    /// Splits at dots; `\.` is a dot inside a key.
    #[must_use]
    pub fn parse(path: &str) -> Self {
        let mut keys = vec![String::new()];
        let mut characters = path.chars();
        while let Some(character) = characters.next() {
            let last = keys.len() - 1;
            match character {
                '.' => keys.push(String::new()),
                '\\' => keys[last].extend(characters.next()),
                other => keys[last].push(other),
            }
        }
        Self(keys)
    }
}

impl Override {
    #[must_use]
    pub fn new(path: &str, value: Option<Expr>) -> Self {
        Self {
            path: OverridePath::parse(path),
            value,
        }
    }

    pub(crate) fn resolve<R: Resolver>(self, resolver: &mut R) -> Result<Self, R::Error> {
        Ok(Self {
            path: self.path,
            value: self.value.map(|value| value.resolve(resolver)).transpose()?,
        })
    }

    /// Changes the JSON. What stands in the way of the path and is neither object nor list is replaced by an object;
    /// an index just past the end of a list appends.
    pub(crate) fn apply(&self, json: &mut Json) -> serde_json::Result<()> {
        let value = self.value.as_ref().map(Expr::to_json).transpose()?;
        let Some((last, parents)) = self.path.0.split_last() else {
            return Ok(());
        };
        let mut at = json;
        for key in parents {
            let Some(next) = child(at, key, value.is_some()) else {
                return Ok(());
            };
            at = next;
        }
        match (value, at) {
            (Some(value), at) => {
                if let Some(slot) = child(at, last, true) {
                    *slot = value;
                }
            }
            (None, Json::Object(object)) => {
                object.shift_remove(last);
            }
            (None, Json::Array(items)) => {
                if let Some(index) = last.parse().ok().filter(|index| *index < items.len()) {
                    items.remove(index);
                }
            }
            (None, _) => {}
        }
        Ok(())
    }
}

/// The value under a key, made if wanted.
fn child<'a>(at: &'a mut Json, key: &str, make: bool) -> Option<&'a mut Json> {
    if let Json::Array(items) = at {
        let index: usize = key.parse().ok()?;
        if make && index == items.len() {
            items.push(Json::Null);
        }
        return items.get_mut(index);
    }
    if make && !at.is_object() {
        *at = Json::Object(JsonMap::new());
    }
    let object = at.as_object_mut()?;
    if make {
        Some(object.entry(key).or_insert(Json::Null))
    } else {
        object.get_mut(key)
    }
}
