//! The Phase 2 stack of the deployment guide, completed where the guide leaves names open, and its monitoring stack,
//! which refers to the functions across the border of the stack.

use stack::apigateway::{AuthorizationType, LambdaIntegration, MethodOptions, RestApi, StageOptions, TokenAuthorizer};
use stack::cloudwatch::{Alarm, Dashboard, GraphWidget, Metric};
use stack::ec2::{InstanceClass, InstanceSize, InstanceType, Port, SecurityGroup, SubnetSelection, SubnetType, Vpc};
use stack::elasticache::{CacheCluster, CacheSubnetGroup};
use stack::lambda::{Code, Function, Runtime};
use stack::rds::{DatabaseInstance, StorageType, postgres};
use stack::units::{days, gib, mib, seconds};
use stack::{App, CfnOutput, Stack};

use super::asset;

pub fn build(app: &App) {
    let stack = Stack::new(app, "Phase2Stack").build();
    let vpc = Vpc::new(&stack, "Phase2VPC").max_azs(3).nat_gateways(2).build();
    let database = DatabaseInstance::new(&stack, "Phase2Database", postgres("15.17"), &vpc)
        .instance_type(InstanceType::new(InstanceClass::R6G, InstanceSize::XLarge2))
        .multi_az(true)
        .allocated_storage(gib(500))
        .storage_type(StorageType::Gp3)
        .backup_retention(days(7))
        .deletion_protection(true)
        .build();
    let security_group = SecurityGroup::new(&stack, "RedisSecurityGroup", &vpc)
        .description("Redis")
        .build();
    let private = vpc.select_subnets(&SubnetSelection::of_type(SubnetType::PrivateWithEgress));
    let subnet_group = CacheSubnetGroup::new(&stack, "RedisSubnetGroup", "Redis", &private);
    let redis = CacheCluster::redis(&stack, "Phase2Redis", "cache.r6g.xlarge")
        .security_groups([security_group.clone()])
        .subnet_group(&subnet_group)
        .build();
    let function = |id: &str, folder: &str| {
        Function::new(&stack, id, Runtime::nodejs_24(), Code::asset(asset(folder)))
            .handler("index.handler")
            .environment("DB_HOST", database.endpoint_address())
            .environment("REDIS_HOST", redis.redis_endpoint_address())
            .environment("CACHE_TTL", "300")
            .timeout(seconds(30))
            .memory(mib(1024))
            .reserved_concurrent_executions(100)
            .vpc(&vpc)
            .build()
    };
    let protocol_analytics = function("ProtocolAnalytics", "protocol-analytics");
    let yield_scanner = function("YieldScanner", "yield-scanner");
    let portfolio_tracker = function("PortfolioTracker", "portfolio-tracker");
    let functions = [protocol_analytics.clone(), yield_scanner, portfolio_tracker];
    for function in &functions {
        database.connections().allow_default_port_from(function);
        security_group.connections().allow_from(function, &Port::tcp(6379));
    }
    let authorizer_function = Function::new(
        &stack,
        "ApiKeyAuthorizerFn",
        Runtime::nodejs_24(),
        Code::asset(asset("authorizer")),
    )
    .handler("index.handler")
    .build();
    let authorizer = TokenAuthorizer::new(&stack, "ApiKeyAuthorizer", &authorizer_function).build();
    let api = RestApi::new(&stack, "Phase2API")
        .rest_api_name("DeFiLlama Phase 2 API")
        .deploy_options(StageOptions::new().named("prod").throttling(1000.0, 2000).tracing(true))
        .build();
    let performance = api
        .root()
        .add_resource("analytics")
        .add_resource("protocol")
        .add_resource("{protocolId}")
        .add_resource("performance");
    performance.add_method(
        "GET",
        LambdaIntegration::new(&protocol_analytics),
        MethodOptions::new()
            .authorization_type(AuthorizationType::Custom)
            .authorizer(&authorizer),
    );
    Alarm::new(&stack, "HighLatencyAlarm", protocol_analytics.metric_duration().p95())
        .at_least(500.0)
        .for_periods(2)
        .description("API latency exceeds 500ms (p95)")
        .build();
    Alarm::new(
        &stack,
        "HighErrorRateAlarm",
        protocol_analytics.metric_errors().statistic("sum"),
    )
    .at_least(10.0)
    .for_periods(1)
    .description("Error rate exceeds 10 errors/minute")
    .actions_enabled(true)
    .build();
    Alarm::new(
        &stack,
        "DatabaseConnectionAlarm",
        database.metric_database_connections(),
    )
    .at_least(80.0)
    .for_periods(2)
    .description("Database connections exceed 80%")
    .actions_enabled(true)
    .build();
    CfnOutput::new(&stack, "APIEndpoint", api.url())
        .description("API Gateway endpoint URL")
        .build();
    CfnOutput::new(&stack, "DatabaseEndpoint", database.endpoint_address())
        .description("RDS database endpoint")
        .build();

    let monitoring = Stack::new(app, "MonitoringStack").build();
    let dashboard = Dashboard::new(&monitoring, "Phase2Dashboard")
        .dashboard_name("DeFiLlama-Phase2")
        .build();
    let cache_hit_rate = Metric::new("AWS/ElastiCache", "CacheHitRate");
    dashboard.add_widgets([
        GraphWidget::new()
            .title("API Latency (p95)")
            .left(functions.iter().map(|function| function.metric_duration().p95()))
            .into(),
        GraphWidget::new()
            .title("Request Rate")
            .left(functions.iter().map(Function::metric_invocations))
            .into(),
        GraphWidget::new()
            .title("Error Rate")
            .left(functions.iter().map(Function::metric_errors))
            .into(),
        GraphWidget::new().title("Cache Hit Rate").left([cache_hit_rate]).into(),
    ]);
}
