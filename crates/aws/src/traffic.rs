//! The entry points. The live stage: canary, promotion, switch; every change is one `UpdateStage`, sent once. The live
//! aliases are in `live_alias`.

use async_trait::async_trait;
use aws_sdk_apigateway::types::PatchOperation;
use orchestrator::domain::{
    AliasRevision, AliasRouting, AliasState, ApiTarget, ApiTraffic, DeploymentId, FunctionName, FunctionVersion,
    LiveAlias, ServedEntry, Slot, StageTarget, VersionSettings, Weight,
};
use orchestrator::ports::{PortError, Probe, Traffic};

use crate::connection::Aws;
use crate::failure::Failure;
use crate::stage::{COLOR, copy, remove, replace};

#[async_trait]
impl Traffic for Aws {
    async fn observe(&self, api: &ApiTarget) -> Result<ApiTraffic, PortError> {
        Ok(self
            .read_stage(api.rest_api_id.as_str(), api.live_stage.as_str())
            .await?)
    }

    async fn set_canary(
        &self,
        api: &ApiTarget,
        weight: Weight,
        deployment_id: &DeploymentId,
        slot: Slot,
    ) -> Result<(), PortError> {
        let operations = canary_operations(weight, deployment_id, slot);
        Ok(self
            .patch_stage(api.rest_api_id.as_str(), api.live_stage.as_str(), operations)
            .await?)
    }

    async fn promote(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError> {
        let seen = Traffic::observe(self, api).await?;
        let is_that_one = seen
            .canary
            .as_ref()
            .is_some_and(|canary| canary.deployment_id == to.deployment_id);
        if !is_that_one {
            let message = match seen.canary {
                Some(canary) => format!(
                    "its canary is deployment {}, not {}",
                    canary.deployment_id, to.deployment_id
                ),
                None => format!(
                    "it has no canary, so deployment {} cannot be promoted",
                    to.deployment_id
                ),
            };
            return Err(Failure::conflict("UpdateStage", resource(api), message).into());
        }
        Ok(self
            .patch_stage(
                api.rest_api_id.as_str(),
                api.live_stage.as_str(),
                promotion_operations(to.slot),
            )
            .await?)
    }

    async fn clear_canary(&self, api: &ApiTarget) -> Result<(), PortError> {
        if Traffic::observe(self, api).await?.canary.is_none() {
            return Ok(());
        }
        let operations = vec![remove("/canarySettings")];
        Ok(self
            .patch_stage(api.rest_api_id.as_str(), api.live_stage.as_str(), operations)
            .await?)
    }

    async fn switch(&self, api: &ApiTarget, to: &StageTarget) -> Result<(), PortError> {
        let has_canary = Traffic::observe(self, api).await?.canary.is_some();
        let operations = switch_operations(to, has_canary);
        Ok(self
            .patch_stage(api.rest_api_id.as_str(), api.live_stage.as_str(), operations)
            .await?)
    }

    /// Reads back: no answer of API Gateway says which slot gave it.
    async fn probe(&self, api: &ApiTarget, expected: &ApiTraffic) -> Result<Probe, PortError> {
        let seen = Traffic::observe(self, api).await?;
        if seen == *expected {
            return Ok(Probe::InForce);
        }
        Ok(Probe::NotYet { seen: describe(&seen) })
    }

    async fn observe_live_alias(&self, alias: &LiveAlias) -> Result<AliasState, PortError> {
        Ok(self.live_alias(alias).await?)
    }

    async fn route_live_alias(
        &self,
        alias: &LiveAlias,
        to: &AliasRouting,
        expected: &AliasRevision,
    ) -> Result<AliasState, PortError> {
        Ok(self.update_live_alias(alias, to, expected).await?)
    }

    async fn version_settings(
        &self,
        function: &FunctionName,
        version: &FunctionVersion,
    ) -> Result<VersionSettings, PortError> {
        Ok(self.settings_of_version(function, version).await?)
    }

    async fn not_permitted(&self, alias: &LiveAlias) -> Result<Vec<ServedEntry>, PortError> {
        Ok(self.served_without_permission(alias).await?)
    }
}

fn resource(api: &ApiTarget) -> String {
    format!("{}/{}", api.rest_api_id, api.live_stage)
}

fn canary_operations(weight: Weight, deployment_id: &DeploymentId, slot: Slot) -> Vec<PatchOperation> {
    vec![
        replace("/canarySettings/percentTraffic", weight.as_percent().to_string()),
        replace("/canarySettings/deploymentId", deployment_id.as_str()),
        replace(
            &format!("/canarySettings/stageVariableOverrides/{COLOR}"),
            slot.as_str(),
        ),
        // A cached answer of the other slot would hide what the new one does.
        replace("/canarySettings/useStageCache", "false"),
    ]
}

/// `copy` fails where the canary has gone meanwhile, and then none of the operations is applied.
fn promotion_operations(slot: Slot) -> Vec<PatchOperation> {
    vec![
        copy("/canarySettings/deploymentId", "/deploymentId"),
        replace(&format!("/variables/{COLOR}"), slot.as_str()),
        remove("/canarySettings"),
    ]
}

fn switch_operations(to: &StageTarget, has_canary: bool) -> Vec<PatchOperation> {
    let mut operations = vec![
        replace("/deploymentId", to.deployment_id.as_str()),
        replace(&format!("/variables/{COLOR}"), to.slot.as_str()),
    ];
    if has_canary {
        operations.push(remove("/canarySettings"));
    }
    operations
}

fn describe(seen: &ApiTraffic) -> String {
    let slot = |slot: Option<Slot>| slot.map_or("no slot", Slot::as_str);
    let mut text = format!("deployment {} in {}", seen.deployment_id, slot(seen.slot));
    if let Some(canary) = &seen.canary {
        text += &format!(
            ", {} to deployment {} in {}",
            canary.weight,
            canary.deployment_id,
            slot(canary.slot)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(operations: &[PatchOperation]) -> Vec<String> {
        operations
            .iter()
            .map(|one| {
                let op = one.op().map_or("", |op| op.as_str());
                let value = one.value().or(one.from()).unwrap_or_default();
                format!("{op} {} {value}", one.path().unwrap_or_default())
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn patch_operations_are_those_of_the_service() {
        let green = StageTarget {
            deployment_id: "d2".into(),
            slot: Slot::Green,
        };
        let weight = Weight::from_percent(12.5).unwrap();
        assert_eq!(
            lines(&canary_operations(weight, &green.deployment_id, Slot::Green)),
            [
                "replace /canarySettings/percentTraffic 12.5",
                "replace /canarySettings/deploymentId d2",
                "replace /canarySettings/stageVariableOverrides/color green",
                "replace /canarySettings/useStageCache false",
            ]
        );
        assert_eq!(
            lines(&promotion_operations(Slot::Green)),
            [
                "copy /deploymentId /canarySettings/deploymentId",
                "replace /variables/color green",
                "remove /canarySettings",
            ]
        );
        assert_eq!(
            lines(&switch_operations(&green, false)),
            ["replace /deploymentId d2", "replace /variables/color green"]
        );
        assert_eq!(
            lines(&switch_operations(&green, true)).last().unwrap(),
            "remove /canarySettings"
        );
    }
}
