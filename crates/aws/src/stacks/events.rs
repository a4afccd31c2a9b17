//! Follows a stack's events, each exactly once and in order, however slowly and often CloudFormation shows them.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_cloudformation::types::StackEvent as SdkEvent;
use jiff::Timestamp;
use tokio::time::Instant;

use super::describe::timestamp;
use super::error::StackError;
use super::readiness::is_terminal;
use super::{StackDescription, StackEvent};
use crate::connection::Aws;
use crate::failure::{Failure, failed};

/// A stack may have had thousands of events before; only those since the last look are read.
const PAGE_LIMIT: usize = 100;
/// Longer than any stack takes whose resources keep their own time limits (a database cluster: about an hour).
const WAIT_LIMIT: Duration = Duration::from_secs(4 * 60 * 60);
/// Looks at a stack that says it has ended while its events do not, before its word is taken.
const LOOKS_WITHOUT_FINAL_EVENT: u32 = 5;

/// Knows which events were reported.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    seen: HashSet<String>,
    /// What is older belongs to an earlier change.
    since: Option<Timestamp>,
    /// In the order in which they happened, without consequences of others.
    failures: Vec<StackEvent>,
}

impl EventLog {
    /// Takes one page, newest first as CloudFormation gives it. Returns what is new on it, and whether it reached
    /// what was seen before, so that older pages need not be read. A seen event does not end the page: events may
    /// show late, behind newer ones.
    fn absorb(&mut self, page: Vec<StackEvent>) -> (Vec<StackEvent>, bool) {
        let mut fresh = Vec::new();
        let mut reached = false;
        for event in page {
            if self.seen.contains(&event.id) || self.since.is_some_and(|since| event.at < since) {
                reached = true;
            } else {
                fresh.push(event);
            }
        }
        (fresh, reached)
    }

    /// Accepts what a whole look found, newest first, and returns it oldest first. Only now it counts as seen: a look
    /// that broke off between two pages is repeated as a whole.
    fn commit(&mut self, fresh: Vec<StackEvent>) -> Vec<StackEvent> {
        let mut in_order = Vec::with_capacity(fresh.len());
        for event in fresh.into_iter().rev() {
            if self.seen.insert(event.id.clone()) {
                if is_failure(&event) {
                    self.failures.push(event.clone());
                }
                in_order.push(event);
            }
        }
        in_order
    }
}

/// The cancellation of the others is a consequence, and the stack's own failure a summary.
pub(super) fn is_failure(event: &StackEvent) -> bool {
    event.status.ends_with("_FAILED")
        && !event.of_the_stack_itself
        && !event.reason.as_deref().is_some_and(|reason| {
            matches!(
                reason,
                "Resource creation cancelled" | "Resource update cancelled" | "Resource deletion cancelled"
            )
        })
}

/// The event that opens an operation: everything after it, which a list shows before it, belongs to it.
fn begins_a_change(event: &StackEvent) -> bool {
    event.of_the_stack_itself
        && matches!(
            event.status.as_str(),
            "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS" | "IMPORT_IN_PROGRESS"
        )
}

/// How a change ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub status: String,
    pub description: StackDescription,
    /// The resources' own failures, the first one first.
    pub failures: Vec<StackEvent>,
}

impl Aws {
    /// Remembers everything that has happened so far, so that only what follows is reported.
    pub(crate) async fn event_log(&self, stack_id: &str) -> Result<EventLog, Failure> {
        let mut log = EventLog::default();
        let (page, _) = self.events_page(stack_id, None).await?;
        log.since = page.iter().map(|event| event.at).max();
        log.seen.extend(page.into_iter().map(|event| event.id));
        Ok(log)
    }

    /// Remembers what happened before the change that runs now, so that its first failure is known although it was
    /// begun by somebody else. Its events so far are not reported again; its failures so far are kept.
    pub(crate) async fn event_log_of_running(&self, stack_id: &str) -> Result<EventLog, Failure> {
        let mut log = EventLog::default();
        let mut failures = Vec::new();
        let mut token = None;
        for _ in 0..PAGE_LIMIT {
            let (page, next) = self.events_page(stack_id, token).await?;
            let mut complete = next.is_none();
            for event in page {
                log.since = log.since.max(Some(event.at));
                log.seen.insert(event.id.clone());
                if begins_a_change(&event) {
                    complete = true;
                    break;
                }
                if is_failure(&event) {
                    failures.push(event);
                }
            }
            if complete {
                break;
            }
            token = next;
        }
        log.failures = failures.into_iter().rev().collect();
        Ok(log)
    }

    /// The failures of one operation of a stack that has ended, a nested one for example, the first one first.
    pub(super) async fn failures_of(&self, stack_id: &str) -> Result<Vec<StackEvent>, Failure> {
        Ok(self.event_log_of_running(stack_id).await?.failures)
    }

