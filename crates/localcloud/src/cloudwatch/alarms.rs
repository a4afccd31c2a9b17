//! Alarms as clients see them: put, describe, delete, set; and their evaluation one after the other.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::CloudWatch;
use super::alarm::{self, Alarm, State, Watched, evaluate};
use super::composite::CompositeRule;
use super::query::{invalid, metric_of};
use crate::context::ACCOUNT;
use crate::members::{Members, merge_tags, tag_list, tags_of};
use crate::page;
use crate::service::ApiError;

/// History items that are kept; AWS keeps two weeks.
const HISTORY_LENGTH: usize = 1000;

/// A state that was set by hand lasts so long at most before the alarm is evaluated again.
const SET_STATE_SECONDS: i64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    MetricAlarm,
    CompositeAlarm,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    kind: Kind,
    /// The put operation's members.
    definition: Map<String, Value>,
    tags: Vec<(String, String)>,
    configured: Timestamp,
    state: State,
    reason: String,
    reason_data: Option<String>,
    state_updated: Timestamp,
    /// Until then the state that was set by hand stays.
    set_until: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct HistoryItem {
    name: String,
    kind: Kind,
    time: Timestamp,
    item_type: String,
    summary: String,
    data: Value,
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Alarms {
    alarms: BTreeMap<String, Stored>,
    history: VecDeque<HistoryItem>,
}

impl Alarms {
    fn note(&mut self, name: &str, kind: Kind, time: Timestamp, item_type: &str, summary: String, data: Value) {
        self.history.push_front(HistoryItem {
            name: name.to_owned(),
            kind,
            time,
            item_type: item_type.to_owned(),
            summary,
            data,
        });
        self.history.truncate(HISTORY_LENGTH);
    }

    fn move_to(&mut self, name: &str, state: State, reason: String, reason_data: Option<String>, now: Timestamp) {
        let Some(stored) = self.alarms.get_mut(name) else {
            return;
        };
        let (old, kind) = (stored.state, stored.kind);
        let side = |state: State, reason: &str, data: &Option<String>| {
            json!({
                "stateValue": state.name(),
                "stateReason": reason,
                "stateReasonData": data.as_ref().and_then(|data| serde_json::from_str::<Value>(data).ok()),
            })
        };
        let data = json!({
            "version": "1.0",
            "oldState": side(old, &stored.reason, &stored.reason_data),
            "newState": side(state, &reason, &reason_data),
        });
        stored.state = state;
        stored.reason = reason;
        stored.reason_data = reason_data;
        stored.state_updated = now;
        if old != state {
            let summary = format!("Alarm updated from {} to {}", old.name(), state.name());
            self.note(name, kind, now, "StateUpdate", summary, data);
        }
    }
}

impl CloudWatch {
    pub(super) fn put_metric_alarm(&self, input: &Value) -> Result<Value, ApiError> {
        Alarm::parse(input)?;
        self.put(input, Kind::MetricAlarm)
    }

    pub(super) fn put_composite_alarm(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.required_text("AlarmName")?;
        let rule = rule_of(input)?;
        {
            let alarms = self.alarms.read();
            if let Some(missing) = rule
                .alarms()
                .into_iter()
                .find(|alarm| !alarms.alarms.contains_key(*alarm))
            {
                return Err(invalid(format!(
                    "AlarmRule must only refer to alarms that exist: {missing} does not"
                )));
            }
            if reaches(&alarms.alarms, &rule, name) {
                return Err(invalid(format!("AlarmRule contains a circular reference to {name}")));
            }
        }
        self.put(input, Kind::CompositeAlarm)
    }

    fn put(&self, input: &Value, kind: Kind) -> Result<Value, ApiError> {
        let name = input.required_text("AlarmName")?.to_owned();
        let now = self.context.clock.now();
        let mut definition = input.as_object().cloned().unwrap_or_default();
        definition.remove("Tags");
        definition.entry("ActionsEnabled").or_insert(json!(true));
        self.alarms.change(|alarms| {
            let present = alarms.alarms.get(&name);
            if present.is_some_and(|present| present.kind != kind) {
                return Err(invalid(format!("An alarm of another type has the name {name}")));
            }
            let known = present.is_some();
            // An update leaves the state alone, and the tags, which only a creation sets.
            let stored = match present.cloned() {
                Some(present) => Stored {
                    definition,
                    configured: now,
                    ..present
                },
                None => Stored {
                    kind,
                    definition,
                    tags: tags_of(input, "Tags"),
                    configured: now,
                    state: State::InsufficientData,
                    reason: "Unchecked: Initial alarm creation".to_owned(),
                    reason_data: None,
                    state_updated: now,
                    set_until: None,
                },
            };
            let data = json!({"version": "1.0", "type": if known { "Update" } else { "Create" }});
            alarms.alarms.insert(name.clone(), stored);
            let verb = if known { "updated" } else { "created" };
            alarms.note(
                &name,
                kind,
                now,
                "ConfigurationUpdate",
                format!("Alarm \"{name}\" {verb}"),
                data,
            );
            Ok(json!({}))
        })
    }

    pub(super) fn delete_alarms(&self, input: &Value) -> Result<Value, ApiError> {
        let names = input.texts("AlarmNames");
        self.alarms.change(|alarms| {
            if let Some(missing) = names.iter().find(|name| !alarms.alarms.contains_key(*name)) {
                return Err(not_found(missing));
            }
            for (name, stored) in &alarms.alarms {
                let rule = (stored.kind == Kind::CompositeAlarm && !names.contains(name))
                    .then(|| rule_of(&stored.definition).ok())
                    .flatten();
                let uses = rule.as_ref().and_then(|rule| {
                    rule.alarms()
                        .into_iter()
                        .find(|alarm| names.iter().any(|name| name == alarm))
                        .map(str::to_owned)
                });
                if let Some(used) = uses {
                    return Err(invalid(format!(
                        "Cannot delete {used} as there are composite alarm(s) depending on it."
                    )));
                }
            }
            alarms.alarms.retain(|name, _| !names.contains(name));
            Ok(json!({}))
        })
    }

    pub(super) fn describe_alarms(&self, input: &Value) -> Value {
        let names = input.texts("AlarmNames");
        let types = input.texts("AlarmTypes");
        let alarms = self.alarms.read();
        let children = input
            .text("ChildrenOfAlarmName")
            .and_then(|name| alarms.alarms.get(name))
            .and_then(|parent| {
                let rule = rule_of(&parent.definition).ok()?;
                Some(rule.alarms().into_iter().map(str::to_owned).collect::<Vec<_>>())
            });
        let wanted = |name: &String, stored: &Stored| {
            let of_type = match types.as_slice() {
                [] => stored.kind == Kind::MetricAlarm,
                types => types.iter().any(|asked| *asked == format!("{:?}", stored.kind)),
            };
            of_type
                && (names.is_empty() || names.contains(name))
                && input
                    .text("AlarmNamePrefix")
                    .is_none_or(|prefix| name.starts_with(prefix))
                && input
                    .text("StateValue")
                    .is_none_or(|state| stored.state.name() == state)
                && children.as_ref().is_none_or(|children| children.contains(name))
        };
        let all: Vec<(&String, &Stored)> = alarms
            .alarms
            .iter()
            .filter(|(name, stored)| wanted(name, stored))
            .collect();
        // Names ask for at most a hundred; a page holds what was asked for.
        let size = page::size(input, "MaxRecords", 50).min(100).max(names.len());
        let (page, next) = page::page(&all, page::start(input, "NextToken"), size);
        let of_kind = |kind: Kind| -> Vec<Value> {
            let some = page.iter().filter(|(_, stored)| stored.kind == kind);
            some.map(|(name, stored)| self.described(name, stored)).collect()
        };
        json!({
            "MetricAlarms": of_kind(Kind::MetricAlarm),
            "CompositeAlarms": of_kind(Kind::CompositeAlarm),
            "NextToken": next,
        })
    }

    pub(super) fn describe_alarms_for_metric(&self, input: &Value) -> Result<Value, ApiError> {
        let metric = metric_of(input)?;
        let alarms = self.alarms.read();
        let wanted = |stored: &Stored| {
            let definition = &stored.definition;
            let same = |member: &str| {
                input
                    .member(member)
                    .is_none_or(|asked| definition.member(member) == Some(asked))
            };
            let watches = match Alarm::parse(definition).map(|alarm| alarm.watched) {
                Ok(Watched::Metric(watched)) => watched.metric == metric,
                _ => false,
            };
            stored.kind == Kind::MetricAlarm
                && watches
                && ["Statistic", "ExtendedStatistic", "Period", "Unit"]
                    .into_iter()
                    .all(same)
        };
        let found: Vec<Value> = alarms
            .alarms
            .iter()
            .filter(|(_, stored)| wanted(stored))
            .map(|(name, stored)| self.described(name, stored))
            .collect();
        Ok(json!({"MetricAlarms": found}))
    }

    fn described(&self, name: &str, stored: &Stored) -> Value {
        let mut output = Value::Object(stored.definition.clone());
        for list in ["OKActions", "AlarmActions", "InsufficientDataActions"] {
            output[list] = json!(stored.definition.texts(list));
        }
        if stored.kind == Kind::MetricAlarm {
            output["Dimensions"] = json!(stored.definition.list("Dimensions"));
        }
        output["AlarmArn"] = json!(self.alarm_arn(name));
        output["AlarmConfigurationUpdatedTimestamp"] = seconds(stored.configured);
        output["StateValue"] = json!(stored.state.name());
        output["StateReason"] = json!(stored.reason);
        output["StateReasonData"] = json!(stored.reason_data);
        output["StateUpdatedTimestamp"] = seconds(stored.state_updated);
        output["StateTransitionedTimestamp"] = seconds(stored.state_updated);
        output
    }

    pub(super) fn alarm_arn(&self, name: &str) -> String {
        format!("arn:aws:cloudwatch:{}:{ACCOUNT}:alarm:{name}", self.context.region)
    }

    pub(super) fn describe_alarm_history(&self, input: &Value) -> Value {
        let types = input.texts("AlarmTypes");
        let time = |name: &str| {
            input
                .number(name)
                .and_then(|time| Timestamp::from_second(time as i64).ok())
        };
        let (start, end) = (time("StartDate"), time("EndDate"));
        let alarms = self.alarms.read();
        let wanted = |item: &&HistoryItem| {
            input.text("AlarmName").is_none_or(|name| item.name == name)
                && input
                    .text("HistoryItemType")
                    .is_none_or(|asked| item.item_type == asked)
                && (types.is_empty() || types.iter().any(|asked| *asked == format!("{:?}", item.kind)))
                && start.is_none_or(|start| item.time >= start)
                && end.is_none_or(|end| item.time <= end)
        };
        let mut items: Vec<Value> = alarms
            .history
            .iter()
            .filter(wanted)
            .map(|item| {
                json!({
                    "AlarmName": item.name,
                    "AlarmType": format!("{:?}", item.kind),
                    "Timestamp": seconds(item.time),
                    "HistoryItemType": item.item_type,
                    "HistorySummary": item.summary,
                    "HistoryData": item.data.to_string(),
                })
            })
            .collect();
        if input.text("ScanBy") == Some("TimestampAscending") {
            items.reverse();
        }
        items.truncate(usize::try_from(input.integer("MaxRecords").unwrap_or(100)).unwrap_or(100));
        json!({"AlarmHistoryItems": items})
    }

    pub(super) fn set_alarm_state(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.required_text("AlarmName")?;
        let state = input.required_text("StateValue")?;
        let state = State::parse(state)
            .ok_or_else(|| ApiError::new(400, "InvalidParameterValue", format!("{state} is no alarm state")))?;
        let reason = input.required_text("StateReason")?.to_owned();
        let data = input.text("StateReasonData").map(str::to_owned);
        if data
            .as_deref()
            .is_some_and(|data| serde_json::from_str::<Value>(data).is_err())
        {
            return Err(ApiError::new(
                400,
                "InvalidFormat",
                "StateReasonData was not valid JSON",
            ));
        }
        let now = self.context.clock.now();
        self.alarms.change(|alarms| {
            let stored = alarms.alarms.get_mut(name).ok_or_else(|| not_found(name))?;
            let period = Alarm::parse(&stored.definition).map_or(SET_STATE_SECONDS, |alarm| alarm.period);
            stored.set_until = Some(now + SignedDuration::from_secs(period.min(SET_STATE_SECONDS)));
            alarms.move_to(name, state, reason, data, now);
            Ok(json!({}))
        })
    }

    pub(super) fn enable_actions(&self, input: &Value, enabled: bool) -> Result<Value, ApiError> {
        let names = input.texts("AlarmNames");
        self.alarms.change(|alarms| {
            for name in &names {
                if let Some(stored) = alarms.alarms.get_mut(name) {
                    stored.definition.insert("ActionsEnabled".to_owned(), json!(enabled));
                }
            }
            Ok(json!({}))
        })
    }

    pub(super) fn alarm_tags(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let arn = input.required_text("ResourceARN")?;
        let keys = input.texts("TagKeys");
        self.alarms.change(|alarms| {
            let name = arn.split_once(":alarm:").map_or(arn, |(_, name)| name);
            let stored = alarms
                .alarms
                .get_mut(name)
                .ok_or_else(|| ApiError::new(404, "ResourceNotFoundException", format!("Unknown resource {arn}")))?;
            match operation {
                "TagResource" => merge_tags(&mut stored.tags, tags_of(input, "Tags")),
                "UntagResource" => stored.tags.retain(|(key, _)| !keys.contains(key)),
                _ => return Ok(json!({"Tags": tag_list(&stored.tags)})),
            }
            Ok(json!({}))
        })
    }

    /// Looks at every alarm at the clock's time and keeps the states that changed.
    pub(super) fn evaluate_alarms(&self) {
        let now = self.context.clock.now();
        let alarms = self.alarms.read().alarms.clone();
        let due = |stored: &&Stored| stored.set_until.is_none_or(|until| until <= now);
        let mut states: BTreeMap<String, State> = alarms
            .iter()
            .map(|(name, stored)| (name.clone(), stored.state))
            .collect();
        let mut changes: BTreeMap<String, (State, String, Option<String>)> = BTreeMap::new();
        for (name, stored) in alarms
            .iter()
            .filter(|(_, stored)| stored.kind == Kind::MetricAlarm && due(stored))
        {
            match self.evaluated(stored, now) {
                Ok(Some(change)) if change.0 != stored.state => {
                    states.insert(name.clone(), change.0);
                    changes.insert(name.clone(), change);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(alarm = name, %error, "an alarm could not be evaluated"),
            }
        }
        // Composite alarms may rest on each other, in no circle: each round settles one more layer.
        let composites: Vec<(&String, CompositeRule)> = alarms
            .iter()
            .filter(|(_, stored)| stored.kind == Kind::CompositeAlarm && due(stored))
            .filter_map(|(name, stored)| Some((name, rule_of(&stored.definition).ok()?)))
            .collect();
        for _ in 0..=composites.len() {
            for (name, rule) in &composites {
                let holds = rule.holds(&|alarm| states.get(alarm).copied());
                states.insert((*name).clone(), if holds { State::Alarm } else { State::Ok });
            }
        }
        for (name, rule) in composites {
            let state = states[name];
            if alarms[name].state != state {
                changes.insert(name.clone(), (state, composite_reason(&rule, &states, state), None));
            }
        }
        if changes.is_empty() {
            return;
        }
        let saved = self.alarms.change(|current| {
            for (name, (state, reason, data)) in changes {
                // Whatever was put or set meanwhile is judged by the next evaluation.
                let unchanged = |stored: &Stored| {
                    stored.configured == alarms[&name].configured && stored.state_updated == alarms[&name].state_updated
                };
                if current.alarms.get(&name).is_some_and(unchanged) {
                    tracing::debug!(alarm = name, state = state.name(), reason, "alarm");
                    current.move_to(&name, state, reason, data, now);
                }
            }
            Ok(())
        });
        if let Err(error) = saved {
            tracing::warn!(%error, "the states of alarms could not be saved");
        }
    }

    fn evaluated(&self, stored: &Stored, now: Timestamp) -> Result<Option<(State, String, Option<String>)>, ApiError> {
        let alarm = Alarm::parse(&stored.definition)?;
        let points = alarm.points(&self.series, now.as_second(), self.step)?;
        let values: Vec<Option<f64>> = points.iter().map(|(_, value)| *value).collect();
        Ok(evaluate(&alarm.rule, &values).map(|state| {
            let data = alarm::reason_data(&alarm, &points, now).to_string();
            (state, alarm::reason(&alarm.rule, &points, state), Some(data))
        }))
    }
}

fn composite_reason(rule: &CompositeRule, states: &BTreeMap<String, State>, state: State) -> String {
    let named: Vec<String> = rule
        .alarms()
        .into_iter()
        .map(|alarm| format!("{alarm} is {}", states.get(alarm).map_or("gone", |state| state.name())))
        .collect();
    format!("The rule leads to {}: {}", state.name(), named.join(", "))
}

fn rule_of(definition: &impl Members) -> Result<CompositeRule, ApiError> {
    let text = definition
        .text("AlarmRule")
        .ok_or_else(|| invalid("The parameter AlarmRule is missing"))?;
    CompositeRule::parse(text).map_err(|error| invalid(format!("AlarmRule was not a valid alarm rule: {error}")))
}

/// Whether the rule depends, through composite alarms, on the alarm `name`.
fn reaches(alarms: &BTreeMap<String, Stored>, rule: &CompositeRule, name: &str) -> bool {
    let mut todo: Vec<String> = rule.alarms().into_iter().map(str::to_owned).collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(alarm) = todo.pop() {
        if alarm == name {
            return true;
        }
        if let Some(stored) = alarms.get(&alarm).filter(|_| seen.insert(alarm.clone()))
            && let Ok(rule) = rule_of(&stored.definition)
        {
            todo.extend(rule.alarms().into_iter().map(str::to_owned));
        }
    }
    false
}

fn not_found(name: &str) -> ApiError {
    ApiError::new(404, "ResourceNotFound", format!("Unknown alarm(s) [{name}]"))
}

fn seconds(time: Timestamp) -> Value {
    json!(time.as_millisecond() as f64 / 1000.0)
}
