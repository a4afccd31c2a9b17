//! The hash in the logical id of a function's current version: it changes with what a version freezes, so that
//! CloudFormation publishes a new version then and only then.
//!
//! The order of keys and the choice of properties are those of aws-cdk-lib 2.276 (`aws-lambda/lib/function-hash.js`).

use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::logical_id::{last_characters, md5_hex};
use crate::synthesis::Synthesis;
use crate::tree::NodeId;

/// Length of the part of the logical id that stays in front of the hash.
const KEPT: usize = 223;

/// Properties that come first, in this order; the others follow sorted.
const ORDER: [&str; 24] = [
    "Code",
    "Handler",
    "Role",
    "Runtime",
    "Architectures",
    "CodeSigningConfigArn",
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "FunctionName",
    "ImageConfig",
    "KmsKeyArn",
    "Layers",
    "MemorySize",
    "PackageType",
    "ReservedConcurrentExecutions",
    "RuntimeManagementConfig",
    "SnapStart",
    "Tags",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
];

/// Properties that belong to the function and not to its versions.
const NOT_FROZEN: [&str; 4] = [
    "CodeSigningConfigArn",
    "ReservedConcurrentExecutions",
    "Tags",
    "TenancyConfig",
];

/// The logical id of the current version of `function`, whose resource `version` stands at.
pub(super) fn logical_id(synthesis: &Synthesis<'_>, function: NodeId, version: NodeId) -> Result<String, Error> {
    let base = synthesis.id_from_path(version)?;
    let properties = synthesis.json(function)?;
    let mut properties = match properties {
        Json::Object(mut resource) => match resource.remove("Properties") {
            Some(Json::Object(properties)) => properties,
            _ => Map::new(),
        },
        _ => Map::new(),
    };
    properties.retain(|key, _| !NOT_FROZEN.contains(&key.as_str()));
    properties.values_mut().for_each(Json::sort_all_objects);
    let mut ordered = Map::new();
    for key in ORDER {
        if let Some(value) = properties.remove(key) {
            ordered.insert(key.to_owned(), value);
        }
    }
    let mut rest: Vec<_> = properties.into_iter().collect();
    rest.sort_by(|(a, _), (b, _)| a.cmp(b));
    ordered.extend(rest);
    Ok(format!(
        "{}{}",
        last_characters(&base, KEPT),
        md5_hex(&Json::Object(ordered).to_string())
    ))
}