    /// Reports events until the stack itself has ended.
    pub(crate) async fn follow(
        &self,
        stack: &str,
        stack_id: &str,
        mut log: EventLog,
        on_event: &(dyn Fn(&StackEvent) + Send + Sync),
    ) -> Result<Ended, StackError> {
        let begun = Instant::now();
        let mut looks_after_end = 0;
        loop {
            // The status is read before the events, so that the last look at the events is the later one.
            let description = self.describe_stack(stack_id).await.map_err(StackError::aws(stack))?;
            let description = description.ok_or_else(|| {
                StackError::aws(stack)(Failure::not_found("DescribeStacks", stack_id, "the stack is gone"))
            })?;
            let fresh = self
                .fresh_events(stack_id, &mut log)
                .await
                .map_err(StackError::aws(stack))?;
            let mut ended = None;
            for event in &fresh {
                on_event(event);
                if event.of_the_stack_itself {
                    ended = is_terminal(&event.status).then(|| event.status.clone());
                }
            }
            if is_terminal(&description.status) && ended.is_none() {
                looks_after_end += 1;
            } else {
                looks_after_end = 0;
            }
            let status = match ended {
                Some(status) => Some(status),
                None if looks_after_end > LOOKS_WITHOUT_FINAL_EVENT => Some(description.status.clone()),
                None => None,
            };
            if let Some(status) = status {
                // Outputs appear with the end, so the description from before it may lack them.
                let description = self
                    .describe_stack(stack_id)
                    .await
                    .map_err(StackError::aws(stack))?
                    .unwrap_or(description);
                return Ok(Ended {
                    status,
                    description,
                    failures: log.failures,
                });
            }
            if begun.elapsed() > WAIT_LIMIT {
                let status = description.status;
                return Err(StackError::TimedOut {
                    stack: stack.to_owned(),
                    status,
                    waited: WAIT_LIMIT,
                });
            }
            tokio::time::sleep(self.poll_interval()).await;
        }
    }

    async fn fresh_events(&self, stack_id: &str, log: &mut EventLog) -> Result<Vec<StackEvent>, Failure> {
        let mut all = Vec::new();
        let mut token = None;
        for _ in 0..PAGE_LIMIT {
            let (page, next) = self.events_page(stack_id, token).await?;
            let (fresh, reached) = log.absorb(page);
            all.extend(fresh);
            token = next;
            if reached || token.is_none() {
                return Ok(log.commit(all));
            }
        }
        Err(Failure::ambiguous(
            "DescribeStackEvents",
            stack_id,
            format!("more than {PAGE_LIMIT} pages"),
        ))
    }

    async fn events_page(
        &self,
        stack_id: &str,
        token: Option<String>,
    ) -> Result<(Vec<StackEvent>, Option<String>), Failure> {
        let page = self
            .cloudformation()
            .describe_stack_events()
            .stack_name(stack_id)
            .set_next_token(token)
            .send()
            .await
            .map_err(failed("DescribeStackEvents", stack_id))?;
        let events = page.stack_events.unwrap_or_default().into_iter().map(event).collect();
        Ok((events, page.next_token.filter(|token| !token.is_empty())))
    }
}

fn event(event: SdkEvent) -> StackEvent {
    let physical_id = event.physical_resource_id.filter(|id| !id.is_empty());
    StackEvent {
        of_the_stack_itself: physical_id.is_some() && physical_id == event.stack_id,
        stack: event.stack_name.unwrap_or_default(),
        at: event
            .timestamp
            .as_ref()
            .and_then(timestamp)
            .unwrap_or(Timestamp::UNIX_EPOCH),
        logical_id: event.logical_resource_id.unwrap_or_default(),
        physical_id,
        resource_type: event.resource_type.unwrap_or_default(),
        status: event
            .resource_status
            .map(|status| status.as_str().to_owned())
            .unwrap_or_default(),
        reason: event.resource_status_reason,
        id: event.event_id.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happened(id: &str, status: &str, reason: Option<&str>) -> StackEvent {
        StackEvent {
            stack: "S".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            logical_id: format!("Logical{id}"),
            physical_id: None,
            resource_type: "AWS::Test::Thing".to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
            id: id.to_owned(),
            of_the_stack_itself: false,
        }
    }

    fn ids(events: &[StackEvent]) -> Vec<&str> {
        events.iter().map(|event| event.id.as_str()).collect()
    }

    fn page(ids: &[&str]) -> Vec<StackEvent> {
        ids.iter().map(|id| happened(id, "CREATE_COMPLETE", None)).collect()
    }

    #[test]
    fn reports_each_event_once_in_order_over_pages_and_looks() {
        let mut log = EventLog::default();
        log.seen.insert("old".to_owned());
        log.since = Some(Timestamp::UNIX_EPOCH);
        let mut older = happened("older", "CREATE_COMPLETE", None);
        older.at = Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_secs(1);

        let (mut all, reached) = log.absorb(page(&["4", "3"]));
        assert!(
            !reached,
            "the page ends before what was seen, so the next one is needed"
        );
        let mut last = page(&["2", "old", "1"]);
        last.push(older);
        let (more, reached) = log.absorb(last);
        assert!(reached);
        all.extend(more);
        assert_eq!(ids(&log.commit(all)), ["1", "2", "3", "4"]);

        let (fresh, reached) = log.absorb(page(&["5", "4", "3"]));
        assert!(reached);
        assert_eq!(ids(&log.commit(fresh)), ["5"]);
    }

    #[test]
    fn a_look_that_broke_off_is_repeated_whole() {
        let mut log = EventLog::default();
        let (lost, _) = log.absorb(page(&["2"]));
        drop(lost);
        let (fresh, _) = log.absorb(page(&["2", "1"]));
        assert_eq!(ids(&log.commit(fresh)), ["1", "2"]);
    }

    #[test]
    fn the_first_failure_is_the_cause_and_cancellations_are_not() {
        let mut log = EventLog::default();
        log.commit(vec![
            happened("3", "CREATE_FAILED", Some("Subnet is taken")),
            happened("2", "CREATE_FAILED", Some("Bucket exists")),
            happened("1", "CREATE_FAILED", Some("Resource creation cancelled")),
        ]);
        let reasons: Vec<&str> = log
            .failures
            .iter()
            .filter_map(|event| event.reason.as_deref())
            .collect();
        assert_eq!(reasons, ["Bucket exists", "Subnet is taken"]);
    }
}
