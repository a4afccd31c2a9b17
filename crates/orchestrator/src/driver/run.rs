//! The one loop that carries effects out, and what all effects use: ports, retries, the lease.

use std::future::Future;
use std::pin::pin;

use futures::future::{Either, join, select};
use jiff::{SignedDuration, Timestamp};

use super::effects::impossible;
use super::entry::{EntryPoint, Place};
use super::lease_end::LeaseEnd;
use super::{RolloutEnd, RolloutError, RolloutEvent, Rollouts};
use crate::ledger::{
    Lease, LedgerError, LockError, LockRecord, OpenJournal, OperatorRequest, current_lock, requests_after,
};
use crate::ports::{PortError, PortErrorKind};
use crate::rollout::{Effect, Event, Phase, PhaseName, Reason, Request, State, step};

/// How often an effect is begun again because its lease ended under way.
pub(super) const STALLS: u32 = 3;

/// How old the look may be that a change of the traffic rests on.
const LOOK_LASTS: SignedDuration = SignedDuration::from_secs(5);

/// How long a wait goes on before it is looked whether the process was told something.
const SLICE: SignedDuration = SignedDuration::from_millis(200);

/// How long an operator's request may lie in the ledger while the run waits for its next look.
const REQUESTS_EVERY: SignedDuration = SignedDuration::from_secs(2);

/// Why an effect did not come to its outcome.
pub(super) enum EffectFailure {
    /// The rollout turns back, or stays where it is if this was the way back.
    Reason(Reason),
    Port(PortError),
    /// Somebody else changed what the rollout moves.
    Foreign {
        found: String,
        proven: bool,
    },
    /// The ledger failed: nothing can be recorded, so nothing more is done.
    Ledger(LedgerError),
    /// Somebody else has the lock, by the ledger: nothing more is changed.
    LockLost(Box<LockRecord>),
    /// The lease ended under way, so somebody else may have taken over: nothing more is changed before it is renewed.
    LeaseEnded,
}

impl From<PortError> for EffectFailure {
    fn from(error: PortError) -> EffectFailure {
        EffectFailure::Port(error)
    }
}

impl From<LedgerError> for EffectFailure {
    fn from(error: LedgerError) -> EffectFailure {
        EffectFailure::Ledger(error)
    }
}

/// What effects work with. Holds nothing that changes, so that an effect and the renewal of the lease run side by side.
#[derive(Clone, Copy)]
pub(super) struct Hands<'a> {
    pub(super) rollouts: &'a Rollouts,
    pub(super) lease_end: &'a LeaseEnd,
    /// Of the lease. Nothing is changed once the ledger names a later one.
    pub(super) epoch: u64,
}

impl Hands<'_> {
    /// Asked before every single change: a run that stalled in the middle of an effect must not go on with it, and a lock
    /// that was broken says so only in the ledger. Where the ledger does not answer, nothing is changed.
    pub(super) async fn may_change(&self) -> Result<(), EffectFailure> {
        let rollouts = self.rollouts;
        let current = current_lock(&*rollouts.ports.ledger, &rollouts.environment).await?;
        match current {
            Some(record) if record.epoch != self.epoch => return Err(EffectFailure::LockLost(Box::new(record))),
            Some(_) => {}
            None => return Err(impossible("the lock is gone from the ledger").into()),
        }
        if self.lease_end.is_after(self.now() + rollouts.config.lock_margin) {
            Ok(())
        } else {
            Err(EffectFailure::LeaseEnded)
        }
    }

    /// A change rests on a look, and nothing else protects what somebody changed since then.
    pub(super) fn is_too_old(&self, looked_at: Timestamp) -> bool {
        self.now() > looked_at + LOOK_LASTS
    }

    /// [`Rollouts::retry`] for changes that may be repeated.
    pub(super) async fn change<T, F, Fut>(&self, mut call: F) -> Result<T, EffectFailure>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, PortError>>,
    {
        let attempts = self.rollouts.config.convergence.attempts.max(1);
        let mut attempt = 1;
        loop {
            self.may_change().await?;
            match call().await {
                Err(error) if error.kind.is_transient() && attempt < attempts => {
                    self.back_off(&error, attempt).await;
                    attempt += 1;
                }
                result => return Ok(result?),
            }
        }
    }

    pub(super) async fn retry<T, F, Fut>(&self, call: F) -> Result<T, PortError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, PortError>>,
    {
        self.rollouts.retry(call).await
    }

    pub(super) async fn back_off(&self, error: &PortError, attempt: u32) {
        self.rollouts.back_off(error, attempt).await;
    }

    pub(super) fn now(&self) -> Timestamp {
        self.rollouts.now()
    }

    pub(super) fn tell(&self, event: RolloutEvent) {
        self.rollouts.tell(event);
    }
}

