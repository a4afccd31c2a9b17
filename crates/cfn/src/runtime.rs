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

/// Not generic over the setter, so that each instantiation of a setter stays a few instructions.
#[allow(dead_code, reason = "no service may be enabled")]
pub(crate) fn set<T>(properties: &mut Map, key: &'static str, value: Value<T>) {
    properties.insert(key, value.into_expr());
}
