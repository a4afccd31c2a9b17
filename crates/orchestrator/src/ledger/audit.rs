//! Whether the history of an environment is as it was written: for `audit verify`, which changes nothing.
//!
//! Every record carries the hash of the one before, through all rollouts, so an edited, removed, reordered or exchanged
//! record is found by the one after it. Nothing comes after the newest record: that it was removed or rewritten, with any
//! number before it, is found only by a hash that was kept elsewhere, for example in the log of the deploy that printed
//! it ([`AuditReport::find`]). Who may write to the ledger could also make a whole new chain; that too is found by such a
//! hash.
//!
//! The lock is not looked at: it is no history.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::path::Path;
use serde::Serialize;

use super::chain::{Chain, Flaw};
use super::journal::{folder, sequence};
use super::sequence::Sequence;
use super::standing::{self, Standing};
use super::{LedgerError, Link};
use crate::domain::{EnvironmentName, ReleaseNumber, ReleaseState};
use crate::rollout::{PhaseName, RolloutNumber, State};

/// Objects that are read at the same time.
const AT_ONCE: usize = 16;
/// Of a hash, so that a shortened one still names one record.
const SHORTEST_HASH: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub object: String,
    #[serde(flatten)]
    pub flaw: Flaw,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.object, self.flaw)
    }
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    pub environment: String,
    pub rollouts: u64,
    pub records: u64,
    pub standings: u64,
    /// When the oldest and the newest record were made, by their own word.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// The newest record, whose hash stands for the whole history.
    pub head: Option<Link>,
    /// Rollouts that an earlier program began, whose first record does not link to the rollout before.
    pub unlinked: Vec<RolloutNumber>,
    /// In the order of the history.
    pub problems: Vec<Problem>,
    /// Every record that there is, in order.
    #[serde(skip)]
    links: Vec<Link>,
}

impl AuditReport {
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// The record that has this hash; it may be shortened to 16 digits. Where the history is sound and a hash from
    /// earlier is found, everything up to that record is as it was then.
    pub fn find(&self, hash: &str) -> Option<&Link> {
        let hash = hash.trim().to_ascii_lowercase();
        if hash.len() < SHORTEST_HASH {
            return None;
        }
        self.links.iter().find(|link| link.hash.starts_with(&hash))
    }

    /// How many records came after this one.
    pub fn records_after(&self, link: &Link) -> u64 {
        let after = self
            .links
            .iter()
            .filter(|other| (other.rollout, other.sequence) > (link.rollout, link.sequence));
        after.count() as u64
    }
}

/// Reads the whole history and checks it: chains within and across rollouts, gaps, epochs, versions, that events lead to
/// the states that are recorded, and that the standings say what the journals say.
///
/// # Errors
/// Where the ledger cannot be read. What is wrong with what is read is in the report.
pub async fn verify(store: &dyn ObjectStore, environment: &EnvironmentName) -> Result<AuditReport, LedgerError> {
    let mut audit = Audit {
        store,
        environment,
        chain: Chain::from_the_beginning(),
        ends: BTreeMap::new(),
        report: AuditReport {
            environment: environment.to_string(),
            rollouts: 0,
            records: 0,
            standings: 0,
            from: None,
            to: None,
            head: None,
            unlinked: Vec::new(),
            problems: Vec::new(),
            links: Vec::new(),
        },
    };
    // In this order, because a run may be at work: what a standing rests on was written before it.
    let standings = audit.list("standings").await?;
    audit.rollouts().await?;
    audit.standings(standings).await?;
    audit.report.head = audit.report.links.last().cloned();
    Ok(audit.report)
}

struct Audit<'a> {
    store: &'a dyn ObjectStore,
    environment: &'a EnvironmentName,
    chain: Chain,
    /// The state after each journal that can be followed to its end.
    ends: BTreeMap<RolloutNumber, State>,
    report: AuditReport,
}

