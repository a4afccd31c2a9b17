//! The two slots: versions and aliases of functions, deployments and preview stages of APIs.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, LastUpdateStatus, State};
use aws_smithy_types::Blob;
use aws_smithy_types::timeout::TimeoutConfig;
use jiff::SignedDuration;
use orchestrator::domain::{
    AliasRevision, AliasState, ApiTarget, ApiTraffic, DeploymentId, FunctionName, FunctionVersion, ReleasedFunction,
    Slot, StageTarget, Weight,
};
use orchestrator::ports::{Invocation, PortError, PortErrorKind, Removal, Slots};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::connection::Aws;
use crate::failure::{Failure, failed};
use crate::stage::{COLOR, replace};

/// A function in a VPC gets its network interfaces within this time.
const READY_LIMIT: Duration = Duration::from_secs(5 * 60);
/// API Gateway itself waits 29 s for a function; one that takes longer on an empty request would not be served.
const INVOKE_LIMIT: Duration = Duration::from_secs(60);
/// An API keeps at most 300 deployments, and a page holds up to 500.
const DEPLOYMENT_PAGE_LIMIT: usize = 10;

/// How the description of everything begins that a rollout makes. A version or deployment without it is the stack's.
const OURS: &str = "llama-deploy ";

#[async_trait]
impl Slots for Aws {
    async fn publish(&self, function: &FunctionName, description: &str) -> Result<ReleasedFunction, PortError> {
        let name = function.as_str();
        let latest = self.ready_configuration(name, None).await?;
        let published = self
            .lambda_once()
            .publish_version()
            .function_name(name)
            .description(format!("{OURS}{description}"))
            // What was read is what gets published, or nothing.
            .set_code_sha256(latest.code_sha256)
            .set_revision_id(latest.revision_id)
            .send()
            .await
            .map_err(failed("PublishVersion", name))?;
        let incomplete = |member| Failure::incomplete("PublishVersion", name, member);
        let version = published.version.ok_or_else(|| incomplete("Version"))?;
        let code_sha256 = published.code_sha256.ok_or_else(|| incomplete("CodeSha256"))?;
        self.ready_configuration(name, Some(&version)).await?;
        Ok(ReleasedFunction {
            name: function.clone(),
            version: FunctionVersion::new(version),
            code_sha256,
        })
    }

    async fn observe_alias(&self, function: &FunctionName, slot: Slot) -> Result<AliasState, PortError> {
        let resource = format!("{function}:{slot}");
        let alias = self
            .lambda()
            .get_alias()
            .function_name(function.as_str())
            .name(slot.as_str())
            .send()
            .await
            .map_err(failed("GetAlias", &resource))?;
        Ok(alias_state(
            "GetAlias",
            &resource,
            alias.function_version,
            alias.revision_id,
            alias.routing_config,
        )?)
    }

    async fn observe_version(
        &self,
        function: &FunctionName,
        version: &FunctionVersion,
    ) -> Result<ReleasedFunction, PortError> {
        let found = self.configuration(function.as_str(), Some(version.as_str())).await?;
        let resource = format!("{function}:{version}");
        Ok(ReleasedFunction {
            name: function.clone(),
            version: version.clone(),
            code_sha256: found
                .code_sha256
                .ok_or_else(|| Failure::incomplete("GetFunctionConfiguration", resource, "CodeSha256"))?,
        })
    }

    async fn point_alias(
        &self,
        function: &FunctionName,
        slot: Slot,
        version: &FunctionVersion,
        expected: &AliasRevision,
    ) -> Result<AliasState, PortError> {
        let resource = format!("{function}:{slot}");
        let alias = self
            .lambda_once()
            .update_alias()
            .function_name(function.as_str())
            .name(slot.as_str())
            .function_version(version.as_str())
            // Left out, the alias would keep the weights it has.
            .routing_config(
                AliasRoutingConfiguration::builder()
                    .set_additional_version_weights(Some(Default::default()))
                    .build(),
            )
            .revision_id(expected.as_str())
            .send()
            .await
            .map_err(failed("UpdateAlias", &resource))?;
        Ok(alias_state(
            "UpdateAlias",
            &resource,
            alias.function_version,
            alias.revision_id,
            alias.routing_config,
        )?)
    }

