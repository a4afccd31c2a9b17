//! The wire's operations over [`Logs`].

use async_trait::async_trait;
use serde_json::{Value, json};

use super::pattern::Pattern;
use super::streams::Event;
use super::{Group, Logs, no_group, no_stream};
use crate::members::Members;
use crate::page;
use crate::saved::storage_failure;
use crate::service::{ApiError, Request, Response, Service};

/// The periods that AWS takes.
const RETENTIONS: [i64; 23] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, 0,
];

const DAY: i64 = 24 * 3600 * 1000;

impl Logs {
    pub(super) fn create_group(&self, input: &Value) -> Result<Value, ApiError> {
        let name = input.required_text("logGroupName")?;
        let tags = input.member("tags").and_then(Value::as_object).into_iter().flatten();
        let group = Group {
            created: self.now(),
            retention_days: None,
            kms_key_id: input.text("kmsKeyId").map(str::to_owned),
            class: input.text("logGroupClass").unwrap_or("STANDARD").to_owned(),
            tags: tags
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
        };
        match self.ensure_group(name, group)? {
            true => Ok(json!({})),
            false => Err(exists("The specified log group already exists")),
        }
    }

    pub(super) fn set_retention(&self, name: &str, days: Option<i64>) -> Result<Value, ApiError> {
        if days.is_some_and(|days| days == 0 || !RETENTIONS.contains(&days)) {
            return Err(invalid(format!(
                "{} is no retention that CloudWatch Logs has",
                days.unwrap_or_default()
            )));
        }
        self.state.change(|state| {
            state.groups.get_mut(name).ok_or_else(no_group)?.retention_days = days;
            Ok(json!({}))
        })
    }

    fn describe_groups(&self, input: &Value) -> Value {
        let prefix = input.text("logGroupNamePrefix").unwrap_or_default();
        let part = input.text("logGroupNamePattern").unwrap_or_default().to_lowercase();
        let streams = self.streams();
        let state = self.state.read();
        let wanted = state
            .groups
            .iter()
            .filter(|(name, _)| name.starts_with(prefix) && name.to_lowercase().contains(&part));
        let groups = wanted.map(|(name, group)| {
            let bytes: usize = streams
                .get(name)
                .into_iter()
                .flat_map(|streams| streams.values())
                .flat_map(|stream| &stream.events)
                .map(|event| event.message.len())
                .sum();
            json!({
                "logGroupName": name,
                "creationTime": group.created,
                "retentionInDays": group.retention_days,
                "metricFilterCount": 0,
                "arn": format!("{}:*", self.group_arn(name)),
                "logGroupArn": self.group_arn(name),
                "storedBytes": bytes,
                "kmsKeyId": group.kms_key_id,
                "logGroupClass": group.class,
            })
        });
        page("logGroups", &groups.collect::<Vec<_>>(), input, 50)
    }

    fn describe_streams(&self, input: &Value) -> Result<Value, ApiError> {
        let group = self.group_name(input)?;
        let prefix = input.text("logStreamNamePrefix").unwrap_or_default();
        let all = self.streams();
        let streams = all.get(&group).ok_or_else(no_group)?;
        let mut listed: Vec<_> = streams.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
        if input.text("orderBy") == Some("LastEventTime") {
            listed.sort_by_key(|(_, stream)| stream.last_event());
        }
        if input.flag("descending") == Some(true) {
            listed.reverse();
        }
        let described = listed.into_iter().map(|(name, stream)| {
            json!({
                "logStreamName": name,
                "creationTime": stream.created,
                "firstEventTimestamp": stream.first_event(),
                "lastEventTimestamp": stream.last_event(),
                "lastIngestionTime": stream.last_ingestion(),
                "arn": format!("{}:log-stream:{name}", self.group_arn(&group)),
                "storedBytes": 0,
            })
        });
        Ok(page("logStreams", &described.collect::<Vec<_>>(), input, 50))
    }

