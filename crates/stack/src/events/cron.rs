//! Tables of times, as EventBridge writes them: `cron(0 2 ? * MON *)`.

use std::fmt;

/// When something runs: each field is a value, a list or a range, and any if nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cron {
    minute: Option<String>,
    hour: Option<String>,
    day: Days,
    month: Option<String>,
    year: Option<String>,
}

/// Days are counted in the month or in the week, not in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Days {
    #[default]
    All,
    OfMonth(String),
    OfWeek(String),
}

impl Cron {
    pub fn new() -> Self {
        Self::default()
    }

    /// `0`, `0/15`.
    #[must_use]
    pub fn minute(mut self, minute: impl Into<String>) -> Self {
        self.minute = Some(minute.into());
        self
    }

    /// `2`, `8-18`.
    #[must_use]
    pub fn hour(mut self, hour: impl Into<String>) -> Self {
        self.hour = Some(hour.into());
        self
    }

    /// `1`, `L`. Takes the place of a day of the week.
    #[must_use]
    pub fn day(mut self, day: impl Into<String>) -> Self {
        self.day = Days::OfMonth(day.into());
        self
    }

    /// `MON`, `MON-FRI`. Takes the place of a day of the month.
    #[must_use]
    pub fn week_day(mut self, day: impl Into<String>) -> Self {
        self.day = Days::OfWeek(day.into());
        self
    }

    /// `1`, `JAN`.
    #[must_use]
    pub fn month(mut self, month: impl Into<String>) -> Self {
        self.month = Some(month.into());
        self
    }

    #[must_use]
    pub fn year(mut self, year: impl Into<String>) -> Self {
        self.year = Some(year.into());
        self
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn any(field: Option<&String>) -> &str {
            field.map_or("*", String::as_str)
        }
        let (day, week_day) = match &self.day {
            Days::All => ("*", "?"),
            Days::OfMonth(day) => (day.as_str(), "?"),
            Days::OfWeek(day) => ("?", day.as_str()),
        };
        let (minute, hour) = (any(self.minute.as_ref()), any(self.hour.as_ref()));
        let (month, year) = (any(self.month.as_ref()), any(self.year.as_ref()));
        write!(formatter, "cron({minute} {hour} {day} {month} {week_day} {year})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_of_the_month_or_of_the_week() {
        assert_eq!(Cron::new().to_string(), "cron(* * * * ? *)");
        assert_eq!(Cron::new().minute("0").day("L").to_string(), "cron(0 * L * ? *)");
        let weekly = Cron::new().day("1").week_day("MON").minute("0").hour("2");
        assert_eq!(weekly.to_string(), "cron(0 2 ? * MON *)");
    }
}
