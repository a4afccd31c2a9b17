//! What somebody else changes stops a rollout and is not overwritten.

use std::sync::{Arc, Mutex};

use orchestrator::domain::{ApiTraffic, Canary, ReleaseNumber, ReleaseState, Slot, Weight};
use orchestrator::driver::{DeployOptions, RolloutError, RolloutEvent, RolloutResult};
use orchestrator::rollout::Effect;

use crate::script::{scripted, with_one_release};
use crate::world::{APIS, FUNCTIONS, config, seconds};

fn stage(deployment: &str, slot: Slot) -> ApiTraffic {
    ApiTraffic {
        deployment_id: deployment.into(),
        slot: Some(slot),
        canary: None,
        variables: [("color".to_owned(), slot.to_string())].into(),
    }
}

#[tokio::test]
async fn before_a_rollout() {
    let world = with_one_release().await;
    let theirs = ApiTraffic {
        canary: Some(Canary {
            weight: Weight::from_percent(33.0).unwrap(),
            deployment_id: "theirs".into(),
            slot: Some(Slot::Blue),
        }),
        ..world.lock().apis[APIS[0]].live.clone()
    };
    world.lock().apis.get_mut(APIS[0]).unwrap().live = theirs.clone();
    let error = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, RolloutError::ForeignChange { .. }), "{error}");
    assert!(
        error.to_string().contains("33 % on slot blue (deployment theirs)"),
        "{error}"
    );
    assert_eq!(world.lock().apis[APIS[0]].live, theirs);
    // Put back, the next run settles it and goes on.
    world.lock().apis.get_mut(APIS[0]).unwrap().live.canary = None;
    assert!(
        world
            .rollouts()
            .deploy_blue_green(DeployOptions::default())
            .await
            .unwrap()
            .is_promoted()
    );
    world.assert_settled("after it was put back").await;
}

#[tokio::test]
async fn during_a_bake() {
    let world = with_one_release().await;
    let theirs = stage("theirs", Slot::Blue);
    let at = world.lock().now + seconds(40);
    world.lock().foreign_at = Some((at, theirs.clone()));
    let error = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("deployment theirs"), "{error}");
    assert_eq!(world.lock().apis[APIS[0]].live, theirs);
}

#[tokio::test]
async fn the_live_alias() {
    let world = with_one_release().await;
    {
        let mut inner = world.lock();
        inner
            .functions
            .get_mut("health")
            .unwrap()
            .aliases
            .get_mut(&Slot::Green)
            .unwrap()
            .version = 1;
    }
    // Release 1 holds version 1 of everything, so make it another one.
    world
        .lock()
        .functions
        .get_mut("health")
        .unwrap()
        .aliases
        .get_mut(&Slot::Green)
        .unwrap()
        .version = 7;
    let error = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("alias health:green is at version 7"),
        "{error}"
    );
}

#[tokio::test]
async fn on_a_proven_release_it_ends_for_a_human() {
    let world = with_one_release().await;
    for api in APIS {
        world.lock().apis.get_mut(api).unwrap().live = stage(&format!("{api}-d0"), Slot::Blue);
    }
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    assert!(
        matches!(&end.result, RolloutResult::NeedsHuman { found } if found.contains("deployment api-one-d0")),
        "{end:?}"
    );
    assert_eq!(world.lock().apis[APIS[0]].live, stage("api-one-d0", Slot::Blue));
    // Whoever names the release agrees with it: the ledger follows, the traffic is not touched.
    let changes = world.lock().timeline.len();
    let end = world.rollouts().rollback(Some(ReleaseNumber(0))).await.unwrap();
    assert!(end.is_promoted(), "{end:?}");
    assert_eq!(world.lock().timeline.len(), changes);
    world.assert_settled("after agreeing").await;
    assert!(
        world
            .rollouts()
            .deploy_blue_green(DeployOptions::default())
            .await
            .unwrap()
            .is_promoted()
    );
}

#[tokio::test]
async fn an_environment_that_was_deleted_begins_with_a_new_baseline() {
    let world = with_one_release().await;
    {
        let mut inner = world.lock();
        inner.is_deployed = false;
        inner.apis.clear();
        inner.functions.clear();
    }
    let end = world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    assert!(end.is_promoted(), "{end:?}");
    let standing = world.standing().await;
    let numbers: Vec<u32> = standing.releases.iter().map(|release| release.number.0).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    world.assert_settled("after a new beginning").await;
    let error = world.rollouts().rollback(Some(ReleaseNumber(1))).await.unwrap_err();
    assert!(error.to_string().contains("retired"), "{error}");
}