    async fn deploy_api(&self, api: &ApiTarget, client_token: &str) -> Result<DeploymentId, PortError> {
        let id = api.rest_api_id.as_str();
        let description = format!("{OURS}{client_token}");
        if let Some(found) = self.find_deployment(id, &description).await? {
            return Ok(found);
        }
        let made = self
            .apigateway_once()
            .create_deployment()
            .rest_api_id(id)
            .description(&description)
            .send()
            .await
            .map_err(failed("CreateDeployment", id))?;
        let made = made
            .id
            .ok_or_else(|| Failure::incomplete("CreateDeployment", id, "id"))?;
        Ok(DeploymentId::new(made))
    }

    async fn observe_preview(&self, api: &ApiTarget, slot: Slot) -> Result<ApiTraffic, PortError> {
        Ok(self
            .read_stage(api.rest_api_id.as_str(), api.preview_stages.get(slot).as_str())
            .await?)
    }

    async fn point_preview(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError> {
        let operations = vec![
            replace("/deploymentId", to.deployment_id.as_str()),
            replace(&format!("/variables/{COLOR}"), to.slot.as_str()),
        ];
        let stage = api.preview_stages.get(to.slot);
        Ok(self
            .patch_stage(api.rest_api_id.as_str(), stage.as_str(), operations)
            .await?)
    }

    async fn delete_version(&self, function: &FunctionName, version: &FunctionVersion) -> Result<Removal, PortError> {
        let resource = format!("{function}:{version}");
        let found = match self.configuration(function.as_str(), Some(version.as_str())).await {
            Err(failure) if failure.kind == PortErrorKind::NotFound => return Ok(Removal::Gone),
            found => found?,
        };
        if !found.description.is_some_and(|text| text.starts_with(OURS)) {
            return Ok(Removal::NotOurs);
        }
        let deleted = self
            .lambda_once()
            .delete_function()
            .function_name(function.as_str())
            .qualifier(version.as_str())
            .send()
            .await
            .map_err(failed("DeleteFunction", resource));
        gone(deleted.map(drop))
    }

    async fn delete_deployment(&self, api: &ApiTarget, deployment_id: &DeploymentId) -> Result<Removal, PortError> {
        let id = api.rest_api_id.as_str();
        let resource = format!("{id}/{deployment_id}");
        let found = self
            .apigateway()
            .get_deployment()
            .rest_api_id(id)
            .deployment_id(deployment_id.as_str())
            .send()
            .await
            .map_err(failed("GetDeployment", &resource));
        let found = match found {
            Err(failure) if failure.kind == PortErrorKind::NotFound => return Ok(Removal::Gone),
            found => found?,
        };
        if !found.description.is_some_and(|text| text.starts_with(OURS)) {
            return Ok(Removal::NotOurs);
        }
        let deleted = self
            .apigateway_once()
            .delete_deployment()
            .rest_api_id(id)
            .deployment_id(deployment_id.as_str())
            .send()
            .await
            .map_err(failed("DeleteDeployment", &resource));
        match gone(deleted.map(drop)) {
            // API Gateway answers a bad request: "Active stages pointing to this deployment must be moved or deleted".
            Err(error) if error.message.contains("Active stages") => Err(PortError {
                kind: PortErrorKind::Conflict,
                ..error
            }),
            result => result,
        }
    }

    async fn invoke(&self, function: &FunctionName, slot: Slot) -> Result<Invocation, PortError> {
        let begun = Instant::now();
        let answer = self
            .lambda_once()
            .invoke()
            .function_name(function.as_str())
            .qualifier(slot.as_str())
            .payload(Blob::new(empty_request(function).to_string()))
            .customize()
            .config_override(
                aws_sdk_lambda::config::Builder::new()
                    .timeout_config(TimeoutConfig::builder().read_timeout(INVOKE_LIMIT).build()),
            )
            .send()
            .await
            .map_err(failed("Invoke", format!("{function}:{slot}")));
        let elapsed = begun.elapsed();
        let duration = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
        match answer {
            Ok(answer) => Ok(Invocation {
                executed_version: answer.executed_version.map(FunctionVersion::new),
                failure: answer
                    .function_error
                    .and_then(|_| verdict(answer.payload.as_ref().map(Blob::as_ref))),
                duration,
            }),
            Err(failure) if failure.kind == PortErrorKind::Ambiguous && elapsed >= INVOKE_LIMIT => Ok(Invocation {
                executed_version: None,
                failure: Some(format!("no answer within {} s", INVOKE_LIMIT.as_secs())),
                duration,
            }),
            Err(failure) => Err(failure.into()),
        }
    }
}

fn gone(deleted: Result<(), Failure>) -> Result<Removal, PortError> {
    match deleted {
        Err(failure) if failure.kind != PortErrorKind::NotFound => Err(failure.into()),
        _ => Ok(Removal::Gone),
    }
}

impl Aws {
    pub(crate) async fn configuration(
        &self,
        function: &str,
        version: Option<&str>,
    ) -> Result<GetFunctionConfigurationOutput, Failure> {
        let resource = version.map_or_else(|| function.to_owned(), |version| format!("{function}:{version}"));
        self.lambda()
            .get_function_configuration()
            .function_name(function)
            .set_qualifier(version.map(str::to_owned))
            .send()
            .await
            .map_err(failed("GetFunctionConfiguration", resource))
    }

