//! Files that a stack needs beside its template: fingerprints that say whether they changed, and archives of them.
//!
//! Constructs call [`fingerprint`] while they are built; whoever publishes an assembly calls [`zip`]. Nothing here
//! uploads.

pub mod fingerprint;
#[cfg(feature = "zip")]
pub mod zip;
