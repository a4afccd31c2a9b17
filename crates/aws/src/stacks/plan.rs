//! Change sets that are made now and executed later, by another run, exactly as they were looked at.
//!
//! A plan holds what stood when it was made. Before anything of it is executed, all of it is looked at again; what
//! moved in between is named, and nothing is begun. Reading and writing plan files is the command line's.

use std::fmt;

use futures::FutureExt as _;
use futures::future::try_join_all;
use orchestrator::ports::PortErrorKind;

use aws_sdk_cloudformation::types::{ChangeSetStatus, ExecutionStatus, TemplateStage};

use super::change_set::{Planned, Purpose};
use super::deploy::{Deployment, Proposal, StackProgress};
use super::error::StackError;
use super::readiness::is_busy;
use super::schedule::{Node, StackEnd, in_order};
use super::template::json_digest;
use super::{ChangeSet, StackDescription, StackInput};
use crate::connection::Aws;
use crate::failure::failed;

/// What of a stack must not have changed between a plan and its execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The stack's ARN: one that was deleted and made again has another.
    pub stack_id: String,
    /// RFC 3339; when it was last changed.
    pub changed_at: Option<String>,
    pub template_digest: String,
}

/// What planning one stack came to.
#[derive(Debug)]
pub struct StackPlan {
    /// `None` where nothing stands yet.
    pub fingerprint: Option<Fingerprint>,
    pub planned: Planned,
    /// As it was sent: the exports that must stay are in it.
    pub input: StackInput,
    /// The deployed template.
    pub deployed: Option<String>,
}

/// A change set to execute, and what it was made against.
#[derive(Clone, Debug)]
pub struct ChangeSetPlan {
    /// Name, dependencies and protection; the template is in the change set.
    pub input: StackInput,
    pub change_set: ChangeSet,
    pub template_digest: String,
    pub fingerprint: Option<Fingerprint>,
}

/// Why a plan cannot be executed as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The stack's status, last change or template is not what it was.
    StackChanged {
        what: String,
    },
    StackGone,
    /// The stack did not exist when the plan was made.
    StackAppeared {
        status: String,
    },
    ChangeSetGone,
    /// It can no longer be executed, in CloudFormation's words.
    ChangeSetUnusable {
        status: String,
    },
    /// Its template or its changes are not what the plan says.
    ChangeSetDiffers,
}

impl fmt::Display for Moved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StackChanged { what } => write!(formatter, "the stack was changed since it was planned: {what}"),
            Self::StackGone => formatter.write_str("the stack was deleted since it was planned"),
            Self::StackAppeared { status } => {
                write!(formatter, "the stack was new when it was planned, and now is {status}")
            }
            Self::ChangeSetGone => {
                formatter.write_str("its change set is gone: it was deleted, or another one was executed")
            }
            Self::ChangeSetUnusable { status } => {
                write!(formatter, "its change set cannot be executed any more ({status})")
            }
            Self::ChangeSetDiffers => formatter.write_str("its change set is not the one that the plan describes"),
        }
    }
}

impl Aws {
    /// Makes the change set of a stack and keeps it. `deployment` says which exports stay; nothing is asked, nothing is
    /// executed, and a stack that is in progress or whose creation failed is left to a deploy.
    pub async fn plan_to_keep(&self, input: &StackInput, deployment: &Deployment<'_>) -> Result<StackPlan, StackError> {
        let stack = input.name.as_str();
        let report = deployment.report;
        report(StackProgress::Planning {
            stack: stack.to_owned(),
        });
        let current = self.current(stack).await?;
        let input = self
            .with_kept_exports(input, &current, deployment.exports, report)
            .await?
            .into_owned();
        let planned = self
            .plan_from(&input, &current, Purpose::Keep, deployment.always)
            .await?;
        let fingerprint = match (&current.description, &current.template) {
            (Some(description), Some(template)) => Some(fingerprint(description, template)),
            _ => None,
        };
        Ok(StackPlan {
            fingerprint,
            planned,
            input,
            deployed: current.template,
        })
    }

    /// Executes change sets that were kept, dependencies first. All are looked at before the first one is executed, and
    /// `deployment.approval` is asked for each.
    pub async fn execute_kept(
        &self,
        plans: &[ChangeSetPlan],
        deployment: &Deployment<'_>,
    ) -> Result<Vec<StackEnd>, StackError> {
        let checked = try_join_all(plans.iter().map(|plan| self.check(plan))).await?;
        for (plan, (input, deployed)) in plans.iter().zip(&checked) {
            let proposal = Proposal {
                input,
                change_set: &plan.change_set,
                deployed: deployed.as_deref(),
            };
            if !deployment.approval.approve(&proposal).await {
                let stack = plan.input.name.clone();
                return Err(StackError::NotApproved { stack });
            }
        }
        let nodes: Vec<Node<'_>> = plans
            .iter()
            .map(|plan| Node {
                stack: &plan.input.name,
                depends_on: &plan.input.depends_on,
            })
            .collect();
        in_order(
            &nodes,
            deployment.concurrency,
            &deployment.stop,
            |index| {
                let ChangeSetPlan { input, change_set, .. } = &plans[index];
                self.carry_out(input, change_set, deployment).boxed()
            },
            |stack, because_of| {
                (deployment.report)(StackProgress::Skipped {
                    stack: stack.to_owned(),
                    because_of: because_of.to_vec(),
                });
            },
        )
        .await
    }

