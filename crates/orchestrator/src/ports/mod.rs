//! The traits through which a rollout acts on the world. `crates/aws` implements them; tests have them in memory.
//!
//! Common to all: a method that changes something either says that it happened, or says with a [`PortErrorKind`] what
//! is known. A lost response is [`PortErrorKind::Ambiguous`], never a plain failure: the caller then observes before it
//! does anything again. Adapters may retry reads; they never retry a change whose outcome they do not know.

mod checks;
mod clock;
mod error;
mod infrastructure;
mod metrics;
mod migrations;
mod slots;
mod smoke;
mod traffic;

pub use checks::{CheckAnswer, CheckContext, Checks};
pub use clock::Clock;
pub use error::{PortError, PortErrorKind};
pub use infrastructure::{Deployed, Infrastructure, InfrastructureProgress, ProgressSink};
pub use metrics::{
    AlarmName, AlarmObservation, AlarmState, Datapoint, FunctionMetric, MetricQuery, MetricSeries, MetricSource,
    Metrics, Statistic, WebSocketMetric,
};
pub use migrations::{Backup, Expanded, HookRun, Migrations};
pub use slots::{Invocation, Removal, Slots};
pub use smoke::{Smoke, SmokeCheckResult, SmokeTarget};
pub use traffic::{Probe, Traffic};
