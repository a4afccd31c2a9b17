//! One seed, from its scenario to the last word about it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use jiff::SignedDuration;
use orchestrator::driver::DeployOptions;
use orchestrator::ports::{AlarmName, AlarmObservation, AlarmState};

use crate::ending::finish;
use crate::executor::{self, start};
use crate::faults::{Fault, Faults};
use crate::invariants::Violation;
use crate::met::Met;
use crate::people::{People, Running};
use crate::scenario::{ALARM, Action, Scenario};
use crate::world::{Happening, Latency, What, World, seconds};

/// What goes wrong, as a list that can be made shorter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Script {
    pub faults: BTreeMap<u64, Fault>,
    pub actions: Vec<(SignedDuration, Action)>,
}

#[derive(Debug, Clone)]
pub struct Outcome {
    pub seed: u64,
    pub violations: Vec<Violation>,
    /// Of the whole trace.
    pub hash: u64,
    /// The trace, where it was asked for.
    pub lines: Vec<String>,
    /// What went wrong in this run.
    pub script: Script,
    pub calls: u64,
    pub met: BTreeSet<Met>,
}

/// How long things may go wrong; after that whoever is at work comes to his end undisturbed.
const CHAOS: SignedDuration = SignedDuration::from_secs(240);

/// Runs a seed. With `script`, this goes wrong and nothing else; without, what the seed says.
pub fn simulate(seed: u64, script: Option<&Script>, keep_trace: bool) -> Outcome {
    let given = script.cloned();
    let world_of_this: Rc<RefCell<Option<Arc<World>>>> = Rc::default();
    let (shared, scenario) = (world_of_this.clone(), Scenario::draw(seed));
    let actions = given
        .as_ref()
        .map_or(&scenario.actions, |script| &script.actions)
        .clone();
    let played = actions.clone();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        executor::run(seed, async move {
            let world = World::shaped(scenario.shape);
            if keep_trace {
                world.lock().trace.keep();
            }
            shared.replace(Some(world.clone()));
            play(&world, &scenario, given.map(|script| script.faults), played).await;
        });
    }));
    let world = world_of_this.take();
    let mut outcome = Outcome {
        seed,
        violations: Vec::new(),
        hash: 0,
        lines: Vec::new(),
        script: Script {
            faults: BTreeMap::new(),
            actions,
        },
        calls: 0,
        met: BTreeSet::new(),
    };
    if let Some(world) = world {
        let mut inner = world.lock();
        outcome.violations.clone_from(&inner.truth.violations);
        outcome.hash = inner.trace.hash();
        outcome.lines = inner.trace.take_lines();
        outcome.script.faults = inner.struck.iter().copied().collect();
        outcome.calls = inner.calls;
        outcome.met.clone_from(&inner.met);
    }
    if let Err(panic) = ended {
        let what = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "it panicked".to_owned());
        outcome.violations.push(Violation {
            invariant: 0,
            at: start(),
            what,
        });
    }
    outcome
}

async fn play(
    world: &Arc<World>,
    scenario: &Scenario,
    faults: Option<BTreeMap<u64, Fault>>,
    actions: Vec<(SignedDuration, Action)>,
) {
    prepare(world, scenario).await;
    {
        let mut inner = world.lock();
        inner.calls = 0;
        inner.met.clear();
        inner.latency = Latency::Drawn { seed: scenario.seed };
        inner.faults = match faults {
            Some(list) => Faults::Listed(list),
            None => Faults::Drawn {
                seed: scenario.seed,
                per_mille: scenario.per_mille,
                mixture: scenario.mixture,
            },
        };
        inner.longest_flight = (!scenario.clocks_are_wrong).then_some(1_000);
        inner.truth.clocks_are_wrong = scenario.clocks_are_wrong;
    }
    let looking = Rc::new(RefCell::new(true));
    let onlooker = executor::spawn(look(world.clone(), looking.clone()));
    let everybody = People {
        world: world.clone(),
        running: Running::default(),
        config: scenario.config.clone(),
        seed: scenario.seed,
        newest_code: Rc::default(),
    };
    let began = world.now();
    let busy = Rc::new(RefCell::new(true));
    let calmed = executor::spawn(calm_down(everybody.clone(), busy.clone()));
    let mut people = Vec::new();
    for (at, action) in actions {
        let who = everybody.clone();
        people.push(executor::spawn(async move {
            who.world.time.sleep_until(began + at).await;
            let told = action.to_string();
            who.world.lock().trace.line(|| told);
            who.act(action).await;
        }));
    }
    for person in people {
        // Whoever panicked took the whole simulation with him.
        let _ = person.await;
    }
    busy.replace(false);
    let _ = calmed.await;
    world.calm();
    finish(world, scenario).await;
    looking.replace(false);
    let _ = onlooker.await;
}

/// The releases that are there before anything goes wrong.
async fn prepare(world: &Arc<World>, scenario: &Scenario) {
    {
        let mut inner = world.lock();
        inner.migrations = scenario.database.then_some(1);
        let since = if scenario.old_alarm { seconds(-600) } else { seconds(0) };
        let state = if scenario.old_alarm {
            AlarmState::Alarm
        } else {
            AlarmState::Ok
        };
        inner.alarms.insert(ALARM.to_owned(), alarm(state, start() + since));
    }
    for number in 0..scenario.releases {
        world.new_code(&format!("before-{number}"));
        let ended = world.quick_rollouts().deploy_blue_green(DeployOptions::default()).await;
        let promoted = ended.as_ref().is_ok_and(|end| end.is_promoted());
        if !promoted {
            fail(
                world,
                0,
                format!("a release without any fault was not promoted: {ended:?}"),
            );
        }
    }
    let mut inner = world.lock();
    inner.propagation = scenario.propagation;
    inner.metrics_revised_after = scenario.revised_after;
    inner.requests_per_second = scenario.requests_per_second.into();
}

pub fn alarm(state: AlarmState, since: jiff::Timestamp) -> AlarmObservation {
    AlarmObservation {
        name: AlarmName(ALARM.to_owned()),
        state,
        since,
        reason: "too many".to_owned(),
    }
}

pub fn fail(world: &World, invariant: u8, what: String) {
    let mut inner = world.lock();
    let at = inner.now();
    let violation = Violation { invariant, at, what };
    inner.trace.line(|| violation.to_string());
    inner.truth.violations.push(violation);
}

/// Lets the invariants look at what only time changes.
async fn look(world: Arc<World>, looking: Rc<RefCell<bool>>) {
    while *looking.borrow() {
        world.time.sleep(SignedDuration::from_millis(500)).await;
        happen(&world, What::Looked);
    }
}

pub fn happen(world: &World, what: What) {
    let mut inner = world.lock();
    let issued = inner.now();
    inner.happen(Happening { by: None, issued, what });
}

/// From some time on nothing goes wrong any more, and nobody is waited for without end.
async fn calm_down(people: People, busy: Rc<RefCell<bool>>) {
    let world = people.world.clone();
    let until = world.now() + CHAOS;
    while *busy.borrow() {
        if world.now() >= until {
            world.calm();
            people.end_what_waits().await;
        }
        world.time.sleep(seconds(5)).await;
    }
}
