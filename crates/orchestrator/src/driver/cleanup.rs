//! `cleanup`: what the way back needed is given up when its retention has ended.
//!
//! In this order, so that a crash at any point leaves every slot on something that is there, and none that is told to hold
//! what it does not: the standing forgets what the idle slot holds, that is pointed at the live release, the standing says
//! who is retired, and only then versions and API deployments are deleted. Those that the stack made, and those that a
//! release holds which may still get traffic, are never deleted. Traffic is not touched.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::lease_end::LeaseEnd;
use super::run::{EffectFailure, Hands};
use super::slots::missing_api;
use super::{RolloutError, Rollouts};
use crate::domain::{DeploymentId, FunctionName, FunctionVersion, Release, ReleaseNumber, ReleaseState, RestApiId};
use crate::ledger::{Lease, LockError, Standing, read_standing};
use crate::ports::{PortError, PortErrorKind, Removal};

/// What a cleanup did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cleanup {
    /// Releases that can no longer be gone back to.
    pub retired: Vec<ReleaseNumber>,
    /// What is gone, in words: `version 3 of orders`, `deployment abc of api`.
    pub removed: Vec<String>,
    pub kept: Vec<Kept>,
    /// When the next retention ends; `None` where no release is retained.
    pub next: Option<Timestamp>,
}

/// Something of a retired or rejected release that is still there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kept {
    pub what: String,
    pub because: String,
}

/// What releases hold that may still get traffic, and what the stacks made.
#[derive(Default)]
struct InUse {
    versions: BTreeSet<(FunctionName, FunctionVersion)>,
    deployments: BTreeSet<(RestApiId, DeploymentId)>,
}

impl InUse {
    fn of(standing: &Standing) -> InUse {
        let mut used = InUse::default();
        for release in standing.releases.iter().filter(|release| !is_leftover(release)) {
            for function in &release.functions {
                used.versions.insert((function.name.clone(), function.version.clone()));
            }
            for api in &release.apis {
                used.deployments
                    .insert((api.rest_api_id.clone(), api.deployment_id.clone()));
            }
        }
        used
    }
}

/// A baseline is what the stacks made, whatever became of it.
fn is_leftover(release: &Release) -> bool {
    release.previous.is_some() && matches!(release.state, ReleaseState::Retired | ReleaseState::Rejected)
}

impl Rollouts {
    /// Retires the releases whose retention has ended (`now`: all that are retained, which gives up the way back), and
    /// deletes what they and rejected releases left behind. Repeating it is safe.
    ///
    /// # Errors
    /// [`RolloutError::StillOpen`] while a rollout is open; [`RolloutError::Port`] when something could not be deleted
    /// for now.
    pub async fn cleanup(&self, now: bool) -> Result<Cleanup, RolloutError> {
        self.config.validate()?;
        let mut lease = self.take_lock().await?;
        let result = self.clean_up(&mut lease, now).await;
        self.release_lock(lease, result).await
    }

    async fn clean_up(&self, lease: &mut Lease, now: bool) -> Result<Cleanup, RolloutError> {
        if let Some(open) = self.open_rollout().await? {
            return Err(RolloutError::StillOpen {
                rollout: open.rollout,
                phase: open.state.phase.name(),
            });
        }
        let ledger = &*self.ports.ledger;
        let standing = read_standing(ledger, &self.environment).await?;
        let at = self.now();
        let retained = |release: &&Release| release.state == ReleaseState::Retained;
        let (due, waiting): (Vec<&Release>, Vec<&Release>) = standing
            .releases
            .iter()
            .filter(retained)
            .partition(|release| now || release.retained_until.is_some_and(|until| until <= at));
        let due: Vec<ReleaseNumber> = due.into_iter().map(|release| release.number).collect();
        let mut done = Cleanup {
            next: waiting.iter().filter_map(|release| release.retained_until).min(),
            ..Cleanup::default()
        };
        let Some(live) = standing.live_release().cloned() else {
            return Ok(done);
        };
        let is_left = |release: &&Release| {
            (is_leftover(release) || due.contains(&release.number)) && !standing.removed.contains(&release.number)
        };
        if !standing.releases.iter().any(|release| is_left(&release)) {
            return Ok(done);
        }

        let lease_end = LeaseEnd::new(lease.until());
        let hands = Hands {
            rollouts: self,
            lease_end: &lease_end,
            epoch: lease.epoch(),
        };
        let idle = live.slot.other();
        let idle_is_free = standing.occupants.get(idle).is_none_or(|occupant| {
            occupant != live.number
                && standing
                    .release(occupant)
                    .is_none_or(|release| release.state != ReleaseState::Retained || due.contains(&occupant))
        });
        self.renew_if_due(lease, &lease_end).await?;
        let standing = if idle_is_free {
            let unknown = standing.without_occupant(idle);
            let standing = hands.record_standing(&standing, unknown).await.map_err(refused)?;
            self.renew_if_due(lease, &lease_end).await?;
            hands.give_idle_slot_to(&standing, &live).await.map_err(refused)?;
            standing
        } else {
            standing
        };
        let next = standing.retired(&due, idle_is_free, self.now());
        self.renew_if_due(lease, &lease_end).await?;
        let mut standing = hands.record_standing(&standing, next).await.map_err(refused)?;
        done.retired = due;

        let used = InUse::of(&standing);
        let left: Vec<Release> = standing
            .releases
            .iter()
            .filter(|release| is_leftover(release) && !standing.removed.contains(&release.number))
            .cloned()
            .collect();
        for release in &left {
            self.renew_if_due(lease, &lease_end).await?;
            let conflicts = hands
                .remove(&standing, release, &used, &mut done)
                .await
                .map_err(refused)?;
            if conflicts == 0 {
                let mut next = standing.clone();
                next.removed.push(release.number);
                self.renew_if_due(lease, &lease_end).await?;
                standing = hands.record_standing(&standing, next).await.map_err(refused)?;
            }
        }
        Ok(done)
    }

