//! The calls that only look.

use serde_json::{Value, json};

use super::record::{Event, OnFailure, Parameter, ResourceRecord, Stack};
use super::status::Status;
use super::{CloudFormation, refusal};
use crate::members::{Members, tag_list};
use crate::service::ApiError;

impl CloudFormation {
    pub(super) fn describe_stacks(&self, input: &Value) -> Result<Value, ApiError> {
        if input.text("StackName").is_some() {
            let cell = self.stack(input)?;
            let stack = cell.read();
            return Ok(json!({"Stacks": [describe(&stack)]}));
        }
        let all: Vec<Value> = self
            .engine
            .stacks
            .all()
            .iter()
            .map(|cell| cell.read())
            .filter(|stack| stack.status != Status::DeleteComplete)
            .map(|stack| describe(&stack))
            .collect();
        let (stacks, next) = page(&all, input, 100)?;
        Ok(json!({"Stacks": stacks, "NextToken": next}))
    }

    pub(super) fn list_stacks(&self, input: &Value) -> Result<Value, ApiError> {
        let filter = input.texts("StackStatusFilter");
        let cells = self.engine.stacks.all();
        let stacks = cells.iter().map(|cell| cell.read());
        let wanted = stacks.filter(|stack| filter.is_empty() || filter.contains(&stack.status.to_string()));
        let all: Vec<Value> = wanted
            .map(|stack| {
                json!({
                    "StackId": stack.id, "StackName": stack.name, "TemplateDescription": stack.description,
                    "CreationTime": stack.created, "LastUpdatedTime": stack.updated, "DeletionTime": stack.deleted,
                    "StackStatus": stack.status, "StackStatusReason": stack.status_reason,
                    "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
                })
            })
            .collect();
        let (summaries, next) = page(&all, input, 100)?;
        Ok(json!({"StackSummaries": summaries, "NextToken": next}))
    }

    /// Newest first.
    pub(super) fn describe_events(&self, input: &Value) -> Result<Value, ApiError> {
        let cell = self.bracketed_stack(input)?;
        let stack = cell.read();
        let all: Vec<&Event> = stack.events.iter().rev().collect();
        let (events, next) = page(&all, input, 100)?;
        let events: Vec<Value> = events.into_iter().map(|event| describe_event(&stack, event)).collect();
        Ok(json!({"StackEvents": events, "NextToken": next}))
    }

    pub(super) fn describe_resource(&self, input: &Value) -> Result<Value, ApiError> {
        let cell = self.stack(input)?;
        let stack = cell.read();
        let id = input.text("LogicalResourceId").unwrap_or_default();
        let record = stack.resources.get(id);
        let record = record.ok_or_else(|| refusal(format!("Resource {id} does not exist for stack {}", stack.name)))?;
        let mut detail = describe_resource(&stack, record);
        detail["LastUpdatedTimestamp"] = json!(record.timestamp);
        detail["Metadata"] = record
            .metadata
            .as_ref()
            .map_or(Value::Null, |metadata| json!(metadata.to_string()));
        Ok(json!({"StackResourceDetail": detail}))
    }

    pub(super) fn describe_resources(&self, input: &Value) -> Result<Value, ApiError> {
        let cell = match input.text("PhysicalResourceId") {
            Some(id) => {
                let holds = |record: &ResourceRecord| record.physical_id.as_deref() == Some(id);
                let mut cells = self.engine.stacks.all().into_iter();
                let found = cells.find(|cell| cell.read().resources.values().any(holds));
                found.ok_or_else(|| refusal(format!("Stack for {id} does not exist")))?
            }
            None => self.stack(input)?,
        };
        let stack = cell.read();
        let id = input.text("LogicalResourceId");
        let records = stack
            .resources
            .values()
            .filter(|record| id.is_none_or(|id| record.logical_id == id));
        let records: Vec<Value> = records.map(|record| describe_resource(&stack, record)).collect();
        Ok(json!({"StackResources": records}))
    }

