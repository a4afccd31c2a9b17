//! The calls about change sets. A change set is planned within its call; clients that poll see it done.

use serde_json::{Value, json};

use super::record::{ChangeSet, OnFailure, Stack};
use super::status::Status;
use super::updates::{check_name, check_updatable, on_failure};
use super::{CloudFormation, answers, refusal};
use crate::members::Members;
use crate::service::ApiError;

const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

impl CloudFormation {
    pub(super) async fn create_change_set(&self, input: &Value) -> Result<Value, ApiError> {
        let stack_name = input.text("StackName").unwrap_or_default();
        let name = input.text("ChangeSetName").unwrap_or_default();
        let kind = input.text("ChangeSetType").unwrap_or("UPDATE");
        let found = self.engine.stacks.find(stack_name);
        let existing = found.as_ref().map(|cell| cell.read().clone());
        let is_new = existing
            .as_ref()
            .is_none_or(|stack| stack.status == Status::ReviewInProgress);
        match (kind, &existing) {
            ("IMPORT", _) => return Err(refusal("The embedded cloud imports no resources.")),
            ("CREATE", Some(stack)) if !is_new => {
                return Err(refusal(format!(
                    "Stack [{}] already exists and cannot be created again with the changeSet [{name}].",
                    stack.name
                )));
            }
            ("CREATE", _) => {}
            (_, None) => return Err(refusal(format!("Stack [{stack_name}] does not exist"))),
            (_, Some(stack)) if is_new => {
                return Err(refusal(format!(
                    "Stack [{}] does not exist: it is in review, use the type CREATE",
                    stack.name
                )));
            }
            (_, Some(stack)) => check_updatable(stack)?,
        }
        if existing.as_ref().is_some_and(|stack| stack.change_set(name).is_some()) {
            return Err(ApiError::new(
                400,
                "AlreadyExistsException",
                format!("ChangeSet [{name}] already exists"),
            ));
        }
        if existing.is_none() {
            check_name(stack_name)?;
        }
        let previous = existing.as_ref().filter(|_| !is_new).map(|stack| &stack.goal);
        let goal = self.goal(input, previous).await?;
        let stack = match &existing {
            Some(stack) => stack.clone(),
            None => self.new_stack(stack_name, goal.clone(), OnFailure::Rollback),
        };
        let planned = self
            .blueprint(&goal, &stack.name, &stack.id)
            .and_then(|blueprint| self.plan(&goal, &stack, &blueprint));
        let (changes, failure) = match planned {
            Ok((changes, true)) => (changes, None),
            Ok((changes, false)) => (changes, Some(NO_CHANGES.to_owned())),
            Err(error) => (Vec::new(), Some(error.message)),
        };
        let change_set = ChangeSet {
            id: self.arn("changeSet", name),
            name: name.to_owned(),
            is_create: is_new,
            status: if failure.is_some() { "FAILED" } else { "CREATE_COMPLETE" }.to_owned(),
            execution_status: if failure.is_some() { "UNAVAILABLE" } else { "AVAILABLE" }.to_owned(),
            status_reason: failure,
            created: self.now(),
            description: input.text("Description").map(str::to_owned),
            on_failure: match input.text("OnStackFailure") {
                Some("DELETE") => OnFailure::Delete,
                Some("DO_NOTHING") => OnFailure::DoNothing,
                _ => OnFailure::Rollback,
            },
            goal,
            changes,
        };
        let answer = json!({"Id": change_set.id, "StackId": stack.id});
        let now = self.now();
        let cell = match found {
            Some(cell) => cell,
            None => {
                let cell = self.engine.stacks.add(stack);
                cell.change(|stack| stack.enter(Status::ReviewInProgress, Some("User Initiated"), now));
                cell
            }
        };
        cell.change(|stack| stack.change_sets.push(change_set));
        Ok(answer)
    }

