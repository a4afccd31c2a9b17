//! The world as a process meets it: the orchestrator's ports, one file for each two of them.

mod infrastructure;
mod metrics;
mod slots;
mod traffic;

use jiff::SignedDuration;
use orchestrator::ports::{PortError, PortErrorKind};

use crate::process::Call;

/// A read answers what was before a change only this long after it.
const LONGEST_STALENESS: SignedDuration = SignedDuration::from_secs(5);

fn missing(call: &Call, what: &str) -> PortError {
    call.error(PortErrorKind::NotFound, format!("there is no such {what}"))
}
