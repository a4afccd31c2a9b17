//! One rollout of a soak: what befalls it, how it is settled, and what it must have left.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitStatus;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Summary;
use super::fate::{Fate, Foreign, Mishap, Release, Settling, Word};
use super::ledger;
use super::load::{Answer, Load};
use super::shares::{Seen, Shares};
use crate::poller::exchange;
use crate::templates::authorization;
use crate::{Among, Ended, Fault, Point, Project, Wire, get};

/// How often what is open may have to be settled, killed settlements included.
const SETTLEMENTS: usize = 5;
const FAILURES: &str = "failures";

pub(super) struct Soak<'a> {
    project: &'a Project,
    wire: &'a Wire<'a>,
    load: &'a Load,
    live_url: &'a str,
    /// `restapis/ID/stages/prod`
    stage: String,
    shares: Shares,
    /// The newest journal that was read.
    journal: u64,
    bad: BTreeSet<String>,
    summary: Summary,
}

/// The code that the next deploy finds.
pub(super) fn write_release(project: &Project, tag: &str, release: Release) {
    let failures = project.path().join(FAILURES);
    let text = json!({
        "tag": tag, "fails": release == Release::Failing, "broken": release == Release::Broken, "failures": failures
    });
    project.write("function/release.json", &text.to_string());
}

impl<'a> Soak<'a> {
    pub(super) fn new(project: &'a Project, wire: &'a Wire<'a>, load: &'a Load, live_url: &'a str) -> Self {
        let api = live_url.split('/').nth_back(2).unwrap_or_default();
        Self {
            stage: format!("restapis/{api}/stages/prod"),
            project,
            wire,
            load,
            live_url,
            // What CloudFormation made becomes release 0.
            shares: Shares::new("first", 0),
            journal: 0,
            bad: BTreeSet::new(),
            summary: Summary::default(),
        }
    }

    pub(super) fn summary(self) -> Summary {
        self.summary
    }

    /// Carries it out and looks at what it left; in words what came of it.
    pub(super) fn rollout(&mut self, number: usize, fate: &Fate) -> Result<String, String> {
        let tag = format!("r{number}");
        write_release(self.project, &tag, fate.release);
        if fate.release != Release::Good {
            self.bad.insert(tag.clone());
        }
        let since = Timestamp::now();
        let foreign = self.befall(&tag, fate)?;
        let (verb, again) = match &fate.mishap {
            Mishap::Killed { again, settled_by, .. } => match settled_by {
                Settling::Rollback => ("rollback", *again),
                Settling::Resume => ("resume", *again),
            },
            _ => ("rollback", None),
        };
        let status = self.settle(verb, again, foreign.is_some())?;
        let live = self.look(&status)?;
        let ends = self.read_journals(fate)?;
        if let Some((at, change)) = foreign {
            let share = if change == Foreign::SetCanary { 0.33 } else { 0.0 };
            self.shares.foreign(&tag, at, share);
        }
        self.shares.settled(&live, Timestamp::now());
        let answers = self.load.cut();
        let seen = self.judge(&answers)?;
        self.shares.forget_before(since);
        self.summary.rollouts += 1;
        self.summary.requests += answers.len();
        let share = seen.get(&tag).map_or_else(String::new, |seen| {
            format!(
                "; the candidate answered {} of {}, at most {:.0} were expected",
                seen.answered, seen.requests, seen.expected
            )
        });
        Ok(format!(
            "{}, {live} is live; {} requests{share}",
            ends.join(", "),
            answers.len()
        ))
    }

