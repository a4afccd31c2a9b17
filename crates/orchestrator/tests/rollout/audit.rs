//! The audit: a history is sound as it was written, also by an earlier program, and whatever is done to it is found.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use orchestrator::ledger::{AuditReport, Flaw, head, read_journal, read_standing, verify};
use orchestrator::rollout::{PhaseName, RolloutNumber};
use proptest::prelude::*;

use crate::world::{World, config, seconds};

/// Four rollouts as version 1 of this program wrote them: promoted, turned back, promoted, rolled back.
const VERSION_1: &str = include_str!("../fixtures/ledger-v1.json");

type Objects = BTreeMap<String, Vec<u8>>;

async fn objects(store: &InMemory) -> Objects {
    let found: Vec<_> = store.list(None).try_collect().await.unwrap();
    let mut objects = Objects::new();
    for meta in found {
        let stored = store.get(&meta.location).await.unwrap().bytes().await.unwrap();
        objects.insert(meta.location.to_string(), stored.to_vec());
    }
    objects
}

async fn store(objects: &Objects) -> Arc<InMemory> {
    let store = Arc::new(InMemory::new());
    for (path, stored) in objects {
        let payload = PutPayload::from(stored.clone());
        store.put(&Path::from(path.as_str()), payload).await.unwrap();
    }
    store
}

fn version_1() -> Objects {
    let texts: BTreeMap<String, String> = serde_json::from_str(VERSION_1).unwrap();
    texts
        .into_iter()
        .map(|(path, text)| (path, text.into_bytes()))
        .collect()
}

/// A world in which as much has happened as in the history of version 1.
async fn with_a_history() -> Arc<World> {
    let world = World::new();
    let mut short = config();
    short.steps.remove(1);
    for step in &mut short.steps {
        step.bake = seconds(1);
    }
    short.gates.minimum_requests = 5;
    let rollouts = || world.rollouts_with(short.clone());
    rollouts()
        .deploy_blue_green(orchestrator::driver::DeployOptions::default())
        .await
        .unwrap();
    world.new_code("second");
    world.lock().error_percent.insert("second".into(), 60.0);
    rollouts()
        .deploy_blue_green(orchestrator::driver::DeployOptions::default())
        .await
        .unwrap();
    world.new_code("third");
    rollouts()
        .deploy_blue_green(orchestrator::driver::DeployOptions::default())
        .await
        .unwrap();
    rollouts().rollback(None).await.unwrap();
    world
}

async fn audit(objects: &Objects) -> AuditReport {
    verify(&*store(objects).await, &"test".into()).await.unwrap()
}

/// Whether the audit finds fault with it, `head` being what the last run printed.
async fn is_found(objects: &Objects, head: &str) -> bool {
    let report = audit(objects).await;
    !report.is_sound() || report.find(head).is_none()
}

#[tokio::test]
async fn a_history_is_sound_and_its_head_stands_for_it() {
    let world = with_a_history().await;
    let report = verify(&*world.store, &"test".into()).await.unwrap();
    assert_eq!(report.problems, []);
    assert_eq!((report.rollouts, report.unlinked.len()), (4, 0));
    let newest = head(&*world.store, &"test".into()).await.unwrap().unwrap();
    assert_eq!(report.head, Some(newest.clone()));
    assert_eq!(report.find(&newest.hash), Some(&newest));
    assert_eq!(report.find(&newest.hash[..16].to_uppercase()), Some(&newest));
    assert_eq!(report.find(&newest.hash[..8]), None, "too short to name one record");
    assert_eq!(report.records_after(&newest), 0);

    let second = read_journal(&*world.store, &"test".into(), RolloutNumber(2))
        .await
        .unwrap();
    let earlier = report.find(second.head()).unwrap();
    assert_eq!(earlier.rollout, RolloutNumber(2));
    assert!(report.records_after(earlier) > 10);
    let standing = read_standing(&*world.store, &"test".into()).await.unwrap();
    assert_eq!(standing.rests_on.unwrap().rollout, RolloutNumber(4));
}

