//! When the lease ends, for the effect that is under way while it is being renewed.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Written by the renewal, read before every change.
#[derive(Debug)]
pub(super) struct LeaseEnd {
    millisecond: AtomicI64,
}

impl LeaseEnd {
    pub(super) fn new(until: Timestamp) -> LeaseEnd {
        LeaseEnd {
            millisecond: AtomicI64::new(until.as_millisecond()),
        }
    }

    pub(super) fn set(&self, until: Timestamp) {
        self.millisecond.store(until.as_millisecond(), Ordering::Release);
    }

    pub(super) fn is_after(&self, time: Timestamp) -> bool {
        self.millisecond.load(Ordering::Acquire) > time.as_millisecond()
    }
}
