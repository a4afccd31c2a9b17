//! Lock, journal and standings, and what they allow.

use orchestrator::domain::ReleaseState;
use orchestrator::rollout::{Effect, Event, Goal, Phase, step};

use super::traffic::raise;
use crate::process::ProcessId;
use crate::world::{Entry, Happening, Inner, Place, What};

/// Whether it changes what a rollout moves, or the records that say what stands.
fn is_change(what: &What) -> bool {
    match what {
        What::Recorded { record, .. } => matches!(record.event, Event::Opened { .. }),
        What::Routed { .. }
        | What::SlotAlias { .. }
        | What::Preview { .. }
        | What::Published
        | What::ApiDeployed
        | What::Deleted { .. }
        | What::StacksDeployed
        | What::BackedUp
        | What::Migrated
        | What::Stood { .. } => true,
        What::Locked { .. }
        | What::Requested { .. }
        | What::Overwritten { .. }
        | What::Looked
        | What::Settled { .. } => false,
    }
}

/// Once the lock was taken by another, who held it before changes nothing more. Clocks that differ by more than the
/// margin can break it for a while; then the journal's fence has to stop the late one.
pub fn invariant_3(world: &Inner, happening: &Happening) -> Result<(), String> {
    let Some(by) = happening.by.filter(|_| is_change(&happening.what)) else {
        return Ok(());
    };
    let Some(term) = world.processes[by.0].term else {
        return Err(format!(
            "{by} changes something and never had the lock: {:?}",
            happening.what
        ));
    };
    if term < world.truth.terms && !world.truth.clocks_are_wrong && !was_on_its_way(world, by, happening) {
        return Err(format!(
            "{by} was taken over and still changes something: {}",
            brief(&happening.what)
        ));
    }
    Ok(())
}

/// Nobody can call back a request that left under its lease. Where a revision protects what it changes, it takes effect
/// only as long as whoever took over has not changed that himself, and his own change finds it.
fn was_on_its_way(world: &Inner, by: ProcessId, happening: &Happening) -> bool {
    let is_guarded = match &happening.what {
        What::SlotAlias { .. } => true,
        What::Routed { entry, .. } => matches!(entry, Entry::Alias(_)),
        _ => false,
    };
    let until = world.processes[by.0].lease_until;
    is_guarded && until.is_some_and(|until| happening.issued < until)
}

fn brief(what: &What) -> String {
    match what {
        What::Routed {
            entry, after, change, ..
        } => format!("{change} {entry} to {after}"),
        What::Recorded { rollout, .. } => format!("opens rollout {rollout}"),
        What::Stood { standing } => format!("writes standing {}", standing.sequence),
        other => format!("{other:?}"),
    }
}

/// A rollback goes only to what was live and is retained.
pub fn invariant_8(world: &Inner, happening: &Happening) -> Result<(), String> {
    let opened = match &happening.what {
        What::Recorded { record, .. } => match &record.event {
            Event::Opened { plan } => Some(&plan.goal),
            _ => None,
        },
        _ => None,
    };
    let raised = raise(world, happening)
        .and(happening.by)
        .and_then(|by| world.rollout_of(by))
        .map(|rollout| &rollout.state.plan.goal);
    let Some(Goal::Rollback { to, .. }) = opened.or(raised) else {
        return Ok(());
    };
    let state = world
        .truth
        .standing
        .as_ref()
        .and_then(|standing| standing.release(to.number))
        .map(|release| release.state);
    let was_live = world.truth.was_live.contains(&to.number);
    match state {
        Some(ReleaseState::Retained | ReleaseState::Live) if was_live => Ok(()),
        Some(state) => Err(format!("a rollback goes to release {}, which is {state}", to.number)),
        None => Err(format!("a rollback goes to release {}, which never stood", to.number)),
    }
}

/// After a wish to abort no weight is raised any more: it is asked for between any two effects.
pub fn invariant_9(world: &Inner, happening: &Happening) -> Result<(), String> {
    let (What::Recorded { rollout, record }, Some(by)) = (&happening.what, happening.by) else {
        return Ok(());
    };
    let Event::Intended { effect, .. } = &record.event else {
        return Ok(());
    };
    if !matches!(effect, Effect::Shift { .. } | Effect::Promote) {
        return Ok(());
    }
    let Some(before) = world.truth.rollouts.get(rollout).filter(|before| before.by == by) else {
        return Ok(());
    };
    // A switch that is itself the way back is not undone half way.
    if before.state.plan.is_rollback() && before.state.phase == Phase::Promoting {
        return Ok(());
    }
    // The record before stood, and was answered, after the wish.
    if world.processes[by.0].abort_at.is_some_and(|at| at < before.at) {
        return Err(format!("{by} was to abort and intends {effect}"));
    }
    if world
        .truth
        .abort_asked
        .get(rollout)
        .is_some_and(|at| *at < before.asked_at)
    {
        return Err(format!("an operator asked to abort, and {by} intends {effect}"));
    }
    Ok(())
}