#[tokio::test]
async fn a_history_of_version_1_reads_and_is_sound() {
    let before = version_1();
    let store = store(&before).await;
    let ends = [
        PhaseName::Retained,
        PhaseName::RolledBack,
        PhaseName::Retained,
        PhaseName::Retained,
    ];
    for (rollout, end) in (1..).map(RolloutNumber).zip(ends) {
        let journal = read_journal(&*store, &"test".into(), rollout).await.unwrap();
        assert_eq!(journal.state.phase.name(), end);
        assert!(journal.records.iter().all(|record| record.version == 1));
    }
    let report = verify(&*store, &"test".into()).await.unwrap();
    assert_eq!(report.problems, []);
    let unlinked: Vec<u32> = report.unlinked.iter().map(|rollout| rollout.0).collect();
    assert_eq!(unlinked, [2, 3, 4], "each is a chain of its own, and that is said");
    let standing = read_standing(&*store, &"test".into()).await.unwrap();
    assert_eq!(standing.rests_on, None);
}

#[tokio::test]
async fn the_first_rollout_after_version_1_is_linked() {
    let world = with_a_history().await;
    for (path, stored) in version_1() {
        let path = Path::from(path.replace("test/", "old/"));
        world.store.put(&path, PutPayload::from(stored)).await.unwrap();
    }
    let mut rollouts = world.rollouts();
    rollouts.environment = "old".into();
    rollouts
        .deploy_blue_green(orchestrator::driver::DeployOptions::default())
        .await
        .unwrap();
    let report = verify(&*world.store, &"old".into()).await.unwrap();
    assert_eq!(report.problems, []);
    assert_eq!((report.rollouts, report.unlinked.len()), (5, 3));
    world
        .store
        .delete(&Path::from("old/rollouts/000004/000007.json"))
        .await
        .unwrap();
    let report = verify(&*world.store, &"old".into()).await.unwrap();
    let problem = report.problems[0].to_string();
    assert!(problem.starts_with("old/rollouts/000004 ends in state"), "{problem}");
    let problem = report.problems[1].to_string();
    assert!(
        problem.starts_with("old/rollouts/000005/000000.json does not follow"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_whole_rollout_that_was_removed_is_found() {
    let whole = objects(&with_a_history().await.store).await;
    let mut without = whole.clone();
    without.retain(|path, _| !path.contains("/rollouts/000002/"));
    let report = audit(&without).await;
    assert_eq!(report.problems[0].object, "test/rollouts/000002");
    assert_eq!(report.problems[0].flaw, Flaw::RolloutMissing);

    // And where those after it were renamed, because they say which they are and what they follow.
    let renamed = without
        .into_iter()
        .map(|(path, stored)| {
            let path = path
                .replace("/rollouts/000003/", "/rollouts/000002/")
                .replace("/rollouts/000004/", "/rollouts/000003/");
            (path, stored)
        })
        .collect();
    let report = audit(&renamed).await;
    assert!(
        report
            .problems
            .iter()
            .any(|problem| problem.flaw == Flaw::OtherRollout { says: RolloutNumber(3) }),
        "{:?}",
        report.problems
    );
    assert!(report.problems.iter().any(|problem| problem.flaw == Flaw::Unlinked));
}

#[tokio::test]
async fn the_newest_records_that_were_cut_off_are_found_by_a_head_that_was_printed() {
    let world = with_a_history().await;
    let printed = head(&*world.store, &"test".into()).await.unwrap().unwrap().hash;
    let mut cut = objects(&world.store).await;
    // The whole newest rollout with all that was written since, so that nothing is left that contradicts it.
    cut.retain(|path, _| !path.contains("/rollouts/000004/") && !path.ends_with("standings/000005.json"));
    let report = audit(&cut).await;
    assert_eq!(report.problems, [], "what is left is sound in itself");
    assert_eq!(report.find(&printed), None);
}

#[tokio::test]
async fn a_standing_that_says_something_else_is_found() {
    let whole = objects(&with_a_history().await.store).await;
    let newest = whole.keys().rfind(|path| path.contains("/standings/")).unwrap().clone();
    let text = String::from_utf8(whole[&newest].clone()).unwrap();
    let of = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        let mut changed = whole.clone();
        changed.insert(newest.clone(), text.replacen(from, to, 1).into_bytes());
        changed
    };
    for changed in [
        of("\"live\": 1", "\"live\": 3"),
        of("\"live_by\": 4", "\"live_by\": 3"),
        of("\"version\": \"2\"", "\"version\": \"1\""),
        of("\"hash\": \"", "\"hash\": \"0"),
    ] {
        let report = audit(&changed).await;
        assert!(
            report.problems.iter().all(|problem| problem.object == newest) && !report.is_sound(),
            "{:?}",
            report.problems
        );
    }
    let mut without = whole;
    without.remove(&newest);
    assert!(!audit(&without).await.is_sound());
}

#[tokio::test]
async fn records_of_an_older_epoch_or_version_and_foreign_objects_are_found() {
    let world = with_a_history().await;
    let whole = objects(&world.store).await;
    let mut odd = whole.clone();
    odd.insert("test/rollouts/000002/000003 copy.json".to_owned(), Vec::new());
    odd.insert("test/rollouts/2/000003.json".to_owned(), Vec::new());
    let report = audit(&odd).await;
    assert_eq!(report.problems.len(), 2, "{:?}", report.problems);
    assert!(report.problems.iter().all(|problem| problem.flaw == Flaw::Foreign));

    // Somebody who recomputes all hashes after an edit still cannot go back in epochs or versions.
    let mut forged = whole;
    let last = forged.keys().rfind(|path| path.contains("/rollouts/")).unwrap().clone();
    let text = String::from_utf8(forged[&last].clone()).unwrap();
    let forged_text = text
        .replacen("\"epoch\": 4", "\"epoch\": 3", 1)
        .replacen("\"version\": 2", "\"version\": 1", 1);
    assert_ne!(text, forged_text);
    forged.insert(last, forged_text.into_bytes());
    let flaws: Vec<Flaw> = audit(&forged)
        .await
        .problems
        .into_iter()
        .map(|problem| problem.flaw)
        .collect();
    assert_eq!(flaws, [Flaw::OlderVersion, Flaw::OlderEpoch]);
}

/// The history is made once: it is the same each time.
fn history() -> &'static (Objects, String) {
    static HISTORY: std::sync::OnceLock<(Objects, String)> = std::sync::OnceLock::new();
    HISTORY.get_or_init(|| {
        block_on(async {
            let world = with_a_history().await;
            let head = head(&*world.store, &"test".into()).await.unwrap().unwrap();
            (objects(&world.store).await, head.hash)
        })
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

fn records(objects: &Objects) -> Vec<String> {
    let records = objects.keys().filter(|path| path.contains("/rollouts/"));
    records.cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn a_byte_that_was_changed_is_found(
        record in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        bits in 1..=255_u8,
    ) {
        let (objects, head) = history();
        let mut changed = objects.clone();
        let records = records(objects);
        let stored = changed.get_mut(record.get(&records)).unwrap();
        let at = byte.index(stored.len());
        stored[at] ^= bits;
        prop_assert!(block_on(is_found(&changed, head)), "{} byte {at}", record.get(&records));
    }

    #[test]
    fn records_that_were_exchanged_are_found(one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let (objects, head) = history();
        let records = records(objects);
        let (one, other) = (one.get(&records), other.get(&records));
        prop_assume!(one != other);
        let mut changed = objects.clone();
        changed.insert(one.clone(), objects[other].clone());
        changed.insert(other.clone(), objects[one].clone());
        prop_assert!(block_on(is_found(&changed, head)), "{one} and {other}");
    }
}

#[test]
fn any_record_that_was_removed_is_found() {
    let (objects, head) = history();
    for record in records(objects) {
        let mut without = objects.clone();
        without.remove(&record);
        assert!(block_on(is_found(&without, head)), "{record}");
        without.retain(|path, _| !path.contains("/rollouts/") || path < &record);
        assert!(block_on(is_found(&without, head)), "{record} and all after it");
    }
}
