//! What to ask of the metrics for a step, and samples made of the answers.
//!
//! A slot's calls of a function come through REST stages to the slot's alias, and through everything else to the live
//! alias, whose metrics tell the versions apart. Each is asked for; where a function has no such entry, or nobody came
//! through it, the series is empty and adds nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::comparison::Tally;
use super::samples::{
    ApiSample, Before, Column, FunctionBefore, FunctionSample, Samples, SharedGate, SharedSample, Strata,
};
use super::verdict::rounded;
use crate::config::GateConfig;
use crate::domain::{FunctionName, FunctionVersion, ReleasedFunction, RolloutTarget, Slot};
use crate::ports::{
    AlarmObservation, CheckAnswer, FunctionMetric, MetricQuery, MetricSeries, MetricSource, Statistic, WebSocketMetric,
};

/// The columns of a step have at most so many entries, so that a record of the journal stays small.
const STRATA: i64 = 24;
/// What the preflight looks at.
const HOUR_BEFORE: SignedDuration = SignedDuration::from_hours(1);
const BEFORE_PERIOD: SignedDuration = SignedDuration::from_mins(5);

/// Queries of one window, and what each is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub queries: Vec<MetricQuery>,
    pub from: Timestamp,
    /// Exclusive: the period that goes on now is asked for too.
    pub to: Timestamp,
    keys: Vec<Key>,
}

/// What to ask at one look.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryPlan {
    /// Since the step began.
    pub step: Batch,
    /// The window of the API's limit.
    pub apis: Batch,
    stratum: SignedDuration,
    words: Vec<String>,
}

/// A release as metrics tell it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side<'a> {
    pub slot: Slot,
    pub functions: &'a [ReleasedFunction],
}

/// The step that is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watch<'a> {
    pub candidate: Side<'a>,
    pub live: Side<'a>,
    /// When the candidate came into its slot; data of an earlier release in that slot is left out, which costs at most
    /// one period.
    pub released_at: Timestamp,
    /// When the step's weight was in force. The whole period that it lies in counts, because an earlier step of the same
    /// candidate is no stranger.
    pub since: Timestamp,
    /// How long the step can go on, with its extension.
    pub longest: SignedDuration,
    pub now: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Candidate,
    Live,
}

/// An entry of a function; calls and slow calls have to be of the same.
type Entrance = usize;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Measure {
    Calls,
    Errors,
    Throttles,
    /// Percent of the calls within the gate's limit.
    WithinLimit,
    /// Percent of the calls within the live slot's p95 of the hour before.
    WithinUsual,
    /// Milliseconds.
    P95,
}

#[derive(Debug, Clone, PartialEq)]
enum Key {
    Function {
        index: usize,
        role: Role,
        entrance: Entrance,
        measure: Measure,
    },
    /// `is_event`: counts into the events; `is_call`: into the calls.
    Shared {
        gate: SharedGate,
        resource: String,
        is_event: bool,
        is_call: bool,
    },
}