    /// When somebody else changed the live stage, if so.
    fn befall(&mut self, tag: &str, fate: &Fate) -> Result<Option<(Timestamp, Foreign)>, String> {
        let deploy = ["deploy", "--blue-green", "--no-traffic", "--tag", tag];
        match &fate.mishap {
            Mishap::None => {
                let ended = self.project.run(&deploy);
                let expected = if fate.release == Release::Good { 0 } else { 3 };
                if ended.status != Some(expected) {
                    return Err(told("it should have ended otherwise", &ended));
                }
            }
            Mishap::Rollback => {
                let ended = self.project.run(&["rollback", "local"]);
                if ended.status != Some(0) && !ended.stderr.contains("error[LD0506]") {
                    return Err(told("it should have gone back", &ended));
                }
            }
            Mishap::Killed { point, fault, .. } => {
                self.wire.rule(point.rule(*fault));
                let status = self.wire.start(&deploy).wait();
                self.count_faults();
                if status.code().is_none() {
                    self.summary.killed += 1;
                }
                by_itself(status, true)?;
            }
            Mishap::Spoilt(faults) => {
                let mut rules: Vec<_> = faults.iter().map(|(point, fault)| point.rule(*fault)).collect();
                self.wire.rule(move |call| {
                    // Every one counts, also past another one's hit.
                    let asked: Vec<Fault> = rules.iter_mut().map(|rule| rule(call)).collect();
                    asked
                        .into_iter()
                        .find(|fault| *fault != Fault::None)
                        .unwrap_or(Fault::None)
                });
                let status = self.wire.start(&deploy).wait();
                self.count_faults();
                by_itself(status, false)?;
            }
            Mishap::Terminated(point) => {
                self.wire.rule(point.rule(Fault::Terminate));
                let status = self.wire.start(&deploy).wait();
                self.count_faults();
                // Before the handler stands a signal ends it as it ends any program.
                by_itself(status, true)?;
            }
            Mishap::Meanwhile { point, word } => {
                let (begin, begun) = channel();
                let mut reached = point.reached();
                self.wire.rule(move |call| {
                    if reached(call) {
                        // Nobody waits where the deploy has ended.
                        let _ = begin.send(());
                    }
                    Fault::None
                });
                let project = self.project;
                let (status, typed) = std::thread::scope(|scope| {
                    let typed = scope.spawn(move || begun.recv().ok().map(|()| type_in(project, *word, &deploy)));
                    let status = self.wire.start(&deploy).wait();
                    // Drops the rule, so that nothing is waited for any more.
                    self.wire.calls();
                    (status, typed.join().expect("whoever types is waited for"))
                });
                by_itself(status, false)?;
                self.summary.faults += usize::from(typed.is_some());
                let strange = |ended: &&Ended| !matches!(ended.status, Some(0 | 1 | 2 | 3 | 4 | 5 | 130));
                if let Some(ended) = typed.iter().flatten().find(strange) {
                    return Err(told("what was typed meanwhile should have ended otherwise", ended));
                }
            }
            Mishap::Foreign { point, change } => {
                let changed = Arc::new(Mutex::new(None));
                self.wire.rule(self.somebody_else(*point, *change, changed.clone()));
                let status = self.wire.start(&deploy).wait();
                self.wire.calls();
                by_itself(status, false)?;
                let changed = *changed.lock().unwrap_or_else(PoisonError::into_inner);
                self.summary.faults += usize::from(changed.is_some());
                return Ok(changed.map(|at| (at, *change)));
            }
        }
        Ok(None)
    }

    fn count_faults(&mut self) {
        let calls = self.wire.calls();
        self.summary.faults += calls.iter().filter(|call| call.fault != Fault::None).count();
    }

