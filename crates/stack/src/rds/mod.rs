//! Relational databases: instances, their replicas, and clusters of Aurora.

mod bucket_access;
mod cluster;
mod cluster_builder;
mod cluster_instance;
mod credentials;
mod engine;
mod insights;
mod instance;
mod instance_builder;
mod instance_source;
mod option_group;
mod parameter_group;
mod subnet_group;

pub use cluster::DatabaseCluster;
pub use cluster_builder::{ClusterStorageType, DatabaseClusterBuilder};
pub use cluster_instance::ClusterInstance;
pub use credentials::{Credentials, DatabaseSecret};
pub use engine::{
    ClusterEngine, Engine, EngineVersion, ParameterFamily, aurora_mysql, aurora_postgres, mariadb, mysql, oracle_ee,
    oracle_ee_cdb, oracle_se2, oracle_se2_cdb, postgres, sql_server_ee, sql_server_ex, sql_server_se, sql_server_web,
};
pub use insights::DatabaseInsightsMode;
pub use instance::DatabaseInstance;
pub use instance_builder::{DatabaseInstanceBuilder, StorageType};
pub use instance_source::{Replica, Snapshot, Standalone};
pub use option_group::{DatabaseOption, OptionGroup, OptionGroupBuilder};
pub use parameter_group::{ParameterGroup, ParameterGroupBuilder};
pub use subnet_group::{SubnetGroup, SubnetGroupBuilder};
