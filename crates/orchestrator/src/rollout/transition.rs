//! The transitions: state and event in, state and due effect out.

use jiff::Timestamp;

use super::live_checks::broken;
use super::requested::requested;
use super::table::is_legal;
use super::{Bake, Effect, Event, Facts, Goal, IllegalTransition, LiveChecks, Phase, PhaseName, Plan, Reason, State};
use crate::config::LowTraffic;
use crate::gates::{Judgement, Verdict};
use crate::ports::Expanded;

/// The state after the first record.
pub fn open(plan: &Plan) -> State {
    let facts = match &plan.goal {
        Goal::Deploy { .. } => Facts::default(),
        // What was live before is proven; its slot still holds it, so nothing is left to test.
        Goal::Rollback { to, repoint: false, .. } => Facts {
            candidate: Some((**to).clone()),
            smoked_digest: Some(to.digest()),
            ..Facts::default()
        },
        Goal::Rollback { repoint: true, .. } => Facts::default(),
    };
    State {
        plan: plan.clone(),
        phase: Phase::Planned,
        pending: None,
        halted: false,
        paused: None,
        promote_asked: None,
        requests_read: 0,
        epoch: 0,
        facts,
    }
}

/// The state after all events, the first of which must be [`Event::Opened`].
///
/// # Errors
/// Events that no rollout can have made, with the index of the first such.
pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Option<State>, (usize, IllegalTransition)> {
    let mut state: Option<State> = None;
    for (index, event) in events.into_iter().enumerate() {
        state = Some(match (&state, event) {
            (None, Event::Opened { plan }) => open(plan),
            (None, other) => {
                return Err((
                    index,
                    IllegalTransition {
                        from: PhaseName::Planned,
                        event: other.name(),
                        detail: "the first record must open the rollout".to_owned(),
                    },
                ));
            }
            (Some(state), event) => step(state, event).map_err(|illegal| (index, illegal))?.0,
        });
    }
    Ok(state)
}

/// # Errors
/// An event that cannot happen in this state.
pub fn step(state: &State, event: &Event) -> Result<(State, Option<Effect>), IllegalTransition> {
    let next = advance(state, event)?;
    if !is_legal(state.phase.name(), event.name(), next.phase.name()) {
        return Err(illegal(
            state,
            event,
            format!("state {} does not follow", next.phase.name()),
        ));
    }
    let effect = next.next_effect();
    Ok((next, effect))
}

pub(super) fn illegal(state: &State, event: &Event, detail: impl Into<String>) -> IllegalTransition {
    IllegalTransition {
        from: state.phase.name(),
        event: event.name(),
        detail: detail.into(),
    }
}

