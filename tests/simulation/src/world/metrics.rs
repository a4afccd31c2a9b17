//! Metrics made of the traffic: what each second had, and what can be read of it now.

use jiff::{SignedDuration, Timestamp};
use orchestrator::domain::Slot;
use orchestrator::ports::{Datapoint, FunctionMetric, MetricQuery, MetricSeries, MetricSource, Statistic};

use super::{Entry, Inner, Place, seconds};

/// One second's calls of a function by one way.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    calls: f64,
    errors: f64,
    throttles: f64,
    duration: f64,
}

/// How a function was called.
#[derive(Debug, Clone, Copy)]
enum Way<'a> {
    /// Through REST APIs and the alias of a slot.
    Slot(Slot),
    /// Through the live alias, this version.
    Live(&'a str),
}

impl Inner {
    /// How an entry divided its requests at a moment, as they met it.
    pub fn in_force(&self, entry: &Entry, at: Timestamp) -> Option<&super::Split> {
        let timeline = self.truth.in_force.get(entry)?;
        let after = timeline.partition_point(|(since, _)| *since <= at);
        timeline.get(after.checked_sub(1)?).map(|(_, split)| split)
    }

    /// The version that a slot's alias was at.
    pub fn version_at(&self, function: &str, slot: Slot, at: Timestamp) -> Option<usize> {
        let history = self.functions.get(function)?.history.get(&slot)?;
        let after = history.partition_point(|(since, _)| *since <= at);
        history.get(after.checked_sub(1)?).map(|(_, version)| *version)
    }

    pub fn code_of(&self, function: &str, version: usize) -> Option<&str> {
        let function = self
            .functions
            .get(function)
            .filter(|it| !it.deleted.contains(&version))?;
        function.versions.get(version.checked_sub(1)?).map(String::as_str)
    }

    fn second(&self, function: &str, way: Way<'_>, at: Timestamp) -> Second {
        let (share, version) = match way {
            Way::Slot(slot) => {
                let stages = self
                    .truth
                    .in_force
                    .keys()
                    .filter(|entry| matches!(entry, Entry::Stage(_)));
                let (mut share, mut count) = (0.0, 0.0);
                for entry in stages {
                    count += 1.0;
                    if let Some(split) = self.in_force(entry, at) {
                        for place in [Some(&split.base), split.share.as_ref().map(|(place, _)| place)] {
                            if let Some(Place::Stage { slot: Some(there), .. }) = place
                                && *there == slot
                            {
                                let weight = split
                                    .share
                                    .as_ref()
                                    .map_or(0.0, |(_, weight)| weight.as_percent() / 100.0);
                                share += if place == Some(&split.base) {
                                    1.0 - weight
                                } else {
                                    weight
                                };
                            }
                        }
                    }
                }
                (
                    if count > 0.0 { share / count } else { 0.0 },
                    self.version_at(function, slot, at),
                )
            }
            Way::Live(version) => {
                let split = self.in_force(&Entry::Alias(function.to_owned()), at);
                let place = Place::Version(version.to_owned());
                (split.map_or(0.0, |split| split.share_of(&place)), version.parse().ok())
            }
        };
        let Some(code) = version.and_then(|version| self.code_of(function, version)) else {
            return Second::default();
        };
        let calls = (self.requests_per_second * share).round();
        let second = at.as_second().rem_euclid(100_000) as f64;
        // Spread evenly over the seconds.
        let part = |percent: f64| {
            ((second + 1.0) * calls * percent / 100.0).floor() - (second * calls * percent / 100.0).floor()
        };
        let percent = |table: &std::collections::BTreeMap<String, f64>| table.get(code).copied().unwrap_or(0.0);
        let throttles = part(percent(&self.throttle_percent));
        Second {
            calls: calls - throttles,
            errors: part(percent(&self.error_percent)).min(calls - throttles),
            throttles,
            duration: self.duration.get(code).copied().unwrap_or(20.0),
        }
    }

    /// What can be read of a second now: nothing, a first figure, or the final one.
    fn readable(&self, at: Timestamp, now: Timestamp, second: Second) -> Option<Second> {
        let visible_from = at + self.metrics_delay;
        if now < visible_from {
            None
        } else if now < visible_from + self.metrics_revised_after {
            Some(Second {
                calls: (second.calls / 2.0).ceil(),
                errors: 0.0,
                throttles: 0.0,
                ..second
            })
        } else {
            Some(second)
        }
    }

