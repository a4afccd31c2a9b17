//! What the gates may let through.

use jiff::SignedDuration;

use super::traffic::raise;
use crate::world::{Happening, Inner, Level, What};

/// The weight rises only after an answer of the metrics, given after the bake, that shows enough calls and few errors.
///
/// This is weaker than the gates' own rule on purpose: it is what has to be true whatever the rule is.
pub fn invariant_6(world: &Inner, happening: &Happening) -> Result<(), String> {
    let Some((entry, Level::Step(step), to)) = raise(world, happening) else {
        return Ok(());
    };
    let Some(by) = happening.by else { return Ok(()) };
    let Some(rollout) = world.rollout_of(by) else {
        return Ok(());
    };
    let gates = &world.processes[by.0].config.gates;
    let what = format!("{entry} goes from step {} to {to:?}", step + 1);
    let Some(measured) = world.truth.measured.get(&rollout.state.plan.rollout.0) else {
        return Err(format!("{what} and nobody ever had an answer of the metrics"));
    };
    let calls: f64 = measured.functions.values().map(|(calls, _)| calls).sum();
    if (calls as u64) < gates.minimum_requests {
        return Err(format!(
            "{what}: {calls} calls were seen, {} are needed",
            gates.minimum_requests
        ));
    }
    for (function, (calls, errors)) in &measured.functions {
        let Some(limit) = gates.function_errors.as_ref().filter(|_| *calls > 0.0) else {
            continue;
        };
        match errors {
            None => {
                return Err(format!(
                    "{what}: {calls} calls of {function} were seen, and nothing of their errors"
                ));
            }
            Some(errors) if errors / calls * 100.0 > limit.pass_at_most_percent => {
                return Err(format!("{what}: {errors} of {calls} calls of {function} failed"));
            }
            Some(_) => {}
        }
    }
    let planned = &rollout.state.plan.steps[step];
    if rollout.is_promoted_by_hand() {
        return Ok(());
    }
    // The answer has to be of after the bake. Entries of this raise are not in force any more as they were.
    let Some(baked) = rollout.baking_since.map(|since| since + planned.bake) else {
        return Err(format!("{what} and no bake was going on"));
    };
    if measured.at < baked {
        return Err(format!(
            "{what}: the last answer of the metrics is of before the bake's end"
        ));
    }
    Ok(())
}

/// What a breach may take until no weight is left, besides the poll interval: the calls of one look and of turning back.
/// Each fault that strikes the process meanwhile adds what it can cost.
pub const BREACH_BOUND: SignedDuration = SignedDuration::from_secs(10);

/// From when what can be read shows a breach, the weight is 0 within a bound, while the process lives and can work.
pub fn invariant_7(world: &Inner, happening: &Happening) -> Result<(), String> {
    let (What::Looked, Some((process, since, delayed))) = (&happening.what, &world.truth.breach) else {
        return Ok(());
    };
    let state = &world.processes[process.0];
    let bound = state.config.poll_interval + BREACH_BOUND + (state.delayed - *delayed);
    let lasted = world.now().duration_since(*since);
    if lasted > bound {
        return Err(format!("{process} sees a breach for {lasted:#}, {bound:#} are allowed"));
    }
    Ok(())
}
