//! The operations on rules, schedules and their groups.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::expression::Expression;
use super::{Rule, Schedule, Schedules, invalid, not_found, page};
use crate::context::ACCOUNT;
use crate::members::{Members, merge_tags, tag_list, tags_of};
use crate::service::ApiError;

impl Schedules {
    pub(super) fn put_rule(&self, input: &Value) -> Result<Value, ApiError> {
        let key = rule_key(input, "Name")?;
        let name = key.as_str();
        if let (Some((bus, _)), Some(_)) = (name.split_once('/'), input.text("ScheduleExpression")) {
            return Err(invalid(format!(
                "ScheduleExpression is supported only on the default event bus, not on {bus}."
            )));
        }
        match (input.text("ScheduleExpression"), input.text("EventPattern")) {
            (Some(expression), _) => drop(Expression::parse(expression, TimeZone::UTC).map_err(invalid)?),
            (None, Some(_)) => {}
            (None, None) => {
                return Err(invalid(
                    "Parameter(s) EventPattern or ScheduleExpression must be specified.",
                ));
            }
        }
        let arn = self.rule_arn(name);
        let mut info = Map::new();
        for member in [
            "Name",
            "ScheduleExpression",
            "EventPattern",
            "State",
            "Description",
            "RoleArn",
        ] {
            if let Some(value) = input.member(member) {
                info.insert(member.to_owned(), value.clone());
            }
        }
        info.entry("State").or_insert_with(|| json!("ENABLED"));
        info.insert("Arn".to_owned(), json!(arn));
        let bus = name.split_once('/').map_or("default", |(bus, _)| bus);
        info.insert("EventBusName".to_owned(), json!(bus));
        // The name is without the bus.
        info.insert("Name".to_owned(), input["Name"].clone());
        let created = self.now().as_second();
        self.state.change(|state| {
            let before = state.rules.get(name);
            let same_schedule = before
                .filter(|rule| rule.info.get("ScheduleExpression") == info.get("ScheduleExpression"))
                .map(|rule| rule.created);
            let rule = Rule {
                targets: before.map(|rule| rule.targets.clone()).unwrap_or_default(),
                tags: match before {
                    Some(rule) => rule.tags.clone(),
                    None => tags_of(input, "Tags").into_iter().collect(),
                },
                // A changed rate counts anew.
                created: same_schedule.unwrap_or(created),
                info,
            };
            state.rules.insert(name.to_owned(), rule);
            Ok(())
        })?;
        Ok(json!({"RuleArn": arn}))
    }

    pub(super) fn describe_rule(&self, input: &Value) -> Result<Value, ApiError> {
        let key = rule_key(input, "Name")?;
        let state = self.state.read();
        let rule = state.rules.get(&key).ok_or_else(|| no_rule(&key))?;
        Ok(Value::Object(rule.info.clone()))
    }

    pub(super) fn list_rules(&self, input: &Value) -> Value {
        let prefix = input.text("NamePrefix").unwrap_or_default();
        let state = self.state.read();
        let rules = state.rules.iter().filter(|(name, _)| name.starts_with(prefix));
        let rules: Vec<Value> = rules.map(|(_, rule)| Value::Object(rule.info.clone())).collect();
        page(input, "Rules", "Limit", &rules)
    }

    pub(super) fn list_rule_names(&self, input: &Value) -> Result<Value, ApiError> {
        let arn = input.required_text("TargetArn")?;
        let state = self.state.read();
        let calls = |rule: &Rule| rule.targets.values().any(|target| target.text("Arn") == Some(arn));
        let names: Vec<Value> = state
            .rules
            .iter()
            .filter(|(_, rule)| calls(rule))
            .map(|(name, _)| json!(name))
            .collect();
        Ok(page(input, "RuleNames", "Limit", &names))
    }

    /// Deleting what is not there succeeds, as in AWS.
    pub(super) fn delete_rule(&self, input: &Value) -> Result<Value, ApiError> {
        self.delete_rule_of(&rule_key(input, "Name")?)
    }

