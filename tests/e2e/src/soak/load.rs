//! Constant traffic to the live stage: every request has an id, and what came of it is kept.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;

use crate::get;

/// One request and its answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) id: u64,
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    /// 0 where no answer came.
    pub(super) status: u16,
    pub(super) body: String,
}

/// Clients that ask until this is dropped.
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    url: String,
    next: AtomicU64,
    stop: AtomicBool,
    kept: Mutex<Kept>,
    finished: Condvar,
}

#[derive(Default)]
struct Kept {
    answers: Vec<Answer>,
    /// How many requests each client has begun after it knew of that many cuts.
    cuts: u64,
    known: Vec<u64>,
}

impl Load {
    /// `clients` that each wait for `pause` between an answer and the next request.
    pub(super) fn start(url: &str, clients: usize, pause: Duration) -> Self {
        let shared = Arc::new(Shared {
            url: url.to_owned(),
            next: AtomicU64::new(1),
            stop: AtomicBool::new(false),
            kept: Mutex::new(Kept {
                known: vec![0; clients],
                ..Kept::default()
            }),
            finished: Condvar::new(),
        });
        let start = |client: usize| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.ask(client, pause))
        };
        Self {
            clients: (0..clients).map(start).collect(),
            shared,
        }
    }

    /// All answers since the last cut; every request that had begun by now is among them.
    pub(super) fn cut(&self) -> Vec<Answer> {
        let mut kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.cuts += 1;
        let cuts = kept.cuts;
        let mut kept = self
            .shared
            .finished
            .wait_while(kept, |kept| kept.known.iter().any(|known| *known < cuts))
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut kept.answers)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            // A client that panicked has been told.
            let _ = client.join();
        }
    }
}

impl Shared {
    fn ask(&self, client: usize, pause: Duration) {
        while !self.stop.load(Ordering::Relaxed) {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            let began = Timestamp::now();
            let (status, body) = get(&format!("{}?id={id}", self.url)).unwrap_or_default();
            let answer = Answer {
                id,
                began,
                ended: Timestamp::now(),
                status,
                body,
            };
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.answers.push(answer);
            kept.known[client] = kept.cuts;
            drop(kept);
            self.finished.notify_all();
            // The shape of the load: people do not ask in one go.
            std::thread::sleep(pause);
        }
    }
}
