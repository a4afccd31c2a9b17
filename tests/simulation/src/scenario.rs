//! What a seed says: the stacks, the configuration, who does what when, and how much goes wrong.

use std::fmt;

use jiff::SignedDuration;
use orchestrator::config::{LowTraffic, RolloutConfig, StepConfig};
use orchestrator::domain::Weight;
use orchestrator::ports::AlarmName;

use crate::by_hand;
use crate::faults::Mixture;
use crate::random::{Random, mix};
use crate::world::{Shape, config, seconds};

/// The alarm that some configurations name.
pub const ALARM: &str = "Errors";

/// What a person types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Deploy {
        code: String,
        wishes: Wishes,
    },
    Rollback {
        to: Option<u32>,
    },
    Recover,
    /// To the rollout that is open, whoever carries it out.
    Say(Word),
    /// With `--force`.
    Unlock,
    Cleanup {
        now: bool,
    },
}

impl Command {
    /// Whether whoever types it wants it to succeed, and tries on where it does not.
    pub fn is_own_rollout(&self) -> bool {
        matches!(
            self,
            Command::Deploy { .. } | Command::Rollback { .. } | Command::Recover
        )
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    pub hotfix: bool,
    pub hold: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Pause,
    Resume,
    Approve,
    Promote,
    Abort,
}

/// What happens at some time.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Somebody starts the tool; when it ends badly he tries something again, drawn from `patience`.
    Run {
        command: Command,
        skew: SignedDuration,
        patience: u64,
    },
    /// Whoever runs the tool interrupts it.
    Abort,
    /// He interrupts it a second time.
    HandOver,
    /// The machine goes away that the tool runs on, wherever it is: between two calls, or in the middle of several.
    Kill,
    /// Somebody else changes a live stage or a live alias in the console. `choice` says which and how.
    ByHand {
        choice: u64,
    },
    MetricsDown {
        seconds: i64,
    },
    LedgerDown {
        seconds: i64,
    },
    FunctionsDown {
        seconds: i64,
    },
    /// A resource of the stacks is refused.
    StacksFail {
        seconds: i64,
    },
    /// Figures come this much later for a while.
    MetricsLate {
        seconds: i64,
    },
    Traffic {
        per_second: u32,
    },
    Alarm,
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Run { command, skew, .. } => match command {
                Command::Deploy { code, wishes } => {
                    let hotfix = if wishes.hotfix { ", as a hotfix" } else { "" };
                    let hold = if wishes.hold { ", on hold" } else { "" };
                    write!(formatter, "somebody deploys {code}{hotfix}{hold} (clock {skew:#})")
                }
                Command::Rollback { to: None } => write!(formatter, "somebody rolls back (clock {skew:#})"),
                Command::Rollback { to: Some(to) } => {
                    write!(formatter, "somebody rolls back to release {to} (clock {skew:#})")
                }
                Command::Recover => write!(formatter, "somebody settles what is open (clock {skew:#})"),
                Command::Say(word) => write!(formatter, "somebody says {word:?} (clock {skew:#})"),
                Command::Unlock => write!(formatter, "somebody breaks the lock (clock {skew:#})"),
                Command::Cleanup { now: true } => write!(formatter, "somebody cleans up all (clock {skew:#})"),
                Command::Cleanup { now: false } => write!(formatter, "somebody cleans up (clock {skew:#})"),
            },
            Action::Abort => write!(formatter, "whoever runs it aborts"),
            Action::HandOver => write!(formatter, "whoever runs it hands over"),
            Action::Kill => write!(formatter, "whatever runs is killed"),
            Action::StacksFail { seconds } => write!(formatter, "the stacks do not deploy for {seconds} s"),
            Action::ByHand { .. } => write!(formatter, "somebody changes the traffic by hand"),
            Action::MetricsDown { seconds } => write!(formatter, "metrics are down for {seconds} s"),
            Action::LedgerDown { seconds } => write!(formatter, "the ledger is down for {seconds} s"),
            Action::FunctionsDown { seconds } => write!(formatter, "the functions' service is down for {seconds} s"),
            Action::MetricsLate { seconds } => write!(formatter, "figures come {seconds} s late"),
            Action::Traffic { per_second } => write!(formatter, "{per_second} requests a second from now on"),
            Action::Alarm => write!(formatter, "an alarm goes off"),
        }
    }
}

