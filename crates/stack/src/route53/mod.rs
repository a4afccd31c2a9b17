//! DNS: hosted zones, the records in them, and health checks that records depend on.
//!
//! Records that delete what was there before them, and delegation across accounts, need code that runs at deployment
//! and are not offered.

mod delegation;
mod dnssec;
mod health_check;
mod location;
mod record_set;
mod records;
mod target;
mod website;
mod zone;

pub use health_check::{HealthCheck, HealthCheckBuilder, HealthCheckType, InsufficientData};
pub use location::{Continent, GeoLocation};
pub use record_set::{Failover, RecordSet, RecordSetBuilder, RecordType};
pub use records::{
    ARecord, AaaaRecord, CaaRecord, CaaTag, CaaValue, CnameRecord, DsRecord, HttpsRecord, MxRecord, NsRecord,
    SrvRecord, SrvValue, SvcbRecord, SvcbValue, TxtRecord, ZoneDelegationRecord,
};
pub use target::RecordTarget;
pub(crate) use website::of_region as website_of_region;
pub use zone::{HostedZone, PrivateHostedZone, PublicHostedZone, PublicHostedZoneBuilder, ZoneBuilder};
