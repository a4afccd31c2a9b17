//! Gives calls that WebSocket connections have begun the time to end, after a promotion and after a way back.
//!
//! A WebSocket API has no canary and a rollout closes no connection: from the switch on each message of a connection
//! meets the new version (while the traffic is divided, either of the two). What is left of the old version are the calls
//! that began before. API Gateway waits for an integration at most 29 s, so a bounded time is enough, and metrics, which
//! come a minute or more late, would not say it sooner. The old version stays invocable for its retention, so that a call
//! that takes longer is not cut either.
//!
//! Never fails a rollout. Called by `effects`.

use super::RolloutEvent;
use super::entry::EntryPoint;
use super::run::Hands;
use crate::domain::{EntryKind, LiveAlias, RolloutTarget};
use crate::rollout::State;

impl Hands<'_> {
    /// Waits for `websocket_drain` if a live alias that moved serves a WebSocket API.
    pub(super) async fn drain(&self, state: &State) {
        let limit = self.rollouts.config.websocket_drain;
        let Some(deployed) = state.facts.deployed.as_ref().filter(|_| limit.is_positive()) else {
            return;
        };
        let entries = served_over_connections(state, &deployed.target);
        if entries.is_empty() {
            return;
        }
        let until = self.now() + limit;
        let interval = self.rollouts.config.poll_interval;
        loop {
            let now = self.now();
            self.tell(RolloutEvent::Draining {
                entries: entries.clone(),
                until,
                now,
            });
            if now >= until {
                return;
            }
            self.rollouts.ports.clock.sleep_until(until.min(now + interval)).await;
        }
    }
}

/// The WebSocket APIs behind aliases whose version the rollout changes.
fn served_over_connections(state: &State, target: &RolloutTarget) -> Vec<String> {
    let moves = |alias: &&LiveAlias| {
        let entry = EntryPoint::Alias(alias);
        let base = state.facts.live.as_ref().and_then(|live| entry.place_before(live));
        let goal = state
            .facts
            .candidate
            .as_ref()
            .and_then(|candidate| entry.place_in(candidate));
        base.is_some() && goal.is_some() && base != goal
    };
    let served = target.aliases.iter().filter(moves).flat_map(|alias| &alias.serves);
    let mut names: Vec<String> = served
        .filter(|entry| entry.kind == EntryKind::WebSocketApi)
        .map(ToString::to_string)
        .collect();
    // One API has several routes, each with a function of its own.
    names.sort();
    names.dedup();
    names
}