    /// One query's answer as it is now.
    pub fn series(&self, query: &MetricQuery, from: Timestamp, to: Timestamp) -> MetricSeries {
        let now = self.now();
        let period = query.period.as_secs().max(1);
        let mut datapoints = Vec::new();
        let end = to.min(now + seconds(1));
        // Before the stacks were made there was nothing: an hour before is asked for at every look.
        let made = self.truth.in_force.values().filter_map(|timeline| timeline.first());
        let made = made.map(|(since, _)| *since).min().unwrap_or(end);
        let periods_before = (made.duration_since(from).as_secs() / period).max(0);
        let mut at = from + seconds(periods_before * period);
        while at < end {
            let mut sum: Option<f64> = None;
            for offset in 0..period {
                let second = at + SignedDuration::from_secs(offset);
                if second >= now {
                    break;
                }
                if let Some(value) = self.value(query, second, now) {
                    sum = Some(match query.statistic {
                        Statistic::Sum | Statistic::SampleCount => sum.unwrap_or(0.0) + value,
                        _ => sum.unwrap_or(value).max(value),
                    });
                }
            }
            if let Some(value) = sum {
                datapoints.push(Datapoint { at, value });
            }
            at += seconds(period);
        }
        MetricSeries {
            id: query.id.clone(),
            datapoints,
        }
    }

    fn value(&self, query: &MetricQuery, at: Timestamp, now: Timestamp) -> Option<f64> {
        let read = |function: &str, slot: Slot| self.readable(at, now, self.second(function, Way::Slot(slot), at));
        match &query.source {
            MetricSource::FunctionInvocations { function, slot } => read(function.as_str(), *slot)
                .map(|second| second.calls)
                .filter(|calls| *calls > 0.0),
            MetricSource::FunctionErrors { function, slot } => read(function.as_str(), *slot)
                .filter(|second| second.calls > 0.0)
                .map(|second| second.errors),
            MetricSource::FunctionThrottles { function, slot } => read(function.as_str(), *slot)
                .filter(|second| second.throttles > 0.0)
                .map(|second| second.throttles),
            MetricSource::FunctionDuration { function, slot } => read(function.as_str(), *slot)
                .filter(|second| second.calls > 0.0)
                .map(|second| taken(query.statistic, second.duration)),
            MetricSource::ApiServerErrors { .. } => Some(
                Slot::BOTH
                    .iter()
                    .flat_map(|slot| self.functions.keys().map(move |function| (function, slot)))
                    .filter_map(|(function, slot)| read(function, *slot))
                    .map(|second| second.errors)
                    .sum(),
            ),
            MetricSource::ApiRequests { .. } => Some(self.requests_per_second),
            MetricSource::LiveAlias {
                function,
                version,
                metric,
            } => {
                let second = self.second(function.as_str(), Way::Live(version.as_str()), at);
                let second = self.readable(at, now, second)?;
                match metric {
                    FunctionMetric::Invocations => Some(second.calls).filter(|calls| *calls > 0.0),
                    FunctionMetric::Errors => (second.calls > 0.0).then_some(second.errors),
                    FunctionMetric::Throttles => Some(second.throttles).filter(|throttles| *throttles > 0.0),
                    FunctionMetric::Duration => (second.calls > 0.0).then(|| taken(query.statistic, second.duration)),
                }
            }
            _ => None,
        }
    }

    /// Calls and errors of a version since a moment, as they can be read now, by whichever way.
    pub fn readable_calls(&self, function: &str, version: &str, since: Timestamp) -> (f64, f64) {
        let now = self.now();
        let mut at = Timestamp::from_second(since.as_second() + 1).unwrap_or(since);
        let (mut calls, mut errors) = (0.0, 0.0);
        let number = version.parse().ok();
        while at < now {
            let slots = Slot::BOTH
                .into_iter()
                .filter(|slot| self.version_at(function, *slot, at) == number)
                .map(Way::Slot);
            let ways = slots.chain(self.shape.aliases.then_some(Way::Live(version)));
            for way in ways {
                if let Some(second) = self.readable(at, now, self.second(function, way, at)) {
                    calls += second.calls;
                    errors += second.errors;
                }
            }
            at += seconds(1);
        }
        (calls, errors)
    }
}

/// All calls of a code take the same time.
fn taken(statistic: Statistic, duration: f64) -> f64 {
    match statistic {
        Statistic::PercentileRank { at_most } if duration <= at_most => 100.0,
        Statistic::PercentileRank { .. } => 0.0,
        _ => duration,
    }
}
