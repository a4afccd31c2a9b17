//! Waits for a backup that a service makes by itself, until it is complete. Called by whatever begins one.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::connection::Aws;
use crate::failure::Failure;

/// The first snapshot of a large instance takes long, later ones are incremental.
pub(crate) const WAIT_LIMIT: Duration = Duration::from_secs(4 * 60 * 60);

/// Gets how far a backup is, in its service's words: `40 %`, `creating`.
pub type Progress<'p> = dyn Fn(String) + Send + Sync + 'p;

/// A backup that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBackup {
    /// The snapshot's name, or the backup's ARN.
    pub id: String,
    pub of: String,
    /// When what it holds was; `None` where the service does not say.
    pub made: Option<Timestamp>,
    /// Nothing was begun: one of this label was there already, complete or not.
    pub was_there: bool,
}

/// How a backup looks just now.
pub(crate) enum Look<T> {
    Complete(T),
    /// How far it is.
    Making(String),
    /// The status of one that comes to nothing.
    Broken(String),
}

impl Aws {
    /// Looks until the backup is complete. `create` and `describe` are the calls that a failure names.
    pub(crate) async fn until_complete<T, L>(
        &self,
        [create, describe]: [&'static str; 2],
        id: &str,
        progress: &Progress<'_>,
        look: impl Fn() -> L,
    ) -> Result<T, Failure>
    where
        L: Future<Output = Result<Look<T>, Failure>>,
    {
        let begun = Instant::now();
        loop {
            match look().await? {
                Look::Complete(backup) => return Ok(backup),
                Look::Making(how_far) => progress(how_far),
                Look::Broken(status) => {
                    let message = format!("it is {status} and will not become available: delete it, and try again");
                    return Err(Failure::invalid(create, id, message));
                }
            }
            if begun.elapsed() > WAIT_LIMIT {
                let message = format!("not complete after {} minutes", WAIT_LIMIT.as_secs() / 60);
                return Err(Failure::ambiguous(describe, id, message));
            }
            tokio::time::sleep(self.poll_interval()).await;
        }
    }
}
