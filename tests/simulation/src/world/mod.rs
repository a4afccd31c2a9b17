//! A small cloud in memory: functions with versions and aliases, APIs with stages, a database's schema, metrics made of
//! the traffic, and the ledger.
//!
//! It knows what is true: what each entry point does and since when that is in force, which smoke tests ran, which
//! process did what under which taking of the lock. Every effect is a [`Happening`], and after each one all invariants
//! are checked. The driver sees none of this but through the ports.

mod cloud;
mod metrics;
mod traffic;
mod truth;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use object_store::memory::InMemory;
use orchestrator::config::{GateConfig, RolloutConfig, StepConfig};
use orchestrator::domain::{AliasState, ApiTraffic, Slot, Weight};
use orchestrator::driver::Rollouts;
use orchestrator::ledger::{Standing, read_standing};
use orchestrator::ports::AlarmObservation;

pub use cloud::stage;
pub use traffic::{Entry, Place, Split};
pub use truth::{BLINK, Composition, Foreign, Happening, Level, Measured, RolloutTruth, Shown, Truth, What};

use crate::executor::Time;
use crate::faults::{Fault, Faults};
use crate::met::Met;
use crate::process::{Process, ProcessId, ProcessState};
use crate::random::mix;
use crate::trace::Trace;

pub const APIS: [&str; 2] = ["api-one", "api-two"];
pub const FUNCTIONS: [&str; 2] = ["analytics", "health"];

pub fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

/// What the stacks hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How many of [`APIS`].
    pub apis: usize,
    /// Whether each function has a live alias besides, which queues and HTTP APIs call.
    pub aliases: bool,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            apis: APIS.len(),
            aliases: true,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Alias {
    pub version: usize,
    pub revision: u64,
}

#[derive(Debug, Clone)]
pub struct Function {
    pub latest: String,
    /// The code of each version; version 1 is the first.
    pub versions: Vec<String>,
    pub deleted: BTreeSet<usize>,
    pub aliases: BTreeMap<Slot, Alias>,
    /// The live alias; without a meaning where the shape has none.
    pub live: AliasState,
    /// What each slot's alias was at, and since when.
    pub history: BTreeMap<Slot, Vec<(Timestamp, usize)>>,
}

#[derive(Debug, Clone)]
pub struct Api {
    /// Client tokens, by the deployment's index.
    pub deployments: Vec<String>,
    pub deleted: BTreeSet<String>,
    pub live: ApiTraffic,
    pub before: ApiTraffic,
    pub previews: BTreeMap<Slot, ApiTraffic>,
}

/// What somebody has in front of him when he deploys a code. The same code has the same, whoever deploys it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    pub code: String,
    /// The newest of its migrations; `None` without a database.
    pub migrations: Option<u32>,
    /// The schema that the code cannot do without.
    pub needs: u32,
}

/// How latency is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// A few milliseconds, always the same.
    Calm,
    /// Depends on the call: mostly little, now and then much.
    Drawn { seed: u64 },
}

