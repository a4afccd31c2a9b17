//! Change sets: made, read or thrown away; `execute` carries them out.
//!
//! A change set's name is the digest of what it would bring about, so that a lost answer cannot leave two of them, and
//! one that was left behind by a run that died is replaced by its successor.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetStatus, ChangeSetType, Parameter, Replacement as SdkReplacement, RequiresRecreation,
    ResourceChange as SdkChange, Tag,
};
use orchestrator::ports::PortErrorKind;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::error::StackError;
use super::readiness::{Readiness, readiness};
use super::template::{declared_parameters, no_echo_parameters, reads_parameter_store, same_template};
use super::{
    ChangeSet, ChangeSetKind, PropertyChange, Replacement, ResourceChange, StackDescription, StackInput,
    TEMPLATE_BODY_LIMIT,
};
use crate::connection::Aws;
use crate::failure::{Failure, failed};

/// 500 resources make at most a few pages; a change list that never ends is an error.
const PAGE_LIMIT: usize = 50;
/// CloudFormation makes a change set within seconds, within minutes for hundreds of resources.
const WAIT_LIMIT: Duration = Duration::from_secs(20 * 60);

/// A stack as it stands: read once, used for everything that a deploy of it has to know.
#[derive(Debug)]
pub(super) struct Current {
    pub description: Option<StackDescription>,
    pub standing: Readiness,
    /// As it was deployed; `None` where nothing stands.
    pub template: Option<String>,
}

/// Why a change set is made; it is part of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be executed by the same run.
    Deploy,
    /// To be looked at, and executed by another run.
    Keep,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Purpose::Deploy => "llama-deploy-",
            Purpose::Keep => "llama-plan-",
        }
    }

    /// Whether the name is one that [`change_set_name`] gives.
    pub(super) fn made(self, name: &str) -> bool {
        name.strip_prefix(self.prefix())
            .is_some_and(|digest| digest.len() == DIGEST_LENGTH && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }
}

/// Characters of the digest in a change set's name.
const DIGEST_LENGTH: usize = 24;

/// What a deploy of a stack would be.
#[derive(Clone, Debug)]
pub enum Planned {
    /// Template, parameters and tags are what they were.
    Unchanged(StackDescription),
    Changes(ChangeSet),
}

impl Aws {
    /// Asks CloudFormation what a deploy of `input` would do. Nothing of the stack changes; a new stack shows up as
    /// `REVIEW_IN_PROGRESS`, which [`Aws::discard_change_set`] removes again.
    pub async fn plan_stack(&self, input: &StackInput) -> Result<Planned, StackError> {
        let current = self.current(&input.name).await?;
        self.plan_from(input, &current, Purpose::Deploy, false).await
    }

    /// The stack as it stands, read once for everything that follows.
    pub(super) async fn current(&self, name: &str) -> Result<Current, StackError> {
        let description = self.describe_stack(name).await.map_err(StackError::aws(name))?;
        self.current_of(name, description).await
    }

    pub(super) async fn current_of(
        &self,
        name: &str,
        description: Option<StackDescription>,
    ) -> Result<Current, StackError> {
        let standing = readiness(name, description.as_ref().map(|stack| stack.status.as_str()))?;
        let template = match (&standing, &description) {
            (Readiness::Update, Some(stack)) => self.stack_template(&stack.id).await.map_err(StackError::aws(name))?,
            _ => None,
        };
        Ok(Current {
            description,
            standing,
            template,
        })
    }

