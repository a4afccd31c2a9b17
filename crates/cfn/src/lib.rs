//! Typed CloudFormation: values, intrinsics, templates and every resource type.
//!
//! The runtime core is small: an [`Expr`] is any template value, a [`Value`] is an `Expr` that is known to yield a
//! certain type, a [`Resource`] is a type name with properties, a [`Template`] is the document. Around it stands one
//! generated builder per resource type, behind a Cargo feature per service.
//!
//! It deliberately knows no construct tree, no file, no network and no clock. References to elements of a tree are
//! opaque [`ElementId`]s until whoever owns the tree (the `stack` crate) turns them into names with [`Expr::resolve`].

mod concat;
mod element;
mod expr;
#[cfg(all(test, feature = "schema-data"))]
mod generated_tests;
mod handle;
mod intrinsic;
pub mod intrinsics;
mod json_text;
mod overrides;
pub mod pseudo;
mod render;
mod resolve;
mod resource;
mod runtime;
#[cfg(feature = "schema-data")]
pub mod schema;
mod tag;
mod template;
mod value;

pub use element::{ElementId, Name, Target};
pub use expr::{Expr, Map};
pub use handle::{Builder, Handle, IntoResource, Provided, ResourceType, Set};
pub use intrinsic::Intrinsic;
pub use overrides::{Override, OverridePath};
pub use resolve::{Reference, Resolver};
pub use resource::{DeletionPolicy, Resource, ResourceOptions, TagShape, TagStyle, TypeInfo};
pub use tag::Tag;
pub use template::{Export, Output, Parameter, Template};
pub use value::{
    Accepts, Condition, FromBool, FromFloat, FromInteger, FromText, Identifier, IntoValue, Json, List, MapOf, Value,
};

include!(concat!(env!("OUT_DIR"), "/services.rs"));