    pub(super) fn list_resources(&self, input: &Value) -> Result<Value, ApiError> {
        let cell = self.stack(input)?;
        let stack = cell.read();
        let all: Vec<Value> = stack
            .resources
            .values()
            .map(|record| {
                let mut summary = describe_resource(&stack, record);
                summary["LastUpdatedTimestamp"] = json!(record.timestamp);
                summary
            })
            .collect();
        let (summaries, next) = page(&all, input, 100)?;
        Ok(json!({"StackResourceSummaries": summaries, "NextToken": next}))
    }

    pub(super) fn list_exports(&self, input: &Value) -> Result<Value, ApiError> {
        let exports = self.engine.stacks.exports().into_iter();
        let all: Vec<Value> = exports
            .map(|(name, (value, stack))| json!({"ExportingStackId": stack, "Name": name, "Value": value}))
            .collect();
        let (exports, next) = page(&all, input, 100)?;
        Ok(json!({"Exports": exports, "NextToken": next}))
    }

    pub(super) fn list_imports(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.text("ExportName").unwrap_or_default();
        let importers = self.engine.stacks.importers(name);
        if importers.is_empty() {
            return Err(refusal(format!("Export '{name}' is not imported by any stack.")));
        }
        let (imports, next) = page(&importers, input, 100)?;
        Ok(json!({"Imports": imports, "NextToken": next}))
    }
}

/// One page of a list, and the token of the next: the index where it begins.
pub fn page<T: Clone>(all: &[T], input: &Value, size: usize) -> Result<(Vec<T>, Value), ApiError> {
    let start = match input.text("NextToken") {
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| refusal(format!("The token {token} is invalid")))?,
        None => 0,
    };
    let (page, next) = crate::page::page(all, start, size);
    Ok((page.to_vec(), json!(next)))
}

pub fn parameters(parameters: &[Parameter]) -> Value {
    let shown = |parameter: &Parameter| {
        let value = if parameter.no_echo { "****" } else { &parameter.value };
        json!({"ParameterKey": parameter.key, "ParameterValue": value, "ResolvedValue": parameter.resolved})
    };
    parameters.iter().map(shown).collect()
}

pub fn tags(tags: &[(String, String)]) -> Value {
    tag_list(tags)
}

fn describe(stack: &Stack) -> Value {
    let outputs: Vec<Value> = stack
        .outputs
        .iter()
        .map(|output| {
            json!({
                "OutputKey": output.key, "OutputValue": output.value, "Description": output.description,
                "ExportName": output.export_name,
            })
        })
        .collect();
    json!({
        "StackId": stack.id, "StackName": stack.name, "ChangeSetId": stack.change_set_id, "Description": stack.description,
        "Parameters": parameters(&stack.goal.parameters), "CreationTime": stack.created, "DeletionTime": stack.deleted,
        "LastUpdatedTime": stack.updated, "RollbackConfiguration": {}, "StackStatus": stack.status,
        "StackStatusReason": stack.status_reason, "DisableRollback": stack.on_failure == OnFailure::DoNothing,
        "NotificationARNs": stack.goal.notification_arns, "Capabilities": stack.goal.capabilities, "Outputs": outputs,
        "RoleARN": stack.goal.role_arn, "Tags": tags(&stack.goal.tags),
        "EnableTerminationProtection": stack.termination_protection,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    })
}

fn describe_event(stack: &Stack, event: &Event) -> Value {
    json!({
        "StackId": stack.id, "EventId": event.id, "StackName": stack.name, "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id.clone().unwrap_or_default(), "ResourceType": event.resource_type,
        "Timestamp": event.timestamp, "ResourceStatus": event.status, "ResourceStatusReason": event.reason,
        "ResourceProperties": event.properties, "ClientRequestToken": event.token,
    })
}

fn describe_resource(stack: &Stack, record: &ResourceRecord) -> Value {
    json!({
        "StackName": stack.name, "StackId": stack.id, "LogicalResourceId": record.logical_id,
        "PhysicalResourceId": record.physical_id, "ResourceType": record.resource_type, "Timestamp": record.timestamp,
        "ResourceStatus": record.status, "ResourceStatusReason": record.status_reason,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    })
}
