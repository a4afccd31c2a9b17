//! EventBridge Scheduler: what runs once or again and again, in any time zone.

mod group;
mod schedule;
mod target;
mod time;

pub use group::{ScheduleGroup, ScheduleGroupBuilder};
pub use schedule::{Schedule, ScheduleBuilder, TimeWindow, metric_all};
pub use target::{ContextAttribute, Target};
pub use time::{Moment, ScheduleExpression};
