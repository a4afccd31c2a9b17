//! Groups of schedules, which are watched and permitted together.

use cfn::{Expr, IntoValue, Value};

use crate::cloudwatch::Metric;
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{Grant, Grantee};
use crate::logical_id;
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};

const MAX_NAME_LENGTH: usize = 64;

#[derive(Clone)]
pub struct ScheduleGroup {
    construct: Construct,
    resource: CfnResource<cfn::scheduler::ScheduleGroup>,
    name: Value<String>,
}

impl Scope for ScheduleGroup {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct ScheduleGroupBuilder {
    site: Site,
    name: Option<Value<String>>,
    removal_policy: RemovalPolicy,
}

impl ScheduleGroupBuilder {
    /// Made from the path if nothing is said.
    pub fn schedule_group_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value());
        self
    }

    /// Kept if nothing is said: with a group, its schedules go.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = policy;
        self
    }

    pub fn build(self) -> ScheduleGroup {
        let construct = self.site.make("scheduler.ScheduleGroup");
        let name = self.name.unwrap_or_else(|| name_of(&construct).into_value());
        let resource = cfn::scheduler::ScheduleGroup::new().name(&name);
        let resource = CfnResource::new(&construct, "Resource", resource);
        resource.apply_removal_policy(self.removal_policy);
        ScheduleGroup {
            construct,
            resource,
            name,
        }
    }
}

/// The stack's name and the path in it, with hyphens.
fn name_of(construct: &Construct) -> String {
    let stack = Stack::of(construct);
    let tree = construct.tree();
    let name = stack.stack_name();
    let mut path = vec![name.as_str()];
    path.extend(tree.ids_below(stack.construct().node(), construct.node()));
    let style = logical_id::Style {
        separator: "-",
        ..logical_id::Style::default()
    };
    logical_id::unique_resource_name_with(&path, "", style, MAX_NAME_LENGTH)
}

impl ScheduleGroup {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> ScheduleGroupBuilder {
        ScheduleGroupBuilder {
            site: Site::new(scope, id),
            name: None,
            removal_policy: RemovalPolicy::Retain,
        }
    }

    pub fn schedule_group_name(&self) -> Value<String> {
        self.name.clone()
    }

    pub fn schedule_group_arn(&self) -> Value<String> {
        self.resource.arn()
    }

    pub fn resource(&self) -> &CfnResource<cfn::scheduler::ScheduleGroup> {
        &self.resource
    }

    /// Actions on the group itself.
    pub fn grant(&self, grantee: impl Into<Grantee>, actions: impl IntoIterator<Item = impl Into<String>>) {
        Grant::new(actions, [self.schedule_group_arn()]).to(&grantee.into(), |_| {});
    }

    pub fn grant_read_schedules(&self, grantee: impl Into<Grantee>) {
        self.grant_schedules(grantee, &["scheduler:GetSchedule", "scheduler:ListSchedules"]);
    }

    pub fn grant_write_schedules(&self, grantee: impl Into<Grantee>) {
        self.grant_schedules(grantee, &["scheduler:CreateSchedule", "scheduler:UpdateSchedule"]);
    }

    pub fn grant_delete_schedules(&self, grantee: impl Into<Grantee>) {
        self.grant_schedules(grantee, &["scheduler:DeleteSchedule"]);
    }

    fn grant_schedules(&self, grantee: impl Into<Grantee>, actions: &[&str]) {
        let name = Expr::concat([self.name.clone().into_expr(), "/*".into()]);
        let arn = Stack::of(self).format_arn(Arn::new("scheduler", "schedule").name(name));
        Grant::new(actions.iter().copied(), [arn]).to(&grantee.into(), |_| {});
    }

    /// A metric of `AWS/Scheduler` about the schedules of this group, as a sum.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/Scheduler", name)
            .dimension("ScheduleGroup", self.schedule_group_name())
            .sum()
            .attached_to(&self.construct)
    }

    pub fn metric_attempts(&self) -> Metric {
        self.metric("InvocationAttemptCount")
    }

    pub fn metric_throttled(&self) -> Metric {
        self.metric("InvocationThrottleCount")
    }

    pub fn metric_target_errors(&self) -> Metric {
        self.metric("TargetErrorCount")
    }

    pub fn metric_target_throttled(&self) -> Metric {
        self.metric("TargetErrorThrottledCount")
    }

    pub fn metric_dropped(&self) -> Metric {
        self.metric("InvocationDroppedCount")
    }

    pub fn metric_sent_to_dead_letter_queue(&self) -> Metric {
        self.metric("InvocationsSentToDeadLetterCount")
    }

    pub fn metric_failed_to_be_sent_to_dead_letter_queue(&self) -> Metric {
        self.metric("InvocationsFailedToBeSentToDeadLetterCount")
    }
}
