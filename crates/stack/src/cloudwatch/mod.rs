//! Metrics, alarms over them, and dashboards.

/// What alarms of both kinds tell others.
macro_rules! alarm_actions {
    () => {
        /// Tells a topic, or another target of alarms, when the alarm goes off.
        pub fn add_alarm_action(&self, arn: impl cfn::IntoValue<String>) {
            self.resource.append("AlarmActions", arn.into_value().into_expr());
        }

        /// … when it is over.
        pub fn add_ok_action(&self, arn: impl cfn::IntoValue<String>) {
            self.resource.append("OKActions", arn.into_value().into_expr());
        }

        pub fn add_insufficient_data_action(&self, arn: impl cfn::IntoValue<String>) {
            self.resource
                .append("InsufficientDataActions", arn.into_value().into_expr());
        }
    };
}

mod action;
mod alarm;
mod composite_alarm;
mod dashboard;
pub(crate) mod json_text;
mod metric;
mod statistic;
mod variable;
mod widget;

pub use action::{AlarmAction, OpsItemCategory, OpsItemSeverity};
pub use alarm::{Alarm, AlarmBuilder, Comparison, TreatMissingData};
pub use composite_alarm::{AlarmRule, CompositeAlarm, CompositeAlarmBuilder};
pub use dashboard::{Dashboard, DashboardBuilder};
pub use metric::{MathExpression, Metric, Series};
pub use variable::{DashboardVariable, VariableInput, VariableValues};
pub use widget::{
    AlarmSort, AlarmState, AlarmStatusWidget, AlarmWidget, Annotation, CustomWidget, GaugeWidget, GraphView,
    GraphWidget, LogQueryLanguage, LogQueryView, LogQueryWidget, SingleValueWidget, Spacer, TableLayout, TableSummary,
    TableThreshold, TableWidget, TextWidget, VerticalAnnotation, Widget, YAxis,
};
