//! Locks that are broken, runs that hand over, and who may carry on.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use futures::executor::block_on;
use jiff::{SignedDuration, Timestamp};
use orchestrator::driver::{Answer, DeployOptions, RolloutError, RolloutEvent};
use orchestrator::ledger::{LockChange, LockError, current_lock};
use orchestrator::ports::Clock;
use orchestrator::rollout::{Event, PhaseName, RolloutNumber};

use crate::world::{APIS, When, World, config, seconds};

use crate::script::*;

/// Time passes for all that wait, a little for each.
struct SharedClock {
    world: Arc<World>,
}

#[async_trait]
impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        self.world.lock().now
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        while self.now() < deadline {
            self.world.lock().now += SignedDuration::from_millis(20);
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_living_run_answers_while_the_operator_waits() {
    let world = with_one_release().await;
    let shared = || {
        let mut rollouts = world.rollouts();
        rollouts.ports.clock = Arc::new(SharedClock { world: world.clone() });
        rollouts
    };
    let (run, from_elsewhere) = (shared(), shared());
    let operator = async {
        while from_elsewhere.ports.clock.now() < crate::world::start() + seconds(3600) {
            if matches!(from_elsewhere.status().await, Ok(status) if status.open.as_ref().is_some_and(|open| open.judged.is_some()))
            {
                break;
            }
            tokio::task::yield_now().await;
        }
        let paused = from_elsewhere.pause(seconds(30)).await.unwrap();
        assert_eq!(
            paused,
            Answer::Taken {
                rollout: RolloutNumber(2),
                state: PhaseName::Baking
            }
        );
        let again = from_elsewhere.pause(seconds(30)).await.unwrap();
        assert_eq!(
            again,
            Answer::Refused {
                rollout: RolloutNumber(2),
                because: "it is paused already".to_owned()
            }
        );
        let status = from_elsewhere.status().await.unwrap();
        assert_eq!(status.open.unwrap().paused.unwrap().by.name, "tester");
        let resumed = from_elsewhere.resume(seconds(30)).await.unwrap();
        let again = from_elsewhere.resume(seconds(30)).await.unwrap();
        assert!(
            matches!(&again, Answer::Refused { because, .. } if because.starts_with("it is not paused, tester")),
            "{again:?}"
        );
        resumed
    };
    let (end, resumed) = tokio::join!(run.deploy_blue_green(DeployOptions::default()), operator);
    assert!(matches!(resumed, Answer::Taken { .. }), "{resumed:?}");
    assert!(end.unwrap().is_promoted());
}

/// spinnaker#7921: two at work, because a change was not tied to who may make it.
#[tokio::test]
async fn a_broken_lock_stops_its_holder_before_the_next_change() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, _| {
        if matches!(
            event,
            RolloutEvent::State {
                state: PhaseName::Smoked,
                ..
            }
        ) {
            let mut breaker = Arc::new(world.fork()).rollouts();
            breaker.ports.ledger = world.store.clone();
            breaker.actor = operator();
            let unforced = block_on(breaker.unlock(false, "")).unwrap_err();
            assert!(
                matches!(&unforced, RolloutError::Lock(LockError::NotForced { record }) if record.owner.name == "tester")
            );
            let broken = block_on(breaker.unlock(true, "the runner hangs")).unwrap();
            assert_eq!((broken.change, broken.epoch), (LockChange::Broken, 3));
            // Nothing begins before a call of the old holder must be over.
            assert!(breaker.ports.clock.now() >= broken.time + config().lock_margin);
            world.lock().mutations.push("broken".to_owned());
        }
    });
    let error = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap_err();
    assert!(matches!(error, RolloutError::Lock(LockError::Lost { .. })), "{error}");
    assert!(
        error
            .to_string()
            .contains("broken by operator on elsewhere (process 7)"),
        "{error}"
    );
    assert!(error.to_string().contains("(the runner hangs)"), "{error}");
    assert_eq!(world.lock().mutations.last().map(String::as_str), Some("broken"));
    assert!(world.rollouts().recover().await.unwrap().is_some());
    world.assert_settled("after a broken lock").await;
}

