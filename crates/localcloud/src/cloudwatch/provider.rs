//! `AWS::CloudWatch::Alarm`, `AWS::CloudWatch::CompositeAlarm` and `AWS::CloudWatch::Dashboard` for CloudFormation.
//! Their properties have the names of the put operations' members.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::CloudWatch;
use crate::members::{Members, tag_list};
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest, removed};

const COMPOSITE_ALARM: &str = "AWS::CloudWatch::CompositeAlarm";

/// The put operation's input: the properties under the alarm's name, with all tags.
fn alarm_input(name: &str, request: &ResourceRequest) -> Value {
    let mut input = numbers_as_numbers(Value::Object(request.properties.clone()));
    input["AlarmName"] = json!(name);
    input["Tags"] = tag_list(&request.all_tags());
    input
}

/// Templates may write numbers and booleans as texts; what `DescribeAlarms` gives back is what the model says.
fn numbers_as_numbers(mut input: Value) -> Value {
    for member in ["EvaluationPeriods", "DatapointsToAlarm", "Period"] {
        if let Some(number) = input.integer(member) {
            input[member] = json!(number);
        }
    }
    if let Some(threshold) = input.number("Threshold") {
        input["Threshold"] = json!(threshold);
    }
    if let Some(enabled) = input.flag("ActionsEnabled") {
        input["ActionsEnabled"] = json!(enabled);
    }
    for query in input
        .get_mut("Metrics")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(returns) = query.flag("ReturnData") {
            query["ReturnData"] = json!(returns);
        }
        if let Some(period) = query.integer("Period") {
            query["Period"] = json!(period);
        }
        if let Some(period) = query.member("MetricStat").and_then(|stat| stat.integer("Period")) {
            query["MetricStat"]["Period"] = json!(period);
        }
    }
    input
}

/// Alarms of both kinds: only the operation that puts them differs.
pub(super) struct AlarmProvider {
    pub(super) cloudwatch: Arc<CloudWatch>,
}

impl AlarmProvider {
    fn put(&self, name: &str, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let input = alarm_input(name, request);
        match request.resource_type.as_str() {
            COMPOSITE_ALARM => self.cloudwatch.put_composite_alarm(&input)?,
            _ => self.cloudwatch.put_metric_alarm(&input)?,
        };
        Ok(Resource::new(name, json!({"Arn": self.cloudwatch.alarm_arn(name)})))
    }

    fn exists(&self, name: &str) -> bool {
        let asked = json!({"AlarmNames": [name], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]});
        let found = self.cloudwatch.describe_alarms(&asked);
        !(found.list("MetricAlarms").is_empty() && found.list("CompositeAlarms").is_empty())
    }
}

#[async_trait]
impl Provider for AlarmProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::CloudWatch::Alarm", COMPOSITE_ALARM]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let name = request.name("AlarmName");
        if self.exists(name) {
            return Err(ProviderError::already_exists(name));
        }
        self.put(name, request)
    }

    async fn update(
        &self,
        current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        self.put(&current.physical_id, request)
    }

    async fn delete(&self, current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        if self.exists(&current.physical_id) {
            self.cloudwatch
                .delete_alarms(&json!({"AlarmNames": [current.physical_id]}))?;
        }
        Ok(())
    }
}

pub(super) struct DashboardProvider {
    pub(super) cloudwatch: Arc<CloudWatch>,
}

impl DashboardProvider {
    fn put(&self, name: &str, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let input = json!({"DashboardName": name, "DashboardBody": request.properties.text("DashboardBody")});
        self.cloudwatch.put_dashboard(&input).map_err(|error| {
            let detail = error.details["dashboardValidationMessages"][0]["Message"]
                .as_str()
                .unwrap_or_default();
            ProviderError {
                message: format!("{} {detail}", error.message).trim_end().to_owned(),
            }
        })?;
        Ok(Resource::new(name, json!({})))
    }
}

#[async_trait]
impl Provider for DashboardProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::CloudWatch::Dashboard"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let name = request.name("DashboardName");
        if self.cloudwatch.get_dashboard(&json!({"DashboardName": name})).is_ok() {
            return Err(ProviderError::already_exists(name));
        }
        self.put(name, request)
    }

    async fn update(
        &self,
        current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        self.put(&current.physical_id, request)
    }

    async fn delete(&self, current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        let asked = json!({"DashboardNames": [current.physical_id]});
        removed(self.cloudwatch.delete_dashboards(&asked), "ResourceNotFound")
    }
}
