//! Carrying a change set out. It is sent once; after a lost answer CloudFormation is asked whether it began.

use aws_sdk_cloudformation::types::ExecutionStatus;
use orchestrator::ports::PortErrorKind;

use super::error::StackError;
use super::events::Ended;
use super::readiness::is_success;
use super::{ChangeSet, StackDescription, StackEvent};
use crate::connection::Aws;
use crate::failure::failed;

impl Aws {
    /// Does what the change set says, and reports each event until the stack has ended.
    pub async fn execute_change_set(
        &self,
        change_set: &ChangeSet,
        on_event: &(dyn Fn(&StackEvent) + Send + Sync),
    ) -> Result<StackDescription, StackError> {
        let stack = change_set.stack.as_str();
        let log = self
            .event_log(&change_set.stack_id)
            .await
            .map_err(StackError::aws(stack))?;
        let executed = self
            .cloudformation_once()
            .execute_change_set()
            .change_set_name(&change_set.id)
            .send()
            .await
            .map_err(failed("ExecuteChangeSet", stack));
        if let Err(failure) = executed {
            let begun = matches!(failure.kind, PortErrorKind::Ambiguous) && self.has_begun(change_set).await?;
            if !begun {
                return Err(StackError::aws(stack)(failure));
            }
        }
        let ended = self.follow(stack, &change_set.stack_id, log, on_event).await?;
        self.judge(stack, ended).await
    }

    /// The stack as it ended, or why it did not end well.
    pub(super) async fn judge(&self, stack: &str, ended: Ended) -> Result<StackDescription, StackError> {
        if is_success(&ended.status) {
            return Ok(ended.description);
        }
        Err(self.failed_as(stack, ended).await)
    }

    pub(super) async fn failed_as(&self, stack: &str, ended: Ended) -> StackError {
        StackError::Failed {
            stack: stack.to_owned(),
            status: ended.status,
            failures: Box::new(self.first_cause(ended.failures).await),
        }
    }

    /// After a lost answer: was the change set executed?
    async fn has_begun(&self, change_set: &ChangeSet) -> Result<bool, StackError> {
        let answer = self.change_set_page(change_set, None).await?;
        Ok(!matches!(
            answer.execution_status,
            Some(ExecutionStatus::Available | ExecutionStatus::Unavailable) | None
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stacks::ChangeSetKind;
    use crate::testing::{Stub, connected};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    const STACK_ID: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/Shop/1";

    fn answer(operation: &str, result: &str) -> Vec<u8> {
        Stub::answer(
            200,
            &format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"),
        )
    }

    fn event(id: &str, logical_id: &str, physical_id: &str, status: &str) -> String {
        format!(
            "<member><EventId>{id}</EventId><StackId>{STACK_ID}</StackId><StackName>Shop</StackName>\
             <LogicalResourceId>{logical_id}</LogicalResourceId><PhysicalResourceId>{physical_id}</PhysicalResourceId>\
             <ResourceType>AWS::Test::Thing</ResourceType><Timestamp>2026-01-01T00:00:0{id}Z</Timestamp>\
             <ResourceStatus>{status}</ResourceStatus></member>"
        )
    }

    /// A CloudFormation that breaks the connection at ExecuteChangeSet, and did or did not begin.
    async fn execute_with_lost_answer(begins: bool) -> (Result<StackDescription, StackError>, Vec<String>) {
        let begun = Arc::new(AtomicBool::new(false));
        let stub = Stub::start_connected(move |request| {
            let action = request
                .split("Action=")
                .nth(1)
                .and_then(|rest| rest.split('&').next())
                .unwrap_or_default();
            let running = begun.load(Ordering::SeqCst);
            match action {
                "ExecuteChangeSet" => {
                    assert!(!running, "executed twice");
                    begun.store(begins, Ordering::SeqCst);
                    Vec::new()
                }
                "DescribeChangeSet" => {
                    let status = if running { "EXECUTE_IN_PROGRESS" } else { "AVAILABLE" };
                    answer(
                        action,
                        &format!("<Status>CREATE_COMPLETE</Status><ExecutionStatus>{status}</ExecutionStatus>"),
                    )
                }
                "DescribeStackEvents" => {
                    let mut events = vec![event("1", "Shop", STACK_ID, "REVIEW_IN_PROGRESS")];
                    if running {
                        events.insert(0, event("2", "Thing", "t", "CREATE_COMPLETE"));
                        events.insert(0, event("3", "Shop", STACK_ID, "CREATE_COMPLETE"));
                    }
                    answer(action, &format!("<StackEvents>{}</StackEvents>", events.concat()))
                }
                "DescribeStacks" => {
                    let status = if running {
                        "CREATE_COMPLETE"
                    } else {
                        "REVIEW_IN_PROGRESS"
                    };
                    answer(
                        action,
                        &format!(
                            "<Stacks><member><StackName>Shop</StackName><StackId>{STACK_ID}</StackId>\
                             <CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>{status}</StackStatus>\
                             </member></Stacks>"
                        ),
                    )
                }
                other => panic!("{other} is not expected"),
            }
        })
        .await;
        let change_set = ChangeSet {
            stack: "Shop".to_owned(),
            kind: ChangeSetKind::Create,
            changes: Vec::new(),
            id: "arn:change-set".to_owned(),
            stack_id: STACK_ID.to_owned(),
        };
        let told = Mutex::new(Vec::new());
        let outcome = connected(&stub)
            .await
            .execute_change_set(&change_set, &|event| {
                told.lock().unwrap().push(event.logical_id.clone())
            })
            .await;
        (outcome, told.into_inner().unwrap())
    }

    #[tokio::test]
    async fn a_lost_answer_is_settled_by_looking() {
        let (outcome, told) = execute_with_lost_answer(true).await;
        assert_eq!(outcome.unwrap().status, "CREATE_COMPLETE");
        assert_eq!(told, ["Thing", "Shop"]);

        let (outcome, told) = execute_with_lost_answer(false).await;
        match outcome.unwrap_err() {
            StackError::Aws { failure, .. } => assert_eq!(failure.kind, PortErrorKind::Ambiguous),
            other => panic!("{other}"),
        }
        assert_eq!(told, [] as [&str; 0]);
    }
}
