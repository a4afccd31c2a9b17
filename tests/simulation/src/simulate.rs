//! One seed, from its scenario to the last word about it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use jiff::SignedDuration;
use orchestrator::domain::{Canary, ReleaseNumber, Slot, Weight};
use orchestrator::driver::{DeployOptions, InterruptHandle, RolloutError, Rollouts};
use orchestrator::ledger::{read_journal, rollout_numbers};
use orchestrator::ports::{AlarmName, AlarmObservation, AlarmState};

use crate::executor::{self, start};
use crate::faults::{Fault, Faults};
use crate::invariants::Violation;
use crate::process::{Process, ProcessId};
use crate::random::{Random, mix};
use crate::scenario::{ALARM, Action, Command, Quality, Scenario, again, quality};
use crate::world::{Entry, Happening, Latency, Split, What, World, seconds, stage};

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
    };
    if let Some(world) = world {
        let mut inner = world.lock();
        outcome.violations.clone_from(&inner.truth.violations);
        outcome.hash = inner.trace.hash();
        outcome.lines = inner.trace.take_lines();
        outcome.script.faults = inner.struck.iter().copied().collect();
        outcome.calls = inner.calls;
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

/// Who runs the tool now, newest last.
type Running = Rc<RefCell<Vec<(ProcessId, InterruptHandle)>>>;

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
    let running: Running = Rc::default();
    let began = world.now();
    let calmed = executor::spawn(calm_down(world.clone()));
    let mut people = Vec::new();
    for (at, action) in actions {
        let (world, running, config) = (world.clone(), running.clone(), scenario.config.clone());
        people.push(executor::spawn(async move {
            world.time.sleep_until(began + at).await;
            let told = action.to_string();
            world.lock().trace.line(|| told);
            act(&world, &running, action, &config).await;
        }));
    }
    for person in people {
        // Whoever panicked took the whole simulation with him.
        let _ = person.await;
    }
    drop(calmed);
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

fn alarm(state: AlarmState, since: jiff::Timestamp) -> AlarmObservation {
    AlarmObservation {
        name: AlarmName(ALARM.to_owned()),
        state,
        since,
        reason: "too many".to_owned(),
    }
}

fn fail(world: &World, invariant: u8, what: String) {
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

fn happen(world: &World, what: What) {
    let mut inner = world.lock();
    let issued = inner.now();
    inner.happen(Happening { by: None, issued, what });
}

async fn calm_down(world: Arc<World>) {
    world.time.sleep(CHAOS).await;
    world.calm();
    world.lock().trace.line(|| "nothing goes wrong any more".to_owned());
}

async fn act(world: &Arc<World>, running: &Running, action: Action, config: &orchestrator::config::RolloutConfig) {
    match action {
        Action::Run {
            command,
            skew,
            patience,
        } => run(world, running, command, skew, patience, config).await,
        Action::Abort => {
            let newest = running.borrow().last().cloned();
            if let Some((process, interrupt)) = newest {
                let now = world.now();
                world.lock().processes[process.0].abort_at.get_or_insert(now);
                interrupt.turn_back("somebody asked for it");
            }
        }
        Action::ByHand { choice } => by_hand(world, choice),
        Action::MetricsDown { seconds: length } => {
            world.lock().metrics_down = true;
            world.time.sleep(seconds(length)).await;
            world.lock().metrics_down = false;
        }
        Action::LedgerDown { seconds: length } => {
            world.lock().ledger_down = true;
            world.time.sleep(seconds(length)).await;
            world.lock().ledger_down = false;
        }
        Action::FunctionsDown { seconds: length } => {
            world.lock().functions_down = true;
            world.time.sleep(seconds(length)).await;
            world.lock().functions_down = false;
        }
        Action::MetricsLate { seconds: length } => {
            world.lock().metrics_delay = seconds(length);
            world.time.sleep(seconds(length * 2)).await;
            world.lock().metrics_delay = SignedDuration::ZERO;
        }
        Action::Traffic { per_second } => world.lock().requests_per_second = per_second.into(),
        Action::Alarm => {
            let now = world.now();
            world
                .lock()
                .alarms
                .insert(ALARM.to_owned(), alarm(AlarmState::Alarm, now));
        }
    }
}

/// Somebody types a command, and what comes to his mind when it ends badly.
async fn run(
    world: &Arc<World>,
    running: &Running,
    mut command: Command,
    skew: SignedDuration,
    patience: u64,
    config: &orchestrator::config::RolloutConfig,
) {
    let mut random = Random::new(patience);
    for _ in 0..4 {
        let process = Process::new(world, skew, config);
        let rollouts = process.rollouts(config.clone());
        running.borrow_mut().push((process.id, rollouts.interrupt.clone()));
        let told = format!("{} runs {command:?}", process.id);
        world.lock().trace.line(|| told);
        let ended = process.run(execute(world.clone(), rollouts, command.clone())).await;
        running.borrow_mut().retain(|(id, _)| *id != process.id);
        {
            let mut inner = world.lock();
            inner.processes[process.id.0].ended = true;
            let told = match &ended {
                None => "crashed".to_owned(),
                Some(Ok(told)) => format!("ended: {told}"),
                Some(Err(error)) => format!("ended badly: {error}"),
            };
            inner.trace.line(|| format!("{} {told}", process.id));
        }
        if matches!(ended, Some(Ok(_))) {
            return;
        }
        world
            .time
            .sleep(SignedDuration::from_millis(random.between(200, 30_000)))
            .await;
        command = again(&mut random, &command);
    }
}

async fn execute(world: Arc<World>, rollouts: Rollouts, command: Command) -> Result<String, RolloutError> {
    let end = match command {
        Command::Deploy { code } => {
            bring(&world, &code);
            Some(rollouts.deploy_blue_green(DeployOptions::default()).await?)
        }
        Command::Rollback { to } => Some(rollouts.rollback(to.map(ReleaseNumber)).await?),
        Command::Recover => rollouts.recover().await?,
    };
    Ok(format!("{:?}", end.map(|end| end.result)))
}

/// The code that is deployed next, with what it is like.
fn bring(world: &World, code: &str) {
    let mut inner = world.lock();
    inner.template = code.to_owned();
    match quality(code) {
        Quality::Good => {}
        Quality::Fails { percent } => {
            inner.error_percent.insert(code.to_owned(), percent.into());
        }
        Quality::FailsSmoke => inner.failing_smoke.push(code.to_owned()),
    }
    // Now and then a release brings a migration that it cannot do without.
    if inner.migrations.is_some() && mix(0x5C4E, code.len() as u64 + inner.calls).is_multiple_of(3) {
        let next = inner.migrations.unwrap_or(0) + 1;
        inner.migrations = Some(next);
        inner.needs_schema.insert(code.to_owned(), next);
    }
}

/// Somebody else changes a live stage: to a weight that nobody plans, to a deployment of his own, to a release that was
/// live, or he takes the canary away.
fn by_hand(world: &World, choice: u64) {
    let (id, live, other) = {
        let inner = world.lock();
        if !inner.is_deployed || inner.apis.is_empty() {
            return;
        }
        let index = (choice >> 8) as usize % inner.apis.len();
        let Some((id, api)) = inner.apis.iter().nth(index) else {
            return;
        };
        let other = api.live.slot.unwrap_or(Slot::Blue).other();
        (id.clone(), api.live.clone(), api.previews[&other].clone())
    };
    match choice % 4 {
        0 => {
            let mut changed = live;
            changed.canary = Some(Canary {
                weight: Weight::from_percent(33.0).unwrap_or(Weight::FULL),
                deployment_id: other.deployment_id,
                slot: other.slot,
            });
            world.change_by_hand(&id, changed);
        }
        1 => world.change_by_hand(&id, stage("theirs", live.slot.unwrap_or(Slot::Blue))),
        2 => {
            let mut changed = live;
            changed.canary = None;
            world.change_by_hand(&id, changed);
        }
        // All of them, as somebody does who wants another release.
        _ => {
            let all: Vec<_> = world
                .lock()
                .apis
                .iter()
                .filter_map(|(id, api)| {
                    let slot = api.live.slot?.other();
                    Some((id.clone(), stage(api.previews[&slot].deployment_id.as_str(), slot)))
                })
                .collect();
            for (id, changed) in all {
                world.change_by_hand(&id, changed);
            }
        }
    }
}

/// When nothing goes wrong any more: what somebody else changed is put back, a clean run settles what is open, and
/// repeating it changes nothing.
async fn finish(world: &Arc<World>, scenario: &Scenario) {
    put_back(world).await;
    if scenario.clocks_are_wrong {
        return finish_with_wrong_clocks(world).await;
    }
    if let Err(error) = world.quick_rollouts().recover().await {
        return fail(world, 2, format!("what is open cannot be settled: {error}"));
    }
    let open = open_rollout(world).await;
    happen(world, What::Settled { open });
    let mutations = world.lock().mutations.len();
    match world.quick_rollouts().recover().await {
        Ok(None) => {}
        other => fail(world, 12, format!("settling again found something: {other:?}")),
    }
    if world.lock().mutations.len() != mutations {
        fail(world, 12, "settling again changed something".to_owned());
    }
    if !world.lock().truth.violations.is_empty() {
        return;
    }
    match scenario.seed % 3 {
        0 => deploy_again(world).await,
        1 => roll_back_in_the_dark(world).await,
        _ => {}
    }
}

/// The next deploy goes as if nothing had been.
async fn deploy_again(world: &Arc<World>) {
    {
        let mut inner = world.lock();
        inner.requests_per_second = 30.0;
        // What is live may be bad since before it had anything to prove.
        inner.error_percent.clear();
        inner.failing_smoke.clear();
        let since = inner.now();
        inner.alarms.insert(ALARM.to_owned(), alarm(AlarmState::Ok, since));
    }
    bring(world, "good-after-all");
    match world.quick_rollouts().deploy_blue_green(DeployOptions::default()).await {
        Ok(end) if end.is_promoted() => {}
        other => fail(
            world,
            2,
            format!("a good release was not promoted afterwards: {other:?}"),
        ),
    }
    happen(
        world,
        What::Settled {
            open: open_rollout(world).await,
        },
    );
}

/// A rollback needs neither metrics nor alarms.
async fn roll_back_in_the_dark(world: &Arc<World>) {
    {
        let mut inner = world.lock();
        inner.metrics_down = true;
        inner.alarms.clear();
        inner.requests_per_second = 0.0;
    }
    match world.quick_rollouts().rollback(None).await {
        Ok(end) if end.is_promoted() => {}
        Err(RolloutError::NothingToRollBackTo { .. } | RolloutError::NotRetained { .. }) => {}
        other => fail(world, 8, format!("a rollback did not work in the dark: {other:?}")),
    }
    happen(
        world,
        What::Settled {
            open: open_rollout(world).await,
        },
    );
}

/// With clocks that differ by more than the margin a late change may be left behind. Then it is at least seen.
async fn finish_with_wrong_clocks(world: &Arc<World>) {
    let settled = world.quick_rollouts().recover().await;
    let standing = world.standing().await;
    let unsettled = world.lock().unsettled(&standing);
    let Some(problem) = unsettled else { return };
    let status = world.quick_rollouts().status().await;
    let told = match &status {
        Ok(status) => status.apis.iter().any(|api| !api.as_recorded) || status.open.is_some(),
        Err(_) => true,
    };
    if settled.is_ok() && !told {
        fail(world, 2, format!("{problem}, and nobody is told"));
    }
}

async fn open_rollout(world: &World) -> Option<u32> {
    for rollout in rollout_numbers(&*world.store, &"test".into()).await.unwrap_or_default() {
        match read_journal(&*world.store, &"test".into(), rollout).await {
            Ok(journal) if !journal.is_open() => {}
            Ok(_) => return Some(rollout.0),
            Err(error) => {
                fail(
                    world,
                    12,
                    format!("the journal of rollout {rollout} does not read: {error}"),
                );
                return Some(rollout.0);
            }
        }
    }
    None
}

/// Whoever changed something by hand puts it back as it was.
async fn put_back(world: &World) {
    // He may have agreed with it meanwhile, and said so to the ledger.
    let standing = world.standing().await;
    if world.lock().unsettled(&standing).is_none() {
        world.lock().truth.foreign.clear();
        return;
    }
    let foreign: Vec<_> = world.lock().truth.foreign.clone().into_iter().collect();
    for (entry, foreign) in foreign {
        let Entry::Stage(api) = &entry else { continue };
        let before = {
            let inner = world.lock();
            let found = inner
                .timeline
                .iter()
                .rev()
                .find(|(_, id, traffic)| id == api && Split::of_stage(traffic) == foreign.before);
            found.map(|(.., traffic)| traffic.clone())
        };
        if let Some(traffic) = before {
            world.change_by_hand(api, traffic);
            world.lock().truth.foreign.remove(&entry);
        }
    }
}
