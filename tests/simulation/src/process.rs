//! One process that works on the world: its clock, its calls, its end.
//!
//! Every call of a port and of the ledger goes through [`Process::call`], which is where latency, faults, stalls and
//! crashes come in. A process that crashed or stands still is not polled by [`Process::run`], so nothing of it goes on.

use std::future::{Future, pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use orchestrator::config::RolloutConfig;
use orchestrator::driver::{InterruptHandle, Observer, Ports, RolloutEvent, Rollouts};
use orchestrator::ledger::Actor;
use orchestrator::ports::{Clock, PortError, PortErrorKind};

use crate::executor::{Sleep, Time};
use crate::faults::{Fault, When};
use crate::ledger::SimulatedLedger;
use crate::met::Met;
use crate::world::{Checkout, Inner, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub usize);

impl std::fmt::Display for ProcessId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "process {}", self.0)
    }
}

/// What the world knows of a process.
#[derive(Debug, Clone)]
pub struct ProcessState {
    /// Its clock minus the true one.
    pub skew: SignedDuration,
    pub dead: bool,
    /// Its command ended.
    pub ended: bool,
    pub stalled_until: Option<Timestamp>,
    /// Which taking of the lock it lives under, counted over the whole simulation; `None` before its first.
    pub term: Option<u64>,
    /// When its lease ends, by the newest record of the lock that it wrote.
    pub lease_until: Option<Timestamp>,
    pub abort_at: Option<Timestamp>,
    pub config: RolloutConfig,
    /// Calls under way whose effect nothing protects. While there are any it stands still no longer than they may fly:
    /// the network carries them on.
    pub unprotected: u32,
    /// `None`: what everybody has.
    pub checkout: Option<Checkout>,
    /// How much time all faults that struck it can have cost, and until when the last of them can go on.
    pub delayed: SignedDuration,
    pub delayed_until: Timestamp,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Read,
    /// Changes something that no compare-and-swap protects.
    Change,
    /// Changes something that a revision protects.
    Guarded,
    ReadLedger,
    /// Writes an object of the ledger, which is created once.
    WriteLedger,
}

fn kind_changes(kind: Kind) -> bool {
    matches!(kind, Kind::Change | Kind::Guarded)
}

/// A call that is under way.
#[derive(Debug)]
pub struct Call {
    pub number: u64,
    pub process: ProcessId,
    pub what: String,
    kind: Kind,
    /// When it left the process.
    pub issued: Timestamp,
    fault: Option<Fault>,
}

impl Call {
    pub fn is_stale(&self) -> bool {
        self.fault == Some(Fault::Stale)
    }

    pub fn error(&self, kind: PortErrorKind, message: impl Into<String>) -> PortError {
        PortError::new(kind, self.what.clone(), "world", message)
    }
}

#[derive(Debug, Clone)]
pub struct Process {
    pub world: Arc<World>,
    pub id: ProcessId,
    time: Time,
}

impl Process {
    pub fn new(world: &Arc<World>, skew: SignedDuration, config: &RolloutConfig) -> Arc<Process> {
        let mut inner = world.lock();
        let id = ProcessId(inner.processes.len());
        inner.processes.push(ProcessState {
            skew,
            dead: false,
            ended: false,
            stalled_until: None,
            term: None,
            lease_until: None,
            abort_at: None,
            config: config.clone(),
            unprotected: 0,
            checkout: None,
            delayed: SignedDuration::ZERO,
            delayed_until: world.now(),
        });
        drop(inner);
        Arc::new(Process {
            world: world.clone(),
            id,
            time: world.time.clone(),
        })
    }

