//! The wall clock, for the orchestrator.

use async_trait::async_trait;
use jiff::Timestamp;
use orchestrator::ports::Clock;

pub fn now() -> Timestamp {
    Timestamp::now()
}

pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        now()
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        // The wall clock may be set while we wait, so the wait is taken in slices.
        const SLICE: std::time::Duration = std::time::Duration::from_secs(1);
        while let Ok(left) = std::time::Duration::try_from(deadline.duration_since(Timestamp::now())) {
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(SLICE)).await;
        }
    }
}
