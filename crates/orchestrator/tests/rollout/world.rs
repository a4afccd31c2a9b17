//! A small cloud in memory: functions with versions and aliases, two APIs with stages, metrics made of the traffic,
//! and a clock. Every call can crash the run before or after its effect, be frozen, lose its response or be refused.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use object_store::memory::InMemory;
use orchestrator::config::{GateConfig, RateLimit, RolloutConfig, StepConfig};
use orchestrator::domain::*;
use orchestrator::driver::{InterruptHandle, Observer, Ports, RolloutEvent, Rollouts};
use orchestrator::gates::Verdict;
use orchestrator::ledger::{Actor, Standing, read_standing};
use orchestrator::ports::*;
use tokio::sync::Notify;

use crate::store::CrashingStore;

pub const APIS: [&str; 2] = ["api-one", "api-two"];
pub const FUNCTIONS: [&str; 2] = ["analytics", "health"];

pub fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

pub fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    Before,
    After,
}

#[derive(Debug, Clone)]
pub struct Alias {
    pub version: usize,
    pub revision: u64,
}

#[derive(Debug, Clone)]
pub struct Function {
    pub latest: String,
    pub versions: Vec<String>,
    pub deleted: BTreeSet<usize>,
    pub aliases: BTreeMap<Slot, Alias>,
    pub live: AliasState,
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

#[derive(Debug, Clone)]
pub struct Inner {
    pub now: Timestamp,
    pub calls: u64,
    pub crash_at: Option<(u64, When)>,
    /// The run that makes this call stalls in it, clock and all, until it is thawed.
    pub freeze_at: Option<u64>,
    pub is_frozen: bool,
    pub crashed: bool,
    /// The response of this call is lost after its effect.
    pub lose_response_of: Option<u64>,
    /// A seed and how many of a thousand calls fail.
    pub faults: Option<(u64, u64)>,
    pub is_deployed: bool,
    pub template: String,
    pub functions: BTreeMap<String, Function>,
    pub apis: BTreeMap<String, Api>,
    /// What each live stage was, and since when.
    pub timeline: Vec<(Timestamp, String, ApiTraffic)>,
    /// Deployments that may get live weight: those that passed a smoke test, and the first of each API.
    pub proven: BTreeSet<String>,
    pub violations: Vec<String>,
    pub mutations: Vec<String>,
    /// Errors of a hundred calls, by the code.
    pub error_percent: BTreeMap<String, f64>,
    /// Of the calls of this code, so many percent take a second.
    pub slow_percent: BTreeMap<String, f64>,
    /// What the metrics' resolving says.
    pub unresolved: Option<PortError>,
    /// Of checks, by their names.
    pub answers: BTreeMap<String, Verdict>,
    /// Values by the second of metrics of what both slots share, by a word of theirs.
    pub named: BTreeMap<String, f64>,
    pub requests_per_second: f64,
    pub metrics_down: bool,
    pub functions_down: bool,
    /// Whether the stacks make live aliases, and whether they make APIs.
    pub has_aliases: bool,
    /// A function that the stacks do not make yet.
    pub yet_without: Option<&'static str>,
    pub has_apis: bool,
    /// Versions of functions that may get live weight: those that passed a smoke test, and the first of each.
    pub proven_versions: BTreeSet<(String, FunctionVersion)>,
    /// What each live alias was told, and when.
    pub routes: Vec<(Timestamp, String, AliasRouting)>,
    /// Role and dead letters of versions that differ from the others.
    pub odd_settings: BTreeMap<(String, FunctionVersion), VersionSettings>,
    pub not_permitted: Vec<ServedEntry>,
    /// Functions whose code the next deploys do not change.
    pub unchanged: BTreeSet<String>,
    /// So many changes of live aliases meet one that somebody has just edited, without touching its versions.
    pub alias_conflicts: u32,
    /// Live aliases that cannot be changed.
    pub stuck_aliases: BTreeSet<String>,
    pub alarms: BTreeMap<String, AlarmObservation>,
    pub smoke_fails: bool,
    /// The live stages fail their checks, whatever the schema.
    pub live_fails: bool,
    /// The live stages fail every other check from the expand on.
    pub breaks_with_schema: bool,
    /// How often the live stages were checked.
    pub live_checks: u32,
    pub deploy_fails: bool,
    pub foreign_at: Option<(Timestamp, ApiTraffic)>,
    pub schema: Option<String>,
    pub events: Vec<RolloutEvent>,
    /// How many probes say that a change is not in force yet.
    pub slow_probes: u32,
}

#[derive(Debug)]
pub struct World {
    pub inner: Mutex<Inner>,
    pub crash: Notify,
    pub frozen: Notify,
    pub thaw: Notify,
    pub store: Arc<InMemory>,
}

pub fn stage(deployment: &str, slot: Slot) -> ApiTraffic {
    ApiTraffic {
        deployment_id: deployment.into(),
        slot: Some(slot),
        canary: None,
        variables: [
            ("color".to_owned(), slot.to_string()),
            ("theirs".to_owned(), "kept".to_owned()),
        ]
        .into(),
    }
}

fn mix(seed: u64, number: u64) -> u64 {
    let mut value = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number);
    for _ in 0..2 {
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^= value >> 31;
    }
    value
}

