//! Moves the live traffic: observe, change, read back, probe; and tells the rollout's own doing from other people's.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::RolloutEvent;
use super::effects::{impossible, target};
use super::run::{EffectFailure, Hands, may_have_happened};
use super::slots::missing_api;
use crate::domain::{ApiTarget, ApiTraffic, Canary, Release, ReleaseState, RolloutTarget, Slot, StageTarget, Weight};
use crate::ledger::read_standing;
use crate::ports::{PortError, PortErrorKind, Probe};
use crate::rollout::{Event, LiveRelease, State};

/// How often a way back is looked at again because requests do not meet it, although it read back.
const RETURNS: u32 = 4;

/// How a live stage can be while a rollout has it.
#[derive(Debug, Clone, PartialEq)]
enum Shape {
    /// All traffic at one place, no canary settings.
    Settled(StageTarget),
    /// A canary of this weight to the candidate, the rest at the base.
    Split {
        base: StageTarget,
        candidate: StageTarget,
        weight: Weight,
    },
}

impl Shape {
    fn of(seen: &ApiTraffic) -> Option<Shape> {
        if let Some(settled) = seen.settled() {
            return Some(Shape::Settled(settled));
        }
        let canary = seen.canary.as_ref()?;
        Some(Shape::Split {
            base: StageTarget {
                deployment_id: seen.deployment_id.clone(),
                slot: seen.slot?,
            },
            candidate: StageTarget {
                deployment_id: canary.deployment_id.clone(),
                slot: canary.slot?,
            },
            weight: canary.weight,
        })
    }

    /// As a stage with these variables would be seen.
    fn with_variables(&self, mut variables: BTreeMap<String, String>) -> ApiTraffic {
        let (base, canary) = match self {
            Shape::Settled(base) => (base, None),
            Shape::Split {
                base,
                candidate,
                weight,
            } => (
                base,
                Some(Canary {
                    weight: *weight,
                    deployment_id: candidate.deployment_id.clone(),
                    slot: Some(candidate.slot),
                }),
            ),
        };
        variables.insert("color".to_owned(), base.slot.to_string());
        ApiTraffic {
            deployment_id: base.deployment_id.clone(),
            slot: Some(base.slot),
            canary,
            variables,
        }
    }
}

/// The change of one live stage.
#[derive(Debug, Clone, Copy)]
enum Change {
    SetCanary,
    Promote,
    Switch,
    /// Whatever brings all traffic to the desired place from where it is.
    Return,
}

