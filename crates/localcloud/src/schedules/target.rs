//! What a schedule calls, and with what.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Firing, Schedules, Source};
use crate::context::ACCOUNT;
use crate::identity;
use crate::members::Members;
use crate::service::ApiError;
use crate::sink::{Invocation, Observation};

impl Schedules {
    /// Calls every target, and says how each ended. A weighted alias chooses a version for this call.
    pub(super) async fn fire(&self, firing: &Firing) -> Vec<Value> {
        let event = self.event(firing);
        if firing.source == Source::Rule {
            self.record(firing, &[("TriggeredRules", 1.0)]);
        }
        let mut outcomes = Vec::with_capacity(firing.targets.len());
        for target in &firing.targets {
            let arn = target.text("Arn").unwrap_or_default();
            let outcome = self.call(firing, target, arn, &event).await;
            let failed = f64::from(u8::from(outcome.is_err()));
            match firing.source {
                Source::Rule => self.record(firing, &[("Invocations", 1.0), ("FailedInvocations", failed)]),
                Source::Scheduler => {
                    self.record(firing, &[("InvocationAttemptCount", 1.0), ("TargetErrorCount", failed)]);
                }
            }
            outcomes.push(match outcome {
                Ok(invocation) => json!({
                    "target": arn,
                    "executedVersion": invocation.executed_version,
                    "functionError": invocation.function_error,
                }),
                Err(error) => {
                    tracing::warn!(%error, schedule = firing.arn, target = arn, "a schedule could not call its target");
                    json!({"target": arn, "error": error.to_string()})
                }
            });
        }
        outcomes
    }

    async fn call(&self, firing: &Firing, target: &Value, arn: &str, event: &Value) -> Result<Invocation, ApiError> {
        let parts: Vec<&str> = arn.split(':').collect();
        let (name, qualifier) = match parts.as_slice() {
            ["arn", _, "lambda", _, _, "function", name] => (*name, None),
            ["arn", _, "lambda", _, _, "function", name, qualifier] => (*name, Some(*qualifier)),
            _ => {
                let message = "The embedded cloud's schedules call functions only.";
                return Err(ApiError::new(400, "UnsupportedTarget", message));
            }
        };
        // A schedule has a role of its own, whose rights nobody judges here; a rule needs the function's permission.
        let permitted = firing.source == Source::Scheduler
            || self
                .functions
                .permits(name, qualifier, "events.amazonaws.com", &firing.arn);
        if !permitted {
            let message = format!("{arn} has no permission for events.amazonaws.com and {}", firing.arn);
            return Err(ApiError::new(403, "AccessDeniedException", message));
        }
        let payload = payload(firing, target, event);
        self.functions.invoke(name, qualifier, Bytes::from(payload)).await
    }

    /// EventBridge User Guide, "Scheduled events"; EventBridge Scheduler's has the detail as a text.
    fn event(&self, firing: &Firing) -> Value {
        let (source, detail) = match firing.source {
            Source::Rule => ("aws.events", json!({})),
            Source::Scheduler => ("aws.scheduler", json!("{}")),
        };
        json!({
            "version": "0",
            "id": identity::uuid(),
            "detail-type": "Scheduled Event",
            "source": source,
            "account": ACCOUNT,
            "time": firing.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": self.context.region,
            "resources": [firing.arn],
            "detail": detail,
        })
    }

    fn record(&self, firing: &Firing, metrics: &[(&str, f64)]) {
        let (namespace, dimension) = match firing.source {
            Source::Rule => ("AWS/Events", "RuleName"),
            Source::Scheduler => ("AWS/Scheduler", "ScheduleGroup"),
        };
        let observations = metrics.iter().map(|(metric_name, value)| Observation {
            namespace: namespace.to_owned(),
            metric_name: (*metric_name).to_owned(),
            dimensions: vec![(dimension.to_owned(), firing.name.clone())],
            value: *value,
            unit: "Count".to_owned(),
            timestamp: self.now(),
        });
        self.metrics.record(observations.collect());
    }
}

/// What the target wants to get: a text of its own, a part of the event, a template over it, or the event.
fn payload(firing: &Firing, target: &Value, event: &Value) -> String {
    if let Some(input) = target.text("Input").filter(|input| !input.is_empty()) {
        return match firing.source {
            Source::Rule => input.to_owned(),
            // User Guide, "Adding context attributes in EventBridge Scheduler".
            Source::Scheduler => input
                .replace("<aws.scheduler.schedule-arn>", &firing.arn)
                .replace("<aws.scheduler.scheduled-time>", event.text("time").unwrap_or_default())
                .replace("<aws.scheduler.execution-id>", event.text("id").unwrap_or_default())
                .replace("<aws.scheduler.attempt-number>", "1"),
        };
    }
    if let Some(path) = target.text("InputPath") {
        return at(event, path).unwrap_or(&Value::Null).to_string();
    }
    if let Some(transformer) = target.member("InputTransformer") {
        let mut text = transformer.text("InputTemplate").unwrap_or_default().to_owned();
        let paths = transformer
            .get("InputPathsMap")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        for (name, path) in paths {
            let value = path.as_str().and_then(|path| at(event, path));
            let value = match value {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            };
            text = text.replace(&format!("<{name}>"), &value);
        }
        return text;
    }
    event.to_string()
}

/// `$.detail.x`, `$.resources[0]`
fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    let path = path.strip_prefix('$')?.replace('[', ".").replace(']', "");
    path.split('.')
        .filter(|part| !part.is_empty())
        .try_fold(event, |value, part| match value {
            Value::Array(entries) => entries.get(part.parse::<usize>().ok()?),
            other => other.get(part),
        })
}