impl Rollouts {
    /// Waits before attempt `attempt` + 1; the wait doubles with each attempt.
    pub(super) async fn back_off(&self, error: &PortError, attempt: u32) {
        let limits = &self.config.convergence;
        let doubled = (1..attempt).fold(limits.first_wait, |wait, _| (wait * 2).min(limits.longest_wait));
        let at = self.now() + doubled.min(limits.longest_wait);
        self.tell(RolloutEvent::Retrying {
            operation: format!("{} of {}", error.operation, error.resource),
            error: error.message.clone(),
            attempt,
            attempts: limits.attempts,
            at,
        });
        self.ports.clock.sleep_until(at).await;
    }

    /// For reads, and what else may be repeated: tries again while it fails in a way that can pass.
    pub(super) async fn retry<T, F, Fut>(&self, mut call: F) -> Result<T, PortError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, PortError>>,
    {
        let attempts = self.config.convergence.attempts.max(1);
        let mut attempt = 1;
        loop {
            match call().await {
                Err(error) if error.kind.is_transient() && attempt < attempts => {
                    self.back_off(&error, attempt).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }
}

/// A rollout that is being carried out.
pub(super) struct Run<'a> {
    pub(super) hands: Hands<'a>,
    pub(super) journal: OpenJournal<'a>,
    /// The number of the newest operator's request that was looked at.
    pub(super) requests_read: u64,
    pub(super) requests_read_at: Option<Timestamp>,
    /// It was carried on, and what was asked for before that was not looked at yet.
    pub(super) resumed: bool,
    pub(super) lease: &'a mut Lease,
}

impl Run<'_> {
    /// Carries out effects until there are none left.
    pub(super) async fn finish(mut self) -> Result<RolloutEnd, RolloutError> {
        self.tell_state();
        loop {
            self.answer_requests().await?;
            if let Some(reason) = self.turn_back_wanted() {
                self.record(Event::AbortRequested { reason }).await?;
            }
            let at = self.hands.now();
            if self.journal.state().waits_until().is_some_and(|until| at >= until) {
                self.record(Event::TimedOut { at }).await?;
            }
            let Some(effect) = self.journal.state().next_effect() else {
                break;
            };
            if self.hands.rollouts.interrupt.wants_hand_over() {
                return Err(RolloutError::HandedOver {
                    rollout: self.rollout(),
                    phase: self.journal.state().phase.name(),
                });
            }
            match &effect {
                Effect::Judge { step } => self.look_at_the_gates(*step).await?,
                Effect::Wait => self.wait().await?,
                Effect::AskForApproval { step } => self.ask_for_approval(*step).await?,
                _ => self.carry_out(effect).await?,
            }
        }
        RolloutEnd::of(self.journal.state()).ok_or_else(|| self.open("no effect is due"))
    }

    /// Intent, call and read back, outcome.
    async fn carry_out(&mut self, effect: Effect) -> Result<(), RolloutError> {
        self.ensure_lease().await?;
        let expected = expectation(self.journal.state(), &effect);
        self.record(Event::Intended {
            effect: effect.clone(),
            expected,
        })
        .await?;
        self.hands.tell(RolloutEvent::EffectBegins { effect: effect.clone() });
        let state = self.journal.state().clone();
        let hands = self.hands;
        let mut result = self.keep_alive(hands.execute(&state, &effect)).await?;
        for _ in 0..STALLS {
            if !matches!(result, Err(EffectFailure::LeaseEnded)) {
                break;
            }
            // Nobody else took over if this succeeds. The effect begins again and observes what it did already.
            self.renew().await?;
            result = self.keep_alive(hands.execute(&state, &effect)).await?;
        }
        self.hands.tell(RolloutEvent::EffectEnds {
            effect: effect.clone(),
            succeeded: result.is_ok(),
        });
        match result {
            Ok(event) => self.record(event).await,
            Err(EffectFailure::Foreign { found, proven }) => self.foreign_change(found, proven).await,
            Err(EffectFailure::Port(error)) => {
                self.failed(
                    effect.clone(),
                    Reason::EffectFailed {
                        effect,
                        error: error.to_string(),
                    },
                )
                .await
            }
            Err(EffectFailure::Reason(reason)) => self.failed(effect, reason).await,
            Err(failure @ (EffectFailure::Ledger(_) | EffectFailure::LockLost(_) | EffectFailure::LeaseEnded)) => {
                Err(self.stopped_by(failure))
            }
        }
    }

    /// Why nothing more is done here, and the rollout stays open.
    fn stopped_by(&self, failure: EffectFailure) -> RolloutError {
        match failure {
            EffectFailure::Ledger(error) => error.into(),
            EffectFailure::LockLost(record) => LockError::Lost { record }.into(),
            EffectFailure::LeaseEnded => RolloutError::LeaseEnded {
                rollout: self.rollout(),
                until: self.lease.until(),
                source: None,
            },
            EffectFailure::Port(error) => self.open(&error.to_string()),
            EffectFailure::Reason(reason) => self.open(&reason.to_string()),
            EffectFailure::Foreign { found, .. } => self.open(&found),
        }
    }

    async fn foreign_change(&mut self, found: String, proven: bool) -> Result<(), RolloutError> {
        if proven {
            self.note_what_the_slot_holds().await?;
        }
        self.record(Event::ForeignChange {
            found: found.clone(),
            proven,
        })
        .await?;
        if proven {
            Ok(())
        } else {
            Err(RolloutError::ForeignChange {
                rollout: self.rollout(),
                found,
            })
        }
    }

    /// A rollout that ends for a human leaves the slot that it filled as it is. The ledger has to say so before that end:
    /// a rollback believes it where the functions cannot be asked.
    async fn note_what_the_slot_holds(&mut self) -> Result<(), RolloutError> {
        self.ensure_lease().await?;
        let (hands, state) = (self.hands, self.journal.state().clone());
        let noted = self.keep_alive(hands.record_turned_back(&state)).await?;
        match noted {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.stopped_by(failure)),
        }
    }