    /// Waits while Lambda still works on the function; a version of a function that is being updated would hold the
    /// code from before, or be refused.
    async fn ready_configuration(
        &self,
        function: &str,
        version: Option<&str>,
    ) -> Result<GetFunctionConfigurationOutput, Failure> {
        let begun = Instant::now();
        loop {
            let found = self.configuration(function, version).await?;
            let pending =
                found.state == Some(State::Pending) || found.last_update_status == Some(LastUpdateStatus::InProgress);
            if found.state == Some(State::Failed) || found.last_update_status == Some(LastUpdateStatus::Failed) {
                let reason = found
                    .state_reason
                    .or(found.last_update_status_reason)
                    .unwrap_or_default();
                let message = format!("Lambda could not make it ready: {reason}");
                return Err(Failure::invalid("GetFunctionConfiguration", function, message));
            }
            if !pending {
                return Ok(found);
            }
            if begun.elapsed() > READY_LIMIT {
                let message = format!("it is still being updated after {} s", READY_LIMIT.as_secs());
                return Err(Failure::conflict("GetFunctionConfiguration", function, message));
            }
            tokio::time::sleep(self.poll_interval()).await;
        }
    }

    async fn find_deployment(&self, rest_api_id: &str, description: &str) -> Result<Option<DeploymentId>, Failure> {
        let mut position = None;
        for _ in 0..DEPLOYMENT_PAGE_LIMIT {
            let page = self
                .apigateway()
                .get_deployments()
                .rest_api_id(rest_api_id)
                .limit(500)
                .set_position(position)
                .send()
                .await
                .map_err(failed("GetDeployments", rest_api_id))?;
            let found = page
                .items
                .unwrap_or_default()
                .into_iter()
                .find(|deployment| deployment.description.as_deref() == Some(description));
            if let Some(id) = found.and_then(|deployment| deployment.id) {
                return Ok(Some(DeploymentId::new(id)));
            }
            position = page.position.filter(|position| !position.is_empty());
            if position.is_none() {
                return Ok(None);
            }
        }
        let message = format!("more than {DEPLOYMENT_PAGE_LIMIT} pages");
        Err(Failure::ambiguous("GetDeployments", rest_api_id, message))
    }
}

pub(crate) fn alias_state(
    operation: &'static str,
    resource: &str,
    version: Option<String>,
    revision: Option<String>,
    routing: Option<AliasRoutingConfiguration>,
) -> Result<AliasState, Failure> {
    let weights = routing
        .and_then(|routing| routing.additional_version_weights)
        .unwrap_or_default()
        .into_iter()
        .map(|(version, share)| {
            // Lambda counts from 0 to 1.
            let weight = Weight::from_percent(share * 100.0)
                .map_err(|error| Failure::ambiguous(operation, resource, error.to_string()))?;
            Ok((FunctionVersion::new(version), weight))
        })
        .collect::<Result<BTreeMap<_, _>, Failure>>()?;
    Ok(AliasState {
        version: version
            .map(FunctionVersion::new)
            .ok_or_else(|| Failure::incomplete(operation, resource, "FunctionVersion"))?,
        revision: revision
            .map(AliasRevision::new)
            .ok_or_else(|| Failure::incomplete(operation, resource, "RevisionId"))?,
        weights,
    })
}

/// An event that API handlers and token authorizers both understand and that asks for nothing: most functions answer
/// it without an error, which keeps the slot's error metric clean.
fn empty_request(function: &FunctionName) -> Value {
    json!({
        "resource": "/",
        "path": "/",
        "httpMethod": "GET",
        "headers": { "user-agent": "llama-deploy" },
        "multiValueHeaders": { "user-agent": ["llama-deploy"] },
        "queryStringParameters": null,
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "resourcePath": "/",
            "httpMethod": "GET",
            "path": "/",
            "stage": "llama-deploy",
            "requestId": "llama-deploy",
            "identity": { "sourceIp": "127.0.0.1", "userAgent": "llama-deploy" },
        },
        "body": null,
        "isBase64Encoded": false,
        "type": "TOKEN",
        "authorizationToken": "",
        "methodArn": format!("arn:aws:execute-api:::{function}/llama-deploy/GET/"),
    })
}

