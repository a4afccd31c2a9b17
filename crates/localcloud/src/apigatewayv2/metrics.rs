//! What requests and messages leave in CloudWatch, as AWS names it.
//!
//! API Gateway Developer Guide, "Working with metrics for HTTP APIs" and "Monitor WebSocket API execution with
//! CloudWatch metrics".

use jiff::Timestamp;

use super::live::LiveStage;
use super::service::ApiGatewayV2;
use crate::sink::Observation;

impl ApiGatewayV2 {
    /// Records `metrics` (name, value, unit) of an API's stage, and of a route where the stage wants that.
    pub(super) fn record(
        &self,
        stage: &LiveStage,
        route: Option<&str>,
        metrics: &[(&str, f64, &str)],
        timestamp: Timestamp,
    ) {
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (api, name) = (of("ApiId", &stage.api_id), of("Stage", &stage.name));
        let mut dimension_sets = vec![vec![api.clone()], vec![api.clone(), name.clone()]];
        if let Some(route) = route.filter(|route| stage.setting(route).detailed_metrics) {
            dimension_sets.push(vec![api, name, of("Route", route)]);
        }
        let observations = dimension_sets.iter().flat_map(|dimensions| {
            metrics.iter().map(|(metric_name, value, unit)| Observation {
                namespace: "AWS/ApiGateway".to_owned(),
                metric_name: (*metric_name).to_owned(),
                dimensions: dimensions.clone(),
                value: *value,
                unit: (*unit).to_owned(),
                timestamp,
            })
        });
        self.shared.ports.metrics.record(observations.collect());
    }
}
