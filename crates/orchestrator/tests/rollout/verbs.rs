//! What operators say to an open rollout, mostly from elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::executor::block_on;
use jiff::{SignedDuration, Timestamp};
use orchestrator::config::{LowTraffic, RolloutConfig};
use orchestrator::domain::Slot;
use orchestrator::driver::{
    Answer, DeployOptions, Observer, RolloutEnd, RolloutError, RolloutEvent, RolloutResult, Rollouts,
};
use orchestrator::ledger::{Actor, Lease, LockChange, LockError, current_lock, read_journal, write_request};
use orchestrator::ports::Clock;
use orchestrator::rollout::{Event, PhaseName, Reason, Request, RolloutNumber};

use crate::world::{APIS, FUNCTIONS, When, World, config, seconds, stage};

/// Does something whenever the rollout tells something; `usize` counts the looks at the gates so far.
struct Script<F> {
    world: Arc<World>,
    looks: AtomicUsize,
    act: F,
}

impl<F: Fn(&World, &RolloutEvent, usize) + Send + Sync> Observer for Script<F> {
    fn observe(&self, event: &RolloutEvent) {
        let is_look = matches!(event, RolloutEvent::Baking { .. });
        let looks = self.looks.fetch_add(usize::from(is_look), Ordering::SeqCst) + usize::from(is_look);
        self.world.lock().events.push(event.clone());
        (self.act)(&self.world, event, looks);
    }
}

fn scripted(
    world: &Arc<World>,
    config: RolloutConfig,
    act: impl Fn(&World, &RolloutEvent, usize) + Send + Sync + 'static,
) -> Rollouts {
    Rollouts {
        observer: Arc::new(Script {
            world: world.clone(),
            looks: AtomicUsize::new(0),
            act,
        }),
        ..world.rollouts_with(config)
    }
}

fn operator() -> Actor {
    Actor {
        name: "operator".to_owned(),
        host: "elsewhere".to_owned(),
        process_id: 7,
    }
}

/// Writes the request, as another machine does.
fn ask(world: &World, rollout: u32, request: Request) {
    let now = world.lock().now;
    let (environment, actor) = ("test".into(), operator());
    let written = write_request(
        &*world.store,
        &environment,
        RolloutNumber(rollout),
        now,
        &actor,
        request,
    );
    block_on(written).unwrap();
}

async fn with_one_release() -> Arc<World> {
    let world = World::new();
    world.new_code("one");
    let end = world.rollouts().deploy_blue_green(DeployOptions::default()).await;
    assert!(end.unwrap().is_promoted());
    world.new_code("two");
    world.lock().events.clear();
    world
}

async fn deploy(rollouts: &Rollouts) -> RolloutEnd {
    rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap()
}

fn reason(end: &RolloutEnd) -> &Reason {
    match &end.result {
        RolloutResult::RolledBack { reason } => reason,
        other => panic!("{other:?}"),
    }
}

async fn events_of(world: &World, rollout: u32) -> Vec<(Timestamp, Event)> {
    let journal = read_journal(&*world.store, &"test".into(), RolloutNumber(rollout))
        .await
        .unwrap();
    journal
        .records
        .into_iter()
        .map(|record| (record.time, record.event))
        .collect()
}

const FIRST_LOOK: usize = 1;

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
