//! Rollouts that go well, and what they leave behind.

use std::sync::Arc;

use object_store::local::LocalFileSystem;
use orchestrator::domain::{ReleaseNumber, ReleaseState, Slot};
use orchestrator::driver::{DeployOptions, RolloutEvent, RolloutResult};
use orchestrator::rollout::PhaseName;

use crate::world::{APIS, World, seconds};

#[tokio::test]
async fn first_rollout_shifts_from_the_baseline_to_release_1() {
    let world = World::new();
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions {
            tag: Some("v1".to_owned()),
            ..DeployOptions::default()
        })
        .await
        .unwrap();
    assert_eq!(end.result, RolloutResult::Promoted);
    assert_eq!(
        (end.release, end.before),
        (ReleaseNumber(1), Some(ReleaseNumber::BASELINE))
    );
    for api in APIS {
        assert_eq!(world.weights(api), [-1.0, 10.0, 50.0, 100.0, -1.0]);
    }
    world.assert_settled("after the first rollout").await;
    let standing = world.standing().await;
    let states: Vec<_> = standing
        .releases
        .iter()
        .map(|release| (release.number.0, release.slot, release.state))
        .collect();
    assert_eq!(
        states,
        [
            (0, Slot::Blue, ReleaseState::Retained),
            (1, Slot::Green, ReleaseState::Live)
        ]
    );
    assert_eq!(standing.releases[1].schema_version.as_deref(), Some("1"));
    assert_eq!(standing.releases[1].tag, "v1");
}

#[tokio::test]
async fn every_state_is_gone_through_and_told_in_order() {
    let world = World::new();
    world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    let states: Vec<PhaseName> = world
        .lock()
        .events
        .iter()
        .filter_map(|event| match event {
            RolloutEvent::State { state, .. } => Some(*state),
            _ => None,
        })
        .collect();
    use PhaseName::*;
    let expected = [
        Locked, BackedUp, Expanded, Deployed, Released, Smoked, Shifting, Baking, Shifting, Baking, Shifting, Baking,
        Promoting, Promoted, Retained,
    ];
    assert_eq!(states, expected);
}

#[tokio::test]
async fn a_bake_lasts_its_time_after_the_weight_was_seen_in_force() {
    let world = World::new();
    world.lock().slow_probes = 9;
    world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    let inner = world.lock();
    let mut in_force = Vec::new();
    for event in &inner.events {
        match event {
            RolloutEvent::Baking { step, since, .. } if in_force.len() == *step => in_force.push(*since),
            _ => {}
        }
    }
    assert_eq!(in_force.len(), 3);
    let changes: Vec<_> = inner
        .timeline
        .iter()
        .filter(|(_, id, _)| id == APIS[0])
        .map(|(at, ..)| *at)
        .collect();
    // changes: creation, 10 %, 50 %, 100 %, promotion.
    assert!(in_force[0] >= changes[1] + seconds(9 / 2), "the probes took their time");
    for step in 0..3 {
        assert!(changes[step + 2] >= in_force[step] + seconds(10), "step {step}");
    }
}

#[tokio::test]
async fn the_second_rollout_takes_the_other_slot() {
    let world = World::new();
    world.new_code("one");
    world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    world.new_code("two");
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    assert_eq!((end.release, end.before), (ReleaseNumber(2), Some(ReleaseNumber(1))));
    assert!(end.is_promoted());
    assert_eq!(world.live_code(), "two");
    assert_eq!(
        world.standing().await.live_release().map(|release| release.slot),
        Some(Slot::Blue)
    );
    world.assert_settled("after the second").await;
}

#[tokio::test]
async fn status_and_history_tell_the_story() {
    let world = World::new();
    world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    world.lock().smoke_fails = true;
    world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    let status = world.rollouts().status().await.unwrap();
    assert_eq!(status.live.map(|release| release.number), Some(ReleaseNumber(1)));
    assert!(status.apis.iter().all(|api| api.as_recorded));
    assert!(status.open.is_none() && status.lock.is_none());
    assert_eq!(status.retained.len(), 1);
    let history = world.rollouts().history(10).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|entry| (entry.rollout.0, entry.release.0, entry.state))
        .collect();
    assert_eq!(told, [(2, 2, PhaseName::RolledBack), (1, 1, PhaseName::Retained)]);
}

