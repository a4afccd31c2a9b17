//! What alarms can do by themselves, by ARN: `alarm.add_alarm_action(AlarmAction::reboot_instance(&stack))`.
//!
//! Topics are told with their own ARN, functions with [`super::Alarm::add_alarm_function`].

use cfn::{Expr, Value};

use crate::stack::{Arn, ArnFormat, Stack};
use crate::tree::Scope;

/// How bad it is that an alarm went off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpsItemSeverity {
    Critical,
    High,
    Medium,
    Low,
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpsItemCategory {
    Availability,
    Cost,
    Performance,
    Recovery,
    Security,
}

impl OpsItemCategory {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Availability => "Availability",
            Self::Cost => "Cost",
            Self::Performance => "Performance",
            Self::Recovery => "Recovery",
            Self::Security => "Security",
        }
    }
}

/// Actions, by ARN. Those on an instance are for alarms over a metric whose only dimension is `InstanceId`.
#[derive(Debug)]
pub enum AlarmAction {}

impl AlarmAction {
    pub fn stop_instance(scope: &impl Scope) -> Value<String> {
        Self::on_instance(scope, "stop")
    }

    pub fn terminate_instance(scope: &impl Scope) -> Value<String> {
        Self::on_instance(scope, "terminate")
    }

    /// On other hardware.
    pub fn recover_instance(scope: &impl Scope) -> Value<String> {
        Self::on_instance(scope, "recover")
    }

    pub fn reboot_instance(scope: &impl Scope) -> Value<String> {
        Self::on_instance(scope, "reboot")
    }

    fn on_instance(scope: &impl Scope, action: &'static str) -> Value<String> {
        let parts = [
            "arn:".into(),
            cfn::pseudo::partition().into_expr(),
            ":automate:".into(),
            Stack::of(scope).region().into_expr(),
            format!(":ec2:{action}").into(),
        ];
        Expr::concat(parts).cast()
    }

    /// Opens an item in Systems Manager's OpsCenter.
    pub fn ops_item(scope: &impl Scope, severity: OpsItemSeverity, category: Option<OpsItemCategory>) -> Value<String> {
        let severity = match severity {
            OpsItemSeverity::Critical => 1,
            OpsItemSeverity::High => 2,
            OpsItemSeverity::Medium => 3,
            OpsItemSeverity::Low => 4,
        };
        let category = category.map(|category| format!("#CATEGORY={}", category.as_str()));
        let name = format!("{severity}{}", category.unwrap_or_default());
        let arn = Arn::new("ssm", "opsitem").format(ArnFormat::Colon).name(name);
        Stack::of(scope).format_arn(arn).cast()
    }

    /// Starts an incident by a response plan of Incident Manager.
    pub fn incident(scope: &impl Scope, response_plan: &str) -> Value<String> {
        let arn = Arn::new("ssm-incidents", "response-plan")
            .region("")
            .name(response_plan.to_owned());
        Stack::of(scope).format_arn(arn).cast()
    }
}
