//! The Phase 2 stack of the deployment guide, made deployable: a current PostgreSQL 15, functions in Rust, slots.
//!
//! Where the guide leaves names open or asks for what AWS refuses, it says here what was done instead. The guide's
//! functions `YieldScanner` and `PortfolioTracker` are not part of the repository yet.

use std::path::Path;

use stack::apigateway::{AuthorizationType, MethodOptions, RestApi, StageOptions, TokenAuthorizer};
use stack::cloudwatch::{Alarm, Metric};
use stack::ec2::{Connectable, Port, SecurityGroup, SubnetSelection, SubnetType, Vpc};
use stack::elasticache::{CacheCluster, CacheSubnetGroup};
use stack::lambda::{Code, Function, FunctionBuilder, Runtime};
use stack::rds::{DatabaseInstance, StorageType, postgres};
use stack::secretsmanager::Secret;
use stack::units::{mib, minutes, seconds};
use stack::{App, BlueGreen, CfnOutput, Scope, Stack};

use crate::environment::Environment;

/// The current minor version of the guide's 15.3, which AWS no longer creates.
const POSTGRES_VERSION: &str = "15.17";
const DATABASE_NAME: &str = "defillama";
const REDIS_PORT: u16 = 6379;
const CACHE_TTL_SECONDS: &str = "300";
/// The field of the generated secret that holds the key.
const API_KEY_FIELD: &str = "api_key";
const API_KEY_LENGTH: u32 = 40;

/// What the monitoring stack looks at.
pub struct Phase2 {
    pub functions: Vec<Function>,
    pub api: RestApi,
    pub redis: CacheCluster,
}

