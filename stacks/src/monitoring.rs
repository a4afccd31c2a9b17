//! The monitoring stack of the deployment guide: one dashboard.

use stack::cloudwatch::{Dashboard, GraphWidget, MathExpression, Metric};
use stack::{App, Stack};

use crate::phase2::Phase2;

pub fn build(app: &App, phase2: &Phase2) {
    let stack = Stack::new(app, "MonitoringStack")
        .description("DeFiLlama On-Chain Services, Phase 2: dashboard")
        .build();
    let dashboard = Dashboard::new(&stack, "Phase2Dashboard")
        .dashboard_name("DeFiLlama-Phase2")
        .build();
    let functions = &phase2.functions;
    dashboard.add_widgets([
        GraphWidget::new()
            .title("API Latency (p95)")
            .left(functions.iter().map(|function| function.metric_duration().p95()))
            .into(),
        GraphWidget::new()
            .title("Request Rate")
            .left(functions.iter().map(|function| function.metric_invocations()))
            .into(),
        GraphWidget::new()
            .title("Error Rate")
            .left(functions.iter().map(|function| function.metric_errors()))
            .right([phase2.api.metric_server_error()])
            .into(),
        GraphWidget::new()
            .title("Cache Hit Rate")
            .left([cache_hit_rate(phase2)])
            .into(),
    ]);
}

/// In percent. ElastiCache has no such metric for a Redis node, only hits and misses.
fn cache_hit_rate(phase2: &Phase2) -> MathExpression {
    let metric = |name: &str| {
        let cluster = phase2.redis.resource().reference();
        Metric::new("AWS/ElastiCache", name)
            .dimension("CacheClusterId", cluster)
            .sum()
    };
    MathExpression::new("100 * hits / (hits + misses)")
        .label("hit rate %")
        .using("hits", metric("CacheHits"))
        .using("misses", metric("CacheMisses"))
}
