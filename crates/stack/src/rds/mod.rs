//! Relational databases.

mod engine;
mod instance;

pub use engine::{Credentials, Engine, EngineVersion, mysql, postgres};
pub use instance::{DatabaseInstance, DatabaseInstanceBuilder, StorageType};
