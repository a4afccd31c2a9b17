//! The journal of one rollout: written record by record, read back whole and checked.

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::path::Path;

use super::chain::{Chain, Flaw};
use super::record::hash;
use super::sequence::{Created, Sequence};
use super::{Actor, LedgerError, Link, Record};
use crate::domain::EnvironmentName;
use crate::rollout::{Effect, Event, IllegalTransition, Plan, RolloutNumber, State, step};

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

    /// The hash of its last record, which stands for all of them, and from version 2 on for all rollouts before.
    pub fn head(&self) -> &str {
        &self.last_hash
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

pub(super) fn folder(environment: &EnvironmentName, rollout: RolloutNumber) -> String {
    format!("{environment}/rollouts/{:06}", rollout.0)
}

pub(super) fn sequence<'a>(
    store: &'a dyn ObjectStore,
    environment: &EnvironmentName,
    rollout: RolloutNumber,
) -> Sequence<'a> {
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

/// The newest record of an environment; `None` before its first rollout. Reads that one object only: [`super::verify`]
/// says whether all before it are as they were written.
pub async fn head(store: &dyn ObjectStore, environment: &EnvironmentName) -> Result<Option<Link>, LedgerError> {
    let numbers = rollout_numbers(store, environment).await?;
    match numbers.last() {
        Some(newest) => last_record(store, environment, *newest).await,
        None => Ok(None),
    }
}

async fn last_record(
    store: &dyn ObjectStore,
    environment: &EnvironmentName,
    rollout: RolloutNumber,
) -> Result<Option<Link>, LedgerError> {
    let sequence = sequence(store, environment, rollout);
    let Some(last) = sequence.numbers().await?.last().copied() else {
        return Ok(None);
    };
    let stored = sequence.read(last).await?.ok_or_else(|| LedgerError::Lost {
        object: sequence.object(last),
    })?;
    Ok(Some(Link {
        rollout,
        sequence: last,
        hash: hash(&stored),
    }))
}

/// Reads a journal and checks everything that can be without the other rollouts: no record missing, none changed, none
/// that a rollout cannot have made.
pub async fn read_journal(
    store: &dyn ObjectStore,
    environment: &EnvironmentName,
    rollout: RolloutNumber,
) -> Result<Journal, JournalError> {
    let sequence = sequence(store, environment, rollout);
    let mut chain = Chain::default();
    chain.begin(rollout);
    let mut records: Vec<Record> = Vec::new();
    for (expected, number) in (0_u64..).zip(sequence.numbers().await?) {
        let stored = match sequence.read(number).await? {
            Some(stored) if number == expected => stored,
            _ => return Err(damaged(sequence.object(expected), &Flaw::Missing { and_after_it: 0 })),
        };
        let checked = chain.check(number, &stored);
        match (checked.record, checked.flaws.into_iter().next()) {
            (Some(record), None) => records.push(record),
            (_, Some(Flaw::TooNew { version, known })) => {
                return Err(LedgerError::TooNew {
                    object: sequence.object(number),
                    version,
                    known,
                }
                .into());
            }
            (_, flaw) => {
                let flaw = flaw.unwrap_or(Flaw::Missing { and_after_it: 0 });
                return Err(damaged(sequence.object(number), &flaw));
            }
        }
    }
    match (chain.state(), chain.last_hash()) {
        (Some(state), Some(last_hash)) => Ok(Journal {
            rollout,
            records,
            state: state.clone(),
            last_hash: last_hash.to_owned(),
        }),
        _ => Err(JournalError::Damaged {
            object: folder(environment, rollout),
            problem: "has no records".to_owned(),
        }),
    }
}

fn damaged(object: String, flaw: &Flaw) -> JournalError {
    JournalError::Damaged {
        object,
        problem: flaw.to_string(),
    }
}

impl<'a> OpenJournal<'a> {
    /// Begins the journal of `plan.rollout`, linked to the one before: `before` is what [`head`] found. The caller makes
    /// sure of its lease after that, because nothing fences the first record of a journal.
    #[expect(
        clippy::too_many_arguments,
        reason = "a journal is opened in one place, and each says what a record holds"
    )]
    pub async fn open(
        store: &'a dyn ObjectStore,
        environment: &EnvironmentName,
        plan: Plan,
        epoch: u64,
        now: Timestamp,
        actor: &'a Actor,
        tool_version: &'a str,
        before: Option<Link>,
    ) -> Result<OpenJournal<'a>, JournalError> {
        let mut journal = OpenJournal {
            sequence: sequence(store, environment, plan.rollout),
            actor,
            tool_version,
            next: 0,
            last_hash: before.map(|link| link.hash).unwrap_or_default(),
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
