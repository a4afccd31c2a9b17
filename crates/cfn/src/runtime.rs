//! The names that generated code uses, so that it cannot collide with nested types called `String` or `Value`.

#![allow(unused_imports, reason = "how much is used depends on the enabled services")]

pub(crate) use std::marker::PhantomData;
pub(crate) use std::string::String;

pub(crate) use crate::expr::{Expr, Map};
pub(crate) use crate::handle::{Builder, Handle, IntoResource, Provided, ResourceType, Set};
pub(crate) use crate::resource::{Resource, TagShape, TagStyle, TypeInfo};
pub(crate) use crate::tag::Tag;
pub(crate) use crate::value::{Accepts, Identifier, IntoValue, Json, List, MapOf, Value};
pub(crate) use crate::{id, missing};

/// What is set, and which required properties are.
pub struct Properties<S> {
    map: Map,
    state: PhantomData<fn() -> S>,
}

#[allow(dead_code, reason = "no service may be enabled")]
impl<S> Properties<S> {
    pub(crate) const fn new() -> Self {
        Self {
            map: Map::new(),
            state: PhantomData,
        }
    }

    pub(crate) fn map_mut(&mut self) -> &mut Map {
        &mut self.map
    }

    pub(crate) fn into_map(self) -> Map {
        self.map
    }
}

/// Sets a property; the caller's return type says which state that leads to. Every setter is one call of this, which
/// is what keeps compiling many thousands of them cheap.
#[allow(dead_code, reason = "no service may be enabled")]
#[inline]
pub(crate) fn put<T, S, N>(properties: Properties<S>, key: &'static str, value: impl IntoValue<T>) -> Properties<N> {
    let mut map = properties.map;
    map.insert(key, value.into_value().into_expr());
    Properties {
        map,
        state: PhantomData,
    }
}