    /// Changes the live stage at a call after the first shift, if it has a canary then.
    fn somebody_else(
        &self,
        point: Point,
        change: Foreign,
        changed: Arc<Mutex<Option<Timestamp>>>,
    ) -> impl FnMut(&crate::Call) -> Fault + Send + 'static {
        let (cloud, stage) = (self.wire.cloud().to_owned(), self.stage.clone());
        let mut shifted = Point {
            among: Among::Shifts,
            number: 0,
        }
        .reached();
        let mut reached = point.reached();
        let mut has_shifted = false;
        move |call| {
            has_shifted |= shifted(call);
            if has_shifted && reached(call) {
                let at = Timestamp::now();
                let operation = match change {
                    Foreign::RemoveCanary => json!({ "op": "remove", "path": "/canarySettings" }),
                    Foreign::SetCanary => {
                        json!({ "op": "replace", "path": "/canarySettings/percentTraffic", "value": "33.0" })
                    }
                };
                // Where there is no canary, nobody finds one to change.
                if has_canary(&cloud, &stage) && patch(&cloud, &stage, &operation).is_ok() {
                    *changed.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
                }
            }
            Fault::None
        }
    }

    /// Until nothing is open, by the status that is returned. Whoever changed the stage takes it back first.
    fn settle(&mut self, verb: &str, mut again: Option<Point>, foreign: bool) -> Result<Value, String> {
        let mut last = String::new();
        for _ in 0..SETTLEMENTS {
            let status = self.status()?;
            if status["open"].is_null() {
                return Ok(status);
            }
            if let Some(point) = again.take() {
                self.wire.rule(point.rule(Fault::KillAfter));
                let status = self.wire.start(&[verb, "local"]).wait();
                self.count_faults();
                self.summary.killed += usize::from(status.code().is_none());
                continue;
            }
            if foreign && has_canary(self.wire.cloud(), &self.stage) {
                let remove = json!({ "op": "remove", "path": "/canarySettings" });
                patch(self.wire.cloud(), &self.stage, &remove)?;
            }
            let ended = self.project.run(&[verb, "local"]);
            last = told("the last settlement", &ended);
        }
        Err(format!("it cannot be settled: {last}"))
    }

    fn status(&self) -> Result<Value, String> {
        let ended = self.project.run(&["status", "--json"]);
        match (ended.status, ended.stdout.lines().next()) {
            (Some(0), Some(line)) => serde_json::from_str(line).map_err(|error| format!("{error}: {line}")),
            _ => Err(told("no status", &ended)),
        }
    }

    /// One slot, nothing left over, as the ledger says, and answered by the release that the ledger names. Its tag.
    fn look(&self, status: &Value) -> Result<String, String> {
        if let Some(left) = self.wire.traffic("prod").left_over() {
            return Err(format!("something is left of it: {left}"));
        }
        // Nothing is recorded where nothing was released yet.
        let apis = status["apis"].as_array().map(Vec::as_slice).unwrap_or_default();
        if apis.iter().any(|api| api["as_recorded"] != true)
            || (apis.is_empty() && !status["live"].is_null())
            || !status["open"].is_null()
        {
            return Err(format!("it is not settled: {status:#}"));
        }
        let live = match status["live"]["tag"].as_str() {
            // Nothing was released yet.
            None | Some("baseline") => "first",
            Some(tag) => tag,
        };
        match get(self.live_url).map_err(|error| error.to_string())? {
            (200, body) if body == live => Ok(live.to_owned()),
            (code, body) => Err(format!("{live} should answer, and {code} {body} came")),
        }
    }

    /// How each rollout ended.
    fn read_journals(&mut self, fate: &Fate) -> Result<Vec<String>, String> {
        let mut ends = Vec::new();
        loop {
            let records = ledger::journal(self.wire, self.journal + 1)?;
            let Some(last) = records.last() else {
                break;
            };
            self.journal += 1;
            self.shares.read(&records);
            let is_rollback = records[0]["event"]["plan"]["goal"]["kind"] == "rollback";
            ends.push(match last["state"].as_str() {
                Some("retained") if is_rollback => {
                    self.summary.rollbacks += 1;
                    if fate.mishap == Mishap::Rollback {
                        self.time_switch(&records);
                    }
                    "rolled back".to_owned()
                }
                Some("retained") => {
                    self.summary.promoted += 1;
                    "promoted".to_owned()
                }
                Some("rolled_back") => {
                    self.summary.turned_back += 1;
                    if fate.is_measured() {
                        self.time_way_back(&records);
                    }
                    format!("turned back ({})", reason(&records))
                }
                Some("needs_human") => {
                    self.summary.left_to_people += 1;
                    "left to people".to_owned()
                }
                other => return Err(format!("rollout {} ended as {other:?}", self.journal)),
            });
        }
        if ends.is_empty() {
            ends.push("nothing was begun".to_owned());
        }
        Ok(ends)
    }

    fn time_switch(&mut self, records: &[Value]) {
        let begun = records
            .iter()
            .find(|record| record["event"]["effect"]["kind"] == "promote");
        let done = records.iter().find(|record| record["event"]["kind"] == "promoted");
        if let (Some(begun), Some(done)) = (time(begun), time(done)) {
            self.summary.switches.add(done.duration_since(begun));
        }
    }

    /// The look before the breach's did not have the data that tipped the verdict, so they came after it.
    fn time_way_back(&mut self, records: &[Value]) {
        let is = |record: &&Value, kinds: &[&str]| {
            record["event"]["kind"]
                .as_str()
                .is_some_and(|kind| kinds.contains(&kind))
        };
        let before = records
            .iter()
            .filter(|record| is(record, &["in_force", "judged"]))
            .rev()
            .nth(1);
        let withdrawn = records.iter().find(|record| is(record, &["withdrawn"]));
        if let (Some(before), Some(done)) = (time(before), time(withdrawn)) {
            self.summary.ways_back.add(done.duration_since(before));
        }
    }

    /// Who gave each answer, and whether they might.
    fn judge(&mut self, answers: &[Answer]) -> Result<BTreeMap<String, Seen>, String> {
        let file = self.project.path().join(FAILURES);
        let noted = std::fs::read_to_string(&file).unwrap_or_default();
        if !noted.is_empty() {
            std::fs::remove_file(&file).map_err(|error| error.to_string())?;
        }
        let failed: BTreeMap<u64, &str> = noted
            .lines()
            .filter_map(|line| {
                let (id, tag) = line.split_once(' ')?;
                Some((id.parse().ok()?, tag))
            })
            .collect();
        let mut said = Vec::with_capacity(answers.len());
        for answer in answers {
            let tag = match (answer.status, failed.get(&answer.id)) {
                (200, _) => answer.body.as_str(),
                (502, Some(tag)) if self.bad.contains(*tag) => {
                    self.summary.failed_by_candidates += 1;
                    tag
                }
                _ => return Err(format!("a request was lost: {answer:?}")),
            };
            said.push((answer, tag));
        }
        self.shares.judge(&said)
    }
}

