//! Functions, their versions and aliases, and who may invoke them.

mod alias;
mod code;
mod destination;
mod event_source;
mod function;
mod layer;
mod permission;
mod url;
mod version_hash;

pub use alias::{Alias, AliasBuilder, Version, VersionBuilder};
pub use code::{Code, Runtime};
pub use destination::Destination;
pub use event_source::{
    EventSource, EventSourceMapping, FailureDestination, SqsEventSource, StartingPosition, StreamEventSource,
};
pub use function::{Architecture, Function, FunctionBuilder, LogFormat, LogLevel, Tracing};
pub use layer::{LayerVersion, LayerVersionBuilder};
pub use permission::{GivenName, Invocable, Permission};
pub use url::{FunctionUrl, FunctionUrlBuilder, UrlCors};
