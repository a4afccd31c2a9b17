//! Removing stacks, and what has to be known before.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use orchestrator::ports::PortErrorKind;

use super::error::StackError;
use super::{StackEvent, Stop, readiness};
use crate::connection::Aws;
use crate::failure::{Failure, failed};

/// An export has a page of a hundred importers, and a stack at most 200 exports.
const PAGE_LIMIT: usize = 50;

/// One stack to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    pub stack: String,
    /// Names of stacks that must be gone before, because they use this one. Those that are not to be deleted do not
    /// count.
    pub after: Vec<String>,
    /// Logical ids that stay. CloudFormation takes them only after a deletion has failed.
    pub retain: Vec<String>,
}

/// What happens to the stacks of a removal, in order for each of them.
#[derive(Clone, Debug)]
pub enum RemovalProgress {
    Deleting { stack: String },
    Event(StackEvent),
    Deleted { stack: String },
}

impl Aws {
    /// Deletes a stack and everything it holds that is not to be retained, and reports each event until it is gone.
    /// A deletion that goes on already is followed. No such stack is a success.
    pub async fn destroy_stack(
        &self,
        name: &str,
        on_event: &(dyn Fn(&StackEvent) + Send + Sync),
    ) -> Result<(), StackError> {
        self.destroy_stack_but(name, &[], on_event).await
    }

    /// Deletes stacks, independent ones at the same time. After a failure no further stack is begun, those that run are
    /// waited for, and the first failure is returned. The same when `stop` is asked for: then the error names a stack that
    /// was not begun.
    pub async fn destroy_stacks(
        &self,
        removals: &[Removal],
        report: &(dyn Fn(RemovalProgress) + Send + Sync),
        stop: &Stop,
    ) -> Result<(), StackError> {
        let mut left: BTreeSet<&str> = removals.iter().map(|removal| removal.stack.as_str()).collect();
        let mut waiting: Vec<&Removal> = removals.iter().collect();
        let mut running = FuturesUnordered::new();
        let mut first_error = None;
        loop {
            if first_error.is_none() && !stop.is_asked() {
                let (later, ready): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|removal| {
                    let blocks = |user: &String| *user != removal.stack && left.contains(user.as_str());
                    removal.after.iter().any(blocks)
                });
                waiting = later;
                for removal in ready {
                    running.push(async { (removal.stack.as_str(), self.remove(removal, report).await) });
                }
            }
            match running.next().await {
                Some((stack, Ok(()))) => {
                    left.remove(stack);
                }
                Some((_, Err(error))) => first_error = first_error.or(Some(error)),
                None => break,
            }
        }
        match first_error {
            Some(error) => Err(error),
            None if left.is_empty() => Ok(()),
            None if stop.is_asked() => Err(StackError::Interrupted {
                stack: waiting
                    .first()
                    .map_or_else(String::new, |removal| removal.stack.clone()),
            }),
            None => Err(StackError::Circle {
                stacks: left.into_iter().map(str::to_owned).collect(),
            }),
        }
    }

    async fn remove(
        &self,
        removal: &Removal,
        report: &(dyn Fn(RemovalProgress) + Send + Sync),
    ) -> Result<(), StackError> {
        let stack = removal.stack.clone();
        report(RemovalProgress::Deleting { stack: stack.clone() });
        self.destroy_stack_but(&stack, &removal.retain, &|event| {
            report(RemovalProgress::Event(event.clone()));
        })
        .await?;
        report(RemovalProgress::Deleted { stack });
        Ok(())
    }

    async fn destroy_stack_but(
        &self,
        name: &str,
        retain: &[String],
        on_event: &(dyn Fn(&StackEvent) + Send + Sync),
    ) -> Result<(), StackError> {
        let Some(stack) = self.describe_stack(name).await.map_err(StackError::aws(name))? else {
            return Ok(());
        };
        let busy = stack.status.ends_with("_IN_PROGRESS")
            && !matches!(stack.status.as_str(), "REVIEW_IN_PROGRESS" | "DELETE_IN_PROGRESS");
        if busy {
            return Err(StackError::InProgress {
                stack: name.to_owned(),
                status: stack.status,
            });
        }
        let retained = (stack.status == "DELETE_FAILED" && !retain.is_empty()).then(|| retain.to_vec());
        let log = self.event_log(&stack.id).await.map_err(StackError::aws(name))?;
        self.cloudformation()
            .delete_stack()
            .stack_name(&stack.id)
            .set_retain_resources(retained)
            .send()
            .await
            .map_err(failed("DeleteStack", name))
            .map_err(StackError::aws(name))?;
        if stack.status == "REVIEW_IN_PROGRESS" {
            return Ok(());
        }
        let ended = self.follow(name, &stack.id, log, on_event).await?;
        debug_assert!(readiness::is_terminal(&ended.status));
        if ended.status == "DELETE_COMPLETE" {
            return Ok(());
        }
        Err(self.failed_as(name, ended).await)
    }

    /// Names of the stacks that import what another exports under this name.
    pub async fn importers(&self, export: &str) -> Result<Vec<String>, Failure> {
        let mut importers = Vec::new();
        let mut token = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .cloudformation()
                .list_imports()
                .export_name(export)
                .set_next_token(token)
                .send()
                .await
                .map_err(failed("ListImports", export));
            let page = match page {
                Ok(page) => page,
                // "Export 'X' is not imported by any stack." is an error there.
                Err(failure) if failure.message.contains("is not imported by any stack") => return Ok(importers),
                Err(failure) => return Err(failure),
            };
            importers.extend(page.imports.unwrap_or_default());
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(importers);
            }
        }
        Err(Failure::ambiguous(
            "ListImports",
            export,
            format!("more than {PAGE_LIMIT} pages"),
        ))
    }

    /// Whether the bucket holds an object, an old version or a delete marker: S3 deletes none that does. A bucket that
    /// is not there holds nothing.
    pub async fn bucket_holds_objects(&self, bucket: &str) -> Result<bool, Failure> {
        let answer = self
            .s3()
            .list_object_versions()
            .bucket(bucket)
            .max_keys(1)
            .send()
            .await
            .map_err(failed("ListObjectVersions", bucket));
        match answer {
            Ok(answer) => Ok(!answer.versions().is_empty() || !answer.delete_markers().is_empty()),
            Err(failure) if failure.kind == PortErrorKind::NotFound => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
