//! What people do meanwhile: they run the tool, interrupt it, change things by hand, and services fail them.
//!
//! Whose command ends badly tries something again, as people do. [`crate::scenario`] says what happens when.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use jiff::SignedDuration;
use orchestrator::config::RolloutConfig;
use orchestrator::domain::{Canary, ReleaseNumber, Slot, Weight};
use orchestrator::driver::{DeployOptions, InterruptHandle, RolloutError, Rollouts};
use orchestrator::ports::AlarmState;

use crate::process::{Process, ProcessId};
use crate::random::{Random, mix_text};
use crate::scenario::{ALARM, Action, Command, Quality, again, quality};
use crate::simulate::alarm;
use crate::world::{World, seconds, stage};

/// Who runs the tool now, newest last.
pub type Running = Rc<RefCell<Vec<(ProcessId, InterruptHandle)>>>;

/// Whoever does something, with what he can reach.
#[derive(Clone)]
pub struct People {
    pub world: Arc<World>,
    pub running: Running,
    pub config: RolloutConfig,
    pub seed: u64,
}

impl People {
    pub async fn act(&self, action: Action) {
        let world = &self.world;
        match action {
            Action::Run {
                command,
                skew,
                patience,
            } => self.run(command, skew, patience).await,
            Action::Abort => {
                let newest = self.running.borrow().last().cloned();
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
    async fn run(&self, mut command: Command, skew: SignedDuration, patience: u64) {
        let (world, config) = (&self.world, &self.config);
        let mut random = Random::new(patience);
        for _ in 0..4 {
            let process = Process::new(world, skew, config);
            let rollouts = process.rollouts(config.clone());
            self.running.borrow_mut().push((process.id, rollouts.interrupt.clone()));
            let told = format!("{} runs {command:?}", process.id);
            world.lock().trace.line(|| told);
            if let Command::Deploy { code } = &command {
                self.check_out(process.id, code);
            }
            let ended = process.run(execute(rollouts, command.clone())).await;
            self.running.borrow_mut().retain(|(id, _)| *id != process.id);
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

    fn check_out(&self, process: ProcessId, code: &str) {
        check_out(&self.world, process, code, self.seed);
    }
}

/// A process has this code in front of it from now on, with what the code is like.
pub fn check_out(world: &World, process: ProcessId, code: &str, seed: u64) {
    let mut inner = world.lock();
    match quality(code) {
        Quality::Good => {}
        Quality::Fails { percent } => {
            inner.error_percent.insert(code.to_owned(), percent.into());
        }
        Quality::FailsSmoke => inner.failing_smoke.push(code.to_owned()),
    }
    // Now and then a release brings a migration that it cannot do without. Only its name says which, so that a shorter
    // list of faults does not change it.
    let brings_migration = inner.migrations.is_some() && mix_text(seed ^ 0x5C4E, code).is_multiple_of(3);
    let checkout = inner.check_out(code, brings_migration);
    inner.processes[process.0].checkout = Some(checkout);
}

async fn execute(rollouts: Rollouts, command: Command) -> Result<String, RolloutError> {
    let end = match command {
        Command::Deploy { .. } => Some(rollouts.deploy_blue_green(DeployOptions::default()).await?),
        Command::Rollback { to } => Some(rollouts.rollback(to.map(ReleaseNumber)).await?),
        Command::Recover => rollouts.recover().await?,
    };
    Ok(format!("{:?}", end.map(|end| end.result)))
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
