//! What somebody else changes stops a rollout and is not overwritten.

use orchestrator::domain::{ApiTraffic, Canary, ReleaseNumber, Slot, Weight};
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