fn advance(state: &State, event: &Event) -> Result<State, IllegalTransition> {
    if state.halted && !matches!(event, Event::Recovered { .. }) {
        return Err(illegal(
            state,
            event,
            "somebody else moved the traffic, so the rollout has to be taken over first",
        ));
    }
    let mut next = state.clone();
    next.halted = false;
    match event {
        Event::Opened { .. } => return Err(illegal(state, event, "the rollout is open already")),
        Event::LockTaken { epoch } => {
            next.epoch = *epoch;
            next.phase = Phase::Locked;
        }
        Event::Intended { effect, .. } => intend(state, event, effect, &mut next)?,
        Event::Judged { step, at, judgement } => judge(state, event, *step, *at, judgement, &mut next)?,
        Event::AbortRequested { reason } => {
            if state.plan.is_rollback() && state.phase == Phase::Promoting {
                return Err(illegal(state, event, "a rollback's switch is not undone half way"));
            }
            next.pending = None;
            next.phase = Phase::RollingBack {
                reason: Reason::Aborted {
                    reason: reason.clone(),
                    by: None,
                },
            };
        }
        Event::Requested {
            sequence,
            at,
            by,
            request,
        } => {
            requested(state, event, *at, by, request, &mut next)?;
            next.requests_read = state.requests_read.max(*sequence);
        }
        Event::RequestRefused { sequence, .. } => next.requests_read = state.requests_read.max(*sequence),
        Event::ApprovalAsked { step, at } => {
            if state.pending.is_some() || state.next_effect() != Some(Effect::AskForApproval { step: *step }) {
                return Err(illegal(state, event, format!("step {} asks for no approval", step + 1)));
            }
            next.facts.approval_asked = Some(*step);
            next.phase = Phase::AwaitingApproval {
                step: *step,
                since: *at,
                watched: state.phase.bake().cloned(),
            };
        }
        Event::TimedOut { at } => {
            if state.waits_until().is_none_or(|until| *at < until) {
                return Err(illegal(state, event, "the time to wait has not ended"));
            }
            next.phase = Phase::RollingBack {
                reason: match &state.phase {
                    Phase::Inconclusive { bake, judgement, .. } => Reason::Inconclusive {
                        step: bake.step,
                        judgement: judgement.clone(),
                    },
                    Phase::AwaitingApproval { step, .. } => Reason::NotApproved { step: *step },
                    _ => return Err(illegal(state, event, "nobody is waited for")),
                },
            };
        }
        Event::Recovered {
            epoch,
            promoted,
            resume,
            expand_again,
        } => {
            if *epoch <= state.epoch {
                return Err(illegal(
                    state,
                    event,
                    format!("epoch {epoch} is not after {}", state.epoch),
                ));
            }
            next.epoch = *epoch;
            next.pending = None;
            if *resume {
                next.paused = None;
                next.phase = resumed_phase(state, *promoted);
                if *expand_again && matches!(next.phase, Phase::BackedUp | Phase::Expanded) {
                    next.phase = Phase::BackedUp;
                    // What the live release could do before an expand that nobody has judged yet stays what counts.
                    if !matches!(next.facts.live_checks, LiveChecks::Before(_)) {
                        next.facts.live_checks = LiveChecks::Due;
                    }
                }
            } else {
                next.phase = recovered_phase(state, *promoted);
            }
        }
        Event::ForeignChange { found, proven } => {
            next.pending = None;
            if *proven {
                next.phase = Phase::NeedsHuman { found: found.clone() };
            } else {
                next.halted = true;
            }
        }
        Event::Failed { effect, reason } => {
            if state.pending.as_ref() != Some(effect) {
                return Err(illegal(state, event, format!("{effect} was not intended")));
            }
            next.pending = None;
            next.phase = failed_phase(state, effect, reason);
        }
        outcome => {
            let Some(pending) = &state.pending else {
                return Err(illegal(state, event, "nothing was intended"));
            };
            conclude(state, outcome, pending, &mut next)?;
            next.pending = None;
        }
    }
    Ok(next)
}

fn intend(state: &State, event: &Event, effect: &Effect, next: &mut State) -> Result<(), IllegalTransition> {
    if let Some(pending) = &state.pending {
        return Err(illegal(state, event, format!("the outcome of {pending} is not known")));
    }
    if state.next_effect().as_ref() != Some(effect) {
        return Err(illegal(state, event, format!("{effect} is not due")));
    }
    match effect {
        Effect::Shift { .. } | Effect::Promote if !state.candidate_is_proven() => {
            return Err(illegal(state, event, "the candidate's smoke test is missing"));
        }
        Effect::Shift { step, .. } => next.phase = Phase::Shifting { step: *step },
        Effect::Promote => next.phase = Phase::Promoting,
        Effect::Release { .. } => next.facts.release_begun = true,
        _ => {}
    }
    next.pending = Some(effect.clone());
    Ok(())
}

