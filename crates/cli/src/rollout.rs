//! Wires the orchestrator to an environment: the ports over AWS, the ledger, the reporter, and the signals that abort.

mod checks;
mod clock;
pub mod contract;
mod ending;
mod gate_checks;
mod migrations;
mod observer;
mod signals;
mod stacks;
mod traffic;

use std::num::NonZeroUsize;
use std::sync::Arc;

use aws::assets::AssetManifest;
use aws::stacks::{Approval, KeepExports, StackInput};
use aws::{Aws, StackInfrastructure};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use orchestrator::domain::EnvironmentName;
use orchestrator::driver::{InterruptHandle, Observer, Ports, RolloutEvent, Rollouts};
use orchestrator::ledger::current_lock;
use tokio::sync::OnceCell;

use self::checks::ConfiguredSmoke;
use self::clock::SystemClock;
pub use self::clock::now;
pub use self::ending::{ended, failed, rolled_back, tell_head};
use self::gate_checks::GateChecks;
pub use self::migrations::{Connection, DatabaseMigrations};
pub use self::observer::Reporter;
pub use self::signals::abort_on_signals;
pub use self::stacks::Stacks;
use self::traffic::SyntheticTraffic;
use crate::assembly::Stack;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::session::Session;
use crate::settings::Environment;

/// What of the app a rollout needs; a rollback, a status and a history need nothing of it.
pub struct Release {
    pub inputs: Vec<StackInput>,
    pub manifests: Vec<AssetManifest>,
    pub approval: Arc<dyn Approval>,
    pub exports: Arc<dyn KeepExports>,
    pub concurrency: NonZeroUsize,
}

/// The orchestrator for the session's environment. Blocks for as long as the ledger takes to answer.
pub fn rollouts(
    session: &Session<'_>,
    release: Option<Release>,
    observer: Arc<dyn Observer>,
    console: &Console,
) -> Outcome<Rollouts> {
    let environment = session.environment;
    let ledger = ledger(session)?;
    let aws = session.aws.clone();
    let (infrastructure, stacks) = match release {
        Some(release) => {
            let stacks = Stacks(release.inputs.iter().map(|input| input.name.clone()).collect());
            session.runtime.block_on(stacks.note(&ledger, &environment.name))?;
            let infrastructure =
                StackInfrastructure::new(aws.clone(), release.inputs, release.manifests, release.approval)
                    .keeping_exports(release.exports)
                    .at_once(release.concurrency);
            (infrastructure, stacks)
        }
        None => {
            let stacks = session.runtime.block_on(Stacks::read(&ledger, &environment.name))?;
            let nothing =
                StackInfrastructure::new(aws.clone(), Vec::new(), Vec::new(), Arc::new(aws::stacks::Approved));
            (nothing, stacks)
        }
    };
    let shared = Arc::new(aws.clone());
    Ok(Rollouts {
        environment: EnvironmentName::new(environment.name.as_str()),
        config: environment.rollout.clone(),
        ports: Ports {
            infrastructure: Arc::new(infrastructure),
            migrations: Arc::new(DatabaseMigrations::of(session, stacks.clone(), console.clone())),
            slots: shared.clone(),
            traffic: shared.clone(),
            smoke: Arc::new(ConfiguredSmoke {
                aws,
                stacks,
                checks: environment.smoke.clone(),
                resolved: OnceCell::new(),
            }),
            metrics: shared,
            checks: Arc::new(GateChecks {
                folder: session.settings.root.clone(),
            }),
            clock: Arc::new(SystemClock),
            ledger,
        },
        actor: session.settings.actor.clone(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        observer,
        interrupt: InterruptHandle::default(),
    })
}

/// The ledger of the environment: a folder, or a prefix of a bucket.
pub fn ledger(session: &Session<'_>) -> Outcome<Arc<dyn ObjectStore>> {
    let place = &session.environment.ledger;
    let unusable = |error: anyhow::Error| {
        Failure::new(Code::SettingMissing, format!("the ledger {place} cannot be used")).because(error)
    };
    if place.contains("://") {
        return session.aws.ledger(place).map_err(|error| unusable(error.into()));
    }
    let folder = session.settings.root.join(place);
    std::fs::create_dir_all(&folder).map_err(|error| unusable(error.into()))?;
    let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| unusable(error.into()))?;
    Ok(Arc::new(store))
}