/// Everything that the world is, under one lock.
#[derive(Debug, Clone)]
pub struct Inner {
    pub time: Time,
    pub trace: Trace,
    pub truth: Truth,
    pub processes: Vec<ProcessState>,
    /// How many calls left a process so far.
    pub calls: u64,
    pub faults: Faults,
    /// What it came across.
    pub met: BTreeSet<Met>,
    /// The faults that struck, as a list that can be given again.
    pub struck: Vec<(u64, Fault)>,
    /// The calls that change something.
    pub writes: Vec<u64>,
    /// The processes that faults strike; all of them where `None`.
    pub struck_processes: Option<Vec<ProcessId>>,
    /// Milliseconds that a change which nothing protects may be under way at most; `None`: any time.
    pub longest_flight: Option<u32>,
    pub latency: Latency,
    pub shape: Shape,
    pub is_deployed: bool,
    /// What a process without a checkout of its own deploys.
    pub template: String,
    /// The migrations that the checkout of each code brings, once there was one.
    pub checkouts: BTreeMap<String, Checkout>,
    pub functions: BTreeMap<String, Function>,
    pub apis: BTreeMap<String, Api>,
    /// What each live stage was, and since when.
    pub timeline: Vec<(Timestamp, String, ApiTraffic)>,
    pub mutations: Vec<String>,
    /// How long a change takes until requests meet it, at most.
    pub propagation: SignedDuration,
    /// Errors of a hundred calls, by the code.
    pub error_percent: BTreeMap<String, f64>,
    pub throttle_percent: BTreeMap<String, f64>,
    /// Milliseconds that a call takes, by the code; 20 where nothing is said.
    pub duration: BTreeMap<String, f64>,
    pub requests_per_second: f64,
    pub metrics_down: bool,
    /// How much later than its second a figure can be read.
    pub metrics_delay: SignedDuration,
    /// For how long after that figures are too low and hold no errors: they are revised then.
    pub metrics_revised_after: SignedDuration,
    pub functions_down: bool,
    pub ledger_down: bool,
    /// What each live alias was told, and when.
    pub routes: Vec<(Timestamp, String, AliasState)>,
    pub alarms: BTreeMap<String, AlarmObservation>,
    /// Codes that fail their smoke test.
    pub failing_smoke: Vec<String>,
    pub deploy_fails: bool,
    /// The newest migration that anybody wrote; `None` without a database.
    pub migrations: Option<u32>,
    pub schema: Option<u32>,
}

#[derive(Debug)]
pub struct World {
    inner: Mutex<Inner>,
    pub store: Arc<InMemory>,
    pub time: Time,
}

pub fn config() -> RolloutConfig {
    let step = |percent: f64, bake: i64| StepConfig {
        weight_percent: Weight::from_percent(percent).expect("it is between 0 and 100"),
        bake: seconds(bake),
        approval: false,
    };
    RolloutConfig {
        steps: vec![step(10.0, 10), step(50.0, 10), step(100.0, 10)],
        gates: GateConfig {
            metric_period: seconds(1),
            settle: seconds(1),
            longest_extension: seconds(20),
            longest_blindness: seconds(5),
            ..GateConfig::default()
        },
        poll_interval: seconds(1),
        lock_lease: seconds(12),
        lock_margin: seconds(2),
        websocket_drain: seconds(2),
        ..RolloutConfig::default()
    }
}

/// With bakes of two seconds, for those who run hundreds of rollouts.
pub fn quick_config() -> RolloutConfig {
    let mut config = config();
    for step in &mut config.steps {
        step.bake = seconds(2);
    }
    config.gates.minimum_requests = 5;
    config
}

impl World {
    /// Two REST APIs and two functions, which the first deploy makes.
    pub fn new() -> Arc<World> {
        World::shaped(Shape::default())
    }

