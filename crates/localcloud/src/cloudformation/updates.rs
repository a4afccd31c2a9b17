//! The calls that begin something: create, update, delete, cancel, continue.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::blueprint::{Blueprint, Identity};
use super::parameters::{self, Given};
use super::plan::{self, Current};
use super::record::{Goal, OnFailure, Parameter, Snapshot, Stack};
use super::stacks::Cell;
use super::status::Status;
use super::template::Template;
use super::{CloudFormation, refusal};
use crate::members::{Members, tags_of};
use crate::service::ApiError;

pub const NO_UPDATES: &str = "No updates are to be performed.";

impl CloudFormation {
    /// The goal that a call describes, checked as far as AWS checks it before it begins.
    pub(super) async fn goal(&self, input: &Value, previous: Option<&Goal>) -> Result<Goal, ApiError> {
        let template_text = self.template_of(input, previous).await?;
        let template = Template::parse(&template_text).map_err(refusal)?;
        let unknown: Vec<&str> = template
            .resources
            .values()
            .map(|definition| definition.resource_type.as_str())
            .filter(|kind| !self.engine.world.makes(kind))
            .collect();
        if !unknown.is_empty() {
            return Err(refusal(format!(
                "Template format error: Unrecognized resource types: [{}] (the embedded cloud makes what the schema of \
                 CloudFormation has, and custom resources, but no wait conditions, macros and stack sets)",
                unknown.join(", ")
            )));
        }
        let capabilities: Vec<String> = input.texts("Capabilities");
        let needed = template.capabilities();
        let has = |name: &str| capabilities.iter().any(|given| given == name);
        let granted = |name: &&str| has(name) || (*name == "CAPABILITY_IAM" && has("CAPABILITY_NAMED_IAM"));
        let lacking: Vec<&str> = needed.iter().copied().filter(|name| !granted(name)).collect();
        if !lacking.is_empty() {
            let message = format!("Requires capabilities : [{}]", lacking.join(", "));
            return Err(ApiError::new(400, "InsufficientCapabilitiesException", message));
        }
        let given: Vec<Given> = parameters::given(input);
        let before = previous.map(|goal| goal.parameters.as_slice()).unwrap_or_default();
        let mut parameters = parameters::settle(&template, &given, before)?;
        self.read_ssm(&template, &mut parameters).await?;
        let given_tags = input.get("Tags").is_some_and(|tags| !tags.is_null());
        let tags = match previous {
            Some(previous) if !given_tags => previous.tags.clone(),
            _ => tags_of(input, "Tags"),
        };
        Ok(Goal {
            template: template_text,
            parameters,
            tags,
            capabilities,
            notification_arns: input.texts("NotificationARNs"),
            role_arn: input
                .text("RoleARN")
                .map(str::to_owned)
                .or_else(|| previous.and_then(|goal| goal.role_arn.clone())),
        })
    }

    async fn read_ssm(&self, template: &Template, parameters: &mut [Parameter]) -> Result<(), ApiError> {
        for parameter in parameters {
            let definition = template.parameters.get(&parameter.key);
            if definition.is_some_and(parameters::is_from_ssm) {
                parameter.resolved = Some(self.engine.world.parameter(&parameter.value).await.map_err(refusal)?);
            }
        }
        Ok(())
    }

    pub(super) fn blueprint(&self, goal: &Goal, name: &str, id: &str) -> Result<Blueprint, ApiError> {
        let identity = Identity {
            region: self.engine.world.context.region.clone(),
            stack_name: name.to_owned(),
            stack_id: id.to_owned(),
            notification_arns: goal.notification_arns.clone(),
        };
        Blueprint::new(goal, identity, self.engine.exports_for(id)).map_err(refusal)
    }

