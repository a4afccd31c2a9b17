//! Moves the live traffic of all entry points together: observe, change, read back, probe; and tells the rollout's own
//! doing from other people's.
//!
//! Entry points are moved at the same time; all of them are awaited, also when one fails, so that nothing is under way
//! any more when an effect says how it went. The adapter keeps the calls below the services' limits.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use futures::future::{join, join_all};
use futures::stream::FuturesUnordered;
use jiff::Timestamp;

use super::effects::{impossible, target};
use super::entry::{EntryPoint, Place, Seen, Shape};
use super::run::{EffectFailure, Hands, looked_too_long, may_have_happened};
use super::slots::missing_api;
use super::{RolloutEvent, Rollouts};
use crate::domain::{ReleaseState, RolloutTarget, Weight};
use crate::ledger::read_standing;
use crate::ports::{PortError, PortErrorKind, Probe};
use crate::rollout::{Event, LiveRelease, State};

/// How often a way back is looked at again because requests do not meet it, although it read back.
const RETURNS: u32 = 4;

/// The change of one entry point.
#[derive(Debug, Clone, Copy)]
enum Change {
    Split,
    /// From a split to the candidate.
    Promote,
    /// From one place to another.
    Switch,
    /// Whatever brings all traffic to the desired place from where it is. Requests that may still be under way, of this run
    /// or of whoever was at work before, are overtaken: an alias gets a new revision, also where it is there already, and
    /// they name the one that they saw.
    Return {
        overtakes: bool,
    },
}

/// One entry point with where it was before the rollout and where it is to go.
struct Journey<'a> {
    entry: EntryPoint<'a>,
    base: Place,
    goal: Place,
}

impl Journey<'_> {
    fn split(&self, weight: Weight) -> Shape {
        Shape::split(&self.base, &self.goal, weight)
    }
}

