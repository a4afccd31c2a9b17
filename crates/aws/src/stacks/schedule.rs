//! Several stacks in the order of their dependencies: which may begin, how many at once, what becomes of the others
//! when one fails.
//!
//! It knows no AWS; `deploy` and `plan` say what is done with each stack.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use super::StackOutcome;
use super::error::StackError;
use super::stop::Stop;

/// How one stack of several ended.
#[derive(Debug)]
pub struct StackEnd {
    pub stack: String,
    pub ending: Ending,
}

#[derive(Debug)]
pub enum Ending {
    Deployed(StackOutcome),
    Failed(StackError),
    /// What it depends on failed or was skipped itself.
    Skipped {
        because_of: Vec<String>,
    },
    /// Stopping was asked for before it was begun.
    NotBegun,
}

/// All outcomes by stack, or the first failure in the order of the stacks.
pub fn into_outcomes(ends: Vec<StackEnd>) -> Result<BTreeMap<String, StackOutcome>, StackError> {
    let mut outcomes = BTreeMap::new();
    let mut not_begun = None;
    for StackEnd { stack, ending } in ends {
        match ending {
            Ending::Deployed(outcome) => {
                outcomes.insert(stack, outcome);
            }
            Ending::Failed(error) => return Err(error),
            Ending::Skipped { .. } | Ending::NotBegun => not_begun = not_begun.or(Some(stack)),
        }
    }
    match not_begun {
        Some(stack) => Err(StackError::Interrupted { stack }),
        None => Ok(outcomes),
    }
}

/// A stack with those that must stand before it begins.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub stack: &'a str,
    pub depends_on: &'a [String],
}

/// Does `work` with every stack, dependencies first, at most `concurrency` at once. What does not depend on a failed
/// stack goes on. The ends come in the order of `nodes`.
pub(super) async fn in_order<'a>(
    nodes: &[Node<'a>],
    concurrency: NonZeroUsize,
    stop: &Stop,
    work: impl Fn(usize) -> BoxFuture<'a, Result<StackOutcome, StackError>>,
    on_skip: impl Fn(&str, &[String]),
) -> Result<Vec<StackEnd>, StackError> {
    check_dependencies(nodes)?;
    let mut ends: Vec<Option<Ending>> = nodes.iter().map(|_| None).collect();
    let mut begun = vec![false; nodes.len()];
    let position: BTreeMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| (node.stack, index))
        .collect();
    let mut running = FuturesUnordered::new();
    loop {
        skip_dependents(nodes, &position, &mut ends, &on_skip);
        for (index, node) in nodes.iter().enumerate() {
            let stands = |name: &String| matches!(ends[position[name.as_str()]], Some(Ending::Deployed(_)));
            if running.len() >= concurrency.get() || stop.is_asked() {
                break;
            }
            if !begun[index] && ends[index].is_none() && node.depends_on.iter().all(stands) {
                begun[index] = true;
                let doing = work(index);
                running.push(async move { (index, doing.await) });
            }
        }
        let Some((index, ended)) = running.next().await else {
            break;
        };
        ends[index] = Some(match ended {
            Ok(outcome) => Ending::Deployed(outcome),
            Err(StackError::Interrupted { .. }) => Ending::NotBegun,
            Err(error) => Ending::Failed(error),
        });
    }
    let ends = nodes.iter().zip(ends).map(|(node, ending)| StackEnd {
        stack: node.stack.to_owned(),
        ending: ending.unwrap_or(Ending::NotBegun),
    });
    Ok(ends.collect())
}

