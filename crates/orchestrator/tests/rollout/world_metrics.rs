//! What the metrics of the world say: made of the traffic that it had.

use jiff::Timestamp;
use orchestrator::domain::*;
use orchestrator::ports::*;

use crate::world::{APIS, FUNCTIONS, Inner, seconds, start};

impl Inner {
    /// Without an API, by what the first live alias divides.
    fn share_of_alias(&self, at: Timestamp, slot: Slot) -> f64 {
        let function = &self.functions[FUNCTIONS[0]];
        let routes = self.routes.iter().rev();
        let mut known = routes.filter(|(since, name, _)| name == FUNCTIONS[0] && *since <= at);
        let version = FunctionVersion::new(function.aliases[&slot].version.to_string());
        let (base, share) = match known.next() {
            // As the stack made it.
            None => (FunctionVersion::new("1"), None),
            Some((_, _, to)) => (to.version.clone(), to.share.as_ref()),
        };
        let weight = share.map_or(0.0, |share| share.weight.as_percent() / 100.0);
        if base == version {
            1.0 - weight
        } else if share.is_some_and(|share| share.version == version) {
            weight
        } else {
            0.0
        }
    }

    /// Without an API, a version's calls through the live alias are those of the slot that holds it.
    fn source(&self, asked: &MetricSource) -> MetricSource {
        let MetricSource::LiveAlias {
            function,
            version,
            metric,
        } = asked
        else {
            return asked.clone();
        };
        let known = self.functions.get(function.as_str());
        let holds = |slot: &Slot| known.is_some_and(|it| it.aliases[slot].version.to_string() == version.as_str());
        let function = function.clone();
        match (Slot::BOTH.into_iter().find(holds), metric) {
            (Some(slot), FunctionMetric::Invocations) if !self.has_apis => {
                MetricSource::FunctionInvocations { function, slot }
            }
            (Some(slot), FunctionMetric::Errors) if !self.has_apis => MetricSource::FunctionErrors { function, slot },
            (Some(slot), FunctionMetric::Duration) if !self.has_apis => {
                MetricSource::FunctionDuration { function, slot }
            }
            _ => asked.clone(),
        }
    }

    fn share(&self, at: Timestamp, slot: Slot) -> f64 {
        if !self.has_apis {
            return self.share_of_alias(at, slot);
        }
        let current = self
            .timeline
            .iter()
            .rev()
            .find(|(since, id, _)| id == APIS[0] && *since <= at);
        let Some((_, _, traffic)) = current else {
            return 0.0;
        };
        let canary = traffic
            .canary
            .as_ref()
            .map_or(0.0, |canary| canary.weight.as_percent() / 100.0);
        if traffic.slot == Some(slot) {
            1.0 - canary
        } else {
            canary
        }
    }

    fn code(&self, function: &str, slot: Slot) -> Option<&String> {
        let function = self.functions.get(function)?;
        function.versions.get(function.aliases[&slot].version - 1)
    }

    /// Requests and errors of one second. Errors are spread evenly.
    fn second(&self, function: &str, slot: Slot, at: Timestamp) -> (f64, f64) {
        let Some(function) = self.functions.get(function) else {
            return (0.0, 0.0);
        };
        let code = &function.versions[function.aliases[&slot].version - 1];
        let percent = self.error_percent.get(code).copied().unwrap_or(0.0);
        let requests = (self.requests_per_second * self.share(at, slot)).round();
        let k = at.as_second().rem_euclid(100_000) as f64;
        let errors = ((k + 1.0) * requests * percent / 100.0).floor() - (k * requests * percent / 100.0).floor();
        (requests, errors)
    }

    pub fn series(&self, query: &MetricQuery, from: Timestamp, to: Timestamp) -> MetricSeries {
        let mut datapoints = Vec::new();
        // Nothing happened before.
        let mut at = from.max(start());
        let source = self.source(&query.source);
        while at < to.min(self.now) {
            let both = |slot: Slot| self.second(FUNCTIONS[0], slot, at);
            let value = match &source {
                MetricSource::FunctionInvocations { function, slot } => {
                    Some(self.second(function.as_str(), *slot, at).0).filter(|count| *count > 0.0)
                }
                MetricSource::FunctionErrors { function, slot } => {
                    let (requests, errors) = self.second(function.as_str(), *slot, at);
                    (requests > 0.0).then_some(errors)
                }
                MetricSource::FunctionDuration { function, slot } => {
                    let requests = self.second(function.as_str(), *slot, at).0;
                    let slow = self
                        .code(function.as_str(), *slot)
                        .map_or(0.0, |code| self.slow_percent.get(code).copied().unwrap_or(0.0));
                    (requests > 0.0).then_some(match query.statistic {
                        // A slow call takes a second, any other a hundredth.
                        Statistic::PercentileRank { at_most } if at_most < 1000.0 => 100.0 - slow,
                        Statistic::PercentileRank { .. } => 100.0,
                        Statistic::Percentile { rank } if rank > 100.0 - slow => 1000.0,
                        _ => 10.0,
                    })
                }
                MetricSource::ApiRequests { .. } => Some(both(Slot::Blue).0 + both(Slot::Green).0),
                MetricSource::ApiServerErrors { .. } => Some(both(Slot::Blue).1 + both(Slot::Green).1),
                MetricSource::WebSocket { metric, .. } => self.named.get(&format!("{metric:?}")).copied(),
                MetricSource::CacheHits { .. } => self.named.get("hits").copied(),
                MetricSource::CacheMisses { .. } => self.named.get("misses").copied(),
                MetricSource::ReadThrottles { .. } => self.named.get("read throttles").copied(),
                _ => None,
            };
            if let Some(value) = value {
                datapoints.push(Datapoint { at, value });
            }
            at += seconds(1);
        }
        MetricSeries {
            id: query.id.clone(),
            datapoints,
        }
    }
}