    /// The change list, and whether there is anything to do at all: outputs and tags may change alone.
    pub(super) fn plan(
        &self,
        goal: &Goal,
        stack: &Stack,
        blueprint: &Blueprint,
    ) -> Result<(Vec<Value>, bool), ApiError> {
        let is_new = stack.status == Status::ReviewInProgress;
        let template = if is_new {
            None
        } else {
            Template::parse(&stack.goal.template).ok()
        };
        let old_parameters = template
            .as_ref()
            .map(|template| parameters::values(template, &stack.goal.parameters))
            .unwrap_or_default();
        let changed = blueprint
            .parameters
            .iter()
            .filter(|(key, value)| old_parameters.get(*key) != Some(*value));
        let changed_parameters = changed.map(|(key, _)| key.clone()).collect();
        let none = IndexMap::new();
        let current = Current {
            records: if is_new { &none } else { &stack.resources },
            template: template.as_ref(),
            tags: if is_new { &goal.tags } else { &stack.goal.tags },
            changed_parameters: &changed_parameters,
        };
        if let Some((id, _)) = blueprint.wanted().find(|(id, definition)| {
            current
                .records
                .get(*id)
                .is_some_and(|record| record.resource_type != definition.resource_type)
        }) {
            let message = "Update of resource type is not permitted. The new template modifies resource type of the following resources";
            return Err(refusal(format!("{message}: [{id}]")));
        }
        let changes = plan::changes(blueprint, &current, &goal.tags).map_err(refusal)?;
        let outputs_changed = template
            .as_ref()
            .is_none_or(|template| template.outputs != blueprint.template.outputs);
        let anything = !changes.is_empty() || outputs_changed || stack.goal.tags != goal.tags;
        Ok((changes, anything))
    }

    pub(super) fn new_stack(&self, name: &str, goal: Goal, on_failure: OnFailure) -> Stack {
        Stack {
            id: self.arn("stack", name),
            name: name.to_owned(),
            status: Status::ReviewInProgress,
            status_reason: None,
            created: self.now(),
            updated: None,
            deleted: None,
            goal,
            on_failure,
            termination_protection: false,
            description: None,
            change_set_id: None,
            outputs: Vec::new(),
            imports: Vec::new(),
            resources: IndexMap::new(),
            previous: None,
            garbage: Vec::new(),
            events: Vec::new(),
            change_sets: Vec::new(),
            generation: 0,
        }
    }

    pub(super) async fn create_stack(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.text("StackName").unwrap_or_default();
        check_name(name)?;
        if self.engine.stacks.find(name).is_some() {
            return Err(ApiError::new(
                400,
                "AlreadyExistsException",
                format!("Stack [{name}] already exists"),
            ));
        }
        let goal = self.goal(input, None).await?;
        let on_failure = on_failure(input)?;
        let mut stack = self.new_stack(name, goal, on_failure);
        stack.termination_protection = input.flag("EnableTerminationProtection").unwrap_or(false);
        let blueprint = self.blueprint(&stack.goal, name, &stack.id)?;
        self.plan(&stack.goal, &stack, &blueprint)?;
        // A name is taken by the first of two calls at once.
        if self.engine.stacks.find(name).is_some() {
            return Err(ApiError::new(
                400,
                "AlreadyExistsException",
                format!("Stack [{name}] already exists"),
            ));
        }
        let id = stack.id.clone();
        let cell = self.engine.stacks.add(stack);
        self.begin_create(&cell);
        Ok(json!({"StackId": id}))
    }

    pub(super) fn begin_create(&self, cell: &Arc<Cell>) {
        let now = self.now();
        cell.cancelled.store(false, Ordering::Relaxed);
        cell.change(|stack| stack.enter(Status::CreateInProgress, Some("User Initiated"), now));
        self.engine.launch(cell.clone());
    }

    /// Begins an update to `goal`; the caller has checked that the stack takes one, and holds no lock.
    pub(super) fn begin_update(&self, cell: &Arc<Cell>, goal: Goal, on_failure: OnFailure) {
        let now = self.now();
        cell.cancelled.store(false, Ordering::Relaxed);
        cell.skip(Vec::new());
        cell.change(|stack| {
            stack.previous = Some(Box::new(Snapshot {
                goal: std::mem::replace(&mut stack.goal, goal),
                outputs: stack.outputs.clone(),
                imports: stack.imports.clone(),
                resources: stack.resources.clone(),
                description: stack.description.clone(),
            }));
            stack.on_failure = on_failure;
            stack.updated = Some(now);
            stack.enter(Status::UpdateInProgress, Some("User Initiated"), now);
        });
        self.engine.launch(cell.clone());
    }

