//! A crash at every call, before and after its effect, and what the next run makes of it. The loop goes over the calls
//! that the undisturbed run makes, so a new call is covered without anybody thinking of it.

use std::sync::Arc;

use orchestrator::domain::ReleaseNumber;
use orchestrator::driver::{DeployOptions, RolloutEnd, RolloutError, RolloutEvent};
use orchestrator::ledger::{read_journal, rollout_numbers};

use crate::world::{When, World};

#[derive(Debug, Clone, Copy)]
enum Command {
    Deploy,
    Rollback(Option<u32>),
}

async fn run(world: &Arc<World>, command: Command) -> Option<Result<RolloutEnd, RolloutError>> {
    let rollouts = world.quick_rollouts();
    match command {
        Command::Deploy => {
            world
                .or_crash(rollouts.deploy_blue_green(DeployOptions::default()))
                .await
        }
        Command::Rollback(to) => world.or_crash(rollouts.rollback(to.map(ReleaseNumber))).await,
    }
}

/// A world with this many releases, the newest of which is live.
async fn prepared(releases: usize) -> Arc<World> {
    let world = World::new();
    for number in 1..=releases {
        world.new_code(&format!("code{number}"));
        assert!(
            world
                .quick_rollouts()
                .deploy_blue_green(DeployOptions::default())
                .await
                .unwrap()
                .is_promoted()
        );
    }
    world.new_code("next");
    let mut inner = world.lock();
    inner.calls = 0;
    inner.events.clear();
    drop(inner);
    world
}

async fn calls_of(prepared: &World, command: Command) -> u64 {
    let world = prepared.fork();
    run(&world, command).await.unwrap().unwrap();
    world.lock().calls
}

async fn no_rollout_is_open(world: &Arc<World>, context: &str) {
    for rollout in rollout_numbers(&*world.store, &"test".into()).await.unwrap() {
        let journal = read_journal(&*world.store, &"test".into(), rollout).await.unwrap();
        assert!(!journal.is_open(), "{context}: rollout {rollout} is open");
    }
}

async fn every_crash_is_settled(releases: usize, command: Command) {
    let prepared = prepared(releases).await;
    let calls = calls_of(&prepared, command).await;
    assert!(calls > 10, "{calls} calls are too few to be true");
    for call in 0..calls {
        for when in [When::Before, When::After] {
            let context = format!("{command:?} crashed {when:?} call {call}");
            let world = prepared.fork();
            world.lock().crash_at = Some((call, when));
            // Reads have no "after": then the run ends by itself.
            let crashed = run(&world, command).await.is_none();
            world.lock().crash_at = None;
            if let Err(error) = world.quick_rollouts().recover().await {
                panic!("{context}: {error}");
            }
            no_rollout_is_open(&world, &context).await;
            world.assert_settled(&context).await;
            // Once more: there is nothing left to do.
            let mutations = world.lock().mutations.len();
            assert!(world.quick_rollouts().recover().await.unwrap().is_none(), "{context}");
            assert_eq!(world.lock().mutations.len(), mutations, "{context}");
            // And the next deploy goes as if nothing had been.
            if crashed && call % 5 == 0 {
                let end = world
                    .quick_rollouts()
                    .deploy_blue_green(DeployOptions::default())
                    .await
                    .unwrap();
                assert!(end.is_promoted(), "{context}: {end:?}");
                assert_eq!(world.live_code(), "next", "{context}");
                world.assert_settled(&context).await;
            }
        }
    }
}

#[tokio::test]
async fn a_first_deploy_is_settled() {
    every_crash_is_settled(0, Command::Deploy).await;
}

#[tokio::test]
async fn a_later_deploy_is_settled() {
    every_crash_is_settled(2, Command::Deploy).await;
}

#[tokio::test]
async fn a_rollback_by_one_switch_is_settled() {
    every_crash_is_settled(2, Command::Rollback(None)).await;
}

#[tokio::test]
async fn a_rollback_to_an_older_release_is_settled() {
    every_crash_is_settled(2, Command::Rollback(Some(0))).await;
}

#[tokio::test]
async fn a_crash_while_settling_is_settled_too() {
    let prepared = prepared(1).await;
    let calls = calls_of(&prepared, Command::Deploy).await;
    for call in (0..calls).step_by(11) {
        for second in (0..40).step_by(4) {
            let context = format!("crashed at call {call}, and {second} calls into settling it");
            let world = prepared.fork();
            world.lock().crash_at = Some((call, When::After));
            run(&world, Command::Deploy).await;
            {
                let mut inner = world.lock();
                inner.crash_at = Some((inner.calls + second, When::After));
            }
            let rollouts = world.quick_rollouts();
            world.or_crash(rollouts.recover()).await;
            world.lock().crash_at = None;
            world.quick_rollouts().recover().await.unwrap();
            no_rollout_is_open(&world, &context).await;
            world.assert_settled(&context).await;
        }
    }
}

#[tokio::test]
async fn a_rollback_after_a_crash_settles_and_says_what_it_found() {
    let prepared = prepared(1).await;
    let calls = calls_of(&prepared, Command::Deploy).await;
    let mut settled = 0;
    for call in 0..calls {
        let world = prepared.fork();
        world.lock().crash_at = Some((call, When::After));
        if run(&world, Command::Deploy).await.is_some() || world.lock().apis["api-one"].live.canary.is_none() {
            continue;
        }
        world.lock().events.clear();
        let end = world.quick_rollouts().rollback(None).await.unwrap();
        assert!(!end.is_promoted() && !end.is_rollback, "{end:?}");
        let told = world
            .lock()
            .events
            .iter()
            .any(|event| matches!(event, RolloutEvent::FoundOpen { rollout, .. } if rollout.0 == 2));
        assert!(told);
        world
            .assert_settled(&format!("rollback after a crash at call {call}"))
            .await;
        assert_eq!(world.standing().await.live, Some(ReleaseNumber(1)));
        settled += 1;
    }
    assert!(settled > 20, "{settled} crashes with a canary are too few to be true");
}

#[tokio::test]
async fn an_environment_that_was_deleted_after_a_crash_can_be_deployed_again() {
    let prepared = prepared(2).await;
    for (command, step) in [
        (Command::Deploy, 9),
        (Command::Rollback(None), 1),
        (Command::Rollback(Some(0)), 3),
    ] {
        let calls = calls_of(&prepared, command).await;
        for call in (0..calls).step_by(step) {
            let context = format!("{command:?} crashed at call {call}");
            let world = prepared.fork();
            world.lock().crash_at = Some((call, When::After));
            run(&world, command).await;
            {
                let mut inner = world.lock();
                inner.crash_at = None;
                inner.is_deployed = false;
                inner.apis.clear();
                inner.functions.clear();
            }
            let end = world
                .quick_rollouts()
                .deploy_blue_green(DeployOptions::default())
                .await
                .unwrap();
            assert!(end.is_promoted(), "{context}: {end:?}");
            world.assert_settled(&context).await;
        }
    }
}