#[tokio::test]
async fn nobody_breaks_a_lock_that_is_free() {
    let world = with_one_release().await;
    for force in [false, true] {
        let error = world.rollouts().unlock(force, "why").await.unwrap_err();
        assert!(matches!(error, RolloutError::Lock(LockError::NotHeld)), "{error}");
    }
}

#[tokio::test]
async fn a_run_hands_over_and_resume_carries_on_at_once() {
    for turn_back in [false, true] {
        let world = with_one_release().await;
        let mut rollouts = world.rollouts();
        let handle = rollouts.interrupt.clone();
        rollouts.observer = Arc::new(Script {
            world: world.clone(),
            looks: AtomicUsize::new(0),
            act: move |_: &World, event: &RolloutEvent, looks: usize| {
                if matches!(event, RolloutEvent::Baking { .. }) && looks == 4 {
                    if turn_back {
                        handle.turn_back("terminated");
                    }
                    handle.hand_over();
                }
            },
        });
        let error = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap_err();
        let phase = if turn_back {
            PhaseName::RollingBack
        } else {
            PhaseName::Baking
        };
        assert!(
            matches!(error, RolloutError::HandedOver { phase: found, .. } if found == phase),
            "{error}"
        );
        let lock = current_lock(&*world.store, &"test".into()).await.unwrap().unwrap();
        assert_eq!(lock.change, LockChange::Released);
        let carried = world.rollouts().resume(SignedDuration::ZERO).await.unwrap();
        let Answer::CarriedOn { end } = carried else {
            panic!("{carried:?}");
        };
        assert_eq!(end.is_promoted(), !turn_back, "{end:?}");
        world.assert_settled("handed over").await;
    }
}

#[tokio::test]
async fn a_wish_that_is_taken_back_changes_nothing() {
    let world = with_one_release().await;
    let mut rollouts = world.rollouts();
    let handle = rollouts.interrupt.clone();
    rollouts.observer = Arc::new(Script {
        world: world.clone(),
        looks: AtomicUsize::new(0),
        act: move |_: &World, event: &RolloutEvent, _: usize| {
            if let RolloutEvent::Baking { .. } = event {
                handle.turn_back("interrupted");
                handle.go_on();
            }
        },
    });
    assert!(deploy(&rollouts).await.is_promoted());
}

#[tokio::test]
async fn a_hotfix_takes_the_short_steps_and_says_so() {
    let world = with_one_release().await;
    let mut config = config();
    config.hotfix_steps.truncate(0);
    config.hotfix_steps.push(config.steps[2].clone());
    let options = DeployOptions {
        hotfix: Some("login is broken".to_owned()),
        ..DeployOptions::default()
    };
    let end = world.rollouts_with(config).deploy_blue_green(options).await.unwrap();
    assert!(end.is_promoted());
    assert_eq!(
        world.weights(APIS[0]).into_iter().rev().take(2).collect::<Vec<_>>(),
        [-1.0, 100.0]
    );
    let (_, opened) = events_of(&world, 2).await.remove(0);
    assert!(matches!(opened, Event::Opened { plan, .. } if plan.hotfix() == Some("login is broken")));
}

#[tokio::test]
async fn what_needs_the_app_is_not_carried_on_without_it() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, _| {
        if let RolloutEvent::State {
            state: PhaseName::Locked,
            ..
        } = event
        {
            let mut inner = world.lock();
            inner.crash_at = Some((inner.calls + 1, When::Before));
        }
    });
    assert!(
        world
            .or_crash(rollouts.deploy_blue_green(DeployOptions::default()))
            .await
            .is_none()
    );
    world.lock().now += seconds(60);
    assert_eq!(world.rollouts().resume_deploys_stacks().await.unwrap(), Some(true));
    let end = world.rollouts().resume(seconds(1)).await.unwrap();
    assert!(matches!(end, Answer::CarriedOn { end } if end.is_promoted()));
    assert_eq!(world.rollouts().resume_deploys_stacks().await.unwrap(), None);
}