/// Whether the error of a call shows that the function cannot run. A handler that refuses the event ran; a runtime
/// that could not start it, or that died or timed out, says so by its error type (`Runtime.ExitError`,
/// `Sandbox.Timedout`, `Extension.Crash`).
fn verdict(payload: Option<&[u8]>) -> Option<String> {
    let report: Value = payload
        .and_then(|payload| serde_json::from_slice(payload).ok())
        .unwrap_or_default();
    let text = |member: &str| report.get(member).and_then(Value::as_str).unwrap_or_default();
    let (kind, message) = (text("errorType"), text("errorMessage"));
    let cannot_run = ["Runtime.", "Sandbox.", "Extension."]
        .iter()
        .any(|prefix| kind.starts_with(prefix))
        || message.contains("Task timed out")
        || (kind.is_empty() && message.is_empty());
    if !cannot_run {
        return None;
    }
    let line = [kind, message]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(": ");
    let line = line.lines().next().unwrap_or_default();
    Some(if line.is_empty() {
        "it failed and did not say why".to_owned()
    } else {
        line.chars().take(300).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_event_is_no_failure_and_a_dead_runtime_is() {
        let judge = |payload: &str| verdict(Some(payload.as_bytes()));
        assert_eq!(judge(r#"{"errorType":"KeyError","errorMessage":"'protocolId'"}"#), None);
        assert_eq!(
            judge(r#"{"errorType":"Runtime.ExitError","errorMessage":"Error: Runtime exited\nmore"}"#).unwrap(),
            "Runtime.ExitError: Error: Runtime exited"
        );
        assert!(judge(r#"{"errorMessage":"2026-01-01 Task timed out after 3.00 seconds"}"#).is_some());
        assert!(verdict(None).is_some());
    }

    #[test]
    fn alias_weights_are_shares_of_one() {
        let routing = AliasRoutingConfiguration::builder()
            .additional_version_weights("3", 0.1)
            .build();
        let state = alias_state(
            "GetAlias",
            "f:blue",
            Some("2".to_owned()),
            Some("r".to_owned()),
            Some(routing),
        )
        .unwrap();
        assert_eq!(
            state.weights[&FunctionVersion::new("3")],
            Weight::from_percent(10.0).unwrap()
        );
        let lacking = alias_state("GetAlias", "f:blue", Some("2".to_owned()), None, None).unwrap_err();
        assert!(lacking.to_string().contains("RevisionId"));
    }
}
