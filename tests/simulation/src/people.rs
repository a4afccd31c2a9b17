//! What people do meanwhile: they run the tool, interrupt it, change things by hand, and services fail them.
//!
//! Whose command ends badly tries something again, as people do. [`crate::scenario`] says what happens when.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use jiff::SignedDuration;
use orchestrator::config::RolloutConfig;
use orchestrator::domain::ReleaseNumber;
use orchestrator::driver::{DeployOptions, InterruptHandle, RolloutError, Rollouts};
use orchestrator::ledger::{JournalError, LockError};
use orchestrator::ports::AlarmState;
use orchestrator::rollout::PhaseName;

use crate::by_hand;
use crate::met::Met;
use crate::process::{Process, ProcessId};
use crate::random::{Random, mix_text};
use crate::scenario::{ALARM, Action, Command, Quality, Word, again, quality};
use crate::simulate::alarm;
use crate::world::{World, seconds};

/// Who runs the tool now, newest last.
pub type Running = Rc<RefCell<Vec<(ProcessId, InterruptHandle)>>>;

/// Whoever does something, with what he can reach.
#[derive(Clone)]
pub struct People {
    pub world: Arc<World>,
    pub running: Running,
    pub config: RolloutConfig,
    pub seed: u64,
    /// The code that was deployed last: who carries a rollout on mostly has the same in front of him.
    pub newest_code: Rc<RefCell<Option<String>>>,
}

/// How long somebody waits for what is answered to his word.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

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
            Action::HandOver => {
                let newest = self.running.borrow().last().cloned();
                if let Some((_, interrupt)) = newest {
                    interrupt.hand_over();
                }
            }
            Action::Kill => {
                let newest = self.running.borrow().last().cloned();
                if let Some((process, _)) = newest {
                    let mut inner = world.lock();
                    inner.processes[process.0].dead = true;
                    inner.met.insert(Met::Killed);
                }
            }
            Action::ByHand { choice } => by_hand::change(world, choice),
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
            Action::StacksFail { seconds: length } => {
                world.lock().deploy_fails = true;
                world.time.sleep(seconds(length)).await;
                world.lock().deploy_fails = false;
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
            {
                let mut inner = world.lock();
                inner.trace.line(|| told);
                if command.is_own_rollout() && self.running.borrow().len() > 1 {
                    inner.met.insert(Met::TwoAtWork);
                }
            }
            self.check_out(process.id, &command, &mut random);
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
                inner.met.extend(match &ended {
                    Some(Err(RolloutError::HandedOver { .. })) => Some(Met::HandedOver),
                    Some(Err(
                        RolloutError::Lock(LockError::Lost { .. }) | RolloutError::Journal(JournalError::Fenced { .. }),
                    )) => Some(Met::StoppedAtFence),
                    _ => None,
                });
            }
            if matches!(ended, Some(Ok(_))) || ended.is_some() && !command.is_own_rollout() {
                return;
            }
            world
                .time
                .sleep(SignedDuration::from_millis(random.between(200, 30_000)))
                .await;
            command = again(&mut random, &command);
        }
    }

    /// Puts the code in front of a process that its command may deploy.
    fn check_out(&self, process: ProcessId, command: &Command, random: &mut Random) {
        let code = match command {
            Command::Deploy { code, .. } => {
                self.newest_code.replace(Some(code.clone()));
                code.clone()
            }
            Command::Say(_) => match self.newest_code.borrow().clone() {
                Some(newest) if !random.chance(20) => newest,
                _ => format!("good-{}", random.below(1000)),
            },
            _ => return,
        };
        check_out(&self.world, process, &code, self.seed);
    }

    /// Whoever finds a rollout that waits for a word when nothing goes wrong any more ends it.
    pub async fn end_what_waits(&self) {
        let waits = {
            let inner = self.world.lock();
            inner.newest().is_some_and(|newest| {
                let state = &newest.state;
                let is_asked = matches!(
                    state.phase.name(),
                    PhaseName::AwaitingApproval | PhaseName::Inconclusive
                );
                !state.phase.name().is_end() && (state.paused.is_some() || is_asked)
            })
        };
        if waits {
            self.run(Command::Say(Word::Abort), SignedDuration::ZERO, 0).await;
        }
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
        Command::Deploy { wishes, .. } => {
            let options = DeployOptions {
                tag: None,
                hotfix: wishes.hotfix.then(|| "it burns".to_owned()),
                hold: wishes.hold,
            };
            Some(rollouts.deploy_blue_green(options).await?)
        }
        Command::Rollback { to } => Some(rollouts.rollback(to.map(ReleaseNumber)).await?),
        Command::Recover => rollouts.recover().await?,
        Command::Say(word) => {
            let answer = match word {
                Word::Pause => rollouts.pause(PATIENCE).await?,
                Word::Resume => rollouts.resume(PATIENCE).await?,
                Word::Approve => rollouts.approve(PATIENCE).await?,
                Word::Promote => rollouts.promote(None, PATIENCE).await?,
                Word::Abort => rollouts.abort("somebody said so".to_owned(), PATIENCE).await?,
            };
            return Ok(format!("{answer:?}"));
        }
        Command::Unlock => {
            let broken = rollouts.unlock(true, "somebody is sure").await?;
            return Ok(format!("lock record {}", broken.sequence));
        }
        Command::Cleanup { now } => return Ok(format!("{:?}", rollouts.cleanup(now).await?)),
    };
    Ok(format!("{:?}", end.map(|end| end.result)))
}