    /// With `always`, CloudFormation is asked although template, parameters and tags look the same.
    pub(super) async fn plan_from(
        &self,
        input: &StackInput,
        current: &Current,
        purpose: Purpose,
        always: bool,
    ) -> Result<Planned, StackError> {
        let name = input.name.as_str();
        let kind = match current.standing {
            Readiness::Create => ChangeSetKind::Create,
            Readiness::Update => ChangeSetKind::Update,
            // Deleting is more than a plan may do; a deploy has done it before it plans.
            Readiness::Recreate => {
                return Err(StackError::MustBeDeleted {
                    stack: name.to_owned(),
                    status: "ROLLBACK_COMPLETE".to_owned(),
                });
            }
        };
        let standing = current.description.as_ref().filter(|_| kind == ChangeSetKind::Update);
        if let Some(standing) = standing
            && !always
            && is_unchanged(input, standing, current.template.as_deref())
        {
            return Ok(Planned::Unchanged(standing.clone()));
        }
        if let (Purpose::Deploy, Some(found)) = (purpose, &current.description) {
            self.clean_leftovers(found, &change_set_name(input, purpose)).await?;
        }
        let change_set = self.create_change_set(input, kind, standing, purpose).await?;
        let made = self.await_change_set(&change_set).await?;
        match (made.status.clone(), made.status_reason.clone().unwrap_or_default()) {
            (Some(ChangeSetStatus::CreateComplete), _) => {
                let changes = self.change_list(&change_set, made).await?;
                Ok(Planned::Changes(ChangeSet { changes, ..change_set }))
            }
            (_, reason) => {
                self.discard_change_set(&change_set).await?;
                match standing {
                    Some(standing) if says_nothing_to_do(&reason) => Ok(Planned::Unchanged(standing.clone())),
                    _ => Err(StackError::Refused {
                        stack: name.to_owned(),
                        reason,
                    }),
                }
            }
        }
    }

    /// Throws a change set away that is not wanted, and with it the empty shell of a stack that it would have created.
    pub async fn discard_change_set(&self, change_set: &ChangeSet) -> Result<(), StackError> {
        let stack = change_set.stack.as_str();
        self.cloudformation()
            .delete_change_set()
            .change_set_name(&change_set.id)
            .send()
            .await
            .map_err(failed("DeleteChangeSet", stack))
            .map_err(StackError::aws(stack))?;
        if change_set.kind == ChangeSetKind::Create {
            let shell = self
                .describe_stack(&change_set.stack_id)
                .await
                .map_err(StackError::aws(stack))?;
            if shell.is_some_and(|shell| shell.status == "REVIEW_IN_PROGRESS") {
                self.cloudformation()
                    .delete_stack()
                    .stack_name(&change_set.stack_id)
                    .send()
                    .await
                    .map_err(failed("DeleteStack", stack))
                    .map_err(StackError::aws(stack))?;
            }
        }
        Ok(())
    }

    async fn create_change_set(
        &self,
        input: &StackInput,
        kind: ChangeSetKind,
        current: Option<&StackDescription>,
        purpose: Purpose,
    ) -> Result<ChangeSet, StackError> {
        let stack = input.name.as_str();
        let name = change_set_name(input, purpose);
        let create = || {
            let mut request = self
                .cloudformation()
                .create_change_set()
                .stack_name(stack)
                .change_set_name(&name)
                .change_set_type(match kind {
                    ChangeSetKind::Create => ChangeSetType::Create,
                    ChangeSetKind::Update => ChangeSetType::Update,
                })
                .capabilities(Capability::CapabilityIam)
                .capabilities(Capability::CapabilityNamedIam)
                .capabilities(Capability::CapabilityAutoExpand)
                .set_parameters(Some(parameters(input, current)))
                .set_tags(Some(tags(&input.tags)))
                .set_role_arn(input.role_arn.clone());
            if !input.notification_arns.is_empty() {
                request = request.set_notification_arns(Some(input.notification_arns.clone()));
            }
            request = match (&input.template_location, input.template.len()) {
                (_, size) if size <= TEMPLATE_BODY_LIMIT => request.template_body(&input.template),
                (Some(at), _) => request.template_url(self.object_url(&at.bucket, &at.key)),
                (None, bytes) => {
                    return Err(StackError::TemplateTooLarge {
                        stack: stack.to_owned(),
                        bytes,
                    });
                }
            };
            Ok(request)
        };
        let answer = match create()?.send().await.map_err(failed("CreateChangeSet", stack)) {
            Err(failure) if failure.code == "AlreadyExistsException" => {
                self.cloudformation()
                    .delete_change_set()
                    .stack_name(stack)
                    .change_set_name(&name)
                    .send()
                    .await
                    .map_err(failed("DeleteChangeSet", stack))
                    .map_err(StackError::aws(stack))?;
                create()?.send().await.map_err(failed("CreateChangeSet", stack))
            }
            answer => answer,
        };
        let answer = answer.map_err(|failure| match failure.kind {
            PortErrorKind::Invalid => StackError::Refused {
                stack: stack.to_owned(),
                reason: failure.message,
            },
            _ => StackError::aws(stack)(failure),
        })?;
        let incomplete = |member| StackError::aws(stack)(Failure::incomplete("CreateChangeSet", stack, member));
        Ok(ChangeSet {
            stack: stack.to_owned(),
            kind,
            changes: Vec::new(),
            id: answer.id.ok_or_else(|| incomplete("Id"))?,
            stack_id: answer.stack_id.ok_or_else(|| incomplete("StackId"))?,
        })
    }

