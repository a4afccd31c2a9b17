//! What Lambda keeps between commands, as it stands in `lambda.json`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::mappings::Mapping;

pub(crate) const LATEST: &str = "$LATEST";

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// By name.
    pub functions: BTreeMap<String, Function>,
    /// By layer name, then by version; each as the API describes it.
    #[serde(default)]
    pub layers: BTreeMap<String, BTreeMap<u64, Value>>,
    /// Event source mappings by UUID.
    #[serde(default)]
    pub mappings: BTreeMap<String, Mapping>,
}

impl State {
    /// What all functions together keep from the account's concurrency.
    pub fn reserved_concurrency(&self) -> u32 {
        let functions = self.functions.values();
        functions.filter_map(|function| function.reserved_concurrency).sum()
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Function {
    pub latest: Arc<Version>,
    pub versions: BTreeMap<u64, Arc<Version>>,
    /// Numbers are never used twice, even when versions are deleted.
    pub last_version: u64,
    pub aliases: BTreeMap<String, Alias>,
    /// By qualifier; the empty one is the function's own.
    pub policies: BTreeMap<String, Policy>,
    pub reserved_concurrency: Option<u32>,
    pub tags: BTreeMap<String, String>,
    /// By qualifier, as the API describes them.
    #[serde(default)]
    pub event_invoke_configs: BTreeMap<String, Map<String, Value>>,
}

/// One version, or what is to become one (`$LATEST`).
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    pub function: String,
    /// `$LATEST` or a number.
    pub version: String,
    pub configuration: Configuration,
    /// Given when the version was published; else the configuration's own description holds.
    pub description: Option<String>,
    pub code: Code,
    pub revision_id: String,
    /// Epoch milliseconds.
    pub last_modified: i64,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Code {
    /// Base64 of the SHA-256 of the zip, as AWS gives it; empty for images.
    pub sha256: String,
    /// Bytes of the zip.
    pub size: u64,
    /// Name of the folder that holds the unpacked zip.
    pub folder: String,
    pub image_uri: Option<String>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Configuration {
    pub runtime: Option<String>,
    pub handler: Option<String>,
    pub role: String,
    pub description: String,
    pub timeout_seconds: u32,
    pub memory_megabytes: u32,
    pub environment: BTreeMap<String, String>,
    pub architectures: Vec<String>,
    pub package_type: String,
    /// Members that are kept and described, and change nothing here: `VpcConfig`, `TracingConfig`, …
    pub further: Map<String, Value>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub name: String,
    pub function_version: String,
    pub description: String,
    /// Share of the traffic, 0 to 1, of the one further version.
    pub additional_version: Option<(String, f64)>,
    pub revision_id: String,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub revision_id: String,
    /// IAM statements.
    pub statements: Vec<Value>,
}
