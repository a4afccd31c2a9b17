//! What an operator says to a rollout that is open: `pause`, `resume`, `approve`, `promote`, `abort`; and `unlock`.
//!
//! While a run is alive the request goes to it through the ledger, and its answer is read from the journal. Where none is
//! alive, whoever asks takes the rollout over and carries it on, because somebody who says `promote` or `abort` wants
//! that to happen and not to learn which other command would let it happen. Only a pause without a run is refused:
//! nothing moves.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{RolloutEnd, RolloutError, RolloutEvent, Rollouts};
use crate::ledger::{
    Journal, LockChange, LockError, LockRecord, OperatorRequest, break_lock, current_lock, read_journal, write_request,
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
    /// The run that holds the lock lives and did not answer within the wait: it is in the middle of a long effect.
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
    /// or `abort`, and never beyond the run: who carries the rollout on lets it go on. Waits for the answer for `wait` at
    /// most, as all verbs here.
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
        let holder = self.living_run().await?;
        let is_held_up = journal.state.paused.is_some() || journal.state.phase.name() == PhaseName::Inconclusive;
        // A `resume` of what nobody holds up asks only that somebody carries it on.
        let written = if holder.is_none() && matches!(request, Request::Pause | Request::Resume)
            || request == Request::Resume && !is_held_up
        {
            None
        } else {
            let (ledger, request) = (&*self.ports.ledger, request.clone());
            Some(write_request(ledger, &self.environment, rollout, self.now(), &self.actor, request).await?)
        };
        let asked = Asked {
            rollout,
            request,
            written,
            until: self.now() + wait,
        };
        self.answer(&asked, holder).await
    }

    /// Waits for the run's answer. Takes the rollout over when no run is alive any more: a holder of the lock that gives
    /// no sign of life is waited for beyond the time, until its lease has ended.
    async fn answer(&self, asked: &Asked, first: Option<LockRecord>) -> Result<Answer, RolloutError> {
        let rollout = asked.rollout;
        let mut is_told = false;
        loop {
            let journal = read_journal(&*self.ports.ledger, &self.environment, rollout).await?;
            if let Some(answer) = asked.answer_in(&journal) {
                return Ok(answer);
            }
            let Some(holder) = self.living_run().await? else {
                return match asked.request {
                    Request::Pause => Err(RolloutError::NoRunAlive {
                        rollout,
                        phase: journal.state.phase.name(),
                    }),
                    _ => self.carry_on(asked).await,
                };
            };
            let lives = first.as_ref().is_none_or(|first| first.sequence != holder.sequence);
            let now = self.now();
            match &asked.written {
                None if lives => {
                    return Ok(Answer::Refused {
                        rollout,
                        because: format!("it is not paused, {} is at work on it", holder.owner),
                    });
                }
                Some(written) if (lives && now >= asked.until) || self.interrupt.is_wished() => {
                    return Ok(Answer::Queued {
                        rollout,
                        sequence: written.sequence,
                        holder: Box::new(holder),
                    });
                }
                None if self.interrupt.is_wished() => {
                    return Err(LockError::Held {
                        record: Box::new(holder),
                    }
                    .into());
                }
                _ => {}
            }
            if now >= asked.until && !is_told {
                self.tell(RolloutEvent::WaitingForLock { holder });
                is_told = true;
            }
            self.ports.clock.sleep_until(now + LOOK_EVERY).await;
        }
    }

    /// Who holds the lock, as far as can be told.
    async fn living_run(&self) -> Result<Option<LockRecord>, RolloutError> {
        let current = current_lock(&*self.ports.ledger, &self.environment).await?;
        Ok(current.filter(|record| {
            record.change != LockChange::Broken && record.is_held(self.now(), self.config.lock_margin)
        }))
    }

    async fn carry_on(&self, asked: &Asked) -> Result<Answer, RolloutError> {
        if let Some(open) = self.open_rollout().await?
            && deploys_stacks(&open.state)
            && !matches!(asked.request, Request::Abort { .. })
            && !self.ports.infrastructure.knows_what_to_deploy()
        {
            return Err(RolloutError::NeedsTheApp {
                rollout: open.rollout,
                phase: open.state.phase.name(),
            });
        }
        let mut lease = self.take_lock().await?;
        let result = self.take_over(&mut lease, true).await;
        match self.release_lock(lease, result).await? {
            Some(end) => Ok(Answer::CarriedOn { end }),
            // Somebody else was faster.
            None => {
                let journal = read_journal(&*self.ports.ledger, &self.environment, asked.rollout).await?;
                Ok(Answer::TooLate {
                    rollout: asked.rollout,
                    state: journal.state.phase.name(),
                })
            }
        }
    }
}

/// A request under way.
struct Asked {
    rollout: RolloutNumber,
    request: Request,
    /// `None` where there is nobody whom it could be told.
    written: Option<OperatorRequest>,
    until: Timestamp,
}

impl Asked {
    /// What the rollout's journal says to it.
    fn answer_in(&self, journal: &Journal) -> Option<Answer> {
        let rollout = self.rollout;
        let ours = self.written.as_ref().map(|written| written.sequence);
        let answer = journal.records.iter().find_map(|record| match &record.event {
            Event::Requested { sequence, .. } if ours == Some(*sequence) => Some(Answer::Taken {
                rollout,
                state: record.state,
            }),
            Event::RequestRefused { sequence, because, .. } if ours == Some(*sequence) => Some(Answer::Refused {
                rollout,
                because: because.clone(),
            }),
            _ => None,
        });
        answer.or_else(|| {
            (!journal.is_open()).then(|| Answer::TooLate {
                rollout,
                state: journal.state.phase.name(),
            })
        })
    }
}

/// Whether the stacks are still to be deployed.
fn deploys_stacks(state: &State) -> bool {
    let before = [
        PhaseName::Planned,
        PhaseName::Locked,
        PhaseName::BackedUp,
        PhaseName::Expanded,
    ];
    !state.plan.is_rollback() && before.contains(&state.phase.name())
}
