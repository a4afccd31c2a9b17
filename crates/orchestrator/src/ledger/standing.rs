//! What stands in an environment: its releases, which one is live, and what each slot holds.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};

use super::journal::head;
use super::sequence::{Created, Sequence};
use super::{LedgerError, Link};
use crate::domain::{EnvironmentName, PerSlot, Release, ReleaseNumber, ReleaseState, RolloutTarget, Slot};
use crate::rollout::{LiveRelease, RolloutNumber, State};

/// The stored form. A new one is written for each change, under the lock; the newest counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub version: u32,
    /// Counts the changes; also the object's name.
    pub sequence: u64,
    /// In order of their numbers.
    pub releases: Vec<Release>,
    pub live: Option<ReleaseNumber>,
    /// Since when it is live, and by which rollout; `None` for a baseline.
    pub live_since: Option<Timestamp>,
    pub live_by: Option<RolloutNumber>,
    /// The release that each slot's aliases and preview stages were last pointed to; `None` where that is not known.
    pub occupants: PerSlot<Option<ReleaseNumber>>,
    /// What the live release was rolled out to.
    pub target: Option<RolloutTarget>,
    /// The newest record of the journals when this was written; `None` in those of earlier programs.
    #[serde(default)]
    pub rests_on: Option<Link>,
    /// Releases of which nothing is left in the cloud but what others use, in order.
    #[serde(default)]
    pub removed: Vec<ReleaseNumber>,
    /// When a release was retired last, so that since then only the live one can be called; `None` where that was never, or
    /// by an earlier program.
    #[serde(default)]
    pub last_retired_at: Option<Timestamp>,
}

impl Default for Standing {
    fn default() -> Standing {
        Standing {
            version: Standing::VERSION,
            sequence: 0,
            releases: Vec::new(),
            live: None,
            live_since: None,
            live_by: None,
            occupants: PerSlot {
                blue: None,
                green: None,
            },
            target: None,
            rests_on: None,
            removed: Vec::new(),
            last_retired_at: None,
        }
    }
}

impl Standing {
    pub(super) const VERSION: u32 = 1;

    pub fn release(&self, number: ReleaseNumber) -> Option<&Release> {
        self.releases.iter().find(|release| release.number == number)
    }

    pub fn live_release(&self) -> Option<&Release> {
        self.live.and_then(|number| self.release(number))
    }

    /// The live release as a rollout refers to it.
    pub fn live(&self) -> Option<LiveRelease> {
        self.live_release().map(|release| LiveRelease {
            number: release.number,
            slot: release.slot,
            apis: release.apis.clone(),
            functions: release.functions.clone(),
        })
    }

    pub fn next_release(&self) -> ReleaseNumber {
        self.releases
            .last()
            .map_or(ReleaseNumber(1), |release| release.number.next())
    }

    /// With `baseline` as what is live; whatever was there before belongs to stacks that are gone.
    pub fn with_baseline(&self, baseline: Release, target: RolloutTarget, now: Timestamp) -> Standing {
        let mut next = self.clone();
        for release in &mut next.releases {
            release.state = ReleaseState::Retired;
            release.retained_until = None;
        }
        next.live = Some(baseline.number);
        next.live_since = Some(now);
        next.live_by = None;
        next.occupants = PerSlot {
            blue: Some(baseline.number),
            green: Some(baseline.number),
        };
        next.target = Some(target);
        next.put(baseline);
        next
    }

    /// After the rollout in `state` was promoted. Repeating it changes nothing.
    pub fn promoted(&self, state: &State, now: Timestamp, retention: SignedDuration) -> Standing {
        let (Some(candidate), Some(before)) = (&state.facts.candidate, &state.facts.live) else {
            return self.clone();
        };
        if self.live == Some(candidate.number) && self.live_by == Some(state.plan.rollout) {
            return self.clone();
        }
        let mut next = self.clone();
        if let Some(old) = next.releases.iter_mut().find(|release| release.number == before.number) {
            old.state = ReleaseState::Retained;
            old.retained_until = Some(now + retention);
        }
        next.put(Release {
            state: ReleaseState::Live,
            retained_until: None,
            ..candidate.clone()
        });
        next.live = Some(candidate.number);
        next.live_since = Some(now);
        next.live_by = Some(state.plan.rollout);
        next.set_occupant(before.slot, Some(before.number));
        next.set_occupant(candidate.slot, Some(candidate.number));
        if let Some(deployed) = &state.facts.deployed {
            next.target = Some(deployed.target.clone());
        }
        next
    }

