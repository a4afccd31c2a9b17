//! The app of the tests about databases and caches: a PostgreSQL and a Redis, and nothing that uses them.

use std::process::ExitCode;

use stack::ec2::{SubnetSelection, SubnetType, Vpc};
use stack::elasticache::{CacheCluster, CacheSubnetGroup};
use stack::rds::{DatabaseInstance, postgres};
use stack::{CfnOutput, RemovalPolicy, Stack};

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
        let cache = CacheCluster::redis(&store, "Cache", "cache.t4g.micro")
            .subnet_group(&subnets)
            .build();
        CfnOutput::new(&store, "DatabaseSecretArn", database.secret().secret_arn()).build();
        CfnOutput::new(&store, "CacheHost", cache.redis_endpoint_address()).build();
    })
}