/// The queries of one look.
pub fn queries(config: &GateConfig, target: &RolloutTarget, before: &Before, watch: &Watch<'_>) -> QueryPlan {
    let period = config.metric_period;
    let mut step = Asking::new(period);
    let limit = config
        .function_duration
        .as_ref()
        .map(|limit| milliseconds(limit.p95_at_most));
    let mut words = Vec::new();
    for (index, function) in target.functions.iter().enumerate() {
        let usual = before.function(function).and_then(|before| before.p95_milliseconds);
        let usual = usual.filter(|_| config.against_live.slow_calls.is_some());
        let mut through = Vec::new();
        for (role, side) in [(Role::Candidate, watch.candidate), (Role::Live, watch.live)] {
            for (entrance, source) in entrances(target, function, side).into_iter().enumerate() {
                through.push(source.words(role));
                let mut ask = |measure, statistic| {
                    let key = Key::Function {
                        index,
                        role,
                        entrance,
                        measure,
                    };
                    step.ask(key, source.of(function, measure.metric()), statistic);
                };
                ask(Measure::Calls, Statistic::Sum);
                ask(Measure::Errors, Statistic::Sum);
                ask(Measure::Throttles, Statistic::Sum);
                if let Some(at_most) = limit.filter(|_| role == Role::Candidate) {
                    ask(Measure::WithinLimit, Statistic::PercentileRank { at_most });
                }
                if let Some(at_most) = usual {
                    ask(Measure::WithinUsual, Statistic::PercentileRank { at_most });
                }
            }
        }
        let ranks = [
            limit.map(|limit| format!(", PR(:{limit}) of durations")),
            usual.map(|_| ", PR(:p95 of the hour before) of durations".to_owned()),
        ];
        let ranks: String = ranks.into_iter().flatten().collect();
        let asked = format!(
            "functions by {}: sums of calls, errors, throttles{ranks}; each {period:#} since the step began",
            through.join(", ")
        );
        if !words.contains(&asked) {
            words.push(asked);
        }
    }
    if shared(config, &mut step) {
        words.push(format!(
            "connections, lookups, throttles: sums; each {period:#} since the step began"
        ));
    }
    let mut apis = Asking::new(period);
    server_errors(config, target, &mut apis);
    let window = config.api_server_errors.as_ref().map(|limit| limit.window);
    if let Some(window) = window.filter(|_| !target.apis.is_empty()) {
        words.push(format!("APIs: sums of answers 5xx and requests in the last {window:#}"));
    }
    let first = period_after(watch.released_at, period);
    let step_from = period_of(watch.since, period).max(first);
    let apis_from = period_of(watch.now - window.unwrap_or_default(), period).max(first);
    // Never an empty window: a candidate may be younger than one period.
    let to = (period_of(watch.now, period) + period).max(step_from.max(apis_from) + period);
    QueryPlan {
        step: step.batch(step_from, to),
        apis: apis.batch(apis_from, to),
        stratum: stratum(watch.longest, watch.now.duration_since(watch.since), period),
        words,
    }
}

/// What to ask about the hour before, while all traffic is the live release's.
pub fn queries_before(config: &GateConfig, target: &RolloutTarget, live: Side<'_>, now: Timestamp) -> Batch {
    let mut asking = Asking::new(BEFORE_PERIOD.max(config.metric_period));
    for (index, function) in target.functions.iter().enumerate() {
        for (entrance, source) in entrances(target, function, live).into_iter().enumerate() {
            for (measure, statistic) in [
                (Measure::Calls, Statistic::Sum),
                (Measure::Errors, Statistic::Sum),
                (Measure::Throttles, Statistic::Sum),
                (Measure::P95, Statistic::Percentile { rank: 95.0 }),
            ] {
                let key = Key::Function {
                    index,
                    role: Role::Live,
                    entrance,
                    measure,
                };
                asking.ask(key, source.of(function, measure.metric()), statistic);
            }
        }
    }
    shared(config, &mut asking);
    server_errors(config, target, &mut asking);
    let period = asking.period;
    asking.batch(period_of(now - HOUR_BEFORE, period), now)
}

/// Everything that gates ask about and that a configuration names: what a misspelt name would leave without data.
pub fn named_sources(config: &GateConfig) -> Vec<MetricSource> {
    let mut asking = Asking::new(config.metric_period);
    shared(config, &mut asking);
    asking.queries.into_iter().map(|query| query.source).collect()
}