fn skip_dependents(
    nodes: &[Node<'_>],
    position: &BTreeMap<&str, usize>,
    ends: &mut [Option<Ending>],
    on_skip: &impl Fn(&str, &[String]),
) {
    // One round may make the next one's reason: a chain is skipped link by link.
    loop {
        let mut again = false;
        for (index, node) in nodes.iter().enumerate() {
            if ends[index].is_some() {
                continue;
            }
            let failed = |name: &&String| {
                matches!(
                    ends[position[name.as_str()]],
                    Some(Ending::Failed(_) | Ending::Skipped { .. })
                )
            };
            let because_of: Vec<String> = node.depends_on.iter().filter(failed).cloned().collect();
            if !because_of.is_empty() {
                on_skip(node.stack, &because_of);
                ends[index] = Some(Ending::Skipped { because_of });
                again = true;
            }
        }
        if !again {
            return;
        }
    }
}

/// A dependency that nobody deploys or that leads back would be waited for without end.
fn check_dependencies(nodes: &[Node<'_>]) -> Result<(), StackError> {
    let names: BTreeSet<&str> = nodes.iter().map(|node| node.stack).collect();
    for node in nodes {
        if let Some(dependency) = node
            .depends_on
            .iter()
            .find(|dependency| !names.contains(dependency.as_str()))
        {
            return Err(StackError::UnknownDependency {
                stack: node.stack.to_owned(),
                dependency: dependency.clone(),
            });
        }
    }
    let mut stand: BTreeSet<&str> = BTreeSet::new();
    while stand.len() < names.len() {
        let next: Vec<&str> = nodes
            .iter()
            .filter(|node| !stand.contains(node.stack))
            .filter(|node| {
                node.depends_on
                    .iter()
                    .all(|dependency| stand.contains(dependency.as_str()))
            })
            .map(|node| node.stack)
            .collect();
        if next.is_empty() {
            let stacks = names.difference(&stand).map(|name| (*name).to_owned()).collect();
            return Err(StackError::Circle { stacks });
        }
        stand.extend(next);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::stacks::StackDescription;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn outcome(stack: &str) -> StackOutcome {
        StackOutcome {
            description: StackDescription::named(stack),
            changed: true,
        }
    }

    struct Case {
        stacks: Vec<(String, Vec<String>)>,
        fails: &'static str,
        stops_after: &'static str,
        concurrency: usize,
    }

    impl Case {
        fn of(stacks: &[(&str, &[&str])]) -> Self {
            Self {
                stacks: stacks
                    .iter()
                    .map(|(name, on)| ((*name).to_owned(), names(on)))
                    .collect(),
                fails: "",
                stops_after: "",
                concurrency: 4,
            }
        }

        /// How each stack ended, in which order they were begun, and how many ran at once.
        async fn run(&self) -> (Result<Vec<String>, StackError>, Vec<String>, usize) {
            let nodes: Vec<Node<'_>> = self
                .stacks
                .iter()
                .map(|(stack, depends_on)| Node { stack, depends_on })
                .collect();
            let stop = Stop::default();
            let begun: Arc<Mutex<Vec<String>>> = Arc::default();
            let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let work = |index: usize| -> BoxFuture<'_, Result<StackOutcome, StackError>> {
                let stack = nodes[index].stack.to_owned();
                let (begun, now, most, stop) = (begun.clone(), now.clone(), most.clone(), stop.clone());
                Box::pin(async move {
                    begun.lock().unwrap().push(stack.clone());
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    if stack == self.stops_after {
                        stop.ask();
                    }
                    if stack == self.fails {
                        return Err(StackError::NotApproved { stack });
                    }
                    Ok(outcome(&stack))
                })
            };
            let concurrency = NonZeroUsize::new(self.concurrency).unwrap();
            let ends = in_order(&nodes, concurrency, &stop, work, |_, _| ()).await;
            let told = ends.map(|ends| {
                ends.into_iter()
                    .map(|end| match end.ending {
                        Ending::Deployed(_) => format!("{} deployed", end.stack),
                        Ending::Failed(_) => format!("{} failed", end.stack),
                        Ending::Skipped { because_of } => {
                            format!("{} skipped because of {}", end.stack, because_of.join(", "))
                        }
                        Ending::NotBegun => format!("{} not begun", end.stack),
                    })
                    .collect()
            });
            let begun = begun.lock().unwrap().clone();
            (told, begun, most.load(Ordering::SeqCst))
        }
    }

    #[tokio::test]
    async fn dependencies_come_first_and_the_rest_goes_at_once() {
        let case = Case::of(&[("App", &["Network"]), ("Network", &[]), ("Logs", &[])]);
        let (ends, begun, most) = case.run().await;
        assert_eq!(ends.unwrap(), ["App deployed", "Network deployed", "Logs deployed"]);
        assert_eq!(begun, ["Network", "Logs", "App"]);
        assert_eq!(most, 2);
        let one = Case { concurrency: 1, ..case };
        assert_eq!(one.run().await.2, 1);
    }

    #[tokio::test]
    async fn what_does_not_depend_on_a_failure_goes_on() {
        let mut case = Case::of(&[
            ("A", &[]),
            ("B", &["A"]),
            ("C", &["B"]),
            ("D", &[]),
            ("E", &["D"]),
            ("F", &["E", "C"]),
        ]);
        case.fails = "A";
        let (ends, ..) = case.run().await;
        assert_eq!(
            ends.unwrap(),
            [
                "A failed",
                "B skipped because of A",
                "C skipped because of B",
                "D deployed",
                "E deployed",
                "F skipped because of C"
            ]
        );
    }

    #[tokio::test]
    async fn after_the_wish_to_stop_nothing_is_begun() {
        let mut case = Case::of(&[("A", &[]), ("B", &["A"]), ("C", &[])]);
        case.stops_after = "A";
        let (ends, begun, _) = case.run().await;
        assert_eq!(ends.unwrap(), ["A deployed", "B not begun", "C deployed"]);
        assert_eq!(begun, ["A", "C"]);
    }

    #[tokio::test]
    async fn impossible_orders_are_refused_before_anything_happens() {
        let (unknown, begun, _) = Case::of(&[("A", &["Z"])]).run().await;
        assert!(
            matches!(&unknown, Err(StackError::UnknownDependency { dependency, .. }) if dependency == "Z"),
            "{unknown:?}"
        );
        assert!(begun.is_empty());
        let (circle, ..) = Case::of(&[("A", &["B"]), ("B", &["A"]), ("C", &[])]).run().await;
        assert!(
            matches!(&circle, Err(StackError::Circle { stacks }) if stacks == &["A", "B"]),
            "{circle:?}"
        );
    }
}
