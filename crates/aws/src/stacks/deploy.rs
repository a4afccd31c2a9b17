//! A deploy: what is decided before a change set is executed, one stack from its description to its end, and several
//! of them in order.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use async_trait::async_trait;
use futures::FutureExt as _;

use super::change_set::{Current, Planned, Purpose, change_set_name};
use super::error::StackError;
use super::exports::{DropExports, KeepExports};
use super::readiness::{Readiness, is_busy, is_success};
use super::schedule::{Node, StackEnd, in_order};
use super::stop::Stop;
use super::{ChangeSet, StackDescription, StackEvent, StackInput};
use crate::connection::Aws;
use crate::failure::failed;

/// What is decided outside of CloudFormation, with everything at hand.
#[async_trait]
pub trait Approval: Send + Sync {
    /// Whether the change set may be executed. It is asked just before; for stacks that depend on each other one after
    /// the other, for independent ones perhaps at the same time.
    async fn approve(&self, proposal: &Proposal<'_>) -> bool;
}

/// A change set with what stands before it and what should come of it.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    pub input: &'a StackInput,
    pub change_set: &'a ChangeSet,
    /// The template as it was deployed; `None` for a new stack.
    pub deployed: Option<&'a str>,
}

/// Approves everything: what would change was shown and approved before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Approved;

#[async_trait]
impl Approval for Approved {
    async fn approve(&self, _: &Proposal<'_>) -> bool {
        true
    }
}

/// What happens to the stacks of a deploy, in order for each of them.
#[derive(Clone, Debug)]
pub enum StackProgress {
    /// A change that was begun before us is followed to its end first.
    Waiting {
        stack: String,
        status: String,
    },
    /// Exports that the template no longer has stay, because these stacks import them.
    KeepsExports {
        stack: String,
        /// Output → stacks.
        importers: BTreeMap<String, Vec<String>>,
    },
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
    /// It was left as it is, because these did not come to stand.
    Skipped {
        stack: String,
        because_of: Vec<String>,
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
pub(super) type Report<'a> = &'a (dyn Fn(StackProgress) + Send + Sync);

/// How stacks are deployed.
#[derive(Clone)]
pub struct Deployment<'a> {
    pub approval: &'a dyn Approval,
    pub exports: &'a dyn KeepExports,
    pub report: &'a (dyn Fn(StackProgress) + Send + Sync),
    pub stop: Stop,
    /// How many stacks change at the same time; all share the connection's rate limits.
    pub concurrency: NonZeroUsize,
    /// Asks CloudFormation for a change set although nothing seems to differ.
    pub always: bool,
}

impl<'a> Deployment<'a> {
    /// Four stacks at once, which stays well within CloudFormation's limits on calls.
    pub const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(4).expect("four is not zero");

    pub fn new(approval: &'a dyn Approval, report: &'a (dyn Fn(StackProgress) + Send + Sync)) -> Self {
        Self {
            approval,
            exports: &DropExports,
            report,
            stop: Stop::default(),
            concurrency: Self::CONCURRENCY,
            always: false,
        }
    }
}

impl Aws {
    /// Deploys stacks, dependencies first. When one fails, those that do not depend on it are deployed all the same;
    /// what stands already stays. The error is an order that cannot be, before anything was begun.
    pub async fn deploy_stacks(
        &self,
        inputs: &[StackInput],
        deployment: &Deployment<'_>,
    ) -> Result<Vec<StackEnd>, StackError> {
        let nodes: Vec<Node<'_>> = inputs
            .iter()
            .map(|input| Node {
                stack: &input.name,
                depends_on: &input.depends_on,
            })
            .collect();
        in_order(
            &nodes,
            deployment.concurrency,
            &deployment.stop,
            |index| self.deploy_stack(&inputs[index], deployment).boxed(),
            |stack, because_of| {
                (deployment.report)(StackProgress::Skipped {
                    stack: stack.to_owned(),
                    because_of: because_of.to_vec(),
                });
            },
        )
        .await
    }

    /// Deploys one stack: follows to its end what was begun before, makes a change set, asks, executes it.
    pub async fn deploy_stack(
        &self,
        input: &StackInput,
        deployment: &Deployment<'_>,
    ) -> Result<StackOutcome, StackError> {
        let stack = input.name.clone();
        let report = deployment.report;
        let current = self.settled(input, deployment).await?;
        report(StackProgress::Planning { stack: stack.clone() });
        let input = self
            .with_kept_exports(input, &current, deployment.exports, report)
            .await?;
        let change_set = match self
            .plan_from(&input, &current, Purpose::Deploy, deployment.always)
            .await?
        {
            Planned::Unchanged(mut description) => {
                self.protect(&input, &mut description).await?;
                report(StackProgress::Unchanged { stack });
                return Ok(StackOutcome {
                    description,
                    changed: false,
                });
            }
            Planned::Changes(change_set) => change_set,
        };
        let proposal = Proposal {
            input: &input,
            change_set: &change_set,
            deployed: current.template.as_deref(),
        };
        let approved = deployment.approval.approve(&proposal).await;
        if !approved || deployment.stop.is_asked() {
            self.discard_change_set(&change_set).await?;
            return Err(match deployment.stop.is_asked() {
                true => StackError::Interrupted { stack },
                false => StackError::NotApproved { stack },
            });
        }
        self.carry_out(&input, &change_set, deployment).await
    }

