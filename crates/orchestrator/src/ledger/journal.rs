//! The journal of one rollout: written record by record, read back whole and checked.

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::path::Path;

use super::record::hash;
use super::sequence::{Created, Sequence};
use super::{Actor, LedgerError, Record};
use crate::domain::EnvironmentName;
use crate::rollout::{Effect, Event, IllegalTransition, Plan, RolloutNumber, State, replay, step};

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(
        "the journal is damaged: {object} {problem}. Nothing was changed. Look with `status` where the traffic is; when it \
         is on one slot without a canary, move the journal's folder aside and run the command again"
    )]
    Damaged { object: String, problem: String },
    #[error(
        "another run has taken this rollout over: it wrote {object} first. Nothing more is done here; see `status` for what \
         it does"
    )]
    Fenced { object: String },
    #[error("a rollout cannot do this now")]
    Illegal {
        #[source]
        source: IllegalTransition,
    },
}

/// A journal as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    pub rollout: RolloutNumber,
    /// Never empty.
    pub records: Vec<Record>,
    pub state: State,
    last_hash: String,
}

impl Journal {
    pub fn is_open(&self) -> bool {
        !self.state.phase.name().is_end()
    }
}

/// A journal that this run writes to, with the state that it leads to.
pub struct OpenJournal<'a> {
    sequence: Sequence<'a>,
    actor: &'a Actor,
    tool_version: &'a str,
    next: u64,
    last_hash: String,
    state: State,
    attempts: Vec<(Effect, u32)>,
}

fn folder(environment: &EnvironmentName, rollout: RolloutNumber) -> String {
    format!("{environment}/rollouts/{:06}", rollout.0)
}

fn sequence<'a>(store: &'a dyn ObjectStore, environment: &EnvironmentName, rollout: RolloutNumber) -> Sequence<'a> {
    Sequence::new(store, folder(environment, rollout), 6)
}

