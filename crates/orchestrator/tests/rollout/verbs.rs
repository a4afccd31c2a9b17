//! What operators say to an open rollout, mostly from elsewhere.

use std::sync::Arc;

use futures::executor::block_on;
use jiff::SignedDuration;
use orchestrator::config::{LowTraffic, RolloutConfig};
use orchestrator::domain::Slot;
use orchestrator::driver::{Answer, DeployOptions, Observer, RolloutError, RolloutEvent};
use orchestrator::ledger::Lease;
use orchestrator::rollout::{Event, PhaseName, Reason, Request};

use crate::world::{APIS, FUNCTIONS, When, World, config, seconds, stage};

use crate::script::*;

#[tokio::test]
async fn a_paused_bake_is_watched_until_it_is_resumed() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, looks| match (event, looks) {
        (RolloutEvent::Baking { .. }, FIRST_LOOK) => ask(world, 2, Request::Pause),
        (RolloutEvent::Baking { .. }, 60) => ask(world, 2, Request::Resume),
        _ => {}
    });
    assert!(deploy(&rollouts).await.is_promoted());
    let weights: Vec<u64> = world
        .weights(APIS[0])
        .iter()
        .rev()
        .take(4)
        .map(|weight| *weight as u64)
        .collect();
    assert_eq!(weights, [0, 100, 50, 10]);
    let events = events_of(&world, 2).await;
    let time_of = |wanted: fn(&Event) -> bool| events.iter().find(|(_, event)| wanted(event)).unwrap().0;
    let paused = time_of(|event| {
        matches!(
            event,
            Event::Requested {
                request: Request::Pause,
                ..
            }
        )
    });
    let resumed = time_of(|event| {
        matches!(
            event,
            Event::Requested {
                request: Request::Resume,
                ..
            }
        )
    });
    let second = time_of(|event| matches!(event, Event::InForce { step: 1, .. }));
    assert!(second > resumed && resumed.duration_since(paused) > seconds(50));
    let watched = events
        .iter()
        .filter(|(time, event)| matches!(event, Event::Judged { step: 0, .. }) && *time > paused && *time < resumed);
    assert!(watched.count() > 40, "it was not watched");
    world.assert_settled("after a pause").await;
}

#[tokio::test]
async fn a_breach_turns_a_paused_bake_back() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, looks| match (event, looks) {
        (RolloutEvent::Baking { .. }, FIRST_LOOK) => ask(world, 2, Request::Pause),
        (RolloutEvent::Baking { .. }, 40) => {
            world.lock().error_percent.insert("two".to_owned(), 60.0);
        }
        _ => {}
    });
    let end = deploy(&rollouts).await;
    assert!(matches!(reason(&end), Reason::GateBreached { step: 0, .. }), "{end:?}");
    world.assert_settled("a breach while paused").await;
}

/// Whoever asked for the pause was told that nobody is at work, and then said `resume`: the latest word counts.
#[tokio::test]
async fn a_pause_of_before_a_rollout_was_carried_on_holds_nothing_up() {
    for request in [
        Request::Pause,
        Request::Abort {
            reason: "not today".to_owned(),
        },
    ] {
        let world = with_one_release().await;
        let rollouts = scripted(&world, config(), |world, event, _| {
            if let RolloutEvent::InForce { .. } = event {
                let mut inner = world.lock();
                inner.crash_at = Some((inner.calls, When::Before));
            }
        });
        let crashed = world
            .or_crash(rollouts.deploy_blue_green(DeployOptions::default()))
            .await;
        assert!(crashed.is_none());
        ask(&world, 2, request.clone());
        let carried = world.rollouts().resume(SignedDuration::ZERO).await.unwrap();
        let Answer::CarriedOn { end } = carried else {
            panic!("{carried:?}");
        };
        // An abort is still what somebody wants.
        assert_eq!(end.is_promoted(), request == Request::Pause, "{end:?}");
        let events = events_of(&world, 2).await;
        let refused = events
            .iter()
            .any(|(_, event)| matches!(event, Event::RequestRefused { sequence: 1, .. }));
        assert_eq!(refused, request == Request::Pause);
        world.assert_settled("carried on").await;
    }
}

fn careful() -> RolloutConfig {
    let mut config = config();
    config.steps[1].approval = true;
    config.approval_timeout = seconds(90);
    config
}

