//! Fills the idle slot: versions, aliases, API deployments and preview stages.

use super::effects::{impossible, target};
use super::run::{EffectFailure, Hands, may_have_happened};
use crate::domain::{
    ApiDeployment, ApiTarget, DeploymentId, FunctionName, FunctionVersion, Release, ReleaseState, Slot, StageTarget,
};
use crate::ports::{PortError, PortErrorKind};
use crate::rollout::{Event, Goal, State};

impl Hands<'_> {
    pub(super) async fn release(&self, state: &State, slot: Slot) -> Result<Event, EffectFailure> {
        let live = state
            .facts
            .live
            .as_ref()
            .ok_or_else(|| impossible("what is live is not known"))?;
        if slot == live.slot {
            return Err(impossible("the live slot is never released to").into());
        }
        let release = match &state.plan.goal {
            Goal::Deploy {
                release,
                tag,
                client_token,
                hotfix: _,
            } => {
                let deployed = state
                    .facts
                    .deployed
                    .as_ref()
                    .ok_or_else(|| impossible("nothing was deployed"))?;
                let mut functions = Vec::new();
                for function in &deployed.target.functions {
                    let description = format!("release {release} ({tag})");
                    functions.push(
                        self.change(|| self.rollouts.ports.slots.publish(function, &description))
                            .await?,
                    );
                }
                let mut apis = Vec::new();
                for api in &deployed.target.apis {
                    let deployment_id = self
                        .change(|| self.rollouts.ports.slots.deploy_api(api, client_token))
                        .await?;
                    apis.push(ApiDeployment {
                        rest_api_id: api.rest_api_id.clone(),
                        deployment_id,
                    });
                }
                Release {
                    number: *release,
                    tag: tag.clone(),
                    functions,
                    apis,
                    slot,
                    template_digest: deployed.template_digest.clone(),
                    schema_version: state.facts.schema_version.clone(),
                    created_at: self.now(),
                    previous: Some(live.number),
                    state: ReleaseState::Candidate,
                    retained_until: None,
                }
            }
            Goal::Rollback { to, .. } => Release { slot, ..(**to).clone() },
        };
        for function in &release.functions {
            self.point_alias(&function.name, slot, &function.version).await?;
        }
        for api in &target(state)?.apis {
            let deployment_id = release
                .deployment(&api.rest_api_id)
                .ok_or_else(|| missing_api(api, &release))?;
            self.point_preview(api, slot, deployment_id).await?;
        }
        Ok(Event::Released { release })
    }

    /// Points the alias at the version and reads it back. Each attempt observes first, so a lost response is seen.
    pub(super) async fn point_alias(
        &self,
        function: &FunctionName,
        slot: Slot,
        version: &FunctionVersion,
    ) -> Result<(), EffectFailure> {
        let slots = &self.rollouts.ports.slots;
        let attempts = self.rollouts.config.convergence.attempts.max(1);
        let mut last = impossible("an alias is pointed at least once");
        for attempt in 1..=attempts {
            let seen = self.retry(|| slots.observe_alias(function, slot)).await?;
            if &seen.version == version && seen.weights.is_empty() {
                return Ok(());
            }
            self.may_change().await?;
            match slots.point_alias(function, slot, version, &seen.revision).await {
                Ok(now) if &now.version == version && now.weights.is_empty() => return Ok(()),
                Ok(now) => {
                    last = PortError::new(
                        PortErrorKind::Conflict,
                        "pointing the alias",
                        format!("{function}:{slot}"),
                        format!("it was pointed at version {version} and reads back as {}", now.version),
                    );
                }
                Err(error) if may_have_happened(&error) => last = error,
                Err(error) => return Err(error.into()),
            }
            if attempt < attempts {
                self.back_off(&last, attempt).await;
            }
        }
        Err(last.into())
    }

    pub(super) async fn point_preview(
        &self,
        api: &ApiTarget,
        slot: Slot,
        deployment_id: &DeploymentId,
    ) -> Result<(), EffectFailure> {
        let slots = &self.rollouts.ports.slots;
        let to = StageTarget {
            deployment_id: deployment_id.clone(),
            slot,
        };
        let attempts = self.rollouts.config.convergence.attempts.max(1);
        let mut last = PortError::new(
            PortErrorKind::Conflict,
            "pointing the preview stage",
            format!("{} {slot}", api.name),
            format!("it does not read back as deployment {deployment_id}"),
        );
        for attempt in 1..=attempts {
            let seen = self.retry(|| slots.observe_preview(api, slot)).await?;
            if seen.settled().as_ref() == Some(&to) {
                return Ok(());
            }
            self.may_change().await?;
            match slots.point_preview(api, &to).await {
                Ok(()) => {
                    let seen = self.retry(|| slots.observe_preview(api, slot)).await?;
                    if seen.settled().as_ref() == Some(&to) {
                        return Ok(());
                    }
                }
                Err(error) if may_have_happened(&error) => last = error,
                Err(error) => return Err(error.into()),
            }
            if attempt < attempts {
                self.back_off(&last, attempt).await;
            }
        }
        Err(last.into())
    }
}

pub(super) fn missing_api(api: &ApiTarget, release: &Release) -> PortError {
    PortError::new(
        PortErrorKind::Invalid,
        "finding the deployment",
        format!("{} ({})", api.name, api.rest_api_id),
        format!("release {} does not hold this API: it was added later", release.number),
    )
}
