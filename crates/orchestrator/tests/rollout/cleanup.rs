//! What is left of a release after its retention, and what must never go.

use std::sync::Arc;

use orchestrator::domain::{ReleaseNumber, ReleaseState};
use orchestrator::driver::{DeployOptions, RolloutError};

use crate::world::{APIS, FUNCTIONS, When, World, config, seconds};

/// Releases 0 to `newest`, each retained when the next came.
async fn with_releases(newest: usize) -> Arc<World> {
    let world = World::new();
    for number in 1..=newest {
        world.new_code(&format!("code{number}"));
        let end = world.quick_rollouts().deploy_blue_green(DeployOptions::default()).await;
        assert!(end.unwrap().is_promoted());
    }
    world.lock().mutations.clear();
    world
}

async fn states(world: &World) -> Vec<ReleaseState> {
    world
        .standing()
        .await
        .releases
        .iter()
        .map(|release| release.state)
        .collect()
}

fn deleted(world: &World) -> (Vec<usize>, Vec<String>) {
    let inner = world.lock();
    (
        inner.functions[FUNCTIONS[0]].deleted.iter().copied().collect(),
        inner.apis[APIS[0]].deleted.iter().cloned().collect(),
    )
}

/// Nothing that a slot, a stage or a release that may get traffic holds is gone.
async fn assert_nothing_needed_is_gone(world: &World, context: &str) {
    let standing = world.standing().await;
    let inner = world.lock();
    for (name, function) in &inner.functions {
        for (slot, alias) in &function.aliases {
            assert!(
                !function.deleted.contains(&alias.version),
                "{context}: {name}:{slot} is at nothing"
            );
        }
    }
    for (id, api) in &inner.apis {
        for stage in api.previews.values().chain([&api.live]) {
            let gone = api.deleted.contains(stage.deployment_id.as_str());
            assert!(!gone, "{context}: a stage of {id} is at nothing");
        }
    }
    for release in &standing.releases {
        if !matches!(release.state, ReleaseState::Live | ReleaseState::Retained) {
            continue;
        }
        for function in &release.functions {
            let deleted = &inner.functions[function.name.as_str()].deleted;
            let version: usize = function.version.as_str().parse().unwrap();
            assert!(
                !deleted.contains(&version),
                "{context}: release {} lost {version}",
                release.number
            );
        }
    }
}

#[tokio::test]
async fn within_the_retention_nothing_goes() {
    let world = with_releases(2).await;
    let done = world.rollouts().cleanup(false).await.unwrap();
    assert!(done.retired.is_empty() && done.removed.is_empty(), "{done:?}");
    let standing = world.standing().await;
    let soonest = standing
        .releases
        .iter()
        .filter_map(|release| release.retained_until)
        .min();
    assert_eq!(done.next, soonest);
    assert!(world.lock().mutations.is_empty());
}

#[tokio::test]
async fn after_the_retention_what_rollouts_made_goes_and_what_the_stack_made_stays() {
    use ReleaseState::{Live, Retired};
    let world = with_releases(3).await;
    world.lock().now += config().retention;
    let done = world.rollouts().cleanup(false).await.unwrap();
    assert_eq!(done.retired, [0, 1, 2].map(ReleaseNumber));
    assert_eq!(states(&world).await, [Retired, Retired, Retired, Live]);
    // The first deploy made version 1, which release 1 holds too: the stack's own.
    let (versions, deployments) = deleted(&world);
    assert_eq!(versions, [2]);
    assert_eq!(deployments, ["api-one-d1", "api-one-d2"]);
    // Both slots are at the live release: a preview stage never calls what is gone.
    let inner = world.lock().clone();
    assert!(
        inner.functions[FUNCTIONS[0]]
            .aliases
            .values()
            .all(|alias| alias.version == 3)
    );
    assert!(
        inner.apis[APIS[1]]
            .previews
            .values()
            .all(|stage| stage.deployment_id.as_str() == "api-two-d3")
    );
    world.assert_settled("cleaned up").await;
    assert_nothing_needed_is_gone(&world, "cleaned up").await;
    // Once more: nothing is left to do, and the next deploy goes as ever.
    let mutations = world.lock().mutations.len();
    assert_eq!(world.rollouts().cleanup(true).await.unwrap(), Default::default());
    assert_eq!(world.lock().mutations.len(), mutations);
    let back = world.rollouts().rollback(None).await.unwrap_err();
    assert!(matches!(back, RolloutError::NotRetained { .. }), "{back}");
    world.new_code("code4");
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    assert!(end.is_promoted());
    world.assert_settled("deployed after a cleanup").await;
}

