//! Dashboards: kept and given back. Nothing draws them here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::CloudWatch;
use crate::context::ACCOUNT;
use crate::members::Members;
use crate::service::ApiError;

#[derive(Serialize, Deserialize)]
struct Dashboard {
    body: String,
    modified: Timestamp,
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Dashboards {
    dashboards: BTreeMap<String, Dashboard>,
}

impl CloudWatch {
    pub(super) fn put_dashboard(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.required_text("DashboardName")?;
        let body = input.required_text("DashboardBody")?;
        let problem = |message: String| {
            let mut error = ApiError::new(
                400,
                "InvalidParameterInput",
                "The dashboard body is invalid, there are validation errors",
            );
            error.details = json!({"dashboardValidationMessages": [{"DataPath": "/", "Message": message}]});
            error
        };
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(ApiError::new(
                400,
                "InvalidParameterValue",
                format!(
                    "The value {name} for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_)."
                ),
            ));
        }
        let parsed: Map<String, Value> =
            serde_json::from_str(body).map_err(|error| problem(format!("The body is not a JSON object: {error}")))?;
        if !parsed.get("widgets").is_some_and(Value::is_array) {
            return Err(problem("Should have required property 'widgets'".to_owned()));
        }
        let modified = self.context.clock.now();
        self.dashboards.change(|state| {
            state.dashboards.insert(
                name.to_owned(),
                Dashboard {
                    body: body.to_owned(),
                    modified,
                },
            );
            Ok(json!({"DashboardValidationMessages": []}))
        })
    }

    pub(super) fn get_dashboard(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.required_text("DashboardName")?;
        let state = self.dashboards.read();
        let dashboard = state.dashboards.get(name).ok_or_else(|| not_found(name))?;
        Ok(json!({
            "DashboardName": name,
            "DashboardArn": arn(name),
            "DashboardBody": dashboard.body,
        }))
    }

    pub(super) fn list_dashboards(&self, input: &Value) -> Value {
        let prefix = input.text("DashboardNamePrefix").unwrap_or_default();
        let state = self.dashboards.read();
        let entries: Vec<Value> = state
            .dashboards
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, dashboard)| {
                json!({
                    "DashboardName": name,
                    "DashboardArn": arn(name),
                    "LastModified": dashboard.modified.as_second(),
                    "Size": dashboard.body.len(),
                })
            })
            .collect();
        json!({"DashboardEntries": entries})
    }

    pub(super) fn delete_dashboards(&self, input: &Value) -> Result<Value, ApiError> {
        let names = input.texts("DashboardNames");
        self.dashboards.change(|state| {
            if let Some(missing) = names.iter().find(|name| !state.dashboards.contains_key(*name)) {
                return Err(not_found(missing));
            }
            state.dashboards.retain(|name, _| !names.contains(name));
            Ok(json!({}))
        })
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}")
}

fn not_found(name: &str) -> ApiError {
    ApiError::new(404, "ResourceNotFound", format!("Dashboard {name} does not exist"))
}