    pub(super) fn delete_rule_of(&self, name: &str) -> Result<Value, ApiError> {
        self.state.change(|state| {
            if state.rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
                return Err(invalid("Rule can't be deleted since it has targets."));
            }
            state.rules.remove(name);
            Ok(json!({}))
        })
    }

    pub(super) fn enable_rule(&self, input: &Value, to: &str) -> Result<Value, ApiError> {
        self.change_rule(&rule_key(input, "Name")?, |rule| {
            rule.info.insert("State".to_owned(), json!(to));
            json!({})
        })
    }

    pub(super) fn put_targets(&self, input: &Value) -> Result<Value, ApiError> {
        let targets = input.list("Targets").to_vec();
        self.change_rule(&rule_key(input, "Rule")?, |rule| {
            for target in targets {
                rule.targets
                    .insert(target.text("Id").unwrap_or_default().to_owned(), target);
            }
            json!({"FailedEntryCount": 0, "FailedEntries": []})
        })
    }

    pub(super) fn remove_targets(&self, input: &Value) -> Result<Value, ApiError> {
        let ids = input.texts("Ids");
        self.change_rule(&rule_key(input, "Rule")?, |rule| {
            rule.targets.retain(|id, _| !ids.contains(id));
            json!({"FailedEntryCount": 0, "FailedEntries": []})
        })
    }

    pub(super) fn list_targets(&self, input: &Value) -> Result<Value, ApiError> {
        let key = rule_key(input, "Rule")?;
        let state = self.state.read();
        let rule = state.rules.get(&key).ok_or_else(|| no_rule(&key))?;
        let targets: Vec<Value> = rule.targets.values().cloned().collect();
        Ok(page(input, "Targets", "Limit", &targets))
    }

    pub(super) fn rule_tags(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let arn = input.required_text("ResourceARN")?;
        let name = arn.split_once(":rule/").map_or(arn, |(_, name)| name);
        self.change_rule(name, |rule| {
            let mut tags: Vec<(String, String)> = rule.tags.clone().into_iter().collect();
            match operation {
                "TagResource" => merge_tags(&mut tags, tags_of(input, "Tags")),
                "UntagResource" => {
                    let keys = input.texts("TagKeys");
                    tags.retain(|(key, _)| !keys.contains(key));
                }
                _ => return json!({"Tags": tag_list(&tags)}),
            }
            rule.tags = tags.into_iter().collect();
            json!({})
        })
    }

    pub(super) fn change_rule(&self, name: &str, change: impl FnOnce(&mut Rule) -> Value) -> Result<Value, ApiError> {
        self.state
            .change(|state| state.rules.get_mut(name).map(change).ok_or_else(|| no_rule(name)))
    }

    pub(super) fn create_schedule(&self, input: &Value) -> Result<Value, ApiError> {
        let (key, arn) = self.schedule_key(input)?;
        let schedule = self.schedule(input, &arn)?;
        let group = input.text("GroupName").unwrap_or("default").to_owned();
        self.state.change(|state| {
            if group != "default" && !state.groups.contains_key(&group) {
                return Err(not_found(format!("Schedule group {group} does not exist.")));
            }
            if state.schedules.contains_key(&key) {
                let message = format!("Schedule {key} already exists.");
                return Err(ApiError::new(409, "ConflictException", message));
            }
            state.schedules.insert(key, schedule);
            Ok(())
        })?;
        Ok(json!({"ScheduleArn": arn}))
    }

    /// Replaces the whole schedule, as in AWS: what is left out falls back to its default.
    pub(super) fn update_schedule(&self, input: &Value) -> Result<Value, ApiError> {
        let (key, arn) = self.schedule_key(input)?;
        let mut schedule = self.schedule(input, &arn)?;
        self.state.change(|state| {
            let present = state.schedules.get_mut(&key).ok_or_else(|| no_schedule(&key))?;
            schedule.info.insert("CreationDate".to_owned(), json!(present.created));
            if schedule.info.get("ScheduleExpression") == present.info.get("ScheduleExpression") {
                schedule.created = present.created;
            }
            *present = schedule;
            Ok(())
        })?;
        Ok(json!({"ScheduleArn": arn}))
    }

    fn schedule_key(&self, input: &Value) -> Result<(String, String), ApiError> {
        let group = input.text("GroupName").unwrap_or("default");
        let key = format!("{group}/{}", input.required_text("Name")?);
        let arn = format!("arn:aws:scheduler:{}:{ACCOUNT}:schedule/{key}", self.context.region);
        Ok((key, arn))
    }

    fn schedule(&self, input: &Value, arn: &str) -> Result<Schedule, ApiError> {
        let zone = input.text("ScheduleExpressionTimezone").unwrap_or("UTC");
        let found = TimeZone::get(zone).map_err(|_| invalid(format!("Invalid Schedule Expression Timezone {zone}")))?;
        Expression::parse(input.required_text("ScheduleExpression")?, found).map_err(invalid)?;
        let created = self.now().as_second();
        let mut info = input.as_object().cloned().unwrap_or_default();
        info.retain(|name, value| name != "ClientToken" && !value.is_null());
        for (name, default) in [
            ("GroupName", json!("default")),
            ("State", json!("ENABLED")),
            ("ScheduleExpressionTimezone", json!("UTC")),
            ("ActionAfterCompletion", json!("NONE")),
        ] {
            info.entry(name).or_insert(default);
        }
        for (name, value) in [
            ("Arn", json!(arn)),
            ("CreationDate", json!(created)),
            ("LastModificationDate", json!(created)),
        ] {
            info.insert(name.to_owned(), value);
        }
        Ok(Schedule { info, created })
    }

    pub(super) fn get_schedule(&self, input: &Value) -> Result<Value, ApiError> {
        let (key, _) = self.schedule_key(input)?;
        let state = self.state.read();
        let schedule = state.schedules.get(&key).ok_or_else(|| no_schedule(&key))?;
        Ok(Value::Object(schedule.info.clone()))
    }

    pub(super) fn list_schedules(&self, input: &Value) -> Value {
        let prefix = input.text("NamePrefix").unwrap_or_default();
        let fits = |schedule: &&Schedule| {
            let info = &schedule.info;
            let same = |name: &str| input.text(name).is_none_or(|wanted| info.text(name) == Some(wanted));
            same("GroupName") && same("State") && info.text("Name").is_some_and(|name| name.starts_with(prefix))
        };
        let state = self.state.read();
        let schedules: Vec<Value> = state
            .schedules
            .values()
            .filter(fits)
            .map(|schedule| {
                let mut info = schedule.info.clone();
                info.insert("Target".to_owned(), json!({"Arn": info["Target"]["Arn"]}));
                Value::Object(info)
            })
            .collect();
        page(input, "Schedules", "MaxResults", &schedules)
    }

    pub(super) fn delete_schedule(&self, input: &Value) -> Result<Value, ApiError> {
        let (key, _) = self.schedule_key(input)?;
        self.state.change(|state| {
            state
                .schedules
                .remove(&key)
                .map(|_| json!({}))
                .ok_or_else(|| no_schedule(&key))
        })
    }

    pub(super) fn create_group(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.required_text("Name")?;
        let group = self.group(name);
        let arn = group["Arn"].clone();
        self.state.change(|state| {
            if name == "default" || state.groups.contains_key(name) {
                let message = format!("Schedule group {name} already exists.");
                return Err(ApiError::new(409, "ConflictException", message));
            }
            state.groups.insert(name.to_owned(), group);
            Ok(())
        })?;
        Ok(json!({"ScheduleGroupArn": arn}))
    }

    fn group(&self, name: &str) -> Value {
        let now = self.now().as_second();
        json!({
            "Name": name,
            "Arn": format!("arn:aws:scheduler:{}:{ACCOUNT}:schedule-group/{name}", self.context.region),
            "State": "ACTIVE",
            "CreationDate": now,
            "LastModificationDate": now,
        })
    }

    pub(super) fn get_group(&self, name: &str) -> Result<Value, ApiError> {
        if name == "default" {
            return Ok(self.group(name));
        }
        let state = self.state.read();
        state
            .groups
            .get(name)
            .cloned()
            .ok_or_else(|| not_found(format!("Schedule group {name} does not exist.")))
    }

    pub(super) fn list_groups(&self) -> Value {
        let groups = self.state.read().groups.values().cloned().collect::<Vec<_>>();
        let all: Vec<Value> = std::iter::once(self.group("default")).chain(groups).collect();
        json!({"ScheduleGroups": all})
    }

    /// With all its schedules, as in AWS.
    pub(super) fn delete_group(&self, name: &str) -> Result<Value, ApiError> {
        self.state.change(|state| {
            let gone = state.groups.remove(name);
            gone.ok_or_else(|| not_found(format!("Schedule group {name} does not exist.")))?;
            let prefix = format!("{name}/");
            state.schedules.retain(|key, _| !key.starts_with(&prefix));
            Ok(json!({}))
        })
    }
}

/// The name, with the bus in front when it is not the default one.
fn rule_key(input: &Value, member: &str) -> Result<String, ApiError> {
    let name = input.required_text(member)?;
    let bus = input.text("EventBusName");
    let bus = bus.map_or("default", |bus| bus.rsplit('/').next().unwrap_or(bus));
    Ok(match bus {
        "default" => name.to_owned(),
        bus => format!("{bus}/{name}"),
    })
}

fn no_rule(name: &str) -> ApiError {
    ApiError::new(
        400,
        "ResourceNotFoundException",
        format!("Rule {name} does not exist on EventBus default."),
    )
}

fn no_schedule(key: &str) -> ApiError {
    not_found(format!("Schedule {key} does not exist."))
}
