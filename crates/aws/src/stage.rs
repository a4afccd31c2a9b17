//! API Gateway stages: reading one, and changing it by patch operations. Shared by the slots' preview stages and the
//! live stage.
//!
//! Variables are always written explicitly: whether a `copy` of the canary's overrides merges or replaces is not
//! documented.

use std::collections::BTreeMap;

use aws_sdk_apigateway::types::{Op, PatchOperation};
use orchestrator::domain::{ApiTraffic, Canary, DeploymentId, Slot, Weight};

use crate::connection::Aws;
use crate::failure::{Failure, failed};

/// The stage variable that names the slot.
pub(crate) const COLOR: &str = "color";

pub(crate) fn replace(path: &str, value: impl Into<String>) -> PatchOperation {
    PatchOperation::builder()
        .op(Op::Replace)
        .path(path)
        .value(value)
        .build()
}

pub(crate) fn remove(path: &str) -> PatchOperation {
    PatchOperation::builder().op(Op::Remove).path(path).build()
}

pub(crate) fn copy(from: &str, path: &str) -> PatchOperation {
    PatchOperation::builder().op(Op::Copy).from(from).path(path).build()
}

impl Aws {
    pub(crate) async fn read_stage(&self, rest_api_id: &str, stage: &str) -> Result<ApiTraffic, Failure> {
        let resource = format!("{rest_api_id}/{stage}");
        let found = self
            .apigateway()
            .get_stage()
            .rest_api_id(rest_api_id)
            .stage_name(stage)
            .send()
            .await
            .map_err(failed("GetStage", &resource))?;
        let deployment_id = found
            .deployment_id
            .ok_or_else(|| Failure::incomplete("GetStage", &resource, "deploymentId"))?;
        let variables: BTreeMap<String, String> = found.variables.unwrap_or_default().into_iter().collect();
        let canary = match found.canary_settings {
            Some(settings) => Some(Canary {
                weight: Weight::from_percent(settings.percent_traffic)
                    .map_err(|error| Failure::ambiguous("GetStage", &resource, error.to_string()))?,
                // A canary that was set without a deployment runs the stage's own.
                deployment_id: DeploymentId::new(settings.deployment_id.unwrap_or_else(|| deployment_id.clone())),
                slot: settings
                    .stage_variable_overrides
                    .and_then(|overrides| overrides.get(COLOR).and_then(|color| Slot::parse(color))),
            }),
            None => None,
        };
        Ok(ApiTraffic {
            deployment_id: DeploymentId::new(deployment_id),
            slot: variables.get(COLOR).and_then(|color| Slot::parse(color)),
            canary,
            variables,
        })
    }

    /// All operations in one call: API Gateway applies all of them or none.
    pub(crate) async fn patch_stage(
        &self,
        rest_api_id: &str,
        stage: &str,
        operations: Vec<PatchOperation>,
    ) -> Result<(), Failure> {
        self.apigateway_once()
            .update_stage()
            .rest_api_id(rest_api_id)
            .stage_name(stage)
            .set_patch_operations(Some(operations))
            .send()
            .await
            .map_err(failed("UpdateStage", format!("{rest_api_id}/{stage}")))?;
        Ok(())
    }
}