    async fn failed(&mut self, effect: Effect, reason: Reason) -> Result<(), RolloutError> {
        let before = self.journal.state().phase.name();
        self.record(Event::Failed {
            effect,
            reason: reason.clone(),
        })
        .await?;
        if self.journal.state().phase.name() == before {
            return Err(self.open(&reason.to_string()));
        }
        Ok(())
    }

    /// Asks the gates, and sees that what is in force is still as the rollout set it.
    async fn look_at_the_gates(&mut self, step: usize) -> Result<(), RolloutError> {
        let hands = self.hands;
        let state = self.journal.state().clone();
        // An answer that comes late is of when it was asked for: it must not pass for one of the bake's end.
        let at = hands.now();
        let looks = join(hands.ask_the_gates(&state), hands.looks_unmoved(&state));
        let (judgement, is_unmoved) = self.keep_alive(looks).await?;
        self.hands.tell_baking(&state, &judgement);
        self.record(Event::Judged { step, at, judgement }).await?;
        self.until_next_look(is_unmoved).await
    }

    /// Nothing of the candidate is in force; only what is live can be looked at.
    async fn wait(&mut self) -> Result<(), RolloutError> {
        let hands = self.hands;
        let state = self.journal.state().clone();
        let is_unmoved = self.keep_alive(hands.looks_unmoved(&state)).await?;
        self.until_next_look(is_unmoved).await
    }

    /// The second half of a look: makes sure of a foreign change that a first glance suspects, and lets time pass.
    async fn until_next_look(&mut self, is_unmoved: bool) -> Result<(), RolloutError> {
        let hands = self.hands;
        let Some(next_look) = hands.next_look(self.journal.state()) else {
            return Ok(());
        };
        let state = self.journal.state().clone();
        if !is_unmoved {
            match self.keep_alive(hands.verify_unmoved(&state)).await? {
                Ok(()) => {}
                Err(EffectFailure::Foreign { found, proven }) => return self.foreign_change(found, proven).await,
                Err(EffectFailure::Ledger(error)) => return Err(error.into()),
                Err(EffectFailure::Port(error)) => hands.tell(RolloutEvent::Warning {
                    message: format!("it cannot be seen whether the traffic is as it was set: {error}"),
                }),
                Err(EffectFailure::Reason(_) | EffectFailure::LeaseEnded | EffectFailure::LockLost(_)) => {}
            }
        }
        hands.tell_waiting(&state);
        // In slices, so that a wish is noticed soon.
        while hands.now() < next_look && !hands.rollouts.interrupt.is_wished() {
            let slice = next_look.min(hands.now() + SLICE);
            self.keep_alive(hands.rollouts.ports.clock.sleep_until(slice)).await?;
            if self
                .requests_read_at
                .is_none_or(|at| hands.now() >= at + REQUESTS_EVERY)
                && self.answer_requests().await?
            {
                break;
            }
        }
        Ok(())
    }

