//! What befalls one rollout: chosen by the soak's seed and the rollout's number, so that one rollout can be repeated.

use std::fmt;

use crate::{Among, Fault, Point, Random};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    Good,
    /// Fails a tenth of its requests.
    Failing,
    /// Fails its smoke check.
    Broken,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    None,
    /// Killed; the command that settles it may be killed, too.
    Killed {
        point: Point,
        fault: Fault,
        settled_by: Settling,
        again: Option<Point>,
    },
    /// Lost, refused, and slow calls.
    Spoilt(Vec<(Point, Fault)>),
    /// Somebody changes the live stage in the console.
    Foreign {
        point: Point,
        change: Foreign,
    },
    /// Somebody types something else at that call.
    Meanwhile {
        point: Point,
        word: Word,
    },
    /// The job is cancelled: SIGTERM.
    Terminated(Point),
    /// No deploy: back to the release before.
    Rollback,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settling {
    Rollback,
    Resume,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Deploy,
    Rollback,
    Abort,
    Promote,
    PauseAndResume,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// The canary is taken away: all traffic to the release before.
    RemoveCanary,
    /// The canary's share is set to 33 %.
    SetCanary,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) release: Release,
    pub(super) mishap: Mishap,
}

impl Fate {
    /// Of every twenty one is a failing release and one a rollback that nothing befalls, so that there is something to
    /// measure.
    pub(super) fn of(seed: u64, rollout: usize) -> Self {
        let undisturbed = |release, mishap| Self { release, mishap };
        match rollout % 20 {
            10 => return undisturbed(Release::Good, Mishap::Rollback),
            19 => return undisturbed(Release::Failing, Mishap::None),
            _ => {}
        }
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(rollout as u64));
        let release = match random.below(10) {
            0 | 1 => Release::Failing,
            2 => Release::Broken,
            _ => Release::Good,
        };
        let mishap = match random.below(20) {
            0..4 => Mishap::None,
            4..10 => killed(&mut random),
            10..14 => spoilt(&mut random),
            14..16 => Mishap::Foreign {
                point: Point {
                    among: Among::All,
                    number: random.below(30),
                },
                change: *random.choose(&[Foreign::RemoveCanary, Foreign::SetCanary]),
            },
            16 | 17 => Mishap::Meanwhile {
                point: point(&mut random),
                word: *random.choose(&[
                    Word::Deploy,
                    Word::Rollback,
                    Word::Abort,
                    Word::Promote,
                    Word::PauseAndResume,
                ]),
            },
            18 => Mishap::Terminated(point(&mut random)),
            _ => Mishap::Rollback,
        };
        Self { release, mishap }
    }

    /// Whether the time from its breach to weight 0 is a figure.
    pub(super) fn is_measured(&self) -> bool {
        self.release == Release::Failing && self.mishap == Mishap::None
    }
}

fn point(random: &mut Random) -> Point {
    let (among, end) = *random.choose(&[
        (Among::Changes, 12),
        (Among::Writes, 45),
        (Among::Shifts, 4),
        (Among::All, 100),
    ]);
    Point {
        among,
        number: random.below(end),
    }
}

fn killed(random: &mut Random) -> Mishap {
    let fault = match random.below(4) {
        0 => Fault::KillBefore,
        // Within the lock's margin: the next run has not begun.
        1 => Fault::KillAndArriveLate(random.milliseconds(50, 500)),
        _ => Fault::KillAfter,
    };
    let point = point(random);
    let again = random.one_in(4).then(|| Point {
        among: Among::All,
        number: random.below(60),
    });
    let settled_by = *random.choose(&[Settling::Rollback, Settling::Resume]);
    Mishap::Killed {
        point,
        fault,
        settled_by,
        again,
    }
}

fn spoilt(random: &mut Random) -> Mishap {
    let one = |random: &mut Random| {
        let fault = match random.below(6) {
            0 | 1 => Fault::LoseAnswer,
            2 => Fault::LoseRequest,
            3 => Fault::Throttle,
            4 => Fault::Break,
            _ => Fault::Delay(random.milliseconds(200, 1500)),
        };
        (point(random), fault)
    };
    Mishap::Spoilt((0..=random.below(4)).map(|_| one(random)).collect())
}

impl fmt::Display for Fate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let release = match self.release {
            Release::Good => "good",
            Release::Failing => "fails a tenth",
            Release::Broken => "fails its check",
        };
        match &self.mishap {
            Mishap::Rollback => write!(formatter, "a rollback"),
            Mishap::None => write!(formatter, "{release}"),
            Mishap::Killed {
                point,
                fault,
                settled_by,
                again,
            } => {
                write!(
                    formatter,
                    "{release}; {fault:?} at {}, then {settled_by:?}",
                    Where(point)
                )?;
                match again {
                    Some(again) => write!(formatter, ", and again at {}", Where(again)),
                    None => Ok(()),
                }
            }
            Mishap::Spoilt(faults) => {
                write!(formatter, "{release}")?;
                faults
                    .iter()
                    .try_for_each(|(point, fault)| write!(formatter, "; {fault:?} at {}", Where(point)))
            }
            Mishap::Foreign { point, change } => {
                write!(
                    formatter,
                    "{release}; {change:?} by somebody else, {} after the shift",
                    Where(point)
                )
            }
            Mishap::Meanwhile { point, word } => write!(formatter, "{release}; {word:?} typed at {}", Where(point)),
            Mishap::Terminated(point) => write!(formatter, "{release}; terminated at {}", Where(point)),
        }
    }
}

struct Where<'a>(&'a Point);

impl fmt::Display for Where<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let among = match self.0.among {
            Among::Changes => "change",
            Among::Writes => "write",
            Among::Shifts => "shift",
            Among::All => "call",
        };
        write!(formatter, "{among} {}", self.0.number)
    }
}
