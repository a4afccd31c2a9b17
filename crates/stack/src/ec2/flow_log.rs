//! Records of the traffic of a VPC or a subnet, in CloudWatch Logs.
//!
//! Delivery to a bucket or to Firehose is not offered here.

use cfn::Value;

use crate::element::CfnResource;
use crate::iam::{PolicyStatement, Principal, Role};
use crate::logs::LogGroup;
use crate::site::Site;
use crate::tags::Tags;
use crate::tree::{Construct, Scope};

/// Which traffic is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowLogTraffic {
    #[default]
    All,
    Accepted,
    Rejected,
}

impl FlowLogTraffic {
    const fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Accepted => "ACCEPT",
            Self::Rejected => "REJECT",
        }
    }
}

/// For how long traffic is collected into one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowLogInterval {
    OneMinute,
    TenMinutes,
}

impl FlowLogInterval {
    const fn seconds(self) -> i64 {
        match self {
            Self::OneMinute => 60,
            Self::TenMinutes => 600,
        }
    }
}

#[derive(Clone)]
pub struct FlowLog {
    construct: Construct,
    resource: CfnResource<cfn::ec2::FlowLog>,
    log_group: LogGroup,
    role: Role,
}

impl Scope for FlowLog {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct FlowLogBuilder {
    site: Site,
    resource_type: &'static str,
    resource_id: Value<String>,
    traffic: FlowLogTraffic,
    interval: Option<FlowLogInterval>,
    fields: Vec<String>,
    name: Option<String>,
    log_group: Option<LogGroup>,
    role: Option<Role>,
}

impl FlowLogBuilder {
    #[track_caller]
    pub(crate) fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        resource_type: &'static str,
        resource_id: Value<String>,
    ) -> Self {
        Self {
            site: Site::new(scope, id),
            resource_type,
            resource_id,
            traffic: FlowLogTraffic::All,
            interval: None,
            fields: Vec::new(),
            name: None,
            log_group: None,
            role: None,
        }
    }

    /// All of it if nothing is said.
    pub fn traffic(mut self, traffic: FlowLogTraffic) -> Self {
        self.traffic = traffic;
        self
    }

    /// Ten minutes if nothing is said.
    pub fn max_aggregation_interval(mut self, interval: FlowLogInterval) -> Self {
        self.interval = Some(interval);
        self
    }

    /// What a record holds, in this order: `srcaddr`, `dstaddr`, `action`, … The default format if nothing is said.
    pub fn fields(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fields.extend(fields.into_iter().map(Into::into));
        self
    }

    /// The `Name` tag; the path if nothing is said.
    pub fn flow_log_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// This instead of a log group of its own.
    pub fn log_group(mut self, group: &LogGroup) -> Self {
        self.log_group = Some(group.clone());
        self
    }

    /// This instead of a role of its own.
    pub fn role(mut self, role: &Role) -> Self {
        self.role = Some(role.clone());
        self
    }

    pub fn build(self) -> FlowLog {
        let construct = self.site.make("ec2.FlowLog");
        let role = self.role.unwrap_or_else(|| {
            Role::new(&construct, "IAMRole", Principal::service("vpc-flow-logs.amazonaws.com")).build()
        });
        let log_group = self
            .log_group
            .unwrap_or_else(|| LogGroup::new(&construct, "LogGroup").build());
        role.add_to_policy(
            PolicyStatement::allow(["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"])
                .on(log_group.log_group_arn().cast::<String>()),
        );
        Tags::of(&construct).add("Name", self.name.unwrap_or_else(|| construct.path_for_names()));
        let mut properties = cfn::ec2::FlowLog::new()
            .resource_id(self.resource_id)
            .resource_type(self.resource_type)
            .traffic_type(self.traffic.as_str())
            .log_destination_type("cloud-watch-logs")
            .log_group_name(log_group.log_group_name())
            .deliver_logs_permission_arn(role.role_arn());
        if let Some(interval) = self.interval {
            properties = properties.max_aggregation_interval(interval.seconds());
        }
        if !self.fields.is_empty() {
            let fields: Vec<String> = self.fields.iter().map(|field| format!("${{{field}}}")).collect();
            properties = properties.log_format(fields.join(" "));
        }
        let resource = CfnResource::new(&construct, "FlowLog", properties);
        FlowLog {
            construct,
            resource,
            log_group,
            role,
        }
    }
}

impl FlowLog {
    pub fn flow_log_id(&self) -> Value<String> {
        self.resource.reference()
    }

    pub fn log_group(&self) -> &LogGroup {
        &self.log_group
    }

    pub fn role(&self) -> &Role {
        &self.role
    }

    pub fn resource(&self) -> &CfnResource<cfn::ec2::FlowLog> {
        &self.resource
    }
}