/// The outcome of an effect that succeeded.
fn conclude(state: &State, event: &Event, pending: &Effect, next: &mut State) -> Result<(), IllegalTransition> {
    let facts = &mut next.facts;
    match (pending, event) {
        (Effect::Prepare, Event::Prepared { live, alarms, deployed }) => {
            if state.plan.is_rollback() && live.is_none() {
                return Err(illegal(state, event, "a rollback needs to know what is live"));
            }
            facts.prepared = true;
            facts.live = live.clone();
            facts.alarms_at_start = alarms.clone();
            facts.deployed = deployed.clone();
        }
        (Effect::BackUp, Event::BackedUp { backup }) => {
            facts.backup = backup.clone();
            facts
                .hooks
                .extend(backup.iter().flat_map(|backup| backup.hooks.clone()));
            next.phase = Phase::BackedUp;
        }
        (Effect::Expand, Event::Expanded { expanded }) => match expanded {
            Expanded::Applied {
                schema_version,
                contracts,
                hooks,
                ..
            } => {
                facts.hooks.extend(hooks.iter().cloned());
                facts.schema_version = schema_version.clone();
                facts.contracts = contracts.clone();
                facts.expand_pending = false;
                if state.phase == Phase::BackedUp {
                    next.phase = Phase::Expanded;
                }
            }
            Expanded::NoDatabaseYet if state.phase == Phase::BackedUp => {
                facts.expand_pending = true;
                next.phase = Phase::Expanded;
            }
            // The stacks stand and there is still no database: the environment has none.
            Expanded::NoDatabaseYet => facts.expand_pending = false,
        },
        (
            Effect::CheckLive { expanded: false },
            Event::LiveChecked {
                expanded: false,
                checks,
                ..
            },
        ) => {
            facts.live_checks = checks.clone().map_or(LiveChecks::NothingPending, LiveChecks::Before);
        }
        (
            Effect::CheckLive { expanded: true },
            Event::LiveChecked {
                expanded: true,
                checks: Some(after),
                ..
            },
        ) => {
            if let LiveChecks::Before(before) = &facts.live_checks
                && !broken(before, after).is_empty()
            {
                return Err(illegal(state, event, "the live release does not survive the schema"));
            }
            facts.live_checks = LiveChecks::Passed;
        }
        (Effect::Deploy, Event::Deployed { deployed }) => {
            facts.deployed = Some(deployed.clone());
            next.phase = Phase::Deployed;
        }
        (
            Effect::Establish,
            Event::Established {
                live, alarms, before, ..
            },
        ) => {
            if facts.live.as_ref().is_some_and(|before| !live.completes(before)) {
                return Err(illegal(state, event, "the live release moved during the deploy"));
            }
            facts.live = Some(live.clone());
            facts.alarms_at_start.extend(alarms.iter().cloned());
            facts.before = before.clone();
            facts.established = true;
        }
        (Effect::Release { slot }, Event::Released { release }) => {
            if release.slot != *slot {
                return Err(illegal(
                    state,
                    event,
                    format!("slot {slot} was intended, not {}", release.slot),
                ));
            }
            facts.candidate = Some(release.clone());
            next.phase = Phase::Released;
        }
        (
            Effect::Smoke { digest, .. },
            Event::Smoked {
                digest: tested,
                results,
            },
        ) => {
            if digest != tested || results.iter().any(|result| !result.passed) {
                return Err(illegal(state, event, "the tests were not passed for this release"));
            }
            facts.smoked_digest = Some(tested.clone());
            next.phase = Phase::Smoked;
        }
        (
            Effect::Shift { step, weight },
            Event::InForce {
                step: seen_step,
                at,
                weight: seen_weight,
            },
        ) => {
            if (step, weight) != (seen_step, seen_weight) {
                return Err(illegal(state, event, "another weight was intended"));
            }
            facts.in_force = Some(*step);
            next.phase = Phase::Baking {
                bake: Bake {
                    step: *step,
                    since: *at,
                    blind_since: None,
                    went_on_at: None,
                },
                passed: false,
            };
        }
        (Effect::Promote, Event::Promoted { .. }) => next.phase = Phase::Promoted,
        (Effect::Retain, Event::Retained) => next.phase = Phase::Retained,
        (Effect::Withdraw, Event::Withdrawn) => {
            let Phase::RollingBack { reason } = &state.phase else {
                return Err(illegal(state, event, "nothing is being rolled back"));
            };
            next.phase = Phase::RolledBack { reason: reason.clone() };
        }
        (pending, _) => return Err(illegal(state, event, format!("it is not an outcome of {pending}"))),
    }
    Ok(())
}

