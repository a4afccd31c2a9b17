//! When a schedule runs.

use std::fmt;
use std::time::Duration;

use crate::events::{self, Cron};

const UTC: &str = "Etc/UTC";

/// A second of the calendar. In UTC for the bounds of a schedule; in the schedule's time zone where it runs once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl Moment {
    /// Midnight at the beginning of a day.
    pub const fn on(year: u16, month: u8, day: u8) -> Self {
        Self {
            year,
            month,
            day,
            hour: 0,
            minute: 0,
            second: 0,
        }
    }

    #[must_use]
    pub const fn at(mut self, hour: u8, minute: u8, second: u8) -> Self {
        self.hour = hour;
        self.minute = minute;
        self.second = second;
        self
    }

    const fn days_of_month(self) -> u8 {
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400)) => 29,
            2 => 28,
            _ => 31,
        }
    }

    pub(super) fn problem(self) -> Option<String> {
        let is_real = (1970..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=self.days_of_month()).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60;
        (!is_real).then(|| format!("there is no {self}"))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )
    }
}

/// When a schedule runs, in UTC unless [`ScheduleExpression::time_zone`] says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleExpression {
    text: String,
    time_zone: String,
    problem: Option<String>,
}

impl ScheduleExpression {
    fn new(text: String, problem: Option<String>) -> Self {
        Self {
            text,
            time_zone: UTC.to_owned(),
            problem,
        }
    }

    /// Once.
    pub fn at(moment: Moment) -> Self {
        Self::new(format!("at({moment})"), moment.problem())
    }

    /// Again and again, in whole minutes: a part of a minute is left out.
    pub fn rate(interval: Duration) -> Self {
        let rate = events::Schedule::rate(interval);
        Self::new(rate.as_str().to_owned(), rate.problem().map(str::to_owned))
    }

    pub fn cron(cron: &Cron) -> Self {
        Self::new(cron.to_string(), None)
    }

    /// `rate(5 minutes)`, `cron(0 2 * * ? *)` or `at(2026-12-24T18:00:00)`.
    pub fn expression(expression: impl Into<String>) -> Self {
        Self::new(expression.into(), None)
    }

    /// By its name in the database of time zones: `Europe/Rome`.
    #[must_use]
    pub fn time_zone(mut self, name: impl Into<String>) -> Self {
        self.time_zone = name.into();
        self
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn zone(&self) -> &str {
        &self.time_zone
    }

    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{hours, seconds};

    #[test]
    fn days_that_are_not_are_known() {
        assert_eq!(Moment::on(2028, 2, 29).at(23, 59, 59).problem(), None);
        for moment in [
            Moment::on(2026, 2, 29),
            Moment::on(2026, 13, 1),
            Moment::on(2026, 4, 31),
            Moment::on(2026, 1, 1).at(24, 0, 0),
        ] {
            assert!(moment.problem().is_some(), "{moment}");
        }
        assert!(Moment::on(2026, 1, 2) > Moment::on(2026, 1, 1).at(23, 0, 0));
    }

    #[test]
    fn expressions() {
        let once = ScheduleExpression::at(Moment::on(2026, 12, 24).at(18, 0, 0));
        assert_eq!((once.text(), once.zone()), ("at(2026-12-24T18:00:00)", "Etc/UTC"));
        assert_eq!(ScheduleExpression::rate(hours(2)).text(), "rate(2 hours)");
        assert!(ScheduleExpression::rate(seconds(3)).problem().is_some());
    }
}