#[tokio::test]
async fn a_step_waits_for_its_approval() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, careful(), |world, event, _| {
        // Twice is once: the second approves nothing.
        if let RolloutEvent::ApprovalAsked { step: 1, .. } = event {
            ask(world, 2, Request::Approve);
            ask(world, 2, Request::Approve);
        }
    });
    assert!(deploy(&rollouts).await.is_promoted());
    let refused = world.lock().events.iter().any(|event| {
        matches!(event, RolloutEvent::RequestRefused { by, because, .. }
            if *by == operator() && because == "no step waits for an approval")
    });
    assert!(refused);
    world.assert_settled("approved").await;
}

#[tokio::test]
async fn what_nobody_approves_is_turned_back() {
    let world = with_one_release().await;
    let end = deploy(&world.rollouts_with(careful())).await;
    assert_eq!(reason(&end), &Reason::NotApproved { step: 1 });
    let events = events_of(&world, 2).await;
    let looks = events
        .iter()
        .skip_while(|(_, event)| !matches!(event, Event::ApprovalAsked { .. }));
    let looks = looks.filter(|(_, event)| matches!(event, Event::Judged { .. })).count();
    assert!(looks > 60, "{looks} looks in 90 seconds of waiting");
    world.assert_settled("not approved").await;
}

/// flagger#1801: nothing was watched while a rollout waited at a gate.
#[tokio::test]
async fn a_breach_does_not_wait_for_an_approval() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, careful(), |world, event, _| {
        if let RolloutEvent::ApprovalAsked { .. } = event {
            world.lock().error_percent.insert("two".to_owned(), 60.0);
        }
    });
    let end = deploy(&rollouts).await;
    assert!(matches!(reason(&end), Reason::GateBreached { step: 0, .. }), "{end:?}");
}

#[tokio::test]
async fn a_held_deploy_waits_before_its_first_step() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, _| {
        if let RolloutEvent::ApprovalAsked { step, .. } = event {
            assert_eq!(*step, 0);
            assert!(world.lock().apis[APIS[0]].live.canary.is_none());
            ask(world, 2, Request::Approve);
        }
    });
    let options = DeployOptions {
        hold: true,
        ..DeployOptions::default()
    };
    assert!(rollouts.deploy_blue_green(options).await.unwrap().is_promoted());
    let asked = world
        .lock()
        .events
        .iter()
        .filter(|event| matches!(event, RolloutEvent::ApprovalAsked { .. }))
        .count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_foreign_change_is_found_while_a_held_deploy_waits() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, _| {
        if let RolloutEvent::ApprovalAsked { .. } = event {
            let theirs = stage("theirs", Slot::Blue);
            world.lock().apis.get_mut(APIS[0]).unwrap().live = theirs;
        }
    });
    let options = DeployOptions {
        hold: true,
        ..DeployOptions::default()
    };
    let error = rollouts.deploy_blue_green(options).await.unwrap_err();
    assert!(matches!(error, RolloutError::ForeignChange { .. }), "{error}");
    assert!(error.to_string().contains("deployment theirs"), "{error}");
}

#[tokio::test]
async fn a_foreign_change_is_found_during_the_bake() {
    let world = with_one_release().await;
    let mut config = config();
    config.steps[0].bake = seconds(600);
    let changed_at = Arc::new(std::sync::Mutex::new(None));
    let noted = changed_at.clone();
    let rollouts = scripted(&world, config, move |world, event, looks| {
        if matches!(event, RolloutEvent::Baking { .. }) && looks == 5 {
            let mut inner = world.lock();
            inner.apis.get_mut(APIS[1]).unwrap().live = stage("theirs", Slot::Blue);
            *noted.lock().unwrap() = Some(inner.now);
        }
    });
    let error = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap_err();
    assert!(matches!(error, RolloutError::ForeignChange { .. }), "{error}");
    let changed_at = changed_at.lock().unwrap().unwrap();
    // Not at the end of a bake of ten minutes, but as soon as a late view is ruled out.
    let took = world.lock().now.duration_since(changed_at);
    assert!(took < seconds(60), "{took:?}");
    assert_eq!(world.lock().apis[APIS[1]].live, stage("theirs", Slot::Blue));
}