impl Audit<'_> {
    fn wrong(&mut self, object: String, flaw: Flaw) {
        self.report.problems.push(Problem { object, flaw });
    }

    /// The names below a folder of this environment.
    async fn list(&self, below: &str) -> Result<Vec<String>, LedgerError> {
        let folder = format!("{}/{below}", self.environment);
        let found = self.store.list(Some(&Path::from(folder.as_str())));
        let found: Result<Vec<_>, _> = found.map_ok(|meta| meta.location.to_string()).try_collect().await;
        let mut names = found.map_err(|source| LedgerError::Store { object: folder, source })?;
        names.sort_unstable();
        Ok(names)
    }

    async fn rollouts(&mut self) -> Result<(), LedgerError> {
        let mut journals: BTreeMap<RolloutNumber, Vec<u64>> = BTreeMap::new();
        for name in self.list("rollouts").await? {
            match self.record_named(&name) {
                Some((rollout, number)) => journals.entry(rollout).or_default().push(number),
                None => self.wrong(name, Flaw::Foreign),
            }
        }
        let newest = journals.keys().last().copied();
        let mut expected = RolloutNumber(1);
        for (rollout, mut numbers) in journals {
            numbers.sort_unstable();
            if expected < rollout {
                // Only the first of a gap: a single planted folder must not make a report without end.
                self.wrong(folder(self.environment, expected), Flaw::RolloutMissing);
                self.chain.broken();
            }
            self.journal(rollout, &numbers, Some(rollout) == newest).await?;
            expected = RolloutNumber(rollout.0.saturating_add(1));
        }
        Ok(())
    }

    async fn journal(&mut self, rollout: RolloutNumber, numbers: &[u64], is_newest: bool) -> Result<(), LedgerError> {
        self.chain.begin(rollout);
        self.report.rollouts += 1;
        let sequence = sequence(self.store, self.environment, rollout);
        let stored = read_all(&sequence, numbers);
        futures::pin_mut!(stored);
        let mut expected = 0;
        while let Some((number, stored)) = stored.try_next().await? {
            let object = sequence.object(number);
            let Some(stored) = stored else {
                // It went between listing and reading, and is a gap like any other.
                continue;
            };
            if expected < number {
                let and_after_it = number - expected - 1;
                self.wrong(sequence.object(expected), Flaw::Missing { and_after_it });
                self.chain.broken();
            }
            let checked = self.chain.check(number, &stored);
            for flaw in checked.flaws {
                self.wrong(object.clone(), flaw);
            }
            if let Some(record) = checked.record {
                self.report.from = self.report.from.or(Some(record.time));
                self.report.to = Some(record.time);
                if number == 0 && record.version == 1 && rollout.0 > 1 {
                    self.report.unlinked.push(rollout);
                }
            }
            self.report.records += 1;
            self.report.links.push(Link {
                rollout,
                sequence: number,
                hash: checked.hash,
            });
            expected = number + 1;
        }
        if let Some(state) = self.chain.state() {
            let phase = state.phase.name();
            self.ends.insert(rollout, state.clone());
            if !is_newest && !phase.is_end() {
                self.wrong(folder(self.environment, rollout), Flaw::Unfinished { state: phase });
            }
        }
        Ok(())
    }

    /// Rollout and number of the record of that name, where this program would give it that name.
    fn record_named(&self, name: &str) -> Option<(RolloutNumber, u64)> {
        let rest = name.strip_prefix(&format!("{}/rollouts/", self.environment))?;
        let (rollout, number) = rest.split_once('/')?;
        let rollout = RolloutNumber(rollout.parse().ok()?);
        let number = number.strip_suffix(".json")?.parse().ok()?;
        let ours = sequence(self.store, self.environment, rollout).object(number);
        (ours == name && rollout.0 > 0).then_some((rollout, number))
    }

    async fn standings(&mut self, names: Vec<String>) -> Result<(), LedgerError> {
        let sequence = standing::sequence(self.store, self.environment);
        let mut numbers = Vec::new();
        for name in &names {
            let number = name.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
            match number.and_then(|number| number.parse().ok()) {
                Some(number) if &sequence.object(number) == name => numbers.push(number),
                _ => self.wrong(name.clone(), Flaw::Foreign),
            }
        }
        numbers.sort_unstable();
        let stored = read_all(&sequence, &numbers);
        futures::pin_mut!(stored);
        let mut expected = 1;
        let mut newest = None;
        while let Some((number, stored)) = stored.try_next().await? {
            let object = sequence.object(number);
            let Some(stored) = stored else { continue };
            if expected < number {
                let and_after_it = number - expected - 1;
                self.wrong(sequence.object(expected), Flaw::Missing { and_after_it });
            }
            expected = number + 1;
            self.report.standings += 1;
            newest = None;
            match serde_json::from_slice::<Standing>(&stored) {
                Err(error) => {
                    let error = error.to_string();
                    self.wrong(object, Flaw::Unreadable { error });
                }
                Ok(standing) => {
                    for flaw in self.standing(number, &standing) {
                        self.wrong(object.clone(), flaw);
                    }
                    newest = Some((object, standing));
                }
            }
        }
        // A run that wrote another one meanwhile also wrote journals that this one does not know of.
        if let Some((object, standing)) = newest
            && self.list("standings").await? == names
        {
            for detail in self.contradictions(&standing) {
                self.wrong(object.clone(), Flaw::Contradicts { detail });
            }
        }
        Ok(())
    }

    fn standing(&self, number: u64, standing: &Standing) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if standing.version > Standing::VERSION {
            flaws.push(Flaw::TooNew {
                version: standing.version,
                known: Standing::VERSION,
            });
        }
        if standing.sequence != number {
            flaws.push(Flaw::Misplaced {
                says: standing.sequence,
            });
        }
        if let Some(link) = &standing.rests_on
            && !self.report.links.contains(link)
        {
            flaws.push(Flaw::RestsOnNothing { link: link.clone() });
        }
        flaws
    }

    /// What the newest standing says that the journals do not.
    fn contradictions(&self, standing: &Standing) -> Vec<String> {
        let mut found = Vec::new();
        for release in &standing.releases {
            let made_by = self.ends.values().find_map(|state| {
                let candidate = state.facts.candidate.as_ref()?;
                (!state.plan.is_rollback() && candidate.number == release.number).then_some((state, candidate))
            });
            if let Some((state, candidate)) = made_by
                && candidate.digest() != release.digest()
            {
                found.push(format!(
                    "release {} is not as rollout {} made it",
                    release.number, state.plan.rollout
                ));
            }
            if (release.state == ReleaseState::Live) != (standing.live == Some(release.number)) {
                let live = standing.live.map_or("none".to_owned(), |live| live.to_string());
                found.push(format!(
                    "release {} is {}, and {live} is live",
                    release.number, release.state
                ));
            }
        }
        // A rollout that was promoted is recorded as live before it ends.
        let last = self
            .ends
            .values()
            .rfind(|state| state.phase.name() == PhaseName::Retained);
        if let (Some(last), Some(by)) = (last, standing.live_by)
            && last.plan.rollout >= by
            && (by, standing.live) != (last.plan.rollout, Some(last.plan.release()))
        {
            found.push(format!(
                "{} is live by rollout {by}; the last that was promoted is release {} by rollout {}",
                standing
                    .live
                    .map_or("nothing".to_owned(), |live: ReleaseNumber| format!("release {live}")),
                last.plan.release(),
                last.plan.rollout
            ));
        }
        found
    }
}

/// The objects of a sequence in order; `None` for one that is not there any more.
fn read_all<'a>(
    sequence: &'a Sequence<'a>,
    numbers: &'a [u64],
) -> impl futures::Stream<Item = Result<(u64, Option<bytes::Bytes>), LedgerError>> + use<'a> {
    futures::stream::iter(numbers)
        .map(|number| async { Ok((*number, sequence.read(*number).await?)) })
        .buffered(AT_ONCE)
}
