//! Serves `GET /analytics/protocol/{protocolId}/performance`: the metrics of one protocol over time, newest first.
//!
//! Reads the table `protocol_performance_metrics`, which the migration of that name makes; writes nothing but the cache.
//! It does not check who asks: API Gateway's authorizer did.
//!
//! The answer:
//! ```json
//! { "protocolId": "uniswap-v3", "count": 1, "performance": [ {
//!   "timestamp": "2025-10-14T00:00:00Z",
//!   "apy": { "7d": 4.1200, "30d": 3.9000, "90d": null, "1y": null },
//!   "users": { "dau": 1200, "wau": 5400, "mau": null },
//!   "revenue": { "daily": 10250.50, "weekly": null, "monthly": null } } ] }
//! ```
//! Rates are percent, revenue is in US dollars; both are written with exactly the digits that the database holds.

mod performance;
mod question;
mod service;

pub use question::{Invalid, Question};
pub use service::Service;