    async fn renew_if_due(&self, lease: &mut Lease, lease_end: &LeaseEnd) -> Result<(), RolloutError> {
        if lease.is_due(self.now(), self.config.lock_margin) {
            self.make_sure_of(lease).await?;
            lease_end.set(lease.until());
        }
        Ok(())
    }
}

impl Hands<'_> {
    async fn give_idle_slot_to(&self, standing: &Standing, live: &Release) -> Result<(), EffectFailure> {
        let idle = live.slot.other();
        let (Some(traffic), Some(target)) = (standing.live(), &standing.target) else {
            return Ok(());
        };
        for function in &live.functions {
            self.point_alias(&function.name, idle, &function.version, (&traffic, target))
                .await?;
        }
        for api in standing.target.iter().flat_map(|target| &target.apis) {
            let deployment_id = live
                .deployment(&api.rest_api_id)
                .ok_or_else(|| missing_api(api, live))?;
            self.point_preview(api, idle, deployment_id).await?;
        }
        Ok(())
    }

    /// Deletes what only this release holds; gives how much of it is still pointed at by somebody else.
    async fn remove(
        &self,
        standing: &Standing,
        release: &Release,
        used: &InUse,
        done: &mut Cleanup,
    ) -> Result<usize, EffectFailure> {
        let slots = &self.rollouts.ports.slots;
        let mut conflicts = 0;
        for function in &release.functions {
            let (name, version) = (&function.name, &function.version);
            if used.versions.contains(&(name.clone(), version.clone())) {
                continue;
            }
            let removal = self.change(|| slots.delete_version(name, version)).await;
            conflicts += done.note(format!("version {version} of {name}"), removal)?;
        }
        for held in &release.apis {
            let there = standing.target.iter().flat_map(|target| &target.apis);
            let Some(api) = there.into_iter().find(|api| api.rest_api_id == held.rest_api_id) else {
                continue;
            };
            if used
                .deployments
                .contains(&(held.rest_api_id.clone(), held.deployment_id.clone()))
            {
                continue;
            }
            let removal = self.change(|| slots.delete_deployment(api, &held.deployment_id)).await;
            conflicts += done.note(format!("deployment {} of {}", held.deployment_id, api.name), removal)?;
        }
        Ok(conflicts)
    }
}

impl Cleanup {
    fn note(&mut self, what: String, removal: Result<Removal, EffectFailure>) -> Result<usize, EffectFailure> {
        match removal {
            Ok(Removal::Gone) => self.removed.push(what),
            Ok(Removal::NotOurs) => self.kept.push(Kept {
                what,
                because: "the stack made it".to_owned(),
            }),
            Err(EffectFailure::Port(error)) if error.kind == PortErrorKind::Conflict => {
                self.kept.push(Kept {
                    what,
                    because: error.message,
                });
                return Ok(1);
            }
            Err(EffectFailure::Port(error)) if error.kind == PortErrorKind::NotFound => self.removed.push(what),
            Err(failure) => return Err(failure),
        }
        Ok(0)
    }
}

fn refused(failure: EffectFailure) -> RolloutError {
    match failure {
        EffectFailure::Port(error) => error.into(),
        EffectFailure::Ledger(error) => error.into(),
        EffectFailure::LockLost(record) => LockError::Lost { record }.into(),
        EffectFailure::LeaseEnded => {
            let why = "the lease ended before it could be renewed; run the command again";
            PortError::new(PortErrorKind::Conflict, "cleanup", "the lock", why).into()
        }
        EffectFailure::Reason(reason) => {
            PortError::new(PortErrorKind::Invalid, "cleanup", "the ledger", reason.to_string()).into()
        }
        EffectFailure::Foreign { found, .. } => {
            PortError::new(PortErrorKind::Conflict, "cleanup", "the live traffic", found).into()
        }
    }
}
