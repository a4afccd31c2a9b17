//! Who gets the live traffic.

use orchestrator::domain::{ReleaseState, Slot};
use orchestrator::rollout::PhaseName;

use crate::world::{BLINK, Entry, Happening, Inner, Level, What};

/// No live weight on what did not pass its smoke test: the deployment together with the versions that answer for it.
pub fn invariant_1(world: &Inner, happening: &Happening) -> Result<(), String> {
    if !matches!(happening.what, What::Routed { .. } | What::SlotAlias { .. }) {
        return Ok(());
    }
    for entry in world.entries() {
        let Some(split) = world.split(&entry) else { continue };
        for place in split.reached() {
            let composition = world.composition(&entry, place);
            if !world.truth.smoked.contains(&composition) && !world.truth.trusted.contains(&composition) {
                return Err(format!(
                    "{entry} sends requests to {place} with {:?}, which nobody tested",
                    composition.versions
                ));
            }
        }
    }
    Ok(())
}

/// Once a clean run settled what was open, all is on one slot that is healthy, as the ledger says.
pub fn invariant_2(world: &Inner, happening: &Happening) -> Result<(), String> {
    let What::Settled { open } = &happening.what else {
        return Ok(());
    };
    if let Some(rollout) = open {
        return Err(format!("rollout {rollout} is still open"));
    }
    let Some(standing) = &world.truth.standing else {
        return Ok(());
    };
    match world.unsettled(standing) {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

/// In order of the way to the candidate.
fn rank(level: Level, steps: usize) -> usize {
    match level {
        Level::Base | Level::Nothing => 0,
        Level::Step(step) => step + 1,
        Level::Promoted => steps + 1,
    }
}

/// A raise of the candidate's weight by a process: the levels before and after.
pub(super) fn raise<'a>(world: &'a Inner, happening: &'a Happening) -> Option<(&'a Entry, Level, Level)> {
    let (
        What::Routed {
            entry, before, after, ..
        },
        Some(by),
    ) = (&happening.what, happening.by)
    else {
        return None;
    };
    let rollout = world.rollout_of(by)?;
    let (from, to) = (rollout.level(entry, before)?, rollout.level(entry, after)?);
    let steps = rollout.state.plan.steps.len();
    (rank(to, steps) > rank(from, steps)).then_some((entry, from, to))
}

/// The weight rises by one step at a time, and is at none but the plan's weights.
pub fn invariant_4(world: &Inner, happening: &Happening) -> Result<(), String> {
    let (What::Routed { entry, after, .. }, Some(by)) = (&happening.what, happening.by) else {
        return Ok(());
    };
    let Some(rollout) = world.rollout_of(by) else {
        return Err(format!("{by} moves {entry} without a rollout"));
    };
    if rollout.level(entry, after).is_none() && !world.is_unseen(by, entry, happening.issued) {
        return Err(format!(
            "{entry} is set to {after}, which rollout {} does not plan",
            rollout.state.plan.rollout
        ));
    }
    let Some((_, from, to)) = raise(world, happening) else {
        return Ok(());
    };
    let steps = rollout.state.plan.steps.len();
    let leaves_out = rank(to, steps) > rank(from, steps) + 1;
    if leaves_out && !rollout.is_promoted_by_hand() && !world.is_unseen(by, entry, happening.issued) {
        return Err(format!("{entry} goes from {from:?} to {to:?} and leaves a step out"));
    }
    Ok(())
}

/// The weight rises only when the step before was in force for its whole bake.
pub fn invariant_5(world: &Inner, happening: &Happening) -> Result<(), String> {
    let Some((_, from @ Level::Step(step), _)) = raise(world, happening) else {
        return Ok(());
    };
    let Some(rollout) = happening.by.and_then(|by| world.rollout_of(by)) else {
        return Ok(());
    };
    let Some(planned) = rollout.state.plan.steps.get(step) else {
        return Ok(());
    };
    if rollout.is_promoted_by_hand() {
        return Ok(());
    }
    let now = world.now();
    for (entry, timeline) in &world.truth.in_force {
        // The newest entry of the one that is raised now is the raise itself.
        let mut past = timeline.iter().rev();
        if matches!(&happening.what, What::Routed { entry: raised, .. } if raised == entry) {
            past.next();
        }
        let same = past.take_while(|(_, split)| rollout.level(entry, split) == Some(from));
        let Some((since, _)) = same.last() else { continue };
        let lasted = now.duration_since(*since);
        if lasted < planned.bake {
            return Err(format!(
                "step {} was in force at {entry} for {lasted:#}, its bake is {:#}",
                step + 1,
                planned.bake
            ));
        }
    }
    Ok(())
}

/// What a release needs to be gone back to is there for its retention, and its slot holds it until another release takes
/// that slot.
pub fn invariant_10(world: &Inner, happening: &Happening) -> Result<(), String> {
    if !matches!(
        happening.what,
        What::Deleted { .. } | What::Stood { .. } | What::SlotAlias { .. } | What::Recorded { .. }
    ) || !world.is_deployed
        || world.truth.began_anew
    {
        return Ok(());
    }
    let Some(standing) = &world.truth.standing else {
        return Ok(());
    };
    let now = world.now();
    let kept = |release: &&orchestrator::domain::Release| match release.state {
        ReleaseState::Live => true,
        ReleaseState::Retained => release.retained_until.is_none_or(|until| until > now),
        _ => false,
    };
    for release in standing.releases.iter().filter(kept) {
        for function in &release.functions {
            let number = function.version.as_str().parse().unwrap_or(0);
            if world.functions.contains_key(function.name.as_str())
                && world.code_of(function.name.as_str(), number).is_none()
            {
                return Err(format!(
                    "release {} is {} and its version {} of {} is gone",
                    release.number, release.state, function.version, function.name
                ));
            }
        }
        for api in &release.apis {
            let index = api
                .deployment_id
                .as_str()
                .rsplit_once("-d")
                .and_then(|(_, index)| index.parse::<usize>().ok());
            if let (Some(index), Some(there)) = (index, world.apis.get(api.rest_api_id.as_str()))
                && (index >= there.deployments.len() || there.deleted.contains(api.deployment_id.as_str()))
            {
                return Err(format!(
                    "release {} is {} and its deployment {} is gone",
                    release.number, release.state, api.deployment_id
                ));
            }
        }
    }
    let filling = world
        .newest()
        .is_some_and(|rollout| rollout.state.facts.release_begun && !rollout.state.phase.name().is_end());
    // Who cleans up takes the slot first and says so in the standing then.
    let cleans = happening.by.is_some_and(|by| world.rollout_of(by).is_none());
    if filling || cleans {
        return Ok(());
    }
    for slot in Slot::BOTH {
        let Some(release) = standing.occupants.get(slot).and_then(|number| standing.release(number)) else {
            continue;
        };
        for function in release.functions.iter().filter(|_| kept(&release)) {
            let Some(there) = world.functions.get(function.name.as_str()) else {
                continue;
            };
            let version = there.aliases[&slot].version.to_string();
            if version != function.version.as_str() {
                return Err(format!(
                    "slot {slot} holds release {} by the ledger, and {}:{slot} is at version {version}, not {}",
                    release.number, function.name, function.version
                ));
            }
        }
    }
    Ok(())
}

/// A rollout ends with all its entries on one slot, and no canary.
pub fn invariant_11(world: &Inner, happening: &Happening) -> Result<(), String> {
    let What::Recorded { rollout, record } = &happening.what else {
        return Ok(());
    };
    if !record.state.is_end() || !world.is_deployed || !world.truth.foreign.is_empty() {
        return Ok(());
    }
    // A run whose clock was wrong may have left something that the next one did not see yet.
    if world.truth.late_changes > 0 {
        return Ok(());
    }
    if let Some(problem) = world.split_up() {
        return Err(format!("rollout {rollout} ended {} and {problem}", record.state));
    }
    let Some(told) = world.truth.rollouts.get(rollout) else {
        return Ok(());
    };
    let expected = match record.state {
        PhaseName::Retained => Level::Promoted,
        PhaseName::RolledBack => Level::Base,
        _ => return Ok(()),
    };
    if told.state.facts.live.is_none() || told.state.facts.candidate.is_none() {
        return Ok(());
    }
    for entry in world.entries() {
        let Some(split) = world.split(&entry) else { continue };
        let level = told.level(&entry, &split);
        let same = matches!(&entry, Entry::Alias(_)) && level == Some(Level::Promoted);
        if level != Some(expected) && !same {
            return Err(format!(
                "rollout {rollout} ended {} and {entry} is {split}",
                record.state
            ));
        }
    }
    Ok(())
}

/// What somebody else changed is not overwritten by a process that saw it or should have looked.
pub fn invariant_14(world: &Inner, happening: &Happening) -> Result<(), String> {
    let (What::Routed { entry, after, .. }, Some(by)) = (&happening.what, happening.by) else {
        return Ok(());
    };
    let Some(foreign) = world.truth.foreign.get(entry) else {
        return Ok(());
    };
    if *after == foreign.split {
        return Ok(());
    }
    let Some(rollout) = world.rollout_of(by) else {
        return Ok(());
    };
    // What looks as if the rollout had made it cannot be told from that.
    if rollout.level(entry, &foreign.split).is_some() {
        return Ok(());
    }
    let what = || {
        format!(
            "{by} overwrites {entry}, which somebody else had set to {}",
            foreign.split
        )
    };
    match world.truth.shown.get(&(by, entry.clone())) {
        None => Err(format!("{} without ever looking", what())),
        Some(shown) if shown.split == foreign.split => Err(format!("{}, and had seen it", what())),
        Some(shown) if shown.at < foreign.at => {
            let unseen = happening.issued.duration_since(shown.at);
            if unseen > BLINK {
                Err(format!("{}, and had not looked for {unseen:#}", what()))
            } else {
                Ok(())
            }
        }
        // It looked and was shown an older value.
        Some(_) => Ok(()),
    }
}

/// While somebody holds a rollout up no weight rises, and none that is to be approved before it is.
pub fn invariant_16(world: &Inner, happening: &Happening) -> Result<(), String> {
    let Some((entry, _, to)) = raise(world, happening) else {
        return Ok(());
    };
    let Some(rollout) = happening.by.and_then(|by| world.rollout_of(by)) else {
        return Ok(());
    };
    let state = &rollout.state;
    if let Some(paused) = &state.paused {
        return Err(format!("{entry} goes to {to:?}, and {} paused the rollout", paused.by));
    }
    let Level::Step(step) = to else { return Ok(()) };
    let is_to_be_approved = state.plan.steps.get(step).is_some_and(|planned| planned.approval);
    let is_approved = state.facts.approved.is_some_and(|approved| approved >= step) || rollout.is_promoted_by_hand();
    if is_to_be_approved && !is_approved {
        return Err(format!("{entry} goes to step {}, which nobody approved", step + 1));
    }
    Ok(())
}