    async fn await_change_set(&self, change_set: &ChangeSet) -> Result<DescribeChangeSetOutput, StackError> {
        let begun = Instant::now();
        loop {
            let answer = self.change_set_page(change_set, None).await?;
            match &answer.status {
                Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => {}
                _ => return Ok(answer),
            }
            if begun.elapsed() > WAIT_LIMIT {
                return Err(StackError::TimedOut {
                    stack: change_set.stack.clone(),
                    status: "waiting for its change set".to_owned(),
                    waited: WAIT_LIMIT,
                });
            }
            tokio::time::sleep(self.poll_interval()).await;
        }
    }

    pub(super) async fn change_list(
        &self,
        change_set: &ChangeSet,
        first: DescribeChangeSetOutput,
    ) -> Result<Vec<ResourceChange>, StackError> {
        let mut changes = Vec::new();
        let mut page = first;
        for _ in 0..PAGE_LIMIT {
            changes.extend(
                page.changes
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|change| change.resource_change)
                    .map(change),
            );
            match page.next_token.filter(|token| !token.is_empty()) {
                Some(token) => page = self.change_set_page(change_set, Some(token)).await?,
                None => return Ok(changes),
            }
        }
        let message = format!("the change list has more than {PAGE_LIMIT} pages");
        Err(StackError::aws(&change_set.stack)(Failure::ambiguous(
            "DescribeChangeSet",
            &change_set.stack,
            message,
        )))
    }

    pub(super) async fn change_set_page(
        &self,
        change_set: &ChangeSet,
        token: Option<String>,
    ) -> Result<DescribeChangeSetOutput, StackError> {
        self.cloudformation()
            .describe_change_set()
            .change_set_name(&change_set.id)
            .set_next_token(token)
            .send()
            .await
            .map_err(failed("DescribeChangeSet", &change_set.stack))
            .map_err(StackError::aws(&change_set.stack))
    }

    /// Where CloudFormation reads an object from.
    fn object_url(&self, bucket: &str, key: &str) -> String {
        match self.endpoint_url() {
            Some(endpoint) => format!("{endpoint}/{bucket}/{key}"),
            None => {
                let suffix = if self.partition() == "aws-cn" {
                    "amazonaws.com.cn"
                } else {
                    "amazonaws.com"
                };
                format!("https://s3.{}.{suffix}/{bucket}/{key}", self.region())
            }
        }
    }
}

