//! The lock: one run at a time, and a run that was taken over does nothing more.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::future::join_all;
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use orchestrator::driver::{DeployOptions, InterruptHandle, Observer, RolloutError, RolloutEvent};
use orchestrator::ledger::{Actor, JournalError, Lease, LockError, current_lock};

use crate::world::{StallingClock, World, config, seconds, start};

fn actor(number: u32) -> Actor {
    Actor {
        name: format!("deployer {number}"),
        host: "here".to_owned(),
        process_id: number,
    }
}

async fn take(store: &dyn ObjectStore, number: u32, now: Timestamp) -> Result<Lease, LockError> {
    Lease::take(store, &"test".into(), &actor(number), now, seconds(60), seconds(5)).await
}

async fn the_lock_holds(store: Arc<dyn ObjectStore>) {
    let environment = "test".into();
    let mut first = take(&*store, 1, start()).await.unwrap();
    assert_eq!(first.epoch(), 1);
    let error = take(&*store, 2, start() + seconds(64)).await.unwrap_err();
    assert!(error.to_string().contains("deployer 1 on here (process 1)"), "{error}");
    first.renew(&*store, &environment, start() + seconds(50)).await.unwrap();
    assert!(take(&*store, 2, start() + seconds(70)).await.is_err(), "it was renewed");
    let mut second = take(&*store, 2, start() + seconds(120)).await.unwrap();
    assert_eq!(second.epoch(), 2);
    // The first comes back late.
    let error = first
        .renew(&*store, &environment, start() + seconds(121))
        .await
        .unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error}");
    // Many renewals clear the old objects away and keep the lock.
    for index in 0..200 {
        second
            .renew(&*store, &environment, start() + seconds(130 + index))
            .await
            .unwrap();
    }
    assert!(take(&*store, 3, start() + seconds(340)).await.is_err());
    second
        .release(&*store, &environment, start() + seconds(341))
        .await
        .unwrap();
    assert_eq!(take(&*store, 3, start() + seconds(341)).await.unwrap().epoch(), 3);
}

/// `count` contenders at once: exactly one gets it, whether nobody ever had it or it has expired.
async fn one_of_many_wins(store: Arc<dyn ObjectStore>, count: u32) {
    for round in 0..8_i64 {
        let now = start() + seconds(round * 1000);
        let contenders = (0..count).map(|number| {
            let store = store.clone();
            tokio::spawn(async move { take(&*store, number, now).await })
        });
        let results: Vec<_> = join_all(contenders).await.into_iter().map(Result::unwrap).collect();
        let winners: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
        assert_eq!(winners.len(), 1, "round {round}: {results:?}");
        let current = current_lock(&*store, &"test".into()).await.unwrap().unwrap();
        assert_eq!(current.epoch, winners[0].epoch(), "round {round}");
        assert_eq!(current.epoch, u64::try_from(round).unwrap() + 1);
    }
}

#[tokio::test]
async fn holds_in_memory() {
    the_lock_holds(Arc::new(InMemory::new())).await;
}

