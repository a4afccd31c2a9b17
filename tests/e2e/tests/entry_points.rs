//! A rollout moves every entry point, and all of them together: a REST API, an HTTP API, a WebSocket API, a queue and a
//! schedule on two functions, under constant traffic on each.

use e2e::{KINDS, Shop, Shoppers, Told, Traffic, handled};
use serde_json::Value;

/// The second step waits for approval, so that the first one lasts until the test has seen what it wants to see.
const STEPS: &str = "steps = [{ weight = 10, bake = '1s' }, { weight = 100, bake = '1s', approval = true }]\n\
    gates.settle = '0s'\n\
    gates.minimum-requests = 5\n\
    gates.longest-extension = '10m'\n\
    gates.lambda-error-rate = { fail-above-percent = 10.0, pass-at-most-percent = 5.0 }";
/// So many answers of an entry point are certainly asked for after a switch.
const ENOUGH: usize = 10;

/// Those without an API in front.
const WORKER: [&str; 2] = ["queue", "schedule"];

/// Waits until each of the entry points has answered so often as each of these releases, of what `counts`, after the first
/// `mark` answers.
#[track_caller]
fn answered(shop: &Shop, kinds: &[&str], mark: usize, releases: &[&str], times: usize, counts: impl Fn(&Told) -> bool) {
    shop.told_when(|told| {
        let told = &told[mark..];
        let count = |kind: &str, release: &str| {
            let of = |told: &&Told| told.kind == kind && told.release == release && counts(told);
            told.iter().filter(of).take(times).count()
        };
        kinds
            .iter()
            .all(|kind| releases.iter().all(|release| count(kind, release) == times))
    });
}

/// All entry points answer as this release and as no other. What was under way in the switch does not count: one request
/// follows the other, so the second answer is of a later one; and the queue's messages are numbered.
#[track_caller]
fn assert_all_by(shop: &Shop, shoppers: &Shoppers, kinds: &[&str], release: &str) {
    let next = shoppers.next_message();
    let is_later = |told: &Told| {
        let number = || told.what.as_deref().and_then(|what| what.parse::<usize>().ok());
        told.kind != "queue" || number().is_none_or(|number| number >= next)
    };
    answered(shop, kinds, shop.told().len(), &[release], ENOUGH, is_later);
    let mark = shop.told().len();
    answered(shop, kinds, mark, &[release], ENOUGH, is_later);
    let other = |told: &&Told| told.release != release && is_later(told);
    let told = shop.told();
    let others: Vec<&Told> = told[mark..].iter().filter(other).collect();
    assert!(others.is_empty(), "{others:#?}");
}

/// By boto3's word: no weights, no canary, and every live alias at the version that the live slot holds.
#[track_caller]
fn assert_whole(shop: &Shop) {
    let traffic = Traffic::of(shop);
    traffic.assert_whole();
    let color = &traffic.stages["Rest/prod"].color;
    let live = traffic.aliases.iter().filter(|(name, _)| name.ends_with(":live"));
    for (name, alias) in live {
        let slot = name.replace(":live", &format!(":{color}"));
        assert_eq!(alias.version, traffic.aliases[&slot].version, "{name}: {traffic:#?}");
    }
    let status = shop.run(&["status", "--json"]).expect(0).json().remove(0);
    assert_eq!(status["open"], Value::Null, "{status:#}");
    for api in status["apis"].as_array().expect("status lists the APIs") {
        assert_eq!(api["as_recorded"], true, "{status:#}");
    }
}

/// By the journal the last rollout moved the traffic once: all entry points in one effect, and none in steps.
#[track_caller]
fn assert_one_switch(shop: &Shop) {
    let journal = shop
        .run(&["audit", "show", "local", "--json"])
        .expect(0)
        .json()
        .remove(0);
    let records = journal["records"].as_array().expect("a journal has records");
    let moves: Vec<_> = (records.iter().map(|record| &record["event"]))
        .filter_map(|event| event["effect"]["kind"].as_str().or(event["kind"].as_str()))
        .filter(|kind| ["shift", "in_force", "promote", "promoted", "withdraw", "withdrawn"].contains(kind))
        .collect();
    assert_eq!(moves, ["promote", "promoted"], "{journal:#}");
}

