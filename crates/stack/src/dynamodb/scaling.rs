//! Capacity that follows the load, or the clock.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::applicationautoscaling::{scalable_target, scaling_policy};
use cfn::{Builder, Expr, IntoValue};

use super::table::Table;
use crate::element::CfnResource;
use crate::events::Schedule;
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

#[derive(Clone, Copy)]
enum Direction {
    Read,
    Write,
}

impl Direction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
        }
    }
}

/// The share of the capacity that is to be in use.
#[derive(Clone, Debug)]
pub struct Utilization {
    percent: f64,
    policy_name: Option<String>,
    disable_scale_in: Option<bool>,
    scale_in_cooldown: Option<Duration>,
    scale_out_cooldown: Option<Duration>,
}

impl Utilization {
    /// 10 to 90.
    pub const fn percent(percent: f64) -> Self {
        Self {
            percent,
            policy_name: None,
            disable_scale_in: None,
            scale_in_cooldown: None,
            scale_out_cooldown: None,
        }
    }

    #[must_use]
    pub fn policy_name(mut self, name: impl Into<String>) -> Self {
        self.policy_name = Some(name.into());
        self
    }

    /// Never takes capacity away.
    #[must_use]
    pub fn disable_scale_in(mut self, on: bool) -> Self {
        self.disable_scale_in = Some(on);
        self
    }

    /// How long it waits between taking capacity away twice.
    #[must_use]
    pub fn scale_in_cooldown(mut self, duration: Duration) -> Self {
        self.scale_in_cooldown = Some(duration);
        self
    }

    #[must_use]
    pub fn scale_out_cooldown(mut self, duration: Duration) -> Self {
        self.scale_out_cooldown = Some(duration);
        self
    }
}

/// Other bounds from a certain time on.
#[derive(Clone, Debug)]
pub struct ScheduledCapacity {
    schedule: Schedule,
    min: Option<u32>,
    max: Option<u32>,
    time_zone: Option<String>,
}

impl ScheduledCapacity {
    pub const fn at(schedule: Schedule) -> Self {
        Self {
            schedule,
            min: None,
            max: None,
            time_zone: None,
        }
    }

    #[must_use]
    pub fn min(mut self, units: u32) -> Self {
        self.min = Some(units);
        self
    }

    #[must_use]
    pub fn max(mut self, units: u32) -> Self {
        self.max = Some(units);
        self
    }

    /// `Europe/Berlin`; UTC if nothing is said.
    #[must_use]
    pub fn time_zone(mut self, name: impl Into<String>) -> Self {
        self.time_zone = Some(name.into());
        self
    }
}

/// Reading or writing of a table or an index, within bounds that move.
#[derive(Clone)]
pub struct ScalableCapacity {
    construct: Construct,
    resource: CfnResource<cfn::applicationautoscaling::ScalableTarget>,
    direction: Direction,
    scheduled: Rc<RefCell<Vec<Expr>>>,
}

impl Scope for ScalableCapacity {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl Table {
    /// Between `min` and `max` units, once one of the `scale_on…` methods says when.
    #[track_caller]
    pub fn auto_scale_read_capacity(&self, min: u32, max: u32) -> ScalableCapacity {
        self.scale(None, Direction::Read, min, max)
    }

    #[track_caller]
    pub fn auto_scale_write_capacity(&self, min: u32, max: u32) -> ScalableCapacity {
        self.scale(None, Direction::Write, min, max)
    }

    /// As [`Table::auto_scale_read_capacity`], of a global index.
    #[track_caller]
    pub fn auto_scale_index_read_capacity(&self, index: &str, min: u32, max: u32) -> ScalableCapacity {
        self.scale(Some(index), Direction::Read, min, max)
    }

    #[track_caller]
    pub fn auto_scale_index_write_capacity(&self, index: &str, min: u32, max: u32) -> ScalableCapacity {
        self.scale(Some(index), Direction::Write, min, max)
    }

