//! What is live: reads the ledger and looks at the traffic, changes nothing, takes no lock.

use futures::future::join_all;
use jiff::Timestamp;
use serde::Serialize;

use super::entry::{EntryPoint, Place};
use super::{HistoryEntry, OpenRollout, RolloutError, Rollouts};
use crate::domain::{
    AliasName, AliasState, ApiTarget, ApiTraffic, FunctionName, LiveAlias, PerSlot, Release, ServedEntry, Slot,
};
use crate::ledger::{Actor, LockRecord, current_lock, read_standing};
use crate::rollout::RolloutNumber;

/// Serializes as the `status --json` of the CLI.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    pub environment: String,
    /// As the ledger says; `None` before the first rollout.
    pub live: Option<Release>,
    pub live_since: Option<Timestamp>,
    pub live_by: Option<RolloutNumber>,
    /// Who began that rollout.
    pub live_actor: Option<Actor>,
    /// The release that each slot was last pointed to, by an open rollout, too; `None` where that is not known.
    pub slots: PerSlot<Option<Release>>,
    /// As the live stages are now.
    pub apis: Vec<ApiStatus>,
    /// As the live aliases are now: where HTTP and WebSocket APIs, queues, streams and schedules go.
    pub aliases: Vec<AliasStatus>,
    pub open: Option<OpenRollout>,
    /// The newest rollout that has ended.
    pub last: Option<HistoryEntry>,
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
pub struct AliasStatus {
    pub function: FunctionName,
    pub alias: AliasName,
    /// Who calls it: `queue jobs`.
    pub serves: Vec<ServedEntry>,
    pub traffic: Option<AliasState>,
    /// Whether it is as the ledger says: all on the live release's version, no weights. An alias whose function the live
    /// release does not hold is where nobody has moved it from.
    pub as_recorded: bool,
    /// Why it cannot be seen, where it cannot.
    pub problem: Option<String>,
}

impl Rollouts {
    pub async fn status(&self) -> Result<Status, RolloutError> {
        let ledger = &*self.ports.ledger;
        let standing = read_standing(ledger, &self.environment).await?;
        let live = standing.live_release().cloned();
        let apis = standing.target.iter().flat_map(|target| &target.apis);
        let apis = join_all(apis.map(|api| self.api_status(api, live.as_ref()))).await;
        let aliases = standing.target.iter().flat_map(|target| &target.aliases);
        let aliases = join_all(aliases.map(|alias| self.alias_status(alias, live.as_ref()))).await;
        let story = self.story(standing.live_by).await?;
        let occupant = |slot: Slot| match &story.taken {
            Some((taken, by)) if *taken == slot => by.clone(),
            _ => standing
                .occupants
                .get(slot)
                .and_then(|number| standing.release(number).cloned()),
        };
        let slots = PerSlot {
            blue: occupant(Slot::Blue),
            green: occupant(Slot::Green),
        };
        let lock = current_lock(ledger, &self.environment)
            .await?
            .filter(|lock| lock.is_held(self.now(), jiff::SignedDuration::ZERO));
        Ok(Status {
            environment: self.environment.to_string(),
            live,
            live_since: standing.live_since,
            live_by: standing.live_by,
            live_actor: story.live_actor,
            slots,
            apis,
            aliases,
            open: story.open,
            last: story.last,
            journal_problem: story.problem,
            lock,
            retained: standing
                .releases
                .iter()
                .filter(|release| release.state == crate::domain::ReleaseState::Retained)
                .cloned()
                .collect(),
        })
    }

    async fn api_status(&self, api: &ApiTarget, live: Option<&Release>) -> ApiStatus {
        let expected = live.and_then(|live| EntryPoint::Stage(api).place_in(live));
        let (traffic, problem) = match self.ports.traffic.observe(api).await {
            Ok(traffic) => (Some(traffic), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let settled = traffic.as_ref().and_then(ApiTraffic::settled).map(Place::Stage);
        ApiStatus {
            name: api.name.clone(),
            live_url: api.live_url.clone(),
            traffic,
            as_recorded: expected.is_some() && settled == expected,
            problem,
        }
    }

    async fn alias_status(&self, alias: &LiveAlias, live: Option<&Release>) -> AliasStatus {
        let expected = live.and_then(|live| EntryPoint::Alias(alias).place_in(live));
        let (traffic, problem) = match self.ports.traffic.observe_live_alias(alias).await {
            Ok(traffic) => (Some(traffic), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let settled = traffic
            .as_ref()
            .filter(|seen| seen.weights.is_empty())
            .map(|seen| Place::Version(seen.version.clone()));
        AliasStatus {
            function: alias.function.clone(),
            alias: alias.alias.clone(),
            serves: alias.serves.clone(),
            as_recorded: settled.is_some() && (expected.is_none() || settled == expected),
            traffic,
            problem,
        }
    }
}
