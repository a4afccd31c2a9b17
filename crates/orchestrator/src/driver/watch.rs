//! Looks whether somebody else moved what a rollout has set, while it bakes or waits. Read-only.

use super::effects::target;
use super::run::{EffectFailure, Hands};
use crate::rollout::{Phase, State};

impl Hands<'_> {
    /// One glance, without trying again: cheap enough for every look, and never in the way of a breach. What cannot be
    /// seen now is not called moved.
    pub(super) async fn looks_unmoved(&self, state: &State) -> bool {
        match &state.facts.live {
            None => true,
            Some(_) if state.phase.bake().is_some() => self.looks_in_force(state).await,
            Some(live) => {
                let (traffic, slot) =
                    futures::join!(self.looks_live(state, live), self.candidate_looks_released(state));
                traffic && slot
            }
        }
    }

    /// What is set is as the rollout set it. Looks as often as reading back does before it calls a difference foreign,
    /// because a read may be late.
    pub(super) async fn verify_unmoved(&self, state: &State) -> Result<(), EffectFailure> {
        let Some(live) = &state.facts.live else { return Ok(()) };
        match &state.phase {
            phase if phase.bake().is_some() => self.verify_in_force(state).await,
            Phase::Smoked | Phase::AwaitingApproval { .. } => {
                let target = target(state)?;
                self.verify_live(live, target, |_| None).await?;
                match &state.facts.candidate {
                    Some(candidate) => self.verify_slot(candidate, target, "the candidate").await,
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
