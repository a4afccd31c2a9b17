//! CloudFormation never undoes a rollout: a stack update while a promoted release is live, and one that CloudFormation
//! turns back, leave aliases, stages and colour where the rollout put them.

use e2e::{Shop, Traffic, get};
use serde_json::Value;

const STEPS: &str = "steps = [{ weight = 100, bake = '1s' }]\n\
    gates.settle = '0s'\n\
    gates.minimum-requests = 5\n\
    gates.longest-extension = '10m'\n\
    gates.lambda-error-rate = { fail-above-percent = 40.0, pass-at-most-percent = 10.0 }";

fn answer(shop: &Shop) -> String {
    let (status, body) = get(&format!("{}/orders", shop.live_url())).expect("the live stage answers");
    assert_eq!(status, 200, "{body}");
    body
}

/// What a rollout moves, of what boto3 sees.
fn moved(traffic: &Traffic) -> (&impl PartialEq, Vec<(&str, &str, &str)>) {
    let stages = traffic.stages.iter();
    let stages = stages.map(|(name, stage)| (name.as_str(), stage.deployment.as_str(), stage.color.as_str()));
    (&traffic.aliases, stages.collect())
}

#[track_caller]
fn assert_as_recorded(shop: &Shop, tag: &str) {
    let status = shop.run(&["status", "--json"]).expect(0).json().remove(0);
    assert_eq!(status["live"]["tag"], tag, "{status:#}");
    assert_eq!(status["open"], Value::Null, "{status:#}");
    for api in status["apis"].as_array().expect("status lists the APIs") {
        assert_eq!(api["as_recorded"], true, "{status:#}");
    }
}

#[test]
fn a_stack_update_during_retention_keeps_the_live_slot() {
    let shop = Shop::new(STEPS);
    shop.run(&["deploy"]).expect(0);
    shop.release("two");
    shop.run(&["deploy", "--blue-green", "--tag", "v2"]).expect(0);
    assert_eq!(answer(&shop), "rest by two");
    let before = Traffic::of(&shop);
    before.assert_whole();
    assert_eq!(before.stages["Rest/prod"].color, "green");

    // Code, memory, a setting of the live stage, a description of what no rollout moves.
    shop.release("three");
    let changed = [("memory", "256"), ("burst", "400"), ("described", "again")];
    shop.context(&changed);
    shop.run(&["deploy"]).expect(0);
    let after = Traffic::of(&shop);
    assert!(moved(&before) == moved(&after), "{before:#?}\n{after:#?}");
    assert_eq!(answer(&shop), "rest by two");
    assert_as_recorded(&shop, "v2");
    for (name, latest) in &after.latest {
        assert_ne!(
            latest.sha256, before.latest[name].sha256,
            "{name}: its code was changed"
        );
        assert_eq!(latest.memory, 256, "{name}");
    }
    assert_eq!(after.stages["Rest/prod"].burst, Some(400));
    assert_eq!(after.apis["Rest"].as_deref(), Some("again"));

    // CloudFormation turns the whole update back, stage and functions too.
    shop.release("four");
    shop.context(&[
        ("memory", "512"),
        ("burst", "300"),
        ("described", "never"),
        ("broken", "yes"),
    ]);
    let failed = shop.run(&["deploy"]);
    assert_ne!(failed.status, Some(0), "{}", failed.stderr);
    assert!(failed.stderr.contains("Broken"), "{}", failed.stderr);
    let turned_back = Traffic::of(&shop);
    assert_eq!(turned_back, after);
    assert_eq!(answer(&shop), "rest by two");
    assert_as_recorded(&shop, "v2");

    // The way back is still open, and so is the way on.
    shop.run(&["rollback", "local"]).expect(0);
    assert_eq!(answer(&shop), "rest by one");
    shop.context(&changed);
    shop.release("five");
    shop.run(&["deploy", "--blue-green"]).expect(0);
    assert_eq!(answer(&shop), "rest by five");
    Traffic::of(&shop).assert_whole();
}