/// The answers to `plan` as samples. A series without any datapoint is missing data, not zero.
pub fn samples(
    plan: &QueryPlan,
    target: &RolloutTarget,
    step: &[MetricSeries],
    apis: &[MetricSeries],
    alarms: Vec<AlarmObservation>,
    checks: Vec<CheckAnswer>,
) -> Samples {
    let functions = target.functions.iter().enumerate();
    let apis = plan.apis.shared(apis).into_iter().map(|sample| ApiSample {
        api_name: sample.resource,
        from: plan.apis.from,
        server_errors: sample.seen.map(|seen| seen.events),
        requests: sample.seen.map(|seen| seen.calls),
    });
    Samples {
        from: plan.step.from,
        to: plan.step.to,
        stratum: plan.stratum,
        functions: functions
            .map(|(index, function)| Answers::new(&plan.step, step, index).sample(function, plan.stratum))
            .collect(),
        apis: apis.collect(),
        shared: plan.step.shared(step),
        alarms,
        checks,
        queries: plan.words.clone(),
    }
}

/// The answers to [`queries_before`].
pub fn before(batch: &Batch, target: &RolloutTarget, series: &[MetricSeries]) -> Before {
    let functions = target.functions.iter().enumerate();
    Before {
        from: batch.from,
        to: batch.to,
        functions: functions
            .map(|(index, function)| Answers::new(batch, series, index).before(function))
            .collect(),
        shared: batch.shared(series),
    }
}

/// How one side's calls of a function come in.
enum Entry<'a> {
    Slot(Slot),
    LiveAlias(&'a FunctionVersion),
}

fn entrances<'a>(target: &RolloutTarget, function: &FunctionName, side: Side<'a>) -> Vec<Entry<'a>> {
    let aliased = target.aliases.iter().any(|alias| &alias.function == function);
    let version = side.functions.iter().find(|released| &released.name == function);
    let live = version
        .filter(|_| aliased)
        .map(|released| Entry::LiveAlias(&released.version));
    // Without a REST API nothing comes through a slot's alias but smoke checks.
    let slot = (!target.apis.is_empty() || live.is_none()).then_some(Entry::Slot(side.slot));
    slot.into_iter().chain(live).collect()
}

impl Entry<'_> {
    fn words(&self, role: Role) -> String {
        match (self, role) {
            (Entry::Slot(slot), _) => format!("slot {slot}"),
            (Entry::LiveAlias(_), Role::Candidate) => "the live alias at the candidate's version".to_owned(),
            (Entry::LiveAlias(_), Role::Live) => "the live alias at the live release's version".to_owned(),
        }
    }

    fn of(&self, function: &FunctionName, metric: FunctionMetric) -> MetricSource {
        let function = function.clone();
        match (self, metric) {
            (Entry::Slot(slot), FunctionMetric::Invocations) => {
                MetricSource::FunctionInvocations { function, slot: *slot }
            }
            (Entry::Slot(slot), FunctionMetric::Errors) => MetricSource::FunctionErrors { function, slot: *slot },
            (Entry::Slot(slot), FunctionMetric::Throttles) => MetricSource::FunctionThrottles { function, slot: *slot },
            (Entry::Slot(slot), FunctionMetric::Duration) => MetricSource::FunctionDuration { function, slot: *slot },
            (Entry::LiveAlias(version), metric) => MetricSource::LiveAlias {
                function,
                version: (*version).clone(),
                metric,
            },
        }
    }
}

impl Measure {
    fn metric(self) -> FunctionMetric {
        match self {
            Measure::Calls => FunctionMetric::Invocations,
            Measure::Errors => FunctionMetric::Errors,
            Measure::Throttles => FunctionMetric::Throttles,
            Measure::WithinLimit | Measure::WithinUsual | Measure::P95 => FunctionMetric::Duration,
        }
    }
}

