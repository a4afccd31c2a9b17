//! Log groups.

use std::time::Duration;

use cfn::{IntoValue, Value, id};

use crate::element::{CfnResource, RemovalPolicy};
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::whole_days;

/// What CloudWatch keeps a log group for when nothing is said: two years.
const DEFAULT_RETENTION_DAYS: u64 = 731;

#[derive(Clone)]
pub struct LogGroup {
    construct: Construct,
    resource: CfnResource<cfn::logs::LogGroup>,
}

impl Scope for LogGroup {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct LogGroupBuilder {
    site: Site,
    properties: cfn::logs::LogGroup,
    retention: Option<u64>,
    removal_policy: RemovalPolicy,
}

impl LogGroupBuilder {
    pub fn log_group_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.log_group_name(name);
        self
    }

    /// Whole days, of those that CloudWatch offers: 1, 3, 5, 7, 14, 30, 60, 90, …
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = Some(whole_days(retention));
        self
    }

    /// Nothing is ever deleted.
    pub fn keep_forever(mut self) -> Self {
        self.retention = None;
        self
    }

    /// Kept if nothing is said: logs outlive what wrote them.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = policy;
        self
    }

    pub fn build(self) -> LogGroup {
        let construct = self.site.make("logs.LogGroup");
        let mut properties = self.properties;
        if let Some(days) = self.retention {
            properties = properties.retention_in_days(i64::try_from(days).unwrap_or(i64::MAX));
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(self.removal_policy);
        LogGroup { construct, resource }
    }
}

impl LogGroup {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> LogGroupBuilder {
        LogGroupBuilder {
            site: Site::new(scope, id),
            properties: cfn::logs::LogGroup::new(),
            retention: Some(DEFAULT_RETENTION_DAYS),
            removal_policy: RemovalPolicy::Retain,
        }
    }

    pub fn log_group_name(&self) -> Value<id::logs::LogGroupName> {
        self.resource.reference()
    }

    pub fn log_group_arn(&self) -> Value<id::logs::LogGroupArn> {
        self.resource.arn()
    }

    pub fn resource(&self) -> &CfnResource<cfn::logs::LogGroup> {
        &self.resource
    }
}
