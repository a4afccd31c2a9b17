//! Synthetic traffic: requests of our own to the live stage while a rollout bakes, so that its gates have something to
//! judge where nobody else asks.
//!
//! It goes in even steps, whatever the answers; an answer that is slow is no reason to ask less. A bound keeps a stage
//! that does not answer at all from gathering requests without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws::{HttpSmoke, Secret, SmokeCheck};
use orchestrator::domain::{ApiTarget, Slot};
use orchestrator::ports::{Smoke, SmokeTarget};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// Requests under way at the same time.
const AT_ONCE: usize = 64;

/// Every synthetic request carries this header, so that a service can leave it out of its own figures.
pub const LABEL: (&str, &str) = ("x-llama-deploy-synthetic", "1");

#[derive(Debug, Default)]
pub struct Counts {
    pub sent: AtomicU64,
    pub unexpected: AtomicU64,
}

/// Traffic that ends when it is dropped.
pub struct SyntheticTraffic {
    task: JoinHandle<()>,
    pub counts: Arc<Counts>,
}

impl SyntheticTraffic {
    pub fn start(mut checks: Vec<SmokeCheck>, api: &ApiTarget, requests_per_second: u32) -> Self {
        for check in &mut checks {
            check.headers.insert(LABEL.0.to_owned(), Secret::new(LABEL.1));
        }
        let counts = Arc::new(Counts::default());
        let target = SmokeTarget {
            rest_api_id: api.rest_api_id.clone(),
            base_url: api.live_url.clone(),
            slot: Slot::Blue,
        };
        let task = tokio::spawn(send(checks, target, requests_per_second, counts.clone()));
        Self { task, counts }
    }
}

impl Drop for SyntheticTraffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send(checks: Vec<SmokeCheck>, target: SmokeTarget, requests_per_second: u32, counts: Arc<Counts>) {
    let requests: Vec<Arc<HttpSmoke>> = checks
        .into_iter()
        .map(|check| Arc::new(HttpSmoke::new(vec![check])))
        .collect();
    if requests.is_empty() || requests_per_second == 0 {
        return;
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / requests_per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let target = Arc::new(target);
    for request in requests.iter().cycle() {
        ticks.tick().await;
        let Ok(permit) = room.clone().try_acquire_owned() else {
            continue;
        };
        let (request, target, counts) = (request.clone(), target.clone(), counts.clone());
        tokio::spawn(async move {
            let answered = request.run(&target).await;
            let expected = answered.is_ok_and(|results| results.iter().all(|result| result.passed));
            counts.sent.fetch_add(1, Ordering::Relaxed);
            counts.unexpected.fetch_add(u64::from(!expected), Ordering::Relaxed);
            drop(permit);
        });
    }
}