/// Refuses while a run holds the environment's lock. `why` it must not be disturbed, for the end of a sentence.
pub async fn refuse_at_work(ledger: &dyn ObjectStore, environment: &Environment, why: &str) -> Outcome {
    let name = EnvironmentName::new(environment.name.as_str());
    let lock = current_lock(ledger, &name)
        .await
        .map_err(|error| Failure::new(Code::JournalDamaged, "the ledger's lock cannot be read").because(error))?;
    match lock {
        Some(lock) if lock.is_held(now(), environment.rollout.lock_margin) => Err(Failure::new(
            Code::LockHeld,
            format!("a rollout is at work in {}, and {why}", environment.name),
        )
        .because(anyhow::anyhow!(
            "{} holds the lock since {}, until {}",
            lock.owner,
            lock.since,
            lock.until
        ))
        .hint("wait until it ends, or end it with an interrupt")),
        _ => Ok(()),
    }
}

/// Passes events on, and sends synthetic traffic from the first shift until the rollout has ended.
pub struct WithTraffic {
    pub inner: Reporter,
    pub console: Console,
    pub aws: Aws,
    pub environment: Environment,
    pub stacks: Stacks,
    wanted: bool,
    sender: Arc<tokio::sync::Mutex<Option<SyntheticTraffic>>>,
}

impl WithTraffic {
    pub fn new(inner: Reporter, console: Console, session: &Session<'_>, stacks: &[Stack], wanted: bool) -> Self {
        Self {
            inner,
            console,
            aws: session.aws.clone(),
            environment: session.environment.clone(),
            stacks: Stacks(stacks.iter().map(|stack| stack.name.clone()).collect()),
            wanted,
            sender: Arc::default(),
        }
    }

    /// For a rollout that another run began: the stacks as that run noted them.
    pub async fn carried_on(session: &Session<'_>, console: &Console) -> Outcome<Self> {
        let ledger = ledger(session)?;
        Ok(Self {
            inner: Reporter::new(console.clone()),
            console: console.clone(),
            aws: session.aws.clone(),
            environment: session.environment.clone(),
            stacks: Stacks::read(&ledger, &session.environment.name).await?,
            wanted: true,
            sender: Arc::default(),
        })
    }

    fn start(&self) {
        let Some(traffic) = self.environment.traffic.clone().filter(|_| self.wanted) else {
            return;
        };
        let (aws, stacks, console, sender) = (
            self.aws.clone(),
            self.stacks.clone(),
            self.console.clone(),
            self.sender.clone(),
        );
        tokio::spawn(async move {
            let mut sender = sender.lock().await;
            if sender.is_some() {
                return;
            }
            match (
                checks::resolve(&aws, &stacks, &traffic.requests).await,
                aws.rollout_target(&stacks.0).await,
            ) {
                (Ok(requests), Ok(target)) => {
                    if let Some(api) = target.apis.first() {
                        console.say(&format!(
                            "  synthetic traffic: {} requests a second to {} (--no-traffic leaves it out)",
                            traffic.requests_per_second, api.live_url
                        ));
                        *sender = Some(SyntheticTraffic::start(
                            requests.clone(),
                            api,
                            traffic.requests_per_second,
                        ));
                    }
                }
                (Err(error), _) => console.say(&format!("warning: no synthetic traffic: {error}")),
                (_, Err(error)) => console.say(&format!("warning: no synthetic traffic: {error}")),
            }
        });
    }

    /// Ends the traffic and says what came of it.
    pub async fn finish(&self) {
        use std::sync::atomic::Ordering;
        if let Some(sender) = self.sender.lock().await.take() {
            let (sent, unexpected) = (
                sender.counts.sent.load(Ordering::Relaxed),
                sender.counts.unexpected.load(Ordering::Relaxed),
            );
            self.console.say(&format!(
                "  synthetic traffic: {sent} requests, {unexpected} not answered as expected"
            ));
        }
    }
}

impl Observer for WithTraffic {
    fn observe(&self, event: &RolloutEvent) {
        self.inner.observe(event);
        // The second where a rollout is carried on that was tested before.
        let begins = match event {
            RolloutEvent::Smoked { results, .. } => results.iter().all(|result| result.passed),
            RolloutEvent::Baking { .. } => true,
            _ => false,
        };
        if begins {
            self.start();
        }
    }
}
