//! The journal: what is in it, that it leads to the state, and that damage is found.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use orchestrator::ledger::{Journal, JournalError, read_journal};
use orchestrator::rollout::{Event, RolloutNumber, replay, step};

use orchestrator::driver::DeployOptions;

use crate::world::World;

const OBJECT: &str = "test/rollouts/000001/000010.json";

async fn journal(world: &World) -> Result<Journal, JournalError> {
    read_journal(&*world.store, &"test".into(), RolloutNumber(1)).await
}

async fn with_a_journal() -> Arc<World> {
    let world = World::new();
    world
        .rollouts()
        .deploy_blue_green(DeployOptions::default())
        .await
        .unwrap();
    world
}

#[tokio::test]
async fn replaying_any_prefix_gives_the_state_that_was_recorded() {
    let world = with_a_journal().await;
    let journal = journal(&world).await.unwrap();
    for length in 1..=journal.records.len() {
        let state = replay(journal.records[..length].iter().map(|record| &record.event))
            .unwrap()
            .unwrap();
        assert_eq!(state.phase.name(), journal.records[length - 1].state, "after {length}");
    }
}

#[tokio::test]
async fn every_outcome_has_its_intent_before_it() {
    let world = with_a_journal().await;
    let journal = journal(&world).await.unwrap();
    let mut state = None;
    for record in &journal.records {
        state = Some(match &state {
            None => match &record.event {
                Event::Opened { plan } => orchestrator::rollout::open(plan),
                other => panic!("{other:?}"),
            },
            Some(state) => {
                let is_outcome = !matches!(
                    record.event,
                    Event::LockTaken { .. } | Event::Intended { .. } | Event::Judged { .. }
                );
                let state: &orchestrator::rollout::State = state;
                assert_eq!(state.pending.is_some(), is_outcome, "{:?}", record.event);
                step(state, &record.event).unwrap().0
            }
        });
    }
    assert!(journal.records.len() > 30, "{}", journal.records.len());
}

async fn object(world: &World, path: &str) -> String {
    let bytes = world.store.get(&Path::from(path)).await.unwrap().bytes().await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn overwrite(world: &World, path: &str, content: impl Into<String>) {
    let payload = PutPayload::from(content.into().into_bytes());
    world.store.put(&Path::from(path), payload).await.unwrap();
}

/// Reading says which object and what to do, and no command changes anything.
async fn is_found(world: &Arc<World>, says: &str) {
    let error = journal(world).await.unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
    let mutations = world.lock().mutations.len();
    for error in [
        world
            .rollouts()
            .deploy_blue_green(DeployOptions::default())
            .await
            .unwrap_err(),
        world.rollouts().rollback(None).await.unwrap_err(),
        world.rollouts().recover().await.unwrap_err(),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
    assert_eq!(world.lock().mutations.len(), mutations);
    let status = world.rollouts().status().await.unwrap();
    assert!(status.journal_problem.is_some_and(|problem| problem.contains(says)));
    assert!(status.apis.iter().all(|api| api.as_recorded));
    let history = world.rollouts().history(5).await.unwrap();
    assert!(
        history[0]
            .problem
            .as_ref()
            .is_some_and(|problem| problem.contains(says))
    );
}

#[tokio::test]
async fn a_missing_record_is_found() {
    let world = with_a_journal().await;
    world.store.delete(&Path::from(OBJECT)).await.unwrap();
    is_found(&world, "test/rollouts/000001/000010.json is missing").await;
}

#[tokio::test]
async fn garbage_is_found() {
    let world = with_a_journal().await;
    overwrite(&world, OBJECT, "{\"version\": 1, \"sequ").await;
    is_found(&world, "test/rollouts/000001/000010.json does not read as a record").await;
}

#[tokio::test]
async fn an_altered_record_is_found_by_the_one_after_it() {
    let world = with_a_journal().await;
    let altered = object(&world, OBJECT).await.replace("tester", "nobody");
    overwrite(&world, OBJECT, altered).await;
    is_found(
        &world,
        "test/rollouts/000001/000011.json does not follow from the record before",
    )
    .await;
}

#[tokio::test]
async fn a_record_of_another_place_is_found() {
    let world = with_a_journal().await;
    let other = object(&world, "test/rollouts/000001/000004.json").await;
    overwrite(&world, OBJECT, other).await;
    is_found(&world, "000010.json says that it is record 4").await;
}

#[tokio::test]
async fn a_newer_version_is_refused() {
    let world = with_a_journal().await;
    let newer = object(&world, OBJECT)
        .await
        .replacen("\"version\": 2", "\"version\": 99", 1);
    overwrite(&world, OBJECT, newer).await;
    is_found(&world, "is of version 99, this program reads up to 2").await;
}

#[tokio::test]
async fn a_journal_cut_short_is_an_open_rollout() {
    let world = with_a_journal().await;
    let last = journal(&world).await.unwrap().records.len() as u64 - 1;
    world
        .store
        .delete(&Path::from(format!("test/rollouts/000001/{last:06}.json")))
        .await
        .unwrap();
    assert!(journal(&world).await.unwrap().is_open());
    let end = world.rollouts().recover().await.unwrap().unwrap();
    assert!(end.is_promoted(), "all traffic was there: {end:?}");
    world.assert_settled("after the cut").await;
}
