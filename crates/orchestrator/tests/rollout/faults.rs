//! Calls that are refused, whose responses are lost, and reads that are late.

use std::sync::Arc;

use orchestrator::driver::{DeployOptions, RolloutError};
use orchestrator::rollout::PhaseName;

use crate::world::World;

async fn with_one_release() -> Arc<World> {
    let world = World::new();
    world.new_code("one");
    world
        .quick_rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    world.new_code("two");
    world.lock().calls = 0;
    world
}

#[tokio::test]
async fn any_one_lost_response_changes_nothing() {
    let prepared = with_one_release().await;
    let undisturbed = prepared.fork();
    undisturbed
        .quick_rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    let calls = undisturbed.lock().calls;
    for call in 0..calls {
        let world = prepared.fork();
        world.lock().lose_response_of = Some(call);
        let end = world
            .quick_rollouts()
            .deploy_blue_green(DeployOptions::default())
            .await
            .unwrap();
        assert!(end.is_promoted(), "call {call}: {end:?}");
        assert_eq!(world.live_code(), "two");
        world.assert_settled(&format!("lost the response of call {call}")).await;
        let inner = world.lock();
        for (id, api) in &inner.apis {
            assert_eq!(
                api.deployments.len(),
                3,
                "call {call}: {id} was deployed twice: {:?}",
                api.deployments
            );
        }
    }
}

#[tokio::test]
async fn under_many_faults_it_ends_in_one_slot() {
    let prepared = with_one_release().await;
    let (mut promoted, mut turned_back, mut open) = (0, 0, 0);
    for seed in 0..150 {
        let context = format!("seed {seed}");
        let world = prepared.fork();
        world.lock().faults = Some((seed, 30 + (seed % 5) * 60));
        let result = world.quick_rollouts().deploy_blue_green(DeployOptions::default()).await;
        world.lock().faults = None;
        match result {
            Ok(end) if end.is_promoted() => {
                promoted += 1;
                assert_eq!(world.live_code(), "two", "{context}");
            }
            Ok(_) => {
                turned_back += 1;
                assert_eq!(world.live_code(), "one", "{context}");
            }
            Err(RolloutError::Open { phase, .. }) => {
                open += 1;
                assert!(
                    matches!(phase, PhaseName::RollingBack | PhaseName::Promoted),
                    "{context}: {phase}"
                );
            }
            // Over virtual time the waits between many attempts leave the lease no moment to be renewed.
            Err(RolloutError::LeaseEnded { .. }) => open += 1,
            // Before anything was opened.
            Err(RolloutError::Port(_)) => {}
            Err(error) => panic!("{context}: {error}"),
        }
        world.quick_rollouts().recover().await.unwrap();
        world.assert_settled(&context).await;
    }
    assert!(
        promoted > 30,
        "{promoted} promoted, {turned_back} turned back, {open} open"
    );
}

#[tokio::test]
async fn a_rollback_under_many_faults_ends_in_one_slot() {
    let prepared = with_one_release().await;
    for seed in 0..100 {
        let context = format!("seed {seed}");
        let world = prepared.fork();
        world.lock().faults = Some((seed, 250));
        let result = world.quick_rollouts().rollback(None).await;
        world.lock().faults = None;
        if let Err(error) = &result {
            assert!(
                matches!(
                    error,
                    RolloutError::Open { .. } | RolloutError::LeaseEnded { .. } | RolloutError::Port(_)
                ),
                "{context}: {error}"
            );
        }
        world.quick_rollouts().recover().await.unwrap();
        world.assert_settled(&context).await;
    }
}
