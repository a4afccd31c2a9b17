//! What an invocation leaves behind: its lines in the log and its metrics, as AWS names both.

use jiff::Timestamp;

use super::record::Version;
use super::worker::Outcome;
use crate::sink::Observation;

/// AWS Lambda Developer Guide, "Lambda metrics": by function, by the resource that was invoked (the function or the
/// alias), and for aliases by the version that ran.
pub(super) struct MetricTarget {
    dimension_sets: Vec<Vec<(String, String)>>,
}

impl MetricTarget {
    pub fn new(function: &str, qualifier: Option<&str>, executed_version: Option<&str>) -> Self {
        let name = ("FunctionName".to_owned(), function.to_owned());
        let resource = qualifier.map_or_else(|| function.to_owned(), |qualifier| format!("{function}:{qualifier}"));
        let resource = ("Resource".to_owned(), resource);
        let mut dimension_sets = vec![vec![name.clone()], vec![name.clone(), resource.clone()]];
        if let Some(version) = executed_version {
            dimension_sets.push(vec![name, resource, ("ExecutedVersion".to_owned(), version.to_owned())]);
        }
        Self { dimension_sets }
    }

    /// An invocation that ran.
    pub fn ran(&self, failed: bool, milliseconds: f64, concurrency: u32, timestamp: Timestamp) -> Vec<Observation> {
        let metrics = [
            ("Invocations", 1.0, "Count"),
            ("Errors", if failed { 1.0 } else { 0.0 }, "Count"),
            ("Throttles", 0.0, "Count"),
            ("Duration", milliseconds, "Milliseconds"),
            ("ConcurrentExecutions", f64::from(concurrency), "Count"),
        ];
        self.observations(&metrics, timestamp)
    }

    /// An invocation that was refused: no invocation in the sense of the metric of that name.
    pub fn throttled(&self, timestamp: Timestamp) -> Vec<Observation> {
        self.observations(&[("Throttles", 1.0, "Count")], timestamp)
    }

    fn observations(&self, metrics: &[(&str, f64, &str)], timestamp: Timestamp) -> Vec<Observation> {
        let mut observations = Vec::with_capacity(metrics.len() * self.dimension_sets.len());
        for dimensions in &self.dimension_sets {
            observations.extend(metrics.iter().map(|(metric_name, value, unit)| Observation {
                namespace: "AWS/Lambda".to_owned(),
                metric_name: (*metric_name).to_owned(),
                dimensions: dimensions.clone(),
                value: *value,
                unit: (*unit).to_owned(),
                timestamp,
            }));
        }
        observations
    }
}

/// Everything that the invocation wrote, with the lines that Lambda puts around it.
pub(super) fn log_lines(request_id: &str, version: &Version, outcome: &mut Outcome, now: Timestamp) -> Vec<String> {
    let milliseconds = outcome.duration.as_secs_f64() * 1000.0;
    let mut lines = vec![format!("START RequestId: {request_id} Version: {}", version.version)];
    lines.append(&mut outcome.lines);
    if outcome.timed_out {
        let seconds = f64::from(version.configuration.timeout_seconds);
        lines.push(format!(
            "{} {request_id} Task timed out after {seconds:.2} seconds",
            now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        ));
    }
    lines.push(format!("END RequestId: {request_id}"));
    let mut report = format!(
        "REPORT RequestId: {request_id}\tDuration: {milliseconds:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB",
        milliseconds.ceil(),
        version.configuration.memory_megabytes
    );
    if let Some(megabytes) = outcome.peak_memory_megabytes {
        report.push_str(&format!("\tMax Memory Used: {megabytes} MB"));
    }
    if let Some(init) = outcome.init_duration {
        report.push_str(&format!("\tInit Duration: {:.2} ms", init.as_secs_f64() * 1000.0));
    }
    lines.push(report);
    lines
}

/// `2026/11/22/[7]0123…`: one stream a process.
pub(super) fn log_stream(version: &str, tail: &str, now: Timestamp) -> String {
    format!("{}/[{version}]{tail}", now.strftime("%Y/%m/%d"))
}

/// The last 4 KB, as `LogType: Tail` gives them.
pub(super) fn tail(lines: &[String]) -> String {
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let start = text.len().saturating_sub(4096);
    let start = (start..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len());
    text[start..].to_owned()
}
