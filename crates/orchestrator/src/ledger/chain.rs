//! What holds between the records of a history, checked one record after the other: reading a journal ends at the first
//! flaw, an audit goes on and finds them all.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::record::hash;
use super::{Link, Record};
use crate::rollout::{Event, PhaseName, RolloutNumber, State, open, step};

/// What is wrong with one object of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Flaw {
    /// `and_after_it` more that should follow are missing, too.
    Missing {
        and_after_it: u64,
    },
    /// Rollouts are counted without gaps; the folder of this one is not there.
    RolloutMissing,
    Unreadable {
        error: String,
    },
    TooNew {
        version: u32,
        known: u32,
    },
    /// It says that it is another record than its name says.
    Misplaced {
        says: u64,
    },
    /// It says that it is of another rollout than its folder's.
    OtherRollout {
        says: RolloutNumber,
    },
    /// It does not carry the hash of the record before.
    Unchained,
    /// The first of a rollout, and it does not carry the hash of the last record of the rollout before.
    Unlinked,
    OlderVersion,
    OlderEpoch,
    /// No rollout can have made it there.
    Impossible {
        detail: String,
    },
    /// The state that it gives is not the one that its events lead to.
    OtherState {
        says: PhaseName,
        is: PhaseName,
    },
    /// Others came after it, and it did not end.
    Unfinished {
        state: PhaseName,
    },
    /// Nothing that this program writes has that name.
    Foreign,
    /// A standing that names a record which does not have that hash.
    RestsOnNothing {
        link: Link,
    },
    /// A standing says something else than the journals.
    Contradicts {
        detail: String,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Missing { and_after_it: 0 } => write!(formatter, "is missing"),
            Flaw::Missing { and_after_it } => write!(formatter, "is missing, and {and_after_it} after it"),
            Flaw::RolloutMissing => write!(formatter, "is missing: a whole rollout was removed"),
            Flaw::Unreadable { error } => write!(formatter, "does not read as a record ({error})"),
            Flaw::TooNew { version, known } => write!(
                formatter,
                "is of version {version}, this program reads up to {known}: use a newer one"
            ),
            Flaw::Misplaced { says } => write!(formatter, "says that it is record {says}"),
            Flaw::OtherRollout { says } => write!(formatter, "says that it is of rollout {says}"),
            Flaw::Unchained => write!(
                formatter,
                "does not follow from the record before: one of the two was changed"
            ),
            Flaw::Unlinked => write!(
                formatter,
                "does not follow from the last record of the rollout before: one of the two was changed, or the rollout \
                 before was cut short or exchanged"
            ),
            Flaw::OlderVersion => write!(formatter, "is of an earlier version than the record before"),
            Flaw::OlderEpoch => write!(formatter, "is of an earlier epoch than the record before"),
            Flaw::Impossible { detail } => write!(formatter, "is not possible there: {detail}"),
            Flaw::OtherState { says, is } => {
                write!(formatter, "says that the rollout is then {says}, but it is {is}")
            }
            Flaw::Unfinished { state } => {
                write!(formatter, "ends in state {state}, though other rollouts came after it")
            }
            Flaw::Foreign => write!(formatter, "is no object of this program's"),
            Flaw::RestsOnNothing { link } => {
                write!(formatter, "rests on {link}, which is not there or was changed")
            }
            Flaw::Contradicts { detail } => write!(formatter, "says something else than the journals: {detail}"),
        }
    }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// What the next record has to follow from.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    rollout: Option<RolloutNumber>,
    /// `None` where it is not known: after a record that cannot be read, or where nobody looked at the rollout before.
    last_hash: Option<String>,
    version: u32,
    epoch: u64,
    /// `None` before the first record, and after one that cannot be followed.
    state: Option<State>,
}

/// A record as it was found.
pub(super) struct Checked {
    pub(super) record: Option<Record>,
    pub(super) flaws: Vec<Flaw>,
    pub(super) hash: String,
}

impl Chain {
    /// The first record of `rollout` is next. Its link to the rollout before is checked where that was looked at.
    pub(super) fn begin(&mut self, rollout: RolloutNumber) {
        self.rollout = Some(rollout);
        self.state = None;
    }

    /// Nothing came before: the first record links to nothing.
    pub(super) fn from_the_beginning() -> Chain {
        Chain {
            last_hash: Some(String::new()),
            ..Chain::default()
        }
    }

    /// Something is missing here, so what comes next cannot be compared with it.
    pub(super) fn broken(&mut self) {
        self.last_hash = None;
        self.state = None;
    }

    pub(super) fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    pub(super) fn last_hash(&self) -> Option<&str> {
        self.last_hash.as_deref()
    }

    /// Checks what is stored as record `number`. What comes next is compared with it as it is.
    pub(super) fn check(&mut self, number: u64, stored: &[u8]) -> Checked {
        let hash = hash(stored);
        let version = serde_json::from_slice::<Version>(stored).map(|found| found.version);
        let record = match version {
            Ok(version) if version > Record::VERSION => Err(Flaw::TooNew {
                version,
                known: Record::VERSION,
            }),
            Ok(_) => serde_json::from_slice::<Record>(stored).map_err(unreadable),
            Err(error) => Err(unreadable(error)),
        };
        let (record, flaws) = match record {
            Ok(record) => {
                let flaws = self.compare(number, &record);
                self.version = record.version;
                self.epoch = record.epoch;
                (Some(record), flaws)
            }
            Err(flaw) => {
                self.state = None;
                (None, vec![flaw])
            }
        };
        self.last_hash = Some(hash.clone());
        Checked { record, flaws, hash }
    }

    fn compare(&mut self, number: u64, record: &Record) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if record.sequence != number {
            flaws.push(Flaw::Misplaced { says: record.sequence });
        }
        let links = match &self.last_hash {
            // Version 1 did not link rollouts.
            _ if number == 0 && record.version == 1 => record.previous_hash.is_empty(),
            Some(hash) => &record.previous_hash == hash,
            None => true,
        };
        if !links {
            flaws.push(if number == 0 { Flaw::Unlinked } else { Flaw::Unchained });
        }
        if record.version < self.version {
            flaws.push(Flaw::OlderVersion);
        }
        if record.epoch < self.epoch {
            flaws.push(Flaw::OlderEpoch);
        }
        flaws.extend(self.advance(number, record));
        flaws
    }

    /// Makes the record's transition.
    fn advance(&mut self, number: u64, record: &Record) -> Option<Flaw> {
        let next = match (&self.state, &record.event) {
            (None, Event::Opened { plan }) if number == 0 => {
                if Some(plan.rollout) != self.rollout {
                    return Some(Flaw::OtherRollout { says: plan.rollout });
                }
                Ok(open(plan))
            }
            (None, _) if number > 0 => return None,
            (None, event) => Err(format!("the first record must open the rollout, not {}", event.name())),
            (Some(state), event) => step(state, event)
                .map(|(next, _)| next)
                .map_err(|illegal| illegal.to_string()),
        };
        match next {
            Ok(next) => {
                let is = next.phase.name();
                self.state = Some(next);
                (is != record.state).then_some(Flaw::OtherState { says: record.state, is })
            }
            Err(detail) => {
                self.state = None;
                Some(Flaw::Impossible { detail })
            }
        }
    }
}

fn unreadable(error: serde_json::Error) -> Flaw {
    Flaw::Unreadable {
        error: error.to_string(),
    }
}