/// What a code is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    Good,
    /// Fails this many of a hundred calls.
    Fails {
        percent: u32,
    },
    FailsSmoke,
}

#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    pub shape: Shape,
    pub config: RolloutConfig,
    /// Releases that were rolled out before anything goes wrong.
    pub releases: u32,
    pub per_mille: u64,
    pub mixture: Mixture,
    /// Clocks differ by more than the margin, and a change may be under way for any time.
    pub clocks_are_wrong: bool,
    pub propagation: SignedDuration,
    pub revised_after: SignedDuration,
    pub requests_per_second: u32,
    pub old_alarm: bool,
    pub database: bool,
    pub actions: Vec<(SignedDuration, Action)>,
}

/// Read from the code's name, so that an action needs nothing else.
pub fn quality(code: &str) -> Quality {
    if code.starts_with("bad") {
        Quality::Fails { percent: 60 }
    } else if code.starts_with("leaky") {
        Quality::Fails { percent: 8 }
    } else if code.starts_with("dead") {
        Quality::FailsSmoke
    } else {
        Quality::Good
    }
}

pub fn command(random: &mut Random) -> Command {
    let kind = *random.choose(&["good", "good", "good", "good", "bad", "bad", "leaky", "dead"]);
    let code = format!("{kind}-{}", random.below(1000));
    match random.below(10) {
        0..7 => Command::Deploy {
            code,
            wishes: Wishes {
                hotfix: random.chance(10),
                hold: random.chance(10),
            },
        },
        7..9 => Command::Rollback {
            to: random.chance(40).then(|| random.below(5) as u32),
        },
        _ => Command::Recover,
    }
}

/// What an operator types who did not begin the rollout.
fn operators_command(random: &mut Random) -> Command {
    match random.below(12) {
        0..2 => Command::Say(Word::Pause),
        2..4 => Command::Say(Word::Resume),
        4 => Command::Say(Word::Approve),
        5..7 => Command::Say(Word::Promote),
        7..9 => Command::Say(Word::Abort),
        9 => Command::Unlock,
        _ => Command::Cleanup { now: random.chance(50) },
    }
}

/// What somebody tries whose command ended badly.
pub fn again(random: &mut Random, command_before: &Command) -> Command {
    match random.below(8) {
        0..2 => Command::Recover,
        2..4 => Command::Rollback { to: None },
        4..6 => Command::Say(Word::Resume),
        6 => command_before.clone(),
        _ => command(random),
    }
}

impl Scenario {
    pub fn draw(seed: u64) -> Scenario {
        let mut random = Random::new(mix(seed, 0x5CE4));
        let shape = Shape {
            apis: *random.choose(&[1, 2, 2]),
            aliases: random.chance(60),
        };
        let clocks_are_wrong = random.chance(15);
        let mut scenario = Scenario {
            seed,
            shape,
            config: draw_config(&mut random),
            releases: *random.choose(&[0, 1, 1, 2, 3]),
            per_mille: *random.choose(&[0, 3, 8, 20, 40]),
            mixture: *random.choose(&[Mixture::Network, Mixture::Everything, Mixture::Everything]),
            clocks_are_wrong,
            propagation: SignedDuration::from_millis(*random.choose(&[0, 400, 2_500])),
            revised_after: SignedDuration::from_millis(*random.choose(&[0, 0, 2_000])),
            requests_per_second: *random.choose(&[30, 30, 60, 100, 5, 0]),
            old_alarm: random.chance(20),
            database: random.chance(60),
            actions: Vec::new(),
        };
        let longest = if clocks_are_wrong { 8_000 } else { 500 };
        let skew = |random: &mut Random| SignedDuration::from_millis(random.between(-longest, longest));
        // The first is a deploy, soon; others come at any time.
        let first = Action::Run {
            command: match random.below(4) {
                0 => command(&mut random),
                1 => Command::Deploy {
                    code: "bad-0".to_owned(),
                    wishes: Wishes::default(),
                },
                _ => Command::Deploy {
                    code: "good-0".to_owned(),
                    wishes: Wishes::default(),
                },
            },
            skew: skew(&mut random),
            patience: random.number(),
        };
        scenario.actions.push((seconds(1), first));
        let more = random.below(6);
        for _ in 0..more {
            let at = SignedDuration::from_millis(random.between(500, 60_000));
            let action = match random.below(26) {
                20..26 => Action::Run {
                    command: operators_command(&mut random),
                    skew: skew(&mut random),
                    patience: random.number(),
                },
                0..5 => Action::Run {
                    command: command(&mut random),
                    skew: skew(&mut random),
                    patience: random.number(),
                },
                5..8 => Action::Abort,
                8..11 => Action::ByHand {
                    choice: random.number(),
                },
                11 | 12 => Action::MetricsDown {
                    seconds: random.between(1, 12),
                },
                13 => Action::LedgerDown {
                    seconds: random.between(1, 20),
                },
                14 => Action::FunctionsDown {
                    seconds: random.between(1, 20),
                },
                15 | 16 => Action::MetricsLate {
                    seconds: random.between(1, 10),
                },
                17 | 18 => Action::Traffic {
                    per_second: *random.choose(&[0, 3, 30, 200]),
                },
                _ => Action::Alarm,
            };
            scenario.actions.push((at, action));
        }
        let asks = scenario.config.steps.iter().any(|step| step.approval);
        scenario.actions.extend(rarer(seed, asks, skew));
        scenario
    }
}

