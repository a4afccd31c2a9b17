//! The metrics' data: per metric one distribution a second, for three hours, in memory and in append-only files.
//!
//! Recording takes a shared lock on the map of metrics and a short one on the metric. Once a second what is new goes
//! to the segment file of the hour; segments beyond the retention are removed. `kill -9` loses a second at most.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::statistic::{Distribution, Statistic};

/// How long data is kept; older data is refused.
pub const RETENTION_SECONDS: i64 = 3 * 3600;
const SEGMENT_SECONDS: i64 = 3600;

/// A metric: each set of dimensions is one of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Metric {
    pub namespace: String,
    pub name: String,
    /// Name and value, sorted.
    pub dimensions: Vec<(String, String)>,
}

impl Metric {
    pub fn new(namespace: &str, name: &str, mut dimensions: Vec<(String, String)>) -> Self {
        dimensions.sort();
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions,
        }
    }
}

/// A span of time cut into periods: from `start` (inclusive) to `end` (exclusive), in epoch seconds; period borders
/// lie at `anchor` plus multiples of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
    pub anchor: i64,
}

impl Window {
    /// The start of the period that holds `time`.
    pub fn period_start(&self, time: i64, period: i64) -> i64 {
        time - (time - self.anchor).rem_euclid(period)
    }

    /// The starts of all periods of the span.
    pub fn periods(&self, period: i64) -> impl Iterator<Item = i64> + use<> {
        let (first, end) = (self.period_start(self.start, period), self.end);
        (0..)
            .map(move |index| first + index * period)
            .take_while(move |start| *start < end)
    }
}

/// Who can tell a metric's points: start of the period in epoch seconds, and value.
pub trait PointSource {
    fn points(
        &self,
        metric: &Metric,
        statistic: Statistic,
        unit: Option<&str>,
        period: i64,
        window: Window,
    ) -> BTreeMap<i64, f64>;
}

#[derive(Default)]
struct Series {
    unit: Option<String>,
    seconds: BTreeMap<i64, Distribution>,
    /// What the files do not have yet.
    unsaved: BTreeMap<i64, Distribution>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    metric: Metric,
    unit: Option<String>,
    seconds: BTreeMap<i64, Distribution>,
}

pub struct SeriesStore {
    folder: PathBuf,
    series: RwLock<HashMap<Metric, Arc<Mutex<Series>>>>,
    /// Only one flush at a time.
    flush: Mutex<()>,
}

