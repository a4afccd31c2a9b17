//! What is true, for the invariants: what happened, by whom, and what follows from it.
//!
//! Journals, lock and standings are known from the objects that were written, not from what a driver believes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use orchestrator::domain::{ReleaseNumber, Slot, StageTarget, Weight};
use orchestrator::ledger::{LockChange, LockRecord, OperatorRequest, Record, Standing};
use orchestrator::rollout::{Event, Phase, Request, State, open, step};

use super::{Entry, Inner, Place, Split};
use crate::invariants::{self, Violation};
use crate::met::Met;
use crate::process::{Call, ProcessId, ProcessState};

/// Between a look and the change that rests on it a process may take this long. A stage's update has no
/// compare-and-swap, so what is changed meanwhile cannot be seen.
pub const BLINK: SignedDuration = SignedDuration::from_secs(6);

/// What answers a request: a deployment of an API with the versions that its slot's aliases are at, or one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Composition {
    pub place: Place,
    /// By function.
    pub versions: Vec<(String, usize)>,
}

/// One effect.
#[derive(Debug, Clone)]
pub struct Happening {
    /// `None`: somebody else.
    pub by: Option<ProcessId>,
    /// When the call left its process.
    pub issued: Timestamp,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    /// An entry divides its requests otherwise from now on; requests meet it a little later.
    Routed {
        entry: Entry,
        before: Split,
        after: Split,
        change: &'static str,
    },
    SlotAlias {
        function: String,
        slot: Slot,
    },
    Preview {
        api: String,
        slot: Slot,
    },
    Published,
    ApiDeployed,
    /// A version or a deployment is gone.
    Deleted {
        what: String,
    },
    StacksDeployed,
    BackedUp,
    Migrated,
    Recorded {
        rollout: u32,
        record: Box<Record>,
    },
    Locked {
        record: LockRecord,
    },
    Stood {
        standing: Box<Standing>,
    },
    Requested {
        object: String,
        content: String,
    },
    /// An object of the ledger was written over another.
    Overwritten {
        object: String,
    },
    /// Time passed.
    Looked,
    /// A run without faults settled what was open, or found nothing to settle.
    Settled {
        open: Option<u32>,
    },
}

/// A rollout as its journal tells it.
#[derive(Debug, Clone)]
pub struct RolloutTruth {
    pub state: State,
    pub records: u64,
    /// Who wrote the last record, and when it stood.
    pub by: ProcessId,
    pub at: Timestamp,
    /// When the last record stood that is no answer to an operator; before the next one it is asked what they want.
    pub asked_at: Timestamp,
    /// When the bake of the step that is baked began to be true: every entry had its weight in force.
    pub baking_since: Option<Timestamp>,
}

/// What was last told by the metrics.
#[derive(Debug, Clone)]
pub struct Measured {
    pub at: Timestamp,
    /// By function: calls and errors of the candidate since the step was in force. `None`: the errors were missing.
    pub functions: BTreeMap<String, (f64, Option<f64>)>,
}

/// What a process was last shown of an entry.
#[derive(Debug, Clone)]
pub struct Shown {
    pub split: Split,
    /// When the answer was made.
    pub at: Timestamp,
}

#[derive(Debug, Clone)]
pub struct Foreign {
    pub at: Timestamp,
    pub before: Split,
    pub split: Split,
}

#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// What passed its smoke test.
    pub smoked: BTreeSet<Composition>,
    /// What is no business of a rollout: the first shape of the stacks, and what somebody else chose.
    pub trusted: BTreeSet<Composition>,
    /// What requests meet at each entry, and since when.
    pub in_force: BTreeMap<Entry, Vec<(Timestamp, Split)>>,
    /// How often the lock was taken.
    pub terms: u64,
    /// The newest term that changed anything.
    pub newest_term: u64,
    pub epoch: u64,
    pub rollouts: BTreeMap<u32, RolloutTruth>,
    pub standing: Option<Standing>,
    /// Releases that were live, as the standings tell.
    pub was_live: BTreeSet<ReleaseNumber>,
    pub shown: BTreeMap<(ProcessId, Entry), Shown>,
    /// By rollout: what whoever carries it out was last told.
    pub measured: BTreeMap<u32, Measured>,
    /// By rollout: when an operator's wish to abort it stood in the ledger.
    pub abort_asked: BTreeMap<u32, Timestamp>,
    /// Entries that somebody else changed, while they are as he left them.
    pub foreign: BTreeMap<Entry, Foreign>,
    /// Changes of processes that were under way when another took over, and took effect after it.
    pub late_changes: u32,
    /// Since when what can be read shows a breach, and how much the faults of that process had cost then.
    pub breach: Option<(ProcessId, Timestamp, SignedDuration)>,
    /// While true, a process may act after it was taken over: see `invariants::three`.
    pub clocks_are_wrong: bool,
    /// The stacks were deleted: what the ledger knows from before is gone, and rightly.
    pub began_anew: bool,
    pub violations: Vec<Violation>,
    /// Why an observed object could not be read.
    pub broken: Option<String>,
}

