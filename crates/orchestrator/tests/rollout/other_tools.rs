//! Mistakes of other rollout tools, by the issue in which their users told them. Each is shown not to happen here.

use jiff::SignedDuration;
use orchestrator::config::LowTraffic;
use orchestrator::domain::{AliasRouting, Slot, Weight};
use orchestrator::driver::{DeployOptions, RolloutError, RolloutEvent, RolloutResult};
use orchestrator::ports::{AlarmName, AlarmObservation, AlarmState};
use orchestrator::rollout::{Event, EventName, PhaseName, Reason, Request, is_legal};

use crate::script::{ask, deploy, events_of, reason, scripted, with_one_release};
use crate::world::{APIS, FUNCTIONS, When, config, seconds, stage};

/// flagger#1898: a failure after the promotion sent everything to the version that had failed.
#[tokio::test]
async fn flagger_1898_a_failure_after_the_promotion_does_not_undo_it() {
    let prepared = with_one_release().await;
    let undisturbed = prepared.fork();
    deploy(&undisturbed.rollouts()).await;
    let calls = undisturbed.lock().calls;
    let mut after_it = 0;
    // The last calls record the release as live.
    for call in (calls - 12)..calls {
        let world = prepared.fork();
        world.lock().crash_at = Some((call, When::Before));
        let end = world
            .or_crash(world.rollouts().deploy_blue_green(DeployOptions::default()))
            .await;
        let is_promoted = |(_, event): &(_, Event)| matches!(event, Event::Promoted { .. });
        if end.is_some() || !events_of(&world, 2).await.iter().any(is_promoted) {
            continue;
        }
        after_it += 1;
        world.lock().crash_at = None;
        world.rollouts().recover().await.unwrap();
        assert_eq!(world.live_code(), "two", "call {call}");
        world.assert_settled("a crash after the promotion").await;
    }
    assert!(after_it > 0, "no crash fell behind the promotion");
}

/// flagger#1588: a canary hung in "promoting" for ever.
#[tokio::test]
async fn flagger_1588_every_state_has_a_way_to_an_end() {
    let leads = |from: PhaseName, event: EventName, to: PhaseName| is_legal(from, event, to);
    for state in PhaseName::ALL {
        let back = leads(state, EventName::Recovered, PhaseName::RollingBack);
        let on = match state {
            PhaseName::RollingBack => leads(state, EventName::Withdrawn, PhaseName::RolledBack),
            PhaseName::Promoted => leads(state, EventName::Retained, PhaseName::Retained),
            _ => back,
        };
        assert!(state.is_end() || on, "{state} has no way to an end");
    }
}

/// flagger#1801: while it waited for somebody to confirm, nobody watched the metrics.
#[tokio::test]
async fn flagger_1801_the_gates_watch_while_somebody_is_waited_for() {
    let world = with_one_release().await;
    let mut careful = config();
    careful.steps[1].approval = true;
    let rollouts = scripted(&world, careful, |world, event, _| {
        if let RolloutEvent::ApprovalAsked { .. } = event {
            world.lock().error_percent.insert("two".to_owned(), 60.0);
        }
    });
    let end = deploy(&rollouts).await;
    assert!(matches!(reason(&end), Reason::GateBreached { step: 0, .. }), "{end:?}");
}

/// flagger#1581: a metric that could not be found passed.
#[tokio::test]
async fn flagger_1581_a_metric_that_is_not_found_stops_before_any_weight() {
    let world = with_one_release().await;
    let mut misspelt = config();
    misspelt.gates.alarms = vec![AlarmName("HighErorRate".to_owned())];
    let end = deploy(&world.rollouts_with(misspelt)).await;
    assert!(reason(&end).to_string().contains("HighErorRate"), "{end:?}");
    assert_eq!(world.weights(APIS[0]).last(), Some(&-1.0));
    assert!(
        world
            .lock()
            .events
            .iter()
            .all(|event| !matches!(event, RolloutEvent::InForce { weight, .. }
        if *weight > Weight::ZERO && *weight < Weight::FULL))
    );
}

