//! How large the stacks are in which environment.

use std::time::Duration;

use stack::ec2::{InstanceClass, InstanceSize, InstanceType};
use stack::units::{Size, days, gib};
use stack::{App, RemovalPolicy, Scope};

/// The context value that says the environment.
const CONTEXT_KEY: &str = "environment";

/// Everything that differs between environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Stands in the names of alarms, by which the gates of a rollout know them.
    pub name: &'static str,
    /// How the deployment guide calls production is taken for `prod` too.
    pub is_production: bool,
    pub nat_gateways: usize,
    pub availability_zones: usize,
    pub multi_az: bool,
    pub storage: Size,
    pub backup_retention: Duration,
    pub database_size: (InstanceClass, InstanceSize),
    pub cache_node_type: &'static str,
    /// Kept free for each function that answers requests; nothing is kept free where nobody waits.
    pub reserved_concurrency: Option<u32>,
}

impl Environment {
    const PRODUCTION: Self = Self {
        name: "prod",
        is_production: true,
        nat_gateways: 2,
        availability_zones: 3,
        multi_az: true,
        storage: gib(500),
        backup_retention: days(7),
        database_size: (InstanceClass::R6G, InstanceSize::XLarge2),
        cache_node_type: "cache.r6g.xlarge",
        reserved_concurrency: Some(100),
    };

    /// As production, so that what is found there holds for production, with less behind it.
    const STAGING: Self = Self {
        name: "staging",
        is_production: false,
        storage: gib(100),
        database_size: (InstanceClass::R6G, InstanceSize::Large),
        cache_node_type: "cache.r6g.large",
        reserved_concurrency: Some(20),
        ..Self::PRODUCTION
    };

    const DEV: Self = Self {
        name: "dev",
        is_production: false,
        nat_gateways: 1,
        availability_zones: 2,
        multi_az: false,
        storage: gib(20),
        backup_retention: days(1),
        database_size: (InstanceClass::T4G, InstanceSize::Micro),
        cache_node_type: "cache.t4g.micro",
        reserved_concurrency: None,
    };

    /// What the context of the app says; production where it says nothing, because forgetting it must not shrink
    /// production. An unknown name is reported.
    pub fn of(app: &App) -> Self {
        let context = app.construct().context(CONTEXT_KEY);
        let name = context.as_ref().map_or(Some("prod"), |name| name.as_str());
        match name {
            Some("prod" | "production") => Self::PRODUCTION,
            Some("staging") => Self::STAGING,
            Some("dev" | "development") => Self::DEV,
            Some("local") => Self {
                name: "local",
                ..Self::DEV
            },
            other => {
                let other = other.unwrap_or("something that is no text");
                app.construct().report(format!(
                    "the environment `{other}` is unknown; there are dev, staging, prod and local"
                ));
                Self::DEV
            }
        }
    }

    pub fn database_type(&self) -> InstanceType {
        InstanceType::new(self.database_size.0, self.database_size.1)
    }

    /// Where data is precious a last snapshot stays; elsewhere a stack leaves nothing behind.
    pub fn database_removal_policy(&self) -> RemovalPolicy {
        if self.is_production {
            RemovalPolicy::Snapshot
        } else {
            RemovalPolicy::Destroy
        }
    }
}
