//! The schemas of all resource types as data: what `validate` and `diff` ask, and what the embedded cloud creates
//! resources by. Packed at build time; a service is unpacked when something of it is asked for the first time.
//!
//! Documentation is not in it; the generated types carry it.

mod model;
mod packed {
    include!(concat!(env!("OUT_DIR"), "/packed.rs"));
}

use std::sync::OnceLock;

use packed::PACKED;

pub use model::{
    DefinitionSchema, PropertySchema, PropertyType, Replaces, ResourceSchema, Rules, ServiceSchema, TagsSchema,
};

static UNPACKED: [OnceLock<ServiceSchema>; PACKED.len()] = [const { OnceLock::new() }; PACKED.len()];

/// The schema of a resource type: `AWS::SQS::Queue`. Nothing for types that AWS does not document, such as
/// `Custom::Thing`, and for third-party types of the registry.
#[must_use]
pub fn resource(type_name: &str) -> Option<&'static ResourceSchema> {
    let (namespace, _) = type_name.rsplit_once("::")?;
    service(namespace)?.resources.get(type_name)
}

/// All resource types of a service: `AWS::SQS`.
#[must_use]
pub fn service(namespace: &str) -> Option<&'static ServiceSchema> {
    let index = PACKED.binary_search_by_key(&namespace, |(name, _)| name).ok()?;
    Some(UNPACKED[index].get_or_init(|| unpack(PACKED[index].1)))
}

/// The services there are, sorted: `AWS::SQS`. Unpacks nothing.
pub fn namespaces() -> impl ExactSizeIterator<Item = &'static str> {
    PACKED.iter().map(|(namespace, _)| *namespace)
}

/// Every resource type, sorted by service. Unpacks everything: about 9 MB of JSON without its documentation.
pub fn resources() -> impl Iterator<Item = (&'static str, &'static ResourceSchema)> {
    namespaces()
        .filter_map(service)
        .flat_map(|service| &service.resources)
        .map(|(name, schema)| (name.as_str(), schema))
}

fn unpack(packed: &[u8]) -> ServiceSchema {
    let json = miniz_oxide::inflate::decompress_to_vec(packed).expect("build.rs packed it");
    serde_json::from_slice(&json).expect("build.rs wrote it from the same types")
}