    fn put_events(&self, input: &Value) -> Result<Value, ApiError> {
        let now = self.now();
        let mut events = Vec::new();
        let mut last = i64::MIN;
        for event in input.list("logEvents") {
            let timestamp = event.integer("timestamp").unwrap_or(now);
            if timestamp < last {
                return Err(invalid(
                    "Log events in a single PutLogEvents request must be in chronological order.",
                ));
            }
            last = timestamp;
            let message = event.text("message").unwrap_or_default().to_owned();
            events.push(Event {
                timestamp,
                ingestion: now,
                message,
            });
        }
        // Too new (2 h) or too old (14 days) ones are left out, as in AWS.
        let early = events.iter().filter(|event| event.timestamp < now - 14 * DAY).count();
        let late = events.iter().position(|event| event.timestamp > now + DAY / 12);
        events.truncate(late.unwrap_or(events.len()));
        events.drain(..early.min(events.len()));
        self.put(
            input.required_text("logGroupName")?,
            input.required_text("logStreamName")?,
            events,
        )?;
        let mut output = json!({"nextSequenceToken": "local"});
        if early > 0 {
            output["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] = json!(early);
        }
        if let Some(late) = late {
            output["rejectedLogEventsInfo"]["tooNewLogEventStartIndex"] = json!(late);
        }
        Ok(output)
    }

    /// The events of a group within the asked time and its retention, in order of time.
    fn events(&self, input: &Value, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, Event)>, ApiError> {
        let group = self.group_name(input)?;
        let retention = self
            .state
            .read()
            .groups
            .get(&group)
            .ok_or_else(no_group)?
            .retention_days;
        let oldest = retention.map_or(i64::MIN, |days| self.now() - days * DAY);
        let start = input.integer("startTime").unwrap_or(i64::MIN).max(oldest);
        let end = input.integer("endTime").unwrap_or(i64::MAX);
        let all = self.streams();
        let streams = all.get(&group).ok_or_else(no_group)?;
        let mut events: Vec<(String, Event)> = streams
            .iter()
            .filter(|(name, _)| wanted(name))
            .flat_map(|(name, stream)| stream.events.iter().map(|event| (name.clone(), event.clone())))
            .filter(|(_, event)| event.timestamp >= start && event.timestamp <= end)
            .collect();
        // Stable: events of one millisecond keep the order in which they came.
        events.sort_by_key(|(_, event)| event.timestamp);
        Ok(events)
    }

    fn get_events(&self, input: &Value) -> Result<Value, ApiError> {
        let stream = input.required_text("logStreamName")?;
        let group = self.group_name(input)?;
        if !self.streams().get(&group).ok_or_else(no_group)?.contains_key(stream) {
            return Err(no_stream());
        }
        // The end is exclusive here, unlike in FilterLogEvents.
        let mut input = input.clone();
        if let Some(end) = input.integer("endTime") {
            input["endTime"] = json!(end - 1);
        }
        let events = self.events(&input, |name| name == stream)?;
        let limit = usize::try_from(input.integer("limit").unwrap_or(10_000))
            .unwrap_or(1)
            .clamp(1, 10_000);
        let token = input.text("nextToken").map(|token| {
            let (direction, place) = token.split_once('/').unwrap_or(("", ""));
            place
                .parse::<usize>()
                .ok()
                .filter(|_| ["f", "b"].contains(&direction))
                .map(|place| (direction == "f", place))
        });
        let (start, end) = match token {
            Some(None) => return Err(invalid("The specified nextToken is invalid.")),
            Some(Some((true, place))) => (place.min(events.len()), (place + limit).min(events.len())),
            Some(Some((false, place))) => (place.min(events.len()).saturating_sub(limit), place.min(events.len())),
            None if input.flag("startFromHead") == Some(true) => (0, limit.min(events.len())),
            None => (events.len().saturating_sub(limit), events.len()),
        };
        let shown: Vec<Value> = events[start..end]
            .iter()
            .map(|(_, event)| {
                json!({"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.ingestion})
            })
            .collect();
        Ok(json!({
            "events": shown,
            "nextForwardToken": format!("f/{end}"),
            "nextBackwardToken": format!("b/{start}"),
        }))
    }

    fn filter_events(&self, input: &Value) -> Result<Value, ApiError> {
        let pattern = Pattern::parse(input.text("filterPattern").unwrap_or_default())
            .map_err(|error| invalid(format!("Invalid filter pattern: {error}")))?;
        let names = input.texts("logStreamNames");
        let prefix = input.text("logStreamNamePrefix").unwrap_or_default();
        let wanted =
            |name: &str| name.starts_with(prefix) && (names.is_empty() || names.iter().any(|asked| asked == name));
        let events = self.events(input, wanted)?;
        let found = events
            .into_iter()
            .enumerate()
            .filter(|(_, (_, event))| pattern.matches(&event.message));
        let found = found.map(|(place, (stream, event))| {
            json!({
                "logStreamName": stream,
                "timestamp": event.timestamp,
                "message": event.message,
                "ingestionTime": event.ingestion,
                "eventId": format!("{:020}{place:036}", event.timestamp),
            })
        });
        let mut output = page("events", &found.collect::<Vec<_>>(), input, 10_000);
        output["searchedLogStreams"] = json!([]);
        Ok(output)
    }

    /// By name, or by identifier: a name or an ARN.
    fn group_name(&self, input: &Value) -> Result<String, ApiError> {
        let given = ["logGroupName", "logGroupIdentifier", "resourceArn"]
            .into_iter()
            .find_map(|name| input.text(name));
        let given = given.ok_or_else(|| invalid("A log group has to be named"))?;
        let name = given.split_once(":log-group:").map_or(given, |(_, name)| name);
        Ok(name.trim_end_matches(":*").to_owned())
    }

    fn tags(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let name = self.group_name(input)?;
        self.state.change(|state| {
            let tags = &mut state.groups.get_mut(&name).ok_or_else(no_group)?.tags;
            match operation {
                "TagLogGroup" | "TagResource" => {
                    let added = input.member("tags").and_then(Value::as_object).into_iter().flatten();
                    tags.extend(added.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())));
                    Ok(json!({}))
                }
                "UntagLogGroup" | "UntagResource" => {
                    let gone = [input.texts("tags"), input.texts("tagKeys")].concat();
                    tags.retain(|key, _| !gone.contains(key));
                    Ok(json!({}))
                }
                _ => Ok(json!({"tags": tags})),
            }
        })
    }
}

#[async_trait]
impl Service for Logs {
    fn model(&self) -> &'static str {
        "logs"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let input = &request.input;
        let group = || input.required_text("logGroupName");
        let output = match request.operation.as_str() {
            "CreateLogGroup" => self.create_group(input)?,
            "DeleteLogGroup" => self.remove_group(group()?).map(|()| json!({}))?,
            "DescribeLogGroups" => self.describe_groups(input),
            "CreateLogStream" => match self.ensure_stream(group()?, input.required_text("logStreamName")?)? {
                true => json!({}),
                false => return Err(exists("The specified log stream already exists")),
            },
            "DeleteLogStream" => {
                let mut all = self.streams();
                let streams = all.get_mut(group()?).ok_or_else(no_group)?;
                let stream = streams
                    .remove(input.required_text("logStreamName")?)
                    .ok_or_else(no_stream)?;
                stream.remove().map_err(storage_failure)?;
                json!({})
            }
            "DescribeLogStreams" => self.describe_streams(input)?,
            "PutLogEvents" => self.put_events(input)?,
            "GetLogEvents" => self.get_events(input)?,
            "FilterLogEvents" => self.filter_events(input)?,
            "PutRetentionPolicy" => self.set_retention(group()?, input.integer("retentionInDays"))?,
            "DeleteRetentionPolicy" => self.set_retention(group()?, None)?,
            "TagLogGroup"
            | "UntagLogGroup"
            | "ListTagsLogGroup"
            | "TagResource"
            | "UntagResource"
            | "ListTagsForResource" => self.tags(&request.operation, input)?,
            other => return Err(ApiError::not_served("UnknownOperationException", other)),
        };
        Ok(output.into())
    }
}

fn page(member: &str, all: &[Value], input: &Value, default_size: i64) -> Value {
    let size = page::size(input, "limit", default_size);
    let (page, next) = page::page(all, page::start(input, "nextToken"), size);
    json!({member: page, "nextToken": next})
}

fn exists(message: &str) -> ApiError {
    ApiError::new(400, "ResourceAlreadyExistsException", message)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterException", message)
}
