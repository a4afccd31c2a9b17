//! `AWS::Events::Rule`, `AWS::Scheduler::Schedule` and their groups.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::Schedules;
use crate::members::Members;
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest, removed};
use crate::service::ApiError;

const RULE: &str = "AWS::Events::Rule";
const SCHEDULE: &str = "AWS::Scheduler::Schedule";
const GROUP: &str = "AWS::Scheduler::ScheduleGroup";

pub(super) struct SchedulesProvider {
    schedules: Arc<Schedules>,
}

impl SchedulesProvider {
    pub fn new(schedules: Arc<Schedules>) -> Self {
        Self { schedules }
    }

    fn put_rule(&self, name: &str, request: &ResourceRequest) -> Result<Resource, ApiError> {
        let mut rule = Value::Object(request.properties.clone());
        rule["Name"] = json!(name);
        if let Some(pattern) = rule
            .get("EventPattern")
            .filter(|pattern| pattern.is_object())
            .map(Value::to_string)
        {
            rule["EventPattern"] = json!(pattern);
        }
        let made = self.schedules.put_rule(&rule)?;
        let key = made
            .text("RuleArn")
            .and_then(|arn| Some(arn.split_once(":rule/")?.1.to_owned()));
        let key = key.unwrap_or_default();
        let tags = request.all_tags().into_iter().collect();
        let targets = request.properties.list("Targets");
        let by_id = targets
            .iter()
            .map(|target| (target.text("Id").unwrap_or_default().to_owned(), target.clone()));
        let by_id = by_id.collect();
        self.schedules.change_rule(&key, |rule| {
            rule.tags = tags;
            rule.targets = by_id;
            json!({})
        })?;
        // CloudFormation calls a rule of another bus `BUS|NAME`.
        Ok(Resource::new(key.replace('/', "|"), json!({"Arn": made["RuleArn"]})))
    }
}

/// Dates are texts in templates and epoch seconds in calls.
fn schedule(name: &str, request: &ResourceRequest) -> Value {
    let mut schedule = Value::Object(request.properties.clone());
    schedule["Name"] = json!(name);
    for date in ["StartDate", "EndDate"] {
        let read = schedule
            .text(date)
            .and_then(|text| text.parse::<jiff::Timestamp>().ok());
        if let Some(time) = read {
            schedule[date] = json!(time.as_second());
        }
    }
    schedule
}

fn name_of(request: &ResourceRequest) -> &str {
    let name = request.name("Name");
    // AWS's names have 64 letters at most; the end of a generated one makes it unique.
    &name[name.len().saturating_sub(64)..]
}

#[async_trait]
impl Provider for SchedulesProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &[RULE, SCHEDULE, GROUP]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let name = name_of(request);
        match request.resource_type.as_str() {
            RULE => Ok(self.put_rule(name, request)?),
            SCHEDULE => {
                let made = self.schedules.create_schedule(&schedule(name, request))?;
                Ok(Resource::new(name, json!({"Arn": made["ScheduleArn"]})))
            }
            _ => {
                let made = self.schedules.create_group(&json!({"Name": name}))?;
                Ok(Resource::new(
                    name,
                    json!({"Arn": made["ScheduleGroupArn"], "State": "ACTIVE"}),
                ))
            }
        }
    }

    async fn update(
        &self,
        current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        match request.resource_type.as_str() {
            RULE => drop(self.put_rule(current.physical_id.rsplit('|').next().unwrap_or_default(), request)?),
            SCHEDULE => drop(
                self.schedules
                    .update_schedule(&schedule(&current.physical_id, request))?,
            ),
            _ => {}
        }
        Ok(current.clone())
    }

    async fn delete(&self, current: &Resource, request: &ResourceRequest) -> Result<(), ProviderError> {
        let name = current.physical_id.as_str();
        let outcome = match request.resource_type.as_str() {
            RULE => {
                let key = name.replace('|', "/");
                let emptied = self.schedules.change_rule(&key, |rule| {
                    rule.targets.clear();
                    json!({})
                });
                emptied.and_then(|_| self.schedules.delete_rule_of(&key))
            }
            SCHEDULE => self.schedules.delete_schedule(&schedule(name, request)),
            _ => self.schedules.delete_group(name),
        };
        removed(outcome, "ResourceNotFoundException")
    }
}
