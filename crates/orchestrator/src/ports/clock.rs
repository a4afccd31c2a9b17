//! Time, so that a simulator can drive it.

use async_trait::async_trait;
use jiff::Timestamp;

#[async_trait]
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Returns once `now()` is not before `deadline`; at once if it already is. Dropping the future ends the wait.
    async fn sleep_until(&self, deadline: Timestamp);
}
