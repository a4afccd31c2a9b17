//! Reading what a service recorded.

use std::sync::Mutex;

use localcloud::sink::Observation;

/// The values of a metric; `dimensions` as `Name=value` joined by commas.
pub fn values(observations: &Mutex<Vec<Observation>>, metric: &str, dimensions: &str) -> Vec<f64> {
    let joined = |observation: &Observation| {
        let pairs: Vec<String> = observation
            .dimensions
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join(",")
    };
    let observations = observations.lock().unwrap();
    let wanted = |observation: &&Observation| observation.metric_name == metric && joined(observation) == dimensions;
    observations
        .iter()
        .filter(wanted)
        .map(|observation| observation.value)
        .collect()
}