impl Inner {
    pub fn entries(&self) -> Vec<Entry> {
        let stages = self.apis.keys().cloned().map(Entry::Stage);
        let aliases = self.functions.keys().cloned().map(Entry::Alias);
        stages.chain(aliases.take_while(|_| self.shape.aliases)).collect()
    }

    /// How an entry is set to divide its requests.
    pub fn split(&self, entry: &Entry) -> Option<Split> {
        match entry {
            Entry::Stage(api) => self.apis.get(api).map(|api| Split::of_stage(&api.live)),
            Entry::Alias(function) => self
                .functions
                .get(function)
                .map(|function| Split::of_alias(&function.live)),
        }
    }

    /// What answers at a place now.
    pub fn composition(&self, entry: &Entry, place: &Place) -> Composition {
        let versions = match (entry, place) {
            (_, Place::Stage { slot: Some(slot), .. }) => self
                .functions
                .iter()
                .filter_map(|(name, function)| Some((name.clone(), function.aliases.get(slot)?.version)))
                .collect(),
            (Entry::Alias(function), Place::Version(version)) => {
                vec![(function.clone(), version.parse().unwrap_or(0))]
            }
            _ => Vec::new(),
        };
        Composition {
            place: place.clone(),
            versions,
        }
    }

    /// Takes note of what happened and checks every invariant.
    pub fn happen(&mut self, happening: Happening) {
        self.note(&happening);
        for (number, check) in invariants::ALL {
            // What clocks that differ by more than the margin cannot break, because no clock decides it.
            if self.truth.clocks_are_wrong && !matches!(number, 1 | 8 | 12 | 13) {
                continue;
            }
            if let Err(what) = check(self, &happening) {
                let violation = Violation {
                    invariant: *number,
                    at: self.now(),
                    what,
                };
                self.trace.line(|| violation.to_string());
                self.truth.violations.push(violation);
            }
        }
        self.settle_truth(&happening);
    }

    pub fn happened(&mut self, call: &Call, what: What) {
        self.happen(Happening {
            by: Some(call.process),
            issued: call.issued,
            what,
        });
    }

    /// What has to be known before the invariants look.
    fn note(&mut self, happening: &Happening) {
        let now = self.now();
        match &happening.what {
            What::Routed { entry, after, .. } => {
                // No later moment is documented for an alias than when it reads back.
                let delay = match entry {
                    Entry::Stage(_) => self.propagation_of(now),
                    Entry::Alias(_) => SignedDuration::ZERO,
                };
                let timeline = self.truth.in_force.entry(entry.clone()).or_default();
                // What was on its way and is overtaken never comes into force later than this.
                let since = timeline
                    .last()
                    .map_or(now + delay, |(last, _)| (now + delay).max(*last));
                timeline.push((since, after.clone()));
                if happening.by.is_none() {
                    for place in after.reached() {
                        let composition = self.composition(entry, place);
                        self.truth.trusted.insert(composition);
                    }
                }
            }
            // What somebody moved into the slot a blink ago, nobody could have seen.
            What::SlotAlias { .. } => {
                let unseen = self
                    .truth
                    .foreign
                    .iter()
                    .filter(|(_, foreign)| now < foreign.at + BLINK);
                let split: Vec<_> = unseen
                    .map(|(entry, foreign)| (entry.clone(), foreign.split.clone()))
                    .collect();
                for (entry, split) in split {
                    for place in split.reached() {
                        let composition = self.composition(&entry, place);
                        self.truth.trusted.insert(composition);
                    }
                }
            }
            What::Locked { record } => {
                if let Some(process) = happening.by
                    && record.change == LockChange::Taken
                {
                    let before = self
                        .processes
                        .iter()
                        .find(|before| before.term == Some(self.truth.terms));
                    // Before anything goes wrong, and in the end, it is right.
                    let skew = self.processes[process.0].skew;
                    let is_skewed =
                        |before: &ProcessState| !before.skew.is_zero() && !skew.is_zero() && before.skew != skew;
                    if before.is_some_and(is_skewed) {
                        self.met.insert(Met::SkewedClocks);
                    }
                    self.truth.terms += 1;
                    self.processes[process.0].term = Some(self.truth.terms);
                }
                if record.change == LockChange::Broken {
                    self.met.insert(Met::LockBroken);
                } else if let Some(process) = happening.by {
                    self.processes[process.0].lease_until = Some(record.until);
                }
            }
            _ => {}
        }
    }