#[tokio::test]
async fn now_gives_up_the_way_back() {
    let world = with_releases(2).await;
    let done = world.rollouts().cleanup(true).await.unwrap();
    assert_eq!(done.retired, [0, 1].map(ReleaseNumber));
    assert_eq!(done.next, None);
}

#[tokio::test]
async fn a_rejected_release_goes_but_the_slot_of_a_retained_one_is_left_alone() {
    let world = with_releases(2).await;
    world.new_code("bad");
    world.lock().error_percent.insert("bad".to_owned(), 60.0);
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    assert!(!end.is_promoted());
    let done = world.rollouts().cleanup(false).await.unwrap();
    assert!(done.retired.is_empty(), "{done:?}");
    let (versions, deployments) = deleted(&world);
    assert_eq!((versions, deployments), (vec![3], vec!["api-one-d3".to_owned()]));
    assert_nothing_needed_is_gone(&world, "rejected").await;
    // The way back is there still.
    let back = world.rollouts().rollback(None).await.unwrap();
    assert!(back.is_promoted());
    world.assert_settled("rolled back after a cleanup").await;
}

#[tokio::test]
async fn while_a_rollout_is_open_nothing_is_cleaned_up() {
    let world = with_releases(1).await;
    world.new_code("next");
    world.lock().calls = 0;
    world.lock().crash_at = Some((60, When::Before));
    let rollouts = world.quick_rollouts();
    assert!(
        world
            .or_crash(rollouts.deploy_blue_green(DeployOptions::default()))
            .await
            .is_none()
    );
    world.lock().now += seconds(60);
    let error = world.rollouts().cleanup(true).await.unwrap_err();
    assert!(matches!(error, RolloutError::StillOpen { .. }), "{error}");
}

/// A fork in which a cleanup crashed at this call.
async fn crashed(prepared: &World, call: u64, when: When, now: bool) -> Arc<World> {
    let world = prepared.fork();
    world.lock().crash_at = Some((call, when));
    let rollouts = world.rollouts();
    world.or_crash(rollouts.cleanup(now)).await;
    world.lock().crash_at = None;
    world
}

#[tokio::test]
async fn a_cleanup_that_crashes_anywhere_is_finished_by_the_next() {
    let prepared = with_releases(3).await;
    prepared.lock().now += config().retention;
    prepared.lock().calls = 0;
    let whole = prepared.fork();
    whole.rollouts().cleanup(false).await.unwrap();
    let calls = whole.lock().calls;
    assert!(calls > 20, "{calls} calls are too few to be true");
    for call in 0..calls {
        for when in [When::Before, When::After] {
            let context = format!("crashed {when:?} call {call}");
            let world = crashed(&prepared, call, when, false).await;
            assert_nothing_needed_is_gone(&world, &context).await;
            world.lock().now += seconds(60);
            world.rollouts().cleanup(false).await.unwrap();
            assert_eq!(deleted(&world), deleted(&whole), "{context}");
            assert_eq!(states(&world).await, states(&whole).await, "{context}");
            assert_nothing_needed_is_gone(&world, &context).await;
            world.assert_settled(&context).await;
        }
    }
}

/// What the ledger says that a slot holds, it holds; and a rollback goes back whole, or there is nothing to go back to.
#[tokio::test]
async fn after_a_cleanup_that_crashes_anywhere_a_rollback_is_whole_or_refused() {
    let prepared = with_releases(2).await;
    prepared.lock().calls = 0;
    let whole = prepared.fork();
    whole.rollouts().cleanup(true).await.unwrap();
    let calls = whole.lock().calls;
    let (mut went, mut refused) = (0, 0);
    for call in 0..calls {
        for when in [When::Before, When::After] {
            let context = format!("crashed {when:?} call {call}");
            let world = crashed(&prepared, call, when, true).await;
            world.lock().now += seconds(60);
            match world.quick_rollouts().rollback(None).await {
                Ok(end) => {
                    assert!(end.is_promoted(), "{context}: {end:?}");
                    assert_eq!(world.live_code(), "code1", "{context}");
                    went += 1;
                }
                Err(RolloutError::NotRetained { .. }) => refused += 1,
                Err(other) => panic!("{context}: {other}"),
            }
            world.assert_settled(&context).await;
        }
    }
    assert!(went > 0 && refused > 0, "{went} went, {refused} were refused");
}
