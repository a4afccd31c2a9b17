//! What somebody may ask at any time: the smoke checks of a slot, and the gates about what is live. Neither changes
//! anything nor needs the lock.

use std::sync::Arc;

use orchestrator::domain::{ReleaseNumber, Slot};
use orchestrator::driver::{DeployOptions, MonitorEnd, RolloutError, SmokeWhere};
use orchestrator::gates::Verdict;

use crate::world::{World, seconds};

async fn with_two_releases() -> Arc<World> {
    let world = World::new();
    for code in ["first", "second"] {
        world.new_code(code);
        let end = world.rollouts().deploy_blue_green(DeployOptions::default()).await;
        assert!(end.unwrap().is_promoted());
    }
    world
}

#[tokio::test]
async fn either_slot_is_checked_and_told_by_its_release() {
    let world = with_two_releases().await;
    let live = world.standing().await.live_release().unwrap().slot;
    let rollouts = world.rollouts();
    let before = world.lock().mutations.len();
    for (target, slot, release) in [
        (SmokeWhere::Live, live, 2),
        (SmokeWhere::Idle, live.other(), 1),
        (
            SmokeWhere::Slot(Slot::Blue),
            Slot::Blue,
            if live == Slot::Blue { 2 } else { 1 },
        ),
    ] {
        let report = rollouts.smoke(target).await.unwrap();
        assert_eq!((report.slot, report.release), (slot, Some(ReleaseNumber(release))));
        assert_eq!(report.is_live, slot == live);
        assert!(report.passed() && report.results.len() > 2, "{report:?}");
    }
    world.lock().smoke_fails = true;
    assert!(!rollouts.smoke(SmokeWhere::Live).await.unwrap().passed());
    assert_eq!(world.lock().mutations.len(), before, "a check changes nothing");
}

#[tokio::test]
async fn before_the_first_rollout_there_is_nothing_to_ask_about() {
    let world = World::new();
    let smoked = world.rollouts().smoke(SmokeWhere::Live).await;
    assert!(matches!(smoked, Err(RolloutError::NothingReleased)), "{smoked:?}");
    let watched = world.rollouts().monitor(seconds(5)).await;
    assert!(matches!(watched, Err(RolloutError::NothingReleased)), "{watched:?}");
}

#[tokio::test]
async fn what_is_live_and_well_is_watched_for_the_whole_time() {
    let world = with_two_releases().await;
    let before = world.lock().mutations.len();
    let report = world.rollouts().monitor(seconds(60)).await.unwrap();
    assert_eq!(report.end, MonitorEnd::Passed, "{report:?}");
    assert_eq!(report.release, ReleaseNumber(2));
    assert!(report.until.duration_since(report.since) >= seconds(60), "{report:?}");
    assert_eq!(world.lock().mutations.len(), before, "watching changes nothing");
}

#[tokio::test]
async fn a_gate_that_fails_ends_the_watch_at_once() {
    let world = with_two_releases().await;
    world.lock().error_percent.insert("second".into(), 40.0);
    let report = world.rollouts().monitor(seconds(600)).await.unwrap();
    assert_eq!(report.end, MonitorEnd::Failed);
    assert_eq!(report.judgement.verdict, Verdict::Fail);
    assert!(report.until.duration_since(report.since) < seconds(30), "{report:?}");
    // Which is where somebody, or `--rollback-on-breach`, goes back.
    let end = world.rollouts().rollback(None).await.unwrap();
    assert!(end.is_promoted() && end.release == ReleaseNumber(1));
}

#[tokio::test]
async fn without_calls_or_metrics_the_watch_decides_nothing() {
    let world = with_two_releases().await;
    world.lock().requests_per_second = 0.0;
    let report = world.rollouts().monitor(seconds(20)).await.unwrap();
    assert_eq!(report.end, MonitorEnd::Undecided, "{report:?}");
    world.lock().metrics_down = true;
    let report = world.rollouts().monitor(seconds(20)).await.unwrap();
    assert_eq!(report.end, MonitorEnd::Undecided, "{report:?}");
}
