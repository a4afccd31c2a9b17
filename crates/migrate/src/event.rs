//! What a run tells while it runs. Whoever shows it decides how.

use std::time::Duration;

use crate::lock::Holder;
use crate::phase::Phase;
use crate::session::Blocker;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Another run holds the migration lock; told once for every holder.
    WaitingForLock { holder: Holder },
    /// The migration lock is ours.
    Locked,
    /// A pending migration is left for later.
    Held { file: String, phase: Phase, reason: String },
    /// A migration begins; `index` of `count`, from 1.
    Applying { file: String, index: usize, count: usize },
    /// The migration got no lock within `lock_timeout` and is tried again after `pause`.
    Blocked {
        file: String,
        attempt: u32,
        attempts: u32,
        pause: Duration,
        blockers: Vec<Blocker>,
    },
    /// A batch of a backfill is done.
    Backfilling {
        file: String,
        /// Rows that this run has written.
        rows: i64,
        /// Keys that this run has gone through, and how many the table has by the server's estimate.
        keys: i64,
        estimate: Option<i64>,
        remaining: Option<Duration>,
    },
    /// An earlier try left an invalid index, which is dropped before it is built again.
    DroppingInvalidIndex { file: String, index: String },
    /// The migration is applied and recorded.
    Applied { file: String, took: Duration },
}

/// Receives events, in order, on the run's own task: it must not wait.
pub trait Events: Send + Sync {
    fn report(&self, event: Event);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Events for Silent {
    fn report(&self, _event: Event) {}
}

impl<F: Fn(Event) + Send + Sync> Events for F {
    fn report(&self, event: Event) {
        self(event);
    }
}
