//! Typed CloudFormation: values, intrinsics, templates and every resource type.
//!
//! The runtime core is small: an [`Expr`] is any template value, a [`Value`] is an `Expr` that is known to yield a
//! certain type, a [`Resource`] is a type name with properties, a [`Template`] is the document. Around it stands one
//! generated builder per resource type, behind a Cargo feature per service.
//!
//! It deliberately knows no construct tree, no file, no network and no clock. References to elements of a tree are
//! opaque [`ElementId`]s until whoever owns the tree (the `stack` crate) turns them into names with [`Expr::resolve`].
//!
//! ```
//! use cfn::{ElementId, Handle, IntoResource, lambda, lambda::function, iam, sqs};
//!
//! // Whoever owns the tree hands out handles when a resource is added.
//! let role: Handle<iam::Role> = Handle::new(ElementId::new(1));
//! let queue: Handle<sqs::Queue> = Handle::new(ElementId::new(2));
//!
//! let function = lambda::Function::new()
//!     .role(role.arn()) // required; a `queue.arn()` does not compile here
//!     .code(function::Code::new().s3_bucket("assets").s3_key("function.zip")) // required
//!     .runtime(function::Runtime::PROVIDED_AL2023)
//!     .timeout(30)
//!     .environment(function::Environment::new().variables([("QUEUE", queue.queue_url())]));
//! let resource = function.into_resource();
//! assert_eq!(resource.type_name, "AWS::Lambda::Function");
//! ```
//!
//! Properties that the schema does not know are set with [`Builder::property`]; a value whose type does not show what it
//! is, such as a composed ARN, is stated with [`Value::cast`]; [`Resource::override_at`] overrules everything.

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