/// What happens in one seed of two besides, because it comes about too seldom by itself: the first deploy is not alone, its
/// machine goes away, it is handed over, its stacks are refused, an operator wants something of it, somebody moves all.
/// `asks`: for an approval.
fn rarer(seed: u64, asks: bool, skew: impl Fn(&mut Random) -> SignedDuration) -> Option<(SignedDuration, Action)> {
    let mut random = Random::new(mix(seed, 0x2A2E));
    let at = SignedDuration::from_millis(random.between(1_000, 45_000));
    match random.below(24) {
        0 | 1 => {
            let action = Action::Run {
                command: command(&mut random),
                skew: skew(&mut random),
                patience: random.number(),
            };
            Some((SignedDuration::from_millis(random.between(980, 1_100)), action))
        }
        2 | 3 => Some((at, Action::HandOver)),
        4..7 => Some((at, Action::Kill)),
        8 | 9 => Some((at, Action::ByHand { choice: by_hand::ALL })),
        10..13 => {
            let words: &[Word] = if asks {
                &[Word::Approve]
            } else {
                &[Word::Abort, Word::Abort, Word::Pause]
            };
            let word = *random.choose(words);
            let action = Action::Run {
                command: Command::Say(word),
                skew: skew(&mut random),
                patience: random.number(),
            };
            Some((at, action))
        }
        7 => Some((
            seconds(1),
            Action::StacksFail {
                seconds: random.between(1, 10),
            },
        )),
        _ => None,
    }
}

fn draw_config(random: &mut Random) -> RolloutConfig {
    let mut config = config();
    let weights: &[f64] =
        random.choose::<&[f64]>(&[&[10.0, 50.0, 100.0], &[10.0, 50.0, 100.0], &[25.0, 100.0], &[100.0]]);
    let bake = random.between(2, 8);
    config.steps = weights
        .iter()
        .map(|percent| StepConfig {
            weight_percent: Weight::from_percent(*percent).unwrap_or(Weight::FULL),
            bake: seconds(bake),
            approval: false,
        })
        .collect();
    if random.chance(20) {
        let index = random.below(config.steps.len() as u64) as usize;
        config.steps[index].approval = true;
    }
    config.hotfix_steps = [50.0, 100.0]
        .map(|percent| StepConfig {
            weight_percent: Weight::from_percent(percent).unwrap_or(Weight::FULL),
            bake: seconds(2),
            approval: false,
        })
        .to_vec();
    config.approval_timeout = seconds(40);
    if random.chance(20) {
        config.gates.low_traffic = LowTraffic::Pause;
    }
    if random.chance(20) {
        // So short that a cleanup finds something.
        config.retention = seconds(60);
    }
    config.gates.minimum_requests = 10;
    if random.chance(40) {
        config.gates.alarms = vec![AlarmName(ALARM.to_owned())];
    }
    config
}
