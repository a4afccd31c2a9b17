//! Who may answer when, by the journals; and whether those who answered were allowed to.
//!
//! A request may be answered by a candidate only while the journal says that the candidate may have traffic: from the
//! intent of a shift until the outcome of the next change. The share that it got is compared with the largest weight
//! that may have been in force, by Hoeffding's bound for independent trials with differing odds (Hoeffding 1963, theorem
//! 1: P(K ≥ k) ≤ exp(-n·D(k/n ‖ p)) with p the mean of the odds).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::load::Answer;

/// What a healthy rollout exceeds once in a thousand million.
const LEAST_ODDS: f64 = 1e-9;

/// The share that one release may have had, over time.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// By tag. Windows of a tag may overlap; the largest share counts, and the last is open until its share changes.
    windows: BTreeMap<String, Vec<Window>>,
    /// The release that has all traffic, as far as the journals say.
    live: String,
    /// By the number of the release.
    tags: BTreeMap<u64, String>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    from: Timestamp,
    to: Timestamp,
    share: f64,
}

/// How a tag did where it had a part of the traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// Requests while the tag's share was between none and all.
    pub(super) requests: u64,
    /// Those that the tag answered.
    pub(super) answered: u64,
    /// How many of them were expected at most.
    pub(super) expected: f64,
}

impl Shares {
    /// `live` answers everything so far.
    pub(super) fn new(live: &str, number: u64) -> Self {
        let mut shares = Self {
            live: live.to_owned(),
            ..Self::default()
        };
        shares.tags.insert(number, live.to_owned());
        shares.set(live, Timestamp::MIN, 1.0);
        shares
    }

    fn set(&mut self, tag: &str, at: Timestamp, share: f64) {
        let windows = self.windows.entry(tag.to_owned()).or_default();
        if let Some(last) = windows.last_mut() {
            last.to = at;
        }
        windows.push(Window {
            from: at,
            to: Timestamp::MAX,
            share,
        });
    }

    fn at_least(&mut self, tag: &str, at: Timestamp, share: f64) {
        let now = self
            .windows
            .get(tag)
            .and_then(|windows| windows.last())
            .map_or(0.0, |last| last.share);
        self.set(tag, at, share.max(now));
    }

    /// Takes in one journal, record by record.
    pub(super) fn read(&mut self, records: &[Value]) {
        let Some(goal) = records.first().map(|record| &record["event"]["plan"]["goal"]) else {
            return;
        };
        let candidate = match goal["kind"].as_str() {
            Some("rollback") => {
                let number = goal["to"]["number"].as_u64().unwrap_or_default();
                self.tags.get(&number).cloned().unwrap_or_default()
            }
            _ => {
                let tag = goal["tag"].as_str().unwrap_or_default().to_owned();
                self.tags
                    .insert(goal["release"].as_u64().unwrap_or_default(), tag.clone());
                tag
            }
        };
        if candidate == self.live {
            // The same code once more: nobody can tell the two apart.
            return;
        }
        for record in records {
            let at: Timestamp = record["time"]
                .as_str()
                .and_then(|time| time.parse().ok())
                .unwrap_or(Timestamp::MIN);
            let event = &record["event"];
            let effect = event["effect"]["kind"].as_str();
            match (event["kind"].as_str().unwrap_or_default(), effect) {
                ("intended", Some("shift")) => {
                    let weight = event["effect"]["weight"].as_f64().unwrap_or(100.0);
                    self.at_least(&candidate, at, weight / 100.0);
                }
                ("intended", Some("promote")) => self.at_least(&candidate, at, 1.0),
                ("in_force", _) => {
                    let weight = event["weight"].as_f64().unwrap_or(100.0);
                    self.set(&candidate, at, weight / 100.0);
                }
                ("promoted", _) => self.promoted(&candidate, at),
                ("recovered", _) if event["promoted"] == true => self.promoted(&candidate, at),
                ("withdrawn", _) => self.set(&candidate, at, 0.0),
                _ => {}
            }
        }
    }

    fn promoted(&mut self, candidate: &str, at: Timestamp) {
        if self.live != candidate {
            let before = std::mem::replace(&mut self.live, candidate.to_owned());
            self.set(&before, at, 0.0);
        }
        self.set(candidate, at, 1.0);
    }

    /// Somebody else gave `tag` this share from then on; it ends with [`Shares::settled`].
    pub(super) fn foreign(&mut self, tag: &str, at: Timestamp, share: f64) {
        let windows = self.windows.entry(tag.to_owned()).or_default();
        // Before the last one, which stays the open one.
        let place = windows.len().saturating_sub(1);
        windows.insert(
            place,
            Window {
                from: at,
                to: Timestamp::MAX,
                share,
            },
        );
    }

    /// From `at` on only `live` has traffic.
    pub(super) fn settled(&mut self, live: &str, at: Timestamp) {
        let tags: Vec<String> = self.windows.keys().cloned().collect();
        for tag in tags.iter().filter(|tag| *tag != live) {
            for window in self.windows.get_mut(tag).into_iter().flatten() {
                window.to = window.to.min(at);
            }
            self.set(tag, at, 0.0);
        }
        if self.live != live {
            live.clone_into(&mut self.live);
            self.set(live, at, 1.0);
        }
    }