    /// That the stack and the change set are as the plan says. For whoever approves: the input with its template, and
    /// the deployed template.
    async fn check(&self, plan: &ChangeSetPlan) -> Result<(StackInput, Option<String>), StackError> {
        let stack = plan.input.name.as_str();
        let moved = |moved| StackError::Moved {
            stack: stack.to_owned(),
            moved,
        };
        let found = self.describe_stack(stack).await.map_err(StackError::aws(stack))?;
        let standing = found.filter(|found| found.status != "REVIEW_IN_PROGRESS");
        let deployed = match (&plan.fingerprint, standing) {
            (None, None) => None,
            (None, Some(found)) => return Err(moved(Moved::StackAppeared { status: found.status })),
            (Some(_), None) => return Err(moved(Moved::StackGone)),
            (Some(before), Some(found)) => {
                if is_busy(&found.status) {
                    let what = format!("it is {}", found.status);
                    return Err(moved(Moved::StackChanged { what }));
                }
                let template = self
                    .stack_template(&found.id)
                    .await
                    .map_err(StackError::aws(stack))?
                    .unwrap_or_default();
                if let Some(what) = difference(before, &fingerprint(&found, &template)) {
                    return Err(moved(Moved::StackChanged { what }));
                }
                Some(template)
            }
        };
        let page = match self.change_set_page(&plan.change_set, None).await {
            Ok(page) => page,
            Err(StackError::Aws { failure, .. }) if failure.kind == PortErrorKind::NotFound => {
                return Err(moved(Moved::ChangeSetGone));
            }
            Err(error) => return Err(error),
        };
        let usable = page.status == Some(ChangeSetStatus::CreateComplete)
            && page.execution_status == Some(ExecutionStatus::Available);
        if !usable {
            let status = page.execution_status.as_ref().map_or("", ExecutionStatus::as_str);
            return Err(moved(Moved::ChangeSetUnusable {
                status: status.to_owned(),
            }));
        }
        let changes = self.change_list(&plan.change_set, page).await?;
        let template = self.change_set_template(&plan.change_set).await?;
        if changes != plan.change_set.changes || json_digest(&template) != plan.template_digest {
            return Err(moved(Moved::ChangeSetDiffers));
        }
        let input = StackInput {
            template,
            ..plan.input.clone()
        };
        Ok((input, deployed))
    }

    /// The template that a change set would bring about.
    async fn change_set_template(&self, change_set: &ChangeSet) -> Result<String, StackError> {
        let stack = change_set.stack.as_str();
        let answer = self
            .cloudformation()
            .get_template()
            .stack_name(&change_set.stack_id)
            .change_set_name(&change_set.id)
            .template_stage(TemplateStage::Original)
            .send()
            .await
            .map_err(failed("GetTemplate", stack))
            .map_err(StackError::aws(stack))?;
        Ok(answer.template_body.unwrap_or_default())
    }
}

fn fingerprint(description: &StackDescription, template: &str) -> Fingerprint {
    Fingerprint {
        stack_id: description.id.clone(),
        changed_at: description.changed_at.map(|at| at.to_string()),
        template_digest: json_digest(template),
    }
}

fn difference(before: &Fingerprint, now: &Fingerprint) -> Option<String> {
    if before.stack_id != now.stack_id {
        return Some("it was deleted and made again".to_owned());
    }
    if before.template_digest != now.template_digest {
        return Some("it has another template".to_owned());
    }
    (before.changed_at != now.changed_at).then(|| {
        let at = now.changed_at.as_deref().unwrap_or("an unknown time");
        format!("its last change was at {at}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_is_named() {
        let before = Fingerprint {
            stack_id: "arn:1".to_owned(),
            changed_at: Some("2026-01-01T00:00:00Z".to_owned()),
            template_digest: "a".to_owned(),
        };
        let now = |change: &dyn Fn(&mut Fingerprint)| {
            let mut now = before.clone();
            change(&mut now);
            difference(&before, &now)
        };
        assert_eq!(now(&|_| ()), None);
        assert!(
            now(&|now| now.stack_id = "arn:2".to_owned())
                .unwrap()
                .contains("made again")
        );
        assert!(
            now(&|now| now.template_digest = "b".to_owned())
                .unwrap()
                .contains("template")
        );
        assert!(now(&|now| now.changed_at = None).unwrap().contains("last change"));
    }
}
