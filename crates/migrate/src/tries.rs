//! Short tries with pauses between them: so those who come after a try that waits for a lock are not held up for longer than
//! one try.

use std::time::Duration;

use crate::error::MigrateError;
use crate::event::{Event, Events};
use crate::files::MigrationFile;
use crate::plan::Options;
use crate::session::{Blocker, jittered};
use crate::watch::Watch;

/// The pause after the first try that got no lock; each next one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

pub(crate) struct Tries<'a> {
    file: &'a MigrationFile,
    options: &'a Options,
    events: &'a dyn Events,
    /// The number of the try that is under way, from 1.
    attempt: u32,
    pause: Duration,
    /// Who was in the way last.
    blockers: Vec<Blocker>,
}

impl<'a> Tries<'a> {
    pub(crate) fn of(file: &'a MigrationFile, options: &'a Options, events: &'a dyn Events) -> Self {
        Self {
            file,
            options,
            events,
            attempt: 1,
            pause: FIRST_PAUSE,
            blockers: Vec::new(),
        }
    }

    /// After a try that somebody was in the way of: pauses until the next.
    ///
    /// # Errors
    /// [`MigrateError::LockTimeout`] when that was the last; the second session cannot be made.
    pub(crate) async fn pause(&mut self, watch: &mut Watch<'_>, blockers: Vec<Blocker>) -> Result<(), MigrateError> {
        if !blockers.is_empty() {
            self.blockers = blockers;
        }
        let file = self.file.file.clone();
        let attempts = self.options.lock_attempts.max(1);
        if self.attempt == attempts {
            return Err(MigrateError::LockTimeout {
                file,
                attempts,
                lock_timeout: self.options.lock_timeout,
                blockers: std::mem::take(&mut self.blockers),
            });
        }
        watch.be_ready().await?;
        let pause = jittered(self.pause);
        self.events.report(Event::Blocked {
            file,
            attempt: self.attempt,
            attempts,
            pause,
            blockers: self.blockers.clone(),
        });
        tokio::time::sleep(pause).await;
        self.attempt += 1;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