/// There is no code for it, only these words.
fn says_nothing_to_do(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

fn is_unchanged(input: &StackInput, current: &StackDescription, deployed: Option<&str>) -> bool {
    let parameters_same = input
        .parameters
        .iter()
        .all(|(key, value)| current.parameters.get(key) == Some(value));
    parameters_same
        && input.tags == current.tags
        && !reads_parameter_store(&input.template)
        && deployed.is_some_and(|deployed| same_template(deployed, &input.template))
}

fn parameters(input: &StackInput, current: Option<&StackDescription>) -> Vec<Parameter> {
    let given = input
        .parameters
        .iter()
        .map(|(key, value)| Parameter::builder().parameter_key(key).parameter_value(value).build());
    let kept = declared_parameters(&input.template)
        .into_iter()
        .filter(|key| !input.parameters.contains_key(key))
        .filter(|key| current.is_some_and(|current| current.parameters.contains_key(key)))
        .map(|key| Parameter::builder().parameter_key(key).use_previous_value(true).build());
    given.chain(kept).collect()
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// A secret's value is left out of it: a short one could be found again by trying.
pub(super) fn change_set_name(input: &StackInput, purpose: Purpose) -> String {
    let mut hash = Sha256::new();
    hash.update(input.template.as_bytes());
    let hidden = no_echo_parameters(&input.template);
    let shown = input.parameters.iter().filter(|(key, _)| !hidden.contains(*key));
    for (key, value) in shown.chain(&input.tags) {
        hash.update([0]);
        hash.update(key.as_bytes());
        hash.update([1]);
        hash.update(value.as_bytes());
    }
    let digest = hex::encode(hash.finalize());
    format!("{}{}", purpose.prefix(), &digest[..DIGEST_LENGTH])
}

fn change(change: SdkChange) -> ResourceChange {
    ResourceChange {
        action: change
            .action
            .map(|action| action.as_str().to_owned())
            .unwrap_or_default(),
        logical_id: change.logical_resource_id.unwrap_or_default(),
        physical_id: change.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: change.resource_type.unwrap_or_default(),
        policy_action: change.policy_action.map(|action| action.as_str().to_owned()),
        replacement: match change.replacement {
            Some(SdkReplacement::True) => Replacement::Always,
            Some(SdkReplacement::Conditional) => Replacement::Conditional,
            _ => Replacement::Never,
        },
        scope: change
            .scope
            .unwrap_or_default()
            .into_iter()
            .map(|scope| scope.as_str().to_owned())
            .collect(),
        details: change
            .details
            .unwrap_or_default()
            .into_iter()
            .map(|detail| {
                let target = detail.target;
                PropertyChange {
                    name: target
                        .as_ref()
                        .and_then(|target| {
                            target
                                .name
                                .clone()
                                .or(Some(target.attribute.as_ref()?.as_str().to_owned()))
                        })
                        .unwrap_or_default(),
                    requires_replacement: match target.and_then(|target| target.requires_recreation) {
                        Some(RequiresRecreation::Always) => Replacement::Always,
                        Some(RequiresRecreation::Conditionally) => Replacement::Conditional,
                        _ => Replacement::Never,
                    },
                    source: detail.change_source.map(|source| source.as_str().to_owned()),
                    cause: detail.causing_entity,
                }
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> StackInput {
        StackInput {
            name: "S".to_owned(),
            template:
                r#"{"Parameters":{"A":{"Type":"String"},"B":{"Type":"String","Default":"b"},"C":{"Type":"String"}}}"#
                    .to_owned(),
            parameters: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
            ..StackInput::default()
        }
    }

    #[test]
    fn parameters_that_are_not_given_keep_their_value_or_take_the_default() {
        let current = StackDescription {
            parameters: BTreeMap::from([("A".to_owned(), "0".to_owned()), ("C".to_owned(), "3".to_owned())]),
            ..StackDescription::named("S")
        };
        let sent = |current| {
            parameters(&input(), current)
                .into_iter()
                .map(|one| (one.parameter_key.unwrap(), one.parameter_value, one.use_previous_value))
                .collect::<Vec<_>>()
        };
        let given = ("A".to_owned(), Some("1".to_owned()), None);
        assert_eq!(sent(None), std::slice::from_ref(&given));
        assert_eq!(sent(Some(&current)), [given, ("C".to_owned(), None, Some(true))]);
    }

    #[test]
    fn a_change_sets_name_is_what_it_brings_about() {
        let name = change_set_name(&input(), Purpose::Deploy);
        assert_eq!(
            name,
            change_set_name(
                &StackInput {
                    depends_on: vec!["T".to_owned()],
                    ..input()
                },
                Purpose::Deploy
            )
        );
        assert_ne!(
            name,
            change_set_name(
                &StackInput {
                    template: "{}".to_owned(),
                    ..input()
                },
                Purpose::Deploy
            )
        );
        let tags = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
        assert_ne!(name, change_set_name(&StackInput { tags, ..input() }, Purpose::Deploy));
        assert!(name.len() <= 128);
        assert!(
            Purpose::Deploy.made(&name) && !Purpose::Keep.made(&name) && !Purpose::Deploy.made("llama-deploy-mine")
        );
        let secret = |value: &str| {
            let template = r#"{"Parameters":{"A":{"Type":"String","NoEcho":true}}}"#.to_owned();
            let parameters = BTreeMap::from([("A".to_owned(), value.to_owned())]);
            change_set_name(
                &StackInput {
                    template,
                    parameters,
                    ..StackInput::default()
                },
                Purpose::Deploy,
            )
        };
        assert_eq!(secret("1234"), secret("5678"), "a secret leaves no trace in the name");
    }
}
