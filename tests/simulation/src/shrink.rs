//! Makes a failing script shorter: what can be left out while the same invariant is still violated is left out.

use crate::simulate::{Outcome, Script, simulate};

/// How many runs it may take.
const MOST_RUNS: u32 = 400;

#[derive(Debug, Clone, PartialEq)]
enum Item {
    Fault(u64, crate::faults::Fault),
    Action(jiff::SignedDuration, crate::scenario::Action),
}

fn items(script: &Script) -> Vec<Item> {
    let faults = script.faults.iter().map(|(call, fault)| Item::Fault(*call, *fault));
    let actions = script
        .actions
        .iter()
        .map(|(at, action)| Item::Action(*at, action.clone()));
    actions.chain(faults).collect()
}

fn script(items: &[Item]) -> Script {
    let mut script = Script::default();
    for item in items {
        match item {
            Item::Fault(call, fault) => {
                script.faults.insert(*call, *fault);
            }
            Item::Action(at, action) => script.actions.push((*at, action.clone())),
        }
    }
    script
}

/// Delta debugging: leaves out ever smaller parts of the list as long as it still fails the same way.
pub fn shrink(failing: &Outcome) -> Script {
    let Some(invariant) = failing.violations.first().map(|violation| violation.invariant) else {
        return failing.script.clone();
    };
    let mut runs = 0;
    let mut fails = |items: &[Item]| {
        runs += 1;
        let outcome = simulate(failing.seed, Some(&script(items)), false);
        (
            outcome.violations.first().map(|violation| violation.invariant) == Some(invariant),
            runs < MOST_RUNS,
        )
    };
    let mut kept = items(&failing.script);
    // A list that was drawn does the same as what it was drawn from; if not, there is nothing to begin with.
    if !fails(&kept).0 {
        return failing.script.clone();
    }
    let mut parts = 2;
    while kept.len() > 1 && parts <= kept.len() {
        let size = kept.len().div_ceil(parts);
        let mut shorter = None;
        for begin in (0..kept.len()).step_by(size) {
            let mut rest = kept.clone();
            rest.drain(begin..(begin + size).min(kept.len()));
            let (still, go_on) = fails(&rest);
            if still {
                shorter = Some(rest);
                break;
            }
            if !go_on {
                return script(&kept);
            }
        }
        match shorter {
            Some(rest) => {
                kept = rest;
                parts = parts.saturating_sub(1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(kept.len()),
        }
    }
    script(&kept)
}