    pub fn shaped(shape: Shape) -> Arc<World> {
        let time = Time::current();
        Arc::new(World {
            inner: Mutex::new(Inner {
                trace: Trace::new(time.clone()),
                time: time.clone(),
                truth: Truth::default(),
                processes: Vec::new(),
                calls: 0,
                faults: Faults::None,
                met: BTreeSet::new(),
                struck: Vec::new(),
                writes: Vec::new(),
                struck_processes: None,
                longest_flight: None,
                latency: Latency::Calm,
                shape,
                is_deployed: false,
                template: "template".to_owned(),
                checkouts: BTreeMap::new(),
                functions: BTreeMap::new(),
                apis: BTreeMap::new(),
                timeline: Vec::new(),
                mutations: Vec::new(),
                propagation: SignedDuration::ZERO,
                error_percent: BTreeMap::new(),
                throttle_percent: BTreeMap::new(),
                duration: BTreeMap::new(),
                requests_per_second: 30.0,
                metrics_down: false,
                metrics_delay: SignedDuration::ZERO,
                metrics_revised_after: SignedDuration::ZERO,
                functions_down: false,
                ledger_down: false,
                routes: Vec::new(),
                alarms: BTreeMap::new(),
                failing_smoke: Vec::new(),
                deploy_fails: false,
                migrations: Some(1),
                schema: None,
            }),
            store: Arc::new(InMemory::new()),
            time,
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// The code that the next deploy brings.
    pub fn new_code(&self, code: &str) {
        self.lock().template = code.to_owned();
    }

    pub fn quick_rollouts(self: &Arc<World>) -> Rollouts {
        self.rollouts_with(quick_config())
    }

    /// As a new process carries them out, whose clock is right.
    pub fn rollouts_with(self: &Arc<World>, config: RolloutConfig) -> Rollouts {
        Process::new(self, SignedDuration::ZERO, &config).rollouts(config)
    }

    pub fn fault_at(&self, call: u64, fault: Fault) {
        self.lock().faults = Faults::Listed([(call, fault)].into());
    }

    /// No more faults.
    pub fn calm(&self) {
        self.lock().faults = Faults::None;
    }

    pub async fn standing(&self) -> Standing {
        read_standing(&*self.store, &"test".into())
            .await
            .expect("the ledger is in memory")
    }

    /// What each live stage did, in order: its canary's weight without repetitions, -1 for none.
    pub fn weights(&self, api: &str) -> Vec<f64> {
        let mut weights = Vec::new();
        for (_, name, traffic) in &self.lock().timeline {
            if name == api {
                let weight = traffic
                    .canary
                    .as_ref()
                    .map_or(-1.0, |canary| canary.weight.as_percent());
                if weights.last() != Some(&weight) {
                    weights.push(weight);
                }
            }
        }
        weights
    }

    /// The code that the first function's live traffic meets.
    pub fn live_code(&self) -> String {
        self.lock().live_code()
    }

    /// What is wrong where nothing is open any more: not one slot, a canary, not as the ledger says.
    pub async fn problem(&self) -> Option<String> {
        let standing = self.standing().await;
        let inner = self.lock();
        if let Some(violation) = inner.truth.violations.first() {
            return Some(violation.to_string());
        }
        inner.unsettled(&standing)
    }

    /// # Panics
    /// With [`World::problem`].
    pub async fn assert_settled(&self, context: &str) {
        if let Some(problem) = self.problem().await {
            panic!("{context}: {problem}");
        }
    }
}

impl Inner {
    pub fn now(&self) -> Timestamp {
        self.time.now()
    }

    pub fn is_struck(&self, process: ProcessId) -> bool {
        self.struck_processes
            .as_ref()
            .is_none_or(|struck| struck.contains(&process))
    }

    /// How long a call takes on the way there (0) or back (1).
    pub fn latency(&self, call: u64, leg: u64) -> SignedDuration {
        match self.latency {
            Latency::Calm => SignedDuration::from_millis(3),
            Latency::Drawn { seed } => {
                let roll = mix(seed ^ 0x1A7E, call * 2 + leg);
                let (size, kind) = (roll >> 32, roll % 100);
                let milliseconds = match kind {
                    0..80 => 1 + size % 20,
                    80..97 => 20 + size % 100,
                    _ => 100 + size % 400,
                };
                SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(0))
            }
        }
    }

    /// What a fault can cost a run at most, the wait before the next attempt included.
    pub fn note_delay(&mut self, process: ProcessId, fault: Fault) {
        let now = self.now();
        let state = &mut self.processes[process.0];
        let own = match fault {
            Fault::Late { milliseconds } | Fault::Stall { milliseconds, .. } => milliseconds.into(),
            _ => 0,
        };
        let cost = state.config.convergence.longest_wait + seconds(2) + SignedDuration::from_millis(own);
        state.delayed += cost;
        state.delayed_until = state.delayed_until.max(now + cost);
    }
}
