//! Metrics, alarms over them, and dashboards.

mod alarm;
mod composite_alarm;
mod dashboard;
pub(crate) mod json_text;
mod metric;
mod statistic;
mod widget;

pub use alarm::{Alarm, AlarmBuilder, Comparison, TreatMissingData};
pub use composite_alarm::{AlarmRule, CompositeAlarm, CompositeAlarmBuilder};
pub use dashboard::{Dashboard, DashboardBuilder};
pub use metric::{MathExpression, Metric, Series};
pub use widget::{
    AlarmStatusWidget, AlarmWidget, Annotation, GraphView, GraphWidget, SingleValueWidget, Spacer, TextWidget, Widget,
    YAxis,
};