    /// The rollouts of the environment as this process carries them out.
    pub fn rollouts(self: &Arc<Process>, config: RolloutConfig) -> Rollouts {
        Rollouts {
            environment: "test".into(),
            config,
            ports: Ports {
                infrastructure: self.clone(),
                migrations: self.clone(),
                slots: self.clone(),
                traffic: self.clone(),
                smoke: self.clone(),
                metrics: self.clone(),
                checks: self.clone(),
                clock: self.clone(),
                ledger: Arc::new(SimulatedLedger::new(self.clone())),
            },
            actor: Actor {
                name: "tester".to_owned(),
                host: "here".to_owned(),
                process_id: self.id.0 as u32 + 1,
            },
            tool_version: "0.0.0".to_owned(),
            observer: Arc::new(Listener {
                world: self.world.clone(),
                process: self.id,
            }),
            interrupt: InterruptHandle::default(),
        }
    }

    /// Polls `future` while the process lives and does not stand still; `None` when it crashed.
    pub async fn run<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = Some(Box::pin(future));
        let mut thaw: Option<std::pin::Pin<Box<Sleep>>> = None;
        poll_fn(|context| {
            loop {
                let (dead, stalled_until) = {
                    let inner = self.world.lock();
                    let state = &inner.processes[self.id.0];
                    (state.dead, state.stalled_until)
                };
                let (Some(running), false) = (future.as_mut(), dead) else {
                    future = None;
                    return Poll::Ready(None);
                };
                if let Some(until) = stalled_until {
                    let sleep = thaw.get_or_insert_with(|| Box::pin(self.time.sleep_until(until)));
                    if sleep.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    thaw = None;
                    self.world.lock().processes[self.id.0].stalled_until = None;
                    continue;
                }
                match running.as_mut().poll(context) {
                    Poll::Ready(done) => return Poll::Ready(Some(done)),
                    Poll::Pending => {
                        let inner = self.world.lock();
                        let state = &inner.processes[self.id.0];
                        if !state.dead && state.stalled_until.is_none() {
                            return Poll::Pending;
                        }
                    }
                }
            }
        })
        .await
    }

    /// Leaves the process: takes its number, and meets what happens to it before its effect.
    pub async fn begin(&self, what: impl Into<String>, kind: Kind) -> Call {
        let what = what.into();
        let (call, before) = {
            let mut inner = self.world.lock();
            let number = inner.calls;
            inner.calls += 1;
            let mut fault = inner.faults.of(number, kind).filter(|_| inner.is_struck(self.id));
            if kind == Kind::Change {
                inner.processes[self.id.0].unprotected += 1;
            }
            if !matches!(kind, Kind::Read | Kind::ReadLedger) {
                inner.writes.push(number);
            }
            if let Some(
                Fault::Stall {
                    when: When::Before,
                    milliseconds,
                }
                | Fault::CrashInFlight { milliseconds },
            ) = &mut fault
                && inner.processes[self.id.0].unprotected > 0
                && let Some(longest) = inner.longest_flight
            {
                *milliseconds = (*milliseconds).min(longest);
            }
            if let Some(fault) = fault {
                inner.struck.push((number, fault));
                inner.met.extend(Met::by_fault(fault, kind));
                inner.note_delay(self.id, fault);
                let line = format!("{} call {number} ({what}) {fault}", self.id);
                inner.trace.line(|| line);
            }
            let call = Call {
                number,
                process: self.id,
                what,
                kind,
                issued: self.time.now(),
                fault,
            };
            let before = inner.latency(number, 0);
            (call, before)
        };
        match call.fault {
            Some(Fault::Crash(When::Before)) => self.die().await,
            Some(Fault::Stall {
                when: When::Before,
                milliseconds,
            }) => self.stall(milliseconds).await,
            // Nothing else of it goes on meanwhile, and nothing at all after it.
            Some(Fault::CrashInFlight { milliseconds }) => {
                self.stall(milliseconds).await;
                return call;
            }
            _ => {}
        }
        self.time.sleep(before).await;
        call
    }

    /// Comes back from its effect; true when the response was lost.
    pub async fn end(&self, call: &Call) -> bool {
        if call.kind == Kind::Change {
            self.world.lock().processes[self.id.0].unprotected -= 1;
        }
        match call.fault {
            Some(Fault::Crash(When::After) | Fault::CrashInFlight { .. }) => self.die().await,
            Some(Fault::Stall {
                when: When::After,
                milliseconds,
            }) => self.stall(milliseconds).await,
            Some(Fault::Late { milliseconds }) => {
                self.time.sleep(SignedDuration::from_millis(milliseconds.into())).await;
            }
            _ => {}
        }
        let after = {
            let mut inner = self.world.lock();
            inner.note_lease(call);
            inner.latency(call.number, 1)
        };
        self.time.sleep(after).await;
        call.fault == Some(Fault::Lost)
    }

    /// Why the call is refused before it does anything.
    pub fn refusal(&self, call: &Call) -> Option<PortErrorKind> {
        match call.fault {
            Some(Fault::Throttled) => Some(PortErrorKind::Throttled),
            Some(Fault::Unavailable) => Some(PortErrorKind::Unavailable),
            _ => None,
        }
    }

    /// One call of a port: latency, perhaps a refusal, the effect, latency, perhaps a lost response.
    pub async fn call<T: Send>(
        &self,
        what: impl Into<String> + Send,
        kind: Kind,
        effect: impl FnOnce(&mut Inner, &Call) -> Result<T, PortError> + Send,
    ) -> Result<T, PortError> {
        let call = self.begin(what.into(), kind).await;
        let result = match self.refusal(&call) {
            Some(refused) => Err(call.error(refused, "a planned fault")),
            None => effect(&mut self.world.lock(), &call),
        };
        {
            let mut inner = self.world.lock();
            let outcome = result.as_ref().err().map(|error| error.kind);
            inner.trace.line(|| match outcome {
                None => format!("{} call {} ({})", call.process, call.number, call.what),
                Some(kind) => format!("{} call {} ({}): {kind}", call.process, call.number, call.what),
            });
        }
        let lost = self.end(&call).await;
        if lost {
            if kind_changes(kind) && result.is_ok() {
                self.world.lock().met.insert(Met::LostResponse);
            }
            // A read whose response was lost changed nothing.
            let kind = if kind == Kind::Read {
                PortErrorKind::Unavailable
            } else {
                PortErrorKind::Ambiguous
            };
            return Err(call.error(kind, "the response was lost"));
        }
        result
    }

    async fn die(&self) {
        {
            let mut inner = self.world.lock();
            inner.processes[self.id.0].dead = true;
        }
        pending::<()>().await;
    }

    async fn stall(&self, milliseconds: u32) {
        let milliseconds = {
            let inner = self.world.lock();
            let is_flying = inner.processes[self.id.0].unprotected > 0;
            let longest = inner.longest_flight.filter(|_| is_flying);
            longest.map_or(milliseconds, |longest| milliseconds.min(longest))
        };
        let until = self.time.now() + SignedDuration::from_millis(milliseconds.into());
        self.world.lock().processes[self.id.0].stalled_until = Some(until);
        self.time.sleep_until(until).await;
    }
}

impl Inner {
    /// Whether the lease ended under which a change or a record left its process, before that knew what became of it.
    fn note_lease(&mut self, call: &Call) {
        let until = self.processes[call.process.0].lease_until;
        let ended = until.is_some_and(|until| call.issued < until && until <= self.now());
        if ended && !matches!(call.kind, Kind::Read | Kind::ReadLedger) {
            self.met.insert(Met::LeaseEndedInCall);
        }
    }
}

#[async_trait]
impl Clock for Process {
    fn now(&self) -> Timestamp {
        self.time.now() + self.world.lock().processes[self.id.0].skew
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        let skew = self.world.lock().processes[self.id.0].skew;
        self.time.sleep_until(deadline - skew).await;
    }
}

struct Listener {
    world: Arc<World>,
    process: ProcessId,
}

impl Observer for Listener {
    fn observe(&self, event: &RolloutEvent) {
        if let RolloutEvent::TurningBack { reason } = event {
            let line = format!("{} turns back: {reason}", self.process);
            self.world.lock().trace.line(|| line);
        }
    }
}
