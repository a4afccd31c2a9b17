//! Runs one step for each node of a dependency graph, as early as its dependencies allow, independent ones at once.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::step::Verdict;

/// Runs `step` for every key of `dependencies` after the keys that it names. After the first failure nothing more
/// begins, unless it is a deletion; nothing that depends on a failed key begins at all. Gives the keys that ran.
pub async fn each<F, Running>(
    dependencies: &BTreeMap<String, Vec<String>>,
    is_cancelled: impl Fn() -> bool,
    step: F,
) -> Vec<(String, Verdict)>
where
    F: Fn(String) -> Running,
    Running: Future<Output = Verdict>,
{
    let known = |target: &&String| dependencies.contains_key(*target);
    let mut waiting: BTreeMap<&String, BTreeSet<&String>> = dependencies
        .iter()
        .map(|(id, targets)| (id, targets.iter().filter(known).collect()))
        .collect();
    let mut running = FuturesUnordered::new();
    let mut verdicts: Vec<(String, Verdict)> = Vec::new();
    loop {
        let is_stopped = verdicts.iter().any(|(_, verdict)| verdict.stops()) || is_cancelled();
        if !is_stopped {
            let free: Vec<&String> = waiting
                .iter()
                .filter(|(_, targets)| targets.is_empty())
                .map(|(id, _)| *id)
                .collect();
            for id in free {
                waiting.remove(id);
                let work = step(id.clone());
                running.push(async move { (id, work.await) });
            }
        }
        let Some((id, verdict)) = running.next().await else {
            return verdicts;
        };
        if verdict == Verdict::Done {
            waiting.values_mut().for_each(|targets| {
                targets.remove(id);
            });
        }
        verdicts.push((id.clone(), verdict));
    }
}