#[tokio::test]
async fn a_failing_smoke_check_ends_before_any_weight() {
    let world = World::new();
    world.lock().smoke_fails = true;
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    let RolloutResult::RolledBack { reason } = &end.result else {
        panic!("{end:?}")
    };
    assert!(
        reason.to_string().contains("GET /health: 500, expected 200"),
        "{reason}"
    );
    assert_eq!(world.weights(APIS[0]), [-1.0]);
    world.assert_settled("after the smoke test failed").await;
    assert_eq!(
        world.standing().await.release(ReleaseNumber(1)).map(|r| r.state),
        Some(ReleaseState::Rejected)
    );
}

#[tokio::test]
async fn stacks_that_fail_leave_the_traffic_alone() {
    let world = World::new();
    world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    world.lock().deploy_fails = true;
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    let RolloutResult::RolledBack { reason } = &end.result else {
        panic!("{end:?}")
    };
    assert!(reason.to_string().contains("a resource failed"), "{reason}");
    world.assert_settled("after the stacks failed").await;
    world.lock().deploy_fails = false;
    assert!(
        world
            .rollouts()
            .deploy_blue_green(DeployOptions::default())
            .await
            .unwrap()
            .is_promoted()
    );
}

#[tokio::test]
async fn an_abort_during_a_bake_turns_back_and_outranks_what_comes_next() {
    let world = World::new();
    let rollouts = world.rollouts();
    rollouts.interrupt.turn_back("the operator asked for it");
    let end = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap();
    let RolloutResult::RolledBack { reason } = &end.result else {
        panic!("{end:?}")
    };
    assert_eq!(reason.to_string(), "aborted: the operator asked for it");
    assert_eq!(world.lock().mutations, Vec::<String>::new());
}

/// Without a runtime, so that the files are read at once: else the virtual clock runs on while they are waited for.
#[test]
fn a_ledger_in_local_files_tells_the_same_to_the_next_process() {
    futures::executor::block_on(tell_the_same_to_the_next_process());
}

async fn tell_the_same_to_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new();
    let rollouts = || {
        let mut rollouts = world.quick_rollouts();
        rollouts.ports.ledger = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
        rollouts
    };
    for code in ["one", "two"] {
        world.new_code(code);
        assert!(
            rollouts()
                .deploy_blue_green(DeployOptions::default())
                .await
                .unwrap()
                .is_promoted()
        );
    }
    world.new_code("bad");
    world.lock().error_percent.insert("bad".to_owned(), 50.0);
    assert!(
        !rollouts()
            .deploy_blue_green(DeployOptions::default())
            .await
            .unwrap()
            .is_promoted()
    );
    assert!(rollouts().rollback(None).await.unwrap().is_promoted());
    assert_eq!(world.live_code(), "one");
    let status = rollouts().status().await.unwrap();
    assert_eq!(status.live.map(|release| release.number), Some(ReleaseNumber(1)));
    assert!(status.apis.iter().all(|api| api.as_recorded) && status.journal_problem.is_none() && status.lock.is_none());
    let history = rollouts().history(10).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|entry| (entry.rollout.0, entry.is_rollback, entry.release.0, entry.state))
        .collect();
    let expected = [
        (4, true, 1, PhaseName::Retained),
        (3, false, 3, PhaseName::RolledBack),
        (2, false, 2, PhaseName::Retained),
        (1, false, 1, PhaseName::Retained),
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_futures_can_be_spawned() {
    fn spawnable<T: Send>(_: &T) {}
    let world = World::new();
    let rollouts = world.rollouts();
    spawnable(&rollouts.deploy_blue_green(DeployOptions::default()));
    spawnable(&rollouts.rollback(None));
    spawnable(&rollouts.recover());
    spawnable(&rollouts.status());
    spawnable(&rollouts.history(1));
}
