//! The app of the tests about databases and caches: a PostgreSQL and a Redis, and nothing that uses them. The context
//! `scenario = "shards"` makes the Redis one in shards with a password.

use std::process::ExitCode;

use stack::ec2::{SubnetSelection, SubnetType, Vpc};
use stack::elasticache::{CacheCluster, CacheEngine, CacheSubnetGroup, ReplicationGroup};
use stack::rds::{DatabaseInstance, postgres};
use stack::secretsmanager::Secret;
use stack::{CfnOutput, RemovalPolicy, Scope, Stack};

fn main() -> ExitCode {
    stack::run(|app| {
        let store = Stack::new(app, "Store").build();
        let vpc = Vpc::new(&store, "Vpc").max_azs(2).nat_gateways(0).build();
        let isolated = SubnetSelection::of_type(SubnetType::PrivateIsolated);
        let database = DatabaseInstance::new(&store, "Database", postgres("15.17"), &vpc)
            .vpc_subnets(isolated.clone())
            .database_name("store")
            .removal_policy(RemovalPolicy::Destroy)
            .build();
        let subnets = CacheSubnetGroup::new(&store, "CacheSubnets", "Redis", &vpc.select_subnets(&isolated));
        let scenario = app.construct().context("scenario");
        if scenario.is_some_and(|scenario| scenario.as_str() == Some("shards")) {
            ReplicationGroup::new(&store, "Cache", CacheEngine::Redis, "cache.t4g.micro")
                .shards(2, 0)
                .transit_encryption(true)
                .subnet_group(&subnets)
                .build();
            let password = Secret::new(&store, "CachePassword").build();
            CfnOutput::new(&store, "CacheSecretArn", password.secret_arn()).build();
        } else {
            let cache = CacheCluster::redis(&store, "Cache", "cache.t4g.micro")
                .subnet_group(&subnets)
                .build();
            CfnOutput::new(&store, "CacheHost", cache.redis_endpoint_address()).build();
        }
        CfnOutput::new(&store, "DatabaseSecretArn", database.secret().secret_arn()).build();
    })
}
