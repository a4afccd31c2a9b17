//! Decides what a run applies. Pure: the same files, records and options give the same plan.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::MigrateError;
use crate::files::MigrationFile;
use crate::phase::Phase;

/// What a run may do, and how long it may hold others up.
#[derive(Clone, Debug)]
pub struct Options {
    /// What may run now; the rest is held.
    pub phases: BTreeSet<Phase>,
    /// At most this many migrations.
    pub steps: Option<usize>,
    /// How long to wait for another run to end.
    pub lock_wait: Duration,
    /// How long a migration waits for a table before it steps back; whoever comes after it waits as long.
    pub lock_timeout: Duration,
    /// How often it steps back before the run gives up.
    pub lock_attempts: u32,
    /// The same for a migration outside a transaction: a concurrent index build waits for old transactions to end,
    /// blocks nobody meanwhile, and leaves an invalid index when it is cut off.
    pub concurrent_lock_timeout: Duration,
}

impl Options {
    /// Before the traffic shifts: only what both versions survive.
    pub fn rollout() -> Self {
        Self {
            phases: BTreeSet::from([Phase::Expand]),
            steps: None,
            lock_wait: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(1),
            lock_attempts: 10,
            concurrent_lock_timeout: Duration::from_secs(600),
        }
    }

    /// By a person: expands and backfills. Contracts still need [`Options::allowing`].
    pub fn by_hand() -> Self {
        Self::rollout().allowing(Phase::Backfill)
    }

    /// Also applies this phase. For [`Phase::Contract`] the caller vouches that the old version is gone.
    #[must_use]
    pub fn allowing(mut self, phase: Phase) -> Self {
        self.phases.insert(phase);
        self
    }
}

/// A pending migration that this run leaves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub file: String,
    pub phase: Phase,
    pub reason: String,
}

/// What a run would apply, in order, and what it would leave.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) run: Vec<MigrationFile>,
    pub held: Vec<Held>,
}

impl Plan {
    /// The migrations that would be applied, in order.
    pub fn run(&self) -> &[MigrationFile] {
        &self.run
    }

    pub(crate) fn of(pending: &[&MigrationFile], options: &Options) -> Result<Self, MigrateError> {
        let mut plan = Self {
            run: Vec::new(),
            held: Vec::new(),
        };
        let mut left = Vec::new();
        for file in pending {
            let phase = file.phase.ok_or_else(|| MigrateError::NoPhase {
                file: file.file.clone(),
            })?;
            if !options.phases.contains(&phase) {
                plan.held.push(Held {
                    file: file.file.clone(),
                    phase,
                    reason: reason(phase).to_owned(),
                });
                left.push(*file);
            } else if options.steps.is_some_and(|steps| plan.run.len() >= steps) {
                let reason = "more steps than were asked for".to_owned();
                plan.held.push(Held {
                    file: file.file.clone(),
                    phase,
                    reason,
                });
                left.push(*file);
            } else {
                // An expand or backfill that the contract builds on must not be left behind it.
                let needed = left
                    .iter()
                    .find(|before| before.phase != Some(Phase::Seed) && before.phase != Some(Phase::Contract));
                if let (Phase::Contract, Some(before)) = (phase, needed) {
                    return Err(MigrateError::ContractTooEarly {
                        file: file.file.clone(),
                        before: before.file.clone(),
                    });
                }
                plan.run.push((*file).clone());
            }
        }
        Ok(plan)
    }
}

fn reason(phase: Phase) -> &'static str {
    match phase {
        Phase::Expand => "expands were not asked for",
        Phase::Backfill => "a backfill runs after all traffic is on the new version",
        Phase::Contract => "a contract takes away what the old version needs: allow it when that version is gone",
        Phase::Seed => "seeds are for environments that ask for them",
    }
}