    /// Executes a change set that may be executed, and sees the stack to its end.
    pub(super) async fn carry_out(
        &self,
        input: &StackInput,
        change_set: &ChangeSet,
        deployment: &Deployment<'_>,
    ) -> Result<StackOutcome, StackError> {
        let stack = input.name.clone();
        let report = deployment.report;
        report(StackProgress::Executing {
            stack: stack.clone(),
            changes: change_set.changes.len(),
        });
        let mut description = self
            .execute_change_set(change_set, &|event| report(StackProgress::Event(event.clone())))
            .await?;
        self.protect(input, &mut description).await?;
        report(StackProgress::Done {
            stack,
            status: description.status.clone(),
        });
        Ok(StackOutcome {
            description,
            changed: true,
        })
    }

    /// The stack once nothing is in progress. A change that runs is followed to its end: it may be the one that an
    /// earlier run of the same command began, and if that fails, it failed for us too.
    async fn settled(&self, input: &StackInput, deployment: &Deployment<'_>) -> Result<Current, StackError> {
        let stack = input.name.as_str();
        let report = deployment.report;
        loop {
            let found = self.describe_stack(stack).await.map_err(StackError::aws(stack))?;
            let Some(busy) = found.as_ref().filter(|found| is_busy(&found.status)) else {
                let current = self.current_of(stack, found).await?;
                if current.standing != Readiness::Recreate {
                    return Ok(current);
                }
                // A stack whose creation was undone holds nothing and takes no update: it is made again.
                self.destroy_stack(stack, &|event| report(StackProgress::Event(event.clone())))
                    .await?;
                return self.current_of(stack, None).await;
            };
            report(StackProgress::Waiting {
                stack: stack.to_owned(),
                status: busy.status.clone(),
            });
            let log = self
                .event_log_of_running(&busy.id)
                .await
                .map_err(StackError::aws(stack))?;
            let on_event = |event: &StackEvent| report(StackProgress::Event(event.clone()));
            let ended = tokio::select! {
                ended = self.follow(stack, &busy.id, log, &on_event) => ended?,
                () = deployment.stop.asked() => {
                    return Err(StackError::Interrupted { stack: stack.to_owned() });
                }
            };
            let ours = change_set_name(input, Purpose::Deploy);
            let was_ours = ended
                .description
                .change_set_id
                .as_deref()
                .is_some_and(|id| id.contains(&ours));
            if was_ours && !is_success(&ended.status) && ended.status != "DELETE_COMPLETE" {
                return Err(self.failed_as(stack, ended).await);
            }
        }
    }

    /// The stack when nothing is in progress any more; `None` where there is none.
    pub(crate) async fn at_rest(&self, stack: &str) -> Result<Option<StackDescription>, StackError> {
        let found = self.describe_stack(stack).await.map_err(StackError::aws(stack))?;
        let Some(busy) = found.as_ref().filter(|found| is_busy(&found.status)) else {
            return Ok(found);
        };
        let log = self.event_log(&busy.id).await.map_err(StackError::aws(stack))?;
        self.follow(stack, &busy.id, log, &|_| ()).await?;
        self.describe_stack(stack).await.map_err(StackError::aws(stack))
    }