fn judge(
    state: &State,
    event: &Event,
    judged_step: usize,
    at: Timestamp,
    judgement: &Judgement,
    next: &mut State,
) -> Result<(), IllegalTransition> {
    let (
        Some(bake),
        Some(times),
        Phase::Baking { passed: false, .. } | Phase::AwaitingApproval { .. } | Phase::Inconclusive { .. },
    ) = (state.phase.bake(), state.bake_times(), &state.phase)
    else {
        return Err(illegal(state, event, "no weight is in force that is watched"));
    };
    if bake.step != judged_step {
        return Err(illegal(
            state,
            event,
            format!("step {} is in force, not step {}", bake.step + 1, judged_step + 1),
        ));
    }
    let step = bake.step;
    let blind_since = if judgement.is_blind() {
        bake.blind_since.or(Some(at))
    } else {
        None
    };
    let bake = Bake {
        blind_since,
        ..bake.clone()
    };
    let judgement = judgement.clone();
    let turn_back = |reason| Phase::RollingBack { reason };
    let waits = state.paused.is_some();
    next.phase = match (judgement.verdict, &state.phase) {
        (Verdict::Fail, _) => turn_back(Reason::GateBreached { step, judgement }),
        (Verdict::Inconclusive, _) if blind_since.is_some_and(|from| at >= from + state.plan.longest_blindness) => {
            turn_back(Reason::Blind { step, judgement })
        }
        (_, Phase::AwaitingApproval { step, since, .. }) => Phase::AwaitingApproval {
            step: *step,
            since: *since,
            watched: Some(bake),
        },
        (Verdict::Pass, _) => Phase::Baking {
            bake,
            passed: at >= times.passes_from && !waits,
        },
        (Verdict::Inconclusive, Phase::Inconclusive { since, .. }) => Phase::Inconclusive {
            bake,
            since: *since,
            judgement,
        },
        (Verdict::Inconclusive, _) if at < times.ends_at || waits => Phase::Baking { bake, passed: false },
        (Verdict::Inconclusive, _) => match state.plan.low_traffic {
            LowTraffic::RollBack => turn_back(Reason::Inconclusive { step, judgement }),
            LowTraffic::Pause => Phase::Inconclusive {
                bake,
                since: at,
                judgement,
            },
        },
    };
    Ok(())
}

/// Where an open rollout goes on when another run carries it on. What is in force is asked for again, because nobody
/// watched it meanwhile: it is seen to stand, and bakes anew.
fn resumed_phase(state: &State, promoted: bool) -> Phase {
    match &state.phase {
        Phase::Planned => Phase::Locked,
        Phase::AwaitingApproval { watched: None, .. } => Phase::Smoked,
        Phase::Promoting if promoted => Phase::Promoted,
        phase => match phase.bake() {
            Some(bake) => Phase::Shifting { step: bake.step },
            None => phase.clone(),
        },
    }
}

/// Where an open rollout goes when another run takes it over to settle it.
fn recovered_phase(state: &State, promoted: bool) -> Phase {
    match &state.phase {
        Phase::RollingBack { reason } => Phase::RollingBack { reason: reason.clone() },
        Phase::Promoted => Phase::Promoted,
        // All gates had passed and all traffic is there: only the record is missing.
        Phase::Promoting if promoted => Phase::Promoted,
        // A rollback's switch is the safe direction itself.
        Phase::Promoting if state.plan.is_rollback() => Phase::Promoting,
        phase => Phase::RollingBack {
            reason: Reason::Interrupted {
                phase: phase.name(),
                pending: state.pending.clone(),
            },
        },
    }
}

fn failed_phase(state: &State, effect: &Effect, reason: &Reason) -> Phase {
    match effect {
        // Nothing is better than trying these again, so the rollout stays open at them.
        Effect::Withdraw | Effect::Retain => state.phase.clone(),
        // A rollback's switch too, unless there is nothing left that could be switched.
        Effect::Promote if state.plan.is_rollback() && !matches!(reason, Reason::Aborted { .. }) => state.phase.clone(),
        _ => Phase::RollingBack { reason: reason.clone() },
    }
}
