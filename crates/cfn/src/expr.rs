//! The untyped value tree that everything ends in: JSON plus intrinsic functions.
//!
//! It is kept compact (32 bytes a node, rarities boxed) because a large app holds millions of them.

use crate::element::{ElementId, Name, Target};
use crate::intrinsic::Intrinsic;
use crate::value::Value;

/// Any value of a template, before or after references are resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Expr {
    #[default]
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Name),
    List(Vec<Expr>),
    Map(Map),
    /// `Ref`.
    Ref(Target),
    /// The logical id of an element as text, for places that name it instead of referring to it (`Fn::FindInMap`).
    LogicalId(ElementId),
    Intrinsic(Box<Intrinsic>),
}

impl Expr {
    pub fn text(text: impl Into<Name>) -> Self {
        Self::Text(text.into())
    }

    pub fn list(items: impl IntoIterator<Item = impl Into<Expr>>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    pub fn map<K: Into<Name>, V: Into<Expr>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(entries.into_iter().collect())
    }

    /// `Ref` of a target.
    pub fn reference(target: impl Into<Target>) -> Self {
        Self::Ref(target.into())
    }

    /// `Fn::GetAtt` of a target; a dotted attribute is one name: `Endpoint.Address`.
    pub fn get_att(target: impl Into<Target>, attribute: impl Into<Name>) -> Self {
        Intrinsic::GetAtt {
            target: target.into(),
            attribute: attribute.into(),
        }
        .into()
    }

    /// States that this expression yields a `T`. Nothing checks it: that is what the word in the source is for.
    #[must_use]
    pub fn cast<T>(self) -> Value<T> {
        Value::from_expr(self)
    }

    /// The text, if this is a literal text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_list(&self) -> Option<&[Expr]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// Whether the value is known without a deployment: no reference and no intrinsic anywhere in it.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::Float(_) | Self::Text(_) => true,
            Self::List(items) => items.iter().all(Self::is_literal),
            Self::Map(map) => map.iter().all(|(_, value)| value.is_literal()),
            Self::Ref(_) | Self::LogicalId(_) | Self::Intrinsic(_) => false,
        }
    }
}

/// A map that keeps the order of insertion. Lookup is linear: property maps are short.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(Vec<(Name, Expr)>);

impl Map {
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Expr> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Expr> {
        self.0.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Sets a key; a key that is there keeps its place. Returns the value it had.
    pub fn insert(&mut self, key: impl Into<Name>, value: impl Into<Expr>) -> Option<Expr> {
        let key = key.into();
        let value = value.into();
        if let Some(slot) = self.get_mut(&key) {
            return Some(std::mem::replace(slot, value));
        }
        self.0.push((key, value));
        None
    }

    /// The value of a key, an empty map where there was none.
    pub fn entry(&mut self, key: impl Into<Name>) -> &mut Expr {
        let key = key.into();
        let position = self.0.iter().position(|(name, _)| *name == key).unwrap_or_else(|| {
            self.0.push((key, Expr::Map(Map::new())));
            self.0.len() - 1
        });
        &mut self.0[position].1
    }

    pub fn remove(&mut self, key: &str) -> Option<Expr> {
        let position = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(position).1)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Expr)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Expr)> {
        self.0.iter_mut().map(|(key, value)| (&**key, value))
    }

    pub fn sort_keys(&mut self) {
        self.0.sort_by(|left, right| left.0.cmp(&right.0));
    }
}

impl IntoIterator for Map {
    type Item = (Name, Expr);
    type IntoIter = std::vec::IntoIter<(Name, Expr)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Into<Name>, V: Into<Expr>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Into<Name>, V: Into<Expr>> Extend<(K, V)> for Map {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl From<Intrinsic> for Expr {
    fn from(intrinsic: Intrinsic) -> Self {
        Self::Intrinsic(Box::new(intrinsic))
    }
}

impl From<Map> for Expr {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<&'static str> for Expr {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Expr {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Name> for Expr {
    fn from(text: Name) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Expr {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for Expr {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u32> for Expr {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<i64> for Expr {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Expr {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl<T: Into<Expr>> From<Vec<T>> for Expr {
    fn from(items: Vec<T>) -> Self {
        Self::list(items)
    }
}

impl<T> From<Value<T>> for Expr {
    fn from(value: Value<T>) -> Self {
        value.into_expr()
    }
}

impl From<serde_json::Value> for Expr {
    /// Literal JSON: an object that looks like an intrinsic stays a map and renders the same.
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::Integer(integer),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Self::Text(text.into()),
            serde_json::Value::Array(items) => Self::list(items),
            serde_json::Value::Object(entries) => Self::map(entries),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_stays_small() {
        assert!(size_of::<Expr>() <= 32, "{} bytes", size_of::<Expr>());
        assert!(size_of::<Target>() <= 24, "{} bytes", size_of::<Target>());
    }

    #[test]
    fn a_map_keeps_the_order_of_insertion() {
        let mut map: Map = [("b", 1), ("a", 2)].into_iter().collect();
        assert_eq!(map.insert("b", 3), Some(Expr::Integer(1)));
        assert_eq!(map.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(map.remove("b"), Some(Expr::Integer(3)));
        assert_eq!(map.get("b"), None);
    }
}
