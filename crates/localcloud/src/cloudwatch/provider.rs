//! `AWS::CloudWatch::Alarm`, `AWS::CloudWatch::CompositeAlarm` and `AWS::CloudWatch::Dashboard` for CloudFormation.
//! Their properties have the names of the put operations' members.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::CloudWatch;
use crate::members::{Members, merge_tags, tag_list, tags_of};
use crate::resource::{Provider, ProviderError, Resource, ResourceRequest};
use crate::service::ApiError;

fn failed(error: ApiError) -> ProviderError {
    ProviderError { message: error.message }
}

/// The put operation's input: the properties under the alarm's name, with all tags.
fn alarm_input(name: &str, request: &ResourceRequest) -> Value {
    let mut tags = request.tags.clone();
    merge_tags(&mut tags, tags_of(&request.properties, "Tags"));
    let mut input = numbers_as_numbers(Value::Object(request.properties.clone()));
    input["AlarmName"] = json!(name);
    input["Tags"] = tag_list(&tags);
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

impl CloudWatch {
    fn alarm_resource(&self, name: &str) -> Resource {
        let attributes = Map::from_iter([("Arn".to_owned(), json!(self.alarm_arn(name)))]);
        Resource {
            physical_id: name.to_owned(),
            attributes,
        }
    }

    fn has_alarm(&self, name: &str) -> bool {
        let asked = json!({"AlarmNames": [name], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]});
        let found = self.describe_alarms(&asked);
        !(found.list("MetricAlarms").is_empty() && found.list("CompositeAlarms").is_empty())
    }

    fn new_alarm_name(&self, request: &ResourceRequest) -> Result<String, ProviderError> {
        let name = request.properties.text("AlarmName").unwrap_or(&request.generated_name);
        match self.has_alarm(name) {
            true => Err(ProviderError {
                message: format!("{name} already exists"),
            }),
            false => Ok(name.to_owned()),
        }
    }

    fn remove_alarm(&self, name: &str) -> Result<(), ProviderError> {
        match self.has_alarm(name) {
            true => self
                .delete_alarms(&json!({"AlarmNames": [name]}))
                .map(drop)
                .map_err(failed),
            false => Ok(()),
        }
    }
}

pub(super) struct AlarmProvider {
    pub(super) cloudwatch: Arc<CloudWatch>,
}

#[async_trait]
impl Provider for AlarmProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::CloudWatch::Alarm"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let name = self.cloudwatch.new_alarm_name(request)?;
        self.cloudwatch
            .put_metric_alarm(&alarm_input(&name, request))
            .map_err(failed)?;
        Ok(self.cloudwatch.alarm_resource(&name))
    }

    async fn update(
        &self,
        current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        self.cloudwatch
            .put_metric_alarm(&alarm_input(&current.physical_id, request))
            .map_err(failed)?;
        Ok(self.cloudwatch.alarm_resource(&current.physical_id))
    }

    async fn delete(&self, current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        self.cloudwatch.remove_alarm(&current.physical_id)
    }
}

pub(super) struct CompositeProvider {
    pub(super) cloudwatch: Arc<CloudWatch>,
}

#[async_trait]
impl Provider for CompositeProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::CloudWatch::CompositeAlarm"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let name = self.cloudwatch.new_alarm_name(request)?;
        self.cloudwatch
            .put_composite_alarm(&alarm_input(&name, request))
            .map_err(failed)?;
        Ok(self.cloudwatch.alarm_resource(&name))
    }

    async fn update(
        &self,
        current: &Resource,
        _old_properties: &Map<String, Value>,
        request: &ResourceRequest,
    ) -> Result<Resource, ProviderError> {
        self.cloudwatch
            .put_composite_alarm(&alarm_input(&current.physical_id, request))
            .map_err(failed)?;
        Ok(self.cloudwatch.alarm_resource(&current.physical_id))
    }

    async fn delete(&self, current: &Resource, _request: &ResourceRequest) -> Result<(), ProviderError> {
        self.cloudwatch.remove_alarm(&current.physical_id)
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
        Ok(Resource {
            physical_id: name.to_owned(),
            attributes: Map::new(),
        })
    }
}

#[async_trait]
impl Provider for DashboardProvider {
    fn resource_types(&self) -> &'static [&'static str] {
        &["AWS::CloudWatch::Dashboard"]
    }

    async fn create(&self, request: &ResourceRequest) -> Result<Resource, ProviderError> {
        let name = request
            .properties
            .text("DashboardName")
            .unwrap_or(&request.generated_name)
            .to_owned();
        if self.cloudwatch.get_dashboard(&json!({"DashboardName": name})).is_ok() {
            return Err(ProviderError {
                message: format!("{name} already exists"),
            });
        }
        self.put(&name, request)
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
        match self
            .cloudwatch
            .delete_dashboards(&json!({"DashboardNames": [current.physical_id]}))
        {
            Err(error) if error.code != "ResourceNotFound" => Err(failed(error)),
            _ => Ok(()),
        }
    }
}
