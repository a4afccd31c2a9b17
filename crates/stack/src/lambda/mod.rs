//! Functions, their versions and aliases, and who may invoke them.

mod alias;
mod code;
mod function;
mod permission;
mod version_hash;

pub use alias::{Alias, AliasBuilder, Version, VersionBuilder};
pub use code::{Code, Runtime};
pub use function::{Architecture, Function, FunctionBuilder, LogFormat, LogLevel, Tracing};
pub use permission::{GivenName, Invocable, Permission};