    /// A change is in force after at most [`Inner::propagation`].
    fn propagation_of(&self, now: Timestamp) -> SignedDuration {
        let longest = u64::try_from(self.propagation.as_millis()).unwrap_or(0);
        if longest == 0 {
            return SignedDuration::ZERO;
        }
        let drawn = crate::random::mix(self.calls, now.as_millisecond().unsigned_abs()) % longest;
        SignedDuration::from_millis(i64::try_from(drawn).unwrap_or(0))
    }

    /// What follows from it, after the invariants looked.
    fn settle_truth(&mut self, happening: &Happening) {
        let now = self.now();
        match &happening.what {
            What::Recorded { rollout, record } => {
                let Some(by) = happening.by else { return };
                self.met.extend(Met::by_record(&record.event, record.state));
                let state = match (self.truth.rollouts.get(rollout), &record.event) {
                    (None, Event::Opened { plan }) => Some(open(plan)),
                    (Some(before), event) => step(&before.state, event).ok().map(|(state, _)| state),
                    (None, _) => None,
                };
                if let Some(state) = state {
                    let baking_since = match state.phase {
                        // Once begun it stays: what somebody changes meanwhile is no bake of ours.
                        Phase::Baking { .. } | Phase::AwaitingApproval { .. } | Phase::Inconclusive { .. } => {
                            let before = self.truth.rollouts.get(rollout);
                            let begun = before.filter(|before| before.state.phase.bake().is_some());
                            begun
                                .and_then(|before| before.baking_since)
                                .or_else(|| self.all_in_force_since())
                                .or(Some(now))
                        }
                        // The raise itself rests on the bake that was.
                        Phase::Shifting { .. } | Phase::Promoting => {
                            self.truth.rollouts.get(rollout).and_then(|before| before.baking_since)
                        }
                        _ => None,
                    };
                    let is_answer = matches!(record.event, Event::Requested { .. } | Event::RequestRefused { .. });
                    let before = self.truth.rollouts.get(rollout).filter(|_| is_answer);
                    let told = RolloutTruth {
                        asked_at: before.map_or(now, |before| before.asked_at),
                        state,
                        records: record.sequence + 1,
                        by,
                        at: now,
                        baking_since,
                    };
                    self.truth.rollouts.insert(*rollout, told);
                }
            }
            What::Stood { standing } => {
                self.truth.was_live.extend(standing.live);
                self.truth.standing = Some((**standing).clone());
                // Somebody agreed with what another had changed by hand.
                if self.unsettled(standing).is_none() {
                    self.truth.foreign.clear();
                }
            }
            What::Routed {
                entry, after, before, ..
            } => {
                if happening.by.is_none() {
                    // Of several changes by hand the first says how it was.
                    let earlier = self.truth.foreign.get(entry).map(|earlier| earlier.before.clone());
                    self.truth.foreign.insert(
                        entry.clone(),
                        Foreign {
                            at: now,
                            before: earlier.unwrap_or_else(|| before.clone()),
                            split: after.clone(),
                        },
                    );
                } else if let Some(foreign) = self.truth.foreign.get(entry) {
                    let rollout = happening.by.and_then(|by| self.rollout_of(by));
                    let is_as_planned = rollout.is_none_or(|rollout| rollout.level(entry, after).is_some());
                    let still = Foreign {
                        split: after.clone(),
                        ..foreign.clone()
                    };
                    // A stage takes a part of its settings from the one and a part from the other.
                    if is_as_planned {
                        self.truth.foreign.remove(entry);
                    } else {
                        self.truth.foreign.insert(entry.clone(), still);
                    }
                }
            }
            What::Requested { content, .. } => {
                if let Ok(asked) = serde_json::from_str::<OperatorRequest>(content)
                    && matches!(asked.request, Request::Abort { .. })
                {
                    self.truth.abort_asked.entry(asked.rollout.0).or_insert(now);
                }
            }
            What::Looked => self.look_for_a_breach(now),
            _ => {}
        }
    }

