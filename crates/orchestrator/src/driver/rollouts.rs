//! The rollouts of one environment: what the CLI calls.

use std::sync::Arc;

use jiff::Timestamp;
use object_store::ObjectStore;
use serde::Serialize;

use super::lease_end::LeaseEnd;
use super::run::{Hands, Run, STALLS};
use super::{InterruptHandle, Observer, RolloutError, RolloutEvent};
use crate::config::RolloutConfig;
use crate::domain::{EnvironmentName, ReleaseNumber};
use crate::ledger::{Actor, Lease, LockError, OpenJournal, head, newest_request};
use crate::ports::{
    Checks, Clock, HookRun, Infrastructure, Metrics, Migrations, PortError, PortErrorKind, Slots, Smoke, Traffic,
};
use crate::rollout::{Goal, Phase, Plan, Reason, RolloutNumber, State};

#[derive(Clone)]
pub struct Ports {
    pub infrastructure: Arc<dyn Infrastructure>,
    pub migrations: Arc<dyn Migrations>,
    pub slots: Arc<dyn Slots>,
    pub traffic: Arc<dyn Traffic>,
    pub smoke: Arc<dyn Smoke>,
    pub metrics: Arc<dyn Metrics>,
    pub checks: Arc<dyn Checks>,
    pub clock: Arc<dyn Clock>,
    /// Holds the ledger; see [`crate::ledger`] for its layout.
    pub ledger: Arc<dyn ObjectStore>,
}

#[derive(Clone)]
pub struct Rollouts {
    pub environment: EnvironmentName,
    pub config: RolloutConfig,
    pub ports: Ports,
    pub actor: Actor,
    /// Of this program; stands in every record.
    pub tool_version: String,
    pub observer: Arc<dyn Observer>,
    /// Wishes from this process, such as signals.
    pub interrupt: InterruptHandle,
}

/// What whoever deploys says about this one deploy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployOptions {
    /// What people call the release; `release-N` where nothing is said.
    pub tag: Option<String>,
    /// Why this is a hotfix: short steps; old alarms and what the live release does wrong are not obeyed. The journal and
    /// every reporter say it.
    pub hotfix: Option<String>,
    /// Ask for approval before the first step.
    pub hold: bool,
}

/// How a rollout ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RolloutEnd {
    pub rollout: RolloutNumber,
    /// Whether it was a rollback that was asked for, not a deploy.
    pub is_rollback: bool,
    /// The release that was to become live.
    pub release: ReleaseNumber,
    /// The release that was live before.
    pub before: Option<ReleaseNumber>,
    pub result: RolloutResult,
    /// The environment's commands around backup and migrations that failed without stopping it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_hooks: Vec<HookRun>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RolloutResult {
    /// The release is live.
    Promoted,
    /// All traffic is where it was before, without canary settings.
    RolledBack { reason: Reason },
    /// Somebody else moved the traffic to one proven slot; it was left there.
    NeedsHuman { found: String },
}

impl RolloutEnd {
    pub fn is_promoted(&self) -> bool {
        self.result == RolloutResult::Promoted
    }

    /// `None` while the rollout is open.
    pub(crate) fn of(state: &State) -> Option<RolloutEnd> {
        let result = match &state.phase {
            Phase::Retained => RolloutResult::Promoted,
            Phase::RolledBack { reason } => RolloutResult::RolledBack { reason: reason.clone() },
            Phase::NeedsHuman { found } => RolloutResult::NeedsHuman { found: found.clone() },
            _ => return None,
        };
        let before = match &state.plan.goal {
            Goal::Rollback { from, .. } => Some(*from),
            Goal::Deploy { .. } => state.facts.live.as_ref().map(|live| live.number),
        };
        Some(RolloutEnd {
            rollout: state.plan.rollout,
            is_rollback: state.plan.is_rollback(),
            release: state.plan.release(),
            before,
            result,
            failed_hooks: state.facts.hooks.iter().filter(|run| !run.succeeded).cloned().collect(),
        })
    }
}

impl Rollouts {
    /// Deploys the stacks, releases to the idle slot, and moves the traffic step by step. An open rollout is settled
    /// first.
    ///
    /// # Errors
    /// When no end was reached. What ended turned back is no error: see [`RolloutEnd::result`].
    pub async fn deploy_blue_green(&self, options: DeployOptions) -> Result<RolloutEnd, RolloutError> {
        self.config.validate()?;
        let mut lease = self.take_lock().await?;
        let result = async {
            self.settle(&mut lease).await?;
            let plan = self.plan_deploy(options, lease.epoch()).await?;
            self.carry_out(plan, &mut lease).await
        }
        .await;
        self.release_lock(lease, result).await
    }