    /// What happened before `at` is of no more interest.
    pub(super) fn forget_before(&mut self, at: Timestamp) {
        for windows in self.windows.values_mut() {
            windows.retain(|window| window.to >= at);
        }
        self.windows
            .retain(|_, windows| windows.iter().any(|window| window.share > 0.0));
    }

    fn share(&self, tag: &str, answer: &Answer) -> f64 {
        let windows = self.windows.get(tag).map(Vec::as_slice).unwrap_or_default();
        let overlapping = windows
            .iter()
            .filter(|window| window.from <= answer.ended && window.to >= answer.began);
        overlapping.map(|window| window.share).fold(0.0, f64::max)
    }

    /// Whether every answer came from a release that might give it, and no candidate had more than its share. `said` is
    /// each answer with the tag that gave it.
    pub(super) fn judge(&self, said: &[(&Answer, &str)]) -> Result<BTreeMap<String, Seen>, String> {
        for (answer, tag) in said {
            if self.share(tag, answer) == 0.0 {
                return Err(format!(
                    "{tag} answered a request outside of its share: {answer:?}\n{:#?}",
                    self.windows
                ));
            }
        }
        let mut seen = BTreeMap::new();
        for tag in self.windows.keys() {
            let mut of_tag = Seen::default();
            for (answer, by) in said {
                let share = self.share(tag, answer);
                if share > 0.0 && share < 1.0 {
                    of_tag.requests += 1;
                    of_tag.expected += share;
                    of_tag.answered += u64::from(by == tag);
                }
            }
            if of_tag.requests > 0 {
                let odds = of_tag.odds();
                if odds < LEAST_ODDS {
                    return Err(format!(
                        "{tag} had more than its share, which has odds of {odds:e}: {of_tag:?}"
                    ));
                }
                seen.insert(tag.clone(), of_tag);
            }
        }
        Ok(seen)
    }
}

impl Seen {
    /// At most how likely it is that so many or more were answered.
    fn odds(&self) -> f64 {
        let (n, k) = (self.requests as f64, self.answered as f64);
        let (seen, expected) = (k / n, self.expected / n);
        if seen <= expected {
            return 1.0;
        }
        let part = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a * (a / b).ln() };
        (-n * (part(seen, expected) + part(1.0 - seen, 1.0 - expected))).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn record(second: i64, event: Value) -> Value {
        serde_json::json!({ "time": at(second).to_string(), "event": event })
    }

    fn rollout() -> Vec<Value> {
        use serde_json::json;
        vec![
            record(
                10,
                json!({ "kind": "opened", "plan": { "goal": { "kind": "deploy", "release": 2, "tag": "two" } } }),
            ),
            record(
                20,
                json!({ "kind": "intended", "effect": { "kind": "shift", "weight": 10.0 } }),
            ),
            record(21, json!({ "kind": "in_force", "weight": 10.0 })),
            record(30, json!({ "kind": "intended", "effect": { "kind": "withdraw" } })),
            record(31, json!({ "kind": "withdrawn" })),
        ]
    }

    fn answer(began: i64, ended: i64) -> Answer {
        Answer {
            id: 1,
            began: at(began),
            ended: at(ended),
            status: 200,
            body: String::new(),
        }
    }

    #[test]
    fn a_candidate_may_answer_between_the_shift_and_the_way_back() {
        let mut shares = Shares::new("one", 1);
        shares.read(&rollout());
        for (began, ended, allowed) in [
            (18, 19, false),
            (19, 20, true),
            (25, 26, true),
            (31, 33, true),
            (32, 33, false),
        ] {
            let answer = answer(began, ended);
            assert_eq!(shares.judge(&[(&answer, "two")]).is_ok(), allowed, "{began} to {ended}");
            assert!(shares.judge(&[(&answer, "one")]).is_ok());
        }
    }

    #[test]
    fn more_than_the_weight_is_found() {
        let mut shares = Shares::new("one", 1);
        shares.read(&rollout());
        let answer = answer(25, 26);
        let said = |of_two: usize| {
            let tag = move |index| if index < of_two { "two" } else { "one" };
            (0..1000).map(|index| (&answer, tag(index))).collect::<Vec<_>>()
        };
        assert_eq!(
            shares.judge(&said(120)).expect("120 of 1000 happen")["two"].answered,
            120
        );
        assert!(shares.judge(&said(200)).is_err());
    }

    #[test]
    fn after_a_promotion_the_release_before_is_silent() {
        let mut shares = Shares::new("one", 1);
        let mut records = rollout();
        records.truncate(3);
        records.push(record(40, serde_json::json!({ "kind": "promoted" })));
        shares.read(&records);
        assert_eq!(shares.live, "two");
        let late = answer(41, 42);
        assert!(shares.judge(&[(&late, "one")]).is_err());
        assert!(shares.judge(&[(&late, "two")]).is_ok());
    }
}