    /// After the rollout in `state` was turned back. Repeating it changes nothing.
    pub fn turned_back(&self, state: &State) -> Standing {
        let mut next = self.clone();
        let Some(before) = &state.facts.live else {
            return next;
        };
        if !state.facts.release_begun {
            return next;
        }
        match &state.facts.candidate {
            Some(candidate) => {
                next.set_occupant(candidate.slot, Some(candidate.number));
                if !state.plan.is_rollback() {
                    next.put(Release {
                        state: ReleaseState::Rejected,
                        ..candidate.clone()
                    });
                }
            }
            // It ended while the slot was being filled.
            None => next.set_occupant(before.slot.other(), None),
        }
        next
    }

    /// Before `slot` is pointed at something else: what it holds meanwhile is not known.
    pub fn without_occupant(&self, slot: Slot) -> Standing {
        let mut next = self.clone();
        next.set_occupant(slot, None);
        next
    }

    /// With these releases past their retention, and the idle slot on the live release where `idle_is_live`.
    pub fn retired(&self, releases: &[ReleaseNumber], idle_is_live: bool, now: Timestamp) -> Standing {
        let mut next = self.clone();
        if !releases.is_empty() {
            next.last_retired_at = Some(now);
        }
        for release in &mut next.releases {
            if releases.contains(&release.number) {
                release.state = ReleaseState::Retired;
                release.retained_until = None;
            }
        }
        if let Some(live) = self.live_release().filter(|_| idle_is_live) {
            next.set_occupant(live.slot.other(), Some(live.number));
        }
        next
    }

    fn put(&mut self, release: Release) {
        match self.releases.iter_mut().find(|known| known.number == release.number) {
            Some(known) => *known = release,
            None => {
                self.releases.push(release);
                self.releases.sort_by_key(|release| release.number);
            }
        }
    }

    fn set_occupant(&mut self, slot: Slot, release: Option<ReleaseNumber>) {
        match slot {
            Slot::Blue => self.occupants.blue = release,
            Slot::Green => self.occupants.green = release,
        }
    }
}

pub(super) fn sequence<'a>(store: &'a dyn ObjectStore, environment: &EnvironmentName) -> Sequence<'a> {
    Sequence::new(store, format!("{environment}/standings"), 6)
}

/// The newest standing; an empty one where there is none yet.
pub async fn read_standing(store: &dyn ObjectStore, environment: &EnvironmentName) -> Result<Standing, LedgerError> {
    let sequence = sequence(store, environment);
    let Some(newest) = sequence.numbers().await?.last().copied() else {
        return Ok(Standing::default());
    };
    let object = sequence.object(newest);
    let Some(stored) = sequence.read(newest).await? else {
        return Err(LedgerError::Lost { object });
    };
    let standing: Standing = serde_json::from_slice(&stored).map_err(|source| LedgerError::Damaged {
        object: object.clone(),
        what: "a standing",
        source,
    })?;
    if standing.version > Standing::VERSION {
        return Err(LedgerError::TooNew {
            object,
            version: standing.version,
            known: Standing::VERSION,
        });
    }
    Ok(standing)
}

/// `next` as it is to be written after `current`, with what it rests on; `None` where they are the same. Changes nothing.
///
/// # Errors
/// [`LedgerError`] when the newest journal cannot be read.
pub async fn prepare_standing(
    store: &dyn ObjectStore,
    environment: &EnvironmentName,
    current: &Standing,
    mut next: Standing,
) -> Result<Option<Standing>, LedgerError> {
    next.sequence = current.sequence;
    next.rests_on.clone_from(&current.rests_on);
    if &next == current {
        return Ok(None);
    }
    next.sequence += 1;
    next.rests_on = head(store, environment).await?;
    Ok(Some(next))
}

/// Writes what [`prepare_standing`] gave, and reads nothing before: whoever may write only under a lease asks for it last.
///
/// # Errors
/// [`LedgerError::Lost`] when another run wrote a standing since the one before was read.
pub async fn write_standing(
    store: &dyn ObjectStore,
    environment: &EnvironmentName,
    next: Standing,
) -> Result<Standing, LedgerError> {
    let sequence = sequence(store, environment);
    let object = sequence.object(next.sequence);
    let stored = serde_json::to_vec_pretty(&next).map_err(|source| LedgerError::Damaged {
        object: object.clone(),
        what: "a standing",
        source,
    })?;
    match sequence.create(next.sequence, Bytes::from(stored)).await? {
        Created::Yes => Ok(next),
        Created::Taken => Err(LedgerError::Lost { object }),
    }
}
