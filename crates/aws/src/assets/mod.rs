//! Assets: what a stack needs in S3 before it can be deployed.
//!
//! It reads the manifest that the app wrote beside its templates (the schema of AWS CDK), packs and uploads what is
//! not there yet. It does not hash: an object's key is its content, as the app computed it. The command line calls it
//! before it makes a change set.

mod archive;
mod manifest;
mod publish;

pub use manifest::{AssetManifest, ManifestError, ObjectLocation};
pub use publish::{AssetError, AssetEvent, Published};
