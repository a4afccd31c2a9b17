//! The processes of every version: reused while warm, as many as a version may have, ended when idle for long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::worker::Worker;

/// Which processes can stand in for one another: those of one version in one revision of code and configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey {
    pub function: String,
    pub revision_id: String,
}

pub(crate) struct Pool {
    lanes: Mutex<HashMap<PoolKey, Lane>>,
    processes_per_version: usize,
    idle_limit: Duration,
}

struct Lane {
    permits: Arc<Semaphore>,
    idle: Vec<(Instant, Worker)>,
}

/// The right to run one process; it ends with the invocation.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    key: PoolKey,
}

impl Pool {
    pub fn new(processes_per_version: usize, idle_limit: Duration) -> Arc<Self> {
        Arc::new(Self {
            lanes: Mutex::default(),
            processes_per_version,
            idle_limit,
        })
    }

    /// Waits until the version may run one process more.
    pub async fn place(&self, key: PoolKey) -> Place {
        let permits = {
            let mut lanes = self.lanes();
            let lane = lanes.entry(key.clone()).or_insert_with(|| Lane {
                permits: Arc::new(Semaphore::new(self.processes_per_version)),
                idle: Vec::new(),
            });
            Arc::clone(&lane.permits)
        };
        let permit = permits
            .acquire_owned()
            .await
            .expect("the pool never closes its semaphores");
        Place { _permit: permit, key }
    }

    /// The warm process that was used last, if there is one.
    pub fn warm(&self, place: &Place) -> Option<Worker> {
        let mut ended = Vec::new();
        let mut lanes = self.lanes();
        let lane = lanes.get_mut(&place.key)?;
        while let Some((_, mut worker)) = lane.idle.pop() {
            if worker.is_alive() {
                return Some(worker);
            }
            ended.push(worker);
        }
        None
    }

    /// Takes a process back. One of a revision that was retired meanwhile is ended.
    pub fn put_back(&self, place: &Place, worker: Worker) {
        if let Some(lane) = self.lanes().get_mut(&place.key) {
            lane.idle.push((Instant::now(), worker));
        }
    }

    /// Ends the idle processes of a function that `keep` does not name.
    pub fn retire(&self, function: &str, keep: &[String]) {
        self.lanes()
            .retain(|key, _| key.function != function || keep.contains(&key.revision_id));
    }

    /// Ends every idle process; one that is busy ends when it is given back.
    pub fn end_idle(&self) {
        self.lanes().clear();
    }

    /// Ends what has been idle for too long, for as long as the pool lives.
    pub async fn reap(pool: Weak<Self>) {
        loop {
            let Some(period) = pool.upgrade().map(|pool| pool.idle_limit / 4) else {
                return;
            };
            tokio::time::sleep(period).await;
            let Some(pool) = pool.upgrade() else { return };
            let idle_limit = pool.idle_limit;
            pool.lanes().retain(|_, lane| {
                lane.idle.retain(|(since, _)| since.elapsed() < idle_limit);
                // Somebody holds a permit, or may be waiting for one, while the count is not ours alone.
                !lane.idle.is_empty() || Arc::strong_count(&lane.permits) > 1
            });
        }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<PoolKey, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
