//! How databases are watched: performance insights, and measurements of the operating system.

use std::time::Duration;

use cfn::{Value, id};

use crate::iam::{ManagedPolicy, Principal, Role};
use crate::tree::Construct;

const DEFAULT_RETENTION_DAYS: u32 = 7;
/// What RDS asks of the advanced mode.
const ADVANCED_RETENTION_DAYS: u32 = 465;

/// How much Database Insights shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseInsightsMode {
    Standard,
    /// Performance insights with a retention of 465 days.
    Advanced,
}

impl DatabaseInsightsMode {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Advanced => "advanced",
        }
    }
}

/// What was said about performance insights.
#[derive(Clone, Default)]
pub(super) struct Insights {
    pub(super) on: Option<bool>,
    pub(super) retention_days: Option<u32>,
    pub(super) encryption_key: Option<Value<id::kms::AnyKey>>,
    pub(super) mode: Option<DatabaseInsightsMode>,
}

impl Insights {
    fn is_implied(&self) -> bool {
        self.retention_days.is_some()
            || self.encryption_key.is_some()
            || self.mode == Some(DatabaseInsightsMode::Advanced)
    }

    pub(super) fn enabled(&self) -> Option<bool> {
        self.on.or(self.is_implied().then_some(true))
    }

    pub(super) fn retention(&self) -> Option<u32> {
        (self.enabled() == Some(true)).then(|| self.retention_days.unwrap_or(DEFAULT_RETENTION_DAYS))
    }

    pub(super) fn check(&self, construct: &Construct) {
        if self.on == Some(false) && self.is_implied() {
            construct.report("performance insights are off, but their retention, key or advanced mode was set");
        }
        if self.mode == Some(DatabaseInsightsMode::Advanced) && self.retention_days != Some(ADVANCED_RETENTION_DAYS) {
            construct.report(format!(
                "the advanced mode of Database Insights keeps for {ADVANCED_RETENTION_DAYS} days; set \
                 `performance_insights_retention_days({ADVANCED_RETENTION_DAYS})`"
            ));
        }
    }
}

/// What measures the operating system needs this role, made unless there is one.
pub(super) fn monitoring_role(construct: &Construct, interval: Option<Duration>, role: Option<&Role>) -> Option<Role> {
    let interval = interval?;
    if interval.is_zero() {
        return None;
    }
    let make = || {
        Role::new(
            construct,
            "MonitoringRole",
            Principal::service("monitoring.rds.amazonaws.com"),
        )
        .managed_policy(ManagedPolicy::aws("service-role/AmazonRDSEnhancedMonitoringRole"))
        .build()
    };
    Some(role.cloned().unwrap_or_else(make))
}

/// What lets a database look users up in a directory, made unless there is one.
pub(super) fn directory_role(construct: &Construct, id: &str, role: Option<&Role>) -> Role {
    let make = || {
        Role::new(construct, id, Principal::service("rds.amazonaws.com"))
            .also_assumed_by(Principal::service("directoryservice.rds.amazonaws.com"))
            .managed_policy(ManagedPolicy::aws("service-role/AmazonRDSDirectoryServiceAccess"))
            .build()
    };
    role.cloned().unwrap_or_else(make)
}
