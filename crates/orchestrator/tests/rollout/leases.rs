//! Where only the lease protects: the first record of a journal, the standings, and the date of a look.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::executor::block_on;
use jiff::{SignedDuration, Timestamp};
use orchestrator::driver::{DeployOptions, RolloutError};
use orchestrator::ledger::{Lease, LockError, rollout_numbers};
use orchestrator::ports::{AlarmName, AlarmObservation, MetricQuery, MetricSeries, MetricSource, Metrics, PortError};
use orchestrator::rollout::{Event, RolloutNumber};

use crate::meddling::{Access, meddled};
use crate::script::{deploy, events_of, operator, with_one_release};
use crate::world::{World, config, seconds};

/// Whoever is at work stalls beyond his lease, and another takes the lock.
fn stall_and_take_over(world: &World) {
    let now = {
        let mut inner = world.lock();
        inner.now += config().lock_lease + config().lock_margin + seconds(1);
        inner.now
    };
    let (environment, by, margin) = ("test".into(), operator(), config().lock_margin);
    let taken = Lease::take(&*world.store, &environment, &by, now, seconds(600), margin);
    block_on(taken).unwrap();
}

fn is_lost(result: &Result<impl std::fmt::Debug, RolloutError>) -> bool {
    matches!(result, Err(RolloutError::Lock(LockError::Lost { .. })))
}

/// Nothing fences record 0, so the lease has to be sure when it is written.
#[tokio::test]
async fn who_is_taken_over_before_his_first_record_writes_none() {
    let prepared = with_one_release().await;
    // What is accessed before the first record, from the taking of the lock on.
    let before_it = Arc::new(Mutex::new((Vec::new(), false)));
    let seen = before_it.clone();
    let undisturbed = prepared.fork();
    let rollouts = meddled(undisturbed.rollouts(), &undisturbed, move |_, access| {
        let (accesses, is_over) = &mut *seen.lock().unwrap();
        *is_over |= *access == Access::Written("test/rollouts/000002/000000.json".to_owned());
        if !*is_over {
            accesses.push(access.clone());
        }
    });
    deploy(&rollouts).await;
    let accesses = before_it.lock().unwrap().0.clone();
    let is_lock = |access: &&Access| matches!(access, Access::Written(object) if object.starts_with("test/lock/"));
    let locks = accesses.iter().filter(is_lock).count();
    assert_eq!(
        locks, 2,
        "it is taken, and renewed before the first record: {accesses:?}"
    );
    let taken = accesses.iter().position(|access| is_lock(&access)).unwrap();
    for (stalled, access) in accesses.iter().enumerate().skip(taken + 1) {
        let context = format!("stalled at {access:?}, access {stalled}");
        let world = prepared.fork();
        let count = AtomicUsize::new(0);
        let rollouts = meddled(world.rollouts(), &world, move |world, _| {
            if count.fetch_add(1, Ordering::SeqCst) == stalled {
                stall_and_take_over(world);
            }
        });
        let result = rollouts.deploy_blue_green(DeployOptions::default()).await;
        assert!(is_lost(&result), "{context}: {result:?}");
        let numbers = rollout_numbers(&*world.store, &"test".into()).await.unwrap();
        assert_eq!(numbers, [RolloutNumber(1)], "{context}");
    }
}

/// A renewal whose answer takes longer than the lease is none.
#[tokio::test]
async fn a_renewal_that_took_too_long_is_made_again() {
    let world = with_one_release().await;
    let renewals = AtomicUsize::new(0);
    let rollouts = meddled(world.rollouts(), &world, move |world, access| {
        let is_lock = matches!(access, Access::Written(object) if object.starts_with("test/lock/"));
        // The first is the taking.
        if is_lock && renewals.fetch_add(1, Ordering::SeqCst) == 1 {
            world.lock().now += config().lock_lease + seconds(1);
        }
    });
    deploy(&rollouts).await;
    let events = events_of(&world, 2).await;
    let opened = events.iter().find(|(_, event)| matches!(event, Event::Opened { .. }));
    assert!(opened.is_some());
    world.assert_settled("after a slow renewal").await;
}

#[tokio::test]
async fn who_is_taken_over_while_he_reads_what_stands_writes_no_standing() {
    for read in ["test/standings", "test/rollouts", "test/rollouts/000002"] {
        stalled_before_the_standing(read).await;
    }
}

/// Stalls at this reading once all traffic is promoted and only the ledger does not say so yet.
async fn stalled_before_the_standing(read: &'static str) {
    let world = with_one_release().await;
    let before = world.standing().await;
    let is_promoted = AtomicBool::new(false);
    let rollouts = meddled(world.rollouts(), &world, move |world, access| {
        let promoted = world
            .lock()
            .mutations
            .last()
            .is_some_and(|last| last.starts_with("promote") || last.starts_with("route"))
            && world.lock().apis.values().all(|api| api.live.settled().is_some())
            && world.live_code() == "two";
        if promoted && *access == Access::Listed(read.to_owned()) && !is_promoted.swap(true, Ordering::SeqCst) {
            stall_and_take_over(world);
        }
    });
    let result = rollouts.deploy_blue_green(DeployOptions::default()).await;
    assert!(is_lost(&result), "stalled at {read}: {result:?}");
    assert_eq!(world.live_code(), "two");
    assert_eq!(world.standing().await, before, "stalled at {read}");
}

/// Metrics whose first answer comes after the bake's end.
struct Late {
    world: Arc<World>,
    by: SignedDuration,
    is_over: AtomicBool,
}

#[async_trait]
impl Metrics for Late {
    async fn resolve(&self, sources: &[MetricSource]) -> Result<(), PortError> {
        self.world.resolve(sources).await
    }

    async fn query(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<MetricSeries>, PortError> {
        let answer = self.world.query(queries, from, to).await;
        let bakes = self.world.lock().apis.values().all(|api| api.live.canary.is_some());
        if bakes && !self.is_over.swap(true, Ordering::SeqCst) {
            self.world.lock().now += self.by;
        }
        answer
    }

    async fn alarms(&self, names: &[AlarmName]) -> Result<Vec<AlarmObservation>, PortError> {
        self.world.alarms(names).await
    }
}

#[tokio::test]
async fn an_answer_that_comes_late_is_of_when_it_was_asked_for() {
    let world = with_one_release().await;
    let bake = config().steps[0].bake;
    let mut rollouts = world.rollouts();
    rollouts.ports.metrics = Arc::new(Late {
        world: world.clone(),
        by: bake,
        is_over: AtomicBool::new(false),
    });
    deploy(&rollouts).await;
    let events = events_of(&world, 2).await;
    let in_force = events
        .iter()
        .find_map(|(_, event)| match event {
            Event::InForce { step: 0, at, .. } => Some(*at),
            _ => None,
        })
        .unwrap();
    let looks: Vec<(Timestamp, Timestamp)> = events
        .iter()
        .filter_map(|(recorded, event)| match event {
            Event::Judged { step: 0, at, .. } => Some((*at, *recorded)),
            _ => None,
        })
        .collect();
    let (asked, recorded) = looks[0];
    assert!(recorded >= in_force + bake, "its answer came after the bake's end");
    assert!(asked < in_force + seconds(1), "it was asked for when the bake began");
    assert!(looks.len() > 1, "and passes nobody: {looks:?}");
    assert!(looks[1].0 >= in_force + bake);
}
