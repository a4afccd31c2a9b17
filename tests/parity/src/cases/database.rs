//! An instance with a replica, a cluster of Aurora, secrets, and a cache of Redis.

use cfn::elasticache::{ReplicationGroup, SubnetGroup};
use serde_json::json;
use stack::ec2::{
    InstanceClass, InstanceSize, InstanceType, Peer, Port, SecurityGroup, Subnet, SubnetSelection, SubnetType, Vpc,
};
use stack::lambda::{Code, Function, Runtime};
use stack::rds::{
    ClusterInstance, Credentials, DatabaseCluster, DatabaseInstance, ParameterGroup, StorageType, aurora_postgres,
    postgres,
};
use stack::secretsmanager::Secret;
use stack::units::{days, gib, seconds};
use stack::{App, CfnOutput, CfnResource, RemovalPolicy, Stack};

pub fn build(app: &App) {
    let stack = Stack::new(app, "DatabaseStack").build();
    let vpc = Vpc::new(&stack, "Vpc").max_azs(2).nat_gateways(1).build();
    let engine = postgres("16.13");
    let parameter_group = ParameterGroup::new(&stack, "Params", &engine)
        .parameter("rds.force_ssl", "1")
        .parameter("log_min_duration_statement", "500")
        .build();
    let medium = InstanceType::new(InstanceClass::T4G, InstanceSize::Medium);
    let primary = DatabaseInstance::new(&stack, "Primary", engine, &vpc)
        .vpc_subnets(SubnetSelection::of_type(SubnetType::PrivateWithEgress))
        .parameter_group(&parameter_group)
        .instance_type(medium.clone())
        .credentials(Credentials::generated_secret("llama_admin"))
        .database_name("defillama")
        .port(5433)
        .allocated_storage(gib(100))
        .max_allocated_storage(gib(400))
        .storage_type(StorageType::Gp3)
        .storage_encrypted(true)
        .iops(3000)
        .multi_az(true)
        .backup_retention(days(14))
        .preferred_backup_window("03:00-04:00")
        .preferred_maintenance_window("sun:05:00-sun:06:00")
        .performance_insights(true)
        .cloudwatch_logs_exports(["postgresql", "upgrade"])
        .monitoring_interval(seconds(60))
        .iam_authentication(true)
        .deletion_protection(true)
        .removal_policy(RemovalPolicy::Snapshot)
        .copy_tags_to_snapshot(true)
        .auto_minor_version_upgrade(false)
        .build();
    DatabaseInstance::read_replica(&stack, "Replica", &primary, &vpc, medium).build();
    let code = Code::inline("def handler(e, c): return 1");
    let function = Function::new(&stack, "Reader", Runtime::python_3_12(), code)
        .handler("index.handler")
        .vpc(&vpc)
        .build();
    primary.secret().grant_read(&function);
    primary.grant_connect(&function, "app");
    primary
        .connections()
        .allow_default_port_from_described(&function, Some("reader"));
    function.add_environment("SECRET_ARN", primary.secret().secret_arn());
    let large = InstanceType::new(InstanceClass::R6G, InstanceSize::Large);
    let writer = ClusterInstance::serverless_v2("writer");
    let cluster = DatabaseCluster::new(&stack, "Aurora", aurora_postgres("16.13"), writer, &vpc)
        .reader(ClusterInstance::provisioned("reader", &large))
        .serverless_v2_capacity(0.5, 8.0)
        .storage_encrypted(true)
        .default_database_name("analytics")
        .build();
    cluster
        .connections()
        .allow_default_port_from_described(&Peer::any_ipv4(), Some("open to the vpc"));
    let api_secret = Secret::new(&stack, "ApiKey")
        .secret_name("llama/api-key")
        .description("API key")
        .template(&json!({ "user": "api" }), "key")
        .generate(|generate| generate.exclude_punctuation(true).password_length(48))
        .build();
    api_secret.grant_read(&function);
    cache(&stack, &vpc, &function);
    CfnOutput::new(&stack, "Port", primary.endpoint_port()).build();
}

fn cache(stack: &Stack, vpc: &Vpc, function: &Function) {
    let security_group = SecurityGroup::new(stack, "RedisSg", vpc).build();
    security_group.connections().allow_from(function, &Port::tcp(6379));
    let subnets: Vec<_> = vpc.private_subnets().iter().map(Subnet::subnet_id).collect();
    let group = SubnetGroup::new()
        .description("redis")
        .subnet_ids(subnets)
        .cache_subnet_group_name("llama-redis");
    let group = CfnResource::new(stack, "RedisSubnets", group);
    let redis = ReplicationGroup::new()
        .replication_group_description("cache")
        .cache_node_type("cache.r6g.large")
        .engine("redis")
        .engine_version("7.1")
        .num_node_groups(1)
        .replicas_per_node_group(1)
        .automatic_failover_enabled(true)
        .multi_az_enabled(true)
        .at_rest_encryption_enabled(true)
        .transit_encryption_enabled(true)
        .security_group_ids([security_group.security_group_id()])
        .cache_subnet_group_name("llama-redis")
        .snapshot_retention_limit(5);
    let redis = CfnResource::new(stack, "Redis", redis);
    redis.depend_on(&group);
    function.add_environment("REDIS", redis.primary_end_point_address());
}
