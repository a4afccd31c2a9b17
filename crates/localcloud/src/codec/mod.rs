//! The one codec of all wire protocols: it turns an HTTP request into an operation and a plain value by the names of
//! the service's model, refuses input that the model refuses, and encodes answers and errors the same way back.
//!
//! It knows no service by heart beyond what the models (see `models/`) leave out: that table is [`quirks`]. Signatures
//! are not checked: every caller on loopback is the account's owner. The server is its only caller.

mod cbor;
mod chunked;
mod encode;
mod failure;
mod json;
mod leaf;
mod model;
mod query;
mod quirks;
mod request;
mod rest;
mod route;
mod validate;
mod xml;

pub use encode::encode;
pub use failure::encode_failure;
pub use leaf::seconds;
pub use request::{Call, Refusal, decode};

/// How a request was spoken, and so how its answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Query,
    /// `application/x-amz-json-1.0` or `-1.1`: the minor version.
    Json(u8),
    RestJson,
    RestXml,
    Cbor,
}
