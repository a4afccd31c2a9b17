//! What an operator says to a rollout that is open: `pause`, `resume`, `approve`, `promote`, `abort`; and `unlock`.
//!
//! While a run is alive the request goes to it through the ledger, and its answer is read from the journal. Where none is
//! alive, whoever asks takes the rollout over and carries it on, because somebody who says `promote` or `abort` wants
//! that to happen and not to learn which other command would let it happen. Only a pause without a run is refused:
//! nothing moves.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{RolloutEnd, RolloutError, Rollouts};
use crate::ledger::{
    LockChange, LockError, LockRecord, OperatorRequest, break_lock, current_lock, read_journal, write_request,
};
use crate::rollout::{Event, PhaseName, Request, RolloutNumber, State};

/// How long between two looks for the run's answer.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The living run obeys it; `state` is the rollout's then.
    Taken { rollout: RolloutNumber, state: PhaseName },
    /// The living run cannot obey it now, in words for people.
    Refused { rollout: RolloutNumber, because: String },
    /// The rollout ended before the request was read.
    TooLate { rollout: RolloutNumber, state: PhaseName },
    /// The run that holds the lock did not answer within the wait. It does when it looks next; if it is dead, asking
    /// again after `holder.until` takes the rollout over.
    Queued {
        rollout: RolloutNumber,
        sequence: u64,
        holder: Box<LockRecord>,
    },
    /// No run was alive: this one took the rollout over and carried it to its end.
    CarriedOn { end: RolloutEnd },
}

impl Rollouts {
    /// Holds the rollout at its step: it goes on being watched, and a breach turns back. Lasts until `resume`, `promote`
    /// or `abort`. Waits for the answer for `wait` at most, as all verbs here.
    ///
    /// # Errors
    /// [`RolloutError::NothingOpen`]; [`RolloutError::NoRunAlive`].
    pub async fn pause(&self, wait: SignedDuration) -> Result<Answer, RolloutError> {
        self.ask(Request::Pause, wait).await
    }

    /// Ends a pause. Where no run is alive, takes the rollout over and carries it on from where it stands: a step that
    /// was in force is shifted to again and bakes anew.
    ///
    /// # Errors
    /// [`RolloutError::NothingOpen`]; whatever [`Rollouts::deploy_blue_green`] can end with.
    pub async fn resume(&self, wait: SignedDuration) -> Result<Answer, RolloutError> {
        self.ask(Request::Resume, wait).await
    }

    /// Approves the step that was asked about. Where no run is alive, takes the rollout over with that approval.
    ///
    /// # Errors
    /// As of [`Rollouts::resume`].
    pub async fn approve(&self, wait: SignedDuration) -> Result<Answer, RolloutError> {
        self.ask(Request::Approve, wait).await
    }

    /// Promotes at the next look that passes; see [`Request::Promote`]. Where no run is alive, takes the rollout over.
    ///
    /// # Errors
    /// As of [`Rollouts::resume`].
    pub async fn promote(&self, reason: Option<String>, wait: SignedDuration) -> Result<Answer, RolloutError> {
        self.ask(Request::Promote { reason }, wait).await
    }

    /// Turns the open rollout back. Where no run is alive, does it here.
    ///
    /// # Errors
    /// As of [`Rollouts::resume`].
    pub async fn abort(&self, reason: String, wait: SignedDuration) -> Result<Answer, RolloutError> {
        self.ask(Request::Abort { reason }, wait).await
    }

    /// Whether carrying the open rollout on would deploy the stacks, for which the app is needed. `None` where no rollout
    /// is open.
    pub async fn resume_deploys_stacks(&self) -> Result<Option<bool>, RolloutError> {
        Ok(self.open_rollout().await?.map(|journal| deploys_stacks(&journal.state)))
    }

    /// Breaks the lock of whoever holds it, and waits until a call of the holder that was under way is over. Without
    /// `force` only says who holds it.
    ///
    /// # Errors
    /// [`LockError::NotForced`]; [`LockError::NotHeld`].
    pub async fn unlock(&self, force: bool, reason: &str) -> Result<LockRecord, RolloutError> {
        let ledger = &*self.ports.ledger;
        if !force {
            let held = current_lock(ledger, &self.environment)
                .await
                .map_err(LockError::from)?
                .filter(|record| record.is_held(self.now(), SignedDuration::ZERO));
            return Err(match held {
                Some(record) => LockError::NotForced {
                    record: Box::new(record),
                },
                None => LockError::NotHeld,
            }
            .into());
        }
        let broken = break_lock(ledger, &self.environment, &self.actor, self.now(), reason).await?;
        self.ports
            .clock
            .sleep_until(broken.time + self.config.lock_margin)
            .await;
        Ok(broken)
    }

