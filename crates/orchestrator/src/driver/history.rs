//! What happened, as the journals tell it: reads the ledger only, changes nothing, takes no lock.

use jiff::Timestamp;
use serde::Serialize;

use super::{RolloutEnd, RolloutError, RolloutResult, Rollouts};
use crate::domain::{Release, ReleaseNumber, Slot, Weight};
use crate::gates::{Judgement, Verdict};
use crate::ledger::{Actor, Journal, JournalError, read_journal, rollout_numbers};
use crate::rollout::{Effect, Event, Goal, Pause, Phase, PhaseName, RolloutNumber};

/// One rollout, newest first in [`Rollouts::history`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryEntry {
    pub rollout: RolloutNumber,
    pub is_rollback: bool,
    pub release: ReleaseNumber,
    pub tag: Option<String>,
    pub before: Option<ReleaseNumber>,
    pub began: Option<Timestamp>,
    pub last_record: Option<Timestamp>,
    /// Who began it.
    pub actor: Option<Actor>,
    /// Who wrote its last record: another one where it was taken over.
    pub ended_by: Option<Actor>,
    pub state: PhaseName,
    /// `None` while it is open.
    pub result: Option<RolloutResult>,
    /// Why the journal cannot be read, where it cannot; the fields above then say nothing.
    pub problem: Option<String>,
}

/// A rollout that did not end, with what is going on in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenRollout {
    pub rollout: RolloutNumber,
    pub is_rollback: bool,
    pub release: ReleaseNumber,
    pub tag: String,
    /// The slot that it releases to, once that is known.
    pub slot: Option<Slot>,
    /// Why it is a hotfix, if it is one.
    pub hotfix: Option<String>,
    pub state: PhaseName,
    /// The effect that was begun and whose outcome is not recorded.
    pub pending: Option<Effect>,
    pub began: Option<Timestamp>,
    pub began_by: Option<Actor>,
    pub last_record: Option<Timestamp>,
    /// Who wrote the last record.
    pub actor: Option<Actor>,
    /// The step that is shifted to or baked, from 0, of so many.
    pub step: Option<usize>,
    pub steps: usize,
    /// The step's weight.
    pub weight: Option<Weight>,
    /// Since when the step's weight is in force.
    pub bake_since: Option<Timestamp>,
    /// Who holds it at its step, and since when.
    pub paused: Option<Pause>,
    /// The step that somebody is to approve, from 0.
    pub approval_of: Option<usize>,
    /// When an operator asked to promote at the next look that passes.
    pub promote_asked: Option<Timestamp>,
    /// Until when an approval, or a word about an inconclusive bake, is waited for.
    pub waits_until: Option<Timestamp>,
    /// The newest look at the gates.
    pub judged: Option<LastLook>,
    /// Why it is being turned back, in one line.
    pub turning_back: Option<String>,
}

/// The newest look at the gates, in one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastLook {
    pub at: Timestamp,
    pub verdict: Verdict,
    pub requests: u64,
    pub summary: String,
}

/// What the journals add to the standing, for [`Rollouts::status`].
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) open: Option<OpenRollout>,
    /// What the open rollout has put into its slot, which the standing does not know yet: `None` in it while that goes on.
    pub(super) taken: Option<(Slot, Option<Release>)>,
    /// The newest rollout that has ended.
    pub(super) last: Option<HistoryEntry>,
    /// Who began the rollout that made live what is.
    pub(super) live_actor: Option<Actor>,
    /// Why a journal cannot be read.
    pub(super) problem: Option<String>,
}

impl HistoryEntry {
    pub(super) fn of(journal: &Journal) -> HistoryEntry {
        let state = &journal.state;
        let (first, last) = (journal.records.first(), journal.records.last());
        HistoryEntry {
            rollout: journal.rollout,
            is_rollback: state.plan.is_rollback(),
            release: state.plan.release(),
            tag: Some(tag(&state.plan.goal).to_owned()),
            before: state.facts.live.as_ref().map(|live| live.number),
            began: first.map(|record| record.time),
            last_record: last.map(|record| record.time),
            actor: first.map(|record| record.actor.clone()),
            ended_by: last.map(|record| record.actor.clone()),
            state: state.phase.name(),
            result: RolloutEnd::of(state).map(|end| end.result),
            problem: None,
        }
    }

