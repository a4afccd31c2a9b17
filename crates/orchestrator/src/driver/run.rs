//! The one loop that carries effects out, and what all effects use: ports, retries, the lease.

use std::future::Future;
use std::pin::pin;

use futures::future::{Either, select};
use jiff::{SignedDuration, Timestamp};

use super::lease_end::LeaseEnd;
use super::{RolloutEnd, RolloutError, RolloutEvent, Rollouts};
use crate::ledger::{Lease, LedgerError, LockError, OpenJournal};
use crate::ports::{PortError, PortErrorKind};
use crate::rollout::{Effect, Event, Phase, PhaseName, Reason, State};

/// How often an effect is begun again because its lease ended under way.
const STALLS: u32 = 3;

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
}

impl Hands<'_> {
    /// Asked before every single change: a run that stalled in the middle of an effect must not go on with it.
    pub(super) fn may_change(&self) -> Result<(), EffectFailure> {
        if self.lease_end.is_after(self.now() + self.rollouts.config.lock_margin) {
            Ok(())
        } else {
            Err(EffectFailure::LeaseEnded)
        }
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
            self.may_change()?;
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
    pub(super) lease: &'a mut Lease,
}

impl Run<'_> {
    /// Carries out effects until there are none left.
    pub(super) async fn finish(mut self) -> Result<RolloutEnd, RolloutError> {
        self.tell_state();
        loop {
            if let Some(reason) = self.abort_wanted() {
                self.record(Event::AbortRequested { reason }).await?;
            }
            let Some(effect) = self.journal.state().next_effect() else {
                break;
            };
            match &effect {
                Effect::Judge { step } => self.look_at_the_gates(*step).await?,
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
            Err(EffectFailure::Ledger(error)) => Err(error.into()),
            Err(EffectFailure::LeaseEnded) => Err(RolloutError::LeaseEnded {
                rollout: self.rollout(),
                until: self.lease.until(),
                source: None,
            }),
            Err(EffectFailure::Foreign { found, proven }) => {
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

    async fn look_at_the_gates(&mut self, step: usize) -> Result<(), RolloutError> {
        let hands = self.hands;
        let state = self.journal.state().clone();
        let judgement = self.keep_alive(hands.ask_the_gates(&state)).await?;
        self.hands.tell_baking(&state, &judgement);
        self.record(Event::Judged {
            step,
            at: self.hands.now(),
            judgement,
        })
        .await?;
        if let Some(next_look) = self.hands.next_look(self.journal.state()) {
            // In slices, so that an abort is noticed soon.
            while self.hands.now() < next_look && self.abort_wanted().is_none() {
                let slice = next_look.min(self.hands.now() + SignedDuration::from_millis(200));
                self.keep_alive(hands.rollouts.ports.clock.sleep_until(slice)).await?;
            }
        }
        Ok(())
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

    /// A wish to abort that can still be fulfilled by turning back.
    fn abort_wanted(&self) -> Option<String> {
        let state = self.journal.state();
        let too_late = matches!(state.phase.name(), PhaseName::Promoted | PhaseName::RollingBack)
            || state.phase.name().is_end()
            || (state.plan.is_rollback() && state.phase.name() == PhaseName::Promoting);
        if too_late {
            None
        } else {
            self.hands.rollouts.abort.reason()
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
    let targets = || {
        let apis = state.facts.candidate.iter().flat_map(|candidate| {
            candidate
                .apis
                .iter()
                .map(|api| format!("{} at {} ({})", api.rest_api_id, api.deployment_id, candidate.slot))
        });
        apis.collect::<Vec<_>>().join(", ")
    };
    let base = || match &state.facts.live {
        Some(live) => {
            let apis = live
                .apis
                .iter()
                .map(|api| format!("{} at {} ({})", api.rest_api_id, api.deployment_id, live.slot));
            apis.collect::<Vec<_>>().join(", ")
        }
        None => "nothing was live".to_owned(),
    };
    match effect {
        Effect::Prepare => "nothing in the way; the live traffic as recorded".to_owned(),
        Effect::BackUp => "a backup, if the environment asks for one".to_owned(),
        Effect::Expand => "no expand migration pending".to_owned(),
        Effect::Deploy => "the stacks stand as synthesized".to_owned(),
        Effect::Establish => format!("the live traffic unmoved: {}", base()),
        Effect::Release { slot } => format!(
            "slot {slot} and its preview stages hold release {}",
            state.plan.release()
        ),
        Effect::Smoke { slot, .. } => format!("every check passes against slot {slot}"),
        Effect::Shift { weight, .. } => format!("canary of {weight}: {}; the rest: {}", targets(), base()),
        Effect::Judge { .. } => String::new(),
        Effect::Promote => format!("no canary: {}", targets()),
        Effect::Retain => format!("release {} recorded as live", state.plan.release()),
        Effect::Withdraw => format!("no canary: {}", base()),
    }
}

/// A lost response says nothing, so neither does its error: what follows has to look.
pub(super) fn may_have_happened(error: &PortError) -> bool {
    matches!(
        error.kind,
        PortErrorKind::Ambiguous | PortErrorKind::Throttled | PortErrorKind::Unavailable | PortErrorKind::Conflict
    )
}
