//! Looks whether somebody else moved what a rollout has set, while it bakes or waits. Read-only.

use super::effects::target;
use super::run::{EffectFailure, Hands};
use crate::rollout::{Phase, State};

impl Hands<'_> {
    /// A glance at the same, without trying again: cheap enough for every look, and never in the way of a breach.
    pub(super) async fn looks_unmoved(&self, state: &State) -> bool {
        match &state.facts.live {
            None => true,
            Some(_) if state.phase.bake().is_some() => self.looks_in_force(state).await,
            Some(live) => self.looks_live(state, live).await,
        }
    }

    /// What is set is as the rollout set it. Looks as often as reading back does before it calls a difference foreign,
    /// because a read may be late.
    pub(super) async fn verify_unmoved(&self, state: &State) -> Result<(), EffectFailure> {
        match (&state.phase, &state.facts.live) {
            (_, None) => Ok(()),
            (phase, Some(_)) if phase.bake().is_some() => self.verify_in_force(state).await,
            (Phase::Smoked | Phase::AwaitingApproval { .. }, Some(live)) => {
                self.verify_live(live, target(state)?, |_| None).await
            }
            _ => Ok(()),
        }
    }
}
