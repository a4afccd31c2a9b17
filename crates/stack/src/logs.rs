//! Log groups, and what is made of the events in them: metrics, deliveries, saved queries.

mod filter;
mod query;

pub use filter::{FilterPattern, MetricFilter, MetricFilterBuilder, SubscriptionFilter, SubscriptionFilterBuilder};
pub use query::{QueryDefinition, QueryString};

use std::time::Duration;

use cfn::{Expr, IntoValue, Value, id};

use crate::cloudwatch::json_text::json_text;
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{Grant, Grantee, PolicyStatement, ResourcePolicy};
use crate::site::Site;
use crate::stack::{Arn, ArnFormat, Stack};
use crate::tree::{Construct, Scope};
use crate::units::whole_days;

/// What CloudWatch keeps a log group for when nothing is said: two years.
const DEFAULT_RETENTION_DAYS: u64 = 731;

/// A log group: made here, or taken over by its name.
#[derive(Clone)]
pub struct LogGroup {
    construct: Construct,
    name: Value<id::logs::LogGroupName>,
    arn: Value<id::logs::LogGroupArn>,
    resource: Option<CfnResource<cfn::logs::LogGroup>>,
    policy: ResourcePolicy,
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

    /// Encrypts with a key of the account's own.
    pub fn encryption_key(mut self, arn: impl IntoValue<id::kms::AnyKey>) -> Self {
        self.properties = self.properties.kms_key_id(arn);
        self
    }

    /// Cheaper to write and without metric filters, live tail and alarms: `INFREQUENT_ACCESS`, against `STANDARD`; or
    /// `DELIVERY`, for what is only passed on.
    pub fn log_group_class(mut self, class: impl IntoValue<String>) -> Self {
        self.properties = self.properties.log_group_class(class);
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::logs::LogGroup) -> cfn::logs::LogGroup) -> Self {
        self.properties = change(self.properties);
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
        LogGroup {
            construct,
            name: resource.reference(),
            arn: resource.arn(),
            resource: Some(resource),
            policy: ResourcePolicy::new("PolicyDocument").in_text(),
        }
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

    /// A log group of the stack's account and region that exists already.
    #[track_caller]
    pub fn from_name(scope: &impl Scope, id: impl Into<String>, name: impl IntoValue<String>) -> Self {
        let construct = Site::new(scope, id).make("logs.LogGroup");
        let name = name.into_value();
        let arn = Arn::new("logs", "log-group")
            .name(Expr::concat([name.clone().into_expr(), ":*".into()]))
            .format(ArnFormat::Colon);
        Self {
            arn: Stack::of(&construct).format_arn(arn).cast(),
            construct,
            name: name.cast(),
            resource: None,
            policy: ResourcePolicy::new("PolicyDocument").in_text(),
        }
    }

    pub fn log_group_name(&self) -> Value<id::logs::LogGroupName> {
        self.name.clone()
    }

    /// Ends with `:*`, all streams of the group.
    pub fn log_group_arn(&self) -> Value<id::logs::LogGroupArn> {
        self.arn.clone()
    }

    /// Of a log group that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::logs::LogGroup> {
        let known = self.resource.clone();
        known.unwrap_or_else(|| CfnResource::elsewhere(&self.construct))
    }

    /// A stream in it, for what writes to a stream that it did not make. Kept when it leaves the stack.
    #[track_caller]
    pub fn add_stream(
        &self,
        scope: &impl Scope,
        id: impl Into<String>,
        name: Option<&str>,
    ) -> CfnResource<cfn::logs::LogStream> {
        let construct = Site::new(scope, id).make("logs.LogStream");
        let mut properties = cfn::logs::LogStream::new().log_group_name(self.log_group_name());
        if let Some(name) = name {
            properties = properties.log_stream_name(name);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(RemovalPolicy::Retain);
        resource
    }

    /// May make streams and write to them.
    pub fn grant_write(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ["logs:CreateLogStream", "logs:PutLogEvents"]);
    }

    pub fn grant_read(&self, grantee: impl Into<Grantee>) {
        let actions = [
            "logs:FilterLogEvents",
            "logs:GetLogEvents",
            "logs:GetLogGroupFields",
            "logs:DescribeLogGroups",
            "logs:DescribeLogStreams",
        ];
        let own = Arn::new("logs", "log-group")
            .name(self.log_group_name())
            .format(ArnFormat::Colon);
        let own = Stack::of(self).format_arn(own);
        Grant::new(actions, [own, self.log_group_arn().into_expr()])
            .to(&grantee.into(), |statement| self.add_to_resource_policy(statement));
    }

    pub fn grant(&self, grantee: impl Into<Grantee>, actions: impl IntoIterator<Item = impl Into<String>>) {
        Grant::new(actions, [self.log_group_arn()])
            .to(&grantee.into(), |statement| self.add_to_resource_policy(statement));
    }

    /// Adds to the policy by which services may write; the account has ten of them at most.
    pub fn add_to_resource_policy(&self, statement: PolicyStatement) {
        self.policy.add(statement, |document| {
            let construct = Site::new(self, "Policy").make("logs.ResourcePolicy");
            let properties = cfn::logs::ResourcePolicy::new()
                .policy_document(json_text(&document.render()).cast::<String>())
                .policy_name(construct.unique_id());
            CfnResource::new(&construct, "ResourcePolicy", properties).untyped()
        });
    }
}