impl SeriesStore {
    pub fn open(folder: PathBuf, now: i64) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let store = Self {
            folder,
            series: RwLock::default(),
            flush: Mutex::new(()),
        };
        for (_, path) in store.segments()? {
            store.read_segment(&path, now)?;
        }
        Ok(store)
    }

    /// Adds observations of one second. Data beyond the retention is left out.
    pub fn record(&self, metric: Metric, unit: Option<&str>, second: i64, observed: &Distribution) {
        let series = self.of(metric);
        let mut series = series.lock().unwrap_or_else(PoisonError::into_inner);
        if unit.is_some() && series.unit.as_deref() != unit {
            series.unit = unit.map(str::to_owned);
        }
        for seconds in [0, 1] {
            let seconds = if seconds == 0 {
                &mut series.seconds
            } else {
                &mut series.unsaved
            };
            let present = seconds.entry(second).or_default();
            // Values known one by one go in one by one, so that they stay bounded.
            if observed.opaque {
                present.merge(observed);
            } else {
                observed
                    .values
                    .iter()
                    .for_each(|(value, count)| present.add(*value, *count));
            }
        }
    }

    fn of(&self, metric: Metric) -> Arc<Mutex<Series>> {
        if let Some(series) = self.series.read().unwrap_or_else(PoisonError::into_inner).get(&metric) {
            return series.clone();
        }
        self.series
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(metric)
            .or_default()
            .clone()
    }

    /// The unit that a metric's data came with last.
    pub fn unit(&self, metric: &Metric) -> Option<String> {
        let series = self
            .series
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(metric)
            .cloned()?;
        series.lock().unwrap_or_else(PoisonError::into_inner).unit.clone()
    }

    /// Every metric that has data, with the time of its newest, in order.
    pub fn metrics(&self) -> Vec<(Metric, i64)> {
        let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
        let mut metrics: Vec<(Metric, i64)> = all
            .iter()
            .filter_map(|(metric, series)| {
                let series = series.lock().unwrap_or_else(PoisonError::into_inner);
                Some((metric.clone(), *series.seconds.last_key_value()?.0))
            })
            .collect();
        metrics.sort();
        metrics
    }

    /// Writes what is new to the hour's segment and forgets what is too old.
    pub fn flush(&self, now: i64) -> io::Result<()> {
        let _one_at_a_time = self.flush.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = now - RETENTION_SECONDS;
        let all: Vec<(Metric, Arc<Mutex<Series>>)> = {
            let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
            all.iter()
                .map(|(metric, series)| (metric.clone(), series.clone()))
                .collect()
        };
        let (mut lines, mut empty) = (Vec::new(), BTreeSet::new());
        for (metric, series) in all {
            let mut series = series.lock().unwrap_or_else(PoisonError::into_inner);
            series.seconds = series.seconds.split_off(&oldest);
            let unsaved = std::mem::take(&mut series.unsaved);
            if series.seconds.is_empty() {
                empty.insert(metric);
            } else if !unsaved.is_empty() {
                let line = Line {
                    metric,
                    unit: series.unit.clone(),
                    seconds: unsaved,
                };
                // In front, so that a torn line before it ends there.
                lines.push(b'\n');
                serde_json::to_writer(&mut lines, &line)?;
            }
        }
        if !empty.is_empty() {
            let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
            all.retain(|metric, series| {
                let series = series.lock().unwrap_or_else(PoisonError::into_inner);
                !(empty.contains(metric) && series.seconds.is_empty() && series.unsaved.is_empty())
            });
        }
        if !lines.is_empty() {
            let segment = now.div_euclid(SEGMENT_SECONDS) * SEGMENT_SECONDS;
            let path = self.folder.join(format!("{segment}.jsonl"));
            fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)?
                .write_all(&lines)?;
        }
        // A segment may hold data of up to the retention before it, none younger than its end.
        for (start, path) in self.segments()? {
            if start + SEGMENT_SECONDS < oldest {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn segments(&self) -> io::Result<BTreeMap<i64, PathBuf>> {
        let mut segments = BTreeMap::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let start = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .and_then(|stem| stem.parse().ok());
            if let Some(start) = start {
                segments.insert(start, path);
            }
        }
        Ok(segments)
    }

    fn read_segment(&self, path: &Path, now: i64) -> io::Result<()> {
        for line in io::BufReader::new(fs::File::open(path)?).split(b'\n') {
            // A torn line is what a crash left of the last write.
            let Ok(line) = serde_json::from_slice::<Line>(&line?) else {
                continue;
            };
            let series = self.of(line.metric);
            let mut series = series.lock().unwrap_or_else(PoisonError::into_inner);
            series.unit = line.unit;
            for (second, distribution) in line.seconds {
                if second >= now - RETENTION_SECONDS {
                    series.seconds.entry(second).or_default().merge(&distribution);
                }
            }
        }
        Ok(())
    }
}

