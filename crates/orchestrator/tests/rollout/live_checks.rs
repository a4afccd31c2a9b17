//! Both versions meet the expanded schema: what the live release can do before the expand it has to do after it.

use std::sync::Arc;

use orchestrator::driver::{DeployOptions, RolloutEvent, RolloutResult};
use orchestrator::ledger::{read_journal, read_standing};
use orchestrator::rollout::{Effect, Event, LiveCheck, Reason, RolloutNumber};

use crate::world::{World, config};

/// A live release, and a migration that is pending.
async fn with_a_pending_expand() -> Arc<World> {
    let world = World::new();
    deploy(&world, "first").await;
    let mut inner = world.lock();
    inner.schema = None;
    inner.live_checks = 0;
    inner.mutations.clear();
    inner.events.clear();
    drop(inner);
    world
}

async fn deploy(world: &Arc<World>, code: &str) -> RolloutResult {
    world.new_code(code);
    let end = world.rollouts().deploy_blue_green(DeployOptions::default()).await;
    end.unwrap().result
}

async fn effects(world: &World) -> Vec<Effect> {
    let journal = read_journal(&*world.store, &"test".into(), RolloutNumber(2))
        .await
        .unwrap();
    let events = journal.records.into_iter().map(|record| record.event);
    events
        .filter_map(|event| match event {
            Event::Intended { effect, .. } => Some(effect),
            _ => None,
        })
        .collect()
}

/// What was told about the live release: after the expand or not, and each check with its runs and failures.
fn told(world: &World) -> Vec<(bool, u32, u32)> {
    let events = world.lock().events.clone();
    let checks = |event: RolloutEvent| match event {
        RolloutEvent::LiveChecked { expanded, checks } => checks
            .into_iter()
            .map(|check| (expanded, check.runs, check.failures))
            .collect(),
        _ => Vec::new(),
    };
    events.into_iter().flat_map(checks).collect()
}

#[tokio::test]
async fn what_breaks_with_the_schema_turns_back_before_anything_is_deployed() {
    let world = with_a_pending_expand().await;
    world.lock().breaks_with_schema = true;
    let RolloutResult::RolledBack {
        reason: Reason::LiveBroken { broken },
    } = deploy(&world, "second").await
    else {
        panic!("it was not turned back")
    };
    assert!(
        broken
            .iter()
            .all(|check: &LiveCheck| (check.runs, check.failures > 0) == (3, true))
    );
    assert!(
        broken.iter().all(|check| check.detail == "500, expected 200"),
        "{broken:?}"
    );
    assert_eq!(
        effects(&world).await,
        [
            Effect::Prepare,
            Effect::BackUp,
            Effect::CheckLive { expanded: false },
            Effect::Expand,
            Effect::CheckLive { expanded: true },
            Effect::Withdraw,
        ]
    );
    assert!(!world.lock().mutations.iter().any(|mutation| mutation == "deploy"));
    assert_eq!(world.live_code(), "first");
    world.assert_settled("turned back").await;
}

#[tokio::test]
async fn a_live_release_that_survives_is_checked_before_and_after_and_the_rollout_goes_on() {
    let world = with_a_pending_expand().await;
    assert_eq!(deploy(&world, "second").await, RolloutResult::Promoted);
    let told = told(&world);
    assert!(
        told.iter().all(|(_, runs, failures)| (*runs, *failures) == (3, 0)),
        "{told:?}"
    );
    let (before, after): (Vec<_>, Vec<_>) = told.into_iter().partition(|(expanded, ..)| !expanded);
    assert!(!before.is_empty() && before.len() == after.len());
}

#[tokio::test]
async fn what_failed_before_the_expand_is_told_and_not_judged() {
    let world = with_a_pending_expand().await;
    world.lock().live_fails = true;
    assert_eq!(deploy(&world, "second").await, RolloutResult::Promoted);
    assert!(told(&world).iter().all(|(_, runs, failures)| runs == failures));
}

#[tokio::test]
async fn where_nothing_is_pending_the_live_release_is_left_alone() {
    let world = with_a_pending_expand().await;
    world.lock().schema = Some("1".to_owned());
    assert_eq!(deploy(&world, "second").await, RolloutResult::Promoted);
    assert_eq!(world.lock().live_checks, 0);
    let effects = effects(&world).await;
    assert!(effects.contains(&Effect::CheckLive { expanded: false }));
    assert!(!effects.contains(&Effect::CheckLive { expanded: true }));
}

/// The rollouts that are said to have left the live release failing, and whether it fails now.
fn left_broken(world: &World) -> Vec<(RolloutNumber, bool)> {
    let events = world.lock().events.clone();
    let left = |event| match event {
        RolloutEvent::LiveLeftBroken { rollout, checks } => {
            Some((rollout, checks.iter().any(|check: &LiveCheck| check.failures > 0)))
        }
        _ => None,
    };
    events.into_iter().filter_map(left).collect()
}

#[tokio::test]
async fn a_live_release_that_was_left_failing_is_told_by_every_rollout_until_another_is_live() {
    let world = with_a_pending_expand().await;
    world.lock().breaks_with_schema = true;
    deploy(&world, "second").await;
    assert_eq!(left_broken(&world), []);

    world.lock().smoke_fails = true;
    let turned_back = deploy(&world, "third").await;
    assert!(
        matches!(
            turned_back,
            RolloutResult::RolledBack {
                reason: Reason::SmokeFailed { .. }
            }
        ),
        "it is told and not judged: {turned_back:?}"
    );
    world.lock().smoke_fails = false;
    assert_eq!(deploy(&world, "fourth").await, RolloutResult::Promoted);
    assert_eq!(deploy(&world, "fifth").await, RolloutResult::Promoted);
    assert_eq!(
        left_broken(&world),
        [(RolloutNumber(2), true), (RolloutNumber(3), true)]
    );
}

#[tokio::test]
async fn a_live_release_that_serves_again_is_told_once() {
    let world = with_a_pending_expand().await;
    world.lock().breaks_with_schema = true;
    deploy(&world, "second").await;
    world.lock().breaks_with_schema = false;
    world.lock().deploy_fails = true;
    deploy(&world, "third").await;
    world.lock().deploy_fails = false;
    assert_eq!(deploy(&world, "fourth").await, RolloutResult::Promoted);
    assert_eq!(left_broken(&world), [(RolloutNumber(2), false)]);
}

#[tokio::test]
async fn a_release_holds_the_contracts_that_were_pending_beside_it_and_what_was_there_before_has_none() {
    let world = World::new();
    assert_eq!(deploy(&world, "first").await, RolloutResult::Promoted);
    let standing = read_standing(&*world.store, &"test".into()).await.unwrap();
    let contracts: Vec<_> = standing
        .releases
        .iter()
        .map(|release| release.contracts.clone())
        .collect();
    assert_eq!(contracts, [Some(Vec::new()), Some(vec!["2".to_owned()])]);
}

#[tokio::test]
async fn an_environment_may_do_without() {
    let world = with_a_pending_expand().await;
    world.lock().breaks_with_schema = true;
    world.new_code("second");
    let mut config = config();
    config.live_checks = 0;
    let end = world
        .rollouts_with(config)
        .deploy_blue_green(DeployOptions::default())
        .await;
    assert!(end.unwrap().is_promoted());
    assert!(
        !effects(&world)
            .await
            .iter()
            .any(|effect| matches!(effect, Effect::CheckLive { .. }))
    );
}
