//! Fills the idle slot: versions, aliases, API deployments and preview stages.

use futures::future::join_all;

use super::effects::{impossible, target};
use super::run::{EffectFailure, Hands, looked_too_long, may_have_happened};
use crate::domain::{
    ApiDeployment, ApiTarget, DeploymentId, FunctionName, FunctionVersion, Release, ReleaseState, ReleasedFunction,
    RolloutTarget, Slot, StageTarget,
};
use crate::ports::{PortError, PortErrorKind};
use crate::rollout::{Event, Goal, LiveRelease, State};

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
                    contracts: state.facts.contracts.clone(),
                    created_at: self.now(),
                    previous: Some(live.number),
                    state: ReleaseState::Candidate,
                    retained_until: None,
                }
            }
            Goal::Rollback { to, .. } => Release { slot, ..(**to).clone() },
        };
        for function in &release.functions {
            self.point_alias(&function.name, slot, &function.version, (live, target(state)?))
                .await?;
        }
        for api in &target(state)?.apis {
            let deployment_id = release
                .deployment(&api.rest_api_id)
                .ok_or_else(|| missing_api(api, &release))?;
            self.point_preview(api, slot, deployment_id).await?;
        }
        // A plan without steps divides nothing.
        if !state.plan.steps.is_empty() {
            self.check_live_aliases(live, &release, target(state)?).await?;
        }
        Ok(Event::Released { release })
    }

    /// The aliases of the release's slot are at its versions. `role` says whose versions they are to be.
    pub(super) async fn verify_slot(
        &self,
        release: &Release,
        target: &RolloutTarget,
        role: &str,
    ) -> Result<(), EffectFailure> {
        let released = release
            .functions
            .iter()
            .filter(|released| target.functions.contains(&released.name));
        self.together(released.map(|released| self.verify_slot_alias(release, released, role)))
            .await
    }

    /// The aliases of the candidate's slot are at its versions, as far as one look can tell.
    pub(super) async fn candidate_looks_released(&self, state: &State) -> bool {
        let (Some(candidate), Ok(target)) = (&state.facts.candidate, target(state)) else {
            return true;
        };
        let released = candidate
            .functions
            .iter()
            .filter(|released| target.functions.contains(&released.name));
        let slots = &self.rollouts.ports.slots;
        let looks = released.map(|released| async move {
            match slots.observe_alias(&released.name, candidate.slot).await {
                Ok(alias) => alias.version == released.version && alias.weights.is_empty(),
                Err(_) => true,
            }
        });
        join_all(looks).await.into_iter().all(|as_set| as_set)
    }

    async fn verify_slot_alias(
        &self,
        release: &Release,
        released: &ReleasedFunction,
        role: &str,
    ) -> Result<(), EffectFailure> {
        let (name, slot) = (&released.name, release.slot);
        let attempts = self.rollouts.config.convergence.attempts.max(1);
        let mut attempt = 1;
        loop {
            let alias = self
                .retry(|| self.rollouts.ports.slots.observe_alias(name, slot))
                .await?;
            if alias.version == released.version && alias.weights.is_empty() {
                return Ok(());
            }
            let found = format!(
                "alias {name}:{slot} is at version {}{}, {role} {} holds version {}",
                alias.version,
                if alias.weights.is_empty() { "" } else { " with weights" },
                release.number,
                released.version
            );
            if attempt >= attempts {
                return Err(EffectFailure::Foreign { found, proven: false });
            }
            // It may be a late view. The waits do not grow, because gates may be waiting.
            let late = PortError::new(PortErrorKind::Conflict, "observing", format!("{name}:{slot}"), found);
            self.back_off(&late, 1).await;
            attempt += 1;
        }
    }

    /// Points the alias at the version and reads it back. Each attempt observes first, so a lost response is seen; and it
    /// sees that `live` has the live traffic, because somebody may have moved that into this slot.
    pub(super) async fn point_alias(
        &self,
        function: &FunctionName,
        slot: Slot,
        version: &FunctionVersion,
        (live, target): (&LiveRelease, &RolloutTarget),
    ) -> Result<(), EffectFailure> {
        let slots = &self.rollouts.ports.slots;
        let attempts = self.rollouts.config.convergence.attempts.max(1);
        let mut last = impossible("an alias is pointed at least once");
        for attempt in 1..=attempts {
            let seen = self.retry(|| slots.observe_alias(function, slot)).await?;
            if &seen.version == version && seen.weights.is_empty() {
                return Ok(());
            }
            let looked_at = self.now();
            self.verify_live(live, target, |_| None).await?;
            self.may_change().await?;
            if self.is_too_old(looked_at) {
                last = looked_too_long(format!("{function}:{slot}"));
                continue;
            }
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
