//! Reading stacks.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{Stack, TemplateStage};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use orchestrator::ports::PortErrorKind;

use super::{StackDescription, StackResource};
use crate::connection::Aws;
use crate::failure::{Failure, failed};

/// A stack holds at most 500 resources, and a page a hundred of them.
const PAGE_LIMIT: usize = 50;

impl Aws {
    /// `None` where there is no such stack. `name` may be the stack's ARN, which finds a deleted one too.
    pub async fn describe_stack(&self, name: &str) -> Result<Option<StackDescription>, Failure> {
        let answer = self
            .cloudformation()
            .describe_stacks()
            .stack_name(name)
            .send()
            .await
            .map_err(failed("DescribeStacks", name));
        match answer {
            Ok(answer) => Ok(answer.stacks.unwrap_or_default().into_iter().next().map(description)),
            Err(failure) if failure.kind == PortErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Every resource that the stack holds.
    pub async fn stack_resources(&self, name: &str) -> Result<Vec<StackResource>, Failure> {
        let mut resources = Vec::new();
        let mut token = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .cloudformation()
                .list_stack_resources()
                .stack_name(name)
                .set_next_token(token)
                .send()
                .await
                .map_err(failed("ListStackResources", name))?;
            for summary in page.stack_resource_summaries.unwrap_or_default() {
                resources.push(StackResource {
                    logical_id: summary.logical_resource_id.unwrap_or_default(),
                    physical_id: summary.physical_resource_id.filter(|id| !id.is_empty()),
                    resource_type: summary.resource_type.unwrap_or_default(),
                    status: summary
                        .resource_status
                        .map(|status| status.as_str().to_owned())
                        .unwrap_or_default(),
                });
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(resources);
            }
        }
        Err(Failure::ambiguous(
            "ListStackResources",
            name,
            format!("more than {PAGE_LIMIT} pages"),
        ))
    }

    /// The template as it was sent, for a diff; `None` where there is no such stack.
    pub async fn stack_template(&self, name: &str) -> Result<Option<String>, Failure> {
        let answer = self
            .cloudformation()
            .get_template()
            .stack_name(name)
            .template_stage(TemplateStage::Original)
            .send()
            .await
            .map_err(failed("GetTemplate", name));
        match answer {
            Ok(answer) => Ok(answer.template_body),
            Err(failure) if failure.kind == PortErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

fn description(stack: Stack) -> StackDescription {
    let mut outputs = BTreeMap::new();
    let mut exports = BTreeMap::new();
    let mut exported_outputs = BTreeMap::new();
    for output in stack.outputs.unwrap_or_default() {
        let value = output.output_value.unwrap_or_default();
        let key = output.output_key.unwrap_or_default();
        if let Some(export) = output.export_name {
            exports.insert(export.clone(), value.clone());
            exported_outputs.insert(key.clone(), export);
        }
        outputs.insert(key, value);
    }
    StackDescription {
        name: stack.stack_name.unwrap_or_default(),
        id: stack.stack_id.unwrap_or_default(),
        status: stack
            .stack_status
            .map(|status| status.as_str().to_owned())
            .unwrap_or_default(),
        status_reason: stack.stack_status_reason,
        outputs,
        exports,
        exported_outputs,
        parameters: stack
            .parameters
            .unwrap_or_default()
            .into_iter()
            .map(|parameter| {
                (
                    parameter.parameter_key.unwrap_or_default(),
                    parameter.parameter_value.unwrap_or_default(),
                )
            })
            .collect(),
        tags: stack
            .tags
            .unwrap_or_default()
            .into_iter()
            .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
            .collect(),
        termination_protection: stack.enable_termination_protection.unwrap_or(false),
        changed_at: stack
            .last_updated_time
            .or(stack.creation_time)
            .as_ref()
            .and_then(timestamp),
        change_set_id: stack.change_set_id.filter(|id| !id.is_empty()),
    }
}

pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