#[tokio::test]
async fn holds_in_local_files() {
    let folder = tempfile::tempdir().unwrap();
    the_lock_holds(Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_wins_in_memory() {
    one_of_many_wins(Arc::new(InMemory::new()), 16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_wins_in_local_files() {
    let folder = tempfile::tempdir().unwrap();
    one_of_many_wins(Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap()), 16).await;
}

/// Holds the lock, and renews it whenever somebody is seen waiting for it.
struct LivingHolder {
    world: Arc<World>,
    lease: Mutex<Lease>,
}

impl Observer for LivingHolder {
    fn observe(&self, event: &RolloutEvent) {
        if matches!(event, RolloutEvent::WaitingForLock { .. }) {
            let now = self.world.lock().now;
            let mut lease = self.lease.lock().unwrap();
            block_on(lease.renew(&*self.world.store, &"test".into(), now)).unwrap();
        }
    }
}

#[tokio::test]
async fn a_holder_that_lives_is_named_and_left_alone() {
    let world = World::new();
    let environment = "test".into();
    let (lease, margin) = (config().lock_lease, config().lock_margin);
    let lease = Lease::take(&*world.store, &environment, &actor(7), start(), lease, margin)
        .await
        .unwrap();
    let lease = Mutex::new(lease);
    let mut rollouts = world.rollouts();
    rollouts.observer = Arc::new(LivingHolder {
        world: world.clone(),
        lease,
    });
    let error = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("held by deployer 7 on here (process 7) since 2026-03-01T12:00:00Z"),
        "{error}"
    );
    assert!(world.lock().mutations.is_empty());
}

#[tokio::test]
async fn a_holder_that_died_is_waited_for_and_replaced() {
    let world = World::new();
    let environment = "test".into();
    Lease::take(
        &*world.store,
        &environment,
        &actor(7),
        start(),
        config().lock_lease,
        config().lock_margin,
    )
    .await
    .unwrap();
    assert!(
        world
            .rollouts()
            .deploy_blue_green(DeployOptions::default())
            .await
            .unwrap()
            .is_promoted()
    );
    let waited = world
        .lock()
        .events
        .iter()
        .any(|event| matches!(event, RolloutEvent::WaitingForLock { holder } if holder.owner.name == "deployer 7"));
    assert!(waited);
}

/// Gives up as soon as it is told to wait.
struct Impatient {
    abort: InterruptHandle,
}

impl Observer for Impatient {
    fn observe(&self, event: &RolloutEvent) {
        if matches!(event, RolloutEvent::WaitingForLock { .. }) {
            self.abort.turn_back("no patience");
        }
    }
}

#[tokio::test]
async fn waiting_for_the_lock_can_be_aborted() {
    let world = World::new();
    let (lease, margin) = (config().lock_lease, config().lock_margin);
    Lease::take(&*world.store, &"test".into(), &actor(7), start(), lease, margin)
        .await
        .unwrap();
    let mut rollouts = world.rollouts();
    rollouts.observer = Arc::new(Impatient {
        abort: rollouts.interrupt.clone(),
    });
    let error = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap_err();
    assert!(matches!(error, RolloutError::Lock(LockError::Held { .. })), "{error}");
    assert!(world.lock().mutations.is_empty());
}

#[tokio::test]
async fn a_run_that_stalled_and_was_taken_over_does_nothing_more() {
    let prepared = World::new();
    prepared.new_code("one");
    prepared
        .quick_rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    prepared.new_code("two");
    prepared.lock().calls = 0;
    let undisturbed = prepared.fork();
    undisturbed
        .quick_rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    let calls = undisturbed.lock().calls;
    let mut fenced = 0;
    for call in (0..calls).step_by(3) {
        let context = format!("stalled before call {call}");
        let world = prepared.fork();
        world.lock().freeze_at = Some(call);
        let mut first = world.quick_rollouts();
        first.ports.clock = Arc::new(StallingClock { world: world.clone() });
        let stalled = first.deploy_blue_green(DeployOptions::default());
        tokio::pin!(stalled);
        tokio::select! {
            biased;
            () = world.frozen.notified() => {}
            result = &mut stalled => panic!("{context}: it ended: {result:?}"),
        }
        world.lock().now += config().lock_lease + seconds(30);
        world.quick_rollouts().recover().await.unwrap();
        let before = world.lock().mutations.len();
        world.thaw.notify_one();
        match stalled.await {
            // It stalled before it had the lock, or when only the giving back was left.
            Ok(end) => assert!(end.is_promoted(), "{context}: {end:?}"),
            Err(RolloutError::Journal(JournalError::Fenced { .. }) | RolloutError::Lock(_)) => {
                fenced += 1;
                // The one call that was under way may still take effect; nothing after it.
                let inner = world.lock();
                assert!(
                    inner.mutations.len() <= before + 1,
                    "{context}: {:?}",
                    &inner.mutations[before..]
                );
            }
            Err(RolloutError::Ledger(_)) => {}
            Err(error) => panic!("{context}: {error}"),
        }
        assert!(
            world.lock().violations.is_empty(),
            "{context}: {:?}",
            world.lock().violations
        );
    }
    assert!(fenced > 20, "{fenced} stalls ended at a fence");
}
