//! Decides what a run applies. Pure: the same files, records and options give the same plan.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::contract::ContractPermit;
use crate::database::Database;
use crate::error::MigrateError;
use crate::files::MigrationFile;
use crate::phase::Phase;

/// What a run may do, and how long it may hold others up.
#[derive(Clone, Debug)]
pub struct Options {
    /// What may run now; the rest is held.
    pub phases: Phases,
    /// At most this many migrations.
    pub steps: Option<usize>,
    /// Nothing after this version, which some file or record has to have.
    pub to: Option<i64>,
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
            phases: Phases::of([Phase::Expand]),
            steps: None,
            to: None,
            lock_wait: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(1),
            lock_attempts: 10,
            concurrent_lock_timeout: Duration::from_secs(600),
        }
    }

    /// By a person: expands and backfills. Contracts still need [`Options::contracting`].
    pub fn by_hand() -> Self {
        Self::rollout().allowing(Phase::Backfill)
    }

    /// Also applies this phase; [`Phase::Contract`] stays held, it needs [`Options::contracting`].
    #[must_use]
    pub fn allowing(mut self, phase: Phase) -> Self {
        self.phases.free.insert(phase);
        self
    }

    /// Applies this phase alone; [`Phase::Contract`] stays held, it needs [`Options::contracting`].
    #[must_use]
    pub fn only(mut self, phase: Phase) -> Self {
        self.phases = Phases::of([phase]);
        self
    }

    /// Also applies contracts: the permit says that the old version is gone, and which backup stands behind them.
    #[must_use]
    pub fn contracting(mut self, permit: ContractPermit) -> Self {
        self.phases.contract = Some(permit);
        self
    }
}

/// The phases that a run may apply. [`Phase::Contract`] gets among them by [`Options::contracting`] alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// A contract in here allows nothing.
    free: BTreeSet<Phase>,
    contract: Option<ContractPermit>,
}

impl Phases {
    pub fn of(phases: impl IntoIterator<Item = Phase>) -> Self {
        Self {
            free: phases.into_iter().collect(),
            contract: None,
        }
    }

    pub fn contains(&self, phase: Phase) -> bool {
        match phase {
            Phase::Contract => self.contract.is_some(),
            other => self.free.contains(&other),
        }
    }

    /// Refuses a permit that was given for another database.
    pub(crate) fn check(&self, database: &Database) -> Result<(), MigrateError> {
        match &self.contract {
            Some(permit) if !permit.is_for(database) => Err(MigrateError::PermitElsewhere {
                database: database.to_string(),
            }),
            _ => Ok(()),
        }
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
            if !options.phases.contains(phase) {
                plan.held.push(Held {
                    file: file.file.clone(),
                    phase,
                    reason: reason(phase).to_owned(),
                });
                left.push(*file);
            } else if let Some(reason) =
                beyond(options, file, plan.run.len()).or_else(|| too_new(options, phase, file, &plan.held))
            {
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

/// Why a migration whose phase may run is not among those that were asked for.
fn beyond(options: &Options, file: &MigrationFile, planned: usize) -> Option<String> {
    match options {
        Options { to: Some(to), .. } if file.version > *to => Some(format!("it comes after {to}")),
        Options { steps: Some(steps), .. } if planned >= *steps => Some("more steps than were asked for".to_owned()),
        _ => None,
    }
}

/// Why a contract waits for a release, or for the contract before it that does.
fn too_new(options: &Options, phase: Phase, file: &MigrationFile, held: &[Held]) -> Option<String> {
    let permit = options.phases.contract.as_ref().filter(|_| phase == Phase::Contract)?;
    match held.iter().find(|held| held.phase == Phase::Contract) {
        Some(before) => Some(format!("it comes after {}, which waits", before.file)),
        None if permit.covers(file.version) => None,
        None => Some("the live release was deployed without it and may need what it takes away".to_owned()),
    }
}

fn reason(phase: Phase) -> &'static str {
    match phase {
        Phase::Expand => "expands were not asked for",
        Phase::Backfill => "a backfill runs after all traffic is on the new version",
        Phase::Contract => {
            "a contract takes away what the old version needs: it runs when that version is gone and a backup is proven"
        }
        Phase::Seed => "seeds are for environments that ask for them",
    }
}
