//! REST stages and live aliases together: all or none, in steps and back.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use orchestrator::domain::*;
use orchestrator::driver::{DeployOptions, RolloutEnd, RolloutError, RolloutEvent, RolloutResult};
use proptest::prelude::*;
use tokio::sync::OnceCell;

use crate::world::{APIS, FUNCTIONS, When, World, seconds};

async fn deploy(world: &Arc<World>) -> Result<RolloutEnd, RolloutError> {
    world.quick_rollouts().deploy_blue_green(DeployOptions::default()).await
}

async fn released(world: &Arc<World>, code: &str) {
    world.new_code(code);
    let end = deploy(world).await.unwrap();
    assert!(end.is_promoted(), "{end:?}");
}

/// One release is live, and `two` is what the next deploy brings.
async fn with_one_release() -> Arc<World> {
    let world = World::new();
    released(&world, "one").await;
    world.new_code("two");
    let mut inner = world.lock();
    inner.routes.clear();
    inner.mutations.clear();
    inner.events.clear();
    inner.calls = 0;
    drop(inner);
    world
}

fn percent(percent: f64) -> Weight {
    Weight::from_percent(percent).unwrap()
}

/// What a live alias was told, in order: version, and the share of another.
fn told(world: &World, function: &str) -> Vec<(String, Option<(String, f64)>)> {
    let inner = world.lock();
    let of_it = inner.routes.iter().filter(|(_, name, _)| name == function);
    of_it
        .map(|(_, _, to)| {
            let share = to.share.as_ref();
            let share = share.map(|share| (share.version.to_string(), share.weight.as_percent()));
            (to.version.to_string(), share)
        })
        .collect()
}

fn split(weight: f64) -> (String, Option<(String, f64)>) {
    ("1".to_owned(), Some(("2".to_owned(), weight)))
}

fn at(version: &str) -> (String, Option<(String, f64)>) {
    (version.to_owned(), None)
}