/// What is used by both slots, but for the APIs, which have a window of their own. Whether there is any.
fn shared(config: &GateConfig, asking: &mut Asking) -> bool {
    let before = asking.queries.len();
    for stage in config.websocket_errors.iter().flat_map(|gate| &gate.apis) {
        let resource = format!("{}/{}", stage.api_id, stage.stage);
        for (metric, is_event, is_call) in [
            (WebSocketMetric::Connects, false, true),
            (WebSocketMetric::ClientErrors, true, true),
            // These are among those that connected.
            (WebSocketMetric::IntegrationErrors, true, false),
        ] {
            let source = MetricSource::WebSocket {
                api_id: stage.api_id.clone(),
                stage: stage.stage.clone(),
                metric,
            };
            asking.ask_shared(SharedGate::WebSocketErrors, &resource, source, is_event, is_call);
        }
    }
    for cluster in config.cache_hits.iter().flat_map(|gate| &gate.clusters) {
        let hits = MetricSource::CacheHits {
            cluster: cluster.clone(),
        };
        asking.ask_shared(SharedGate::CacheMisses, cluster, hits, false, true);
        let misses = MetricSource::CacheMisses {
            cluster: cluster.clone(),
        };
        asking.ask_shared(SharedGate::CacheMisses, cluster, misses, true, true);
    }
    for name in config.table_throttles.iter().flat_map(|gate| &gate.tables) {
        let (table, index) = match name.split_once("/index/") {
            Some((table, index)) => (table.to_owned(), Some(index.to_owned())),
            None => (name.clone(), None),
        };
        let (reads, writes) = (table.clone(), index.clone());
        let reads = MetricSource::ReadThrottles {
            table: reads,
            index: writes,
        };
        asking.ask_shared(SharedGate::TableThrottles, name, reads, true, false);
        asking.ask_shared(
            SharedGate::TableThrottles,
            name,
            MetricSource::WriteThrottles { table, index },
            true,
            false,
        );
    }
    asking.queries.len() > before
}

fn server_errors(config: &GateConfig, target: &RolloutTarget, asking: &mut Asking) {
    if config.api_server_errors.is_none() {
        return;
    }
    for api in &target.apis {
        let (api_name, stage) = (api.name.clone(), api.live_stage.clone());
        let errors = MetricSource::ApiServerErrors {
            api_name: api_name.clone(),
            stage: stage.clone(),
        };
        asking.ask_shared(SharedGate::ApiServerErrors, &api.name, errors, true, false);
        let requests = MetricSource::ApiRequests { api_name, stage };
        asking.ask_shared(SharedGate::ApiServerErrors, &api.name, requests, false, true);
    }
}

struct Asking {
    queries: Vec<MetricQuery>,
    keys: Vec<Key>,
    period: SignedDuration,
}

impl Asking {
    fn new(period: SignedDuration) -> Asking {
        Asking {
            queries: Vec::new(),
            keys: Vec::new(),
            period,
        }
    }

    fn ask(&mut self, key: Key, source: MetricSource, statistic: Statistic) {
        self.queries.push(MetricQuery {
            id: format!("q{}", self.queries.len()),
            source,
            statistic,
            period: self.period,
        });
        self.keys.push(key);
    }

    fn ask_shared(&mut self, gate: SharedGate, resource: &str, source: MetricSource, is_event: bool, is_call: bool) {
        let key = Key::Shared {
            gate,
            resource: resource.to_owned(),
            is_event,
            is_call,
        };
        self.ask(key, source, Statistic::Sum);
    }

    fn batch(self, from: Timestamp, to: Timestamp) -> Batch {
        Batch {
            queries: self.queries,
            from,
            to,
            keys: self.keys,
        }
    }
}

impl Batch {
    /// What both slots use, one sample for each resource in the order of asking.
    fn shared(&self, series: &[MetricSeries]) -> Vec<SharedSample> {
        let mut found: Vec<SharedSample> = Vec::new();
        for (key, series) in self.keys.iter().zip(series) {
            let Key::Shared {
                gate,
                resource,
                is_event,
                is_call,
            } = key
            else {
                continue;
            };
            let known = found
                .iter_mut()
                .find(|sample| sample.gate == *gate && &sample.resource == resource);
            let sample = match known {
                Some(sample) => sample,
                None => {
                    // Throttles are reported when there are any; everything else whenever it is used.
                    let seen = (*gate == SharedGate::TableThrottles).then(Tally::default);
                    found.push(SharedSample {
                        gate: *gate,
                        resource: resource.clone(),
                        seen,
                    });
                    let last = found.len() - 1;
                    &mut found[last]
                }
            };
            if series.datapoints.is_empty() {
                continue;
            }
            let count = whole(series.datapoints.iter().map(|point| point.value).sum());
            let seen = sample.seen.unwrap_or_default();
            let events = seen.events + if *is_event { count } else { 0 };
            let calls = seen.calls + if *is_call { count } else { 0 };
            sample.seen = Some(Tally { calls, events });
        }
        for sample in &mut found {
            sample.seen = sample.seen.map(|seen| Tally::new(seen.calls, seen.events));
        }
        found
    }
}