    async fn ask_for_approval(&mut self, step: usize) -> Result<(), RolloutError> {
        self.record(Event::ApprovalAsked {
            step,
            at: self.hands.now(),
        })
        .await?;
        let state = self.journal.state();
        if let (Some(planned), Some(until)) = (state.plan.steps.get(step), state.waits_until()) {
            self.hands.tell(RolloutEvent::ApprovalAsked {
                step,
                weight: planned.weight,
                until,
            });
        }
        Ok(())
    }

    /// Reads what operators asked for since the last time, and records what becomes of it. Whether there was anything.
    async fn answer_requests(&mut self) -> Result<bool, RolloutError> {
        let rollouts = self.hands.rollouts;
        let requests = requests_after(&*rollouts.ports.ledger, &rollouts.environment, self.requests_read).await?;
        self.requests_read_at = Some(self.hands.now());
        let resumed = std::mem::take(&mut self.resumed);
        let mut is_any = false;
        for OperatorRequest {
            sequence,
            rollout,
            actor: by,
            request,
            ..
        } in requests
        {
            if self.journal.state().phase.name().is_end() {
                break;
            }
            self.requests_read = sequence;
            if rollout != self.rollout() {
                continue;
            }
            is_any = true;
            let event = Event::Requested {
                sequence,
                at: self.hands.now(),
                by: by.clone(),
                request: request.clone(),
            };
            let allowed = match step(self.journal.state(), &event) {
                // Whoever asked was told that nothing moved that could be paused, and the latest word counts.
                _ if resumed && request == Request::Pause => {
                    Err("the rollout was carried on after that; ask again to pause it".to_owned())
                }
                result => result.map_err(|illegal| illegal.detail),
            };
            match allowed {
                Ok(_) => {
                    self.hands.tell(RolloutEvent::RequestTaken { by, request });
                    self.record(event).await?;
                }
                Err(because) => {
                    self.hands.tell(RolloutEvent::RequestRefused {
                        by: by.clone(),
                        request: request.clone(),
                        because: because.clone(),
                    });
                    self.record(Event::RequestRefused {
                        sequence,
                        by,
                        request,
                        because,
                    })
                    .await?;
                }
            }
        }
        Ok(is_any)
    }

    async fn record(&mut self, event: Event) -> Result<(), RolloutError> {
        let before = self.journal.state().phase.clone();
        self.journal.record(self.lease.epoch(), self.hands.now(), event).await?;
        let phase = &self.journal.state().phase;
        if phase.name() != before.name() || phase.step() != before.step() {
            self.tell_state();
        }
        Ok(())
    }

    fn tell_state(&self) {
        let state = self.journal.state();
        if let Phase::RollingBack { reason } = &state.phase {
            self.hands.tell(RolloutEvent::TurningBack { reason: reason.clone() });
        }
        self.hands.tell(RolloutEvent::State {
            rollout: state.plan.rollout,
            state: state.phase.name(),
        });
    }

    /// A wish to turn back that can still be fulfilled.
    fn turn_back_wanted(&self) -> Option<String> {
        let state = self.journal.state();
        let too_late = matches!(state.phase.name(), PhaseName::Promoted | PhaseName::RollingBack)
            || state.phase.name().is_end()
            || (state.plan.is_rollback() && state.phase.name() == PhaseName::Promoting);
        if too_late {
            None
        } else {
            self.hands.rollouts.interrupt.turn_back_reason()
        }
    }

    fn rollout(&self) -> crate::rollout::RolloutNumber {
        self.journal.state().plan.rollout
    }

    fn open(&self, problem: &str) -> RolloutError {
        RolloutError::Open {
            rollout: self.rollout(),
            phase: self.journal.state().phase.name(),
            problem: problem.to_owned(),
        }
    }