    /// Puts the protection against deletion as the input wants it.
    async fn protect(&self, input: &StackInput, description: &mut StackDescription) -> Result<(), StackError> {
        let Some(wanted) = input
            .termination_protection
            .filter(|wanted| *wanted != description.termination_protection)
        else {
            return Ok(());
        };
        self.cloudformation()
            .update_termination_protection()
            .stack_name(&description.id)
            .enable_termination_protection(wanted)
            .send()
            .await
            .map_err(failed("UpdateTerminationProtection", &input.name))
            .map_err(StackError::aws(&input.name))?;
        description.termination_protection = wanted;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::testing::{Stub, connected};

    const STACK_ID: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/Shop/1";
    const TEMPLATE: &str = r#"{"Resources":{}}"#;

    fn answer(operation: &str, result: &str) -> Vec<u8> {
        Stub::answer(
            200,
            &format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"),
        )
    }

    fn event(second: usize, logical_id: &str, physical_id: &str, status: &str) -> String {
        format!(
            "<member><EventId>{second}</EventId><StackId>{STACK_ID}</StackId><StackName>Shop</StackName>\
             <LogicalResourceId>{logical_id}</LogicalResourceId><PhysicalResourceId>{physical_id}</PhysicalResourceId>\
             <ResourceType>AWS::Test::Thing</ResourceType><Timestamp>2026-01-01T00:00:0{second}Z</Timestamp>\
             <ResourceStatus>{status}</ResourceStatus></member>"
        )
    }

    /// A stack that is being updated by the change set of that name, in the second look ended as `end`.
    async fn deploy_while_busy(change_set: String, end: &'static str, template: &'static str) -> (Told, Vec<String>) {
        let looks = AtomicUsize::new(0);
        let calls = std::sync::Arc::new(Mutex::new(Vec::new()));
        let called = calls.clone();
        let stub = Stub::start_connected(move |request| {
            let action = request
                .split("Action=")
                .nth(1)
                .and_then(|rest| rest.split('&').next())
                .unwrap_or_default();
            called.lock().unwrap().push(action.to_owned());
            match action {
                "DescribeStacks" => {
                    let status = match looks.fetch_add(1, Ordering::SeqCst) {
                        0 => "UPDATE_IN_PROGRESS",
                        _ => end,
                    };
                    answer(
                        action,
                        &format!(
                            "<Stacks><member><StackName>Shop</StackName><StackId>{STACK_ID}</StackId>\
                             <ChangeSetId>arn:aws:cloudformation:eu-west-1:1:changeSet/{change_set}/9</ChangeSetId>\
                             <CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>{status}</StackStatus>\
                             </member></Stacks>"
                        ),
                    )
                }
                "DescribeStackEvents" => {
                    let mut events = vec![
                        event(2, "Queue", "q", "UPDATE_FAILED"),
                        event(1, "Shop", STACK_ID, "UPDATE_IN_PROGRESS"),
                        event(0, "Earlier", "e", "UPDATE_FAILED"),
                    ];
                    if looks.load(Ordering::SeqCst) > 1 {
                        events.insert(0, event(3, "Shop", STACK_ID, end));
                    }
                    answer(action, &format!("<StackEvents>{}</StackEvents>", events.concat()))
                }
                "GetTemplate" => answer(
                    action,
                    &format!("<TemplateBody>{}</TemplateBody>", template.replace('"', "&quot;")),
                ),
                other => panic!("{other} is not expected"),
            }
        })
        .await;
        let told = Mutex::new(Vec::new());
        let report = |progress| told.lock().unwrap().push(progress);
        let input = StackInput {
            name: "Shop".to_owned(),
            template: TEMPLATE.to_owned(),
            ..StackInput::default()
        };
        let outcome = connected(&stub)
            .await
            .deploy_stack(&input, &Deployment::new(&Approved, &report))
            .await;
        let calls = calls.lock().unwrap().clone();
        ((outcome, told.into_inner().unwrap()), calls)
    }

    type Told = (Result<StackOutcome, StackError>, Vec<StackProgress>);

    fn ours() -> String {
        let input = StackInput {
            template: TEMPLATE.to_owned(),
            ..StackInput::default()
        };
        change_set_name(&input, Purpose::Deploy)
    }

    #[tokio::test]
    async fn what_an_earlier_run_began_is_followed_and_not_done_again() {
        let ((outcome, told), calls) = deploy_while_busy(ours(), "UPDATE_COMPLETE", TEMPLATE).await;
        assert!(!outcome.unwrap().changed);
        assert!(
            matches!(&told[0], StackProgress::Waiting { status, .. } if status == "UPDATE_IN_PROGRESS"),
            "{told:?}"
        );
        assert!(!calls.contains(&"CreateChangeSet".to_owned()), "{calls:?}");
    }

    #[tokio::test]
    async fn the_failure_of_an_earlier_run_is_ours_with_its_cause_and_that_of_another_is_not() {
        let ((outcome, _), _) = deploy_while_busy(ours(), "UPDATE_ROLLBACK_COMPLETE", TEMPLATE).await;
        match outcome.unwrap_err() {
            StackError::Failed { status, failures, .. } => {
                assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE");
                assert_eq!(failures.first.unwrap().event.logical_id, "Queue");
                assert_eq!(failures.further, []);
            }
            other => panic!("{other}"),
        }
        let somebody = "somebody-elses".to_owned();
        let ((outcome, _), _) = deploy_while_busy(somebody, "UPDATE_ROLLBACK_COMPLETE", TEMPLATE).await;
        assert!(!outcome.unwrap().changed, "what stands is what is wanted");
    }

    #[tokio::test]
    async fn a_stack_that_rests_is_described_once() {
        let looks = AtomicUsize::new(0);
        let stub = Stub::start_connected(move |request| {
            if request.contains("Action=DescribeStacks") {
                assert_eq!(looks.fetch_add(1, Ordering::SeqCst), 0, "described twice");
                return answer(
                    "DescribeStacks",
                    &format!(
                        "<Stacks><member><StackName>Shop</StackName><StackId>{STACK_ID}</StackId>\
                         <CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>\
                         </member></Stacks>"
                    ),
                );
            }
            assert!(request.contains("Action=GetTemplate"), "{request}");
            answer(
                "GetTemplate",
                &format!("<TemplateBody>{}</TemplateBody>", TEMPLATE.replace('"', "&quot;")),
            )
        })
        .await;
        let input = StackInput {
            name: "Shop".to_owned(),
            template: TEMPLATE.to_owned(),
            ..StackInput::default()
        };
        let aws = connected(&stub).await;
        let deployment = Deployment::new(&Approved, &|_| {});
        assert!(!aws.deploy_stack(&input, &deployment).await.unwrap().changed);
    }
}
