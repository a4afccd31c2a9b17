//! What somebody else changes in the console, and how he puts it back.

use orchestrator::domain::{AliasState, Canary, Release, Slot, Weight};
use orchestrator::ledger::Standing;
use orchestrator::rollout::PhaseName;

use crate::world::{Api, Entry, FUNCTIONS, Function, Inner, Place, Split, World, stage};

/// The choice that moves everything to the other slot.
pub const ALL: u64 = 3;

/// A change of an entry: to a weight that nobody plans, to a deployment or version of his own choice, to a release that
/// was live, or without the canary.
pub fn change(world: &World, choice: u64) {
    let (is_deployed, has_aliases) = {
        let inner = world.lock();
        (inner.is_deployed && !inner.apis.is_empty(), inner.shape.aliases)
    };
    if !is_deployed {
        return;
    }
    match choice % if has_aliases { 7 } else { 4 } {
        0 => change_stage(world, choice, |api| {
            let slot = api.live.slot.unwrap_or(Slot::Blue).other();
            let other = api.previews[&slot].clone();
            let mut changed = api.live.clone();
            changed.canary = Some(Canary {
                weight: third(),
                deployment_id: other.deployment_id,
                slot: other.slot,
            });
            changed
        }),
        1 => change_stage(world, choice, |api| {
            stage("theirs", api.live.slot.unwrap_or(Slot::Blue))
        }),
        2 => change_stage(world, choice, |api| {
            let mut changed = api.live.clone();
            changed.canary = None;
            changed
        }),
        ALL => change_all(world, choice),
        4 => change_alias(world, choice, |function, other| AliasState {
            version: other.to_string().into(),
            weights: Default::default(),
            ..function.live.clone()
        }),
        5 => change_alias(world, choice, |function, other| {
            let weights = [(other.to_string().into(), third())].into();
            AliasState {
                weights,
                ..function.live.clone()
            }
        }),
        _ => change_alias(world, choice, |function, _| AliasState {
            weights: Default::default(),
            ..function.live.clone()
        }),
    }
}

fn third() -> Weight {
    Weight::from_percent(33.0).unwrap_or(Weight::FULL)
}

fn change_stage(world: &World, choice: u64, changed: impl Fn(&Api) -> orchestrator::domain::ApiTraffic) {
    let changed = {
        let inner = world.lock();
        let index = (choice >> 8) as usize % inner.apis.len();
        inner.apis.iter().nth(index).map(|(id, api)| (id.clone(), changed(api)))
    };
    if let Some((id, traffic)) = changed {
        world.change_by_hand(&id, traffic);
    }
}

/// To one of the versions that are there, if there is another.
fn change_alias(world: &World, choice: u64, changed: impl Fn(&Function, usize) -> AliasState) {
    let name = FUNCTIONS[(choice >> 8) as usize % FUNCTIONS.len()];
    let state = {
        let inner = world.lock();
        let function = &inner.functions[name];
        let others: Vec<usize> = (1..=function.versions.len())
            .filter(|version| {
                !function.deleted.contains(version) && version.to_string() != function.live.version.as_str()
            })
            .collect();
        let other = others.get((choice >> 16) as usize % others.len().max(1)).copied();
        other.map(|other| changed(function, other))
    };
    if let Some(state) = state {
        world.route_by_hand(name, state);
    }
}

