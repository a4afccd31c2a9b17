//! The command `rollback`.

use orchestrator::domain::{ReleaseNumber, Slot};
use orchestrator::driver::{DeployOptions, RolloutError};

use crate::world::{APIS, FUNCTIONS, World};

async fn with_two_releases() -> std::sync::Arc<World> {
    let world = World::new();
    for code in ["one", "two"] {
        world.new_code(code);
        assert!(
            world
                .rollouts()
                .deploy_blue_green(DeployOptions::default())
                .await
                .unwrap()
                .is_promoted()
        );
    }
    world.lock().mutations.clear();
    world
}

#[tokio::test]
async fn to_the_release_before_is_one_switch_for_each_entry_point() {
    let world = with_two_releases().await;
    let before = world.lock().now;
    let end = world.rollouts().rollback(None).await.unwrap();
    assert!(end.is_promoted() && end.is_rollback);
    assert_eq!((end.release, end.before), (ReleaseNumber(1), Some(ReleaseNumber(2))));
    let switches = APIS.map(|api| format!("switch {api}"));
    let routes = FUNCTIONS.map(|function| format!("route {function}"));
    assert_eq!(world.lock().mutations, [switches, routes].concat());
    assert_eq!(world.live_code(), "one");
    let switched = world.lock().routes.last().unwrap().0;
    let took = switched.duration_since(before);
    assert!(took.as_secs() < 1, "{took:?}");
    world.assert_settled("after the rollback").await;
}

#[tokio::test]
async fn works_with_metrics_and_functions_down() {
    let world = with_two_releases().await;
    world.lock().metrics_down = true;
    world.lock().functions_down = true;
    let end = world.rollouts().rollback(None).await.unwrap();
    assert!(end.is_promoted());
    assert_eq!(world.live_code(), "one");
}

#[tokio::test]
async fn to_a_release_whose_slot_was_taken_fills_the_idle_slot_and_tests_it_first() {
    let world = with_two_releases().await;
    let end = world.rollouts().rollback(Some(ReleaseNumber(0))).await.unwrap();
    assert!(end.is_promoted());
    assert_eq!(world.live_code(), "one", "the baseline holds the first deploy's code");
    let standing = world.standing().await;
    assert_eq!(standing.live, Some(ReleaseNumber(0)));
    assert_eq!(standing.live_release().map(|release| release.slot), Some(Slot::Green));
    world.assert_settled("after going back to the baseline").await;
}

#[tokio::test]
async fn twice_goes_back_two_releases_and_a_deploy_goes_on_from_there() {
    let world = with_two_releases().await;
    world.rollouts().rollback(None).await.unwrap();
    world.rollouts().rollback(None).await.unwrap();
    assert_eq!(world.standing().await.live, Some(ReleaseNumber(0)));
    world.assert_settled("after two rollbacks").await;
    let error = world.rollouts().rollback(None).await.unwrap_err();
    assert!(matches!(error, RolloutError::NothingToRollBackTo { .. }), "{error}");
    world.new_code("three");
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    assert!(end.is_promoted());
    assert_eq!(end.release, ReleaseNumber(3));
    assert_eq!(world.live_code(), "three");
    world.assert_settled("after the third release").await;
}

#[tokio::test]
async fn forward_again_to_the_release_that_was_left() {
    let world = with_two_releases().await;
    world.rollouts().rollback(None).await.unwrap();
    let end = world.rollouts().rollback(Some(ReleaseNumber(2))).await.unwrap();
    assert!(end.is_promoted());
    assert_eq!(world.live_code(), "two");
    world.assert_settled("after going forward").await;
}

#[tokio::test]
async fn never_goes_to_a_release_that_did_not_prove_itself() {
    let world = with_two_releases().await;
    world.lock().smoke_fails = true;
    world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    let error = world.rollouts().rollback(Some(ReleaseNumber(3))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "release 3 is rejected: a rollback goes only to a release that was live and is retained"
    );
    let error = world.rollouts().rollback(Some(ReleaseNumber(9))).await.unwrap_err();
    assert!(matches!(error, RolloutError::UnknownRelease { .. }), "{error}");
    let error = world.rollouts().rollback(Some(ReleaseNumber(2))).await.unwrap_err();
    assert!(matches!(error, RolloutError::NothingToRollBackTo { .. }), "{error}");
    world.assert_settled("after refusals").await;
}

#[tokio::test]
async fn after_a_rejected_candidate_the_slot_it_took_is_filled_again() {
    let world = with_two_releases().await;
    world.new_code("bad");
    world.lock().error_percent.insert("bad".to_owned(), 60.0);
    assert!(
        !world
            .rollouts()
            .deploy_blue_green(DeployOptions::default())
            .await
            .unwrap()
            .is_promoted()
    );
    // Release 1 was in green until the bad one took it.
    let end = world.rollouts().rollback(None).await.unwrap();
    assert!(end.is_promoted());
    assert_eq!(world.live_code(), "one");
    world.assert_settled("after the rollback").await;
}

#[tokio::test]
async fn before_any_rollout_there_is_nothing_to_go_back_to() {
    let world = World::new();
    let error = world.rollouts().rollback(None).await.unwrap_err();
    assert!(matches!(error, RolloutError::NothingToRollBackTo { .. }), "{error}");
    assert!(world.lock().mutations.is_empty());
}
