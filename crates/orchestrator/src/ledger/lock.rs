//! The lock of an environment: one run at a time, for a lease that has to be renewed.
//!
//! The lock is the newest object of a sequence; taking, renewing, stealing and releasing all create the next one, so
//! two that want it contend for the same object and one of them loses. That needs no clock to be right: clocks only
//! decide when it is polite to try. Every taking counts the epoch up.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};

use super::sequence::{Created, Sequence};
use super::{Actor, LedgerError};
use crate::domain::EnvironmentName;

/// Renewals and takings that are kept, so that listing stays short. A run would have to sleep between its listing and
/// its writing for as long as this many take others, to contend for a place that was cleared; it then sees the newer
/// ones when it looks again after writing.
const KEPT: u64 = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockChange {
    Taken,
    Renewed,
    Released,
    /// Somebody ended another's lease. Nobody holds it then.
    Broken,
}

/// The stored form of the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRecord {
    pub version: u32,
    pub sequence: u64,
    pub epoch: u64,
    pub change: LockChange,
    pub owner: Actor,
    /// When the owner took it.
    pub since: Timestamp,
    /// When the lease ends.
    pub until: Timestamp,
    /// When this object was made.
    pub time: Timestamp,
    /// Why it was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl LockRecord {
    /// 2: a lock can be broken. A program that does not know that must not take a broken lock for a held one.
    const VERSION: u32 = 2;

    /// Whether somebody holds it, as far as a clock that differs by less than `margin` can tell. A broken lock counts as
    /// held for the margin: a call of the old holder may still be under way.
    pub fn is_held(&self, now: Timestamp, margin: SignedDuration) -> bool {
        self.change != LockChange::Released && now < self.until + margin
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the lock is held by {} since {}, until {} unless it is renewed", record.owner, record.since, record.until)]
    Held { record: Box<LockRecord> },
    #[error("the lock was {}: nothing more is done here", taken_away(record))]
    Lost { record: Box<LockRecord> },
    #[error("the lock is held by {} since {}, until {}: `--force` with a reason breaks it", record.owner, record.since, record.until)]
    NotForced { record: Box<LockRecord> },
    #[error("nobody holds the lock")]
    NotHeld,
}

fn taken_away(record: &LockRecord) -> String {
    let (who, when) = (&record.owner, record.since);
    match (record.change, &record.reason) {
        (LockChange::Broken, Some(reason)) => format!("broken by {who} at {when} ({reason})"),
        (LockChange::Broken, None) => format!("broken by {who} at {when}"),
        _ => format!("taken over by {who} at {when}"),
    }
}

/// The lock as this run holds it.
#[derive(Debug, Clone)]
pub struct Lease {
    record: LockRecord,
    lease: SignedDuration,
}

fn sequence<'a>(store: &'a dyn ObjectStore, environment: &EnvironmentName) -> Sequence<'a> {
    Sequence::new(store, format!("{environment}/lock"), 10)
}

/// The newest record of the lock; `None` where it was never taken.
pub async fn current_lock(
    store: &dyn ObjectStore,
    environment: &EnvironmentName,
) -> Result<Option<LockRecord>, LedgerError> {
    let sequence = sequence(store, environment);
    // The newest may be cleared between listing and reading only if many newer ones came; then look again.
    for _ in 0..8 {
        let Some(newest) = sequence.numbers().await?.last().copied() else {
            return Ok(None);
        };
        let Some(stored) = sequence.read(newest).await? else {
            continue;
        };
        let object = sequence.object(newest);
        let record: LockRecord = serde_json::from_slice(&stored).map_err(|source| LedgerError::Damaged {
            object: object.clone(),
            what: "a lock",
            source,
        })?;
        if record.version > LockRecord::VERSION {
            return Err(LedgerError::TooNew {
                object,
                version: record.version,
                known: LockRecord::VERSION,
            });
        }
        return Ok(Some(record));
    }
    Err(LedgerError::Lost {
        object: format!("{environment}/lock"),
    })
}

impl Lease {
    /// Takes the lock if nobody holds it.
    ///
    /// # Errors
    /// [`LockError::Held`] with who holds it.
    pub async fn take(
        store: &dyn ObjectStore,
        environment: &EnvironmentName,
        owner: &Actor,
        now: Timestamp,
        lease: SignedDuration,
        margin: SignedDuration,
    ) -> Result<Lease, LockError> {
        let current = current_lock(store, environment).await?;
        if let Some(record) = &current
            && record.is_held(now, margin)
        {
            return Err(LockError::Held {
                record: Box::new(record.clone()),
            });
        }
        let (before, epoch) = current
            .as_ref()
            .map_or((0, 0), |record| (record.sequence, record.epoch));
        let record = LockRecord {
            version: LockRecord::VERSION,
            sequence: before + 1,
            epoch: epoch + 1,
            change: LockChange::Taken,
            owner: owner.clone(),
            since: now,
            until: now + lease,
            time: now,
            reason: None,
        };
        match write(store, environment, &record).await? {
            None => Ok(Lease { record, lease }),
            Some(winner) => Err(LockError::Held {
                record: Box::new(winner),
            }),
        }
    }