/// The rollouts that have a journal, in order.
pub async fn rollout_numbers(
    store: &dyn ObjectStore,
    environment: &EnvironmentName,
) -> Result<Vec<RolloutNumber>, LedgerError> {
    let folder = format!("{environment}/rollouts");
    let prefix = Path::from(folder.as_str());
    let found: Vec<_> = store
        .list(Some(&prefix))
        .try_collect()
        .await
        .map_err(|source| LedgerError::Store {
            object: folder.clone(),
            source,
        })?;
    let mut numbers: Vec<RolloutNumber> = found
        .iter()
        .filter_map(|meta| {
            let rest = meta
                .location
                .as_ref()
                .strip_prefix(folder.as_str())?
                .strip_prefix('/')?;
            rest.split('/').next()?.parse().ok().map(RolloutNumber)
        })
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// Reads a journal and checks everything that can be: no record missing, none changed, none that a rollout cannot have
/// made.
pub async fn read_journal(
    store: &dyn ObjectStore,
    environment: &EnvironmentName,
    rollout: RolloutNumber,
) -> Result<Journal, JournalError> {
    let sequence = sequence(store, environment, rollout);
    let mut records: Vec<Record> = Vec::new();
    let mut last_hash = String::new();
    for (expected, number) in (0_u64..).zip(sequence.numbers().await?) {
        let damaged = |object: String, problem: String| JournalError::Damaged { object, problem };
        if number != expected {
            return Err(damaged(sequence.object(expected), "is missing".to_owned()));
        }
        let object = sequence.object(number);
        let Some(stored) = sequence.read(number).await? else {
            return Err(damaged(object, "is missing".to_owned()));
        };
        let version = serde_json::from_slice::<Version>(&stored)
            .map_err(|error| damaged(object.clone(), format!("does not read as a record ({error})")))?
            .version;
        if version > Record::VERSION {
            return Err(LedgerError::TooNew {
                object,
                version,
                known: Record::VERSION,
            }
            .into());
        }
        let record: Record = serde_json::from_slice(&stored)
            .map_err(|error| damaged(object.clone(), format!("does not read as a record ({error})")))?;
        if record.sequence != number {
            return Err(damaged(object, format!("says that it is record {}", record.sequence)));
        }
        if record.previous_hash != last_hash {
            return Err(damaged(
                object,
                "does not follow from the record before: one of the two was changed".to_owned(),
            ));
        }
        if records
            .last()
            .is_some_and(|before: &Record| before.epoch > record.epoch)
        {
            return Err(damaged(
                object,
                "is of an earlier epoch than the record before".to_owned(),
            ));
        }
        last_hash = hash(&stored);
        records.push(record);
    }
    let events = records.iter().map(|record| &record.event);
    match replay(events) {
        Ok(Some(state)) => {
            let recorded = records.last().map(|record| record.state);
            if recorded != Some(state.phase.name()) {
                return Err(JournalError::Damaged {
                    object: folder(environment, rollout),
                    problem: format!(
                        "replays to state {}, but its last record says otherwise",
                        state.phase.name()
                    ),
                });
            }
            Ok(Journal {
                rollout,
                records,
                state,
                last_hash,
            })
        }
        Ok(None) => Err(JournalError::Damaged {
            object: folder(environment, rollout),
            problem: "has no records".to_owned(),
        }),
        Err((index, illegal)) => Err(JournalError::Damaged {
            object: sequence.object(index as u64),
            problem: format!("is not possible there: {illegal}"),
        }),
    }
}

#[derive(serde::Deserialize)]
struct Version {
    version: u32,
}

impl<'a> OpenJournal<'a> {
    /// Begins the journal of `plan.rollout`.
    pub async fn open(
        store: &'a dyn ObjectStore,
        environment: &EnvironmentName,
        plan: Plan,
        epoch: u64,
        now: Timestamp,
        actor: &'a Actor,
        tool_version: &'a str,
    ) -> Result<OpenJournal<'a>, JournalError> {
        let mut journal = OpenJournal {
            sequence: sequence(store, environment, plan.rollout),
            actor,
            tool_version,
            next: 0,
            last_hash: String::new(),
            state: crate::rollout::open(&plan),
            attempts: Vec::new(),
        };
        let state = journal.state.clone();
        journal.append(state, epoch, now, Event::Opened { plan }).await?;
        journal.record(epoch, now, Event::LockTaken { epoch }).await?;
        Ok(journal)
    }

    /// Goes on with a journal that another run began.
    pub fn take_over(
        store: &'a dyn ObjectStore,
        environment: &EnvironmentName,
        journal: &Journal,
        actor: &'a Actor,
        tool_version: &'a str,
    ) -> OpenJournal<'a> {
        let mut open = OpenJournal {
            sequence: sequence(store, environment, journal.rollout),
            actor,
            tool_version,
            next: journal.records.len() as u64,
            last_hash: journal.last_hash.clone(),
            state: journal.state.clone(),
            attempts: Vec::new(),
        };
        for record in &journal.records {
            open.attempt(&record.event);
        }
        open
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Makes the transition and writes its record; the state changes only when the record stands.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when another run wrote this record's place first.
    pub async fn record(&mut self, epoch: u64, now: Timestamp, event: Event) -> Result<(), JournalError> {
        let (next, _) = step(&self.state, &event).map_err(|source| JournalError::Illegal { source })?;
        self.append(next, epoch, now, event).await
    }

    async fn append(&mut self, next: State, epoch: u64, now: Timestamp, event: Event) -> Result<(), JournalError> {
        let record = Record {
            version: Record::VERSION,
            sequence: self.next,
            epoch,
            time: now,
            actor: self.actor.clone(),
            tool_version: self.tool_version.to_owned(),
            state: next.phase.name(),
            step: next.phase.step(),
            attempt: self.attempt(&event),
            event,
            previous_hash: self.last_hash.clone(),
        };
        let stored = serde_json::to_vec_pretty(&record).map_err(|source| LedgerError::Damaged {
            object: self.sequence.object(self.next),
            what: "a record",
            source,
        })?;
        let last_hash = hash(&stored);
        if self.sequence.create(self.next, Bytes::from(stored)).await? == Created::Taken {
            return Err(JournalError::Fenced {
                object: self.sequence.object(self.next),
            });
        }
        self.next += 1;
        self.last_hash = last_hash;
        self.state = next;
        Ok(())
    }

    /// The number of times that the effect of this intent was intended, this one included; for an outcome, of the
    /// effect that is pending.
    fn attempt(&mut self, event: &Event) -> u32 {
        let effect = match event {
            Event::Intended { effect, .. } => {
                match self.attempts.iter_mut().find(|(known, _)| known == effect) {
                    Some((_, count)) => *count += 1,
                    None => self.attempts.push((effect.clone(), 1)),
                }
                Some(effect)
            }
            _ => self.state.pending.as_ref(),
        };
        effect
            .and_then(|effect| self.attempts.iter().find(|(known, _)| known == effect))
            .map_or(0, |(_, count)| *count)
    }
}
