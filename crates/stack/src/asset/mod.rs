//! Files that a stack needs beside its template: what belongs to them, and fingerprints that say whether they changed.
//!
//! Constructs call [`fingerprint`] while they are built. Nothing here packs or uploads.

pub mod fingerprint;
mod glob;
mod ignore;
mod options;
#[cfg(test)]
mod tests;
pub(crate) mod walk;

pub use options::{AssetOptions, IgnoreMode, SymlinkFollow};
