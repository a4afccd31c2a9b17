//! What every service of the embedded cloud shares: its place on disk and on loopback, its account, its clock.

use std::path::PathBuf;
use std::sync::Arc;

use crate::store::Store;

/// The account that the embedded cloud plays.
pub const ACCOUNT: &str = "000000000000";

/// Reads the time. The embedded cloud's alarms and leases go by it, so tests bring their own.
pub trait Clock: Send + Sync {
    fn now(&self) -> jiff::Timestamp;
}

#[derive(Clone)]
pub struct Context {
    /// One file a service.
    pub store: Store,
    /// For what is not JSON: objects, unpacked function code, the database's cluster.
    pub folder: PathBuf,
    /// Where the cloud listens, for example `http://127.0.0.1:4566`; functions get it as `AWS_ENDPOINT_URL`.
    pub endpoint: String,
    pub region: String,
    pub clock: Arc<dyn Clock>,
}