fn warnings(world: &World) -> String {
    let inner = world.lock();
    let warnings = inner.events.iter().filter_map(|event| match event {
        RolloutEvent::Warning { message } => Some(message.as_str()),
        _ => None,
    });
    warnings.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_alias_moves_with_every_stage() {
    let world = World::new();
    released(&world, "one").await;
    world.lock().routes.clear();
    released(&world, "two").await;
    for function in FUNCTIONS {
        let steps = [split(10.0), split(50.0), split(100.0), at("2")];
        assert_eq!(told(&world, function), steps, "{function}");
    }
    // No entry point takes a step before the others have taken theirs.
    let weights: Vec<Option<Weight>> = world
        .lock()
        .routes
        .iter()
        .map(|(_, _, to)| to.share.as_ref().map(|share| share.weight))
        .collect();
    assert!(
        weights
            .chunks(FUNCTIONS.len())
            .all(|step| step.iter().all(|weight| *weight == step[0]))
    );
    world.assert_settled("after two releases").await;
}

#[tokio::test]
async fn a_stack_without_a_rest_api_is_rolled_out_and_back() {
    let world = World::new();
    world.lock().has_apis = false;
    released(&world, "one").await;
    released(&world, "two").await;
    assert_eq!(world.live_code(), "two");
    world.assert_settled("two releases without an API").await;
    world.lock().routes.clear();
    let end = world.quick_rollouts().rollback(None).await.unwrap();
    assert!(end.is_promoted(), "{end:?}");
    assert_eq!(world.live_code(), "one");
    for function in FUNCTIONS {
        assert_eq!(told(&world, function).len(), 1, "one switch for each alias");
    }
    world.assert_settled("back without an API").await;
    // And a candidate that fails never keeps a share.
    world.lock().error_percent.insert("three".to_owned(), 50.0);
    world.new_code("three");
    let end = deploy(&world).await.unwrap();
    assert!(matches!(end.result, RolloutResult::RolledBack { .. }), "{end:?}");
    world.assert_settled("turned back without an API").await;
}

/// serverless-plugin-canary-deployments#159: functions that shift apart.
#[tokio::test]
async fn one_alias_that_cannot_be_shifted_turns_all_back() {
    let world = with_one_release().await;
    world.lock().stuck_aliases.insert("health".to_owned());
    let end = deploy(&world).await.unwrap();
    let RolloutResult::RolledBack { reason } = &end.result else {
        panic!("{end:?}")
    };
    assert!(reason.to_string().contains("health:live"), "{reason}");
    assert_eq!(told(&world, "analytics"), [split(10.0), at("1")]);
    assert_eq!(told(&world, "health"), []);
    world.assert_settled("turned back").await;
}

#[tokio::test]
async fn a_way_back_tries_every_entry_point_also_when_one_fails() {
    let world = in_the_first_bake().await;
    world.lock().stuck_aliases.insert("analytics".to_owned());
    let error = world.quick_rollouts().recover().await.unwrap_err();
    assert!(matches!(error, RolloutError::Open { .. }), "{error}");
    assert!(error.to_string().contains("analytics:live"), "{error}");
    {
        let inner = world.lock();
        assert!(inner.apis.values().all(|api| api.live.canary.is_none()));
        assert_eq!(inner.functions["health"].live.weights.len(), 0);
        assert_eq!(inner.functions["analytics"].live.weights.len(), 1);
    }
    world.lock().stuck_aliases.clear();
    world.quick_rollouts().recover().await.unwrap();
    world.assert_settled("after the alias could be changed again").await;
}

#[tokio::test]
async fn an_alias_that_was_edited_meanwhile_is_looked_at_again() {
    let world = with_one_release().await;
    world.lock().alias_conflicts = 1;
    assert!(deploy(&world).await.unwrap().is_promoted());
    world.assert_settled("after a conflict").await;
}

#[tokio::test]
async fn the_alias_of_an_unchanged_function_is_left_alone() {
    let world = with_one_release().await;
    world.lock().unchanged.insert("health".to_owned());
    assert!(deploy(&world).await.unwrap().is_promoted());
    assert_eq!(told(&world, "health"), []);
    assert_eq!(told(&world, "analytics").len(), 4);
    // Its WebSocket API meets the same version as before, so there is nothing to drain.
    assert!(!drained(&world));
    world.assert_settled("one of two functions released").await;
}

#[tokio::test]
async fn versions_that_lambda_would_not_divide_are_refused_before_anything_moves() {
    let odd = |role: &str, dead_letter: Option<&str>| VersionSettings {
        role: role.to_owned(),
        dead_letter: dead_letter.map(str::to_owned),
    };
    for (settings, expected) in [
        (odd("other", None), "version 1 has role role, version 2 has role other"),
        (
            odd("role", Some("queue")),
            "version 1 has no dead letters, version 2 has dead letters to queue",
        ),
    ] {
        let world = with_one_release().await;
        let version = ("health".to_owned(), "2".into());
        world.lock().odd_settings.insert(version, settings);
        let end = deploy(&world).await.unwrap();
        let RolloutResult::RolledBack { reason } = &end.result else {
            panic!("{end:?}")
        };
        assert!(reason.to_string().contains(expected), "{reason}");
        assert!(world.lock().routes.is_empty());
        assert!(world.lock().mutations.iter().all(|what| !what.contains("canary")));
        world.assert_settled(expected).await;
    }
}

/// terraform/sst#6722: an alias without permission.
#[tokio::test]
async fn an_entry_point_that_may_not_call_its_alias_is_named() {
    let world = with_one_release().await;
    world.lock().not_permitted = vec!["HTTP API shop".into(), "HTTP API of another".into()];
    assert!(deploy(&world).await.unwrap().is_promoted());
    let warnings = warnings(&world);
    assert!(
        warnings.contains("nothing permits HTTP API shop to call alias health:live"),
        "{warnings}"
    );
    assert!(!warnings.contains("of another"), "{warnings}");
}

#[tokio::test]
async fn an_alias_that_somebody_else_changed_is_shown_and_not_overwritten() {
    let world = with_one_release().await;
    let theirs = AliasState {
        version: "1".into(),
        revision: "900".into(),
        weights: [("7".into(), percent(33.0))].into(),
    };
    world.lock().functions.get_mut("health").unwrap().live = theirs.clone();
    let error = deploy(&world).await.unwrap_err();
    assert!(matches!(error, RolloutError::ForeignChange { .. }), "{error}");
    let expected = "alias health:live (HTTP API shop, WebSocket API events) was expected as all on version 1 and is 33 % on \
                    version 7, the rest on version 1";
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(world.lock().functions["health"].live, theirs);

    // In the middle of a rollout, too.
    let world = in_the_first_bake().await;
    world.lock().functions.get_mut("health").unwrap().live = theirs.clone();
    let error = world.quick_rollouts().recover().await.unwrap_err();
    assert!(error.to_string().contains("33 % on version 7"), "{error}");
    assert_eq!(world.lock().functions["health"].live, theirs);
    // What is ours went back all the same.
    assert_eq!(told(&world, "analytics").last(), Some(&at("1")));
}

#[tokio::test]
async fn a_look_during_a_bake_sees_a_changed_alias_and_a_moved_slot() {
    for moved_slot in [false, true] {
        let world = with_one_release().await;
        let mut config = crate::world::config();
        config.steps[0].bake = seconds(600);
        let mut rollouts = world.rollouts_with(config);
        let meddler = Meddler {
            world: world.clone(),
            moved_slot,
        };
        rollouts.observer = Arc::new(meddler);
        let error = rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap_err();
        assert!(matches!(error, RolloutError::ForeignChange { .. }), "{error}");
        let expected = if moved_slot {
            "alias health:blue is at version 1"
        } else {
            "was expected as 10 % on version 2, the rest on version 1 and is all on version 1"
        };
        let error = error.to_string();
        assert!(
            error.contains(expected) || error.contains("alias health:green is at version 1"),
            "{error}"
        );
    }
}

/// Changes something as soon as the first look at the gates was told.
struct Meddler {
    world: Arc<World>,
    moved_slot: bool,
}

impl orchestrator::driver::Observer for Meddler {
    fn observe(&self, event: &RolloutEvent) {
        if !matches!(event, RolloutEvent::Baking { .. }) {
            return;
        }
        let mut inner = self.world.lock();
        let live = inner.apis[APIS[0]].live.slot.unwrap();
        let function = inner.functions.get_mut("health").unwrap();
        if self.moved_slot {
            function.aliases.get_mut(&live.other()).unwrap().version = 1;
        } else {
            function.live.weights.clear();
        }
    }
}

#[tokio::test]
async fn a_live_alias_that_a_deploy_brings_is_put_at_the_live_release_first() {
    let world = World::new();
    world.lock().has_aliases = false;
    released(&world, "one").await;
    released(&world, "two").await;
    // The stack makes them at the version that it published in the beginning.
    world.lock().has_aliases = true;
    world.new_code("three");
    assert!(deploy(&world).await.unwrap().is_promoted());
    for function in FUNCTIONS {
        let told = told(&world, function);
        assert_eq!(told.first(), Some(&at("2")), "{function}: the version that is live");
        assert_eq!(told[1], ("2".to_owned(), Some(("3".to_owned(), 10.0))));
        assert_eq!(told.last(), Some(&at("3")));
    }
    world.assert_settled("with aliases that are new").await;
    // Going back past the release that brought them moves them as well.
    world.quick_rollouts().rollback(None).await.unwrap();
    world.assert_settled("before the aliases were").await;
}

#[tokio::test]
async fn a_way_back_past_a_function_tells_that_its_alias_stays() {
    let world = World::new();
    world.lock().yet_without = Some("health");
    released(&world, "one").await;
    world.lock().yet_without = None;
    released(&world, "two").await;
    let warned = || {
        let inner = world.lock();
        let told = inner.events.iter().filter_map(|event| match event {
            RolloutEvent::Warning { message } if message.contains("health:live stays") => Some(message.clone()),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(warned(), [""; 0], "on the way on it was moved");
    let stays = told(&world, "health").last().cloned();
    let end = world.quick_rollouts().rollback(None).await.unwrap();
    assert!(end.is_promoted(), "{end:?}");
    let warned = warned();
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(
        warned[0].contains("release 1 ") && warned[0].contains("HTTP API shop"),
        "{warned:?}"
    );
    assert_eq!(told(&world, "health").last().cloned(), stays);
}

fn drained(world: &World) -> bool {
    let inner = world.lock();
    inner
        .events
        .iter()
        .any(|event| matches!(event, RolloutEvent::Draining { .. }))
}

#[tokio::test]
async fn calls_over_connections_get_time_to_end_after_a_promotion_and_after_a_way_back() {
    for way_back in [false, true] {
        let world = with_one_release().await;
        if way_back {
            world.lock().error_percent.insert("two".to_owned(), 60.0);
        }
        assert_eq!(deploy(&world).await.unwrap().is_promoted(), !way_back);
        let inner = world.lock();
        let draining: Vec<(Timestamp, Timestamp)> = inner
            .events
            .iter()
            .filter_map(|event| match event {
                RolloutEvent::Draining { entries, until, now } => {
                    assert_eq!(entries, &["WebSocket API events"]);
                    Some((*now, *until))
                }
                _ => None,
            })
            .collect();
        let (began, until) = draining[0];
        assert_eq!(until.duration_since(began), crate::world::config().websocket_drain);
        assert!(draining.last().unwrap().0 >= until);
        let (switched, _, last) = inner.routes.last().unwrap();
        assert!(
            *switched <= began && last.share.is_none(),
            "the traffic is switched before it is waited"
        );
        assert_eq!(last.version.as_str(), if way_back { "1" } else { "2" });
    }
}

#[tokio::test]
async fn status_shows_every_alias_with_whom_it_serves() {
    let world = in_the_first_bake().await;
    let status = world.quick_rollouts().status().await.unwrap();
    let shown = serde_json::to_value(&status.aliases[0]).unwrap();
    assert_eq!(
        shown,
        serde_json::json!({
            "function": "analytics",
            "alias": "live",
            "serves": ["queue jobs", "schedule nightly"],
            "traffic": { "version": "1", "revision": shown["traffic"]["revision"], "weights": { "2": 10.0 } },
            "as_recorded": false,
            "problem": null,
        })
    );
    world.quick_rollouts().recover().await.unwrap();
    let status = world.quick_rollouts().status().await.unwrap();
    assert!(status.aliases.iter().all(|alias| alias.as_recorded));
    assert_eq!(status.aliases.len(), FUNCTIONS.len());
}

/// The run died in the bake of the first step: everything has 10 %.
async fn in_the_first_bake() -> Arc<World> {
    let prepared = with_one_release().await;
    for call in 0.. {
        let world = prepared.fork();
        world.lock().crash_at = Some((call, When::Before));
        let rollouts = world.quick_rollouts();
        let run = rollouts.deploy_blue_green(DeployOptions::default());
        assert!(world.or_crash(run).await.is_none(), "there is a call with all at 10 %");
        world.lock().crash_at = None;
        let inner = world.lock();
        let stages = inner.apis.values().all(|api| api.live.canary.is_some());
        let is_split = stages
            && inner
                .functions
                .values()
                .all(|function| !function.live.weights.is_empty());
        drop(inner);
        if is_split {
            return world;
        }
    }
    unreachable!("a rollout has an end")
}

/// How a run can leave one entry point.
#[derive(Debug, Clone, Copy)]
enum Left {
    AtBase,
    Split(u8),
    AtGoal,
}

fn left() -> impl Strategy<Value = Left> {
    prop_oneof![
        Just(Left::AtBase),
        prop_oneof![Just(0), Just(10), Just(50), Just(100)].prop_map(Left::Split),
        Just(Left::AtGoal),
    ]
}

fn leave_stage(inner: &mut crate::world::Inner, id: &str, left: Left) {
    let api = inner.apis.get_mut(id).unwrap();
    let canary = api.live.canary.clone().unwrap();
    match left {
        Left::AtBase => api.live.canary = None,
        Left::Split(weight) => {
            api.live.canary = Some(Canary {
                weight: percent(f64::from(weight)),
                ..canary
            });
        }
        Left::AtGoal => api.live = crate::world::stage(canary.deployment_id.as_str(), canary.slot.unwrap()),
    }
}

fn leave_alias(inner: &mut crate::world::Inner, name: &str, left: Left) {
    let live = &mut inner.functions.get_mut(name).unwrap().live;
    let candidate = live.weights.keys().next().unwrap().clone();
    live.weights.clear();
    match left {
        Left::AtBase => {}
        Left::Split(weight) => {
            live.weights.insert(candidate, percent(f64::from(weight)));
        }
        Left::AtGoal => live.version = candidate,
    }
}

/// The run that died had asked for the first step, and the requests are still under way when somebody settles it.
#[tokio::test]
async fn a_request_of_whoever_was_at_work_before_finds_another_revision() {
    let world = in_the_first_bake().await;
    let revisions = |world: &World| {
        let inner = world.lock();
        let of_each = inner.functions.values().map(|function| function.live.revision.clone());
        of_each.collect::<Vec<_>>()
    };
    {
        let mut inner = world.lock();
        APIS.iter().for_each(|id| leave_stage(&mut inner, id, Left::AtBase));
        FUNCTIONS
            .iter()
            .for_each(|name| leave_alias(&mut inner, name, Left::AtBase));
        inner.routes.clear();
    }
    let before = revisions(&world);
    world.quick_rollouts().recover().await.unwrap();
    world.assert_settled("after the requests were overtaken").await;
    for (name, (before, now)) in FUNCTIONS.iter().zip(before.iter().zip(revisions(&world))) {
        assert_ne!(*before, now, "{name}");
        assert_eq!(told(&world, name), [at("1")]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_way_back_from_any_partial_shape_ends_settled(shapes in proptest::collection::vec(left(), APIS.len() + FUNCTIONS.len())) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            static BAKING: OnceCell<Arc<World>> = OnceCell::const_new();
            let world = BAKING.get_or_init(in_the_first_bake).await.fork();
            {
                let mut inner = world.lock();
                let (stages, aliases) = shapes.split_at(APIS.len());
                for (id, left) in APIS.into_iter().zip(stages) {
                    leave_stage(&mut inner, id, *left);
                }
                for (name, left) in FUNCTIONS.into_iter().zip(aliases) {
                    leave_alias(&mut inner, name, *left);
                }
            }
            let end = world.quick_rollouts().recover().await.unwrap().unwrap();
            assert!(matches!(end.result, RolloutResult::RolledBack { .. }), "{end:?}");
            world.assert_settled("any partial shape").await;
            let versions: BTreeSet<String> = FUNCTIONS
                .map(|name| world.lock().functions[name].live.version.to_string())
                .into();
            assert_eq!(versions, ["1".to_owned()].into());
        });
    }
}
