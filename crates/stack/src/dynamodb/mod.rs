//! DynamoDB: tables with their indexes, streams, scaling, and who may do what with them.

mod capacity;
mod global_table;
mod reference;
mod scaling;
mod schema;
mod table;

pub use capacity::{Capacity, WarmThroughput};
pub use global_table::{GlobalTable, GlobalTableBuilder, GlobalTableEncryption, Replica};
pub use reference::{Operation, TableReference, TableReferenceBuilder};
pub use scaling::{ScalableCapacity, ScheduledCapacity, Utilization};
pub use schema::{Attribute, GlobalSecondaryIndex, LocalSecondaryIndex, Projection};
pub use table::{
    ContributorInsights, ImportSource, StreamPrecision, StreamView, Table, TableBuilder, TableClass, TableEncryption,
};