    /// Nothing is begun within the margin of the lease's end.
    async fn ensure_lease(&mut self) -> Result<(), RolloutError> {
        let margin = self.hands.rollouts.config.lock_margin;
        if self.lease.is_due(self.hands.now(), margin) {
            self.renew().await?;
        }
        Ok(())
    }

    /// Renews the lease. While the ledger cannot be reached the lease that is left is used up to its margin.
    async fn renew(&mut self) -> Result<(), RolloutError> {
        let rollouts = self.hands.rollouts;
        let now = self.hands.now();
        match self
            .lease
            .renew(&*rollouts.ports.ledger, &rollouts.environment, now)
            .await
        {
            Ok(()) => {
                self.hands.lease_end.set(self.lease.until());
                Ok(())
            }
            Err(error @ LockError::Ledger(_)) => {
                if now + rollouts.config.lock_margin < self.lease.until() {
                    self.hands.tell(RolloutEvent::Warning {
                        message: format!("the lock was not renewed: {error}"),
                    });
                    Ok(())
                } else {
                    Err(RolloutError::LeaseEnded {
                        rollout: self.rollout(),
                        until: self.lease.until(),
                        source: Some(error),
                    })
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Drives `work` to its end and renews the lease meanwhile. A lost lease drops the work.
    async fn keep_alive<T>(&mut self, work: impl Future<Output = T>) -> Result<T, RolloutError> {
        let mut work = pin!(work);
        let clock = &*self.hands.rollouts.ports.clock;
        let mut renew_at = self.lease.renew_at();
        loop {
            match select(work.as_mut(), clock.sleep_until(renew_at)).await {
                Either::Left((done, _)) => return Ok(done),
                Either::Right(((), _)) => {
                    self.renew().await?;
                    // Where the renewal did not succeed, again soon.
                    renew_at = self.lease.renew_at().max(clock.now() + SignedDuration::from_secs(1));
                }
            }
        }
    }
}

/// What the world is to look like when the effect has succeeded, for the journal's reader.
fn expectation(state: &State, effect: &Effect) -> String {
    let entries = || state.facts.deployed.iter().flat_map(|it| EntryPoint::all(&it.target));
    let listed = |place: &dyn Fn(EntryPoint<'_>) -> Option<Place>| {
        let places = entries().filter_map(|entry| Some(format!("{entry} at {}", place(entry)?)));
        places.collect::<Vec<_>>().join(", ")
    };
    let targets = || listed(&|entry| entry.place_in(state.facts.candidate.as_ref()?));
    let base = || match &state.facts.live {
        Some(live) => listed(&|entry| entry.place_before(live)),
        None => "nothing was live".to_owned(),
    };
    match effect {
        Effect::Prepare => "nothing in the way; the live traffic as recorded".to_owned(),
        Effect::BackUp => "a backup, if the environment asks for one".to_owned(),
        Effect::Expand => "no expand migration pending".to_owned(),
        Effect::CheckLive { expanded: false } => "what the live release can do, if the schema is to change".to_owned(),
        Effect::CheckLive { expanded: true } => "the live release passes what it passed before".to_owned(),
        Effect::Deploy => "the stacks stand as synthesized".to_owned(),
        Effect::Establish => format!("the live traffic unmoved: {}", base()),
        Effect::Release { slot } => format!(
            "slot {slot} and its preview stages hold release {}",
            state.plan.release()
        ),
        Effect::Smoke { slot, .. } => format!("every check passes against slot {slot}"),
        Effect::Shift { weight, .. } => format!("canary of {weight}: {}; the rest: {}", targets(), base()),
        Effect::Judge { .. } | Effect::AskForApproval { .. } | Effect::Wait => String::new(),
        Effect::Promote => format!("no canary: {}", targets()),
        Effect::Retain => format!("release {} recorded as live", state.plan.release()),
        Effect::Withdraw => format!("no canary: {}", base()),
    }
}

/// What was seen may not be so any more when it can be changed.
pub(super) fn looked_too_long(resource: String) -> PortError {
    let why = format!("each look at it took longer than {LOOK_LASTS:#}, so what was seen may have changed meanwhile");
    PortError::new(PortErrorKind::Unavailable, "changing", resource, why)
}

/// A lost response says nothing, so neither does its error: what follows has to look.
pub(super) fn may_have_happened(error: &PortError) -> bool {
    matches!(
        error.kind,
        PortErrorKind::Ambiguous | PortErrorKind::Throttled | PortErrorKind::Unavailable | PortErrorKind::Conflict
    )
}