/// `artifacts` is the folder in which each function has a folder with its `bootstrap`.
pub fn build(app: &App, environment: Environment, artifacts: &Path) -> Phase2 {
    let stack = Stack::new(app, "Phase2Stack")
        .description("DeFiLlama On-Chain Services, Phase 2: analytics")
        .termination_protection(environment.is_production)
        .build();
    let vpc = Vpc::new(&stack, "Phase2VPC")
        .max_azs(environment.availability_zones)
        .nat_gateways(environment.nat_gateways)
        .build();
    let database = DatabaseInstance::new(&stack, "Phase2Database", postgres(POSTGRES_VERSION), &vpc)
        .instance_type(environment.database_type())
        .database_name(DATABASE_NAME)
        .multi_az(environment.multi_az)
        .allocated_storage(environment.storage)
        .storage_type(StorageType::Gp3)
        .storage_encrypted(true)
        .backup_retention(environment.backup_retention)
        .deletion_protection(environment.is_production)
        .removal_policy(environment.database_removal_policy())
        .build();
    // One node: AWS takes no more in a cache cluster of Redis. Several nodes would be a `ReplicationGroup`.
    let private = vpc.select_subnets(&SubnetSelection::of_type(SubnetType::PrivateWithEgress));
    let redis_group = SecurityGroup::new(&stack, "RedisSecurityGroup", &vpc)
        .description("Redis")
        .build();
    let redis_subnets = CacheSubnetGroup::new(&stack, "RedisSubnetGroup", "Redis", &private);
    let redis = CacheCluster::redis(&stack, "Phase2Redis", environment.cache_node_type)
        .security_groups([redis_group])
        .subnet_group(&redis_subnets)
        .build();

    let with_data = |id: &str, artifact: &str| {
        let mut function = function(&stack, id, &artifacts.join(artifact))
            .environment("DB_SECRET_ARN", database.secret().secret_arn())
            .environment("REDIS_HOST", redis.redis_endpoint_address())
            .environment("REDIS_PORT", redis.redis_endpoint_port())
            .environment("CACHE_TTL", CACHE_TTL_SECONDS)
            .vpc(&vpc);
        if let Some(count) = environment.reserved_concurrency {
            function = function.reserved_concurrent_executions(count);
        }
        let function = function.build();
        database.secret().grant_read(&function);
        database.connections().allow_default_port_from(&function);
        redis.connections().allow_from(&function, &Port::tcp(REDIS_PORT));
        function
    };
    let protocol_analytics = with_data("ProtocolAnalytics", "protocol-analytics");
    let health = with_data("Health", "health");

    let api_keys = Secret::new(&stack, "ApiKeys")
        .description("The key that callers of the Phase 2 API show")
        .template(&serde_json::json!({ "owner": "phase2" }), API_KEY_FIELD)
        .generate(|how| how.password_length(API_KEY_LENGTH).exclude_punctuation(true))
        .build();
    let authorizer_function = function(&stack, "ApiKeyAuthorizerFn", &artifacts.join("api-key-authorizer"))
        .environment("API_KEYS_SECRET_ARN", api_keys.secret_arn())
        .build();
    api_keys.grant_read(&authorizer_function);
    let authorizer = TokenAuthorizer::new(&stack, "ApiKeyAuthorizer", &authorizer_function).build();

    let api = RestApi::new(&stack, "Phase2API")
        .rest_api_name("DeFiLlama Phase 2 API")
        .deploy(false)
        .build();
    let slots = BlueGreen::new(&stack, "Slots", &api)
        .live_stage(StageOptions::new().named("prod").throttling(1000.0, 2000).tracing(true))
        .function(&protocol_analytics)
        .function(&health)
        .build();
    let guarded = MethodOptions::new()
        .authorization_type(AuthorizationType::Custom)
        .authorizer(&authorizer);
    let performance = api
        .root()
        .resource_for_path("/analytics/protocol/{protocolId}/performance");
    performance.add_method("GET", slots.integration(&protocol_analytics), guarded);
    api.root()
        .add_resource("health")
        .add_method("GET", slots.integration(&health), MethodOptions::new())
        .construct()
        .suppress("LDP205", "load balancers and monitors ask for the health without a key");

    alarms(&stack, environment, &protocol_analytics, &database);
    CfnOutput::new(&stack, "APIEndpoint", api.url())
        .description("API Gateway endpoint URL")
        .build();
    CfnOutput::new(&stack, "DatabaseEndpoint", database.endpoint_address())
        .description("RDS database endpoint")
        .build();
    CfnOutput::new(&stack, "DatabaseSecretArn", database.secret().secret_arn())
        .description("The secret with the database's user, password and address")
        .build();
    CfnOutput::new(&stack, "ApiKeysSecretArn", api_keys.secret_arn())
        .description("The secret with the API's keys")
        .build();
    Phase2 {
        functions: vec![protocol_analytics, health],
        api,
        redis,
    }
}

/// A native function; its artifact is a folder with the executable `bootstrap`.
#[track_caller]
fn function(stack: &Stack, id: &str, artifact: &Path) -> FunctionBuilder {
    Function::new(stack, id, Runtime::provided_al2023(), Code::asset(artifact))
        .timeout(seconds(30))
        .memory(mib(1024))
}

/// The guide's alerting rules, named so that `llama-deploy.toml` can make gates of them. The threshold of 80 connections
/// is called 80 % there; it is a number of connections.
fn alarms(stack: &Stack, environment: Environment, analytics: &Function, database: &DatabaseInstance) {
    let alarm = |id: &str, name: &str, metric: Metric| {
        Alarm::new(stack, id, metric).alarm_name(format!("phase2-{}-{name}", environment.name))
    };
    alarm("HighLatencyAlarm", "high-latency", analytics.metric_duration().p95())
        .at_least(500.0)
        .for_periods(2)
        .description("API latency exceeds 500ms (p95)")
        .build();
    alarm(
        "HighErrorRateAlarm",
        "high-error-rate",
        analytics.metric_errors().period(minutes(1)),
    )
    .at_least(10.0)
    .for_periods(1)
    .description("Error rate exceeds 10 errors/minute")
    .actions_enabled(true)
    .build();
    let connections = database.metric_database_connections();
    alarm("DatabaseConnectionAlarm", "database-connections", connections)
        .at_least(80.0)
        .for_periods(2)
        .description("Database connections exceed 80%")
        .actions_enabled(true)
        .build();
}