    pub fn epoch(&self) -> u64 {
        self.record.epoch
    }

    pub fn until(&self) -> Timestamp {
        self.record.until
    }

    /// Whether a renewal is due; always so before the margin of the lease's end, as long as the margin is less than
    /// two thirds of the lease.
    pub fn is_due(&self, now: Timestamp, margin: SignedDuration) -> bool {
        now >= self.renew_at() || now + margin >= self.record.until
    }

    /// When the next renewal is due.
    pub fn renew_at(&self) -> Timestamp {
        self.record.time + self.lease / 3
    }

    /// Lengthens the lease from now. Right also after it ended, as long as nobody else took it.
    ///
    /// # Errors
    /// [`LockError::Lost`] with who took it.
    pub async fn renew(
        &mut self,
        store: &dyn ObjectStore,
        environment: &EnvironmentName,
        now: Timestamp,
    ) -> Result<(), LockError> {
        self.change(store, environment, now, LockChange::Renewed, now + self.lease)
            .await
    }

    /// # Errors
    /// [`LockError::Lost`] with who took it.
    pub async fn release(
        mut self,
        store: &dyn ObjectStore,
        environment: &EnvironmentName,
        now: Timestamp,
    ) -> Result<(), LockError> {
        self.change(store, environment, now, LockChange::Released, now).await
    }

    async fn change(
        &mut self,
        store: &dyn ObjectStore,
        environment: &EnvironmentName,
        now: Timestamp,
        change: LockChange,
        until: Timestamp,
    ) -> Result<(), LockError> {
        let record = LockRecord {
            sequence: self.record.sequence + 1,
            change,
            until,
            time: now,
            ..self.record.clone()
        };
        match write(store, environment, &record).await? {
            None => {
                self.record = record;
                Ok(())
            }
            Some(winner) => Err(LockError::Lost {
                record: Box::new(winner),
            }),
        }
    }
}

/// Ends the lease of whoever holds the lock, for a reason that stands in the record. The holder stops before its next
/// change; a call that is under way may still take effect, so the caller lets a margin pass before anything begins.
///
/// # Errors
/// [`LockError::NotHeld`]; [`LockError::Lost`] when the lock changed meanwhile, by its holder or another.
pub async fn break_lock(
    store: &dyn ObjectStore,
    environment: &EnvironmentName,
    owner: &Actor,
    now: Timestamp,
    reason: &str,
) -> Result<LockRecord, LockError> {
    // Its holder may renew between the look and the writing.
    for _ in 0..8 {
        let current = current_lock(store, environment)
            .await?
            .filter(|record| matches!(record.change, LockChange::Taken | LockChange::Renewed))
            .ok_or(LockError::NotHeld)?;
        let record = LockRecord {
            version: LockRecord::VERSION,
            sequence: current.sequence + 1,
            epoch: current.epoch + 1,
            change: LockChange::Broken,
            owner: owner.clone(),
            since: now,
            until: now,
            time: now,
            reason: Some(reason.to_owned()),
        };
        if write(store, environment, &record).await?.is_none() {
            return Ok(record);
        }
    }
    Err(LedgerError::Lost {
        object: format!("{environment}/lock"),
    }
    .into())
}

/// Writes the next record of the lock; gives the winner where another was first.
async fn write(
    store: &dyn ObjectStore,
    environment: &EnvironmentName,
    record: &LockRecord,
) -> Result<Option<LockRecord>, LedgerError> {
    let sequence = sequence(store, environment);
    let object = sequence.object(record.sequence);
    let stored = serde_json::to_vec_pretty(record).map_err(|source| LedgerError::Damaged {
        object: object.clone(),
        what: "a lock",
        source,
    })?;
    let created = sequence.create(record.sequence, Bytes::from(stored)).await?;
    let numbers = sequence.numbers().await?;
    let newest = numbers.last().copied().unwrap_or(0);
    if created == Created::Taken || newest > record.sequence {
        return match current_lock(store, environment).await? {
            Some(winner) => Ok(Some(winner)),
            None => Err(LedgerError::Lost { object }),
        };
    }
    for old in numbers.into_iter().filter(|number| number + KEPT < record.sequence) {
        sequence.delete(old).await?;
    }
    Ok(None)
}
