//! Takes over a rollout that did not end: to settle it, or to carry it on.

use super::{RolloutEnd, RolloutError, RolloutEvent, Rollouts};
use crate::ledger::{Journal, JournalError, Lease, OpenJournal, read_journal, rollout_numbers};
use crate::rollout::{Event, Phase, State};

/// How often the journal is read again because the run that was taken over wrote one more record meanwhile.
const READS: u32 = 5;

impl Rollouts {
    /// The newest rollout, if it is open. Nothing is looked at but the journal.
    pub(super) async fn open_rollout(&self) -> Result<Option<Journal>, RolloutError> {
        let Some(newest) = rollout_numbers(&*self.ports.ledger, &self.environment)
            .await?
            .last()
            .copied()
        else {
            return Ok(None);
        };
        let journal = read_journal(&*self.ports.ledger, &self.environment, newest).await?;
        Ok(journal.is_open().then_some(journal))
    }

    /// Settles the open rollout, if there is one, under a lease that was taken after it began.
    pub(super) async fn settle(&self, lease: &mut Lease) -> Result<Option<RolloutEnd>, RolloutError> {
        self.take_over(lease, false).await
    }

    /// Takes the open rollout over, if there is one, and brings it to its end: carries it on (`resume`), or turns back
    /// what can be turned back.
    pub(super) async fn take_over(&self, lease: &mut Lease, resume: bool) -> Result<Option<RolloutEnd>, RolloutError> {
        let mut reads = 1;
        loop {
            let Some(found) = self.open_rollout().await? else {
                return Ok(None);
            };
            if reads == 1
                && let Some(last) = found.records.last()
            {
                self.tell(RolloutEvent::FoundOpen {
                    rollout: found.rollout,
                    state: found.state.phase.name(),
                    pending: found.state.pending.clone(),
                    last_record: last.time,
                    actor: last.actor.clone(),
                    resume,
                });
            }
            let promoted = self.all_traffic_is_on_the_candidate(&found.state).await?;
            let mut journal = OpenJournal::take_over(
                &*self.ports.ledger,
                &self.environment,
                &found,
                &self.actor,
                &self.tool_version,
            );
            // From this record on the run that was taken over is fenced: its next record's place is taken.
            match journal
                .record(
                    lease.epoch(),
                    self.now(),
                    Event::Recovered {
                        epoch: lease.epoch(),
                        promoted,
                        resume,
                        expand_again: resume,
                    },
                )
                .await
            {
                Err(JournalError::Fenced { .. }) if reads < READS => reads += 1,
                Err(error) => return Err(error.into()),
                Ok(()) => return self.finish(journal, lease, 0, resume).await.map(Some),
            }
        }
    }

    /// Asked only where a promotion was intended: whether it took place in full.
    async fn all_traffic_is_on_the_candidate(&self, state: &State) -> Result<bool, RolloutError> {
        if state.phase != Phase::Promoting {
            return Ok(false);
        }
        Ok(self.is_all_at_the_goal(state).await?)
    }
}