    /// The change set that a call names, by its ARN alone or by its name and the stack.
    fn find_change_set(&self, input: &Value) -> Result<(std::sync::Arc<super::stacks::Cell>, ChangeSet), ApiError> {
        let name = input.text("ChangeSetName").unwrap_or_default();
        let absent = || ApiError::new(404, "ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"));
        let found = match input.text("StackName") {
            Some(_) => {
                let cell = self.stack(input)?;
                let set = cell.read().change_set(name).cloned();
                set.map(|set| (cell, set))
            }
            None if name.starts_with("arn:") => self.engine.stacks.all().into_iter().find_map(|cell| {
                let set = cell.read().change_set(name).cloned()?;
                Some((cell, set))
            }),
            None => {
                return Err(refusal(
                    "StackName must be specified if ChangeSetName is not specified as an ARN.",
                ));
            }
        };
        found.ok_or_else(absent)
    }

    pub(super) fn describe_change_set(&self, input: &Value) -> Result<Value, ApiError> {
        let (cell, set) = self.find_change_set(input)?;
        let stack = cell.read();
        let mut answer = summary(&stack, &set);
        let (changes, next) = answers::page(&set.changes, input, 100)?;
        answer["Changes"] = Value::Array(changes);
        answer["NextToken"] = next;
        answer["Parameters"] = answers::parameters(&set.goal.parameters);
        answer["Capabilities"] = json!(set.goal.capabilities);
        answer["NotificationARNs"] = json!(set.goal.notification_arns);
        answer["Tags"] = answers::tags(&set.goal.tags);
        answer["OnStackFailure"] = match set.on_failure {
            OnFailure::Rollback => Value::Null,
            OnFailure::Delete => json!("DELETE"),
            OnFailure::DoNothing => json!("DO_NOTHING"),
        };
        Ok(answer)
    }

    pub(super) fn list_change_sets(&self, input: &Value) -> Result<Value, ApiError> {
        let cell = self.stack(input)?;
        let stack = cell.read();
        let all: Vec<Value> = stack.change_sets.iter().map(|set| summary(&stack, set)).collect();
        let (summaries, next) = answers::page(&all, input, 100)?;
        Ok(json!({"Summaries": summaries, "NextToken": next}))
    }

    pub(super) fn delete_change_set(&self, input: &Value) -> Result<Value, ApiError> {
        let (cell, set) = match self.find_change_set(input) {
            Ok(found) => found,
            // Deleting what is not there succeeds.
            Err(error) if error.code == "ChangeSetNotFound" => return Ok(json!({})),
            Err(error) => return Err(error),
        };
        if set.execution_status == "EXECUTE_IN_PROGRESS" {
            return Err(invalid_status(&set, "deleted"));
        }
        cell.change(|stack| stack.change_sets.retain(|other| other.id != set.id));
        Ok(json!({}))
    }

    pub(super) fn execute_change_set(&self, input: &Value) -> Result<Value, ApiError> {
        let (cell, set) = self.find_change_set(input)?;
        if set.status != "CREATE_COMPLETE" || set.execution_status != "AVAILABLE" {
            return Err(invalid_status(&set, "executed"));
        }
        if !set.is_create {
            check_updatable(&cell.read())?;
        }
        let disabled = input.flag("DisableRollback") == Some(true);
        let on_failure = if disabled { on_failure(input)? } else { set.on_failure };
        // CloudFormation keeps only the change set that was executed: the others describe a stack that is no more.
        cell.change(|stack| {
            stack.change_sets.retain(|other| other.id == set.id);
            stack
                .change_sets
                .iter_mut()
                .for_each(|other| other.execution_status = "EXECUTE_COMPLETE".to_owned());
            stack.change_set_id = Some(set.id.clone());
        });
        if set.is_create {
            cell.change(|stack| {
                stack.goal = set.goal;
                stack.on_failure = on_failure;
            });
            self.begin_create(&cell);
        } else {
            self.begin_update(&cell, set.goal, on_failure);
        }
        Ok(json!({}))
    }
}

fn invalid_status(set: &ChangeSet, verb: &str) -> ApiError {
    let message = format!(
        "ChangeSet [{}] cannot be {verb} in its current status of [{}]",
        set.id, set.status
    );
    let status = if set.status == "FAILED" {
        message
    } else {
        format!("{message} with execution status [{}]", set.execution_status)
    };
    ApiError::new(400, "InvalidChangeSetStatus", status)
}

fn summary(stack: &Stack, set: &ChangeSet) -> Value {
    json!({
        "ChangeSetName": set.name, "ChangeSetId": set.id, "StackId": stack.id, "StackName": stack.name,
        "Description": set.description, "CreationTime": set.created, "Status": set.status,
        "StatusReason": set.status_reason, "ExecutionStatus": set.execution_status, "IncludeNestedStacks": false,
    })
}