    async fn ask(&self, request: Request, wait: SignedDuration) -> Result<Answer, RolloutError> {
        self.config.validate()?;
        let Some(journal) = self.open_rollout().await? else {
            return Err(RolloutError::NothingOpen {
                request: request.to_string(),
            });
        };
        let rollout = journal.rollout;
        if request == Request::Pause && self.living_run().await?.is_none() {
            return Err(RolloutError::NoRunAlive {
                rollout,
                phase: journal.state.phase.name(),
            });
        }
        // A plain `resume` of a rollout that nobody carries on asks for nothing more than that.
        if request == Request::Resume && self.living_run().await?.is_none() {
            return self.carry_on(rollout, false).await;
        }
        let written = write_request(
            &*self.ports.ledger,
            &self.environment,
            rollout,
            self.now(),
            &self.actor,
            request,
        )
        .await?;
        self.answer(&written, self.now() + wait).await
    }

    /// Waits for the run's answer. Takes the rollout over when no run is alive any more.
    async fn answer(&self, written: &OperatorRequest, until: Timestamp) -> Result<Answer, RolloutError> {
        let rollout = written.rollout;
        let is_abort = matches!(written.request, Request::Abort { .. });
        loop {
            if let Some(answer) = self.answer_in_journal(written).await? {
                return Ok(answer);
            }
            let Some(holder) = self.living_run().await? else {
                if written.request == Request::Pause {
                    return Err(RolloutError::NoRunAlive {
                        rollout,
                        phase: read_journal(&*self.ports.ledger, &self.environment, rollout)
                            .await?
                            .state
                            .phase
                            .name(),
                    });
                }
                return self.carry_on(rollout, is_abort).await;
            };
            let now = self.now();
            if now >= until || self.interrupt.is_wished() {
                return Ok(Answer::Queued {
                    rollout,
                    sequence: written.sequence,
                    holder: Box::new(holder),
                });
            }
            self.ports.clock.sleep_until(until.min(now + LOOK_EVERY)).await;
        }
    }

    async fn answer_in_journal(&self, written: &OperatorRequest) -> Result<Option<Answer>, RolloutError> {
        let rollout = written.rollout;
        let journal = read_journal(&*self.ports.ledger, &self.environment, rollout).await?;
        let answer = journal.records.iter().find_map(|record| match &record.event {
            Event::Requested { sequence, .. } if *sequence == written.sequence => Some(Answer::Taken {
                rollout,
                state: record.state,
            }),
            Event::RequestRefused { sequence, because, .. } if *sequence == written.sequence => Some(Answer::Refused {
                rollout,
                because: because.clone(),
            }),
            _ => None,
        });
        let too_late = || {
            (!journal.is_open()).then(|| Answer::TooLate {
                rollout,
                state: journal.state.phase.name(),
            })
        };
        Ok(answer.or_else(too_late))
    }

    /// Who holds the lock, as far as can be told.
    async fn living_run(&self) -> Result<Option<LockRecord>, RolloutError> {
        let current = current_lock(&*self.ports.ledger, &self.environment).await?;
        Ok(current.filter(|record| {
            record.change != LockChange::Broken && record.is_held(self.now(), self.config.lock_margin)
        }))
    }

    /// `is_abort`: what is carried on turns back before it does anything else.
    async fn carry_on(&self, rollout: RolloutNumber, is_abort: bool) -> Result<Answer, RolloutError> {
        if let Some(open) = self.open_rollout().await?
            && deploys_stacks(&open.state)
            && !is_abort
            && !self.ports.infrastructure.knows_what_to_deploy()
        {
            return Err(RolloutError::NeedsTheApp {
                rollout,
                phase: open.state.phase.name(),
            });
        }
        let mut lease = self.take_lock().await?;
        let result = self.take_over(&mut lease, true).await;
        match self.release_lock(lease, result).await? {
            Some(end) => Ok(Answer::CarriedOn { end }),
            // Somebody else was faster.
            None => {
                let journal = read_journal(&*self.ports.ledger, &self.environment, rollout).await?;
                Ok(Answer::TooLate {
                    rollout,
                    state: journal.state.phase.name(),
                })
            }
        }
    }
}

fn deploys_stacks(state: &State) -> bool {
    let before = [
        PhaseName::Planned,
        PhaseName::Locked,
        PhaseName::BackedUp,
        PhaseName::Expanded,
    ];
    !state.plan.is_rollback() && before.contains(&state.phase.name())
}