#[tokio::test]
async fn an_operators_promotion_skips_the_steps_in_between() {
    let world = with_one_release().await;
    let mut config = careful();
    config.steps[0].bake = seconds(600);
    let rollouts = scripted(&world, config, |world, event, looks| {
        if matches!(event, RolloutEvent::Baking { .. }) && looks == 10 {
            let reason = Some("the fix is urgent".to_owned());
            ask(world, 2, Request::Promote { reason });
        }
    });
    let began = world.lock().now;
    assert!(deploy(&rollouts).await.is_promoted());
    assert!(world.lock().now.duration_since(began) < seconds(300));
    let weights: Vec<f64> = world.weights(APIS[0]).into_iter().rev().take(2).collect();
    assert_eq!(weights, [-1.0, 10.0]);
    assert_eq!(world.live_code(), "two");
    let by = events_of(&world, 2)
        .await
        .into_iter()
        .find_map(|(_, event)| match event {
            Event::Requested {
                by,
                request: Request::Promote { reason },
                ..
            } => Some((by, reason)),
            _ => None,
        });
    assert_eq!(by, Some((operator(), Some("the fix is urgent".to_owned()))));
    world.assert_settled("promoted by an operator").await;
}

/// argo-rollouts#3850: what was not a pass was promoted.
#[tokio::test]
async fn an_operators_promotion_does_not_overrule_the_gates() {
    let world = with_one_release().await;
    world.lock().error_percent.insert("two".to_owned(), 60.0);
    let rollouts = scripted(&world, config(), |world, event, _| {
        if let RolloutEvent::Smoked { .. } = event {
            ask(world, 2, Request::Promote { reason: None });
        }
    });
    let end = deploy(&rollouts).await;
    assert!(matches!(reason(&end), Reason::GateBreached { step: 0, .. }), "{end:?}");
}

/// argo-rollouts#4461: an abort was ignored.
#[tokio::test]
async fn an_abort_from_elsewhere_outranks_a_promotion() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, looks| {
        if matches!(event, RolloutEvent::Baking { .. }) && looks == FIRST_LOOK {
            ask(world, 2, Request::Promote { reason: None });
            let reason = "the invoices are wrong".to_owned();
            ask(world, 2, Request::Abort { reason });
        }
    });
    let end = deploy(&rollouts).await;
    let said = reason(&end).to_string();
    assert_eq!(
        said,
        "aborted: the invoices are wrong (asked for by operator on elsewhere (process 7))"
    );
    world.assert_settled("aborted from elsewhere").await;
}

#[tokio::test]
async fn a_request_for_another_rollout_is_not_obeyed() {
    let world = with_one_release().await;
    for rollout in [1, 2] {
        // The second was there before rollout 2 was: nobody can have meant it.
        ask(
            &world,
            rollout,
            Request::Abort {
                reason: "old".to_owned(),
            },
        );
    }
    let rollouts = scripted(&world, config(), |world, event, looks| {
        if matches!(event, RolloutEvent::Baking { .. }) && looks == FIRST_LOOK {
            ask(
                world,
                1,
                Request::Abort {
                    reason: "late".to_owned(),
                },
            );
        }
    });
    assert!(deploy(&rollouts).await.is_promoted());
}

#[tokio::test]
async fn an_inconclusive_bake_waits_for_a_word_and_then_for_nobody() {
    let world = with_one_release().await;
    world.lock().requests_per_second = 1.0;
    let mut config = config();
    config.gates.low_traffic = LowTraffic::Pause;
    config.approval_timeout = seconds(40);
    config.gates.minimum_requests = 1000;
    let end = deploy(&world.rollouts_with(config)).await;
    assert!(matches!(reason(&end), Reason::Inconclusive { step: 0, .. }), "{end:?}");
    let waited = world.lock().events.iter().any(|event| {
        matches!(
            event,
            RolloutEvent::Waiting {
                state: PhaseName::Inconclusive,
                ..
            }
        )
    });
    assert!(waited);
}

#[tokio::test]
async fn verbs_without_an_open_rollout_say_so() {
    let world = with_one_release().await;
    let rollouts = world.rollouts();
    for answer in [
        rollouts.pause(SignedDuration::ZERO).await,
        rollouts.resume(SignedDuration::ZERO).await,
        rollouts.approve(SignedDuration::ZERO).await,
        rollouts.promote(None, SignedDuration::ZERO).await,
        rollouts.abort("why".to_owned(), SignedDuration::ZERO).await,
    ] {
        assert!(matches!(answer, Err(RolloutError::NothingOpen { .. })), "{answer:?}");
    }
}