/// The answers about one function.
struct Answers<'a> {
    from: Timestamp,
    by_measure: Vec<(Role, Entrance, Measure, &'a MetricSeries)>,
}

/// What happened to one side's calls, by the begin of the period.
#[derive(Default)]
struct SideAnswers {
    calls: BTreeMap<Timestamp, u64>,
    errors: Option<BTreeMap<Timestamp, u64>>,
    throttles: Option<BTreeMap<Timestamp, u64>>,
    /// `None` where a call's duration is not known, or was not asked for.
    above_limit: Option<BTreeMap<Timestamp, u64>>,
    above_usual: Option<BTreeMap<Timestamp, u64>>,
}

impl<'a> Answers<'a> {
    fn new(batch: &'a Batch, series: &'a [MetricSeries], function: usize) -> Answers<'a> {
        let by_measure = batch.keys.iter().zip(series).filter_map(|(key, series)| match key {
            Key::Function {
                index,
                role,
                entrance,
                measure,
            } if *index == function => Some((*role, *entrance, *measure, series)),
            _ => None,
        });
        Answers {
            from: batch.from,
            by_measure: by_measure.collect(),
        }
    }

    fn series(&self, role: Role, measure: Measure) -> impl Iterator<Item = (Entrance, &'a MetricSeries)> {
        self.by_measure
            .iter()
            .filter(move |(of, _, asked, _)| *of == role && *asked == measure)
            .map(|(_, entrance, _, series)| (*entrance, *series))
    }

    /// Over all entrances; `None` without any datapoint.
    fn sums(&self, role: Role, measure: Measure) -> Option<BTreeMap<Timestamp, u64>> {
        let mut sums = BTreeMap::new();
        for (_, series) in self.series(role, measure) {
            for point in &series.datapoints {
                *sums.entry(point.at).or_default() += whole(point.value);
            }
        }
        (!sums.is_empty()).then_some(sums)
    }

    /// The calls that are not within, by the share that is.
    fn above(&self, role: Role, within: Measure) -> Option<BTreeMap<Timestamp, u64>> {
        let mut sums = BTreeMap::new();
        let mut is_asked = false;
        for (entrance, series) in self.series(role, within) {
            is_asked = true;
            let calls = self.series(role, Measure::Calls).find(|(of, _)| *of == entrance)?.1;
            for point in calls.datapoints.iter().filter(|point| point.value > 0.0) {
                let within = series.datapoints.iter().find(|other| other.at == point.at)?;
                let share = (100.0 - within.value.clamp(0.0, 100.0)) / 100.0;
                *sums.entry(point.at).or_default() += whole(point.value * share);
            }
        }
        is_asked.then_some(sums)
    }

    fn side(&self, role: Role) -> SideAnswers {
        SideAnswers {
            calls: self.sums(role, Measure::Calls).unwrap_or_default(),
            errors: self.sums(role, Measure::Errors),
            throttles: self.sums(role, Measure::Throttles),
            above_limit: self.above(role, Measure::WithinLimit),
            above_usual: self.above(role, Measure::WithinUsual),
        }
    }

    fn sample(&self, function: &FunctionName, stratum: SignedDuration) -> FunctionSample {
        let (candidate, live) = (self.side(Role::Candidate), self.side(Role::Live));
        let column = |of: &dyn Fn(&SideAnswers) -> Option<BTreeMap<Timestamp, u64>>| {
            let known = |side: &SideAnswers| of(side).or_else(|| side.calls.is_empty().then(BTreeMap::new));
            let (candidate, live) = (known(&candidate)?, known(&live)?);
            Some(Column::new(
                self.strata(&candidate, stratum),
                self.strata(&live, stratum),
            ))
        };
        let total = |counts: &BTreeMap<Timestamp, u64>| counts.values().sum();
        FunctionSample {
            function: function.clone(),
            invocations: total(&candidate.calls),
            errors: candidate.errors.as_ref().map(total),
            throttles: candidate.throttles.as_ref().map(total),
            slow: candidate.above_limit.as_ref().map(total),
            strata: Strata {
                calls: column(&|side| Some(side.calls.clone())).unwrap_or_default(),
                errors: column(&|side| side.errors.clone()),
                throttles: column(&|side| Some(side.throttles.clone().unwrap_or_default())).unwrap_or_default(),
                slower: column(&|side| side.above_usual.clone()),
            },
        }
    }

    fn strata(&self, counts: &BTreeMap<Timestamp, u64>, stratum: SignedDuration) -> Vec<u64> {
        let mut sums = Vec::new();
        for (at, count) in counts {
            let offset = at.duration_since(self.from).as_secs() / stratum.as_secs().max(1);
            let Ok(index) = usize::try_from(offset) else { continue };
            if sums.len() <= index {
                sums.resize(index + 1, 0);
            }
            sums[index] += count;
        }
        sums
    }

    fn before(&self, function: &FunctionName) -> FunctionBefore {
        let live = self.side(Role::Live);
        let total = |counts: &BTreeMap<Timestamp, u64>| counts.values().sum::<u64>();
        let (mut weighted, mut weight) = (0.0, 0.0);
        for (entrance, p95) in self.series(Role::Live, Measure::P95) {
            let calls = self.series(Role::Live, Measure::Calls).find(|(of, _)| *of == entrance);
            for point in &p95.datapoints {
                let calls = calls
                    .and_then(|(_, series)| series.datapoints.iter().find(|other| other.at == point.at))
                    .map_or(0.0, |calls| calls.value);
                weighted += point.value * calls;
                weight += calls;
            }
        }
        FunctionBefore {
            function: function.clone(),
            calls: total(&live.calls) + live.throttles.as_ref().map_or(0, total),
            errors: live.errors.as_ref().map_or(0, total),
            p95_milliseconds: (weight > 0.0).then(|| rounded(weighted / weight)),
        }
    }
}

/// The least multiple of `period` of which `longest` has at most [`STRATA`]. Where somebody makes the step last longer than
/// that, it doubles, and doubles again: the strata depend on the time alone, never on what was seen.
fn stratum(longest: SignedDuration, gone: SignedDuration, period: SignedDuration) -> SignedDuration {
    let mut longest = longest.max(period);
    while longest < gone {
        longest *= 2;
    }
    let period = period.as_secs().max(1);
    let periods = longest.as_secs().max(0) / period + 2;
    SignedDuration::from_secs(period * ((periods + STRATA - 1) / STRATA))
}

fn milliseconds(duration: SignedDuration) -> f64 {
    duration.as_millis_f64()
}

fn whole(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

/// Begin of the period that `time` lies in.
fn period_of(time: Timestamp, period: SignedDuration) -> Timestamp {
    let seconds = period.as_secs().max(1);
    let begin = time.as_second().div_euclid(seconds) * seconds;
    Timestamp::from_second(begin).unwrap_or(time)
}

/// Begin of the first period that does not begin before `time`.
fn period_after(time: Timestamp, period: SignedDuration) -> Timestamp {
    let begin = period_of(time, period);
    if begin == time { begin } else { begin + period }
}
