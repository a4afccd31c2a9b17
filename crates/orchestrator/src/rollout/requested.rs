//! What an operator's request does to a rollout, and why it may be refused: the details are words for that operator.

use jiff::Timestamp;

use super::transition::illegal;
use super::{Bake, Event, IllegalTransition, Pause, Phase, PhaseName, Reason, Request, State};
use crate::ledger::Actor;

pub(super) fn requested(
    state: &State,
    event: &Event,
    at: Timestamp,
    by: &Actor,
    request: &Request,
    next: &mut State,
) -> Result<(), IllegalTransition> {
    let refuse = |why: &str| Err(illegal(state, event, why));
    match state.phase.name() {
        PhaseName::RollingBack => return refuse("the rollout is being turned back already"),
        PhaseName::Promoted => {
            return refuse("the release is promoted already; `rollback` goes back to the one before");
        }
        PhaseName::Promoting if state.plan.is_rollback() => {
            return refuse("a rollback's switch is not undone half way");
        }
        _ => {}
    }
    if let Request::Abort { reason } = request {
        next.pending = None;
        next.phase = Phase::RollingBack {
            reason: Reason::Aborted {
                reason: reason.clone(),
                by: Some(by.clone()),
            },
        };
        return Ok(());
    }
    if state.plan.is_rollback() {
        return refuse("a rollback is not held up; only `abort` ends it early");
    }
    if state.phase.name() == PhaseName::Promoting {
        return refuse("the release is being promoted already");
    }
    if let Some(pending) = &state.pending {
        return refuse(&format!("the outcome of {pending} is not known yet"));
    }
    let let_go_on = |bake: &Bake| Phase::Baking {
        bake: Bake {
            went_on_at: Some(at),
            ..bake.clone()
        },
        passed: false,
    };
    match request {
        Request::Abort { .. } => {}
        Request::Pause => {
            if state.paused.is_some() {
                return refuse("it is paused already");
            }
            next.paused = Some(Pause {
                by: by.clone(),
                since: at,
            });
            // The latest word counts.
            next.promote_asked = None;
            if let Phase::Baking { passed, .. } = &mut next.phase {
                *passed = false;
            }
        }
        Request::Resume => match &state.phase {
            Phase::Inconclusive { bake, .. } => {
                next.paused = None;
                next.phase = let_go_on(bake);
            }
            _ if state.paused.is_none() => return refuse("it is not paused"),
            phase => {
                next.paused = None;
                if let Phase::Baking { bake, .. } = phase {
                    next.phase = let_go_on(bake);
                }
            }
        },
        Request::Approve => {
            let asked = state.facts.approval_asked;
            if asked.is_none() || asked <= state.facts.approved {
                return refuse("no step waits for an approval");
            }
            next.facts.approved = asked;
            if let Phase::AwaitingApproval { watched, .. } = &state.phase {
                next.phase = watched.as_ref().map_or(Phase::Smoked, let_go_on);
            }
        }
        Request::Promote { .. } => {
            if state.promote_asked.is_some() {
                return refuse("that was asked for already; it happens at the first look that passes");
            }
            next.paused = None;
            next.promote_asked = Some(at);
            match &state.phase {
                Phase::AwaitingApproval { watched, .. } => {
                    next.phase = watched.as_ref().map_or(Phase::Smoked, let_go_on);
                }
                Phase::Inconclusive { bake, .. } => next.phase = let_go_on(bake),
                _ => {}
            }
        }
    }
    Ok(())
}