    #[track_caller]
    fn scale(&self, index: Option<&str>, direction: Direction, min: u32, max: u32) -> ScalableCapacity {
        let id = format!("{}{}Scaling", index.unwrap_or_default(), direction.as_str());
        let construct = Site::new(self, id.as_str()).make("dynamodb.ScalableTableAttribute");
        if self.inner.capacity.is_on_demand() {
            construct.report("a table on demand scales of itself");
        }
        if index.is_some_and(|index| !self.inner.global_indexes.iter().any(|known| known == index)) {
            construct.report(format!("the table has no global index `{}`", index.unwrap_or_default()));
        }
        if min > max {
            construct.report(format!("the least capacity, {min}, is above the most, {max}"));
        }
        let target = Construct::of_type(&construct, "Target", "applicationautoscaling.ScalableTarget");
        let path = index.map(|index| format!("/index/{index}")).unwrap_or_default();
        let resource_id = Expr::concat(["table/".into(), self.table_name().into_expr(), path.into()]);
        let kind = if index.is_some() { "index" } else { "table" };
        let role = Stack::of(self).format_arn(
            Arn::new(
                "iam",
                "role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com",
            )
            .region("")
            .name("AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"),
        );
        let properties = cfn::applicationautoscaling::ScalableTarget::new()
            .min_capacity(min)
            .max_capacity(max)
            .resource_id(resource_id.cast::<cfn::id::msk::ClusterArn>())
            .role_arn(role.cast::<cfn::id::iam::RoleArn>())
            .scalable_dimension(format!("dynamodb:{kind}:{}CapacityUnits", direction.as_str()))
            .service_namespace("dynamodb");
        let resource = CfnResource::new(&target, "Resource", properties);
        ScalableCapacity {
            construct: target,
            resource,
            direction,
            scheduled: Rc::default(),
        }
    }
}

impl ScalableCapacity {
    /// Follows the load.
    #[track_caller]
    pub fn scale_on_utilization(&self, utilization: &Utilization) {
        let construct = Site::new(self, "Tracking").make("applicationautoscaling.TargetTrackingScalingPolicy");
        if !(10.0..=90.0).contains(&utilization.percent) {
            construct.report(format!(
                "between 10 and 90 percent of a table's capacity are to be in use, not {}",
                utilization.percent
            ));
        }
        let metric = format!("DynamoDB{}CapacityUtilization", self.direction.as_str());
        let seconds = |duration: Option<Duration>| duration.map(whole_seconds);
        let tracking = scaling_policy::TargetTrackingScalingPolicyConfiguration::new()
            .predefined_metric_specification(
                scaling_policy::PredefinedMetricSpecification::new().predefined_metric_type(metric),
            )
            .target_value(utilization.percent)
            .when_some(
                utilization.disable_scale_in,
                scaling_policy::TargetTrackingScalingPolicyConfiguration::disable_scale_in,
            )
            .when_some(
                seconds(utilization.scale_in_cooldown),
                scaling_policy::TargetTrackingScalingPolicyConfiguration::scale_in_cooldown,
            )
            .when_some(
                seconds(utilization.scale_out_cooldown),
                scaling_policy::TargetTrackingScalingPolicyConfiguration::scale_out_cooldown,
            );
        let name = utilization.policy_name.clone().unwrap_or_else(|| construct.unique_id());
        let properties = cfn::applicationautoscaling::ScalingPolicy::new()
            .policy_name(name)
            .policy_type("TargetTrackingScaling")
            .scaling_target_id(self.resource.reference())
            .target_tracking_scaling_policy_configuration(tracking);
        CfnResource::new(&construct, "Resource", properties);
    }

    /// Follows the clock.
    pub fn scale_on_schedule(&self, name: &str, action: &ScheduledCapacity) {
        if action.min.is_none() && action.max.is_none() {
            self.construct
                .report(format!("`{name}` changes nothing; name the least capacity or the most"));
        }
        let bounds = scalable_target::ScalableTargetAction::new()
            .when_some(action.min, scalable_target::ScalableTargetAction::min_capacity)
            .when_some(action.max, scalable_target::ScalableTargetAction::max_capacity);
        let scheduled = scalable_target::ScheduledAction::new()
            .scheduled_action_name(name)
            .schedule(action.schedule.as_str())
            .scalable_target_action(bounds)
            .when_some(action.time_zone.as_deref(), scalable_target::ScheduledAction::timezone);
        let mut actions = self.scheduled.borrow_mut();
        actions.push(IntoValue::<scalable_target::ScheduledAction>::into_value(scheduled).into_expr());
        self.resource.set("ScheduledActions", Some(Expr::List(actions.clone())));
    }
}
