//! Runs futures on one thread over virtual time: a seed decides which of those that are ready goes next, and time
//! passes only when none is.
//!
//! Whoever runs inside of [`run`] finds the clock with [`Time::current`] and starts tasks with [`spawn`]. Nothing here
//! knows what is simulated.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures::channel::oneshot;
use jiff::{SignedDuration, Timestamp};

use crate::random::Random;

/// When every simulation begins: 2026-03-01 12:00 UTC.
pub fn start() -> Timestamp {
    Timestamp::constant(1_772_366_400, 0)
}

/// What a run may take at most: a simulation that turns in circles is a mistake and has to end, too.
const MOST_POLLS: u64 = 2_000_000;

thread_local! {
    static CURRENT: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

#[derive(Clone)]
struct Handle {
    time: Time,
    spawned: Rc<RefCell<Vec<(usize, Task)>>>,
    next_task: Rc<Cell<usize>>,
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The virtual clock.
#[derive(Debug, Clone)]
pub struct Time {
    timers: Arc<Mutex<Timers>>,
}

#[derive(Debug)]
struct Timers {
    now: Timestamp,
    next: u64,
    sleeping: BTreeMap<(Timestamp, u64), Waker>,
}

impl Time {
    fn new() -> Time {
        Time {
            timers: Arc::new(Mutex::new(Timers {
                now: start(),
                next: 0,
                sleeping: BTreeMap::new(),
            })),
        }
    }

    /// The clock of the simulation that runs on this thread; one of its own, which nothing moves, outside of any.
    pub fn current() -> Time {
        CURRENT.with_borrow(|current| match current {
            Some(handle) => handle.time.clone(),
            None => Time::new(),
        })
    }

    fn timers(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Timestamp {
        self.timers().now
    }

    pub fn sleep_until(&self, deadline: Timestamp) -> Sleep {
        Sleep {
            time: self.clone(),
            deadline,
            number: None,
        }
    }

    pub fn sleep(&self, duration: SignedDuration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Moves to the next moment at which somebody wakes; false where nobody sleeps.
    fn advance(&self) -> bool {
        let due = {
            let mut timers = self.timers();
            let Some(((deadline, _), _)) = timers.sleeping.first_key_value() else {
                return false;
            };
            let now = (*deadline).max(timers.now);
            timers.now = now;
            let later = timers.sleeping.split_off(&(now, u64::MAX));
            std::mem::replace(&mut timers.sleeping, later)
        };
        for waker in due.into_values() {
            waker.wake();
        }
        true
    }
}

/// Waits until a moment of the virtual clock. Dropping it ends the wait.
#[derive(Debug)]
pub struct Sleep {
    time: Time,
    deadline: Timestamp,
    number: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let mut timers = self.time.timers();
        let mut number = self.number;
        let result = if timers.now >= deadline {
            if let Some(number) = number.take() {
                timers.sleeping.remove(&(deadline, number));
            }
            Poll::Ready(())
        } else {
            let number = *number.get_or_insert_with(|| {
                timers.next += 1;
                timers.next
            });
            timers.sleeping.insert((deadline, number), context.waker().clone());
            Poll::Pending
        };
        drop(timers);
        self.number = number;
        result
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.time.timers().sleeping.remove(&(self.deadline, number));
        }
    }
}

#[derive(Default)]
struct Ready {
    tasks: Mutex<Vec<usize>>,
}

impl Ready {
    fn tasks(&self) -> MutexGuard<'_, Vec<usize>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, task: usize) {
        let mut tasks = self.tasks();
        if !tasks.contains(&task) {
            tasks.push(task);
        }
    }
}

struct TaskWaker {
    task: usize,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.task);
    }
}

/// Starts a task beside the one that asks. What it gives can be waited for; dropping that leaves the task alone.
///
/// # Panics
/// Outside of [`run`].
pub fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> oneshot::Receiver<T> {
    let (sender, receiver) = oneshot::channel();
    let handle = CURRENT.with_borrow(Clone::clone);
    let handle = handle.expect("tasks are started inside of a simulation");
    let number = handle.next_task.get();
    handle.next_task.set(number + 1);
    let task = Box::pin(async move {
        // Nobody has to wait for it.
        let _ = sender.send(future.await);
    });
    handle.spawned.borrow_mut().push((number, task));
    receiver
}

/// Runs `main` to its end, and what it starts meanwhile. The same seed gives the same order of everything.
///
/// # Panics
/// When nothing can happen any more, or when it turns in circles.
pub fn run<T: 'static>(seed: u64, main: impl Future<Output = T> + 'static) -> T {
    let handle = Handle {
        time: Time::new(),
        spawned: Rc::default(),
        next_task: Rc::default(),
    };
    let before = CURRENT.replace(Some(handle.clone()));
    let _restore = Restore(Some(before));
    let ready = Arc::new(Ready::default());
    let mut random = Random::new(seed ^ 0x0E0C);
    let mut tasks: BTreeMap<usize, (Task, Waker)> = BTreeMap::new();
    let mut result = spawn(main);
    for _ in 0..MOST_POLLS {
        for (number, task) in handle.spawned.take() {
            let waker = Waker::from(Arc::new(TaskWaker {
                task: number,
                ready: ready.clone(),
            }));
            tasks.insert(number, (task, waker));
            ready.push(number);
        }
        let number = {
            let mut ready = ready.tasks();
            let index = random.below(ready.len() as u64) as usize;
            (!ready.is_empty()).then(|| ready.swap_remove(index))
        };
        let Some(number) = number else {
            assert!(handle.time.advance(), "nothing can happen any more");
            continue;
        };
        // A task that ended may be woken once more.
        let Some((task, waker)) = tasks.get_mut(&number) else {
            continue;
        };
        if task.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
            tasks.remove(&number);
            if let Ok(Some(result)) = result.try_recv() {
                return result;
            }
        }
    }
    panic!("the simulation turns in circles");
}

/// Puts back what was current before, also when a simulation panics.
struct Restore(Option<Option<Handle>>);

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(before) = self.0.take() {
            CURRENT.set(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use jiff::SignedDuration;

    use super::{Time, run, spawn, start};

    /// Three tasks that sleep and note when they woke.
    fn order(seed: u64) -> Vec<(i64, u32)> {
        run(seed, async {
            let time = Time::current();
            let woken = Rc::new(RefCell::new(Vec::new()));
            let mut tasks = Vec::new();
            for task in 0..3 {
                let (time, woken) = (time.clone(), woken.clone());
                tasks.push(spawn(async move {
                    for second in [1, 2, 3] {
                        time.sleep_until(start() + SignedDuration::from_secs(second)).await;
                        woken.borrow_mut().push((time.now().as_second(), task));
                    }
                }));
            }
            for task in tasks {
                assert!(task.await.is_ok());
            }
            woken.take()
        })
    }

    #[test]
    fn the_seed_decides_the_order_and_nothing_else_does() {
        assert_eq!(order(7), order(7));
        assert!((0..20).any(|seed| order(seed) != order(7)));
        for seed in 0..20 {
            let woken = order(seed);
            assert_eq!(woken.len(), 9);
            assert!(woken.is_sorted_by_key(|(at, _)| *at), "{woken:?}");
        }
    }

    #[test]
    #[should_panic(expected = "nothing can happen any more")]
    fn a_wait_for_nothing_is_found() {
        run(0, std::future::pending::<()>());
    }
}
