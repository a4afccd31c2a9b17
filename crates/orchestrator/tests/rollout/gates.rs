//! Gates that turn a rollout back, and that let it pass.

use jiff::Timestamp;
use orchestrator::driver::{DeployOptions, RolloutEvent};
use orchestrator::ports::{AlarmName, AlarmObservation, AlarmState};
use orchestrator::rollout::Reason;

use crate::script::reason;
use crate::world::{APIS, World, config, seconds, start};

#[tokio::test]
async fn a_tenth_of_failing_requests_never_gets_through() {
    for requests_per_second in [5.0, 10.0, 20.0, 30.0, 60.0, 100.0] {
        let world = World::new();
        world.new_code("good");
        world
            .rollouts()
            .deploy_blue_green(DeployOptions::default())
            .await
            .unwrap();
        world.new_code("bad");
        world.lock().error_percent.insert("bad".to_owned(), 10.0);
        world.lock().requests_per_second = requests_per_second;
        let end = world
            .rollouts()
            .deploy_blue_green(DeployOptions::default())
            .await
            .unwrap();
        let reason = reason(&end);
        assert!(
            matches!(reason, Reason::GateBreached { .. } | Reason::Inconclusive { .. }),
            "{requests_per_second}/s: {reason}"
        );
        assert!(
            reason.to_string().contains("calls failed") || reason.to_string().contains("answers 5xx"),
            "{reason}"
        );
        assert_eq!(world.live_code(), "good");
        world.assert_settled("after the gate").await;
    }
}

#[tokio::test]
async fn a_breach_takes_the_weight_away_at_once() {
    let world = World::new();
    world.new_code("good");
    world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    world.new_code("bad");
    world.lock().error_percent.insert("bad".to_owned(), 50.0);
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    assert!(matches!(reason(&end), Reason::GateBreached { step: 0, .. }), "{end:?}");
    let inner = world.lock();
    let judged: Timestamp = inner
        .events
        .iter()
        .rev()
        .find_map(|event| match event {
            RolloutEvent::Baking { now, .. } => Some(*now),
            _ => None,
        })
        .unwrap();
    let (cleared, _, traffic) = inner.timeline.iter().rev().find(|(_, id, _)| id == APIS[0]).unwrap();
    assert!(traffic.canary.is_none());
    assert!(*cleared <= judged + seconds(1), "judged {judged}, cleared {cleared}");
}

#[tokio::test]
async fn no_traffic_is_no_pass() {
    let world = World::new();
    world.lock().requests_per_second = 0.0;
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    let reason = reason(&end);
    assert!(matches!(reason, Reason::Inconclusive { step: 0, .. }), "{reason}");
    assert!(
        reason.to_string().contains("0 calls, at least 20 are needed"),
        "{reason}"
    );
}

#[tokio::test]
async fn metrics_that_cannot_be_read_turn_back_after_a_bound() {
    let world = World::new();
    world.lock().metrics_down = true;
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    let reason = reason(&end);
    assert!(matches!(reason, Reason::Blind { step: 0, .. }), "{reason}");
    assert!(reason.to_string().contains("metrics are down"), "{reason}");
}

fn alarm(state: AlarmState, since: Timestamp) -> AlarmObservation {
    AlarmObservation {
        name: AlarmName("HighLatency".to_owned()),
        state,
        since,
        reason: "p95 > 500".to_owned(),
    }
}

#[tokio::test]
async fn an_old_alarm_is_told_and_not_obeyed() {
    let world = World::new();
    let mut config = config();
    config.gates.alarms = vec![AlarmName("HighLatency".to_owned())];
    world.lock().alarms.insert(
        "HighLatency".to_owned(),
        alarm(AlarmState::Alarm, start() - seconds(600)),
    );
    let end = world
        .rollouts_with(config)
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    assert!(end.is_promoted(), "{end:?}");
    assert!(
        world
            .lock()
            .events
            .iter()
            .any(|event| matches!(event, RolloutEvent::OldAlarm { .. }))
    );
}

#[tokio::test]
async fn a_new_alarm_turns_back_also_when_it_was_on_before() {
    let world = World::new();
    let mut config = config();
    config.gates.alarms = vec![AlarmName("HighLatency".to_owned())];
    world.lock().alarms.insert(
        "HighLatency".to_owned(),
        alarm(AlarmState::Alarm, start() - seconds(600)),
    );
    world
        .rollouts_with(config.clone())
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    // It goes to OK and comes again during the rollout: `since` is later than the note.
    let later = world.lock().now + seconds(40);
    world
        .lock()
        .alarms
        .insert("HighLatency".to_owned(), alarm(AlarmState::Alarm, later));
    let end = world
        .rollouts_with(config)
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    let reason = reason(&end);
    assert!(
        reason.to_string().contains("alarm of HighLatency: in ALARM since"),
        "{reason}"
    );
}

#[tokio::test]
async fn an_alarm_that_does_not_exist_stops_before_any_weight() {
    let world = World::new();
    let mut config = config();
    config.gates.alarms = vec![AlarmName("Missing".to_owned())];
    let end = world
        .rollouts_with(config)
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    assert!(reason(&end).to_string().contains("there is no such alarm"), "{end:?}");
    assert_eq!(world.weights(APIS[0]), [-1.0]);
}