    pub(super) async fn update_stack(&self, input: &Value) -> Result<Value, ApiError> {
        let cell = self.bracketed_stack(input)?;
        let stack = cell.read().clone();
        check_updatable(&stack)?;
        let goal = self.goal(input, Some(&stack.goal)).await?;
        let blueprint = self.blueprint(&goal, &stack.name, &stack.id)?;
        let (_, anything) = self.plan(&goal, &stack, &blueprint)?;
        if !anything {
            return Err(refusal(NO_UPDATES));
        }
        check_updatable(&cell.read())?;
        let on_failure = if input.flag("DisableRollback") == Some(true) {
            OnFailure::DoNothing
        } else {
            OnFailure::Rollback
        };
        self.begin_update(&cell, goal, on_failure);
        Ok(json!({"StackId": stack.id}))
    }

    pub(super) fn delete_stack(&self, input: &Value) -> Result<Value, ApiError> {
        // Deleting what is not there succeeds.
        let Ok(cell) = self.stack(input) else {
            return Ok(json!({}));
        };
        let stack = cell.read().clone();
        if matches!(stack.status, Status::DeleteInProgress | Status::DeleteComplete) {
            return Ok(json!({}));
        }
        if stack.termination_protection {
            return Err(refusal(format!(
                "Stack [{}] cannot be deleted while TerminationProtection is enabled",
                stack.name
            )));
        }
        if stack.status.is_running() {
            return Err(refusal(format!(
                "Stack [{}] cannot be deleted while in status {}",
                stack.name, stack.status
            )));
        }
        for name in stack.outputs.iter().filter_map(|output| output.export_name.as_deref()) {
            let importers = self.engine.stacks.importers(name).join(", ");
            if !importers.is_empty() {
                return Err(refusal(format!(
                    "Export {name} cannot be deleted as it is in use by {importers}"
                )));
            }
        }
        let retained = input.texts("RetainResources");
        if !retained.is_empty() && stack.status != Status::DeleteFailed {
            return Err(refusal(
                "Invalid operation on stack: RetainResources is only for stacks in the DELETE_FAILED state",
            ));
        }
        cell.skip(retained);
        let now = self.now();
        cell.change(|stack| stack.enter(Status::DeleteInProgress, Some("User Initiated"), now));
        self.engine.launch(cell);
        Ok(json!({}))
    }

    pub(super) fn cancel_update(&self, input: &Value) -> Result<Value, ApiError> {
        let cell = self.stack(input)?;
        if cell.read().status != Status::UpdateInProgress {
            return Err(refusal("CancelUpdateStack cannot be called from current stack status"));
        }
        cell.cancelled.store(true, Ordering::Relaxed);
        Ok(json!({}))
    }

    pub(super) fn continue_rollback(&self, input: &Value) -> Result<Value, ApiError> {
        let cell = self.stack(input)?;
        let (status, id) = {
            let stack = cell.read();
            (stack.status, stack.id.clone())
        };
        if status != Status::UpdateRollbackFailed {
            return Err(refusal(format!(
                "Stack:{id} is in {status} state and can not continue update rollback."
            )));
        }
        cell.skip(input.texts("ResourcesToSkip"));
        let now = self.now();
        cell.change(|stack| stack.enter(Status::UpdateRollbackInProgress, Some("User Initiated"), now));
        self.engine.launch(cell);
        Ok(json!({}))
    }

    pub(super) fn protect(&self, input: &Value) -> Result<Value, ApiError> {
        let cell = self.stack(input)?;
        let is_protected = input.flag("EnableTerminationProtection").unwrap_or(false);
        Ok(cell.change(|stack| {
            stack.termination_protection = is_protected;
            json!({"StackId": stack.id})
        }))
    }
}

pub fn check_name(name: &str) -> Result<(), ApiError> {
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic());
    let goes_on = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if begins && goes_on && name.len() <= 128 {
        return Ok(());
    }
    Err(refusal(format!(
        "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
    )))
}

pub fn check_updatable(stack: &Stack) -> Result<(), ApiError> {
    if stack.status.is_updatable() {
        return Ok(());
    }
    Err(refusal(format!(
        "Stack:{} is in {} state and can not be updated.",
        stack.id, stack.status
    )))
}

pub fn on_failure(input: &Value) -> Result<OnFailure, ApiError> {
    match (input.text("OnFailure"), input.flag("DisableRollback")) {
        (Some(_), Some(true)) => Err(refusal(
            "Either DisableRollback or OnFailure can be specified, not both.",
        )),
        (Some("DELETE"), _) => Ok(OnFailure::Delete),
        (Some("DO_NOTHING"), _) | (None, Some(true)) => Ok(OnFailure::DoNothing),
        _ => Ok(OnFailure::Rollback),
    }
}