    /// Since when what can be read shows that the candidate is bad, while a process is there to see it.
    fn look_for_a_breach(&mut self, now: Timestamp) {
        let seen = self
            .newest()
            .filter(|rollout| !rollout.state.phase.name().is_end())
            .and_then(|rollout| {
                let process = &self.processes[rollout.by.0];
                let blind = self.metrics_down || self.ledger_down || self.functions_down;
                if process.dead || process.ended || process.stalled_until.is_some() || blind {
                    return None;
                }
                let weighs = self.entries().iter().any(|entry| {
                    let level = self.split(entry).and_then(|split| rollout.level(entry, &split));
                    matches!(level, Some(Level::Step(_) | Level::Promoted))
                });
                if !weighs {
                    return None;
                }
                match self.truth.breach {
                    Some((by, since, delayed)) if by == rollout.by => Some((by, since, delayed)),
                    _ => {
                        let since = rollout
                            .baking_since
                            .filter(|_| matches!(rollout.state.phase, Phase::Baking { .. }))?;
                        let candidate = rollout.state.facts.candidate.as_ref()?;
                        let is_bad = candidate.functions.iter().any(|function| {
                            let (calls, errors) =
                                self.readable_calls(function.name.as_str(), function.version.as_str(), since);
                            errors >= 20.0 && errors >= calls / 2.0
                        });
                        // While a fault of before goes on, it can see nothing yet.
                        is_bad.then_some((rollout.by, now.max(process.delayed_until), process.delayed))
                    }
                }
            });
        if seen.is_some() {
            self.met.insert(Met::Breach);
        }
        self.truth.breach = seen;
    }

    /// Whether somebody else changed the entry so shortly before a call left that its process could not know it: it had
    /// looked before that, or was shown an older value.
    pub fn is_unseen(&self, by: ProcessId, entry: &Entry, issued: Timestamp) -> bool {
        let shown = self.truth.shown.get(&(by, entry.clone()));
        let (Some(foreign), Some(shown)) = (self.truth.foreign.get(entry), shown) else {
            return false;
        };
        let is_unseen = shown.at < foreign.at || shown.split != foreign.split;
        is_unseen && issued.duration_since(shown.at) <= BLINK
    }

    /// The newest rollout, as its journal tells it.
    pub fn newest(&self) -> Option<&RolloutTruth> {
        self.truth.rollouts.values().next_back()
    }

    /// The rollout that this process wrote last to.
    pub fn rollout_of(&self, process: ProcessId) -> Option<&RolloutTruth> {
        self.truth.rollouts.values().rev().find(|rollout| rollout.by == process)
    }

    /// Since when every entry has been meeting what it is set to.
    pub fn all_in_force_since(&self) -> Option<Timestamp> {
        let now = self.now();
        let mut latest = None;
        for entry in self.entries() {
            let timeline = self.truth.in_force.get(&entry)?;
            let (_, last) = timeline.last()?;
            // Setting the same again changes nothing.
            let same = timeline.iter().rev().take_while(|(_, split)| split == last);
            let since = same.last().map(|(since, _)| *since)?;
            if since > now {
                return None;
            }
            latest = latest.max(Some(since));
        }
        latest
    }

