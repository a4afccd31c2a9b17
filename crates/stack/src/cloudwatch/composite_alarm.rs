//! Alarms about other alarms.

use std::time::Duration;

use cfn::{Expr, IntoValue, Value, id};

use super::alarm::Alarm;
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

/// The longest name that the CDK makes up.
const NAME_LENGTH: usize = 240;

/// When a composite alarm goes off.
#[derive(Clone, Debug)]
pub struct AlarmRule(Vec<Expr>);

impl AlarmRule {
    /// While this alarm is on.
    pub fn alarm(alarm: &Alarm) -> Self {
        Self::state("ALARM", alarm.alarm_arn().into_expr())
    }

    /// While this alarm is off.
    pub fn ok(alarm: &Alarm) -> Self {
        Self::state("OK", alarm.alarm_arn().into_expr())
    }

    /// While too little is known.
    pub fn insufficient_data(alarm: &Alarm) -> Self {
        Self::state("INSUFFICIENT_DATA", alarm.alarm_arn().into_expr())
    }

    /// While this composite alarm is on.
    pub fn composite(alarm: &CompositeAlarm) -> Self {
        Self::state("ALARM", alarm.alarm_arn().into_expr())
    }

    /// Always, or never.
    pub fn constant(value: bool) -> Self {
        Self(vec![if value { "TRUE" } else { "FALSE" }.into()])
    }

    /// `rules` must not be empty.
    pub fn all_of(rules: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(" AND ", rules)
    }

    /// `rules` must not be empty.
    pub fn any_of(rules: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(" OR ", rules)
    }

    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "read as `all_of` and `any_of` are")]
    pub fn not(rule: Self) -> Self {
        Self([vec!["(NOT (".into()], rule.0, vec!["))".into()]].concat())
    }

    fn state(state: &'static str, arn: Expr) -> Self {
        Self(vec![format!("{state}(\"").into(), arn, "\")".into()])
    }

    fn joined(operator: &'static str, rules: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = Vec::new();
        for rule in rules {
            parts.push(if parts.is_empty() { "(" } else { operator }.into());
            parts.extend(rule.0);
        }
        if !parts.is_empty() {
            parts.push(")".into());
        }
        Self(parts)
    }
}

/// What keeps a composite alarm from acting.
struct Suppressor {
    arn: Expr,
    wait: Duration,
    extension: Duration,
}

#[derive(Clone)]
pub struct CompositeAlarm {
    construct: Construct,
    resource: CfnResource<cfn::cloudwatch::CompositeAlarm>,
}

impl Scope for CompositeAlarm {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct CompositeAlarmBuilder {
    site: Site,
    rule: AlarmRule,
    name: Option<Expr>,
    properties: cfn::cloudwatch::CompositeAlarm,
    suppressor: Option<Suppressor>,
}

impl CompositeAlarmBuilder {
    /// Made of the path if nothing is said.
    pub fn alarm_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.alarm_description(description);
        self
    }

    pub fn actions_enabled(mut self, on: bool) -> Self {
        self.properties = self.properties.actions_enabled(on);
        self
    }

    /// Nothing is done while `alarm` is on: `wait` is granted it to go on, and `extension` after it is over.
    pub fn suppressed_by(mut self, alarm: &Alarm, wait: Duration, extension: Duration) -> Self {
        self.suppressor = Some(Suppressor {
            arn: alarm.alarm_arn().into_expr(),
            wait,
            extension,
        });
        self
    }

    pub fn build(self) -> CompositeAlarm {
        let construct = self.site.make("cloudwatch.CompositeAlarm");
        if self.rule.0.is_empty() {
            construct.report("a rule of no alarms never goes off; name at least one");
        }
        let name = self.name.unwrap_or_else(|| generated_name(&construct).into());
        let mut properties = self
            .properties
            .alarm_name(name.cast::<String>())
            .alarm_rule(Expr::concat(self.rule.0).cast::<String>());
        if let Some(suppressor) = self.suppressor {
            properties = properties
                .actions_suppressor(suppressor.arn.cast::<String>())
                .actions_suppressor_wait_period(whole_seconds(suppressor.wait))
                .actions_suppressor_extension_period(whole_seconds(suppressor.extension));
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        CompositeAlarm { construct, resource }
    }
}

/// The unique id, with its middle left out where it is too long. Ids are ASCII.
fn generated_name(construct: &Construct) -> String {
    let id = construct.unique_id();
    if id.len() <= NAME_LENGTH {
        return id;
    }
    let half = NAME_LENGTH / 2;
    format!("{}{}", &id[..half], &id[id.len() - half..])
}

impl CompositeAlarm {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, rule: AlarmRule) -> CompositeAlarmBuilder {
        CompositeAlarmBuilder {
            site: Site::new(scope, id),
            rule,
            name: None,
            properties: cfn::cloudwatch::CompositeAlarm::new(),
            suppressor: None,
        }
    }

    pub fn alarm_name(&self) -> Value<String> {
        self.resource.reference().cast()
    }

    pub fn alarm_arn(&self) -> Value<id::cloudwatch::CompositeAlarmArn> {
        self.resource.arn().cast()
    }

    pub fn resource(&self) -> &CfnResource<cfn::cloudwatch::CompositeAlarm> {
        &self.resource
    }

    alarm_actions!();
}