/// Objects of the ledger are written once, each record follows from those before it, and whatever is changed was
/// intended.
pub fn invariant_12(world: &Inner, happening: &Happening) -> Result<(), String> {
    if let Some(problem) = &world.truth.broken {
        return Err(problem.clone());
    }
    match &happening.what {
        What::Overwritten { object } => Err(format!("{object} was written over another")),
        What::Recorded { rollout, record } => {
            let Some(before) = world.truth.rollouts.get(rollout) else {
                return match (&record.event, record.sequence) {
                    (Event::Opened { .. }, 0) => Ok(()),
                    _ => Err(format!("rollout {rollout} begins with record {}", record.sequence)),
                };
            };
            if record.sequence != before.records {
                return Err(format!(
                    "record {} of rollout {rollout} comes after {}",
                    record.sequence, before.records
                ));
            }
            match step(&before.state, &record.event) {
                Err(illegal) => Err(format!("rollout {rollout}, record {}: {illegal}", record.sequence)),
                Ok((state, _)) if state.phase.name() != record.state => Err(format!(
                    "record {} of rollout {rollout} says {} and replays to {}",
                    record.sequence,
                    record.state,
                    state.phase.name()
                )),
                Ok(_) => Ok(()),
            }
        }
        what => {
            let Some(by) = happening
                .by
                .filter(|_| is_change(what) && !world.truth.clocks_are_wrong)
            else {
                return Ok(());
            };
            // Cleaning up is no rollout: it may only while none is open, and what it may delete is invariant 10's.
            let cleans = matches!(
                what,
                What::SlotAlias { .. } | What::Preview { .. } | What::Deleted { .. } | What::Stood { .. }
            );
            if cleans && world.rollout_of(by).is_none() {
                return match world.newest().filter(|newest| !newest.state.phase.name().is_end()) {
                    Some(open) => Err(format!(
                        "{by} cleans up while rollout {} is open: {}",
                        open.state.plan.rollout,
                        brief(what)
                    )),
                    None => Ok(()),
                };
            }
            // What a slot holds is noted when a rollout ends for a human; what is live is as it was.
            if let What::Stood { standing } = what
                && world.truth.standing.as_ref().map(|before| before.live) == Some(standing.live)
            {
                return Ok(());
            }
            let pending = world.rollout_of(by).and_then(|rollout| rollout.state.pending.as_ref());
            match pending {
                Some(effect) if may(effect, what) => Ok(()),
                Some(effect) => Err(format!("{by} intended {effect}, and did this: {}", brief(what))),
                None => Err(format!("{by} did this without an intent: {}", brief(what))),
            }
        }
    }
}

/// Whether an effect may do this.
fn may(effect: &Effect, what: &What) -> bool {
    match (what, effect) {
        (What::Routed { change, .. }, Effect::Shift { .. }) => matches!(*change, "set canary" | "route"),
        (What::Routed { change, .. }, Effect::Promote) => matches!(*change, "promote" | "switch" | "route"),
        (What::Routed { change, .. }, Effect::Withdraw) => matches!(*change, "clear canary" | "switch" | "route"),
        (
            What::SlotAlias { .. } | What::Preview { .. } | What::Published | What::ApiDeployed,
            Effect::Release { .. },
        ) => true,
        (What::StacksDeployed, Effect::Deploy) => true,
        (What::BackedUp, Effect::BackUp) => true,
        (What::Migrated, Effect::Expand) => true,
        (What::Stood { .. }, Effect::Establish | Effect::Retain | Effect::Withdraw) => true,
        _ => false,
    }
}

/// What gets live weight finds the schema that it needs. Not so the first shape of the stacks: it serves from the moment
/// that they are made, and who made them may have died before the schema followed.
pub fn invariant_13(world: &Inner, happening: &Happening) -> Result<(), String> {
    let (What::Routed { entry, after, .. }, Some(_)) = (&happening.what, happening.by) else {
        return Ok(());
    };
    if world.migrations.is_none() {
        return Ok(());
    }
    let there = world.schema.unwrap_or(0);
    let places: Vec<&Place> = after.reached().collect();
    for place in places {
        let composition = world.composition(entry, place);
        if world.truth.trusted.contains(&composition) && !world.truth.smoked.contains(&composition) {
            continue;
        }
        for (function, version) in composition.versions {
            let code = world.code_of(&function, version).unwrap_or_default();
            let needed = world.checkouts.get(code).map_or(0, |checkout| checkout.needs);
            if needed > there {
                return Err(format!(
                    "{function} {version} serves {entry}, needs schema {needed} and finds {there}"
                ));
            }
        }
    }
    Ok(())
}