    /// An object of the ledger was written.
    pub fn written(&mut self, call: &Call, object: &str, content: &[u8], there: bool) {
        if there {
            self.happened(
                call,
                What::Overwritten {
                    object: object.to_owned(),
                },
            );
        }
        let mut parts = object.split('/').skip(1);
        let what = match (parts.next(), parts.next()) {
            (Some("rollouts"), Some(rollout)) => read(object, content).map(|record| What::Recorded {
                rollout: rollout.parse().unwrap_or(0),
                record: Box::new(record),
            }),
            (Some("lock"), _) => read(object, content).map(|record| What::Locked { record }),
            (Some("standings"), _) => read(object, content).map(|standing| What::Stood {
                standing: Box::new(standing),
            }),
            _ => Ok(What::Requested {
                object: object.to_owned(),
                content: String::from_utf8_lossy(content).into_owned(),
            }),
        };
        match what {
            Ok(what) => {
                if let What::Recorded { rollout, record } = &what {
                    let line = format!(
                        "{} records {rollout}/{}: {}",
                        call.process,
                        record.sequence,
                        told(&record.event)
                    );
                    self.trace.line(|| line);
                }
                self.happened(call, what);
            }
            Err(problem) => self.truth.broken = Some(problem),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(object: &str, content: &[u8]) -> Result<T, String> {
    serde_json::from_slice(content).map_err(|error| format!("{object} does not read: {error}"))
}

/// An event in a few words.
fn told(event: &Event) -> String {
    match event {
        Event::Intended { effect, .. } => format!("intends {effect}"),
        Event::Judged { step, judgement, .. } => {
            format!("step {step}: {} ({})", judgement.verdict, judgement.summary())
        }
        Event::Failed { effect, reason } => format!("{effect} failed: {reason}"),
        Event::InForce { weight, .. } => format!("{weight} in force"),
        Event::ForeignChange { found, proven } => format!("foreign change (proven: {proven}): {found}"),
        Event::Recovered {
            epoch,
            promoted,
            resume,
            ..
        } => {
            format!("taken over in epoch {epoch} (promoted: {promoted}, resumed: {resume})")
        }
        Event::Requested { by, request, .. } => format!("{by} asked for it: {request}"),
        Event::RequestRefused { because, .. } => format!("refuses a request: {because}"),
        Event::AbortRequested { reason } => format!("abort: {reason}"),
        other => other.name().to_string(),
    }
}

fn place_of(target: StageTarget) -> Place {
    Place::Stage {
        deployment: target.deployment_id.to_string(),
        slot: Some(target.slot),
    }
}

/// How far an entry is on its way from where it was before a rollout to where the rollout leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Base,
    /// A weight of a step, from 0.
    Step(usize),
    /// Settings that send nobody to the candidate.
    Nothing,
    Promoted,
}

impl RolloutTruth {
    /// An operator asked to promote it, which leaves steps out.
    pub fn is_promoted_by_hand(&self) -> bool {
        self.state.promote_asked.is_some()
    }

    /// Where an entry was before the rollout; `None` while that is not known.
    pub fn base(&self, entry: &Entry) -> Option<Place> {
        match entry {
            Entry::Stage(api) => self.state.base(&api.as_str().into()).map(place_of),
            Entry::Alias(function) => {
                let version = self.state.base_version(&function.as_str().into())?;
                Some(Place::Version(version.to_string()))
            }
        }
    }

    /// Where the rollout leads an entry; `None` where the release does not hold it.
    pub fn goal(&self, entry: &Entry) -> Option<Place> {
        match entry {
            Entry::Stage(api) => self.state.goal(&api.as_str().into()).map(place_of),
            Entry::Alias(function) => {
                let version = self.state.goal_version(&function.as_str().into())?;
                Some(Place::Version(version.to_string()))
            }
        }
    }

    /// `None` for what is nowhere on that way.
    pub fn level(&self, entry: &Entry, split: &Split) -> Option<Level> {
        let (base, goal) = (self.base(entry), self.goal(entry));
        let at_base = Some(&split.base) == base.as_ref();
        match &split.share {
            // Where both versions are the same one there is nothing on the way.
            None if Some(&split.base) == goal.as_ref() => Some(Level::Promoted),
            None => at_base.then_some(Level::Base),
            Some((to, weight)) if at_base && Some(to) == goal.as_ref() => {
                if *weight == Weight::ZERO {
                    return Some(Level::Nothing);
                }
                let step = self.state.plan.steps.iter().position(|step| step.weight == *weight)?;
                Some(Level::Step(step))
            }
            Some(_) => None,
        }
    }
}
