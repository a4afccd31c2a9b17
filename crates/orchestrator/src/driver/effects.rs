//! One effect at a time: which ports it calls, in which order, and the event that says how it went.

use super::RolloutEvent;
use super::live_aliases::without_new_aliases;
use super::plan::belongs;
use super::run::{EffectFailure, Hands};
use crate::domain::{ApiDeployment, Release, ReleaseNumber, ReleaseState, RolloutTarget, Slot};
use crate::ledger::{Standing, prepare_standing, read_standing, write_standing};
use crate::ports::{AlarmState, Deployed, PortError, PortErrorKind, SmokeCheckResult};
use crate::rollout::{Effect, Event, LiveRelease, NotedAlarm, Reason, State};

impl Hands<'_> {
    pub(super) async fn execute(&self, state: &State, effect: &Effect) -> Result<Event, EffectFailure> {
        let ports = &self.rollouts.ports;
        match effect {
            Effect::Prepare => self.prepare(state).await,
            Effect::BackUp => {
                let label = format!("{}-rollout-{}", self.rollouts.environment, state.plan.rollout);
                let backup = self.change(|| ports.migrations.backup(&label)).await?;
                Ok(Event::BackedUp { backup })
            }
            Effect::Expand => {
                let expanded = self.change(|| ports.migrations.expand()).await?;
                Ok(Event::Expanded { expanded })
            }
            Effect::CheckLive { expanded } => self.check_live(state, *expanded).await,
            Effect::Deploy => {
                let progress = |progress| self.tell(RolloutEvent::Infrastructure { progress });
                let deployed = self.change(|| ports.infrastructure.deploy(&progress)).await?;
                Ok(Event::Deployed { deployed })
            }
            Effect::Establish => self.establish(state).await,
            Effect::Release { slot } => self.release(state, *slot).await,
            Effect::Smoke { slot, digest } => self.smoke(state, *slot, digest).await,
            Effect::Shift { step, weight } => self.shift(state, *step, *weight).await,
            Effect::Promote => self.promote(state).await.map_err(|failure| match failure {
                EffectFailure::Port(error) if state.plan.is_rollback() && error.kind == PortErrorKind::NotFound => {
                    EffectFailure::Reason(Reason::Aborted {
                        reason: format!("there is nothing to switch: {error}"),
                        by: None,
                    })
                }
                failure => failure,
            }),
            Effect::Retain => {
                self.drain(state).await;
                self.verify_promoted(state).await?;
                let current = read_standing(&*ports.ledger, &self.rollouts.environment).await?;
                let next = current.promoted(state, self.now(), self.rollouts.config.retention);
                self.record_standing(&current, next).await?;
                Ok(Event::Retained)
            }
            Effect::Withdraw => {
                let moved = self.withdraw(state).await?;
                self.record_turned_back(state).await?;
                if moved {
                    self.drain(state).await;
                }
                Ok(Event::Withdrawn)
            }
            Effect::Judge { .. } | Effect::AskForApproval { .. } | Effect::Wait => {
                Err(impossible("a look has its own way").into())
            }
        }
    }

    /// Writes what stands now. The sequence of standings tells only of others who wrote one, so the lease has to be sure.
    pub(super) async fn record_standing(&self, current: &Standing, next: Standing) -> Result<Standing, EffectFailure> {
        let (ledger, environment) = (&*self.rollouts.ports.ledger, &self.rollouts.environment);
        let Some(next) = prepare_standing(ledger, environment, current, next).await? else {
            return Ok(current.clone());
        };
        self.may_change().await?;
        Ok(write_standing(ledger, environment, next).await?)
    }

    /// What the slot holds that the rollout filled, although it did not become live.
    pub(super) async fn record_turned_back(&self, state: &State) -> Result<(), EffectFailure> {
        let current = read_standing(&*self.rollouts.ports.ledger, &self.rollouts.environment).await?;
        self.record_standing(&current, current.turned_back(state)).await?;
        Ok(())
    }

    async fn prepare(&self, state: &State) -> Result<Event, EffectFailure> {
        let infrastructure = &self.rollouts.ports.infrastructure;
        let standing = read_standing(&*self.rollouts.ports.ledger, &self.rollouts.environment).await?;
        if state.plan.is_rollback() {
            // Everything that a switch needs stands in the ledger; only smoke checks may find better addresses here.
            let seen = infrastructure
                .observe()
                .await
                .ok()
                .flatten()
                .filter(|seen| belongs(&standing, Some(seen)));
            let known = standing
                .target
                .as_ref()
                .zip(standing.live_release())
                .map(|(target, live)| Deployed {
                    target: target.clone(),
                    template_digest: live.template_digest.clone(),
                    changed: false,
                });
            let (Some(live), Some(mut deployed)) = (standing.live(), seen.or(known)) else {
                return Err(impossible("the ledger does not know what is live").into());
            };
            // What no rollout has moved yet is not this one's to move.
            deployed.target = without_new_aliases(&deployed.target, standing.target.as_ref());
            let goal = state.facts.candidate.as_ref();
            self.verify_live(&live, &deployed.target, |entry| entry.place_in(goal?))
                .await?;
            let live = self.with_new_functions(&live, &deployed.target).await?;
            return Ok(Event::Prepared {
                live: Some(live),
                alarms: Vec::new(),
                deployed: Some(deployed),
            });
        }
        self.retry(|| infrastructure.check_ready()).await?;
        let deployed = self.retry(|| infrastructure.observe()).await?;
        let live = standing.live().filter(|_| belongs(&standing, deployed.as_ref()));
        if let (Some(live), Some(deployed), Some(release)) = (&live, &deployed, standing.live_release()) {
            let known = without_new_aliases(&deployed.target, standing.target.as_ref());
            self.verify_live(live, &known, |_| None).await?;
            self.verify_slot(release, &known, "the live release").await?;
        }
        let alarms = self.note_alarms(&[], false).await?;
        Ok(Event::Prepared { live, alarms, deployed })
    }

    /// The alarms of the gates that are not among `noted`, as they are now. Before the deploy those that do not exist
    /// yet are left out; after it that is an error, because a gate that cannot be asked must not pass.
    async fn note_alarms(&self, noted: &[NotedAlarm], must_exist: bool) -> Result<Vec<NotedAlarm>, PortError> {
        let mut found = Vec::new();
        for name in &self.rollouts.config.gates.alarms {
            if noted.iter().any(|noted| &noted.observation.name == name) {
                continue;
            }
            let names = std::slice::from_ref(name);
            let observations = match self.retry(|| self.rollouts.ports.metrics.alarms(names)).await {
                Err(error) if error.kind == PortErrorKind::NotFound && !must_exist => continue,
                result => result?,
            };
            for observation in observations {
                if observation.state == AlarmState::Alarm {
                    self.tell(RolloutEvent::OldAlarm {
                        alarm: observation.clone(),
                    });
                }
                found.push(NotedAlarm {
                    observation,
                    noted_at: self.now(),
                });
            }
        }
        Ok(found)
    }

    async fn establish(&self, state: &State) -> Result<Event, EffectFailure> {
        let Some(deployed) = &state.facts.deployed else {
            return Err(impossible("nothing was deployed").into());
        };
        if deployed.target.apis.is_empty() && deployed.target.aliases.is_empty() {
            return Err(PortError::new(
                PortErrorKind::Invalid,
                "verifying the live slot",
                "the stacks",
                "they hold no API with slots and no live alias, so there is no traffic to move; deploy without --blue-green",
            )
            .into());
        }
        let standing = read_standing(&*self.rollouts.ports.ledger, &self.rollouts.environment).await?;
        let live = match &state.facts.live {
            Some(live) => {
                let known = without_new_aliases(&deployed.target, standing.target.as_ref());
                self.verify_live(live, &known, |_| None).await?;
                if let Some(release) = standing.live_release() {
                    self.verify_slot(release, &deployed.target, "the live release").await?;
                }
                self.place_new_aliases(live, &deployed.target, standing.target.as_ref())
                    .await?;
                self.with_new_functions(live, &deployed.target).await?
            }
            None => {
                let baseline = self.baseline(state, deployed).await?;
                let live = LiveRelease {
                    number: baseline.number,
                    slot: baseline.slot,
                    apis: baseline.apis.clone(),
                    functions: baseline.functions.clone(),
                };
                // A run that was interrupted here may have written it already.
                if standing.live() != Some(live.clone()) {
                    let next = standing.with_baseline(baseline, deployed.target.clone(), self.now());
                    self.record_standing(&standing, next).await?;
                }
                live
            }
        };
        let alarms = self.note_alarms(&state.facts.alarms_at_start, true).await?;
        let (before, shortages) = self.look_back(state, &deployed.target, &live).await?;
        Ok(Event::Established {
            live,
            alarms,
            before,
            shortages,
        })
    }

    /// What is live before the first rollout, as a release of its own.
    async fn baseline(&self, state: &State, deployed: &Deployed) -> Result<Release, EffectFailure> {
        let ports = &self.rollouts.ports;
        let mut slots = Vec::new();
        let mut apis = Vec::new();
        for api in &deployed.target.apis {
            let seen = self.retry(|| ports.traffic.observe(api)).await?;
            let Some(settled) = seen.settled() else {
                return Err(EffectFailure::Foreign {
                    found: format!("{} stage {} is not on one slot: {seen:?}", api.name, api.live_stage),
                    proven: false,
                });
            };
            slots.push(settled.slot);
            apis.push(ApiDeployment {
                rest_api_id: api.rest_api_id.clone(),
                deployment_id: settled.deployment_id,
            });
        }
        let slot = match slots.as_slice() {
            [first, rest @ ..] if rest.iter().all(|slot| slot == first) => *first,
            [] => self.slot_of_live_aliases(&deployed.target).await?,
            _ => {
                return Err(EffectFailure::Foreign {
                    found: "the live stages of the APIs are on different slots".to_owned(),
                    proven: false,
                });
            }
        };
        let mut functions = Vec::new();
        for function in &deployed.target.functions {
            let alias = self.retry(|| ports.slots.observe_alias(function, slot)).await?;
            functions.push(
                self.retry(|| ports.slots.observe_version(function, &alias.version))
                    .await?,
            );
        }
        let baseline = Release {
            number: ReleaseNumber(state.plan.release().0.saturating_sub(1)),
            tag: "baseline".to_owned(),
            functions,
            apis,
            slot,
            template_digest: deployed.template_digest.clone(),
            schema_version: state.facts.schema_version.clone(),
            // What lies beside now came with the release that is being made.
            contracts: Some(Vec::new()),
            created_at: self.now(),
            previous: None,
            state: ReleaseState::Live,
            retained_until: None,
        };
        let live = LiveRelease {
            number: baseline.number,
            slot: baseline.slot,
            apis: baseline.apis.clone(),
            functions: baseline.functions.clone(),
        };
        self.verify_live(&live, &deployed.target, |_| None).await?;
        Ok(baseline)
    }

    async fn smoke(&self, state: &State, slot: Slot, digest: &str) -> Result<Event, EffectFailure> {
        let (Some(deployed), Some(candidate)) = (&state.facts.deployed, &state.facts.candidate) else {
            return Err(impossible("nothing was released").into());
        };
        let results = self
            .rollouts
            .check_slot(&deployed.target, slot, Some(candidate), |api| {
                api.preview_urls.get(slot)
            })
            .await?;
        self.tell(RolloutEvent::Smoked {
            slot,
            results: results.clone(),
        });
        let failed: Vec<SmokeCheckResult> = results.iter().filter(|result| !result.passed).cloned().collect();
        if !failed.is_empty() {
            return Err(EffectFailure::Reason(Reason::SmokeFailed { failed }));
        }
        Ok(Event::Smoked {
            digest: digest.to_owned(),
            results,
        })
    }
}

/// The target of a rollout that got as far as to need one.
pub(super) fn target(state: &State) -> Result<&RolloutTarget, EffectFailure> {
    state
        .facts
        .deployed
        .as_ref()
        .map(|deployed| &deployed.target)
        .ok_or_else(|| impossible("what is deployed is not known").into())
}

/// What the order of the states rules out. Said as an error all the same, because a journal is input.
pub(super) fn impossible(what: &str) -> PortError {
    PortError::new(PortErrorKind::Invalid, "rollout", "journal", what)
}