#[tokio::test]
async fn a_slot_that_somebody_made_live_is_not_filled() {
    let world = with_one_release().await;
    // Release 1 is live in green; the idle slot holds what was there before.
    let idle = world.standing().await.live_release().unwrap().slot.other();
    let rollouts = scripted(&world, config(), move |world, event, _| {
        if let RolloutEvent::EffectBegins {
            effect: Effect::Release { .. },
        } = event
        {
            for api in APIS {
                world.lock().apis.get_mut(api).unwrap().live = stage(&format!("{api}-d0"), idle);
            }
        }
    });
    let before = world.lock().functions[FUNCTIONS[0]].aliases[&idle].version;
    let end = rollouts.deploy_blue_green(DeployOptions::default()).await;
    let stopped = match &end {
        Err(RolloutError::ForeignChange { .. }) => true,
        Ok(end) => matches!(end.result, RolloutResult::NeedsHuman { .. }),
        Err(_) => false,
    };
    assert!(stopped, "{end:?}");
    assert_eq!(world.lock().functions[FUNCTIONS[0]].aliases[&idle].version, before);
}

#[tokio::test]
async fn what_its_slot_holds_is_known_after_it_ended_for_a_human() {
    let world = with_one_release().await;
    let live = world.lock().clone();
    let idle = world.standing().await.live_release().unwrap().slot.other();
    let rollouts = scripted(&world, config(), move |world, event, _| {
        if let RolloutEvent::EffectBegins {
            effect: Effect::Shift { step: 0, .. },
        } = event
        {
            let mut inner = world.lock();
            for api in APIS {
                inner.apis.get_mut(api).unwrap().live = stage(&format!("{api}-d0"), idle);
            }
            for function in FUNCTIONS {
                inner.functions.get_mut(function).unwrap().live.version = "1".into();
            }
        }
    });
    let end = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap();
    assert!(matches!(end.result, RolloutResult::NeedsHuman { .. }), "{end:?}");
    let standing = world.standing().await;
    assert_eq!(*standing.occupants.get(idle), Some(ReleaseNumber(2)));
    assert_eq!(
        standing.release(ReleaseNumber(2)).unwrap().state,
        ReleaseState::Rejected
    );
    // It was put back, and the functions cannot be asked: the ledger alone says that the slot holds another release.
    {
        let mut inner = world.lock();
        for (id, api) in &mut inner.apis {
            api.live = live.apis[id].live.clone();
        }
        for (name, function) in &mut inner.functions {
            function.live = live.functions[name].live.clone();
        }
        inner.functions_down = true;
    }
    let end = world.rollouts().rollback(Some(ReleaseNumber(0))).await.unwrap();
    assert!(!end.is_promoted(), "{end:?}");
    assert_eq!(world.live_code(), "one");
    // With them the slot is filled again first.
    world.lock().functions_down = false;
    assert!(
        world
            .rollouts()
            .rollback(Some(ReleaseNumber(0)))
            .await
            .unwrap()
            .is_promoted()
    );
    assert_eq!(world.standing().await.live, Some(ReleaseNumber(0)));
    assert_eq!(
        world.live_code(),
        "one",
        "the first release is what the stacks were made with"
    );
    world.assert_settled("after the rollback").await;
}

#[tokio::test]
async fn while_a_shift_is_probed_it_is_noticed_at_once() {
    let world = with_one_release().await;
    // As long as this, a probe does not see the weight.
    world.lock().slow_probes = u32::MAX;
    let theirs = stage("theirs", Slot::Blue);
    let (set, at) = (theirs.clone(), Arc::new(Mutex::new(None)));
    let changed_at = at.clone();
    let rollouts = scripted(&world, config(), move |world, event, _| {
        let mut changed_at = changed_at.lock().unwrap();
        if matches!(event, RolloutEvent::WaitingForTraffic { api, .. } if api.starts_with(APIS[0]))
            && changed_at.is_none()
        {
            let mut inner = world.lock();
            inner.apis.get_mut(APIS[0]).unwrap().live = set.clone();
            *changed_at = Some(inner.now);
        }
    });
    let error = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap_err();
    assert!(matches!(error, RolloutError::ForeignChange { .. }), "{error}");
    for says in [
        "api-one stage prod was expected as 10 %",
        "and is all on slot blue (deployment theirs)",
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
    let changed_at = at.lock().unwrap().unwrap();
    let noticed_after = world.lock().now.duration_since(changed_at);
    assert!(
        noticed_after < config().convergence.probe_timeout / 2,
        "it was noticed after {noticed_after:#}"
    );
    assert_eq!(world.lock().apis[APIS[0]].live, theirs);
}

#[tokio::test]
async fn what_somebody_took_back_after_the_promotion_is_not_recorded_as_live() {
    let world = with_one_release().await;
    let before = world.lock().clone();
    let rollouts = scripted(&world, config(), move |world, event, _| {
        if let RolloutEvent::EffectBegins { effect: Effect::Retain } = event {
            let mut inner = world.lock();
            for (id, api) in &mut inner.apis {
                api.live = before.apis[id].live.clone();
            }
            for (name, function) in &mut inner.functions {
                function.live = before.functions[name].live.clone();
            }
        }
    });
    let end = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap();
    assert!(matches!(end.result, RolloutResult::NeedsHuman { .. }), "{end:?}");
    let standing = world.standing().await;
    assert_eq!(standing.live, Some(ReleaseNumber(1)));
    assert_eq!(
        standing.release(ReleaseNumber(2)).unwrap().state,
        ReleaseState::Rejected
    );
    world.assert_settled("after it was taken back").await;
}
