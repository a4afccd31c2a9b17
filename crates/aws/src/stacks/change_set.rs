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
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::error::StackError;
use super::readiness::{Readiness, readiness};
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
        let name = input.name.as_str();
        let current = self.describe_stack(name).await.map_err(StackError::aws(name))?;
        let kind = match readiness(name, current.as_ref().map(|stack| stack.status.as_str()))? {
            Readiness::Create => ChangeSetKind::Create,
            Readiness::Update => ChangeSetKind::Update,
            // Deleting is more than a plan may do; a deploy has done it before it plans.
            Readiness::Recreate => {
                let status = current.map(|stack| stack.status).unwrap_or_default();
                return Err(StackError::MustBeDeleted {
                    stack: name.to_owned(),
                    status,
                });
            }
        };
        if let (ChangeSetKind::Update, Some(current)) = (kind, &current)
            && self.is_unchanged(input, current).await?
        {
            return Ok(Planned::Unchanged(current.clone()));
        }
        let change_set = self.create_change_set(input, kind, current.as_ref()).await?;
        let made = self.await_change_set(&change_set).await?;
        match (made.status.clone(), made.status_reason.clone().unwrap_or_default()) {
            (Some(ChangeSetStatus::CreateComplete), _) => {
                let changes = self.change_list(&change_set, made).await?;
                Ok(Planned::Changes(ChangeSet { changes, ..change_set }))
            }
            (_, reason) => {
                self.discard_change_set(&change_set).await?;
                match current {
                    Some(current) if says_nothing_to_do(&reason) => Ok(Planned::Unchanged(current)),
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

    async fn is_unchanged(&self, input: &StackInput, current: &StackDescription) -> Result<bool, StackError> {
        let parameters_same = input
            .parameters
            .iter()
            .all(|(key, value)| current.parameters.get(key) == Some(value));
        if !parameters_same || input.tags != current.tags || reads_parameter_store(&input.template) {
            return Ok(false);
        }
        let deployed = self
            .stack_template(&current.id)
            .await
            .map_err(StackError::aws(&input.name))?;
        Ok(deployed.is_some_and(|deployed| same_template(&deployed, &input.template)))
    }

    async fn create_change_set(
        &self,
        input: &StackInput,
        kind: ChangeSetKind,
        current: Option<&StackDescription>,
    ) -> Result<ChangeSet, StackError> {
        let stack = input.name.as_str();
        let name = change_set_name(input);
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
                .set_tags(Some(tags(&input.tags)));
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

    async fn change_list(
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

/// Such a parameter's value may have changed behind an unchanged name; CloudFormation finds out.
fn reads_parameter_store(template: &str) -> bool {
    let Ok(template) = serde_json::from_str::<Value>(template) else {
        return false;
    };
    let Some(parameters) = template.get("Parameters").and_then(Value::as_object) else {
        return false;
    };
    parameters.iter().any(|(name, parameter)| {
        // The bootstrap's version number changes nothing in the stack.
        name != "BootstrapVersion"
            && parameter
                .get("Type")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind.starts_with("AWS::SSM::"))
    })
}

fn same_template(one: &str, other: &str) -> bool {
    match (serde_json::from_str::<Value>(one), serde_json::from_str::<Value>(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn parameters(input: &StackInput, current: Option<&StackDescription>) -> Vec<Parameter> {
    let given = input
        .parameters
        .iter()
        .map(|(key, value)| Parameter::builder().parameter_key(key).parameter_value(value).build());
    let declared = serde_json::from_str::<Value>(&input.template).ok();
    let declared = declared
        .as_ref()
        .and_then(|template| template.get("Parameters")?.as_object());
    let kept = declared
        .into_iter()
        .flat_map(|declared| declared.keys())
        .filter(|key| !input.parameters.contains_key(*key))
        .filter(|key| current.is_some_and(|current| current.parameters.contains_key(*key)))
        .map(|key| Parameter::builder().parameter_key(key).use_previous_value(true).build());
    given.chain(kept).collect()
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

fn change_set_name(input: &StackInput) -> String {
    let mut hash = Sha256::new();
    hash.update(input.template.as_bytes());
    for (key, value) in input.parameters.iter().chain(&input.tags) {
        hash.update([0]);
        hash.update(key.as_bytes());
        hash.update([1]);
        hash.update(value.as_bytes());
    }
    let digest = hex::encode(hash.finalize());
    format!("llama-deploy-{}", &digest[..24])
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
            template_location: None,
            parameters: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
            tags: BTreeMap::new(),
            depends_on: Vec::new(),
        }
    }

    #[test]
    fn parameters_that_are_not_given_keep_their_value_or_take_the_default() {
        let current = StackDescription {
            name: "S".to_owned(),
            id: "arn".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            status_reason: None,
            outputs: BTreeMap::new(),
            exports: BTreeMap::new(),
            parameters: BTreeMap::from([("A".to_owned(), "0".to_owned()), ("C".to_owned(), "3".to_owned())]),
            tags: BTreeMap::new(),
            termination_protection: false,
            changed_at: None,
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
        let name = change_set_name(&input());
        assert_eq!(
            name,
            change_set_name(&StackInput {
                depends_on: vec!["T".to_owned()],
                ..input()
            })
        );
        assert_ne!(
            name,
            change_set_name(&StackInput {
                template: "{}".to_owned(),
                ..input()
            })
        );
        let tags = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
        assert_ne!(name, change_set_name(&StackInput { tags, ..input() }));
        assert!(name.len() <= 128);
    }

    #[test]
    fn templates_are_compared_by_meaning() {
        assert!(same_template(r#"{"a": 1, "b": 2}"#, r#"{"b":2,"a":1}"#));
        assert!(!same_template(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(same_template("a: 1", "a: 1"));
    }

    #[test]
    fn parameters_from_the_parameter_store_are_looked_up_again() {
        let template =
            |name: &str| format!(r#"{{"Parameters":{{"{name}":{{"Type":"AWS::SSM::Parameter::Value<String>"}}}}}}"#);
        assert!(reads_parameter_store(&template("Image")));
        assert!(!reads_parameter_store(&template("BootstrapVersion")));
        assert!(!reads_parameter_store(&input().template));
    }
}
