//! Several stacks, each as soon as those it depends on stand.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::change_set::Planned;
use super::error::StackError;
use super::readiness::{Readiness, readiness};
use super::{ChangeSet, StackDescription, StackEvent, StackInput};
use crate::connection::Aws;

/// Decides whether a change set may be executed. It is asked just before, with the change list in hand; stacks that
/// depend on each other are asked for one after the other, independent ones perhaps at the same time.
#[async_trait]
pub trait Approval: Send + Sync {
    async fn approve(&self, change_set: &ChangeSet) -> bool;
}

/// Approves everything: what would change was shown and approved before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Approved;

#[async_trait]
impl Approval for Approved {
    async fn approve(&self, _: &ChangeSet) -> bool {
        true
    }
}

/// What happens to the stacks of a deploy, in order for each of them.
#[derive(Clone, Debug)]
pub enum StackProgress {
    /// Its change set is being made.
    Planning {
        stack: String,
    },
    /// There is nothing to do.
    Unchanged {
        stack: String,
    },
    /// It is being changed; `changes` resources are concerned.
    Executing {
        stack: String,
        changes: usize,
    },
    Event(StackEvent),
    /// It stands.
    Done {
        stack: String,
        status: String,
    },
}

/// A stack after a deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackOutcome {
    pub description: StackDescription,
    /// False where nothing was to be done.
    pub changed: bool,
}

/// Where progress goes.
type Report<'a> = &'a (dyn Fn(StackProgress) + Send + Sync);

impl Aws {
    /// Deploys stacks, independent ones at the same time. After a failure no further stack is begun, those that run
    /// are waited for, and the first failure is returned; what stands already stays.
    pub async fn deploy_stacks(
        &self,
        inputs: &[StackInput],
        approval: &dyn Approval,
        report: Report<'_>,
    ) -> Result<BTreeMap<String, StackOutcome>, StackError> {
        check_dependencies(inputs)?;
        let mut waiting: Vec<&StackInput> = inputs.iter().collect();
        let mut running = FuturesUnordered::new();
        let mut done: BTreeMap<String, StackOutcome> = BTreeMap::new();
        let mut first_error = None;
        loop {
            if first_error.is_none() {
                let (ready, later): (Vec<_>, Vec<_>) = waiting
                    .into_iter()
                    .partition(|input| input.depends_on.iter().all(|dependency| done.contains_key(dependency)));
                waiting = later;
                for input in ready {
                    running.push(async { (input.name.clone(), self.deploy_stack(input, approval, report).await) });
                }
            }
            match running.next().await {
                Some((stack, Ok(outcome))) => {
                    done.insert(stack, outcome);
                }
                Some((_, Err(error))) => first_error = first_error.or(Some(error)),
                None => break,
            }
        }
        match first_error {
            Some(error) => Err(error),
            None => Ok(done),
        }
    }

    /// Deploys one stack.
    pub async fn deploy_stack(
        &self,
        input: &StackInput,
        approval: &dyn Approval,
        report: Report<'_>,
    ) -> Result<StackOutcome, StackError> {
        let stack = input.name.clone();
        self.clear_failed_creation(&stack, report).await?;
        report(StackProgress::Planning { stack: stack.clone() });
        let change_set = match self.plan_stack(input).await? {
            Planned::Unchanged(description) => {
                report(StackProgress::Unchanged { stack });
                return Ok(StackOutcome {
                    description,
                    changed: false,
                });
            }
            Planned::Changes(change_set) => change_set,
        };
        if !approval.approve(&change_set).await {
            self.discard_change_set(&change_set).await?;
            return Err(StackError::NotApproved { stack });
        }
        report(StackProgress::Executing {
            stack: stack.clone(),
            changes: change_set.changes.len(),
        });
        let description = self
            .execute_change_set(&change_set, &|event| report(StackProgress::Event(event.clone())))
            .await?;
        report(StackProgress::Done {
            stack,
            status: description.status.clone(),
        });
        Ok(StackOutcome {
            description,
            changed: true,
        })
    }
}

impl Aws {
    /// A stack whose creation was undone holds nothing and takes no update; it is deleted, so that it can be made again.
    async fn clear_failed_creation(&self, stack: &str, report: Report<'_>) -> Result<(), StackError> {
        let found = self.describe_stack(stack).await.map_err(StackError::aws(stack))?;
        if readiness(stack, found.as_ref().map(|found| found.status.as_str()))? == Readiness::Recreate {
            self.destroy_stack(stack, &|event| report(StackProgress::Event(event.clone())))
                .await?;
        }
        Ok(())
    }
}

/// A dependency that nobody deploys or that leads back would be waited for without end.
fn check_dependencies(inputs: &[StackInput]) -> Result<(), StackError> {
    let names: BTreeSet<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    for input in inputs {
        if let Some(dependency) = input
            .depends_on
            .iter()
            .find(|dependency| !names.contains(dependency.as_str()))
        {
            return Err(StackError::UnknownDependency {
                stack: input.name.clone(),
                dependency: dependency.clone(),
            });
        }
    }
    let mut stand: BTreeSet<&str> = BTreeSet::new();
    while stand.len() < names.len() {
        let next: Vec<&str> = inputs
            .iter()
            .filter(|input| !stand.contains(input.name.as_str()))
            .filter(|input| {
                input
                    .depends_on
                    .iter()
                    .all(|dependency| stand.contains(dependency.as_str()))
            })
            .map(|input| input.name.as_str())
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
    use super::*;

    fn stack(name: &str, depends_on: &[&str]) -> StackInput {
        StackInput {
            name: name.to_owned(),
            template: "{}".to_owned(),
            template_location: None,
            parameters: BTreeMap::new(),
            tags: BTreeMap::new(),
            depends_on: depends_on.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn impossible_orders_are_refused_before_anything_happens() {
        assert!(check_dependencies(&[stack("A", &["B"]), stack("B", &[]), stack("C", &["A", "B"])]).is_ok());
        let unknown = check_dependencies(&[stack("A", &["Z"])]).unwrap_err();
        assert!(
            matches!(&unknown, StackError::UnknownDependency { dependency, .. } if dependency == "Z"),
            "{unknown}"
        );
        let circle = check_dependencies(&[stack("A", &["B"]), stack("B", &["A"]), stack("C", &[])]).unwrap_err();
        assert!(
            matches!(&circle, StackError::Circle { stacks } if stacks == &["A", "B"]),
            "{circle}"
        );
    }
}