/// flagger#1035: what happens without traffic was left to chance.
#[tokio::test]
async fn flagger_1035_without_traffic_the_declared_policy_decides() {
    for policy in [LowTraffic::RollBack, LowTraffic::Pause] {
        let world = with_one_release().await;
        world.lock().requests_per_second = 0.0;
        let mut settings = config();
        settings.gates.low_traffic = policy;
        settings.approval_timeout = seconds(60);
        let end = deploy(&world.rollouts_with(settings)).await;
        assert!(matches!(reason(&end), Reason::Inconclusive { step: 0, .. }), "{end:?}");
        let waited = world.lock().events.iter().any(|event| {
            matches!(
                event,
                RolloutEvent::State {
                    state: PhaseName::Inconclusive,
                    ..
                }
            )
        });
        assert_eq!(waited, policy == LowTraffic::Pause);
    }
}

/// argo-rollouts#3850: an inconclusive analysis was promoted.
#[tokio::test]
async fn argo_3850_only_a_pass_promotes_and_no_word_of_an_operator_replaces_it() {
    let world = with_one_release().await;
    world.lock().requests_per_second = 0.2;
    let rollouts = scripted(&world, config(), |world, event, looks| {
        if let (RolloutEvent::Baking { .. }, 1) = (event, looks) {
            ask(world, 2, Request::Promote { reason: None });
        }
    });
    let end = deploy(&rollouts).await;
    assert!(matches!(end.result, RolloutResult::RolledBack { .. }), "{end:?}");
    assert_eq!(world.live_code(), "one");
}

/// argo-rollouts#4461: an abort was ignored because a promotion had been asked for.
#[tokio::test]
async fn argo_4461_an_abort_outranks_a_promotion() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, looks| {
        if let (RolloutEvent::Baking { .. }, 1) = (event, looks) {
            ask(world, 2, Request::Promote { reason: None });
            ask(
                world,
                2,
                Request::Abort {
                    reason: "no".to_owned(),
                },
            );
        }
    });
    let end = deploy(&rollouts).await;
    assert!(matches!(reason(&end), Reason::Aborted { .. }), "{end:?}");
    assert_eq!(world.live_code(), "one");
}

/// argo-rollouts#1774: a stable version that fails kept its own fix from being rolled out.
#[tokio::test]
async fn argo_1774_a_live_version_that_fails_does_not_keep_its_fix_out() {
    let world = with_one_release().await;
    world.lock().error_percent.insert("one".to_owned(), 40.0);
    // Answers 5xx of the stage count both versions: obeyed even so, they keep everything out.
    let mut strict = config();
    if let Some(limit) = &mut strict.gates.api_server_errors {
        limit.even_if_before = true;
    }
    let end = deploy(&world.rollouts_with(strict.clone())).await;
    assert!(!end.is_promoted(), "{end:?}");
    world.new_code("fix");
    let options = DeployOptions {
        hotfix: Some("one fails".to_owned()),
        ..DeployOptions::default()
    };
    let end = world.rollouts_with(strict).deploy_blue_green(options).await.unwrap();
    assert!(end.is_promoted(), "{end:?}");
    assert_eq!(world.live_code(), "fix");
}

/// serverless-application-model#716: an alarm from before reverted every deployment that would have mended it.
#[tokio::test]
async fn sam_716_an_alarm_from_before_is_reported_and_not_obeyed() {
    let world = with_one_release().await;
    let since = world.lock().now - seconds(3600);
    world.lock().alarms.insert(
        "Errors".to_owned(),
        AlarmObservation {
            name: AlarmName("Errors".to_owned()),
            state: AlarmState::Alarm,
            since,
            reason: "threshold crossed".to_owned(),
        },
    );
    let mut settings = config();
    settings.gates.alarms = vec![AlarmName("Errors".to_owned())];
    assert!(deploy(&world.rollouts_with(settings.clone())).await.is_promoted());
    let told = world
        .lock()
        .events
        .iter()
        .any(|event| matches!(event, RolloutEvent::OldAlarm { .. }));
    assert!(told);
    // And no alarm is asked on the way back.
    assert!(
        world
            .rollouts_with(settings)
            .rollback(None)
            .await
            .unwrap()
            .is_promoted()
    );
}

/// serverless-application-model#293: what watched a deployment asked by dimensions under which its calls are not counted,
/// so that it never saw them. Here the candidate is asked for by its own alias and version: the other's failures are none
/// of its, and its own are not thinned by the other's calls.
#[tokio::test]
async fn sam_293_the_gates_ask_for_the_candidate_by_its_own_dimensions() {
    let mut settings = config();
    // Answers 5xx of a stage have no dimension that tells the versions apart.
    settings.gates.api_server_errors = None;
    for (failing, promoted) in [("one", true), ("two", false)] {
        let world = with_one_release().await;
        world.lock().error_percent.insert(failing.to_owned(), 30.0);
        let end = deploy(&world.rollouts_with(settings.clone())).await;
        assert_eq!(end.is_promoted(), promoted, "{failing}: {end:?}");
        if !promoted {
            // At the first weight, where nine calls of ten are the other's.
            assert!(matches!(reason(&end), Reason::GateBreached { step: 0, .. }), "{end:?}");
        }
    }
}

