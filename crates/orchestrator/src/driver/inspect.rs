//! What is live, what happened: reads the ledger and looks at the traffic, changes nothing, takes no lock.

use jiff::Timestamp;
use serde::Serialize;

use super::{RolloutEnd, RolloutError, RolloutResult, Rollouts};
use crate::domain::{ApiTraffic, Release, ReleaseNumber, StageTarget};
use crate::ledger::{Actor, LockRecord, current_lock, read_journal, read_standing, rollout_numbers};
use crate::rollout::{Effect, PhaseName, RolloutNumber};

/// Serializes as the `status --json` of the CLI.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    pub environment: String,
    /// As the ledger says; `None` before the first rollout.
    pub live: Option<Release>,
    pub live_since: Option<Timestamp>,
    pub live_by: Option<RolloutNumber>,
    /// As the live stages are now.
    pub apis: Vec<ApiStatus>,
    pub open: Option<OpenRollout>,
    /// Why the newest journal cannot be read, where it cannot.
    pub journal_problem: Option<String>,
    /// Who holds the lock now.
    pub lock: Option<LockRecord>,
    /// Every release that a rollback could go to.
    pub retained: Vec<Release>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApiStatus {
    pub name: String,
    pub live_url: String,
    pub traffic: Option<ApiTraffic>,
    /// Whether it is as the ledger says: all on the live release, no canary.
    pub as_recorded: bool,
    /// Why the traffic cannot be seen, where it cannot.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenRollout {
    pub rollout: RolloutNumber,
    pub state: PhaseName,
    pub pending: Option<Effect>,
    pub last_record: Option<Timestamp>,
    pub actor: Option<Actor>,
}

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
    pub actor: Option<Actor>,
    pub state: PhaseName,
    /// `None` while it is open.
    pub result: Option<RolloutResult>,
    /// Why the journal cannot be read, where it cannot; the fields above then say nothing.
    pub problem: Option<String>,
}

impl Rollouts {
    pub async fn status(&self) -> Result<Status, RolloutError> {
        let ledger = &*self.ports.ledger;
        let standing = read_standing(ledger, &self.environment).await?;
        let live = standing.live_release().cloned();
        let mut apis = Vec::new();
        for api in standing.target.iter().flat_map(|target| &target.apis) {
            let expected = live.as_ref().and_then(|release| {
                let deployment_id = release.deployment(&api.rest_api_id)?.clone();
                Some(StageTarget {
                    deployment_id,
                    slot: release.slot,
                })
            });
            let (traffic, problem) = match self.ports.traffic.observe(api).await {
                Ok(traffic) => (Some(traffic), None),
                Err(error) => (None, Some(error.to_string())),
            };
            let as_recorded = expected.is_some() && traffic.as_ref().and_then(ApiTraffic::settled) == expected;
            apis.push(ApiStatus {
                name: api.name.clone(),
                live_url: api.live_url.clone(),
                traffic,
                as_recorded,
                problem,
            });
        }
        let (open, journal_problem) = match self.open_rollout().await {
            Ok(open) => (open, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let lock = current_lock(ledger, &self.environment)
            .await?
            .filter(|lock| lock.is_held(self.now(), jiff::SignedDuration::ZERO));
        Ok(Status {
            environment: self.environment.to_string(),
            live,
            live_since: standing.live_since,
            live_by: standing.live_by,
            apis,
            open: open.map(|journal| {
                let last = journal.records.last();
                OpenRollout {
                    rollout: journal.rollout,
                    state: journal.state.phase.name(),
                    pending: journal.state.pending.clone(),
                    last_record: last.map(|record| record.time),
                    actor: last.map(|record| record.actor.clone()),
                }
            }),
            journal_problem,
            lock,
            retained: standing
                .releases
                .iter()
                .filter(|release| release.state == crate::domain::ReleaseState::Retained)
                .cloned()
                .collect(),
        })
    }

    /// Newest first, at most `limit`. A journal that cannot be read is an entry that says so.
    pub async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, RolloutError> {
        let ledger = &*self.ports.ledger;
        let mut entries = Vec::new();
        for rollout in rollout_numbers(ledger, &self.environment)
            .await?
            .into_iter()
            .rev()
            .take(limit)
        {
            entries.push(match read_journal(ledger, &self.environment, rollout).await {
                Err(error) => HistoryEntry {
                    rollout,
                    is_rollback: false,
                    release: ReleaseNumber::BASELINE,
                    tag: None,
                    before: None,
                    began: None,
                    last_record: None,
                    actor: None,
                    state: PhaseName::Planned,
                    result: None,
                    problem: Some(error.to_string()),
                },
                Ok(journal) => {
                    let state = &journal.state;
                    let tag = match &state.plan.goal {
                        crate::rollout::Goal::Deploy { tag, .. } => tag.clone(),
                        crate::rollout::Goal::Rollback { to, .. } => to.tag.clone(),
                    };
                    let first = journal.records.first();
                    HistoryEntry {
                        rollout,
                        is_rollback: state.plan.is_rollback(),
                        release: state.plan.release(),
                        tag: Some(tag),
                        before: state.facts.live.as_ref().map(|live| live.number),
                        began: first.map(|record| record.time),
                        last_record: journal.records.last().map(|record| record.time),
                        actor: first.map(|record| record.actor.clone()),
                        state: state.phase.name(),
                        result: RolloutEnd::of(state).map(|end| end.result),
                        problem: None,
                    }
                }
            });
        }
        Ok(entries)
    }
}