/// A deploy that crashed in its first bake, and whose lease has ended.
async fn crashed_in_a_bake(config: RolloutConfig) -> Arc<World> {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config, |world, event, looks| {
        if matches!(event, RolloutEvent::Baking { .. }) && looks == 3 {
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
    world
}

#[tokio::test]
async fn where_no_run_is_alive_the_verb_takes_the_rollout_over() {
    let crashed = crashed_in_a_bake(config()).await;
    let paused = crashed.fork().rollouts().pause(seconds(5)).await;
    assert!(matches!(paused, Err(RolloutError::NoRunAlive { .. })), "{paused:?}");

    let world = crashed.fork();
    let Answer::CarriedOn { end } = world.rollouts().promote(None, seconds(5)).await.unwrap() else {
        panic!("nobody else could");
    };
    assert!(end.is_promoted());
    assert_eq!(
        world.weights(APIS[0]).into_iter().rev().take(2).collect::<Vec<_>>(),
        [-1.0, 10.0]
    );
    world.assert_settled("promoted after a crash").await;

    let world = crashed.fork();
    let aborted = world.rollouts().abort("enough".to_owned(), seconds(5)).await.unwrap();
    let Answer::CarriedOn { end } = aborted else {
        panic!("nobody else could");
    };
    assert!(reason(&end).to_string().starts_with("aborted: enough"), "{end:?}");
    world.assert_settled("aborted after a crash").await;
}

#[tokio::test]
async fn an_approval_after_a_crash_counts_for_the_step_that_was_asked_about() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, careful(), |world, event, _| {
        if let RolloutEvent::ApprovalAsked { .. } = event {
            let mut inner = world.lock();
            inner.crash_at = Some((inner.calls + 5, When::Before));
        }
    });
    assert!(
        world
            .or_crash(rollouts.deploy_blue_green(DeployOptions::default()))
            .await
            .is_none()
    );
    world.lock().now += seconds(60);
    let Answer::CarriedOn { end } = world.rollouts_with(careful()).approve(seconds(5)).await.unwrap() else {
        panic!("nobody else could");
    };
    assert!(end.is_promoted(), "{end:?}");
    world.assert_settled("approved after a crash").await;
}

/// terraform#24585: a lock that never expires.
#[tokio::test]
async fn a_dead_run_is_waited_for_until_its_lease_has_ended() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, looks| {
        if matches!(event, RolloutEvent::Baking { .. }) && looks == 3 {
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
    let carried = world.rollouts().promote(None, seconds(2)).await.unwrap();
    assert!(
        matches!(&carried, Answer::CarriedOn { end } if end.is_promoted()),
        "{carried:?}"
    );
}

/// Holds the lock and answers nothing, but renews it when it is seen that somebody waits.
struct BusyHolder {
    world: Arc<World>,
    lease: std::sync::Mutex<Lease>,
}

impl Observer for BusyHolder {
    fn observe(&self, event: &RolloutEvent) {
        if let RolloutEvent::WaitingForLock { .. } = event {
            let now = self.world.lock().now;
            let mut lease = self.lease.lock().unwrap();
            block_on(lease.renew(&*self.world.store, &"test".into(), now)).unwrap();
        }
    }
}

#[tokio::test]
async fn a_living_run_that_is_busy_leaves_the_request_queued() {
    let world = crashed_in_a_bake(config()).await;
    let (now, limits, environment, owner) = (world.lock().now, config(), "test".into(), operator());
    let (length, margin) = (limits.lock_lease, limits.lock_margin);
    let lease = Lease::take(&*world.store, &environment, &owner, now, length, margin).await;
    let mut rollouts = world.rollouts();
    rollouts.observer = Arc::new(BusyHolder {
        world: world.clone(),
        lease: std::sync::Mutex::new(lease.unwrap()),
    });
    let queued = rollouts.abort("stop".to_owned(), seconds(3)).await.unwrap();
    assert!(
        matches!(&queued, Answer::Queued { holder, .. } if holder.owner == operator()),
        "{queued:?}"
    );
    assert!(world.lock().now.duration_since(now) < seconds(10));
}

#[tokio::test]
async fn a_foreign_change_of_the_candidates_slot_is_found_during_the_bake() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, looks| {
        if matches!(event, RolloutEvent::Baking { .. }) && looks == 3 {
            let mut inner = world.lock();
            let function = inner.functions.get_mut(FUNCTIONS[1]).unwrap();
            for alias in function.aliases.values_mut() {
                alias.version = 1;
            }
        }
    });
    let error = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap_err();
    assert!(matches!(error, RolloutError::ForeignChange { .. }), "{error}");
    assert!(error.to_string().contains("alias health:"), "{error}");
}