    fn unreadable(rollout: RolloutNumber, error: &JournalError) -> HistoryEntry {
        HistoryEntry {
            rollout,
            is_rollback: false,
            release: ReleaseNumber::BASELINE,
            tag: None,
            before: None,
            began: None,
            last_record: None,
            actor: None,
            ended_by: None,
            state: PhaseName::Planned,
            result: None,
            problem: Some(error.to_string()),
        }
    }
}

impl OpenRollout {
    fn of(journal: &Journal) -> OpenRollout {
        let state = &journal.state;
        let (first, last) = (journal.records.first(), journal.records.last());
        let step = state.phase.step();
        let judged = journal.records.iter().rev().find_map(|record| match &record.event {
            Event::Judged { at, judgement, .. } => Some(LastLook::of(*at, judgement)),
            _ => None,
        });
        OpenRollout {
            rollout: journal.rollout,
            is_rollback: state.plan.is_rollback(),
            release: state.plan.release(),
            tag: tag(&state.plan.goal).to_owned(),
            slot: state.facts.live.as_ref().map(|live| live.slot.other()),
            hotfix: state.plan.hotfix().map(str::to_owned),
            state: state.phase.name(),
            pending: state.pending.clone(),
            began: first.map(|record| record.time),
            began_by: first.map(|record| record.actor.clone()),
            last_record: last.map(|record| record.time),
            actor: last.map(|record| record.actor.clone()),
            step,
            steps: state.plan.steps.len(),
            weight: step.and_then(|step| state.plan.steps.get(step)).map(|step| step.weight),
            bake_since: state.phase.bake().map(|bake| bake.since),
            paused: state.paused.clone(),
            approval_of: match &state.phase {
                Phase::AwaitingApproval { step, .. } => Some(*step),
                _ => None,
            },
            promote_asked: state.promote_asked,
            waits_until: state.waits_until(),
            judged,
            turning_back: match &state.phase {
                Phase::RollingBack { reason } => Some(reason.to_string()),
                _ => None,
            },
        }
    }
}

impl LastLook {
    fn of(at: Timestamp, judgement: &Judgement) -> LastLook {
        LastLook {
            at,
            verdict: judgement.verdict,
            requests: judgement.requests,
            summary: judgement.summary(),
        }
    }
}

/// The slot that an open rollout has begun to fill, and with what.
pub(super) fn taken(journal: &Journal) -> Option<(Slot, Option<Release>)> {
    let facts = &journal.state.facts;
    let slot = facts.live.as_ref()?.slot.other();
    facts.release_begun.then(|| (slot, facts.candidate.clone()))
}

fn tag(goal: &Goal) -> &str {
    match goal {
        Goal::Deploy { tag, .. } => tag,
        Goal::Rollback { to, .. } => &to.tag,
    }
}

impl Rollouts {
    /// Newest first, at most `limit`. A journal that cannot be read is an entry that says so.
    pub async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, RolloutError> {
        let ledger = &*self.ports.ledger;
        let numbers = rollout_numbers(ledger, &self.environment).await?;
        let mut entries = Vec::new();
        for rollout in numbers.into_iter().rev().take(limit) {
            entries.push(match read_journal(ledger, &self.environment, rollout).await {
                Ok(journal) => HistoryEntry::of(&journal),
                Err(error) => HistoryEntry::unreadable(rollout, &error),
            });
        }
        Ok(entries)
    }

    /// Reads the newest journal, the one before where the newest is open, and the one that made live what is.
    pub(super) async fn story(&self, live_by: Option<RolloutNumber>) -> Result<Story, RolloutError> {
        let ledger = &*self.ports.ledger;
        let numbers = rollout_numbers(ledger, &self.environment).await?;
        let mut story = Story::default();
        let mut newest_is_open = false;
        for (index, rollout) in numbers.iter().rev().enumerate() {
            let is_recent = index == 0 || (index == 1 && newest_is_open);
            if !is_recent && Some(*rollout) != live_by {
                continue;
            }
            match read_journal(ledger, &self.environment, *rollout).await {
                Ok(journal) => {
                    if Some(*rollout) == live_by {
                        story.live_actor = journal.records.first().map(|record| record.actor.clone());
                    }
                    if index == 0 && journal.is_open() {
                        newest_is_open = true;
                        story.open = Some(OpenRollout::of(&journal));
                        story.taken = taken(&journal);
                    } else if is_recent {
                        story.last = Some(HistoryEntry::of(&journal));
                    }
                }
                Err(error) => {
                    story.problem.get_or_insert_with(|| error.to_string());
                }
            }
        }
        Ok(story)
    }
}