impl PointSource for SeriesStore {
    fn points(
        &self,
        metric: &Metric,
        statistic: Statistic,
        unit: Option<&str>,
        period: i64,
        window: Window,
    ) -> BTreeMap<i64, f64> {
        let series = self
            .series
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(metric)
            .cloned();
        let Some(series) = series else { return BTreeMap::new() };
        let series = series.lock().unwrap_or_else(PoisonError::into_inner);
        if unit.is_some_and(|unit| series.unit.as_deref().unwrap_or("None") != unit) {
            return BTreeMap::new();
        }
        let first = window.period_start(window.start, period);
        let mut periods: BTreeMap<i64, Distribution> = BTreeMap::new();
        if first < window.end {
            for (second, distribution) in series.seconds.range(first..window.end) {
                periods
                    .entry(window.period_start(*second, period))
                    .or_default()
                    .merge(distribution);
            }
        }
        periods
            .into_iter()
            .filter_map(|(start, all)| Some((start, all.statistic(statistic)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(function: &str) -> Metric {
        Metric::new("AWS/Lambda", "Errors", vec![("FunctionName".into(), function.into())])
    }

    const NOW: i64 = 1_760_443_200;

    fn sums(store: &SeriesStore, metric: &Metric, period: i64) -> Vec<(i64, f64)> {
        let window = Window {
            start: NOW,
            end: NOW + 180,
            anchor: 0,
        };
        store
            .points(metric, Statistic::Sum, None, period, window)
            .into_iter()
            .map(|(t, v)| (t - NOW, v))
            .collect()
    }

    #[test]
    fn periods_are_cut_at_their_borders_and_dimension_sets_stay_apart() {
        let folder = tempfile::tempdir().unwrap();
        let store = SeriesStore::open(folder.path().to_owned(), NOW).unwrap();
        for (second, value) in [(0, 1.0), (59, 2.0), (60, 4.0), (179, 8.0), (180, 16.0)] {
            store.record(metric("a"), Some("Count"), NOW + second, &Distribution::of(value, 1.0));
        }
        store.record(metric("b"), None, NOW, &Distribution::of(100.0, 1.0));
        assert_eq!(sums(&store, &metric("a"), 60), [(0, 3.0), (60, 4.0), (120, 8.0)]);
        assert_eq!(sums(&store, &metric("b"), 60), [(0, 100.0)]);
        assert_eq!(sums(&store, &Metric::new("AWS/Lambda", "Errors", vec![]), 60), []);
        let sliding = Window {
            start: NOW + 30,
            end: NOW + 90,
            anchor: NOW + 90,
        };
        let points = store.points(&metric("a"), Statistic::Sum, None, 60, sliding);
        assert_eq!(points, BTreeMap::from([(NOW + 30, 6.0)]));
        assert!(
            store
                .points(&metric("a"), Statistic::Sum, Some("Bytes"), 60, sliding)
                .is_empty()
        );
    }

    #[test]
    fn data_survives_a_restart_and_a_torn_line_and_ages_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = SeriesStore::open(folder.path().to_owned(), NOW).unwrap();
        store.record(metric("a"), Some("Count"), NOW, &Distribution::of(1.0, 2.0));
        store.flush(NOW + 1).unwrap();
        store.record(metric("a"), Some("Count"), NOW, &Distribution::of(5.0, 1.0));
        store.flush(NOW + 2).unwrap();
        let segment = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        fs::OpenOptions::new()
            .append(true)
            .open(&segment)
            .unwrap()
            .write_all(b"\n{\"metric\":{\"na")
            .unwrap();

        let store = SeriesStore::open(folder.path().to_owned(), NOW + 10).unwrap();
        assert_eq!(sums(&store, &metric("a"), 60), [(0, 7.0)]);
        assert_eq!(store.metrics(), [(metric("a"), NOW)]);
        store.record(metric("a"), Some("Count"), NOW + 11, &Distribution::of(1.0, 1.0));
        store.flush(NOW + 12).unwrap();
        let store = SeriesStore::open(folder.path().to_owned(), NOW + 20).unwrap();
        assert_eq!(
            sums(&store, &metric("a"), 60),
            [(0, 8.0)],
            "what follows a torn line is read"
        );
        store.flush(NOW + RETENTION_SECONDS + SEGMENT_SECONDS + 20).unwrap();
        assert_eq!(store.metrics(), []);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