impl Hands<'_> {
    pub(super) async fn shift(&self, state: &State, step: usize, weight: Weight) -> Result<Event, EffectFailure> {
        let apis = &target(state)?.apis;
        for api in apis {
            let (base, candidate) = self.ends(state, api)?;
            let split = |weight| Shape::Split {
                base: base.clone(),
                candidate: candidate.clone(),
                weight,
            };
            let before = match step.checked_sub(1).and_then(|before| state.plan.steps.get(before)) {
                None => Shape::Settled(base.clone()),
                Some(before) => split(before.weight),
            };
            self.converge(api, Change::SetCanary, &split(weight), |seen| *seen == before)
                .await?;
        }
        for api in apis {
            let (base, candidate) = self.ends(state, api)?;
            self.until_in_force(
                api,
                &Shape::Split {
                    base,
                    candidate,
                    weight,
                },
            )
            .await?;
        }
        if let Some(candidate) = &state.facts.candidate {
            self.tell(RolloutEvent::InForce {
                slot: candidate.slot,
                weight,
            });
        }
        Ok(Event::InForce {
            step,
            at: self.now(),
            weight,
        })
    }

    /// The live stages have the weight that is in force, as far as one look can tell; what cannot be seen now is not
    /// called different.
    pub(super) async fn looks_in_force(&self, state: &State) -> bool {
        let Ok(target) = target(state) else { return true };
        let looks = target.apis.iter().map(|api| async move {
            let expected = self.in_force(state, api);
            match (expected, self.rollouts.ports.traffic.observe(api).await) {
                (Ok(expected), Ok(seen)) => Shape::of(&seen).as_ref() == Some(&expected),
                _ => true,
            }
        });
        join_all(looks).await.into_iter().all(|as_set| as_set)
    }

    /// The live stages are where the ledger says, as far as one look can tell.
    pub(super) async fn looks_live(&self, state: &State, live: &LiveRelease) -> bool {
        let Ok(target) = target(state) else { return true };
        let looks = target.apis.iter().map(|api| async move {
            match (
                state.base(&api.rest_api_id),
                self.rollouts.ports.traffic.observe(api).await,
            ) {
                (Some(base), Ok(seen)) => base.slot == live.slot && seen.settled().as_ref() == Some(&base),
                _ => true,
            }
        });
        join_all(looks).await.into_iter().all(|as_set| as_set)
    }

    /// The live stages have the weight that is in force.
    pub(super) async fn verify_in_force(&self, state: &State) -> Result<(), EffectFailure> {
        for api in &target(state)?.apis {
            let expected = self.in_force(state, api)?;
            self.see(api, &expected, |_| false).await?;
        }
        Ok(())
    }

    fn in_force(&self, state: &State, api: &ApiTarget) -> Result<Shape, EffectFailure> {
        let (base, candidate) = self.ends(state, api)?;
        let weight = state
            .weight_in_force()
            .ok_or_else(|| impossible("no weight is in force"))?;
        Ok(Shape::Split {
            base,
            candidate,
            weight,
        })
    }

    pub(super) async fn promote(&self, state: &State) -> Result<Event, EffectFailure> {
        let apis = &target(state)?.apis;
        for api in apis {
            let (base, candidate) = self.ends(state, api)?;
            let desired = Shape::Settled(candidate.clone());
            let (change, before) = match state.weight_in_force() {
                Some(weight) => (
                    Change::Promote,
                    Shape::Split {
                        base,
                        candidate,
                        weight,
                    },
                ),
                None => (Change::Switch, Shape::Settled(base)),
            };
            self.converge(api, change, &desired, |seen| *seen == before).await?;
        }
        for api in apis {
            let (_, candidate) = self.ends(state, api)?;
            let in_force = self.until_in_force(api, &Shape::Settled(candidate)).await;
            self.tolerate_on_the_way_back(state.plan.is_rollback(), in_force)?;
        }
        if let Some(candidate) = &state.facts.candidate {
            self.tell(RolloutEvent::InForce {
                slot: candidate.slot,
                weight: Weight::FULL,
            });
        }
        Ok(Event::Promoted { at: self.now() })
    }

    /// Returns all traffic to where it was. Every API is tried, also when another one fails.
    pub(super) async fn withdraw(&self, state: &State) -> Result<(), EffectFailure> {
        let Some(live) = &state.facts.live else {
            // Nothing was known to be live, so nothing was moved.
            return Ok(());
        };
        let mut first_failure = None;
        let mut returned = Vec::new();
        for api in &target(state)?.apis {
            let Some(base) = state.base(&api.rest_api_id) else {
                continue;
            };
            let desired = Shape::Settled(base.clone());
            match self.return_stage(state, api, &base).await {
                Ok(()) => returned.push((api, base, desired)),
                // It was deleted with its stacks: no traffic is left to return, and nothing else may hang on it.
                Err(EffectFailure::Port(error)) if error.kind == PortErrorKind::NotFound => {
                    self.tell(RolloutEvent::Warning {
                        message: format!("there is nothing to return: {error}"),
                    });
                }
                Err(failure) => {
                    first_failure.get_or_insert(failure);
                }
            }
        }
        for (api, base, desired) in returned {
            let mut in_force = self.until_in_force(api, &desired).await;
            for _ in 0..RETURNS {
                if in_force.is_ok() {
                    break;
                }
                // What was read back may have been a late view of the time before the rollout.
                self.return_stage(state, api, &base).await?;
                in_force = self.until_in_force(api, &desired).await;
            }
            self.tolerate_on_the_way_back(true, in_force)?;
        }
        match first_failure {
            Some(failure) => Err(failure),
            None => {
                self.tell(RolloutEvent::InForce {
                    slot: live.slot,
                    weight: Weight::FULL,
                });
                Ok(())
            }
        }
    }

    async fn return_stage(&self, state: &State, api: &ApiTarget, base: &StageTarget) -> Result<(), EffectFailure> {
        let goal = state.goal(&api.rest_api_id);
        let ours = |seen: &Shape| match (seen, &goal) {
            (_, None) => false,
            (Shape::Settled(at), Some(goal)) => at == goal,
            (
                Shape::Split {
                    base: from,
                    candidate,
                    weight,
                },
                Some(goal),
            ) => {
                from == base
                    && candidate == goal
                    && (*weight == Weight::ZERO || state.plan.steps.iter().any(|step| step.weight == *weight))
            }
        };
        self.converge(api, Change::Return, &Shape::Settled(base.clone()), ours)
            .await
    }

    /// The live stages are where the ledger says, with no canary, or at what `also` gives: a human who names the release
    /// that somebody else moved the traffic to agrees with it, and nothing is overwritten by that.
    pub(super) async fn verify_live(
        &self,
        live: &LiveRelease,
        target: &RolloutTarget,
        also: impl Fn(&ApiTarget) -> Option<StageTarget>,
    ) -> Result<(), EffectFailure> {
        for api in &target.apis {
            let Some(known) = live.apis.iter().find(|known| known.rest_api_id == api.rest_api_id) else {
                return Err(PortError::new(
                    PortErrorKind::Invalid,
                    "verifying the live slot",
                    format!("{} ({})", api.name, api.rest_api_id),
                    "this API was added after the live release, and a rollout moves all APIs or none; deploy it in an \
                     environment of its own",
                )
                .into());
            };
            let expected = Shape::Settled(StageTarget {
                deployment_id: known.deployment_id.clone(),
                slot: live.slot,
            });
            let agreed = also(api).map(Shape::Settled);
            self.see(api, &expected, |seen| Some(seen) == agreed.as_ref()).await?;
        }
        Ok(())
    }

    /// The live slot's aliases are at the live release's versions.
    pub(super) async fn verify_live_functions(
        &self,
        release: &Release,
        target: &RolloutTarget,
    ) -> Result<(), EffectFailure> {
        for released in release
            .functions
            .iter()
            .filter(|released| target.functions.contains(&released.name))
        {
            let (name, slot) = (&released.name, release.slot);
            let alias = self
                .retry(|| self.rollouts.ports.slots.observe_alias(name, slot))
                .await?;
            if alias.version != released.version || !alias.weights.is_empty() {
                return Err(EffectFailure::Foreign {
                    found: format!(
                        "alias {name}:{slot} is at version {}{}, the live release {} holds version {}",
                        alias.version,
                        if alias.weights.is_empty() { "" } else { " with weights" },
                        release.number,
                        released.version
                    ),
                    proven: false,
                });
            }
        }
        Ok(())
    }

    /// Where the API was before the rollout, and where it is to go.
    fn ends(&self, state: &State, api: &ApiTarget) -> Result<(StageTarget, StageTarget), EffectFailure> {
        let candidate = state
            .facts
            .candidate
            .as_ref()
            .ok_or_else(|| impossible("nothing was released"))?;
        let base = state
            .base(&api.rest_api_id)
            .ok_or_else(|| impossible("what is live is not known"))?;
        let goal = state
            .goal(&api.rest_api_id)
            .ok_or_else(|| missing_api(api, candidate))?;
        Ok((base, goal))
    }

    /// Brings a live stage to `desired` from a shape that `ours` knows, and reads it back. What is neither is somebody
    /// else's doing, unless it was only a late view: it has to be seen in every attempt.
    async fn converge(
        &self,
        api: &ApiTarget,
        change: Change,
        desired: &Shape,
        ours: impl Fn(&Shape) -> bool,
    ) -> Result<(), EffectFailure> {
        let attempts = self.rollouts.config.convergence.attempts.max(1);
        let resource = format!("{} stage {}", api.name, api.live_stage);
        let mut last = PortError::new(
            PortErrorKind::Conflict,
            "moving the traffic",
            resource,
            format!("it does not read back as {}", describe(desired)),
        );
        for attempt in 1..=attempts {
            let seen = self.see(api, desired, &ours).await?;
            if seen == *desired {
                return Ok(());
            }
            self.may_change().await?;
            match self.apply(api, change, desired, &seen).await {
                Ok(()) => {
                    if self.see(api, desired, &ours).await? == *desired {
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

    async fn apply(&self, api: &ApiTarget, change: Change, desired: &Shape, seen: &Shape) -> Result<(), PortError> {
        let traffic = &self.rollouts.ports.traffic;
        match (change, desired, seen) {
            (Change::SetCanary, Shape::Split { candidate, weight, .. }, _) => {
                traffic
                    .set_canary(api, *weight, &candidate.deployment_id, candidate.slot)
                    .await
            }
            (Change::Promote, Shape::Settled(to), _) => traffic.promote(api, to).await,
            (Change::Switch, Shape::Settled(to), _) => traffic.switch(api, to).await,
            (Change::Return, Shape::Settled(to), Shape::Settled(_)) => traffic.switch(api, to).await,
            (Change::Return, Shape::Settled(_), Shape::Split { .. }) => traffic.clear_canary(api).await,
            (_, Shape::Split { .. }, _) | (Change::SetCanary, Shape::Settled(_), _) => {
                Err(impossible("the change does not lead to what is desired"))
            }
        }
    }

    /// The stage's shape, if it is the desired one or one of ours.
    async fn see(
        &self,
        api: &ApiTarget,
        desired: &Shape,
        ours: impl Fn(&Shape) -> bool,
    ) -> Result<Shape, EffectFailure> {
        let attempts = self.rollouts.config.convergence.attempts.max(1);
        let mut attempt = 1;
        loop {
            let seen = self.retry(|| self.rollouts.ports.traffic.observe(api)).await?;
            if let Some(shape) = Shape::of(&seen).filter(|shape| shape == desired || ours(shape)) {
                return Ok(shape);
            }
            let found = format!(
                "{} stage {} was expected as {} and is {}",
                api.name,
                api.live_stage,
                describe(desired),
                describe_seen(&seen)
            );
            if attempt >= attempts {
                let proven = self.is_proven_elsewhere().await;
                let advice = if proven {
                    "; to keep it there, name that release to `rollback`"
                } else {
                    ""
                };
                return Err(EffectFailure::Foreign {
                    found: format!("{found}{advice}"),
                    proven,
                });
            }
            let late = PortError::new(PortErrorKind::Conflict, "observing", api.name.clone(), found);
            self.back_off(&late, attempt).await;
            attempt += 1;
        }
    }

    /// Whether all APIs are on one slot with one release that was live before, without a canary.
    async fn is_proven_elsewhere(&self) -> bool {
        let Ok(standing) = read_standing(&*self.rollouts.ports.ledger, &self.rollouts.environment).await else {
            return false;
        };
        let Some(target) = &standing.target else {
            return false;
        };
        let mut settled: Vec<(&ApiTarget, StageTarget)> = Vec::new();
        for api in &target.apis {
            match self
                .rollouts
                .ports
                .traffic
                .observe(api)
                .await
                .ok()
                .and_then(|seen| seen.settled())
            {
                Some(at) => settled.push((api, at)),
                None => return false,
            }
        }
        standing.releases.iter().any(|release| {
            matches!(release.state, ReleaseState::Live | ReleaseState::Retained)
                && settled.iter().all(|(api, at)| {
                    release.deployment(&api.rest_api_id) == Some(&at.deployment_id) && release.slot == at.slot
                })
        })
    }

    /// Probes until the shape is what requests meet.
    async fn until_in_force(&self, api: &ApiTarget, shape: &Shape) -> Result<(), PortError> {
        let limits = &self.rollouts.config.convergence;
        let deadline = self.now() + limits.probe_timeout;
        // A stage may have variables that are no business of a rollout.
        let variables = self.retry(|| self.rollouts.ports.traffic.observe(api)).await?.variables;
        let expected = shape.with_variables(variables);
        let mut attempt = 1;
        loop {
            let seen = match self.retry(|| self.rollouts.ports.traffic.probe(api, &expected)).await? {
                Probe::InForce => return Ok(()),
                Probe::NotYet { seen } => seen,
            };
            let late = PortError::new(
                PortErrorKind::Conflict,
                "probing",
                format!("{} stage {}", api.name, api.live_stage),
                format!("{} is not in force: {seen}", describe(shape)),
            );
            if self.now() >= deadline {
                return Err(late);
            }
            self.tell(RolloutEvent::WaitingForTraffic {
                api: api.name.clone(),
                seen,
            });
            self.back_off(&late, attempt).await;
            attempt += 1;
        }
    }

    /// A way back that was read back is not undone because a probe does not see it yet.
    fn tolerate_on_the_way_back(&self, is_way_back: bool, result: Result<(), PortError>) -> Result<(), PortError> {
        match result {
            Err(error) if is_way_back => {
                self.tell(RolloutEvent::Warning {
                    message: format!("the traffic was returned and read back, but {error}"),
                });
                Ok(())
            }
            result => result,
        }
    }
}

fn at(target: &StageTarget) -> String {
    format!("slot {} (deployment {})", target.slot, target.deployment_id)
}

fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Settled(target) => format!("all on {}", at(target)),
        Shape::Split {
            base,
            candidate,
            weight,
        } => {
            format!("{weight} on {}, the rest on {}", at(candidate), at(base))
        }
    }
}

fn describe_seen(seen: &ApiTraffic) -> String {
    if let Some(shape) = Shape::of(seen) {
        return describe(&shape);
    }
    let slot = |slot: Option<Slot>| slot.map_or_else(|| "no slot".to_owned(), |slot| format!("slot {slot}"));
    let canary = seen.canary.as_ref().map(|canary| {
        format!(
            ", canary of {} to {} (deployment {})",
            canary.weight,
            slot(canary.slot),
            canary.deployment_id
        )
    });
    format!(
        "{} (deployment {}){}",
        slot(seen.slot),
        seen.deployment_id,
        canary.unwrap_or_default()
    )
}