pub fn config() -> RolloutConfig {
    let step = |percent: f64, bake: i64| StepConfig {
        weight_percent: Weight::from_percent(percent).unwrap(),
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

impl World {
    pub fn new() -> Arc<World> {
        Arc::new(World {
            inner: Mutex::new(Inner {
                now: start(),
                calls: 0,
                crash_at: None,
                freeze_at: None,
                is_frozen: false,
                crashed: false,
                lose_response_of: None,
                faults: None,
                is_deployed: false,
                template: "template".to_owned(),
                functions: BTreeMap::new(),
                apis: BTreeMap::new(),
                timeline: Vec::new(),
                proven: BTreeSet::new(),
                violations: Vec::new(),
                mutations: Vec::new(),
                error_percent: BTreeMap::new(),
                slow_percent: BTreeMap::new(),
                unresolved: None,
                answers: BTreeMap::new(),
                named: BTreeMap::new(),
                requests_per_second: 30.0,
                metrics_down: false,
                functions_down: false,
                has_aliases: true,
                yet_without: None,
                has_apis: true,
                proven_versions: BTreeSet::new(),
                routes: Vec::new(),
                odd_settings: BTreeMap::new(),
                not_permitted: Vec::new(),
                unchanged: BTreeSet::new(),
                alias_conflicts: 0,
                stuck_aliases: BTreeSet::new(),
                alarms: BTreeMap::new(),
                smoke_fails: false,
                live_fails: false,
                breaks_with_schema: false,
                live_checks: 0,
                deploy_fails: false,
                foreign_at: None,
                schema: None,
                events: Vec::new(),
                slow_probes: 0,
            }),
            crash: Notify::new(),
            frozen: Notify::new(),
            thaw: Notify::new(),
            store: Arc::new(InMemory::new()),
        })
    }

    /// A world of its own that is now as this one.
    pub fn fork(&self) -> Arc<World> {
        Arc::new(World {
            inner: Mutex::new(self.lock().clone()),
            crash: Notify::new(),
            frozen: Notify::new(),
            thaw: Notify::new(),
            store: Arc::new(self.store.fork()),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// The code that the next deploy brings.
    pub fn new_code(&self, code: &str) {
        self.lock().template = code.to_owned();
    }

    pub fn rollouts(self: &Arc<World>) -> Rollouts {
        self.rollouts_with(config())
    }

    /// With bakes of two seconds, for tests that run hundreds of rollouts.
    pub fn quick_rollouts(self: &Arc<World>) -> Rollouts {
        let mut config = config();
        for step in &mut config.steps {
            step.bake = seconds(2);
        }
        config.gates.minimum_requests = 5;
        // Five calls without an error are enough to show that half of them do not fail.
        config.gates.function_errors = Some(RateLimit {
            fail_above_percent: 50.0,
            pass_at_most_percent: 1.0,
        });
        self.rollouts_with(config)
    }

    pub fn rollouts_with(self: &Arc<World>, config: RolloutConfig) -> Rollouts {
        Rollouts {
            environment: "test".into(),
            config,
            ports: Ports {
                infrastructure: self.clone() as Arc<dyn Infrastructure>,
                migrations: self.clone() as Arc<dyn Migrations>,
                slots: self.clone() as Arc<dyn Slots>,
                traffic: self.clone() as Arc<dyn Traffic>,
                smoke: self.clone() as Arc<dyn Smoke>,
                metrics: self.clone() as Arc<dyn Metrics>,
                checks: self.clone() as Arc<dyn Checks>,
                clock: self.clone() as Arc<dyn Clock>,
                ledger: Arc::new(CrashingStore {
                    inner: self.store.clone(),
                    world: self.clone(),
                }),
            },
            actor: Actor {
                name: "tester".to_owned(),
                host: "here".to_owned(),
                process_id: 1,
            },
            tool_version: "0.0.0".to_owned(),
            observer: Arc::new(Listener { world: self.clone() }),
            interrupt: InterruptHandle::default(),
        }
    }

    /// Runs until it ends or crashes; `None` for a crash.
    pub async fn or_crash<T>(&self, run: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            result = run => Some(result),
            () = self.crash.notified() => {
                let mut inner = self.lock();
                inner.crashed = false;
                inner.crash_at = None;
                None
            }
        }
    }

    /// Counts the call, and crashes or freezes before its effect if it is to.
    pub async fn begin(&self, what: &str) -> u64 {
        let (call, crash, freeze) = {
            let mut inner = self.lock();
            let call = inner.calls;
            inner.calls += 1;
            inner.now += SignedDuration::from_millis(20);
            let _ = what;
            (
                call,
                inner.crashed || inner.crash_at == Some((call, When::Before)),
                inner.freeze_at == Some(call),
            )
        };
        if crash {
            self.stop().await;
        }
        if freeze {
            {
                let mut inner = self.lock();
                inner.freeze_at = None;
                inner.is_frozen = true;
            }
            self.frozen.notify_one();
            self.thaw.notified().await;
            self.lock().is_frozen = false;
        }
        call
    }

    pub async fn end(&self, call: u64) {
        if self.lock().crash_at == Some((call, When::After)) {
            self.stop().await;
        }
    }

    async fn stop(&self) {
        self.lock().crashed = true;
        self.crash.notify_one();
        pending::<()>().await;
    }

    pub async fn refuse(&self, what: &str) -> Result<u64, PortError> {
        let call = self.begin(what).await;
        if let Some((seed, per_mille)) = self.lock().faults {
            let roll = mix(seed, call);
            if roll % 1000 < per_mille {
                let kind = if roll & 0x10000 == 0 {
                    PortErrorKind::Throttled
                } else {
                    PortErrorKind::Unavailable
                };
                return Err(PortError::new(kind, what, "world", "a planned fault"));
            }
        }
        Ok(call)
    }

    /// After the effect: crash, or lose the response.
    pub async fn respond<T>(&self, call: u64, what: &str, value: T) -> Result<T, PortError> {
        self.end(call).await;
        let inner = self.lock();
        let lost = inner.lose_response_of == Some(call)
            || inner
                .faults
                .is_some_and(|(seed, per_mille)| mix(seed ^ 0xABCD, call) % 1000 < per_mille);
        if lost {
            return Err(PortError::new(
                PortErrorKind::Ambiguous,
                what,
                "world",
                "the response was lost",
            ));
        }
        Ok(value)
    }

    /// A read that may be late.
    pub fn is_stale(&self, call: u64) -> bool {
        self.lock()
            .faults
            .is_some_and(|(seed, per_mille)| mix(seed ^ 0x57A1E, call) % 1000 < per_mille)
    }

    pub async fn standing(&self) -> Standing {
        read_standing(&*self.store, &"test".into()).await.unwrap()
    }

    /// What must hold whenever nothing is open: one slot, no canary, as the ledger says, and nothing broken on the way.
    pub async fn assert_settled(&self, context: &str) {
        let standing = self.standing().await;
        let inner = self.lock();
        assert!(inner.violations.is_empty(), "{context}: {:?}", inner.violations);
        if !inner.is_deployed {
            return;
        }
        let mut places = BTreeSet::new();
        for (id, api) in &inner.apis {
            let settled = api.live.settled();
            assert!(settled.is_some(), "{context}: {id} is split: {:?}", api.live);
            let settled = settled.unwrap();
            places.insert(settled.slot);
            if let Some(live) = standing.live_release() {
                assert_eq!(
                    live.deployment(&id.as_str().into()),
                    Some(&settled.deployment_id),
                    "{context}: {id}"
                );
                assert_eq!(live.slot, settled.slot, "{context}: {id}");
            }
        }
        assert!(places.len() <= 1, "{context}: the APIs are on different slots");
        if inner.has_aliases
            && standing
                .target
                .as_ref()
                .is_some_and(|target| !target.aliases.is_empty())
        {
            for (name, function) in &inner.functions {
                let weights = &function.live.weights;
                assert!(weights.is_empty(), "{context}: alias {name}:live is split: {weights:?}");
                let released = standing
                    .live_release()
                    .and_then(|live| live.function(&name.as_str().into()));
                if let Some(released) = released {
                    assert_eq!(released.version, function.live.version, "{context}: alias {name}:live");
                }
            }
        }
        if let Some(live) = standing.live_release() {
            for function in &live.functions {
                let alias = &inner.functions[function.name.as_str()].aliases[&live.slot];
                assert_eq!(
                    function.version.as_str(),
                    alias.version.to_string(),
                    "{context}: {}",
                    function.name
                );
            }
        }
    }

    /// The weights that the candidate had, in order, without repetitions; 100 for a settled stage on another slot.
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

    pub fn live_code(&self) -> String {
        let inner = self.lock();
        let function = &inner.functions[FUNCTIONS[0]];
        let version = match inner.apis.get(APIS[0]) {
            Some(api) => function.aliases[&api.live.slot.unwrap()].version,
            None => function.live.version.as_str().parse().unwrap(),
        };
        function.versions[version - 1].clone()
    }
}

impl Inner {
    pub fn api(&mut self, api: &ApiTarget) -> &mut Api {
        self.apis.get_mut(api.rest_api_id.as_str()).unwrap()
    }

    pub fn create(&mut self) {
        for name in FUNCTIONS {
            let code = self.template.clone();
            let alias = Alias {
                version: 1,
                revision: 1,
            };
            let aliases = [(Slot::Blue, alias.clone()), (Slot::Green, alias)].into();
            self.functions.insert(
                name.to_owned(),
                Function {
                    latest: code.clone(),
                    versions: vec![code],
                    deleted: BTreeSet::new(),
                    aliases,
                    live: AliasState {
                        version: "1".into(),
                        revision: "1".into(),
                        weights: BTreeMap::new(),
                    },
                },
            );
        }
        self.proven_versions
            .extend(FUNCTIONS.map(|name| (name.to_owned(), "1".into())));
        for id in APIS.into_iter().filter(|_| self.has_apis) {
            let first = format!("{id}-d0");
            self.proven.insert(first.clone());
            let previews = Slot::BOTH.map(|slot| (slot, stage(&first, slot))).into();
            let live = stage(&first, Slot::Blue);
            let api = Api {
                deployments: vec!["created".to_owned()],
                deleted: BTreeSet::new(),
                live: live.clone(),
                before: live.clone(),
                previews,
            };
            self.apis.insert(id.to_owned(), api);
            self.timeline.push((self.now, id.to_owned(), live));
        }
        self.is_deployed = true;
    }

    pub fn target(&self) -> RolloutTarget {
        RolloutTarget {
            functions: FUNCTIONS
                .into_iter()
                .filter(|name| self.yet_without != Some(*name))
                .map(FunctionName::from)
                .collect(),
            apis: APIS
                .into_iter()
                .filter(|_| self.has_apis)
                .map(|id| ApiTarget {
                    rest_api_id: id.into(),
                    name: id.to_owned(),
                    live_stage: "prod".into(),
                    preview_stages: PerSlot {
                        blue: "blue".into(),
                        green: "green".into(),
                    },
                    live_url: format!("http://{id}/prod"),
                    preview_urls: PerSlot {
                        blue: format!("http://{id}/blue"),
                        green: format!("http://{id}/green"),
                    },
                })
                .collect(),
            aliases: FUNCTIONS
                .into_iter()
                .zip([
                    ["queue jobs", "schedule nightly"],
                    ["HTTP API shop", "WebSocket API events"],
                ])
                .filter(|(name, _)| self.has_aliases && self.yet_without != Some(*name))
                .map(|(function, serves)| LiveAlias {
                    function: function.into(),
                    alias: "live".into(),
                    serves: serves.map(ServedEntry::from).to_vec(),
                })
                .collect(),
        }
    }

    /// Every change of a live stage goes through here, and is checked.
    pub fn set_live(&mut self, id: &str, traffic: ApiTraffic, what: &str) {
        let weighted = match &traffic.canary {
            Some(canary) if canary.weight > Weight::ZERO => Some(&canary.deployment_id),
            Some(_) => None,
            None => Some(&traffic.deployment_id),
        };
        if let Some(deployment) = weighted
            && !self.proven.contains(deployment.as_str())
        {
            self.violations
                .push(format!("{what} gave live weight to {deployment} before its smoke test"));
        }
        let api = self.apis.get_mut(id).unwrap();
        api.before = api.live.clone();
        api.live = traffic.clone();
        self.timeline.push((self.now, id.to_owned(), traffic));
        self.mutations.push(format!("{what} {id}"));
    }

    /// Every change of a live alias goes through here, and is checked.
    pub fn route(&mut self, name: &str, to: &AliasRouting) -> AliasState {
        let weighted = match &to.share {
            Some(share) if share.weight > Weight::ZERO => &share.version,
            _ => &to.version,
        };
        if !self.proven_versions.contains(&(name.to_owned(), weighted.clone())) {
            self.violations.push(format!(
                "version {weighted} of {name} got live weight before its smoke test"
            ));
        }
        if to.share.as_ref().is_some_and(|share| share.version == to.version) {
            self.violations.push(format!(
                "alias {name}:live was to be divided between one version and itself"
            ));
        }
        self.mutations.push(format!("route {name}"));
        self.routes.push((self.now, name.to_owned(), to.clone()));
        let live = &mut self.functions.get_mut(name).unwrap().live;
        let revision: u64 = live.revision.as_str().parse().unwrap();
        *live = AliasState {
            version: to.version.clone(),
            revision: (revision + 1).to_string().into(),
            weights: to
                .share
                .iter()
                .map(|share| (share.version.clone(), share.weight))
                .collect(),
        };
        live.clone()
    }
}

/// The clock of a run that can stall.
pub struct StallingClock {
    pub world: Arc<World>,
}

#[async_trait]
impl Clock for StallingClock {
    fn now(&self) -> Timestamp {
        self.world.lock().now
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        let is_frozen = self.world.lock().is_frozen;
        if is_frozen {
            pending::<()>().await;
        }
        self.world.sleep_until(deadline).await;
    }
}

struct Listener {
    world: Arc<World>,
}

impl Observer for Listener {
    fn observe(&self, event: &RolloutEvent) {
        self.world.lock().events.push(event.clone());
    }
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        if self.lock().crashed {
            pending::<()>().await;
        }
        let mut inner = self.lock();
        inner.now = inner.now.max(deadline);
        if let Some((at, traffic)) = inner.foreign_at.clone()
            && inner.now >= at
        {
            inner.foreign_at = None;
            inner.proven.insert(traffic.deployment_id.to_string());
            inner.set_live(APIS[0], traffic, "somebody else changed");
        }
    }
}