fn time(record: Option<&Value>) -> Option<Timestamp> {
    record?["time"].as_str()?.parse().ok()
}

/// Why it went back, in a word.
fn reason(records: &[Value]) -> String {
    let mut reasons = records.iter().filter_map(|record| {
        let event = &record["event"];
        let kind = event["reason"]["kind"].as_str();
        kind.or_else(|| (event["kind"] == "recovered").then_some("interrupted"))
            .or_else(|| (event["kind"] == "abort_requested").then_some("aborted"))
    });
    let judged = records.iter().rev().find(|record| record["event"]["kind"] == "judged");
    let verdict = judged.and_then(|record| record["event"]["judgement"]["verdict"].as_str());
    match (reasons.next_back(), verdict) {
        (Some(reason), _) => reason.replace('_', " "),
        (None, Some(verdict)) => format!("verdict {verdict}"),
        (None, None) => "its check failed".to_owned(),
    }
}

fn type_in(project: &Project, word: Word, deploy: &[&str]) -> Vec<Ended> {
    match word {
        Word::Deploy => vec![project.run(deploy)],
        Word::Rollback => vec![project.run(&["rollback", "local"])],
        Word::Abort => vec![project.run(&["abort", "local", "--reason", "a soak"])],
        Word::Promote => vec![project.run(&["promote", "local", "--reason", "a soak"])],
        Word::PauseAndResume => vec![project.run(&["pause", "local"]), project.run(&["resume", "local"])],
    }
}

fn told(problem: &str, ended: &Ended) -> String {
    format!(
        "{problem}; it ended with {:?}\n--- stdout\n{}\n--- stderr\n{}",
        ended.status, ended.stdout, ended.stderr
    )
}

/// Every end that the README names; `or_killed` also by a signal.
fn by_itself(status: ExitStatus, or_killed: bool) -> Result<(), String> {
    match status.code() {
        Some(0 | 1 | 3 | 4 | 5 | 130) => Ok(()),
        None if or_killed => Ok(()),
        _ => Err(format!("it ended with {status}")),
    }
}

fn has_canary(cloud: &str, stage: &str) -> bool {
    let authorization = authorization("apigateway");
    let answer = exchange(
        "GET",
        &format!("{cloud}/{stage}"),
        &[("Authorization", &authorization)],
        "",
    );
    answer.is_ok_and(|(_, body)| {
        serde_json::from_str::<Value>(&body).is_ok_and(|stage| stage["canarySettings"].is_object())
    })
}

fn patch(cloud: &str, stage: &str, operation: &Value) -> Result<(), String> {
    let authorization = authorization("apigateway");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    let body = json!({ "patchOperations": [operation] }).to_string();
    match exchange("PATCH", &format!("{cloud}/{stage}"), &headers, &body).map_err(|error| error.to_string())? {
        (200, _) => Ok(()),
        (status, body) => Err(format!("the stage cannot be changed: {status} {body}")),
    }
}