/// spinnaker#7921: two writers overwrote each other without noticing.
#[tokio::test]
async fn spinnaker_7921_an_alias_that_moved_meanwhile_is_not_overwritten() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, looks| {
        if let (RolloutEvent::Baking { .. }, 1) = (event, looks) {
            let theirs = AliasRouting {
                version: "1".into(),
                share: None,
            };
            world.lock().route(FUNCTIONS[0], &theirs);
        }
    });
    let error = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap_err();
    assert!(matches!(error, RolloutError::ForeignChange { .. }), "{error}");
    assert!(error.to_string().contains(FUNCTIONS[0]), "{error}");
    assert!(world.lock().functions[FUNCTIONS[0]].live.weights.is_empty());
}

/// serverless-plugin-canary-deployments#159: functions of one release shifted one after the other, so that versions met.
#[tokio::test]
async fn canary_plugin_159_a_bake_begins_when_all_entry_points_have_the_weight() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, _| {
        if let RolloutEvent::Baking { weight, .. } = event {
            let inner = world.lock();
            for api in APIS {
                let canary = inner.apis[api].live.canary.as_ref().map(|canary| canary.weight);
                assert_eq!(canary, Some(*weight), "{api}");
            }
            for function in FUNCTIONS {
                let shares: Vec<Weight> = inner.functions[function].live.weights.values().copied().collect();
                assert_eq!(shares, [*weight], "{function}");
            }
        }
    });
    assert!(deploy(&rollouts).await.is_promoted());
    world.assert_settled("all together").await;
}

/// sst#6722: an alias without permission to be invoked took live traffic.
#[tokio::test]
async fn sst_6722_a_slot_that_cannot_be_invoked_gets_no_weight() {
    let world = with_one_release().await;
    world.lock().functions_down = true;
    let end = deploy(&world.rollouts()).await;
    assert!(!end.is_promoted(), "{end:?}");
    assert_eq!(world.weights(APIS[0]).last(), Some(&-1.0));
    assert_eq!(world.live_code(), "one");
}

/// terraform#24585: the lock of a run that had died stayed for ever.
#[tokio::test]
async fn terraform_24585_the_lock_of_a_dead_run_ends() {
    let world = with_one_release().await;
    let call = world.lock().calls + 40;
    world.lock().crash_at = Some((call, When::Before));
    let crashed = world
        .or_crash(world.rollouts().deploy_blue_green(DeployOptions::default()))
        .await;
    assert!(crashed.is_none());
    world.lock().crash_at = None;
    let before = world.lock().now;
    assert!(deploy(&world.rollouts()).await.is_promoted());
    let lease: SignedDuration = config().lock_lease;
    assert!(world.lock().now.duration_since(before) > lease / 3);
    world.assert_settled("after the lease").await;
}

/// terraform-provider-aws#27326: a canary was asked for and took all traffic.
#[tokio::test]
async fn terraform_provider_aws_27326_a_weight_is_read_back_before_it_bakes() {
    let world = with_one_release().await;
    let rollouts = scripted(&world, config(), |world, event, looks| {
        if let (RolloutEvent::Baking { .. }, 1) = (event, looks) {
            let inner = world.lock();
            let canary = inner.apis[APIS[0]].live.canary.as_ref().unwrap();
            assert_eq!(canary.weight, config().steps[0].weight_percent);
        }
    });
    assert!(deploy(&rollouts).await.is_promoted());
    // A stage that answers something else than what was asked is no success: what reads back as all traffic on an
    // unknown deployment is somebody else's.
    world.new_code("three");
    let rollouts = scripted(&world, config(), |world, event, looks| {
        if let (RolloutEvent::Baking { .. }, 1) = (event, looks) {
            world.lock().apis.get_mut(APIS[0]).unwrap().live = stage("unknown", Slot::Green);
        }
    });
    let error = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap_err();
    assert!(matches!(error, RolloutError::ForeignChange { .. }), "{error}");
}