impl Hands<'_> {
    pub(super) async fn shift(&self, state: &State, step: usize, weight: Weight) -> Result<Event, EffectFailure> {
        let journeys = self.journeys(state)?;
        let before = step.checked_sub(1).and_then(|before| state.plan.steps.get(before));
        self.together(journeys.iter().map(|journey| async move {
            let before = match before {
                Some(before) => journey.split(before.weight),
                None => Shape::Settled(journey.base.clone()),
            };
            self.converge(journey.entry, Change::Split, &journey.split(weight), |seen| {
                *seen == before
            })
            .await
            .map(|_| ())
        }))
        .await?;
        self.until_all(journeys.iter().map(|journey| async move {
            let shape = journey.split(weight);
            self.until_in_force(journey.entry, &shape).await
        }))
        .await?;
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

    pub(super) async fn promote(&self, state: &State) -> Result<Event, EffectFailure> {
        let journeys = self.journeys(state)?;
        self.warn_of_aliases_that_stay(state)?;
        let weight = state.weight_in_force();
        self.together(journeys.iter().map(|journey| async move {
            let (change, before) = match weight {
                Some(weight) => (Change::Promote, journey.split(weight)),
                None => (Change::Switch, Shape::Settled(journey.base.clone())),
            };
            let desired = Shape::Settled(journey.goal.clone());
            self.converge(journey.entry, change, &desired, |seen| *seen == before)
                .await
                .map(|_| ())
        }))
        .await?;
        self.until_all(journeys.iter().map(|journey| async move {
            let shape = Shape::Settled(journey.goal.clone());
            let in_force = self.until_in_force(journey.entry, &shape).await;
            self.tolerate_on_the_way_back(state.plan.is_rollback(), in_force)
        }))
        .await?;
        if let Some(candidate) = &state.facts.candidate {
            self.tell(RolloutEvent::InForce {
                slot: candidate.slot,
                weight: Weight::FULL,
            });
        }
        Ok(Event::Promoted { at: self.now() })
    }

    /// Returns all traffic to where it was, and says whether anything had to be moved. Every entry point is tried, also
    /// when another one fails.
    pub(super) async fn withdraw(&self, state: &State) -> Result<bool, EffectFailure> {
        let Some(live) = &state.facts.live else {
            // Nothing was known to be live, so nothing was moved.
            return Ok(false);
        };
        let ways_back: Vec<(EntryPoint<'_>, Place)> = EntryPoint::all(target(state)?)
            .filter_map(|entry| Some((entry, entry.place_before(live)?)))
            .collect();
        let moved = &AtomicBool::new(false);
        self.together(
            ways_back
                .iter()
                .map(|(entry, base)| self.withdraw_entry(state, *entry, base, moved)),
        )
        .await?;
        self.tell(RolloutEvent::InForce {
            slot: live.slot,
            weight: Weight::FULL,
        });
        Ok(moved.load(Ordering::Relaxed))
    }

    async fn withdraw_entry(
        &self,
        state: &State,
        entry: EntryPoint<'_>,
        base: &Place,
        moved: &AtomicBool,
    ) -> Result<(), EffectFailure> {
        let desired = Shape::Settled(base.clone());
        let goal = state.facts.candidate.as_ref().and_then(|it| entry.place_in(it));
        let ours = |seen: &Shape| {
            let Some(goal) = &goal else { return false };
            let mut weights = state.plan.steps.iter().map(|step| step.weight).chain([Weight::ZERO]);
            *seen == Shape::Settled(goal.clone()) || weights.any(|weight| *seen == Shape::split(base, goal, weight))
        };
        // Before the smoke test nobody asked for a change of what is live.
        let overtakes = state.facts.smoked_digest.is_some() || state.plan.is_rollback();
        let mut returns = 0;
        loop {
            match self.converge(entry, Change::Return { overtakes }, &desired, ours).await {
                // It was deleted with its stacks: no traffic is left to return, and nothing else may hang on it.
                Err(EffectFailure::Port(error)) if error.kind == PortErrorKind::NotFound => {
                    self.tell(RolloutEvent::Warning {
                        message: format!("there is nothing to return: {error}"),
                    });
                    return Ok(());
                }
                result => moved.fetch_or(result?, Ordering::Relaxed),
            };
            let in_force = self.until_in_force(entry, &desired).await;
            if in_force.is_ok() || returns == RETURNS {
                return self.tolerate_on_the_way_back(true, in_force);
            }
            // What was read back may have been a late view of the time before the rollout.
            returns += 1;
        }
    }

    /// Every entry point has the weight that is in force and the candidate's slot aliases are at its versions, as far as
    /// one look can tell; what cannot be seen now is not called different. Cheap enough for every look at the gates.
    pub(super) async fn looks_in_force(&self, state: &State) -> bool {
        let (Some(weight), Ok(journeys)) = (state.weight_in_force(), self.journeys(state)) else {
            return true;
        };
        let looks = journeys.iter().map(|journey| async move {
            match self.rollouts.observe_entry(journey.entry).await {
                Ok(seen) => seen.shape() == Some(journey.split(weight)),
                Err(_) => true,
            }
        });
        let (looks, slot) = join(join_all(looks), self.candidate_looks_released(state)).await;
        slot && looks.into_iter().all(|as_set| as_set)
    }

    /// Whether the release leaves every function as it was and there is no REST stage: then a step sends nobody anywhere.
    pub(super) fn divides_nothing(&self, state: &State) -> bool {
        self.journeys(state)
            .is_ok_and(|journeys| journeys.iter().all(|journey| journey.base == journey.goal))
    }

    /// Every entry point is where it was before the rollout, as far as one look can tell.
    pub(super) async fn looks_live(&self, state: &State, live: &LiveRelease) -> bool {
        let Ok(target) = target(state) else { return true };
        let looks = EntryPoint::all(target).map(|entry| async move {
            match (entry.place_before(live), self.rollouts.observe_entry(entry).await) {
                (Some(place), Ok(seen)) => seen.shape() == Some(Shape::Settled(place)),
                _ => true,
            }
        });
        join_all(looks).await.into_iter().all(|as_set| as_set)
    }

    /// What [`Hands::looks_in_force`] glances at, with as many looks as reading back takes before it calls a difference
    /// foreign.
    ///
    /// # Errors
    /// [`EffectFailure::Foreign`] with the difference; [`EffectFailure::Port`] when it cannot be seen.
    pub(super) async fn verify_in_force(&self, state: &State) -> Result<(), EffectFailure> {
        let weight = state
            .weight_in_force()
            .ok_or_else(|| impossible("no weight is in force"))?;
        let journeys = self.journeys(state)?;
        self.together(journeys.iter().map(|journey| async move {
            let set = journey.split(weight);
            self.see(journey.entry, &set, Waits::Even, |_| false).await.map(|_| ())
        }))
        .await?;
        match &state.facts.candidate {
            Some(candidate) => self.verify_slot(candidate, target(state)?, "the candidate").await,
            None => Ok(()),
        }
    }

    /// All traffic is where the promotion brought it, before the ledger says so: the run may have been away in between.
    /// What cannot be seen now is not called different.
    pub(super) async fn verify_promoted(&self, state: &State) -> Result<(), EffectFailure> {
        let journeys = self.journeys(state)?;
        let looks = journeys.iter().map(|journey| async move {
            let goal = Shape::Settled(journey.goal.clone());
            match self.see(journey.entry, &goal, Waits::Even, |_| false).await {
                Err(EffectFailure::Port(error)) => {
                    self.tell(RolloutEvent::Warning {
                        message: format!("it cannot be seen whether the traffic is as it was promoted: {error}"),
                    });
                    Ok(())
                }
                result => result.map(|_| ()),
            }
        });
        self.together(looks).await
    }

    /// The entry points are where the ledger says, with no canary and no weights, or at what `also` gives: a human who
    /// names the release that somebody else moved the traffic to agrees with it, and nothing is overwritten by that.
    /// A live alias whose function the live release does not hold is left out: where it is to be, nobody knows.
    pub(super) async fn verify_live(
        &self,
        live: &LiveRelease,
        target: &RolloutTarget,
        also: impl Fn(EntryPoint<'_>) -> Option<Place>,
    ) -> Result<(), EffectFailure> {
        let mut expected = Vec::new();
        for entry in EntryPoint::all(target) {
            match (entry.place_before(live), entry) {
                (Some(place), _) => expected.push((entry, Shape::Settled(place), also(entry).map(Shape::Settled))),
                (None, EntryPoint::Alias(_)) => {}
                (None, EntryPoint::Stage(api)) => {
                    return Err(PortError::new(
                        PortErrorKind::Invalid,
                        "verifying the live slot",
                        format!("{} ({})", api.name, api.rest_api_id),
                        "this API was added after the live release, and a rollout moves all APIs or none; deploy it in \
                         an environment of its own",
                    )
                    .into());
                }
            }
        }
        self.together(expected.iter().map(|(entry, place, agreed)| async move {
            self.see(*entry, place, Waits::Doubling, |seen| Some(seen) == agreed.as_ref())
                .await
                .map(|_| ())
        }))
        .await
    }

    /// Points a live alias that the deploy has just made, and that no rollout has moved yet, at the version that is
    /// live.
    pub(super) async fn adopt(&self, entry: EntryPoint<'_>, place: &Place) -> Result<(), EffectFailure> {
        let desired = Shape::Settled(place.clone());
        self.converge(entry, Change::Return { overtakes: false }, &desired, |seen| {
            matches!(seen, Shape::Settled(_))
        })
        .await
        .map(|_| ())
    }

    /// The entry points that move, each with its ends. A live alias whose function the release does not hold stays
    /// where it is: nothing of that release is called through it.
    fn journeys<'a>(&self, state: &'a State) -> Result<Vec<Journey<'a>>, EffectFailure> {
        let candidate = state
            .facts
            .candidate
            .as_ref()
            .ok_or_else(|| impossible("nothing was released"))?;
        let live = state
            .facts
            .live
            .as_ref()
            .ok_or_else(|| impossible("what is live is not known"))?;
        let mut journeys = Vec::new();
        for entry in EntryPoint::all(target(state)?) {
            let goal = match (entry.place_in(candidate), entry) {
                (Some(goal), _) => goal,
                (None, EntryPoint::Alias(_)) => continue,
                (None, EntryPoint::Stage(api)) => return Err(missing_api(api, candidate).into()),
            };
            let base = entry
                .place_before(live)
                .ok_or_else(|| impossible(&format!("where {entry} was before is not known")))?;
            journeys.push(Journey { entry, base, goal });
        }
        Ok(journeys)
    }

    /// All at the same time, and all to their end; of what failed, what decides most about how to go on.
    pub(super) async fn together(
        &self,
        work: impl Iterator<Item = impl Future<Output = Result<(), EffectFailure>>>,
    ) -> Result<(), EffectFailure> {
        gravest(join_all(work).await.into_iter().filter_map(Result::err))
    }

    /// As [`Hands::together`] for what only looks: when somebody else's change is seen, nobody is waited for.
    async fn until_all(
        &self,
        work: impl Iterator<Item = impl Future<Output = Result<(), EffectFailure>>>,
    ) -> Result<(), EffectFailure> {
        let mut waiting: FuturesUnordered<_> = work.collect();
        let mut failures = Vec::new();
        while let Some(result) = waiting.next().await {
            match result {
                Err(foreign @ EffectFailure::Foreign { .. }) => return Err(foreign),
                Err(failure) => failures.push(failure),
                Ok(()) => {}
            }
        }
        gravest(failures.into_iter())
    }

    /// Brings an entry point to `desired` from a shape that `ours` knows, and reads it back. What is neither is somebody
    /// else's doing, unless it was only a late view: it has to be seen in every attempt. Says whether it changed it.
    async fn converge(
        &self,
        entry: EntryPoint<'_>,
        change: Change,
        desired: &Shape,
        ours: impl Fn(&Shape) -> bool,
    ) -> Result<bool, EffectFailure> {
        let attempts = self.rollouts.config.convergence.attempts.max(1);
        let mut last = PortError::new(
            PortErrorKind::Conflict,
            "moving the traffic",
            entry.to_string(),
            format!("it does not read back as {desired}"),
        );
        let mut is_overtaken = !matches!(
            (change, entry),
            (Change::Return { overtakes: true }, EntryPoint::Alias(_))
        );
        let mut is_moved = false;
        for attempt in 1..=attempts {
            let Sight { seen, shape, at } = self.see(entry, desired, Waits::Doubling, &ours).await?;
            let is_there = shape == *desired;
            if is_there && is_overtaken {
                return Ok(is_moved);
            }
            is_moved |= !is_there;
            self.may_change().await?;
            if self.is_too_old(at) {
                last = looked_too_long(entry.to_string());
                continue;
            }
            match self.apply(entry, change, desired, &seen).await {
                Ok(answered) => {
                    is_overtaken = true;
                    if answered.and_then(|answered| answered.shape()).as_ref() == Some(desired)
                        || self.see(entry, desired, Waits::Doubling, &ours).await?.shape == *desired
                    {
                        return Ok(is_moved);
                    }
                }
                Err(error) if may_have_happened(&error) => last = error,
                // What is refused to this run was refused to those requests, too.
                Err(_) if is_there => return Ok(is_moved),
                Err(error) => return Err(error.into()),
            }
            if attempt < attempts {
                self.back_off(&last, attempt).await;
            }
        }
        Err(last.into())
    }

    /// One call. What the service answered it is now, where it does: for an alias that is the reading back, and
    /// [`Hands::until_in_force`] reads it again.
    async fn apply(
        &self,
        entry: EntryPoint<'_>,
        change: Change,
        desired: &Shape,
        seen: &Seen,
    ) -> Result<Option<Seen>, PortError> {
        let traffic = &self.rollouts.ports.traffic;
        match (entry, seen) {
            (EntryPoint::Alias(alias), Seen::Alias(seen)) => {
                let to = desired
                    .as_routing()
                    .ok_or_else(|| impossible("an alias goes to versions"))?;
                let now = traffic.route_live_alias(alias, &to, &seen.revision).await?;
                Ok(Some(Seen::Alias(now)))
            }
            (EntryPoint::Stage(api), Seen::Stage(seen)) => {
                match (change, desired) {
                    (
                        Change::Split,
                        Shape::Split {
                            candidate: Place::Stage(candidate),
                            weight,
                            ..
                        },
                    ) => {
                        traffic
                            .set_canary(api, *weight, &candidate.deployment_id, candidate.slot)
                            .await
                    }
                    (Change::Promote, Shape::Settled(Place::Stage(to))) => traffic.promote(api, to).await,
                    (Change::Switch, Shape::Settled(Place::Stage(to))) => traffic.switch(api, to).await,
                    (Change::Return { .. }, Shape::Settled(Place::Stage(to))) if seen.canary.is_none() => {
                        traffic.switch(api, to).await
                    }
                    (Change::Return { .. }, Shape::Settled(Place::Stage(_))) => traffic.clear_canary(api).await,
                    _ => Err(impossible("the change does not lead to what is desired")),
                }?;
                Ok(None)
            }
            _ => Err(impossible("what was seen is of another entry point")),
        }
    }

    /// The entry point as it is, if it is as desired or has one of our shapes.
    async fn see(
        &self,
        entry: EntryPoint<'_>,
        desired: &Shape,
        waits: Waits,
        ours: impl Fn(&Shape) -> bool,
    ) -> Result<Sight, EffectFailure> {
        let attempts = self.rollouts.config.convergence.attempts.max(1);
        let mut attempt = 1;
        loop {
            let mut at = self.now();
            let look = || {
                at = self.now();
                self.rollouts.observe_entry(entry)
            };
            let seen = self.retry(look).await?;
            if let Some(shape) = seen.shape().filter(|shape| shape == desired || ours(shape)) {
                return Ok(Sight { seen, shape, at });
            }
            let found = format!("{entry} was expected as {desired} and is {seen}");
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
            let late = PortError::new(PortErrorKind::Conflict, "observing", entry.to_string(), found);
            self.back_off(&late, waits.after(attempt)).await;
            attempt += 1;
        }
    }

    /// Whether all entry points are at one release that was live before, without a canary or weights.
    async fn is_proven_elsewhere(&self) -> bool {
        let Ok(standing) = read_standing(&*self.rollouts.ports.ledger, &self.rollouts.environment).await else {
            return false;
        };
        let Some(target) = &standing.target else {
            return false;
        };
        let mut settled: Vec<(EntryPoint<'_>, Place)> = Vec::new();
        for entry in EntryPoint::all(target) {
            let seen = self.rollouts.observe_entry(entry).await.ok();
            match seen.and_then(|seen| seen.shape()) {
                Some(Shape::Settled(place)) => settled.push((entry, place)),
                _ => return false,
            }
        }
        standing.releases.iter().any(|release| {
            matches!(release.state, ReleaseState::Live | ReleaseState::Retained)
                && settled
                    .iter()
                    .all(|(entry, place)| match (entry.place_in(release), entry) {
                        (Some(expected), _) => expected == *place,
                        (None, EntryPoint::Alias(_)) => true,
                        (None, EntryPoint::Stage(_)) => false,
                    })
        })
    }

    /// Waits until the shape is what calls meet. A stage is probed. A live alias is read once more: an invocation would
    /// tell which version answers, but a call of our own has effects behind a queue or a schedule that nobody asked for.
    ///
    /// # Errors
    /// [`EffectFailure::Foreign`] as soon as somebody else changed it: what he set is not what is waited for.
    async fn until_in_force(&self, entry: EntryPoint<'_>, shape: &Shape) -> Result<(), EffectFailure> {
        let limits = &self.rollouts.config.convergence;
        let deadline = self.now() + limits.probe_timeout;
        let expected = match entry {
            // A stage may have variables that are no business of a rollout.
            EntryPoint::Stage(api) => {
                let variables = self.retry(|| self.rollouts.ports.traffic.observe(api)).await?.variables;
                shape.as_stage(variables)
            }
            EntryPoint::Alias(_) => None,
        };
        let mut attempt = 1;
        loop {
            let probe = match (entry, &expected) {
                (EntryPoint::Stage(api), Some(expected)) => {
                    self.retry(|| self.rollouts.ports.traffic.probe(api, expected)).await?
                }
                _ => {
                    let seen = self.retry(|| self.rollouts.observe_entry(entry)).await?;
                    if seen.shape().as_ref() == Some(shape) {
                        Probe::InForce
                    } else {
                        Probe::NotYet { seen: seen.to_string() }
                    }
                }
            };
            let Probe::NotYet { seen } = probe else {
                return Ok(());
            };
            let late = PortError::new(
                PortErrorKind::Conflict,
                "probing",
                entry.to_string(),
                format!("{shape} is not in force: {seen}"),
            );
            self.see(entry, shape, Waits::Even, |_| false).await?;
            if self.now() >= deadline {
                return Err(late.into());
            }
            self.tell(RolloutEvent::WaitingForTraffic {
                api: entry.to_string(),
                seen,
            });
            self.back_off(&late, attempt).await;
            attempt += 1;
        }
    }

    /// A way back that was read back is not undone because a probe does not see it yet.
    fn tolerate_on_the_way_back(
        &self,
        is_way_back: bool,
        result: Result<(), EffectFailure>,
    ) -> Result<(), EffectFailure> {
        match result {
            Err(EffectFailure::Port(error)) if is_way_back => {
                self.tell(RolloutEvent::Warning {
                    message: format!("the traffic was returned and read back, but {error}"),
                });
                Ok(())
            }
            result => result,
        }
    }
}

/// Of several failures the one that decides most about how to go on.
fn gravest(failures: impl Iterator<Item = EffectFailure>) -> Result<(), EffectFailure> {
    let gravest = failures.min_by_key(|failure| match failure {
        EffectFailure::Ledger(_) | EffectFailure::LockLost(_) => 0,
        // Even if it was made by a run that took over: then the journal does not take the record.
        EffectFailure::Foreign { .. } => 1,
        EffectFailure::LeaseEnded => 2,
        EffectFailure::Reason(_) | EffectFailure::Port(_) => 3,
    });
    gravest.map_or(Ok(()), Err)
}

/// An entry point as it was seen.
struct Sight {
    seen: Seen,
    shape: Shape,
    /// When it was asked for.
    at: Timestamp,
}

/// How the waits between two looks grow.
#[derive(Debug, Clone, Copy)]
pub(super) enum Waits {
    Doubling,
    /// For what is done at every look at the gates and must not keep them waiting.
    Even,
}

impl Waits {
    fn after(self, attempt: u32) -> u32 {
        match self {
            Waits::Doubling => attempt,
            Waits::Even => 1,
        }
    }
}

impl Rollouts {
    pub(super) async fn observe_entry(&self, entry: EntryPoint<'_>) -> Result<Seen, PortError> {
        let traffic = &self.ports.traffic;
        match entry {
            EntryPoint::Stage(api) => traffic.observe(api).await.map(Seen::Stage),
            EntryPoint::Alias(alias) => traffic.observe_live_alias(alias).await.map(Seen::Alias),
        }
    }

    /// Whether every entry point is where the candidate is to be, with nothing left elsewhere.
    pub(super) async fn is_all_at_the_goal(&self, state: &State) -> Result<bool, PortError> {
        let (Some(deployed), Some(candidate)) = (&state.facts.deployed, &state.facts.candidate) else {
            return Ok(false);
        };
        for entry in EntryPoint::all(&deployed.target) {
            let goal = match (entry.place_in(candidate), entry) {
                (Some(goal), _) => goal,
                (None, EntryPoint::Alias(_)) => continue,
                (None, EntryPoint::Stage(_)) => return Ok(false),
            };
            let seen = match self.retry(|| self.observe_entry(entry)).await {
                Err(error) if error.kind == PortErrorKind::NotFound => return Ok(false),
                result => result?,
            };
            if seen.shape() != Some(Shape::Settled(goal)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