#[test]
fn every_entry_point_is_shifted_promoted_and_turned_back_with_the_others() {
    let shop = Shop::new(STEPS);
    shop.run(&["deploy"]).expect(0);
    let shoppers = Shoppers::start(&shop);
    assert_all_by(&shop, &shoppers, &KINDS, "one");

    shop.release("two");
    let deploy = shop
        .start(&["deploy", "--blue-green", "--tag", "v2"])
        .wait_for("WAITING FOR APPROVAL");
    answered(&shop, &KINDS, shop.told().len(), &["one", "two"], 1, |_| true);
    let shifted = Traffic::of(&shop);
    assert_eq!(
        shifted.stages["Rest/prod"]
            .canary
            .as_ref()
            .map(|canary| &canary["percentTraffic"]),
        Some(&Value::from(10.0))
    );
    let live: Vec<_> = shifted
        .aliases
        .iter()
        .filter(|(name, _)| name.ends_with(":live"))
        .collect();
    assert_eq!(live.len(), 2, "{shifted:#?}");
    for (name, alias) in live {
        let candidate = &shifted.aliases[&name.replace(":live", ":green")].version;
        assert_eq!(alias.weights.get(candidate), Some(&0.1), "{name}: {shifted:#?}");
    }
    shop.run(&["approve", "local"]).expect(0);
    deploy.expect(0);
    assert_all_by(&shop, &shoppers, &KINDS, "two");
    assert_whole(&shop);

    let back = shop.run(&["rollback", "local"]).expect(0);
    assert!(back.stderr.contains("in one switch"), "{}", back.stderr);
    assert_all_by(&shop, &shoppers, &KINDS, "one");
    assert_whole(&shop);
    assert_one_switch(&shop);

    let told = shop.told();
    let failed = told
        .iter()
        .find(|told| !["one", "two"].contains(&told.release.as_str()));
    assert_eq!(failed, None, "no call was lost or failed so far");

    // A bad release: nobody approves it, its errors turn it back everywhere.
    shop.release("bad");
    let bad = shop.run(&["deploy", "--blue-green"]).expect(3);
    assert!(bad.stderr.contains("error[LD0504]"), "{}", bad.stderr);
    assert_all_by(&shop, &shoppers, &KINDS, "one");
    assert_whole(&shop);

    // The connection that was opened first has lived through it all, nothing was lost, and every message was handled.
    let told = shop.told();
    let wrong = told.iter().find(|told| {
        told.kind == "disconnect"
            || ["the connection", "no answer"]
                .iter()
                .any(|wrong| told.release.starts_with(wrong))
    });
    assert_eq!(wrong, None);
    let sent = shoppers.stop();
    shop.told_when(|told| handled(told) == sent);
}

#[test]
fn a_stack_without_a_rest_api_is_released_by_its_live_aliases_alone() {
    let shop = Shop::new(STEPS);
    shop.worker_alone();
    shop.run(&["deploy"]).expect(0);
    let shoppers = Shoppers::at_the_worker(&shop);
    assert_all_by(&shop, &shoppers, &WORKER, "one");

    shop.release("two");
    let deploy = shop.start(&["deploy", "--blue-green"]).wait_for("WAITING FOR APPROVAL");
    answered(&shop, &WORKER, shop.told().len(), &["one", "two"], 1, |_| true);
    shop.run(&["approve", "local"]).expect(0);
    deploy.expect(0);
    assert_all_by(&shop, &shoppers, &WORKER, "two");

    shop.release("bad");
    let bad = shop.run(&["deploy", "--blue-green"]).expect(3);
    assert!(bad.stderr.contains("error[LD0504]"), "{}", bad.stderr);
    assert_all_by(&shop, &shoppers, &WORKER, "two");
    Traffic::of(&shop).assert_whole();
    let sent = shoppers.stop();
    shop.told_when(|told| handled(told) == sent);
}
