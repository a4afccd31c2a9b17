//! Alarms on dashboards.

use cfn::{Expr, Map};

use super::graph::YAxis;
use super::properties::{Properties, region};
use super::{size, title};
use crate::cloudwatch::alarm::Alarm;
use crate::cloudwatch::composite_alarm::CompositeAlarm;

/// An alarm over time.
#[derive(Clone, Debug)]
pub struct AlarmWidget {
    title: Option<String>,
    alarm: Expr,
    axis: Option<YAxis>,
    region: Option<String>,
    account: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
}

impl AlarmWidget {
    pub fn new(alarm: &Alarm) -> Self {
        Self {
            title: None,
            alarm: alarm.alarm_arn().into_expr(),
            axis: None,
            region: None,
            account: None,
            width: None,
            height: None,
        }
    }

    size!();
    title!();

    #[must_use]
    pub fn left_y_axis(mut self, axis: YAxis) -> Self {
        self.axis = Some(axis);
        self
    }

    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    pub(super) fn render(&self) -> Map {
        let mut properties = Properties::default();
        properties.set("view", Some("timeSeries"));
        properties.set("title", self.title.clone());
        properties.set("region", Some(region(self.region.as_deref())));
        properties.set(
            "annotations",
            Some(Expr::map([("alarms", Expr::list([self.alarm.clone()]))])),
        );
        let axis: Map = self.axis.iter().map(|axis| ("left", axis.render())).collect();
        properties.set("yAxis", Some(axis));
        properties.set("accountId", self.account.clone());
        properties.0
    }
}

/// The states of several alarms.
#[derive(Clone, Debug)]
pub struct AlarmStatusWidget {
    title: Option<String>,
    alarms: Vec<Expr>,
    states: Vec<AlarmState>,
    sort_by: Option<AlarmSort>,
    width: Option<u32>,
    height: Option<u32>,
}

impl AlarmStatusWidget {
    pub fn new<'a>(alarms: impl IntoIterator<Item = &'a Alarm>) -> Self {
        let alarms = alarms.into_iter().map(|alarm| alarm.alarm_arn().into_expr()).collect();
        Self {
            title: None,
            alarms,
            states: Vec::new(),
            sort_by: None,
            width: None,
            height: None,
        }
    }

    size!();
    title!();

    /// A composite alarm beside the others.
    #[must_use]
    pub fn composite(mut self, alarm: &CompositeAlarm) -> Self {
        self.alarms.push(alarm.alarm_arn().into_expr());
        self
    }

    /// Only alarms in these states.
    #[must_use]
    pub fn states(mut self, states: impl IntoIterator<Item = AlarmState>) -> Self {
        self.states.extend(states);
        self
    }

    #[must_use]
    pub fn sort_by(mut self, sort: AlarmSort) -> Self {
        self.sort_by = Some(sort);
        self
    }

    pub(super) fn render(&self) -> Map {
        let states: Vec<Expr> = self.states.iter().map(|state| state.as_str().into()).collect();
        let sort = self.sort_by.map(|sort| match sort {
            AlarmSort::Default => "default",
            AlarmSort::StateUpdatedTimestamp => "stateUpdatedTimestamp",
            AlarmSort::Timestamp => "timestamp",
        });
        let mut properties = Properties::default();
        properties.set(
            "title",
            Some(self.title.clone().unwrap_or_else(|| "Alarm Status".into())),
        );
        properties.set("alarms", Some(Expr::List(self.alarms.clone())));
        properties.set("states", (!states.is_empty()).then_some(Expr::List(states)));
        properties.set("sortBy", sort);
        properties.0
    }
}

/// What an alarm can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmState {
    Alarm,
    Ok,
    InsufficientData,
}

impl AlarmState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Alarm => "ALARM",
            Self::Ok => "OK",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmSort {
    /// By name.
    Default,
    StateUpdatedTimestamp,
    Timestamp,
}