/// All of them, as somebody does who wants another release; he may think of the live aliases, too.
fn change_all(world: &World, choice: u64) {
    let (stages, aliases) = {
        let inner = world.lock();
        let stages: Vec<_> = inner
            .apis
            .iter()
            .filter_map(|(id, api)| {
                let slot = api.live.slot?.other();
                Some((id.clone(), stage(api.previews[&slot].deployment_id.as_str(), slot)))
            })
            .collect();
        let slot = stages.first().and_then(|(_, stage)| stage.slot).unwrap_or(Slot::Blue);
        let thinks_of_them = inner.shape.aliases && (choice >> 16) & 1 == 0;
        let aliases: Vec<_> = inner
            .functions
            .iter()
            .filter(|_| thinks_of_them)
            .map(|(name, function)| {
                let state = AliasState {
                    version: function.aliases[&slot].version.to_string().into(),
                    weights: Default::default(),
                    ..function.live.clone()
                };
                (name.clone(), state)
            })
            .collect();
        (stages, aliases)
    };
    for (id, traffic) in stages {
        world.change_by_hand(&id, traffic);
    }
    for (name, state) in aliases {
        world.route_by_hand(&name, state);
    }
}

/// Whoever changed something by hand puts it back: to where the open rollout expects it, and where none is open to where
/// the ledger says.
pub async fn put_back(world: &World) {
    let standing = world.standing().await;
    let changed: Vec<Entry> = world.lock().truth.foreign.keys().cloned().collect();
    for entry in changed {
        let expected = {
            let mut inner = world.lock();
            let foreign = inner.truth.foreign.remove(&entry);
            foreign.and_then(|foreign| expected(&inner, &standing, &entry, foreign.before))
        };
        if let Some(expected) = expected {
            set(world, &entry, &expected);
        }
        world.lock().truth.foreign.remove(&entry);
    }
}

/// How an entry has to be so that a rollout which is open can be settled; `None` where it is so already, or where nobody
/// can tell. `before`: how it was before somebody else changed it.
fn expected(inner: &Inner, standing: &Standing, entry: &Entry, before: Split) -> Option<Split> {
    let there = inner.split(entry)?;
    let settled = |base: Place| Split { base, share: None };
    let open = inner
        .newest()
        .filter(|newest| !newest.state.phase.name().is_end() && newest.base(entry).is_some());
    let expected = match open {
        Some(open) if open.state.phase.name() == PhaseName::Promoted => {
            settled(open.goal(entry).or_else(|| open.base(entry))?)
        }
        // It takes back whatever it may itself have set.
        Some(open) if open.level(entry, &there).is_some() => return None,
        Some(open) if open.level(entry, &before).is_some() => before,
        Some(open) => settled(open.base(entry)?),
        None => standing
            .live_release()
            .and_then(|live| place(entry, live))
            .map_or(before, settled),
    };
    (there != expected).then_some(expected)
}

/// Where an entry's requests go while a release is live.
fn place(entry: &Entry, live: &Release) -> Option<Place> {
    match entry {
        Entry::Stage(api) => Some(Place::Stage {
            deployment: live.deployment(&api.as_str().into())?.to_string(),
            slot: Some(live.slot),
        }),
        Entry::Alias(function) => {
            let held = live.function(&function.as_str().into())?;
            Some(Place::Version(held.version.to_string()))
        }
    }
}

fn set(world: &World, entry: &Entry, split: &Split) {
    match (entry, &split.base) {
        (Entry::Stage(api), Place::Stage { deployment, slot }) => {
            let known = {
                let inner = world.lock();
                let mut past = inner.timeline.iter().rev();
                past.find(|(_, id, traffic)| id == api && Split::of_stage(traffic) == *split)
                    .map(|(.., traffic)| traffic.clone())
            };
            let traffic = known.or_else(|| Some(stage(deployment, (*slot)?)));
            if let Some(traffic) = traffic {
                world.change_by_hand(api, traffic);
            }
        }
        (Entry::Alias(function), Place::Version(version)) => {
            let weights = split.share.iter().filter_map(|(place, weight)| match place {
                Place::Version(version) => Some((version.as_str().into(), *weight)),
                Place::Stage { .. } => None,
            });
            let state = AliasState {
                version: version.as_str().into(),
                // It counts up by itself.
                revision: "0".into(),
                weights: weights.collect(),
            };
            world.route_by_hand(function, state);
        }
        _ => {}
    }
}
