//! Live aliases of functions: the weighted alias that everything but REST APIs calls.
//!
//! Facts from the Lambda developer guide: an alias splits between at most two published versions with the same role and
//! the same dead-letter setting, shares are 0.0 to 1.0, and `UpdateAlias` with a `RevisionId` answers 412 when somebody
//! else changed the alias. A function's resource policy does not hold for its aliases; each has its own.
//!
//! Called by the adapter of `Traffic`; the slots' aliases are in `slots`.

use aws_sdk_lambda::types::AliasRoutingConfiguration;
use orchestrator::domain::{
    AliasRevision, AliasRouting, AliasState, EntryKind, FunctionName, FunctionVersion, LiveAlias, ServedEntry,
    VersionSettings,
};
use orchestrator::ports::PortErrorKind;
use serde_json::Value;

use crate::connection::Aws;
use crate::failure::{Failure, failed};
use crate::slots::alias_state;

/// Who calls a function for an HTTP or a WebSocket API.
const API_GATEWAY: &str = "apigateway.amazonaws.com";
/// Who calls a function for a rule; EventBridge Scheduler takes on a role instead and needs no permission here.
const EVENTBRIDGE: &str = "events.amazonaws.com";

impl Aws {
    pub(crate) async fn live_alias(&self, alias: &LiveAlias) -> Result<AliasState, Failure> {
        let resource = alias.resource();
        let found = self
            .lambda()
            .get_alias()
            .function_name(alias.function.as_str())
            .name(alias.alias.as_str())
            .send()
            .await
            .map_err(failed("GetAlias", &resource))?;
        alias_state(
            "GetAlias",
            &resource,
            found.function_version,
            found.revision_id,
            found.routing_config,
        )
    }

    pub(crate) async fn update_live_alias(
        &self,
        alias: &LiveAlias,
        to: &AliasRouting,
        expected: &AliasRevision,
    ) -> Result<AliasState, Failure> {
        let resource = alias.resource();
        let shares = to
            .share
            .iter()
            .map(|share| (share.version.to_string(), share.weight.as_percent() / 100.0));
        let updated = self
            .lambda_once()
            .update_alias()
            .function_name(alias.function.as_str())
            .name(alias.alias.as_str())
            .function_version(to.version.as_str())
            // Left out, the alias would keep the weights it has.
            .routing_config(
                AliasRoutingConfiguration::builder()
                    .set_additional_version_weights(Some(shares.collect()))
                    .build(),
            )
            .revision_id(expected.as_str())
            .send()
            .await
            .map_err(failed("UpdateAlias", &resource))?;
        alias_state(
            "UpdateAlias",
            &resource,
            updated.function_version,
            updated.revision_id,
            updated.routing_config,
        )
    }

    pub(crate) async fn settings_of_version(
        &self,
        function: &FunctionName,
        version: &FunctionVersion,
    ) -> Result<VersionSettings, Failure> {
        let resource = format!("{function}:{version}");
        let found = self.configuration(function.as_str(), Some(version.as_str())).await?;
        Ok(VersionSettings {
            role: found
                .role
                .ok_or_else(|| Failure::incomplete("GetFunctionConfiguration", resource, "Role"))?,
            dead_letter: found
                .dead_letter_config
                .and_then(|config| config.target_arn)
                .filter(|target| !target.is_empty()),
        })
    }

    /// Queues and streams are polled with the function's own role, so only callers by permission are looked at.
    pub(crate) async fn served_without_permission(&self, alias: &LiveAlias) -> Result<Vec<ServedEntry>, Failure> {
        let of_kind = |kinds: &[EntryKind]| -> Vec<ServedEntry> {
            let entries = alias.serves.iter().filter(|entry| kinds.contains(&entry.kind));
            entries.cloned().collect()
        };
        let apis = of_kind(&[EntryKind::HttpApi, EntryKind::WebSocketApi]);
        let schedules = of_kind(&[EntryKind::Schedule]);
        if apis.is_empty() && schedules.is_empty() {
            return Ok(Vec::new());
        }
        let policy = self.policy(&alias.function, Some(alias.alias.as_str())).await?;
        let mut lacking = Vec::new();
        if !permits(&policy, API_GATEWAY) {
            lacking.extend(apis);
        }
        // A rule that may call the function was meant to call it; whether a schedule is a rule cannot be seen here.
        if !schedules.is_empty()
            && !permits(&policy, EVENTBRIDGE)
            && permits(&self.policy(&alias.function, None).await?, EVENTBRIDGE)
        {
            lacking.extend(schedules);
        }
        Ok(lacking)
    }

    /// The resource policy of a function or of one of its aliases; `Null` where it has none.
    async fn policy(&self, function: &FunctionName, alias: Option<&str>) -> Result<Value, Failure> {
        let resource = alias.map_or_else(|| function.to_string(), |alias| format!("{function}:{alias}"));
        let answer = self
            .lambda()
            .get_policy()
            .function_name(function.as_str())
            .set_qualifier(alias.map(str::to_owned))
            .send()
            .await
            .map_err(failed("GetPolicy", &resource));
        let text = match answer {
            Ok(answer) => answer.policy.unwrap_or_default(),
            Err(failure) if failure.kind == PortErrorKind::NotFound => return Ok(Value::Null),
            Err(failure) => return Err(failure),
        };
        serde_json::from_str(&text)
            .map_err(|cause| Failure::invalid("GetPolicy", resource, format!("it is no policy: {cause}")))
    }
}

/// Whether a statement of a resource policy lets the service call. Conditions are not looked at: a permission for
/// another API is taken for one, so that nobody is warned wrongly.
fn permits(policy: &Value, service: &str) -> bool {
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(statement) => std::slice::from_ref(statement),
        None => &[],
    };
    statements.iter().any(|statement| {
        statement.get("Effect").and_then(Value::as_str) == Some("Allow")
            && (names(statement.get("Principal"), "*")
                || names(statement.get("Principal").and_then(|who| who.get("Service")), service)
                || names(statement.get("Principal").and_then(|who| who.get("AWS")), "*"))
            && ["lambda:InvokeFunction", "lambda:*", "*"]
                .iter()
                .any(|action| names(statement.get("Action"), action))
    })
}

/// Whether a member of a statement, which is a text or a list of texts, has this one.
fn names(member: Option<&Value>, text: &str) -> bool {
    match member {
        Some(Value::String(one)) => one == text,
        Some(Value::Array(several)) => several.iter().any(|one| one == text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_permits_a_service_by_its_name() {
        let statement = |effect: &str, principal: Value, action: Value| json!({ "Statement": [{ "Effect": effect, "Principal": principal, "Action": action }] });
        let invoke = json!("lambda:InvokeFunction");
        let api_gateway = json!({ "Service": API_GATEWAY });
        assert!(permits(
            &statement("Allow", api_gateway.clone(), invoke.clone()),
            API_GATEWAY
        ));
        assert!(permits(
            &statement("Allow", json!({ "Service": ["x", API_GATEWAY] }), json!(["lambda:*"])),
            API_GATEWAY
        ));
        assert!(permits(&statement("Allow", json!("*"), invoke.clone()), API_GATEWAY));
        assert!(!permits(
            &statement("Deny", api_gateway.clone(), invoke.clone()),
            API_GATEWAY
        ));
        assert!(!permits(
            &statement("Allow", api_gateway.clone(), json!("lambda:GetFunction")),
            API_GATEWAY
        ));
        assert!(!permits(&statement("Allow", api_gateway, invoke), EVENTBRIDGE));
        assert!(!permits(&Value::Null, API_GATEWAY));
    }
}
