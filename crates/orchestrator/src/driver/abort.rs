//! A wish to stop, from outside of the run.

use std::sync::{Arc, Mutex, PoisonError};

/// Asked for between effects and at every look at the gates. An abort turns the traffic back; it outranks a promotion
/// that has not begun.
#[derive(Debug, Clone, Default)]
pub struct AbortHandle {
    reason: Arc<Mutex<Option<String>>>,
}

impl AbortHandle {
    /// The first reason stays.
    pub fn abort(&self, reason: impl Into<String>) {
        self.reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| reason.into());
    }

    pub fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
