//! The wish to stop: nothing new is begun, what runs is waited for.
//!
//! It cancels nothing by itself. Who deploys looks at it between two steps; the command line sets it at the first signal.

use std::sync::Arc;

use tokio::sync::watch;

/// Cheap to clone; all clones are one wish.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when it is asked, or at once if it was.
    pub async fn asked(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }
}