    /// Returns the live traffic to the release before, or to a named one. An open deploy is turned back, which is the
    /// rollback then, unless another release was named.
    ///
    /// Needs neither metrics nor alarms nor the stacks' service.
    pub async fn rollback(&self, to: Option<ReleaseNumber>) -> Result<RolloutEnd, RolloutError> {
        self.config.validate()?;
        let mut lease = self.take_lock().await?;
        let result = async {
            if let Some(settled) = self.settle(&mut lease).await? {
                let done = match &settled.result {
                    RolloutResult::RolledBack { .. } => {
                        !settled.is_rollback && to.is_none_or(|to| settled.before == Some(to))
                    }
                    RolloutResult::Promoted => settled.is_rollback && to.is_none_or(|to| settled.release == to),
                    RolloutResult::NeedsHuman { .. } => true,
                };
                if done {
                    return Ok(settled);
                }
            }
            let plan = self.plan_rollback(to).await?;
            self.carry_out(plan, &mut lease).await
        }
        .await;
        self.release_lock(lease, result).await
    }

    /// Settles an open rollout, if there is one: finishes a promotion that all traffic shows, and otherwise turns the
    /// traffic back. `None` where none is open.
    pub async fn recover(&self) -> Result<Option<RolloutEnd>, RolloutError> {
        self.config.validate()?;
        let mut lease = self.take_lock().await?;
        let result = self.settle(&mut lease).await;
        self.release_lock(lease, result).await
    }

    pub(super) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    pub(super) fn tell(&self, event: RolloutEvent) {
        self.observer.observe(&event);
    }

    async fn carry_out(&self, plan: Plan, lease: &mut Lease) -> Result<RolloutEnd, RolloutError> {
        self.tell(RolloutEvent::Planned { plan: plan.clone() });
        // Those are for rollouts before this one.
        let requests_read = newest_request(&*self.ports.ledger, &self.environment).await?;
        let before = head(&*self.ports.ledger, &self.environment).await?;
        // Whoever stalled until here and was taken over must not begin.
        self.make_sure_of(lease).await?;
        let journal = OpenJournal::open(
            &*self.ports.ledger,
            &self.environment,
            plan,
            lease.epoch(),
            self.now(),
            &self.actor,
            &self.tool_version,
            before,
        )
        .await?;
        self.finish(journal, lease, requests_read, false).await
    }

    /// Renews the lease until more of it is left than the margin: the renewal itself can take longer than the lease.
    pub(super) async fn make_sure_of(&self, lease: &mut Lease) -> Result<(), RolloutError> {
        for _ in 0..=STALLS {
            lease.renew(&*self.ports.ledger, &self.environment, self.now()).await?;
            if self.now() + self.config.lock_margin < lease.until() {
                return Ok(());
            }
        }
        Err(PortError::new(
            PortErrorKind::Unavailable,
            "renewing",
            "the lock",
            "each time it took longer than the lease lasts, so nothing was begun; run the command again",
        )
        .into())
    }

    /// Carries an open rollout to its end. Requests up to `requests_read` are not looked at. `resumed`: somebody has just
    /// asked that it goes on, so a pause that is older holds nothing up.
    pub(super) async fn finish(
        &self,
        journal: OpenJournal<'_>,
        lease: &mut Lease,
        requests_read: u64,
        resumed: bool,
    ) -> Result<RolloutEnd, RolloutError> {
        let lease_end = LeaseEnd::new(lease.until());
        Run {
            hands: Hands {
                rollouts: self,
                lease_end: &lease_end,
                epoch: lease.epoch(),
            },
            requests_read: requests_read.max(journal.state().requests_read),
            requests_read_at: None,
            resumed,
            journal,
            lease,
        }
        .finish()
        .await
    }

    /// Takes the lock. While somebody holds it without a sign of life, waits for the end of the lease.
    pub(super) async fn take_lock(&self) -> Result<Lease, RolloutError> {
        let margin = self.config.lock_margin;
        let mut waiting_for: Option<u64> = None;
        loop {
            let now = self.now();
            let taken = Lease::take(
                &*self.ports.ledger,
                &self.environment,
                &self.actor,
                now,
                self.config.lock_lease,
                margin,
            )
            .await;
            match taken {
                Ok(lease) => {
                    self.tell(RolloutEvent::LockTaken {
                        epoch: lease.epoch(),
                        until: lease.until(),
                    });
                    return Ok(lease);
                }
                Err(LockError::Held { record }) => {
                    match waiting_for {
                        None => self.tell(RolloutEvent::WaitingForLock {
                            holder: (*record).clone(),
                        }),
                        // It was renewed, or taken by another: its holder lives.
                        Some(sequence) if sequence != record.sequence => return Err(LockError::Held { record }.into()),
                        Some(_) => {}
                    }
                    if self.interrupt.is_wished() {
                        return Err(LockError::Held { record }.into());
                    }
                    waiting_for = Some(record.sequence);
                    let look_again = now + self.config.poll_interval;
                    self.ports
                        .clock
                        .sleep_until(look_again.min(record.until + margin).max(now))
                        .await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives the lock back, whatever came of the work. That it could not be given back is no error of the work: the
    /// lease ends by itself.
    pub(super) async fn release_lock<T>(
        &self,
        lease: Lease,
        result: Result<T, RolloutError>,
    ) -> Result<T, RolloutError> {
        if let Err(error) = lease.release(&*self.ports.ledger, &self.environment, self.now()).await {
            self.tell(RolloutEvent::Warning {
                message: format!("the lock was not given back: {error}"),
            });
        }
        result
    }
}
