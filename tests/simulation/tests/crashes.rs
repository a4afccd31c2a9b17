//! A crash at every call of a run: before its effect, after it, and with its request still on the way. Then somebody
//! settles what is open, or carries it on, and all invariants are checked after every event.
//!
//! Between two calls nothing leaves a run, so there is no other place to crash at. The loops go over the calls that the
//! undisturbed run makes: a new call is covered without anybody thinking of it.

use std::sync::Arc;

use jiff::SignedDuration;
use orchestrator::config::RolloutConfig;
use orchestrator::domain::ReleaseNumber;
use orchestrator::driver::{Answer, DeployOptions, RolloutError};
use orchestrator::ledger::{read_journal, rollout_numbers};
use simulation::executor;
use simulation::faults::{Fault, Faults, When};
use simulation::process::Process;
use simulation::world::{Shape, World, quick_config};

#[derive(Debug, Clone, Copy)]
enum Begun {
    Deploy,
    Rollback(Option<u32>),
    Cleanup,
}

#[derive(Debug, Clone, Copy)]
enum Then {
    Settle,
    CarryOn,
}

/// How long a change that nothing protects may be under way, in milliseconds: less than the lock's margin.
const FLIGHT: u32 = 1_000;

/// Two steps are enough to have a first one, a next one and a promotion.
fn short() -> RolloutConfig {
    let mut config = quick_config();
    config.steps.remove(1);
    config
}

async fn prepared(releases: u32) -> Arc<World> {
    let world = World::shaped(Shape { apis: 1, aliases: true });
    for number in 1..=releases {
        world.new_code(&format!("code{number}"));
        let rollouts = world.rollouts_with(short());
        let end = rollouts.deploy_blue_green(DeployOptions::default()).await;
        assert!(end.is_ok_and(|end| end.is_promoted()));
    }
    world.new_code("next");
    let mut inner = world.lock();
    inner.calls = 0;
    inner.writes.clear();
    inner.longest_flight = Some(FLIGHT);
    drop(inner);
    world
}

/// Runs it with this fault. `None`: it crashed.
async fn run(world: &Arc<World>, begun: Begun, faults: Faults) -> Option<Result<(), RolloutError>> {
    let process = Process::new(world, SignedDuration::ZERO, &short());
    let rollouts = process.rollouts(short());
    world.lock().faults = faults;
    let ended = process
        .run(async move {
            match begun {
                Begun::Deploy => rollouts.deploy_blue_green(DeployOptions::default()).await.map(drop),
                Begun::Rollback(to) => rollouts.rollback(to.map(ReleaseNumber)).await.map(drop),
                Begun::Cleanup => rollouts.cleanup(true).await.map(drop),
            }
        })
        .await;
    world.calm();
    ended
}

async fn nothing_is_open(world: &World, context: &str) {
    let environment = "test".into();
    let numbers = rollout_numbers(&*world.store, &environment).await;
    for rollout in numbers.expect("the ledger is in memory") {
        let journal = read_journal(&*world.store, &environment, rollout).await;
        assert!(journal.is_ok_and(|journal| !journal.is_open()), "{context}: {rollout}");
    }
}

async fn after_a_crash(world: &Arc<World>, begun: Begun, then: Then, context: &str) {
    match (begun, then) {
        (Begun::Cleanup, _) => {
            let again = world.rollouts_with(short()).cleanup(true).await;
            assert!(again.is_ok(), "{context}: {again:?}");
        }
        (_, Then::Settle) => {
            let settled = world.rollouts_with(short()).recover().await;
            assert!(settled.is_ok(), "{context}: {settled:?}");
        }
        (_, Then::CarryOn) => {
            let wait = short().lock_lease + short().lock_margin;
            match world.rollouts_with(short()).resume(wait).await {
                Ok(Answer::CarriedOn { end }) => assert!(end.is_promoted(), "{context}: {end:?}"),
                // It crashed before it began, or after it had ended.
                Err(RolloutError::NothingOpen { .. }) => {}
                other => panic!("{context}: {other:?}"),
            }
        }
    }
    nothing_is_open(world, context).await;
    world.assert_settled(context).await;
    // Once more there is nothing to do.
    let changes = world.lock().mutations.len();
    let again = world.rollouts_with(short()).recover().await;
    assert!(matches!(again, Ok(None)), "{context}: {again:?}");
    assert_eq!(world.lock().mutations.len(), changes, "{context}");
}

fn every_crash(releases: u32, begun: Begun) {
    let (calls, changes) = executor::run(1, async move {
        let world = prepared(releases).await;
        let ended = run(&world, begun, Faults::None).await;
        assert!(matches!(ended, Some(Ok(()))), "{ended:?}");
        let inner = world.lock();
        (inner.calls, inner.writes.clone())
    });
    assert!(
        calls > 10 && changes.len() > 3,
        "{calls} calls with {} changes are too few to be true",
        changes.len()
    );
    let before = (0..calls).map(|call| (call, Fault::Crash(When::Before), Then::Settle));
    let after = (0..calls).map(|call| (call, Fault::Crash(When::After), Then::CarryOn));
    let in_flight = changes.iter().map(|call| {
        let then = if call % 2 == 0 { Then::Settle } else { Then::CarryOn };
        (*call, Fault::CrashInFlight { milliseconds: FLIGHT }, then)
    });
    for (call, fault, then) in before.chain(after).chain(in_flight) {
        executor::run(1, async move {
            let context = format!("{begun:?}, call {call} {fault}, then {then:?}");
            let world = prepared(releases).await;
            let ended = run(&world, begun, Faults::Listed([(call, fault)].into())).await;
            assert!(ended.is_none(), "{context}: it lived on, {ended:?}");
            after_a_crash(&world, begun, then, &context).await;
        });
    }
}

#[test]
fn a_first_deploy_that_crashes_anywhere_comes_right() {
    every_crash(0, Begun::Deploy);
}

#[test]
fn a_later_deploy_that_crashes_anywhere_comes_right() {
    every_crash(1, Begun::Deploy);
}

#[test]
fn a_rollback_that_crashes_anywhere_comes_right() {
    every_crash(2, Begun::Rollback(None));
}

#[test]
fn a_rollback_to_an_older_release_that_crashes_anywhere_comes_right() {
    every_crash(2, Begun::Rollback(Some(0)));
}

#[test]
fn a_cleanup_that_crashes_anywhere_comes_right() {
    every_crash(2, Begun::Cleanup);
}
